"""From a database and a query to predictions, and what they may not depend on."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from tests.relational.features.static_model import write_static_model
from tests.relational.market import (
    CHANNEL,
    CHURN,
    NEXT,
    SPEND,
    complaining_frames,
    market_frames,
)

from benthic.errors import InputError, QueryError
from benthic.relational import predictor as predicting
from benthic.relational.database import Database
from benthic.relational.engines import Options
from benthic.relational.predictor import Predictor

QUICK = Options(num_models=1, num_hops=1)
AT = "2025-11-01"


@pytest.fixture(scope="module")
def db():
    with Database.open(market_frames()) as opened:
        yield opened


@pytest.fixture(scope="module")
def churn(db):
    p = Predictor(db, QUICK)
    p.fit(CHURN, anchor_time=AT)
    return p


@pytest.fixture(scope="module")
def spend(db):
    p = Predictor(db, QUICK)
    p.fit(SPEND, anchor_time=AT)
    return p


def named(query, entities):
    return query.replace(
        "EACH customers.customer_id", f"customers.customer_id {entities}"
    )


def test_every_customer_gets_a_probability_at_the_anchor(churn):
    found = churn.predict(CHURN, anchor_time=AT)

    assert list(found.columns) == ["entity", "anchor_time", "prediction", "probability"]
    assert sorted(found["entity"]) == list(range(40))
    assert set(found["anchor_time"]) == {pd.Timestamp(AT)}
    assert found["probability"].between(0, 1).all()


def test_those_who_buy_often_are_less_likely_to_stay_away(churn):
    found = churn.predict(CHURN, anchor_time=AT).set_index("entity")["probability"]
    is_busy = found.index % 3 == 0

    assert found[is_busy].max() < found[~is_busy].median()


def test_a_number_comes_with_its_interval(spend):
    found = spend.predict(SPEND, anchor_time=AT)

    assert (found["lower"] <= found["prediction"]).all()
    assert (found["prediction"] <= found["upper"]).all()


@pytest.mark.parametrize("cohort", [16, 40])
def test_one_entity_is_answered_as_among_all(churn, monkeypatch, cohort):
    monkeypatch.setattr(predicting, "_COHORT", cohort)
    everybody = churn.predict(CHURN, anchor_time=AT).set_index("entity")
    one = churn.predict(named(CHURN, "= 7"), anchor_time=AT).set_index("entity")

    assert one.index.tolist() == [7]
    assert one.loc[7, "probability"] == everybody.loc[7, "probability"]


def test_a_named_entity_that_fails_the_filter_comes_back_and_says_so(db):
    where = " WHERE COUNT(orders.*, -30, 0, days) > 2"
    p = Predictor(db, QUICK)
    found = p.predict(named(CHURN, "IN (0, 1)") + where, anchor_time=AT)

    assert found.set_index("entity")["matches_where"].to_dict() == {0: True, 1: False}


def test_a_class_comes_with_a_probability_for_each(db):
    found = Predictor(db, QUICK).predict(CHANNEL, anchor_time=AT)

    shares = found[["probability_shop", "probability_web"]]
    np.testing.assert_allclose(shares.sum(axis=1), 1.0, rtol=1e-5)
    assert set(found["prediction"]) <= {"web", "shop"}


def test_a_ranking_lists_the_likeliest_products(db):
    found = Predictor(db, QUICK).predict(NEXT, anchor_time=AT)
    hits = [
        len(set(said) & {(entity + i) % 10 for i in range(3)})
        for entity, said in zip(found["entity"], found["prediction"], strict=True)
    ]

    assert found["prediction"].map(len).eq(3).all()
    assert np.mean(hits) > 2  # of 3; by chance 0.9


def test_a_forecast_has_a_row_for_each_timeframe(db):
    query = SPEND.replace(" FOR EACH", " FORECAST 2 TIMEFRAMES FOR EACH")
    found = Predictor(db, QUICK).predict(query, anchor_time="2025-10-01")

    assert found.groupby("entity")["frame"].apply(list).map(
        tuple
    ).unique().tolist() == [(0, 1)]


def test_what_if_a_column_had_another_value_changes_only_what_is_shown(db):
    query = f"{CHURN} ASSUMING customers.tier = 'gold'"
    found = Predictor(db, QUICK).predict(query, anchor_time=AT)

    assert len(found) == 40
    assert "customers" in db.schema.tables
    tiers = db.query(f"SELECT DISTINCT tier FROM {db.relation('customers', ['tier'])}")
    assert sorted(tiers) == [("basic",), ("gold",)]


def test_what_if_is_explained_as_it_is_predicted(db):
    p = Predictor(db, QUICK)
    query = f"{named(CHURN, '= 4')} ASSUMING customers.tier = 'gold'"
    said = p.predict(query, anchor_time=AT)["probability"].iloc[0]

    found = p.explain(query, anchor_time=AT)
    assert found.prediction["probability"] == pytest.approx(said)
    assert p.is_fitted_for(query)
    assert not p.is_fitted_for(SPEND)


def test_what_comes_after_the_anchor_changes_no_bit(churn):
    before = churn.predict(CHURN, anchor_time=AT)
    frames = market_frames()
    later = frames["orders"]["placed_at"] > AT
    rows = frames["orders"]
    rows.loc[later, "total"] = 1e6
    rows.loc[later, "customer_id"] = 5
    keep = ~later | (rows["order_id"] % 2 == 0)
    frames["orders"] = rows[keep].reset_index(drop=True)
    with Database.open(frames) as other:
        p = Predictor(other, QUICK)
        p.fit(CHURN, anchor_time=AT)
        after = p.predict(CHURN, anchor_time=AT)

    pd.testing.assert_frame_equal(before, after, check_exact=True)


def test_a_saved_predictor_answers_the_same(churn, db, tmp_path):
    churn.save(tmp_path / "model")
    loaded = Predictor.load(tmp_path / "model", db)

    assert loaded.queries == (CHURN,)
    pd.testing.assert_frame_equal(
        loaded.predict(CHURN, anchor_time=AT),
        churn.predict(CHURN, anchor_time=AT),
        check_exact=True,
    )
    names = {path.suffix for path in (tmp_path / "model").rglob("*") if path.is_file()}
    assert names <= {".json", ".txt", ".parquet", ".safetensors"}


def test_a_model_whose_schema_no_longer_fits_is_refused_with_what_changed(
    churn, tmp_path
):
    churn.save(tmp_path / "model")
    frames = market_frames()
    frames["orders"] = frames["orders"].drop(columns="channel")
    with (
        Database.open(frames) as other,
        pytest.raises(InputError, match=r"column orders\.channel is gone"),
    ):
        Predictor.load(tmp_path / "model", other)


def test_a_folder_without_a_predictor_is_refused(db, tmp_path):
    with pytest.raises(InputError, match="where no engine was saved"):
        Predictor.load(tmp_path, db)


def test_nothing_can_be_saved_before_a_fit(db, tmp_path):
    with pytest.raises(InputError, match="0 fitted queries"):
        Predictor(db).save(tmp_path / "model")


def test_an_entity_that_does_not_exist_is_a_query_error(churn):
    with pytest.raises(QueryError, match="no row with customer_id 4711"):
        churn.predict(named(CHURN, "= 4711"), anchor_time=AT)


def test_predictions_go_into_a_file(churn, tmp_path):
    path = tmp_path / "churn.parquet"

    assert churn.predict_to(path, CHURN, anchor_time=AT) == 40
    pd.testing.assert_frame_equal(
        pd.read_parquet(path), churn.predict(CHURN, anchor_time=AT)
    )


def test_a_query_on_the_whole_is_explained_by_its_paths(churn):
    found = churn.explain(CHURN, anchor_time=AT)

    assert sum(each.share for each in found.paths) == pytest.approx(1.0)
    assert json.loads(found.to_json())["paths"]
    assert str(found).startswith(CHURN)


def test_an_entity_is_explained_by_paths_features_and_its_own_rows(spend):
    found = spend.explain(SPEND, 3, anchor_time=AT)

    assert (found.entity, found.anchor_time) == (3, pd.Timestamp(AT))
    assert {row.row["customer_id"] for row in found.rows} == {3}
    assert all(row.time <= pd.Timestamp(AT) for row in found.rows)
    assert sum(each.share for each in found.paths) == pytest.approx(1.0)


def test_hiding_a_row_is_what_its_effect_says(spend, db):
    found = spend.explain(SPEND, 3, anchor_time=AT)
    row = found.rows[0]
    frames = market_frames()
    orders = frames["orders"]
    frames["orders"] = orders[orders["order_id"] != row.row["order_id"]]
    fitted = spend._fitted[SPEND].engine
    with Database.open(
        {k: v.reset_index(drop=True) for k, v in frames.items()}
    ) as less:
        seed = pd.DataFrame({"entity": [3], "anchor_time": [pd.Timestamp(AT)]})
        cohort = pd.DataFrame({"entity": range(40), "anchor_time": pd.Timestamp(AT)})
        said = fitted.on(less).predict(seed, cohort=cohort)

    assert said["prediction"].iloc[0] == pytest.approx(row.prediction)


def test_what_a_customer_wrote_is_read_and_explained():
    with Database.open(complaining_frames()) as db:
        p = Predictor(db, QUICK)
        found = p.explain(CHURN, anchor_time=AT)

    tables = {each.path: each.tables for each in found.paths}
    assert tables["customers <- messages.customer_id"] == ("messages",)
    assert any("body mean word cancel" in each.feature for each in found.features)


def test_a_saved_predictor_brings_its_encoder_or_refuses(tmp_path):
    encoder = write_static_model(tmp_path / "words")
    options = Options(num_models=1, num_hops=1, text_encoder=encoder)
    with Database.open(complaining_frames()) as db:
        p = Predictor(db, options)
        p.fit(CHURN, anchor_time=AT)
        p.save(tmp_path / "model")
        loaded = Predictor.load(tmp_path / "model", db)
        assert loaded.options == options
        pd.testing.assert_frame_equal(
            loaded.predict(CHURN, anchor_time=AT), p.predict(CHURN, anchor_time=AT)
        )
        (tmp_path / "words").rename(tmp_path / "gone")
        with pytest.raises(InputError, match=r"text_encoder: found .*words, which is"):
            Predictor.load(tmp_path / "model", db)
