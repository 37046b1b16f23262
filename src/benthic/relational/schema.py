"""What a database is made of: tables, keys, semantic types, times, and why."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import cached_property


class SType(str, Enum):
    """Semantic type of a column, by torch_frame's names.

    It decides what a predictive query may ask of the column, not how it is stored: an
    integer column that counts nothing is categorical.
    """

    numerical = "numerical"
    categorical = "categorical"
    boolean = "boolean"
    multicategorical = "multicategorical"
    text = "text"
    timestamp = "timestamp"
    id = "ID"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class Choice:
    """Why something was taken to be so.

    Args:
        reason: One clause: "declared", "name ends in _id; 412 of 412 values unique".
        confidence: 1 where the database or the user said so.
    """

    reason: str = "declared"
    confidence: float = 1.0


@dataclass(frozen=True)
class Column:
    """One column.

    Args:
        name: As the database spells it.
        dtype: DuckDB's name of the type that the normalized relation gives.
        stype: Semantic type.
        choice: Why this semantic type.
        expression: SQL that reads it from the raw relation (quoted identifiers), where
            it is not the raw column itself: a date kept as text, seconds since 1970, a
            time with a zone, a composite key.
        sources: Raw columns that ``expression`` reads; empty: the column itself.
    """

    name: str
    dtype: str
    stype: SType
    choice: Choice = Choice()
    expression: str = ""
    sources: tuple[str, ...] = ()


@dataclass(frozen=True)
class ForeignKey:
    """A column whose values are keys of another table.

    Args:
        column: The column that holds the keys.
        table: The table they point at, by its primary key.
        choice: Why they do.
    """

    column: str
    table: str
    choice: Choice = Choice()


@dataclass(frozen=True)
class Table:
    """One table.

    Args:
        name: As the database spells it (``schema.table`` outside the main schema).
        columns: By name, in the order of the database.
        pkey_col: The primary key, if there is one.
        fkeys: Foreign keys, by column.
        time_col: When a row came to be; None for a static table.
        end_time_col: When a row ceased to be, if it does.
        num_rows: Number of rows.
        choices: Why ``pkey_col``, ``time_col`` and ``end_time_col`` were taken.
    """

    name: str
    columns: Mapping[str, Column]
    pkey_col: str | None = None
    fkeys: tuple[ForeignKey, ...] = ()
    time_col: str | None = None
    end_time_col: str | None = None
    num_rows: int = 0
    choices: Mapping[str, Choice] = field(default_factory=dict)

    @property
    def fkey_col_to_pkey_table(self) -> dict[str, str]:
        """Foreign key column -> table it points at, as RelBench writes it."""
        return {key.column: key.table for key in self.fkeys}

    def made_of(self, columns: Collection[str]) -> tuple[str, ...]:
        """Some columns, and all that are read from the same stored columns.

        A composite foreign key tells what its parts are. What dates a row or tells it
        from others stays out: a row that is asked about is given with these.

        Args:
            columns: Names of columns.

        Example:
            >>> a, b = (Column(name, "VARCHAR", SType.id) for name in "ab")
            >>> key = Column("a+b", "VARCHAR", SType.id, sources=("a", "b"))
            >>> Table("t", {"a": a, "b": b, "a+b": key}).made_of(["b"])
            ('b', 'a+b')
        """
        stored = {
            source
            for name in columns
            for source in (self.columns[name].sources or (name,))
        }
        given = {self.pkey_col, self.time_col, self.end_time_col}
        return tuple(
            name
            for name, column in self.columns.items()
            if name not in given and stored & set(column.sources or (name,))
        )

    def without(self, columns: Collection[str]) -> Table:
        """The table as if some columns, and the keys in them, were not there.

        Args:
            columns: Names of columns that neither date a row nor are its key.
        """
        return replace(
            self,
            columns={n: c for n, c in self.columns.items() if n not in columns},
            fkeys=tuple(key for key in self.fkeys if key.column not in columns),
        )

    def typed(self, stypes: Mapping[str, str]) -> Table:
        """The table with other semantic types of some columns.

        Args:
            stypes: Column -> its type.
        """
        columns = {
            name: replace(column, stype=SType(stypes.get(name, column.stype)))
            for name, column in self.columns.items()
        }
        return replace(self, columns=columns)


@dataclass(frozen=True)
class Problem:
    """Something about the data that the user should know.

    Args:
        table: Where.
        column: Where, if it is about one column.
        text: What, with its count, and what was done about it.
        could_point_at: Tables that the column could point at, where it is not linked.
        could_be_number: Whether the texts of the column could be read as numbers.
    """

    table: str
    column: str | None
    text: str
    could_point_at: tuple[str, ...] = ()
    could_be_number: bool = False


@dataclass(frozen=True)
class Chain:
    """Foreign keys from a child up to an ancestor, one row to at most one row.

    Args:
        tables: ``tables[0]`` is the child, ``tables[-1]`` the ancestor.
        columns: ``columns[i]`` of ``tables[i]`` points at ``tables[i + 1]``.
    """

    tables: tuple[str, ...]
    columns: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.columns)

    def __str__(self) -> str:
        steps = zip(self.tables, self.columns, strict=False)
        keys = "".join(f"{table}.{column} -> " for table, column in steps)
        return f"{keys}{self.tables[-1]}"


@dataclass(frozen=True)
class Schema:
    """All tables of a database and how they hang together.

    Args:
        tables: By name.
        problems: What the data hold that a user should know.
    """

    tables: Mapping[str, Table]
    problems: tuple[Problem, ...] = ()

    @cached_property
    def children(self) -> dict[str, tuple[tuple[str, str], ...]]:
        """Table -> (child table, foreign key column) of each key that points at it."""
        found: dict[str, list[tuple[str, str]]] = {name: [] for name in self.tables}
        for table in self.tables.values():
            for key in table.fkeys:
                found[key.table].append((table.name, key.column))
        return {name: tuple(links) for name, links in found.items()}

    def typed(self, stypes: Mapping[str, Mapping[str, str]]) -> Schema:
        """The schema with other semantic types of some columns.

        Args:
            stypes: Table -> column -> its type; others are passed over.
        """
        tables = {
            name: table.typed(stypes.get(name, {}))
            for name, table in self.tables.items()
        }
        return replace(self, tables=tables)

    def dated_by(self, table: str, seen: tuple[str, ...] = ()) -> tuple[str, ...]:
        """The tables whose times say when rows of a table become visible.

        Itself, where it has a time; else all that its rows point at, and so on up. None
        for a static table, whose rows are always visible.

        Args:
            table: Which one.
            seen: Tables already followed.
        """
        if self.tables[table].time_col is not None:
            return (table,)
        seen = (*seen, table)
        parents = {key.table: None for key in self.tables[table].fkeys}
        found = [
            dating
            for parent in parents
            if parent not in seen and self.tables[parent].pkey_col is not None
            for dating in self.dated_by(parent, seen)
        ]
        return tuple(dict.fromkeys(found))

    def chains(self, child: str, ancestor: str, most: int = 6) -> Iterator[Chain]:
        """All chains of one to ``most`` foreign keys from child to ancestor.

        Shortest first. A chain visits no table twice, but for a self-reference, which
        is one step.

        Args:
            child: Where to start.
            ancestor: Where to end.
            most: Longest chain.
        """
        open_chains = [Chain((child,))]
        for _ in range(most):
            open_chains = [
                Chain((*chain.tables, key.table), (*chain.columns, key.column))
                for chain in open_chains
                for key in self.tables[chain.tables[-1]].fkeys
                if key.table not in chain.tables
                or (len(chain) == 0 and key.table == child == ancestor)
            ]
            yield from (chain for chain in open_chains if chain.tables[-1] == ancestor)
