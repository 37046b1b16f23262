from __future__ import annotations

import json

import pytest

from benthic.relational.diagram import (
    column_rows,
    problem_rows,
    schema_diagram,
    schema_to_json,
    table_rows,
)
from benthic.relational.schema import (
    Choice,
    Column,
    ForeignKey,
    Problem,
    Schema,
    SType,
    Table,
)


@pytest.fixture
def schema() -> Schema:
    users = Table(
        "users",
        {"id": Column("id", "BIGINT", SType.id, Choice("the key of users"))},
        pkey_col="id",
        num_rows=1200,
        choices={"pkey_col": Choice("declared")},
    )
    orders = Table(
        'shop."odd" orders',
        {
            "order no": Column("order no", "DECIMAL(10,2)", SType.numerical),
            "buyer": Column("buyer", "BIGINT", SType.id),
            "2nd": Column("2nd", "TIMESTAMP", SType.timestamp),
        },
        fkeys=(ForeignKey("buyer", "users", Choice("is named after users", 0.8)),),
        time_col="2nd",
        num_rows=9,
        choices={"time_col": Choice("a time of the row", 0.6)},
    )
    problems = (
        Problem('shop."odd" orders', "buyer", "3 rows point nowhere"),
        Problem("users", None, "all is well"),
        Problem("gone", None, "no such table"),
    )
    return Schema({"users": users, orders.name: orders}, problems)


def test_the_tables_show_keys_times_links_and_how_sure_we_are(schema):
    users, orders = table_rows(schema)
    assert users == {
        "table": "users",
        "rows": "1,200",
        "pkey": "id",
        "time_col": "(always visible)",
        "end_time_col": "",
        "fkeys": "",
    }
    assert orders["fkeys"] == "buyer -> users (0.80)"
    assert orders["time_col"] == "2nd (0.60)"


def test_the_columns_show_the_reason_for_their_part(schema):
    rows = {row["column"]: row for row in column_rows(schema, 'shop."odd" orders')}
    assert rows["buyer"]["part"] == "FK"
    assert rows["buyer"]["reason"] == "is named after users"
    assert rows["2nd"]["part"] == "time"
    assert rows["2nd"]["confidence"] == "0.60"
    assert rows["order no"]["part"] == ""


def test_the_problems_stand_in_the_order_of_the_tables(schema):
    assert [row["table"] for row in problem_rows(schema)] == [
        "users",
        'shop."odd" orders',
        "gone",
    ]


def test_the_json_holds_everything(schema):
    document = json.loads(json.dumps(schema_to_json(schema)))
    assert [table["table"] for table in document["tables"]] == list(schema.tables)
    orders = document["tables"][1]
    assert orders["fkeys"] == [
        {
            "column": "buyer",
            "table": "users",
            "reason": "is named after users",
            "confidence": 0.8,
        }
    ]
    assert orders["columns"][2]["stype"] == "timestamp"
    assert orders["choices"]["time_col"]["confidence"] == 0.6
    assert len(document["problems"]) == 3


def test_the_diagram_quotes_what_mermaid_cannot_read(schema):
    assert schema_diagram(schema).splitlines() == [
        "erDiagram",
        '    t0["users"] {',
        "        BIGINT id PK",
        "    }",
        "    t1[\"shop.'odd' orders\"] {",
        "        BIGINT buyer FK",
        '        TIMESTAMP c_2nd "time"',
        "    }",
        '    t0 ||..o{ t1 : "buyer"',
    ]


def test_a_declared_link_is_drawn_through(schema):
    users = schema.tables["users"]
    certain = Table("a", {}, fkeys=(ForeignKey("u", "users"),))
    drawn = schema_diagram(Schema({"users": users, "a": certain}))
    assert 't0 ||--o{ t1 : "u"' in drawn
