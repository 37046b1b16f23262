"""The weights-off probe on all columns of wide features and on random projections.

``python benchmarks/weights_off.py`` writes ``benchmarks/results/weights_off.json``, on
which the width in ``benthic/checks/propagation.py`` rests. Scored on validation nodes.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import torch

from benthic import load
from benthic.checks import propagation
from benthic.supervision import Supervision

HOPS = (0, 2, 16)
WIDTHS = (512, 10**6)  # the second keeps every column
RESULTS = Path(__file__).parent / "results" / "weights_off.json"


def main() -> None:
    """Reads four graphs at both widths."""
    rows = []
    for name in ("cora", "citeseer", "pubmed", "physics"):
        graph = load(name)
        labels = Supervision.of(graph)
        for width in WIDTHS:
            propagation.MAX_CHANNELS = width
            hops = HOPS[:2] if name == "physics" else HOPS
            start = time.perf_counter()
            points = propagation.propagated_accuracy(graph, labels, hops)
            seconds = time.perf_counter() - start
            row = {
                "graph": name,
                "columns": min(width, graph.num_features),
                "accuracy": {point.num_hops: point.accuracy for point in points},
                "seconds": seconds,
            }
            rows.append(row)
            print(row)
    document = {"torch": torch.__version__, "rows": rows}
    RESULTS.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
