"""What a person with a database types, and sees."""

from __future__ import annotations

import json

import pytest
from tests.cli.outcome import only_line
from tests.relational.market import market_frames


def test_the_schema_says_what_was_found_and_how_sure_it_is(run, market):
    code, out, _ = run("schema", market)

    assert code == 0
    assert "customer_id -> customers" in out
    assert "placed_at" in out
    assert out.startswith("Database('market', 3 tables, 1,550 rows)")


def test_the_columns_of_one_table_come_with_their_reasons(run, market):
    code, out, _ = run("schema", market, "--table", "orders")

    assert code == 0
    assert "numerical" in out
    assert "sampled values" in out or "different" in out


def test_the_schema_is_one_json_document_or_a_diagram(run, market):
    document = json.loads(run("schema", market, "--json")[1])

    assert {table["table"] for table in document["tables"]} == set(market_frames())
    assert run("schema", market, "--mermaid")[1].startswith("erDiagram")


def test_an_override_beside_the_folder_is_obeyed(run, market, tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("tables: {orders: {time: null}}")
    document = json.loads(run("schema", market, "--overrides", file, "--json")[1])
    orders = next(t for t in document["tables"] if t["table"] == "orders")

    assert "placed_at" not in str(orders.get("time_col"))


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["schema", "nowhere.duckdb"], "database: found no nowhere.duckdb"),
        (["schema", "market", "--table", "x"], "--table: found 'x'; choose one of"),
        (["schema", "market", "--overrides", "no.yaml"], "no.yaml"),
        (["bench", "rel-f2"], "NAME: found 'rel-f2'; choose rel-f1"),
        (["bench", "rel-f1", "--data", "market"], "manifest.yaml"),
    ],
)
def test_a_wrong_request_is_one_line_and_exit_code_2(run, market, arguments, line):
    code, out, err = run(*arguments)

    assert (code, out) == (2, "")
    assert line in only_line(err)
