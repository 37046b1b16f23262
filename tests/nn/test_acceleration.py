"""Accelerated layers are PyG's, to rounding, and step aside where they cannot be."""

from __future__ import annotations

import copy
import gc
import pickle
import sys
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.fx.experimental.proxy_tensor import make_fx
from torch_geometric.data import HeteroData
from torch_geometric.explain import Explainer, GNNExplainer
from torch_geometric.nn import (
    APPNP,
    GAT,
    GCN,
    GIN,
    GATConv,
    GATv2Conv,
    GCN2Conv,
    GCNConv,
    GINConv,
    GraphConv,
    GraphSAGE,
    HeteroConv,
    SAGEConv,
    TransformerConv,
    to_hetero,
)

from benthic import diagnose
from benthic.nn.acceleration import CachedGCNConv, accelerate
from benthic.nn.attention import _Sum
from benthic.nn.dropout import FastDropout, ReLUBeforeDropout
from benthic.nn.propagation import _Propagate
from benthic.trace import find_layers

EDGES = torch.tensor([[0, 1, 1, 2, 3, 0, 0, 4, 2], [1, 0, 2, 1, 0, 3, 3, 4, 0]])
WEIGHT = torch.rand(9, generator=torch.Generator().manual_seed(0)).double() + 0.1


class WithFirst(nn.Module):
    """GCN2Conv with its first states."""

    def __init__(self, **options):
        super().__init__()
        self.conv = GCN2Conv(4, 0.1, 0.5, 2, **options)

    def forward(self, x, edge_index, edge_weight=None):
        return self.conv(x, 2 * x, edge_index, edge_weight)


def mlp():
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 4))


LAYERS = {
    "gcn": lambda: GCNConv(4, 4),
    "gcn, improved": lambda: GCNConv(4, 4, improved=True, bias=False),
    "gcn, no loops": lambda: GCNConv(4, 4, add_self_loops=False),
    "gcn, not normalized": lambda: GCNConv(4, 4, normalize=False),
    "gcn, mean": lambda: GCNConv(4, 4, aggr="mean"),
    "gcn, max": lambda: GCNConv(4, 4, aggr="max"),
    "gcn, cached": lambda: GCNConv(4, 4, cached=True),
    "gcn, backward flow": lambda: GCNConv(4, 4, flow="target_to_source"),
    "gcn2": WithFirst,
    "gcn2, two weights": lambda: WithFirst(shared_weights=False),
    "appnp": lambda: APPNP(5, 0.1),
    "appnp, cached": lambda: APPNP(5, 0.1, cached=True),
    "appnp, not normalized": lambda: APPNP(5, 0.1, normalize=False),
    "graph": lambda: GraphConv(4, 4),
    "graph, mean": lambda: GraphConv(4, 4, aggr="mean"),
    "graph, max": lambda: GraphConv(4, 4, aggr="max"),
    "sage": lambda: SAGEConv(4, 4),
    "sage, projected": lambda: SAGEConv(4, 4, project=True, normalize=True),
    "sage, lstm": lambda: SAGEConv(4, 4, aggr="lstm"),
    "sage, max": lambda: SAGEConv(4, 4, aggr="max"),
    "sage, several": lambda: SAGEConv(4, 4, aggr=["mean", "max"]),
    "gin": lambda: GINConv(mlp(), train_eps=True),
    "gat": lambda: GATConv(4, 2, heads=2),
    "gat, mean of heads": lambda: GATConv(4, 4, heads=3, concat=False, residual=True),
    "gat, no loops": lambda: GATConv(4, 4, add_self_loops=False),
    "gat, no bias": lambda: GATConv(4, 2, heads=2, bias=False),
    "gat, mean": lambda: GATConv(4, 2, heads=2, aggr="mean"),
    "gat, largest": lambda: GATConv(4, 4, aggr="max"),
    "gat, backward flow": lambda: GATConv(4, 4, flow="target_to_source"),
    "gatv2": lambda: GATv2Conv(4, 2, heads=2),
    "gatv2, no loops": lambda: GATv2Conv(4, 4, add_self_loops=False),
}
FAST = [
    "gcn",
    "gcn2",
    "appnp",
    "appnp, not normalized",
    "graph",
    "sage",
    "gin",
    "gat",
    "gatv2",
]
WEIGHTED = [name for name in LAYERS if name.startswith(("gcn", "appnp", "graph"))]


