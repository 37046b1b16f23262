"""A treated copy does what it should, and the original stays as it was."""

from __future__ import annotations

import copy
import gc
import io
import re
import weakref

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_model, save_model
from tests.trace.true_states import assert_same, state_of
from tests.treatment.models import (
    HOMOGENEOUS,
    Attributes,
    AutoEncoder,
    Homogeneous,
    Mixed,
    OfGraphs,
    OfTypes,
    Shared,
    Stack,
    WithAttributes,
    assert_equal,
    run,
    tensors,
)
from torch import nn
from torch.func import functional_call, grad, jvp, stack_module_state, vmap
from torch_geometric.data import Batch, Data
from torch_geometric.nn import (
    APPNP,
    GAT,
    GCN,
    GIN,
    GCNConv,
    GraphSAGE,
    JumpingKnowledge,
    MessagePassing,
    SAGEConv,
    Sequential,
    TopKPooling,
    to_hetero,
)
from torch_geometric.transforms import AddSelfLoops
from torch_geometric.utils import to_torch_csr_tensor

from benthic.diagnosis import diagnose
from benthic.errors import InputError
from benthic.nn.drop import DropEdge, DropMessage, DropNode, DropPath, SkipNode
from benthic.nn.gpr import GeneralizedPageRank
from benthic.nn.identity_map import IdentityMap
from benthic.nn.norm import (
    BatchNorm,
    ContraNorm,
    DiffGroupNorm,
    GraphNorm,
    LayerNorm,
    PairNorm,
)
from benthic.nn.residual import (
    AntiSymmetric,
    DenseResidual,
    GradientGating,
    InitialResidual,
    Residual,
)
from benthic.trace import Trace
from benthic.treatment import Norm, treat

ZERO = [
    (),
    (Residual(0.0),),
    (InitialResidual(0.0),),
    (DenseResidual(0.0),),
    (DropEdge(0.0),),
    (DropNode(0.0),),
    (DropMessage(0.0),),
    (SkipNode(0.0),),
    (Norm(ContraNorm, scale=0.0, layer_norm=False),),
    (
        Residual(0.0),
        InitialResidual(0.0),
        DropEdge(0.0),
        DropNode(0.0),
        DropMessage(0.0),
    ),
]
EVERYTHING = (
    InitialResidual(0.2),
    SkipNode(0.1),
    Norm(LayerNorm, mode="node"),
    DropEdge(0.3),
    DropNode(0.1),
    DropMessage(0.1),
)


@pytest.mark.parametrize("treatments", ZERO, ids=repr)
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("make", HOMOGENEOUS.values(), ids=list(HOMOGENEOUS))
def test_zero_strength_is_equal_to_the_bit(make, training, treatments, x, edge_index):
    model = make().train(training)
    treated = treat(model, *treatments)
    assert_equal(run(model, x, edge_index), run(treated, x, edge_index))
    with torch.no_grad():  # torch's fused kernels
        assert_equal(run(model, x, edge_index), run(treated, x, edge_index))


