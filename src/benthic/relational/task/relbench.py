"""Tasks of a RelBench folder: stored examples, and the SQL that made them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from benthic.errors import InputError
from benthic.relational.database import Database
from benthic.relational.query import TaskType
from benthic.relational.sources.relbench_folder import read_manifest
from benthic.relational.sql import literal, quoted
from benthic.relational.task.anchors import entities_at
from benthic.relational.task.example_table import ExampleTable
from benthic.relational.task.steps import Horizon, Span
from benthic.relational.task.task import Candidates, Examples, Task

TASK_TYPES = {
    "binary_classification": TaskType.binary,
    "multiclass_classification": TaskType.multiclass,
    "regression": TaskType.regression,
    "multilabel_classification": TaskType.multilabel,
    "link_prediction": TaskType.ranking,
    "recommendation": TaskType.ranking,
}
"""RelBench's task types and ours."""

DRIVER_CIRCUIT_COMPETE: Mapping[str, Any] = {
    "name": "driver-circuit-compete",
    "kind": "forecast",
    "task_type": "link_prediction",
    "description": "Circuits at which a driver races within the next 365 days.",
    "src_entity_table": "drivers",
    "src_entity_col": "driverId",
    "dst_entity_table": "circuits",
    "dst_entity_col": "circuitId",
    "target_col": "circuitId",
    "time_col": "date",
    "timedelta": "365 days",
    "num_eval_timestamps": 1,
    "eval_k": 10,
    "sql": """
        SELECT s.timestamp AS date, r.driverId AS driverId,
               list_sort(list(DISTINCT g.circuitId)) AS circuitId
        FROM timestamps s
        JOIN races g ON g.date > s.timestamp
                    AND g.date <= s.timestamp + INTERVAL '{timedelta}'
        JOIN results r ON r.raceId = g.raceId
        GROUP BY s.timestamp, r.driverId
    """,
}
"""RelBench's recommendation task on rel-f1: every driver with a result in the window.

It asks nothing of the past: who raced and who will race for the first time alike.
"""

KINDS = ("forecast", "external")


@dataclass(frozen=True)
class Manifest:
    """What a RelBench task says of itself.

    Args:
        name: Of the task.
        task_type: Ours.
        entity_table: For whom.
        entity_col: What the stored examples call it.
        time_col: What the stored examples call the anchor.
        target_col: What the stored examples call the label.
        timedelta: Width of the window.
        num_eval_timestamps: Anchors of validation and of the test.
        sql: How the labels are made, if it says so.
        eval_k: Length of the ranked lists.
        choices: What a recommendation chooses from.
    """

    name: str
    task_type: TaskType
    entity_table: str
    entity_col: str
    time_col: str
    target_col: str
    timedelta: pd.Timedelta | None
    num_eval_timestamps: int
    sql: str | None
    eval_k: int | None
    choices: Candidates | None

    @classmethod
    def of(cls, facts: Mapping[str, Any], db: Database) -> Manifest:
        """The manifest that a YAML file holds.

        Args:
            facts: What was read.
            db: The database it speaks of.

        Raises:
            InputError: It is of a kind that we do not read, or names what is not there.
        """
        name = str(facts.get("name", "task"))
        kind = facts.get("kind", "forecast")
        if kind not in KINDS:
            raise InputError(
                "task", f"{name}, of kind {kind}", f"use {' or '.join(KINDS)}"
            )
        if facts.get("task_type") not in TASK_TYPES:
            known = ", ".join(TASK_TYPES)
            raise InputError(
                "task", f"task_type {facts.get('task_type')}", f"use {known}"
            )
        table = facts.get("entity_table", facts.get("src_entity_table"))
        if table not in db.schema.tables or db.schema.tables[table].pkey_col is None:
            raise InputError("task", f"entity table {table}", "name a table with a key")
        chosen = facts.get("dst_entity_table")
        pkey = None if chosen is None else db.schema.tables[chosen].pkey_col
        width = facts.get("timedelta")
        task_type = TASK_TYPES[str(facts["task_type"])]
        return cls(
            name=name,
            task_type=task_type,
            entity_table=str(table),
            entity_col=str(facts.get("entity_col", facts.get("src_entity_col"))),
            time_col=str(facts.get("time_col", "timestamp")),
            target_col=str(facts.get("target_col", facts.get("dst_entity_col"))),
            timedelta=None if width is None else pd.Timedelta(width),
            num_eval_timestamps=int(facts.get("num_eval_timestamps", 1)),
            sql=facts.get("sql"),
            eval_k=facts.get("eval_k"),
            choices=None if chosen is None else Candidates(chosen, str(pkey)),
        )

    @property
    def horizon(self) -> Horizon | None:
        """The window of the label; None for one that is known at once."""
        if self.timedelta is None:
            return None
        seconds = int(self.timedelta.total_seconds())
        days, rest = divmod(seconds, 86_400)
        return Horizon((Span(seconds, "seconds") if rest else Span(days, "days"),))

    def renamed(self, relation: str) -> str:
        """SQL: the columns of a relation by our names."""
        names = (self.entity_col, self.time_col, self.target_col)
        entity, time, target = map(quoted, names)
        label = _LABELS.get(self.task_type, "{}").format(target)
        return (
            f"SELECT {entity} AS entity, CAST({time} AS TIMESTAMP) AS anchor_time,"
            f" {label} AS label FROM {relation} WHERE {entity} IS NOT NULL"
        )


