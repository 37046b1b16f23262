from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from tests.relational.engines import market, shop

from benthic.errors import InputError
from benthic.relational.database import Database
from benthic.relational.engines import (
    Options,
    RankingEngine,
    Target,
    load_engine,
    ranking,
)
from benthic.relational.engines.candidates import Candidates
from benthic.relational.evaluation import baseline_predictions, score
from benthic.relational.judging import judge
from benthic.relational.task import make_task

FAST = Options(num_models=2)


def target(task_type="ranking", k=3):
    return Target(
        "customers",
        "customer_id",
        task_type,
        20 * shop.DAY,
        k,
        "products",
        "product_id",
    )


@pytest.fixture(scope="module")
def tables():
    return shop.frames(num_customers=80)


@pytest.fixture(scope="module")
def db(tables):
    return shop.database(tables)


@pytest.fixture(scope="module")
def parts(tables):
    days = (60, 80, 100, 120), (140, 160), (180, 200)
    return [shop.examples(tables, part, shop.bought) for part in days]


def test_counts_of_candidates_equal_a_loop(db, tables):
    made = Candidates(db, target())
    anchor = (shop.START + 100 * shop.DAY).as_unit("us")
    seeds = pd.DataFrame({"entity": [3, 999], "anchor_time": anchor})
    pairs = made.pairs(seeds)
    x = pd.DataFrame(pairs.x, columns=made.columns)
    orders = tables["orders"]
    orders = orders[orders.placed_at <= anchor]
    recent = orders[orders.placed_at > anchor - 20 * shop.DAY]
    for i in range(len(pairs.seed)):
        entity = seeds.entity[pairs.seed[i]]
        value = made.values[pairs.value[i]]
        own = orders[(orders.customer_id == entity) & (orders.product_id == value)]
        assert x.loc[i, "own orders ever"] == len(own)
        assert x.loc[i, "orders last 20 days"] == (recent.product_id == value).sum()
        gap = (anchor - own.placed_at.max()) / shop.DAY if len(own) else np.nan
        assert np.isclose(x.loc[i, "days since own orders"], gap, equal_nan=True)
        pooled = (
            anchor - orders[orders.product_id == value].placed_at.max()
        ) / shop.DAY
        assert x.loc[i, "days since any orders"] == pooled


LISTED = "PREDICT LIST_DISTINCT(orders.product_id{}, 0, 20, days) RANK TOP 3 {}"


@pytest.mark.parametrize("where", [None, " WHERE orders.amount > 10"])
def test_visits_after_the_seed_change_no_pair(tables, where):
    wanted = target()
    if where is not None:
        query = LISTED.format(where, "FOR EACH customers.customer_id")
        wanted = replace(wanted, query=query)
    anchor = (shop.START + 100 * shop.DAY).as_unit("us")
    seeds = pd.DataFrame({"entity": range(20), "anchor_time": anchor})
    orders = tables["orders"]
    later = orders.placed_at > anchor
    changed = orders.assign(
        product_id=orders.product_id.where(~later, 7),
        amount=orders.amount.where(~later, 99.5),
    )
    one = Candidates(shop.database(tables), wanted).pairs(seeds)
    two = Candidates(shop.database({**tables, "orders": changed}), wanted).pairs(seeds)
    assert np.array_equal(one.seed, two.seed)
    assert np.array_equal(one.value, two.value)
    assert np.array_equal(one.x, two.x, equal_nan=True)


def test_lists_are_better_than_popularity(db, parts, tmp_path):
    train, validation, test = parts
    engine = RankingEngine(db, target(), FAST)
    report = engine.fit(train, validation)
    said = engine.predict(test.drop(columns="label"))
    past = pd.concat([train, validation])
    past = past.assign(observed_at=past.anchor_time + 20 * shop.DAY)
    popular = baseline_predictions("ranking", past, test, k=3)["popularity"]
    found = score("ranking", test.label, said, k=3)["map"]
    assert found > score("ranking", test.label, popular, k=3)["map"]
    assert (said.prediction.map(len) <= 3).all()
    assert all(row == sorted(row, reverse=True) for row in said.scores)
    assert report.chosen["candidate_recall"] > 0.9
    engine.save(tmp_path / "model")
    again = load_engine(tmp_path / "model", db).predict(test)
    pd.testing.assert_frame_equal(again, said)


