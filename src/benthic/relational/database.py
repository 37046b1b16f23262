"""A relational database, opened read-only, whatever it is kept in."""

from __future__ import annotations

import copy
import datetime as dt
import difflib
import shutil
import tempfile
import threading
import weakref
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

import duckdb
import pandas as pd

from benthic.errors import InputError
from benthic.relational.inference import infer_schema
from benthic.relational.overrides import overrides_beside, read_overrides
from benthic.relational.schema import Schema, Table
from benthic.relational.sources.frames import KeyedTables
from benthic.relational.sources.opening import open_source
from benthic.relational.sources.source import Source, reading
from benthic.relational.sql import literal, quoted
from benthic.relational.visibility import select_rows

_Alterations = tuple[tuple[str, ...], tuple[tuple[str, str], ...]]
"""Columns that the SELECTs need; what stands before FROM, what stands after it."""

_SCHEMAS = ("raw", "copied", "sample", "tables")  # of the private DuckDB


class Database:
    """Tables, keys and times of a database that is read and never written.

    Columns are read when they are needed, by a private DuckDB with bounded memory;
    what does not fit goes to temporary files, which leave with :meth:`close`. One
    thread at a time may use it: a second one opens the database again, or takes
    ``connection.cursor()`` once the relations it needs were asked for.

    Attributes:
        schema: Tables, keys, semantic types and times: declared ones, else inferred
            ones, and above both what the user says.
        connection: The private DuckDB, with times in UTC.

    Example:
        >>> frames = {"orders": pd.DataFrame({"order_id": [1, 2], "total": [9.5, 3.0]})}
        >>> with Database.open(frames) as db:
        ...     db, db.query(f"SELECT total FROM {db.relation('orders')}")
        (Database('frames', 1 table, 2 rows), [(9.5,), (3.0,)])
    """

    def __init__(
        self,
        source: Source,
        schema: Schema,
        connection: duckdb.DuckDBPyConnection,
        scratch: Path,
    ) -> None:
        """Use :meth:`open`."""
        self.schema = schema
        self._whole_schema = schema
        self.connection = connection
        self._source = source
        self._shown: dict[str, list[str]] = {}
        self._end_time: dt.datetime | None = None
        self._spans: dict[str, tuple[dt.datetime, dt.datetime] | None] = {}
        self._alterations: dict[str, _Alterations] = {}
        self._lock = threading.RLock()
        # A copy holds what it was made of: that closes the connection as it goes.
        self._origin: Database | None = None
        self._finalizer = weakref.finalize(self, _close, source, connection, scratch)

    @classmethod
    def open(
        cls,
        source: str | Path | KeyedTables | Mapping[str, pd.DataFrame],
        *,
        overrides: str | Path | Mapping[str, Any] | None = None,
        memory_limit: str = "4GB",
        temp_directory: str | Path | None = None,
    ) -> Database:
        """Opens a database and finds out its schema.

        A file is known by its content: DuckDB or SQLite. A folder holds Parquet or
        CSV files, a table each, or is a RelBench folder (with ``manifest.yaml``).
        Tables are read, views are not.

        Args:
            source: Path of a file or folder, ``postgresql://…`` URL, frames by name,
                ``"bank"`` or a bank.
            overrides: What the user knows better than the catalogue and our
                inference: a YAML or TOML file, or a mapping of the same shape. If
                None, the file ``schema.yaml`` in the folder or ``NAME.schema.yaml``
                beside the file, if there is one.
            memory_limit: Memory that may be used before data go to temporary files.
            temp_directory: Folder for these; the system's, if None.

        Raises:
            InputError: If there is no such database or it cannot be opened.
            DatabaseError: If it fails while it is read.
        """
        connection, scratch = _open_scratch(memory_limit, temp_directory)
        opened: Source | None = None
        try:
            opened = open_source(source, connection)
            schema = _schema(opened, connection, overrides, source)
        except BaseException:
            _close(opened, connection, scratch)
            raise
        return cls(opened, schema, connection, scratch)

    def relation(self, table: str, columns: Iterable[str] | None = None) -> str:
        """Quoted name of a relation in :attr:`connection` with normalized columns.

        Times are TIMESTAMP without zone, in UTC where the source had zones; dates
        kept as text or as seconds are converted. Beside the columns there are

        - ``_time`` TIMESTAMP, when the row becomes visible: its own time or, in a
          table without time column, the latest ``_time`` of the rows it points at,
          and so on up; NULL in a table that no time reaches (always visible), else
          never visible;
        - ``_row`` BIGINT, the number of the row in the order of the source, which
          tells rows without key apart.

        The name stays the same for a table, and the relation grows with what is
        asked for.

        Args:
            table: Name of a table of :attr:`schema`.
            columns: What is needed; all of them, if None. There may be more.

        Raises:
            InputError: If there is no such table or column.
            DatabaseError: If the source fails while it is read.
        """
        facts = self._table(table)
        changed, alterations = self._alterations.get(table, ((), ()))
        wanted = list(facts.columns) if columns is None else list(columns)
        for column in wanted:
            if column not in facts.columns:
                raise _unknown(f"column of {table}", column, facts.columns)
        wanted += changed
        name = quoted("tables", table)
        with self._lock:
            shown = self._shown.get(table)
            if shown is None or not set(wanted) <= set(shown):
                both, whole = {*wanted, *(shown or ())}, self._whole_schema
                stored = whole.tables[table].columns
                ordered = [column for column in stored if column in both]
                with reading(self._source.title):
                    rows = select_rows(whole, table, ordered, self._source.relation)
                    self.connection.execute(f"CREATE OR REPLACE VIEW {name} AS {rows}")
                self._shown[table] = ordered
        for select, where in alterations:
            name = f"({select} FROM {name}{where})"
        return name

    def altered(
        self,
        table: str,
        *,
        hidden_rows: Iterable[int] = (),
        values: Mapping[str, Any] | None = None,
    ) -> Database:
        """The same database as it would look with a table changed; nothing is written.

        Shares the connection: what closes one closes the other.

        Args:
            table: Which table.
            hidden_rows: Numbers (``_row``) of rows that are not to be there.
            values: Column -> the value that all rows are to have in it.

        Example:
            >>> db = Database.open({"a": pd.DataFrame({"n": [1, 2]})})
            >>> less = db.altered("a", hidden_rows=[0])
            >>> less.query(f"SELECT n FROM {less.relation('a')}")
            [(2,)]
        """
        columns = self._table(table).columns
        said = [
            f"CAST({literal(value)} AS {columns[name].dtype}) AS {quoted(name)}"
            for name, value in (values or {}).items()
        ]
        hidden = ", ".join(str(int(row)) for row in hidden_rows)
        replaced = f" REPLACE ({', '.join(said)})" if said else ""
        kept = f" WHERE _row NOT IN ({hidden})" if hidden else ""
        return self._with(table, tuple(values or ()), (f"SELECT *{replaced}", kept))

    def without(self, table: str, columns: Iterable[str]) -> Database:
        """The same database as if some columns of a table had never been stored.

        Nor is there what is made of them, such as a composite foreign key. Whatever
        reads this database cannot see them. Shares the connection.

        Args:
            table: Which table.
            columns: Columns of it; some may be gone already.

        Example:
            >>> db = Database.open({"a": pd.DataFrame({"n": [1, 2], "m": [3, 4]})})
            >>> list(db.without("a", ["m"]).schema.tables["a"].columns)
            ['n']
        """
        facts = self._table(table)
        known = [column for column in columns if column in facts.columns]
        hidden = facts.made_of(known)
        if not hidden:
            return self
        listed = ", ".join(map(quoted, hidden))
        made = self._with(table, hidden, (f"SELECT * EXCLUDE ({listed})", ""))
        tables = {**self.schema.tables, table: facts.without(hidden)}
        made.schema = replace(self.schema, tables=tables)
        return made

    def typed(self, stypes: Mapping[str, Mapping[str, str]]) -> Database:
        """The same database with other semantic types of some columns.

        Shares the connection.

        Args:
            stypes: Table -> column -> its type; others are passed over.

        Example:
            >>> db = Database.open({"a": pd.DataFrame({"n": [1, 2]})})
            >>> db.typed({"a": {"n": "text"}}).schema.tables["a"].columns["n"].stype
            <SType.text: 'text'>
        """
        made = self._copy()
        made.schema = self.schema.typed(stypes)
        return made

    def _copy(self) -> Database:
        made = copy.copy(self)
        made._origin = self._origin or self
        return made

    def _with(
        self, table: str, columns: tuple[str, ...], alteration: tuple[str, str]
    ) -> Database:
        """The same database with a table read by one more SELECT."""
        changed, before = self._alterations.get(table, ((), ()))
        made = self._copy()
        made._spans = {}
        made._alterations = {
            **self._alterations,
            table: ((*changed, *columns), (*before, alteration)),
        }
        return made

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows that SQL over relations gives.

        Args:
            sql: A query in DuckDB's SQL.

        Raises:
            DatabaseError: If it fails.
        """
        with reading(self._source.title):
            return self.connection.execute(sql).fetchall()

    def frame(self, sql: str) -> pd.DataFrame:
        """What SQL over relations gives, as a frame.

        Args:
            sql: A query in DuckDB's SQL.

        Raises:
            DatabaseError: If it fails.
        """
        with reading(self._source.title):
            return self.connection.execute(sql).df()

    @property
    def title(self) -> str:
        """What was opened, fit to be printed: a path's last part, no password."""
        return self._source.title

    @property
    def end_time(self) -> dt.datetime:
        """Latest time in any time column: the default anchor.

        Raises:
            InputError: If no table has a time.
        """
        if self._end_time is None:
            ends = [self._latest(table) for table in self.schema.tables.values()]
            known = [end for end in ends if end is not None]
            if not known:
                raise InputError(
                    "database",
                    "no time in any table",
                    "name a time column in the overrides",
                )
            self._end_time = max(known)
        return self._end_time

    def time_span(self, table: str) -> tuple[dt.datetime, dt.datetime] | None:
        """When the first and the last row of a table became visible.

        Args:
            table: Which table; None is the answer where no row has a time.

        Raises:
            DatabaseError: If the source fails while it is read.
        """
        if table not in self._spans:
            first, last = self.query(
                f"SELECT min(_time), max(_time) FROM {self.relation(table, [])}"
                " WHERE isfinite(_time)"
            )[0]
            self._spans[table] = None if first is None else (first, last)
        return self._spans[table]

    def close(self) -> None:
        """Lets the database go and deletes the temporary files; twice is fine."""
        self._finalizer()

    def __enter__(self) -> Database:
        """The database itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Closes it."""
        self.close()

    def __repr__(self) -> str:
        tables = self.schema.tables.values()
        num_rows = sum(table.num_rows for table in tables)
        kind = "table" if len(tables) == 1 else "tables"
        return f"Database({self.title!r}, {len(tables)} {kind}, {num_rows:,} rows)"

    def _latest(self, table: Table) -> dt.datetime | None:
        span = None if table.time_col is None else self.time_span(table.name)
        return None if span is None else span[1]

    def _table(self, name: str) -> Table:
        if name not in self.schema.tables:
            raise _unknown("table", name, self.schema.tables)
        return self.schema.tables[name]


