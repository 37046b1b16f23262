"""Trials of treatments: each on new weights, under one budget, on validation only."""

from __future__ import annotations

import copy
import functools
import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedParameter
from torch_geometric.data import Data, HeteroData

from benthic.checks.controls import fresh_copy, isolated_copy
from benthic.checks.passes import forked_randomness
from benthic.errors import InputError
from benthic.forward import Forward, call_model, output_rows
from benthic.nn.acceleration import accelerate
from benthic.supervision import Measure, Supervision
from benthic.training import Protocol, train_together
from benthic.treatment.shortlist import Candidate
from benthic.treatment.treatments import treat
from benthic.treatment.wanted import is_propagation

_RESAMPLES = 200
_LOG_ERROR = 0.05  # of half precision; that of logits is a number of nats


class OutOfTimeError(Exception):
    """The budget ran out in the middle of a trial."""


class Gain(NamedTuple):
    """What a treatment adds to the validation score.

    Args:
        mean: Over the seeds.
        standard_error: Of that mean, over seeds and validation nodes.
    """

    mean: float
    standard_error: float


@dataclass(frozen=True)
class Reached:
    """What a network reached, seed by seed.

    Args:
        models: The trained networks, each at its best validation epoch.
        val: Their validation scores.
        rows: Their logits of the validation nodes.
        seconds: Wall time.
    """

    models: Sequence[nn.Module]
    val: tuple[float, ...]
    rows: tuple[Tensor, ...]
    seconds: float

    @property
    def mean(self) -> float:
        """Mean validation score."""
        return statistics.fmean(self.val)

    @property
    def best(self) -> nn.Module:
        """The network of the best seed by validation; the first of equals."""
        return self.models[max(range(len(self.val)), key=lambda i: self.val[i])]


def without_test(data: Any) -> Data | HeteroData:
    """The same graph without its test split: no mask, and no label outside the others.

    Args:
        data: A graph with labels and masks; left as it is.

    Raises:
        InputError: If it has no labels, no training or no validation nodes, or some
            that are both.

    Example:
        >>> graph = Data(
        ...     y=torch.tensor([0, 1, 1]),
        ...     train_mask=torch.tensor([True, False, False]),
        ...     val_mask=torch.tensor([False, True, False]),
        ...     test_mask=torch.tensor([False, False, True]),
        ... )
        >>> without_test(graph).y
        tensor([ 0,  1, -1])
    """
    if not isinstance(data, Data | HeteroData):
        found = f"an object of type {type(data).__name__}"
        raise InputError("data", found, "give one graph: a PyG Data or HeteroData")
    supervision = Supervision.needed(data)
    masks = supervision.masks
    for split, remedy in {
        "train": "give a train_mask that selects labelled nodes",
        "val": "give a val_mask, such as torch_geometric.transforms."
        "RandomNodeSplit(num_val=0.2, num_test=0.2) makes; the choice rests on it",
    }.items():
        if split not in masks or not masks[split].any():
            found = f"no labelled nodes in the {split} split"
            raise InputError("data", found, remedy)
    shared = int((masks["train"] & masks["val"]).sum())
    if shared:
        found = f"{shared:,} training nodes in the val split, of {masks['val'].sum():,}"
        raise InputError("data", found, "give a val_mask of other nodes")
    blind = copy.copy(data)
    store = blind[supervision.node_type] if supervision.node_type else blind
    seen = masks["train"] | masks["val"]
    store["y"] = torch.where(seen, supervision.y, -1).reshape(store["y"].shape)
    if "test_mask" in store:
        del store["test_mask"]
    return blind


def gain(
    treated: Sequence[Tensor], untreated: Sequence[Tensor], y: Tensor, metric: Measure
) -> Gain:
    r"""The mean gain over the seeds, with its standard error.

    .. math:: \text{SE}^2 = \frac{s^2_\text{seeds}}{S} + s^2_\text{nodes}

    the variance of the paired gains over :math:`S` seeds, and that of the mean gain
    over bootstrap samples of the validation nodes, the same for both networks. Seeds
    alone would not do: ten seeds that gain on the same five nodes look certain.

    Args:
        treated: Logits ``[N, C]`` of the validation nodes, one for each seed.
        untreated: Likewise, in the same order of seeds.
        y: Their classes, ``[N]``.
        metric: What to measure.

    Example:
        >>> from benthic.supervision import accuracy
        >>> right, wrong = torch.eye(2), torch.eye(2).flip(0)
        >>> gain([right], [wrong], torch.tensor([0, 1]), accuracy)
        Gain(mean=1.0, standard_error=0.0)
    """
    pairs = list(zip(treated, untreated, strict=True))
    gains = [metric(a, y) - metric(b, y) for a, b in pairs]
    seeds = statistics.variance(gains) / len(gains) if len(gains) > 1 else 0.0
    generator = torch.Generator().manual_seed(0)
    resampled = []
    for _ in range(_RESAMPLES):
        nodes = torch.randint(len(y), (len(y),), generator=generator).to(y.device)
        drawn = y[nodes]
        means = [metric(a[nodes], drawn) - metric(b[nodes], drawn) for a, b in pairs]
        resampled.append(statistics.fmean(means))
    known = [value for value in resampled if math.isfinite(value)]
    nodes_variance = statistics.variance(known) if len(known) > 1 else 0.0
    return Gain(statistics.fmean(gains), math.sqrt(seeds + nodes_variance))


