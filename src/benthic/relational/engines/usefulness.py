"""Which features helped in every period of training, not in one only?"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np

from benthic.relational.engines.boosting import Binned, Trees, grow
from benthic.relational.engines.kinds import Kind
from benthic.relational.engines.material import Material, Setting

_PERIODS = 3
_ROUNDS = 80
_MOST_ROWS = 10_000  # of a period


def order_features(
    material: Material, kind: Kind, *, seed: int, num_threads: int
) -> np.ndarray:
    """Features by the mean, over periods of training, of the root of their gain.

    Validation has no part in it. The root keeps one period in which a feature was
    strong from outweighing the others.

    Args:
        material: What is learned from.
        kind: Of label.
        seed: Of the trees.
        num_threads: Does not change the result.
    """
    trees = Trees(kind.objectives[0], feature_fraction=0.1, learning_rate=0.1)
    setting = Setting(list(material.views)[-1], 0.0, 0, trees)
    rows = material.rows(setting)
    age = np.tile(material.age, len(rows.y) // len(material.y))
    ends = np.quantile(age, np.linspace(0, 1, _PERIODS + 1))
    total = np.zeros(rows.x.shape[1])
    for low, high in pairwise(ends.tolist()):
        part = np.flatnonzero((age >= low) & (age <= high))
        part = part[:: max(1, -(-len(part) // _MOST_ROWS))]
        if len(np.unique(rows.y[part])) < 2:
            continue
        block = replace(rows, x=rows.x[part], y=rows.y[part], weight=rows.weight[part])
        grown = grow(
            Binned(block),
            trees,
            num_rounds=_ROUNDS,
            seed=seed,
            num_classes=material.num_classes,
            num_threads=num_threads,
        )
        gain = np.sqrt(grown.booster.feature_importance("gain"))
        total += gain / max(gain.sum(), 1e-12)
    return np.argsort(-total, kind="stable")
