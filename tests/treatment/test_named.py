from __future__ import annotations

import pytest
import torch
from torch_geometric.nn import GCN, GINConv

from benthic import nn as parts
from benthic.errors import InputError
from benthic.nn.deep_gnn import DeepGNN
from benthic.nn.residual import InitialResidual
from benthic.treatment.named import build_treated, canonical, names

EDGES = torch.tensor([[0, 1, 2, 3, 4, 0], [1, 2, 3, 4, 0, 2]])


def build(treatments, conv="gcn", num_layers=3, seed=0):
    return build_treated(conv, treatments, 6, 8, 2, num_layers, 0.5, seed)


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


def test_names_are_the_classes_of_the_room_in_snake_case():
    classes = {"InitialResidual", "LayerNorm", "GraphNormv2", "DropEdge", "IdentityMap"}
    assert classes <= set(dir(parts))
    assert {
        *("initial_residual", "layer_norm", "graph_normv2", "drop_edge"),
        *("identity_map", "none"),
    } <= set(names())
    assert not {"skip", "edge_drop", "deep_gnn", "linear"} & set(names())


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


@pytest.mark.parametrize(
    ("typed", "written"),
    [
        ("none", ["none"]),
        (" None ,residual", ["none", "residual"]),
        ("none+none,", ["none"]),
        ("residual + none", ["residual"]),
        ("(residual,none)", ["residual", "none"]),
        (
            "drop_edge( p=.5,undirected = False )",
            ["drop_edge(p=0.5, undirected=False)"],
        ),
        (
            "drop_edge(p=0.5)+layer_norm(mode=node)",
            ["drop_edge(p=0.5)+layer_norm(mode='node')"],
        ),
        (["none", "residual"], ["none", "residual"]),
    ],
)
def test_a_list_is_written_the_same_way_however_it_was_typed(typed, written):
    assert canonical(typed) == written
    assert canonical(written) == written


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ("initial_residul", "found 'initial_residul'; did you mean initial_residual,"),
        ("", "found ''; write names joined by"),
        ("residual+", r"found 'residual\+'; write names joined by"),
        ("residual-layer_norm", "write names joined by"),
        ("a.b", "write names joined by"),
        ("3", "write names joined by"),
        ("residual()()", "write names joined by"),
        ("__import__('os')", "found '__import__'; did you mean"),
        ("(" * 1000, "write names joined by"),
        ("initial_residual(0.2)", "name what it takes: alpha"),
        ("initial_residual(beta=0.2)", "name what it takes: alpha"),
        ("initial_residual(**{})", "name what it takes: alpha"),
        ("initial_residual(alpha=1.5)", "give a share from 0 to 1"),
        ("initial_residual(alpha=1+1)", "give a number or a word"),
        ("initial_residual(alpha=open('x'))", "give a number or a word"),
        ("initial_residual(alpha=high)", "give it sound values of"),
        ("jumping_knowledge(mode=min)", "give it sound values of"),
        ("residual+initial_residual", "take one residual only"),
        ("layer_norm+pair_norm", "take one norm only"),
        ("none(p=1)", "found 'none'"),
        ("appnp", "treatments: found appnp; give it sound values of K, alpha"),
        ("appnp(alpha=0.1, K=2)+generalized_page_rank(K=2)", "one propagation only"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_line(typed, line):
    with pytest.raises(InputError, match=line) as raised:
        canonical(typed)
    assert raised.value.argument == "treatments"
    assert "\n" not in str(raised.value)


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