_LABELS = {
    TaskType.binary: "CAST({} AS BOOLEAN)",
    TaskType.regression: "CAST({} AS DOUBLE)",
    TaskType.multilabel: "list_sort(list_distinct({}))",
    TaskType.ranking: "list_sort(list_distinct({}))",
}


@dataclass(frozen=True)
class RelBenchExamples:
    """The examples of a RelBench task.

    Args:
        db: The database.
        manifest: Of the task.
        folder: Where its parts are stored; None computes them.
        cuts: Start of validation and of the test.
    """

    db: Database
    manifest: Manifest
    folder: Path | None
    cuts: tuple[pd.Timestamp, pd.Timestamp]

    def examples(self, split: str) -> Examples:
        """The examples of train, validation, test or now."""
        order = "ORDER BY anchor_time, entity"
        if split == "now":
            table = self.db.schema.tables[self.manifest.entity_table]
            seeds = entities_at(self.db, table, [pd.Timestamp(self.db.end_time)])
            return Examples(
                ExampleTable(
                    self.db, f"SELECT *, TRUE AS matches_where FROM ({seeds}) {order}"
                ),
                {},
            )
        sql = self.computed(split) if self.folder is None else self._stored(split)
        return Examples(ExampleTable(self.db, f"{sql} {order}"), {})

    def labels(self, seeds: str) -> str:
        """SQL: what became of these seeds; NULL where the task has no example."""
        times = f"SELECT DISTINCT anchor_time AS timestamp FROM {seeds}"
        return (
            f"SELECT s.*, l.label FROM {seeds} AS s LEFT JOIN ({self._sql(times)}) AS l"
            + (" ON l.entity = s.entity AND l.anchor_time = s.anchor_time")
        )

    def computed(self, split: str) -> str:
        """SQL: the examples of a split, made from the database by the task's own SQL.

        Entities that appear after the start of the test are left out, as RelBench does.

        Args:
            split: train, validation or test.
        """
        self._check_sql()
        times = ", ".join(f"({literal(time)})" for time in self.anchors(split))
        times = f"SELECT * FROM (VALUES {times}) AS v(timestamp)"
        kept = "label IS NOT NULL"
        if self.manifest.task_type is TaskType.ranking:
            kept += " AND len(label) > 0"
        table = self.db.schema.tables[self.manifest.entity_table]
        there = entities_at(self.db, table, self.cuts[1:])
        kept += f" AND entity IN (SELECT entity FROM ({there}))"
        return f"SELECT * FROM ({self._sql(times)}) WHERE {kept}"

    def anchors(self, split: str) -> list[pd.Timestamp]:
        """The times at which RelBench asks.

        Validation and test step on by the window from their start, at most
        ``num_eval_timestamps`` times; training steps back to the first row of all.

        Args:
            split: train, validation or test.
        """
        width = self.manifest.timedelta
        assert width is not None  # a task with SQL has a window
        validation, test = self.cuts
        if split == "train":
            return list(pd.date_range(validation - width, self._first(), freq=-width))
        start = validation if split == "validation" else test
        last = test if split == "validation" else pd.Timestamp(self.db.end_time)
        end = min(start + width * (self.manifest.num_eval_timestamps - 1), last - width)
        return list(pd.date_range(start, end, freq=width))

    def _first(self) -> pd.Timestamp:
        firsts = [
            self.db.query(
                f'SELECT min("_time") FROM {self.db.relation(table.name, [])}'
            )
            for table in self.db.schema.tables.values()
            if table.time_col is not None
        ]
        return min(pd.Timestamp(time) for ((time,),) in firsts if time is not None)

    def _stored(self, split: str) -> str:
        name = {"validation": "val"}.get(split, split)
        path = Path(str(self.folder)) / f"{name}.parquet"
        if not path.is_file():
            raise InputError(
                "task", f"no {path.name} in {path.parent}", "check the folder"
            )
        return self.manifest.renamed(f"read_parquet({literal(str(path))})")

    def _check_sql(self) -> str:
        manifest = self.manifest
        if manifest.sql is None or manifest.timedelta is None:
            found = f"{manifest.name}, without SQL or timedelta"
            raise InputError("task", found, "use its stored examples")
        return manifest.sql

    def _sql(self, times: str) -> str:
        """The task's SQL over our tables, with our names."""
        sql = self._check_sql()
        tables = [
            table
            for table in self.db.schema.tables
            if re.search(rf"\b{re.escape(table)}\b", sql, re.IGNORECASE)
        ]
        # In two steps: a table expression may not read a relation of its own name.
        found = [
            f"task_table_{place} AS (SELECT * FROM {self.db.relation(table)})"
            for place, table in enumerate(tables)
        ]
        found += [
            f"{quoted(table)} AS"
            f" (SELECT * EXCLUDE (_time, _row) FROM task_table_{place})"
            for place, table in enumerate(tables)
        ]
        found.append(f"timestamps AS ({times})")
        body = sql.replace("{timedelta}", _interval(self.manifest.timedelta))
        inner = f"(WITH {', '.join(found)} SELECT * FROM ({body.strip().rstrip(';')}))"
        return self.manifest.renamed(inner)


