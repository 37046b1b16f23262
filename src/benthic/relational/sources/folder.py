"""A folder of Parquet or CSV files, a table each."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import duckdb

from benthic.errors import InputError
from benthic.relational.declared import Declared, DeclaredTable
from benthic.relational.missing import (
    ALWAYS_MISSING,
    MISSING_SPELLINGS,
    is_missing,
)
from benthic.relational.sources.in_place import TablesInPlace
from benthic.relational.sources.source import (
    ROW,
    column_types,
    create_raw,
    one_line,
)
from benthic.relational.sql import literal, quoted

_TEXT = "VARCHAR"
_PARQUET = (".parquet", ".pq")
_CSV = (".csv", ".tsv", ".csv.gz", ".tsv.gz")


def open_folder(connection: duckdb.DuckDBPyConnection, path: Path) -> TablesInPlace:
    """Tables named for their files.

    Parquet is read in place. CSV is copied at opening, since its types are known only
    after its last line.

    Args:
        connection: The private connection.
        path: The folder.

    Raises:
        InputError: If it holds no such file, or one that cannot be read.
    """
    files = _files(path)
    if not files:
        raise InputError(
            "database",
            f"no Parquet or CSV file in {path}",
            "name a folder that holds a file per table",
        )
    tables = {}
    for name, file in files.items():
        is_parquet = file.name.lower().endswith(_PARQUET)
        show = show_parquet if is_parquet else _copy_csv
        tables[name] = show(connection, name, file)
    return TablesInPlace(connection, path.name or str(path), Declared(tables))


def show_parquet(
    connection: duckdb.DuckDBPyConnection, name: str, file: Path
) -> DeclaredTable:
    """A view ``raw.name`` on a Parquet file, and what the file says about itself.

    Args:
        connection: The private connection.
        name: Name of the table.
        file: The file.

    Raises:
        InputError: If it cannot be read.
    """
    plain = f"read_parquet({literal(str(file))}, hive_partitioning = false)"
    numbered = plain[:-1] + ", file_row_number = true)"
    try:
        return create_raw(connection, name, plain, "file_row_number", rows=numbered)
    except duckdb.Error as error:
        raise _unreadable(file, error) from error


def _copy_csv(
    connection: duckdb.DuckDBPyConnection, name: str, file: Path
) -> DeclaredTable:
    table = quoted("copied", name)
    try:
        connection.execute(
            f"CREATE TABLE {table} AS "
            f"SELECT *, row_number() OVER () - 1 AS {quoted(ROW)} "
            f"FROM {_read_csv(file, ALWAYS_MISSING)}"
        )
        _without_words(connection, table, file)
    except duckdb.Error as error:
        raise _unreadable(file, error) from error
    return create_raw(connection, name, table)


def _without_words(
    connection: duckdb.DuckDBPyConnection, table: str, file: Path
) -> None:
    """NULL for words that say so, in columns that are numbers then; not in others."""
    columns = _worded_numbers(connection, table)
    if not columns:
        return
    types = column_types(connection, _read_csv(file, MISSING_SPELLINGS))
    for column in columns:
        dtype = types.get(column, _TEXT)
        if dtype == _TEXT:  # 007 is a code, whatever stands beside it
            continue
        value = f"CAST({_known(column)} AS {dtype})"
        # With so many words for NULL, the lines may have been parted elsewhere.
        with suppress(duckdb.ConversionException):
            connection.execute(
                f"ALTER TABLE {table} ALTER {quoted(column)} TYPE {dtype} USING {value}"
            )


def _worded_numbers(connection: duckdb.DuckDBPyConnection, table: str) -> list[str]:
    """Texts that hold words for NULL, and beside them only numbers."""
    types = column_types(connection, table)
    texts = [column for column, dtype in types.items() if dtype == _TEXT]
    tests = []
    for column in texts:
        known = _known(column)
        read = f"TRY_CAST({known} AS DOUBLE)"
        some = f"count({known}) BETWEEN 1 AND count({quoted(column)}) - 1"
        tests.append(f"{some} AND count({read}) = count({known})")
    found = connection.execute(f"SELECT [{', '.join(tests)}] FROM {table}").fetchall()
    return [column for column, is_one in zip(texts, found[0][0], strict=True) if is_one]


def _known(column: str) -> str:
    name = quoted(column)
    return f"CASE WHEN NOT {is_missing(name)} THEN {name} END"


def _read_csv(file: Path, missing: Iterable[str]) -> str:
    words = literal(list(missing))
    return f"read_csv({literal(str(file))}, sample_size = -1, nullstr = {words})"


def _files(path: Path) -> dict[str, Path]:
    files: dict[str, tuple[str, Path]] = {}
    for file in sorted(path.iterdir()):
        ending = _ending(file)
        if not ending or not file.is_file():
            continue
        name = file.name[: -len(ending)]
        other = files.setdefault(name.lower(), (name, file))[1]
        if other is not file:
            found = f"both {other.name} and {file.name} in {path}"
            raise InputError("database", found, "keep one file per table")
    return dict(files.values())


def _ending(file: Path) -> str:
    name = file.name.lower()
    fitting = [ending for ending in (*_PARQUET, *_CSV) if name.endswith(ending)]
    return "" if name.startswith((".", "_")) else max(fitting, key=len, default="")


def _unreadable(file: Path, error: duckdb.Error) -> InputError:
    found = f"{file}, which cannot be read ({one_line(error)})"
    return InputError("database", found, "repair the file or leave it out")
