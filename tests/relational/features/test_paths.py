"""Which paths lead to rows, and what are they called?"""

from __future__ import annotations

from tests.relational.features.stores import frames, opened

from benthic.relational.features.paths import neighbor_paths, own_paths


def test_own_paths_are_the_chains_that_end_at_the_entity():
    schema = opened(frames(0)).schema
    assert [str(path) for path in own_paths(schema, "people", 1)] == [
        "people <- visits.person_id"
    ]
    assert [str(path) for path in own_paths(schema, "people", 2)] == [
        "people <- visits.person_id",
        "people <- visits.person_id <- items.visit_id",
    ]


def test_neighbors_go_up_to_a_parent_and_down_again():
    schema = opened(frames(0)).schema
    found = [str(path) for path in neighbor_paths(schema, "people", 2)]
    assert "people <- visits.person_id.shop_id -> shops <- visits.shop_id" in found
    assert "people.shop_id -> shops <- visits.shop_id" in found
    assert neighbor_paths(schema, "people", 1) == ()


def test_labels_of_paths_are_unique():
    schema = opened(frames(0)).schema
    for table in schema.tables:
        paths = [*own_paths(schema, table, 3), *neighbor_paths(schema, table, 3)]
        assert len({path.label for path in paths}) == len(paths)
