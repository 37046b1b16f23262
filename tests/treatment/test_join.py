"""Skips, then jumping knowledge, then the norm."""

from __future__ import annotations

import torch
from torch import nn
from torch_geometric.nn import GraphNorm, JumpingKnowledge

from benthic.nn.drop import SkipNode
from benthic.nn.norm import BatchNorm, PairNorm
from benthic.nn.residual import GradientGating, InitialResidual, Residual
from benthic.treatment.join import Join


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


def test_the_graphs_of_a_batch_are_others_in_each_frame():
    h, batch = torch.randn(2, 5, 3), torch.tensor([0, 0, 0, 1, 1])
    norm = PairNorm()
    _, returned = Join(norm=norm)(h, [], None, batch)
    for frame, alone in zip(returned, h, strict=True):
        torch.testing.assert_close(frame, norm(alone, batch))


def test_what_asks_for_rows_is_told_from_what_asks_for_width_alone():
    skip, gate, norm = SkipNode(0.5), GradientGating(), BatchNorm(3)
    jump = JumpingKnowledge("max")
    assert Join([Residual(), skip, gate], norm, jump).by_rows == [
        skip,
        gate,
        norm,
        jump,
    ]
