from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pytest

from benthic.errors import InputError
from benthic.relational.database import Database
from benthic.relational.task import Task, load_relbench_task, make_task
from benthic.relational.task.anchors import entities_at
from benthic.relational.task.example_table import ExampleTable
from benthic.relational.task.relbench import RelBenchExamples, relbench_task

SPLITS = ("train", "validation", "test")

ROWS = {
    ("rel-f1", "driver-dnf"): (11_411, 566, 702),
    ("rel-f1", "driver-top3"): (1_353, 588, 726),
    ("rel-f1", "driver-position"): (7_453, 499, 760),
    ("rel-f1", "driver-circuit-compete"): (2_649, 27, 27),
    ("rel-oulad", "enrolment-score"): (82_528, 16_662, 13_541),
    ("rel-oulad", "enrolment-withdraw"): (139_266, 26_983, 24_356),
    ("rel-bicyclesmeta", "post-votes"): (13_677, 5_157, 5_320),
    ("rel-bicyclesmeta", "user-badge"): (20_296, 8_750, 9_360),
    ("rel-bicyclesmeta", "user-engagement"): (2_911, 1_100, 1_162),
    ("sakila", "customer-spend"): (4_193, 599, 599),
    ("sakila", "film-demand"): (7_000, 1_000, 1_000),
}
"""Rows of train, validation and test as published, or as the data were prepared."""

ENGAGED = (
    "COUNT(posts.*, {0}) > 0 OR COUNT(comments.* VIA comments.UserId, {0}) > 0".format
)

EQUAL = {
    ("rel-f1", "driver-dnf"): (
        "PREDICT COUNT(results.* WHERE results.statusId != 1, 0, 30, days)"
        " / COUNT(results.*, 0, 30, days) > 0 FOR EACH drivers.driverId"
    ),
    ("rel-f1", "driver-top3"): (
        "PREDICT MIN(qualifying.position, 0, 30, days) <= 3 FOR EACH drivers.driverId"
    ),
    ("rel-f1", "driver-position"): (
        "PREDICT AVG(results.positionOrder, 0, 60, days) FOR EACH drivers.driverId"
    ),
    ("rel-oulad", "enrolment-score"): (
        "PREDICT AVG(submissions.score WHERE NOT submissions.is_banked, 0, 30)"
        " FOR EACH enrolments.enrolmentId"
    ),
    ("rel-bicyclesmeta", "post-votes"): (
        "PREDICT COUNT(votes.* WHERE votes.VoteTypeId = 2, 0, 182)"
        " FOR EACH posts.Id WHERE posts.PostTypeId IN (1, 2)"
    ),
    ("rel-bicyclesmeta", "user-badge"): (
        "PREDICT COUNT(badges.*, 0, 182) > 0 FOR EACH users.Id"
    ),
    ("rel-bicyclesmeta", "user-engagement"): (
        f"PREDICT {ENGAGED('0, 182')} FOR EACH users.Id WHERE {ENGAGED('-INF, 0')}"
    ),
    ("sakila", "customer-spend"): (
        "PREDICT SUM(payment.amount VIA payment.customer_id, 0, 8)"
        " FOR EACH customer.customer_id"
    ),
    ("sakila", "film-demand"): "PREDICT COUNT(rental.*, 0, 8) FOR EACH film.film_id",
}
"""The tasks as queries that give the same rows with the same labels."""

LARGER = {
    # Every driver counts, not only those who will race: RelBench looks ahead for them.
    ("rel-f1", "driver-dnf"): (
        "PREDICT COUNT(results.* WHERE results.statusId != 1, 0, 30, days) > 0"
        " FOR EACH drivers.driverId"
    ),
    # WHERE compares no column with the anchor: "the module runs at t" cannot be said.
    ("rel-oulad", "enrolment-withdraw"): (
        "PREDICT COUNT(withdrawals.*, 0, 30) > 0 FOR EACH enrolments.enrolmentId"
        " WHERE COUNT(withdrawals.*, -INF, 0) = 0"
    ),
}
"""Queries that ask more entities than the task; on its rows the labels are the same."""

_OPEN: dict[str, Database] = {}


def folder(name: str) -> Path:
    places = [os.environ.get("BENTHIC_DATA"), Path(__file__).parents[4] / "shared/data"]
    for place in places:
        path = None if place is None else Path(place) / "relational" / name
        if path is not None and path.is_dir():
            return path
    reason = f"{name} is not on this machine"
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason}; set BENTHIC_DATA")
    pytest.skip(reason)


def opened(name: str) -> Database:
    if name not in _OPEN:
        _OPEN[name] = Database.open(folder(name))
    return _OPEN[name]


def loaded(database: str, task: str) -> Task:
    return load_relbench_task(opened(database), task, folder(database))


def computed(task: Task, split: str) -> pd.DataFrame:
    source = task.source
    assert isinstance(source, RelBenchExamples)
    sql = f"{source.computed(split)} ORDER BY anchor_time, entity"
    return ExampleTable(task.db, sql).frame()


def frames(task: Task) -> dict[str, pd.DataFrame]:
    return {
        "train": task.train(),
        "validation": task.validation(),
        "test": task.test(),
    }


@pytest.mark.parametrize(("database", "name"), sorted(ROWS))
def test_the_tasks_have_their_published_rows_and_their_sql_makes_them(
    database: str, name: str
) -> None:
    task = loaded(database, name)
    found = frames(task)
    assert tuple(map(len, found.values())) == ROWS[database, name]
    for split, frame in found.items():
        pd.testing.assert_frame_equal(frame, computed(task, split), check_exact=True)


