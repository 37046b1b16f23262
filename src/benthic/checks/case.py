"""One model on one graph: its reading, and the controls that checks ask for."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import torch
from torch import nn
from torch_geometric.data import Data, HeteroData

from benthic.checks.controls import (
    fresh_copy,
    isolated_copy,
    without_activations,
    without_dropout,
    without_edges,
)
from benthic.checks.noise import Noise, training_noise
from benthic.checks.passes import Loss, Pass, Reading, forked_randomness
from benthic.checks.propagation import HopAccuracy, limit_cosine, propagated_accuracy
from benthic.errors import BenthicError, InputError, ModelError
from benthic.forward import Forward, call_model, iterate_batches
from benthic.metrics.reach import Influence, influence_by_hop
from benthic.supervision import SPLITS, Supervision
from benthic.trace import Layer, LayerReading, find_layers

# Target nodes whose influence is averaged. Each costs one backward pass, and beyond
# 64 hops there are fewer of them, so that the cost stays that of 64 layers.
_INFLUENCE_NODES = 8
_INFLUENCE_HOPS = 64


class Case:
    """Everything the checks may look at; each control runs once, when asked for.

    Works on a copy of the model, so that the caller's stays as it is.

    Args:
        model: Any module.
        data: A graph, a batch, or a loader that can be iterated again and again.
        loss: Loss of an output and its batch; cross-entropy by default.
        forward: How to call the model on a batch.
        layers: Names of the layers to read instead of those found.
        influence: Whether to estimate influence by hop.
        seed: Seeds every random part.
        progress: Told what is being done.
    """

    def __init__(
        self,
        model: nn.Module,
        data: Any,
        *,
        loss: Loss | None = None,
        forward: Forward = call_model,
        layers: Sequence[str] | None = None,
        influence: bool = True,
        seed: int = 0,
        progress: Callable[[str], None] | None = None,
    ) -> None:
        self.model = isolated_copy(model).eval()
        self.data = data
        self.supervision = Supervision.of(data)
        self.seed = seed
        self._pass = Pass(data, forward, loss, layers, seed)
        self._wants_influence = influence
        self._progress = progress or (lambda _: None)

    @cached_property
    def found(self) -> list[Layer]:
        """The model's layers."""
        return find_layers(self.model, self._pass.layers)

    @cached_property
    def reading(self) -> Reading:
        """The model as it is, in evaluation mode, with one backward pass a batch."""
        self._progress("reading the layers")
        reading = self._pass.read(self.model)
        if not reading.layers:
            raise InputError(
                "model",
                f"none of its layers ({', '.join(layer.name for layer in self.found)}) "
                "runs in its forward pass",
                "name layers that run: layers=[…] with names from "
                "model.named_modules()",
            )
        return reading

    @cached_property
    def fresh(self) -> Reading:
        """The same model with new initial weights: could it have trained at all?"""
        self._progress("control: fresh initialization")
        return self._read_fresh(self.seed)

    @cached_property
    def fresh_again(self) -> Reading:
        """Another fresh copy: one unlucky start is no evidence."""
        self._progress("control: another fresh initialization")
        return self._read_fresh(self.seed + 1)

    @cached_property
    def fresh_graph_off(self) -> Reading:
        """New initial weights and no edges: could the MLP in it have trained?"""
        self._progress("control: fresh initialization, graph off")
        return self._read_fresh(self.seed, without_edges)

    @cached_property
    def graph_off(self) -> Reading:
        """The model's own weights without any edge: what the MLP in it does."""
        self._progress("control: graph off")
        return self._attempt(isolated_copy(self.model), change=without_edges)

    @cached_property
    def linear(self) -> Reading:
        """The model's own weights without activations."""
        self._progress("control: activations off")
        with without_activations():
            return self._attempt(self.model, with_probe=False)

    @cached_property
    def weights_off(self) -> tuple[HopAccuracy, ...]:
        """Probe accuracy on merely propagated features; empty where undefined."""
        data, labels = self.data, self.supervision
        if not isinstance(data, Data | HeteroData) or not _has_features(data):
            return ()
        if labels is None or labels.held_out is None or not labels.held_out.any():
            return ()
        if "train" not in labels.masks:
            return ()
        hops = _hop_grid(self.reading.num_hops)
        self._progress("control: weights off")
        return tuple(propagated_accuracy(data, labels, hops))

    @cached_property
    def limit_cosine(self) -> float | None:
        """What the mean cosine of completely smoothed states would be."""
        if not isinstance(self.data, Data) or not _has_features(self.data):
            return None
        return limit_cosine(self.data)

    @cached_property
    def influence(self) -> Influence | None:
        """Influence by hop; None where it is undefined or was not asked for."""
        self._progress("influence by hop")
        return self._influence(self._pass.run)

    @cached_property
    def influence_null(self) -> Influence | None:
        """The influence by hop if every node of the graph were heard equally."""
        return self._influence(_hear_equally)

    def _influence(self, forward: Forward) -> Influence | None:
        if not self._wants_influence or not isinstance(self.data, Data | HeteroData):
            return None
        try:
            return influence_by_hop(
                self.model,
                self.data,
                num_nodes=_affordable_nodes(self.reading.num_hops),
                max_hops=self.reading.num_hops,
                node_type=self.supervision.node_type if self.supervision else None,
                seed=self.seed,
                forward=forward,
            )
        except (BenthicError, RuntimeError):  # torch refuses some backward passes
            return None

    @cached_property
    def noise(self) -> tuple[Noise, ...]:
        """How much of the states survives training mode, layer by layer."""
        self._progress("control: noise of training mode")
        model = self._fresh_model(self.seed)
        with forked_randomness(model, self.seed):
            batch = next(iterate_batches(self.data))
        try:
            noise = training_noise(
                model,
                lambda model: self._pass.run(model, batch),
                layers=self._pass.layers,
                seed=self.seed,
            )
        except ModelError:
            return ()
        return tuple(noise)

    @property
    def hidden(self) -> tuple[LayerReading, ...]:
        """The layers before the last, or the only one."""
        return self.reading.layers[:-1] or self.reading.layers

    @property
    def chance(self) -> float | None:
        """Held-out accuracy of always answering the most frequent training class."""
        return self.reading.chance

    @property
    def margin(self) -> float:
        """What two held-out accuracies may differ by through chance alone.

        The larger of 5 points and 2.5 standard errors of a difference at 80 %.
        """
        count = max(self.reading.num_held_out, 1)
        return max(0.05, 2.5 * math.sqrt(2 * 0.8 * 0.2 / count))

    @property
    def best_hops(self) -> HopAccuracy | None:
        """The weights-off probe that reads the labels best, and how far it looks."""
        return max(self.weights_off, key=lambda point: point.accuracy, default=None)

    @property
    def needed_hops(self) -> HopAccuracy | None:
        """The fewest hops whose weights-off probe is within the margin of the best."""
        best = self.best_hops
        enough = best.accuracy - self.margin if best else 0.0
        return next((p for p in self.weights_off if p.accuracy >= enough), None)

    @property
    def is_failing(self) -> bool | None:
        """Whether the model does clearly worse than it could; None if unknown.

        It does if its held-out accuracy is below chance plus 10 points (a quarter
        of what chance leaves to gain, where that is less), or twice the margin below
        a linear probe on merely propagated features.
        """
        value = self.reading.metrics["val"]
        if value is None or self.chance is None:
            return None
        best = self.best_hops.accuracy if self.best_hops else 0.0
        gain = min(0.1, (1.0 - self.chance) / 4)
        return value < self.chance + gain or value < best - 2 * self.margin

    @property
    def fits(self) -> bool:
        """Whether the training accuracy is 90 %, and half way from chance to 100 %."""
        enough = max(0.9, (1.0 + (self.chance or 0.0)) / 2)
        return (self.reading.metrics["train"] or 0.0) >= enough

    def _read_fresh(
        self, seed: int, change: Callable[[Any], Any] = lambda batch: batch
    ) -> Reading:
        # Training mode, so that batch norms see the batch; but without dropout.
        with without_dropout():
            reading = self._attempt(
                self._fresh_model(seed).train(), change=change, with_probe=False
            )
        # A batch norm refuses one row a batch while it trains.
        if reading.layers:
            return reading
        return self._attempt(
            self._fresh_model(seed).eval(), change=change, with_probe=False
        )

    def _attempt(self, model: nn.Module, **how: Any) -> Reading:
        """A control that the model may refuse to run: then a reading of nothing."""
        try:
            return self._pass.read(model, **how)
        except ModelError:
            return Reading((), (), None, dict.fromkeys(SPLITS))

    def _fresh_model(self, seed: int) -> nn.Module:
        return fresh_copy(self.model, seed)[0]


