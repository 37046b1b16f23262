"""``python -m benchmarks.guide``: measures what is missing, then writes the page.

With names of scripts it measures only theirs. A figure that is there stays: delete its
cell, or its file, to have it measured again.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

import torch
from benchmarks.guide.cells import Cells
from benchmarks.guide.page import write

FOLDER = Path(__file__).parent
SCRIPTS = sorted(path.stem for path in FOLDER.glob("c*_*.py"))


def main(wanted: list[str]) -> None:
    """Runs the scripts that were named, or all."""
    torch.set_num_threads(1)
    for name in wanted or SCRIPTS:
        import_module(f"benchmarks.guide.{name}").measure(Cells(name))
    write()


if __name__ == "__main__":
    main(sys.argv[1:])