def twins(make):
    torch.manual_seed(0)
    plain = make().double()
    return plain, accelerate(copy.deepcopy(plain))


def passes(model, *inputs):
    """Output, and gradients by the features and the parameters."""
    x = torch.randn(5, 4, generator=torch.Generator().manual_seed(1)).double()
    x.requires_grad_()
    out = model(x, *inputs)
    cotangent = torch.cos(torch.arange(out.numel())).double().view_as(out)
    grads = torch.autograd.grad(
        out, [x, *model.parameters()], cotangent, allow_unused=True
    )
    return out, *grads


@pytest.mark.parametrize("name", LAYERS)
def test_outputs_and_gradients_are_pygs(name):
    if name == "sage, lstm":
        order = EDGES[1].argsort()
        edges = EDGES[:, order]
    else:
        edges = EDGES
    plain, fast = twins(LAYERS[name])
    for _ in range(2):  # the second time from the cache
        torch.testing.assert_close(passes(fast, edges), passes(plain, edges))


TRANSFORMS = {
    "grad": torch.func.grad(lambda x, one: one(x).sin().sum(), argnums=0),
    "jacrev": lambda x, one: torch.func.jacrev(one)(x),
    "jvp": lambda x, one: torch.func.jvp(one, (x,), (x.cos(),)),
    "vmap of grad": lambda x, one: torch.func.vmap(
        torch.func.grad(lambda x: one(x).sin().sum())
    )(torch.stack([x, 2 * x])),
    "jvp of grad": lambda x, one: torch.func.jvp(
        torch.func.grad(lambda x: one(x).sin().sum()), (x,), (x.cos(),)
    ),
    "jacobian": lambda x, one: torch.autograd.functional.jacobian(
        one, x, vectorize=True
    ),
    "forward jacobian": lambda x, one: torch.autograd.functional.jacobian(
        one, x, vectorize=True, strategy="forward-mode"
    ),
}


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize(
    "name", ["gcn", "gcn2", "appnp", "graph, mean", "sage", "gin", "gat", "gatv2"]
)
def test_every_transform_of_torch_is_pygs_from_the_first_call_on(name, transform):
    plain, fast = twins(LAYERS[name])
    x = torch.randn(5, 4, generator=torch.Generator().manual_seed(1)).double()
    transformed = TRANSFORMS[transform]
    expected = transformed(x, lambda x: plain(x, EDGES))
    for _ in range(2):  # the second time from the cache
        torch.testing.assert_close(transformed(x, lambda x: fast(x, EDGES)), expected)
    torch.testing.assert_close(passes(fast, EDGES), passes(plain, EDGES))


RECORDERS = {
    "linearize": lambda one, x: torch.func.linearize(one, x)[0],
    "make_fx": lambda one, x: make_fx(one)(x)(x),
    "functionalize": lambda one, x: torch.func.functionalize(one)(x),
    "compile": lambda one, x: torch.compile(one, backend="eager")(x),
}


@pytest.mark.filterwarnings("ignore")  # torch's own, of tracers
@pytest.mark.parametrize("recorder", RECORDERS)
@pytest.mark.parametrize("name", FAST)
def test_whoever_writes_down_what_is_computed_writes_what_pyg_does(name, recorder):
    _, fast = twins(LAYERS[name])
    x = torch.randn(5, 4).double()
    expected = fast(x, EDGES)  # what is kept of the graph is not written down
    out = RECORDERS[recorder](lambda x: fast(x, EDGES), x)
    torch.testing.assert_close(out, expected)


@pytest.mark.parametrize("name", WEIGHTED)
def test_weights_of_edges_count(name):
    plain, fast = twins(LAYERS[name])
    torch.testing.assert_close(
        passes(fast, EDGES, WEIGHT), passes(plain, EDGES, WEIGHT)
    )


@pytest.mark.parametrize("name", ["gcn", "gcn2", "appnp", "graph"])
def test_weights_of_edges_get_their_gradient(name):
    plain, fast = twins(LAYERS[name])
    weights = [WEIGHT.clone().requires_grad_() for _ in range(2)]
    x = torch.ones(5, 4).double()
    for model, weight in zip((plain, fast), weights, strict=True):
        model(x, EDGES, weight).square().sum().backward()
    assert weights[0].grad.abs().sum() > 0
    torch.testing.assert_close(weights[0].grad, weights[1].grad)


