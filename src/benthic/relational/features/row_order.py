"""Rows that came in any order, in order of key, time and source."""

from __future__ import annotations

from typing import no_type_check

import numpy as np
from numba import njit
from numpy.typing import NDArray

Ints = NDArray[np.int64]


@njit(cache=True, nogil=True)
@no_type_check  # numba compiles the function itself, not what tests wrap it in
def _sort_mixed(
    mixed: NDArray[np.bool_], offsets: Ints, places: Ints, times: Ints, numbers: Ints
) -> None:  # pragma: no cover
    rows = np.empty(len(places), np.int64)
    for i in range(len(places)):
        rows[places[i]] = i
    for k in np.flatnonzero(mixed):
        some = rows[offsets[k] : offsets[k + 1]]
        some = some[np.argsort(numbers[some], kind="mergesort")]
        some = some[np.argsort(times[some], kind="mergesort")]
        for j in range(len(some)):
            places[some[j]] = offsets[k] + j


@njit(cache=True, nogil=True)
@no_type_check  # numba compiles the function itself, not what tests wrap it in
def row_places(
    keys: Ints, times: Ints, numbers: Ints, num_keys: int
) -> tuple[Ints, Ints]:  # pragma: no cover
    """Where each row belongs among the rows sorted by key, time and number.

    One counting pass over the keys; only a key whose rows came out of order is sorted.
    So rows that are stored in order of time, as events are, cost one comparison each.
    Result: first row of each key, and the end [num_keys + 1]; place of each row [N].

    Args:
        keys: Key of each row, below ``num_keys``.
        times: Time of each row.
        numbers: Number of each row in the source, to break ties.
        num_keys: Number of keys.
    """
    offsets = np.zeros(num_keys + 1, np.int64)
    for i in range(len(keys)):
        offsets[keys[i] + 1] += 1
    for k in range(num_keys):
        offsets[k + 1] += offsets[k]
    free = offsets[:-1].copy()
    newest = np.full(num_keys, -1, np.int64)
    mixed = np.zeros(num_keys, np.bool_)
    places = np.empty(len(keys), np.int64)
    for i in range(len(keys)):
        k = keys[i]
        places[i] = free[k]
        free[k] += 1
        j = newest[k]
        newest[k] = i
        if j >= 0 and times[i] <= times[j]:
            mixed[k] |= times[i] < times[j] or numbers[i] < numbers[j]
    if mixed.any():
        _sort_mixed(mixed, offsets, places, times, numbers)
    return offsets, places
