"""Times of several functions side by side, and the machine they ran on."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import torch

THREADS = (1, 2)
ROUNDS = 20
BURST = 5


def fastest(functions: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Shortest time of each function in milliseconds, over rounds of short bursts.

    Rounds give all functions the same quiet and busy moments of a shared machine, so
    their ratio holds where the times themselves do not; a burst runs one function from
    a warm cache. One thread is timed by its processor time, which leaves out the
    moments when another program had the core; two by the wall clock.
    """
    one_thread = torch.get_num_threads() == 1
    clock = time.process_time if one_thread else time.perf_counter
    shortest = dict.fromkeys(functions, float("inf"))
    for _ in range(ROUNDS):
        for name, function in functions.items():
            for _ in range(BURST):
                start = clock()
                function()
                shortest[name] = min(shortest[name], 1e3 * (clock() - start))
    return shortest


def save(path: Path, figures: dict[str, Any]) -> None:
    """Writes the figures with what is needed to judge them, and prints them."""
    document = {
        "date": datetime.now(timezone.utc).date().isoformat(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "processor": platform.machine(),
        "clock": "1 thread: processor time; 2 threads: wall; milliseconds",
        "repeats": f"minimum of {ROUNDS} rounds of {BURST} runs",
        "load": "other work on the machine at the end: 2-thread figures need about 0",
        "load_average": os.getloadavg()[0],
        **figures,
    }
    text = json.dumps(document, indent=2) + "\n"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    print(text)
