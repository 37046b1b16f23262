from __future__ import annotations

import duckdb
import pytest

from benthic.relational.declared import Declared
from benthic.relational.sources.in_place import TablesInPlace
from benthic.relational.sources.source import Source, create_raw


@pytest.fixture
def source() -> TablesInPlace:
    connection = duckdb.connect()
    connection.execute("CREATE SCHEMA raw; CREATE SCHEMA sample")
    connection.execute("CREATE TABLE t AS SELECT range AS id FROM range(50000)")
    facts = create_raw(connection, "t", "main.t", "rowid")
    source = TablesInPlace(connection, "here", Declared({"t": facts}))
    assert isinstance(source, Source)
    return source


def test_all_columns_are_there_whichever_were_asked_for(source):
    assert source.relation("t", ["id"]) == source.relation("t", []) == '"raw"."t"'
    assert source.declared.tables["t"].num_rows == 50_000


def test_a_sample_is_small_and_comes_from_the_whole_table(source):
    rows = source._connection.execute(
        f"SELECT count(*), min(id), max(id) FROM {source.sample('t')}"
    ).fetchall()
    assert rows == [(16_667, 0, 49_998)]


def test_closing_lets_go():
    closed = []
    connection = duckdb.connect()
    source = TablesInPlace(connection, "here", Declared({}), lambda: closed.append(1))
    source.close()
    assert closed == [1]
