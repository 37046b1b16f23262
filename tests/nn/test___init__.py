"""The room's front door: every name on it exists, and PyG's names are PyG's."""

from __future__ import annotations

import torch_geometric.nn as pyg

import benthic.nn


def test_every_name_is_there_once_and_in_order():
    names = benthic.nn.__all__
    assert names == sorted(set(names))
    assert all(hasattr(benthic.nn, name) for name in names)


def test_what_pyg_has_is_pygs():
    norms = ("BatchNorm", "LayerNorm", "PairNorm", "GraphNorm", "DiffGroupNorm")
    for name in (*norms, "APPNP", "GCN2Conv", "AntiSymmetricConv", "JumpingKnowledge"):
        assert getattr(benthic.nn, name) is getattr(pyg, name), name
