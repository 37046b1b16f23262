"""Reads the states, messages and gradients of a model's layers as it runs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedParameter
from torch.utils.hooks import RemovableHandle
from torch_geometric.nn import MessagePassing

from benthic.errors import InputError
from benthic.supervision import Supervision
from benthic.trace.arguments import relation_of
from benthic.trace.flow import Source
from benthic.trace.forward_pass import ForwardPass, num_propagations
from benthic.trace.gradients import Gradients
from benthic.trace.layers import Layer, find_layers, hears_everyone
from benthic.trace.messages import Messages
from benthic.trace.reading import (
    Edges,
    Gauges,
    LayerReading,
    RelationReading,
    wanted,
)


class Trace:
    """Watches a model while the caller runs it, and changes nothing.

    Inside the ``with`` block every forward pass feeds the gauges of every layer,
    and every backward pass its gradient norms. What is read is the true stream:
    the tensor that the next layer consumes, after activation, norm, dropout and
    skip; for the last layer what the classifier consumes. Leaving the block,
    also by an exception, removes every hook; entering it again adds to the readings.

    States are reduced to sums at once, so that at most one layer's states are
    kept beyond what the forward pass itself holds (and the labelled rows that the
    linear probe needs, of which there is a limit).

    A model computes the same with and without a trace, to the last bit, unless it
    runs torch's fused transformer kernel, or was compiled: these step aside for hooks,
    and the plain operations round differently.

    Args:
        model: Any module. Call it, or a part of it that holds the layers; layers that
            are called one by one from outside cannot be followed.
        layers: Names of the layers to read instead of those found; see
            :func:`~benthic.trace.find_layers`.
        supervision: Labels for the linear probe; may be set again before each
            batch.
        gauges: Which gauges of the states to take; all if None.

    Raises:
        InputError: If the model has no layer that can be found by itself, or a gauge
            does not exist.

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
        gauges: Collection[str] | None = None,
    ) -> None:
        self.model = model
        self.supervision = supervision
        self.found = find_layers(model, layers)
        _refuse_lazy(model)
        self._wanted = wanted(gauges)
        self._gradients = Gradients(self.found)
        self._messages = Messages()
        self._gauges: dict[tuple[int, int, str | None, int], tuple[int, Gauges]] = {}
        self._handles: list[RemovableHandle] = []
        self._state_handles: list[RemovableHandle] = []
        self._pass: ForwardPass | None = None
        self._stance = ExitStack()
        self._is_open = False
        self._max_hops = 0
        self._missed = ""

    def __enter__(self) -> Trace:
        if self._is_open:
            raise InputError(
                "trace", "a trace that is open", "leave it first, or make a second one"
            )
        self._is_open = True
        try:
            self._stance = _without_compiling(self.model)
            self._attach()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._is_open = False
        self._stance.close()
        self._stop()
        for handle in (*self._handles, *self._state_handles):
            handle.remove()
        self._handles.clear()
        self._state_handles.clear()

    @property
    def layers(self) -> list[LayerReading]:
        """The readings so far, in the order in which the layers ran.

        Raises:
            InputError: If layers were called from outside any module that holds them.
        """
        if self._missed and not self._gauges:
            raise InputError(
                "model",
                f"layer {self._missed!r} called from outside the model",
                "call the model itself, or a module of it that calls the layers",
            )
        readings = []
        by_order = sorted(self._gauges.items(), key=lambda item: item[1][0])
        for (index, _, _, _), (_, gauges) in by_order:
            gradient_norm, why = self._gradients.norm(index)
            undefined = {} if gradient_norm is not None else {"gradient_norm": why}
            weight_norm, why = _weight_norm(self.found[index])
            if weight_norm is None:
                undefined["weight_norm"] = why
            readings.append(gauges.reading(weight_norm, gradient_norm, undefined))
        return readings

    @property
    def relations(self) -> list[RelationReading]:
        """How alike the messages of each two relations into one node type are."""
        return self._messages.readings(self.found)

    @property
    def num_hops(self) -> int | None:
        """How far the model reaches, in edges.

        None if a layer hears every node, or may: one without message passing.
        """
        unknown = not all(layer.convs for layer in self.found)
        return None if unknown or hears_everyone(self.model) else self._max_hops

    def _attach(self) -> None:
        callers = _callers(self.model, self.found)
        for module in callers:
            self._handles.append(
                module.register_forward_pre_hook(self._begin, with_kwargs=True)
            )
        for index, layer in enumerate(self.found):
            modules = [*layer.modules.items(), *(("", part) for part in layer.hearts)]
            for relation, module in modules:
                self._hook_layer(index, relation, module)
            for conv in layer.convs:
                self._hook_conv(index, conv)
        # Registered last: the model may itself be a layer, whose hook comes first.
        for module in callers:
            self._handles += [
                module.register_forward_hook(self._end),
                module.register_forward_hook(self._leave, always_call=True),
            ]
        self._handles += self._gradients.attach()

    def _hook_layer(self, index: int, relation: str, module: nn.Module) -> None:
        def start(_: nn.Module, args: Any, kwargs: Any) -> None:
            if self._pass is None:
                self._missed = self.found[index].name
            self._tell(ForwardPass.layer_starts, index, relation, args, kwargs)

        def end(_: nn.Module, _args: Any, out: Any) -> None:
            self._tell(ForwardPass.layer_ends, index, relation, out)

        self._handles += [
            module.register_forward_pre_hook(start, with_kwargs=True),
            module.register_forward_hook(end, always_call=True),
        ]

    def _hook_conv(self, index: int, conv: MessagePassing) -> None:
        layer = self.found[index]
        relation = relation_of(layer, conv)
        alone = len(layer.convs) == 1 and not relation
        several = alone and num_propagations(conv) > 1

        def start(_: nn.Module, args: Any, kwargs: Any) -> None:
            self._tell(ForwardPass.conv_starts, index, relation, args, kwargs)

        def end(_: nn.Module, _args: Any, out: Any) -> None:
            self._tell(ForwardPass.conv_ends, index, relation, out)

        def step(_: nn.Module, given: Any) -> None:
            self._tell(ForwardPass.propagation_starts, index, given[-1])

        def stepped(_: nn.Module, given: Any, out: Any) -> None:
            self._tell(ForwardPass.propagated, index, given[-1], out, several)

        self._handles += [
            conv.register_forward_pre_hook(start, with_kwargs=True),
            conv.register_forward_hook(end),
            conv.register_propagate_forward_pre_hook(step),
            conv.register_propagate_forward_hook(stepped),
        ]

    def _tell(self, event: Callable[..., None], *what: Any) -> None:
        """Tells the forward pass, unseen by every mode: its own and the caller's."""
        if self._pass is not None:
            with torch._C.DisableTorchFunction():
                event(self._pass, *what)

    def _begin(self, module: nn.Module, args: Any, kwargs: Any) -> None:
        running = self._pass is not None and self._pass.model is not module
        if running and module is not self.model:
            return
        self._stop()
        self._state_handles = [h for h in self._state_handles if _is_alive(h)]
        self._pass = ForwardPass(module, self.found, self._messages, self._record)
        self._pass.begin((args, kwargs))

    def _end(self, module: nn.Module, _: Any, output: Any) -> None:
        if self._pass is not None and self._pass.model is module:
            self._tell(ForwardPass.end, output)

    def _leave(self, module: nn.Module, *_: Any) -> None:
        if self._pass is not None and self._pass.model is module:
            self._stop()

    def _stop(self) -> None:
        if self._pass is not None:
            self._pass.stop()
            self._max_hops = max(self._max_hops, self._pass.max_hops)
            self._pass = None

    def _record(
        self, source: Source, x: Tensor, edges: Edges | None, step: int
    ) -> None:
        slot = (source.layer, source.call, source.node_type, step)
        if slot not in self._gauges:
            name = self.found[source.layer].name or type(self.model).__name__
            name += f"[{step}]" if step else ""
            name += f"#{source.call}" if source.call > 1 else ""
            gauges = Gauges(name, source.node_type, self._wanted)
            # A layer's own states come after those of its steps.
            self._gauges[slot] = (2 * source.order + (step == 0), gauges)
        with (
            torch.no_grad(),
            torch.autocast(x.device.type, enabled=False),
        ):
            handle = self._gauges[slot][1].update(x, edges, self.supervision)
        if handle is not None:
            self._state_handles.append(handle)


