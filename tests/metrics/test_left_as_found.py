from __future__ import annotations

import pytest
import torch
from torch import nn
from torch_geometric.data import Data
from torch_geometric.nn import GCNConv

from benthic.metrics.left_as_found import left_as_found, own_randomness

DATA = Data(x=torch.ones(3, 2), edge_index=torch.tensor([[0, 1], [1, 2]]))


@pytest.mark.parametrize("fails", [False, True])
def test_modes_caches_and_buffers_come_back(fails):
    model = nn.ModuleDict(
        {"conv": GCNConv(2, 2, cached=True), "norm": nn.BatchNorm1d(2)}
    )
    model["norm"].eval()
    mean = model["norm"].running_mean
    try:
        with left_as_found(model):
            assert not any(module.training for module in model.modules())
            model["conv"](DATA.x, DATA.edge_index)
            model.train()["norm"].running_mean.fill_(7)
            model["norm"].running_var = torch.full((2,), 5.0)
            if fails:
                raise RuntimeError
    except RuntimeError:
        assert fails
    assert model.training
    assert not model["norm"].training
    assert model["conv"]._cached_edge_index is None
    assert model["norm"].running_mean is mean
    assert not mean.any()
    assert torch.equal(model["norm"].running_var, torch.ones(2))


def test_the_seed_decides_and_the_callers_random_state_stays():
    before = torch.get_rng_state()
    draws = []
    for seed in (1, 1, 2):
        with own_randomness(DATA, seed):
            draws.append(torch.rand(4))
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("grad", [torch.no_grad, torch.inference_mode])
def test_gradients_are_on_in_the_block_only(grad):
    with grad():
        with own_randomness(DATA, 0):
            assert torch.is_grad_enabled()
            assert not torch.is_inference_mode_enabled()
        assert not torch.is_grad_enabled()
