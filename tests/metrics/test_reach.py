from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.autograd.functional import jacobian
from torch_geometric.data import Data, HeteroData
from torch_geometric.nn import (
    GCN,
    GCNConv,
    HeteroConv,
    JumpingKnowledge,
    SAGEConv,
    SGConv,
    to_hetero,
)
from torch_geometric.transforms import ToSparseTensor
from torch_geometric.utils.influence import jacobian_l1_agg_per_hop

from benthic.datasets import load
from benthic.errors import InputError
from benthic.metrics.reach import Influence, InfluenceByHop, influence_by_hop


def random_graph(num_nodes: int = 14, channels: int = 3, seed: int = 0) -> Data:
    edges = nx.gnp_random_graph(num_nodes, 0.12, seed=seed, directed=True).edges
    edge_index = torch.tensor(list(edges)).T
    return Data(x=torch.randn(num_nodes, channels), edge_index=edge_index)


def path(num_nodes: int, channels: int = 1) -> Data:
    a = torch.arange(num_nodes - 1)
    edge_index = torch.stack([torch.cat([a, a + 1]), torch.cat([a + 1, a])])
    return Data(x=torch.randn(num_nodes, channels), edge_index=edge_index)


def normalized_adjacency(data: Data) -> np.ndarray:
    a = np.eye(data.num_nodes)
    for source, target in data.edge_index.T.tolist():
        a[target, source] = 1
    degree = a.sum(1)
    return a / np.sqrt(np.outer(degree, degree))


def hops_by_networkx(data: Data) -> np.ndarray:
    graph = nx.DiGraph(data.edge_index.T.tolist())
    graph.add_nodes_from(range(data.num_nodes))
    hop = np.full((data.num_nodes, data.num_nodes), -1)
    for source, lengths in nx.all_pairs_shortest_path_length(graph):
        hop[list(lengths), source] = list(lengths.values())
    return hop


def per_hop(squared: np.ndarray, hop: np.ndarray) -> list[float]:
    return [squared[hop == h].sum() / len(hop) for h in range(hop.max() + 1)]


@pytest.mark.parametrize("steps", [1, 2, 4])
def test_linear_propagation_has_the_influence_of_its_closed_form(steps):
    data, model = random_graph(), SGConv(3, 5, K=steps)
    operator = np.linalg.matrix_power(normalized_adjacency(data), steps)
    weight = float(model.lin.weight.detach().square().sum())
    expected = per_hop(operator**2 * weight, hops_by_networkx(data))
    reach = influence_by_hop(model, data, num_nodes=None, num_probes=None)
    assert reach.exact
    assert reach.num_nodes == 14
    assert reach.influence == pytest.approx(expected, rel=1e-5)
    assert reach.hop == tuple(range(len(expected)))
    assert reach.standard_error == (0.0,) * len(expected)
    assert reach.beyond == reach.unreachable == 0
    assert sum(reach.share) == pytest.approx(1)


def test_a_path_is_heard_exactly_as_far_as_there_are_layers():
    for num_layers in (1, 2, 3):
        model = GCN(1, 8, num_layers, 2, act="tanh")
        reach = influence_by_hop(model, path(8), num_nodes=None, num_probes=None)
        heard = [part > 0 for part in reach.influence]
        assert heard == [h <= num_layers for h in range(8)]


def test_probes_are_right_on_average():
    data, model = random_graph(), GCN(3, 8, 2, 5)
    exact = influence_by_hop(model, data, num_nodes=None, num_probes=None)
    runs = np.array(
        [
            influence_by_hop(model, data, num_nodes=None, seed=seed).influence
            for seed in range(200)
        ]
    )
    error = runs.std(0, ddof=1) / len(runs) ** 0.5
    assert (np.abs(runs.mean(0) - exact.influence) <= 4 * error + 1e-12).all()
    assert error[0] > 0


