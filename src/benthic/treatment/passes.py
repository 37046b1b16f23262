"""One call of a treated model, from its beginning to its end."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Mapping, Sequence
from types import CodeType
from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.nn.models.basic_gnn import BasicGNN

from benthic.errors import InputError
from benthic.nn.drop import DropNode
from benthic.treatment.arguments import Inputs, graph_of_nodes
from benthic.treatment.stream import Origin, Stream

_UNKNOWN = object()
_FORWARD = ("forward", "_call_impl")


class Pass:
    """What one call of the model knows; it ends with the call.

    Args:
        owner: What was called.
        inputs: What it was called with.
        follows: Whether any treatment asks where states come from.
        drop_node: Drops nodes of what enters the first layers.
        weights: In a trial, where no treatment acts: of these matrices it is noted
            which layers' outputs they are applied to.
        answers: Layers, with node types, whose output is the model's answer.
    """

    def __init__(
        self,
        owner: nn.Module,
        inputs: Inputs,
        follows: bool,
        drop_node: DropNode | None = None,
        weights: Sequence[Tensor] | None = None,
        answers: frozenset[tuple[str, str]] = frozenset(),
    ) -> None:
        self.owner = owner
        self.inputs = inputs
        self.is_trial = weights is not None
        self.stream = Stream(weights or ()) if follows else None
        self.drop_node = drop_node
        self.answers = answers
        self.running: nn.Module | None = None
        self.origins: dict[str, Origin | None] = {}
        self.edges: dict[tuple[int, int], tuple[Tensor, Any]] = {}
        self.nodes: dict[int, tuple[Tensor, Tensor]] = {}
        self.numbers: dict[str, int] = {}
        self.no_states: dict[tuple[str, str], str] = {}
        self.ran: dict[tuple[str, str], None] = {}
        self.graph: tuple[Any, ...] = ()
        self.no_graph = ""
        self.num_nodes = -1
        self.node_dim = -2  # of states of more than two dimensions
        self._batch: Any = _UNKNOWN

    def batch(self, node_type: str) -> Any:
        """Which graph of a mini-batch each node belongs to; None for one graph.

        Args:
            node_type: The type of the nodes, or "".
        """
        if self._batch is _UNKNOWN:
            self._batch = graph_of_nodes(self.owner, self.inputs)
        is_typed = isinstance(self._batch, Mapping)
        return self._batch.get(node_type) if is_typed else self._batch

    def drop_nodes(self, drop: DropNode, x: Tensor) -> Tensor:
        """Drops nodes, the same ones wherever the same states enter.

        Args:
            drop: What drops.
            x: States of nodes.
        """
        if id(x) not in self.nodes:
            self.nodes[id(x)] = x, drop(x)
        return self.nodes[id(x)][1]

    @property
    def last(self) -> set[tuple[str, str]]:
        """The layer that ran last, of each node type."""
        return set({t: (name, t) for name, t in self.ran}.values())

    def end(self) -> None:
        """Lets go of everything."""
        if self.stream is not None:
            self.stream.stop()


class Running(threading.local):
    """The pass that runs in this thread, if one does."""

    def __init__(self) -> None:
        self.now: Pass | None = None

    def __reduce__(self) -> tuple[type[Running], tuple[()]]:
        return Running, ()

    def __deepcopy__(self, memo: dict[int, Any]) -> Running:
        memo[id(self)] = other = Running()
        return other

    def inside(self, layer: str) -> Pass:
        """The pass that a layer runs in.

        Args:
            layer: Name of the layer.

        Raises:
            InputError: If the layer was called from outside the model.
        """
        if self.now is not None:
            return self.now
        if torch._C._current_graph_task_id() != -1:
            raise InputError(
                "model",
                f"layer {layer!r} computed again in the backward pass",
                "checkpoint the whole treated model, or none of it: "
                "a checkpointed layer no longer knows its earlier states",
            )
        raise InputError(
            "model",
            f"layer {layer!r} called from outside the model",
            "call the model, or one of its public methods",
        )


class Call:
    """A method of a treated module: all layers that run in it share one pass.

    Stands in for the method on the treated copy alone. A hook would not do: methods
    other than ``forward`` have none, and an interrupted call would never end.

    Args:
        owner: The module.
        name: The method.
        treatments: Starts passes.
    """

    def __init__(self, owner: nn.Module, name: str, treatments: Any) -> None:
        self.owner = owner
        self.name = name
        self.treatments = treatments
        self.own = vars(owner).get(name)  # a method of this very object
        self.answers: dict[frozenset[Any], frozenset[tuple[str, str]]] = {}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Calls the method, inside the pass that runs or a new one."""
        running: Running = self.treatments.running
        if running.now is not None:
            return self.__wrapped__(*args, **kwargs)
        if self.treatments.has_skips and runs_layer_by_layer(self.owner, self.name):
            raise InputError(
                "model",
                f"{self.name}(), which runs layer by layer over all batches, where "
                "skips have no earlier states",
                "call the model on each batch",
            )
        inputs = Inputs(args, kwargs)
        answers = self.treatments.settle(self, inputs)
        running.now = started = self.treatments.start(self.owner, inputs, answers)
        try:
            out = self.__wrapped__(*args, **kwargs)
            return self.treatments.finish(started, self, out)
        finally:
            running.now = None
            started.end()

    @property
    def __wrapped__(self) -> Callable[..., Any]:
        own: Any = self.own
        method: Callable[..., Any] = own or getattr(
            type(self.owner), self.name
        ).__get__(self.owner)
        return method

    @property
    def __code__(self) -> CodeType:
        """Where the method is written; ``torch.export`` asks."""
        return self.__wrapped__.__code__

    @property
    def is_forward(self) -> bool:
        """Whether this is the call of the whole model."""
        # Not an attribute: torch.export hands out others than are there.
        children = vars(self.owner)["_modules"]
        is_model = children.get("treatments") is self.treatments
        return is_model and self.name in _FORWARD

    def __repr__(self) -> str:
        return repr(self.__wrapped__)


