from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from benthic.errors import InputError
from benthic.relational.database import Database
from benthic.relational.engines import MembershipEngine, Options, Target, load_engine
from benthic.relational.predictor import Predictor

SIZE = 400
QUERY = "PREDICT films.tags {} FOR EACH films.film_id"
FAST = Options(num_models=1)


def films(kind):
    """Films of a studio: one makes horror, one romance, and all of them some drama."""
    rng = np.random.default_rng(0)
    studio = rng.integers(0, 2, SIZE)
    held = [
        [["horror", "romance"][each]] + ["drama"] * int(rng.random() < 0.3)
        for each in studio
    ]
    held[0] = []
    tags = held if kind == "list" else ["|".join(each) or "-|" for each in held]
    frames = {
        "studios": pd.DataFrame({"studio_id": [0, 1], "size": [5.0, 9.0]}),
        "films": pd.DataFrame(
            {"film_id": range(SIZE), "studio_id": studio, "tags": pd.Series(tags)}
        ),
    }
    facts = {"films": {"stypes": {"tags": "multicategorical"}}}
    return Database.open(frames, overrides={"tables": facts})


@pytest.mark.parametrize("kind", ["list", "text"])
def test_sets_are_predicted_judged_and_explained_however_they_are_stored(kind):
    with films(kind) as db:
        p = Predictor(db, FAST)
        said = p.predict(QUERY.format("CLASSIFY"))
        found = p.evaluate(QUERY.format("CLASSIFY"), num_resamples=2)
        why = p.explain(QUERY.format("CLASSIFY"), 5)
        ranked = p.evaluate(QUERY.format("RANK TOP 1"), num_resamples=2)
        one = p.evaluate(QUERY.format("CONTAINS 'horror'"), num_resamples=2)
    assert len(said) == SIZE
    names = [f"probability_{tag}" for tag in ("horror", "romance", "drama")]
    assert set(names) <= set(said)
    assert said[names].sum(axis=1).between(1.1, 1.5).all()
    assert found.metrics["macro_auroc"].value > 0.7
    assert ranked.metrics["hit_rate"].value > 0.9
    assert ranked.metrics["hit_rate"].value > ranked.baselines["popularity"]["hit_rate"]
    assert one.metrics["auroc"].value > 0.95
    assert why.outcomes[0].name == why.prediction["prediction"][0]
    for outcome in why.outcomes:
        added = sum(path.effects[outcome.name] for path in why.paths)
        assert np.isclose(outcome.expected + added, outcome.score)


@pytest.mark.parametrize("modifier", ["CLASSIFY TOP 2", "RANK TOP 2"])
def test_a_saved_engine_says_the_same(tmp_path, modifier):
    query = QUERY.format(modifier)
    with films("text") as db:
        p = Predictor(db, FAST)
        p.fit(query)
        p.save(tmp_path / "model")
        again = Predictor.load(tmp_path / "model", db, progress=lambda text: None)
        pd.testing.assert_frame_equal(p.predict(query), again.predict(query))
        engine = load_engine(tmp_path / "model" / "engine", db)
        assert isinstance(engine, MembershipEngine)
        assert {len(each) for each in p.predict(query)["prediction"]} == {2}
        assert ("probability_drama" in p.predict(query)) == modifier.startswith("C")
        share = engine.importance()["share"]
    assert np.isclose(share.sum(), 1)


def test_a_value_that_nobody_held_has_no_answer():
    with films("list") as db:
        p = Predictor(db, FAST)
        p.fit(QUERY.format("CLASSIFY"))
        engine = p._chosen(None).engine
        seed = pd.DataFrame({"entity": [1], "anchor_time": [pd.Timestamp(0)]})
        assert engine.answer(seed, "western") is None
        assert 0 < engine.answer(seed, "drama") < 1


def test_an_engine_that_learned_nothing_says_so():
    with films("list") as db:
        target = Target("films", "film_id", "multilabel", hidden=("tags",))
        engine = MembershipEngine(db, target)
        with pytest.raises(InputError, match="learned nothing yet"):
            engine.importance()
        empty = pd.DataFrame(
            {"entity": range(30), "anchor_time": pd.Timestamp(0), "label": [[]] * 30}
        )
        with pytest.raises(InputError, match="no value in 30 training sets"):
            engine.fit(empty, empty)


def test_rows_are_also_shown_cut_where_validation_is():
    at = pd.Timestamp("2026-03-01")
    examples = pd.DataFrame(
        {
            "entity": range(SIZE),
            "anchor_time": at,
            "label": [["a"], ["b"]] * (SIZE // 2),
        }
    )
    with films("list") as db:
        target = Target("films", "film_id", "multilabel", hidden=("tags",))
        engine = MembershipEngine(db, target, FAST)
        train, validation = examples[:300], examples[300:]
        engine.fit(train, validation.assign(cut_time=at - pd.Timedelta(days=9)))
        assert engine._design.has_lag
        cut = validation.drop(columns="label").assign(cut_time=at)
        assert len(engine.predict(cut)) == len(cut)