@pytest.mark.filterwarnings("ignore:Sparse invariant checks:UserWarning")
@pytest.mark.parametrize("name", FAST)
def test_a_sparse_graph_is_taken_as_before(name):
    plain, fast = twins(LAYERS[name])
    values = torch.ones(9).double()
    sparse = torch.sparse_coo_tensor(
        EDGES.flip(0), values, (5, 5), check_invariants=False
    ).coalesce()
    sparse = sparse.to_sparse_csr()
    torch.testing.assert_close(passes(fast, sparse)[0], passes(plain, sparse)[0])


@pytest.fixture
def products(monkeypatch):
    """Counts the products of the fast path."""
    calls = []
    for product in (_Propagate, _Sum):
        monkeypatch.setattr(product, "apply", counted(product.apply, calls))
    return calls


def counted(apply, calls):
    return lambda *call: calls.append(call) or apply(*call)


@pytest.mark.parametrize(
    "name", ["gcn", "gcn2", "graph", "sage", "gin", "gat", "gatv2"]
)
def test_the_fast_path_is_taken_by_default(name, products):
    _, fast = twins(LAYERS[name])
    fast(torch.ones(5, 4).double(), EDGES)
    assert len(products) == 1


@pytest.mark.parametrize("name", ["gcn", "gat", "gat, no loops"])
def test_an_edit_of_the_graph_in_place_is_seen(name):
    plain, fast = twins(LAYERS[name])
    edges = EDGES.clone()
    passes(fast, edges)
    edges[0, 0] = 4
    torch.testing.assert_close(passes(fast, edges), passes(plain, edges))


@pytest.mark.parametrize("name", ["sage", "gat", "gatv2"])
def test_graphs_and_sizes_may_alternate(name):
    plain, fast = twins(LAYERS[name])
    for edges, nodes in ((EDGES, 5), (EDGES, 7), (EDGES[:, :3], 5), (EDGES, 5)):
        x = torch.randn(nodes, 4).double()
        torch.testing.assert_close(fast(x, edges), plain(x, edges))


@pytest.mark.parametrize("name", ["gcn", "gat"])
def test_single_precision_and_double_may_alternate(name):
    plain, fast = twins(LAYERS[name])
    for dtype in (torch.float64, torch.float32, torch.float64):
        x = torch.randn(5, 4, dtype=dtype)
        out = fast.to(dtype)(x, EDGES)
        torch.testing.assert_close(out, plain.to(dtype)(x, EDGES))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", FAST)
def test_half_precision_is_taken_as_before(name, dtype):
    plain, fast = (model.to(dtype) for model in twins(LAYERS[name]))
    x = torch.randn(5, 4).to(dtype).requires_grad_()
    assert torch.equal(fast(x, EDGES), plain(x, EDGES))
    fast(x, EDGES).sum().backward()
    assert x.grad.dtype == dtype


