from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.relational.engines.matrices import material

from benthic.relational.engines import binned_material as module
from benthic.relational.engines.binned_material import BinnedMaterial
from benthic.relational.engines.boosting import Binned, Trees, grow
from benthic.relational.engines.material import Setting

TREES = Trees("binary", 4, 5)
SETTINGS = [
    Setting("fresh", 0.0, 0, TREES),
    Setting("fresh", 0.2, 0, TREES),
    Setting("fresh", 0.0, 0, replace(TREES, num_leaves=8)),
    Setting("lagged", 0.2, 2, TREES),
    Setting("lagged", 0.0, 0, TREES),
    Setting("fresh", 0.2, 2, TREES),
    Setting("fresh", 0.0, 0, TREES),
]


@pytest.fixture(scope="module")
def made():
    return material(views=("fresh", "lagged"), order=np.array([1, 0, 2, 3, 4, 5]))


def grown(rows, setting):
    one = grow(rows, setting.trees, num_rounds=6, seed=1, metric="binary_logloss")
    return one.booster.model_to_string(), one.curve.tolist()


def test_trees_of_kept_bins_are_those_of_bins_cut_anew(made):
    binned = BinnedMaterial(made)
    for setting in SETTINGS:
        fresh = Binned(made.rows(setting), made.validation(setting))
        assert grown(binned(setting), setting) == grown(fresh, setting)


def test_the_same_rows_and_features_are_cut_once(made, monkeypatch):
    cut = []

    def watched(rows, validation):
        cut.append(rows.x.shape)
        return Binned(rows, validation)

    monkeypatch.setattr(module, "Binned", watched)
    binned = BinnedMaterial(made)
    for setting in SETTINGS[:4]:
        binned(setting)
    assert cut == [(160, 6), (320, 2)]


def test_only_the_last_bins_are_kept(made, monkeypatch):
    monkeypatch.setattr(module, "_KEPT", 1)
    binned = BinnedMaterial(made)
    first = binned(SETTINGS[0])
    assert binned(SETTINGS[1]) is first
    binned(SETTINGS[4])
    assert binned(SETTINGS[0]) is not first


def test_without_validation_all_rounds_are_grown():
    binned = BinnedMaterial(material(num_validation=0))
    one = grow(binned(SETTINGS[0]), TREES, num_rounds=3, seed=0)
    assert one.booster.num_trees() == 3
    assert one.curve.size == 0
