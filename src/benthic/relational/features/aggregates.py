"""Aggregates of the rows each seed may see: loops over rows sorted by key and time."""

from __future__ import annotations

from typing import no_type_check

import numpy as np
from numba import njit
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Truths = NDArray[np.bool_]


@njit(cache=True, nogil=True)
@no_type_check  # numba compiles the function itself, not what tests wrap it in
def visible_rows(
    offsets: Ints, times: Ints, keys: Ints, until: Ints
) -> tuple[Ints, Ints]:  # pragma: no cover
    """The rows ``[begin, end)`` of each seed's key that are not later than ``until``.

    Args:
        offsets: Rows of key ``k`` are ``offsets[k]:offsets[k + 1]``.
        times: Time of each row, ascending within a key.
        keys: Key of each seed; -1 has no rows.
        until: Latest time each seed may see.
    """
    begin = np.zeros(len(keys), np.int64)
    end = np.zeros(len(keys), np.int64)
    for i in range(len(keys)):
        if keys[i] < 0:
            continue
        low, high = offsets[keys[i]], offsets[keys[i] + 1]
        begin[i] = low
        end[i] = low + np.searchsorted(times[low:high], until[i], side="right")
    return begin, end


@njit(cache=True, nogil=True)
@no_type_check  # numba compiles the function itself, not what tests wrap it in
def time_starts(
    times: Ints, begin: Ints, end: Ints, until: Ints, lengths: Ints
) -> Ints:  # pragma: no cover
    """First row later than ``until - length``, per seed and window length.

    Args:
        times: Time of each row, ascending within a key.
        begin: First visible row of each seed.
        end: One past the last visible row.
        until: End of the windows.
        lengths: Window lengths, ascending, in the unit of ``times``.
    """
    starts = np.empty((len(begin), len(lengths)), np.int64)
    for i in range(len(begin)):
        high = end[i]
        for j in range(len(lengths)):
            edge = until[i] - lengths[j]
            high = begin[i] + np.searchsorted(times[begin[i] : high], edge, "right")
            starts[i, j] = high
    return starts


def row_starts(begin: Ints, end: Ints, counts: Ints) -> Ints:
    """First of the last ``count`` visible rows, per seed and count.

    Args:
        begin: First visible row of each seed.
        end: One past the last visible row.
        counts: Number of rows, ascending.
    """
    return np.asarray(np.maximum(begin[:, None], end[:, None] - counts[None, :]))


@njit(cache=True, nogil=True)
@no_type_check  # numba compiles the function itself, not what tests wrap it in
def nested_windows(
    values: Floats, end: Ints, starts: Ints
) -> Floats:  # pragma: no cover
    """Count, mean, standard deviation, minimum and maximum of nested windows.

    One pass backwards from the newest row (Welford), so a value depends on the rows of
    its own window and nothing else. NaN is no value. Result: [N, windows, 5].

    Args:
        values: One number per row.
        end: One past the last row of all windows of a seed.
        starts: First row of each window, descending along the second axis.
    """
    out = np.full((len(end), starts.shape[1], 5), np.nan)
    for i in range(len(end)):
        count, mean, square = 0, 0.0, 0.0
        low, high = np.inf, -np.inf
        row = end[i] - 1
        for j in range(starts.shape[1]):
            while row >= starts[i, j]:
                value = values[row]
                row -= 1
                if np.isnan(value):
                    continue
                count += 1
                step = value - mean
                mean += step / count
                square += step * (value - mean)
                low = min(low, value)
                high = max(high, value)
            out[i, j, 0] = count
            if count:
                out[i, j, 1] = mean
                out[i, j, 3] = low
                out[i, j, 4] = high
            if count > 1:
                out[i, j, 2] = np.sqrt(square / (count - 1))
    return out


@njit(cache=True, nogil=True)
@no_type_check  # numba compiles the function itself, not what tests wrap it in
def whole_history(
    values: Floats, begin: Ints, end: Ints, order: Ints, decay: float
) -> Floats:  # pragma: no cover
    """Count, mean, standard deviation, minimum, maximum, first, last, decayed mean.

    One pass forwards over the rows of each key, whatever the number of seeds, so the
    cost is rows + seeds. Result: [N, 8].

    Args:
        values: One number per row.
        begin: First row of each seed.
        end: One past its last row.
        order: Seeds sorted by (begin, end).
        decay: Weight of the past in the decayed mean, per row.
    """
    out = np.full((len(end), 8), np.nan)
    row = -1
    count, mean, square = 0, 0.0, 0.0
    low, high, first, last = np.inf, -np.inf, np.nan, np.nan
    weight, total = 0.0, 0.0
    key = -1
    for i in order:
        if begin[i] != key or row > end[i]:
            key = row = begin[i]
            count, mean, square = 0, 0.0, 0.0
            low, high, first, last = np.inf, -np.inf, np.nan, np.nan
            weight, total = 0.0, 0.0
        while row < end[i]:
            value = values[row]
            row += 1
            if np.isnan(value):
                continue
            count += 1
            step = value - mean
            mean += step / count
            square += step * (value - mean)
            low = min(low, value)
            high = max(high, value)
            if count == 1:
                first = value
            last = value
            weight = decay * weight + 1.0
            total = decay * total + value
        out[i, 0] = count
        if count:
            out[i, 1] = mean
            out[i, 3] = low
            out[i, 4] = high
            out[i, 5] = first
            out[i, 6] = last
            out[i, 7] = total / weight
        if count > 1:
            out[i, 2] = np.sqrt(square / (count - 1))
    return out


