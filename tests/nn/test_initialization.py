"""The gain of the first weights is He's, on message-passing layers alone."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch_geometric.nn import GCN, GCNConv, GraphSAGE

from benthic.errors import InputError
from benthic.nn.initialization import scale_initial_weights


def deep_norm(gain, num_layers=32):
    """How much of a signal is left after ReLU layers on a graph without edges."""
    torch.manual_seed(0)
    model = GCN(64, 64, num_layers, bias=False)
    x = torch.randn(50, 64)
    scale_initial_weights(model, gain)
    no_edges = torch.empty(2, 0, dtype=torch.long)
    return float(model(x, no_edges).detach().norm() / x.norm())


def test_the_gain_of_the_paper_keeps_a_signal_alive_that_would_vanish():
    assert deep_norm(gain=1.0) < 1e-3
    assert 0.05 < deep_norm(gain=2**0.5) < 20


def test_weights_are_multiplied_and_biases_stay():
    model = GraphSAGE(4, 8, num_layers=2, out_channels=3)
    for convolution in model.convs:
        nn.init.ones_(convolution.lin_l.bias)
    before = {name: value.clone() for name, value in model.state_dict().items()}

    assert scale_initial_weights(model, 3.0) is model
    for name, value in model.state_dict().items():
        factor = 1 if name.endswith("bias") else 3
        torch.testing.assert_close(value, factor * before[name])


def test_a_shared_layer_is_scaled_once():
    conv = GCNConv(4, 4)
    model = nn.ModuleList([conv, conv])
    before = conv.lin.weight.detach().clone()

    scale_initial_weights(model, 2.0)
    torch.testing.assert_close(conv.lin.weight.detach(), 2 * before)


@pytest.mark.parametrize("gain", [0.0, -1.0, float("nan")])
def test_a_gain_that_is_not_above_zero_is_refused(gain):
    with pytest.raises(InputError, match="gain"):
        scale_initial_weights(GCNConv(2, 2), gain)


def test_a_model_without_message_passing_is_refused():
    with pytest.raises(InputError, match="no message-passing layer"):
        scale_initial_weights(nn.Linear(2, 2))