def test_more_probes_come_closer_and_one_per_channel_is_exact():
    data, model = random_graph(), GCN(3, 8, 2, 5)
    exact = influence_by_hop(model, data, num_nodes=None, num_probes=None)
    as_many = influence_by_hop(model, data, num_nodes=None, num_probes=5)
    assert as_many == exact
    several = influence_by_hop(model, data, num_nodes=None, num_probes=4)
    assert not several.exact
    assert several.influence != exact.influence
    assert several.influence == pytest.approx(exact.influence, rel=1, abs=0.1)


def test_a_draw_of_nodes_is_right_within_its_standard_error():
    data, model = path(200, 2), GCN(2, 8, 3, 4)
    exact = influence_by_hop(model, data, num_nodes=None, num_probes=None, max_hops=3)
    drawn = influence_by_hop(model, data, num_nodes=60, num_probes=None, max_hops=3)
    for truth, value, error in zip(
        exact.influence, drawn.influence, drawn.standard_error, strict=True
    ):
        assert abs(truth - value) <= 4 * error
    for truth, value, error in zip(
        exact.share, drawn.share, drawn.share_standard_error, strict=True
    ):
        assert abs(truth - value) <= 4 * error
        assert error < 0.1


def test_one_node_has_no_standard_error():
    reach = influence_by_hop(GCN(1, 4, 2, 3), path(5), num_nodes=1)
    assert np.isnan(reach.standard_error).all()
    assert not np.isnan(reach.share).any()


def test_degrees_at_the_border_are_those_of_the_whole_graph():
    data, model = path(5), GCNConv(1, 1, bias=False)
    model.lin.weight.data.fill_(1)
    truth = jacobian(lambda x: model(x, data.edge_index), data.x)[0, 0, :, 0]
    assert float(truth[1] ** 2) == pytest.approx(1 / 6)
    only_first = Data(x=data.x, edge_index=data.edge_index, num_nodes=5)
    induced = jacobian_l1_agg_per_hop(model, only_first, 1, 0, "cpu")
    assert float(induced[1] ** 2) == pytest.approx(1 / 4)  # what an induced graph says
    ours = influence_by_hop(model, data, num_nodes=None)
    whole = jacobian(lambda x: model(x, data.edge_index), data.x)[:, 0, :, 0].numpy()
    assert ours.influence == pytest.approx(per_hop(whole**2, hops_by_networkx(data)))


def test_dropout_is_off_and_the_seed_decides_the_rest():
    data = random_graph()
    model = GCN(3, 16, 2, 8, dropout=0.9).train()
    first = influence_by_hop(model, data, num_nodes=4)
    assert first == influence_by_hop(model, data, num_nodes=4)
    assert first != influence_by_hop(model, data, num_nodes=4, seed=1)
    exact = influence_by_hop(model, data, num_nodes=None, num_probes=None)
    quiet = influence_by_hop(model.eval(), data, num_nodes=None, num_probes=None)
    assert exact == quiet

    class Noisy(nn.Module):
        def forward(self, x):
            return F.dropout(x, 0.5)

    assert influence_by_hop(Noisy(), data) == influence_by_hop(Noisy(), data)


