"""Free text as hashed n-grams of characters."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import HashingVectorizer

from benthic.relational.database import Database
from benthic.relational.features.events import Ints, Moments, asked_values
from benthic.relational.features.feature import feature
from benthic.relational.features.path_features import Named
from benthic.relational.features.row_source import ALWAYS, is_timed, key_hash, typed_key
from benthic.relational.schema import SType
from benthic.relational.sql import quoted

_BINS = 16
_LONGEST = 2_000
_SHORTEST = 20


def text_columns(db: Database, table: str, until: int) -> tuple[str, ...]:
    """The columns of a table that hold sentences: texts of 20 characters or more.

    Shorter ones are names, whose n-grams would only tell a model who is who.

    Args:
        db: The database.
        table: Which one.
        until: The training cutoff.
    """
    columns = db.schema.tables[table].columns.values()
    texts = [column.name for column in columns if column.stype is SType.text]
    if not texts:
        return ()
    means = ", ".join(f"avg(length(CAST({quoted(name)} AS VARCHAR)))" for name in texts)
    ((*lengths,),) = db.query(
        f"SELECT {means} FROM {db.relation(table, texts)}"
        f" WHERE _time IS NULL OR epoch_us(_time) <= {until}"
    )
    pairs = zip(texts, lengths, strict=True)
    return tuple(name for name, length in pairs if (length or 0) >= _SHORTEST)


def text_features(
    db: Database, table: str, columns: tuple[str, ...], moments: Moments
) -> Named:
    """Length and hashed 3- and 4-grams of the entity row's texts, as shares.

    Hashing keeps no vocabulary, so nothing is learned from any row.

    Args:
        db: The database.
        table: The entity table.
        columns: Its text columns.
        moments: The seeds.
    """
    if not columns:
        return
    rows, position = _texts(db, table, columns, moments)
    hashed = HashingVectorizer(
        analyzer="char_wb",
        ngram_range=(3, 4),
        n_features=_BINS,
        norm="l1",
        alternate_sign=False,
    )
    for i, column in enumerate(columns):
        texts = rows[f"x{i}"].fillna("").astype(str).str.slice(0, _LONGEST)
        bins = hashed.transform(texts).toarray() if len(texts) else np.empty((0, _BINS))
        length = texts.str.len().to_numpy(np.float64)[:, None]
        for name, values in zip(_names(), np.hstack([length, bins]).T, strict=True):
            found = np.where(position >= 0, np.append(values, np.nan)[position], np.nan)
            yield feature(table, table, table, column, name), found


def _names() -> list[str]:
    return ["length", *(f"n-grams {i}" for i in range(_BINS))]


def _texts(
    db: Database, table: str, columns: tuple[str, ...], moments: Moments
) -> tuple[pd.DataFrame, Ints]:
    pkey = str(db.schema.tables[table].pkey_col)
    key = key_hash(typed_key(db.schema, table, quoted(pkey)))
    timed = is_timed(db.schema, table)
    at = "epoch_us(_time)" if timed else f"CAST({ALWAYS} AS BIGINT)"
    listed = ", ".join(f"{quoted(name)} AS x{i}" for i, name in enumerate(columns))
    with asked_values(db, pd.DataFrame({"key": np.unique(moments.keys)})):
        rows = db.frame(
            f"SELECT {key} AS k, {at} AS a, {listed}"
            f" FROM {db.relation(table, [pkey, *columns])}"
            f" WHERE {key} IN (SELECT key FROM benthic_asked)"
            f" AND {'_time IS NOT NULL' if timed else 'TRUE'} ORDER BY 1, _row"
        )
    rows = rows.drop_duplicates("k")
    keys = rows["k"].to_numpy(np.int64)
    if not len(keys):
        return rows, np.full(len(moments), -1, np.int64)
    found = np.minimum(np.searchsorted(keys, moments.keys), len(keys) - 1)
    visible = rows["a"].to_numpy(np.int64)[found] <= moments.until
    return rows, np.where((keys[found] == moments.keys) & visible, found, -1)
