"""One stack: any layer, skip, norm and drop trains in it at depth, and says why not."""

from __future__ import annotations

import copy
import inspect
import pickle

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch_geometric.data import Data
from torch_geometric.nn import (
    APPNP,
    FAConv,
    GATConv,
    GATv2Conv,
    GCN2Conv,
    GCNConv,
    GINConv,
    GINEConv,
    GPSConv,
    GraphConv,
    NNConv,
    RGCNConv,
    SAGEConv,
    TransformerConv,
)
from torch_geometric.utils import to_undirected

from benthic.errors import InputError
from benthic.forward import call_model
from benthic.nn import (
    AntiSymmetric,
    BatchNorm,
    ContraNorm,
    DeepGNN,
    DenseResidual,
    DiffGroupNorm,
    DropEdge,
    DropMessage,
    DropNode,
    DropPath,
    FastDropout,
    GeneralizedPageRank,
    GradientGating,
    GraphNorm,
    GraphNormv2,
    IdentityMap,
    InitialResidual,
    InstanceNorm,
    LayerNorm,
    MeanSubtractionNorm,
    NodeNorm,
    PairNorm,
    Residual,
    SkipNode,
)
from benthic.nn.deep_gnn import _skips

NODES = 24
EDGES = to_undirected(
    torch.randint(0, NODES, (2, 40), generator=torch.Generator().manual_seed(0))
)
Y = torch.arange(NODES) % 3
X = F.one_hot(Y, 3) + 0.5 * torch.randn(
    NODES, 3, generator=torch.Generator().manual_seed(1)
)


def gin(in_channels, out_channels):
    return GINConv(nn.Linear(in_channels, out_channels))


