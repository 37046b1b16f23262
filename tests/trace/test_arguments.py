"""States, edges and relations are found among inputs of any shape."""

from __future__ import annotations

import pytest
import torch
from tests.trace.true_states import (
    assert_reads,
    traced,
)
from torch import nn
from torch_geometric.data import Batch, Data
from torch_geometric.nn import (
    GAT,
    GCN,
    GIN,
    GATConv,
    GCNConv,
    GraphSAGE,
    HeteroConv,
    MessagePassing,
    SAGEConv,
)
from torch_geometric.utils import to_torch_csr_tensor

from benthic.errors import InputError
from benthic.metrics import (
    linear_probe_accuracy,
    mean_cosine_similarity,
    mean_norm,
    rayleigh_quotient,
)
from benthic.supervision import Supervision
from benthic.trace import Trace, find_layers
from benthic.trace.arguments import (
    edge_inputs,
    node_states,
    output_states,
    relation_of,
)


class EdgesFirst(MessagePassing):
    def __init__(self, width):
        super().__init__(aggr="mean")
        self.lin = nn.Linear(width, 8)

    def forward(self, edge_index, strength, *, x, bias=None):
        out = self.propagate(edge_index, x=self.lin(x)) * strength
        return out, torch.ones(edge_index.size(1), 8)

    def message(self, x_j):
        return x_j


def test_a_layer_with_an_odd_signature_is_read(x, edge_index):
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList([EdgesFirst(6), EdgesFirst(8), EdgesFirst(8)])

        def forward(self, edges, *, features):
            self.states = []
            for layer in self.layers:
                features, _ = layer(edges, 2.0, x=features)
                features = features.sin()
                self.states.append(features)
            return {"logits": features}

    model = Odd()
    trace = traced(model, edge_index, features=x)
    assert_reads(trace, {f"layers.{i}": h for i, h in enumerate(model.states)})
    quotient = rayleigh_quotient(model.states[0], edge_index, normalization="rw")
    assert trace.layers[0].rayleigh_quotient == pytest.approx(float(quotient))


