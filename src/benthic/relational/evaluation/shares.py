"""Which share of the sets known by then held each value?"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pandas as pd


def shares(
    history: pd.DataFrame, entity: pd.Series, until: pd.Series, values: Sequence[str]
) -> np.ndarray:
    """Share of an entity's known sets that hold each value; not a number if none is.

    Args:
        history: ``entity``, ``observed_at`` and ``label``, a set of names.
        entity: Whose sets `[N]`.
        until: When they must be known `[N]`.
        values: Names, V of them.

    Returns:
        Shares `[N, V]`.

    Example:
        >>> day = pd.to_datetime(["2026-01-01", "2026-01-02"])
        >>> sets = [["a", "b"], ["a"]]
        >>> past = pd.DataFrame({"entity": 7, "observed_at": day, "label": sets})
        >>> shares(past, pd.Series([7, 7]), pd.Series(day), ["a", "b"]).tolist()
        [[1.0, 1.0], [1.0, 0.5]]
    """
    code, known = pd.factorize(history["entity"])
    asked = pd.Index(known).get_indexer(entity)
    times = np.unique(history["observed_at"].to_numpy("datetime64[us]"))
    # A label's place: by entity, then by time, which counts from 1. Those an entity
    # has at a time lie between its first place and the place of that time.
    width = len(times) + 1
    moment = np.searchsorted(times, history["observed_at"].to_numpy("datetime64[us]"))
    place = code * width + moment + 1
    ends = np.searchsorted(times, until.to_numpy("datetime64[us]"), side="right")
    first, last = asked * width, asked * width + ends

    def counted(places: np.ndarray) -> np.ndarray:
        before, after = np.searchsorted(places, [first, last], side="right")
        return np.asarray(after - before)

    held = history["label"].map(lambda names: list(dict.fromkeys(names)))
    row = np.repeat(np.arange(len(held)), held.map(len).to_numpy(int))
    names = pd.Index([name for each in held for name in each], dtype=object)
    which = pd.Index(values, dtype=object).get_indexer(names)
    order = np.lexsort((place[row], which))
    parts = np.searchsorted(which[order], np.arange(len(values) + 1))
    found = np.empty((len(asked), len(values)))
    for value, (start, stop) in enumerate(pairwise(parts.tolist())):
        found[:, value] = counted(place[row[order[start:stop]]])
    total = counted(np.sort(place)).astype(float)
    total[total == 0] = np.nan
    return np.asarray(found / total[:, None])
