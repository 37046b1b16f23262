"""Claim: a prediction costs the same among millions of entities, in bounded memory.

A model is fitted on 100,000 entities with ten rows each, saved, and asked about the
entities of databases of several sizes, answers streamed to Parquet.
``python benchmarks/predict_many.py`` writes ``results/predict_many.json``; it takes a
quarter of an hour.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb
import timing

from benthic.relational.database import Database
from benthic.relational.engines import Options
from benthic.relational.predictor import Predictor

SIZES = (100_000, 300_000, 1_000_000)
FITTED = SIZES[0]
ROWS_EACH = 10
RESULT = Path(__file__).parent / "results" / "predict_many.json"
QUERY = "PREDICT COUNT(orders.*, 0, 90, days) > 3 FOR EACH customers.customer_id"


def write_database(file: Path, entities: int) -> None:
    rows = ROWS_EACH * entities
    with duckdb.connect(file) as connection:
        connection.execute("SET threads = 1")
        connection.execute(
            "CREATE TABLE customers (customer_id BIGINT PRIMARY KEY, tier BIGINT)"
        )
        connection.execute(
            "CREATE TABLE orders (order_id BIGINT, customer_id BIGINT REFERENCES"
            " customers, placed_at TIMESTAMP, total DOUBLE, kind VARCHAR)"
        )
        connection.execute(
            f"INSERT INTO customers SELECT range, range % 7 FROM range({entities})"
        )
        connection.execute(
            f"INSERT INTO orders SELECT range, hash(range) % {entities},"
            " TIMESTAMP '2025-01-01' + to_seconds(CAST(range * "
            f"{365 * 86_400} / {rows} AS BIGINT)),"
            " (hash(range + 1) % 100) / 10.0, 'kind ' || (hash(range + 2) % 12)"
            f" FROM range({rows})"
        )


def opened(file: Path) -> Database:
    db = Database.open(file, memory_limit="2GB")
    db.connection.execute("SET threads = 1")
    return db


def fit(folder: Path) -> None:
    write_database(folder / "fitted.duckdb", FITTED)
    with opened(folder / "fitted.duckdb") as db:
        predictor = Predictor(db, Options(num_models=1, num_hops=1, num_threads=1))
        predictor.fit(QUERY)
        predictor.save(folder / "model")


def predicted(folder: Path, entities: int) -> dict[str, float]:
    file = folder / f"{entities}.duckdb"
    with opened(file) as db:
        predictor = Predictor.load(folder / "model", db)
        start = time.process_time()
        written = predictor.predict_to(folder / "answers.parquet", QUERY)
        seconds = time.process_time() - start
    return {
        "entities": written,
        "rows": ROWS_EACH * entities,
        "predict_s": seconds,
        "seconds_per_100k_entities": seconds / written * 1e5,
        "peak_memory_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    }


def in_process_of_its_own(what: str, folder: Path, entities: int) -> str:
    """Also the fit, since a process begins with the peak memory of its parent."""
    command = [sys.executable, __file__, what, str(folder), str(entities)]
    run = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return run.stdout.strip()


def measured(folder: Path, entities: int) -> dict[str, float]:
    write_database(folder / f"{entities}.duckdb", entities)
    found = in_process_of_its_own("predict", folder, entities)
    answer: dict[str, float] = json.loads(found.splitlines()[-1])
    return answer


def main() -> None:
    if len(sys.argv) == 4:
        folder = Path(sys.argv[2])
        if sys.argv[1] == "fit":
            fit(folder)
        else:
            print(json.dumps(predicted(folder, int(sys.argv[3]))))
        return
    with tempfile.TemporaryDirectory() as name:
        in_process_of_its_own("fit", Path(name), FITTED)
        sizes = [measured(Path(name), entities) for entities in SIZES]
    timing.save(
        RESULT,
        {
            "clock": "processor time of one thread, seconds",
            "repeats": "one run of each size",
            "query": QUERY,
            "sizes": sizes,
        },
    )


if __name__ == "__main__":
    main()
