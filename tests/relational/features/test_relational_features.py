"""The features of an entity at a time follow from the rows of that time, to the bit."""

from __future__ import annotations

import datetime as dt
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.relational.features.static_model import write_static_model
from tests.relational.features.stores import START, changed_after, frames, opened, seeds

from benthic.errors import InputError
from benthic.relational.features.relational_features import RelationalFeatures

MONTH = dt.timedelta(days=30)


def fitted(tables, train, **options):
    made = RelationalFeatures(opened(tables), "people", "person_id", **options)
    return made.fit(train, horizon=MONTH)


def test_there_is_one_float32_row_per_seed_in_the_order_of_the_seeds():
    tables = frames(0)
    train = seeds(tables, [40, 80, 120])
    made = fitted(tables, train)
    shuffled = train.sample(frac=1, random_state=1)
    found = made.transform(train)
    again = made.transform(shuffled)
    assert (found.dtypes == np.float32).all()
    assert list(found.columns) == [f.name for f in made.features]
    assert len({f.name for f in made.features}) == len(made.features)
    pd.testing.assert_frame_equal(again, found.loc[shuffled.index])


@settings(max_examples=4, suppress_health_check=list(HealthCheck))
@given(
    st.integers(0, 10_000),
    st.sampled_from(["perturb", "delete", "invent"]),
    st.sampled_from(["later rows", "later than the cut"]),
    st.booleans(),
)
def test_no_row_later_than_the_seed_moves_a_feature(seed, how, regime, strict):
    tables = frames(seed)
    train = seeds(tables, [40, 70, 100])
    asked = seeds(tables, [130]).drop(columns="label")
    moment = START + pd.Timedelta(days=130)
    if regime == "later than the cut":
        moment = START + pd.Timedelta(days=110)
        asked = asked.assign(cut_time=moment)
    if strict and regime == "later rows":
        moment -= pd.Timedelta(seconds=1)
    before = fitted(tables, train, strict=strict)
    after = fitted(changed_after(tables, moment, how, seed), train, strict=strict)
    assert before.features == after.features
    assert _same(before.transform(asked), after.transform(asked))


@settings(max_examples=3, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 10_000), st.sampled_from(["perturb", "delete", "invent"]))
def test_a_plan_once_made_reads_no_later_row_for_an_early_seed(seed, how):
    tables = frames(seed)
    train = seeds(tables, [40, 70, 100, 150])
    made = fitted(tables, train)
    early = train[train["anchor_time"] == START + pd.Timedelta(days=70)]
    moment = START + pd.Timedelta(days=70)
    other = RelationalFeatures.from_state(
        opened(changed_after(tables, moment, how, seed)), made.state()
    )
    assert _same(made.transform(early), other.transform(early))


@pytest.mark.parametrize("how", ["perturb", "delete", "invent"])
def test_no_later_text_moves_what_an_encoder_reads(how, tmp_path):
    encoder = write_static_model(tmp_path / "model")
    tables = frames(14)
    train = seeds(tables, [40, 70, 100])
    asked = seeds(tables, [130]).drop(columns="label")
    moment = START + pd.Timedelta(days=130)
    made = [
        fitted(each, train, text_encoder=encoder)
        for each in (tables, changed_after(tables, moment, how, 14))
    ]
    names = [f.name for f in made[0].features if "meaning" in f.name]
    assert names
    assert _same(made[0].transform(asked), made[1].transform(asked))
    assert made[0].transform(asked)[names].notna().to_numpy().any()


def test_the_state_remembers_the_encoder_and_refuses_without_it(tmp_path):
    encoder = write_static_model(tmp_path / "model")
    tables = frames(15)
    train = seeds(tables, [40, 80, 120])
    made = fitted(tables, train, text_encoder=encoder)
    state = json.loads(json.dumps(made.state()))
    again = RelationalFeatures.from_state(opened(tables), state)
    assert _same(again.transform(train), made.transform(train))
    (tmp_path / "model").rename(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="text_encoder"):
        RelationalFeatures.from_state(opened(tables), state)


def test_texts_of_an_entitys_rows_are_features_with_their_provenance():
    tables = frames(16)
    made = fitted(tables, seeds(tables, [40, 80, 120]))
    said = [f for f in made.features if f.column == "said" and f.window == "last 10"]
    assert {f.path for f in said} == {"people <- visits.person_id"}
    assert any(f.aggregate.startswith("mean topic 1 (") for f in said)


