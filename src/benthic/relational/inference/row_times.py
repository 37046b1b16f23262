"""Which time says when a row came to be?"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from benthic.relational.declared import Declared, DeclaredTable, Probe
from benthic.relational.inference.profile import ColumnProfile
from benthic.relational.inference.time_names import Rank, is_end, rank
from benthic.relational.inference.times import Reading
from benthic.relational.schema import Choice, ForeignKey, Problem
from benthic.relational.sql import quoted

_MOST_NULL = 0.5  # a time that most rows lack is that of something else
_BOTH_ORDERED = 0.99
_CHILDREN_BEFORE = 0.05  # share of children older than their parent
_CHILDREN_BEFORE_STRONG = 0.5  # ... by a month, where the name leaves no doubt
_STRONG = 4
_LONG_AGO = "INTERVAL 10 YEAR"
_LATE = 0.01


@dataclass(frozen=True)
class RowTime:
    """The time of a table's rows.

    Args:
        column: Its time column, None for a static table.
        choice: Why; None where the table holds no time at all.
        end_column: When a row ceases to be, if a column says so.
        end_choice: Why.
        problems: What the user should know.
    """

    column: str | None = None
    choice: Choice | None = None
    end_column: str | None = None
    end_choice: Choice | None = None
    problems: tuple[Problem, ...] = ()


@dataclass
class RowTimes:
    """Chooses the time of every table, children before the tables they point at.

    A row cannot be younger than what points at it: a column that most children precede
    is not when their parent came to be.

    Args:
        declared: All tables.
        profiles: Table -> profiles of its columns.
        readings: Table -> how its time columns are read.
        unread: Table -> columns that should be times and cannot be read.
        keys: Table -> primary key, where it is one raw column.
        links: Table -> its foreign keys.
        probe: Access to the data.
        reason: Why a declared time column was taken, by table.
    """

    declared: Declared
    profiles: Mapping[str, Mapping[str, ColumnProfile]]
    readings: Mapping[str, Mapping[str, Reading]]
    unread: Mapping[str, Collection[str]]
    keys: Mapping[str, str]
    links: Mapping[str, Collection[ForeignKey]]
    probe: Probe
    chosen: dict[str, RowTime] = field(default_factory=dict)

    def choose(self) -> dict[str, RowTime]:
        """The time of every table."""
        for table in self.declared.tables:
            self._visit(table, frozenset())
        return self.chosen

    def _visit(self, table: str, below: frozenset[str]) -> None:
        if table in self.chosen or table in below:
            return
        for child, key in self._children(table):
            del key
            self._visit(child, below | {table})
        self.chosen[table] = self._row_time(self.declared.tables[table])

    def _children(self, table: str) -> list[tuple[str, ForeignKey]]:
        return [
            (child, key)
            for child, keys in self.links.items()
            for key in keys
            if key.table == table and child != table
        ]

    def _row_time(self, table: DeclaredTable) -> RowTime:
        readings = self.readings[table.name]
        if table.time_col is not None:
            time = RowTime(table.time_col, Choice(), table.end_time_col, Choice())
        elif table.static or not (readings or self.unread[table.name]):
            return RowTime()
        else:
            time = self._inferred(table)
        if time.column is None:
            return time
        if time.end_column is None:
            end, why = self._end(table, time.column)
            time = RowTime(time.column, time.choice, end, why, time.problems)
        late = self._late(table, time)
        return RowTime(
            *(time.column, time.choice, time.end_column, time.end_choice),
            (*time.problems, *late),
        )

    def _inferred(self, table: DeclaredTable) -> RowTime:
        refused = [f"{each} cannot be read" for each in self.unread[table.name]]
        surprises: list[str] = []
        fit: list[tuple[str, Rank]] = []
        for column, rank_ in _ranked(table.name, self.readings[table.name]):
            fault = self._fault(table, column, rank_)
            if fault:
                refused.append(fault)
                surprises += [fault] if rank_.score >= _STRONG else []
            elif not fit or fit[0][1].score == rank_.score:
                fit.append((column, rank_))
        if not fit:
            return RowTime(
                choice=Choice("static: " + "; ".join(refused), 0.8),
                problems=tuple(
                    Problem(table.name, None, f"{fault}; not taken as its time")
                    for fault in surprises
                ),
            )
        if len(fit) == 1:
            column, rank_ = fit[0]
            confidence = {5: 0.95, 4: 0.95, 3: 0.8, 2: 0.6}[rank_.score]
            clause = self.readings[table.name][column].clause
            return RowTime(column, Choice(f"{rank_.clause}; {clause}", confidence))
        return self._first_of(table, [column for column, _ in fit])

    def _fault(self, table: DeclaredTable, column: str, rank_: Rank) -> str:
        """Why a column is not when the row came to be; "" if it may be."""
        seen = self.profiles[table.name][column]
        if not rank_.score:
            return rank_.clause
        if seen.rows and seen.filled < (1 - _MOST_NULL) * seen.rows:
            return f"{column} is NULL in {seen.rows - seen.filled:,} of {seen.rows:,}"
        return self._incoherence(table.name, column, rank_)

    def _incoherence(self, table: str, column: str, rank_: Rank) -> str:
        for child, key in self._children(table):
            time = self.chosen.get(child, RowTime()).column
            if time is None or table not in self.keys:
                continue
            strong = rank_.score >= _STRONG
            slack = "INTERVAL 31 DAY" if strong else "INTERVAL 0 DAY"
            pairs, before, long_after = self._compared(
                table, column, child, key, time, slack
            )
            most = _CHILDREN_BEFORE_STRONG if strong else _CHILDREN_BEFORE
            if pairs and before > most * pairs:
                return (
                    f"{column} is later than {child}.{time} in {before:,} of {pairs:,} "
                    f"rows of {child} that point here"
                )
            if pairs and not strong and long_after > 0.5 * pairs:
                return f"{column} is mostly ten years and more before {child}.{time}"
        return ""

    def _compared(
        self,
        table: str,
        column: str,
        child: str,
        key: ForeignKey,
        time: str,
        slack: str,
    ) -> tuple[int, int, int]:
        """Pairs of child and parent; children before it; children ten years after."""
        parent_time = self.readings[table][column].sql(column)
        child_time = self.readings[child][time].sql(time)
        rows = self.probe.sample(child)
        parents = self.probe.relation(table, [self.keys[table], column])
        answer = self.probe.query(
            f"WITH child AS (SELECT {quoted(key.column)} AS k, {child_time} AS c "
            f"FROM {rows}), parent AS (SELECT {quoted(self.keys[table])} AS k, "
            f"{parent_time} AS p FROM {parents}) "
            f"SELECT count(*), count(*) FILTER (c + {slack} < date_trunc('day', p)), "
            f"count(*) FILTER (c > p + {_LONG_AGO}) "
            "FROM child JOIN parent USING (k) WHERE c IS NOT NULL AND p IS NOT NULL"
        )[0]
        pairs, before, long_after = map(int, answer)
        return pairs, before, long_after

    def _first_of(self, table: DeclaredTable, columns: list[str]) -> RowTime:
        """The one that precedes all others; none if there is no such."""
        for column in columns:
            others = [other for other in columns if other != column]
            if all(self._precedes(table, column, other) for other in others):
                others_text = " and ".join(others)
                return RowTime(column, Choice(f"never later than {others_text}", 0.7))
        names = " and ".join(columns)
        text = (
            f"{names} could each be when a row came to be; say which, none was chosen"
        )
        return RowTime(
            choice=Choice(text, 0.5), problems=(Problem(table.name, None, text),)
        )

    def _ordered(self, table: str, first: str, last: str) -> tuple[int, int, int]:
        """Sampled rows with both times; first <= last; last a day later than first."""
        reading = self.readings[table]
        one, two = reading[first].sql(first), reading[last].sql(last)
        rows = self.probe.sample(table)
        answer = self.probe.query(
            f"WITH pair AS (SELECT {one} AS a, {two} AS b FROM {rows}) "
            "SELECT count(*), count(*) FILTER (a <= b), "
            "count(*) FILTER (b > a + INTERVAL 1 DAY) "
            "FROM pair WHERE a IS NOT NULL AND b IS NOT NULL"
        )[0]
        both, ordered, later = map(int, answer)
        return both, ordered, later

    def _precedes(self, table: DeclaredTable, first: str, last: str) -> bool:
        both, ordered, _ = self._ordered(table.name, first, last)
        profiles = self.profiles[table.name]
        fuller = profiles[first].filled >= profiles[last].filled
        return fuller and both > 0 and ordered >= _BOTH_ORDERED * both

    def _end(self, table: DeclaredTable, time: str) -> tuple[str | None, Choice | None]:
        found: list[tuple[str, Choice]] = []
        for column in self.readings[table.name]:
            if column == time or not is_end(column):
                continue
            both, ordered, _ = self._ordered(table.name, time, column)
            if both and ordered >= _BOTH_ORDERED * both:
                reason = (
                    f"named like an end; not before {time} in {ordered:,} of {both:,}"
                )
                found.append((column, Choice(reason, 0.8)))
        if len(found) > 1:
            names = " and ".join(column for column, _ in found)
            return None, Choice(f"{names} could each be the end; none was chosen", 0.5)
        return found[0] if found else (None, None)

    def _late(self, table: DeclaredTable, time: RowTime) -> Iterator[Problem]:
        """Times that are set after their row came to be: what else is?"""
        assert time.column is not None
        for column in self.readings[table.name]:
            if column == time.column:
                continue
            both, _, later = self._ordered(table.name, time.column, column)
            if later > _LATE * both:
                yield Problem(
                    table.name,
                    column,
                    f"more than a day after {time.column} in {later:,} of {both:,} "
                    "sampled rows: if it is not known beforehand it tells the future; "
                    "then list it under ignore",
                )


def _ranked(table: str, readings: Mapping[str, Reading]) -> Iterator[tuple[str, Rank]]:
    """Times of a table with their rank, best first."""
    ranked = [(column, rank(table, column)) for column in readings]
    yield from sorted(ranked, key=lambda item: (-item[1].score, item[0]))
