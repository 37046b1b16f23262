"""The calls tell where the stream begins, whatever order layers are defined in."""

from __future__ import annotations

import copy
import re
import warnings

import pytest
import torch
import torch.nn.functional as F
from tests.treatment.models import Shared, Stack
from torch import nn
from torch_geometric.nn import GCN, GCNConv, JumpingKnowledge

from benthic.errors import InputError
from benthic.nn.drop import DropNode
from benthic.nn.identity_map import IdentityMap
from benthic.nn.norm import LayerNorm
from benthic.nn.residual import AntiSymmetric, InitialResidual, Residual
from benthic.treatment import Norm, treat


class Named(nn.Module):
    """Layers that are defined in one order and called in another."""

    def __init__(self, defined, called, head=True):
        super().__init__()
        self.convs = nn.ModuleDict({name: GCNConv(6, 6) for name in defined})
        self.called = called
        self.head = nn.Linear(6, 3) if head else nn.Identity()

    def forward(self, x, edge_index):
        for name in self.called[:-1]:
            x = self.convs[name](x, edge_index).relu()
        return self.head(self.convs[self.called[-1]](x, edge_index))


class AnswersFirst(nn.Module):
    """The output layer is defined before the others."""

    def __init__(self):
        super().__init__()
        self.out = GCNConv(6, 3)
        self.convs = nn.ModuleList(GCNConv(6, 6) for _ in range(3))

    def forward(self, x, edge_index):
        for conv in self.convs:
            x = conv(x, edge_index).relu()
        return self.out(x, edge_index)


class Branches(nn.Module):
    """Two stacks side by side."""

    def __init__(self):
        super().__init__()
        self.a = nn.ModuleList(GCNConv(6, 6) for _ in range(2))
        self.b = nn.ModuleList(GCNConv(6, 6) for _ in range(2))

    def forward(self, x, edge_index):
        u = v = x
        for a, b in zip(self.a, self.b, strict=True):
            u, v = a(u, edge_index).relu(), b(v, edge_index).relu()
        return u + v


def table(treated):
    """What is inserted and what is left out, by layer."""
    lines = str(treated.treatments).splitlines()[2:]
    cells = [re.split(r"\s{2,}", line) for line in lines]
    return {name: rest[2:] for name, *rest in cells}


STARTS = "Residual: the stream starts here"
ORDERS = {
    "turned around": ("cba", "abc"),
    "the first in the middle": ("bac", "abc"),
    "two in a loop": ("ab", "ababab"),
    "all in a loop, turned around": ("ba", "ababab"),
    "as it is called": ("abc", "abc"),
}


@pytest.mark.parametrize(("defined", "called"), ORDERS.values(), ids=list(ORDERS))
@pytest.mark.filterwarnings("error")
def test_a_skip_acts_at_every_call_but_the_first(defined, called, x, edge_index):
    model = Named(defined, called).eval()
    treated = treat(model, Residual())
    state = model.convs[called[0]](x, edge_index)
    for name in called[1:]:
        state = model.convs[name](state.relu(), edge_index) + state
    torch.testing.assert_close(treated(x, edge_index), model.head(state))
    rows = table(treated)
    for name in defined:
        acts = called.count(name) > 1 or name != called[0]
        assert rows[f"convs.{name}"] == (["Residual"] if acts else ["-", STARTS])


@pytest.mark.parametrize(("defined", "called"), ORDERS.values(), ids=list(ORDERS))
def test_no_strength_is_equal_to_the_bit_in_any_order(defined, called, x, edge_index):
    model = Named(defined, called)
    assert torch.equal(treat(model, Residual(0.0))(x, edge_index), model(x, edge_index))


def test_before_a_call_the_table_says_that_it_depends():
    rows = table(treat(Named("cba", "abc"), Residual(), Norm(LayerNorm), IdentityMap()))
    assert rows["convs.c"] == [
        "Residual, if states come before, LayerNorm, IdentityMap"
    ]
    assert rows["convs.a"] == ["Residual, LayerNorm, if a map follows, IdentityMap"]


