from __future__ import annotations

import pytest

from benthic import nn as parts
from benthic.errors import InputError
from benthic.treatment.named import canonical
from benthic.treatment.spelling import Part, names, read


def test_names_are_the_classes_of_the_room_in_snake_case():
    classes = {"InitialResidual", "LayerNorm", "GraphNormv2", "DropEdge", "IdentityMap"}
    assert classes <= set(dir(parts))
    assert {
        *("initial_residual", "layer_norm", "graph_normv2", "drop_edge"),
        *("identity_map", "none"),
    } <= set(names())
    assert not {"skip", "edge_drop", "deep_gnn", "linear"} & set(names())


def test_rewirings_are_named_as_their_classes():
    rewirings = {"sdrf", "borf", "fosr", "egp", "gdc", "virtual_node", "half_hop"}
    assert rewirings <= set(names())
    assert {Part(name).place for name in rewirings} == {"rewiring"}
    assert not {"add_random_walkpe", "cayley_graph"} & set(names())


def test_a_treatment_is_read_as_its_parts():
    assert read("none,residual+drop_edge(p=0.5)") == [
        [],
        [Part("residual"), Part("drop_edge", (("p", 0.5),))],
    ]


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
        ("__import__('os')", "found '__import__'; choose one of anti_symmetric, appnp"),
        ("(" * 1000, "write names joined by"),
        ("initial_residual(0.2)", "name what it takes: alpha"),
        ("initial_residual(beta=0.2)", "name what it takes: alpha"),
        ("initial_residual(**{})", "name what it takes: alpha"),
        ("initial_residual(alpha=1+1)", "give a number or a word"),
        ("initial_residual(alpha=open('x'))", "give a number or a word"),
        ("none(p=1)", "found 'none'"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_line(typed, line):
    with pytest.raises(InputError, match=line) as raised:
        canonical(typed)
    assert raised.value.argument == "treatments"
    assert "\n" not in str(raised.value)
