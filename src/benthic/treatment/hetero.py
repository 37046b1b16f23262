"""Puts treatments into models of ``to_hetero``, whose calls are a graph themselves."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, fx, nn

from benthic.errors import InputError
from benthic.nn.drop import DropNode
from benthic.trace.arguments import ends
from benthic.trace.layers import Layer
from benthic.treatment.arguments import map_tensors
from benthic.treatment.join import Join
from benthic.treatment.passes import Running
from benthic.treatment.placement import NO_STATES, STARTS, Site
from benthic.treatment.treated_layer import key_of
from benthic.treatment.wanted import Wanted


class TypedJoin(nn.Module):
    """A :class:`Join` in the place where a node type's messages were put together.

    Args:
        join: What acts.
    """

    def __init__(self, join: Join) -> None:
        super().__init__()
        self.join = join

    def forward(self, h: Tensor, states: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """The next state, and what the layer returns.

        Args:
            h: Messages of all relations together, ``[N, C]``.
            states: The stream so far; of a sampled graph, the first rows count.
        """
        fits = all(
            s.shape[1:] == h.shape[1:] and s.size(0) >= h.size(0) for s in states
        )
        kept = [s.narrow(0, 0, h.size(0)) for s in states] if fits else []
        x, returned = self.join(h, kept)
        return x, returned


class Entry(nn.Module):
    """Drops nodes of what enters the first layers, alike for all relations.

    Args:
        drop: What drops.
        running: Knows the pass that runs.
    """

    def __init__(self, drop: DropNode, running: Running) -> None:
        super().__init__()
        self.drop = drop
        self._running = running

    def forward(self, states: Any) -> Any:
        """States, or the pair of a relation's source and target states."""
        current = self._running.inside("entry")
        return map_tensors(states, lambda x: current.drop_nodes(self.drop, x))


class Closing(nn.Module):
    """Ends a pass as the model returns.

    Args:
        running: Knows the pass that runs.
    """

    def __init__(self, running: Running) -> None:
        super().__init__()
        self._running = running

    def forward(self, out: Any) -> Any:
        """What the model returns, as it is."""
        self._running.now = None
        return out


def rewrite(
    model: fx.GraphModule,
    inserted: Any,
    sites: Sequence[Site],
    joins: dict[tuple[str, str], Join],
    wanted: Wanted,
) -> None:
    """Adds calls of the treatments to the model's own graph of calls.

    Args:
        model: The copy.
        inserted: Its treatments.
        sites: Its layers, by node type.
        joins: What acts, by layer and node type.
        wanted: The treatments.
    """
    for (name, node_type), join in joins.items():
        if key_of(name) not in inserted.layers:
            inserted.layers[key_of(name)] = nn.ModuleDict()
        inserted.layers[key_of(name)][key_of(node_type)] = TypedJoin(join)
    inserted.closing = Closing(inserted.running)
    calls = [call for site in sites for call in _calls(model, site)]
    order = {node: i for i, node in enumerate(model.graph.nodes)}
    calls.sort(key=lambda call: order[call.together])
    if wanted.node_drops:
        inserted.entry = Entry(inserted.nodes, inserted.running)
        _drop_nodes(model, calls)
    states: dict[fx.Node, tuple[str, list[fx.Node]]] = {}
    acted = set()
    for call in calls:
        key = call.site.layer.name, call.site.node_type
        if _join(model, call, states, key in joins):
            acted.add(key)
    starts = {call.site.node_type: call.site for call in reversed(calls)}
    for site in sites:
        key = site.layer.name, site.node_type
        if key in joins and key not in acted:
            is_first = starts.get(site.node_type) is site
            site.leave_states_out(STARTS if is_first else NO_STATES)
            joins[key].skips = nn.ModuleList()  # whose weights nothing would train
    _bracket(model)
    model.graph.lint()
    model.recompile()


class _Call:
    """One call of one layer at one node type."""

    def __init__(self, site: Site, relations: list[fx.Node], together: fx.Node) -> None:
        self.site = site
        self.relations = relations
        self.together = together


def _calls(model: fx.GraphModule, site: Site) -> Iterator[_Call]:
    """The calls of a layer: a node for each relation, joined pair by pair."""
    targets = _targets(site.layer, site.node_type)
    nodes = [
        [n for n in model.graph.nodes if n.op == "call_module" and n.target == target]
        for target in targets
    ]
    for relations in zip(*nodes, strict=True):
        yield _Call(site, list(relations), _together(model, list(relations)))


