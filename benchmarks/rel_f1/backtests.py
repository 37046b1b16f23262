"""Do training rows that were cut help where predictions are made long after the cut?

``python -m benchmarks.rel_f1.backtests [TASK …]`` plays the frozen regime of rel-f1 at
earlier years, inside RelBench's training and validation splits; the test split is not
read. Each year: settings chosen on the five years before, judged on the five after.
Every finished fit is kept in ``results/backtests.json``, where an interrupted run goes
on.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pandas as pd

from benthic.relational.database import Database
from benthic.relational.engines import Options, Target, make_features_engine
from benthic.relational.evaluation.scoring import MAIN_METRIC, label_scale, score
from benthic.relational.task import Task, load_relbench_task

DATA = Path(os.environ.get("BENTHIC_DATA", "../shared/data"))
FOLDER = DATA / "relational" / "rel-f1"
RESULT = Path(__file__).parent / "results" / "backtests.json"
TASKS = ("driver-top3", "driver-dnf", "driver-position")
YEARS = (1985, 1990, 1995, 2000, 2005)
SHOWN = {"as they are": 0, "as they are and cut": 2}
SPAN = pd.DateOffset(years=5)


def examples(task: Task, year: int) -> list[pd.DataFrame]:
    """Training, validation and judged rows as they would have been in that year."""
    origin = pd.Timestamp(year=year, month=1, day=1)
    every = pd.concat([task.train(), task.validation()], ignore_index=True)
    anchor, known = every["anchor_time"], task.observed_at(every["anchor_time"])
    parts = [
        every[known <= origin - SPAN],
        every[(anchor >= origin - SPAN) & (known <= origin)].assign(
            cut_time=origin - SPAN
        ),
        every[(anchor >= origin) & (anchor < origin + SPAN)].assign(cut_time=origin),
    ]
    return [part.reset_index(drop=True) for part in parts]


def judged(task: Task, year: int, num_lags: int) -> float | None:
    """The metric of the board, or None where there is too little to learn from."""
    train, validation, later = examples(task, year)
    if min(len(train), len(validation), len(later)) < 200:
        return None
    target = Target.of(task)
    engine = make_features_engine(task.db, target, Options(num_lags=num_lags))
    engine.fit(train, validation)
    said = engine.predict(later.drop(columns="label"))
    scale = label_scale(task.train()["label"])
    found = score(target.task_type, later["label"], said, scale=scale)
    return round(found[MAIN_METRIC[target.task_type]], 4)


def main(tasks: list[str]) -> None:
    done: list[dict[str, Any]] = (
        json.loads(RESULT.read_text()) if RESULT.exists() else []
    )
    with Database.open(FOLDER) as db:
        for name in tasks or TASKS:
            task = load_relbench_task(db, name, FOLDER)
            for year in YEARS:
                key = {"task": name, "year": year}
                if any(key.items() <= row.items() for row in done):
                    continue
                found = {how: judged(task, year, lags) for how, lags in SHOWN.items()}
                done.append({**key, **found})
                RESULT.write_text(json.dumps(done, indent=1) + "\n")
                print(done[-1], flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