class _Probe:
    """Inference's look at the data."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, source: Source) -> None:
        self._connection = connection
        self._source = source

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows that ``sql`` gives."""
        return self._connection.execute(sql).fetchall()

    def relation(self, table: str, columns: Iterable[str] | None = None) -> str:
        """Quoted name of the raw relation."""
        facts = self._source.declared.tables[table]
        wanted = facts.columns if columns is None else columns
        return self._source.relation(table, set(wanted))

    def sample(self, table: str) -> str:
        """Quoted name of a relation of some of its rows."""
        return self._source.sample(table)


def _schema(
    source: Source,
    connection: duckdb.DuckDBPyConnection,
    overrides: str | Path | Mapping[str, Any] | None,
    named: object,
) -> Schema:
    if not source.declared.tables:
        notes = "; ".join(f"{name}: {text}" for name, text in source.declared.notes[:3])
        found = f"no table in {source.title}" + (f" ({notes})" if notes else "")
        raise InputError("database", found, "name a database that holds tables")
    if overrides is None and isinstance(named, str | Path) and Path(named).exists():
        overrides = overrides_beside(Path(named))
    said = None if overrides is None else read_overrides(overrides, source.declared)
    with reading(source.title):
        return infer_schema(source.declared, _Probe(connection, source), said)


