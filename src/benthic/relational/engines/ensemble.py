"""Trees of several settings and seeds, blended with a linear model, calibrated."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
from safetensors.numpy import load_file, save

from benthic.relational.engines.binned_material import BinnedMaterial
from benthic.relational.engines.boosting import Rows, grow
from benthic.relational.engines.calibration import (
    Calibration,
    choose_calibration,
    sigmoid,
)
from benthic.relational.engines.finished import Finished
from benthic.relational.engines.kinds import BINARY, MEAN, MULTICLASS, REGRESSION, Kind
from benthic.relational.engines.linear import LinearModel, fit_linear
from benthic.relational.engines.material import Material, Setting
from benthic.relational.engines.reasons import gain_shares, tree_effects
from benthic.relational.engines.search import Trial

_KINDS = {kind.name: kind for kind in (BINARY, REGRESSION, MEAN, MULTICLASS)}
_STRENGTHS = (0.01, 0.1, 1.0)
_SHARES = (0.0, 0.25, 0.5, 0.75)
# Two unlike models err less together than validation, used up by the search for the
# trees, can show: half of each, if AUROC there is no worse than by this.
_TOLERANCE = {"binary": 0.003, "regression": 0.0, "multiclass": 0.0}
_LINEAR_CELLS = 30_000_000  # a linear model needs no more to know its coefficients


@dataclass(frozen=True)
class Blend:
    """How scores become predictions; chosen on validation.

    score = (1 - share) · mean of the trees + share · scale · linear model.

    Args:
        share: Of the linear model.
        strength: Of its penalty.
        scale: Brings its spread to that of the trees.
        calibration: Of the probability of a binary label.
        temperature: Divides the scores of a multiclass label.
        loss: On validation, before the final refit.
    """

    share: float = 0.0
    strength: float = 1.0
    scale: float = 1.0
    calibration: Calibration = field(default_factory=Calibration)
    temperature: float = 1.0
    loss: float = float("nan")


@dataclass(frozen=True)
class Ensemble:
    """Fitted models and how their scores become predictions.

    Args:
        kind: Of label.
        boosters: Each counts the same.
        reads: Which features each booster reads.
        linear: Reads what the first booster reads. None where it has no share.
        blend: How they are put together.
    """

    kind: Kind
    boosters: tuple[lightgbm.Booster, ...]
    reads: tuple[np.ndarray, ...]
    linear: LinearModel | None
    blend: Blend

    def score(self, x: np.ndarray) -> np.ndarray:
        """Blended scores: log-odds, values, or log-probabilities `[N, C]`."""
        scores = [
            self.kind.to_score(np.asarray(one.predict(x[:, read], num_threads=1)))
            for one, read in zip(self.boosters, self.reads, strict=True)
        ]
        mean = np.mean(scores, axis=0)
        if self.linear is None:
            return np.asarray(mean)
        straight = self.blend.scale * self.linear(x[:, self.reads[0]])
        return np.asarray((1 - self.blend.share) * mean + self.blend.share * straight)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Calibrated probabilities (of each class), or values.

        Args:
            x: Features `[N, F]`.
        """
        return calibrated(self.kind, self.score(x), self.blend)

    def effects(self, x: np.ndarray) -> np.ndarray:
        """What each feature adds to each score `[N, C, F + 1]`, as SHAP values.

        The last column is the expected score, and the whole adds up to the blended
        score; of several classes, to log-odds between them as they are calibrated.

        Args:
            x: Features `[N, F]`.
        """
        num_scores = self.boosters[0].num_model_per_iteration()
        total = np.zeros((len(x), num_scores, x.shape[1] + 1))
        for one, read in zip(self.boosters, self.reads, strict=True):
            total[:, :, [*read, -1]] += tree_effects(one, x[:, read])
        total /= len(self.boosters)
        if self.linear is not None:
            read, weight = self.reads[0], self.blend.share * self.blend.scale
            total *= 1 - self.blend.share
            total[:, 0, read] += weight * self.linear.effects(x[:, read])
            total[:, 0, -1] += weight * self.linear.intercept
        return np.asarray(total / self.blend.temperature)

    def importance(self, num_features: int) -> np.ndarray:
        """How much each feature is used, on the whole `[F]`; the sum is 1.

        Its share in the gain of the trees' splits, blended with its share in what
        moves the linear model.

        Args:
            num_features: F.
        """
        total = np.zeros(num_features)
        for one, read in zip(self.boosters, self.reads, strict=True):
            total[read] += gain_shares(one) / len(self.boosters)
        if self.linear is not None:
            total *= 1 - self.blend.share
            total[self.reads[0]] += self.blend.share * self.linear.importance()
        return total

    def save(self, folder: Path, name: str) -> None:
        """Writes LightGBM text, safetensors and JSON into a folder.

        Args:
            folder: Must exist.
            name: First part of the file names.
        """
        for i, booster in enumerate(self.boosters):
            text = booster.model_to_string()
            (folder / f"{name}.{i}.txt").write_text(text, encoding="utf-8")
        facts = {
            "kind": self.kind.name,
            "reads": [read.tolist() for read in self.reads],
            "blend": asdict(self.blend),
            "intercept": self.linear.intercept if self.linear else None,
        }
        text = json.dumps(facts, indent=1)
        (folder / f"{name}.json").write_text(text, encoding="utf-8")
        if self.linear is not None:
            arrays = {
                "quantiles": np.ascontiguousarray(self.linear.quantiles),
                "coefficient": np.ascontiguousarray(self.linear.coefficient),
            }
            # Written by Python, so that a full disk is an OSError as everywhere else.
            (folder / f"{name}.safetensors").write_bytes(save(arrays))

    @classmethod
    def load(cls, folder: Path, name: str) -> Ensemble:
        """Reads what :meth:`save` wrote.

        Args:
            folder: Where.
            name: First part of the file names.
        """
        facts = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        boosters = tuple(
            lightgbm.Booster(
                model_str=(folder / f"{name}.{i}.txt").read_text(encoding="utf-8")
            )
            for i in range(len(facts["reads"]))
        )
        linear = None
        if facts["intercept"] is not None:
            arrays = load_file(folder / f"{name}.safetensors")
            linear = LinearModel(**arrays, intercept=facts["intercept"])
        reads = tuple(np.array(read, dtype=int) for read in facts["reads"])
        kind = _KINDS[facts["kind"]]
        return cls(kind, boosters, reads, linear, _blend(facts["blend"]))