@pytest.mark.parametrize("name", FAST)
def test_autocast_takes_a_float_model_as_before(name):
    plain, fast = (model.float() for model in twins(LAYERS[name]))
    x = torch.randn(5, 4, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        out = fast(x, EDGES)
        assert torch.equal(out, plain(x, EDGES))
    out.sum().backward()
    assert x.grad.dtype == torch.float32


@pytest.mark.parametrize("name", ["gcn", "appnp", "graph", "sage", "gat", "gatv2"])
def test_hooks_on_messages_are_called(name, products):
    plain, fast = twins(LAYERS[name])
    seen = []
    for model in (plain, fast):
        model.register_message_forward_hook(lambda *call: seen.append(call) or -call[2])
    torch.testing.assert_close(passes(fast, EDGES), passes(plain, EDGES))
    assert len(seen) >= 2
    assert products == []


def test_hooks_on_propagation_and_on_the_layer_are_called():
    _, fast = twins(LAYERS["gcn"])
    seen = []
    fast.register_propagate_forward_pre_hook(lambda *_: seen.append("propagate"))
    fast.register_forward_hook(lambda *_: seen.append("forward"))
    fast(torch.ones(5, 4).double(), EDGES)
    assert seen == ["propagate", "forward"]


@pytest.mark.parametrize("make", [GCN, GAT])
def test_an_explainer_gives_the_same_masks(make):
    torch.manual_seed(0)
    plain = make(4, 8, num_layers=2, out_channels=3).eval()
    x = torch.randn(5, 4)
    masks = []
    for model in (plain, accelerate(copy.deepcopy(plain))):
        explainer = Explainer(
            model,
            GNNExplainer(epochs=5),
            explanation_type="model",
            node_mask_type="attributes",
            edge_mask_type="object",
            model_config={
                "mode": "multiclass_classification",
                "task_level": "node",
                "return_type": "raw",
            },
        )
        torch.manual_seed(1)
        masks.append(explainer(x, EDGES, index=0).edge_mask)
    torch.testing.assert_close(*masks)


def test_an_explainer_is_heard_also_after_a_cached_layer_was_made_by_its_class():
    # PyG then compiles `propagate` for the cached class as well.
    CachedGCNConv(2, 2)
    test_an_explainer_gives_the_same_masks(GCN)


def test_parameters_and_their_names_stay():
    plain, fast = twins(lambda: GCN(4, 8, num_layers=3, out_channels=2))
    assert list(plain.state_dict()) == list(fast.state_dict())
    assert [name for name, _ in plain.named_modules()] == [
        name for name, _ in fast.named_modules()
    ]
    fast.load_state_dict(plain.state_dict())


def test_the_model_itself_comes_back_and_twice_is_once():
    model = GCN(4, 8, num_layers=2)
    assert accelerate(model) is model
    before = [type(module) for module in model.modules()]
    accelerate(model)
    assert [type(module) for module in model.modules()] == before


def test_layers_of_other_classes_stay_as_they_are():
    class MyGCN(GCNConv):
        pass

    assert type(accelerate(MyGCN(4, 4))) is MyGCN
    assert type(accelerate(TransformerConv(4, 8))) is TransformerConv


@pytest.mark.parametrize(
    "clone", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))]
)
@pytest.mark.parametrize("make", [LAYERS["gcn"], lambda: GIN(4, 8, num_layers=2)])
def test_copies_compute_the_same(clone, make):
    _, fast = twins(make)
    fast.eval()
    expected = passes(fast, EDGES)
    torch.testing.assert_close(passes(clone(fast), EDGES), expected)


@pytest.mark.parametrize("make", [GCN, GraphSAGE, GIN, GAT])
@pytest.mark.parametrize("options", [{}, {"jk": "cat"}, {"norm": "BatchNorm"}])
def test_whole_networks_train_alike_without_dropout(make, options):
    plain, fast = twins(lambda: make(4, 8, 3, 2, **options))
    torch.testing.assert_close(passes(fast, EDGES), passes(plain, EDGES))
    assert type(fast.dropout) is FastDropout
    assert type(fast.act) is ReLUBeforeDropout


