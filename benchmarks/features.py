"""Claim: features of 100,000 entity-times over 10 million rows, ≥ 10× pandas."""

from __future__ import annotations

import datetime as dt
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
from timing import save

from benthic.relational.database import Database
from benthic.relational.features.relational_features import RelationalFeatures

ROWS_PER_ENTITY = 1_000
ANCHORS = 10
DAYS = 1_000
HORIZON = dt.timedelta(days=30)
START = pd.Timestamp("2020-01-01")
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


def seeds(rows: int) -> pd.DataFrame:
    """Everybody at each of ten anchors, as a label table with replayed anchors has."""
    people = np.tile(np.arange(rows // ROWS_PER_ENTITY), ANCHORS)
    days = np.repeat(500 + 45 * np.arange(ANCHORS), rows // ROWS_PER_ENTITY)
    return pd.DataFrame(
        {"entity": people, "anchor_time": START + pd.to_timedelta(days, "D")}
    )


def ours(folder: Path, asked: pd.DataFrame) -> dict[str, float]:
    """Seconds of process time to fit and to transform, and the number of features."""
    with Database.open(folder, memory_limit="3GB") as db:
        db.connection.execute("SET threads = 1")
        start = time.process_time()
        made = RelationalFeatures(db, "people", "person").fit(asked, horizon=HORIZON)
        fitted = time.process_time()
        values = made.transform(asked)
        end = time.process_time()
    return {
        "fit_s": fitted - start,
        "transform_s": end - fitted,
        "features": values.shape[1],
        "peak_memory_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    }


def by_pandas(folder: Path, asked: pd.DataFrame) -> dict[str, float]:
    """The commonest of the same features with one group-by a window and anchor."""
    start = time.process_time()
    events = pd.read_parquet(folder / "db" / "events.parquet")
    events["kind"] = events["kind"].astype("category")
    kinds = (
        pd.get_dummies(events["kind"]).iloc[:, :6].add_prefix("share ").astype(float)
    )
    events = pd.concat([events, kinds], axis=1)
    made = 0
    for anchor, group in asked.groupby("anchor_time"):
        mine = events[events["person"].isin(group["entity"]) & (events["at"] <= anchor)]
        windows = [mine]
        windows += [mine.groupby("person").tail(k) for k in (1, 3, 5, 10, 20)]
        windows += [mine[mine["at"] > anchor - n * HORIZON] for n in (1, 3, 12)]
        frames = []
        for window in windows:
            rows = window.groupby("person", sort=True)
            numbers = rows[["amount", "delay"]].agg(
                ["sum", "mean", "std", "min", "max"]
            )
            shares = rows[list(kinds.columns)].mean()
            counts = rows.agg(n=("at", "size"), kinds=("kind", "nunique"))
            last = rows["at"].last()
            frames += [numbers, shares, counts, (anchor - last).dt.days]
        table = pd.concat(frames, axis=1).reindex(group["entity"])
        made = table.shape[1]
    return {"transform_s": time.process_time() - start, "features": made}


def measured(what: str, rows: int) -> dict[str, float]:
    """In a process of its own, so that peak memory is its own."""
    command = [sys.executable, __file__, what, str(rows)]
    found = subprocess.run(command, check=True, capture_output=True, text=True)
    answer: dict[str, float] = json.loads(found.stdout.strip().splitlines()[-1])
    return answer


def main() -> None:
    if len(sys.argv) == 3:
        what, rows = sys.argv[1], int(sys.argv[2])
        with tempfile.TemporaryDirectory() as name:
            write_database(Path(name), rows)
            work = {"ours": ours, "pandas": by_pandas}[what]
            warm = seeds(10 * ROWS_PER_ENTITY)
            if what == "ours":
                work(Path(name), warm)
            print(json.dumps(work(Path(name), seeds(rows))))
        return
    sizes = [{"rows": rows, **measured("ours", rows)} for rows in SIZES]
    pandas = [{"rows": rows, **measured("pandas", rows)} for rows in COMPARED]
    mine = {size["rows"]: size for size in sizes}
    save(
        RESULT,
        {
            "clock": "processor time of one thread, seconds",
            "repeats": "one run, after one on a small database",
            "entity_times": "a hundredth of the rows, each entity at ten anchors",
            "benthic": sizes,
            "pandas": pandas,
            "times_faster": {
                size["rows"]: size["transform_s"] / mine[size["rows"]]["transform_s"]
                for size in pandas
            },
            "seconds_per_million_rows": {
                size["rows"]: size["transform_s"] / size["rows"] * 1e6 for size in sizes
            },
        },
    )


if __name__ == "__main__":
    main()
