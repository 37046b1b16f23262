from __future__ import annotations

import numpy as np
import pytest
from tests.relational.engines.matrices import material

from benthic.relational.engines import usefulness as module
from benthic.relational.engines.kinds import BINARY
from benthic.relational.engines.material import Material
from benthic.relational.engines.usefulness import order_features

DRAWN = {"seed": 0, "num_threads": 1}


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(module, "_ROUNDS", 20)


def aged(x, y):
    empty = np.zeros((0, x.shape[1]), np.float32)
    return Material({"fresh": x}, y, np.linspace(1, 0, len(y)), empty, np.zeros(0))


def test_what_tells_the_label_comes_first_and_each_feature_once():
    order = order_features(material(size=600), BINARY, **DRAWN)
    assert order[0] == 0
    assert sorted(order) == list(range(6))


def test_what_helps_in_every_period_comes_before_what_helps_in_one():
    random = np.random.default_rng(0)
    x = random.normal(size=(900, 5)).astype(np.float32)
    steady, once = 2, 4
    y = (x[:, steady] + 0.5 * random.normal(size=900) > 0).astype(float)
    y[:300] = x[:300, once] > 0
    order = order_features(aged(x, y), BINARY, **DRAWN)
    assert order[0] == steady


def test_a_period_of_one_class_has_no_say():
    x, y = material(size=300).views["fresh"], material(size=300).y
    y = y.copy()
    y[:110] = 1.0
    order = order_features(aged(x, y), BINARY, **DRAWN)
    assert set(order[:2]) == {0, 1}


def test_a_period_shows_no_more_rows_than_allowed(monkeypatch):
    sizes = []
    cut = module.Binned

    def watched(rows):
        sizes.append(len(rows.y))
        return cut(rows)

    monkeypatch.setattr(module, "Binned", watched)
    monkeypatch.setattr(module, "_MOST_ROWS", 60)
    order_features(material(size=300), BINARY, **DRAWN)
    assert len(sizes) == 3
    assert 30 < max(sizes) <= 60
