"""From a database and a predictive query to a task."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator

import pandas as pd

from benthic.errors import InputError, QueryError
from benthic.relational.database import Database
from benthic.relational.query import PredictiveQuery, paths
from benthic.relational.query.tree import (
    Aggregate,
    Classify,
    ColumnRef,
    Expression,
    Rank,
    Window,
)
from benthic.relational.query.walking import aggregates
from benthic.relational.schema import Table
from benthic.relational.sql import literal, quoted
from benthic.relational.task.aggregates import window_time
from benthic.relational.task.anchors import Anchors, split_anchors, walk_back
from benthic.relational.task.assumed import check_assumed
from benthic.relational.task.completeness import before_strays, complete_until
from benthic.relational.task.labels import Assumption, LabelQuery
from benthic.relational.task.query_source import (
    TEST_SHARE,
    VALIDATION_SHARE,
    AnchoredExamples,
    Asked,
    StandingExamples,
)
from benthic.relational.task.steps import Horizon, Span
from benthic.relational.task.sufficiency import Required
from benthic.relational.task.task import Candidates, ExampleSource, Task
from benthic.relational.task.undated import undated
from benthic.relational.task.values import literal_sql

AUTO, OWN, END = "auto", "entity", "end"
"""Choices of ``anchor_time`` beside a moment; None is the end, too."""

_AT_END = (AUTO, OWN, END, None)

_NEVER = pd.Timestamp.max

_TICK = pd.Timedelta(1, "us")
"""The database's times are no finer."""

AnchorTime = str | dt.datetime | None


def make_task(
    db: Database,
    query: PredictiveQuery | str,
    *,
    anchor_time: AnchorTime = AUTO,
    step: Span | None = None,
    num_train_anchors: int | None = None,
    validation_anchors: int = 1,
    test_anchors: int = 1,
    max_train_rows: int | None = 200_000,
    minimum_examples: int = 10,
    minimum_assumed: int = 100,
    strict: bool = False,
) -> Task:
    """The task that a predictive query sets on a database.

    Training anchors are walked back from the anchor time, one horizon at a time, as far
    as the rows of the target reach or until there are ``max_train_rows`` examples.

    Args:
        db: The database.
        query: Text, or a query that was checked against ``db.schema``.
        anchor_time: When the prediction is made. ``"auto"``: a static target of a table
            with times at each row's own time, everything else at the end of the data.
            ``"entity"``: each row at its own time. ``"end"`` or None: the end of the
            data.
        step: Distance of the anchors; the horizon by default.
        num_train_anchors: At most so many anchors to learn from.
        validation_anchors: Anchors to choose by. Where each row is asked once, any
            number but 0 means a tenth of the rows.
        test_anchors: Anchors to judge by; 0 leaves their examples to training.
        max_train_rows: About how many examples training and validation may have; beyond
            it, a sample that is always the same. None for all.
        minimum_examples: Fewer than this are refused.
        minimum_assumed: As above, where ASSUMING speaks of the future.
        strict: Whether rows at exactly the anchor time are not known yet.

    Raises:
        QueryError: The query is wrong; or, with kind data, keys do not exist, no label
            is observed, or (once the examples are made) few remain or all are alike.
        InputError: ``anchor_time`` cannot be used.
    """
    if isinstance(query, str):
        query = PredictiveQuery.parse(query, db.schema)
    table = db.schema.tables[query.entity.table]
    own_time = _own_time(anchor_time, query, table)
    now = _moment(anchor_time, db)
    until = now - _TICK if strict else now
    limit = complete_until(db, until)
    labels = LabelQuery(db, query, query.task_type(db.schema))
    horizon = _horizon(query, labels.frames)
    _check_keys(db, query, table)
    check_assumed(db, query)
    required = Required(minimum_examples, minimum_assumed)
    asked = Asked(
        labels, table, horizon, now, limit, own_time, required, max_train_rows
    )
    source: ExampleSource
    if own_time or horizon is None:
        source = StandingExamples(
            asked,
            VALIDATION_SHARE if validation_anchors else 0.0,
            TEST_SHARE if test_anchors else 0.0,
        )
    else:
        numbers = num_train_anchors, validation_anchors, test_anchors
        source = AnchoredExamples(asked, _anchors(asked, until, horizon, step, numbers))
    return Task(
        name=str(query),
        db=db,
        entity_table=query.entity.table,
        entity_col=query.entity.name,
        task_type=labels.task_type,
        horizon=horizon,
        anchor_time=now,
        source=source,
        query=query,
        num_frames=labels.frames,
        k=query.modifier.k if isinstance(query.modifier, (Rank, Classify)) else None,
        choices=_choices(db, query),
        assumed_values=dict(Assumption.of(query).values),
        notes=(
            *query.notes(db.schema),
            _anchor_note(own_time, now),
            *_strays(anchor_time, now, db),
            *undated(db.schema, table.name),
            *_silent(asked, until),
            *_ended(asked, horizon),
        ),
    )


