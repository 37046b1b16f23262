"""A folder in RelBench's format: a manifest, Parquet files, tasks."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import yaml

from benthic.errors import InputError
from benthic.relational.declared import Declared, DeclaredKey, DeclaredTable
from benthic.relational.sources.folder import show_parquet
from benthic.relational.sources.presentable import presentable
from benthic.relational.sources.source import create_sample, one_line
from benthic.relational.sql import quoted

MANIFEST = "manifest.yaml"
_REMEDY = "see the manifest of a RelBench database"


class RelBenchFolder:
    """Tables, keys and times as the manifest declares them.

    A table without ``time_col`` is declared to have none.

    Args:
        connection: The private connection.
        path: The folder that holds ``manifest.yaml`` and ``db``.

    Attributes:
        manifest: What the manifest says, tasks' cut-offs included.

    Raises:
        InputError: If the manifest does not fit the files.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, path: Path) -> None:
        self.title = path.name or str(path)
        self._connection = connection
        self.manifest = read_manifest(path)
        tables = {}
        for name in self.manifest["tables"]:
            file = path / "db" / f"{name}.parquet"
            if not file.is_file():
                raise _wrong(path, f"table {name} without a file {file}")
            tables[name] = show_parquet(connection, name, file)
        declared = {
            name: self._declare(path, table, tables) for name, table in tables.items()
        }
        self.declared = presentable(Declared(declared))

    def relation(self, table: str, columns: Collection[str]) -> str:
        """A view of all columns: DuckDB reads those that a query names."""
        return quoted("raw", table)

    def sample(self, table: str) -> str:
        """Every k-th row."""
        facts = self.declared.tables[table]
        relation = self.relation(table, ())
        return create_sample(self._connection, table, relation, facts.num_rows)

    def close(self) -> None:
        """Files are open only while a query runs."""

    def _declare(
        self, path: Path, table: DeclaredTable, tables: Mapping[str, DeclaredTable]
    ) -> DeclaredTable:
        facts = self.manifest["tables"][table.name] or {}
        fkeys = facts.get("fkeys") or {}
        pkey, time_col = facts.get("pkey"), facts.get("time_col")
        for column in [pkey, time_col, *fkeys]:
            if column is not None and column not in table.columns:
                raise _wrong(path, f"table {table.name} without its column {column!r}")
        parents = {
            column: self._key_of(path, fkeys[column], tables) for column in fkeys
        }
        return replace(
            table,
            pkey=() if pkey is None else (pkey,),
            fkeys=tuple(
                DeclaredKey((column,), fkeys[column], (parent,))
                for column, parent in parents.items()
            ),
            time_col=time_col,
            static=time_col is None,
        )

    def _key_of(
        self, path: Path, parent: str, tables: Mapping[str, DeclaredTable]
    ) -> str:
        facts = self.manifest["tables"].get(parent)
        if parent not in tables or not facts or not facts.get("pkey"):
            raise _wrong(path, f"a foreign key to {parent!r}, which has no primary key")
        return str(facts["pkey"])


def read_manifest(path: Path) -> dict[str, Any]:
    """The manifest of a RelBench folder.

    Args:
        path: The folder.

    Raises:
        InputError: If it is not YAML, or names no tables.
    """
    file = path / MANIFEST
    try:
        manifest = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeError, yaml.YAMLError) as error:
        raise _wrong(path, f"{file}: {one_line(error)}") from error
    tables = manifest.get("tables") if isinstance(manifest, dict) else None
    if not isinstance(tables, dict) or not tables:
        raise _wrong(path, f"{file}, which names no tables")
    return dict(manifest)


def _wrong(path: Path, found: str) -> InputError:
    return InputError("database", f"{found} in {path}", _REMEDY)
