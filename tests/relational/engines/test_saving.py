from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from tests.relational.engines import shop

from benthic.errors import InputError
from benthic.relational.engines import FitReport, Options, Target
from benthic.relational.engines.design import Design
from benthic.relational.engines.folder import MARK
from benthic.relational.engines.saving import (
    facts_of,
    read_design,
    read_facts,
    report_of,
    write_design,
    write_facts,
)

TARGET = Target("customers", "customer_id", "regression", 20 * shop.DAY)
REPORT = FitReport("features", 1.5, 100.0, "mae", 0.25, {"rounds": 3}, ("one note",))


def test_facts_come_back_as_they_were(tmp_path):
    write_facts(tmp_path, facts_of("features", TARGET, Options(seed=4), REPORT))
    facts = read_facts(tmp_path)
    assert Target.from_json(facts["target"]) == TARGET
    assert Options(**facts["options"]) == Options(seed=4)
    assert report_of(facts) == REPORT
    assert report_of(facts_of("features", TARGET, Options(), None)) is None


@pytest.mark.parametrize("text", [None, "", "{half"])
def test_a_missing_or_broken_engine_is_one_clear_line(tmp_path, text):
    if text is not None:
        (tmp_path / MARK).write_text(text)
    with pytest.raises(InputError, match="where no engine was saved"):
        read_facts(tmp_path)


@pytest.mark.parametrize("has_known", [False, True])
def test_a_design_makes_the_same_matrix_after_reading(tmp_path, has_known):
    tables = shop.frames(num_customers=12, num_days=90)
    db = shop.database(tables)
    train = shop.examples(tables, (30, 50), shop.spent)
    more = {"num_hops": 1, "strict": False, "has_lag": False}
    made = Design.fit(db, TARGET, train, **more)
    if has_known:
        times = {"observed_at": train.anchor_time + 20 * shop.DAY}
        made.known = train.assign(**times)
    write_design(tmp_path, made)
    facts = {"has_lag": False, "has_frame": False}
    again = read_design(tmp_path, db, facts)
    seeds = shop.examples(tables, (80,), shop.spent)
    assert np.array_equal(again.matrix(seeds), made.matrix(seeds), equal_nan=True)
    assert again.columns == made.columns
    if has_known:
        pd.testing.assert_frame_equal(again.known, made.known)