def test_an_interrupted_fit_goes_on_and_ends_the_same(db, parts, tmp_path):
    train, validation, test = parts
    whole = RankingEngine(db, target(), FAST)
    whole.fit(train, validation)

    def stop(text):
        if text.startswith("trial 3"):
            raise KeyboardInterrupt

    for kept in (3, 5):  # three trials; then the fourth and the first model
        with pytest.raises(KeyboardInterrupt):
            RankingEngine(db, target(), FAST, fit_dir=tmp_path, progress=stop).fit(
                train, validation
            )
        assert len([*tmp_path.glob("*.json")]) == kept
        stop = _only_at_the_second_model
    again = RankingEngine(db, target(), FAST, fit_dir=tmp_path)
    again.fit(train, validation)
    assert len([*tmp_path.glob("*.json")]) == 6
    pd.testing.assert_frame_equal(
        again.predict(test), whole.predict(test), check_exact=True
    )


def _only_at_the_second_model(text):
    if text.startswith("model 2"):
        raise KeyboardInterrupt


def test_the_cohort_and_another_database_change_no_list(db, parts, tables):
    train, validation, test = parts
    engine = RankingEngine(db, target(), FAST)
    engine.fit(train, validation)
    said = engine.predict(test)
    moved = engine.on(shop.database(tables))
    pd.testing.assert_frame_equal(moved.predict(test, cohort=train), said)


def test_sets_get_a_probability_for_each_value(db, parts):
    train, validation, test = parts
    engine = RankingEngine(db, target("multilabel"), FAST)
    engine.fit(train, validation)
    said = engine.predict(test)
    table = said.filter(like="probability_")
    assert table.shape == (len(test), 8)
    assert table.to_numpy().min() >= 0
    assert table.to_numpy().max() <= 1
    assert score("multilabel", test.label, said)["macro_auroc"] > 0.6


@pytest.mark.parametrize("task_type", ["ranking", "multilabel"])
def test_effects_on_the_first_values_add_up_to_what_the_trees_say(db, parts, task_type):
    train, validation, test = parts
    engine = RankingEngine(db, target(task_type), FAST)
    engine.fit(train, validation)
    one = test.iloc[[5]].drop(columns="label")
    said = engine.predict(one).iloc[0]
    why = engine.reasons(one)
    assert list(why.outcomes) == said.prediction[:3]
    made = engine._made()
    pairs = made.pairs(one)
    for value, total in zip(why.outcomes, why.scores, strict=True):
        x = pairs.x[made.values[pairs.value] == value]
        raw = [booster.predict(x, raw_score=True)[0] for booster in engine._boosters]
        assert total == pytest.approx(np.mean(raw))
    first = why.outcomes[0]
    assert engine.answer(one, first) == said.scores[0]
    assert engine.answer(one, 4711) is None
    assert engine.importance().share.sum() == pytest.approx(1)


def test_an_entity_before_all_visits_has_no_candidates_and_no_reasons(db, parts):
    train, validation, _ = parts
    engine = RankingEngine(db, target(), FAST)
    engine.fit(train, validation)
    early = pd.DataFrame({"entity": [1], "anchor_time": [shop.START - 900 * shop.DAY]})
    assert engine.predict(early).prediction.iloc[0] == []
    assert engine.reasons(early).outcomes == ()


def test_a_value_that_appears_later_gets_no_column(db, parts, tables):
    train, validation, test = parts
    engine = RankingEngine(db, target("multilabel"), FAST)
    engine.fit(train, validation)
    orders = tables["orders"]
    late = orders.placed_at > test.anchor_time.max()
    newer = orders.assign(product_id=orders.product_id.mask(late, 99))
    products = pd.DataFrame({"product_id": [*range(8), 99]})
    more = shop.database({**tables, "products": products, "orders": newer})
    pd.testing.assert_frame_equal(
        engine.on(more).predict(test), engine.predict(test), check_exact=True
    )
    at_the_end = test.assign(anchor_time=orders.placed_at.max())
    assert "probability_99" in engine.on(more).predict(at_the_end)


def test_no_table_that_connects_is_refused():
    tables = {
        "customers": pd.DataFrame({"customer_id": range(5)}),
        "products": pd.DataFrame({"product_id": range(5)}),
    }
    with pytest.raises(InputError, match="no table with a time"):
        Candidates(shop.database(tables), target())


def letters(num_people=60, size=2_500):
    """Letters among people, each of whom writes to the same three."""
    random = np.random.default_rng(1)
    friends = random.integers(0, num_people, (num_people, 3))
    writer = random.integers(0, num_people, size)
    return {
        "people": pd.DataFrame({"person_id": range(num_people)}),
        "letters": pd.DataFrame(
            {
                "letter_id": range(size),
                "from_id": writer,
                "to_id": friends[writer, random.integers(0, 3, size)],
                "sent_at": shop.START
                + pd.to_timedelta(np.sort(random.integers(0, 300 * 24, size)), "h"),
            }
        ),
    }


