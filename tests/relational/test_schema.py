from __future__ import annotations

from dataclasses import replace

import networkx as nx
import pytest

from benthic.relational.schema import Chain, ForeignKey, Schema, SType, Table


def schema(**links: dict[str, str]) -> Schema:
    """Tables by name with their foreign keys, column -> table."""
    return Schema(
        {
            name: Table(
                name, {}, fkeys=tuple(ForeignKey(c, t) for c, t in keys.items())
            )
            for name, keys in links.items()
        }
    )


@pytest.fixture
def shop() -> Schema:
    return schema(
        region={},
        staff={"boss": "staff", "store": "store"},
        store={"manager": "staff", "region": "region"},
        customer={"region": "region", "store": "store"},
        orders={"customer": "customer", "store": "store"},
        item={"orders": "orders"},
    )


def test_children_are_the_keys_that_point_at_a_table(shop):
    assert set(shop.children["store"]) == {
        ("staff", "store"),
        ("customer", "store"),
        ("orders", "store"),
    }
    assert shop.children["item"] == ()


def test_a_table_lists_its_foreign_keys_as_relbench_writes_them(shop):
    assert shop.tables["orders"].fkey_col_to_pkey_table == {
        "customer": "customer",
        "store": "store",
    }


def test_chains_are_all_simple_paths_shortest_first(shop):
    graph = nx.MultiDiGraph()
    for table in shop.tables.values():
        for key in table.fkeys:
            graph.add_edge(table.name, key.table, key.column)
    for child in shop.tables:
        for ancestor in shop.tables:
            if child == ancestor:
                continue
            paths = nx.all_simple_edge_paths(graph, child, ancestor, 6)
            expected = {tuple(edge[2] for edge in path) for path in paths}
            found = list(shop.chains(child, ancestor))
            assert {chain.columns for chain in found} == expected
            assert [len(chain) for chain in found] == sorted(map(len, found))


def test_a_chain_is_no_longer_than_asked(shop):
    assert all(len(chain) <= 2 for chain in shop.chains("item", "region", 2))
    assert [str(chain) for chain in shop.chains("item", "customer", 2)] == [
        "item.orders -> orders.customer -> customer"
    ]


def test_a_self_reference_is_one_step(shop):
    assert list(shop.chains("staff", "staff")) == [Chain(("staff", "staff"), ("boss",))]


def test_a_semantic_type_prints_as_torch_frame_names_it():
    assert [str(kind) for kind in SType] == [
        *("numerical", "categorical", "boolean", "multicategorical"),
        *("text", "timestamp", "ID"),
    ]


def test_a_table_is_dated_by_itself_or_by_what_it_points_at():
    links = {"item": {"orders": "orders", "product": "product"}, "product": {}}
    links |= {"orders": {"customer": "customer"}, "customer": {"friend": "customer"}}
    tables = dict(schema(**links).tables)
    for name in ("product", "orders", "customer"):
        tables[name] = replace(tables[name], pkey_col="id")
    tables["orders"] = replace(tables["orders"], time_col="at")
    shop = Schema(tables)
    assert shop.dated_by("orders") == shop.dated_by("item") == ("orders",)
    assert shop.dated_by("customer") == shop.dated_by("product") == ()
