"""Tables of a DuckDB file, attached read-only and read in place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import duckdb

from benthic.errors import InputError
from benthic.relational.declared import Declared, DeclaredKey, DeclaredTable
from benthic.relational.sources.in_place import TablesInPlace
from benthic.relational.sources.source import (
    column_types,
    create_raw,
    one_line,
    reading,
)
from benthic.relational.sources.table_names import table_names
from benthic.relational.sql import literal, quoted

_ALIAS = "source"

_TABLES = f"""
SELECT schema_name, table_name FROM duckdb_tables()
WHERE database_name = '{_ALIAS}' AND NOT internal AND NOT temporary
ORDER BY schema_name <> 'main', schema_name, table_oid
"""

_KEYS = f"""
SELECT schema_name, table_name, constraint_type, constraint_column_names,
       referenced_table, referenced_column_names
FROM duckdb_constraints()
WHERE database_name = '{_ALIAS}' AND constraint_type IN ('PRIMARY KEY', 'FOREIGN KEY')
ORDER BY table_oid, constraint_index
"""

# What DuckDB says, in part -> what to do about it.
_REMEDIES = {
    "could not set lock": "a program is writing to it; close that program, or open a "
    "copy of the file",
    "already attached": "this Python program has it open for writing; close that "
    "connection, or open it with duckdb.connect(…, read_only=True)",
    "not a valid duckdb": "name a DuckDB file",
    "encrypt": "an encrypted database cannot be opened; export it to an unencrypted "
    "file",
    "version": "install a DuckDB that reads this version (pip install -U duckdb), or "
    "export it to Parquet",
    "permission denied": "ask for the right to read it",
}


def open_duckdb_file(
    connection: duckdb.DuckDBPyConnection, path: Path
) -> TablesInPlace:
    """Attaches a DuckDB file; its own program may not write to it meanwhile.

    Args:
        connection: The private connection.
        path: The file.

    Raises:
        InputError: If it cannot be opened.
        DatabaseError: If its catalogue cannot be read.
    """
    _attach(connection, path)
    with reading(path.name):
        keys = connection.execute(_KEYS).fetchall()
        stored = connection.execute(_TABLES).fetchall()
        names = table_names([(schema, name) for schema, name in stored], "main")
        tables = {}
        for place, name in names.items():
            own = [row[2:] for row in keys if tuple(row[:2]) == place]
            tables[name] = _declare(connection, place, names, own)
        close = partial(connection.execute, f"DETACH {_ALIAS}")
        return TablesInPlace(connection, path.name, Declared(tables), close)


def _declare(
    connection: duckdb.DuckDBPyConnection,
    place: tuple[str, str],
    names: Mapping[tuple[str, str], str],
    keys: list[tuple[Any, ...]],
) -> DeclaredTable:
    stored = quoted(_ALIAS, *place)
    types = column_types(connection, stored)
    # A user's own column of that name would hide the row number.
    hidden = any(column.lower() == "rowid" for column in types)
    row = "row_number() OVER () - 1" if hidden else "rowid"
    facts = create_raw(connection, names[place], stored, row)
    primary = [key for key in keys if key[0] == "PRIMARY KEY"]
    foreign = [key for key in keys if key[0] == "FOREIGN KEY"]
    return replace(
        facts,
        pkey=tuple(primary[0][1]) if primary else (),
        # A key of DuckDB stays within its schema.
        fkeys=tuple(
            DeclaredKey(tuple(own), names[place[0], parent], tuple(theirs))
            for _, own, parent, theirs in foreign
        ),
    )


def _attach(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    try:
        connection.execute(f"ATTACH {literal(str(path))} AS {_ALIAS} (READ_ONLY)")
    except duckdb.Error as error:
        text = str(error).lower()
        remedies = (remedy for sign, remedy in _REMEDIES.items() if sign in text)
        found = f"{path}, which DuckDB cannot open ({one_line(error)})"
        remedy = next(remedies, "name a DuckDB file that you can read")
        raise InputError("database", found, remedy) from error
