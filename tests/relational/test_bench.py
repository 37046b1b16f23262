from __future__ import annotations

import pandas as pd
import pytest
from tests.relational.engines import shop

from benthic.errors import InputError
from benthic.relational import bench


class Rows:
    """Stands for a task: one seed a year, known after 30 days."""

    def __init__(self):
        years = pd.to_datetime([f"{year}-06-01" for year in range(1990, 2015)])
        self.frame = pd.DataFrame({"entity": 1, "anchor_time": years, "label": True})

    def between(self, low, high):
        year = self.frame.anchor_time.dt.year
        return self.frame[(year >= low) & (year < high)]

    def train(self):
        return self.between(1990, 2005)

    def validation(self):
        return self.between(2005, 2010)

    def test(self):
        assert self.may_test
        return self.between(2010, 2015)

    def observed_at(self, anchor_time):
        return anchor_time + pd.Timedelta(days=30)


def test_frozen_seeds_are_cut_at_the_start_of_their_split_and_rolling_ones_are_not():
    task = Rows()
    task.may_test = True
    train, validation, test = bench.examples(task, "frozen", "test")
    assert "cut_time" not in train
    assert validation.cut_time.unique().tolist() == [pd.Timestamp("2005-01-01")]
    assert test.cut_time.unique().tolist() == [pd.Timestamp("2010-01-01")]
    parts = bench.examples(task, "rolling", "test")
    assert not any("cut_time" in part for part in parts)


def test_development_never_looks_at_the_test():
    task = Rows()
    task.may_test = False
    train, validation, judged = bench.examples(task, "frozen", "validation")
    assert train.anchor_time.dt.year.max() == 1999
    assert validation.anchor_time.dt.year.min() == 2000
    assert judged.anchor_time.dt.year.max() == 2009
    assert judged.cut_time.unique().tolist() == [pd.Timestamp("2005-01-01")]


def test_a_name_that_does_not_exist_is_refused_before_any_work():
    db = shop.database()
    with pytest.raises(InputError, match="tasks: found driver-dns"):
        bench.run_rel_f1(db, "", tasks=["driver-dns"])
    with pytest.raises(InputError, match="regimes: found melted"):
        bench.run_rel_f1(db, "", regimes=["melted"])
