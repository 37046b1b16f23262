"""Which time says when a row came to be?"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from benthic.relational.declared import Declared, DeclaredTable, Probe
from benthic.relational.inference.names import words
from benthic.relational.inference.profile import ColumnProfile
from benthic.relational.inference.times import TIME_WORDS, Reading
from benthic.relational.schema import Choice, ForeignKey, Problem
from benthic.relational.sql import quoted

# Words of a name, and how likely the column says when the row came to be.
_CAME_TO_BE = frozenset(
    "created creation inserted placed ordered submitted registered purchased occurred "
    "posted sent paid issued joined signup signed recorded logged received booked "
    "hired enrolled opened since visited uploaded published".split()
)
_PLAIN = frozenset("date time timestamp datetime ts when dt tstamp".split())
_BEGAN = frozenset("start started begin began from first effective".split())
_LATER = frozenset(
    "updated update modified modification last edit edited changed change refreshed "
    "synced loaded etl due deadline expected estimated scheduled planned required next "
    "shipped delivered delivery returned return resolved completed finished reviewed "
    "cancelled canceled approved confirmed accepted arrival release released".split()
)
_ENDED = frozenset(
    "end ended ends expires expired expiry expiration expire closed close until "
    "terminated termination deleted removed left finish stop stopped thru through "
    "deactivated withdrawn churned".split()
)
_OF_A_LIFE = frozenset("birth born dob birthday birthdate death died deceased".split())
_IS_BIRTH = "birth"


@dataclass(frozen=True)
class Rank:
    """How a column's name ranks as the time of its row.

    Args:
        score: 5 "created_at" … 2 no hint, 0 never.
        clause: Why.
    """

    score: int
    clause: str


def rank(table: str, column: str) -> Rank:
    """Ranks a time column by its name.

    Example:
        >>> rank("orders", "created_at").score, rank("drivers", "dob").score
        (5, 0)
        >>> rank("returns", "return_date").score, rank("rental", "return_date").score
        (5, 0)
    """
    found = frozenset(words(column))
    if found & _OF_A_LIFE or _IS_BIRTH in column.lower():
        return Rank(0, f"{column} belongs to a person's life, not to the row")
    own = _of_the_table(found, table)
    if (found - own) & _ENDED:
        return Rank(0, f"{column} says when something ends")
    if (found - own) & _LATER:
        return Rank(0, f"{column} is set later than the row")
    if own:
        return Rank(5, f"{column} is named after {table}")
    return _by_hint(found, column)


def _by_hint(found: frozenset[str], column: str) -> Rank:
    if found & _CAME_TO_BE:
        return Rank(5, f"{column} says when the row came to be")
    if found <= _PLAIN | {"utc", "event"}:
        return Rank(4, f"{column} is the row's {column.lower()}")
    if found & _BEGAN:
        return Rank(2, f"{column} says when something starts")
    return Rank(3 if found & TIME_WORDS else 2, f"{column} is a time of the row")


def is_end(column: str) -> bool:
    """Whether a column's name says when a row ceases to be.

    Example:
        >>> is_end("valid_to"), is_end("expires_at"), is_end("created_at")
        (True, True, False)
    """
    found = words(column)
    return bool(_ENDED & set(found)) or found[-1:] == ("to",)


def _of_the_table(found: frozenset[str], table: str) -> frozenset[str]:
    """Words that begin like a word of the table's name.

    ``rental`` of ``rental_date`` in ``rentals``, ``cancelled`` of ``cancelled_at`` in
    ``cancellations``.
    """
    theirs = words(table.rpartition(".")[2])
    return frozenset(
        word
        for word in found - _PLAIN
        if len(word) >= 5 and any(other[:5] == word[:5] for other in theirs)
    )


def rank_readings(
    table: str, readings: Mapping[str, Reading]
) -> Iterator[tuple[str, Rank]]:
    """Times of a table with their rank, best first."""
    ranked = [(column, rank(table, column)) for column in readings]
    yield from sorted(ranked, key=lambda item: (-item[1].score, item[0]))


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
        keys: Table -> primary key, where it is one raw column.
        links: Table -> its foreign keys.
        probe: Access to the data.
        reason: Why a declared time column was taken, by table.
    """

    declared: Declared
    profiles: Mapping[str, Mapping[str, ColumnProfile]]
    readings: Mapping[str, Mapping[str, Reading]]
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
        elif table.static or not readings:
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
        refused: list[str] = []
        fit: list[tuple[str, Rank]] = []
        for column, rank_ in rank_readings(table.name, self.readings[table.name]):
            fault = self._fault(table, column, rank_)
            if fault:
                refused.append(fault)
            elif not fit or fit[0][1].score == rank_.score:
                fit.append((column, rank_))
        if not fit:
            return RowTime(choice=Choice("static: " + "; ".join(refused), 0.8))
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
        text = f"{names} could each be when a row came to be; say which, none was chosen"
        return RowTime(
            choice=Choice(text, 0.5), problems=(Problem(table.name, None, text),)
        )

    def _ordered(self, table: str, first: str, last: str) -> tuple[int, int, int]:
        """Sampled rows with both times; first <= last; last a day later than first."""
        reading = self.readings[table]
        one, two = reading[first].sql(first), reading[last].sql(last)
        answer = self.probe.query(
            f"WITH pair AS (SELECT {one} AS a, {two} AS b FROM {self.probe.sample(table)})"
            " SELECT count(*), count(*) FILTER (a <= b), "
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
                reason = f"named like an end; not before {time} in {ordered:,} of {both:,}"
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
