"""Seeds as they are given, and as the computation reads them."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd

from benthic.errors import InputError
from benthic.relational.database import Database
from benthic.relational.features.events import Ints, Moments, entity_hashes


def moments_of(
    db: Database,
    entity_table: str,
    seeds: pd.DataFrame,
    *,
    cutoff: dt.datetime | None,
    strict: bool,
) -> Moments:
    """Who is asked about, when, and up to when each may see.

    Args:
        db: The database.
        entity_table: Where the entities are.
        seeds: ``entity``, ``anchor_time``, perhaps ``cut_time``.
        cutoff: No row later than this is seen.
        strict: Whether rows at exactly the seed time are hidden.

    Raises:
        InputError: If a column, or a time, is missing.
    """
    for column in ("entity", "anchor_time"):
        if column not in seeds:
            found = ", ".join(map(str, seeds.columns)) or "no columns"
            raise InputError("seeds", found, f"give a column {column}")
    anchors = microseconds(seeds["anchor_time"])
    until = anchors - 1 if strict else anchors
    if "cut_time" in seeds:
        until = np.minimum(until, microseconds(seeds["cut_time"]))
    if cutoff is not None:
        until = np.minimum(until, microsecond(cutoff))
    return Moments(entity_hashes(db, entity_table, seeds["entity"]), anchors, until)


def microseconds(times: pd.Series) -> Ints:
    """Times as microseconds since 1970, in UTC.

    Args:
        times: None may be missing.

    Raises:
        InputError: If one is.

    Example:
        >>> microseconds(pd.Series([pd.Timestamp("1970-01-02")])).tolist()
        [86400000000]
    """
    stamps = pd.to_datetime(times)
    if stamps.isna().any():
        raise InputError(
            "anchor_time",
            f"{int(stamps.isna().sum())} missing times",
            "give a time for each seed",
        )
    if stamps.dt.tz is not None:
        stamps = stamps.dt.tz_convert("UTC").dt.tz_localize(None)
    return np.asarray(stamps.to_numpy("datetime64[us]"), np.int64)


def microsecond(time: dt.datetime) -> int:
    """One time as microseconds since 1970.

    Args:
        time: The time.
    """
    return int(microseconds(pd.Series([time]))[0])


def seed_history(
    seeds: pd.DataFrame, horizon: dt.timedelta | None
) -> pd.DataFrame | None:
    """The seeds' own labels as past labels, each known a horizon after its anchor.

    Args:
        seeds: ``entity``, ``anchor_time``, perhaps ``label``.
        horizon: Length of the label's window; without one nothing is past.
    """
    if horizon is None or not horizon or "label" not in seeds:
        return None
    past = seeds.drop_duplicates(["entity", "anchor_time"])[
        ["entity", "anchor_time", "label"]
    ]
    observed = pd.to_datetime(past["anchor_time"]) + pd.Timedelta(horizon)
    return past.assign(observed_at=observed)
