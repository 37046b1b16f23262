"""Tables of an SQLite file, read-only through Python's own sqlite3."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from urllib.parse import quote

import duckdb
import pyarrow as pa

from benthic.errors import DatabaseError, InputError
from benthic.relational.declared import Declared, DeclaredKey, DeclaredTable
from benthic.relational.missing import is_missing
from benthic.relational.sources.copied import CopiedTables, copy_batches, transaction
from benthic.relational.sources.presentable import presentable
from benthic.relational.sources.source import SAMPLE_ROWS, one_line, reading
from benthic.relational.sources.sqlite_values import column_kind, column_type
from benthic.relational.sql import literal, quoted

_BATCH = 50_000  # rows: some MB of Python objects at a time
_COLUMNS = 500  # columns a query: SQLite takes 2,000 at most
_JOURNAL_MODE = slice(18, 20)  # bytes of the header; 2, 2 says write-ahead log


class SQLiteFile:
    """An SQLite file; columns are copied when they are asked for.

    A file in write-ahead-log mode that nobody has open is read as immutable, since
    SQLite would leave ``-wal`` and ``-shm`` files beside it; should someone write to
    it all the same, the reading fails instead of mixing old and new rows.

    Args:
        connection: The private connection.
        path: The file.

    Raises:
        InputError: If it cannot be opened.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, path: Path) -> None:
        self.title = path.name
        self._path = path
        self._connection = connection
        self._is_immutable = _is_closed_log(path)
        mode = "&immutable=1" if self._is_immutable else ""
        uri = f"file:{quote(str(path.absolute()))}?mode=ro{mode}"
        self._file_state = _file_state(path)
        try:
            # Relations are asked for under a lock, from whatever thread.
            self._sqlite = sqlite3.connect(uri, uri=True, check_same_thread=False)
        except sqlite3.Error as error:
            raise _cannot_open(path, error) from error
        self._sqlite.text_factory = _decode
        try:
            self.declared = presentable(self._declare())
        except sqlite3.Error as error:
            self._sqlite.close()
            raise _cannot_open(path, error) from error
        self._copied = CopiedTables(
            connection, self.declared, self._batches, self._version
        )

    def relation(self, table: str, columns: Collection[str]) -> str:
        """A copy of at least these columns."""
        with reading(self.title, sqlite3.Error):
            return self._copied.relation(table, columns)

    def sample(self, table: str) -> str:
        """Every k-th row by ``rowid``; the first ones of a table without."""
        facts, name = self.declared.tables[table], quoted("sample", table)
        if facts.num_rows <= SAMPLE_ROWS:
            return self.relation(table, facts.columns)
        step = -(-facts.num_rows // SAMPLE_ROWS)
        where = f"WHERE rowid % {step} = 0" if self._has_rowid(table) else ""
        with reading(self.title, sqlite3.Error), transaction(self._connection):
            self._connection.execute(f"DROP TABLE IF EXISTS {name}")
            rest = f"{where} LIMIT {SAMPLE_ROWS}"
            batches = self._batches(table, list(facts.columns), rest)
            copy_batches(self._connection, name, batches)
        return name

    def close(self) -> None:
        """Lets the file go."""
        self._sqlite.close()

    def _batches(
        self, table: str, columns: Sequence[str], rest: str = ""
    ) -> Iterator[pa.RecordBatch]:
        facts = self.declared.tables[table]
        kinds = [column_kind(facts.columns[column]) for column in columns]
        names = ", ".join(
            quoted(column) if facts.columns[column] == "VARCHAR" else _known(column)
            for column in columns
        )
        # An index that covers the columns would give the rows in its own order.
        rows = self._sqlite.execute(
            f"SELECT {names} FROM {quoted(table)} NOT INDEXED {rest}"
        )
        chunk = rows.fetchmany(_BATCH)
        while True:
            values = zip(*chunk, strict=True) if chunk else ((),) * len(columns)
            arrays = [
                kind.array(column) for kind, column in zip(kinds, values, strict=True)
            ]
            yield pa.RecordBatch.from_arrays(arrays, names=list(columns))
            chunk = rows.fetchmany(_BATCH)
            if not chunk:
                break
        self._version()

    def _version(self) -> object:
        if not self._is_immutable:
            return self._sqlite.execute("PRAGMA data_version").fetchone()
        if _file_state(self._path) != self._file_state:
            raise DatabaseError(
                f"{self.title}: the file changed while it was read; open it again"
            )
        return None

    def _has_rowid(self, table: str) -> bool:
        try:
            self._sqlite.execute(f"SELECT rowid FROM {quoted(table)} LIMIT 0")
        except sqlite3.OperationalError:
            return False
        return True

    def _declare(self) -> Declared:
        rows = self._sqlite.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND rootpage > 0 "
            "AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY rowid"
        ).fetchall()
        shadows = self._sqlite.execute("PRAGMA table_list").fetchall()
        hidden = {row[1] for row in shadows if row[2] in ("shadow", "virtual")}
        names = [name for (name,) in rows if name not in hidden]
        infos = {name: self._columns(name) for name in names}
        pkeys = {
            name: tuple(
                row[1] for row in sorted(info, key=lambda row: row[5]) if row[5]
            )
            for name, info in infos.items()
        }
        tables = {name: self._table(name, infos[name], pkeys) for name in names}
        return Declared(tables)

    def _columns(self, table: str) -> list[tuple[int, str, str, int, object, int]]:
        """Position, name, type, not null, default, place in the primary key."""
        rows = self._sqlite.execute(f"PRAGMA table_xinfo({literal(table)})").fetchall()
        # 1 is a hidden column of a virtual table; 2 and 3 are generated columns.
        return [row[:6] for row in rows if row[6] != 1]

    def _table(
        self,
        name: str,
        info: list[tuple[int, str, str, int, object, int]],
        pkeys: dict[str, tuple[str, ...]],
    ) -> DeclaredTable:
        query = f"SELECT count(*) FROM {quoted(name)}"
        (num_rows,) = self._sqlite.execute(query).fetchone()
        held = self._held(name, {row[1]: quoted(row[1]) for row in info})
        mixed = [column for column, classes in held.items() if _is_mixed(classes)]
        held |= self._held(name, {column: _known(column) for column in mixed})
        columns = {row[1]: column_type(row[2], held[row[1]]) for row in info}
        fkeys = self._foreign_keys(name, pkeys)
        return DeclaredTable(name, columns, pkeys[name], fkeys, num_rows=num_rows)

    def _held(self, table: str, values: Mapping[str, str]) -> dict[str, str]:
        """Storage classes of values, given as SQL by column."""
        found: dict[str, str] = {}
        columns = iter(values)
        while batch := list(islice(columns, _COLUMNS)):
            classes = (f"group_concat(DISTINCT typeof({values[c]}))" for c in batch)
            query = f"SELECT {', '.join(classes)} FROM {quoted(table)}"
            row = self._sqlite.execute(query).fetchone()
            found |= {c: held or "" for c, held in zip(batch, row, strict=True)}
        return found

    def _foreign_keys(
        self, table: str, pkeys: dict[str, tuple[str, ...]]
    ) -> tuple[DeclaredKey, ...]:
        query = f"PRAGMA foreign_key_list({literal(table)})"
        spelled = {name.lower(): name for name in pkeys}
        found: dict[int, list[tuple[str, str, str | None]]] = {}
        for number, _, parent, own, theirs, *_ in self._sqlite.execute(
            query
        ).fetchall():
            found.setdefault(number, []).append((parent, own, theirs))
        keys = []
        # SQLite lists the key that was declared last first.
        for _, parts in sorted(found.items(), reverse=True):
            parent = spelled.get(parts[0][0].lower())
            if parent is None:
                continue
            own = tuple(self._spelled(table, part[1]) for part in parts)
            theirs = tuple(
                self._spelled(parent, part[2]) for part in parts if part[2] is not None
            )
            # REFERENCES parent, with no column, means its primary key.
            keys.append(DeclaredKey(own, parent, theirs or pkeys[parent]))
        return tuple(key for key in keys if len(key.columns) == len(key.parent_columns))

    def _spelled(self, table: str, column: str) -> str:
        names = {row[1].lower(): row[1] for row in self._columns(table)}
        return names.get(column.lower(), column)


