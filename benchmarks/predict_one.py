"""How long does one prediction from a saved model take, once the database is open?

``python benchmarks/predict_one.py [FOLDER]`` fits on sakila (16 tables, 62,134 rows),
saves, loads, and asks for one customer; it writes ``results/predict_one.json``.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

import timing

from benthic.relational.database import Database
from benthic.relational.engines import Options
from benthic.relational.predictor import Predictor

DATA = Path(os.environ.get("BENTHIC_DATA", "../shared/data"))
RESULT = Path(__file__).parent / "results" / "predict_one.json"
QUERY = "PREDICT SUM(payment.amount, 0, 21, days) FOR EACH customer.customer_id"
ONE = QUERY.replace("EACH customer.customer_id", "customer.customer_id = 5")
ANCHOR = "2005-08-15"


def main(folder: Path) -> None:
    with Database.open(folder) as db, tempfile.TemporaryDirectory() as place:
        fitted = Predictor(db, Options(num_models=2))
        fitted.fit(QUERY, anchor_time=ANCHOR)
        fitted.save(Path(place) / "model")
        with Database.open(folder) as again:
            start = time.perf_counter(), time.process_time()
            loaded = Predictor.load(Path(place) / "model", again)
            load = _since(start)
            asked = []
            for _ in range(6):
                start = time.perf_counter(), time.process_time()
                loaded.predict(ONE, anchor_time=ANCHOR)
                asked.append(_since(start))
    timing.save(
        RESULT,
        {
            "clock": "seconds: wall, processor time",
            "repeats": "one fit; the shortest of 5 calls after the first",
            "load_model": load,
            "first_call": asked[0],
            "later_calls": min(asked[1:]),
        },
    )


def _since(start: tuple[float, float]) -> tuple[float, float]:
    wall, processor = time.perf_counter() - start[0], time.process_time() - start[1]
    return round(wall, 3), round(processor, 3)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else DATA / "relational" / "sakila")
