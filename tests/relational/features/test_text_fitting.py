"""Which text columns are read is learned from what training seeds see."""

from __future__ import annotations

import numpy as np
import pandas as pd
from tests.relational.features.stores import START, frames, opened, sentences

from benthic.relational.database import Database
from benthic.relational.features.events import Moments, entity_hashes
from benthic.relational.features.paths import Path
from benthic.relational.features.text_fitting import TextSample, fit_row_texts
from benthic.relational.features.text_vectors import HashedWords
from benthic.relational.schema import Chain

PATH = Path(Chain(("visits", "people"), ("person_id",)))


def moments(db, days, people=6):
    anchors = [START + pd.Timedelta(days=day) for day in days for _ in range(people)]
    at = pd.Series(anchors).to_numpy("datetime64[us]").astype("int64")
    keys = entity_hashes(db, "people", pd.Series(list(range(people)) * len(days)))
    return Moments(keys, at, at)


def fitted(db, asked, labels=None):
    sample = TextSample.of(asked, labels, np.unique(asked.keys))
    return list(fit_row_texts(db, PATH, sample, HashedWords()))


def read_as_text(tables, *columns):
    said = {
        "tables": {
            "people": {"pkey": "person_id", "time": None},
            "visits": {
                "pkey": "visit_id",
                "time": "at",
                "fkeys": {"person_id": "people"},
                "stypes": dict.fromkeys(columns, "text"),
            },
        }
    }
    some = {name: tables[name] for name in ("people", "visits")}
    return Database.open(some, overrides=said)


def test_the_sample_is_the_latest_seed_of_each_key():
    db = opened(frames(0))
    asked = moments(db, [30, 90, 60])
    labels = np.arange(18.0)[:, None]
    sample = TextSample.of(asked, labels, np.unique(asked.keys)[:4])
    assert len(sample.moments) == 4
    assert (sample.moments.anchors == asked.anchors[6]).all()
    assert sorted(set(sample.labels[:, 0]) - set(range(6, 12))) == []


def test_sentences_are_read_and_names_and_addresses_are_not():
    tables = frames(0)
    count = len(tables["visits"])
    tables["visits"] = tables["visits"].assign(
        email=[f"a.rather.long.name.{i}@example.org" for i in range(count)],
        short=[f"name {i}" for i in range(count)],
        always="the very same sentence in each and every row",
        empty=None,
    )
    db = read_as_text(tables, "said", "email", "short", "always")
    made = fitted(db, moments(db, [150]))
    assert [(text.column, text.rows) for text in made] == [("said", 10)]


def test_at_most_three_columns_of_a_table_are_read():
    tables = frames(0)
    more = {f"said_{i}": sentences(60, i) for i in range(2, 6)}
    tables["visits"] = tables["visits"].assign(**more)
    db = read_as_text(tables, "said", *more)
    made = fitted(db, moments(db, [150]))
    assert [text.column for text in made] == ["said", "said_2", "said_3"]


def test_rows_later_than_the_seeds_are_not_learned_from():
    tables = frames(4)
    visits = tables["visits"]
    late = visits["at"] > START + pd.Timedelta(days=120)
    changed = visits.assign(said=visits["said"].where(~late, "something else entirely"))
    found = []
    for rows in (visits, changed, visits[~late]):
        db = opened({**tables, "visits": rows})
        found.append(fitted(db, moments(db, [60, 120])))
    assert found[0] == found[1] == found[2] != []


def test_without_rows_or_seeds_there_is_nothing_to_read():
    db = opened(frames(5))
    assert fitted(db, moments(db, [-10])) == []
    assert fitted(db, moments(db, [])) == []