def _hear_equally(_: nn.Module, data: Data | HeteroData) -> Any:
    """A network whose every output hears every node with the same weight."""
    stores = [store for store in data.node_stores if "x" in store]
    heard = torch.cat([x.sum(1) / x.size(1) ** 0.5 for x in (s.x for s in stores)])
    outputs = {s._key: heard.sum().expand(s.num_nodes, 1) for s in data.node_stores}
    return outputs if isinstance(data, HeteroData) else outputs[None]


def _affordable_nodes(reach: int | None) -> int:
    excess = max(1, (reach or 0) // _INFLUENCE_HOPS)
    return max(2, _INFLUENCE_NODES // excess)


def _hop_grid(reach: int | None) -> list[int]:
    """0 to 4, then two steps an octave, to 64 hops beyond the model's reach."""
    end = max(8, (reach or 0) + min(reach or 0, 64))
    steps = [start << octave for octave in range(24) for start in (3, 4)]
    grid = {0, 1, 2, *steps, reach or 0}
    return sorted(hops for hops in grid if hops <= end)


def _has_features(data: Data | HeteroData) -> bool:
    if isinstance(data, HeteroData):
        return any("x" in store for store in data.node_stores)
    return torch.is_tensor(data.x) and bool({"edge_index", "adj_t"} & set(data.keys()))
