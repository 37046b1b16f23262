"""Two trees are equal if they say the same, wherever they stand."""

from __future__ import annotations

import dataclasses
import pickle

from benthic.relational.query import tree
from benthic.relational.query.tree import Aggregate, ColumnRef, Place, Star, Window


def test_the_place_of_a_node_is_no_part_of_what_it_says():
    here = ColumnRef("a", "b", place=Place(1, 2, 3))
    there = ColumnRef("a", "b", place=Place(4, 5, 6))

    assert here == there
    assert hash(here) == hash(there)
    assert "place" not in repr(here)


def test_every_node_has_a_place_is_frozen_and_survives_a_worker():
    nodes = [
        node
        for node in vars(tree).values()
        if dataclasses.is_dataclass(node) and node not in (Place, tree.Clauses)
    ]
    assert len(nodes) >= 17
    for node in nodes:
        fields = {field.name: field for field in dataclasses.fields(node)}
        assert not fields["place"].compare
        assert fields["place"].kw_only
    count = Aggregate("COUNT", Star("a"), window=Window(0, 1))
    assert pickle.loads(pickle.dumps(count)) == count
