"""How does the entity stand among all that are asked about at the same moment?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benthic.relational.features.feature import Feature

_SAMPLE = 20_000


def strongest(
    features: pd.DataFrame, labels: NDArray[np.float64], most: int
) -> list[str]:
    """Names of the features that order the label best, without copies of one another.

    Absolute rank correlation with the label; a feature that orders the seeds like a
    stronger one (above 0.97) is passed over.

    Args:
        features: Training features.
        labels: Training labels.
        most: How many at most.
    """
    rows = np.linspace(0, len(features) - 1, min(len(features), _SAMPLE)).astype(
        np.int64
    )
    values = features.iloc[rows].rank(pct=True).fillna(0.5).to_numpy(np.float32)
    values = _standardized(values)
    target = _standardized(
        pd.Series(labels[rows]).rank().fillna(0.0).to_numpy()[:, None]
    )
    scores = np.abs(values.T @ target.astype(np.float32))[:, 0] / len(rows)
    chosen: list[int] = []
    for i in np.argsort(-scores, kind="stable"):
        if len(chosen) == most or not scores[i] > 0:
            break
        twins = values[:, chosen].T @ values[:, i] / len(rows)
        if not len(chosen) or np.abs(twins).max() < 0.97:
            chosen.append(int(i))
    return [str(features.columns[i]) for i in chosen]


def _standardized(values: NDArray[np.floating]) -> NDArray[np.floating]:
    spread = values.std(0)
    return np.asarray((values - values.mean(0)) / np.where(spread > 0, spread, 1.0))


def cohort_features(sources: Sequence[Feature]) -> list[Feature]:
    """The features that ``standings`` fills: percentile, z-score, rank for each source.

    Args:
        sources: The features that are compared.
    """
    return [
        Feature(
            f"{f.name} {what}",
            f.path,
            f.table,
            f.column,
            f"{f.aggregate} {what}",
            f.window,
        )
        for f in sources
        for what in ("percentile", "z-score", "rank")
    ]


def standings(
    values: NDArray[np.float32],
    groups: NDArray[np.int64],
    reference: NDArray[np.float32],
    reference_groups: NDArray[np.int64],
) -> NDArray[np.float32]:
    """Percentile, z-score and rank from above of each value within its group.

    A percentile is the share of the group below, ties by half; a group of one has
    percentile 0.5, z 0 and rank 1. NaN stays NaN. Result: [N, 3 · columns].

    Args:
        values: Seeds' features [N, columns].
        groups: Group of each seed.
        reference: Features of those compared with; the seeds themselves as a rule.
        reference_groups: Their groups.
    """
    out = np.full((len(values), 3 * values.shape[1]), np.nan, np.float32)
    order = np.argsort(reference_groups, kind="stable")
    ordered = reference_groups[order]
    seeds = np.argsort(groups, kind="stable")
    edges = np.flatnonzero(np.diff(groups[seeds], prepend=groups[seeds[:1]] - 1))
    for start, stop in zip(edges, [*edges[1:], len(seeds)], strict=True):
        here = seeds[start:stop]
        low, high = np.searchsorted(ordered, [groups[here[0]], groups[here[0]] + 1])
        members = reference[order[low:high]]
        for column in range(values.shape[1]):
            out[here, 3 * column : 3 * column + 3] = _within(
                values[here, column], members[:, column]
            )
    return out


def _within(
    values: NDArray[np.float32], members: NDArray[np.float32]
) -> NDArray[np.float32]:
    known = np.sort(members[np.isfinite(members)]).astype(np.float64)
    out = np.full((len(values), 3), np.nan, np.float32)
    if not len(known):
        return out
    # In order, each search begins where the one before ended: five times faster.
    order = np.argsort(values)
    below, not_above = np.empty((2, len(values)), np.int64)
    below[order] = np.searchsorted(known, values[order], side="left")
    not_above[order] = np.searchsorted(known, values[order], side="right")
    out[:, 0] = (below + not_above) / (2 * len(known))
    spread = known.std()
    out[:, 1] = (values - known.mean()) / spread if spread > 0 else 0.0
    out[:, 2] = len(known) - not_above + 1
    out[~np.isfinite(values)] = np.nan
    return out
