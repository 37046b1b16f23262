"""Examples of a predictive query: who is asked when, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from benthic.relational.database import Database
from benthic.relational.query import TaskType
from benthic.relational.schema import Table
from benthic.relational.sql import literal
from benthic.relational.task.anchors import (
    Anchors,
    entities_at,
    entities_at_own_time,
    named_entities,
    observed_by,
)
from benthic.relational.task.example_table import ExampleTable
from benthic.relational.task.labels import LabelQuery
from benthic.relational.task.steps import Horizon
from benthic.relational.task.sufficiency import Required, check_judging, check_training
from benthic.relational.task.task import Examples

SEEDS_AT_ONCE = 1_000_000
"""Entity-times whose labels are computed in one go."""

LEFT_OUT = ("fails WHERE", "undefined", "empty", "fails ASSUMING")
"""Why an example is none."""


@dataclass(frozen=True)
class Asked:
    """Whom a query asks, and when the present is.

    Args:
        labels: The query's statement.
        table: The entity table.
        horizon: How far a label reaches.
        now: The anchor of the predictions.
        limit: What happens later is not known.
        own_time: Whether each row's anchor is its own time.
        required: What training needs at least.
        max_train_rows: At most about so many examples for training and validation.
    """

    labels: LabelQuery
    table: Table
    horizon: Horizon | None
    now: pd.Timestamp
    limit: pd.Timestamp
    own_time: bool
    required: Required
    max_train_rows: int | None

    @property
    def db(self) -> Database:
        """The database."""
        return self.labels.db

    def present(self) -> Examples:
        """The entities to predict."""
        keys = self.labels.query.entities
        if keys is not None:
            seeds = named_entities(self.db, self.table, keys, self.now, self.own_time)
        elif self.own_time:
            seeds = entities_at_own_time(self.db, self.table, self.now)
        else:
            seeds = entities_at(self.db, self.table, [self.now])
        judged = self.labels.judged(f"({seeds})", keep_all=keys is not None)
        table = ExampleTable(self.db, f"{judged} ORDER BY anchor_time, entity")
        missed = 0 if keys is not None else self.num_seeds(seeds) - len(table)
        return Examples(table, _counted({"fails WHERE": missed}))

    def observed_labels(self, seeds: str) -> str:
        """SQL: what became of these seeds; the label is NULL if not observed yet."""
        frame = ", frame" if self.labels.frames > 1 else ""
        seen = observed_by(self.horizon, self.limit)
        return (
            f"SELECT entity, anchor_time{frame},"
            f" CASE WHEN {seen} THEN label END AS label"
            f" FROM ({self.labels.labelled(seeds, keep_all=True)})"
        )

    def num_seeds(self, seeds: str) -> int:
        """How many entity-times a SELECT asks."""
        return int(self.db.query(f"SELECT count(*) FROM ({seeds})")[0][0])

    def is_empty(self, time: pd.Timestamp) -> bool:
        """Whether no entity has a label at an anchor: no race was held in winter."""
        if not self.labels.may_be_undefined:
            return False
        seeds = entities_at(self.db, self.table, [time])
        labelled = self.labels.labelled(f"({seeds})", keep_all=False)
        kept = f"label IS NOT NULL AND assumed AND NOT {self._no_set}"
        # Counted in full: DuckDB 2.0 may wait forever on LIMIT 1 over millions of rows.
        return not self.num_seeds(f"SELECT 1 FROM ({labelled}) WHERE {kept}")

    def answered(self, seeds: str) -> tuple[ExampleTable, dict[str, int]]:
        """The seeds whose label is defined, and how many were left out and why."""
        labelled = self.labels.labelled(f"({seeds})", keep_all=False)
        table = ExampleTable(self.db, labelled)
        known, empty = "label IS NOT NULL", self._no_set
        rows, undefined, none, failed = table.row(
            f"count(*), count(*) FILTER (NOT ({known})), count(*) FILTER ({empty}),"
            f" count(*) FILTER ({known} AND NOT assumed AND NOT {empty})"
        )
        missed = self.num_seeds(seeds) * self.labels.frames - rows
        counts = (missed, undefined, none, failed)
        dropped = dict(zip(LEFT_OUT, counts, strict=True))
        frame = ", frame" if self.labels.frames > 1 else ""
        kept = ExampleTable(
            self.db,
            f"SELECT entity, anchor_time{frame}, label FROM {table.name}"
            f" WHERE {known} AND assumed AND NOT {empty}"
            f" ORDER BY anchor_time, entity{frame}",
        )
        return kept, dropped

    @property
    def _no_set(self) -> str:
        """SQL: whether a label is a set of nothing, of which no order can be scored."""
        is_ranking = self.labels.task_type is TaskType.ranking
        return "COALESCE(len(label) = 0, FALSE)" if is_ranking else "FALSE"

    def finished(
        self, parts: Sequence[ExampleTable], dropped: dict[str, int], *, sampled: bool
    ) -> Examples:
        """All parts in order of time, no more rows than were asked for."""
        union = " UNION ALL ".join(f"SELECT * FROM {part.name}" for part in parts)
        rows = sum(map(len, parts))
        share = 1.0
        if sampled and self.max_train_rows is not None and rows > self.max_train_rows:
            share = self.max_train_rows / rows
        key = "CAST(entity AS VARCHAR) || CAST(anchor_time AS VARCHAR)"
        frame = ", frame" if self.labels.frames > 1 else ""
        table = ExampleTable(
            self.db,
            f"SELECT * FROM ({union}) WHERE {_drawn(key, share)}"
            f" ORDER BY anchor_time, entity{frame}",
        )
        dropped = dropped | {"not sampled": rows - len(table)}
        return Examples(table, _counted(dropped))

    def checked(self, made: Examples, considered: int, anchors: int) -> Examples:
        """The same examples, if a model can learn from them."""
        check_training(self.labels, made, considered, anchors, self.required)
        return made


def _drawn(key: str, share: float) -> str:
    """SQL: whether a row is among this share, by a hash that never changes."""
    if share >= 1:
        return "TRUE"
    return f"md5_number_lower({key}) % 1000000 < {round(share * 1_000_000)}"


def _counted(dropped: dict[str, int]) -> dict[str, int]:
    return {reason: number for reason, number in dropped.items() if number}


def _added(one: dict[str, int], other: dict[str, int]) -> dict[str, int]:
    return {key: one.get(key, 0) + other.get(key, 0) for key in {**one, **other}}


@dataclass(frozen=True)
class AnchoredExamples:
    """Every entity at every anchor.

    Args:
        asked: Whom, and the present.
        anchors: When.
    """

    asked: Asked
    anchors: Anchors

    def examples(self, split: str) -> Examples:
        """The examples of train, validation, test or now."""
        if split == "now":
            return self.asked.present()
        times: tuple[pd.Timestamp, ...] = getattr(self.anchors, split)
        parts, dropped, considered, used = self._answered(times, split == "train")
        made = self.asked.finished(parts, dropped, sampled=split != "test")
        if split == "train":
            return self.asked.checked(made, considered, used)
        if times:
            check_judging(self.asked.labels, made, considered, self._moment(split))
        return made

    def _moment(self, split: str) -> str:
        """Which anchors a split has, and how far their labels reach."""
        times: tuple[pd.Timestamp, ...] = getattr(self.anchors, split)
        first, last = times[-1], times[0]
        end = last if self.asked.horizon is None else self.asked.horizon.after(last)
        which = f"anchor {last}"
        if len(times) > 1:
            which = f"{len(times):,} anchors from {first} to {last}"
        return f"the {split} {which}, whose labels reach to {end}"

    def labels(self, seeds: str) -> str:
        """SQL: what became of these seeds."""
        return self.asked.observed_labels(seeds)

    def _answered(
        self, times: Sequence[pd.Timestamp], bounded: bool
    ) -> tuple[list[ExampleTable], dict[str, int], int, int]:
        parts: list[ExampleTable] = []
        dropped: dict[str, int] = {}
        considered = used = 0
        for batch in self._batches(times):
            seeds = entities_at(self.asked.db, self.asked.table, batch)
            kept, left_out = self.asked.answered(seeds)
            parts.append(kept)
            dropped = _added(dropped, left_out)
            considered += len(kept) + sum(left_out.values())
            used += len(batch)
            most = self.asked.max_train_rows
            if bounded and most is not None and sum(map(len, parts)) >= most:
                break
        if not parts:
            empty = entities_at(self.asked.db, self.asked.table, [self.asked.now])
            parts = [self.asked.answered(f"{empty} AND FALSE")[0]]
        return parts, dropped, considered, used

    def _batches(self, times: Sequence[pd.Timestamp]) -> Iterator[list[pd.Timestamp]]:
        entities = max(1, self.asked.table.num_rows * self.asked.labels.frames)
        size = max(1, SEEDS_AT_ONCE // entities)
        for start in range(0, len(times), size):
            yield list(times[start : start + size])


VALIDATION_SHARE = TEST_SHARE = 0.1
"""Of the rows, where each is its own example; the latest are the test."""


class StandingExamples:
    """Each entity once: at its own time, or all at the same.

    With times of their own the rows are split by them, else by a hash of the key.

    Args:
        asked: Whom, and the present.
        validation_share: Of the rows.
        test_share: Of the rows.
    """

    def __init__(
        self, asked: Asked, validation_share: float, test_share: float
    ) -> None:
        self.asked = asked
        self.shares = {"validation": validation_share, "test": test_share}
        self._answered: tuple[ExampleTable, dict[str, int]] | None = None

    def examples(self, split: str) -> Examples:
        """The examples of train, validation, test or now."""
        if split == "now":
            return self.asked.present()
        table, dropped = self._all()
        part = self._parts(table)[split]
        chosen = ExampleTable(
            self.asked.db, f"SELECT * FROM {table.name} WHERE {part} ORDER BY rowid"
        )
        made = self.asked.finished([chosen], {}, sampled=split != "test")
        if split != "train":
            return made
        made = replace(made, dropped=_counted(_added(dict(made.dropped), dropped)))
        considered = len(table) + sum(dropped.values())
        return self.asked.checked(made, considered, 1)

    def labels(self, seeds: str) -> str:
        """SQL: what became of these seeds."""
        return self.asked.observed_labels(seeds)

    def _all(self) -> tuple[ExampleTable, dict[str, int]]:
        if self._answered is None:
            asked = self.asked
            if asked.own_time:
                seeds = entities_at_own_time(asked.db, asked.table, asked.limit)
            else:
                seeds = entities_at(asked.db, asked.table, [asked.now])
            seen = observed_by(asked.horizon, asked.limit)
            seeds = f"SELECT * FROM ({seeds}) WHERE {seen}"
            self._answered = asked.answered(seeds)
        return self._answered

    def _parts(self, table: ExampleTable) -> dict[str, str]:
        """Split -> SQL of which rows are in it."""
        test, validation = self.shares["test"], self.shares["validation"]
        first, validation_start, test_start = table.row(
            "min(anchor_time),"
            f" quantile_disc(anchor_time, {1 - test - validation}),"
            f" quantile_disc(anchor_time, {1 - test})"
        )
        if not self.asked.own_time or first == validation_start:
            return _by_hash(test, validation)
        later = "anchor_time >= {}".format
        begins_test = later(literal(test_start)) if test else "FALSE"
        begins = later(literal(validation_start)) if validation or test else "FALSE"
        known = observed_by(self.asked.horizon, pd.Timestamp(test_start))
        seen = observed_by(self.asked.horizon, pd.Timestamp(validation_start))
        return {
            "test": begins_test,
            "validation": f"{begins} AND NOT ({begins_test})"
            + (f" AND {known}" if test else ""),
            "train": f"NOT ({begins})" + (f" AND {seen}" if validation or test else ""),
        }


def _by_hash(test: float, validation: float) -> dict[str, str]:
    key = "CAST(entity AS VARCHAR)"
    in_test, in_either = _share(key, test), _share(key, test + validation)
    return {
        "test": in_test,
        "validation": f"{in_either} AND NOT ({in_test})",
        "train": f"NOT ({in_either})",
    }


def _share(key: str, share: float) -> str:
    return _drawn(key, share) if share else "FALSE"
