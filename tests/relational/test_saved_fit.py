from __future__ import annotations

import pytest
from tests.relational.market import CHURN, market_frames

from benthic.errors import InputError, OutputError
from benthic.relational.database import Database
from benthic.relational.engines import Options
from benthic.relational.predictor import Predictor
from benthic.relational.saved_fit import load_fitted, save_fitted


@pytest.fixture(scope="module")
def p():
    with Database.open(market_frames()) as db:
        made = Predictor(db, Options(num_models=1, num_hops=1))
        made.fit(CHURN, anchor_time="2025-11-01")
        yield made


def test_what_was_saved_answers_the_same_query(p, tmp_path):
    save_fitted(tmp_path / "model", p._fitted[CHURN], p.db)

    found = load_fitted(tmp_path / "model", p.db)
    assert str(found.query) == CHURN
    assert found.report == p._fitted[CHURN].report


@pytest.mark.parametrize("room", [1, 2_000, 6_000])
def test_a_full_disk_leaves_nothing_and_names_the_folder(p, tmp_path, full_disk, room):
    with full_disk(room), pytest.raises(OutputError) as raised:
        p.save(tmp_path / "model")

    assert raised.value.found == f"{tmp_path / 'model'}: file too large"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("ensemble.0.txt", None, "ensemble.0.txt is gone"),
        ("ensemble.0.txt", "tree", "ensemble.0.txt is damaged"),
        ("ensemble.json", "{", "ensemble.json is damaged"),
        ("features.json", None, "features.json is gone"),
        ("engine.json", None, "engine.json is gone"),
        ("checksums.json", "{", "checksums.json is damaged"),
        ("../predictor.json", None, "predictor.json is gone"),
        ("../predictor.json", "{}", "predictor.json is damaged"),
    ],
)
def test_a_model_of_which_a_part_is_gone_is_refused(p, tmp_path, name, text, fault):
    p.save(tmp_path / "model")
    path = tmp_path / "model" / "engine" / name
    path.unlink() if text is None else path.write_text(text)

    with pytest.raises(InputError) as raised:
        load_fitted(tmp_path / "model", p.db)
    place = tmp_path / "model"
    assert raised.value.found == f"{place}, an incomplete model: {fault}"


def test_a_digit_that_changed_is_found_before_lightgbm_ends_the_process(p, tmp_path):
    p.save(tmp_path / "model")
    for path in (tmp_path / "model" / "engine").glob("ensemble.*.txt"):
        path.write_text(path.read_text().replace("left_child=", "left_child=9 "))

    with pytest.raises(InputError, match=r"ensemble\.0\.txt is damaged; save the"):
        load_fitted(tmp_path / "model", p.db)


def test_a_folder_that_holds_no_model_is_refused(p, tmp_path):
    with pytest.raises(InputError, match="where no engine was saved"):
        load_fitted(tmp_path, p.db)
    p.save(tmp_path / "model")
    with pytest.raises(InputError, match="no saved predictor"):
        load_fitted(tmp_path / "model" / "engine", p.db)