def _refuse_lazy(model: nn.Module) -> None:
    for name, parameter in model.named_parameters():
        if isinstance(parameter, UninitializedParameter):
            raise InputError(
                "model",
                f"a parameter without a shape ({name})",
                "run the model on one batch first",
            )


def _without_compiling(model: nn.Module) -> ExitStack:
    """Until it is closed, what ``torch.compile`` made runs as it was written."""
    stack = ExitStack()
    if any(type(module).__name__ == "OptimizedModule" for module in model.modules()):
        stack.enter_context(torch.compiler.set_stance("force_eager"))
    return stack


def _callers(model: nn.Module, layers: Sequence[Layer]) -> list[nn.Module]:
    """The model and the modules of it whose forward may call the layers."""
    modules = dict(model.named_modules(remove_duplicate=False))
    hooked = {module for layer in layers for module in layer.modules.values()}
    callers = {model: None}
    for name, module in modules.items():
        while module in hooked and name:
            name = name.rpartition(".")[0]
            if modules[name] not in hooked:
                callers[modules[name]] = None
    return list(callers)


def _is_alive(handle: RemovableHandle) -> bool:
    return handle.hooks_dict_ref() is not None


def _weight_norm(layer: Layer) -> tuple[float | None, str]:
    weights = [
        p.detach().double().square().sum() for p in layer.parameters if p.dim() >= 2
    ]
    if not weights:
        return None, "the layer has no weight matrix"
    norm = torch.stack(weights).sum().sqrt()
    if not norm.isfinite():
        return None, "the weights hold NaN or infinite values"
    return float(norm), ""
