"""Sentences as hashed n-grams."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from benthic.relational.database import Database
from benthic.relational.features.events import Moments, entity_hashes
from benthic.relational.features.text import text_columns, text_features

TABLES = {
    "tickets": pd.DataFrame(
        {
            "ticket_id": [1, 2, 3],
            "opened": pd.to_datetime(["2024-01-01", "2024-01-02", "2024-03-01"]),
            "body": [
                "the printer on the second floor is jammed again",
                "the printer on the second floor is jammed again",
                "my password does not work since the last update",
            ],
            "name": ["Ann Lee", "Bo Dahl", "Cy Moss"],
        }
    )
}
SAID = {
    "tables": {
        "tickets": {
            "pkey": "ticket_id",
            "time": "opened",
            "stypes": {"body": "text", "name": "text"},
        }
    }
}


def found():
    db = Database.open(TABLES, overrides=SAID)
    keys = entity_hashes(db, "tickets", pd.Series([3, 2, 1, 9]))
    at = np.full(4, pd.Timestamp("2024-02-01").value // 1000)
    return {
        f.name: v
        for f, v in text_features(db, "tickets", ("body",), Moments(keys, at, at))
    }


def test_names_are_not_sentences():
    db = Database.open(TABLES, overrides=SAID)
    assert text_columns(db, "tickets", 2**60) == ("body",)


def test_equal_texts_have_equal_features_and_shares_sum_to_one():
    values = found()
    shares = np.array([v for name, v in values.items() if "n-grams" in name])
    assert (shares[:, 1] == shares[:, 2]).all()
    assert shares[:, 1].sum() == pytest.approx(1)
    assert values["tickets.body length"][1] == 47


def test_a_text_written_later_is_missing():
    values = found()
    assert all(np.isnan(v[0]) for v in values.values())
    assert all(np.isnan(v[3]) for v in values.values())
