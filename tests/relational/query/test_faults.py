"""Faults come out sorted, once a place, five at most."""

from __future__ import annotations

import pytest

from benthic.errors import QueryError
from benthic.relational.query.faults import Faults
from benthic.relational.query.tree import Place


def test_nothing_noted_raises_nothing():
    faults = Faults("text")

    faults.raise_any()

    assert faults.error() is None
    assert len(faults) == 0


def test_faults_are_sorted_by_place_and_the_first_at_a_place_counts():
    faults = Faults("a\nb")
    for line, column, message in [(2, 1, "second"), (1, 1, "first"), (2, 1, "again")]:
        faults.add("type", Place(line, column), message)

    with pytest.raises(QueryError) as caught:
        faults.raise_any()

    assert caught.value.message == "first"
    assert [other.message for other in caught.value.others] == ["second"]


def test_at_most_five_are_shown():
    faults = Faults("x" * 20)
    for column in range(1, 10):
        faults.add("type", Place(1, column), str(column))

    assert len(faults.error().others) == 4