@njit(cache=True, nogil=True)
@no_type_check  # numba compiles the function itself, not what tests wrap it in
def nested_shares(
    truths: Truths, end: Ints, starts: Ints
) -> Floats:  # pragma: no cover
    """Share of rows where something is true, in nested windows; NaN without rows.

    The mean of ``nested_windows`` by the same steps, to the bit. Result: [N, windows].

    Args:
        truths: One truth per row.
        end: One past the last row of all windows of a seed.
        starts: First row of each window, descending along the second axis.
    """
    out = np.full(starts.shape, np.nan)
    for i in range(len(end)):
        count, mean = 0, 0.0
        row = end[i] - 1
        for j in range(starts.shape[1]):
            while row >= starts[i, j]:
                count += 1
                mean += (1.0 * truths[row] - mean) / count
                row -= 1
            if count:
                out[i, j] = mean
    return out


@njit(cache=True, nogil=True)
@no_type_check  # numba compiles the function itself, not what tests wrap it in
def whole_shares(
    truths: Truths, begin: Ints, end: Ints, order: Ints, decay: float
) -> Floats:  # pragma: no cover
    """Share and decayed share of all rows where something is true. Result: [N, 2].

    Mean and decayed mean of ``whole_history`` by the same steps, to the bit.

    Args:
        truths: One truth per row.
        begin: First row of each seed.
        end: One past its last row.
        order: Seeds sorted by (begin, end).
        decay: Weight of the past in the decayed share, per row.
    """
    out = np.full((len(end), 2), np.nan)
    key = row = -1
    count, mean, weight, total = 0, 0.0, 0.0, 0.0
    for i in order:
        if begin[i] != key or row > end[i]:
            key = row = begin[i]
            count, mean, weight, total = 0, 0.0, 0.0, 0.0
        while row < end[i]:
            value = 1.0 * truths[row]
            row += 1
            count += 1
            mean += (value - mean) / count
            weight = decay * weight + 1.0
            total = decay * total + value
        if count:
            out[i, 0] = mean
            out[i, 1] = total / weight
    return out


@njit(cache=True, nogil=True)
@no_type_check  # numba compiles the function itself, not what tests wrap it in
def slopes(values: Floats, end: Ints, start: Ints) -> Floats:  # pragma: no cover
    """Least-squares slope per row over the rows ``[start, end)``; NaN under 3 values.

    Args:
        values: One number per row.
        end: One past the last row.
        start: First row.
    """
    out = np.full(len(end), np.nan)
    for i in range(len(end)):
        n, x_mean, y_mean, xx, xy = 0, 0.0, 0.0, 0.0, 0.0
        for row in range(start[i], end[i]):
            y = values[row]
            if np.isnan(y):
                continue
            n += 1
            x = float(row - start[i])
            x_step = x - x_mean
            x_mean += x_step / n
            y_mean += (y - y_mean) / n
            xx += x_step * (x - x_mean)
            xy += x_step * (y - y_mean)
        if n > 2:
            out[i] = xy / xx
    return out


@njit(cache=True, nogil=True)
@no_type_check  # numba compiles the function itself, not what tests wrap it in
def distinct_values(
    codes: Ints, end: Ints, starts: Ints, num_codes: int
) -> Floats:  # pragma: no cover
    """Number of different codes in nested windows; negative codes are no value.

    Args:
        codes: One code per row, below ``num_codes``.
        end: One past the last row.
        starts: First row of each window, descending along the second axis.
        num_codes: Number of codes.
    """
    out = np.zeros((len(end), starts.shape[1]))
    seen = np.full(num_codes, -1, np.int64)
    for i in range(len(end)):
        found = 0
        row = end[i] - 1
        for j in range(starts.shape[1]):
            while row >= starts[i, j]:
                code = codes[row]
                row -= 1
                if code >= 0 and seen[code] != i:
                    seen[code] = i
                    found += 1
            out[i, j] = found
    return out


@njit(cache=True, nogil=True)
@no_type_check  # numba compiles the function itself, not what tests wrap it in
def run_starts(codes: Ints, begin: Ints, end: Ints) -> Ints:  # pragma: no cover
    """First row of the unbroken run of equal codes that ends at the last row.

    Args:
        codes: One code per row.
        begin: First visible row of each seed.
        end: One past its last visible row.
    """
    out = np.empty(len(end), np.int64)
    for i in range(len(end)):
        row = end[i] - 1
        while row > begin[i] and codes[row - 1] == codes[end[i] - 1]:
            row -= 1
        out[i] = max(row, begin[i])
    return out