class Trials:
    """Trains treated copies of a model with new weights, all under the same budget.

    Args:
        model: The user's; stays as it is.
        data: A graph without its test split.
        protocol: How to train.
        seeds: One network each; the same first weights with and without a treatment.
        deadline: Of ``time.monotonic()``, after which a trial stops; None for none.
        forward: How to call the model on the graph.
    """

    def __init__(
        self,
        model: nn.Module,
        data: Data | HeteroData,
        protocol: Protocol,
        seeds: Sequence[int],
        deadline: float | None = None,
        forward: Forward = call_model,
    ) -> None:
        self.forward = forward
        self.model = _materialized(model, data, seeds[0], forward)
        self.data = data
        self.protocol = protocol
        self.seeds = seeds
        self.deadline = deadline
        self.supervision = Supervision.needed(data)
        self.y = self.supervision.y[self.supervision.masks["val"]]

    @property
    def is_out_of_time(self) -> bool:
        """Whether the deadline has passed."""
        return self.deadline is not None and time.monotonic() >= self.deadline

    @functools.cached_property
    def is_log(self) -> bool:
        """Whether the model returns log-probabilities, as after ``log_softmax``."""
        with forked_randomness(self.model, self.seeds[0]):
            rows = self._rows(self._fresh(self.seeds[0]).eval()).float()
        sums = rows.logsumexp(-1).abs()
        return rows.size(-1) > 1 and bool((sums < _LOG_ERROR).all())

    @property
    def kept(self) -> tuple[str, ...]:
        """Parameters that no ``reset_parameters`` makes anew: all trials share them."""
        return fresh_copy(self.model, self.seeds[0])[1]

    def own(self) -> float:
        """The validation score of the user's model as it was handed over."""
        with forked_randomness(self.model, self.seeds[0]):
            rows = self._rows(isolated_copy(self.model).eval())
        return self.protocol.metric(rows, self.y)

    def untreated(self) -> Reached:
        """The same network with new weights; its trial is never cut short.

        Raises:
            InputError: If the validation split has no score.
        """
        reached = self._train([accelerate(self._fresh(s)) for s in self.seeds], {})
        if not math.isfinite(reached.mean):
            found = f"a val split whose score is {reached.mean}"
            remedy = "choose one with nodes of every class, or another metric"
            raise InputError("data", found, remedy)
        plain = [self._fresh(seed) for seed in self.seeds]
        for model, trained in zip(plain, reached.models, strict=True):
            model.load_state_dict(trained.state_dict())
            model.eval()
        return replace(reached, models=plain)

    def treated(self, candidate: Candidate) -> Reached:
        """The network with a candidate's treatments.

        Args:
            candidate: What to try.

        Raises:
            InputError: If the model and the treatments do not go together, as
                log-probabilities and a propagation of them.
            OutOfTimeError: If the deadline passes.
        """
        models = []
        if self.is_log and any(map(is_propagation, candidate.treatments)):
            found = "log-probabilities, where a propagation wants logits"
            raise InputError("model", found, "leave log_softmax to the loss")
        for seed in self.seeds:
            with forked_randomness(self.model, seed):
                models.append(treat(self._fresh(seed), *candidate.treatments))
        return self._train(models, candidate.changes, self._check_time)

    def _fresh(self, seed: int) -> nn.Module:
        return fresh_copy(self.model, seed)[0]

    def _train(
        self,
        models: list[nn.Module],
        changes: Any,
        progress: Callable[[int, int], None] | None = None,
    ) -> Reached:
        start = time.monotonic()
        with torch.inference_mode(mode=False), torch.enable_grad():
            runs = train_together(
                models,
                self.data,
                self.protocol,
                seeds=list(self.seeds),
                forward=self.forward,
                progress=progress,
                **changes,
            )
        val = tuple(float(run.metrics["val"] or 0.0) for run in runs)
        rows = tuple(self._rows(model.eval()) for model in models)
        return Reached(models, val, rows, time.monotonic() - start)

    def _check_time(self, epoch: int, epochs: int) -> None:
        if self.is_out_of_time and epoch < epochs:
            raise OutOfTimeError(f"{epoch} of {epochs} epochs")

    def _rows(self, model: nn.Module) -> Tensor:
        with torch.no_grad():
            output = self.forward(model, self.data)
        rows = output_rows(output, self.supervision.node_type)
        return rows[self.supervision.masks["val"]]


def _materialized(
    model: nn.Module, data: Data | HeteroData, seed: int, forward: Forward
) -> nn.Module:
    """A copy whose lazy layers know their widths."""
    twin = isolated_copy(model)
    if any(isinstance(p, UninitializedParameter) for p in twin.parameters()):
        with forked_randomness(model, seed), torch.no_grad():
            forward(twin.eval(), data)
        twin.train(model.training)
    return twin
