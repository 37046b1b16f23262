"""A tiny minesweeper, in the layout of the raw file."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def write_minesweeper(raw: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    part = rng.integers(0, 3, (10, 12))
    np.savez(
        raw / "minesweeper.npz",
        node_features=rng.standard_normal((12, 3)).astype(np.float32),
        node_labels=rng.integers(0, 2, 12),
        edges=np.stack([np.arange(11), np.arange(1, 12)], axis=1),
        train_masks=part == 0,
        val_masks=part == 1,
        test_masks=part == 2,
    )
