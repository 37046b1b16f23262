"""From what the user named to the source that reads it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import duckdb

from benthic.errors import InputError
from benthic.relational.sources.duckdb_file import open_duckdb_file
from benthic.relational.sources.folder import open_folder
from benthic.relational.sources.frames import KeyedTables, open_bank, open_frames
from benthic.relational.sources.relbench_folder import (
    MANIFEST,
    open_relbench_folder,
)
from benthic.relational.sources.source import Source
from benthic.relational.sources.sqlite_file import SQLiteFile

_KINDS = (
    "a DuckDB or SQLite file, a folder of Parquet or CSV files, a RelBench folder, a "
    "postgresql:// URL, or {name: DataFrame}"
)
_SQLITE = b"SQLite format 3\x00"
_DUCKDB = slice(8, 12), b"DUCK"
_HEAD = 16  # bytes; both kinds of file are told by them


def open_source(source: object, connection: duckdb.DuckDBPyConnection) -> Source:
    """Opens a database, whatever it is kept in.

    Args:
        source: See :meth:`benthic.relational.database.Database.open`.
        connection: The private connection, with the schemas ``raw`` and ``sample``.

    Raises:
        InputError: If there is no such database or it cannot be opened.
    """
    if isinstance(source, Mapping):
        return open_frames(connection, source)
    if isinstance(source, KeyedTables):
        return open_bank(connection, source)
    if not isinstance(source, str | Path):
        found = f"a value of type {type(source).__name__}"
        raise InputError("database", found, _use())
    if source == "":  # a path of no letters would be the working folder
        raise InputError("database", repr(source), _use())
    text = str(source)
    if text.startswith(("postgresql:", "postgres:", "postgresql+")):
        # Its drivers are slow to import, and an extra.
        from benthic.relational.sources.postgres import Postgres

        return Postgres(connection, text)
    if "://" in text:
        raise InputError("database", repr(text.partition("://")[0] + "://"), _use())
    path = Path(source).expanduser()
    if text == "bank" and not path.exists():
        from benthic.datasets.bank import bank  # brings torch

        return open_bank(connection, bank())
    return _open_path(path, connection)


def _open_path(path: Path, connection: duckdb.DuckDBPyConnection) -> Source:
    try:
        if path.is_dir():
            is_relbench = (path / MANIFEST) in path.iterdir()
            return (open_relbench_folder if is_relbench else open_folder)(
                connection, path
            )
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except FileNotFoundError:
        raise InputError("database", f"no {path}", "check the path") from None
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        remedy = "ask for the right to read it, or name another"
        raise InputError("database", f"{path}: {reason}", remedy) from error
    if head == _SQLITE:
        return SQLiteFile(connection, path)
    where, mark = _DUCKDB
    if head[where] == mark:
        return open_duckdb_file(connection, path)
    found = f"{path}, which is neither a DuckDB nor an SQLite file"
    if not head:
        found = f"{path}, which is empty"
    raise InputError("database", found, _use())


def _use() -> str:
    return f"open {_KINDS}"
