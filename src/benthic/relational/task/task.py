"""What is to be learned: examples (entity, time, label) that know no future."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import pandas as pd

from benthic.errors import InputError
from benthic.relational.database import Database
from benthic.relational.query import PredictiveQuery, TaskType
from benthic.relational.query.tree import Value
from benthic.relational.schema import SType
from benthic.relational.sql import quoted
from benthic.relational.task.example_table import CHUNK_ROWS, ExampleTable
from benthic.relational.task.expressions import read
from benthic.relational.task.steps import Horizon

SPLITS = ("train", "validation", "test", "now")


@dataclass(frozen=True)
class Examples:
    """The examples of one part, and those that could not be one.

    Args:
        table: Entity, anchor_time and what else is known.
        dropped: Why an example was left out -> how many were.
    """

    table: ExampleTable
    dropped: Mapping[str, int]


@runtime_checkable
class ExampleSource(Protocol):
    """Where a task's examples come from."""

    def examples(self, split: str) -> Examples:
        """The examples of train, validation, test or now."""

    def labels(self, seeds: str) -> str:
        """SQL: entity, anchor_time [, frame], label, for each of these seeds.

        Args:
            seeds: Relation with entity and anchor_time, no pair twice.
        """


@dataclass(frozen=True)
class Candidates:
    """What a ranking or a set of labels chooses from.

    Args:
        table: The table whose rows, or whose values, can be chosen.
        column: Its primary key, or the column with the values.
    """

    table: str
    column: str


