"""How good are predictions?  Numbers for classes, probabilities and values."""

from __future__ import annotations

import numpy as np
from sklearn import metrics as sk


def auroc(label: np.ndarray, probability: np.ndarray) -> float:
    """Chance that a positive is given a higher probability than a negative.

    Ties count half. Not a number where there is only one class.

    Args:
        label: 0 or 1, one for each example.
        probability: Of 1; any increasing function of it gives the same value.

    Example:
        >>> auroc(np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8]))
        0.75
    """
    if len(np.unique(label)) < 2:
        return float("nan")
    return float(sk.roc_auc_score(label, probability))


def average_precision(label: np.ndarray, probability: np.ndarray) -> float:
    """Precision averaged over recall: sum of (R_n - R_{n-1}) P_n.

    Not a number without a positive.

    Args:
        label: 0 or 1, one for each example.
        probability: Of 1.

    Example:
        >>> round(average_precision(np.array([0, 1]), np.array([0.6, 0.4])), 3)
        0.5
    """
    if not np.any(label):
        return float("nan")
    return float(sk.average_precision_score(label, probability))


def log_loss(label: np.ndarray, probability: np.ndarray) -> float:
    """Mean of -log of the probability that was given to what happened, in nats.

    Args:
        label: 0 or 1, or the number of the class, one for each example.
        probability: Of 1, or of each class `[N, C]`.

    Example:
        >>> round(log_loss(np.array([0, 1]), np.array([0.5, 0.5])), 4)
        0.6931
    """
    classes = np.arange(probability.shape[1]) if probability.ndim == 2 else [0, 1]
    if probability.ndim == 2:
        probability = probability / probability.sum(axis=1, keepdims=True)
    return float(sk.log_loss(label, probability, labels=classes))


def brier(label: np.ndarray, probability: np.ndarray) -> float:
    """Mean of (probability - label)².

    Args:
        label: 0 or 1, one for each example.
        probability: Of 1.

    Example:
        >>> brier(np.array([0, 1]), np.array([0.5, 0.5]))
        0.25
    """
    return float(np.mean((probability - label) ** 2))


def calibration_error(
    label: np.ndarray, probability: np.ndarray, num_bins: int = 10
) -> float:
    """Expected calibration error: how far is what happens from what was promised?

    sum over bins of n_b / N · |mean label - mean probability|, in bins of equal width.
    It shrinks with fewer bins and grows with fewer examples: compare like with like.

    Args:
        label: 0 or 1, one for each example.
        probability: Of 1.
        num_bins: Bins between 0 and 1.

    Example:
        >>> calibration_error(np.array([0, 1, 1, 1]), np.full(4, 0.75))
        0.0
    """
    bins = np.minimum((probability * num_bins).astype(int), num_bins - 1)
    count = np.bincount(bins, minlength=num_bins)
    promised = np.bincount(bins, weights=probability, minlength=num_bins)
    happened = np.bincount(bins, weights=label.astype(float), minlength=num_bins)
    return float(np.abs(happened - promised).sum() / count.sum())


def binary_metrics(label: np.ndarray, probability: np.ndarray) -> dict[str, float]:
    """All numbers of a yes-or-no task; a class is said at probability 0.5.

    Args:
        label: 0 or 1, one for each example.
        probability: Of 1.

    Example:
        >>> found = binary_metrics(np.array([0, 1]), np.array([0.2, 0.9]))
        >>> found["auroc"], found["accuracy"], found["f1"]
        (1.0, 1.0, 1.0)
    """
    label = label.astype(int)
    said = (probability >= 0.5).astype(int)
    return {
        "auroc": auroc(label, probability),
        "average_precision": average_precision(label, probability),
        "accuracy": float(np.mean(said == label)),
        "f1": float(sk.f1_score(label, said, zero_division=0.0)),
        "log_loss": log_loss(label, probability),
        "ece": calibration_error(label, probability),
        "brier": brier(label, probability),
    }