@pytest.mark.filterwarnings("error")
def test_the_last_by_definition_is_normed_where_another_follows(x, edge_index):
    model = AnswersFirst().eval()
    treated = treat(model, Norm(LayerNorm, mode="node"))
    h = x
    for conv in model.convs:
        h = F.layer_norm(conv(h, edge_index), (6,)).relu()
    torch.testing.assert_close(treated(x, edge_index), model.out(h, edge_index))
    rows = table(treated)
    assert rows["convs.2"] == ["LayerNorm(mode='node')"]
    assert rows["out"] == ["-", "LayerNorm(mode='node'): the model's output"]


def test_the_last_called_is_not_normed_wherever_it_is_defined(x, edge_index):
    model = Named("cba", "abc", head=False).eval()
    treated = treat(model, Norm(LayerNorm, mode="node"))
    h = x
    for name in "ab":
        h = F.layer_norm(model.convs[name](h, edge_index), (6,)).relu()
    out = model.convs["c"](h, edge_index)
    torch.testing.assert_close(treated(x, edge_index), out)
    assert table(treated)["convs.c"][1] == "LayerNorm(mode='node'): the model's output"


@pytest.mark.filterwarnings("error")
def test_identity_maps_are_numbered_as_layers_are_called(x, edge_index):
    model = Named("cba", "abc").eval()
    treated = treat(model, InitialResidual(), IdentityMap(0.5))
    keys = set(treated.state_dict())
    out = treated(x, edge_index)
    assert set(treated.state_dict()) == keys == set(model.state_dict())
    expected, states = copy.deepcopy(model), []
    for number, name in enumerate("abc", 1):
        weight = expected.convs[name].lin.weight
        weight.data = IdentityMap(0.5, number)(weight.data)
        h = expected.convs[name](states[-1].relu() if states else x, edge_index)
        states.append(0.9 * h + 0.1 * states[0] if states else h)
        assert table(treated)[f"convs.{name}"][0].endswith(f"IdentityMap(l={number})")
    torch.testing.assert_close(out, model.head(states[-1]))


def test_each_branch_counts_its_own_layers_and_says_so(x, edge_index):
    treated = treat(Branches(), IdentityMap())
    with pytest.warns(UserWarning, match=r"IdentityMap counts b\.0 as layer 1: either"):
        treated(x, edge_index)
    numbers = [cells[0][-2] for cells in table(treated).values()]
    assert numbers == ["1", "2", "1", "2"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        treated(x, edge_index)


def test_layers_that_change_the_width_do_not_restart_the_count(x, edge_index):
    treated = treat(Stack((6, 8, 8, 16, 16, 3)), IdentityMap())
    treated(x, edge_index)
    assert [cells[0] for cells in table(treated).values()] == [
        "-",
        "IdentityMap(l=1)",
        "-",
        "IdentityMap(l=2)",
        "-",
    ]


def test_jumping_knowledge_that_is_not_the_last_is_refused(x, edge_index):
    treated = treat(Named("acb", "abc"), JumpingKnowledge("max"))
    with pytest.raises(InputError, match=r"'convs\.b'.*runs before 'convs\.c'; define"):
        treated(x, edge_index)
    treat(Shared(), JumpingKnowledge("max"))(x, edge_index)


def test_a_skip_that_acts_nowhere_says_so(x, edge_index):
    treated = treat(GCN(6, 6, 2, 3), Residual())
    with pytest.warns(UserWarning, match=r"no earlier states at convs\.0 and did not"):
        treated(x, edge_index)


def test_weights_without_states_ask_for_no_gradient(x, edge_index):
    treated = treat(Named("cba", "abc"), AntiSymmetric)
    treated(x, edge_index).sum().backward()
    for name, parameter in treated.treatments.named_parameters():
        assert parameter.requires_grad == ("convs_a" not in name)
        assert (parameter.grad is None) == ("convs_a" in name)


def test_what_enters_loses_nodes_wherever_it_enters():
    lines = str(treat(Named("cba", "abc"), DropNode(0.5)).treatments).splitlines()
    assert lines[-1] == "input: DropNode(p=0.5)"
    assert all(line.endswith("-") for line in lines[1:-1])
