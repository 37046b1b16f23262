"""Which columns are read, and which are not."""

from __future__ import annotations

from tests.relational.features.stores import frames, opened

from benthic.relational.features.columns import Reading, readable_columns
from benthic.relational.schema import SType


def test_keys_of_the_path_and_the_time_itself_are_not_read():
    schema = opened(frames(0)).schema
    names = [r.name for r in readable_columns(schema, "visits", ("person_id",))]
    assert names == ["spent", "kind", "shop_id", "shop_id.size"]


def test_a_key_is_told_apart_and_a_number_is_averaged():
    schema = opened(frames(0)).schema
    found = {r.name: r for r in readable_columns(schema, "visits", ("person_id",))}
    assert found["shop_id"].is_category
    assert found["spent"].is_number
    assert found["shop_id.size"].parent == "shops"


def test_a_reading_comes_back_from_json():
    made = Reading("kind", SType.categorical, common=("x", "y"), missing=True)
    assert Reading.from_json(made.to_json()) == made


def test_a_column_with_a_dot_is_not_taken_for_that_of_a_parent():
    own = Reading("buyer.tier", SType.categorical)
    parents = Reading("tier", SType.categorical, "customers", "buyer")

    assert own.name == '"buyer.tier"'
    assert parents.name == "buyer.tier"