def _own_time(choice: AnchorTime, query: PredictiveQuery, table: Table) -> bool:
    if choice == OWN and table.time_col is None:
        raise InputError(
            "anchor_time",
            f"entity, and {table.name} has no time column",
            "give a time, or end for the end of the data",
        )
    is_event = choice == AUTO and not query.is_temporal and table.time_col is not None
    return choice == OWN or is_event


def _moment(choice: AnchorTime, db: Database) -> pd.Timestamp:
    if choice in _AT_END:
        return _end(db)
    try:
        time = pd.Timestamp(choice)
        # "NaT" and an empty text are read without a word.
        fault = ValueError("no time") if pd.isna(time) else None
    except ValueError as error:
        fault = error
    if fault is not None:
        raise InputError(
            "anchor_time",
            repr(choice),
            "give a time such as 2026-01-31, or auto, entity or end",
        ) from fault
    return time if time.tz is None else time.tz_convert("UTC").tz_localize(None)


def _end(db: Database) -> pd.Timestamp:
    """The end of the data; any moment does where nothing has a time."""
    return before_strays(db, _last(db))


def _last(db: Database) -> pd.Timestamp:
    if all(table.time_col is None for table in db.schema.tables.values()):
        return pd.Timestamp(0)
    return pd.Timestamp(db.end_time)


def _strays(choice: AnchorTime, now: pd.Timestamp, db: Database) -> Iterator[str]:
    """A note where the last rows are taken for mistakes."""
    if choice in _AT_END and now < _last(db):
        yield (
            f"the last rows, up to {_last(db).isoformat(sep=' ')}, stand alone after a "
            f"long silence: taken for mistakes, and {now.date()} for the end of the "
            "data; if they are right, give an anchor_time"
        )


def _anchor_note(own_time: bool, now: pd.Timestamp) -> str:
    if own_time:
        return "each row is judged at its own time: what came later is not seen"
    return f"nothing later than {now.isoformat(sep=' ')} is seen"


def _windows(nodes: Iterable[Expression | None]) -> list[Window]:
    found = [part.window for node in nodes for part in aggregates(node)]
    return [window for window in found if window is not None]


def _horizon(query: PredictiveQuery, frames: int) -> Horizon | None:
    """How far one must wait, also for what ASSUMING says of the future."""
    target = Horizon.of(_windows([query.target]), frames)
    assumed = Horizon.of(_windows([Assumption.of(query).future]))
    if target is None or assumed is None:
        return target
    return Horizon((*target.spans, *assumed.spans))


def _check_keys(db: Database, query: PredictiveQuery, table: Table) -> None:
    if query.entities is None:
        return
    dtype = table.columns[query.entity.name].dtype
    values = ", ".join(
        f"({place}, {literal_sql(key, dtype)})"
        for place, key in enumerate(query.entities)
    )
    relation, key = (
        db.relation(table.name, [query.entity.name]),
        quoted(query.entity.name),
    )
    found = db.query(
        f"SELECT v.place FROM (VALUES {values}) AS v(place, key)"
        f" ANTI JOIN {relation} AS e ON e.{key} = v.key ORDER BY v.place"
    )
    missing = [query.entities[place] for (place,) in found]
    if missing:
        named = ", ".join(literal(value) for value in missing[:5])
        more = f" and {len(missing) - 5:,} more" if len(missing) > 5 else ""
        raise query.error(
            "data",
            f"{table.name} has no row with {query.entity.name} {named}{more}",
            query.entity.place,
            f"keys of the {table.num_rows:,} rows of {table.name}",
        )


