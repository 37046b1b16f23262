from __future__ import annotations

import dataclasses

import duckdb
import pytest
from tests.relational.shop import shop_frames

from benthic.relational.database import Database
from benthic.relational.declared import Declared, DeclaredKey, DeclaredTable, Probe
from benthic.relational.sources.frames import open_frames


def test_facts_cannot_be_changed_by_who_reads_them():
    table = DeclaredTable("t", {"id": "BIGINT"}, pkey=("id",))
    for fact in (table, DeclaredKey(("a",), "t", ("id",)), Declared({"t": table})):
        name = dataclasses.fields(fact)[0].name
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(fact, name, None)


def test_a_database_and_a_source_are_not_mistaken_for_a_probe_but_by_their_methods():
    with Database.open(shop_frames()) as db:
        assert not isinstance(db, Probe)
    connection = duckdb.connect()
    connection.execute("CREATE SCHEMA raw; CREATE SCHEMA sample")
    assert not isinstance(open_frames(connection, shop_frames()), Probe)
