"""The shop and the bank of the specification, opened."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from tests.relational.shop import BANK_KEYS, SHOP_KEYS, bank_frames, shop_frames

from benthic.relational.database import Database


def open_shop(frames: Mapping[str, pd.DataFrame] | None = None) -> Database:
    """The shop, or one with other rows."""
    return Database.open(shop_frames() if frames is None else frames, overrides=SHOP_KEYS)


def open_bank(frames: Mapping[str, pd.DataFrame] | None = None) -> Database:
    """The bank with two accounts per payment, or one with other rows."""
    return Database.open(bank_frames() if frames is None else frames, overrides=BANK_KEYS)


def moments(*times: str) -> list[pd.Timestamp]:
    """Times as the database has them."""
    return [pd.Timestamp(time) for time in times]