def losses(model, epochs=12, lr=0.01):
    torch.manual_seed(0)
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    found = []
    for _ in range(epochs):
        loss = F.cross_entropy(model.train()(X, EDGES), Y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        found.append(float(loss.detach()))
    return found


def deep(num_layers=16, conv=GCNConv, **options):
    torch.manual_seed(0)
    options = {"dropout": 0.1, **options}
    return DeepGNN(conv, 3, 16, 3, num_layers, **options)


def it_learns(model):
    """Whether the loss without dropout falls."""

    def loss():
        with torch.no_grad():
            return float(F.cross_entropy(model.eval()(X, EDGES), Y))

    before = loss()
    losses(model)
    return loss() < 0.97 * before


@pytest.mark.parametrize(
    "residual",
    [
        Residual(),
        InitialResidual(0.1),
        DenseResidual(),
        GradientGating(),
        AntiSymmetric,
        SkipNode(0.5),
    ],
    ids=repr,
)
def test_every_skip_trains_at_depth_16(residual):
    assert it_learns(deep(residual=residual, norm=LayerNorm))


@pytest.mark.parametrize(
    "norm",
    [
        LayerNorm,
        BatchNorm,
        PairNorm,
        MeanSubtractionNorm,
        DiffGroupNorm,
        GraphNorm,
        InstanceNorm,
        NodeNorm,
        ContraNorm,
        GraphNormv2,
        lambda channels: nn.LayerNorm(channels),
    ],
)
def test_every_norm_trains_at_depth_16(norm):
    assert it_learns(deep(residual=Residual(), norm=norm))


@pytest.mark.parametrize(
    "norm",
    [BatchNorm, DiffGroupNorm, nn.LayerNorm, nn.BatchNorm1d, LayerNorm, PairNorm],
)
def test_graphs_of_a_batch_are_told_to_norms_that_ask_for_them(norm):
    model = deep(2, norm=norm)
    assert (
        model(X, EDGES, batch=torch.zeros(len(X), dtype=torch.int64)).isfinite().all()
    )


def test_two_stacks_do_not_share_the_mode_of_a_drop():
    drop = DropEdge(0.5)
    first, second = deep(2, drop=drop), deep(2, drop=drop)
    first.eval()
    assert [len(model.edge_drops) for model in (first, second)] == [1, 1]
    assert second.edge_drops[0].training
    assert not first.edge_drops[0].training


def test_a_drop_of_edges_asks_for_edges_and_not_for_a_matrix():
    adjacency = torch.eye(len(X)).to_sparse()
    with pytest.raises(InputError, match=r"edge_index: found a sparse .*; give edges"):
        deep(2, drop=DropEdge(0.5))(X, adjacency)


@pytest.mark.parametrize(
    "drop",
    [
        DropEdge(0.3),
        DropPath(0.2),
        DropNode(0.2),
        DropMessage(0.2),
        [DropEdge(0.2), DropNode(0.1), DropMessage(0.1)],
    ],
    ids=repr,
)
def test_every_drop_trains_at_depth_16_and_rests_in_evaluation(drop):
    model = deep(residual=Residual(), norm=LayerNorm, drop=drop, dropout=0.0)
    torch.manual_seed(0)
    assert not torch.equal(model(X, EDGES), model(X, EDGES))
    model.eval()
    assert torch.equal(model(X, EDGES), model(X, EDGES))
    assert it_learns(model)


@pytest.mark.parametrize(
    "conv", [GCNConv, SAGEConv, GATConv, gin, GraphConv, TransformerConv]
)
def test_every_layer_trains_at_depth_16(conv):
    assert it_learns(deep(conv=conv, residual=Residual(), norm=LayerNorm))


@pytest.mark.parametrize("jump", ["max", "cat", "lstm"])
@pytest.mark.parametrize("num_layers", [1, 8])
def test_every_jump_trains(jump, num_layers):
    model = deep(num_layers, residual=Residual(), norm=LayerNorm, jump=jump)
    assert model(X, EDGES).shape == (NODES, 3)
    assert it_learns(model)


@pytest.mark.parametrize("spread", [APPNP(8, 0.1), GeneralizedPageRank(8, 0.1)])
@pytest.mark.parametrize("num_layers", [0, 1, 2])
def test_propagation_follows_any_number_of_layers(spread, num_layers):
    model = deep(num_layers, propagation=copy.deepcopy(spread))
    assert it_learns(model)


def test_no_layer_and_appnp_is_predict_then_propagate():
    model = deep(0, propagation=APPNP(8, 0.1)).eval()
    hidden = F.relu(F.linear(X, model.lin_in.weight, model.lin_in.bias))
    expected = APPNP(8, 0.1)(model.lin_out(hidden), EDGES)
    torch.testing.assert_close(model(X, EDGES), expected)


def test_it_is_the_formula_of_its_docstring():
    model = deep(3, residual=InitialResidual(0.2), norm=LayerNorm).eval()
    plain = [GCNConv(16, 16) for _ in range(3)]
    x = first = F.relu(F.linear(X, model.lin_in.weight, model.lin_in.bias))
    for conv, fast, norm in zip(plain, model.convs, model.norms, strict=False):
        conv.load_state_dict(fast.state_dict())
        x = 0.8 * conv(F.relu(norm(x)), EDGES) + 0.2 * first
    expected = model.lin_out(F.relu(model.norms[-1](x)))
    torch.testing.assert_close(model(X, EDGES), expected)


def test_dropout_is_on_the_branch_and_never_on_the_stream():
    model = deep(4, residual=Residual(), dropout=1.0).train()
    model.lin_in.p = 0.0
    for conv in model.convs:
        nn.init.ones_(conv.bias)
    seen = []
    model.dropout.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    model(X, EDGES)
    first = F.relu(F.linear(X, model.lin_in.weight, model.lin_in.bias))
    torch.testing.assert_close(seen[-1], first + 4)


def test_64_layers_with_a_share_of_the_first_state_keep_rows_apart():
    def rank(residual):
        model = deep(64, residual=residual, identity_map=IdentityMap(0.5)).eval()
        seen = []
        model.lin_out.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
        with torch.no_grad():
            model(X, EDGES)
        values = torch.linalg.svdvals(seen[0])
        return int((values > 1e-2 * values[0]).sum())

    components = 2  # each keeps one direction for good
    assert rank(None) == components
    assert rank(InitialResidual(0.1)) > 2 * components


@pytest.mark.parametrize("norm", [None, LayerNorm, BatchNorm, DiffGroupNorm])
@pytest.mark.parametrize("num_layers", [1, 2, 10])
def test_checkpoints_change_no_output_gradient_or_statistic(norm, num_layers):
    options = {"residual": InitialResidual(0.1), "norm": norm, "dropout": 0.5}
    plain = deep(num_layers, drop=DropEdge(0.2), **options)
    saving = deep(num_layers, drop=DropEdge(0.2), checkpoint=True, **options)
    saving.load_state_dict(plain.state_dict())
    results = []
    for model in (plain, saving):
        torch.manual_seed(3)
        out = model(X, EDGES)
        out.square().sum().backward()
        after = torch.rand(1)
        grads = [p.grad for p in model.parameters() if p.grad is not None]
        results.append([out, after, *grads, *model.buffers()])
    for one, two in zip(*results, strict=True):
        assert torch.equal(one, two)


def test_checkpoints_keep_the_root_of_the_depth():
    def kept(checkpoint):
        model = deep(64, residual=Residual(), checkpoint=checkpoint)
        sizes = []

        def count(tensor):
            sizes.append(tensor.shape)
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
            model(X, EDGES)
        return sum(shape == (NODES, 16) for shape in sizes)

    assert kept(False) > 64
    assert kept(True) < 10


def test_checkpoints_are_computed_again_as_often_as_asked():
    options = {"norm": BatchNorm, "residual": Residual(), "drop": DropEdge(0.2)}
    plain, saving = deep(9, **options), deep(9, checkpoint=True, **options)
    for model in (plain, saving):
        torch.manual_seed(0)
        x = X.clone().requires_grad_()
        loss = model(x, EDGES).sin().sum()
        for _ in range(2):
            (slope,) = torch.autograd.grad(loss, x, create_graph=True)
        slope.square().sum().backward()
    for (name, expected), found in zip(
        plain.named_parameters(), saving.parameters(), strict=True
    ):
        torch.testing.assert_close(found.grad, expected.grad, msg=name)
    torch.testing.assert_close(
        dict(saving.named_buffers()), dict(plain.named_buffers())
    )


def test_transforms_of_torch_take_a_stack_with_checkpoints():
    model = deep(4, residual=Residual(), checkpoint=True, dropout=0.0)
    x = X.clone().requires_grad_()
    (expected,) = torch.autograd.grad(model(x, EDGES).sin().sum(), x)
    found = torch.func.grad(lambda x: model(x, EDGES).sin().sum())(X)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize(
    "residual",
    [InitialResidual(0.1), GradientGating(), DenseResidual(), SkipNode(0.2)],
    ids=repr,
)
def test_autocast_trains_every_skip(residual, dtype):
    model = deep(4, residual=residual, identity_map=IdentityMap())
    with torch.autocast("cpu", dtype=dtype):
        out = model(X, EDGES)
    out.float().sum().backward()
    assert all(p.grad.isfinite().all() for p in model.parameters())


def test_a_stack_with_drops_is_exported_for_graphs_of_its_size():
    model = deep(4, residual=InitialResidual(0.1), drop=[DropEdge(0.2), DropNode(0.1)])
    model.eval()
    exported = torch.export.export(model, (X, EDGES)).module()
    torch.testing.assert_close(exported(2 * X, EDGES), model(2 * X, EDGES))


def test_in_evaluation_checkpoints_rest():
    model = deep(4, residual=Residual(), checkpoint=True).eval()
    assert torch.equal(model(X, EDGES), model(X, EDGES))


def test_weights_of_edges_count_also_after_a_drop():
    weight = torch.rand(EDGES.size(1))
    model = deep(2, drop=DropEdge(0.5), dropout=0.0)
    torch.manual_seed(0)
    out = model(X, EDGES, weight)
    torch.manual_seed(0)
    keep = model.edge_drops[0](EDGES, NODES)
    expected = model.eval()(X, EDGES[:, keep], weight[keep])
    torch.testing.assert_close(out, expected)


def test_the_graph_of_each_node_reaches_the_norms():
    model = deep(2, norm=GraphNorm, dropout=0.0)
    batch = torch.arange(NODES) // 12
    alone = EDGES[:, (EDGES < 12).all(0)]
    both = torch.cat([alone, alone + 12], dim=1)
    out = model(X, both, batch=batch)
    half = model(X[:12], alone, batch=batch[:12])
    torch.testing.assert_close(out[:12], half)


@settings(max_examples=10)
@given(seed=st.integers(0, 999))
def test_relabelled_nodes_give_relabelled_rows(seed):
    order = torch.randperm(NODES, generator=torch.Generator().manual_seed(seed))
    for residual in (Residual(), InitialResidual(), DenseResidual(), GradientGating()):
        model = deep(4, residual=residual, norm=LayerNorm).eval()
        moved = model(X[order], order.argsort()[EDGES])
        torch.testing.assert_close(moved, model(X, EDGES)[order], rtol=1e-4, atol=1e-5)


def test_each_layer_has_its_own_skip_and_norm():
    model = deep(3, residual=AntiSymmetric, norm=BatchNorm)
    assert len({id(skip.weight) for skip in model.skips}) == 3
    assert len({id(norm.module.weight) for norm in model.norms}) == 4
    model = deep(3, residual=AntiSymmetric(16))
    weights = [skip.weight for skip in model.skips]
    assert not torch.equal(weights[0], weights[1])


@pytest.mark.parametrize(
    "clone", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))]
)
def test_copies_compute_the_same(clone):
    model = deep(
        4,
        residual=Residual(),
        norm=LayerNorm,
        identity_map=IdentityMap(0.5),
        drop=[DropMessage(0.5), DropEdge(0.5)],
    )
    twin = clone(model)
    assert list(twin.state_dict()) == list(model.state_dict())
    torch.testing.assert_close(twin.eval()(X, EDGES), model.eval()(X, EDGES))
    torch.manual_seed(0)
    out = model.train()(X, EDGES)
    torch.manual_seed(0)
    torch.testing.assert_close(twin.train()(X, EDGES), out)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_layers": 0}, "num_layers: found 0; give a depth of 1 or more"),
        ({"num_layers": -1, "propagation": APPNP(2, 0.1)}, "num_layers: found -1"),
        ({"in_channels": 0}, "in_channels: found 0; give a width"),
        ({"hidden_channels": 0}, "hidden_channels: found 0; give a width"),
        ({"out_channels": -2}, "out_channels: found -2; give a width"),
        ({"dropout": 1.5}, "dropout: found 1.5; give a number, from 0 to 1"),
        ({"norm": "layer"}, "norm: found 'layer'"),
        ({"drop": nn.Dropout(0.5)}, "drop: found Dropout"),
        ({"jump": "mean"}, "jump: found 'mean'; give 'max', 'cat', 'lstm' or None"),
        (
            {"jump": "max", "num_layers": 0, "propagation": APPNP(2, 0.1)},
            "jump: found 'max' over no layer",
        ),
        ({"jump": "max", "checkpoint": True}, "checkpoint: found True beside jumping"),
        ({"residual": DenseResidual(), "checkpoint": True}, "checkpoint: found True"),
        (
            {"conv": lambda i, o: GCN2Conv(i, 0.1), "identity_map": IdentityMap()},
            "identity_map: found no square linear weight in CachedGCN2Conv",
        ),
    ],
)
def test_wrong_arguments_are_refused_in_one_line(options, message):
    arguments = {
        "conv": GCNConv,
        "in_channels": 3,
        "hidden_channels": 4,
        "out_channels": 2,
        "num_layers": 2,
        **options,
    }
    with pytest.raises(InputError, match=message.replace("(", r"\(")) as error:
        DeepGNN(**arguments)
    assert "\n" not in str(error.value)


