"""What a person with a database types, and sees."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from tests.cli.outcome import only_line, raising
from tests.relational.market import CHURN, NEXT, market_frames

AT = ("--anchor-time", "2025-11-01", "--num-hops", "1")


@pytest.fixture
def market(tmp_path):
    """The shop as a folder of Parquet."""
    folder = tmp_path / "market"
    folder.mkdir()
    for name, frame in market_frames().items():
        frame.to_parquet(folder / f"{name}.parquet")
    return folder


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


def test_predictions_are_shown_or_written_or_printed_as_json(run, market, tmp_path):
    model = tmp_path / "model"
    code, out, err = run("predict", market, CHURN, *AT, "--save", model)
    assert code == 0, err
    assert "probability" in out
    assert "… 40 rows in all; --out FILE writes them" in out
    assert "saved the model" in err

    again = ("predict", market, CHURN, *AT, "--model", model)
    code, out, err = run(*again, "--json")
    assert (code, len(json.loads(out)["predictions"])) == (0, 40)
    assert run(*again, "--out", "churn.csv")[0] == 0
    assert len(pd.read_csv(tmp_path / "churn.csv")) == 40

    code, out, err = run("explain", market, CHURN, *AT, "--model", model)
    assert (code, "paths" in out) == (0, True)
    other = ("predict", market, CHURN.replace("14", "28"), "--model", model)
    code, out, err = run(*other)
    assert (code, out) == (2, "")
    assert f"which answers {CHURN}; ask that" in only_line(err)
    whose = ("--entity", "3", "--json")
    code, out, err = run("explain", market, CHURN, *AT, "--model", model, *whose)
    assert (code, json.loads(out)["entity"]) == (0, 3)


def test_a_ranking_is_explained_on_the_screen_as_in_the_document(run, market):
    query = NEXT.replace("FOR EACH", "FOR") + " = 3"
    code, out, err = run("explain", market, query, *AT)
    assert code == 0, err
    code, text, err = run("explain", market, query, *AT, "--json")
    document = json.loads(text)

    names = [one["name"] for one in document["outcomes"]]
    assert names == [str(value) for value in document["prediction"]["prediction"]]
    lines = out.splitlines()
    assert lines[lines.index("paths") + 1].split() == names
    first = document["paths"][0]
    cells = [f"{first['effects'][name]:+.3f}" for name in names]
    assert f"  {'  '.join(cells)}" in out
    assert len(document["rows"]) == 8


def test_an_evaluation_is_a_table_or_one_json_document(run, market):
    code, out, err = run("evaluate", market, CHURN, *AT, "--json")

    assert code == 0, err
    document = json.loads(out)
    assert document["regime"] == "rolling"
    assert set(document["baselines"]) == {"global_mean", "entity_mean", "last_value"}


def test_a_wrong_query_is_shown_with_a_caret_below_the_word(run, market):
    code, out, err = run("predict", market, CHURN.replace("days", "dayz"))

    assert (code, out) == (2, "")
    lines = err.splitlines()
    assert lines[-5].startswith("benthic: unknown name at line 1, column 32")
    assert lines[-3].strip() == "^~~~"
    assert lines[-1] == "did you mean days?"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["schema", "nowhere.duckdb"], "database: found no nowhere.duckdb"),
        (["schema", "market", "--table", "x"], "--table: found 'x'; choose one of"),
        (["schema", "market", "--overrides", "no.yaml"], "no.yaml"),
        (["predict", "market", CHURN, "--out", "a.xls"], "--out: found a.xls; name a"),
        (["predict", "market", CHURN, "--model", "none"], "no saved predictor"),
        (
            ["predict", "market", CHURN, *AT, "--text-encoder", "/no/folder"],
            "text_encoder: found /no/folder, ",
        ),
        (["predict", "market", CHURN, "--anchor-time", "soon"], "anchor_time: found"),
        (
            ["evaluate", "market", CHURN, "--regime", "loose"],
            "choose rolling or frozen",
        ),
        (["evaluate", "market", CHURN, "--test-anchors", "0"], "--test-anchors"),
        (["bench", "rel-f2"], "NAME: found 'rel-f2'; choose rel-f1"),
        (["bench", "rel-f1", "--data", "market"], "manifest.yaml"),
    ],
)
def test_a_wrong_request_is_one_line_and_exit_code_2(run, market, arguments, line):
    code, out, err = run(*arguments)

    assert (code, out) == (2, "")
    assert line in only_line(err)


def test_an_interruption_says_so(run, market, monkeypatch):
    monkeypatch.setattr(
        "benthic.relational.predictor.make_task", raising(KeyboardInterrupt())
    )
    code, _, err = run("predict", market, CHURN)

    assert (code, only_line(err)) == (130, "benthic: interrupted")
