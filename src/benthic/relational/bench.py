"""How good is the features engine on rel-f1, in both regimes?

frozen: the database is cut at the start of the split. rolling: each seed sees the rows
strictly before its own time, as RelBench's board allows. Every number names its regime.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import pandas as pd

from benthic.errors import InputError
from benthic.relational.database import Database
from benthic.relational.engines import Options, Target, make_features_engine
from benthic.relational.engines.finished import Finished
from benthic.relational.evaluation.scoring import MAIN_METRIC, label_scale, score
from benthic.relational.progress import silent
from benthic.relational.task import Task, load_relbench_task

TASKS = ("driver-dnf", "driver-top3", "driver-position", "driver-circuit-compete")
"""The four tasks of rel-f1 on RelBench's board."""

REGIMES = ("frozen", "rolling")
"""What a seed may see."""

_TEST = pd.Timestamp("2010-01-01")
_VALIDATION = pd.Timestamp("2005-01-01")
_DEVELOPMENT = pd.Timestamp("2000-01-01")


def run_rel_f1(
    db: Database,
    folder: str | Path,
    *,
    seeds: Sequence[int] = range(5),
    regimes: Sequence[str] = REGIMES,
    tasks: Sequence[str] = TASKS,
    split: str = "test",
    out: str | Path | None = None,
    num_threads: int = 1,
    progress: Callable[[str], None] = silent,
) -> dict[str, Any]:
    """Fits and judges the features engine, once for each task, regime and seed.

    Args:
        db: rel-f1, opened.
        folder: Its folder, which holds the tasks.
        seeds: Of everything that is drawn.
        regimes: frozen, rolling.
        tasks: Names of tasks.
        split: ``test``: settings chosen on validation, judged on the test. While
            developing, ``validation``: the five years before validation take its
            place, and validation that of the test, which stays untouched.
        out: A folder for finished runs; an interrupted benchmark goes on there.
        num_threads: Does not change the result.
        progress: Told of each step.

    Returns:
        ``{"results": [{"dataset", "task", "regime", "split", "engine", "metric",
        "value", "std", "seeds", "values", "fit_seconds", "predict_seconds",
        "peak_memory_mb", "chosen"}]}``: the mean and the standard deviation (ddof=1)
        over seeds, AUROC and MAP@10 as shares, nMAE by the labels of training.

    Raises:
        InputError: For a task, regime or split that does not exist.
    """
    _check("tasks", tasks, TASKS)
    _check("regimes", regimes, REGIMES)
    _check("split", [split], ("test", "validation"))
    finished = Finished(out, f"rel-f1 {split}")
    results = []
    for name in tasks:
        task = load_relbench_task(db, name, folder)
        for regime in regimes:
            runs = []
            for seed in seeds:
                key = {"task": name, "regime": regime, "seed": seed}
                run = finished.read(key)
                if run is None:
                    told = _prefixed(f"{name} {regime} seed {seed}: ", progress)
                    run = _run(task, regime, seed, split, num_threads, told)
                    finished.write(key, run)
                runs.append(run)
            row = _summary(task, regime, split, seeds, runs)
            progress(f"{name} {regime}: {row['metric']} {row['value']:.4f}")
            results.append(row)
    return {"results": results}


def _check(argument: str, given: Sequence[str], known: Sequence[str]) -> None:
    for name in given:
        if name not in known:
            raise InputError(argument, name, f"use {', '.join(known)}")


def _prefixed(prefix: str, progress: Callable[[str], None]) -> Callable[[str], None]:
    return lambda text: progress(prefix + text)


@runtime_checkable
class Parts(Protocol):
    """What :func:`examples` needs of a task."""

    def train(self) -> pd.DataFrame:
        """Examples to learn from."""

    def validation(self) -> pd.DataFrame:
        """Examples to choose by."""

    def test(self) -> pd.DataFrame:
        """Examples to judge by."""

    def observed_at(self, anchor_time: pd.Series) -> pd.Series:
        """When the labels of these anchors became known."""


def examples(
    task: Parts, regime: str, split: str
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Training, validation and judged examples, cut as the regime asks.

    Args:
        task: Of rel-f1.
        regime: frozen or rolling.
        split: test or validation.
    """
    parts = [task.train(), task.validation()]
    cuts = (_VALIDATION, _TEST)
    if split == "test":
        parts.append(task.test())
    else:
        cuts = (_DEVELOPMENT, _VALIDATION)
        train, judged = parts
        known = task.observed_at(train["anchor_time"]) <= _DEVELOPMENT
        later = train["anchor_time"] >= _DEVELOPMENT
        parts = [train[known], train[later], judged]
    if regime == "frozen":
        parts[1:] = [
            part.assign(cut_time=cut) for part, cut in zip(parts[1:], cuts, strict=True)
        ]
    train, validation, judged = (part.reset_index(drop=True) for part in parts)
    return train, validation, judged


def _run(
    task: Task,
    regime: str,
    seed: int,
    split: str,
    num_threads: int,
    progress: Callable[[str], None],
) -> dict[str, Any]:
    train, validation, judged = examples(task, regime, split)
    options = Options(
        strict=regime == "rolling", seed=1000 * seed, num_threads=num_threads
    )
    target = Target.of(task)
    engine = make_features_engine(task.db, target, options, progress=progress)
    report = engine.fit(train, validation)
    said = engine.predict(judged.drop(columns="label"))
    scale = float("nan") if _is_list(judged) else label_scale(task.train()["label"])
    found = score(
        target.task_type, judged["label"], said, scale=scale, k=target.k or 10
    )
    return {
        "value": found[MAIN_METRIC[target.task_type]],
        "metrics": found,
        "fit_seconds": report.fit_seconds,
        "predict_seconds": engine.predict_seconds,
        "peak_memory_mb": report.peak_memory_mb,
        "chosen": dict(report.chosen),
    }


def _is_list(examples_: pd.DataFrame) -> bool:
    return isinstance(examples_["label"].iloc[0], list)


def _summary(
    task: Task,
    regime: str,
    split: str,
    seeds: Sequence[int],
    runs: list[dict[str, Any]],
) -> dict[str, Any]:
    values = [run["value"] for run in runs]
    return {
        "dataset": "rel-f1",
        "task": task.name,
        "regime": regime,
        "split": split,
        "engine": "features",
        "metric": MAIN_METRIC[str(task.task_type)],
        "value": float(np.mean(values)),
        "std": float(np.std(values, ddof=1)) if len(values) > 1 else 0.0,
        "seeds": list(seeds),
        "values": values,
        "fit_seconds": float(np.mean([run["fit_seconds"] for run in runs])),
        "predict_seconds": float(np.mean([run["predict_seconds"] for run in runs])),
        "peak_memory_mb": max(run["peak_memory_mb"] for run in runs),
        "chosen": [run["chosen"] for run in runs],
    }
