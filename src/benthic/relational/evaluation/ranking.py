"""How good is a ranked list?  MAP, NDCG, recall, hit rate at k, by RelBench's rules."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np


def hits(
    relevant: Sequence[Collection[Any]], ranked: Sequence[Sequence[Any]], k: int
) -> tuple[np.ndarray, np.ndarray]:
    """Which of the k best are right, for each example that has something to find.

    Examples without a relevant value are left out: no order could be scored.

    Args:
        relevant: What was to be found, for each example.
        ranked: What was said, best first; a list may be shorter than k.
        k: How many count.

    Returns:
        Whether place j of example i is right `[N, k]`; how many were to be found `[N]`.

    Example:
        >>> found, size = hits([{"a", "b"}, set()], [["a", "c"], ["a"]], k=2)
        >>> found.tolist(), size.tolist()
        ([[True, False]], [2])
    """
    pairs = [
        (set(truth), said)
        for truth, said in zip(relevant, ranked, strict=True)
        if truth
    ]
    found = np.zeros((len(pairs), k), dtype=bool)
    for row, (truth, said) in zip(found, pairs, strict=True):
        best = list(dict.fromkeys(said))[:k]
        row[: len(best)] = [value in truth for value in best]
    return found, np.array([len(truth) for truth, _ in pairs], dtype=int)


def ranking_metrics(
    relevant: Sequence[Collection[Any]], ranked: Sequence[Sequence[Any]], k: int
) -> dict[str, float]:
    """MAP@k, NDCG@k, recall@k and hit rate@k.

    With r_j = 1 where place j is right and R values to find: average precision =
    sum_j r_j · (r_1 + … + r_j) / j / min(R, k); NDCG = sum_j r_j / log2(j + 1) over its
    largest possible value; recall = sum_j r_j / R; hit rate = any r_j. Each is averaged
    over the examples with R > 0.

    Args:
        relevant: What was to be found, for each example.
        ranked: What was said, best first.
        k: How many count.

    Example:
        >>> ranking_metrics([{"a", "b"}], [["a", "c", "b"]], k=3)["map"]
        0.8333333333333333
    """
    found, size = hits(relevant, ranked, k)
    if not len(size):
        return dict.fromkeys(("map", "ndcg", "recall", "hit_rate"), float("nan"))
    place = np.arange(1, k + 1)
    reachable = np.minimum(size, k)
    precision = found * np.cumsum(found, axis=1) / place
    discount = 1 / np.log2(place + 1)
    ideal = np.cumsum(discount)[reachable - 1]
    return {
        "map": float((precision.sum(axis=1) / reachable).mean()),
        "ndcg": float((found @ discount / ideal).mean()),
        "recall": float((found.sum(axis=1) / size).mean()),
        "hit_rate": float(found.any(axis=1).mean()),
    }