ATTRIBUTES = torch.randn(EDGES.size(1), 5, generator=torch.Generator().manual_seed(2))
WITH_ATTRIBUTES = [
    lambda i, o: GINEConv(nn.Linear(i, o), edge_dim=5),
    lambda i, o: NNConv(i, o, nn.Linear(5, i * o)),
    lambda i, o: GATv2Conv(i, o, edge_dim=5),
    lambda i, o: TransformerConv(i, o, edge_dim=5),
    lambda i, o: GPSConv(i, GINEConv(nn.Linear(i, o), edge_dim=5), heads=2),
]


@pytest.mark.parametrize("checkpoint", [False, True])
@pytest.mark.parametrize("conv", WITH_ATTRIBUTES)
def test_features_of_edges_reach_the_layers(conv, checkpoint):
    model = deep(
        3, conv, residual=Residual(), drop=DropEdge(0.2), checkpoint=checkpoint
    )
    model.eval()
    out = model(X, EDGES, edge_attr=ATTRIBUTES)
    assert not torch.allclose(out, model(X, EDGES, edge_attr=-ATTRIBUTES))
    model.train()(X, EDGES, edge_attr=ATTRIBUTES).sum().backward()  # dropped as well


def test_types_of_edges_and_first_states_reach_the_layers():
    kinds = torch.arange(EDGES.size(1)) % 2
    relational = deep(2, lambda i, o: RGCNConv(i, o, num_relations=2)).eval()
    out = relational(X, EDGES, edge_type=kinds)
    assert not torch.allclose(out, relational(X, EDGES, edge_type=1 - kinds))
    for conv in (lambda i, o: GCN2Conv(i, 0.1), lambda i, o: FAConv(i)):
        model = deep(4, conv, residual=Residual()).eval()
        assert model(X, EDGES).isfinite().all()
    x_0 = model.act(model.lin_in(X))
    once = deep(1, lambda i, o: GCN2Conv(i, 0.5)).eval()
    x_0 = once.act(once.lin_in(X))
    expected = once.lin_out(once.act(once.convs[0](once.act(x_0), x_0, EDGES)))
    torch.testing.assert_close(once(X, EDGES), expected)


