from __future__ import annotations

import numpy as np
import pytest

from benthic.relational.engines import Options
from benthic.relational.engines.boosting import Rows
from benthic.relational.engines.ranker_fitting import RankerFitting
from benthic.relational.progress import silent


def rows(seed, num_lists=60, size=8):
    """Lists in which the first feature tells what comes true, most of the time."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(num_lists * size, 3)).astype(np.float32)
    y = (x[:, 0] + 0.5 * random.normal(size=len(x)) > 1).astype(float)
    return Rows(x, y, np.ones(len(y)), np.full(num_lists, size))


def fitting(folder=None, told=silent):
    return RankerFitting(rows(0), rows(1), Options(num_models=2), folder, told)


@pytest.mark.parametrize("sign", [1, -1])
def test_the_setting_is_chosen_whose_scores_are_worth_most(sign):
    asked = []

    def worth(scores):
        asked.append(sign * float(scores[0]))
        return asked[-1]

    best = fitting().choose(worth, as_probability=False)
    assert len(asked) == 4
    assert best.value == max(asked)


def test_probabilities_are_never_a_rankers():
    told = []
    made = fitting(told=told.append)
    best = made.choose(lambda scores: -float(scores.std()), as_probability=True)
    assert best.trees.objective == "binary"
    assert len(told) == 2
    models = made.models(rows(0), best)
    said = np.mean([one.predict(rows(2).x) for one in models], axis=0)
    assert ((said > 0) & (said < 1)).all()
    assert np.corrcoef(said, rows(2).y)[0, 1] > 0.6


def test_finished_parts_are_found_again(tmp_path):
    def scores_of(made):
        best = made.choose(lambda scores: 1.0, as_probability=False)
        return best.scores, [
            one.model_to_string() for one in made.models(rows(0), best)
        ]

    first, models = scores_of(fitting(tmp_path))
    assert len([*tmp_path.glob("*.json")]) == 6
    again, same = scores_of(fitting(tmp_path))
    assert np.array_equal(first, again)
    assert models == same
