"""Reads the states, messages and gradients of a model's layers as it runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle
from torch_geometric.nn import MessagePassing
from typing_extensions import Self

from benthic.supervision import Supervision
from benthic.trace.arguments import edge_inputs, ends, node_states, relation_of
from benthic.trace.flow import Flow, Source
from benthic.trace.gradients import Gradients
from benthic.trace.layers import Layer, find_layers
from benthic.trace.messages import Messages
from benthic.trace.reading import Edges, Gauges, LayerReading, RelationReading


class Trace:
    """Watches a model while the caller runs it, and changes nothing.

    Inside the ``with`` block every forward pass feeds the gauges of every layer,
    and every backward pass its gradient norms. What is read is the true stream:
    the tensor that the next layer consumes, after activation, norm, dropout and
    skip; for the last layer what the classifier consumes. Leaving the block,
    also by an exception, removes every hook.

    States are reduced to sums at once, so that at most one layer's states are
    kept beyond what the forward pass itself holds.

    Args:
        model: Any module.
        layers: Names of the layers to read instead of those found; see
            :func:`~benthic.trace.find_layers`.
        supervision: Labels for the linear probe; may be set again before each
            batch.

    Raises:
        InputError: If the model has no layer that can be found by itself.

    Example:
        >>> from torch_geometric.nn import GCN
        >>> model = GCN(3, 8, num_layers=2, out_channels=2).eval()
        >>> with Trace(model) as trace:
        ...     out = model(torch.rand(4, 3), torch.tensor([[0, 1, 2], [1, 2, 3]]))
        >>> [(layer.name, layer.channels) for layer in trace.layers]
        [('convs.0', 8), ('convs.1', 2)]
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        layers: Sequence[str] | None = None,
        supervision: Supervision | None = None,
    ) -> None:
        self.model = model
        self.supervision = supervision
        self.found = find_layers(model, layers)
        self._gradients = Gradients(self.found)
        self._handles: list[RemovableHandle] = []
        self._gauges: dict[tuple[int, int, str | None, int], Gauges] = {}
        self._messages = Messages()
        self._hops: dict[int, int] = {}
        self._flow: Flow | None = None
        self._start_forward()

    def __enter__(self) -> Self:
        try:
            self._attach()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stop_following()
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    @property
    def layers(self) -> list[LayerReading]:
        """The readings so far, in the order in which the layers ran."""
        readings = []
        for (index, _, _, _), gauges in self._gauges.items():
            layer = self.found[index]
            gradient_norm, why = self._gradients.norm(index)
            undefined = {} if gradient_norm is not None else {"gradient_norm": why}
            weight_norm = _weight_norm(layer)
            if weight_norm is None:
                undefined["weight_norm"] = "the layer has no weight matrix"
            readings.append(gauges.reading(weight_norm, gradient_norm, undefined))
        return readings

    @property
    def relations(self) -> list[RelationReading]:
        """How alike the messages of each two relations into one node type are."""
        return self._messages.readings(self.found)

    @property
    def num_hops(self) -> int | None:
        """How far the model reaches, in edges; None if a layer hears every node."""
        if any(layer.is_global for layer in self.found):
            return None
        return sum(self._hops.values())

    def _attach(self) -> None:
        self._handles.append(
            self.model.register_forward_pre_hook(self._model_starts, with_kwargs=True)
        )
        for index, layer in enumerate(self.found):
            for relation, module in layer.modules.items():
                self._hook_forward(
                    module,
                    _with(self._layer_starts, index, relation),
                    _with(self._layer_ends, index, relation),
                )
            for conv in layer.convs:
                self._hook_conv(index, conv)
        # Registered last: the model may itself be a layer, whose hook comes first.
        self._handles += [
            self.model.register_forward_hook(self._model_ends),
            self.model.register_forward_hook(
                lambda *_: self._stop_following(), always_call=True
            ),
            *self._gradients.attach(),
        ]

    def _hook_forward(
        self, module: nn.Module, start: Callable[..., None], end: Callable[..., None]
    ) -> None:
        self._handles += [
            module.register_forward_pre_hook(start, with_kwargs=True),
            module.register_forward_hook(end),
        ]

    def _hook_conv(self, index: int, conv: MessagePassing) -> None:
        steps = getattr(conv, "K", 1)
        several = isinstance(steps, int) and steps > 1
        relation = relation_of(self.found[index], conv)
        self._handles += [
            conv.register_forward_pre_hook(
                _with(self._conv_starts, index, relation), with_kwargs=True
            ),
            conv.register_propagate_forward_hook(
                _with(self._propagated, index, several)
            ),
        ]
        if relation:
            self._handles.append(
                conv.register_forward_hook(_with(self._conv_ends, relation))
            )

    def _start_forward(self) -> None:
        self._edges: dict[tuple[int, str | None], Edges] = {}
        self._steps: dict[int, dict[MessagePassing, int]] = {}
        self._calls: dict[int, int] = {}
        self._open_layer: int | None = None
        self._order = 0
        self._given: set[int] = set()

    def _model_starts(self, _: nn.Module, args: Any, kwargs: Any) -> None:
        self._stop_following()
        self._start_forward()
        self._given = {id(x) for x in [*args, *kwargs.values()] if torch.is_tensor(x)}
        self._flow = Flow()
        self._flow.__enter__()  # type: ignore[no-untyped-call]

    def _model_ends(self, *_: Any) -> None:
        if self._flow is None:
            return
        self._end_open_layer()
        for source, x in self._flow.unread():
            self._read(source, x)

    def _stop_following(self) -> None:
        if self._flow is not None:
            self._flow.__exit__(None, None, None)  # type: ignore[no-untyped-call]
            self._flow = None

    def _layer_starts(
        self, _: nn.Module, args: Any, kwargs: Any, index: int, relation: str
    ) -> None:
        if self._flow is None:
            return
        self._flow.paused += 1
        if index != self._open_layer or not relation:
            self._end_open_layer()
            self._open_layer = index
            self._calls[index] = self._calls.get(index, 0) + 1
            self._order += 1
        for node_type, x in node_states(args, kwargs, relation):
            source = self._flow.source(x) or self._by_order(x, node_type)
            if source is not None and self._flow.is_open(source):
                self._read(source, x)

    def _layer_ends(
        self, _: nn.Module, _args: Any, out: Any, index: int, relation: str
    ) -> None:
        if self._flow is None:
            return
        self._flow.paused -= 1
        target = ends(relation)[1]
        for node_type, x in node_states([out], {}):
            source = Source(index, self._calls[index], self._order, node_type or target)
            self._flow.produced(x, source)

    def _end_open_layer(self) -> None:
        if self._open_layer is not None:
            self._messages.compare(self._open_layer)
        self._open_layer = None

    def _by_order(self, x: Tensor, node_type: str | None) -> Source | None:
        """The previous layer, where an operation could not be followed."""
        assert self._flow is not None
        if id(x) in self._given:
            return None
        before = [s for s, y in self._flow.unread() if y.shape == x.shape]
        before = [s for s in before if s.node_type == node_type]
        return max(before, key=lambda source: source.order, default=None)

    def _read(self, source: Source, x: Tensor, step: int = 0) -> None:
        assert self._flow is not None
        self._flow.paused += 1
        try:
            slot = (source.layer, source.call, source.node_type, step)
            name = self.found[source.layer].name or type(self.model).__name__
            name += f"[{step}]" if step else ""
            name += f"#{source.call}" if source.call > 1 else ""
            if slot not in self._gauges:
                self._gauges[slot] = Gauges(name, source.node_type)
            edges = self._edges.get((source.layer, source.node_type))
            with torch.no_grad():
                self._gauges[slot].update(x, edges, self.supervision)
            if not step:
                self._flow.consume(source)
        finally:
            self._flow.paused -= 1

    def _conv_starts(
        self, _: nn.Module, args: Any, kwargs: Any, index: int, relation: str
    ) -> None:
        source, target = ends(relation)
        if source != target:
            return
        for node_type, edge_index, edge_weight in edge_inputs(args, kwargs):
            self._edges[index, node_type or target] = Edges(
                edge_index, edge_weight, self.found[index].normalization
            )

    def _conv_ends(self, _: nn.Module, _args: Any, out: Any, relation: str) -> None:
        if torch.is_tensor(out) and self._flow is not None:
            self._messages.send(relation, str(ends(relation)[1]), out)

    def _propagated(
        self, conv: MessagePassing, _: Any, out: Any, index: int, several: bool
    ) -> None:
        if self._flow is None:
            return
        steps = self._steps.setdefault(index, {})
        steps[conv] = step = steps.get(conv, 0) + 1
        self._hops[index] = max(self._hops.get(index, 0), step)
        is_power_of_two = step & (step - 1) == 0
        if several and is_power_of_two and torch.is_tensor(out) and out.dim() == 2:
            call = self._calls.get(index, 1)
            self._read(Source(index, call, self._order, None), out, step)


def _with(hook: Callable[..., None], *known: Any) -> Callable[..., None]:
    return lambda *given: hook(*given, *known)


def _weight_norm(layer: Layer) -> float | None:
    weights = [
        p.detach().double().square().sum()
        for module in layer.modules.values()
        for p in module.parameters()
        if p.dim() >= 2
    ]
    return float(torch.stack(weights).sum().sqrt()) if weights else None