def test_an_operation_that_cannot_be_followed_falls_back_to_the_order_of_calls(
    x, edge_index
):
    class Opaque(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = GCNConv(6, 8), GCNConv(8, 8)

        def forward(self, x, edge_index):
            h = self.a(x, edge_index)
            with torch._C.DisableTorchFunction():
                self.h = h.relu()
            return self.b(self.h, edge_index)

    model = Opaque()
    trace = traced(model, x, edge_index)
    assert_reads(trace, {"a": model.h, "b": model(x, edge_index)})


def test_an_embedding_table_is_no_layers_output(edge_index):
    class Embedded(nn.Module):
        def __init__(self):
            super().__init__()
            self.table = nn.Parameter(torch.randn(20, 8))
            self.a, self.b = GCNConv(8, 8), GCNConv(8, 8)

        def forward(self, edge_index):
            self.h = self.a(self.table, edge_index)
            self.g = self.b(self.table, edge_index)
            return self.h.relu(), self.g

    model = Embedded()
    trace = traced(model, edge_index)
    assert_reads(trace, {"a": model.h.relu(), "b": model.g})


def test_a_model_that_is_itself_a_layer_has_the_name_of_its_class(x, edge_index):
    model = GATConv(6, 4, heads=2)
    assert_reads(traced(model, x, edge_index), {"GATConv": model(x, edge_index)})


def test_layers_that_only_their_owner_knows_are_named(x):
    class DenseGCN(nn.Module):
        def __init__(self):
            super().__init__()
            self.lins = nn.ModuleList([nn.Linear(6, 8), nn.Linear(8, 8)])

        def forward(self, x, adj):
            self.states = []
            for lin in self.lins:
                x = (adj @ lin(x)).relu()
                self.states.append(x)
            return x

    model, adj = DenseGCN(), torch.rand(20, 20).softmax(-1)
    with pytest.raises(InputError, match=r"model: found no message-passing.*layers="):
        Trace(model)
    with torch.no_grad(), Trace(model, layers=["lins.0", "lins.1"]) as trace:
        model(x, adj)
    assert_reads(trace, {"lins.0": model.states[0], "lins.1": model.states[1]})
    assert trace.num_hops is None, "who hears whom is not known"
    assert "edges" in trace.layers[0].undefined["rayleigh_quotient"]


def test_a_plain_transformer_is_read_token_by_token():
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    model = nn.TransformerEncoder(layer, 3, enable_nested_tensor=False)
    x = torch.randn(2, 5, 8)
    h, expected = x, {}
    for i, block in enumerate(model.layers):
        h = expected[f"layers.{i}"] = block.eval()(h)
    trace = traced(model.eval(), x)
    assert_reads(trace, expected)
    assert trace.num_hops is None


def test_bare_attention_is_read_with_its_residual():
    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList(
                nn.MultiheadAttention(8, 2, batch_first=True) for _ in range(2)
            )

        def forward(self, x):
            self.states = []
            for layer in self.layers:
                x = x + layer(x, x, x)[0]
                self.states.append(x)
            return x

    model = Attention()
    trace = traced(model, torch.randn(2, 5, 8))
    assert_reads(trace, {f"layers.{i}": h for i, h in enumerate(model.states)})


@pytest.mark.filterwarnings("ignore:Sparse:UserWarning")
def test_a_transposed_sparse_adjacency_gives_the_same_readings(x):
    edge_index = torch.tensor([[0, 1, 2, 3, 4], [1, 2, 3, 4, 0]])
    edge_index = torch.cat([edge_index, edge_index.flip(0)], dim=1)
    model = GCN(6, 8, num_layers=2, out_channels=3).eval()
    adj = to_torch_csr_tensor(edge_index, size=(20, 20))
    with_edges, with_adj = traced(model, x, edge_index), traced(model, x, adj)
    for a, b in zip(with_edges.layers, with_adj.layers, strict=True):
        assert b.rayleigh_quotient == pytest.approx(a.rayleigh_quotient, rel=1e-5)
        assert b.norm == pytest.approx(a.norm, rel=1e-5)


def test_edge_weights_reach_the_rayleigh_quotient(x, edge_index):
    weight = torch.rand(edge_index.size(1))
    model = GCN(6, 8, num_layers=2, out_channels=3).eval()
    trace = traced(model, x, edge_index, edge_weight=weight)
    h = model.convs[0](x, edge_index, weight).relu()
    expected = float(rayleigh_quotient(h, edge_index, weight))
    assert trace.layers[0].rayleigh_quotient == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("cls", "normalization"),
    [(GCN, "sym"), (GraphSAGE, "rw"), (GAT, "rw"), (GIN, None)],
)
def test_the_laplacian_matches_the_layers_operator(cls, normalization, x, edge_index):
    model = cls(6, 8, num_layers=2, out_channels=3).eval()
    h = model.convs[0](x, edge_index).relu()
    expected = float(rayleigh_quotient(h, edge_index, normalization=normalization))
    reading = traced(model, x, edge_index).layers[0].rayleigh_quotient
    assert reading == pytest.approx(expected, rel=1e-5)


def test_batches_add_up_to_their_union(edge_index):
    torch.manual_seed(3)
    graphs = [Data(x=torch.randn(20, 6), edge_index=edge_index) for _ in range(3)]
    model = GCN(6, 8, num_layers=2, out_channels=3).eval()
    union = Batch.from_data_list(graphs)
    with torch.no_grad(), Trace(model) as streamed:
        for graph in graphs:
            model(graph.x, graph.edge_index)
    whole = traced(model, union.x, union.edge_index)
    for part, all_at_once in zip(streamed.layers, whole.layers, strict=True):
        assert part.num_nodes == all_at_once.num_nodes == 60
        for name in (
            "dead_fraction",
            "norm",
            "mean_cosine",
            "effective_rank",
            "feature_correlation",
            "rayleigh_quotient",
        ):
            assert getattr(part, name) == pytest.approx(
                getattr(all_at_once, name), rel=1e-6
            ), name
        assert part.centered_cosine is None
        assert "several batches" in part.undefined["centered_cosine"]


