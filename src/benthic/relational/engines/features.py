"""Relational features and boosted trees: the strongest plain engine."""

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
from benthic.relational.engines.binned_material import BinnedMaterial
from benthic.relational.engines.design import Design, past_labels
from benthic.relational.engines.engine import (
    FitReport,
    Target,
    check_examples,
    lags_of,
    peak_memory_mb,
)
from benthic.relational.engines.ensemble import (
    Blend,
    Ensemble,
    choose_blend,
    fit_ensemble,
)
from benthic.relational.engines.finished import Finished
from benthic.relational.engines.folder import whole_folder
from benthic.relational.engines.interval import LEVEL
from benthic.relational.engines.kinds import BINARY, MULTICLASS, REGRESSION, Kind
from benthic.relational.engines.material import Material, found_classes, gathered
from benthic.relational.engines.number_model import NumberModel, try_number
from benthic.relational.engines.options import Options
from benthic.relational.engines.reasons import Reasons, class_reasons, single_reasons
from benthic.relational.engines.saving import (
    facts_of,
    read_design,
    read_facts,
    report_of,
    write_design,
    write_facts,
)
from benthic.relational.engines.search import Trial, search
from benthic.relational.engines.usefulness import order_features
from benthic.relational.features.relational_features import RelationalFeatures
from benthic.relational.progress import silent

KINDS: dict[str, Kind] = {
    "binary": BINARY,
    "regression": REGRESSION,
    "forecast": REGRESSION,
    "multiclass": MULTICLASS,
}
"""Task type -> how its labels are learned."""

_TOP_SETTINGS = 3
"""Of each history: validation, a few anchors, is too noisy to say which is better."""


