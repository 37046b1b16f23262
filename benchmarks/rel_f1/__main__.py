"""rel-f1, both regimes: ``python -m benchmarks.rel_f1 [FOLDER] [--split validation]``.

Finished runs are kept in ``--out``: an interrupted run goes on where it stopped. The
test split is for the result that is published; develop with ``--split validation``.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from benthic.relational.bench import REGIMES, TASKS, run_rel_f1
from benthic.relational.database import Database

HERE = Path(__file__).parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    data = Path(os.environ.get("BENTHIC_DATA", "../shared/data"))
    default = data / "relational" / "rel-f1"
    parser.add_argument("folder", nargs="?", type=Path, default=default)
    parser.add_argument("--split", choices=("test", "validation"), default="validation")
    parser.add_argument("--tasks", nargs="*", default=list(TASKS))
    parser.add_argument("--regimes", nargs="*", default=list(REGIMES))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--out", type=Path, help="keeps finished runs")
    parser.add_argument("--result", type=Path)
    options = parser.parse_args()
    with Database.open(options.folder) as db:
        found = run_rel_f1(
            db,
            options.folder,
            seeds=range(options.seeds),
            regimes=options.regimes,
            tasks=options.tasks,
            split=options.split,
            out=options.out,
            progress=lambda text: print(text, file=sys.stderr),
        )
    result = options.result or HERE / "results" / f"{options.split}.json"
    result.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    for row in found["results"]:
        print(
            f"{row['task']:24} {row['regime']:8} {row['metric']:6} "
            f"{row['value']:.4f} ± {row['std']:.4f}   {row['fit_seconds']:.0f} s"
        )


if __name__ == "__main__":
    main()
