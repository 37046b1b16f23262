from __future__ import annotations

import pandas as pd
import pytest
from tests.relational.market import CHURN, SPEND, market_frames

from benthic.relational.database import Database
from benthic.relational.engines import Options
from benthic.relational.predictor import Predictor

QUICK = Options(num_models=1, num_hops=1)


@pytest.fixture(scope="module")
def p():
    with Database.open(market_frames()) as db:
        yield Predictor(db, QUICK)


def test_the_answer_says_which_type_was_inferred_and_what_is_known_already(p):
    query = CHURN.replace("0, 14", "-7, 14")
    answers = p.predictions(query, anchor_time="2025-11-01")
    frame = pd.concat(answers, ignore_index=True)

    assert answers.num_rows == len(frame) == 40
    assert answers.notes[0] == "binary task: the target is a condition"
    assert "seven days of the label are already known at the anchor" in answers.notes
    assert "nothing later than 2025-11-01 00:00:00 is seen" in answers.notes
    assert frame.attrs["notes"] == list(answers.notes)


def test_an_anchor_long_after_the_data_is_noted_and_so_is_the_interval(p):
    found = p.predict(SPEND, anchor_time="2099-01-01").attrs["notes"]

    assert any(note.startswith("the data end at 2025-12-31") for note in found)
    assert any(note.startswith("intervals aim at 90%") for note in found)


def test_each_timeframe_of_a_forecast_is_counted(p):
    query = SPEND.replace(" FOR EACH", " FORECAST 2 TIMEFRAMES FOR EACH")
    answers = p.predictions(query, anchor_time="2025-10-01")

    assert answers.num_rows == sum(map(len, answers)) == 80


def test_an_assumption_goes_with_the_file(p, tmp_path):
    query = f"{SPEND} ASSUMING COUNT(orders.*, 0, 3, days) > 0"
    p.predict_to(tmp_path / "a.parquet", query, anchor_time="2025-11-01")

    notes = pd.read_parquet(tmp_path / "a.parquet").attrs["notes"]
    assert any("no proof that one causes the other" in note for note in notes)