class Careless(nn.Module):
    """Does to its surroundings what careless models do, then may raise."""

    def __init__(self, fails: bool = False) -> None:
        super().__init__()
        self.conv = GCNConv(3, 4, cached=True)
        self.norm = nn.BatchNorm1d(4)
        self.register_buffer("calls", torch.zeros(()))
        self.register_buffer("last", torch.full((1,), torch.nan))
        self.fails = fails

    def forward(self, x, edge_index):
        x.mul_(2)
        torch.rand(3)
        self.seen = x
        self.calls += 1
        self.last = x.detach()
        self.train()
        if self.fails:
            raise RuntimeError("the model failed")
        return self.norm(self.conv(x, edge_index))


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize(
    "grad", [torch.no_grad, torch.enable_grad, torch.inference_mode]
)
def test_model_data_and_random_state_are_left_as_they_were(fails, grad):
    data, model = random_graph(), Careless(fails)
    model.norm.eval()
    model.conv.lin.weight.grad = torch.ones_like(model.conv.lin.weight)
    flags = [module.training for module in model.modules()]
    state = {name: value.clone() for name, value in model.state_dict().items()}
    names = [set(vars(module)) for module in model.modules()]
    x, keys, random_state = data.x.clone(), data.keys(), torch.get_rng_state()
    with grad():
        if fails:
            with pytest.raises(RuntimeError, match="the model failed"):
                influence_by_hop(model, data)
        else:
            influence_by_hop(model, data)
        assert torch.is_grad_enabled() == (grad is torch.enable_grad)
    assert [module.training for module in model.modules()] == flags
    assert [set(vars(module)) for module in model.modules()] == names
    assert model.conv._cached_edge_index is None
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, state[name], equal_nan=True, rtol=0, atol=0)
    assert torch.equal(model.conv.lin.weight.grad, torch.ones(4, 3))
    assert model.norm.weight.grad is None
    assert torch.equal(data.x, x)
    assert not data.x.requires_grad
    assert data.keys() == keys
    assert torch.equal(torch.get_rng_state(), random_state)


def shop() -> HeteroData:
    data = HeteroData()
    data["user"].x, data["item"].x = torch.randn(5, 3), torch.randn(6, 2)
    data["user"].y = torch.zeros(5, dtype=torch.long)
    buys = torch.tensor([[0, 1, 1, 2, 3, 4], [0, 0, 1, 2, 3, 3]])
    data["user", "buys", "item"].edge_index = buys
    data["item", "bought_by", "user"].edge_index = buys.flip(0)
    return data


class Shop(nn.Module):
    def __init__(self, num_layers: int) -> None:
        super().__init__()
        self.lins = nn.ModuleDict({"user": nn.Linear(3, 4), "item": nn.Linear(2, 4)})
        relations = [("user", "buys", "item"), ("item", "bought_by", "user")]
        self.convs = nn.ModuleList(
            HeteroConv({r: SAGEConv((4, 4), 4) for r in relations})
            for _ in range(num_layers)
        )

    def forward(self, x_dict, edge_index_dict):
        x_dict = {name: self.lins[name](x) for name, x in x_dict.items()}
        for conv in self.convs:
            x_dict = {k: x.tanh() for k, x in conv(x_dict, edge_index_dict).items()}
        return x_dict


def influence_by_full_jacobian(model, data: HeteroData, target: str) -> list[float]:
    def forward(user, item):
        return model({"user": user, "item": item}, data.edge_index_dict)[target]

    parts = jacobian(forward, (data["user"].x, data["item"].x))
    squared = torch.cat([part.square().sum((1, 3)) for part in parts], dim=1)
    buys = data["user", "buys", "item"].edge_index + torch.tensor([[0], [5]])
    union = Data(edge_index=torch.cat([buys, buys.flip(0)], dim=1), num_nodes=11)
    hop = hops_by_networkx(union)
    hop = hop[:5] if target == "user" else hop[5:]
    return per_hop(squared.numpy(), hop)


@pytest.mark.parametrize("target", ["user", "item"])
def test_a_heterogeneous_model_is_measured_over_all_node_types(target):
    data, model = shop(), Shop(num_layers=2)
    expected = influence_by_full_jacobian(model, data, target)
    options = {"num_nodes": None, "num_probes": None}
    reach = influence_by_hop(model, data, node_type=target, **options)
    assert reach.influence == pytest.approx(expected, rel=1e-4)
    assert reach.influence[1] > 0
    assert reach.unreachable == 0
    if target == "user":  # the only type with labels
        assert influence_by_hop(model, data, **options) == reach


