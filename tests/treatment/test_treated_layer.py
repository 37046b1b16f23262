"""One layer with its joins: skips, then jumping knowledge, then the norm."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch_geometric.nn import GraphNorm, JumpingKnowledge

from benthic.nn.drop import SkipNode
from benthic.nn.residual import (
    AntiSymmetric,
    DenseResidual,
    InitialResidual,
    Residual,
    Skip,
)
from benthic.treatment.treated_layer import Join, keeps_all, key_of


def test_a_join_returns_the_raw_state_and_what_goes_on():
    h, state = torch.randn(5, 3), torch.randn(5, 3)
    norm = nn.LayerNorm(3)
    x, returned = Join([Residual()], norm)(h, [state])
    assert torch.equal(x, h + state)
    assert torch.equal(returned, norm(h + state))


def test_where_a_stream_starts_there_is_no_skip():
    h = torch.randn(5, 3)
    x, returned = Join([Residual()])(h, [])
    assert x is h
    assert returned is h


def test_skips_act_one_after_the_other():
    h, first, last = (torch.randn(5, 3) for _ in range(3))
    x, _ = Join([InitialResidual(0.5), Residual()])(h, [first, last])
    torch.testing.assert_close(x, (h + first) / 2 + last)


def test_jumping_knowledge_sees_the_states_and_this_one():
    states = [torch.randn(5, 3) for _ in range(2)]
    h = torch.randn(5, 3)
    x, returned = Join(jump=JumpingKnowledge("max"))(h, states)
    assert x is h
    assert torch.equal(returned, torch.stack([*states, h]).amax(0))


def test_a_norm_of_graphs_is_told_the_graphs_where_they_fit():
    h = torch.randn(5, 3)
    batch = torch.tensor([0, 0, 0, 1, 1])
    norm = GraphNorm(3)
    assert torch.equal(Join(norm=norm)(h, [], None, batch)[1], norm(h, batch))
    assert torch.equal(Join(norm=norm)(h, [], None, batch[:2])[1], norm(h))


class Own(Skip):
    def forward(self, h, states, edge_index=None):
        return h + states[len(states) // 2]


@pytest.mark.parametrize(
    ("skips", "jumps", "all_states"),
    [
        ([Residual(), InitialResidual(), SkipNode(0.1)], [], False),
        ([AntiSymmetric], [], False),
        ([DenseResidual()], [], True),
        ([Own()], [], True),
        ([], [JumpingKnowledge("max")], True),
    ],
)
def test_only_what_reads_all_states_keeps_them(skips, jumps, all_states):
    assert keeps_all(skips, jumps) is all_states


def test_keys_have_no_dots_and_are_never_empty():
    assert key_of("convs.0.conv") == "convs_0_conv"
    assert key_of("") == "nodes"
