"""What a person who asks about the future types, and sees."""

from __future__ import annotations

import io
import json
import shutil

import pandas as pd
import pytest
from tests.cli.outcome import only_line, raising
from tests.relational.market import CHURN, NEXT, market_frames

from benthic.errors import OutputError
from benthic.relational.database import Database
from benthic.relational.engines import Options
from benthic.relational.predictor import Predictor

pytestmark = pytest.mark.usefixtures("few_rounds")

AT = ("--anchor-time", "2025-11-01", "--num-hops", "1")


@pytest.fixture(scope="module")
def model(few_rounds, tmp_path_factory):
    """A folder that answers CHURN."""
    folder = tmp_path_factory.mktemp("saved") / "model"
    with Database.open(market_frames()) as db:
        p = Predictor(db, Options(num_models=1, num_hops=1))
        p.fit(CHURN, anchor_time="2025-11-01")
        p.save(folder)
    return folder


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
        (["predict", "market", CHURN, "--out", "a.xls"], "--out: found a.xls; name a"),
        (
            ["predict", "market", CHURN, "--model", "none"],
            "--model: found none, where no engine was saved",
        ),
        (
            ["predict", "market", CHURN, *AT, "--text-encoder", "/no/folder"],
            "--text-encoder: found /no/folder, ",
        ),
        (["predict", "market", CHURN, "--anchor-time", "soon"], "--anchor-time: found"),
        (
            ["evaluate", "market", CHURN, "--regime", "loose"],
            "choose rolling or frozen",
        ),
        (["evaluate", "market", CHURN, "--test-anchors", "0"], "--test-anchors"),
    ],
)
def test_a_wrong_request_is_one_line_and_exit_code_2(run, market, arguments, line):
    code, out, err = run(*arguments)

    assert (code, out) == (2, "")
    assert line in only_line(err)


def test_the_notes_are_told_beside_the_answer_and_stand_in_the_document(
    run, market, model
):
    asked = ("predict", market, CHURN, "--anchor-time", "2099-01-01", "--model", model)
    code, out, err = run(*asked)
    assert code == 0, err
    assert "note: binary task: the target is a condition" in err
    assert "note: the data end at 2025-12-31" in err
    assert "note" not in out

    code, out, err = run(*asked, "--json", "--out", "a.csv")
    assert (code, "wrote 40 predictions to a.csv" in err) == (0, True)
    document = json.loads(out)
    assert document.pop("notes")[0] == "binary task: the target is a condition"
    assert document == {"query": CHURN, "out": "a.csv", "num_rows": 40}


def test_a_folder_that_cannot_be_saved_to_is_refused_before_the_fit(
    run, market, monkeypatch
):
    monkeypatch.setattr(
        "benthic.relational.predictor.Predictor.predictions", raising(AssertionError)
    )
    code, out, err = run("predict", market, CHURN, "--save", market)
    assert (code, out) == (2, "")
    assert only_line(err).startswith("benthic: --save: found ")
    assert "market, which holds something else; name a new folder" in err

    arguments = (("--fit-dir", "a.txt/fit"), ("--save", "a.txt/model"))
    (market.parent / "a.txt").touch()
    for option, place in arguments:
        code, out, err = run("predict", market, CHURN, option, place)
        assert (code, out) == (2, "")
        assert f"{option}: found {place}: not a directory" in only_line(err)


def _full(*_, **__):
    raise OutputError("folder", "tm/model: no space left on device", "free space")


def test_a_model_that_cannot_be_saved_costs_no_prediction(
    run, market, model, monkeypatch
):
    monkeypatch.setattr("benthic.relational.predictor.save_fitted", _full)
    options = ("--model", model, "--save", "model", "--json")
    code, out, err = run("predict", market, CHURN, *AT, *options)

    assert (code, len(json.loads(out)["predictions"])) == (1, 40)
    line = "benthic: --save: tm/model: no space left on device; free space"
    assert only_line(err) == line


def test_answers_that_cannot_be_written_are_printed_and_cost_no_model(
    run, market, model, monkeypatch
):
    monkeypatch.setattr("benthic.relational.answer_file.write_answers", _full)
    options = ("--model", model, "--save", "model", "--out", "a.csv")
    code, out, err = run("predict", market, CHURN, *AT, *options)

    assert (code, len(pd.read_csv(io.StringIO(out)))) == (1, 40)
    assert "no space left on device" in only_line(err)
    assert run("predict", market, CHURN, *AT, "--model", "model")[0] == 0


def test_a_model_of_which_a_file_is_gone_is_named_as_it_was_typed(run, market, model):
    shutil.copytree(model, "model")
    (market.parent / "model" / "engine" / "ensemble.0.txt").unlink()
    code, _, err = run("predict", market, CHURN, *AT, "--model", "model")

    assert code == 2
    assert "--model: found model, an incomplete model: ensemble.0.txt is gone" in err


def test_an_interruption_says_so_and_how_to_keep_what_is_finished(
    run, market, monkeypatch
):
    monkeypatch.setattr(
        "benthic.relational.predictor.make_task", raising(KeyboardInterrupt())
    )
    for command in ("predict", "evaluate", "explain"):
        code, _, err = run(command, market, CHURN)
        assert (code, only_line(err)) == (130, "benthic: interrupted")
        assert "--fit-dir FOLDER would keep finished parts" in err
        code, _, err = run(command, market, CHURN, "--fit-dir", "fit")
        assert code == 130
        assert "what is finished is kept in fit: run the same command again" in err
