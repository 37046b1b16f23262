"""Texts of the rows that a seed sees, averaged over its last ones."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from tests.relational.features.stores import START, frames, opened

from benthic.relational.features import row_texts
from benthic.relational.features.events import Moments, entity_hashes, load_events
from benthic.relational.features.path_features import view
from benthic.relational.features.paths import Path
from benthic.relational.features.row_texts import RowText, RowTexts, read_texts
from benthic.relational.features.text_vectors import HashedWords, Projection
from benthic.relational.features.windows import Windows
from benthic.relational.schema import Chain

PATH = Path(Chain(("visits", "people"), ("person_id",)))
LOUD = np.zeros((2048, 1))
LOUD[HashedWords()(["loud"]).indices] = 1
TEXT = RowText(PATH, "said", 4, Projection.of(LOUD, [0.0], ["word loud"]))


def seen(db, days, people=6):
    anchors = [START + pd.Timedelta(days=day) for day in days for _ in range(people)]
    at = pd.Series(anchors).to_numpy("datetime64[us]").astype("int64")
    keys = entity_hashes(db, "people", pd.Series(list(range(people)) * len(days)))
    moments = Moments(keys, at, at)
    events = load_events(db, PATH, (), np.unique(keys), int(at.max()))
    return view(events, moments, Windows())


def test_the_mean_is_that_of_the_last_rows_with_a_text():
    tables = frames(0)
    db = opened(tables)
    found = dict(RowTexts(db, HashedWords()).features(TEXT, seen(db, [60, 150])))
    length, share = found.values()
    vectors = HashedWords()
    for i, (day, person) in enumerate((d, p) for d in (60, 150) for p in range(6)):
        visits = tables["visits"]
        own = visits[visits["person_id"] == person]
        last = own[own["at"] <= START + pd.Timedelta(days=day)].tail(4)["said"].dropna()
        loud = vectors(last.tolist())[:, LOUD[:, 0] == 1].mean() if len(last) else None
        expected = np.nan if last.empty else last.str.len().mean()
        assert length[i] == pytest.approx(expected, nan_ok=True)
        assert share[i] == pytest.approx(np.nan if loud is None else loud, nan_ok=True)


def test_each_feature_names_its_path_table_and_column():
    made = TEXT.features[1]
    assert made.name == "visits.person_id.said mean word loud last 4"
    assert (made.path, made.table) == ("people <- visits.person_id", "visits")
    assert (made.column, made.window) == ("said", "last 4")
    own = RowText(Path(Chain(("people",))), "note", 1, TEXT.projection)
    assert own.features[0].name == "people.note length"


def test_no_more_rows_are_read_than_the_seeds_average(monkeypatch):
    asked = []

    def told(db, table, column, rows):
        asked.extend(rows)
        return read_texts(db, table, column, rows)

    monkeypatch.setattr(row_texts, "read_texts", told)
    db = opened(frames(1, visits=400))
    reader, at = RowTexts(db, HashedWords()), seen(db, [190])
    list(reader.features(TEXT, at))
    assert 0 < len(asked) <= 6 * TEXT.rows
    list(reader.features(TEXT, at))
    assert len(asked) == len(set(asked))


@pytest.mark.parametrize("remembered", [0, 30, 10**6])
def test_what_is_remembered_does_not_change_the_numbers(monkeypatch, remembered):
    db = opened(frames(2))
    reader, fresh = RowTexts(db, HashedWords()), RowTexts(db, HashedWords())
    rows = np.random.default_rng(0).integers(0, 60, (4, 25))
    expected = fresh.values(TEXT, np.arange(60))
    monkeypatch.setattr(row_texts, "_REMEMBERED", remembered)
    monkeypatch.setattr(row_texts, "_BATCH", 7)
    for part in rows:
        assert reader.values(TEXT, part).tobytes() == expected[part].tobytes()


def test_nobody_without_rows_has_a_text():
    db = opened(frames(3))
    found = dict(RowTexts(db, HashedWords()).features(TEXT, seen(db, [-5])))
    assert all(np.isnan(values).all() for values in found.values())