@pytest.mark.parametrize(
    ("conv", "inputs", "message"),
    [
        (SAGEConv, "edge_weight", "edge_weight: found values for SAGEConv, which"),
        (gin, "edge_weight", "edge_weight: found values for GINConv, which takes none"),
        (GATConv, "edge_weight", "edge_weight: found values for GATConv, which takes"),
        (GCNConv, "edge_attr", "edge_attr: found values for GCNConv.*as GATv2Conv"),
        (WITH_ATTRIBUTES[0], "", "edge_attr: found None; give it: GINEConv asks"),
        (WITH_ATTRIBUTES[1], "", "edge_attr: found None; give it: NNConv asks"),
        (lambda i, o: RGCNConv(i, o, 2), "", "edge_type: found None; give it: RGCN"),
    ],
)
def test_inputs_of_edges_that_do_not_fit_the_layer_are_refused(conv, inputs, message):
    given = {"edge_weight": ATTRIBUTES[:, 0], "edge_attr": ATTRIBUTES}
    with pytest.raises(InputError, match=message):
        deep(2, conv)(X, EDGES, **({inputs: given[inputs]} if inputs else {}))


@pytest.mark.parametrize("name", ["edge_weight", "edge_attr", "edge_type"])
def test_what_a_graph_merely_carries_reaches_the_layers_that_take_it(name):
    graph = Data(x=X, edge_index=EDGES, **{name: torch.ones(EDGES.size(1)).long()})
    model = deep(2, SAGEConv).eval()
    assert torch.equal(call_model(model, graph), model(X, EDGES))
    with pytest.raises(InputError, match=f"{name}: found values for SAGEConv"):
        model(X, EDGES, **{name: graph[name]})  # by hand, it was meant