def test_a_network_drops_each_state_once():
    torch.manual_seed(0)
    model = accelerate(GCN(4, 1000, 2, 2, dropout=0.5))
    seen = []
    model.convs[1].register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    x = torch.ones(5, 4)
    model(x, EDGES)
    model.eval()(x, EDGES)
    alive = seen[1] > 0
    assert float((seen[0][alive] > 0).float().mean()) == pytest.approx(0.5, abs=0.03)
    torch.testing.assert_close(
        seen[0][seen[0] > 0], 2 * seen[1][seen[0] > 0], rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("change", ["act_first", "elu", "own forward"])
def test_other_orders_keep_activation_and_dropout_apart(change):
    class Own(GCN):
        def forward(self, x, edge_index):
            return self.act(self.convs[0](x, edge_index))

    made = {
        "act_first": lambda: GCN(4, 8, 2, act_first=True),
        "elu": lambda: GCN(4, 8, 2, act="elu"),
        "own forward": lambda: Own(4, 8, 2),
    }
    model = accelerate(made[change]())
    assert type(model.act) is not ReLUBeforeDropout


def test_two_node_types_and_missing_targets_are_served():
    plain, fast = twins(lambda: SAGEConv((4, 3), 6))
    edges = torch.tensor([[0, 4, 4, 1], [2, 0, 0, 1]])
    sources, targets = torch.randn(5, 4).double(), torch.randn(3, 3).double()
    both = (sources, targets)
    torch.testing.assert_close(fast(both, edges), plain(both, edges))
    plain, fast = twins(lambda: GraphConv((4, 3), 6))
    torch.testing.assert_close(fast(both, edges), plain(both, edges))
    plain, fast = twins(lambda: SAGEConv((4, 4), 6, root_weight=False))
    alone = (sources, None)
    torch.testing.assert_close(
        fast(alone, edges, size=(5, 3)), plain(alone, edges, size=(5, 3))
    )


@pytest.mark.parametrize("conv", [GATConv, GATv2Conv])
def test_attention_between_two_node_types_is_served(conv, products):
    plain, fast = twins(lambda: conv((4, 3), 6, heads=2, add_self_loops=False))
    edges = torch.tensor([[0, 4, 4, 1], [2, 0, 0, 1]])
    both = torch.randn(5, 4).double(), torch.randn(3, 3).double()
    torch.testing.assert_close(fast(both, edges), plain(both, edges))
    assert len(products) == 1


@pytest.mark.parametrize("conv", [GATConv, GATv2Conv])
@pytest.mark.parametrize("options", [{}, {"add_self_loops": False}])
def test_attention_reads_attributes_of_edges(conv, options, products):
    plain, fast = twins(lambda: conv(4, 2, heads=2, edge_dim=3, **options))
    attributes = torch.randn(9, 3).double()
    for _ in range(2):
        torch.testing.assert_close(
            passes(fast, EDGES, attributes), passes(plain, EDGES, attributes)
        )
    assert products
    assert len(fast.graphs._entries) == 1  # for the graph, and not for each call


@pytest.mark.parametrize("conv", [GATConv, GATv2Conv])
def test_attention_is_returned_on_edges_that_nobody_else_holds(conv):
    plain, fast = twins(lambda: conv(4, 2, heads=2))
    x = torch.randn(5, 4).double()
    for _ in range(2):
        expected, out = (
            model(x, EDGES, return_attention_weights=True) for model in (plain, fast)
        )
        torch.testing.assert_close(out, expected)
        out[1][0].zero_()  # whoever asked may write to it
    torch.testing.assert_close(fast(x, EDGES), plain(x, EDGES))


@pytest.mark.parametrize("conv", [GATConv, GATv2Conv])
def test_dropout_of_attention_draws_what_pyg_draws(conv):
    plain, fast = twins(lambda: conv(4, 2, heads=2, dropout=0.5))
    x = torch.randn(5, 4).double()
    outs = []
    for model in (plain, fast):
        torch.manual_seed(1)
        outs.append(model(x, EDGES))
    torch.testing.assert_close(*outs)


def test_a_pass_of_attention_that_failed_leaves_nothing_behind():
    plain, fast = twins(lambda: GATConv(4, 2, add_self_loops=False))
    looped = accelerate(GATConv(4, 2).double())
    with pytest.raises(RuntimeError):
        looped(torch.ones(5, 3).double(), EDGES[:, :4])
    torch.testing.assert_close(passes(fast, EDGES), passes(plain, EDGES))


def test_unknown_arguments_of_attention_are_refused_as_before():
    _, fast = twins(LAYERS["gat"])
    with pytest.raises(TypeError, match="unexpected keyword"):
        fast(torch.ones(5, 4).double(), EDGES, edge_weight=None)


@pytest.fixture
def shop():
    data = HeteroData()
    data["user"].x, data["item"].x = torch.randn(4, 6), torch.randn(3, 6)
    data["user", "buys", "item"].edge_index = torch.tensor([[0, 1, 3], [2, 0, 2]])
    data["item", "of", "user"].edge_index = torch.tensor([[2, 0, 2], [0, 1, 3]])
    return data


@pytest.mark.parametrize("order", ["before", "after"])
def test_heterogeneous_networks_made_from_one_are_served(order, shop, products):
    torch.manual_seed(0)
    model = GraphSAGE(6, 8, 2, 3, dropout=0.5)
    plain = to_hetero(copy.deepcopy(model), shop.metadata())
    if order == "before":
        fast = to_hetero(accelerate(model), shop.metadata())
    else:
        fast = accelerate(to_hetero(model, shop.metadata()))
    fast.load_state_dict(plain.state_dict())
    inputs = shop.x_dict, shop.edge_index_dict
    expected, out = plain.eval()(*inputs), fast.eval()(*inputs)
    torch.testing.assert_close(out, expected)
    assert products
    seen = []
    drops = [m for m in fast.modules() if isinstance(m, FastDropout)]
    for drop in drops:
        drop.register_forward_hook(lambda *call: seen.append(call[2]))
    fast.train()(*inputs)
    assert any((out == 0).any() for out in seen)


def test_the_layers_of_a_hetero_conv_are_served(shop, products):
    def make():
        return HeteroConv(
            {
                ("user", "buys", "item"): SAGEConv(6, 5),
                ("item", "of", "user"): GraphConv(6, 5),
            }
        )

    plain, fast = twins(make)
    inputs = (
        {name: x.double() for name, x in shop.x_dict.items()},
        shop.edge_index_dict,
    )
    torch.testing.assert_close(fast(*inputs), plain(*inputs))
    assert len(products) == 2


def test_a_diagnosis_reads_what_it_read_before(cora):
    torch.manual_seed(0)
    plain = GCN(cora.num_features, 16, 4, 7, dropout=0.5)
    fast = accelerate(copy.deepcopy(plain))
    layers = [find_layers(model) for model in (plain, fast)]
    assert [layer.normalization for layer in layers[0]] == ["sym"] * 4
    assert [layer.normalization for layer in layers[1]] == ["sym"] * 4
    verdicts = [diagnose(model, cora).verdict for model in (plain, fast)]
    assert verdicts[0] == verdicts[1]


def test_wide_features_that_are_mostly_zero_go_by_their_non_zeros():
    torch.manual_seed(0)
    x = torch.zeros(5, 64)
    x[torch.arange(5), torch.arange(5) * 7] = 1
    plain = GCN(64, 8, 2, 3)
    fast = accelerate(copy.deepcopy(plain))
    for model in (plain, fast):
        model(x, EDGES).square().sum().backward()
    torch.testing.assert_close(fast(x, EDGES), plain(x, EDGES))
    for one, two in zip(plain.parameters(), fast.parameters(), strict=True):
        torch.testing.assert_close(one.grad, two.grad)


def test_a_forward_pass_that_fails_leaves_no_graph_behind():
    fast = accelerate(GCNConv(4, 4))
    with pytest.raises(RuntimeError):
        fast(torch.ones(5, 3), EDGES)
    assert fast._cached_edge_index is None
    assert fast(torch.ones(5, 4), EDGES).shape == (5, 4)


def test_bipartite_states_are_refused_by_gcn_in_pygs_words():
    fast = accelerate(GCNConv(4, 4))
    with pytest.raises(ValueError, match="does not support bipartite"):
        fast((torch.ones(5, 4), torch.ones(5, 4)), EDGES)


@pytest.mark.parametrize("name", FAST)
@pytest.mark.parametrize("edge", [(-1, 0), (5, 0), (1005, 0), (0, -1), (0, 5)])
def test_node_numbers_that_pyg_refuses_are_refused_in_its_words(name, edge):
    edges = torch.cat([EDGES, torch.tensor(edge).unsqueeze(1)], dim=1)
    plain, fast = twins(LAYERS[name])
    errors = []
    for model in (plain, fast, fast):  # the second time from the cache
        with pytest.raises((IndexError, RuntimeError, ValueError)) as error:
            passes(model, edges)
        errors.append((error.type, str(error.value)))
    assert errors == errors[:1] * 3


def test_edges_between_two_node_types_the_wrong_way_round_are_refused():
    fast = accelerate(SAGEConv((4, 3), 6))
    both = torch.randn(5, 4), torch.randn(3, 3)
    with pytest.raises(ValueError, match="dim_size"):
        fast(both, torch.tensor([[2, 0], [0, 4]]))


@pytest.mark.parametrize("name", ["gcn", "appnp", "graph", "sage", "gin"])
def test_states_of_three_dimensions_are_taken_as_before(name):
    plain, fast = twins(LAYERS[name])
    for steps in (2, 5, 9):  # fewer than nodes, as many, and more
        x = torch.randn(steps, 5, 4).double()
        torch.testing.assert_close(fast(x, EDGES), plain(x, EDGES))


@pytest.mark.parametrize("name", FAST)
def test_threads_with_graphs_of_their_own_do_not_meet(name):
    plain, fast = (model.eval() for model in twins(LAYERS[name]))
    x = torch.randn(5, 4).double()
    graphs = [EDGES[:, :count].clone() for count in range(2, 10)]

    def answer(edges):
        return [fast(x, edges) for _ in range(30)]

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(answer, graphs))
    finally:
        sys.setswitchinterval(before)
    for edges, of_graph in zip(graphs, answers, strict=True):
        expected = plain(x, edges)
        for out in of_graph:
            torch.testing.assert_close(out, expected)


