from __future__ import annotations

import numpy as np
import pytest

from benthic.relational.engines import Options
from benthic.relational.engines import member_fitting as room
from benthic.relational.engines.member_fitting import MemberFitting, MemberRows
from benthic.relational.evaluation.metrics import auroc


def told(size, seed):
    """The first column tells the first value, nothing the second; the third is rare."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(size, 4)).astype(np.float32)
    y = np.zeros((size, 3))
    y[:, 0] = x[:, 0] + 0.3 * random.normal(size=size) > 0
    y[:, 1] = random.random(size) < 0.5
    y[:2, 2] = 1
    return x, y


@pytest.fixture
def rows():
    return MemberRows(*told(300, 0), *told(150, 1))


def test_each_value_is_learned_from_its_own_truths(rows):
    fitting = MemberFitting(rows, Options(num_models=2), None, lambda text: None)
    trials = fitting.choose(np.arange(150))
    members = fitting.members(rows.x, rows.y, ["a", "b", "c"], trials)
    assert [member.value for member in members] == ["a", "b", "c"]
    assert [len(member.boosters) for member in members] == [2, 2, 0]
    x, y = told(400, 2)
    assert auroc(y[:, 0], members[0](x)) > 0.95
    assert abs(auroc(y[:, 1], members[1](x)) - 0.5) < 0.12
    assert np.allclose(members[2](x), 2.5 / 301)


def test_an_interrupted_fit_goes_on_where_it_was(rows, tmp_path, monkeypatch):
    def fit():
        fitting = MemberFitting(rows, Options(num_models=1), tmp_path, lambda _: None)
        trials = fitting.choose(np.arange(150))
        return fitting.members(rows.x, rows.y, ["a", "b", "c"], trials)

    first = fit()
    monkeypatch.setattr(room, "grow", None)
    for one, other in zip(first, fit(), strict=True):
        assert np.array_equal(one(rows.x), other(rows.x))


def test_values_beyond_the_commonest_are_learned_too(rows, monkeypatch):
    monkeypatch.setattr(room, "_JUDGED_VALUES", 1)
    fitting = MemberFitting(rows, Options(num_models=1), None, lambda text: None)
    assert [trial.rounds > 0 for trial in fitting.choose(np.arange(150))] == [
        True,
        True,
        False,
    ]


def test_many_values_have_fewer_models_each(rows, monkeypatch):
    monkeypatch.setattr(room, "_MOST_BOOSTERS", 3)
    fitting = MemberFitting(rows, Options(num_models=8), None, lambda text: None)
    trials = fitting.choose(np.arange(150))
    members = fitting.members(rows.x, rows.y, ["a", "b", "c"], trials)
    assert [len(member.boosters) for member in members] == [1, 1, 0]
