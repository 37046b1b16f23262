"""Claim: labels and features of 100,000 entity-times, 10 million rows: ≥ 10× pandas.

Benthic: the label table of a query, features chosen from it (fit) and computed for it
(transform). pandas: the same label table and the commonest of the same features, with
one group-by for each anchor and window. ``python benchmarks/features.py`` writes
``results/features.json``; it takes a quarter of an hour.
"""

from __future__ import annotations

import datetime as dt
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
from timing import save

from benthic.relational.database import Database
from benthic.relational.features.relational_features import RelationalFeatures
from benthic.relational.task import Span, make_task

ROWS_PER_ENTITY = 1_000
ANCHORS = 10
EVERY = 45
DAYS = 1_000
HORIZON = dt.timedelta(days=30)
NOW = pd.Timestamp("2022-07-01")
QUERY = "PREDICT SUM(events.amount, 0, 30, days) FOR EACH people.person"
SIZES = (1_000_000, 2_500_000, 5_000_000, 10_000_000)
COMPARED = (1_000_000, 10_000_000)
RESULT = Path(__file__).parent / "results" / "features.json"

MANIFEST = """name: bench
manifest_version: 1
val_timestamp: '2022-01-01'
test_timestamp: '2022-06-01'
tables:
  people: {pkey: person, time_col: null, fkeys: {}}
  events: {pkey: event, time_col: at, fkeys: {person: people}}
"""


def write_database(folder: Path, rows: int) -> None:
    entities = rows // ROWS_PER_ENTITY
    (folder / "db").mkdir()
    (folder / "manifest.yaml").write_text(MANIFEST)
    with duckdb.connect() as connection:
        connection.execute("SET threads = 1")
        connection.execute(
            f"COPY (SELECT range AS person, range % 7 AS town FROM range({entities}))"
            f" TO '{folder}/db/people.parquet'"
        )
        connection.execute(
            "COPY (SELECT range AS event, CAST(hash(range) % "
            f"{entities} AS BIGINT) AS person,"
            " TIMESTAMP '2020-01-01' + to_seconds(CAST(range * "
            f"{DAYS * 86_400} / {rows} AS BIGINT)) AS at,"
            " (hash(range + 1) % 1000) / 10.0 AS amount,"
            " (hash(range + 2) % 97) / 1.0 AS delay,"
            " 'kind ' || (hash(range + 3) % 12) AS kind"
            f" FROM range({rows})) TO '{folder}/db/events.parquet'"
        )


def ours(folder: Path) -> dict[str, Any]:
    """Everybody at each of ten anchors: seconds of each part, and what came out."""
    with Database.open(folder, memory_limit="3GB") as db:
        db.connection.execute("SET threads = 1")
        clock = [time.process_time()]
        task = make_task(
            db,
            QUERY,
            anchor_time=NOW,
            step=Span(EVERY, "days"),
            num_train_anchors=ANCHORS,
            validation_anchors=0,
            test_anchors=0,
            max_train_rows=None,
        )
        examples = task.train()
        clock.append(time.process_time())
        made = RelationalFeatures(db, "people", "person").fit(examples, horizon=HORIZON)
        clock.append(time.process_time())
        values = made.transform(examples)
        clock.append(time.process_time())
    labels, fit, transform = np.diff(clock).tolist()
    return {
        "entity_times": len(examples),
        "labels_s": labels,
        "fit_s": fit,
        "transform_s": transform,
        "total_s": labels + fit + transform,
        "features": values.shape[1],
        "peak_memory_gb": peak_memory(),
        "sum_of_labels": float(examples["label"].sum()),
        "sum_of_counts": float(values["events.person count all"].astype(float).sum()),
    }


def peak_memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def by_pandas(folder: Path) -> dict[str, Any]:
    """The same labels, and the commonest of the same features."""
    start = time.process_time()
    people = pd.read_parquet(folder / "db" / "people.parquet")["person"]
    events = pd.read_parquet(folder / "db" / "events.parquet")
    read = time.process_time()
    anchors = [NOW - dt.timedelta(days=EVERY * i) for i in range(1, ANCHORS + 1)]
    labels = pd.concat([label_table(events, people, anchor) for anchor in anchors])
    labelled = time.process_time()
    kinds = pd.get_dummies(events["kind"]).iloc[:, :6].add_prefix("share ")
    events["kind"] = events["kind"].astype("category")
    events = pd.concat([events, kinds.astype(float)], axis=1)
    tables = [feature_table(events, people, anchor, list(kinds)) for anchor in anchors]
    made = pd.concat(tables)
    end = time.process_time()
    return {
        "entity_times": len(labels),
        "read_s": read - start,
        "labels_s": labelled - read,
        "transform_s": end - labelled,
        "total_s": end - start,
        "features": made.shape[1],
        "peak_memory_gb": peak_memory(),
        "sum_of_labels": float(labels["label"].sum()),
        "sum_of_counts": float(made["n all"].sum()),
    }