def _blend(facts: dict[str, Any]) -> Blend:
    map_ = facts["calibration"]
    calibration = Calibration(map_["kind"], tuple(map_["x"]), tuple(map_["y"]))
    return Blend(**{**facts, "calibration": calibration})


def calibrated(kind: Kind, score: np.ndarray, blend: Blend) -> np.ndarray:
    """From blended scores to calibrated probabilities or values.

    Args:
        kind: Of label.
        score: Blended scores.
        blend: Holds the calibration.

    Example:
        >>> calibrated(BINARY, np.array([0.0]), Blend()).tolist()
        [0.5]
    """
    if kind.name == "binary":
        return blend.calibration(sigmoid(score))
    return kind.from_score(score / blend.temperature)


def choose_blend(
    material: Material, trials: list[Trial], kind: Kind, groups: np.ndarray
) -> Blend:
    """Share and penalty of the linear model, and the calibration, from validation.

    Args:
        material: What is learned from.
        trials: Those whose settings the ensemble takes, best first.
        kind: Of label.
        groups: Number of the entity of each validation row.
    """
    trees = np.mean([trial.score for trial in trials], axis=0)
    label = material.y_validation
    found = [(Blend(loss=kind.loss(label, trees)), trees)]
    # A class for each column is the one kind that the linear model does not speak.
    strengths = _STRENGTHS if trees.ndim == 1 else ()
    models = linear_models(material, trials[0].setting, kind, strengths)
    x = material.validation(trials[0].setting).x
    for strength, linear in zip(strengths, models, strict=True):
        straight = linear(x)
        spread = float(np.std(straight))
        scale = float(np.std(trees)) / spread if kind is BINARY and spread else 1.0
        for share in _SHARES[1:]:
            mixed = (1 - share) * trees + share * scale * straight
            loss = kind.loss(label, mixed)
            found.append((Blend(share, strength, scale, loss=loss), mixed))
    least = min(blend.loss for blend, _ in found)
    enough = least + _TOLERANCE[kind.name]
    good = [pair for pair in found if pair[0].loss <= enough]
    best, chosen = min(good, key=lambda pair: (abs(0.5 - pair[0].share), pair[0].loss))
    return _calibrate(kind, label, chosen, best, groups)


