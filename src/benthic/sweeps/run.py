"""Trains the networks of one job, and says what each came to."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from torch import nn
from torch_geometric.data import Data

from benthic.sweeps.cells import Job
from benthic.sweeps.graph import Graph
from benthic.sweeps.hidden_layer import read_hidden_layer
from benthic.training import Training, train_together
from benthic.treatment.named import build_treated

Progress = Callable[[float], None]
"""Told the share of the work that is done, 0 … 1."""


def run(
    job: Job, seeds: Sequence[int], graph: Graph, progress: Progress
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yields each seed with its row's values, or with the reason why it failed.

    A network that cannot be built, raises, or diverges to NaN fails alone: the other
    cells are none the worse for it. What ``progress`` raises is not the network's
    failure: it is raised here, and the cells stay to be run.

    Args:
        job: What to train.
        seeds: Which of its cells.
        graph: Its graph.
        progress: Told how much of these cells is done.
    """
    watched = _Watched(progress)
    try:
        outcomes = _run_together(job, seeds, graph, watched)
    except Exception as error:  # whatever a combination of parts throws
        if error is watched.error:
            raise
        if len(seeds) == 1:
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            yield seeds[0], {"failed": reason[:300]}
            return
        for index, seed in enumerate(seeds):
            yield from run(job, [seed], graph, _part_of(progress, index, len(seeds)))
    else:
        yield from zip(seeds, outcomes, strict=True)


class _Watched:
    """Tells how far the work is, and remembers what the one who is told raised."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self.error: Exception | None = None

    def __call__(self, share: float) -> None:
        try:
            self._progress(share)
        except Exception as error:
            self.error = error
            raise


def _part_of(progress: Progress, index: int, count: int) -> Progress:
    return lambda share: progress((index + share) / count)


def _run_together(
    job: Job, seeds: Sequence[int], graph: Graph, progress: Progress
) -> list[dict[str, Any]]:
    start = time.perf_counter()
    data = graph.prepared(job)
    num_classes = int(data.y.max()) + 1
    models = [
        build_treated(
            job.conv,
            job.treatment,
            data.num_features,
            job.settings.hidden_channels,
            num_classes,
            job.num_layers,
            job.settings.dropout,
            seed,
        )
        for seed in seeds
    ]
    trainings = train_together(
        models,
        data,
        job.settings.protocol,
        seeds=seeds,
        progress=lambda done, planned: progress(done / planned),
    )
    seconds = (time.perf_counter() - start) / len(seeds)
    return [
        _outcome(model, data, training, seconds, num_classes)
        for model, training in zip(models, trainings, strict=True)
    ]


def _outcome(
    model: nn.Module, data: Data, training: Training, seconds: float, num_classes: int
) -> dict[str, Any]:
    losses = training.losses
    epoch = next((i for i, x in enumerate(losses, 1) if not math.isfinite(x)), None)
    if epoch is not None and not math.isfinite(losses[-1]):
        return {"failed": f"the training loss is not a number from epoch {epoch} on"}
    return {
        **training.metrics,
        "epochs": len(losses),
        "seconds": round(seconds, 3),
        "gauges": read_hidden_layer(model, data, num_classes),
    }
