"""Rows are read once where that is enough, and again where it is not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from tests.relational.features.stores import START, frames, opened

from benthic.relational.features import event_store
from benthic.relational.features.columns import readable_columns
from benthic.relational.features.event_store import EventStore
from benthic.relational.features.events import entity_hashes
from benthic.relational.features.paths import own_paths

DAYS = [
    (START + pd.Timedelta(days=days)).value // 1000 for days in (0, 50, 100, 150, 200)
]


@pytest.fixture
def asked(monkeypatch):
    """A function that asks a store for visits, and how often rows were read."""
    reads = []

    def counted(*given):
        reads.append(given)
        return load(*given)

    load = event_store.load_events
    monkeypatch.setattr(event_store, "load_events", counted)
    db = opened(frames(0))
    path = own_paths(db.schema, "people", 1)[0]
    readings = readable_columns(db.schema, "visits", ("person_id",))
    keys = np.unique(entity_hashes(db, "people", pd.Series(range(6))))

    def ask(store, some=slice(None), until=2, columns=slice(None)):
        events = store.events(path, readings[columns], keys[some], DAYS[until])
        fresh = load(db, path, readings[columns], keys[some], DAYS[until])
        for key in keys[some]:
            assert _rows(events, key, DAYS[until]) == _rows(fresh, key, DAYS[until])
        return len(reads)

    return db, keys, ask


def _rows(events, key, until):
    (place,) = events.positions(np.array([key]))
    if place < 0:
        return [[], []]
    rows = slice(events.offsets[place], events.offsets[place + 1])
    times = events.times[rows]
    spent = events.numbers("spent")[rows][times <= until]
    return [times[times <= until].tolist(), np.nan_to_num(spent).tolist()]


def test_fewer_keys_columns_and_days_are_answered_from_what_was_read(asked):
    db, _, ask = asked
    store = EventStore(db)
    assert ask(store) == 1
    assert ask(store, some=slice(1, 3)) == 1
    assert ask(store, until=1) == 1
    assert ask(store, columns=slice(2)) == 1


def test_more_keys_columns_or_days_are_read(asked):
    db, _, ask = asked
    store = EventStore(db)
    assert ask(store, slice(1, 3), 1, slice(2)) == 1
    assert ask(store, slice(1, 4), 1, slice(2)) == 2
    assert ask(store, slice(1, 4), 2, slice(2)) == 3
    assert ask(store, slice(1, 4), 2) == 4
    assert ask(store, slice(0, 1), 2) == 5


def test_announced_entities_are_read_at_once(asked):
    db, keys, ask = asked
    store = EventStore(db)
    store.announce(keys, DAYS[3])
    assert ask(store, slice(0, 2), 1) == 1
    assert ask(store, slice(2, 6), 3) == 1
    assert ask(store, slice(2, 6), 4) == 2
    assert ask(store, slice(2, 6), 3) == 2


def test_as_many_announced_entities_as_fit_are_read_at_once(asked):
    db, keys, ask = asked
    columns = len(readable_columns(db.schema, "visits", ("person_id",)))
    three = 8 * (1 + columns) * 10 * 3  # ten visits each
    store = EventStore(db, most_bytes=2 * three)
    store.announce(keys, DAYS[3])
    parts = [slice(start, start + 1) for start in range(6)]
    assert [ask(store, part) for part in parts] == [1, 1, 1, 2, 2, 2]
    # A part that is wider than what fits is read by itself.
    assert ask(store, slice(0, 5)) == 3


def test_parts_may_come_in_any_announced_order(asked):
    db, keys, ask = asked
    store = EventStore(db)
    store.announce(keys[::-1].copy(), DAYS[3])
    assert [ask(store, slice(4, 6)), ask(store, slice(0, 2))] == [1, 1]


def test_what_memory_does_not_hold_is_read_again(asked):
    db, keys, ask = asked
    store = EventStore(db, most_bytes=100)
    store.announce(keys, DAYS[3])
    assert [ask(store), ask(store)] == [1, 2]


def test_an_empty_announcement_gives_the_memory_back(asked):
    db, keys, ask = asked
    store = EventStore(db)
    store.announce(keys, DAYS[3])
    ask(store)
    store.announce(keys[:0], 0)
    assert ask(store) == 2
