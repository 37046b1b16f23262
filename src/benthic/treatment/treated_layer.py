"""Hangs treatments on one layer of a model, and follows its stream through it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn
from torch_geometric.utils import is_torch_sparse_tensor

from benthic.errors import InputError
from benthic.nn.drop import SkipNode
from benthic.nn.identity_map import IdentityMap
from benthic.nn.residual import (
    AntiSymmetric,
    GradientGating,
    InitialResidual,
    Residual,
)
from benthic.nn.states import States
from benthic.treatment.arguments import (
    Inputs,
    Place,
    count_nodes,
    edge_place,
    is_edges,
    is_of_one_kind,
    is_state,
    map_tensors,
    name_of,
    state_place,
    target_states,
)
from benthic.treatment.join import Join
from benthic.treatment.passes import Pass, Running
from benthic.treatment.placement import NO_STATES, STARTS
from benthic.treatment.row_numbers import tensors
from benthic.treatment.stream import State, Stream, usable

# These look at the first and the current state only, so that the others can go.
_READ_ENDS = (Residual, InitialResidual, GradientGating, AntiSymmetric, SkipNode)


class TreatedLayer(nn.Module):
    """Hangs on one layer by hooks, and lets the treatments act around it.

    Args:
        name: Path of the layer in the model.
        joins: By node type; by "" where there are no types.
        running: Knows the pass that runs.
        keeps_all: Whether a later skip asks for all states.
        maps: Identity maps in the layer, which are told its number in the stream.
        jumps: Layers, with node types, that are to be the last of their stream.
    """

    def __init__(
        self,
        name: str,
        joins: Mapping[str, Join],
        running: Running,
        *,
        keeps_all: bool,
        maps: Sequence[IdentityMap] = (),
        jumps: frozenset[tuple[str, str]] = frozenset(),
    ) -> None:
        super().__init__()
        self.name = name
        self.keys = {node_type: key_of(node_type) for node_type in joins}
        self.joins = nn.ModuleDict({key_of(t): join for t, join in joins.items()})
        self.keeps_all = keeps_all
        self.maps = list(maps)
        self.jumps = jumps
        self._running = running

    def attach(self, module: nn.Module) -> None:
        """Hangs on a module.

        Args:
            module: The layer, or a part of it that may be called instead.
        """
        module.register_forward_pre_hook(self.start, prepend=True, with_kwargs=True)
        module.register_forward_hook(self.end, always_call=True)

    def start(
        self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        """Notes where the layer's input comes from, before it runs."""
        current = self._running.inside(self.name)
        if current.running is not None:  # inside a block that is treated as a whole
            return None
        current.running = module
        current.node_dim = getattr(module, "node_dim", -2)
        inputs = Inputs(args, kwargs)
        current.graph, current.no_graph = _graph(module, inputs)
        if current.stream is None:
            return None
        current.stream.stop()
        place = state_place(inputs)
        states = {} if place is None else target_states(inputs[place])
        current.origins = {t: current.stream.origin(x) for t, x in states.items()}
        self._count(current)
        if current.is_trial:
            given = (*args, *kwargs.values(), *states.values())
            current.stream.map(tensors(given))
            return None
        return self._drop_nodes(current, inputs, place)

    def end(self, module: nn.Module, _: Any, out: Any) -> Any:
        """Joins what the layer computed to its stream."""
        current = self._running.now
        if current is None or current.running is not module:
            return None
        current.running = None
        if out is None:  # it raised
            return None
        joined = self._joined(current, out)
        if current.stream is not None:
            current.stream.start()
        return joined

    def _drop_nodes(
        self, current: Pass, inputs: Inputs, place: Place | None
    ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        drop = current.drop_node
        if drop is None or place is None or current.stream is None:
            return None
        stream = current.stream

        def dropped(x: Tensor) -> Tensor:
            if stream.origin(x):
                return x
            self._refuse_other_rows(current, drop, x)
            return current.drop_nodes(drop, x)

        changed = inputs.replaced({place: map_tensors(inputs[place], dropped)})
        return changed.args, changed.kwargs

    def _joined(self, current: Pass, out: Any) -> Any:
        if isinstance(out, tuple | list) and out:
            first = self._joined(current, out[0])
            if hasattr(out, "_fields"):
                return type(out)(first, *out[1:])
            return type(out)([first, *out[1:]])
        if isinstance(out, Mapping):
            return {
                key: self._joined_type(current, str(key), h) for key, h in out.items()
            }
        return self._joined_type(current, "", out)

    def _joined_type(self, current: Pass, node_type: str, h: Any) -> Any:
        if not is_state(h):
            return h
        if current.num_nodes < 0 or not node_type:
            current.num_nodes = count_nodes(h, current.node_dim)
        origin = current.origins.get(node_type)
        stream = usable(origin, h, self.name) if current.stream is not None else ()
        depth = 0
        if origin is not None and stream:
            depth = origin.depth + 1
            self._refuse_after_jump(origin.layer, node_type)
        state, returned = State(h), h
        self._note_states(current, node_type, h, bool(stream))
        current.ran[self.name, node_type] = None
        if node_type in self.keys and not current.is_trial:
            state.x, returned = self._join(current, node_type, h, stream)
        if current.stream is not None:
            kept = stream if self.keeps_all or len(stream) < 2 else stream[:1]
            num_maps = bool(self.maps) + (origin.num_maps if origin else 0)
            current.stream.produced(
                self.name, returned, (*kept, state), depth, node_type, num_maps
            )
        return returned

    def _join(
        self, current: Pass, node_type: str, h: Tensor, stream: Sequence[State]
    ) -> tuple[Tensor, Tensor]:
        join: Any = self.joins[self.keys[node_type]]
        if stream:
            self._refuse_no_graph(current, join)
        for part in join.by_rows:
            self._refuse_other_rows(current, part, h)
        states = _states(stream)
        x, returned = join(
            h,
            states,
            current.graph[0] if current.graph else None,
            current.batch(node_type),
            is_answer=(self.name, node_type) in current.answers,
        )
        if len(stream) > 1:
            stream[-1].total = states.known_total
        return x, returned

    def _refuse_no_graph(self, current: Pass, join: Any) -> None:
        wanting = [skip for skip in join.skips if skip.needs_graph]
        if wanting and not current.graph:
            raise InputError(
                "treatments",
                f"{type(wanting[0]).__name__} on layer {self.name!r}, "
                f"{current.no_graph}",
                "use Residual() or InitialResidual()",
            )

    def _refuse_other_rows(self, current: Pass, part: nn.Module, x: Tensor) -> None:
        if x.dim() > 2 and current.node_dim not in (-2, x.dim() - 2):
            raise InputError(
                "treatments",
                f"{type(part).__name__} on layer {self.name!r}, which has nodes in "
                f"dimension {current.node_dim} of {list(x.shape)}",
                "put them in the last but one (node_dim=-2), or use Residual()",
            )

    def _refuse_after_jump(self, before: str, node_type: str) -> None:
        if (before, node_type) in self.jumps and before != self.name:
            raise InputError(
                "treatments",
                f"JumpingKnowledge on layer {before!r}, which is defined last but "
                f"runs before {self.name!r}",
                "define the layers in the order of their calls, or use DenseResidual()",
            )

    def _note_states(
        self, current: Pass, node_type: str, h: Tensor, has_states: bool
    ) -> None:
        if current.stream is None:
            return
        key = self.name, node_type
        if has_states:
            current.no_states[key] = ""
        elif key not in current.no_states:
            current.no_states[key] = _why_none(current, node_type, h)

    def _count(self, current: Pass) -> None:
        """Tells the layer's identity maps how many came before them."""
        if not self.maps:
            return
        before = [origin.num_maps for origin in current.origins.values() if origin]
        number = max(before, default=0) + 1
        if current.numbers.setdefault(self.name, number) != number:
            raise InputError(
                "treatments",
                f"IdentityMap on layer {self.name!r}, which runs at several depths",
                "leave it out, or give each depth a layer of its own",
            )
        for identity_map in self.maps:
            identity_map.layer = number


def _states(stream: Sequence[State]) -> States:
    """The states of a stream, whose sum goes on from that at the layer before."""
    before = stream[-2].total if len(stream) > 1 else None
    return States((state.x for state in stream), before)


def _why_none(current: Pass, node_type: str, h: Tensor) -> str:
    """Why a layer's output has no earlier states to join."""
    if all(node_type != other for _, other in current.ran):
        return STARTS
    origin = current.origins.get(node_type)
    before = origin.states[-1].x.shape if origin else h.shape
    if before[1:] != h.shape[1:]:
        return f"{before[-1]} -> {h.size(-1)} channels"
    return NO_STATES


class Aside(nn.Module):
    """Lets a module between two layers run unseen, as fast as it can.

    Torch's fused attention and our own dropout take a slower way where each operation
    is followed; what they return has the rows of what they were given anyway.

    Args:
        running: Knows the pass that runs.
    """

    def __init__(self, running: Running) -> None:
        super().__init__()
        self._running = running

    def attach(self, module: nn.Module) -> None:
        """Hangs on a module.

        Args:
            module: It returns a row for each row of its first input.
        """
        module.register_forward_pre_hook(self.start)
        module.register_forward_hook(self.end, always_call=True)

    def start(self, _: nn.Module, _args: Any) -> None:
        """Follows no longer."""
        stream = self._stream()
        if stream is not None:
            stream.stop()

    def end(self, _: nn.Module, args: tuple[Any, ...], out: Any) -> None:
        """Follows again."""
        stream = self._stream()
        if stream is None:
            return
        first = out[0] if isinstance(out, tuple) else out
        if args and isinstance(args[0], Tensor) and isinstance(first, Tensor):
            stream.carry(args[0], first)
        stream.start()

    def _stream(self) -> Stream | None:
        current = self._running.now
        if current is None or current.running is not None or current.is_trial:
            return None
        return current.stream


def keeps_all(skips: Sequence[Any], jumps: Sequence[Any]) -> bool:
    """Whether any treatment may ask for other states than the first and the last.

    Args:
        skips: Skips, or classes of them.
        jumps: Jumping knowledge.

    Example:
        >>> keeps_all([Residual(), SkipNode()], [])
        False
    """
    kinds = [skip if isinstance(skip, type) else type(skip) for skip in skips]
    return bool(jumps) or not set(kinds) <= set(_READ_ENDS)


def key_of(name: str) -> str:
    """A name as a key of ``torch.nn.ModuleDict``, which has no dots and no "".

    Args:
        name: Path of a layer, or a node type.

    Example:
        >>> key_of("convs.0")
        'convs_0'
    """
    return name.replace(".", "_") or "nodes"


def _graph(module: nn.Module, inputs: Inputs) -> tuple[tuple[Any, ...], str]:
    """Edges among the rows that a layer returns, with their weights, or why none."""
    place = edge_place(module, inputs)
    edges = None if place is None else inputs[place]
    if not (is_edges(edges) or is_torch_sparse_tensor(edges)):
        return (), "which was not given one list of edges"
    if name_of(module, place).startswith("hyper"):  # type: ignore[arg-type]
        return (), "whose edges join more than two nodes"
    states = state_place(inputs)
    if states is not None and not is_of_one_kind(inputs[states]):
        return (), "whose messages come from other nodes than they go to"
    weights = (p for p in inputs.places if name_of(module, p) == "edge_weight")
    weight = next((inputs[p] for p in weights if inputs[p] is not None), None)
    return ((edges,) if weight is None else (edges, weight)), ""