@pytest.mark.filterwarnings("ignore:.*already exists in metadata")
def test_a_model_made_heterogeneous_by_pyg_is_measured_too():
    data = shop()
    data["item"].x = torch.randn(6, 3)
    model = to_hetero(GraphSage(), data.metadata())
    reach = influence_by_hop(model, data, num_nodes=None, num_probes=None)
    assert [part > 0 for part in reach.influence[:3]] == [True, True, True]
    assert all(part == 0 for part in reach.influence[3:])


class GraphSage(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = SAGEConv(3, 8), SAGEConv(8, 4)

    def forward(self, x, edge_index):
        return self.conv2(self.conv1(x, edge_index).tanh(), edge_index)


def test_a_node_type_without_features_is_not_listened_to():
    data, model = shop(), Shop(num_layers=2)
    item = data["item"].x
    del data["item"].x
    data["item"].num_nodes = 6

    def forward(model, data):
        return model({"user": data["user"].x, "item": item}, data.edge_index_dict)

    reach = influence_by_hop(model, data, num_nodes=None, forward=forward)
    assert reach.influence[0] > 0
    assert reach.influence[1] == 0
    assert reach.influence[2] > 0


@pytest.mark.filterwarnings("ignore:Sparse ")
def test_a_transposed_adjacency_and_sparse_features_read_the_same():
    data, model = path(6, 3), GCN(3, 4, 2, 2)
    expected = influence_by_hop(model, data, num_nodes=None)
    sparse = Data(x=data.x.to_sparse(), edge_index=data.edge_index)
    assert influence_by_hop(model, sparse, num_nodes=None) == expected
    transposed = ToSparseTensor()(data.clone())

    def forward(model, data):
        return model(data.x, data.adj_t)

    reach = influence_by_hop(model, transposed, num_nodes=None, forward=forward)
    assert reach.influence == pytest.approx(expected.influence, rel=1e-5)


def test_influence_from_outside_the_hops_is_kept_apart():
    class Everywhere(nn.Module):
        def forward(self, x):
            return x + x.sum(0)

    data = path(6)
    data.edge_index = data.edge_index[:, data.edge_index.max(0).values < 4]
    reach = influence_by_hop(Everywhere(), data, num_nodes=None, max_hops=1)
    pairs = hops_by_networkx(data)
    assert reach.hop == (0, 1)
    assert reach.influence == pytest.approx((4.0, (pairs == 1).sum() / 6))
    assert reach.beyond == pytest.approx((pairs > 1).sum() / 6)
    assert reach.unreachable == pytest.approx((pairs < 0).sum() / 6)
    assert reach.total == pytest.approx(9.0)
    assert sum(reach.share) < 1


def test_influence_below_the_range_of_float32_squares_is_not_lost():
    class Tiny(nn.Module):
        def forward(self, x):
            return x * 1e-30

    reach = influence_by_hop(Tiny(), path(3))
    assert reach.influence[0] == pytest.approx(1e-60)
    assert reach.share[0] == 1


def test_a_model_that_hears_nothing_has_no_share():
    class Deaf(nn.Module):
        def forward(self, x):
            return x * 0

    reach = influence_by_hop(Deaf(), path(3))
    assert reach.total == 0
    assert np.isnan(reach.share).all()


def test_vectors_tuples_and_recurrent_outputs_are_understood():
    class Several(nn.Module):
        def __init__(self):
            super().__init__()
            self.jump = JumpingKnowledge("lstm", channels=2, num_layers=2)

        def forward(self, x):
            return self.jump([x, x])[:, 0], "more"

    reach = influence_by_hop(Several(), path(4, channels=2))
    assert reach.exact  # one output channel
    assert reach.influence[0] > 0


NODES = Data(x=torch.ones(3, 2), edge_index=torch.tensor([[0, 1], [1, 2]]))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (Data(x=NODES.x.long(), edge_index=NODES.edge_index), "x of torch.int64"),
        (Data(edge_index=NODES.edge_index, num_nodes=3), "data: found no x"),
        (HeteroData(), "node_type: found None, with labels on no type"),
        ((NODES.x, NODES.edge_index), "data: found an object of type tuple"),
        (Data(x=NODES.x), "neither edge_index nor adj_t"),
    ],
)
def test_data_without_a_derivative_is_refused(data, message):
    with pytest.raises(InputError, match=message):
        influence_by_hop(nn.Linear(2, 2), data, forward=lambda model, _: model(NODES.x))


