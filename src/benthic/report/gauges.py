"""The gauges of a layer: what each shows, how to read it, and its trap."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Gauge:
    """One value that a layer is read by.

    Args:
        field: Its name in a diagnosis.
        title: Its name in words.
        caption: How to read it, and its trap.
        log: Whether only its magnitude tells, so that it is drawn on a log axis.
        limits: The range to draw, a margin included; a lower value extends it.
    """

    field: str
    title: str
    caption: str
    log: bool = False
    limits: tuple[float, float] | None = None


GAUGES = (
    Gauge(
        "mean_cosine",
        "Mean cosine",
        "How alike the rows of a layer point. A display, never a verdict: after a "
        "ReLU even random features read 1/π, and the limit of smoothing is below 1 "
        "in a graph of several components.",
        limits=(-0.03, 1.03),
    ),
    Gauge(
        "centered_cosine",
        "Centered cosine",
        "The same after the mean row is taken away, which removes the ReLU floor. "
        "Near 0: rows differ. Near 1: they do not.",
        limits=(-0.03, 1.03),
    ),
    Gauge(
        "rayleigh_quotient",
        "Rayleigh quotient",
        "Difference across edges per unit of signal. Falls as a layer smooths, "
        "whatever its scale.",
        log=True,
    ),
    Gauge(
        "effective_rank",
        "Effective rank",
        "How many directions the rows really use. Below the number of classes, "
        "classes must share directions.",
        log=True,
    ),
    Gauge(
        "dead_fraction",
        "Dead rows",
        "Share of nodes whose row is all zero. A dead row is silent, not smooth.",
        limits=(-0.03, 1.03),
    ),
    Gauge(
        "norm",
        "Row norm",
        "Mean length of a row. A steady slope on this scale is geometric decay or "
        "growth.",
        log=True,
    ),
)
"""What the rows of a layer look like."""

SIGNALS = (
    Gauge(
        "gradient_norm",
        "Gradient norm",
        "What training sends back to each layer's own parameters. A steep fall "
        "towards the first layers starves them.",
        log=True,
    ),
    Gauge(
        "weight_norm",
        "Weight norm",
        "Weights that shrink to nothing carry nothing. Weight decay does this to a "
        "layer that gets no gradient.",
        log=True,
    ),
)
"""Whether training reaches a layer."""

PROBE = Gauge(
    "probe_accuracy",
    "Probe by layer",
    "What a linear classifier reads from each layer. If it falls with depth only "
    "with the graph on, propagation is to blame.",
    limits=(-0.03, 1.03),
)
"""What the rows of a layer still tell about the labels."""