def test_a_word_that_foretells_is_learned_and_used():
    tables = frames(17, people=150, visits=1_500)
    visits = tables["visits"]
    asks = np.random.default_rng(0).random(len(visits)) < 0.05
    tables["visits"] = visits.assign(
        said=np.where(asks, "cancel " + visits["said"], visits["said"])
    )
    train = seeds(tables, [150])
    known = tables["visits"].loc[lambda v: v["at"] <= START + pd.Timedelta(days=150)]
    cancels = known["said"].fillna("").str.contains("cancel")
    unhappy = set(known.loc[cancels, "person_id"])
    train["label"] = train["entity"].isin(unhappy)
    found = fitted(tables, train).transform(train)
    share = found["visits.person_id.said mean word cancel last 10"]
    assert (share.fillna(0) > 0).mean() > 0.1
    assert train.loc[share > 0, "label"].all()


def test_rows_at_the_seed_time_are_seen_unless_strict():
    tables = frames(3)
    at = tables["visits"]["at"].iloc[30]
    who = tables["visits"]["person_id"].iloc[30]
    seed = pd.DataFrame({"entity": [who], "anchor_time": [at]})
    train = seeds(tables, [40, 80, 120])
    visits = tables["visits"]
    own = visits[visits["person_id"] == who]
    for strict, rows in ((False, own["at"] <= at), (True, own["at"] < at)):
        found = fitted(tables, train, strict=strict).transform(seed)
        assert found["visits.person_id count all"].item() == rows.sum()


def test_the_cutoff_is_the_end_of_the_database():
    tables = frames(4)
    train = seeds(tables, [40, 80])
    cut = START + pd.Timedelta(days=90)
    asked = seeds(tables, [150]).drop(columns="label")
    frozen = fitted(tables, train, cutoff=cut.to_pydatetime())
    cut_by_hand = fitted(tables, train).transform(asked.assign(cut_time=cut))
    assert _same(frozen.transform(asked), cut_by_hand)
    deleted = changed_after(tables, cut, "delete", 0)
    assert _same(
        frozen.transform(asked),
        fitted(deleted, train).transform(asked.assign(cut_time=cut)),
    )


def test_windows_agree_with_pandas():
    tables = frames(5)
    train = seeds(tables, [60, 120, 180])
    found = fitted(tables, train).transform(train)
    visits = tables["visits"]
    window = next(c for c in found if c.startswith("visits.person_id.spent sum "))
    days = float(window.split()[-2])
    for i, seed in train.iterrows():
        own = visits[
            (visits["person_id"] == seed["entity"])
            & (visits["at"] <= seed["anchor_time"])
        ]
        recent = own[own["at"] > seed["anchor_time"] - pd.Timedelta(days=days)]
        row = found.loc[i]
        assert row["visits.person_id count all"] == len(own)
        assert row[window] == pytest.approx(recent["spent"].sum(), abs=1e-5)
        last = own["spent"].tail(5)
        for aggregate in ("mean", "std", "min", "max"):
            assert row[f"visits.person_id.spent {aggregate} last 5"] == pytest.approx(
                last.agg(aggregate), abs=1e-5, nan_ok=True
            )


def test_a_label_is_history_only_once_it_was_observed():
    tables = frames(6)
    train = seeds(tables, [40, 55, 100])
    found = fitted(tables, train).transform(train)
    counts = found["label history.person_id count all"].to_numpy().reshape(3, -1)
    assert (counts == [[0], [0], [2]]).all()


def test_new_labels_join_the_history():
    tables = frames(7)
    train = seeds(tables, [40, 80])
    made = fitted(tables, train)
    later = seeds(tables, [120])
    asked = seeds(tables, [160]).drop(columns="label")
    new = later.assign(observed_at=later["anchor_time"] + MONTH)
    name = "label history.person_id count all"
    assert (made.transform(asked)[name] == 2).all()
    assert (made.transform(asked, history=new)[name] == 3).all()


def test_a_cohort_tells_one_seed_what_the_whole_table_would():
    tables = frames(8)
    train = seeds(tables, [40, 80, 120])
    made = fitted(tables, train)
    everybody = seeds(tables, [150]).drop(columns="label")
    one = everybody.iloc[[2]]
    assert _same(
        made.transform(one, cohort=everybody), made.transform(everybody).iloc[[2]]
    )


