"""Every skip keeps the promise of its paper on a small graph."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_geometric.nn import AntiSymmetricConv, GCNConv
from torch_geometric.nn.conv.gcn_conv import gcn_norm
from torch_geometric.utils import to_undirected

from benthic.errors import InputError
from benthic.nn.residual import (
    AntiSymmetric,
    DenseResidual,
    GradientGating,
    InitialResidual,
    Residual,
    Skip,
)

RING = to_undirected(torch.stack([torch.arange(12), (torch.arange(12) + 1) % 12]))
CHORDS = torch.tensor([[0, 6, 0, 3, 2, 9], [6, 0, 3, 0, 9, 2]])
EDGES = torch.cat([RING, CHORDS], dim=1)
LEAVES = [
    Residual(),
    InitialResidual(0.1),
    DenseResidual(),
    GradientGating(),
    AntiSymmetric(3),
]


def operator(normalization="sym"):
    """The dense propagation matrix of the small graph."""
    edge_index, weight = gcn_norm(EDGES, None, 12, dtype=torch.float64)
    matrix = torch.zeros(12, 12, dtype=torch.float64)
    matrix[edge_index[1], edge_index[0]] = weight
    if normalization == "rw":
        matrix = (matrix > 0).double()
        matrix = matrix / matrix.sum(1, keepdim=True)
    return matrix


def states(count=1, channels=3):
    generator = torch.Generator().manual_seed(0)
    return list(torch.randn(count, 12, channels, generator=generator).double())


def run(skip, branch, depth, stream=None):
    """The stream after some layers."""
    stream = stream or states()
    for _ in range(depth):
        stream = [*stream, skip(branch(stream[-1]), stream, EDGES)]
    return stream


def energy(x):
    return float((x[EDGES[0]] - x[EDGES[1]]).square().sum())


def singular_values(x):
    return torch.linalg.svdvals(x / x.norm())


def test_deeper_residual_networks_contain_shallow_ones():
    stream = run(Residual(), torch.zeros_like, 1000)
    assert torch.equal(stream[-1], stream[0])


def test_a_residual_lets_the_gradient_through_layers_that_pass_none():
    x = states()[0].requires_grad_()
    out = run(Residual(), lambda x: 1e-3 * x.tanh(), 64, [x])[-1]
    (grad,) = torch.autograd.grad(out.sum(), x)
    assert (grad >= 1).all()
    (grad,) = torch.autograd.grad(
        run(Residual(0.0), lambda x: 1e-3 * x, 64, [x])[-1],
        x,
        torch.ones(12, 3).double(),
    )
    assert (grad.abs() < 1e-100).all()


def test_the_scale_is_the_formulas():
    h, x = states(2)
    torch.testing.assert_close(Residual(0.5)(h, [x]), h + 0.5 * x)


def test_an_initial_residual_tends_to_personalized_page_rank():
    matrix = operator()
    x = states()[0]
    limit = 0.1 * torch.linalg.solve(torch.eye(12) - 0.9 * matrix, x)
    out = run(InitialResidual(0.1), lambda x: matrix @ x, 300)[-1]
    torch.testing.assert_close(out, limit)
    assert int((singular_values(out) > 1e-3).sum()) == 3
    plain = run(InitialResidual(0.0), lambda x: matrix @ x, 300)[-1]
    assert int((singular_values(plain) > 1e-3).sum()) == 1


@pytest.mark.parametrize("alpha", [0.0, 0.25, 1.0])
def test_an_initial_residual_is_the_formulas(alpha):
    h, first, last = states(3)
    out = InitialResidual(alpha)(h, [first, last])
    torch.testing.assert_close(out, (1 - alpha) * h + alpha * first)


def test_a_dense_residual_hears_every_layer_before():
    h, *stream = states(5)
    out = DenseResidual(2.0)(h, stream)
    torch.testing.assert_close(out, h + 2 * sum(stream) / 4)
    stream = [x.requires_grad_() for x in stream]
    grads = torch.autograd.grad(DenseResidual()(h, stream).sum(), stream)
    for grad in grads:
        torch.testing.assert_close(grad, torch.full_like(grad, 0.25))


def test_gradient_gating_stops_smoothing_where_the_plain_layer_goes_on():
    matrix = operator("rw")
    plain = run(Residual(0.0), lambda x: matrix @ x, 512)
    gated = run(GradientGating(2.0), lambda x: matrix @ x, 512)
    first = energy(plain[0])
    assert energy(plain[-1]) < 1e-20 * first
    assert energy(gated[-1]) > 1e-4 * first


def test_gates_are_between_closed_and_open():
    h, x = states(2)
    moved = GradientGating(1.0)(h, [x], EDGES)
    gate = (moved - x) / (h - x)
    change = torch.zeros(12, 3).double()
    for source, target in EDGES.t().tolist():
        change[target] += (h[source] - h[target]).abs()
    torch.testing.assert_close(gate, change.tanh())


@pytest.mark.filterwarnings("ignore:Sparse")
@pytest.mark.parametrize("layout", [torch.sparse_coo, torch.sparse_csr])
def test_gating_reads_a_sparse_graph_as_the_layers_do(layout):
    one_way = torch.tensor([[0, 1, 2, 2], [1, 2, 0, 1]])
    adjacency = torch.sparse_coo_tensor(
        one_way.flip(0), torch.ones(4), (3, 3), check_invariants=False
    ).coalesce()  # rows are targets
    if layout is torch.sparse_csr:
        adjacency = adjacency.to_sparse_csr()
    h, x = torch.randn(2, 3, 4)
    expected = GradientGating()(h, [x], one_way)
    torch.testing.assert_close(GradientGating()(h, [x], adjacency), expected)


@pytest.mark.filterwarnings("ignore:Sparse")
@pytest.mark.parametrize("layout", [torch.sparse_coo, torch.sparse_csr])
def test_gates_on_a_sparse_graph_are_trained_through(layout):
    x = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    edge_index = torch.tensor([[0, 1, 1, 2, 2, 3], [1, 0, 2, 1, 3, 2]])
    adjacency = torch.sparse_coo_tensor(
        edge_index.flip(0), torch.ones(6), (4, 4), check_invariants=True
    ).coalesce()
    if layout is torch.sparse_csr:
        adjacency = adjacency.to_sparse_csr()

    def slope(graph):
        first = x.clone().requires_grad_()
        states = [first]
        for _ in range(3):  # each looks at the graph anew
            states.append(GradientGating()(torch.sin(states[-1]), states, graph))
        return torch.autograd.grad(states[-1].square().sum(), first)[0]

    torch.testing.assert_close(slope(adjacency), slope(edge_index))


def test_gating_asks_for_the_graph():
    with pytest.raises(ValueError, match="give edge_index"):
        GradientGating()(torch.ones(2, 3), [torch.ones(2, 3)])


def test_an_antisymmetric_step_is_pygs():
    torch.manual_seed(0)
    layer = AntiSymmetricConv(3, epsilon=0.2, gamma=0.3).double()
    skip = AntiSymmetric(3, epsilon=0.2, gamma=0.3).double()
    with torch.no_grad():
        skip.weight.copy_(layer.W)
        skip.bias.copy_(layer.bias.uniform_())
    x = states()[0]
    branch = layer.phi(x, EDGES)
    torch.testing.assert_close(skip(branch, [x]), layer(x, EDGES))


def test_the_jacobian_of_64_antisymmetric_layers_stays_near_the_unit_circle():
    torch.manual_seed(0)
    skip = AntiSymmetric(3, epsilon=0.05, gamma=0.0).double()
    conv = GCNConv(3, 3, bias=False).double()
    torch.nn.init.normal_(conv.lin.weight, std=0.02)
    x = 0.1 * states()[0]

    def deep(x, skip):
        return run(skip, lambda x: conv(x, EDGES), 64, [x])[-1].flatten()

    def moduli(skip):
        jacobian = torch.autograd.functional.jacobian(lambda x: deep(x, skip), x)
        return torch.linalg.eigvals(jacobian.view(36, 36)).abs()

    ours = moduli(skip)
    assert 0.3 < float(ours.min())
    assert float(ours.max()) < 3
    assert float(moduli(Residual(0.0)).max()) < 1e-30


@pytest.mark.parametrize(
    "skip", [Residual(0.0), InitialResidual(0.0), DenseResidual(0.0)], ids=repr
)
def test_at_strength_zero_the_branch_is_returned_itself(skip):
    h, x = states(2)
    assert skip(h, [x]) is h


def test_an_antisymmetric_step_of_zero_freezes_the_state():
    h, x = states(2)
    assert torch.equal(AntiSymmetric(3, epsilon=0.0).double()(h, [x]), x)


@pytest.mark.parametrize("skip", LEAVES, ids=repr)
def test_arguments_stay_as_they_were(skip):
    h, *stream = states(3)
    before = [x.clone() for x in (h, *stream)]
    skip.double()(h, stream, EDGES)
    assert all(map(torch.equal, before, (h, *stream)))


@settings(max_examples=10)
@given(seed=st.integers(0, 999))
def test_relabelled_nodes_give_relabelled_states(seed):
    order = torch.randperm(12, generator=torch.Generator().manual_seed(seed))
    h, *stream = states(4)
    moved = order.argsort()[EDGES]
    for skip in LEAVES:
        out = skip.double()(h, stream, EDGES)
        relabelled = skip(h[order], [x[order] for x in stream], moved)
        torch.testing.assert_close(relabelled, out[order])


@pytest.mark.parametrize("alpha", [-0.1, 1.1, math.nan])
def test_a_share_of_the_first_state_beyond_one_is_refused(alpha):
    with pytest.raises(InputError, match="alpha: found"):
        InitialResidual(alpha)


@pytest.mark.parametrize("p", [0.9, 0.0, -1.0, math.nan])
def test_an_exponent_whose_slope_is_infinite_where_neighbors_agree_is_refused(p):
    with pytest.raises(InputError, match="p: found"):
        GradientGating(p)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_strengths_are_finite_numbers(value):
    for make in (Residual, DenseResidual):
        with pytest.raises(InputError, match=r"scale: found .*; give a number"):
            make(value)
    for name in ("epsilon", "gamma"):
        with pytest.raises(InputError, match=f"{name}: found"):
            AntiSymmetric(3, **{name: value})


def test_an_anti_symmetric_step_has_a_width():
    with pytest.raises(InputError, match="channels: found 0"):
        AntiSymmetric(0)


def test_a_skip_is_an_interface():
    with pytest.raises(TypeError, match="abstract"):
        Skip()


def test_skips_say_their_strength():
    assert repr(Residual()) == "Residual()"
    assert repr(Residual(0.5)) == "Residual(scale=0.5)"
    assert repr(InitialResidual(0.2)) == "InitialResidual(alpha=0.2)"
    assert repr(GradientGating()) == "GradientGating(p=2.0)"
    assert repr(AntiSymmetric(3)) == "AntiSymmetric(3, epsilon=0.1, gamma=0.1)"
