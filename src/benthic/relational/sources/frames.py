"""Tables in memory: pandas frames by name, and the bank."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Protocol, runtime_checkable

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

from benthic.errors import InputError
from benthic.relational.declared import Declared, DeclaredKey, DeclaredTable
from benthic.relational.sources.in_place import TablesInPlace
from benthic.relational.sources.source import ROW, create_raw
from benthic.relational.sql import quoted


@runtime_checkable
class KeyedTables(Protocol):
    """Frames that bring their keys and times, as :class:`benthic.datasets.Bank`."""

    @property
    def tables(self) -> Mapping[str, pd.DataFrame]:
        """Frames by name."""

    @property
    def primary_keys(self) -> Mapping[str, str]:
        """Table -> its key column."""

    @property
    def foreign_keys(self) -> Mapping[str, Mapping[str, str]]:
        """Table -> key column -> the table it points at."""

    @property
    def time_columns(self) -> Mapping[str, str]:
        """Table -> its time column, if it has one."""


def open_frames(
    connection: duckdb.DuckDBPyConnection,
    frames: Mapping[str, pd.DataFrame],
    *,
    known: Mapping[str, DeclaredTable] | None = None,
    title: str = "frames",
) -> TablesInPlace:
    """Frames by name; their index is not read.

    Args:
        connection: The private connection; it reads the frames' Arrow form in place.
        frames: The tables.
        known: Keys and times that are known.
        title: What to call them.

    Raises:
        InputError: If there are none, or one cannot be read as a table.
    """
    _check_names("database", "tables", frames)
    tables = {}
    for name, frame in frames.items():
        arrow = _to_arrow(name, frame)
        stored = f"\x1f{name}"
        numbers = pa.array(np.arange(len(frame)))
        connection.register(stored, arrow.append_column(ROW, numbers))
        facts = create_raw(connection, name, quoted(stored))
        tables[name] = replace(
            (known or {}).get(name, facts),
            columns=facts.columns,
            num_rows=facts.num_rows,
        )
    return TablesInPlace(connection, title, Declared(tables))


def open_bank(
    connection: duckdb.DuckDBPyConnection, bank: KeyedTables
) -> TablesInPlace:
    """The bank's tables with their keys and times declared.

    Args:
        connection: The private connection.
        bank: The bank.
    """
    keys = {
        name: DeclaredTable(
            name=name,
            columns={},
            pkey=(bank.primary_keys[name],),
            fkeys=tuple(
                DeclaredKey((column,), parent, (bank.primary_keys[parent],))
                for column, parent in bank.foreign_keys.get(name, {}).items()
            ),
            time_col=bank.time_columns.get(name),
            static=name not in bank.time_columns,
        )
        for name in bank.tables
    }
    return open_frames(connection, bank.tables, known=keys, title="bank")


def _to_arrow(name: str, frame: pd.DataFrame) -> pa.Table:
    if not isinstance(name, str) or not isinstance(frame, pd.DataFrame):
        found = f"{name!r}: {type(frame).__name__}"
        raise InputError("database", found, "give {name: DataFrame}")
    columns = [str(column) for column in frame.columns]
    _check_names(f"table {name}", "columns", columns)
    arrays = [
        _to_array(name, column, frame.iloc[:, place])
        for place, column in enumerate(columns)
    ]
    return pa.Table.from_arrays(arrays, names=columns)


def _check_names(argument: str, what: str, names: Iterable[str]) -> None:
    first: dict[str, str] = {}
    for name in names:
        if name.lower() in first:
            other = first[name.lower()]
            raise InputError(
                argument,
                f"two {what} {other!r} and {name!r}",
                "give each a name of its own, whatever its case",
            )
        first[name.lower()] = name
    if not first:
        raise InputError(argument, f"no {what}", "give at least one")


def _to_array(table: str, name: str, column: pd.Series) -> pa.Array | pa.ChunkedArray:
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(column.dtype.categories.dtype)
    try:
        return pa.array(column, from_pandas=True)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise InputError(
            f"table {table}, column {name!r}",
            f"values that are no column of one type ({str(error).splitlines()[0]})",
            "convert it, for example with astype(str)",
        ) from error