def label_table(
    events: pd.DataFrame, people: pd.Series, anchor: pd.Timestamp
) -> pd.DataFrame:
    window = events[(events["at"] > anchor) & (events["at"] <= anchor + HORIZON)]
    total = window.groupby("person")["amount"].sum().reindex(people, fill_value=0.0)
    return pd.DataFrame(
        {"entity": people, "anchor_time": anchor, "label": total.to_numpy()}
    )


def feature_table(
    events: pd.DataFrame, people: pd.Series, anchor: pd.Timestamp, kinds: list[str]
) -> pd.DataFrame:
    """One group-by a window: statistics of both numbers, shares, variety, recency."""
    seen = events[events["at"] <= anchor]
    windows = {"all": seen}
    windows |= {f"last {k}": seen.groupby("person").tail(k) for k in (1, 3, 5, 10, 20)}
    for n in (1, 3, 12):
        windows[f"{n} months"] = seen[seen["at"] > anchor - n * HORIZON]
    frames = []
    for name, window in windows.items():
        rows = window.groupby("person", sort=True)
        numbers = rows[["amount", "delay"]].agg(["sum", "mean", "std", "min", "max"])
        numbers.columns = [" ".join(column) for column in numbers.columns]
        shares = rows[kinds].mean()
        counts = rows.agg(n=("at", "size"), kinds=("kind", "nunique"))
        days = (anchor - rows["at"].last()).dt.days.rename("days since last")
        found = pd.concat([numbers, shares, counts, days], axis=1)
        frames.append(found.add_suffix(f" {name}"))
    return pd.concat(frames, axis=1).reindex(people)


def measured(what: str, rows: int) -> dict[str, Any]:
    """In a process of its own, so that peak memory is its own."""
    command = [sys.executable, __file__, what, str(rows)]
    found = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    answer: dict[str, Any] = json.loads(found.stdout.strip().splitlines()[-1])
    return answer


def one(what: str, rows: int) -> dict[str, Any]:
    work = {"ours": ours, "pandas": by_pandas}[what]
    with tempfile.TemporaryDirectory() as small, tempfile.TemporaryDirectory() as name:
        # Compiled functions are loaded once, whatever the number of rows.
        write_database(Path(small), 10 * ROWS_PER_ENTITY)
        work(Path(small))
        write_database(Path(name), rows)
        return work(Path(name))


def main() -> None:
    if len(sys.argv) == 3:
        print(json.dumps(one(sys.argv[1], int(sys.argv[2]))))
        return
    sizes = [{"rows": rows, **measured("ours", rows)} for rows in SIZES]
    pandas = [{"rows": rows, **measured("pandas", rows)} for rows in COMPARED]
    mine = {size["rows"]: size for size in sizes}
    for other in pandas:
        same = mine[other["rows"]]
        assert same["entity_times"] == other["entity_times"]
        assert np.isclose(same["sum_of_labels"], other["sum_of_labels"], rtol=1e-9)
        assert np.isclose(same["sum_of_counts"], other["sum_of_counts"], rtol=1e-6)
    save(
        RESULT,
        {
            "clock": "processor time of one thread, seconds",
            "repeats": "one run, after one on a small database",
            "query": QUERY,
            "entity_times": "a hundredth of the rows, each entity at ten anchors",
            "features": (
                "pandas: sums, means, spreads, extremes, shares, counts and recency of "
                "9 windows. Benthic: these and trends, gaps, variety, season, label "
                "history, rates by category and ranks in the cohort, as far as they "
                "vary; fit includes choosing them"
            ),
            "benthic": sizes,
            "pandas": pandas,
            "times_faster": {
                size["rows"]: size["total_s"] / mine[size["rows"]]["total_s"]
                for size in pandas
            },
            "seconds_per_million_rows": {
                size["rows"]: size["total_s"] / size["rows"] * 1e6 for size in sizes
            },
        },
    )


if __name__ == "__main__":
    main()
