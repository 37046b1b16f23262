from __future__ import annotations

import duckdb
import pytest

from benthic.errors import DatabaseError
from benthic.relational.sources.source import create_raw, one_line, reading


def test_a_raw_relation_has_a_row_number_and_not_the_reserved_names():
    connection = duckdb.connect()
    connection.execute("CREATE SCHEMA raw; CREATE TABLE t (a INT, _Time INT, _row INT)")
    connection.execute("INSERT INTO t VALUES (7, 8, 9), (6, 5, 4)")
    facts = create_raw(connection, "T x", "t", "rowid")
    assert facts.num_rows == 2
    assert facts.columns == {"a": "INTEGER", "_Time": "INTEGER", "_row": "INTEGER"}
    relation = connection.execute('SELECT * FROM raw."T x"')
    assert [column[0] for column in relation.description] == ["a", "_row"]
    assert relation.fetchall() == [(7, 0), (6, 1)]


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (duckdb.IOException("IO Error: disk: No space left on device"), "no room left"),
        (duckdb.OutOfMemoryException("Out of Memory Error: x"), "memory_limit is too"),
        (duckdb.Error("first\n\nsecond"), "shop: reading failed: first"),
        (OSError("gone"), "shop: reading failed: gone"),
    ],
)
def test_a_failure_becomes_one_clear_line(error, says):
    with pytest.raises(DatabaseError, match=says) as caught, reading("shop", OSError):
        raise error
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is error


def test_other_errors_pass():
    with pytest.raises(KeyError), reading("shop"):
        raise KeyError("a bug")


def test_an_error_without_text_is_named_by_its_kind():
    assert one_line(TimeoutError()) == "TimeoutError"
    assert one_line(duckdb.Error("IO Error: file: gone")) == "file: gone"
