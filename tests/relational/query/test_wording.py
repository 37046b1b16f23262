"""Near names against a plain definition of the distance; lists and plurals."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benthic.relational.query import wording


def by_recursion(one: str, other: str) -> int:
    """Optimal string alignment by its definition."""

    @cache
    def edits(i: int, j: int) -> int:
        if not i or not j:
            return i + j
        same = one[i - 1] == other[j - 1]
        ways = [
            edits(i - 1, j) + 1,
            edits(i, j - 1) + 1,
            edits(i - 1, j - 1) + (not same),
        ]
        if i > 1 and j > 1 and one[i - 2 : i] == other[j - 2 : j][::-1]:
            ways.append(edits(i - 2, j - 2) + 1)
        return min(ways)

    return edits(len(one), len(other))


few = st.text("abc", max_size=7)


@settings(max_examples=200)
@given(one=few, other=few)
def test_the_distance_is_that_of_its_definition(one, other):
    assert wording.distance(one, other) == by_recursion(one, other)


@pytest.mark.parametrize(
    ("word", "near"),
    [
        ("ordres", ["orders"]),
        ("ORDER", ["orders"]),
        ("orderitem", ["order_items"]),
        ("od", []),
        ("wholly_else", []),
    ],
)
def test_a_near_name_is_two_edits_away_or_differs_by_case_plural_or_underscore(
    word, near
):
    assert wording.nearest(word, ["orders", "order_items", "customers"]) == near


def test_at_most_three_names_come_nearest_first():
    names = ["total_a", "total_b", "total_c", "total", "totals"]

    assert wording.nearest("total_x", names) == ["total_a", "total_b", "total_c"]
    assert wording.nearest("totals", names)[:2] == ["total", "totals"]


def test_lists_read_as_a_person_writes_them():
    assert wording.listed(["a"], "or") == "a"
    assert wording.listed(["a", "b"], "or") == "a or b"
    assert wording.listed([], "or") == ""
    assert wording.did_you_mean([]) is None
    assert wording.with_article("order") == "an order"
