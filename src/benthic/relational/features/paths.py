"""Which foreign keys lead from the entity to rows that say something about it?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from benthic.relational.schema import Chain, Schema


@dataclass(frozen=True)
class Path:
    """Rows of ``chain.tables[0]``, grouped by the key they point at through ``chain``.

    Args:
        chain: From the row table up to the table that holds the key.
        last: None where the key is the entity's own. Otherwise the key is found in
            column ``key_col`` of the last row of this chain (up to the entity), or of
            the entity's row where ``last`` has no step.
        key_col: Foreign key column that holds the key.
    """

    chain: Chain
    last: Chain | None = None
    key_col: str | None = None

    @property
    def table(self) -> str:
        """The row table."""
        return self.chain.tables[0]

    @property
    def is_own(self) -> bool:
        """Whether the rows are the entity's own."""
        return self.last is None

    def __str__(self) -> str:
        down = _downward(self.chain)
        if self.last is None:
            return down
        return f"{_downward(self.last)}.{self.key_col} -> {down}"

    @property
    def label(self) -> str:
        """A short name: the row table, with what distinguishes it."""
        own = ".".join((self.table, *self.chain.columns))
        if self.last is None:
            return own
        return f"{'.'.join((self.last.tables[0], str(self.key_col)))}>{own}"

    @property
    def key_name(self) -> str:
        """Name of the category that holds the key, when it is a parent's."""
        if self.last is None:
            return ""
        return f"{'.'.join((self.last.tables[0], *self.last.columns))}.{self.key_col}"


def _downward(chain: Chain) -> str:
    text = chain.tables[-1]
    for table, column in zip(
        reversed(chain.tables[:-1]), reversed(chain.columns), strict=True
    ):
        text += f" <- {table}.{column}"
    return text


def own_paths(schema: Schema, entity_table: str, num_hops: int) -> tuple[Path, ...]:
    """Paths to rows that point at the entity through one to ``num_hops`` keys.

    Args:
        schema: The tables.
        entity_table: Where the entities are.
        num_hops: Longest chain of foreign keys.
    """
    return tuple(
        Path(chain)
        for table in schema.tables
        for chain in schema.chains(table, entity_table, num_hops)
        if schema.tables[chain.tables[-1]].pkey_col is not None
    )


def neighbor_paths(
    schema: Schema, entity_table: str, num_hops: int
) -> tuple[Path, ...]:
    """Paths up to a parent and down again to the rows that point at that parent.

    The parent is the entity row's own, or the one of its last child row: the results
    of the constructor that a driver last raced for. They speak for an entity that has
    little history of its own.

    Args:
        schema: The tables.
        entity_table: Where the entities are.
        num_hops: Fewer than 2 gives none.
    """
    if num_hops < 2:
        return ()
    own_row = Chain((entity_table,))
    starts = [own_row, *_children(schema, entity_table)]
    return tuple(path for start in starts for path in _through(schema, start))


def _through(schema: Schema, last: Chain) -> Iterator[Path]:
    for key in schema.tables[last.tables[0]].fkeys:
        if key.column in last.columns or key.table == last.tables[-1]:
            continue
        if schema.tables[key.table].pkey_col is None:
            continue
        for child, column in schema.children[key.table]:
            yield Path(Chain((child, key.table), (column,)), last, key.column)


def _children(schema: Schema, table: str) -> Iterator[Chain]:
    for child, column in schema.children[table]:
        yield Chain((child, table), (column,))
