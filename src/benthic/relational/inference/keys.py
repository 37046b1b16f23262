"""Which column names a row?"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from benthic.relational.declared import DeclaredTable, Probe
from benthic.relational.inference.names import (
    PLAIN_KEYS,
    KeyName,
    ends_with,
    same,
    table_roots,
)
from benthic.relational.inference.profile import ColumnProfile
from benthic.relational.schema import Choice, Problem
from benthic.relational.sql import quoted

EXACT_ROWS = 5_000_000
"""Tables up to this size are checked row by row, larger ones on their sample."""

_FAMILIES = frozenset({"integer", "text", "uuid"})
_MOST_LETTERS = 64  # a longer text is prose that happens to be unique
_ALIKE = 5  # letters
_ENOUGH = 4.0
_TIE = 0.5
_CONFIDENCE = ((6.0, 0.99), (5.0, 0.95), (_ENOUGH, 0.75))
_NATURAL_KEYS = frozenset(
    {"slug", "sku", "isbn", "iso", "symbol", "ticker", "vin", "ean", "iata", "icao"}
)


@dataclass(frozen=True)
class KeyChoice:
    """What was found out about the key of a table.

    Args:
        columns: Its columns; empty without a key.
        choice: Why.
        problems: What does not hold.
    """

    columns: tuple[str, ...]
    choice: Choice
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class Duplicates:
    """How far columns are from naming each row.

    Args:
        rows: Rows looked at.
        nulls: Rows where one of the columns is NULL.
        distinct: Different values among the others.
        exact: Whether every row was looked at.
    """

    rows: int
    nulls: int
    distinct: int
    exact: bool

    @property
    def repeated(self) -> int:
        """Rows whose value another row already has."""
        return self.rows - self.nulls - self.distinct

    def __str__(self) -> str:
        where = "" if self.exact else " of the sample"
        return f"{self.distinct:,} of {self.rows:,} values{where} are unique"


def duplicates(
    table: DeclaredTable, columns: Sequence[str], probe: Probe
) -> Duplicates:
    """Counts NULLs and repeated values of a key, exactly up to :data:`EXACT_ROWS`.

    Args:
        table: The table.
        columns: Columns of the key.
        probe: Access to its data.
    """
    exact = table.num_rows <= EXACT_ROWS
    relation = (
        probe.relation(table.name, columns) if exact else probe.sample(table.name)
    )
    names = ", ".join(quoted(column) for column in columns)
    filled = " AND ".join(f"{quoted(column)} IS NOT NULL" for column in columns)
    value = names if len(columns) == 1 else f"row({names})"
    rows, full, distinct = probe.query(
        f"SELECT count(*), count(*) FILTER ({filled}), "
        f"count(DISTINCT {value}) FILTER ({filled}) FROM {relation}"
    )[0]
    return Duplicates(int(rows), int(rows - full), int(distinct), exact)


def declared_key(table: DeclaredTable, probe: Probe, reason: str) -> KeyChoice:
    """Holds a declared key against the data; one that repeats is not used.

    Args:
        table: A table with :attr:`~DeclaredTable.pkey`.
        probe: Access to its data.
        reason: Who declared it.
    """
    found = duplicates(table, table.pkey, probe)
    name = "+".join(table.pkey)
    if found.repeated:
        text = (
            f"{reason} as primary key, but {found.repeated:,} of {found.rows:,} rows "
            f"repeat a value; not used as a key, nor are links to it"
        )
        return KeyChoice((), Choice(text), (Problem(table.name, name, text),))
    if found.nulls:
        text = (
            f"{found.nulls:,} of {found.rows:,} rows have no primary key; nothing can "
            "point at them, and they are no entities"
        )
        return KeyChoice(table.pkey, Choice(reason), (Problem(table.name, name, text),))
    return KeyChoice(table.pkey, Choice(reason))


def infer_key(
    table: DeclaredTable,
    profiles: Mapping[str, ColumnProfile],
    tables: Collection[str],
    probe: Probe,
) -> KeyChoice:
    """Chooses the column whose name says key and whose values are all different.

    Args:
        table: A table without a declared key.
        profiles: Of its columns.
        tables: Names of all tables: a column named after another one points at it.
        probe: Access to its data.
    """
    scores = _scores(table, profiles, tables)
    problems: list[Problem] = []
    held: dict[str, Duplicates] = {}
    for column in sorted(scores, key=lambda name: (-scores[name], name)):
        if held and scores[column] < scores[next(iter(held))] - _TIE:
            break
        found = duplicates(table, (column,), probe)
        if found.repeated or found.nulls:
            problems.extend(_not_a_key(table, column, scores[column], found))
        else:
            held[column] = found
    if not held:
        reason = problems[0].text if problems else "no column is named like a key"
        return KeyChoice((), Choice(reason), tuple(problems))
    best, *others = held
    if others:
        names = " and ".join(held)
        text = f"{names} could each be the primary key; say which, none was chosen"
        return KeyChoice((), Choice(text), (*problems, Problem(table.name, None, text)))
    return KeyChoice((best,), _why(table, best, scores[best], held[best]))


def _why(table: DeclaredTable, column: str, score: float, found: Duplicates) -> Choice:
    confidence = next(value for least, value in _CONFIDENCE if score >= least)
    if not found.exact:
        confidence *= 0.9
    if not found.rows:
        return Choice(f"{column} is named like the key of {table.name}; no rows", 0.5)
    return Choice(
        f"{column} is named like the key of {table.name}; {found}", confidence
    )


def _not_a_key(
    table: DeclaredTable, column: str, score: float, found: Duplicates
) -> list[Problem]:
    if score < 5.5:  # "code" and the like: a column that repeats is no surprise
        return []
    return [
        Problem(
            table.name,
            column,
            f"named like the primary key, but {found.repeated:,} of {found.rows:,} rows"
            f" repeat a value and {found.nulls:,} are NULL; not used as a key",
        )
    ]


def _scores(
    table: DeclaredTable,
    profiles: Mapping[str, ColumnProfile],
    tables: Collection[str],
) -> dict[str, float]:
    others = [other for other in tables if other != table.name]
    pointing = _pointing(table)
    scores = {}
    for position, column in enumerate(table.columns):
        if profiles[column].family not in _FAMILIES or column in pointing:
            continue
        if profiles[column].get("length") > _MOST_LETTERS:
            continue
        name = KeyName.of(column, tables)
        score = _name_score(name, table.name, others)
        if score and position == 0:
            score += 1
        if score >= _ENOUGH:
            scores[column] = score
    return scores


def _pointing(table: DeclaredTable) -> set[str]:
    """Columns that a declared foreign key makes no key of this table.

    A part of a key of several columns names no row; a whole one may, of one row per
    row of the parent, if there are rows to show it.
    """
    return {
        column
        for key in table.fkeys
        for column in key.columns
        if len(key.columns) > 1 or not table.num_rows
    }


def _name_score(name: KeyName, table: str, others: Sequence[str]) -> float:
    """How much a column's name says that it names the rows of ``table``."""
    own = table_roots(table)
    if name.is_plain:
        return 6.0 if name.suffix == "id" else 4.4
    strong = name.suffix in PLAIN_KEYS
    if name.suffix and name.stem and same(name.stem, own):
        return 6.0 if strong else 4.5
    if any(same(name.stem, table_roots(other)) for other in others):
        # It points at that table, unless the own name ends with it, too: result_id,
        # first of sprint_results.
        return 3.0 if strong and ends_with(own, name.stem) else 0.0
    if strong:
        return _strong_score(name.stem, own)
    if not name.stem and name.suffix:  # "code", "number"
        return 3.0
    return 3.0 if name.stem[-1:] and name.stem[-1] in _NATURAL_KEYS else 0.0


def _strong_score(stem: tuple[str, ...], own: tuple[str, ...]) -> float:
    """How much "stem_id" says that it names the rows of the table named ``own``."""
    if ends_with(stem, own[-1:]) or ends_with(own, stem):
        return 5.0
    if own and stem[-1][:_ALIKE] == own[-1][:_ALIKE]:
        return 5.0  # qualify_id in qualifying
    return 4.0 if own[: len(stem)] == stem else 3.0
