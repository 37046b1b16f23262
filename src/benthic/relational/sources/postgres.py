"""Tables of a PostgreSQL server, columns in bulk as Arrow."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

import duckdb
import pyarrow as pa

from benthic.errors import InputError
from benthic.relational.declared import Declared, DeclaredTable
from benthic.relational.sources.copied import CopiedTables, copy_batches, transaction
from benthic.relational.sources.presentable import first_of_each, presentable
from benthic.relational.sources.source import (
    SAMPLE_ROWS,
    column_types,
    one_line,
    reading,
)
from benthic.relational.sql import quoted

try:
    from adbc_driver_postgresql import dbapi

    from benthic.relational.sources import postgres_catalog as catalog
except ImportError as _error:
    _missing: ImportError | None = _error
else:
    _missing = None

# One state of the database for all that is read, and every read in the same order.
_SESSION = (
    "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
    "SET LOCAL synchronize_seqscans = off",
    "SET LOCAL max_parallel_workers_per_gather = 0",
    "SET LOCAL enable_indexscan = off",
    "SET LOCAL enable_indexonlyscan = off",
    "SET LOCAL enable_bitmapscan = off",
    "SET LOCAL idle_in_transaction_session_timeout = 0",
)


class Postgres:
    """A PostgreSQL database; columns are copied when they are asked for.

    Everything is read in one read-only transaction that stays open: it sees the
    database as it was at opening. Keys come from the catalogue in a way that works
    for a role that may only SELECT; tables that the role may not read are left out. A
    time of infinity or -infinity is read as NULL.

    Args:
        connection: The private connection.
        url: ``postgresql://user:password@host:port/database``.

    Raises:
        InputError: If the extra is not installed or the server lets nobody in.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, url: str) -> None:
        if _missing is not None:
            raise InputError(
                "database",
                f"a PostgreSQL URL, but no module {_missing.name}",
                'pip install "benthic[postgres]"',
            ) from _missing
        address = catalog.read_url(url)
        self.title = catalog.title_of(address)
        self._connection = connection
        self._failures = (dbapi.Error, pa.ArrowException, OSError)
        self._catalog = catalog.read_catalog(address)
        try:
            self._server = dbapi.connect(catalog.conninfo(address))
            for statement in _SESSION:
                self._execute(statement)
        except self._failures as error:
            raise InputError(
                "database",
                f"{self.title}, which cannot be opened ({one_line(error)})",
                "check the URL and the rights of its role",
            ) from error
        try:
            with reading(self.title, *self._failures):
                self.declared = presentable(self._declare())
        except BaseException:
            self.close()
            raise
        self._copied = CopiedTables(connection, self.declared, self._batches)

    def relation(self, table: str, columns: Collection[str]) -> str:
        """A copy of at least these columns."""
        with reading(self.title, *self._failures):
            return self._copied.relation(table, columns)

    def sample(self, table: str) -> str:
        """Every k-th row, as the server numbers them."""
        facts, name = self.declared.tables[table], quoted("sample", table)
        if facts.num_rows <= SAMPLE_ROWS:
            return self.relation(table, facts.columns)
        step = -(-facts.num_rows // SAMPLE_ROWS)
        numbered = (
            f"(SELECT *, row_number() OVER () AS {_NUMBER} FROM {self._stored(table)})"
        )
        rest = f"{numbered} numbered WHERE {_NUMBER} % {step} = 0"
        with reading(self.title, *self._failures), transaction(self._connection):
            self._connection.execute(f"DROP TABLE IF EXISTS {name}")
            batches = self._batches(table, list(facts.columns), rest)
            copy_batches(self._connection, name, batches)
        return name

    def close(self) -> None:
        """Lets the server go."""
        try:
            self._server.close()
        except self._failures:  # the server has gone already
            pass

    def _execute(self, sql: str) -> None:
        with self._server.cursor() as cursor:
            cursor.execute(sql)

    def _stored(self, table: str) -> str:
        return quoted(*self._catalog[table].path)

    def _batches(
        self, table: str, columns: Sequence[str], source: str = ""
    ) -> Iterator[pa.RecordBatch]:
        reads = self._catalog[table].reads
        names = ", ".join(f"{reads[column]} AS {quoted(column)}" for column in columns)
        with self._server.cursor() as cursor:
            cursor.execute(f"SELECT {names} FROM {source or self._stored(table)}")
            reader = cursor.fetch_record_batch()
            # The types, where there is no row to show them.
            yield pa.RecordBatch.from_pylist([], schema=reader.schema)
            yield from reader

    def _declare(self) -> Declared:
        tables, notes = {}, []
        for name, facts in self._catalog.items():
            if not facts.is_readable or not facts.reads:
                why = "has no column" if facts.is_readable else "may not be read"
                notes.append((name, f"the table is left out: it {why}"))
                continue
            tables[name] = DeclaredTable(
                name=name,
                columns=self._types(name, list(facts.reads)),
                pkey=facts.pkey,
                fkeys=facts.fkeys,
                num_rows=self._count(name),
            )
        return Declared(tables, tuple(notes))

    def _count(self, table: str) -> int:
        with self._server.cursor() as cursor:
            cursor.execute(f"SELECT count(*) FROM {self._stored(table)}")
            return int(cursor.fetchone()[0])

    def _types(self, table: str, columns: Sequence[str]) -> dict[str, str]:
        names = f"{self._stored(table)} WHERE false"
        # Arrow would rename a column whose name differs from another's only by case.
        first = first_of_each(columns)
        batch: Any = next(self._batches(table, first, names))
        self._connection.register("\x1fempty", pa.Table.from_batches([batch]))
        types = column_types(self._connection, '"\x1fempty"')
        return {column: types.get(column, "") for column in columns}


_NUMBER = quoted("\x1fnumber")
