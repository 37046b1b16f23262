"""How an engine learns."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """How the engine learns.

    Args:
        num_hops: Longest path of foreign keys.
        strict: Whether rows at exactly the seed time are hidden (RelBench's rolling
            board asks it).
        num_models: Sets of trees that are averaged.
        num_lags: Draws of a lag for each training row, where predictions are made long
            after the last row that may be seen; 0 shows training rows whole only.
        refit: Whether the final models learn from validation too. Honest, since those
            labels were known before any seed to come; what was chosen on validation
            stays as it was chosen.
        seed: Of everything that is drawn.
        text_encoder: Folder or name of a sentence-embedding model that reads texts
            (``pip install "benthic[text]"``); hashed words by default.
        num_threads: Does not change the result.
    """

    num_hops: int = 2
    strict: bool = False
    num_models: int = 8
    num_lags: int = 2
    refit: bool = True
    seed: int = 0
    text_encoder: str | None = None
    num_threads: int = 1
