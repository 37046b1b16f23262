"""How each value of a set is learned: trees of a shape that suits the commonest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import lightgbm
import numpy as np

from benthic.relational.engines.boosting import Binned, Rows, Trees, grow
from benthic.relational.engines.calibration import Calibration, choose_calibration
from benthic.relational.engines.finished import Finished, fingerprint
from benthic.relational.engines.member import Member, share_of
from benthic.relational.engines.options import Options
from benthic.relational.engines.search import best_round
from benthic.relational.evaluation.metrics import log_loss

_SHAPES = (
    Trees("binary", 4, 20, 0.5, 0.7, 0.05, 5.0),
    Trees("binary", 12, 30, 0.3, 0.7, 0.05, 20.0),
)
_ROUNDS = 200
_JUDGED_VALUES = 20  # of which the shape of the trees is chosen, the commonest
_LEAST_ROWS = 5  # with a value, and without it: else its share says it all
_MOST_BOOSTERS = 64


@dataclass(frozen=True)
class MemberRows:
    """Features `[N, F]` and sets, as truths `[N, V]`, of training and validation."""

    x: np.ndarray
    y: np.ndarray
    x_judged: np.ndarray
    y_judged: np.ndarray

    def is_learned(self, value: int) -> bool:
        """Whether enough sets hold a value and enough do not."""
        held = int(self.y[:, value].sum())
        return min(held, len(self.y) - held) >= _LEAST_ROWS


@dataclass(frozen=True)
class MemberTrial:
    """How a value is learned best.

    Args:
        rounds: How many trees; none where its share is all that is known.
        scores: Probabilities of the validation rows, not calibrated.
        calibration: Of them.
    """

    rounds: int
    scores: np.ndarray
    calibration: Calibration


class MemberFitting:
    """Learns which sets hold each value.

    Args:
        rows: To learn from and to choose by.
        options: How.
        fit_dir: Where an interrupted fit finds its finished parts again.
        progress: Told of each step.
    """

    def __init__(
        self,
        rows: MemberRows,
        options: Options,
        fit_dir: Any,
        progress: Callable[[str], None],
    ) -> None:
        self.rows = rows
        self.options = options
        self.progress = progress
        self.finished = Finished(fit_dir, fingerprint(*vars(rows).values()))
        self.shape = _SHAPES[0]

    def choose(self, groups: np.ndarray) -> list[MemberTrial]:
        """The shape that suits the commonest values; rounds and calibration of each.

        Args:
            groups: Number of the entity of each validation row.
        """
        count = self.rows.y.shape[1]
        judging = self._binned()
        tried = [
            [self._tried(judging, i, shape) for i in range(min(count, _JUDGED_VALUES))]
            for shape in _SHAPES
        ]
        truths = self.rows.y_judged
        losses = [
            sum(log_loss(truths[:, i], said) for i, (_, said) in enumerate(found))
            for found in tried
        ]
        best = int(np.argmin(losses))
        self.shape = _SHAPES[best]
        rest = range(len(tried[best]), count)
        found = [*tried[best], *(self._tried(judging, i, self.shape) for i in rest)]
        return [
            MemberTrial(rounds, said, choose_calibration(truths[:, i], said, groups))
            for i, (rounds, said) in enumerate(found)
        ]

    def _binned(self) -> Binned:
        rows = self.rows
        learned = Rows(rows.x, rows.y[:, 0], np.ones(len(rows.y)))
        judged = Rows(rows.x_judged, rows.y_judged[:, 0], np.ones(len(rows.y_judged)))
        return Binned(learned, judged)

    def _tried(self, judging: Binned, i: int, shape: Trees) -> tuple[int, np.ndarray]:
        """Rounds of one value, and its probabilities on validation."""
        rows = self.rows
        if not rows.is_learned(i):
            return 0, np.full(len(rows.y_judged), share_of(rows.y[:, i]))
        key = {"value": i, "trees": vars(shape), "seed": self.options.seed}
        kept = self.finished.read(key)
        if kept is None:
            judging.train.set_label(rows.y[:, i])
            assert judging.validation is not None
            judging.validation.set_label(rows.y_judged[:, i])
            grown = grow(
                judging,
                shape,
                num_rounds=_ROUNDS,
                seed=self.options.seed,
                metric="binary_logloss",
                patience=30,
                num_threads=self.options.num_threads,
            )
            count = best_round([grown.curve], 1)
            said = grown.booster.predict(rows.x_judged, num_iteration=count)
            kept = {"rounds": count, "scores": np.asarray(said).tolist()}
            self.finished.write(key, kept)
        return int(kept["rounds"]), np.array(kept["scores"])

    def members(
        self,
        x: np.ndarray,
        y: np.ndarray,
        values: list[Any],
        trials: list[MemberTrial],
    ) -> tuple[Member, ...]:
        """Each value, learned from rows that may be more than those it was chosen by.

        Args:
            x: Features.
            y: Truths.
            values: V of them.
            trials: What :meth:`choose` gave.
        """
        self.rows = replace(self.rows, x=x, y=y)
        found = []
        for i, (value, trial) in enumerate(zip(values, trials, strict=True)):
            boosters = self._boosters(i, trial.rounds) if trial.rounds else ()
            share = share_of(y[:, i])
            found.append(Member(value, share, boosters, trial.calibration))
            self.progress(f"value {i + 1} of {len(values)}")
        return tuple(found)

    def _boosters(self, i: int, rounds: int) -> tuple[lightgbm.Booster, ...]:
        x, y = self.rows.x, self.rows.y
        most = max(1, _MOST_BOOSTERS // y.shape[1])
        binned: Binned | None = None
        boosters = []
        for j in range(min(self.options.num_models, most)):
            seed = self.options.seed + 100 + j
            facts = {"rounds": rounds, "seed": seed, "rows": len(y)}
            key = {"member": i, "trees": vars(self.shape), **facts}
            kept = self.finished.read(key)
            if kept is None:
                binned = binned or Binned(Rows(x, y[:, i], np.ones(len(y))))
                grown = grow(
                    binned,
                    self.shape,
                    num_rounds=rounds,
                    seed=seed,
                    num_threads=self.options.num_threads,
                )
                kept = {"text": grown.booster.model_to_string()}
                self.finished.write(key, kept)
            boosters.append(lightgbm.Booster(model_str=kept["text"]))
        return tuple(boosters)