def test_weights_reach_the_propagation_where_the_layers_take_none():
    weight = ATTRIBUTES[:, 0].abs()
    model = deep(2, SAGEConv, propagation=APPNP(2, 0.1)).eval()
    graph = Data(x=X, edge_index=EDGES, edge_weight=weight)
    out = model(X, EDGES, weight)
    assert not torch.allclose(out, model(X, EDGES))
    assert torch.equal(call_model(model, graph), out)


def test_an_error_of_the_layer_s_own_stays_what_it_is():
    class Broken(GATConv):
        def forward(self, x, edge_index, edge_attr=None):
            return x.no_such_thing

    with pytest.raises(AttributeError, match="no_such_thing"):
        deep(2, Broken)(X, EDGES)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_layers": 2.5}, "num_layers: found 2.5; give a depth"),
        ({"num_layers": "4"}, "num_layers: found '4'; give a depth"),
        ({"num_layers": True}, "num_layers: found True; give a depth"),
        ({"hidden_channels": 8.0}, "hidden_channels: found 8.0; give a width"),
        ({"conv": "gcn"}, "conv: found 'gcn'; give a class of PyG, such as GCNConv"),
        ({"conv": GCNConv(4, 4)}, r"conv: found GCNConv\(4, 4\); give a class"),
        ({"conv": NNConv}, r"conv: found NNConv, which two widths .*NNConv\(i, o, …\)"),
        ({"conv": lambda i, o: None}, "conv: found .*, which makes None"),
    ],
)
def test_what_makes_no_stack_is_refused(changes, message):
    # The type is checked in tests before the argument is; users get the message.
    sizes = {"in_channels": 3, "hidden_channels": 4, "out_channels": 2}
    arguments = {"conv": GCNConv, **sizes, "num_layers": 2, **changes}
    with pytest.raises(InputError, match=message):
        inspect.unwrap(DeepGNN.__init__)(DeepGNN.__new__(DeepGNN), **arguments)


@pytest.mark.parametrize("residual", [nn.Linear(2, 2), int, "residual"])
def test_what_is_no_skip_is_refused(residual):
    # The type is checked in tests before the argument is; users get the message.
    make = inspect.unwrap(_skips)
    with pytest.raises(InputError, match=r"residual: found .*; give a skip"):
        make(residual, 4, 2)


def test_it_says_what_it_is_made_of():
    model = deep(3, residual=Residual(), norm=PairNorm, propagation=APPNP(8, 0.1))
    assert repr(model) == (
        "DeepGNN(3, 3, num_layers=3, residual=Residual(), norm=PairNorm(), "
        "propagation=CachedAPPNP(K=8, alpha=0.1))"
    )
    assert isinstance(model.dropout, FastDropout)