@pytest.mark.parametrize(
    ("entity", "value"), [("from_id", "to_id"), ("to_id", "from_id")]
)
def test_where_two_keys_lead_to_one_table_the_query_says_who_meets_whom(entity, value):
    keys = {"from_id": "people", "to_id": "people"}
    listed = f"LIST_DISTINCT(letters.{value} VIA letters.{entity}, 0, 30, days)"
    query = f"PREDICT {listed} RANK TOP 3 FOR EACH people.person_id"
    overrides = {"tables": {"letters": {"fkeys": keys}}}
    with Database.open(letters(), overrides=overrides) as db:
        found = judge(make_task(db, query), Options(num_models=1), num_resamples=2)
        engine = RankingEngine(db, Target.of(make_task(db, query)))
        columns = pd.DataFrame([one.to_json() for one in engine._made().features])
    said = {name: one["map"] for name, one in found.baselines.items()}
    assert found.metrics["map"].value > said["popularity"] + 0.4
    assert found.metrics["map"].value > said["past_visit"] - 0.1
    own = columns[columns.name.str.startswith("own letters")]
    assert set(own.path) == {f"people <- letters.{entity}"}


@pytest.mark.parametrize("modifier", ["RANK TOP 2", "CLASSIFY"])
def test_rows_with_the_time_of_a_row_they_point_at_are_ranked(tables, modifier):
    items = tables["orders"][["order_id", "product_id"]].iloc[::-1]
    orders = tables["orders"].drop(columns="product_id")
    frames = {**tables, "orders": orders, "items": items}
    query = (
        f"PREDICT LIST_DISTINCT(items.product_id, 0, 20, days) {modifier} "
        "FOR EACH customers.customer_id"
    )
    with shop.database(frames) as db:
        found = judge(make_task(db, query), Options(num_models=1), num_resamples=2)
    best = found.metrics[found.main_metric].value
    assert best > found.baselines["popularity"][found.main_metric]


ONCE = (
    "PREDICT LIST_DISTINCT(sales.lot_id, 0, 20, days) RANK TOP 5 "
    "FOR EACH buyers.buyer_id"
)


def test_lots_that_are_sold_once_are_ranked_by_what_they_share(tmp_path):
    with market.database(market.frames()) as db:
        task = make_task(db, ONCE)
        found = judge(task, Options(num_models=1), num_resamples=2)
        train, validation, test = task.train(), task.validation(), task.test()
        engine = RankingEngine(db, Target.of(task), Options(num_models=1))
        report = engine.fit(train, validation)
        said = engine.predict(test)
        engine.save(tmp_path / "model")
        again = load_engine(tmp_path / "model", db).predict(test)
    assert found.baselines["past_visit_then_popularity"]["map"] < 0.01
    assert found.metrics["map"].value > 0.05
    assert report.chosen["candidate_recall"] > 0.5
    assert any("had been met before" in note for note in report.notes)
    pd.testing.assert_frame_equal(again, said, check_exact=True)


def test_lists_of_few_seeds_at_a_time_are_the_lists_of_all(monkeypatch):
    with market.database(market.frames()) as db:
        task = make_task(db, ONCE)
        engine = RankingEngine(db, Target.of(task), Options(num_models=1))
        engine.fit(task.train(), task.validation())
        whole = engine.predict(task.test())
        monkeypatch.setattr(ranking, "_MOST_SCORED", 3 * engine._most)
        parts = engine.predict(task.test())
    pd.testing.assert_frame_equal(parts, whole, check_exact=True)


@pytest.mark.parametrize("task_type", ["ranking", "multilabel"])
def test_where_nothing_could_be_learned_what_was_met_comes_first(
    db, parts, tables, task_type, tmp_path
):
    train, validation, test = parts
    never = [part.assign(label=[[-1]] * len(part)) for part in (train, validation)]
    engine = RankingEngine(db, target(task_type), FAST)
    report = engine.fit(*never)
    assert any("nothing was learned" in note for note in report.notes)
    assert report.chosen["candidate_recall"] == 0
    said = engine.predict(test)
    orders = tables["orders"]
    for entity, time, first in zip(
        test.entity, test.anchor_time, said.prediction.str[0], strict=True
    ):
        past = orders[(orders.customer_id == entity) & (orders.placed_at <= time)]
        own = past.product_id.value_counts()
        if len(own) and own.iloc[0] > own.iloc[1:].max() + 5:
            assert first == own.index[0]
    assert engine.importance().share.sum() == 0
    assert list(engine.reasons(test.iloc[[5]]).outcomes) == said.prediction.iloc[5][:3]
    engine.save(tmp_path / "model")
    again = load_engine(tmp_path / "model", db).predict(test)
    pd.testing.assert_frame_equal(again, said, check_exact=True)
