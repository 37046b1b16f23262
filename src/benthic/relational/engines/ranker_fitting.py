"""How pairs are learned: trees as a ranker or as a classifier, whichever lists best."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np

from benthic.relational.engines.boosting import Binned, Rows, Trees, grow
from benthic.relational.engines.finished import Finished, fingerprint
from benthic.relational.engines.options import Options
from benthic.relational.engines.search import best_round

_OBJECTIVES = {"binary": "average_precision", "lambdarank": "map"}
_SHAPES = (
    Trees("", 8, 30, 0.5, 0.7, 0.08),
    Trees("", 16, 60, 0.3, 0.7, 0.08, 20.0),
)
_ROUNDS = 150
_SEEDS = 2


@dataclass(frozen=True)
class RankerTrial:
    """What came of a setting.

    Args:
        trees: The setting.
        rounds: How many trees were best.
        value: What the lists of validation were worth.
        scores: Of the validation pairs `[P]`.
    """

    trees: Trees
    rounds: int
    value: float
    scores: np.ndarray


class RankerFitting:
    """Learns which pairs of an entity and a value come true.

    Args:
        rows: To learn from.
        judged: To choose by.
        options: How.
        fit_dir: Where an interrupted fit finds its finished parts again.
        progress: Told of each step.
    """

    def __init__(
        self,
        rows: Rows,
        judged: Rows,
        options: Options,
        fit_dir: str | Path | None,
        progress: Callable[[str], None],
    ) -> None:
        self.rows = rows
        self.judged = judged
        self.options = options
        self.progress = progress
        mark = fingerprint(rows.x, rows.y, judged.x, judged.y)
        self.finished = Finished(fit_dir, mark)

    def choose(
        self, worth: Callable[[np.ndarray], float], *, as_probability: bool
    ) -> RankerTrial:
        """The setting whose lists are worth most.

        Args:
            worth: Of the lists that scores of the validation pairs give.
            as_probability: Whether scores must be probabilities: a ranker's are not.
        """
        tries: list[RankerTrial] = []
        for objective in ["binary"] if as_probability else _OBJECTIVES:
            binned: Binned | None = None
            for shape in _SHAPES:
                trees = replace(shape, objective=objective)
                key = {"trees": vars(trees), "seed": self.options.seed}
                kept = self.finished.read(key)
                if kept is None:
                    binned = binned or Binned(
                        _as(self.rows, trees), _as(self.judged, trees)
                    )
                    kept = self._tried(binned, trees)
                    self.finished.write(key, kept)
                scores = np.array(kept["scores"])
                value = worth(scores)
                tries.append(RankerTrial(trees, int(kept["rounds"]), value, scores))
                self.progress(f"trial {len(tries)}: map {value:.4f}")
        return max(tries, key=lambda one: one.value)

    def _tried(self, binned: Binned, trees: Trees) -> dict[str, Any]:
        grown = [
            grow(
                binned,
                trees,
                num_rounds=_ROUNDS,
                seed=self.options.seed + i,
                metric=_OBJECTIVES[trees.objective],
                patience=30,
                num_threads=self.options.num_threads,
            )
            for i in range(_SEEDS)
        ]
        rounds = best_round([one.curve for one in grown], -1)
        scores = [
            np.asarray(one.booster.predict(self.judged.x, num_iteration=rounds))
            for one in grown
        ]
        return {"rounds": rounds, "scores": np.mean(scores, axis=0).tolist()}

    def models(self, rows: Rows, best: RankerTrial) -> list[lightgbm.Booster]:
        """The models of a setting, one for each seed.

        Args:
            rows: To learn from; perhaps more than those it was chosen by.
            best: What :meth:`choose` gave.
        """
        binned: Binned | None = None
        boosters = []
        for i in range(self.options.num_models):
            self.progress(f"model {i + 1} of {self.options.num_models}")
            seed = self.options.seed + 100 + i
            facts = {"rounds": best.rounds, "seed": seed, "rows": len(rows.y)}
            key = {"model": vars(best.trees), **facts}
            kept = self.finished.read(key)
            if kept is None:
                binned = binned or Binned(_as(rows, best.trees))
                grown = grow(
                    binned,
                    best.trees,
                    num_rounds=best.rounds,
                    seed=seed,
                    num_threads=self.options.num_threads,
                )
                kept = {"text": grown.booster.model_to_string()}
                self.finished.write(key, kept)
            boosters.append(lightgbm.Booster(model_str=kept["text"]))
        return boosters


def _as(rows: Rows, trees: Trees) -> Rows:
    ranks = trees.objective == "lambdarank"
    return rows if ranks else replace(rows, groups=None)
