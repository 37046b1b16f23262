"""Small databases made at random, and rows later than a moment changed in them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from benthic.relational.database import Database

START = pd.Timestamp("2024-01-01")
KEYS = {
    "tables": {
        "shops": {
            "pkey": "shop_id",
            "time": None,
            "stypes": {"shop_id": "ID", "size": "numerical"},
        },
        "people": {
            "pkey": "person_id",
            "time": None,
            "fkeys": {"shop_id": "shops"},
            "stypes": {"person_id": "ID", "shop_id": "ID", "town": "categorical"},
        },
        "visits": {
            "pkey": "visit_id",
            "time": "at",
            "end_time": None,
            "fkeys": {"person_id": "people", "shop_id": "shops"},
            "stypes": {
                "visit_id": "ID",
                "person_id": "ID",
                "shop_id": "ID",
                "at": "timestamp",
                "kind": "categorical",
                "spent": "numerical",
                "said": "text",
            },
        },
        "items": {
            "pkey": "item_id",
            "time": None,
            "fkeys": {"visit_id": "visits"},
            "stypes": {"item_id": "ID", "visit_id": "ID", "price": "numerical"},
        },
    }
}


def frames(seed: int, people: int = 6, visits: int = 60) -> dict[str, pd.DataFrame]:
    """People who visit shops and buy items there, over 200 days."""
    rng = np.random.default_rng(seed)
    days = np.sort(rng.integers(0, 200, visits))
    spent = rng.normal(size=visits).round(2)
    spent[rng.random(visits) < 0.1] = np.nan
    return {
        "shops": pd.DataFrame({"shop_id": range(3), "size": [1.5, 2.0, 8.0]}),
        "people": pd.DataFrame(
            {
                "person_id": range(people),
                "shop_id": rng.integers(0, 3, people),
                "town": rng.choice(["A", "B"], people),
            }
        ),
        "visits": pd.DataFrame(
            {
                "visit_id": range(visits),
                "person_id": rng.integers(0, people, visits),
                "shop_id": rng.integers(0, 3, visits),
                "at": START + pd.to_timedelta(days, "D"),
                "spent": spent,
                "kind": rng.choice(["x", "y", "z"], visits),
                "said": sentences(visits, seed),
            }
        ),
        "items": pd.DataFrame(
            {
                "item_id": range(2 * visits),
                "visit_id": rng.integers(0, visits, 2 * visits),
                "price": rng.normal(size=2 * visits).round(2),
            }
        ),
    }


WORDS = (
    "the queue was long and staff very kind but coffee cold while music loud".split()
)


def sentences(count: int, seed: int) -> list[str | None]:
    """Eight words each; every tenth is missing."""
    rng = np.random.default_rng([seed, 1])
    said = [" ".join(rng.choice(WORDS, 8)) for _ in range(count)]
    return [None if i % 10 == 7 else text for i, text in enumerate(said)]


def opened(tables: Mapping[str, pd.DataFrame]) -> Database:
    """The frames with their keys declared."""
    return Database.open(tables, overrides=KEYS)


def seeds(tables: Mapping[str, pd.DataFrame], days: list[int]) -> pd.DataFrame:
    """Everybody at each of some days, with a label that follows from no table."""
    people = tables["people"]["person_id"]
    rows = [
        pd.DataFrame(
            {
                "entity": people,
                "anchor_time": START + pd.Timedelta(days=day),
                "label": (people * 7 + day) % 3 == 0,
            }
        )
        for day in days
    ]
    return pd.concat(rows, ignore_index=True)


def changed_after(
    tables: Mapping[str, pd.DataFrame], moment: pd.Timestamp, how: str, seed: int
) -> dict[str, pd.DataFrame]:
    """The same database with the rows later than a moment perturbed, gone or joined."""
    rng = np.random.default_rng(seed)
    visits, items = tables["visits"].copy(), tables["items"].copy()
    late = visits["at"] > moment
    gone = items["visit_id"].isin(visits.loc[late, "visit_id"])
    if how == "perturb":
        visits.loc[late, "spent"] = rng.normal(1e6, 1e3, late.sum())
        visits.loc[late, "kind"] = "strange"
        visits.loc[late, "said"] = "words that nobody had said until that very day"
        visits.loc[late, "person_id"] = rng.integers(0, 6, late.sum())
        items.loc[gone, "price"] = -1e9
    if how == "delete":
        visits, items = visits[~late], items[~gone]
    if how == "invent":
        more = visits.sample(40, replace=True, random_state=seed)
        more = more.assign(
            visit_id=range(10_000, 10_040), at=moment + pd.Timedelta(hours=1), spent=1e7
        ).assign(said="invented words of a day that has not come yet")
        visits = pd.concat([visits, more], ignore_index=True)
    return {**tables, "visits": visits, "items": items}