@pytest.mark.parametrize(
    "name", [*FAST, *(f"{conv}, no loops" for conv in ("gcn", "gat", "gatv2"))]
)
def test_nothing_keeps_a_graph_that_is_gone(name):
    _, fast = twins(LAYERS[name])
    edges = EDGES.clone()
    gone = weakref.ref(edges)
    passes(fast, edges)
    del edges
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize("name", [*FAST, "gat, no bias"])
def test_the_result_may_be_written_to(name):
    plain, fast = twins(LAYERS[name])
    x = torch.randn(5, 4).double().requires_grad_()
    grads = []
    for model in (plain, fast):
        out = F.elu_(model(x, EDGES))
        grads.append(torch.autograd.grad(out.square().sum(), x))
    torch.testing.assert_close(*grads)


@pytest.mark.parametrize(
    "change", [lambda w: w.mean(-1, keepdim=True), lambda w: w.square()]
)
def test_attention_that_a_hook_changed_is_what_counts(change):
    plain, fast = twins(LAYERS["gat"])
    for model in (plain, fast):
        model.register_edge_update_forward_hook(lambda *call: change(call[2]))
    torch.testing.assert_close(passes(fast, EDGES), passes(plain, EDGES))


@pytest.mark.parametrize("name", FAST)
def test_an_inference_pass_before_training_does_not_hinder_it(name):
    plain, fast = twins(LAYERS[name])
    x = torch.ones(5, 4).double()
    with torch.inference_mode():
        torch.testing.assert_close(fast(x, EDGES), plain(x, EDGES))
    torch.testing.assert_close(passes(fast, EDGES), passes(plain, EDGES))