@pytest.mark.parametrize(("database", "name"), sorted(EQUAL))
def test_a_task_written_as_a_query_has_the_same_rows_and_labels(
    database: str, name: str
) -> None:
    task = loaded(database, name)
    query = make_task(task.db, EQUAL[database, name])
    assert query.task_type == task.task_type
    asked = query.source.asked  # type: ignore[attr-defined]
    # RelBench leaves out who appears after the test has begun.
    cut = task.source.cuts[1]  # type: ignore[attr-defined]
    table = task.db.schema.tables[task.entity_table]
    there = set(
        ExampleTable(task.db, entities_at(task.db, table, [cut])).frame()["entity"]
    )
    for stored in frames(task).values():
        times = list(stored["anchor_time"].drop_duplicates())
        found, _ = asked.answered(entities_at(task.db, table, times))
        frame = found.frame()
        frame = frame[frame["entity"].isin(there)].reset_index(drop=True)
        pd.testing.assert_frame_equal(frame, stored, rtol=1e-12)


@pytest.mark.parametrize(("database", "name"), sorted(LARGER))
def test_a_query_that_asks_more_entities_agrees_on_the_rows_of_the_task(
    database: str, name: str
) -> None:
    task = loaded(database, name)
    query = make_task(task.db, LARGER[database, name])
    for stored in frames(task).values():
        found = query.labels(stored[["entity", "anchor_time"]])
        assert found["label"].tolist() == stored["label"].tolist()


def test_labels_of_any_seed_come_from_the_tasks_own_sql() -> None:
    task = loaded("rel-f1", "driver-position")
    test = task.test().sample(frac=1, random_state=0)
    found = task.labels(test[["entity", "anchor_time"]])
    assert found["label"].tolist() == test["label"].tolist()
    nobody = pd.DataFrame({"entity": [0], "anchor_time": [pd.Timestamp("1950-01-01")]})
    assert task.labels(nobody)["label"].isna().all()


def test_a_recommendation_chooses_among_the_rows_of_its_other_table() -> None:
    task = loaded("rel-f1", "driver-circuit-compete")
    assert task.k == 10
    assert str(task.horizon) == "365 days"
    assert len(task.candidates(task.anchor_time)) == 77
    assert all(set(label) <= set(range(77)) for label in task.test()["label"])
    assert len(task.now()) == 857


def test_the_circuits_of_a_driver_are_those_found_row_by_row() -> None:
    task = loaded("rel-f1", "driver-circuit-compete")
    db = task.db
    races = db.frame(f"SELECT raceId, circuitId, date FROM {db.relation('races')}")
    results = db.frame(f"SELECT raceId, driverId FROM {db.relation('results')}")
    start = pd.Timestamp("2010-01-01")
    year = races[(races["date"] > start) & (races["date"] <= "2011-01-01")]
    raced = results.merge(year, on="raceId")
    expected = raced.groupby("driverId")["circuitId"].agg(lambda c: sorted(set(c)))
    test = task.test().set_index("entity")["label"]
    assert test.to_dict() == expected.to_dict()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "autocomplete"}, "kind autocomplete"),
        ({"task_type": "clustering"}, "task_type clustering"),
        ({"entity_table": "shops"}, "entity table shops"),
    ],
)
def test_a_manifest_that_cannot_be_used_is_refused(
    change: dict[str, str], message: str
) -> None:
    facts = {
        "name": "a",
        "kind": "external",
        "task_type": "regression",
        "entity_table": "things",
        "entity_col": "thing",
    }
    things = pd.DataFrame({"thing_id": [1, 2], "at": pd.to_datetime(["2024", "2025"])})
    cuts = pd.Timestamp("2024-03-01"), pd.Timestamp("2024-06-01")
    keys = {"things": {"pkey": "thing_id", "time": "at"}}
    with Database.open({"things": things}, overrides={"tables": keys}) as db:
        task = relbench_task(db, facts, cuts)
        with pytest.raises(InputError, match="without SQL"):
            task.train()
        with pytest.raises(InputError, match=message):
            relbench_task(db, {**facts, **change}, cuts)


def test_a_folder_without_the_task_says_which_it_has(tmp_path: Path) -> None:
    things = pd.DataFrame({"thing_id": [1, 2], "at": pd.to_datetime(["2024", "2025"])})
    with Database.open({"things": things}) as db:
        with pytest.raises(InputError):
            load_relbench_task(db, "any", tmp_path)
        root = tmp_path / "manifest.yaml"
        root.write_text(
            "tables: {things: {pkey: thing_id, time_col: at}}\n"
            "val_timestamp: '2024-03-01'\ntest_timestamp: '2024-06-01'\n"
        )
        (tmp_path / "tasks/churn").mkdir(parents=True)
        manifest = tmp_path / "tasks/churn/manifest.yaml"
        manifest.write_text("[1, 2")
        with pytest.raises(InputError, match="use one of churn"):
            load_relbench_task(db, "any", tmp_path)
        with pytest.raises(InputError, match=r"manifest\.yaml"):
            load_relbench_task(db, "churn", tmp_path)
        manifest.write_text(
            "name: churn\ntask_type: regression\nentity_table: things\n"
        )
        with pytest.raises(InputError, match=r"no test\.parquet"):
            load_relbench_task(db, "churn", tmp_path).test()
