"""On rel-f1 nothing later than the seed time moves a feature or a prediction."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pandas as pd
import pytest
from tests.relational.bare_tables import relational_folder
from tests.relational.late_rows import (
    ATTACKS,
    STRANGER,
    Attack,
    inputs,
    opened,
    read,
    same,
)

from benthic.relational import bench
from benthic.relational.database import Database
from benthic.relational.engines import (
    FeaturesEngine,
    Options,
    Target,
    make_features_engine,
)
from benthic.relational.task import load_relbench_task

pytestmark = pytest.mark.usefixtures("few_rounds")

RACE = pd.Timestamp("2008-07-20 12:00")
"""When a race was held: there are rows at exactly this time."""

TASKS = bench.TASKS


class Formula1:
    """rel-f1, its futures, and small engines fitted once each."""

    def __init__(self) -> None:
        self.folder = relational_folder() / "rel-f1"
        with Database.open(self.folder) as db:
            self.tables, self.schema = read(db), db.schema
        self.db = opened(self.tables, self.schema)
        self.parts = {name: self._parts(name) for name in TASKS}
        results = self.tables["results"]
        year = results["date"].between(RACE - pd.Timedelta(365, "D"), RACE)
        drivers = sorted(results["driverId"][year].unique().tolist())
        known = [*drivers, 2, STRANGER]  # 2 races no more; nobody met the other
        self.seeds = pd.DataFrame({"entity": known, "anchor_time": RACE})
        self._engines: dict = {}
        self._futures: dict = {}
        self._told: dict = {}

    def _parts(self, name):
        task = load_relbench_task(self.db, name, self.folder)
        train, validation = task.train(), task.validation()
        known = task.observed_at(validation["anchor_time"]) < RACE
        parts = train.tail(150), validation[known].tail(60)
        return task, [part.reset_index(drop=True) for part in parts]

    def future(self, how, strict):
        if (how, strict) not in self._futures:
            attack = Attack(self.schema, RACE, how, strict)
            self._futures[how, strict] = opened(attack(self.tables), self.schema)
        return self._futures[how, strict]

    def fitted(self, db, name, strict):
        task, parts = self.parts[name]
        options = Options(num_models=1, num_lags=1, strict=strict)
        engine = make_features_engine(db, Target.of(task), options)
        engine.fit(*parts)
        return engine

    def engine(self, name, strict):
        if name not in self._engines:
            self._engines[name] = self.fitted(self.db, name, strict=False)
        engine = self._engines[name]
        return strictly(engine) if strict else engine

    def told(self, name, strict):
        """Inputs and predictions as rel-f1 gives them."""
        if (name, strict) not in self._told:
            engine = self.engine(name, strict)
            found = inputs(engine, self.seeds), engine.predict(self.seeds)
            self._told[name, strict] = found
        return self._told[name, strict]


def strictly(engine):
    """The same models, shown only what is earlier than the seed."""
    moved = engine.on(engine.db)
    moved.options = replace(engine.options, strict=True)
    if isinstance(moved, FeaturesEngine):
        moved._design.features.strict = True
    return moved


@pytest.fixture(scope="module")
def f1(few_rounds):
    return Formula1()


@pytest.mark.parametrize("how", ATTACKS)
@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("name", TASKS)
def test_no_later_row_moves_what_was_fitted(f1, name, strict, how):
    other = f1.engine(name, strict).on(f1.future(how, strict))
    read_, said = f1.told(name, strict)

    same(read_, inputs(other, f1.seeds))
    same(said, other.predict(f1.seeds))


def fitted_anew(f1, name, strict, how):
    one, other = (f1.fitted(db, name, strict) for db in (f1.db, f1.future(how, strict)))

    same(inputs(one, f1.seeds), inputs(other, f1.seeds))
    same(one.predict(f1.seeds), other.predict(f1.seeds))
    same(one.importance(), other.importance())


@pytest.mark.parametrize(
    ("name", "how"), [("driver-top3", "invent"), ("driver-circuit-compete", "delete")]
)
def test_no_later_row_moves_a_fit(f1, name, how):
    fitted_anew(f1, name, True, how)


@pytest.mark.slow
@pytest.mark.parametrize("how", ATTACKS)
@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("name", TASKS)
def test_no_later_row_moves_any_fit(f1, name, strict, how):
    fitted_anew(f1, name, strict, how)


@pytest.mark.parametrize(
    ("name", "how"), [*zip(TASKS, [*ATTACKS, "delete"], strict=True)]
)
def test_rows_at_exactly_the_seed_time_are_seen_unless_strict(f1, name, how):
    without = f1.future(how, strict=True)  # the race itself is another, too
    other = f1.engine(name, strict=False).on(without)

    assert not f1.told(name, False)[0].equals(inputs(other, f1.seeds))
    assert not f1.told(name, False)[0].equals(f1.told(name, True)[0])


@pytest.mark.parametrize(
    ("name", "regime"),
    [
        ("driver-dnf", "rolling"),
        ("driver-top3", "frozen"),
        ("driver-position", "rolling"),
    ],
)
def test_labels_of_the_evaluated_window_are_no_input(f1, name, regime, tmp_path):
    folder = tmp_path / "rel-f1"
    shutil.copytree(f1.folder / "tasks", folder / "tasks")
    shutil.copy(f1.folder / "manifest.yaml", folder)
    path = folder / "tasks" / name / "val.parquet"
    rows = pd.read_parquet(path)
    label = rows.columns.difference(["driverId", "date"])[0]
    rows.assign(**{label: 1 - rows[label]}).to_parquet(path)
    told, lied = (
        bench.examples(load_relbench_task(f1.db, name, place), regime, "validation")
        for place in (f1.folder, folder)
    )
    for one, other in zip(told[:2], lied[:2], strict=True):
        same(one, other)
    assert (told[2]["label"] != lied[2]["label"]).all()
    engine = f1.engine(name, strict=regime == "rolling")
    said = engine.predict(told[2].drop(columns="label"))
    same(said, engine.predict(told[2]))
    same(said, engine.predict(lied[2]))
