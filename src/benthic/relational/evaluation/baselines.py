"""What does no model at all score?  Honest answers from the labels of the past.

A label of the past is known at a seed only if it was observed by then:
``observed_at <= min(anchor_time, cut_time)``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from benthic.relational.evaluation.shares import shares


def known_until(seeds: pd.DataFrame) -> pd.Series:
    """Until when a seed may look: its anchor time, or its cut where that is earlier.

    Args:
        seeds: With ``anchor_time`` and, in a frozen evaluation, ``cut_time``.

    Example:
        >>> at = pd.to_datetime(["2026-01-02"])
        >>> known_until(pd.DataFrame({"anchor_time": at})).dt.day.tolist()
        [2]
    """
    if "cut_time" not in seeds:
        return seeds["anchor_time"]
    return seeds["anchor_time"].where(
        seeds["anchor_time"] <= seeds["cut_time"], seeds["cut_time"]
    )


def global_value(
    history: pd.DataFrame,
    seeds: pd.DataFrame,
    statistic: Callable[[pd.Series], Any] = np.mean,
) -> pd.Series:
    """One number for everybody: the mean (or another statistic) of all known labels.

    Args:
        history: ``observed_at`` and ``label``.
        seeds: ``anchor_time`` and perhaps ``cut_time``.
        statistic: Of the known labels.

    Example:
        >>> day = pd.to_datetime(["2026-01-01", "2026-01-09"])
        >>> history = pd.DataFrame({"observed_at": day, "label": [1.0, 3.0]})
        >>> seeds = pd.DataFrame({"anchor_time": pd.to_datetime(["2026-01-05"])})
        >>> global_value(history, seeds).tolist()
        [1.0]
    """
    until = known_until(seeds)
    ordered = history.sort_values("observed_at", kind="stable")
    count = np.searchsorted(ordered["observed_at"], until, side="right")
    values = {
        int(n): statistic(ordered["label"].iloc[:n]) if n else np.nan
        for n in np.unique(count)
    }
    return pd.Series([values[int(n)] for n in count], index=seeds.index)


def _as_of(past: pd.DataFrame, seeds: pd.DataFrame) -> pd.Series:
    """``value`` of the last row of the entity that is known at each seed."""
    left = pd.DataFrame(
        {"entity": seeds["entity"].to_numpy(), "until": known_until(seeds).to_numpy()}
    )
    left["row"] = np.arange(len(left))
    left = left.sort_values("until", kind="stable")
    left["until"] = left["until"].astype("datetime64[us]")
    right = past[["entity", "observed_at", "value"]].astype(
        {"observed_at": "datetime64[us]"}
    )
    found = pd.merge_asof(
        left, right, left_on="until", right_on="observed_at", by="entity"
    )
    return found.sort_values("row")["value"].set_axis(seeds.index)


def entity_mean(history: pd.DataFrame, seeds: pd.DataFrame) -> pd.Series:
    """Mean of the entity's own known labels; not a number for a new entity.

    Args:
        history: ``entity``, ``observed_at`` and ``label``.
        seeds: ``entity``, ``anchor_time`` and perhaps ``cut_time``.

    Example:
        >>> day = pd.to_datetime(["2026-01-01", "2026-01-02"])
        >>> history = pd.DataFrame(
        ...     {"entity": [7, 7], "observed_at": day, "label": [1.0, 2.0]}
        ... )
        >>> seeds = pd.DataFrame({"entity": [7, 8], "anchor_time": day[[1, 1]]})
        >>> entity_mean(history, seeds).tolist()
        [1.5, nan]
    """
    past = history.sort_values("observed_at", kind="stable").reset_index(drop=True)
    own = past.astype({"label": float}).groupby("entity", sort=False)["label"]
    past["value"] = own.cumsum() / (own.cumcount() + 1)
    return _as_of(past, seeds)


def last_value(history: pd.DataFrame, seeds: pd.DataFrame) -> pd.Series:
    """The entity's latest known label; not a number for a new entity.

    Args:
        history: ``entity``, ``observed_at`` and ``label``.
        seeds: ``entity``, ``anchor_time`` and perhaps ``cut_time``.

    Example:
        >>> day = pd.to_datetime(["2026-01-01", "2026-01-02"])
        >>> history = pd.DataFrame(
        ...     {"entity": [7, 7], "observed_at": day, "label": [1.0, 2.0]}
        ... )
        >>> seeds = pd.DataFrame({"entity": [7], "anchor_time": day[[1]]})
        >>> last_value(history, seeds).tolist()
        [2.0]
    """
    past = history.sort_values("observed_at", kind="stable")
    return _as_of(past.assign(value=past["label"]), seeds)


def _best(counts: Counter[Any], k: int) -> list[Any]:
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], str(pair[0])))
    return [value for value, _ in ordered[:k]]


def popularity(history: pd.DataFrame, seeds: pd.DataFrame, k: int) -> pd.Series:
    """The k values that occur most often in all known labels, the same for everybody.

    Args:
        history: ``observed_at`` and ``label``, a set of values.
        seeds: ``anchor_time`` and perhaps ``cut_time``.
        k: How many values.

    Example:
        >>> day = pd.to_datetime(["2026-01-01"])
        >>> history = pd.DataFrame({"observed_at": day, "label": [["a", "b"]]})
        >>> popularity(history, pd.DataFrame({"anchor_time": day}), k=1).tolist()
        [['a']]
    """
    return global_value(
        history, seeds, lambda sets: _best(Counter(v for s in sets for v in s), k)
    ).map(lambda found: found if isinstance(found, list) else [])


def past_visit(history: pd.DataFrame, seeds: pd.DataFrame, k: int) -> pd.Series:
    """The k values that occur most often in the entity's own known labels.

    Args:
        history: ``entity``, ``observed_at`` and ``label``, a set of values.
        seeds: ``entity``, ``anchor_time`` and perhaps ``cut_time``.
        k: How many values.

    Example:
        >>> day = pd.to_datetime(["2026-01-01"])
        >>> history = pd.DataFrame(
        ...     {"entity": [7], "observed_at": day, "label": [["a", "b"]]}
        ... )
        >>> seeds = pd.DataFrame({"entity": [7, 8], "anchor_time": day[[0, 0]]})
        >>> past_visit(history, seeds, k=5).tolist()
        [['a', 'b'], []]
    """
    past = history.sort_values("observed_at", kind="stable")
    counts: dict[Any, Counter[Any]] = {}
    found = []
    for entity, visited in zip(past["entity"], past["label"], strict=True):
        so_far = counts.get(entity, Counter()) + Counter(visited)
        counts[entity] = so_far
        found.append(_best(so_far, k))
    if not found:
        return pd.Series([[] for _ in range(len(seeds))], index=seeds.index)
    values = _as_of(past.assign(value=found), seeds)
    return values.map(lambda said: said if isinstance(said, list) else [])


def baseline_predictions(
    task_type: str,
    history: pd.DataFrame,
    seeds: pd.DataFrame,
    *,
    k: int = 10,
    classes: Sequence[Any] = (),
) -> dict[str, pd.DataFrame]:
    """The baselines that make sense for a task, as prediction frames.

    Args:
        task_type: binary, multiclass, regression, forecast, multilabel or ranking.
        history: ``entity``, ``observed_at``, ``label`` (and ``frame``).
        seeds: ``entity``, ``anchor_time`` (``cut_time``, ``frame``).
        k: Length of a ranked list.
        classes: Of a multiclass or multilabel task: what gets a probability.

    Example:
        >>> day = pd.to_datetime(["2026-01-01"])
        >>> history = pd.DataFrame({"entity": [7], "observed_at": day, "label": [1]})
        >>> seeds = pd.DataFrame({"entity": [7], "anchor_time": day})
        >>> sorted(baseline_predictions("binary", history, seeds))
        ['entity_mean', 'global_mean', 'last_value']
    """
    return _BASELINES[task_type](history, seeds, k, classes)


def _binary(
    history: pd.DataFrame, seeds: pd.DataFrame, k: int, classes: Sequence[Any]
) -> dict[str, pd.DataFrame]:
    del k, classes
    history = history.assign(label=history["label"].astype(float))
    everybody = global_value(history, seeds)
    found = {
        "global_mean": everybody,
        "entity_mean": entity_mean(history, seeds).fillna(everybody),
        "last_value": last_value(history, seeds).fillna(everybody),
    }
    return {
        name: pd.DataFrame({"prediction": p >= 0.5, "probability": p})
        for name, p in found.items()
    }


def _regression(
    history: pd.DataFrame, seeds: pd.DataFrame, k: int, classes: Sequence[Any]
) -> dict[str, pd.DataFrame]:
    del k, classes
    if "frame" in seeds:
        return _by_frame(history, seeds)
    middle = global_value(history, seeds, np.median)
    found = {
        "global_mean": global_value(history, seeds),
        "global_median": middle,
        "entity_mean": entity_mean(history, seeds).fillna(middle),
        "last_value": last_value(history, seeds).fillna(middle),
    }
    return {name: pd.DataFrame({"prediction": value}) for name, value in found.items()}


def _by_frame(history: pd.DataFrame, seeds: pd.DataFrame) -> dict[str, pd.DataFrame]:
    # Frame i of an earlier anchor is observed later than frame 0 of the same anchor:
    # a series' last value is its latest observed frame, whichever that was.
    return _regression(
        history.drop(columns="frame"), seeds.drop(columns="frame"), 0, ()
    )


def _shares(
    sets: pd.DataFrame, seeds: pd.DataFrame, names: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Shares of all known sets, and of the entity's own, that hold each name."""
    until = known_until(seeds)
    nobody = pd.Series(0, index=seeds.index)
    return (
        shares(sets.assign(entity=0), nobody, until, names),
        shares(sets, seeds["entity"], until, names),
    )


