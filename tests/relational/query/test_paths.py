"""Chains of keys, against a search through all of them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.relational.query.schemas import BANK, SHOP

from benthic.errors import QueryError
from benthic.relational.query.paths import (
    chain,
    missing_links,
    reach,
    row_table,
    shortest,
    steps_up,
    time_step,
)
from benthic.relational.query.tree import Aggregate, Arithmetic, ColumnRef, Star
from benthic.relational.schema import Chain, ForeignKey, Problem, Schema, Table

ITEMS = ("order_items", "orders", "customers", "regions")


def test_the_row_table_is_the_one_from_which_the_others_are_reached():
    price = ColumnRef("products", "price")
    product = Arithmetic("*", price, ColumnRef("order_items", "quantity"))

    assert row_table(Aggregate("COUNT", Star("orders")), SHOP) == "orders"
    assert row_table(Aggregate("SUM", product), SHOP) == "order_items"
    apart = Arithmetic("*", price, ColumnRef("orders", "total"))
    with pytest.raises(QueryError):
        row_table(Aggregate("SUM", apart), SHOP)


def test_a_chain_goes_up_to_the_entity_of_any_length():
    count = Aggregate("COUNT", Star("order_items"))

    found = chain(count, "regions", SHOP)

    assert found == Chain(ITEMS, ("order_id", "customer_id", "region_id"))
    assert chain(count, "products", SHOP).columns == ("product_id",)


def test_two_ways_are_an_error_until_via_names_one():
    to_account = ColumnRef("payments", "to_account")
    count = Aggregate("COUNT", Star("payments"))

    with pytest.raises(QueryError, match="in 2 ways"):
        chain(count, "clients", BANK)
    found = chain(
        Aggregate("COUNT", Star("payments"), via=(to_account,)), "clients", BANK
    )
    assert found.columns == ("to_account", "client_id")
    with pytest.raises(QueryError, match="does not reach"):
        chain(count, "loans", BANK)


def test_the_time_is_that_of_the_nearest_table_on_the_chain():
    assert time_step(Chain(ITEMS, ("order_id", "customer_id", "region_id")), SHOP) == 1
    assert time_step(Chain(("orders", "customers"), ("customer_id",)), SHOP) == 0
    assert time_step(Chain(("products", "categories"), ("category_id",)), SHOP) is None


def test_a_column_of_a_row_is_reached_by_no_key_and_an_ancestors_by_the_shortest():
    assert reach("orders", "orders", SHOP) == Chain(("orders",))
    assert len(reach("order_items", "categories", SHOP)) == 2
    with pytest.raises(QueryError):
        reach("payments", "accounts", BANK)
    with pytest.raises(QueryError):
        reach("customers", "orders", SHOP)


links = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=10, unique=True
)


def every_chain(schema: Schema, at: str, goal: str, seen: tuple[str, ...]):
    """All simple ways up, and the self-reference, without any search order."""
    for key in schema.tables[at].fkeys:
        if key.table == goal:
            yield (key.column,)
        elif key.table not in seen:
            for rest in every_chain(schema, key.table, goal, (*seen, key.table)):
                yield (key.column, *rest)


@settings(max_examples=80)
@given(links=links, child=st.integers(0, 5), goal=st.integers(0, 5))
def test_the_shortest_chains_are_those_of_a_search_through_all(links, child, goal):
    tables = {
        str(one): Table(
            str(one),
            {},
            fkeys=tuple(ForeignKey(f"{a}to{b}", str(b)) for a, b in links if a == one),
        )
        for one in range(6)
    }
    schema = Schema(tables)
    found = shortest(str(child), str(goal), schema)

    every = list(every_chain(schema, str(child), str(goal), (str(child),)))
    if child == goal:
        every = [columns for columns in every if len(columns) == 1]
    least = min(map(len, every), default=0)
    wanted = {columns for columns in every if len(columns) == least}
    assert {chain.columns for chain in found} == wanted
    assert len(found) == len(wanted)
    if child != goal:
        assert (str(goal) in steps_up(str(child), schema)) == bool(found)


def test_a_missing_link_is_one_that_would_join_the_two():
    tables = {name: Table(name, {}) for name in ("a", "b", "c")}
    tables["b"] = Table("b", {}, fkeys=(ForeignKey("c_id", "c"),))
    problem = Problem("a", "x", "not linked", ("b", "d"))
    schema = Schema(tables, (problem, Problem("a", None, "no rows")))
    assert missing_links("a", "c", schema) == [problem]
    assert missing_links("a", "b", schema) == [problem]
    assert missing_links("b", "a", schema) == []
