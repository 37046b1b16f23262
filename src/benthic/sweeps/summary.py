"""What the seeds of each depth come to, and what depth costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

GROUP = ("dataset", "conv", "treatment", "num_layers")


def summarize(
    rows: Sequence[Mapping[str, Any]], groups: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    r"""Median and worst test accuracy over seeds, and the loss against shallower.

    .. math::
        \mathrm{depth\_loss}(L) = \max_{l < L} \operatorname{median}_s a_{l,s}
        - \operatorname{median}_s a_{L,s}

    Within one dataset, conv and treatment, over the depths that were run. Negative
    where depth helps; the shallowest depth has none. As shares of nodes, so 0.005 is
    half a point. The trap: a seed that failed has no accuracy and is in no median, so
    look at how many failed.

    Args:
        rows: Rows of a sweep.
        groups: The combinations to report, also those without a row.

    Example:
        >>> group = {"dataset": "cora", "conv": "gcn", "treatment": "none"}
        >>> rows = [{**group, "num_layers": layers, "test": test}
        ...         for layers, test in ((2, 0.75), (2, 0.5), (4, 0.5))]
        >>> groups = [{**group, "num_layers": layers} for layers in (2, 4)]
        >>> shallow, deep = summarize(rows, groups)
        >>> shallow["median"], shallow["worst"], deep["depth_loss"]
        (0.625, 0.5, 0.125)
    """
    found: dict[tuple[Any, ...], list[float]] = {}
    for row in rows:
        if row["test"] is not None:
            found.setdefault(_key(row), []).append(row["test"])
    medians = {key: median(values) for key, values in found.items()}
    return [_summary(group, found, medians) for group in groups]


def _key(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in GROUP)


def _summary(
    group: Mapping[str, Any],
    found: Mapping[tuple[Any, ...], Sequence[float]],
    medians: Mapping[tuple[Any, ...], float],
) -> dict[str, Any]:
    *which, depth = key = _key(group)
    middle = medians.get(key)
    shallower = [
        value
        for (*other, num_layers), value in medians.items()
        if other == which and num_layers < depth
    ]
    best = max(shallower, default=None)
    loss = None if middle is None or best is None else best - middle
    return {
        **dict(zip(GROUP, key, strict=True)),
        "median": middle,
        "worst": min(found[key]) if key in found else None,
        "best_shallower": best,
        "depth_loss": loss,
    }
