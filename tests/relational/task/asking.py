"""What a query answers for every entity at given times."""

from __future__ import annotations

import itertools
from typing import Any

import pandas as pd
import pytest

from benthic.relational.database import Database
from benthic.relational.query import PredictiveQuery
from benthic.relational.task.labels import LabelQuery


def all_pairs(db: Database, table: str, times: list[pd.Timestamp]) -> pd.DataFrame:
    key = db.schema.tables[table].pkey_col
    relation = db.relation(table, [key])
    keys = [
        k for (k,) in db.connection.execute(f"SELECT {key} FROM {relation}").fetchall()
    ]
    pairs = list(itertools.product(keys, times))
    return pd.DataFrame(pairs, columns=["entity", "anchor_time"])


def answers(db: Database, text: str, times: list[pd.Timestamp]) -> pd.DataFrame:
    """Label, matches_where, assumed of every entity at every time."""
    query = PredictiveQuery.parse(text, db.schema)
    seeds = all_pairs(db, query.entity.table, times)
    seeds["anchor_time"] = seeds["anchor_time"].astype("datetime64[us]")
    db.connection.register("every_pair", seeds)
    labels = LabelQuery(db, query, query.task_type(db.schema))
    sql = labels.labelled("every_pair", keep_all=True)
    order = "ORDER BY entity, anchor_time, frame"
    found = db.connection.execute(f"SELECT * FROM ({sql}) {order}").fetchall()
    db.connection.unregister("every_pair")
    names = ["entity", "anchor_time", "frame", "label", "matches_where", "assumed"]
    return pd.DataFrame(found, columns=names, dtype=object)


def same(found: Any, expected: Any) -> bool:
    if isinstance(expected, float) and isinstance(found, (int, float)):
        return found == pytest.approx(expected, abs=1e-9)
    return found == expected
