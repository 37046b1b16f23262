"""How good are the answers to a query, beside what no model at all would say?"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from benthic.errors import InputError
from benthic.relational.engines import FitReport, Options, Target
from benthic.relational.engines.design import label_history
from benthic.relational.evaluation import (
    MAIN_METRIC,
    Interval,
    baseline_predictions,
    label_scale,
    said_classes,
    score,
    score_intervals,
    split_by_time,
)
from benthic.relational.learning import learn, numbered
from benthic.relational.progress import silent
from benthic.relational.task import Task

REGIMES = ("rolling", "frozen")


@dataclass(frozen=True)
class Evaluation:
    """What predictions made in the past turned out to be worth.

    Args:
        query: What was asked.
        task_type: What kind of label.
        regime: ``"frozen"``: the database as it was when the first evaluated window
            began; ``"rolling"``: as it was at each anchor.
        anchors: When the evaluated predictions were made.
        num_rows: Examples of each part: train, validation, test.
        metrics: By name, with their intervals over resampled entities.
        baselines: What needs no model -> its metrics on the same examples.
        main_metric: The one to look at first.
        reports: What each fit cost and chose; several in a backtest.
        predict_seconds: Time that predicting took.
        notes: What a reader should know.
        predictions: ``entity``, ``anchor_time``, ``label`` and what was predicted.
    """

    query: str
    task_type: str
    regime: str
    anchors: tuple[pd.Timestamp, ...]
    num_rows: Mapping[str, int]
    metrics: Mapping[str, Interval]
    baselines: Mapping[str, Mapping[str, float]]
    main_metric: str
    reports: tuple[FitReport, ...]
    predict_seconds: float
    notes: tuple[str, ...]
    predictions: pd.DataFrame

    def to_dict(self) -> dict[str, Any]:
        """As plain values, without the predictions; undefined numbers are None."""
        document = {
            "query": self.query,
            "task_type": self.task_type,
            "regime": self.regime,
            "anchors": [anchor.isoformat() for anchor in self.anchors],
            "num_rows": dict(self.num_rows),
            "main_metric": self.main_metric,
            "metrics": {name: asdict(each) for name, each in self.metrics.items()},
            "baselines": {name: dict(each) for name, each in self.baselines.items()},
            "fits": [_report(each) for each in self.reports],
            "predict_seconds": self.predict_seconds,
            "notes": list(self.notes),
        }
        plain: dict[str, Any] = _without_nan(document)
        return plain

    def to_json(self) -> str:
        """As one JSON document."""
        return json.dumps(self.to_dict(), indent=2, default=str)

    def to_frame(self) -> pd.DataFrame:
        """Metrics by row: the model with its interval, and each baseline."""
        rows = {}
        for name, each in self.metrics.items():
            others = {b: found.get(name) for b, found in self.baselines.items()}
            rows[name] = {
                "model": each.value,
                "lower": each.lower,
                "upper": each.upper,
                **others,
            }
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("metric")

    def __str__(self) -> str:
        anchors = f"{len(self.anchors)} anchors from {self.anchors[0].date()}"
        if len(self.anchors) == 1:
            anchors = f"the anchor {self.anchors[0].date()}"
        counts = ", ".join(f"{n:,} {name}" for name, n in self.num_rows.items())
        with pd.option_context("display.float_format", "{:.4g}".format):
            table = self.to_frame().to_string(na_rep="-")
        notes = [f"note: {note}" for note in self.notes]
        head = f"{self.query}\n{self.task_type}, {self.regime}, at {anchors}; {counts}"
        return "\n".join([head, "", table, *([""] if notes else []), *notes])


def judge(
    task: Task,
    options: Options,
    *,
    regime: str = "rolling",
    backtest: bool = False,
    num_resamples: int = 200,
    fit_dir: str | Path | None = None,
    progress: Callable[[str], None] = silent,
) -> Evaluation:
    """Fits on the past of a task and scores predictions for its test anchors.

    Args:
        task: With validation and test anchors.
        options: How the engine learns.
        regime: ``"rolling"`` or ``"frozen"``.
        backtest: Fit anew for each test anchor, with all that was known by then,
            instead of once for all.
        num_resamples: Resamples of entities for the intervals.
        fit_dir: Where interrupted fits find their finished parts again, each fit in a
            folder named for the first anchor it is judged at.
        progress: Told of each step.

    Raises:
        InputError: For another regime.
    """
    if regime not in REGIMES:
        raise InputError("regime", repr(regime), f"choose {' or '.join(REGIMES)}")
    parts = list(_parts(task, backtest))
    reports, said, others, seconds = [], [], [], 0.0
    for train, validation, test in parts:
        if regime == "frozen":
            validation = _frozen(validation)
            test = _frozen(test)
        kept = None if fit_dir is None else Path(fit_dir) / _name(test)
        fitted = learn(
            task, train, validation, options, fit_dir=kept, progress=progress
        )
        progress("predicting")
        found = fitted.engine.predict(test.drop(columns="label"))
        seconds += fitted.engine.predict_seconds
        reports.append(fitted.report)
        said.append(pd.concat([test, found], axis=1))
        known = pd.concat([train, validation], ignore_index=True)
        others.append(_baselines(task, known, test, said_classes(found)))
    predictions = pd.concat(said, ignore_index=True)
    kind = str(task.task_type)
    scale = math.nan
    if kind in {"regression", "forecast"}:
        scale = label_scale(parts[0][0]["label"])
    k = task.k or 10
    return Evaluation(
        str(task.query) if task.query is not None else task.name,
        kind,
        regime,
        tuple(map(pd.Timestamp, sorted(predictions["anchor_time"].unique()))),
        {
            "train": len(parts[0][0]),
            "validation": len(parts[0][1]),
            "test": len(predictions),
        },
        score_intervals(
            kind,
            predictions["label"],
            predictions,
            predictions["entity"],
            scale=scale,
            k=k,
            num_resamples=num_resamples,
            seed=options.seed,
        ),
        {
            name: score(
                kind,
                predictions["label"],
                pd.concat([each[name] for each in others], ignore_index=True),
                scale=scale,
                k=k,
            )
            for name in others[0]
        },
        MAIN_METRIC[kind],
        tuple(reports),
        seconds,
        (*task.notes, *_dropped(task)),
        predictions,
    )


def _parts(
    task: Task, backtest: bool
) -> Iterator[tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]]:
    train, validation, test = (
        numbered(part, task) for part in (task.train(), task.validation(), task.test())
    )
    anchors = sorted(test["anchor_time"].unique())
    if not backtest or task.horizon is None or len(anchors) == 1:
        yield train, validation, test
        return
    examples = pd.concat([train, validation, test], ignore_index=True)
    if "observed_at" not in examples:
        known = task.observed_at(examples["anchor_time"])
        examples = examples.assign(observed_at=known)
    for anchor in anchors:
        split = split_by_time(examples[examples["anchor_time"] <= anchor])
        yield (
            *(
                part.reset_index(drop=True)
                for part in (split.train, split.validation, split.test)
            ),
        )


def _name(test: pd.DataFrame) -> str:
    return f"{test['anchor_time'].min():%Y-%m-%dT%H%M%S}"


def _frozen(examples: pd.DataFrame) -> pd.DataFrame:
    return examples.assign(cut_time=examples["anchor_time"].min())


def _baselines(
    task: Task, known: pd.DataFrame, test: pd.DataFrame, classes: list[str]
) -> dict[str, pd.DataFrame]:
    history = label_history(known, Target.of(task))
    if "frame" in known:
        history = history.assign(frame=0)
    return baseline_predictions(
        str(task.task_type),
        history,
        test.drop(columns="label").reset_index(drop=True),
        k=task.k or 10,
        classes=classes,
    )


def _dropped(task: Task) -> Iterator[str]:
    for split, reasons in task.dropped.items():
        for reason, count in reasons.items():
            if count:
                yield f"{count:,} {split} examples left out: {reason}"


def _report(report: FitReport) -> dict[str, Any]:
    return {**asdict(report), "notes": list(report.notes)}


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_without_nan(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value.item() if hasattr(value, "item") else value
