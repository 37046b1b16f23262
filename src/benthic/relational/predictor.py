"""The front door: a database and a query to predictions, evaluation, explanation."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from benthic.errors import InputError
from benthic.relational.answer_file import check_file, write_answers
from benthic.relational.database import Database
from benthic.relational.engines import FitReport, Options
from benthic.relational.explaining import explain_entity, explain_query
from benthic.relational.explanation import Explanation
from benthic.relational.judging import Evaluation, judge
from benthic.relational.learning import Fitted, for_each, learn, numbered
from benthic.relational.predictions import Predictions
from benthic.relational.progress import silent
from benthic.relational.query import PredictiveQuery
from benthic.relational.saved_fit import load_fitted, save_fitted
from benthic.relational.task import Task, make_task

AnchorTime = str | dt.datetime | None

_COHORT = 10_000
"""Entities that an entity is compared with, whether one is asked for or all: the same
question has the same answer."""


@dataclass
class Predictor:
    """Answers predictive queries about a database.

    The first call for a query fits an engine, later ones use it. Nothing is written
    into the database, and nothing that is later than the anchor time is read.

    Args:
        db: The database.
        options: How the engine learns.
        fit_dir: Where an interrupted fit finds its finished parts again.
        progress: Told of each step in a few words.

    Example:
        >>> import numpy as np
        >>> days = pd.date_range("2026-01-01", periods=300, freq="D")
        >>> customer = np.arange(300) * 7 % 20
        >>> shop = {
        ...     "customers": pd.DataFrame({"customer_id": range(20)}),
        ...     "orders": pd.DataFrame(
        ...         {"order_id": range(300), "customer_id": customer, "placed_at": days}
        ...     ),
        ... }
        >>> p = Predictor(Database.open(shop), Options(num_models=1))
        >>> query = "PREDICT COUNT(orders.*, 0, 14, days) FOR customers.customer_id = 3"
        >>> list(p.predict(query).columns)
        ['entity', 'anchor_time', 'prediction', 'mean', 'lower', 'upper']
        >>> why = p.explain(query)
        >>> added = sum(path.effect for path in why.paths)
        >>> round(why.outcomes[0].expected + added - why.prediction["prediction"], 4)
        0.0
    """

    db: Database
    options: Options = field(default_factory=Options)
    fit_dir: str | Path | None = None
    progress: Callable[[str], None] = silent
    _fitted: dict[str, Fitted] = field(default_factory=dict, init=False, repr=False)

    def fit(
        self, query: PredictiveQuery | str, *, anchor_time: AnchorTime = "auto"
    ) -> FitReport:
        """Learns to answer a query from the past of the anchor time.

        Args:
            query: Text, or a parsed query.
            anchor_time: When predictions will be made: a time; ``"entity"`` for each
                row's own; ``"end"`` (or None) of the data; ``"auto"``: the end of the
                data, or for a static target of events each row's own time.

        Raises:
            QueryError: If the query is wrong or the data cannot teach an answer.
        """
        return self._fit(self._task(query, anchor_time)).report

    def predict(
        self, query: PredictiveQuery | str, *, anchor_time: AnchorTime = "auto"
    ) -> pd.DataFrame:
        """One row per entity: what will be, as far as the data tell.

        ``entity``, ``anchor_time``, ``prediction``, and by the type of the target
        ``probability``, ``probability_<class>``, ``mean``, ``lower`` and ``upper`` (a
        90 % interval) or ``scores``. A number's prediction is its median, which errs
        least; the mean is the expected value, and what to add up for a total. Named
        entities that fail the query's WHERE come back with ``matches_where`` False.
        What a reader should know is in ``attrs["notes"]``.

        Args:
            query: Text, or a parsed query.
            anchor_time: As for :meth:`fit`.
        """
        answers = self.predictions(query, anchor_time=anchor_time)
        parts = list(self._told(answers))
        if not parts:
            raise InputError(
                "query",
                "no entity that it asks about at the anchor time",
                "give an earlier anchor_time, or drop WHERE",
            )
        found = pd.concat(parts, ignore_index=True)
        found.attrs["notes"] = list(answers.notes)
        return found

    def predictions(
        self, query: PredictiveQuery | str, *, anchor_time: AnchorTime = "auto"
    ) -> Predictions:
        """The same in parts, so that millions of entities need no memory.

        The fit is done when this returns, the predictions are made one part at a time.

        Args:
            query: Text, or a parsed query.
            anchor_time: As for :meth:`fit`.
        """
        task = self._task(query, anchor_time)
        return Predictions(task, self._answering(task), self._cohort(task, anchor_time))

    def predict_to(
        self,
        path: str | Path,
        query: PredictiveQuery | str,
        *,
        anchor_time: AnchorTime = "auto",
    ) -> int:
        """Writes the predictions into a Parquet, CSV or JSON file; the number of rows.

        Args:
            path: The file; it appears whole or not at all.
            query: Text, or a parsed query.
            anchor_time: As for :meth:`fit`.

        Raises:
            InputError: If the file cannot be written there; found out before the fit.
            OutputError: If the disk is full; the fit is kept and can be saved.
        """
        check_file(path, argument="path")
        answers = self.predictions(query, anchor_time=anchor_time)
        return write_answers(path, self._told(answers), argument="path")

    def evaluate(
        self,
        query: PredictiveQuery | str,
        *,
        regime: str = "rolling",
        anchor_time: AnchorTime = "auto",
        test_anchors: int = 1,
        validation_anchors: int = 1,
        backtest: bool = False,
        num_resamples: int = 200,
    ) -> Evaluation:
        """What answers would have been worth, had they been given in the past.

        Examples are split by time: training, then validation, then test anchors.

        Args:
            query: Text, or a parsed query.
            regime: ``"rolling"``: each prediction sees the rows up to its own anchor;
                ``"frozen"``: only those up to the first evaluated anchor.
            anchor_time: Look no later than this.
            test_anchors: How many anchors to evaluate at.
            validation_anchors: How many before them choose the settings.
            backtest: Fit anew for each test anchor instead of once.
            num_resamples: Resamples of entities for the intervals.
        """
        task = make_task(
            self.db,
            for_each(self._parsed(query)),
            anchor_time=anchor_time,
            test_anchors=test_anchors,
            validation_anchors=validation_anchors,
            strict=self.options.strict,
        )
        return judge(
            task,
            self.options,
            regime=regime,
            backtest=backtest,
            num_resamples=num_resamples,
            fit_dir=self.fit_dir,
            progress=self.progress,
        )

    def explain(
        self,
        query: PredictiveQuery | str,
        entity: Any = None,
        *,
        anchor_time: AnchorTime = "auto",
    ) -> Explanation:
        """Which tables, paths and rows moved a prediction, or matter on the whole.

        For any target. Effects add up to the score of the answer: of the predicted
        class, with the runner-up beside it; of the mean of a forecast, with each frame
        beside it; of the first value of a list, with the second and third beside it.

        Args:
            query: Text, or a parsed query.
            entity: Whose prediction; None for the query on the whole, unless it names
                one entity itself.
            anchor_time: As for :meth:`fit`.
        """
        asked = self._parsed(query)
        if entity is not None:
            asked = replace(asked, entities=(entity,))
        task = self._task(asked, anchor_time)
        fitted = self._answering(task)
        if asked.entities is None:
            return explain_query(fitted)
        seeds = task.now().head(1)[["entity", "anchor_time"]]
        cohort = self._cohort(task, anchor_time)
        self.progress("leaving rows out, one at a time")
        return explain_entity(
            fitted, seeds, seeds if cohort is None else cohort, task.num_frames
        )

    def save(
        self,
        folder: str | Path,
        query: PredictiveQuery | str | None = None,
    ) -> None:
        """Writes a fitted engine, without pickle; whole or not at all.

        Args:
            folder: To be made, or a saved predictor's to be replaced.
            query: Which one, if several were fitted.

        Raises:
            InputError: If nothing was fitted, or the folder cannot be written.
            OutputError: If the disk is full.
        """
        save_fitted(folder, self._chosen(query), self.db)

    @classmethod
    def load(
        cls,
        folder: str | Path,
        db: Database,
        *,
        progress: Callable[[str], None] = silent,
    ) -> Predictor:
        """Reads a saved predictor.

        Args:
            folder: Where it was saved.
            db: The database to predict on; of the same schema, perhaps with more rows.
            progress: Told of each step.

        Raises:
            InputError: If there is none or a part of it is gone, or the schema changed
                so that it does not fit.
        """
        fitted = load_fitted(folder, db)
        made = cls(db, fitted.engine.options, progress=progress)
        made._fitted[str(fitted.query)] = fitted
        return made

    def is_fitted_for(self, query: PredictiveQuery | str) -> bool:
        """Whether a query is answered without a new fit, whoever it names.

        Args:
            query: Text, or a parsed query.
        """
        return str(for_each(self._parsed(query))) in self._fitted

    @property
    def queries(self) -> tuple[str, ...]:
        """What was fitted."""
        return tuple(self._fitted)

    def _parsed(self, query: PredictiveQuery | str) -> PredictiveQuery:
        text = query if isinstance(query, str) else query.text or str(query)
        parsed = PredictiveQuery.parse(text, self.db.schema)
        if not isinstance(query, str):
            return replace(parsed, entities=query.entities)
        return parsed

    def _task(self, query: PredictiveQuery | str, anchor_time: AnchorTime) -> Task:
        return self._asking(self._parsed(query), anchor_time)

    def _asking(self, query: PredictiveQuery, anchor_time: AnchorTime) -> Task:
        """A task all of whose labels are there to learn from."""
        is_strict = self.options.strict
        return make_task(
            self.db, query, anchor_time=anchor_time, test_anchors=0, strict=is_strict
        )

    @staticmethod
    def _name(task: Task) -> str:
        assert task.query is not None
        return str(for_each(task.query))

    def _answering(self, task: Task) -> Fitted:
        """What answers a task, shown the values that ASSUMING names."""
        fitted = self._fitted.get(self._name(task)) or self._fit(task)
        if not task.assumed_values:
            return fitted
        assumed = self.db.altered(task.entity_table, values=task.assumed_values)
        return replace(fitted, engine=fitted.engine.on(assumed))

    def _fit(self, task: Task) -> Fitted:
        self.progress("collecting labels of the past")
        fitted = learn(
            task,
            numbered(task.train(), task),
            numbered(task.validation(), task),
            self.options,
            fit_dir=self.fit_dir,
            progress=self.progress,
        )
        self._fitted[self._name(task)] = fitted
        return fitted

    def _cohort(self, task: Task, anchor_time: AnchorTime) -> pd.DataFrame | None:
        """Whom entities are compared with, where that is not one another."""
        query = task.query
        assert query is not None
        if query.entities is None and task.count("now") <= _COHORT:
            return None
        everybody = self._asking(for_each(query), anchor_time)
        some = next(everybody.seeds("now"), None)
        if some is None:
            return None
        known = some[["entity", "anchor_time"]]
        if len(known) > _COHORT:
            known = known.sample(_COHORT, random_state=0).sort_index()
        return known.reset_index(drop=True)

    def _told(self, answers: Predictions) -> Iterator[pd.DataFrame]:
        done, total = 0, answers.num_rows
        for part in answers:
            yield part
            done += len(part)
            self.progress(f"predicted {done:,} of {total:,}")

    def _chosen(self, query: PredictiveQuery | str | None) -> Fitted:
        if query is not None:
            name = str(for_each(self._parsed(query)))
            if name in self._fitted:
                return self._fitted[name]
            raise InputError("query", "one that was not fitted", "fit it first")
        if len(self._fitted) != 1:
            found = f"{len(self._fitted)} fitted queries"
            raise InputError("query", found, "fit one, or say which to save")
        return next(iter(self._fitted.values()))