@pytest.mark.parametrize("make", HOMOGENEOUS.values(), ids=list(HOMOGENEOUS))
def test_the_copy_trains_and_every_inserted_parameter_has_a_gradient(
    make, x, edge_index
):
    treated = treat(make(), *EVERYTHING)
    y = torch.arange(20) % 3
    optimizer = torch.optim.Adam(treated.parameters(), lr=0.01)
    losses = []
    for _ in range(40):
        optimizer.zero_grad()
        loss = F.cross_entropy(tensors(treated(x, edge_index))[0][:, :3], y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert sum(losses[-5:]) < sum(losses[:5])
    inserted = list(treated.treatments.named_parameters())
    assert inserted
    assert all(p.grad is not None for _, p in inserted if p.requires_grad)


BY_GRAPH = [
    *(t for t in EVERYTHING if not isinstance(t, DropMessage)),
    *map(Norm, (ContraNorm, GraphNorm, LayerNorm, PairNorm)),
    AntiSymmetric,
    DenseResidual(),
    DropPath(0.5),
    GradientGating(),
    JumpingKnowledge("lstm", 8, 2),
    APPNP(K=2, alpha=0.1),
]
ACROSS_GRAPHS = [Norm(BatchNorm), Norm(DiffGroupNorm)]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("treatment", BY_GRAPH, ids=str)
def test_each_frame_is_treated_as_a_graph_of_its_own(
    treatment, training, x, edge_index
):
    treated = treat(GCN(6, 8, 3, 8), treatment).train(training)
    (frames,) = run(treated, torch.stack([x, 2 * x]), edge_index)
    for frame, alone in zip(frames, (x, 2 * x), strict=True):
        torch.testing.assert_close(frame, run(treated, alone, edge_index)[0])


@pytest.mark.parametrize("treatment", ACROSS_GRAPHS, ids=str)
def test_a_norm_across_graphs_is_one_across_frames(treatment, x, edge_index):
    treated = treat(GCN(6, 8, 3, 8), treatment)
    (frames,) = run(treated, torch.stack([x, 2 * x]), edge_index)
    side_by_side = torch.cat([edge_index, edge_index + len(x)], dim=1)
    (rows,) = run(treated, torch.cat([x, 2 * x]), side_by_side)
    torch.testing.assert_close(frames.flatten(0, 1), rows)


@pytest.mark.parametrize("make", [GCN, GAT])
@pytest.mark.parametrize(
    "treatment", [Residual(), Norm(DiffGroupNorm), GradientGating()], ids=str
)
def test_a_fast_copy_computes_what_a_plain_one_does(make, treatment, x, edge_index):
    model = make(6, 8, 3, 8)
    plain, fast = (treat(model, treatment, fast=fast) for fast in (False, True))
    fast.load_state_dict(plain.state_dict())
    for _ in range(2):  # the second time from the cache
        torch.testing.assert_close(fast(x, edge_index), plain(x, edge_index))


class Folded(MessagePassing):
    """Has nodes first of three dimensions inside, and takes and returns two."""

    def __init__(self, channels):
        super().__init__(node_dim=-3)
        self.out_channels = channels
        self.lin = nn.Linear(channels, channels)

    def forward(self, x, edge_index):
        folded = self.lin(x).view(len(x), 2, -1)
        return self.propagate(edge_index, x=folded).flatten(1)


def test_of_two_dimensions_the_first_counts_nodes_whatever_a_layer_has_inside(
    edge_index,
):
    model = Sequential(
        "x, edge_index", [(Folded(6), "x, edge_index -> x") for _ in range(3)]
    )
    x = torch.randn(20, 6)
    for treatment in (Norm(PairNorm), DropEdge(0.5), DropNode(0.5), APPNP(2, 0.1)):
        assert treat(model, Residual(), treatment)(x, edge_index).shape == (20, 6)


class NodesFirst(MessagePassing):
    """Sums messages of states ``[N, T, C]``."""

    def __init__(self, channels):
        super().__init__(node_dim=0)
        self.out_channels = channels
        self.lin = nn.Linear(channels, channels)

    def forward(self, x, edge_index):
        return self.propagate(edge_index, x=self.lin(x))


def test_nodes_in_the_first_of_three_dimensions_are_not_taken_for_frames(edge_index):
    model = Sequential(
        "x, edge_index", [(NodesFirst(6), "x, edge_index -> x") for _ in range(3)]
    )
    x = torch.randn(20, 2, 6)
    for treatment in (Residual(), DropEdge(0.5)):
        assert treat(model, treatment)(x, edge_index).shape == x.shape
    for treatment in (Norm(PairNorm), DropNode(0.5), SkipNode(0.5)):
        assert treat(model, treatment)(x[:, 0], edge_index).shape == (20, 6)
        with pytest.raises(InputError, match=r"nodes in dimension 0 of \[20, 2, 6\]"):
            treat(model, treatment)(x, edge_index)


@pytest.mark.parametrize("make", HOMOGENEOUS.values(), ids=list(HOMOGENEOUS))
def test_evaluation_is_deterministic(make, x, edge_index):
    treated = treat(make(), *EVERYTHING).eval()
    assert_equal(
        run(treated, x, edge_index, seed=0), run(treated, x, edge_index, seed=1)
    )


@pytest.mark.parametrize("make", HOMOGENEOUS.values(), ids=list(HOMOGENEOUS))
def test_the_original_and_the_random_state_stay(make, x, edge_index):
    model = make()
    model.register_forward_hook(lambda *_: None)
    before, out = state_of(model), run(model.eval(), x, edge_index)
    model.train()
    torch.set_rng_state(before[4])
    own = set(model.__dict__)
    treated = treat(model, *EVERYTHING)
    assert_same(before, state_of(model))
    assert set(model.__dict__) == own
    assert_equal(out, run(model.eval(), x, edge_index))
    assert type(treated) is type(model)
    assert set(model.state_dict()) <= set(treated.state_dict())
    new = set(treated.state_dict()) - set(model.state_dict())
    assert all(key.startswith("treatments.") for key in new)
    for key, value in model.state_dict().items():
        assert torch.equal(treated.state_dict()[key], value)
        assert treated.state_dict()[key].data_ptr() != value.data_ptr()


def test_an_identity_map_keeps_the_keys_and_changes_the_outcome(x, edge_index):
    model = Stack().eval()
    treated = treat(model, IdentityMap(0.5))
    assert set(treated.state_dict()) == set(model.state_dict())
    beta = torch.tensor(1.5).log()
    with torch.no_grad():
        expected = copy.deepcopy(model)
        for number, conv in enumerate(expected.convs[1:3], 1):
            beta = torch.tensor(0.5 / number + 1).log()
            conv.lin.weight.lerp_(torch.eye(8), 1 - beta)
        torch.testing.assert_close(treated(x, edge_index), expected(x, edge_index))


def test_the_semantics_are_those_of_a_stack_written_by_hand(x, edge_index):
    model = Stack((6, 8, 8, 8, 3)).eval()
    treated = treat(model, InitialResidual(0.3), Norm(BatchNorm)).eval()
    norms = [
        getattr(treated.treatments.layers, f"convs_{i}").joins.nodes.norm
        for i in range(3)
    ]
    for norm in norms:
        nn.init.normal_(norm.module.weight)
    first = model.convs[0](x, edge_index)
    h = norms[0](first)
    h = 0.7 * model.convs[1](h.relu(), edge_index) + 0.3 * first
    h = norms[1](h)
    h = 0.7 * model.convs[2](h.relu(), edge_index) + 0.3 * first
    h = norms[2](h)
    expected = model.convs[3](h.relu(), edge_index)
    torch.testing.assert_close(treated(x, edge_index), expected)


def test_a_dense_residual_and_jumping_knowledge_see_all_states(x, edge_index):
    model = Stack((6, 8, 8, 8, 3)).eval()
    convs = model.convs
    a = convs[0](x, edge_index)
    b = convs[1](a.relu(), edge_index)
    c = convs[2](b.relu(), edge_index)
    jumped = torch.stack([a, b, c]).amax(0)
    treated = treat(model, JumpingKnowledge("max"))
    torch.testing.assert_close(
        treated(x, edge_index), convs[3](jumped.relu(), edge_index)
    )
    b = convs[1](a.relu(), edge_index) + a
    c = convs[2](b.relu(), edge_index) + (a + b) / 2
    torch.testing.assert_close(
        treat(model, DenseResidual())(x, edge_index), convs[3](c.relu(), edge_index)
    )


@pytest.mark.parametrize(
    "skip", [AntiSymmetric, AntiSymmetric(8), GradientGating(), SkipNode(0.5)], ids=str
)
def test_other_skips_act(skip, x, edge_index):
    model = Stack()
    treated = treat(model, skip)
    assert not torch.equal(*run(model, x, edge_index), *run(treated, x, edge_index))


def test_instances_with_weights_are_drawn_anew_for_each_layer():
    layers = treat(Stack(), AntiSymmetric(8)).treatments.layers
    one, other = (layers[k].joins.nodes.skips[0].weight for k in ("convs_1", "convs_2"))
    assert not torch.equal(one, other)


def test_encode_begins_anew_at_each_call(x, edge_index):
    model = AutoEncoder().eval()
    treated = treat(model, Residual(), fast=False)
    first = model.conv1(model.lin(x), edge_index)
    expected = model.conv2(first.relu(), edge_index) + first
    for _ in range(3):
        z = treated.encode(x, edge_index)
        torch.testing.assert_close(z, expected)
    assert treated.decode(z, edge_index).shape == edge_index[0].shape
    assert treated.treatments.running.now is None
    assert torch._C._len_torch_function_stack() == 0


def test_two_graphs_in_one_forward_do_not_hear_each_other(x, edge_index):
    class Siamese(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = AutoEncoder()

        def forward(self, a, b, edge_index):
            za = self.encoder.encode(a, edge_index)
            return za, self.encoder.encode(b, edge_index)

    treated = treat(Siamese().eval(), Residual(), InitialResidual(0.2))
    a, b = treated(x, x.flip(0), edge_index)
    torch.testing.assert_close(treated.encoder.encode(x, edge_index), a)
    torch.testing.assert_close(treated.encoder.encode(x.flip(0), edge_index), b)


def test_parallel_branches_do_not_hear_each_other(x, edge_index):
    class Branches(nn.Module):
        def __init__(self):
            super().__init__()
            self.lin = nn.Linear(6, 8)
            self.a, self.b, self.c = (GCNConv(8, 8) for _ in range(3))

        def forward(self, x, edge_index):
            x = self.lin(x)
            a, b = self.a(x, edge_index), self.b(x, edge_index)
            return self.c((a + b).relu(), edge_index)

    model = Branches().eval()
    h = model.lin(x)
    a, b = model.a(h, edge_index), model.b(h, edge_index)
    expected = model.c((a + b).relu(), edge_index) + b
    treated = treat(model, Residual())
    with pytest.warns(UserWarning, match="no earlier states at b and did not"):
        out = treated(x, edge_index)
    torch.testing.assert_close(out, expected)


def test_a_shared_layer_joins_its_own_states(x, edge_index):
    model = Shared(3).eval()
    h = model.lin(x)
    a = model.conv(h, edge_index)
    b = model.conv(a.relu(), edge_index) + a
    c = model.conv(b.relu(), edge_index) + b
    torch.testing.assert_close(treat(model, Residual())(x, edge_index), c.relu())


def test_operations_in_place_do_not_reach_the_stream(x, edge_index):
    model = Stack(inplace=False).eval()
    twin = Stack(inplace=True).eval()
    twin.load_state_dict(model.state_dict())
    out = treat(model, DenseResidual())(x, edge_index)
    assert torch.equal(treat(twin, DenseResidual())(x, edge_index), out)
    treat(twin, Residual())(x, edge_index).sum().backward()


def test_a_change_of_width_starts_the_stream_anew_and_is_reported(x, edge_index):
    model = Stack((6, 8, 8, 16, 16, 3)).eval()
    treated = treat(model, InitialResidual(0.5))
    convs = model.convs
    a = convs[0](x, edge_index)
    b = 0.5 * convs[1](a.relu(), edge_index) + 0.5 * a
    c = convs[2](b.relu(), edge_index)
    d = 0.5 * convs[3](c.relu(), edge_index) + 0.5 * c
    torch.testing.assert_close(treated(x, edge_index), convs[4](d.relu(), edge_index))
    lines = str(treated.treatments).splitlines()
    assert "convs.2" in lines[4]
    assert "InitialResidual(alpha=0.5): 8 -> 16 channels" in lines[4]
    assert "16 -> 16" in lines[5]


def test_pooled_nodes_start_the_stream_anew(x, edge_index):
    class Pooled(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.c = GCNConv(6, 8), GCNConv(8, 8), GCNConv(8, 8)
            self.pool = TopKPooling(8)

        def forward(self, x, edge_index):
            x = self.b(self.a(x, edge_index).relu(), edge_index)
            x, edge_index, *_ = self.pool(x, edge_index)
            return self.c(x, edge_index)

    model = Pooled().eval()
    a = model.a(x, edge_index)
    b = model.b(a.relu(), edge_index) + a
    h, edges, *_ = model.pool(b, edge_index)
    treated = treat(model, Residual())
    with pytest.warns(UserWarning, match="Residual found no earlier states at c "):
        out = treated(x, edge_index)
    torch.testing.assert_close(out, model.c(h, edges))
    last = str(treated.treatments).splitlines()[-1]
    assert last.endswith("-         Residual: found no earlier states")
    treated(x, edge_index)  # it warns once


class Through(nn.Module):
    """Some code of the user's between the layers."""

    def __init__(self, act):
        super().__init__()
        self.convs = nn.ModuleList(GCNConv(6, 6) for _ in range(3))
        self.act = act

    def forward(self, x, edge_index):
        for conv in self.convs:
            x = self.act(conv(x, edge_index))
        return x


@pytest.mark.parametrize(
    "act",
    [
        lambda h: torch.from_numpy(h.detach().numpy()).relu(),
        torch.vmap(torch.relu),
        torch.jit.script(nn.ReLU()),
    ],
    ids=["numpy", "vmap", "script"],
)
def test_skips_that_lost_their_states_say_so(act, x, edge_index):
    model = Through(act).eval()
    treated = treat(model, Residual(), JumpingKnowledge("max"), fast=False)
    with pytest.warns(UserWarning, match=r"JumpingKnowledge\(max\) found no.* convs.2"):
        out = treated(x, edge_index)
    assert torch.equal(out, model(x, edge_index))
    assert str(treated.treatments).count("Residual: found no earlier states") == 2


def test_where_states_are_found_later_the_table_says_so(x, edge_index):
    acts = [lambda h: torch.from_numpy(h.detach().numpy()), torch.relu]
    treated = treat(Through(lambda h: acts[0](h)).eval(), Residual())
    with pytest.warns(UserWarning, match=r"convs\.1, convs\.2"):
        treated(x, edge_index)
    acts.pop(0)
    treated(x, edge_index)
    assert "no earlier" not in str(treated.treatments)


def test_sampled_layers_join_the_first_rows(x, edge_index):
    """Bipartite layers, as with NeighborLoader: targets come first."""

    class Sampled(nn.Module):
        def __init__(self):
            super().__init__()
            self.convs = GraphSAGE(6, 8, 3, 8).convs

        def forward(self, x, sizes, edges):
            for conv, size, edge_index in zip(self.convs, sizes, edges, strict=True):
                x = conv((x, x[:size]), edge_index).relu()
            return x

    edges = [edge_index[:, edge_index[1] < size] for size in (20, 10, 5)]
    edges[1] = edges[1][:, edges[1][0] < 20]
    edges[2] = edges[2][:, edges[2][0] < 10]
    model = Sampled().eval()
    a = model.convs[0]((x, x), edges[0])
    h = a.relu()
    b = model.convs[1]((h, h[:10]), edges[1]) + a[:10]
    h = b.relu()
    c = model.convs[2]((h, h[:5]), edges[2]) + (a[:5] + b[:5]) / 2
    out = treat(model, DenseResidual())(x, (20, 10, 5), edges)
    torch.testing.assert_close(out, c.relu())


def test_trimmed_layers_of_pyg_join_the_first_rows(x, edge_index):
    model = GraphSAGE(6, 8, 3, 8).eval()
    hops = [edge_index[:, low : low + 20] for low in (0, 20, 40)]
    limits = [(10, 5), (15, 10), (20, 15)]  # sources and targets of each hop
    hops = [
        torch.stack([edges[0] % sources, edges[1] % targets])
        for edges, (sources, targets) in zip(hops, limits, strict=True)
    ]
    treated = treat(model, Residual(), DropEdge(0.5))
    out = treated(
        x,
        torch.cat(hops, dim=1),
        num_sampled_nodes_per_hop=[5, 5, 5, 5],
        num_sampled_edges_per_hop=[20, 20, 20],
    )
    a = model.convs[0](x, torch.cat(hops, dim=1))
    b = model.convs[1](a[:15].relu(), torch.cat(hops[:2], dim=1)) + a[:15]
    c = model.convs[2](b[:10].relu(), hops[0]) + b[:10]
    torch.testing.assert_close(out, c)
    treated.train()(
        x,
        torch.cat(hops, dim=1),
        num_sampled_nodes_per_hop=[5, 5, 5, 5],
        num_sampled_edges_per_hop=[20, 20, 20],
    )


def test_running_layer_by_layer_is_refused(x, edge_index):
    class ByLayer(Stack):
        def infer(self, x, edge_index, batches):
            for conv in self.convs[:3]:
                x = torch.cat([conv(x, edge_index)[rows].relu() for rows in batches])
                x = x[torch.arange(20)]
            return x

    treated = treat(ByLayer().eval(), Residual())
    batches = [slice(0, 10), slice(10, 20)]
    with pytest.raises(InputError, match=r"rows of several batches.*'convs\.1'"):
        treated.infer(x, edge_index, batches)
    assert torch._C._len_torch_function_stack() == 0
    with pytest.raises(InputError, match=r"inference\(\), which runs layer by layer"):
        treat(GCN(6, 8, 3), Residual()).inference(None)


@pytest.mark.parametrize("fast", [True, False])
def test_edge_attributes_are_dropped_with_their_edges(fast, x, edge_index):
    edge_attr = torch.randn(edge_index.size(1), 5)
    treated = treat(WithAttributes(), DropEdge(0.5), Residual(), fast=fast)
    seen = []
    for name in ("conv1", "conv2", "conv3"):
        getattr(treated, name).register_forward_pre_hook(
            lambda _, args, kwargs: seen.append((*args, *kwargs.values())),
            with_kwargs=True,
        )
    treated(x, edge_index, edge_attr)
    edges = [next(v for v in s if v.dtype == torch.int64) for s in seen]
    attributes = [next(v for v in s if v.size(-1) == 5) for s in seen]
    assert edges[0] is edges[1] is edges[2]
    assert attributes[0] is attributes[1] is attributes[2]
    assert 0 < edges[0].size(1) < edge_index.size(1)

    def rows(edges, attributes):
        return set(map(tuple, torch.cat([edges.t(), attributes], dim=1).tolist()))

    pairs, kept = rows(edge_index, edge_attr), rows(edges[0], attributes[0])
    assert kept < pairs
    first = edges[0]
    treated(x, edge_index, edge_attr)
    assert next(v for v in seen[3] if v.dtype == torch.int64) is not first


def test_without_a_drop_the_graph_is_handed_on_as_it_is(x, edge_index):
    for treated in (
        treat(Stack(), DropEdge(0.5), Residual()).eval(),
        treat(Stack(), DropEdge(0.0), Residual()),
        treat(Stack(), *[t for t in EVERYTHING if not isinstance(t, DropEdge)]),
    ):
        seen = []
        for conv in treated.convs:
            conv.register_forward_pre_hook(lambda _, args, s=seen: s.append(args[1]))
        treated(x, edge_index)
        assert all(edges is edge_index for edges in seen)


def test_nothing_of_a_pass_outlives_it(x, edge_index):
    treated = treat(Stack(), *EVERYTHING, JumpingKnowledge("max"))
    alive = []
    for conv in treated.convs:
        conv.register_forward_hook(
            lambda _, args, out: alive.extend(map(weakref.ref, (out, args[1])))
        )
    for training in (True, False):
        treated.train(training)
        own = edge_index.clone()
        with torch.no_grad():
            out = treated(x, own)
        del own
        gc.collect()
        assert sum(r() is not None for r in alive) <= 1
        del out
        gc.collect()
        assert not any(r() is not None for r in alive)


def test_a_model_that_raises_or_is_interrupted_lets_go(x, edge_index):
    treated = treat(Stack().eval(), Residual())
    expected = treated(x, edge_index)
    for error in (RuntimeError, KeyboardInterrupt):

        def fail(*_, error=error):
            raise error

        for module in (treated.convs[2], treated.convs[2].lin):
            handle = module.register_forward_hook(fail)
            with pytest.raises(error):
                treated(x, edge_index)
            handle.remove()
            assert torch._C._len_torch_function_stack() == 0
            assert torch.equal(treated(x, edge_index), expected)


def test_a_mini_batch_of_graphs(x, edge_index):
    graphs = [
        Data(x=x, edge_index=edge_index),
        Data(x=3 * x[:10], edge_index=edge_index[:, (edge_index < 10).all(0)]),
    ]
    treated = treat(OfGraphs(), Residual(), Norm(GraphNorm)).eval()
    together = treated(Batch.from_data_list(graphs))["logits"]
    alone = [treated(Batch.from_data_list([g]))["logits"] for g in graphs]
    torch.testing.assert_close(together, torch.cat(alone))
    model = GCN(6, 8, 3)
    batch = Batch.from_data_list(graphs)
    out = treat(model, Norm(PairNorm)).eval()(
        batch.x, batch.edge_index, batch=batch.batch
    )
    assert out.shape == (30, 8)


def test_a_propagation_spreads_the_output(x, edge_index):
    model = Attributes().eval()
    treated = treat(model, APPNP(K=3, alpha=0.2))
    out, h = treated(x, edge_index)
    expected = APPNP(K=3, alpha=0.2)(model(x, edge_index)[0], edge_index)
    torch.testing.assert_close(out, expected)
    torch.testing.assert_close(h, model(x, edge_index)[1])
    weight = torch.rand(edge_index.size(1))
    stack = Stack().eval()
    torch.testing.assert_close(
        treat(stack, APPNP(3, 0.2), DropEdge(0.5))(x, edge_index, weight),
        APPNP(3, 0.2)(stack(x, edge_index, weight), edge_index, weight),
    )


def test_a_propagation_may_have_weights_of_its_own(x, edge_index):
    treated = treat(Stack().double(), GeneralizedPageRank(3, 0.2))
    treated(x.double(), edge_index).sum().backward()
    inserted = list(treated.treatments.parameters())
    assert inserted
    assert all(p.grad is not None and p.dtype == torch.float64 for p in inserted)
    assert "output: GeneralizedPageRank(K=3, alpha=0.2)" in str(treated.treatments)


def test_double_precision(x, edge_index):
    treated = treat(Stack().double(), AntiSymmetric, Norm(LayerNorm), DropEdge(0.5))
    out = treated(x.double(), edge_index)
    assert out.dtype == torch.float64
    assert all(p.dtype == torch.float64 for p in treated.parameters())


# Keeping it


def test_safetensors_keep_a_treated_model(tmp_path, x, edge_index):
    treatments = (AntiSymmetric, Norm(BatchNorm), IdentityMap(), DropEdge(0.5))
    treated = treat(Stack(), *treatments)
    treated(x, edge_index)
    save_model(treated, str(tmp_path / "model.safetensors"))
    other = treat(Stack(), *treatments)
    load_model(other, str(tmp_path / "model.safetensors"))
    assert_equal(run(treated.eval(), x, edge_index), run(other.eval(), x, edge_index))
    third = treat(Stack(), *treatments)
    third.load_state_dict(treated.state_dict())
    assert_equal(run(treated, x, edge_index), run(third.eval(), x, edge_index))


def _pickled(treated):
    file = io.BytesIO()
    torch.save(treated, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


# A Sequential of PyG makes its own methods, and cannot be pickled.
PICKLED = {name: make for name, make in HOMOGENEOUS.items() if name != "Sequential"}


@pytest.mark.parametrize("keep", [copy.deepcopy, _pickled])
@pytest.mark.parametrize("make", HOMOGENEOUS.values(), ids=list(HOMOGENEOUS))
def test_a_copy_of_a_treated_model_is_independent(make, keep, x, edge_index):
    treated = treat(make(), *EVERYTHING)
    out = run(treated, x, edge_index)
    other = keep(treated)
    assert_equal(out, run(other, x, edge_index))
    for p in other.parameters():
        p.data.zero_()
    other.eval()
    assert_equal(out, run(treated, x, edge_index))
    assert str(other.treatments) == str(treated.treatments)
    assert other.treatments.running is not treated.treatments.running


def test_treating_shares_the_graph_that_a_layer_keeps(x, edge_index):
    model = Stack(cached=True).eval()
    model.edge_index = edge_index
    model(x, edge_index)
    cached = model.convs[0]._cached_edge_index
    treated = treat(model, Residual())
    assert model.convs[0]._cached_edge_index is cached
    assert treated.convs[0]._cached_edge_index is None
    assert treated.edge_index is edge_index


# With other tools


@pytest.mark.filterwarnings("ignore")  # torch's own, of exports
@pytest.mark.parametrize("make", [GCN, GIN, GAT])
def test_an_exported_model_knows_other_graphs(make, edge_index):
    treatments = [Residual(), Norm(LayerNorm), DropEdge(0.2), APPNP(K=2, alpha=0.1)]
    treated = treat(make(400, 8, 3, 2), *treatments).eval()
    sparse = torch.eye(20, 400)  # features that are read by their non-zeros
    kept = torch.export.export(treated, (sparse, edge_index)).module()
    other, edges = torch.rand(20, 400), (edge_index + edge_index[0]) % 20
    torch.testing.assert_close(kept(other, edges), treated(other, edges))


@pytest.mark.filterwarnings("ignore")  # torch's own, of scripts
def test_a_script_is_refused():
    with pytest.raises(InputError, match=r"torch\.jit\.script; use torch\.export"):
        torch.jit.script(treat(Stack(), Residual()))


def test_vmap_over_stacked_seeds(x, edge_index):
    models = [
        treat(Stack(), InitialResidual(0.2), Norm(LayerNorm, mode="node"), fast=False)
        for _ in range(3)
    ]
    models = [model.eval() for model in models]
    parameters, buffers = stack_module_state(models)
    skeleton = models[0]

    def call(parameters, buffers):
        return functional_call(skeleton, (parameters, buffers), (x, edge_index))

    together = vmap(call)(parameters, buffers)
    for one, model in zip(together, models, strict=True):
        torch.testing.assert_close(one, model(x, edge_index))


def test_vmap_in_training_draws_for_each_seed(x, edge_index):
    models = [treat(Stack(), Residual(), DropNode(0.3)) for _ in range(2)]
    parameters, buffers = stack_module_state(models)
    skeleton = models[0]

    def call(parameters, buffers):
        return functional_call(skeleton, (parameters, buffers), (x, edge_index))

    out = vmap(call, randomness="different")(parameters, buffers)
    assert out.shape == (2, 20, 3)
    edges = treat(Stack(), DropEdge(0.5))
    state = {k: torch.stack([v, v]) for k, v in edges.named_parameters()}
    with pytest.raises(InputError, match=r"under torch\.func\.vmap"):
        vmap(
            lambda p: functional_call(edges, p, (x, edge_index)),
            randomness="different",
        )(state)


def test_a_trace_reads_the_stream_after_the_treatments(x, edge_index):
    model = Stack((6, 8, 8, 8, 3)).eval()
    treated = treat(model, Residual(), fast=False)
    with torch.no_grad(), Trace(treated) as trace:
        treated(x, edge_index)
    a = model.convs[0](x, edge_index)
    b = model.convs[1](a.relu(), edge_index) + a
    c = model.convs[2](b.relu(), edge_index) + b
    names = [layer.name for layer in trace.layers]
    assert names == ["convs.0", "convs.1", "convs.2", "convs.3"]
    for layer, state in zip(trace.layers, (a, b, c), strict=False):
        norm = state.relu().norm(dim=1).mean().item()
        assert layer.norm == pytest.approx(norm, rel=1e-5)


def test_a_treated_model_can_be_diagnosed(x, edge_index):
    data = Data(x=x, edge_index=edge_index, y=torch.arange(20) % 3)
    data.train_mask = torch.arange(20) < 14
    data.val_mask = ~data.train_mask
    treated = treat(Stack(), *EVERYTHING)
    before = run(treated, x, edge_index)
    found = diagnose(treated, data)
    assert len(found.layers) == 4
    assert_equal(before, run(treated, x, edge_index))


# What cannot be


def refuse(match, model, *treatments):
    with pytest.raises(InputError, match=match):
        treat(model, *treatments)


def test_what_is_no_treatment_is_refused():
    model = Stack()
    refuse(r"found 'residual'; give a skip such as", model, "residual")
    refuse(r"the class LayerNorm; give", model, LayerNorm)
    refuse(r"give the class: Norm\(LayerNorm\)", model, LayerNorm(8))
    refuse(r"apply a transform to the data", model, AddSelfLoops())
    refuse(r"the class DropEdge; give an instance: DropEdge\(…\)", model, DropEdge)
    refuse(r"the layer GCNConv\(8, 8\); give a propagation", model, GCNConv(8, 8))
    refuse(r"give one of the two", model, Norm(LayerNorm), Norm(BatchNorm))
    refuse(r"JumpingKnowledge\('cat'\).*width", model, JumpingKnowledge("cat"))
    with pytest.raises(InputError, match=r"norm: found 'layer'"):
        Norm("layer")


def test_what_is_no_model_is_refused(x, edge_index):
    refuse("an object of type str", "GCN", Residual())
    refuse("no message-passing layer in Linear", nn.Linear(2, 2), Residual())
    refuse("no message-passing layer in Sequential", nn.Sequential(nn.Linear(2, 2)))
    refuse(r"a single layer \(GCNConv\); give the model", GCNConv(6, 8), Residual())
    refuse("treated already; give all treatments in one", treat(Stack()), Residual())
    refuse("a ScriptModule", torch.jit.script(nn.Linear(2, 2)), Residual())
    refuse("a compiled model", torch.compile(Stack(), backend="eager"), Residual())
    own = Stack()
    own.treatments = 1
    refuse("an attribute 'treatments' of its own", own, Residual())


def test_a_skip_that_fits_no_layer_is_refused():
    refuse(
        r"AntiSymmetric\(64.*on layer convs\.1 of 8 channels.*treat\(model, Anti",
        Stack(),
        AntiSymmetric(64),
    )
    refuse(
        r"no layer keeps its width \(convs\.0: 6 -> 8, convs\.1: 8 -> 3\).*DropEdge",
        Stack((6, 8, 3)),
        Residual(),
    )
    refuse("no layer keeps its width", Stack((6, 8, 3)), JumpingKnowledge("max"))
    refuse("every layer gives the model's output", Stack((6, 3)), Norm(LayerNorm))
    refuse("without a square weight", Stack((6, 8, 3)), IdentityMap())


def test_what_a_layer_cannot_do_is_refused(x, edge_index):
    refuse("cached=True.*DropNode", Stack(cached=True), DropEdge(0.5))
    shared = Stack()
    shared.convs[2] = shared.convs[1]
    refuse("IdentityMap on layer 'convs.1', which is used", shared, IdentityMap())
    looped = treat(Shared(3), IdentityMap())
    with pytest.raises(InputError, match="IdentityMap on layer 'conv', which runs at"):
        looped(x, edge_index)
    refuse("no shape yet", GCN(-1, 8, 3), IdentityMap())
    with torch.sparse.check_sparse_tensor_invariants(enable=False):
        adjacency = to_torch_csr_tensor(edge_index, size=20)
    for drop in (DropEdge(0.5), DropMessage(0.5)):
        treated = treat(Stack(), drop)
        with pytest.raises(InputError, match=r"a sparse matrix in .*DropNode"):
            treated(x, adjacency)
        treated.eval()(x, adjacency)


def test_layers_called_from_outside_or_computed_again_are_refused(x, edge_index):
    treated = treat(Stack(), Residual())
    with pytest.raises(InputError, match=r"layer 'convs\.1' called from outside"):
        treated.convs[1](torch.ones(20, 8), edge_index)

    class Checkpointed(Stack):
        def forward(self, x, edge_index):
            for conv in self.convs:
                x = torch.utils.checkpoint.checkpoint(
                    conv, x, edge_index, use_reentrant=False
                )
            return x

    out = treat(Checkpointed(), Residual())(x, edge_index)
    with pytest.raises(InputError, match="computed again in the backward pass"):
        out.sum().backward()


@pytest.mark.parametrize("use_reentrant", [True, False])
def test_a_whole_model_is_checkpointed_from_its_first_call_on(
    use_reentrant, x, edge_index
):
    x.requires_grad_()
    grads = []
    for checkpoint in (torch.utils.checkpoint.checkpoint, None):
        torch.manual_seed(0)
        treated = treat(Stack(), Residual(), Norm(LayerNorm), DropEdge(0.3))
        if checkpoint is None:
            out = treated(x, edge_index)
        else:
            out = checkpoint(treated, x, edge_index, use_reentrant=use_reentrant)
        out.sum().backward()
        grads.append([p.grad for p in treated.parameters() if p.grad is not None])
    assert_equal(*grads)


def test_transforms_of_torch_take_a_treated_model_from_its_first_call_on(x, edge_index):
    treatments = (InitialResidual(0.2), Norm(LayerNorm), DropEdge(0.3), APPNP(3, 0.1))
    model = Stack().eval()
    fast, plain = treat(model, *treatments), treat(model, *treatments, fast=False)
    parameters = {name: p.detach() for name, p in fast.named_parameters()}

    def loss(model, parameters):
        return functional_call(model, parameters, (x, edge_index)).sin().sum()

    found = grad(lambda p: loss(fast, p))(parameters)
    expected = grad(lambda p: loss(plain, p))(parameters)
    torch.testing.assert_close(found, expected)
    tangents = {name: torch.cos(p) for name, p in parameters.items()}
    found = jvp(lambda p: loss(fast, p), (parameters,), (tangents,))
    expected = jvp(lambda p: loss(plain, p), (parameters,), (tangents,))
    torch.testing.assert_close(found, expected)


def test_a_propagation_of_the_output_shares_the_graph_of_the_layers():
    treated = treat(Stack(), APPNP(3, 0.2))
    assert treated.treatments.propagation.graphs is treated.convs[0].graphs
    assert (
        type(treat(Stack(), APPNP(3, 0.2), fast=False).treatments.propagation) is APPNP
    )


def test_a_propagation_needs_the_model_itself(x, edge_index):
    treated = treat(AutoEncoder(), APPNP(3, 0.2))
    with pytest.raises(InputError, match=r"AutoEncoder\.encode\(\); call the model"):
        treated.encode(x, edge_index)
    pooled = treat(OfGraphs(), APPNP(3, 0.2))
    batch = Batch.from_data_list([Data(x=x, edge_index=edge_index)])
    with pytest.raises(InputError, match="without a row for each of 20 nodes"):
        pooled(batch)


def test_a_label_is_written_as_one_writes_it_down():
    norm = Norm(PairNorm, scale_individually=True)
    assert repr(norm) == "Norm(PairNorm, scale_individually=True)"
    table = str(treat(Stack(), norm, Residual()).treatments)
    assert "Residual, PairNorm(scale_individually=True)\n" in table


def test_another_sequential_does_not_change_a_treated_one(x, edge_index):
    treated = treat(HOMOGENEOUS["Sequential"]().eval(), Residual(), Norm(LayerNorm))
    out = treated(x, edge_index)
    Sequential("a", [(nn.Linear(6, 3), "a -> a")])
    assert torch.equal(treated(x, edge_index), out)
    assert torch.equal(copy.deepcopy(treated)(x, edge_index), out)


def test_the_table_says_what_was_inserted_where():
    treated = treat(Stack(), Residual(), Norm(LayerNorm), DropEdge(0.5), APPNP(2, 0.1))
    lines = str(treated.treatments).splitlines()
    assert [line.split()[0] for line in lines[2:]] == [
        "convs.0",
        "convs.1",
        "convs.2",
        "convs.3",
        "output:",
    ]
    assert re.split(r"\s{2,}", lines[0]) == [
        "layer",
        "class",
        "channels",
        "inserted",
        "left out",
    ]
    assert re.split(r"\s{2,}", lines[3]) == [
        "convs.1",
        "GCNConv",
        "8 -> 8",
        "Residual, LayerNorm, DropEdge(p=0.5, undirected=True)",
    ]
    assert re.split(r"\s{2,}", lines[5])[-1] == (
        "Residual: 8 -> 3 channels; LayerNorm: the model's output"
    )
    assert repr(treated.treatments).startswith("Treatments(Residual, Norm(LayerNorm)")


# Heterogeneous models


def hetero_models(data):
    return {
        "HeteroConv": OfTypes(data.metadata()),
        "to_hetero": to_hetero(Homogeneous(), data.metadata()),
        "to_hetero mean": to_hetero(
            GraphSAGE(6, 8, 3, 8, dropout=0.5), data.metadata(), aggr="mean"
        ),
    }


@pytest.mark.parametrize("name", ["HeteroConv", "to_hetero", "to_hetero mean"])
def test_a_heterogeneous_model_is_treated_like_any_other(name, hetero):
    inputs = hetero.x_dict, hetero.edge_index_dict
    model = hetero_models(hetero)[name]
    for treatments in ZERO:
        for training in (True, False):
            model.train(training)
            treated = treat(model, *treatments)
            assert_equal(run(model, *inputs), run(treated, *inputs))
    model.train()
    treated = treat(model, AntiSymmetric, *EVERYTHING)
    keys = set(model.state_dict())
    assert keys <= set(treated.state_dict())
    out = run(treated, *inputs)
    assert not all(map(torch.equal, out, run(model, *inputs)))
    sum(t.square().sum() for t in out).backward()
    assert all(p.grad is not None for p in treated.treatments.parameters())
    keeps = [copy.deepcopy]
    if "mean" not in name:  # such a model of PyG cannot be pickled by itself
        keeps.append(_pickled)
    for keep in keeps:
        other = keep(treated)
        assert_equal(out, run(other, *inputs))
        assert type(other.treatments) is type(treated.treatments)
    treated.eval()
    assert_equal(run(treated, *inputs, seed=0), run(treated, *inputs, seed=1))
    with torch.no_grad(), Trace(treated) as trace:
        treated(*inputs)
    assert {layer.node_type for layer in trace.layers} == {"user", "item"}
    refuse("APPNP.*on a heterogeneous model", model, APPNP(3, 0.1))
    refuse("GradientGating.*several kinds of edges", model, GradientGating())


@pytest.mark.parametrize("name", ["HeteroConv", "to_hetero"])
def test_each_node_type_has_its_own_stream_after_all_relations(name, hetero):
    model = hetero_models(hetero)[name].eval()
    treated = treat(model, InitialResidual(0.5), Norm(LayerNorm, mode="node"))
    layers = [f"conv{i}" for i in (1, 2, 3)]
    if name == "HeteroConv":
        layers = [f"convs.{i}" for i in range(3)]

    def conv(number, relation):
        layer = model.get_submodule(layers[number])
        key = relation if name == "HeteroConv" else "__".join(relation)
        return (layer.convs if name == "HeteroConv" else layer)[key]

    h, first = dict(hetero.x_dict), {}
    for number in range(3):
        sums = {"user": 0, "item": 0}
        for relation, edges in hetero.edge_index_dict.items():
            source, _, target = relation
            sums[target] += conv(number, relation)((h[source], h[target]), edges)
        for node_type, x in sums.items():
            if number == 0:
                first[node_type] = x
            else:
                x = 0.5 * x + 0.5 * first[node_type]
            h[node_type] = F.layer_norm(x, (8,)).relu()
    out = treated(hetero.x_dict, hetero.edge_index_dict)
    for node_type, x in h.items():
        lin = model.lin if name == "HeteroConv" else model.lin[node_type]
        torch.testing.assert_close(out[node_type], lin(x))
    lines = str(treated.treatments).splitlines()
    assert any(line.startswith(f"{layers[1]} (user)") for line in lines)


@pytest.mark.parametrize("name", ["HeteroConv", "to_hetero", "to_hetero mean"])
def test_all_layers_of_a_relation_see_the_same_edges(name, hetero):
    treated = treat(hetero_models(hetero)[name], DropEdge(0.5), DropNode(0.5))
    seen, states = {}, []

    def note(conv, args):
        states.append(args[0])
        seen.setdefault(relations[conv], []).append(args[1])

    relations = {
        module: path.rpartition(".")[2].strip("<>").replace("___", "__")
        for path, module in treated.named_modules()
        if isinstance(module, SAGEConv)
    }
    for conv in relations:
        conv.register_forward_pre_hook(note)
    treated(hetero.x_dict, hetero.edge_index_dict)
    assert len(seen) == 4
    for edges in seen.values():
        assert len(edges) == 3
        assert all(other is edges[0] for other in edges)
        assert edges[0].size(1) < 40
    entered = [s[0] if isinstance(s, tuple) else s for s in states[:4]]
    assert all(bool((s == 0).all(1).any()) for s in entered)
    users = [s for s in entered if len(s) == 12]
    assert all(torch.equal(s, users[0]) for s in users)


def test_a_model_of_to_hetero_that_raises_lets_go(hetero):
    treated = treat(hetero_models(hetero)["to_hetero"], DropEdge(0.5))
    with pytest.raises(Exception):  # noqa: B017, PT011
        treated({"user": hetero["user"].x}, {})
    treated(hetero.x_dict, hetero.edge_index_dict)
    assert treated.treatments.running.now is None


def test_a_traced_homogeneous_model_is_treated_in_its_graph(x, edge_index):
    class Plain(Stack):
        def forward(self, x, edge_index):
            for conv in self.convs:
                x = conv(x, edge_index).relu()
            return x

    class Tracer(torch.fx.Tracer):
        def is_leaf_module(self, module, name):
            return isinstance(module, GCNConv)

    model = Plain((6, 8, 8, 8)).eval()
    traced = torch.fx.GraphModule(model, Tracer().trace(model)).eval()
    expected = treat(model, Residual())(x, edge_index)
    torch.testing.assert_close(treat(traced, Residual())(x, edge_index), expected)


def test_what_runs_unseen_between_layers_hands_the_stream_on(x, edge_index):
    model = Mixed().eval()
    a = model.conv1(x, edge_index)
    h = model.attention(a[None])[0]
    expected = model.conv2(h, edge_index) + a
    torch.testing.assert_close(treat(model, Residual())(x, edge_index), expected)
    dropped = GCN(6, 8, 3, dropout=0.5)
    treated = treat(dropped, Residual())
    a = dropped.convs[0](x, edge_index)
    torch.manual_seed(0)
    out = treated(x, edge_index)
    torch.manual_seed(0)
    b = dropped.convs[1](treated.dropout(a.relu()), edge_index) + a
    c = dropped.convs[2](treated.dropout(b.relu()), edge_index) + b
    torch.testing.assert_close(out, c)
