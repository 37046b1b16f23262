"""One forward pass of a traced model: which layer hears whose states, and when."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.nn import MessagePassing

from benthic.trace.arguments import edge_inputs, ends, node_states, output_states
from benthic.trace.flow import Flow, Source, tensors_in
from benthic.trace.layers import Layer
from benthic.trace.messages import Messages
from benthic.trace.reading import Edges

Record = Callable[[Source, Tensor, Edges | None, int], None]
"""Called with a layer's states, its edges, and the propagation step or 0."""


@dataclass
class _Call:
    """A layer that runs; relation by relation in a ``to_hetero`` model."""

    layer: int
    number: int
    order: int
    relations: set[str] = field(default_factory=set)
    hops: int = 0
    propagated: bool = False
    step: int = 0
    step_states: Tensor | None = None


class ForwardPass:
    """Follows one forward pass, and hands over each layer's states as they are read.

    Args:
        model: What runs, all of the traced model or a part of it.
        layers: The traced layers.
        messages: Takes what the relations of heterogeneous layers send.
        record: Takes the states.
    """

    def __init__(
        self,
        model: nn.Module,
        layers: Sequence[Layer],
        messages: Messages,
        record: Record,
    ) -> None:
        self.model = model
        self.max_hops = 0
        self._layers = layers
        self._messages = messages
        self._record = record
        self._flow = Flow(self._read)
        self._running: list[int] = []
        self._call: _Call | None = None
        self._num_calls: dict[int, int] = {}
        self._order = 0
        self._num_rows: dict[Source, int] = {}
        self._edges: dict[tuple[int, str | None], Edges] = {}

    def begin(self, inputs: Any) -> None:
        """Starts to follow.

        Args:
            inputs: What the model was given.
        """
        self._messages.drop()
        self._flow.given(inputs)
        self._flow.__enter__()  # type: ignore[no-untyped-call]

    def end(self, output: Any) -> None:
        """Reads the states that no layer consumed.

        Args:
            output: What the model returned.
        """
        self._end_call()
        for source, x in self._flow.unread():
            self._read(source, self._returned(source, x, output))

    def stop(self) -> None:
        """Follows no longer; also after an exception."""
        self._flow.stop()
        self._messages.drop()

    def layer_starts(
        self, layer: int, relation: str, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> None:
        """Reads the states that a layer consumes.

        Args:
            layer: Position of the layer.
            relation: The relation that it serves, or "".
            args: Its positional inputs.
            kwargs: Its keyword inputs.
        """
        self._running.append(layer)
        if len(self._running) > 1:
            return
        for source, x in self._consumed(node_states(args, kwargs, relation)).items():
            self._read(source, x)
        call = self._call
        if call is None or call.layer != layer or relation in call.relations:
            call = self._next_call(layer)
        call.relations.add(relation)
        call.hops = max(call.hops, self._flow.hops((args, kwargs)))
        self._flow.inside_layer = True

    def layer_ends(self, layer: int, relation: str, out: Any) -> None:
        """Marks the states that a layer produced.

        Args:
            layer: Position of the layer.
            relation: The relation that it serves, or "".
            out: What it returned; None if it raised.
        """
        if layer not in self._running:
            return
        # Layers inside that an exception left are still on the stack: drop them too.
        del self._running[_last(self._running, layer) :]
        call = self._call
        if self._running or call is None:
            return
        self._flow.inside_layer = False
        states = output_states(out, relation)
        if call.step_states is not None and _is_power_of_two(call.step):
            self._read_step(call, call.step_states)
        call.step_states = None
        hops = call.hops + self._hops_at_least(call)
        for node_type, x in states:
            source = Source(layer, call.number, call.order, node_type)
            reach = max(hops, self._flow.hops(x))
            self.max_hops = max(self.max_hops, reach)
            self._num_rows[source] = x.size(0)
            self._flow.produced(x, source, reach)

    def conv_starts(
        self, layer: int, relation: str, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> None:
        """Notes the edges that a message-passing module is given.

        Args:
            layer: Position of the layer that it belongs to.
            relation: The relation that it serves, or "".
            args: Its positional inputs.
            kwargs: Its keyword inputs.
        """
        source, target = ends(relation)
        if source != target or self._running[:1] != [layer]:
            return
        for node_type, edge_index, edge_weight in edge_inputs(args, kwargs):
            key = (layer, node_type or target)
            edges = Edges(edge_index, edge_weight, self._layers[layer].normalization)
            if relation and key in self._edges:
                edges = self._edges[key].with_more(edges)
            self._edges[key] = edges

    def conv_ends(self, layer: int, relation: str, out: Any) -> None:
        """Notes what one relation sends.

        Args:
            layer: Position of the layer.
            relation: The relation, or "".
            out: Its messages, a row per target node.
        """
        call = self._call
        if relation and torch.is_tensor(out) and call and call.layer == layer:
            self._messages.send(relation, str(ends(relation)[1]), out)

    def propagation_starts(self, layer: int, inputs: Mapping[str, Any]) -> None:
        """Reads the states between two propagations of one layer.

        Args:
            layer: Position of the layer.
            inputs: Keyword inputs of the propagation.
        """
        call = self._call
        if call is None or call.layer != layer or call.step_states is None:
            return
        if _is_power_of_two(call.step):
            shape = call.step_states.shape
            same = (x for x in tensors_in(inputs) if x.shape == shape)
            self._read_step(call, next(same, call.step_states))
        call.step_states = None

    def propagated(
        self, layer: int, inputs: Mapping[str, Any], out: Any, several: bool
    ) -> None:
        """Counts a hop.

        Args:
            layer: Position of the layer.
            inputs: Keyword inputs of the propagation.
            out: What came out.
            several: Whether the layer's only module propagates several times.
        """
        self._flow.propagated(inputs, out)
        call = self._call
        if call is None or call.layer != layer:
            return
        call.propagated = True
        if several and torch.is_tensor(out) and out.dim() == 2:
            call.step += 1
            call.step_states = out

    def _next_call(self, layer: int) -> _Call:
        self._end_call()
        self._order += 1
        number = self._num_calls[layer] = self._num_calls.get(layer, 0) + 1
        self._edges = {key: e for key, e in self._edges.items() if key[0] != layer}
        self._call = _Call(layer, number, self._order)
        return self._call

    def _end_call(self) -> None:
        if self._call is not None:
            self._messages.compare(self._call.layer)
        self._call = None

    def _hops_at_least(self, call: _Call) -> int:
        """Hops of one call where its operations could not all be followed."""
        convs = self._layers[call.layer].convs
        if call.propagated or not convs:
            return int(call.propagated)
        return max(map(num_propagations, convs))  # its propagation is cached

    def _consumed(
        self, states: Sequence[tuple[str | None, Tensor]]
    ) -> dict[Source, Tensor]:
        """The layers whose states are among a layer's inputs, unread so far."""
        consumed: dict[Source, Tensor] = {}
        for node_type, x in states:
            mark = self._flow.mark(x)
            if mark is not None:
                source = mark.source
            else:
                source = self._by_order(x, node_type)
            if source is None or self._flow.latest(source) is None:
                continue
            is_nodes = x.size(0) == self._num_rows.get(source)
            known = consumed.get(source)
            if known is None or (is_nodes and known.size(0) != x.size(0)):
                consumed[source] = x
        return consumed

    def _by_order(self, x: Tensor, node_type: str | None) -> Source | None:
        """The previous layer, where an operation could not be followed."""
        if any(x is own for own in self._own_tensors()):
            return None
        before = [
            source
            for source, y in self._flow.unread()
            if y.shape == x.shape and source.node_type == node_type
        ]
        return max(before, key=lambda source: source.order, default=None)

    def _own_tensors(self) -> Iterator[Tensor]:
        return chain(self.model.parameters(), self.model.buffers())

    def _returned(self, source: Source, x: Tensor, output: Any) -> Tensor:
        """The states as the model returned them, if it did; else as they were last."""
        for out in tensors_in(output):
            mark = self._flow.mark(out)
            if mark is not None and mark.source == source and not mark.in_head:
                if out.shape == x.shape and out.is_floating_point():
                    return out
        return x

    def _read_step(self, call: _Call, x: Tensor) -> None:
        source = Source(call.layer, call.number, call.order, None)
        self._record(source, x, self._edges.get((call.layer, None)), call.step)

    def _read(self, source: Source, x: Tensor) -> None:
        edges = self._edges.get((source.layer, source.node_type))
        same_nodes = x.dim() == 2 and x.size(0) == self._num_rows.get(source)
        self._flow.consume(source)
        self._record(source, x, edges if same_nodes else None, 0)


def num_propagations(conv: MessagePassing) -> int:
    """How many hops a module is built to make in one call.

    Args:
        conv: A message-passing module.

    Example:
        >>> from torch_geometric.nn import GCNConv, SGConv
        >>> num_propagations(SGConv(8, 2, K=16)), num_propagations(GCNConv(8, 2))
        (16, 1)
    """
    steps = getattr(conv, "K", 1)
    return steps if isinstance(steps, int) and steps > 1 else 1


def _last(values: list[int], value: int) -> int:
    return len(values) - 1 - values[::-1].index(value)


def _is_power_of_two(step: int) -> bool:
    return step & (step - 1) == 0
