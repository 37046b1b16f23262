"""Ranks the values that may come next: trees over (entity, value) pairs."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd

from benthic.errors import InputError
from benthic.relational.database import Database
from benthic.relational.engines.boosting import Rows
from benthic.relational.engines.calibration import Calibration, choose_calibration
from benthic.relational.engines.candidates import Candidates, Pairs
from benthic.relational.engines.engine import (
    FitReport,
    Target,
    check_examples,
    drawn_lags,
    lags_of,
    peak_memory_mb,
)
from benthic.relational.engines.folder import whole_folder
from benthic.relational.engines.options import Options
from benthic.relational.engines.ranker_fitting import RankerFitting, RankerTrial
from benthic.relational.engines.reasons import Reasons, gain_shares, value_reasons
from benthic.relational.engines.saving import (
    facts_of,
    read_facts,
    report_of,
    write_facts,
)
from benthic.relational.evaluation.ranking import ranking_metrics
from benthic.relational.progress import silent

_MOST_VALUES = 1_000
_LEAST_CANDIDATES = 40
_LEAST_RECALL = 0.5
"""Of what visits hold: below, all that exists may come next."""

_MOST_PAIRS = 200_000
"""Learned from, where all that exists may come next."""

_MOST_SCORED = 2_000_000
"""Pairs in memory while lists are made."""

_EXPLAINED = 3


def _recall(rows: Rows, examples: pd.DataFrame) -> float:
    """Share of what was to find that is among the candidates."""
    wanted = examples["label"].map(lambda values: len(set(values))).sum()
    return float(rows.y.sum() / max(1, wanted))


class RankingEngine:
    """What will this entity meet next?  The k likeliest values, in order.

    Candidates are what the entity met before, what those met who met the same, and
    what is popular; where these hold less than half of what was to find, whatever
    exists, as far as memory allows. LightGBM orders them by counts, recency and
    popularity in windows as long as the horizon, and multiples of it. Whether as a
    ranker (lambdarank) or as a classifier of pairs is chosen on validation by MAP@k.

    Args:
        db: The database.
        target: A ranking or multilabel target, with ``value_table`` and ``value_col``.
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
        self._is_set = str(target.task_type) == "multilabel"
        self._candidates: Candidates | None = None
        self._most = max(_LEAST_CANDIDATES, 3 * self._k)
        self._wide = False
        self._boosters: list[lightgbm.Booster] = []
        self._calibration = Calibration()

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
        lags = lags_of(validation)
        shown = self._shown(train, lags)
        judged, pairs = self._rows(validation.reset_index(drop=True))
        if _recall(judged, validation) < _LEAST_RECALL:
            self._widen(len(shown))
            judged, pairs = self._rows(validation.reset_index(drop=True))
        rows, _ = self._rows(shown)
        labels = validation["label"].to_list()

        def worth(scores: np.ndarray) -> float:
            said = self._lists(pairs, scores, len(labels))[0]
            return ranking_metrics(labels, said, self._k)["map"]

        fitting = RankerFitting(rows, judged, self.options, self.fit_dir, self.progress)
        best = fitting.choose(worth, as_probability=self._is_set)
        if self._is_set:
            groups = pd.factorize(validation["entity"])[0][pairs.seed]
            self._calibration = choose_calibration(judged.y, best.scores, groups)
        if self.options.refit:
            both = pd.concat([train, validation])
            both = both.drop(columns="cut_time", errors="ignore")
            rows, _ = self._rows(self._shown(both, lags))
        self._boosters = fitting.models(rows, best)
        recall = _recall(judged, validation)
        self.report = self._reported(best, rows, recall, started)
        return self.report

    def _reported(
        self, best: RankerTrial, rows: Rows, recall: float, started: float
    ) -> FitReport:
        learned = bool(rows.y.any())
        chosen = {
            "objective": best.trees.objective,
            "num_leaves": best.trees.num_leaves,
            "rounds": best.rounds,
            "num_features": rows.x.shape[1],
            "candidate_recall": recall,
        }
        return FitReport(
            "features",
            time.perf_counter() - started,
            peak_memory_mb(),
            "map",
            best.value,
            chosen,
            (
                *self._notes(learned),
                f"candidates hold {recall:.1%} of what was to find",
            ),
        )

    def _notes(self, learned: bool) -> Iterator[str]:
        if self._wide:
            yield (
                f"less than half of what was to find had been met before: up to "
                f"{self._most:,} values of {self.target.value_table} that exist are "
                "candidates of each entity"
            )
        if not learned:
            yield (
                "nothing was learned, for no candidate came true in training: what was "
                "met stands first, then what is popular, then what is new"
            )

    def _shown(self, examples: pd.DataFrame, lags: np.ndarray) -> pd.DataFrame:
        plain = examples.reset_index(drop=True)
        if not len(lags):
            return plain
        lagged = drawn_lags(plain, lags, seed=self.options.seed)
        fresh = plain.assign(cut_time=plain["anchor_time"])
        return pd.concat([fresh, lagged], ignore_index=True)

    def _made(self) -> Candidates:
        if self._candidates is None:
            self._candidates = Candidates(
                self.db,
                self.target,
                strict=self.options.strict,
                most=self._most,
                wide=self._wide,
            )
        return self._candidates

    def _widen(self, num_seeds: int) -> None:
        """From now on all that exists may come next, as far as memory allows."""
        self._wide, self._candidates = True, None
        self._most = max(self._most, _MOST_PAIRS // num_seeds)

    def _rows(self, examples: pd.DataFrame) -> tuple[Rows, Pairs]:
        made = self._made()
        pairs = made.pairs(examples)
        sizes = examples["label"].map(len).to_numpy(int)
        seed = np.repeat(np.arange(len(examples)), sizes)
        values = [value for label in examples["label"] for value in label]
        code = made.values.get_indexer(pd.Index(values, dtype=made.values.dtype))
        width = len(made.values)
        wanted = (seed * width + code)[code >= 0]
        y = np.isin(pairs.seed * width + pairs.value, wanted).astype(np.float64)
        return Rows(pairs.x, y, np.ones(len(y)), pairs.sizes), pairs

    def _lists(
        self, pairs: Pairs, scores: np.ndarray, num_seeds: int
    ) -> tuple[list[list[Any]], list[list[float]]]:
        """The k best values of each seed and their scores."""
        names = self._made().values
        order = self._order(pairs, scores)
        ends = np.searchsorted(pairs.seed[order], np.arange(num_seeds + 1))
        lists, points = [], []
        for start, stop in pairwise(ends.tolist()):
            best = order[start : min(stop, start + self._k)]
            lists.append(names[pairs.value[best]].tolist())
            points.append(scores[best].tolist())
        return lists, points

    def _order(self, pairs: Pairs, scores: np.ndarray) -> np.ndarray:
        # Of all that exists, trees cannot tell many apart.
        ties = -pairs.priority if self._wide else pairs.value
        return np.lexsort((pairs.value, ties, -scores, pairs.seed))

    def predict(
        self, seeds: pd.DataFrame, *, cohort: pd.DataFrame | None = None
    ) -> pd.DataFrame:
        """``prediction`` (a list, best first) and ``scores``; ``probability_<value>``.

        Args:
            seeds: ``entity``, ``anchor_time``, perhaps ``cut_time``.
            cohort: Not asked: candidates are compared with one another.
        """
        del cohort
        started = time.perf_counter()
        if seeds.empty:
            return pd.DataFrame({"prediction": [], "scores": []}, index=seeds.index)
        known = self._made().known_by(seeds)
        size = max(1, _MOST_SCORED // self._most)
        parts = [seeds.iloc[i : i + size] for i in range(0, len(seeds), size)]
        found = pd.concat([self._predicted(part, known) for part in parts])
        self.predict_seconds = time.perf_counter() - started
        return found

    def _predicted(self, seeds: pd.DataFrame, known: np.ndarray) -> pd.DataFrame:
        pairs, scores = self._scored(seeds)
        lists, points = self._lists(pairs, scores, len(seeds))
        found = pd.DataFrame({"prediction": lists, "scores": points}, index=seeds.index)
        if self._is_set and known.sum() <= _MOST_VALUES:
            found = found.join(self._table(pairs, scores, seeds.index, known))
        return found

    def _scored(self, seeds: pd.DataFrame) -> tuple[Pairs, np.ndarray]:
        """The candidates of each seed and what the models say of them."""
        if not self._boosters:
            raise InputError("engine", "an engine that learned nothing yet", "fit it")
        pairs = self._made().pairs(seeds)
        scores = np.zeros(len(pairs.seed))
        if len(scores):
            said = [np.asarray(one.predict(pairs.x)) for one in self._boosters]
            scores = np.mean(said, axis=0)
        return pairs, self._calibration(scores) if self._is_set else scores

    def reasons(
        self, seeds: pd.DataFrame, *, cohort: pd.DataFrame | None = None
    ) -> Reasons:
        """What each feature added to the scores of the first values of one list.

        Args:
            seeds: One.
            cohort: Not asked.
        """
        del cohort
        pairs, scores = self._scored(seeds)
        first = self._order(pairs, scores)[: min(self._k, _EXPLAINED)]
        made = self._made()
        values = made.values[pairs.value[first]].tolist()
        if not values:
            nothing = np.zeros((len(made.columns), 0))
            return Reasons((), tuple(made.features), nothing, np.zeros(0))
        return value_reasons(self._boosters, pairs.x[first], made.features, values)

    def answer(
        self, seeds: pd.DataFrame, outcome: Any, *, cohort: pd.DataFrame | None = None
    ) -> float | None:
        """The score (of a set: the probability) of a value; None if no candidate.

        Args:
            seeds: One.
            outcome: The value.
            cohort: Not asked.
        """
        del cohort
        pairs, scores = self._scored(seeds)
        found = scores[self._made().values[pairs.value] == outcome]
        return float(found[0]) if len(found) else None

    def importance(self) -> pd.DataFrame:
        """Features, their provenance and ``share`` in the model, greatest first."""
        frame = pd.DataFrame([one.to_json() for one in self._made().features])
        frame["share"] = np.mean([gain_shares(one) for one in self._boosters], axis=0)
        return frame.sort_values("share", ascending=False, ignore_index=True)

    def _table(
        self, pairs: Pairs, scores: np.ndarray, index: pd.Index, known: np.ndarray
    ) -> pd.DataFrame:
        """A column for each value that could have been a candidate by then."""
        table = np.zeros((len(index), int(known.sum())))
        table[pairs.seed, np.cumsum(known)[pairs.value] - 1] = scores
        names = [f"probability_{value}" for value in self._made().values[known]]
        return pd.DataFrame(table, columns=names, index=index)

    def announce(self, seeds: pd.DataFrame) -> None:
        """Nothing: each part's pairs are looked up by themselves.

        Args:
            seeds: As for :meth:`predict`.
        """

    def on(self, db: Database) -> RankingEngine:
        """The same engine, reading another database of the same schema.

        Args:
            db: The database.
        """
        moved = copy.copy(self)
        moved.db, moved._candidates = self.target.inputs(db), None
        return moved

    def save(self, folder: str | Path) -> None:
        """Writes JSON and LightGBM text, whole or not at all.

        Args:
            folder: To be made, or an engine's to be replaced.
        """
        calibration = self._calibration
        facts = {
            **facts_of("ranking", self.target, self.options, self.report),
            "boosters": len(self._boosters),
            "calibration": [calibration.kind, calibration.x, calibration.y],
            "candidates": {"most": self._most, "wide": self._wide},
        }
        with whole_folder(folder) as place:
            write_facts(place, facts)
            for i, booster in enumerate(self._boosters):
                text = booster.model_to_string()
                (place / f"ranker.{i}.txt").write_text(text, encoding="utf-8")

    @classmethod
    def load(cls, folder: str | Path, db: Database) -> RankingEngine:
        """Reads an engine.

        Args:
            folder: Where it was saved.
            db: The database to predict on.
        """
        place = Path(folder)
        facts = read_facts(place)
        engine = cls(db, Target.from_json(facts["target"]), Options(**facts["options"]))
        engine._boosters = [
            lightgbm.Booster(
                model_str=(place / f"ranker.{i}.txt").read_text(encoding="utf-8")
            )
            for i in range(facts["boosters"])
        ]
        among = facts["candidates"]
        engine._most, engine._wide = among["most"], among["wide"]
        kind, x, y = facts["calibration"]
        engine._calibration = Calibration(kind, tuple(x), tuple(y))
        engine.report = report_of(facts)
        return engine
