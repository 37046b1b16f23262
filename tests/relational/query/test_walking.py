"""Ways through a tree."""

from __future__ import annotations

from benthic.relational.query.tree import (
    Aggregate,
    And,
    Arithmetic,
    ColumnRef,
    Comparison,
    IsIn,
    Literal,
    Negative,
    Star,
)
from benthic.relational.query.walking import (
    aggregates,
    children,
    columns,
    depth,
    rebuilt,
    walk,
)

A, B, C = (ColumnRef("t", name) for name in "abc")
SUM = Aggregate("SUM", A, where=Comparison("=", B, Literal(1)), via=(C,))
TREE = And((Comparison(">", SUM, C), IsIn(B, (Literal(2), Literal(3)))))


def test_a_walk_meets_every_node_in_the_order_of_the_text():
    named = [node for node in walk(TREE) if isinstance(node, ColumnRef)]

    assert named == [A, B, C, C, B]
    assert len(list(walk(TREE, into_aggregates=False))) == 8


def test_aggregates_and_the_columns_outside_them_are_told_apart():
    assert aggregates(TREE) == [SUM]
    assert columns(TREE) == [C, B]
    assert aggregates(None) == columns(None) == []


def test_depth_counts_the_longest_way_down_without_recursion():
    chain = A
    for _ in range(5_000):
        chain = Negative(chain)

    assert depth(chain) == 5_001
    assert depth(Arithmetic("+", A, Negative(B))) == 3
    assert children(A) == ()


def test_a_rebuilt_tree_has_every_node_changed():
    def renamed(node):
        return ColumnRef("u", node.name) if isinstance(node, ColumnRef) else node

    again = rebuilt(TREE, renamed)

    tables = {node.table for node in walk(again) if isinstance(node, ColumnRef)}
    assert tables == {"u"}
    assert rebuilt(TREE, lambda node: node) == TREE
    assert rebuilt(Star("t"), lambda node: node) == Star("t")
