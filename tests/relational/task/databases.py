"""The shop and the bank of the specification, opened."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from tests.relational.shop import BANK_KEYS, SHOP_KEYS, bank_frames, shop_frames

from benthic.relational.database import Database


def open_shop(
    frames: Mapping[str, pd.DataFrame] | None = None,
    more: Mapping[str, Mapping[str, Any]] | None = None,
) -> Database:
    """The shop, or some of its tables with other rows.

    Args:
        frames: The tables.
        more: Overrides beside the keys, by table.
    """
    frames = shop_frames() if frames is None else frames
    keys = {
        name: {**SHOP_KEYS["tables"][name], **(more or {}).get(name, {})}
        for name in frames
    }
    return Database.open(frames, overrides={"tables": keys})


def open_bank() -> Database:
    """The bank with two accounts per payment."""
    return Database.open(bank_frames(), overrides=BANK_KEYS)


def moments(*times: str) -> list[pd.Timestamp]:
    """Times as the database has them."""
    return [pd.Timestamp(time) for time in times]
