"""Small matrices, in which the first two columns tell the label."""

from __future__ import annotations

import numpy as np

from benthic.relational.engines.material import Material


def drawn(size, seed, num_features=6):
    random = np.random.default_rng(seed)
    x = random.normal(size=(size, num_features)).astype(np.float32)
    return x, x[:, 0] + 0.5 * x[:, 1] + 0.3 * random.normal(size=size)


def material(size=160, num_validation=80, what="binary", views=("fresh",), **more):
    x, signal = drawn(size, 0)
    judged, later = drawn(num_validation, 1)
    labels = {
        "binary": lambda s: (s > 0).astype(np.float64),
        "regression": lambda s: s.astype(np.float64),
        "multiclass": lambda s: np.digitize(s, [-0.5, 0.5]).astype(np.float64),
    }
    copies = {"fresh": x, "lagged": np.concatenate([x + 0.1, x - 0.1])}
    return Material(
        {name: copies[name] for name in views},
        labels[what](signal),
        np.linspace(1, 0, size),
        judged,
        labels[what](later),
        3 if what == "multiclass" else 1,
        **more,
    )