def test_chunks_change_nothing():
    tables = frames(9)
    train = seeds(tables, [40, 80, 120])
    small = fitted(tables, train, chunk_size=5)
    assert _same(small.transform(train), fitted(tables, train).transform(train))


def test_an_announcement_changes_nothing():
    tables = frames(1)
    made = fitted(tables, seeds(tables, [40, 80, 120]))
    asked = seeds(tables, [150]).drop(columns="label")
    parts = [asked.iloc[start : start + 2] for start in (0, 2, 4)]
    apart = [made.transform(part, cohort=asked) for part in parts]
    made.announce(asked)
    announced = [made.transform(part, cohort=asked) for part in parts]
    made.announce(asked.iloc[:0])
    assert all(map(_same, apart, announced))


def test_another_cohort_and_other_labels_are_not_mistaken_for_the_last():
    tables = frames(2)
    made = fitted(tables, seeds(tables, [40, 80, 120]))
    asked = seeds(tables, [150])
    few, many = asked.iloc[:2], asked
    new = asked.assign(observed_at=START + pd.Timedelta(days=150))
    later = seeds(tables, [180])
    fresh = RelationalFeatures.from_state(opened(tables), made.state())
    calls = [
        {"cohort": many},
        {"cohort": few},
        {"cohort": many, "history": new},
        {"cohort": many, "history": new.assign(label=~new["label"])},
        {"cohort": many},
    ]
    for call in calls:
        assert _same(made.transform(later, **call), fresh.transform(later, **call))
        fresh = RelationalFeatures.from_state(opened(tables), made.state())


def test_the_state_is_json_and_comes_back():
    tables = frames(10)
    train = seeds(tables, [40, 80, 120])
    made = fitted(tables, train, strict=True)
    state = json.loads(json.dumps(made.state()))
    again = RelationalFeatures.from_state(opened(tables), state)
    assert again.features == made.features
    assert _same(again.transform(train), made.transform(train))


def test_an_unknown_entity_has_no_history():
    tables = frames(11)
    made = fitted(tables, seeds(tables, [40, 80]))
    asked = pd.DataFrame({"entity": [999], "anchor_time": [START + 3 * MONTH]})
    assert made.transform(asked)["visits.person_id count all"].item() == 0


def test_who_has_no_rows_is_told_alone_what_is_told_among_others():
    tables = frames(11)
    visits = tables["visits"]
    tables["visits"] = visits[visits["person_id"] != 4]
    made = fitted(tables, seeds(tables, [40, 80]))
    everybody = seeds(tables, [150]).drop(columns="label")
    everybody = pd.concat([everybody, everybody.head(1).assign(entity=999)])
    together = made.transform(everybody)
    for entity in (4, 999):
        alone = (everybody["entity"] == entity).to_numpy()
        assert _same(
            made.transform(everybody[alone], cohort=everybody), together[alone]
        )
    computed = [f.name for f, _ in _features(made, everybody[alone])]
    assert computed == [f.name for f, _ in _features(made, everybody)]


def _features(made, asked):
    history, groups = made._known_labels(None)
    return made._computation().features(made._moments(asked), history, groups)


def test_classes_as_labels_become_one_history_each():
    tables = frames(12)
    train = seeds(tables, [40, 80, 120])
    train["label"] = np.where(train["label"], "red", "blue")
    made = fitted(tables, train)
    assert any("label = red" in str(f.column) for f in made.features)


def test_seeds_without_a_needed_column_are_refused():
    tables = frames(13)
    made = RelationalFeatures(opened(tables), "people", "person_id")
    with pytest.raises(InputError, match="anchor_time"):
        made.fit(pd.DataFrame({"entity": [1]}))
    with pytest.raises(InputError, match="call fit first"):
        made.transform(seeds(tables, [40]))


def _same(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    return list(one.columns) == list(other.columns) and one.to_numpy().tobytes() == (
        other.to_numpy().tobytes()
    )


def test_what_another_duckdb_hashed_is_refused():
    tables = frames(0)
    made = fitted(tables, seeds(tables, [40, 80]))
    state = {**made.state(), "hash": 1}
    with pytest.raises(InputError, match="hashed by another version of DuckDB"):
        RelationalFeatures.from_state(opened(tables), state)
