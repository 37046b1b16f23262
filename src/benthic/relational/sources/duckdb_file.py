"""Tables of a DuckDB file, attached read-only and read in place."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb

from benthic.errors import InputError
from benthic.relational.declared import Declared, DeclaredKey, DeclaredTable
from benthic.relational.sources.presentable import presentable
from benthic.relational.sources.source import (
    column_types,
    create_raw,
    create_sample,
    one_line,
    reading,
)
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


class DuckDBFile:
    """A DuckDB file; a foreign key of DuckDB stays within its schema.

    Args:
        connection: The private connection, to which the file is attached.
        path: The file.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, path: Path) -> None:
        self.title = path.name
        self._connection = connection
        _attach(connection, path)
        with reading(self.title):
            self.declared = presentable(self._declare())

    def relation(self, table: str, columns: Collection[str]) -> str:
        """A view of all columns: DuckDB reads those that a query names."""
        return quoted("raw", table)

    def sample(self, table: str) -> str:
        """Every k-th row."""
        facts = self.declared.tables[table]
        relation = self.relation(table, ())
        return create_sample(self._connection, table, relation, facts.num_rows)

    def close(self) -> None:
        """Lets the file go."""
        self._connection.execute(f"DETACH {_ALIAS}")

    def _declare(self) -> Declared:
        keys = self._connection.execute(_KEYS).fetchall()
        tables: dict[str, DeclaredTable] = {}
        for schema, name in self._connection.execute(_TABLES).fetchall():
            own = [row[2:] for row in keys if tuple(row[:2]) == (schema, name)]
            full_name = _full_name(schema, name)
            tables[full_name] = self._table(schema, name, full_name, own)
        return Declared(tables)

    def _table(
        self, schema: str, name: str, full_name: str, keys: list[tuple[Any, ...]]
    ) -> DeclaredTable:
        stored = quoted(_ALIAS, schema, name)
        types = column_types(self._connection, stored)
        # A user's own column of that name would hide the row number.
        hidden = any(column.lower() == "rowid" for column in types)
        row = "row_number() OVER () - 1" if hidden else "rowid"
        facts = create_raw(self._connection, full_name, stored, row)
        primary = [key for key in keys if key[0] == "PRIMARY KEY"]
        foreign = [key for key in keys if key[0] == "FOREIGN KEY"]
        return replace(
            facts,
            pkey=tuple(primary[0][1]) if primary else (),
            fkeys=tuple(
                DeclaredKey(tuple(own), _full_name(schema, parent), tuple(theirs))
                for _, own, parent, theirs in foreign
            ),
        )


def _full_name(schema: str, table: str) -> str:
    return table if schema == "main" else f"{schema}.{table}"


def _attach(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    try:
        connection.execute(f"ATTACH {literal(str(path))} AS {_ALIAS} (READ_ONLY)")
    except duckdb.Error as error:
        text = str(error).lower()
        remedies = (remedy for sign, remedy in _REMEDIES.items() if sign in text)
        found = f"{path}, which DuckDB cannot open ({one_line(error)})"
        remedy = next(remedies, "name a DuckDB file that you can read")
        raise InputError("database", found, remedy) from error
