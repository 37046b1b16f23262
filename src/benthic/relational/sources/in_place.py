"""Tables that DuckDB reads where they are, the columns that a query names."""

from __future__ import annotations

from collections.abc import Callable, Collection

import duckdb

from benthic.relational.declared import Declared
from benthic.relational.sources.presentable import presentable
from benthic.relational.sources.source import SAMPLE_ROWS
from benthic.relational.sql import quoted


class TablesInPlace:
    """Tables whose raw relations are views; a source.

    Args:
        connection: The private connection.
        title: What was opened.
        declared: The tables; each has a view with all columns and ``_row`` in the
            schema ``raw``.
        close: Lets the database go.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        title: str,
        declared: Declared,
        close: Callable[[], object] = lambda: None,
    ) -> None:
        self.title = title
        self.declared = presentable(declared)
        self._connection = connection
        self._close = close

    def relation(self, table: str, columns: Collection[str]) -> str:  # noqa: ARG002
        """The view: of all columns, since DuckDB reads only those that are used."""
        return quoted("raw", table)

    def sample(self, table: str) -> str:
        """Every k-th row: the same rows at every opening."""
        step = max(1, -(-self.declared.tables[table].num_rows // SAMPLE_ROWS))
        name = quoted("sample", table)
        self._connection.execute(
            f"CREATE OR REPLACE VIEW {name} AS SELECT * FROM {quoted('raw', table)} "
            f"WHERE _row % {step} = 0 LIMIT {SAMPLE_ROWS}"
        )
        return name

    def close(self) -> None:
        """Lets the database go."""
        self._close()
