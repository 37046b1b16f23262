from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from tests.relational.engines import shop

from benthic.errors import InputError
from benthic.relational.engines import (
    FeaturesEngine,
    Options,
    Target,
    load_engine,
    make_features_engine,
)
from benthic.relational.engines import search as searching
from benthic.relational.evaluation import score

TRAIN, VALIDATION, TEST = (60, 80, 100, 120), (140, 160), (180, 200)
FAST = Options(num_models=2, num_lags=1)


@pytest.fixture(autouse=True, scope="module")
def short():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(searching, "_MOST_ROUNDS", 40)
        yield


@pytest.fixture(scope="module")
def tables():
    return shop.frames()


@pytest.fixture(scope="module")
def db(tables):
    return shop.database(tables)


def target(task_type):
    return Target("customers", "customer_id", task_type, 20 * shop.DAY)


def parts(tables, what):
    return [shop.examples(tables, days, what) for days in (TRAIN, VALIDATION, TEST)]


def fitted(db, tables, task_type, what, options=FAST, **more):
    train, validation, test = parts(tables, what)
    engine = FeaturesEngine(db, target(task_type), options, **more)
    engine.fit(train, validation)
    return engine, test


@pytest.fixture(scope="module")
def binary(db, tables, short):
    return fitted(db, tables, "binary", shop.ordered)


def test_a_binary_target_is_learned(binary):
    engine, test = binary
    said = engine.predict(test)
    found = score("binary", test.label, said)
    assert found["auroc"] > 0.75
    assert said.probability.between(0, 1).all()
    assert (said.prediction == (said.probability >= 0.5)).all()
    assert engine.report.metric == "auroc"
    assert engine.report.fit_seconds > 0
    assert engine.predict_seconds > 0


def test_predictions_keep_the_order_and_index_of_the_seeds(binary):
    engine, test = binary
    shuffled = test.sample(frac=1, random_state=0)
    again = engine.predict(shuffled).loc[test.index]
    pd.testing.assert_frame_equal(again, engine.predict(test))


def test_saved_and_loaded_predicts_the_same_bits_without_pickle(binary, db, tmp_path):
    engine, test = binary
    engine.save(tmp_path / "model")
    kinds = {path.suffix for path in (tmp_path / "model").iterdir()}
    assert kinds <= {".json", ".txt", ".safetensors", ".parquet"}
    loaded = load_engine(tmp_path / "model", db)
    pd.testing.assert_frame_equal(loaded.predict(test), engine.predict(test))
    assert loaded.report == engine.report
    engine.save(tmp_path / "model")  # replaces itself
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_folder_that_holds_something_else_is_left_alone(binary, tmp_path):
    (tmp_path / "letter").write_text("dear")
    with pytest.raises(InputError, match="holds something else"):
        binary[0].save(tmp_path)
    assert (tmp_path / "letter").read_text() == "dear"


def test_rows_after_the_seed_change_no_prediction(tables, binary):
    engine, test = binary
    until = test.anchor_time.max()
    orders = tables["orders"]
    later = orders.placed_at > until
    assert later.any()
    changed = orders.assign(amount=orders.amount.where(~later, 1e6))
    other = shop.database({**tables, "orders": changed})
    again, _ = fitted(other, tables, "binary", shop.ordered)
    pd.testing.assert_frame_equal(
        again.predict(test), engine.predict(test), check_exact=True
    )


def test_what_moved_a_prediction_adds_up_to_its_score(binary):
    engine, test = binary
    why = engine.reasons(test.iloc[[4]], cohort=test)
    said = engine.predict(test).probability.iloc[4]
    assert why.outcomes == ("True",)
    blend = engine._ensemble.blend
    raw = 1 / (1 + np.exp(-why.scores))
    assert blend.calibration(raw)[0] == pytest.approx(said, abs=1e-6)
    assert engine.answer(test.iloc[[4]], "True", cohort=test) == said
    shares = engine.importance().share
    assert shares.sum() == pytest.approx(1)
    assert shares.is_monotonic_decreasing


def test_an_interrupted_fit_goes_on_and_ends_the_same(db, tables, binary, tmp_path):
    engine, test = binary
    train, validation, _ = parts(tables, shop.ordered)

    def stop(text):
        if text.startswith("trial 3"):
            raise KeyboardInterrupt

    def told(text):
        seen.append(text)

    with pytest.raises(KeyboardInterrupt):
        FeaturesEngine(db, target("binary"), FAST, fit_dir=tmp_path, progress=stop).fit(
            train, validation
        )
    kept = sorted(tmp_path.glob("*.json"))
    assert len(kept) == 3
    before = [path.stat().st_mtime_ns for path in kept]
    seen: list[str] = []
    again = FeaturesEngine(db, target("binary"), FAST, fit_dir=tmp_path, progress=told)
    again.fit(train, validation)
    assert [path.stat().st_mtime_ns for path in kept] == before
    assert any(text.startswith("model 2 of 2") for text in seen)
    pd.testing.assert_frame_equal(
        again.predict(test), engine.predict(test), check_exact=True
    )


