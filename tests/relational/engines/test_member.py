from __future__ import annotations

import json

import numpy as np
import pandas as pd

from benthic.relational.engines.boosting import Binned, Rows, Trees, grow
from benthic.relational.engines.calibration import Calibration, sigmoid
from benthic.relational.engines.member import (
    Member,
    best_values,
    commonest_values,
    share_of,
    truths,
)


def grown(seed):
    x = np.random.default_rng(0).normal(size=(90, 3)).astype(np.float32)
    rows = Rows(x, (x[:, 0] > 0).astype(float), np.ones(len(x)))
    return x, grow(Binned(rows), Trees("binary"), num_rounds=9, seed=seed).booster


def test_a_member_is_the_mean_of_its_trees_calibrated():
    x, one = grown(0)
    _, other = grown(1)
    shift = Calibration("platt", (1.0, 0.5))
    member = Member("a", 0.5, (one, other), shift)
    mean = (one.predict(x) + other.predict(x)) / 2
    assert np.allclose(member(x), shift(mean))
    raw = [booster.predict(x[:1], raw_score=True)[0] for booster in (one, other)]
    assert np.isclose(member.effects(x[:1]).sum(), np.mean(raw))


def test_a_member_without_trees_is_its_share():
    member = Member("a", 0.2)
    assert member(np.zeros((2, 3))).tolist() == [0.2, 0.2]
    assert np.allclose(sigmoid(member.effects(np.zeros((1, 3)))), [0.5] * 3 + [0.2])
    x, booster = grown(0)
    assert len(Member("a", 0.2, (booster,))(x[:0])) == 0


def test_a_member_comes_back_from_a_folder(tmp_path):
    x, booster = grown(0)
    member = Member(7, 0.2, (booster,), Calibration("platt", (1.0, 0.5)))
    member.save(tmp_path, "member.0")
    facts = json.loads(json.dumps(member.to_json()))
    again = Member.load(tmp_path, "member.0", facts)
    assert again.value == 7
    assert np.array_equal(again(x), member(x))


def test_sets_become_truths_of_the_values_that_are_known():
    labels = pd.Series([["b", "b", "a"], [], ["b", "c"]])
    assert commonest_values(labels) == ["b", "a", "c"]
    assert truths(labels, ["b", "a"]).tolist() == [[1, 1], [0, 0], [1, 0]]
    assert 0 < share_of(np.zeros(9)) < share_of(np.ones(9)) < 1


def test_the_likeliest_come_first_and_ties_stay_in_order():
    said = np.array([[0.2, 0.9, 0.2], [0.1, 0.2, 0.3]])
    lists, points = best_values(said, ["a", "b", "c"], 2)
    assert lists == [["b", "a"], ["c", "b"]]
    assert points == [[0.9, 0.2], [0.3, 0.2]]
    assert best_values(said, ["a", "b", "c"], 9)[0][1] == ["c", "b", "a"]