def _interval(width: pd.Timedelta | None) -> str:
    return "0 days" if width is None else f"{int(width.total_seconds())} seconds"


def relbench_task(
    db: Database,
    facts: Mapping[str, Any],
    cuts: tuple[pd.Timestamp, pd.Timestamp],
    folder: Path | None = None,
) -> Task:
    """The task that a RelBench manifest defines.

    Args:
        db: The database.
        facts: The manifest.
        cuts: Start of validation and of the test.
        folder: Where train, val and test are stored; None computes them by the SQL.

    Raises:
        InputError: The manifest cannot be used.
    """
    manifest = Manifest.of(facts, db)
    source = RelBenchExamples(db, manifest, folder, cuts)
    return Task(
        name=manifest.name,
        db=db,
        entity_table=manifest.entity_table,
        entity_col=str(db.schema.tables[manifest.entity_table].pkey_col),
        task_type=manifest.task_type,
        horizon=manifest.horizon,
        anchor_time=pd.Timestamp(db.end_time),
        source=source,
        k=manifest.eval_k,
        choices=manifest.choices,
        notes=(str(facts.get("description", "")),),
    )


_BUILT = {str(DRIVER_CIRCUIT_COMPETE["name"]): DRIVER_CIRCUIT_COMPETE}
"""Tasks of RelBench that a folder need not hold: their SQL makes them."""


def load_relbench_task(db: Database, name: str, folder: str | Path) -> Task:
    """A task of a RelBench folder, its examples as RelBench publishes them.

    Args:
        db: The database of the same folder.
        name: Of the task: a folder in ``tasks``, or ``driver-circuit-compete``.
        folder: The RelBench folder.

    Raises:
        InputError: There is no such task, or its manifest cannot be used.
    """
    root = Path(folder)
    manifest = read_manifest(root)
    cuts = (
        pd.Timestamp(manifest["val_timestamp"]),
        pd.Timestamp(manifest["test_timestamp"]),
    )
    tasks = root / "tasks"
    path = tasks / name
    if not (path / "manifest.yaml").is_file() and name in _BUILT:
        return relbench_task(db, _BUILT[name], cuts)
    if not (path / "manifest.yaml").is_file():
        known = sorted(p.parent.name for p in tasks.glob("*/manifest.yaml"))
        raise InputError("task", name, f"use one of {', '.join(known) or 'none'}")
    return relbench_task(db, _read(path / "manifest.yaml"), cuts, path)


def _read(path: Path) -> Mapping[str, Any]:
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        first = str(error).splitlines()[0]
        raise InputError(
            "task", f"{path}: {first}", "give a RelBench folder"
        ) from error
    if not isinstance(found, Mapping):
        raise InputError(
            "task", f"{path}, which is no mapping", "give a RelBench folder"
        )
    return found