@dataclass(frozen=True, eq=False)
class Task:
    """What is to be learned and predicted, with its examples.

    The frames have the columns ``entity``, ``anchor_time`` (datetime64[us]), ``label``
    (not in ``now``), ``frame`` for a forecast, and ``matches_where`` in ``now``.
    ``label`` is a bool (binary), a float (regression, forecast), the class as stored
    (multiclass) or a sorted list (multilabel, ranking).

    Args:
        name: What it is called.
        db: The database.
        entity_table: For whom.
        entity_col: Its primary key.
        task_type: What kind of label.
        horizon: How far a label reaches; None for one that is known at once.
        anchor_time: When ``now`` is.
        source: Where the examples come from.
        query: The predictive query, if one defines the task.
        num_frames: Timeframes of a forecast; else 1.
        k: Length of the ranked lists that are asked for.
        choices: What a ranking or a set chooses from.
        assumed_values: Columns of the entity that ASSUMING shows with another value.
        notes: What a reader of the predictions should know.
    """

    name: str
    db: Database
    entity_table: str
    entity_col: str
    task_type: TaskType
    horizon: Horizon | None
    anchor_time: pd.Timestamp
    source: ExampleSource
    query: PredictiveQuery | None = None
    num_frames: int = 1
    k: int | None = None
    choices: Candidates | None = None
    assumed_values: Mapping[str, Value] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    _made: dict[str, Examples] = field(default_factory=dict, init=False, repr=False)

    def train(self) -> pd.DataFrame:
        """Examples to learn from."""
        return self._examples("train").table.frame()

    def validation(self) -> pd.DataFrame:
        """Examples to choose by."""
        return self._examples("validation").table.frame()

    def test(self) -> pd.DataFrame:
        """Examples to judge by."""
        return self._examples("test").table.frame()

    def now(self) -> pd.DataFrame:
        """Whom to predict at the anchor time."""
        return self._examples("now").table.frame()

    def seeds(self, split: str, rows: int = CHUNK_ROWS) -> Iterator[pd.DataFrame]:
        """The frame of a split in parts, so that millions of entities need no memory.

        Args:
            split: train, validation, test or now.
            rows: Rows of a part.
        """
        return self._examples(split).table.chunks(rows)

    def count(self, split: str) -> int:
        """Number of rows of a split."""
        return len(self._examples(split).table)

    def labels(self, seeds: pd.DataFrame) -> pd.DataFrame:
        """What happened to these entities after these times.

        Args:
            seeds: ``entity`` and ``anchor_time``, in any order, also more than once.

        Returns:
            The same rows in the same order (each ``num_frames`` times for a forecast)
            with ``label``, missing where it is undefined or not observed yet.
        """
        given = pd.DataFrame(
            {
                "entity": seeds["entity"].to_numpy(),
                "anchor_time": seeds["anchor_time"].to_numpy("datetime64[us]"),
                "place": range(len(seeds)),
            }
        )
        self.db.connection.register("task_given_frame", given)
        try:
            asked = ExampleTable(self.db, self._given("task_given_frame"))
        finally:
            self.db.connection.unregister("task_given_frame")
        distinct = f"(SELECT DISTINCT entity, anchor_time FROM {asked.name})"
        found = (
            "SELECT g.entity, g.anchor_time, l.* EXCLUDE (entity, anchor_time)"
            f" FROM {asked.name} AS g LEFT JOIN ({self.source.labels(distinct)}) AS l"
            " ON l.entity = g.entity AND l.anchor_time = g.anchor_time ORDER BY g.place"
        )
        if self.num_frames > 1:
            found += ", l.frame"
        return ExampleTable(self.db, found).frame()

    def _given(self, frame: str) -> str:
        dtype = self.db.schema.tables[self.entity_table].columns[self.entity_col].dtype
        key = f"TRY_CAST(entity AS {dtype}) AS entity"
        return f"SELECT {key}, anchor_time, place FROM {frame}"

    def observed_at(self, anchor_time: pd.Series) -> pd.Series:
        """When the labels of these anchors became known.

        Args:
            anchor_time: Anchors, of which many may be equal.
        """
        if self.horizon is None:
            return anchor_time
        known = {time: self.horizon.after(time) for time in anchor_time.unique()}
        return anchor_time.map(known).astype("datetime64[us]")

    def candidates(self, time: pd.Timestamp) -> list[object]:
        """What could be chosen at a time: the rows, or the values, that were there.

        Args:
            time: What came later is not seen.

        Raises:
            InputError: The task chooses nothing.
        """
        if self.choices is None:
            raise InputError(
                "task",
                f"{self.name}, of type {self.task_type}",
                "rank or classify a list",
            )
        table, column = self.choices.table, quoted(self.choices.column)
        seen = f"\"_time\" <= TIMESTAMP '{time.isoformat(sep=' ')}'"
        if self.db.schema.tables[table].time_col is None:
            seen = f'({seen} OR "_time" IS NULL)'
        relation = self.db.relation(table, [self.choices.column])
        facts = self.db.schema.tables[table].columns[self.choices.column]
        value = read(facts, column)
        if facts.stype is SType.multicategorical:
            value = f"unnest({value})"
        found = self.db.query(
            f"SELECT DISTINCT value FROM (SELECT {value} AS value FROM {relation}"
            f" WHERE {seen}) WHERE value IS NOT NULL ORDER BY value"
        )
        return [value for (value,) in found]

    @property
    def dropped(self) -> dict[str, dict[str, int]]:
        """Split made so far -> why examples were left out -> how many."""
        return {split: dict(made.dropped) for split, made in self._made.items()}

    def describe(self) -> dict[str, object]:
        """The task in words and numbers, ready for JSON."""
        rows = {split: len(made.table) for split, made in self._made.items()}
        return {
            "name": self.name,
            "query": None if self.query is None else str(self.query),
            "entity": f"{self.entity_table}.{self.entity_col}",
            "task_type": str(self.task_type),
            "horizon": None if self.horizon is None else str(self.horizon),
            "anchor_time": self.anchor_time.isoformat(),
            "rows": rows,
            "dropped": self.dropped,
            "notes": list(self.notes),
        }

    def _examples(self, split: str) -> Examples:
        if split not in SPLITS:
            raise InputError("split", split, f"give one of {', '.join(SPLITS)}")
        if split not in self._made:
            self._made[split] = self.source.examples(split)
        return self._made[split]
