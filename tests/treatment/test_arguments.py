"""States, edges and graphs are found however a layer is called."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch_geometric.data import Batch, Data
from torch_geometric.nn import GATv2Conv, GCN2Conv, GCNConv, GINConv

from benthic.nn.acceleration import accelerate
from benthic.treatment.arguments import (
    Inputs,
    edge_place,
    graph_of_nodes,
    map_tensors,
    name_of,
    state_place,
    target_states,
    unnamed_graphs,
)

X, EDGES, WEIGHT = torch.ones(3, 4), torch.tensor([[0, 1], [1, 2]]), torch.ones(2)


def test_states_and_edges_by_position_and_by_keyword():
    inputs = Inputs((X, EDGES), {"edge_weight": WEIGHT})
    conv = accelerate(GCNConv(4, 4))
    assert state_place(inputs) == (True, 0)
    assert edge_place(conv, inputs) == (True, 1)
    inputs = Inputs((), {"edge_index": EDGES, "x": X})
    assert inputs[state_place(inputs)] is X
    assert inputs[edge_place(conv, inputs)] is EDGES
    assert state_place(Inputs((EDGES,), {})) is None


@pytest.mark.parametrize(
    "conv", [GCN2Conv(4, 0.1), GATv2Conv(4, 4), GINConv(nn.Linear(4, 4))]
)
def test_an_accelerated_layer_keeps_the_names_of_its_inputs(conv):
    names = [name_of(conv, (True, i)) for i in range(3)]
    accelerate(conv)
    assert [name_of(conv, (True, i)) for i in range(3)] == names
    assert name_of(conv, (True, 99)) == ""


def test_a_layer_of_ones_own_may_name_its_edges_as_it_likes():
    class Own(GCNConv):
        def forward(self, h, graph):
            return super().forward(h, graph)

    assert edge_place(Own(4, 4), Inputs((X, EDGES), {})) == (True, 1)


def test_messages_arrive_at_the_targets():
    assert target_states(X) == {"": X}
    assert target_states((X, X[:2]))[""].size(0) == 2
    assert target_states((X, None)) == {}
    assert list(target_states({"user": X, "item": None})) == ["user"]


def test_replacing_leaves_the_caller_s_inputs_alone():
    inputs = Inputs((X,), {"edge_index": EDGES})
    changed = inputs.replaced({(True, 0): 1, (False, "edge_index"): 2})
    assert (changed.args, changed.kwargs) == ((1,), {"edge_index": 2})
    assert inputs.args[0] is X
    assert inputs.kwargs["edge_index"] is EDGES


def test_pairs_and_dictionaries_keep_their_form():
    pair = map_tensors([X, None], torch.neg)
    assert isinstance(pair, list)
    assert pair[1] is None
    assert map_tensors({"user": X, "item": None}, torch.neg)["item"] is None


def test_graphs_of_nodes_by_name_or_from_a_batch():
    class Model(nn.Module):
        def forward(self, x, edge_index, batch=None):
            return x

    graphs = torch.tensor([0, 0, 1])
    model = Model()
    assert graph_of_nodes(model, Inputs((X, EDGES, graphs), {})) is graphs
    assert graph_of_nodes(model, Inputs((X, EDGES), {"batch": graphs})) is graphs
    batch = Batch.from_data_list([Data(x=X, edge_index=EDGES)] * 2)
    assert graph_of_nodes(model, Inputs((batch,), {})) is batch.batch
    assert graph_of_nodes(model, Inputs((X, EDGES), {})) is None


def test_graphs_of_another_name_are_told_by_their_numbers():
    class Model(nn.Module):
        def forward(self, x, edge_index, graph_ids=None, batch=None):
            return x

    x, graphs = torch.ones(4, 2), torch.tensor([0, 0, 1, 1])
    edge_index = torch.tensor([[0, 1], [1, 0]])

    def name(*args, **kwargs):
        return unnamed_graphs(Model(), Inputs((x, edge_index, *args), kwargs))

    assert name(graphs) == "graph_ids"
    assert name(graph_ids=graphs) == "graph_ids"
    assert name(graphs, graphs) == ""
    assert name(batch=graphs) == ""
    for other in (graphs.flip(0), graphs * 0, graphs + 1, graphs[:0], graphs.float()):
        assert name(other) == ""
