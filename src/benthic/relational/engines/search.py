"""Which setting does validation like?  A small search, one thing at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from benthic.relational.engines.binned_material import BinnedMaterial
from benthic.relational.engines.boosting import Trees, grow
from benthic.relational.engines.finished import Finished
from benthic.relational.engines.kinds import Kind
from benthic.relational.engines.material import Material, Setting

_MOST_ROUNDS = 600
_LEAST_ROUNDS = 20
_SMOOTH = 9  # one lucky round on few validation rows shall not decide
_SEEDS = 2


@dataclass(frozen=True)
class Trial:
    """What came of a setting.

    Args:
        setting: The setting.
        loss: On validation; less is better.
        rounds: How many were best.
        score: On the validation rows, the mean over seeds.
    """

    setting: Setting
    loss: float
    rounds: int
    score: np.ndarray


def best_round(curves: list[np.ndarray], sign: int) -> int:
    """Where the mean of several curves, smoothed, is best.

    Args:
        curves: A metric after each round, one array for each seed.
        sign: 1 if less is better, -1 if more is.

    Example:
        >>> best_round([np.array([3.0, 2.0, 1.0, 2.0, 3.0])], 1)
        3
    """
    length = min(len(curve) for curve in curves)
    mean = sign * np.mean([curve[:length] for curve in curves], axis=0)
    if length > _LEAST_ROUNDS:
        kernel = np.ones(_SMOOTH)
        mean = np.convolve(mean, kernel, "same") / np.convolve(
            np.ones(length), kernel, "same"
        )
        return _LEAST_ROUNDS + int(np.argmin(mean[_LEAST_ROUNDS - 1 :]))
    return 1 + int(np.argmin(mean))


def try_setting(
    binned: BinnedMaterial,
    setting: Setting,
    kind: Kind,
    *,
    seed: int,
    num_threads: int,
    finished: Finished,
) -> Trial:
    """Learns with one setting and looks at validation; kept if it was done before.

    Args:
        binned: What is learned from.
        setting: How.
        kind: Of label.
        seed: First of the seeds.
        num_threads: Does not change the result.
        finished: Where trials are kept.
    """
    key = {"setting": asdict(setting), "seed": seed, "kind": kind.name}
    kept = finished.read(key)
    if kept is None:
        kept = _learn(binned, setting, kind, seed, num_threads)
        finished.write(key, kept)
    score = np.array(kept["score"])
    loss = kind.loss(binned.material.y_validation, score)
    return Trial(setting, loss, int(kept["rounds"]), score)


def _learn(
    binned: BinnedMaterial, setting: Setting, kind: Kind, seed: int, num_threads: int
) -> dict[str, Any]:
    rows = binned(setting)
    grown = [
        grow(
            rows,
            setting.trees,
            num_rounds=_MOST_ROUNDS,
            seed=seed + i,
            metric=kind.stop,
            num_classes=binned.material.num_classes,
            num_threads=num_threads,
        )
        for i in range(_SEEDS)
    ]
    rounds = best_round([one.curve for one in grown], kind.stop_sign)
    x = binned.material.validation(setting).x
    scores = [
        kind.to_score(np.asarray(one.booster.predict(x, num_iteration=rounds)))
        for one in grown
    ]
    return {"rounds": rounds, "score": np.mean(scores, axis=0).tolist()}


def shapes(num_rows: int, objective: str) -> list[Trees]:
    """Trees worth trying on so many rows, the safest first.

    Args:
        num_rows: Rows of training.
        objective: LightGBM's name.

    Example:
        >>> shapes(1000, "binary")[0].num_leaves
        8
    """
    if num_rows > 50_000:
        return [
            Trees(objective, 31, 100, 0.5, 0.8, 0.1),
            Trees(objective, 15, 200, 0.3, 0.8, 0.1),
            Trees(objective, 63, 100, 0.7, 0.8, 0.1),
        ]
    return [
        Trees(objective),
        Trees(objective, 4, 30, 0.15, 0.7, 0.05),
        Trees(objective, 16, 60, 0.15, 0.7, 0.03, 20.0),
        Trees(objective, 24, 20, 0.5, 0.7, 0.05),
        Trees(objective, 6, 150, 0.1, 0.7, 0.015, 20.0),
    ]


def search(
    binned: BinnedMaterial,
    kind: Kind,
    *,
    history: str = "fresh",
    seed: int,
    num_threads: int,
    finished: Finished,
    progress: Callable[[str], None],
) -> list[Trial]:
    """Tries sizes, half-lives, trees and objectives in turn; best trial first.

    Args:
        binned: What is learned from.
        kind: Of label.
        history: What the training rows see.
        seed: First of the seeds.
        num_threads: Does not change the result.
        finished: Where trials are kept, and found again after an interruption.
        progress: Told of each trial.
    """
    material = binned.material
    trials: list[Trial] = []

    def attempt(setting: Setting) -> None:
        if any(trial.setting == setting for trial in trials):
            return
        trials.append(
            try_setting(
                binned,
                setting,
                kind,
                seed=seed,
                num_threads=num_threads,
                finished=finished,
            )
        )
        progress(f"trial {len(trials)}: {kind.metric} {abs(trials[-1].loss):.4f}")

    plain = shapes(len(material.y), kind.objectives[0])[0]
    attempt(Setting(history, 0.0, 0, plain))
    for stage in _STAGES:
        best = min(trials, key=_loss).setting
        for setting in stage(best, material, kind):
            attempt(setting)
    return sorted(trials, key=_loss)


def _loss(trial: Trial) -> float:
    return trial.loss


def _half_lives(best: Setting, material: Material, kind: Kind) -> Iterator[Setting]:
    del kind
    if material.age.max(initial=0.0) > 0:
        for half_life in (0.5, 0.2, 0.08):
            yield replace(best, half_life=half_life)


def _trees(best: Setting, material: Material, kind: Kind) -> Iterator[Setting]:
    del kind
    for trees in shapes(len(material.y), best.trees.objective):
        yield replace(best, trees=trees)


def _objectives(best: Setting, material: Material, kind: Kind) -> Iterator[Setting]:
    del material
    for objective in kind.objectives:
        yield replace(best, trees=replace(best.trees, objective=objective))


def _selections(best: Setting, material: Material, kind: Kind) -> Iterator[Setting]:
    del kind
    for size in (600, 200, 70):
        if material.order is not None and size < len(material.order):
            yield replace(best, num_features=size)


_STAGES = (_selections, _half_lives, _trees, _objectives)