def test_the_probe_of_batches_is_that_of_their_union_with_any_classes(edge_index):
    torch.manual_seed(3)
    graphs = [
        Data(
            x=torch.randn(20, 6),
            edge_index=edge_index,
            y=torch.arange(20) % classes,
            train_mask=torch.arange(20) < 10,
            val_mask=torch.arange(20) >= 10,
        )
        for classes in (2, 4)
    ]
    model = GCN(6, 8, num_layers=1).eval()
    with torch.no_grad(), Trace(model) as trace:
        for graph in graphs:
            trace.supervision = Supervision.of(graph)
            model(graph.x, graph.edge_index)
    union = Batch.from_data_list(graphs)
    states = model(union.x, union.edge_index)
    expected = linear_probe_accuracy(states, union.y, union.train_mask, union.val_mask)
    assert trace.layers[0].probe_accuracy == pytest.approx(float(expected))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_other_precisions_are_read(dtype, x, edge_index):
    model = GraphSAGE(6, 8, num_layers=2, out_channels=3).to(dtype)
    trace = traced(model, x.to(dtype), edge_index)
    h = model.convs[0](x.to(dtype), edge_index).relu()
    assert trace.layers[0].norm == pytest.approx(float(mean_norm(h)))
    assert all(layer.mean_cosine is not None for layer in trace.layers)