@pytest.mark.parametrize("name", ["gcn", "gcn2", "appnp", "graph"])
def test_edits_of_a_graph_made_under_inference_mode_are_seen(name, products):
    plain, fast = twins(LAYERS[name])
    with torch.inference_mode():
        x, edges, weight = torch.randn(5, 4).double(), EDGES.clone(), WEIGHT.clone()
        for _ in range(2):
            torch.testing.assert_close(fast(x, edges), plain(x, edges))
            expected = plain(x, EDGES, weight)
            torch.testing.assert_close(fast(x, EDGES, weight), expected)
            edges[0, 0] = 4
            weight.mul_(torch.arange(9))
    assert products == []  # a matrix for one product would take longer than PyG


def test_dropout_in_place_stays_in_place():
    model = accelerate(nn.Sequential(nn.Dropout(0.9, inplace=True)))
    x = torch.ones(10_000)
    model[0](x)
    assert float((x == 0).float().mean()) == pytest.approx(0.9, abs=0.02)
    model.eval()[0](x)
    assert x.max() == pytest.approx(10)


@pytest.mark.filterwarnings("ignore")  # torch's own, of traces
@pytest.mark.parametrize("make", [GCN, GIN, GAT])
def test_a_traced_model_knows_other_graphs(make):
    model = accelerate(make(400, 8, 3, 2)).eval()
    x, edge_index = torch.eye(20, 400), torch.randint(20, (2, 60))
    model(x, edge_index)  # what is kept of the graph is not in the trace
    traced = torch.jit.trace(model, (x, edge_index), check_trace=False)
    other, edges = torch.rand(20, 400), torch.randint(20, (2, 70))
    torch.testing.assert_close(traced(other, edges), model(other, edges))
