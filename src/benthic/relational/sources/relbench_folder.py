"""A folder in RelBench's format: a manifest, Parquet files, tasks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import yaml

from benthic.errors import InputError
from benthic.relational.declared import Declared, DeclaredKey, DeclaredTable
from benthic.relational.sources.folder import show_parquet
from benthic.relational.sources.in_place import TablesInPlace
from benthic.relational.sources.source import one_line

MANIFEST = "manifest.yaml"
_REMEDY = "see the manifest of a RelBench database"


def open_relbench_folder(
    connection: duckdb.DuckDBPyConnection, path: Path
) -> TablesInPlace:
    """Tables, keys and times as the manifest declares them.

    A table without ``time_col`` is declared to have none.

    Args:
        connection: The private connection.
        path: The folder that holds ``manifest.yaml`` and ``db``.

    Raises:
        InputError: If the manifest does not fit the files.
    """
    facts = read_manifest(path)["tables"]
    tables = {}
    for name in facts:
        file = path / "db" / f"{name}.parquet"
        if not file.is_file():
            raise _wrong(path, f"table {name} without its file {file.name}")
        tables[name] = show_parquet(connection, name, file)
    declared = {
        name: _declare(path, tables[name], facts[name] or {}, facts) for name in tables
    }
    return TablesInPlace(connection, path.name or str(path), Declared(declared))


def _declare(
    path: Path,
    table: DeclaredTable,
    facts: Mapping[str, Any],
    others: Mapping[str, Any],
) -> DeclaredTable:
    pkey, time_col = facts.get("pkey"), facts.get("time_col")
    fkeys = facts.get("fkeys") or {}
    for column in [pkey, time_col, *fkeys]:
        if column is not None and column not in table.columns:
            raise _wrong(path, f"table {table.name} without its column {column!r}")
    parents: dict[str, Any] = {
        column: (others.get(fkeys[column]) or {}).get("pkey") for column in fkeys
    }
    for column, parent in parents.items():
        if parent is None:
            raise _wrong(
                path, f"a key to {fkeys[column]!r}, no table with a primary key,"
            )
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