def regression_metrics(
    label: np.ndarray, prediction: np.ndarray, scale: float = float("nan")
) -> dict[str, float]:
    """All numbers of a task whose label is a number.

    nmae = MAE / std (ddof=1) of the labels of training; r2 = 1 - sum of squared errors
    / sum of squares around the mean; smape = mean of 2 |p - y| / (|p| + |y|), 0 where
    both are 0.

    Args:
        label: What happened.
        prediction: What was said.
        scale: Standard deviation (ddof=1) of the labels of training, for nmae.

    Example:
        >>> regression_metrics(np.array([1.0, 3.0]), np.array([2.0, 3.0]), 2.0)["nmae"]
        0.25
    """
    mae = float(np.mean(np.abs(prediction - label)))
    size = np.abs(prediction) + np.abs(label)
    gap = 2 * np.abs(prediction - label)
    constant = len(label) < 2 or np.ptp(label) == 0
    return {
        "mae": mae,
        "nmae": mae / scale if scale > 0 else float("nan"),
        "rmse": float(np.sqrt(np.mean((prediction - label) ** 2))),
        "r2": float("nan") if constant else float(sk.r2_score(label, prediction)),
        "smape": float(np.mean(np.divide(gap, size, where=size > 0, out=0 * size))),
    }


def coverage(label: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> float:
    """Share of labels within their interval.

    Args:
        label: What happened.
        lower: Lower end of each interval.
        upper: Upper end of each interval.

    Example:
        >>> coverage(np.array([1.0, 5.0]), np.zeros(2), np.full(2, 2.0))
        0.5
    """
    return float(np.mean((lower <= label) & (label <= upper)))


def mean_reciprocal_rank(label: np.ndarray, probability: np.ndarray) -> float:
    """Mean of 1 / rank of the true class; a tie takes the worse rank.

    A class that no column stands for (number -1) counts 0.

    Args:
        label: Number of the true class.
        probability: Of each class `[N, C]`.

    Example:
        >>> mean_reciprocal_rank(np.array([0, 1]), np.array([[0.6, 0.4], [0.7, 0.3]]))
        0.75
    """
    known = label >= 0
    own = probability[np.arange(len(label)), np.where(known, label, 0)]
    rank = (probability >= own[:, None]).sum(axis=1)
    return float(np.mean(np.where(known, 1.0 / rank, 0.0)))


def multiclass_metrics(label: np.ndarray, probability: np.ndarray) -> dict[str, float]:
    """All numbers of a task with one of several classes.

    macro_f1 is the mean of F1 over the classes that occur or were said.

    Args:
        label: Number of the true class; -1 for one that no column stands for.
        probability: Of each class `[N, C]`.

    Example:
        >>> found = multiclass_metrics(np.array([0, 1]), np.eye(2))
        >>> found["accuracy"], found["macro_f1"], found["mrr"]
        (1.0, 1.0, 1.0)
    """
    said = probability.argmax(axis=1)
    known = label >= 0
    loss = log_loss(label[known], probability[known]) if known.any() else float("nan")
    return {
        "accuracy": float(np.mean(said == label)),
        "macro_f1": float(sk.f1_score(label, said, average="macro", zero_division=0.0)),
        "mrr": mean_reciprocal_rank(label, probability),
        "log_loss": loss,
    }


def multilabel_metrics(label: np.ndarray, probability: np.ndarray) -> dict[str, float]:
    """All numbers of a task with any number of classes at once.

    macro_auroc is the mean over the classes that have both a yes and a no; micro_f1
    counts all decisions at probability 0.5 together.

    Args:
        label: 0 or 1 for each class `[N, C]`.
        probability: Of 1, for each class `[N, C]`.

    Example:
        >>> multilabel_metrics(np.eye(2), np.array([[0.9, 0.2], [0.1, 0.8]]))
        {'macro_auroc': 1.0, 'micro_f1': 1.0}
    """
    columns = zip(label.T, probability.T, strict=True)
    areas = np.array([auroc(truth, said) for truth, said in columns])
    areas = areas[~np.isnan(areas)]
    said = probability.ravel() >= 0.5
    return {
        "macro_auroc": float(areas.mean()) if len(areas) else float("nan"),
        "micro_f1": float(sk.f1_score(label.ravel() > 0, said, zero_division=0.0)),
    }
