"""What do texts bring, hashed or read by a sentence encoder, and what do they cost?

``python benchmarks/texts.py ENCODER`` asks who will earn a badge in rel-bicyclesmeta,
whose posts and comments are prose: with the texts left out, with hashed words, and
with the static embedding model in the folder ENCODER. Earlier years are judged, over
anchors and seeds. What users say of themselves is left out always: it is overwritten in
place, and so tells who stayed. Every finished run is kept in ``results/texts.json``,
where an interrupted run goes on.

The committed run read all-MiniLM-L6-v2, distilled with
``model2vec.distill.distill("sentence-transformers/all-MiniLM-L6-v2")`` (256 columns).
"""

from __future__ import annotations

import itertools
import json
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from benthic.relational.database import Database
from benthic.relational.engines import Options
from benthic.relational.predictor import Predictor

DATA = Path(os.environ.get("BENTHIC_DATA", "../shared/data"))
FOLDER = DATA / "relational" / "rel-bicyclesmeta"
RESULT = Path(__file__).parent / "results" / "texts.json"
QUERY = "PREDICT COUNT(badges.*, 0, 6, months) > 0 FOR EACH users.Id"
ANCHORS = ("2018-06-01", "2020-06-01")
SEEDS = range(3)
READERS = ("left out", "hashed words", "sentence encoder")
OVERWRITTEN = {"users": ["DisplayName", "Location", "WebsiteUrl", "AboutMe"]}
TEXTS = {
    "posts": ["Title", "Body", "Tags"],
    "comments": ["Text"],
    "postHistory": ["Text", "Comment"],
}


def judged(anchor: str, seed: int, reader: str, encoder: str) -> dict[str, float]:
    """AUROC, and the processor time of the whole evaluation in seconds."""
    left_out = OVERWRITTEN | (TEXTS if reader == "left out" else {})
    overrides = {"tables": {name: {"ignore": cols} for name, cols in left_out.items()}}
    chosen = encoder if reader == "sentence encoder" else None
    with Database.open(FOLDER, overrides=overrides) as db:
        start = time.process_time()
        predictor = Predictor(db, Options(seed=seed, text_encoder=chosen))
        found = predictor.evaluate(QUERY, anchor_time=anchor)
        seconds = time.process_time() - start
    value = found.to_dict()["metrics"]["auroc"]["value"]
    return {"auroc": round(value, 4), "cpu_seconds": round(seconds, 1)}


def summary(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Means over anchors and seeds; the cost beside that without texts."""
    lines = []
    for reader in READERS:
        some = [run for run in runs if run["reader"] == reader]
        if some:
            auroc, seconds = (
                statistics.mean(run[key] for run in some)
                for key in ("auroc", "cpu_seconds")
            )
            plain = lines[0]["cpu_seconds"] if lines else seconds
            lines.append(
                {
                    "texts": reader,
                    "auroc": round(auroc, 4),
                    "runs": len(some),
                    "cpu_seconds": round(seconds, 1),
                    "cost": round(seconds / plain, 2),
                }
            )
    return lines


def main(encoder: str) -> None:
    runs = json.loads(RESULT.read_text())["runs"] if RESULT.exists() else []
    for anchor, seed, reader in itertools.product(ANCHORS, SEEDS, READERS):
        key = {"anchor": anchor, "seed": seed, "reader": reader}
        if any(key.items() <= run.items() for run in runs):
            continue
        runs.append({**key, **judged(anchor, seed, reader, encoder)})
        document = {"query": QUERY, "summary": summary(runs), "runs": runs}
        RESULT.write_text(json.dumps(document, indent=1) + "\n")
        print(runs[-1], flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