def _calibrate(
    kind: Kind, label: np.ndarray, score: np.ndarray, blend: Blend, groups: np.ndarray
) -> Blend:
    facts = {**vars(blend)}
    if kind is BINARY:
        facts["calibration"] = choose_calibration(label, sigmoid(score), groups)
    if kind is MULTICLASS:
        grid = np.geomspace(0.4, 4.0, 25)
        facts["temperature"] = float(
            min(grid, key=lambda t: kind.loss(label, score / t))
        )
    return Blend(**facts)


def linear_models(
    material: Material, setting: Setting, kind: Kind, strengths: Sequence[float]
) -> list[LinearModel]:
    """The linear models on the rows of a setting, one for each strength.

    Args:
        material: What is learned from.
        setting: Which rows, with which weight.
        kind: Of label.
        strengths: Of the penalty.
    """
    rows = _thinned(material.rows(setting))
    return fit_linear(
        rows.x, rows.y, rows.weight, binary=kind is BINARY, strengths=strengths
    )


def _thinned(rows: Rows) -> Rows:
    step = -(-rows.x.size // _LINEAR_CELLS)
    if step <= 1:
        return rows
    return Rows(rows.x[::step], rows.y[::step], rows.weight[::step])


def fit_ensemble(
    binned: BinnedMaterial,
    trials: list[Trial],
    kind: Kind,
    blend: Blend,
    *,
    num_models: int,
    seed: int,
    num_threads: int,
    finished: Finished,
    progress: Callable[[str], None],
) -> Ensemble:
    """Grows the final trees, the settings in turn, each with its own seed.

    Args:
        binned: What is learned from: train, or train + validation for the refit.
        trials: Settings and rounds, best first.
        kind: Of label.
        blend: Chosen on validation.
        num_models: How many sets of trees.
        seed: First of the seeds.
        num_threads: Does not change the result.
        finished: Where finished trees are kept, and found after an interruption.
        progress: Told of each.
    """
    taken = [trials[i % len(trials)] for i in range(num_models)]
    boosters = []
    for i, trial in enumerate(taken):
        text = _final_trees(binned, trial, seed + 100 + i, num_threads, finished)
        boosters.append(lightgbm.Booster(model_str=text))
        progress(f"model {i + 1} of {num_models}")
    material, first = binned.material, trials[0].setting
    linear = None
    if blend.share > 0:
        linear = linear_models(material, first, kind, (blend.strength,))[0]
    reads = tuple(material.chosen(trial.setting) for trial in taken)
    return Ensemble(kind, tuple(boosters), reads, linear, blend)


def _final_trees(
    binned: BinnedMaterial,
    trial: Trial,
    seed: int,
    num_threads: int,
    finished: Finished,
) -> str:
    key = {
        "model": asdict(trial.setting),
        "rounds": trial.rounds,
        "seed": seed,
        "rows": len(binned.material.y),
    }
    kept = finished.read(key)
    if kept is None:
        grown = grow(
            binned(trial.setting),
            trial.setting.trees,
            num_rounds=trial.rounds,
            seed=seed,
            num_classes=binned.material.num_classes,
            num_threads=num_threads,
        )
        kept = {"text": grown.booster.model_to_string()}
        finished.write(key, kept)
    return str(kept["text"])