def test_autocast_does_not_reach_the_gauges(x, edge_index):
    model = GraphSAGE(6, 8, num_layers=2, out_channels=3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        trace = traced(model, x, edge_index)
        h = model.convs[0](x, edge_index).relu()
    expected = float(mean_cosine_similarity(h))
    assert trace.layers[0].mean_cosine == pytest.approx(expected, rel=1e-6)


def test_inference_mode_is_no_obstacle(x, edge_index):
    model = GCN(6, 8, num_layers=2, out_channels=3).eval()
    with Trace(model) as trace:
        with torch.inference_mode():
            model(x, edge_index)
        model(x, edge_index)
    assert trace.layers[0].num_nodes == 40
    assert trace.layers[0].effective_rank is not None


def test_a_graph_without_edges_has_no_energy(x):
    model = GCN(6, 8, num_layers=2, out_channels=3).eval()
    trace = traced(model, x, torch.empty(2, 0, dtype=torch.long))
    assert trace.layers[0].rayleigh_quotient == 0.0
    assert trace.layers[0].norm > 0
    mean = traced(GraphSAGE(6, 8, num_layers=2), x, torch.empty(2, 0, dtype=torch.long))
    assert mean.layers[0].rayleigh_quotient is None
    assert "edge" in mean.layers[0].undefined["rayleigh_quotient"]


def test_a_graph_without_nodes_has_no_reading():
    model = GCN(6, 8, num_layers=2, out_channels=3).eval()
    trace = traced(model, torch.empty(0, 6), torch.empty(2, 0, dtype=torch.long))
    for layer in trace.layers:
        assert layer.num_nodes == 0
        for name in ("norm", "mean_cosine", "centered_cosine", "effective_rank"):
            assert getattr(layer, name) is None
            assert layer.undefined[name] == "there are no rows"


def test_rows_that_were_pooled_away_have_no_edges_to_compare(x, edge_index):
    class Pooled(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = GCNConv(6, 8), GCNConv(8, 8)

        def forward(self, x, edge_index):
            h = self.a(x, edge_index)[:15]
            kept = (edge_index < 15).all(0)
            return self.b(h, edge_index[:, kept])

    trace = traced(Pooled(), x, edge_index)
    assert trace.layers[0].num_nodes == 15
    assert trace.layers[0].rayleigh_quotient is None
    assert trace.layers[1].rayleigh_quotient is not None


@pytest.mark.parametrize(
    ("args", "kwargs", "relation", "expected"),
    [
        ([torch.ones(3, 2)], {}, "", [(None, 3)]),
        ([], {"x": torch.ones(3, 2)}, "", [(None, 3)]),
        ([None, torch.zeros(2, 5).long(), torch.ones(3, 2)], {}, "", [(None, 3)]),
        ([(torch.ones(3, 2), torch.ones(4, 2))], {}, "", [(None, 3), (None, 4)]),
        ([(torch.ones(3, 2), None)], {}, "a__to__b", [("a", 3)]),
        ([{"a": torch.ones(3, 2), "b": None}, 1], {}, "", [("a", 3)]),
        ([torch.ones(2, 3, 4)], {}, "", [(None, 2)]),
        ([torch.ones(3), 1.0, "x"], {}, "", []),
        ([], {}, "", []),
    ],
)
def test_states_are_found_by_what_they_are(args, kwargs, relation, expected):
    found = node_states(args, kwargs, relation)
    assert [(node_type, len(x)) for node_type, x in found] == expected


@pytest.mark.parametrize(
    ("out", "relation", "expected"),
    [
        (torch.ones(3, 2), "", [(None, 3)]),
        (torch.ones(3, 2), "a__to__b", [("b", 3)]),
        ((torch.ones(3, 2), torch.ones(9, 1)), "", [(None, 3)]),
        ({"a": torch.ones(3, 2), "b": None}, "", [("a", 3)]),
        (({"a": torch.ones(3, 2)}, torch.ones(1, 1)), "", [("a", 3)]),
        (None, "", []),
        ((), "", []),
    ],
)
def test_the_first_output_is_the_state(out, relation, expected):
    found = output_states(out, relation)
    assert [(node_type, len(x)) for node_type, x in found] == expected


EDGES = torch.tensor([[0, 1, 2], [1, 2, 0]])


def test_edges_are_found_with_their_weights():
    weight = torch.rand(3)
    for args, kwargs in (
        ([torch.ones(3, 2), EDGES, weight], {}),
        ([EDGES], {"x": torch.ones(3, 2), "edge_weight": weight}),
    ):
        ((node_type, edges, found),) = edge_inputs(args, kwargs)
        assert node_type is None
        assert edges is EDGES
        assert found is weight
    assert edge_inputs([torch.ones(3, 2), EDGES, torch.rand(3, 4)], {})[0][2] is None


def test_edges_between_two_sets_of_nodes_are_none():
    pair = (torch.ones(5, 2), torch.ones(3, 2))
    assert edge_inputs([pair, EDGES], {}) == []
    assert len(edge_inputs([(pair[1], pair[1]), EDGES], {})) == 1


def test_relations_within_one_type_are_taken_together():
    edges = {("a", "to", "a"): EDGES, ("a", "of", "a"): EDGES, ("a", "to", "b"): EDGES}
    ((node_type, found, weight),) = edge_inputs([{"a": torch.ones(3, 2)}, edges], {})
    assert node_type == "a"
    assert torch.equal(found, torch.cat([EDGES, EDGES], dim=1))
    assert weight is None


@pytest.mark.filterwarnings("ignore:Sparse:UserWarning")
def test_a_sparse_matrix_holds_targets_in_its_rows():
    adj = torch.sparse_coo_tensor(EDGES.flip(0), torch.tensor([1.0, 2.0, 3.0]), (3, 3))
    for matrix in (adj, adj.to_sparse_csr(), adj.to_sparse_csc()):
        ((_, edges, weight),) = edge_inputs([torch.ones(3, 2), matrix], {})
        found = dict(zip(map(tuple, edges.T.tolist()), weight.tolist(), strict=True))
        assert found == {(0, 1): 1.0, (1, 2): 2.0, (2, 0): 3.0}


def test_the_relation_of_a_conv_is_known_wherever_it_stands():
    metadata = (["a", "b"], [("a", "to", "b"), ("b", "of", "a")])
    stack = HeteroConv({edge_type: SAGEConv(4, 4) for edge_type in metadata[1]})
    (layer,) = find_layers(stack)
    assert [relation_of(layer, conv) for conv in layer.convs] == [
        "a__to__b",
        "b__of__a",
    ]
    (plain,) = find_layers(GCNConv(4, 4))
    assert relation_of(plain, plain.convs[0]) == ""
