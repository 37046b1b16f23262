"""The graph of calls of a ``to_hetero`` model is rewritten, and stays its own."""

from __future__ import annotations

import copy

import pytest
import torch
from tests.treatment.models import Homogeneous
from torch import fx, nn
from torch_geometric.nn import GCNConv, to_hetero

from benthic.nn.norm import LayerNorm
from benthic.nn.residual import DenseResidual, Residual
from benthic.treatment import Norm, treat
from benthic.treatment.hetero import TypedJoin
from benthic.treatment.join import Join


@pytest.mark.parametrize("aggr", ["sum", "mean", "max", "mul"])
def test_skips_act_after_the_messages_were_put_together(aggr, hetero):
    model = to_hetero(Homogeneous(), hetero.metadata(), aggr=aggr).eval()
    treated = treat(model, Residual())
    joins = [n for n in treated.graph.nodes if str(n.target).startswith("treatments.l")]
    assert len(joins) == 4
    puts_together = {"user": {"add", "div", "max", "mul"}, "item": {"add", "div"}}
    for join in joins:
        together = join.args[0]
        assert together.op == "call_function"
        assert together.target.__name__ in puts_together["user"]
    inputs = hetero.x_dict, hetero.edge_index_dict
    assert not torch.equal(treated(*inputs)["user"], model(*inputs)["user"])


def test_a_graph_tells_where_no_state_arrives_and_where_the_answer_is():
    class Branches(nn.Module):
        def __init__(self):
            super().__init__()
            self.lin, self.beside = nn.Linear(6, 8), nn.Linear(8, 8)
            self.a, self.b, self.c = (GCNConv(8, 8) for _ in range(3))

        def forward(self, x, edge_index):
            x = self.lin(x)
            h = (self.a(x, edge_index) + self.b(x, edge_index)).relu()
            return self.c(h, edge_index) + self.beside(h)

    class Tracer(fx.Tracer):
        def is_leaf_module(self, module, name):
            return isinstance(module, GCNConv | nn.Linear)

    model = Branches()
    traced = fx.GraphModule(model, Tracer().trace(model))
    lines = str(treat(traced, Residual(), Norm(LayerNorm)).treatments).splitlines()
    assert lines[3].endswith("LayerNorm  Residual: found no earlier states")
    assert lines[4].endswith("Residual   LayerNorm: the model's output")


def test_the_original_s_graph_stays(hetero):
    model = to_hetero(Homogeneous(), hetero.metadata())
    before = str(model.graph)
    treat(model, Residual())
    assert str(model.graph) == before


def test_a_copy_keeps_the_treatments_whole(hetero):
    treated = treat(to_hetero(Homogeneous(), hetero.metadata()), Residual())
    other = copy.deepcopy(treated)
    assert isinstance(other, fx.GraphModule)
    assert str(other.treatments) == str(treated.treatments)
    assert set(other.state_dict()) == set(treated.state_dict())


def test_sampled_nodes_join_the_first_rows():
    join = TypedJoin(Join([DenseResidual()]))
    states = [torch.ones(6, 2), 3 * torch.ones(4, 2)]
    x, _ = join(torch.zeros(3, 2), states)
    assert torch.equal(x, 2 * torch.ones(3, 2))
    x, _ = join(torch.zeros(5, 2), states)
    assert torch.equal(x, torch.zeros(5, 2))
