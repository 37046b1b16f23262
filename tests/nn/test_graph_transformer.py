from __future__ import annotations

from functools import partial

import networkx as nx
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state
from torch.utils._python_dispatch import TorchDispatchMode
from torch_geometric.data import Batch, Data
from torch_geometric.nn import GATConv, GCNConv, GINEConv, GraphNorm, SAGEConv
from torch_geometric.nn import LayerNorm as GraphLayerNorm
from torch_geometric.nn.attention import PolynormerAttention, SGFormerAttention
from torch_geometric.utils import from_networkx, to_undirected

from benthic.errors import InputError
from benthic.nn.encoding import (
    DegreeEncoding,
    EncodingSum,
    RandomWalkEncoding,
    return_probabilities,
)
from benthic.nn.graph_transformer import (
    GlobalAttention,
    GraphTransformer,
    GraphTransformerLayer,
    performer,
)

SEEDS = st.integers(0, 10_000)
PAIR = torch.tensor([[0, 1], [1, 0]])


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def random_graph(num_nodes: int = 12, num_edges: int = 20) -> Tensor:
    edges = torch.randint(num_nodes, (2, num_edges))
    return to_undirected(edges, num_nodes=num_nodes)


class Largest(TorchDispatchMode):
    """Notes the size of the largest tensor that any operation makes."""

    numel = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for x in out if isinstance(out, tuple | list) else (out,):
            if isinstance(x, Tensor):
                self.numel = max(self.numel, x.untyped_storage().nbytes() // 4)
        return out


# Attention


def test_attention_is_the_dense_formula():
    attend = performer(8, heads=2)
    x = torch.randn(7, 8)
    heard = GlobalAttention(attend)(x)

    project = attend.fast_attn.projection_matrix.double().numpy()  # [M, D]
    q, k, v = (
        linear(x).detach().double().numpy().reshape(7, 2, 4)
        for linear in (attend.q, attend.k, attend.v)
    )
    heads = []
    for head in range(2):
        kernel_q = np.maximum(q[:, head] @ project.T, 0) + 1e-3
        kernel_k = np.maximum(k[:, head] @ project.T, 0) + 1e-3
        weights = kernel_q @ kernel_k.T  # [N, N]
        weights /= weights.sum(1, keepdims=True)
        heads.append(weights @ v[:, head])
    joined = torch.from_numpy(np.concatenate(heads, axis=1)).float()
    torch.testing.assert_close(heard, attend.attn_out(joined))


@settings(max_examples=25)
@given(SEEDS, st.lists(st.integers(0, 4), min_size=1, max_size=12))
def test_each_graph_attends_as_if_it_were_alone(seed, graph_of_node):
    torch.manual_seed(seed)
    batch = torch.tensor(graph_of_node)  # in any order, with graphs left out
    x = torch.randn(len(batch), 8)
    attend = GlobalAttention(performer(8, heads=2))
    together = attend(x, batch)
    for graph in batch.unique():
        alone = attend(x[batch == graph])
        torch.testing.assert_close(together[batch == graph], alone)


@pytest.mark.parametrize(
    "attention",
    [
        lambda channels, heads: SGFormerAttention(channels, heads, channels),
        lambda channels, heads: PolynormerAttention(channels, heads, channels // heads),
    ],
)
def test_pygs_other_attentions_are_kept_from_other_graphs_too(attention):
    model = GraphTransformer(8, 8, 3, 2, attention=attention, heads=2)
    x, batch = torch.randn(6, 8), torch.tensor([0, 0, 1, 1, 1, 1])
    together = model(x, PAIR, batch)
    torch.testing.assert_close(together[:2], model(x[:2], PAIR))


def test_nobody_hears_nothing():
    attend = GlobalAttention(performer(8, heads=2))
    none = torch.empty(0, 8)
    assert attend(none).shape == (0, 8)
    assert attend(none, torch.empty(0, dtype=torch.long)).shape == (0, 8)


def test_memory_grows_with_the_nodes_and_not_with_their_square():
    def largest(num_nodes: int, batch: Tensor | None) -> int:
        model = GraphTransformer(4, 8, 2, 2, heads=2, dropout=0.5)
        edge_index = from_networkx(nx.cycle_graph(num_nodes)).edge_index
        with Largest() as seen:
            model(torch.randn(num_nodes, 4), edge_index, batch).sum().backward()
        return seen.numel

    for num_nodes in (1000, 2000):
        # One long graph among as many short ones: filling up would cost a square.
        skewed = (torch.arange(num_nodes) - num_nodes // 2).clamp(min=0)
        for batch in (None, skewed):
            assert largest(num_nodes, batch) < 50 * num_nodes


# What a layer hears


def test_a_node_hears_another_component_by_attention_alone():
    x = torch.randn(4, 3, requires_grad=True)
    edge_index = torch.tensor([[0, 1, 2, 3], [1, 0, 3, 2]])
    for attention, hears in ((performer, True), (None, False)):
        model = GraphTransformer(3, 8, 2, 3, attention=attention, heads=2)
        (gradient,) = torch.autograd.grad(model(x, edge_index)[0].sum(), x)
        assert gradient[:2].abs().min() > 0
        assert (gradient[2:] != 0).all() == hears
        assert (gradient[2:] != 0).any() == hears


def far_tokens(num_graphs: int, seed: int) -> Batch:
    """Nodes on a path must name the token of a node that no path leads to."""
    generator = torch.Generator().manual_seed(seed)
    path = from_networkx(nx.path_graph(4)).edge_index
    graphs = []
    for token in torch.randint(3, (num_graphs,), generator=generator):
        x = torch.zeros(5, 4)
        x[:4, 3], x[4, token] = 1, 1
        y = torch.full((5,), int(token))
        y[4] = -1
        graphs.append(Data(x=x, edge_index=path, y=y))
    return Batch.from_data_list(graphs)


def accuracy_of_far_tokens(attention) -> float:
    torch.manual_seed(0)
    model = GraphTransformer(4, 16, 3, 2, attention=attention, heads=2)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    train, test = far_tokens(64, seed=0), far_tokens(100, seed=1)
    for _ in range(40):
        optimizer.zero_grad()
        out = model(train.x, train.edge_index, train.batch)
        F.cross_entropy(out, train.y, ignore_index=-1).backward()
        optimizer.step()
    found = model.eval()(test.x, test.edge_index, test.batch).argmax(1)
    asked = test.y >= 0
    return (found == test.y)[asked].float().mean().item()


def test_a_far_node_is_learned_by_attention_and_not_by_messages():
    assert accuracy_of_far_tokens(performer) > 0.95
    assert accuracy_of_far_tokens(None) < 0.5  # of three tokens


def test_positions_part_what_neither_messages_nor_attention_can():
    # The claim of GPS: attention adds reach, encodings add expressive power.
    decalin, bicyclopentyl = nx.cycle_graph(10), nx.Graph([(0, 5)])
    decalin.add_edge(0, 5)
    for ring in (range(5), range(5, 10)):
        nx.add_cycle(bicyclopentyl, ring)
    encoding = RandomWalkEncoding(5, 8)
    for read, differ in ((None, False), (encoding, True)):
        torch.manual_seed(0)
        model = GraphTransformer(1, 8, 4, 3, heads=2, encoding=read)
        pooled = []
        for graph in (decalin, bicyclopentyl):
            edge_index = from_networkx(graph).edge_index
            walks = return_probabilities(edge_index, 10, 5)
            pe = walks if read else None
            pooled.append(model(torch.ones(10, 1), edge_index, pe=pe).sum(0))
        assert torch.allclose(*pooled, atol=1e-4) != differ


# The stack


def test_a_layer_is_the_sum_of_its_branches_around_a_free_stream():
    layer = GraphTransformerLayer(8, heads=2, scale=0.5)
    x, edge_index = torch.randn(12, 8), random_graph()
    h = layer.norm(x)
    heard = layer.conv(h, edge_index) + layer.attention.attention(h[None])[0]
    y = x + 0.5 * heard
    y = y + 0.5 * layer.ffn(layer.ffn_norm(y))
    torch.testing.assert_close(layer(x, edge_index), y)


def test_dropout_never_touches_the_stream():
    layer = GraphTransformerLayer(8, heads=2, dropout=1.0)
    x, edge_index = torch.randn(12, 8), random_graph()
    assert torch.equal(layer(x, edge_index), x)
    assert not torch.allclose(layer.eval()(x, edge_index), x)
    assert torch.equal(GraphTransformerLayer(8, scale=0.0)(x, edge_index), x)


def test_dropout_rests_in_eval():
    model = GraphTransformer(3, 8, 2, 3, heads=2, dropout=0.5)
    x, edge_index = torch.randn(12, 3), random_graph()
    assert not torch.equal(model(x, edge_index), model(x, edge_index))
    model.eval()
    assert torch.equal(model(x, edge_index), model(x, edge_index))


def test_64_layers_pass_gradients_and_keep_every_row_alive():
    x, edge_index = torch.randn(40, 16), random_graph(40, 80)
    model = GraphTransformer(16, 32, 4, 64)
    states: list[Tensor] = []

    def keep(layer: nn.Module, _: object, out: Tensor) -> None:
        out.retain_grad()
        states.append(out)

    for layer in model.layers:
        layer.register_forward_hook(keep)
    out = model(x, edge_index)
    F.cross_entropy(out, torch.arange(40) % 4).backward()

    first, last = model.layers[0], model.layers[-1]
    for name, parameter in first.named_parameters():
        if name.endswith("weight") and "norm" not in name:
            ratio = parameter.grad.norm() / last.get_parameter(name).grad.norm()
            assert 1e-2 < ratio < 1e2, name
    assert 1e-2 < states[0].grad.norm() / states[-1].grad.norm() < 1e2
    assert all(state.norm(dim=1).min() > 1 for state in states)
    assert torch.linalg.matrix_rank(states[-1].detach()) > 16
    assert not torch.allclose(out[0], out[1], atol=1e-2)


def test_branches_scaled_by_depth_add_up_to_the_same_at_any_depth():
    # The claim of Stable ResNet; unscaled, the states grow with the depth.
    x, edge_index = torch.randn(40, 16), random_graph(40, 80)

    def growth(num_layers: int, scale: float | None) -> float:
        model = GraphTransformer(16, 32, 4, num_layers)
        h = start = model.lin_in(x)
        for layer in model.layers:
            layer.scale = layer.scale if scale is None else scale
            h = layer(h, edge_index)
        return (h.norm() / start.norm()).item()

    assert growth(4, None) == pytest.approx(growth(128, None), rel=0.5)
    assert growth(128, 1.0) > 4 * growth(4, 1.0)


def test_64_layers_learn():
    x, edge_index = torch.randn(12, 8), random_graph()
    y = torch.arange(12) % 3
    model = GraphTransformer(8, 32, 3, 64, heads=2)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    losses = []
    for _ in range(7):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x, edge_index), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


@settings(max_examples=15)
@given(SEEDS)
def test_renumbering_the_nodes_renumbers_the_output(seed):
    torch.manual_seed(seed)
    encoding = EncodingSum(RandomWalkEncoding(2, 8), DegreeEncoding(5, 8))
    model = GraphTransformer(3, 8, 2, 2, heads=2, encoding=encoding)
    x, pe, edge_index = torch.randn(12, 3), torch.randn(12, 2), random_graph()
    batch = torch.randint(2, (12,))
    order = torch.randperm(12)
    out = model(x, edge_index, batch, pe)
    renumbered = model(x[order], order.argsort()[edge_index], batch[order], pe[order])
    torch.testing.assert_close(renumbered, out[order], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("norm", [nn.LayerNorm, GraphNorm, GraphLayerNorm])
def test_graphs_of_a_batch_do_not_see_each_other(norm):
    model = GraphTransformer(3, 8, 2, 3, heads=2, norm=norm)
    graphs = [
        Data(x=torch.randn(n, 3), edge_index=random_graph(n, n)) for n in (5, 9, 5, 1)
    ]
    batch = Batch.from_data_list(graphs)
    together = model(batch.x, batch.edge_index, batch.batch)
    for i, graph in enumerate(graphs):
        one = torch.zeros(len(graph.x), dtype=torch.long)
        alone = model(graph.x, graph.edge_index, one)
        torch.testing.assert_close(together[batch.batch == i], alone, atol=1e-4, rtol=0)


def test_a_saved_model_computes_the_same_when_loaded():
    x, edge_index = torch.randn(12, 3), random_graph()
    saved, loaded = (GraphTransformer(3, 8, 2, 2, heads=2) for _ in range(2))
    assert not torch.allclose(saved(x, edge_index), loaded(x, edge_index))
    loaded.load_state_dict(saved.state_dict())
    assert torch.equal(saved(x, edge_index), loaded(x, edge_index))


def test_several_seeds_run_together_as_they_run_apart():
    x, edge_index = torch.randn(12, 3), random_graph()
    models = [GraphTransformer(3, 8, 2, 2, heads=2).eval() for _ in range(3)]
    states = stack_module_state(models)

    def run(parameters, buffers):
        return functional_call(models[0], (parameters, buffers), (x, edge_index))

    apart = torch.stack([model(x, edge_index) for model in models])
    torch.testing.assert_close(torch.vmap(run)(*states), apart)


# Inputs


def test_edges_reach_the_convs_that_take_them():
    x, edge_index = torch.randn(12, 8), random_graph()
    weight = torch.rand(edge_index.size(1))
    layer = GraphTransformerLayer(8, heads=2)
    weighted = layer.conv(layer.norm(x), edge_index, weight)
    plain = layer.conv(layer.norm(x), edge_index)
    apart = layer(x, edge_index, edge_weight=weight) - layer(x, edge_index)
    assert not torch.allclose(weighted, plain)
    assert apart.abs().max() > 1e-3

    ignores = GraphTransformer(8, 8, 2, 2, conv=SAGEConv, heads=2)
    out = ignores(x, edge_index, edge_weight=weight)
    assert torch.equal(out, ignores(x, edge_index))


@pytest.mark.parametrize(
    "conv",
    [
        partial(GATConv, edge_dim=3),
        lambda _, channels: GINEConv(nn.Linear(channels, channels), edge_dim=3),
    ],
)
def test_edge_features_reach_the_convs_that_take_them(conv):
    x, edge_index = torch.randn(12, 8), random_graph()
    model = GraphTransformer(8, 8, 2, 2, conv=conv, heads=2)
    edge_attr = torch.randn(edge_index.size(1), 3)
    out = model(x, edge_index, edge_attr=edge_attr)
    assert not torch.allclose(out, model(x, edge_index, edge_attr=-edge_attr))


def test_an_encoding_is_added_to_the_first_state():
    x, edge_index = torch.randn(12, 3), random_graph()
    model = GraphTransformer(3, 8, 2, 1, heads=2, encoding=DegreeEncoding(5, 8))
    first: list[Tensor] = []
    model.layers[0].register_forward_pre_hook(lambda _, args: first.append(args[0]))
    model(x, edge_index)
    expected = model.lin_in(x) + model.encoding(torch.empty(12, 0), edge_index)
    torch.testing.assert_close(first[0], expected)


def test_without_local_branches_the_edges_are_not_heard():
    x = torch.randn(12, 3)
    model = GraphTransformer(3, 8, 2, 2, conv=None, heads=2)
    none = torch.empty(2, 0, dtype=torch.long)
    assert torch.equal(model(x, random_graph()), model(x, none))


def test_positions_without_an_encoding_and_the_reverse_are_refused():
    x, edge_index = torch.randn(12, 3), random_graph()
    model = GraphTransformer(3, 8, 2, 1, heads=2)
    with pytest.raises(InputError, match="pe: found positions; give the model an"):
        model(x, edge_index, pe=torch.randn(12, 4))
    reads = GraphTransformer(3, 8, 2, 1, heads=2, encoding=RandomWalkEncoding(4, 8))
    with pytest.raises(InputError, match="pe: found None; give the encoding its 4"):
        reads(x, edge_index)
    with pytest.raises(InputError, match=r"pe: found shape \(12, 3\)"):
        reads(x, edge_index, pe=torch.randn(12, 3))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: GraphTransformer(3, 8, 2, 0), "num_layers: found 0"),
        (lambda: GraphTransformer(3, 8, 2, 1, dropout=1.5), "dropout: found 1.5"),
        (lambda: GraphTransformer(3, 8, 2, 1, heads=3), "heads: found 3 for 8"),
        (lambda: GraphTransformer(3, 8, 2, 1, heads=0), "heads: found 0 for 8"),
        (lambda: performer(8, 8), "heads: found 8 for 8 channels"),
        (
            lambda: GraphTransformerLayer(8, conv=None, attention=None),
            "attention: found None beside no conv",
        ),
        (
            lambda: GraphTransformer(3, 8, 2, 1, encoding=DegreeEncoding(4, 16)),
            "encoding: found 16 out_channels; give it the 8 hidden_channels",
        ),
    ],
)
def test_what_does_not_fit_is_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_the_local_branch_is_a_gcn_by_default():
    assert isinstance(GraphTransformerLayer(8).conv, GCNConv)