class FeaturesEngine:
    """Features along foreign-key paths, LightGBM, and a linear model beside it.

    Settings (how many features, how far back training rows count, the shape of the
    trees) are chosen on validation one after the other; the three best, of each way to
    show training rows, are averaged over seeds and blended with a regularized linear
    model. Probabilities are calibrated on validation; a number is predicted by its
    median, with its mean and a 90 % interval (conformalized quantile regression).

    Args:
        db: The database.
        target: What is to be learned: binary, multiclass, regression or forecast.
        options: How.
        fit_dir: Where an interrupted fit finds its finished parts again.
        progress: Told, in a few words, of each step.

    Raises:
        InputError: For a target whose answer is a list.
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
        if str(target.task_type) not in KINDS:
            raise InputError(
                "engine",
                f"features, for a {target.task_type} target",
                "use the ranking engine",
            )
        self.db = target.inputs(db)
        self.target = target
        self.options = options if options is not None else Options()
        self.fit_dir = fit_dir
        self.progress = progress
        self.predict_seconds = float("nan")
        self.report: FitReport | None = None
        self._kind = KINDS[str(target.task_type)]
        self._classes: list[Any] = []
        self._design: Design | None = None
        self._ensemble: Ensemble | None = None
        self._number: NumberModel | None = None

    def fit(self, train: pd.DataFrame, validation: pd.DataFrame) -> FitReport:
        """Learns from training, chooses on validation, learns again from both.

        Where validation has a ``cut_time`` before its anchors, training rows are also
        shown as if cut so, by lags drawn from validation's.

        Args:
            train: ``entity``, ``anchor_time``, ``label``, perhaps ``frame``.
            validation: The same, later; perhaps with ``cut_time``.

        Raises:
            InputError: If nothing can be learned from them.
        """
        started = time.perf_counter()
        check_examples(train, validation, str(self.target.task_type))
        train, validation = _labeled(train), _labeled(validation)
        several = self._kind is MULTICLASS
        self._classes = found_classes(train["label"]) if several else []
        lags = lags_of(validation)
        self.progress("features")
        self._design = Design.fit(
            self.db,
            self.target,
            train,
            num_hops=self.options.num_hops,
            strict=self.options.strict,
            has_lag=len(lags) > 0,
            text_encoder=self.options.text_encoder,
        )
        material = self._material(train, lags, validation)
        material = replace(
            material, order=order_features(material, self._kind, **self._drawn)
        )
        finished = Finished(self.fit_dir, material.fingerprint())
        binned = BinnedMaterial(material)
        groups = pd.factorize(validation["entity"])[0]
        trials, blend = self._chosen(binned, groups, finished)
        number = None
        if self._kind is REGRESSION:
            number = try_number(
                binned, trials[0], groups, finished=finished, **self._drawn
            )
        if self.options.refit:
            binned = self._refitted(train, validation, lags, material.order)
        self._ensemble = fit_ensemble(
            binned,
            trials,
            self._kind,
            blend,
            num_models=self.options.num_models,
            finished=finished,
            progress=self.progress,
            **self._drawn,
        )
        if number is not None:
            self._number = number.fit(binned, finished=finished, **self._drawn)
        self.report = self._reported(trials, len(lags) > 0, started)
        return self.report

    @property
    def _drawn(self) -> dict[str, int]:
        return {"seed": self.options.seed, "num_threads": self.options.num_threads}

    def _chosen(
        self, binned: BinnedMaterial, groups: np.ndarray, finished: Finished
    ) -> tuple[list[Trial], Blend]:
        trials = [
            trial
            for history in binned.material.views
            for trial in search(
                binned,
                self._kind,
                history=history,
                finished=finished,
                progress=self.progress,
                **self._drawn,
            )[:_TOP_SETTINGS]
        ]
        trials.sort(key=lambda trial: trial.loss)
        return trials, choose_blend(binned.material, trials, self._kind, groups)

    def _refitted(
        self,
        train: pd.DataFrame,
        validation: pd.DataFrame,
        lags: np.ndarray,
        order: np.ndarray | None,
    ) -> BinnedMaterial:
        self._fitted()[0].known = past_labels(validation, self.target)
        material = self._material(pd.concat([train, validation]), lags, None)
        return BinnedMaterial(replace(material, order=order))

    def _material(
        self, train: pd.DataFrame, lags: np.ndarray, validation: pd.DataFrame | None
    ) -> Material:
        return gathered(
            self._fitted()[0],
            train,
            validation,
            classes=self._classes,
            lags=lags,
            num_lags=self.options.num_lags,
            seed=self.options.seed,
        )

    def _fitted(self) -> tuple[Design, Ensemble | None]:
        if self._design is None:
            raise InputError("engine", "an engine that learned nothing yet", "fit it")
        return self._design, self._ensemble

    def _ready(self) -> tuple[Design, Ensemble]:
        design, ensemble = self._fitted()
        if ensemble is None:
            raise InputError("engine", "an interrupted fit", "fit it again")
        return design, ensemble

    def _reported(self, trials: list[Trial], cut: bool, started: float) -> FitReport:
        _, ensemble = self._ready()
        setting, blend = trials[0].setting, ensemble.blend
        chosen: dict[str, Any] = {
            "history": " + ".join(dict.fromkeys(t.setting.history for t in trials)),
            "half_life": setting.half_life,
            "features_used": setting.num_features or len(self._fitted()[0].columns),
            "num_leaves": setting.trees.num_leaves,
            "objective": setting.trees.objective,
            "rounds": trials[0].rounds,
            "linear_share": blend.share,
            "calibration": blend.calibration.kind,
            "num_features": len(self._fitted()[0].columns),
            "num_models": len(ensemble.boosters),
            "refit": self.options.refit,
        }
        notes = []
        if self._number is not None:
            coverage = self._number.interval.coverage
            chosen["interval_level"] = LEVEL
            chosen["interval_coverage"] = coverage
            notes.append(
                "prediction is the median, mean the expected value: add up means"
            )
            notes.append(
                f"intervals aim at {LEVEL:.0%}; they held {coverage:.1%} of the "
                "validation labels they were not fitted to"
            )
        if cut:
            notes.append("training rows were also shown cut before their anchor")
        return FitReport(
            "features",
            time.perf_counter() - started,
            peak_memory_mb(),
            self._kind.metric,
            abs(blend.loss),
            chosen,
            tuple(notes),
        )

    def predict(
        self, seeds: pd.DataFrame, *, cohort: pd.DataFrame | None = None
    ) -> pd.DataFrame:
        """One row per seed, in their order and with their index.

        Args:
            seeds: ``entity``, ``anchor_time``, perhaps ``cut_time`` and ``frame``.
            cohort: Whom the seeds are compared with at their anchor; each other by
                default. Give it when predicting for few entities.
        """
        started = time.perf_counter()
        design, ensemble = self._ready()
        x = design.matrix(seeds, cohort)
        found = self._answers(x, ensemble(x)).set_axis(seeds.index)
        self.predict_seconds = time.perf_counter() - started
        return found

    def _answers(self, x: np.ndarray, said: np.ndarray) -> pd.DataFrame:
        if self._kind is BINARY:
            return pd.DataFrame({"prediction": said >= 0.5, "probability": said})
        if self._kind is MULTICLASS:
            names = [f"probability_{value}" for value in self._classes]
            frame = pd.DataFrame(said, columns=names)
            best = pd.Series(self._classes).iloc[said.argmax(axis=1)]
            frame.insert(0, "prediction", best.to_numpy())
            return frame
        assert self._number is not None
        return self._number(x, said)

    def announce(self, seeds: pd.DataFrame) -> None:
        """Says what will be predicted, in parts, in this order; nothing at the end.

        Args:
            seeds: As for :meth:`predict`; their rows are read many at a time.
        """
        self._fitted()[0].features.announce(seeds)

    def on(self, db: Database) -> FeaturesEngine:
        """The same engine, reading another database of the same schema.

        Args:
            db: The database.
        """
        design, _ = self._ready()
        moved = copy.copy(self)
        state = design.features.state()
        moved.db = self.target.inputs(db)
        moved._design = replace(
            design, features=RelationalFeatures.from_state(moved.db, state)
        )
        return moved

    def reasons(
        self, seeds: pd.DataFrame, *, cohort: pd.DataFrame | None = None
    ) -> Reasons:
        """What each feature added to the answer for one entity (SHAP values).

        Args:
            seeds: One, or one for each frame of a forecast.
            cohort: As for :meth:`predict`.
        """
        design, ensemble = self._ready()
        parts = ensemble.effects(design.matrix(seeds, cohort))
        if self._kind is MULTICLASS:
            return class_reasons(parts, design.columns, self._classes)
        name = "True" if self._kind is BINARY else "prediction"
        return single_reasons(parts, design.columns, name)

    def answer(
        self, seeds: pd.DataFrame, outcome: Any, *, cohort: pd.DataFrame | None = None
    ) -> float | None:
        """What is predicted of the outcome that :meth:`reasons` names first.

        The probability of a class or of truth, a number, or the mean of the frames.

        Args:
            seeds: As for :meth:`reasons`.
            outcome: The first of its outcomes.
            cohort: As for :meth:`predict`.
        """
        design, ensemble = self._ready()
        said = ensemble(design.matrix(seeds, cohort))
        if self._kind is MULTICLASS:
            said = said[:, self._classes.index(outcome)]
        return float(said.mean())

    def importance(self) -> pd.DataFrame:
        """Features, their provenance and ``share`` in the model, greatest first."""
        design, ensemble = self._ready()
        frame = pd.DataFrame([column.to_json() for column in design.columns])
        frame["share"] = ensemble.importance(len(frame))
        return frame.sort_values("share", ascending=False, ignore_index=True)

    def save(self, folder: str | Path) -> None:
        """Writes JSON, LightGBM text, safetensors and Parquet, whole or not at all.

        Args:
            folder: To be made, or an engine's to be replaced.

        Raises:
            InputError: If it cannot be written, or nothing was learned.
        """
        design, ensemble = self._ready()
        facts = {
            **facts_of("features", self.target, self.options, self.report),
            "classes": self._classes,
            "has_lag": design.has_lag,
            "has_frame": design.has_frame,
            "number": None if self._number is None else self._number.to_json(),
        }
        with whole_folder(folder) as place:
            write_facts(place, facts)
            write_design(place, design)
            ensemble.save(place, "ensemble")
            if self._number is not None:
                self._number.save(place)

    @classmethod
    def load(cls, folder: str | Path, db: Database) -> FeaturesEngine:
        """Reads an engine.

        Args:
            folder: Where it was saved.
            db: The database to predict on.

        Raises:
            InputError: If there is no engine.
        """
        place = Path(folder)
        facts = read_facts(place)
        engine = cls(db, Target.from_json(facts["target"]), Options(**facts["options"]))
        engine._classes = facts["classes"]
        engine._design = read_design(place, engine.db, facts)
        engine._ensemble = Ensemble.load(place, "ensemble")
        if facts["number"] is not None:
            engine._number = NumberModel.load(place, facts["number"])
        engine.report = report_of(facts)
        return engine


def _labeled(examples: pd.DataFrame) -> pd.DataFrame:
    return examples[examples["label"].notna()].reset_index(drop=True)