def _is_mixed(classes: str) -> bool:
    """Whether there are both numbers and texts."""
    held = set(classes.split(","))
    return "text" in held and bool(held & {"integer", "real"})


def _known(column: str) -> str:
    """SQL of a value of a column of numbers: NULL where a word stands for it."""
    name = quoted(column)
    word = f"typeof({name}) = 'text' AND {is_missing(name)}"
    return f"CASE WHEN {word} THEN NULL ELSE {name} END"


def _decode(text: bytes) -> str:
    return text.decode("utf-8", "replace")


def _is_closed_log(path: Path) -> bool:
    """Whether it is in write-ahead-log mode with nobody at it."""
    with path.open("rb") as file:
        mode = file.read(_JOURNAL_MODE.stop)[_JOURNAL_MODE]
    log = path.with_name(f"{path.name}-wal")
    return mode == b"\x02\x02" and not log.exists()


def _file_state(path: Path) -> tuple[int, int, bool]:
    facts = path.stat()
    log = path.with_name(f"{path.name}-wal")
    return facts.st_mtime_ns, facts.st_size, log.exists() and log.stat().st_size > 0


def _cannot_open(path: Path, error: sqlite3.Error) -> InputError:
    text = one_line(error)
    remedy = "repair the file, or name another"
    if path.with_name(f"{path.name}-journal").exists():
        text = f"{text}: an unfinished transaction stands in {path.name}-journal"
        remedy = "open it once with the program that writes to it"
    elif path.with_name(f"{path.name}-wal").exists():
        remedy = "make its folder writable, or copy the file together with its -wal"
    found = f"{path}, which SQLite cannot read ({text})"
    return InputError("database", found, remedy)
