"""How often was the label true of entities like this one? Shrunk towards all."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benthic.relational.features import aggregates
from benthic.relational.features.events import Floats, Ints, Moments
from benthic.relational.features.feature import feature
from benthic.relational.features.history import LABELS, LabelHistory
from benthic.relational.features.path_features import Named, view
from benthic.relational.features.windows import Windows

_RECENT = Windows(rows=(30, 120))


def shrinkage(labels: Floats, groups: Ints) -> float:
    """How many labels of its own a group needs before it is believed half.

    Empirical Bayes by the method of moments: m = (variance within groups) / (variance
    between groups), the rate of a group of n is (sum + m · mean of all) / (n + m).

    Args:
        labels: Training labels.
        groups: Group of each.

    Example:
        >>> one = np.repeat([0.0, 1.0], 50)
        >>> shrinkage(one, np.repeat([0, 1], 50)) == 1
        True
    """
    known = np.isfinite(labels) & (groups >= 0)
    labels, groups = labels[known], groups[known]
    kinds, index, counts = np.unique(groups, return_inverse=True, return_counts=True)
    if len(kinds) < 2 or len(labels) <= len(kinds):
        return 20.0
    means = np.bincount(index, labels) / counts
    within = float(np.sum((labels - means[index]) ** 2) / (len(labels) - len(kinds)))
    spread = float(np.sum(counts * (means - labels.mean()) ** 2))
    size = len(labels) - float(np.sum(counts**2)) / len(labels)
    between = (spread - (len(kinds) - 1) * within) / size
    return float(np.clip(within / between, 1.0, 200.0)) if between > 0 else 200.0


def prior_rates(history: LabelHistory, moments: Moments, target: str) -> Floats:
    """The mean label of all entities that each seed may see; newer ones weigh more.

    Args:
        history: Past labels.
        moments: The seeds.
        target: Which label.
    """
    everyone = history.by(np.zeros(len(history), np.int64))
    seen = view(everyone, moments.keyed(np.zeros(len(moments), np.int64)), _RECENT)
    values = everyone.numbers(target)
    whole = aggregates.whole_history(
        values, seen.begin, seen.end, seen.order, 0.5**0.005
    )
    return np.asarray(whole[:, 7])


def rate_features(
    label: str,
    history: LabelHistory,
    groups: Ints,
    weights: dict[str, float],
    moments: Moments,
) -> Named:
    """Shrunk mean label of the seed's group, all of it and its newest rows.

    Args:
        label: What the groups are, for the name.
        history: Past labels.
        groups: Group of each past label, at its own anchor.
        weights: Target -> ``shrinkage``.
        moments: The seeds, keyed by their group.
    """
    events = history.by(groups)
    seen = view(events, moments, _RECENT)
    for target in history.targets:
        prior = prior_rates(history, moments, target)
        values = events.numbers(target)
        whole = aggregates.whole_history(values, seen.begin, seen.end, seen.order, 1.0)
        newest = aggregates.nested_windows(values, seen.end, seen.rows)
        windows: list[tuple[str, NDArray[np.float64]]] = [("all", whole[:, :2])]
        for j, name in enumerate(_RECENT.row_names):
            windows.append((name, newest[:, j, :2]))
        for name, stats in windows:
            count, mean = stats[:, 0], np.nan_to_num(stats[:, 1])
            count = np.nan_to_num(count)
            rate = (count * mean + weights[target] * prior) / (count + weights[target])
            made = feature(label, f"{LABELS} by {label}", LABELS, target, "rate", name)
            yield made, rate
