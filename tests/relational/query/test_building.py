"""Every form of the grammar becomes its node."""

from __future__ import annotations

import pytest

from benthic.errors import QueryError
from benthic.relational.query.faults import Faults
from benthic.relational.query.parse import read
from benthic.relational.query.tree import (
    Aggregate,
    Classify,
    ColumnRef,
    Comparison,
    Forecast,
    IsIn,
    IsNull,
    Literal,
    Negative,
    Not,
    Place,
    Rank,
    Star,
    TextTest,
    Window,
)

B = ColumnRef("a", "b")


def target(text):
    return read(Faults(f"PREDICT {text} FOR EACH a.id"))[0].target


@pytest.mark.parametrize(
    ("text", "node"),
    [
        ("+a.b", B),
        ("-a.b", Negative(B)),
        ("- 5", Literal(-5)),
        ("-(5)", Literal(-5)),
        ("a.b <> .5", Comparison("!=", B, Literal(0.5))),
        ("a.b IS NULL", IsNull(B)),
        ("a.b IS NOT NULL", IsNull(B, True)),
        ("a.b IS IN (1)", IsIn(B, (Literal(1),))),
        ("a.b NOT IN (-1, 'x')", IsIn(B, (Literal(-1), Literal("x")), True)),
        ("a.b NOT LIKE 'x%'", TextTest("LIKE", B, Literal("x%"), True)),
        ("a.b CONTAINS -3", TextTest("CONTAINS", B, Literal(-3))),
        ("a.b STARTS WITH 'x'", TextTest("STARTS WITH", B, Literal("x"))),
        ("a.b NOT ENDS WITH 'x'", TextTest("ENDS WITH", B, Literal("x"), True)),
        ("NOT NOT a.b", Not(Not(B))),
        ("sum(a.*, +1, 3)", Aggregate("SUM", Star("a"), window=Window(1, 3))),
        (
            "max(a.b VIA a.c VIA c.d, -INFINITY, 3, Hour)",
            Aggregate(
                "MAX",
                B,
                via=(ColumnRef("a", "c"), ColumnRef("c", "d")),
                window=Window(None, 3, "hours"),
            ),
        ),
    ],
)
def test_a_text_becomes_its_node(text, node):
    assert target(text) == node


@pytest.mark.parametrize(
    ("text", "modifier"),
    [
        ("FORECAST 8 TIMEFRAMES", Forecast(8)),
        ("RANK TOP 3", Rank(3)),
        ("CLASSIFY", Classify()),
        ("classify top 3", Classify(3)),
    ],
)
def test_a_modifier_becomes_its_node(text, modifier):
    assert read(Faults(f"PREDICT a.b {text} FOR EACH a.id"))[0].modifier == modifier


def test_the_place_of_a_node_includes_parentheses_inside_it_but_not_around_it():
    node = target("((a.b + 1) * 2 = 3)")

    assert node.place == Place(1, 10, 17)
    assert node.left.left.place == Place(1, 11, 7)


@pytest.mark.parametrize("text", ["-'x'", "+TRUE", "a.b IN (-NULL)", "-2024-01-01"])
def test_a_sign_stands_before_a_number_only(text):
    with pytest.raises(QueryError, match="stands before a number only"):
        target(text)


def test_functions_and_units_that_do_not_exist_are_noted_and_read_on():
    faults = Faults("PREDICT CUONT(a.b, 0, INF, dayz) FOR EACH a.id")

    clauses, _ = read(faults)

    assert clauses.target.window.unit == "days"
    error = faults.error()
    assert [fault.kind for fault in (error, *error.others)] == [
        "unknown name",
        "window",
        "unknown name",
    ]