def _anchors(
    asked: Asked,
    until: pd.Timestamp,
    horizon: Horizon,
    step: Span | None,
    numbers: tuple[int | None, int, int],
) -> Anchors:
    query, (train, validation, test) = asked.labels.query, numbers
    earliest = _earliest(asked.db, aggregates(query.target), query.entity.table)

    def split(is_empty: Callable[[pd.Timestamp], bool] | None) -> Anchors:
        return split_anchors(
            walk_back(until, step or horizon.longest, earliest),
            horizon.after,
            asked.limit,
            num_validation=validation,
            num_test=test,
            num_train=train,
            is_empty=is_empty,
        )

    anchors = split(asked.is_empty)
    if not anchors.train:
        # Nobody has a label anywhere: the counts of training will tell why.
        anchors = split(None)
    if not anchors.train:
        needed = 1 + validation + test
        raise _unobserved(asked, horizon, anchors, earliest, needed)
    return anchors


def _unobserved(
    asked: Asked,
    horizon: Horizon,
    anchors: Anchors,
    earliest: pd.Timestamp,
    needed: int,
) -> QueryError:
    """Why there are not enough anchors: no row yet, or too few horizons."""
    found = len(anchors.test + anchors.validation)
    message = (
        f"the label is observed at {found} {'anchor' if found == 1 else 'anchors'},"
        f" and {needed} are needed: its rows span {earliest.date()} to"
        f" {asked.limit.date()}, its horizon is {horizon}"
    )
    expected, remedy = (
        f"room for {needed} horizons in that span",
        "ask for a shorter window",
    )
    if earliest == _NEVER:
        message = "nothing can be learned: the target has no row with a time"
        expected, remedy = "rows of the target", "ask about a table that has rows"
    elif asked.limit < earliest:
        message = (
            f"nothing was known at {asked.now.date()}: the first row of the target is"
            f" of {earliest.date()}"
        )
        expected = f"an anchor after {earliest.date()}"
        remedy = "give a later anchor_time"
    query = asked.labels.query
    place = getattr(query.target, "place", None)
    return query.error("data", message, place, expected, remedy)


def _earliest(
    db: Database, found: Iterable[Aggregate], entity_table: str
) -> pd.Timestamp:
    """Time of the first row that any window of the target could hold."""
    tables = _timed_tables(db, found, entity_table)
    spans = [span for table in tables if (span := db.time_span(table)) is not None]
    return min((pd.Timestamp(first) for first, _ in spans), default=_NEVER)


def _silent(asked: Asked, until: pd.Timestamp) -> Iterator[str]:
    """A note where the data end long before the anchor."""
    if asked.limit < until:
        yield (
            f"the data end at {asked.limit.isoformat(sep=' ')}: what happened from then"
            f" to the anchor {asked.now.isoformat(sep=' ')} is not known"
        )


def _ended(asked: Asked, horizon: Horizon | None) -> Iterator[str]:
    """A note where the rows of the target end long before the anchor."""
    db, query = asked.db, asked.labels.query
    for table in _timed_tables(db, aggregates(query.target), query.entity.table):
        span = db.time_span(table)
        if horizon is None or span is None:
            continue
        last = pd.Timestamp(span[1])
        if horizon.after(last) >= asked.limit:
            continue
        yield (
            f"{table} has no row after {last.date()}: labels after that are of empty "
            f"windows; with anchor_time '{last.date()}' they would not be"
        )


def _timed_tables(
    db: Database, found: Iterable[Aggregate], entity_table: str
) -> list[str]:
    """The tables whose times decide which rows lie in a window of the target."""
    chains = [paths.chain(part, entity_table, db.schema) for part in found]
    return sorted({window_time(chain, db).tables[-1] for chain in chains})


def _choices(db: Database, query: PredictiveQuery) -> Candidates | None:
    if not isinstance(query.modifier, (Rank, Classify)):
        return None
    target = query.target
    column = target.argument if isinstance(target, Aggregate) else target
    if not isinstance(column, ColumnRef):
        return None
    parent = db.schema.tables[column.table].fkey_col_to_pkey_table.get(column.name)
    if parent is None:
        return Candidates(column.table, column.name)
    return Candidates(parent, str(db.schema.tables[parent].pkey_col))
