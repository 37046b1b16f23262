"""Which examples teach and which judge?  Split by time, never by chance."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from benthic.errors import InputError


@dataclass(frozen=True)
class Split:
    """Examples by what they are for.

    Args:
        train: Their labels were observed when ``validation`` began.
        validation: Their labels were observed when ``test`` began.
        test: Judge the predictions.
        validation_start: First anchor of validation: the frozen cut for it.
        test_start: First anchor of the test: the frozen cut for it.
    """

    train: pd.DataFrame
    validation: pd.DataFrame
    test: pd.DataFrame
    validation_start: pd.Timestamp
    test_start: pd.Timestamp


def split_by_time(
    examples: pd.DataFrame, *, num_validation: int = 1, num_test: int = 1
) -> Split:
    """Last anchors for the test, those before for validation, the rest for training.

    An example is left out where its label was not yet observed when the next part
    began (``observed_at`` later than the first anchor of the next part), so that no
    part knows what the next is asked.

    Args:
        examples: With ``anchor_time`` and ``observed_at`` (the end of its window).
        num_validation: Anchors of validation.
        num_test: Anchors of the test.

    Raises:
        InputError: If there are too few anchors.

    Example:
        >>> days = pd.date_range("2026-01-01", periods=4, freq="30D")
        >>> rows = pd.DataFrame({"anchor_time": days})
        >>> rows["observed_at"] = rows.anchor_time + pd.Timedelta(days=30)
        >>> split = split_by_time(rows)
        >>> len(split.train), split.validation_start.date(), split.test_start.date()
        (2, datetime.date(2026, 3, 2), datetime.date(2026, 4, 1))
    """
    anchors = examples["anchor_time"].drop_duplicates().sort_values().to_list()
    needed = num_validation + num_test + 1
    if len(anchors) < needed:
        raise InputError(
            "examples",
            f"{len(anchors)} anchors with labels",
            f"a split by time needs {needed}: ask for more anchors or a shorter window",
        )
    test_start = pd.Timestamp(anchors[-num_test])
    validation_start = pd.Timestamp(anchors[-num_test - num_validation])
    anchor, observed = examples["anchor_time"], examples["observed_at"]
    train = (anchor < validation_start) & (observed <= validation_start)
    validation = (anchor >= validation_start) & (anchor < test_start)
    split = Split(
        examples[train],
        examples[validation & (observed <= test_start)],
        examples[anchor >= test_start],
        validation_start,
        test_start,
    )
    if split.train.empty or split.validation.empty:
        raise InputError(
            "examples",
            "windows that overlap, so that no label is observed before the next part",
            "ask for more anchors, or for anchors as far apart as the window is long",
        )
    return split


def backtests(
    examples: pd.DataFrame, *, num_tests: int = 3, num_validation: int = 1
) -> Iterator[Split]:
    """The same question at several times: each of the last anchors is the test once.

    The latest first, each with only what was known by then.

    Args:
        examples: With ``anchor_time`` and ``observed_at``.
        num_tests: How many anchors to test at.
        num_validation: Anchors of validation before each test.

    Raises:
        InputError: If there are too few anchors.

    Example:
        >>> days = pd.date_range("2026-01-01", periods=5, freq="30D")
        >>> rows = pd.DataFrame({"anchor_time": days, "observed_at": days})
        >>> [len(split.train) for split in backtests(rows, num_tests=2)]
        [3, 2]
    """
    anchors = examples["anchor_time"].drop_duplicates().sort_values().to_list()
    for last in anchors[: -num_tests - 1 : -1]:
        until = examples[examples["anchor_time"] <= last]
        yield split_by_time(until, num_validation=num_validation)
