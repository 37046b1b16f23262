"""How long ``benthic demo`` takes, as a whole process.

``python benchmarks/demo.py`` writes ``benchmarks/results/demo.json``.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from timing import save

ROUNDS = 2


def main() -> None:
    """Runs it in an empty folder."""
    seconds = []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            subprocess.run(
                [sys.executable, "-c", "from benthic.cli import main; main()", "demo"],
                cwd=folder,
                capture_output=True,
                check=True,
            )
            seconds.append(time.perf_counter() - start)
            page = (Path(folder) / "benthic-demo.html").stat().st_size
    save(
        Path(__file__).parent / "results" / "demo.json",
        {
            "clock": "wall, seconds",
            "repeats": f"each of {ROUNDS}",
            "processors": os.cpu_count(),
            "demo_seconds": seconds,
            "page_bytes": page,
        },
    )


if __name__ == "__main__":
    main()
