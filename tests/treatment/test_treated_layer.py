"""One layer with its joins: skips, then jumping knowledge, then the norm."""

from __future__ import annotations

import pytest
import torch
from tests.backward import num_edges
from tests.treatment.models import Stack
from torch import nn
from torch_geometric.nn import HypergraphConv, JumpingKnowledge, SAGEConv
from torch_geometric.utils import to_torch_csr_tensor

from benthic.errors import InputError
from benthic.nn.drop import SkipNode
from benthic.nn.gpr import APPNP, GeneralizedPageRank
from benthic.nn.residual import (
    AntiSymmetric,
    DenseResidual,
    GradientGating,
    InitialResidual,
    Residual,
    Skip,
)
from benthic.treatment import treat
from benthic.treatment.treated_layer import keeps_all, key_of


def test_a_dense_treatment_of_twice_the_depth_has_twice_the_operations():
    x, edge_index = torch.ones(3, 6), torch.tensor([[0, 1, 2], [1, 2, 0]])

    def operations(depth: int) -> int:
        model = Stack((6, *[8] * depth, 3))
        return num_edges(treat(model, DenseResidual())(x, edge_index))

    sizes = [operations(depth) for depth in (8, 16, 32)]
    assert sizes[2] - sizes[1] == 2 * (sizes[1] - sizes[0])


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


class UsersAndItems(nn.Module):
    """Two layers from users to items."""

    def __init__(self):
        super().__init__()
        self.convs = nn.ModuleList(SAGEConv((8, 8), 8) for _ in range(2))

    def forward(self, users, items, edge_index):
        for conv in self.convs:
            items = conv((users, items), edge_index)
        return items


class Blocks(UsersAndItems):
    """The first rows are the targets, as of a sampled graph."""

    def forward(self, x, sizes, edge_index):
        for conv, size in zip(self.convs, sizes, strict=True):
            x = conv((x, x[:size]), edge_index)
        return x


NEED_THE_GRAPH = [GradientGating(), APPNP(3, 0.1), GeneralizedPageRank(3)]


@pytest.mark.parametrize("treatment", NEED_THE_GRAPH, ids=repr)
@pytest.mark.parametrize(("users", "items"), [(20, 30), (30, 20), (20, 20)])
def test_messages_from_other_nodes_are_no_graph_of_the_rows(treatment, users, items):
    edge_index = torch.stack([torch.randint(users, (60,)), torch.randint(items, (60,))])
    x, y = torch.randn(users, 8), torch.randn(items, 8)
    treated = treat(UsersAndItems(), treatment)
    name = type(treatment).__name__
    match = f"{name}.* whose messages come from other nodes than they go to; use .*Init"
    with pytest.raises(InputError, match=match):
        treated(x, y, edge_index)


@pytest.mark.parametrize("treatment", NEED_THE_GRAPH, ids=repr)
def test_of_a_sampled_block_the_whole_graph_alone_will_do(treatment):
    torch.manual_seed(0)
    edge_index = torch.randint(5, (2, 40))
    treated, x = treat(Blocks(), treatment, fast=False).eval(), torch.randn(20, 8)
    with pytest.raises(InputError, match="whose messages come from other nodes"):
        treated(x, (10, 5), edge_index)
    whole = UsersAndItems()
    whole.load_state_dict(treated.state_dict(), strict=False)
    same = treat(Square(whole.convs), treatment, fast=False).eval()
    x = x[:10]
    out = treated(x, (10, 10), edge_index)
    torch.testing.assert_close(out, same(x, edge_index))


class Square(nn.Module):
    def __init__(self, convs):
        super().__init__()
        self.convs = convs

    def forward(self, x, edge_index):
        for conv in self.convs:
            x = conv(x, edge_index)
        return x


@pytest.mark.filterwarnings("ignore:Sparse")
@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize("treatment", NEED_THE_GRAPH, ids=repr)
def test_a_sparse_graph_is_read_as_the_layers_read_it(treatment, fast, x, edge_index):
    one_way = edge_index[:, : edge_index.size(1) // 2].unique(dim=1)
    adjacency = to_torch_csr_tensor(one_way.flip(0), size=(20, 20))  # rows are targets
    treated = treat(Stack(), treatment, fast=fast).eval()
    torch.testing.assert_close(treated(x, adjacency), treated(x, one_way))


@pytest.mark.parametrize("treatment", NEED_THE_GRAPH, ids=repr)
def test_the_edges_of_a_hypergraph_are_not_read_as_pairs(treatment):
    model = Square(nn.ModuleList(HypergraphConv(8, 8) for _ in range(2)))
    treated, edges = treat(model, treatment), torch.randint(5, (2, 20))
    with pytest.raises(InputError, match="whose edges join more than two nodes"):
        treated(torch.randn(10, 8), edges)