def test_a_number_comes_with_an_interval(db, tables, tmp_path):
    engine, test = fitted(db, tables, "regression", shop.spent)
    said = engine.predict(test)
    assert (said.lower <= said.prediction).all()
    assert (said.prediction <= said.upper).all()
    found = score("regression", test.label, said, scale=1.0)
    assert found["r2"] > 0
    assert found["coverage"] > 0.75
    assert engine.report.chosen["interval_level"] == 0.9
    why = engine.reasons(test.head(1), cohort=test)
    assert why.scores == pytest.approx(said.prediction.iloc[:1])
    assert engine.answer(test.head(1), "prediction", cohort=test) == pytest.approx(
        said.prediction.iloc[0]
    )
    engine.save(tmp_path / "model")
    again = load_engine(tmp_path / "model", db).predict(test)
    pd.testing.assert_frame_equal(again, said)


def test_one_of_several_classes(db, tables, tmp_path):
    engine, test = fitted(db, tables, "multiclass", shop.size)
    said = engine.predict(test)
    names = ["probability_many", "probability_none", "probability_one"]
    assert list(said.columns) == ["prediction", *names]
    assert np.allclose(said[names].sum(axis=1), 1)
    one, p = test.iloc[[2]], said[names].iloc[2].sort_values(ascending=False)
    why = engine.reasons(one, cohort=test)
    assert [f"probability_{name}" for name in why.outcomes] == list(p.index[:2])
    ratio = np.log(p.iloc[0] / p.iloc[1])
    assert why.scores[0] - why.scores[1] == pytest.approx(ratio, abs=1e-5)
    answer = engine.answer(one, why.outcomes[0], cohort=test)
    assert answer == pytest.approx(p.iloc[0])
    most = test.label.value_counts(normalize=True).iloc[0]
    assert score("multiclass", test.label, said)["accuracy"] > most - 0.05
    engine.save(tmp_path / "model")
    again = load_engine(tmp_path / "model", db).predict(test)
    pd.testing.assert_frame_equal(again, said)


def test_frames_of_a_forecast(db, tables):
    def frames(days):
        return pd.concat(
            shop.examples(tables, [d + 10 * f for d in days], shop.spent, 10).assign(
                frame=f, anchor_time=lambda e, f=f: e.anchor_time - 10 * f * shop.DAY
            )
            for f in range(2)
        )

    engine = FeaturesEngine(db, target("forecast"), FAST)
    engine.fit(frames(TRAIN), frames(VALIDATION))
    said = engine.predict(frames(TEST).drop(columns="label"))
    assert len(said) == 2 * 2 * 60
    assert said.prediction.notna().all()
    seeds = frames(TEST).drop(columns="label").reset_index(drop=True)
    own = seeds[(seeds.entity == 7) & (seeds.anchor_time == seeds.anchor_time.min())]
    why = engine.reasons(own, cohort=seeds)
    numbers = engine.predict(own, cohort=seeds).prediction
    assert why.outcomes == ("mean", "frame 0", "frame 1")
    assert why.scores == pytest.approx([numbers.mean(), *numbers])
    assert why.shares.sum() == pytest.approx(1)
    assert engine.answer(own, "mean", cohort=seeds) == pytest.approx(numbers.mean())


def test_a_frozen_evaluation_shows_training_rows_cut_too(db, tables):
    train, validation, test = parts(tables, shop.ordered)
    cut = validation.anchor_time.min()
    engine = FeaturesEngine(db, target("binary"), FAST)
    report = engine.fit(train, validation.assign(cut_time=cut))
    assert "training rows were also shown cut before their anchor" in report.notes
    assert set(report.chosen["history"].split(" + ")) == {"fresh", "lagged"}
    said = engine.predict(test.assign(cut_time=test.anchor_time.min()))
    assert score("binary", test.label, said)["auroc"] > 0.6


def test_a_single_class_or_too_few_rows_is_one_clear_line(db, tables):
    train, validation, _ = parts(tables, shop.ordered)
    engine = make_features_engine(db, target("binary"), FAST)
    with pytest.raises(InputError, match="only the class True"):
        engine.fit(train.assign(label=True), validation)
    with pytest.raises(InputError, match="5 training and"):
        engine.fit(train.head(5), validation)
    with pytest.raises(InputError, match="learned nothing yet"):
        FeaturesEngine(db, target("binary")).predict(validation)


def test_few_seeds_among_their_cohort_get_what_all_get(binary):
    engine, test = binary
    few = engine.predict(test.head(5), cohort=test)
    pd.testing.assert_frame_equal(few, engine.predict(test).head(5), check_exact=True)


def test_the_same_engine_reads_another_database(binary, tables):
    engine, test = binary
    moved = engine.on(shop.database(tables))
    assert moved.db is not engine.db
    pd.testing.assert_frame_equal(moved.predict(test), engine.predict(test))
    emptied = {**tables, "orders": tables["orders"].head(300)}
    other = engine.on(shop.database(emptied)).predict(test)
    assert not other.equals(engine.predict(test))


def test_what_was_saved_is_readable_json(binary, tmp_path):
    binary[0].save(tmp_path / "model")
    facts = json.loads((tmp_path / "model" / "engine.json").read_text())
    assert facts["target"]["entity_table"] == "customers"
    assert facts["report"]["metric"] == "auroc"
