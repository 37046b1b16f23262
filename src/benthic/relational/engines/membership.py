"""Which values are in this entity's set?  Relational features, trees for each value."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benthic.errors import InputError
from benthic.relational.database import Database
from benthic.relational.engines.design import Design
from benthic.relational.engines.engine import (
    FitReport,
    Target,
    check_examples,
    drawn_lags,
    lags_of,
    peak_memory_mb,
)
from benthic.relational.engines.folder import whole_folder
from benthic.relational.engines.member import (
    Member,
    best_values,
    commonest_values,
    truths,
)
from benthic.relational.engines.member_fitting import (
    MemberFitting,
    MemberRows,
    MemberTrial,
)
from benthic.relational.engines.options import Options
from benthic.relational.engines.reasons import Reasons, gain_shares
from benthic.relational.engines.saving import (
    facts_of,
    read_design,
    read_facts,
    report_of,
    write_design,
    write_facts,
)
from benthic.relational.evaluation.ranking import ranking_metrics
from benthic.relational.features.relational_features import RelationalFeatures
from benthic.relational.progress import silent

_EXPLAINED = 3


class MembershipEngine:
    """The set that a column holds for an entity: each value with its probability.

    For each value trees are grown over the same relational features, with the shape
    that suits the commonest values on validation, and calibrated there. A ranked list
    is the likeliest values in order.

    Args:
        db: The database.
        target: A ranking or multilabel target of a column of the entity table.
        options: How it learns.
        fit_dir: Where an interrupted fit finds its finished parts again.
        progress: Told of each step.
    """

    def __init__(
        self,
        db: Database,
        target: Target,
        options: Options | None = None,
        *,
        fit_dir: str | Path | None = None,
        progress: Callable[[str], None] = silent,
    ) -> None:
        self.db = target.inputs(db)
        self.target = target
        self.options = options if options is not None else Options()
        self.fit_dir = fit_dir
        self.progress = progress
        self.predict_seconds = float("nan")
        self.report: FitReport | None = None
        self._k = target.k or 10
        self._design: Design | None = None
        self._members: tuple[Member, ...] = ()

    def fit(self, train: pd.DataFrame, validation: pd.DataFrame) -> FitReport:
        """Learns from training, chooses on validation, learns again from both.

        Args:
            train: ``entity``, ``anchor_time``, ``label`` (a list of values).
            validation: The same, later; perhaps with ``cut_time``.

        Raises:
            InputError: If nothing can be learned from them.
        """
        started = time.perf_counter()
        check_examples(train, validation, str(self.target.task_type))
        values = commonest_values(train["label"])
        if not values:
            raise InputError(
                "query",
                f"no value in {len(train):,} training sets",
                "ask for a column that holds some",
            )
        lags = lags_of(validation)
        self.progress("features")
        self._design = Design.fit(
            self.db,
            self.target,
            train.reset_index(drop=True),
            num_hops=self.options.num_hops,
            strict=self.options.strict,
            has_lag=len(lags) > 0,
            text_encoder=self.options.text_encoder,
        )
        shown = self._shown(train, lags)
        rows = MemberRows(
            self._design.matrix(shown),
            truths(shown["label"], values),
            self._design.matrix(validation),
            truths(validation["label"], values),
        )
        fitting = MemberFitting(rows, self.options, self.fit_dir, self.progress)
        trials = fitting.choose(pd.factorize(validation["entity"])[0])
        x, y = rows.x, rows.y
        if self.options.refit:
            both = pd.concat([train, validation])
            both = both.drop(columns="cut_time", errors="ignore")
            shown = self._shown(both, lags)
            x, y = self._design.matrix(shown), truths(shown["label"], values)
        self._members = fitting.members(x, y, values, trials)
        self.report = self._reported(fitting, trials, validation, started)
        return self.report

    def _shown(self, examples: pd.DataFrame, lags: np.ndarray) -> pd.DataFrame:
        plain = examples.reset_index(drop=True)
        if not len(lags):
            return plain
        fresh = plain.assign(cut_time=plain["anchor_time"])
        lagged = drawn_lags(plain, lags, seed=self.options.seed)
        return pd.concat([fresh, lagged], ignore_index=True)

    def _reported(
        self,
        fitting: MemberFitting,
        trials: list[MemberTrial],
        validation: pd.DataFrame,
        started: float,
    ) -> FitReport:
        said = [trial.calibration(trial.scores) for trial in trials]
        lists, _ = best_values(np.stack(said, axis=1), self._values, self._k)
        labels = validation["label"].to_list()
        value = ranking_metrics(labels, lists, self._k)["map"]
        known = set(self._values)
        held = [each in known for label in labels for each in set(label)]
        recall = float(np.mean(held)) if held else 1.0
        chosen = {
            "num_leaves": fitting.shape.num_leaves,
            "rounds": int(np.median([trial.rounds for trial in trials])),
            "num_values": len(trials),
            "num_features": len(self._fitted().columns),
            "candidate_recall": recall,
        }
        note = f"values seen in training hold {recall:.1%} of what was to find"
        seconds = time.perf_counter() - started
        return FitReport(
            "features", seconds, peak_memory_mb(), "map", value, chosen, (note,)
        )

    def _fitted(self) -> Design:
        if self._design is None:
            raise InputError("engine", "an engine that learned nothing yet", "fit it")
        return self._design

    def _probabilities(
        self, seeds: pd.DataFrame, cohort: pd.DataFrame | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Features `[N, F]`; the probability of each value `[N, V]`."""
        x = self._fitted().matrix(seeds, cohort)
        return x, np.stack([member(x) for member in self._members], axis=1)

    def predict(
        self, seeds: pd.DataFrame, *, cohort: pd.DataFrame | None = None
    ) -> pd.DataFrame:
        """``prediction`` (a list, best first), ``scores``, ``probability_<value>``.

        Args:
            seeds: ``entity``, ``anchor_time``, perhaps ``cut_time``.
            cohort: Whom the seeds are compared with; each other by default.
        """
        started = time.perf_counter()
        _, said = self._probabilities(seeds, cohort)
        lists, points = best_values(said, self._values, self._k)
        found = pd.DataFrame({"prediction": lists, "scores": points}, index=seeds.index)
        if str(self.target.task_type) == "multilabel":
            names = [f"probability_{value}" for value in self._values]
            table = pd.DataFrame(said, columns=names, index=seeds.index)
            found = found.join(table)
        self.predict_seconds = time.perf_counter() - started
        return found

    @property
    def _values(self) -> list[Any]:
        return [member.value for member in self._members]

    def reasons(
        self, seeds: pd.DataFrame, *, cohort: pd.DataFrame | None = None
    ) -> Reasons:
        """What each feature added to the log-odds of the likeliest values.

        Args:
            seeds: One.
            cohort: As for :meth:`predict`.
        """
        x, said = self._probabilities(seeds.head(1), cohort)
        first = np.argsort(-said[0], kind="stable")[: min(self._k, _EXPLAINED)]
        members = [self._members[i] for i in first]
        rows = np.stack([member.effects(x) for member in members])
        names = tuple(member.value for member in members)
        columns = tuple(self._fitted().columns)
        return Reasons(names, columns, rows[:, :-1].T, rows[:, -1])

    def answer(
        self, seeds: pd.DataFrame, outcome: Any, *, cohort: pd.DataFrame | None = None
    ) -> float | None:
        """The probability of a value; None if training never saw it.

        Args:
            seeds: One.
            outcome: The value.
            cohort: As for :meth:`predict`.
        """
        if outcome not in self._values:
            return None
        x = self._fitted().matrix(seeds.head(1), cohort)
        return float(self._members[self._values.index(outcome)](x)[0])

    def importance(self) -> pd.DataFrame:
        """Features, their provenance and ``share`` in the model, greatest first."""
        columns = self._fitted().columns
        frame = pd.DataFrame([column.to_json() for column in columns])
        shares = [gain_shares(one) for each in self._members for one in each.boosters]
        frame["share"] = np.mean(shares, axis=0) if shares else 0.0
        return frame.sort_values("share", ascending=False, ignore_index=True)

    def announce(self, seeds: pd.DataFrame) -> None:
        """Says what will be predicted, in parts, in this order; nothing at the end.

        Args:
            seeds: As for :meth:`predict`; their rows are read many at a time.
        """
        self._fitted().features.announce(seeds)

    def on(self, db: Database) -> MembershipEngine:
        """The same engine, reading another database of the same schema.

        Args:
            db: The database.
        """
        design = self._fitted()
        moved = copy.copy(self)
        moved.db = self.target.inputs(db)
        features = RelationalFeatures.from_state(moved.db, design.features.state())
        moved._design = replace(design, features=features)
        return moved

    def save(self, folder: str | Path) -> None:
        """Writes JSON and LightGBM text, whole or not at all.

        Args:
            folder: To be made, or an engine's to be replaced.
        """
        design = self._fitted()
        facts = {
            **facts_of("membership", self.target, self.options, self.report),
            "has_lag": design.has_lag,
            "has_frame": design.has_frame,
            "members": [each.to_json() for each in self._members],
        }
        with whole_folder(folder) as place:
            write_facts(place, facts)
            write_design(place, design)
            for i, each in enumerate(self._members):
                each.save(place, f"member.{i}")

    @classmethod
    def load(cls, folder: str | Path, db: Database) -> MembershipEngine:
        """Reads an engine.

        Args:
            folder: Where it was saved.
            db: The database to predict on.
        """
        place = Path(folder)
        facts = read_facts(place)
        engine = cls(db, Target.from_json(facts["target"]), Options(**facts["options"]))
        engine._design = read_design(place, engine.db, facts)
        engine._members = tuple(
            Member.load(place, f"member.{i}", each)
            for i, each in enumerate(facts["members"])
        )
        engine.report = report_of(facts)
        return engine