def callers(model: nn.Module, layers: list[nn.Module]) -> list[nn.Module]:
    """The model and the modules of it whose methods may call the layers.

    Args:
        model: Any module.
        layers: Its layers.

    Example:
        >>> inner = nn.Sequential(nn.Linear(1, 1))
        >>> model = nn.Sequential(inner, nn.ReLU())
        >>> callers(model, [inner[0]]) == [model, inner]
        True
    """
    wanted = set(layers)
    inside = {part for layer in layers for part in layer.modules()} - {model}
    return [
        module
        for module in model.modules()
        if module is model or (module not in inside and wanted & set(module.modules()))
    ]


def methods(module: nn.Module) -> list[str]:
    """The methods of a module's own class that a user may call.

    Args:
        module: Any module.

    Example:
        >>> from torch_geometric.nn import GAE
        >>> "encode" in methods(GAE(nn.Linear(1, 1)))
        True
    """
    names = []
    for name, value in inspect.getmembers(type(module), inspect.isfunction):
        is_own = not hasattr(nn.Module, name) and name != "reset_parameters"
        is_static = isinstance(inspect.getattr_static(module, name), staticmethod)
        is_forward = name == "forward" and (
            value is not nn.Module.forward or name in vars(module)
        )
        if is_forward or (is_own and not name.startswith("_")):
            if not is_static and not inspect.isgeneratorfunction(value):
                names.append(name)
    # PyG's Sequential puts a new forward() into each copy of itself.
    restores_itself = type(module).__setstate__ is not nn.Module.__setstate__
    return [*names, "_call_impl"] if restores_itself else names


def runs_layer_by_layer(module: nn.Module, name: str) -> bool:
    """Whether a method runs one layer over all batches before the next.

    Args:
        module: The module.
        name: The method.
    """
    return isinstance(module, BasicGNN) and name.startswith("inference")