@pytest.mark.parametrize(
    ("forward", "message"),
    [
        (lambda model, data: data.x.sum(0, keepdim=True), "shape .1, 2. for 3 nodes"),
        (lambda model, data: data.x.argmax(1), "no differentiable path to data.x"),
        (lambda model, data: model(NODES.x), "no differentiable path to data.x"),
        (lambda model, data: {"a": data.x, "b": data.x}, "which: forward="),
        (lambda model, data: "text", "an output of type"),
    ],
)
def test_outputs_without_a_derivative_are_refused(forward, message):
    with pytest.raises(InputError, match=message):
        influence_by_hop(nn.Linear(2, 2), NODES, forward=forward)


@pytest.mark.parametrize(
    "wrong", [{"num_nodes": 0}, {"num_probes": 0}, {"max_hops": -1}]
)
def test_numbers_out_of_range_are_refused(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        influence_by_hop(nn.Linear(2, 2), NODES, **wrong)


def test_an_unknown_node_type_is_refused():
    with pytest.raises(InputError, match=r"node_type: found 'shop'.*give one of user"):
        influence_by_hop(Shop(1), shop(), node_type="shop")


def samples(count: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    return [(torch.rand(9), torch.randint(-1, 6, (9,))) for _ in range(count)]


def test_the_metric_gives_means_and_standard_errors():
    updates = samples(7)
    metric = InfluenceByHop(max_hops=3)
    for squared, hop in updates:
        metric.update(squared, hop)
    parts = np.array(
        [[float(s[h == k].sum()) for k in range(4)] for s, h in updates], dtype=float
    )
    influence, error = metric.compute()
    np.testing.assert_allclose(influence, parts.mean(0), rtol=1e-6)
    np.testing.assert_allclose(error, parts.std(0, ddof=1) / 7**0.5, rtol=1e-6)
    reach = metric.summary()
    total = np.mean([float(s.sum()) for s, _ in updates])
    assert isinstance(reach, Influence)
    assert reach.total == pytest.approx(total, rel=1e-6)
    assert reach.beyond == pytest.approx(
        np.mean([float(s[h > 3].sum()) for s, h in updates]), rel=1e-6
    )


def test_the_error_of_a_share_is_that_of_a_ratio():
    updates = samples(400)
    metric = InfluenceByHop(max_hops=3)
    for squared, hop in updates:
        metric.update(squared, hop)
    parts = np.array([[float(s[h == k].sum()) for k in range(4)] for s, h in updates])
    totals = np.array([float(s.sum()) for s, _ in updates])
    draws = np.random.default_rng(0).integers(0, 400, (2000, 400))
    bootstrap = parts[draws].sum(1) / totals[draws].sum(1)[:, None]
    error = metric.summary().share_standard_error
    np.testing.assert_allclose(error, bootstrap.std(0), rtol=0.1)


def test_merged_halves_of_the_metric_equal_the_whole():
    updates = samples(6)
    whole, left, right = (InfluenceByHop(max_hops=2) for _ in range(3))
    for i, update in enumerate(updates):
        whole.update(*update)
        (left if i < 2 else right).update(*update)
    left.merge_state(right)
    for merged, expected in zip(left.compute(), whole.compute(), strict=True):
        torch.testing.assert_close(merged, expected)


def test_a_deep_network_on_cora_is_measured():
    data = load("cora")
    model = GCN(data.num_features, 64, 16, 7)
    reach = influence_by_hop(model, data, num_nodes=2)
    assert sum(reach.share) + reach.unreachable == pytest.approx(1)
    assert reach.share[0] < 0.9
    assert reach.share[2] > 0
