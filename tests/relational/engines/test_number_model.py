from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from benthic.relational.database import Database
from benthic.relational.engines import Options
from benthic.relational.engines.number_model import keeping_sum, raised
from benthic.relational.predictor import Predictor

SPEND = "PREDICT SUM(orders.total, 0, 7, days) FOR EACH customers.customer_id"


@pytest.fixture(scope="module")
def rare():
    """Customers who order once in three to six weeks; half of all weeks are empty."""
    rng = np.random.default_rng(0)
    num_customers, num_days = 80, 400
    often = rng.uniform(1 / 40, 1 / 15, num_customers)
    customer, day = np.nonzero(rng.random((num_customers, num_days)) < often[:, None])
    at = pd.Timestamp("2025-01-01") + pd.to_timedelta(day, unit="D")
    total = rng.gamma(4.0, 10.0, len(day)).round(2)
    orders = pd.DataFrame({"customer_id": customer, "total": total, "at": at})
    orders = orders.sort_values("at", ignore_index=True)
    customers = pd.DataFrame({"customer_id": range(num_customers)})
    return {
        "customers": customers,
        "orders": orders.rename_axis("order_id").reset_index(),
    }


def test_means_add_up_to_what_will_be_spent_and_medians_do_not(rare):
    end = rare["orders"]["at"].max().normalize()
    with Database.open(rare) as db:
        p = Predictor(db, Options(num_models=2))
        judged = p.evaluate(SPEND, test_anchors=4, anchor_time=end, num_resamples=2)
    said = judged.predictions
    truth = said["label"].sum()
    assert said["mean"].sum() == pytest.approx(truth, rel=0.15)
    assert said["prediction"].sum() < 0.5 * truth


def test_what_was_never_negative_is_not_predicted_to_be(rare):
    with Database.open(rare) as db:
        found = Predictor(db, Options(num_models=1)).predict(SPEND)
    ends = found[["prediction", "mean", "lower", "upper"]]
    assert (ends >= 0).all(axis=None)
    assert (found["mean"] >= found["prediction"] / 2).all()
    assert (found["lower"] <= found["prediction"]).all()
    assert (found["prediction"] <= found["upper"]).all()


def test_what_may_be_negative_may_be_predicted_so(rare):
    orders = rare["orders"].assign(total=-rare["orders"]["total"])
    with Database.open({**rare, "orders": orders}) as db:
        found = Predictor(db, Options(num_models=1)).predict(SPEND)
    assert (found["mean"] < 0).any()


def test_a_saved_model_says_the_same(rare, tmp_path):
    with Database.open(rare) as db:
        p = Predictor(db, Options(num_models=1))
        said = p.predict(SPEND)
        p.save(tmp_path / "model")
        again = Predictor.load(tmp_path / "model", db).predict(SPEND)
    pd.testing.assert_frame_equal(said, again)


AMOUNTS = arrays(
    np.float64, 12, elements=st.floats(-50, 1000).map(lambda y: round(y, 3))
)


@given(mean=AMOUNTS, median=AMOUNTS)
def test_raised_means_are_no_less_than_half_the_median_and_keep_their_sum(mean, median):
    median = np.maximum(median, 0)
    scale = keeping_sum(mean, median)
    said = raised(mean, median, scale)
    assert (said >= median / 2).all()
    assert (said >= 0).all()
    assert 0 <= scale <= 1
    if median.sum() / 2 < mean.sum():
        assert said.sum() == pytest.approx(mean.sum(), abs=1e-6)
    above = mean * scale > median / 2
    assert np.allclose(said[above], scale * mean[above])


@given(mean=AMOUNTS, factor=st.sampled_from([0.001, 7.0, 1e6]))
def test_the_unit_of_a_number_does_not_matter(mean, factor):
    median = np.abs(mean[::-1]) / 3
    one = raised(mean, median, keeping_sum(mean, median))
    mean, median = factor * mean, factor * median
    other = raised(mean, median, keeping_sum(mean, median))
    if abs(mean.sum() - median.sum() / 2) > 1e-3 * factor:  # not at the edge
        assert np.allclose(other, factor * one, atol=1e-6 * factor)