def _targets(layer: Layer, node_type: str) -> list[str]:
    return [
        f"{layer.name}.{relation}" if relation else layer.name
        for relation in layer.modules
        if (ends(relation)[1] or "") == node_type
    ]


def _together(model: fx.GraphModule, relations: list[fx.Node]) -> fx.Node:
    """Where the messages of all relations are one tensor."""
    whole = frozenset(relations)
    covers = {node: frozenset([node]) for node in relations}
    for node in model.graph.nodes:
        inputs = [a for a in node.args if isinstance(a, fx.Node) and a in covers]
        if node.op == "call_function" and len(inputs) == len(node.args) == 2:
            covers[node] = covers[inputs[0]] | covers[inputs[1]]
    found: fx.Node | None = next((n for n, c in covers.items() if c == whole), None)
    if found is None:
        raise InputError(
            "model",
            f"relations of {relations[0].target} that never come together",
            "use a model of to_hetero(), or HeteroConv",
        )
    for user in found.users:  # aggr="mean" divides the sum
        if user.target is torch.div and user.args == (found, len(relations)):
            return user
    return found


def _join(
    model: fx.GraphModule,
    call: _Call,
    states: dict[fx.Node, tuple[str, list[fx.Node]]],
    has_join: bool,
) -> bool:
    """Hands the joined messages and the stream before them to the treatments.

    Returns:
        Whether there is a stream before them.
    """
    node, site = call.together, call.site
    before = _stream(call, states)
    if not has_join:
        states[node] = (site.node_type, [*before, node] if before else [node])
        return bool(before)
    key = f"treatments.layers.{key_of(site.layer.name)}.{key_of(site.node_type)}"
    with model.graph.inserting_after(node):
        joined = model.graph.call_module(key, (node, before))
    with model.graph.inserting_after(joined):
        returned = model.graph.call_function(operator.getitem, (joined, 1))
        state = model.graph.call_function(operator.getitem, (joined, 0))
    node.replace_all_uses_with(returned, delete_user_cb=lambda user: user is not joined)
    stream = [] if site.starts_because else before
    states[returned] = (site.node_type, [*stream, state])
    return bool(before)


def _stream(
    call: _Call, states: dict[fx.Node, tuple[str, list[fx.Node]]]
) -> list[fx.Node]:
    """The states that a call's input comes from; none where the width changes."""
    if call.site.starts_because:
        return []
    found: list[fx.Node] = []
    seen: set[fx.Node] = set()
    rest = list(call.relations)
    while rest:
        node = rest.pop()
        if node in seen:
            continue
        seen.add(node)
        known = states.get(node)
        if known is not None and known[0] == call.site.node_type:
            found = max(found, known[1], key=len)
        else:
            rest += node.all_input_nodes
    return found


def _drop_nodes(model: fx.GraphModule, calls: Sequence[_Call]) -> None:
    """Drops nodes of what enters the first layers."""
    layers = {node for call in calls for node in call.relations}
    dropped: dict[fx.Node, fx.Node] = {}

    def drop(node: fx.Node) -> fx.Node:
        if node not in dropped:
            with model.graph.inserting_after(node):
                dropped[node] = model.graph.call_module("treatments.entry", (node,))
        return dropped[node]

    for node in [n for call in calls for n in call.relations if not _after(n, layers)]:
        first = fx.node.map_arg(node.args[0], drop)
        node.args = (first, *node.args[1:])


def _after(node: fx.Node, layers: set[fx.Node]) -> bool:
    """Whether a layer had a part in a node's inputs."""
    seen: set[fx.Node] = set()
    rest = list(node.all_input_nodes)
    while rest:
        other = rest.pop()
        if other in layers:
            return True
        if other not in seen:
            seen.add(other)
            rest += other.all_input_nodes
    return False


def _bracket(model: fx.GraphModule) -> None:
    """Begins a pass with the model's call, and ends it as the model returns."""
    nodes = list(model.graph.nodes)
    first = next(node for node in nodes if node.op != "placeholder")
    # The copy of a graph takes over whole what its first node names.
    with model.graph.inserting_before(first):
        model.graph.call_module("treatments", ())
    output = nodes[-1]
    with model.graph.inserting_before(output):
        closing = model.graph.call_module("treatments.closing", (output.args[0],))
    output.args = (closing,)