def _multiclass(
    history: pd.DataFrame, seeds: pd.DataFrame, k: int, classes: Sequence[Any]
) -> dict[str, pd.DataFrame]:
    del k
    names = [str(value) for value in classes]
    sets = history.assign(label=[[str(value)] for value in history["label"]])
    everybody, own = _shares(sets, seeds, names)
    last = last_value(history, seeds)
    is_last = last.map(str).to_numpy(object)[:, None] == np.array(names, object)
    known = np.where(last.isna().to_numpy()[:, None], np.nan, is_last)
    found = {}
    for name, said in {
        "global_mean": everybody,
        "entity_mean": own,
        "last_value": known,
    }.items():
        said = np.where(np.isnan(said), everybody, said)
        frame = _probabilities(said, names, seeds)
        best = np.nan_to_num(said).argmax(axis=1)
        frame.insert(0, "prediction", np.asarray(classes, dtype=object)[best])
        found[name] = frame
    return found


def _probabilities(
    said: np.ndarray, names: Sequence[str], seeds: pd.DataFrame
) -> pd.DataFrame:
    columns = [f"probability_{name}" for name in names]
    return pd.DataFrame(said, columns=columns, index=seeds.index)


def _multilabel(
    history: pd.DataFrame, seeds: pd.DataFrame, k: int, classes: Sequence[Any]
) -> dict[str, pd.DataFrame]:
    names = [str(value) for value in classes]
    sets = history.assign(
        label=[[str(value) for value in held] for held in history["label"]]
    )
    everybody, own = _shares(sets, seeds, names)
    said = {
        "popularity": everybody,
        "past_visit": own,
        "past_visit_then_popularity": np.where(np.isnan(own), everybody, own),
    }
    # What was never seen has no share: nothing speaks for any value.
    return {
        name: lists.join(_probabilities(np.nan_to_num(said[name]), names, seeds))
        for name, lists in _ranking(history, seeds, k, classes).items()
    }


def _ranking(
    history: pd.DataFrame, seeds: pd.DataFrame, k: int, classes: Sequence[Any]
) -> dict[str, pd.DataFrame]:
    del classes
    popular = popularity(history, seeds, k)
    own = past_visit(history, seeds, k)
    both = [
        [*a, *(v for v in b if v not in a)][:k]
        for a, b in zip(own, popular, strict=True)
    ]
    return {
        "popularity": pd.DataFrame({"prediction": popular}),
        "past_visit": pd.DataFrame({"prediction": own}),
        "past_visit_then_popularity": pd.DataFrame(
            {"prediction": pd.Series(both, index=seeds.index)}
        ),
    }


_BASELINES: dict[
    str,
    Callable[[pd.DataFrame, pd.DataFrame, int, Sequence[Any]], dict[str, pd.DataFrame]],
] = {
    "binary": _binary,
    "regression": _regression,
    "forecast": _regression,
    "multiclass": _multiclass,
    "multilabel": _multilabel,
    "ranking": _ranking,
}
