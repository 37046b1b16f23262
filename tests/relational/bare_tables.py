"""Tables without declared keys or times, and a probe of them."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest
import yaml

from benthic.relational.declared import Declared, DeclaredTable
from benthic.relational.inference import infer_schema
from benthic.relational.schema import Schema
from benthic.relational.sql import quoted


class Tables:
    """A probe of data frames or Parquet files; everything is looked at as it is."""

    def __init__(self, tables: Mapping[str, pd.DataFrame | Path | str]) -> None:
        self.connection = duckdb.connect()
        self.connection.execute("SET threads = 1; SET TimeZone = 'UTC'")
        for name, rows in tables.items():
            if isinstance(rows, pd.DataFrame):
                self.connection.register("given", rows)
                source = "given"
            else:
                source = rows if isinstance(rows, str) else f"read_parquet('{rows}')"
            self.connection.execute(
                f"CREATE TABLE {quoted(name)} AS SELECT * FROM {source}"
            )
            step = -(
                -self.query(f"SELECT count(*) FROM {quoted(name)}")[0][0] // 20_000
            )
            self.connection.execute(
                f"CREATE VIEW {quoted('sample of ' + name)} AS SELECT * EXCLUDE (nth) "
                f"FROM (SELECT *, row_number() OVER () AS nth FROM {quoted(name)}) "
                f"WHERE nth % {max(step, 1)} = 0"
            )
        self.declared = Declared({name: self._table(name) for name in tables})

    def _table(self, name: str) -> DeclaredTable:
        columns = {row[0]: row[1] for row in self.query(f"DESCRIBE {quoted(name)}")}
        rows = self.query(f"SELECT count(*) FROM {quoted(name)}")[0][0]
        return DeclaredTable(name, columns, num_rows=rows)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql).fetchall()

    def relation(self, table: str, columns: Iterable[str] | None = None) -> str:
        return quoted(table)

    def sample(self, table: str) -> str:
        return quoted("sample of " + table)


def relational_folder() -> Path:
    """Where the public databases are; the test skips without them."""
    beside = Path(__file__).resolve().parents[3] / "shared" / "data"
    folder = Path(os.environ.get("BENTHIC_DATA", beside)) / "relational"
    if not folder.is_dir():
        reason = "the public databases are not on this machine"
        if os.environ.get("CI") == "true":
            pytest.fail(f"{reason}; set BENTHIC_DATA")
        pytest.skip(reason)
    return folder


def stripped(name: str) -> tuple[Tables, dict[str, dict[str, Any]]]:
    """A public database without its declarations, and these by table."""
    folder = relational_folder() / name
    if name == "chinook":
        return _chinook(folder / "raw" / "chinook.sqlite")
    truth = yaml.safe_load((folder / "manifest.yaml").read_text())["tables"]
    tables = Tables({table: folder / "db" / f"{table}.parquet" for table in truth})
    return tables, truth


def _chinook(path: Path) -> tuple[Tables, dict[str, dict[str, Any]]]:
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    names = [
        row[0]
        for row in connection.execute(
            "SELECT name FROM sqlite_master WHERE type='table'"
        )
    ]
    frames = {
        name: pd.read_sql_query(f'SELECT * FROM "{name}"', connection) for name in names
    }
    truth = {}
    for name in names:
        keys = [
            row[1]
            for row in connection.execute(f'PRAGMA table_info("{name}")')
            if row[5]
        ]
        links = connection.execute(f'PRAGMA foreign_key_list("{name}")')
        truth[name] = {
            "pkey": keys[0] if len(keys) == 1 else None,
            "fkeys": {row[3]: row[2] for row in links},
        }
    connection.close()
    return Tables(frames), truth


def inferred(tables: Mapping[str, pd.DataFrame | Path | str]) -> Schema:
    """Schema of tables that declare nothing."""
    bare = Tables(tables)
    return infer_schema(bare.declared, bare)


def texts(schema: Schema, table: str, column: str | None = None) -> str:
    """Problems of a table, or of one of its columns, in one text."""
    found = [problem for problem in schema.problems if problem.table == table]
    kept = [p for p in found if column is None or p.column == column]
    return "\n".join(problem.text for problem in kept)
