from __future__ import annotations

import pytest
import torch
from torch_geometric.data import Data
from torch_geometric.nn import APPNP, GCN, GCNConv, GINConv

from benthic.errors import InputError
from benthic.forward import call_model
from benthic.nn import DeepGCN, DropNode, GraphTransformer
from benthic.nn.deep_gnn import DeepGNN
from benthic.nn.residual import InitialResidual
from benthic.treatment.named import build_treated, canonical
from benthic.treatment.rewiring import rewired
from benthic.treatment.spelling import NONE, REWIRING, Part, names

EDGES = torch.tensor([[0, 1, 2, 3, 4, 0], [1, 2, 3, 4, 0, 2]])


def build(treatments, conv="gcn", num_layers=3, seed=0):
    return build_treated(conv, treatments, 6, 8, 2, num_layers, 0.5, seed)


REWIRINGS = [n for n in names() if n != NONE and Part(n).place == REWIRING]
NEEDED = {"appnp": "(K=2, alpha=0.1)", "generalized_page_rank": "(K=2)"}


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize("conv", ["gcn", "gin"])
def test_every_name_makes_a_network_that_trains(name, conv):
    if (name, conv) == ("identity_map", "gin"):
        with pytest.raises(InputError, match=r"identity_map on gin; .*GINConv, which"):
            build(name, conv)
        return
    model = build(name + NEEDED.get(name, ""), conv)
    output = model(torch.randn(5, 6), EDGES)
    assert output.shape == (5, 2)
    output.square().sum().backward()


@pytest.mark.filterwarnings("ignore:Sparse invariant checks:UserWarning")
@pytest.mark.parametrize("conv", ["gcn", "sage", "gat", "gin"])
@pytest.mark.parametrize("name", REWIRINGS)
def test_every_rewiring_goes_with_parts_of_the_network(name, conv):
    treatment = f"{name}+residual+layer_norm"
    around = torch.arange(12)
    one_way = torch.stack([around, around.roll(1)])
    ring = Data(
        x=torch.rand(12, 6), edge_index=torch.cat([one_way, one_way.flip(0)], 1)
    )
    graph = rewired(treatment, ring)
    output = call_model(build(treatment, conv), graph)
    assert output.shape == (graph.num_nodes, 2)
    output.square().sum().backward()


def test_none_is_the_plain_stack_and_computes_the_same():
    torch.manual_seed(0)
    model, plain = build("none").eval(), GCN(6, 8, 3, 2, dropout=0.5).eval()
    x = torch.randn(5, 6)
    assert isinstance(model, GCN)
    torch.testing.assert_close(model(x, EDGES), plain(x, EDGES))


def test_parts_go_to_their_places_with_their_arguments():
    model = build(
        "initial_residual(alpha=0.25)+pair_norm(scale=2)+drop_edge(p=0.5)"
        "+drop_node(p=0.1)+identity_map(theta=0.7)"
    )
    assert isinstance(model, DeepGNN)
    assert [skip.alpha for skip in model.skips] == [0.25] * 3
    assert {type(norm).__name__ for norm in model.norms} == {"PairNorm"}
    assert [drop.p for drop in model.edge_drops] == [0.5]
    assert [drop.p for drop in model.node_drops] == [0.1]
    assert [conv.lin.identity_map.theta for conv in model.convs] == [0.7] * 3


def test_the_layers_are_those_of_the_plain_stack_each_with_weights_of_its_own():
    model = build("residual", "gin")
    assert all(isinstance(conv, GINConv) for conv in model.convs)
    first, second, *_ = (next(conv.parameters()) for conv in model.convs)
    assert not torch.equal(first, second)


def test_the_seed_decides_the_weights_and_the_callers_random_state_stays():
    before = torch.get_rng_state()
    one, same, other = build("residual"), build("residual"), build("residual", seed=1)
    assert torch.equal(torch.get_rng_state(), before)
    state = same.state_dict()
    assert all(torch.equal(v, state[k]) for k, v in one.state_dict().items())
    assert not torch.equal(one.lin_in.weight, other.lin_in.weight)


def test_the_arguments_that_the_stack_sets_are_not_the_users():
    with pytest.raises(InputError, match="name what it takes: epsilon, gamma"):
        canonical("anti_symmetric(channels=3)")
    assert build("anti_symmetric(epsilon=0.2)").skips[0].epsilon == 0.2


def test_what_the_stack_refuses_names_the_treatment(monkeypatch):
    def refuse(*_, **__):
        raise InputError("residual", "one", "leave it out")

    monkeypatch.setattr("benthic.treatment.named.DeepGNN", refuse)
    with pytest.raises(InputError, match="treatments: found residual on gat; resid"):
        build("residual", "gat")


def test_a_skip_is_told_by_its_class():
    assert isinstance(build("initial_residual").skips[0], InitialResidual)


def test_a_rewiring_leaves_the_network_as_it_is():
    assert isinstance(build("sdrf(num_iterations=3)"), GCN)
    both, alone = build("fosr+residual"), build("residual")
    assert repr(both) == repr(alone)


def test_a_propagation_may_be_as_deep_as_the_network_is_asked_to_be():
    """The default row of the depth table."""
    named = build("appnp(K=num_layers, alpha=0.15)+drop_node(p=0.25)", num_layers=7)
    torch.manual_seed(0)
    row = DeepGNN(
        GCNConv, 6, 8, 2, 0, propagation=APPNP(7, alpha=0.15), drop=DropNode(0.25)
    )
    state = row.state_dict()
    assert named.propagation.K == 7
    assert all(torch.equal(v, state[k]) for k, v in named.state_dict().items())
    assert [drop.p for drop in named.node_drops] == [0.25]
    x = torch.randn(5, 6)
    assert torch.equal(named.eval()(x, EDGES), row.eval()(x, EDGES))
    learned = build("generalized_page_rank(K=num_layers)", num_layers=4)
    assert len(learned.propagation.gamma) == 5


@pytest.mark.parametrize("conv", ["deep_gcn", "graph_transformer"])
def test_a_whole_network_takes_no_further_treatment_but_a_rewiring(conv):
    assert build("none", conv)(torch.randn(5, 6), EDGES).shape == (5, 2)
    assert isinstance(build("egp", conv), DeepGCN | GraphTransformer)
    with pytest.raises(InputError, match=f"residual on {conv}; take none or a rewir"):
        build("residual", conv)


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ("initial_residual(alpha=1.5)", "give a share from 0 to 1"),
        ("initial_residual(alpha=high)", "give it sound values of|alpha: found 'high'"),
        ("jumping_knowledge(mode=min)", "give it sound values of"),
        ("residual+initial_residual", "take one residual only"),
        ("layer_norm+pair_norm", "take one norm only"),
        ("appnp", "treatments: found appnp; give it sound values of K, alpha"),
        ("appnp(alpha=0.1, K=2)+generalized_page_rank(K=2)", "one propagation only"),
        ("appnp(K=3, alpha=2.0)", "alpha: found 2.0; give a number, from 0 to 1"),
        ("appnp(K=num_layers, alpha=0.1)+residual", "leave out the residual: with K="),
        ("sdrf(num_iterations=-1)", "num_iterations: found -1"),
        ("half_hop(p=7)", "give it sound values of alpha, p"),
        ("egp(merged=False)", "name what it takes: nothing"),
    ],
)
def test_what_does_not_go_together_is_refused_in_one_line(typed, line):
    with pytest.raises(InputError, match=line) as raised:
        canonical(typed)
    assert raised.value.argument == "treatments"
    assert "\n" not in str(raised.value)