def _open_scratch(
    memory_limit: str, temp_directory: str | Path | None
) -> tuple[duckdb.DuckDBPyConnection, Path]:
    try:
        scratch = Path(tempfile.mkdtemp(prefix="benthic-", dir=temp_directory))
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        remedy = "name a folder you can write to"
        found = f"{temp_directory or tempfile.gettempdir()}: {reason}"
        raise InputError("temp_directory", found, remedy) from error
    config: dict[str, str | bool | int | float | list[str]] = {
        "temp_directory": str(scratch),
        "memory_limit": memory_limit,
        "autoinstall_known_extensions": "false",
    }
    try:
        connection = duckdb.connect(":memory:", config=config)
    except duckdb.Error as error:
        shutil.rmtree(scratch, ignore_errors=True)
        found = repr(memory_limit)
        raise InputError("memory_limit", found, "write it like 4GB") from error
    connection.execute("SET TimeZone = 'UTC'")
    for schema in _SCHEMAS:
        connection.execute(f"CREATE SCHEMA {schema}")
    return connection, scratch


def _close(
    source: Source | None, connection: duckdb.DuckDBPyConnection, scratch: Path
) -> None:
    if source is not None:
        source.close()
    connection.close()
    shutil.rmtree(scratch, ignore_errors=True)


def _unknown(argument: str, name: str, known: Iterable[str]) -> InputError:
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    return InputError(
        argument, repr(name), f"choose {', '.join(near or list(known)[:8])}"
    )
