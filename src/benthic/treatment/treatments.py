"""Puts treatments around the layers of a copy of any model."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, fx, nn
from torch_geometric.nn import JumpingKnowledge

from benthic.errors import InputError
from benthic.nn.acceleration import accelerate
from benthic.nn.drop import DropNode
from benthic.nn.dropout import FastDropout
from benthic.nn.identity_map import IdentityMap
from benthic.nn.residual import Skip
from benthic.trace import find_layers
from benthic.treatment.answers import Key, find_maps
from benthic.treatment.arguments import Inputs, is_state
from benthic.treatment.beginnings import Beginnings
from benthic.treatment.copying import copy_model
from benthic.treatment.endings import Endings
from benthic.treatment.graph_drops import EdgeDrops, MessageDrops
from benthic.treatment.hetero import rewrite
from benthic.treatment.inserted_table import Row, print_rows
from benthic.treatment.insertion import (
    attach_drops,
    attach_identity_maps,
    like,
    make_joins,
)
from benthic.treatment.join import Join
from benthic.treatment.passes import (
    Call,
    Pass,
    Running,
    callers,
    methods,
)
from benthic.treatment.placement import Site, find_sites, label
from benthic.treatment.treated_layer import Aside, TreatedLayer, keeps_all, key_of
from benthic.treatment.wanted import Wanted, is_idle, sort_treatments

_Model = TypeVar("_Model")


class Treatments(nn.Module):
    """What :func:`treat` inserted: a child of the treated model.

    ``print(treated.treatments)`` shows layer by layer what acts there, and what was
    left out and why.

    Args:
        wanted: The treatments.
    """

    def __init__(self, wanted: Wanted) -> None:
        super().__init__()
        self.running = Running()
        self.layers = nn.ModuleDict()
        self.edges = self.sent = self.nodes = self.propagation = None
        if wanted.edge_drops:
            drops = [copy.deepcopy(drop) for drop in wanted.edge_drops]
            self.edges = EdgeDrops(drops, self.running)
        if wanted.message_drops:
            self.sent = MessageDrops(copy.deepcopy(wanted.message_drops[0]))
        if wanted.node_drops:
            self.nodes = copy.deepcopy(wanted.node_drops[0])
        if wanted.propagations:
            self.propagation = copy.deepcopy(wanted.propagations[0])
        self.names = [label(t) for members in vars(wanted).values() for t in members]
        self.mapped: dict[str, list[IdentityMap]] = {}
        self.rows: dict[tuple[str, str], Row] = {}
        self.endings: Endings | None = None
        self.beginnings = Beginnings()
        self.has_skips = bool(wanted.skips or wanted.jumps)

    def start(self, owner: nn.Module, inputs: Inputs, answers: frozenset[Key]) -> Pass:
        """Begins a call of the model.

        Args:
            owner: What is called.
            inputs: What it is called with.
            answers: Layers that give its answer.
        """
        follows = bool(self.mapped) or any(map(_asks_for_states, self.modules()))
        return Pass(owner, inputs, follows, self.nodes, answers=answers)

    @torch.compiler.disable  # type: ignore[untyped-decorator] # watches uncompiled
    def settle(self, call: Call, inputs: Inputs) -> frozenset[Key]:
        """Finds out at the first call of a kind which layers give its answer.

        Args:
            call: What is called; what was tried is not tried again.
            inputs: What it is called with.
        """
        if self.endings is None:
            return frozenset()
        return self.endings.answers(call, inputs, self.running, self.rows)

    def forward(self) -> None:
        """Begins a call of a model whose calls are a graph (``to_hetero``)."""
        self.running.now = Pass(self, Inputs((), {}), follows=False)

    def finish(self, current: Pass, call: Call, out: Any) -> Any:
        """Spreads what the model returns over the graph, where that was asked for.

        Args:
            current: The pass that ends.
            call: The method that returns.
            out: What it returns.

        Raises:
            InputError: If the layers ran in another method, their last graph is not
                one of nodes of one kind, or no row is a node's.
        """
        if current.stream is not None:
            current.stream.stop()
        self.beginnings.note(current, self.rows, self.layers)
        if self.propagation is None or current.num_nodes < 0:
            return out
        if not call.is_forward:
            raise InputError(
                "treatments",
                f"{label(self.propagation)}, which acts on what forward() returns, "
                f"in {type(current.owner).__name__}.{call.name}()",
                "call the model itself, or leave the propagation out",
            )
        if not current.graph:
            raise InputError(
                "treatments",
                f"{label(self.propagation)} after a last layer {current.no_graph}",
                "use InitialResidual(), whose limit is the same personalized PageRank",
            )
        return self._spread(current, out)

    def _spread(self, current: Pass, out: Any) -> Any:
        if is_state(out) and out.size(-2) == current.num_nodes:
            return self.propagation(out, *current.graph)  # type: ignore[misc]
        if isinstance(out, tuple | list) and out:
            return type(out)([self._spread(current, out[0]), *out[1:]])
        if isinstance(out, dict) and out:
            first = next(iter(out))
            return {**out, first: self._spread(current, out[first])}
        found = f"shape {list(out.shape)}" if isinstance(out, Tensor) else type(out)
        raise InputError(
            "model",
            f"an output ({found}) without a row for each of {current.num_nodes} nodes",
            "use another treatment than a propagation of the output",
        )

    def __prepare_scriptable__(self) -> None:
        remedy = "use torch.export.export(treated, args)"
        raise InputError("model", "a treated model in torch.jit.script", remedy)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(self.names)})"

    def __str__(self) -> str:
        lines = print_rows(self.rows.values())
        if self.nodes is not None:
            lines.append(f"input: {label(self.nodes)}")
        if self.propagation is not None:
            lines.append(f"output: {label(self.propagation)}")
        return "\n".join(lines)


def treat(model: _Model, *treatments: Any, fast: bool = True) -> _Model:
    r"""Returns a copy of a model with treatments against over-smoothing built in.

    Nothing of the model moves: the copy has its class, its weights and every key of
    its ``state_dict``; what is new lives in one child, ``treated.treatments``, which
    shows when it is printed what was inserted where. At each message-passing layer,
    with :math:`h` for what the user's code hands over (after its own activation and
    dropout):

    .. math::
        x_{l+1} = \operatorname{skip}\left(\operatorname{conv}_l(h), \;
        (x_1, \dots, x_l)\right), \qquad
        \text{the layer returns} \quad \operatorname{norm}(x_{l+1})

    so that norm, activation and dropout sit on the branch and the stream of states is
    carried unharmed from layer to layer, as in pre-activation residual networks. The
    stream is followed through the model's own operations, not guessed from the order
    of calls; it starts anew where the width changes or nodes are pooled. In a
    heterogeneous model each node type has its own, joined after the messages of all
    relations were.

    ==========================================  =======================================
    a skip: ``Residual()``, ``AntiSymmetric``…  at each layer that keeps its width
    ``Norm(LayerNorm)``                         at each layer but the model's answer
    ``DropEdge``, ``DropPath``                  one mask a pass, the same in all layers
    ``DropNode``                                what enters the first layers
    ``DropMessage``                             the messages of each layer
    ``IdentityMap``                             square weights, numbered by depth
    ``JumpingKnowledge("max")``                 the last layer that keeps its width
    ``APPNP(K, alpha)`` and others like it      the rows that ``forward`` returns
    ==========================================  =======================================

    Which layers' outputs are the model's answer is found at the first call of each kind
    (method, words and switches among its inputs) by one run without treatments. Where
    the stream starts and how deep a layer lies the calls tell, whatever the order of
    definition; until the first call the table names what depends on it. A skip that
    finds no earlier states, but at the layer that runs first, says so once, in a
    warning and in the table.

    The traps. A model's own skips stay, so that a residual beside them counts twice.
    Layers must be called inside the model: a part of it that is called from outside,
    or checkpointed, does not know earlier states and is refused. A propagation of the
    output wants logits, not log-probabilities.

    Args:
        model: Any module with PyG layers: ``BasicGNN``, a stack of one's own,
            ``to_hetero``, ``HeteroConv``. It stays as it is.
        *treatments: What to insert.
        fast: Lets the copy propagate by cached sparse matrices
            (:func:`~benthic.nn.acceleration.accelerate`), whose results are the same
            to rounding; without a treatment, or with all of them at strength zero,
            the copy computes to the last bit what the model does.

    Raises:
        InputError: If the model or a treatment is none, or the two do not go together:
            names the layer, the reason, and the nearest that can be had.

    Example:
        >>> from torch_geometric.nn import GCN
        >>> from benthic.nn.residual import Residual
        >>> model = GCN(6, 8, num_layers=3, out_channels=2)
        >>> treated = treat(model, Residual())
        >>> print(treated.treatments)
        layer    class    channels  inserted  left out
        -------  -------  --------  --------  -------------------------
        convs.0  GCNConv  6 -> 8    -         Residual: 6 -> 8 channels
        convs.1  GCNConv  8 -> 8    Residual
        convs.2  GCNConv  8 -> 2    -         Residual: 8 -> 2 channels
    """
    original = check_model(model)
    wanted = sort_treatments(treatments)
    find_sites(original)
    twin: Any = copy_model(original)
    devices = list({p.device for p in original.parameters() if p.is_cuda})
    with torch.random.fork_rng(devices=devices):
        inserted = Treatments(wanted)
        sites = find_sites(twin)
        joins = make_joins(sites, wanted)
        if fast and not wanted.is_idle:  # all in one call, since they share a graph
            accelerate(nn.ModuleList([twin, inserted, *joins.values()]))
        _refuse_propagation(sites, wanted)
        attach_drops(sites, wanted, inserted.edges, inserted.sent)
        if inserted.propagation is not None:
            like(inserted.propagation, original.parameters())
        inserted.mapped = attach_identity_maps(twin, sites, wanted)
    twin.treatments = inserted
    if treatments:
        build = rewrite if isinstance(twin, fx.GraphModule) else _hang
        build(twin, inserted, sites, joins, wanted)
    inserted.rows = {(s.layer.name, s.node_type): _row(s, wanted) for s in sites}
    if isinstance(twin, fx.GraphModule):
        for number, name in enumerate(inserted.mapped, 1):
            inserted.rows[name, ""].number = number
    inserted.train(original.training)
    return twin  # type: ignore[no-any-return]


def _hang(
    model: nn.Module,
    inserted: Treatments,
    sites: Sequence[Site],
    joins: dict[tuple[str, str], Join],
    wanted: Wanted,
) -> None:
    """Hangs the joins on the layers, and passes on the methods that call layers."""
    layers = {site.layer.name: site.layer for site in sites}
    jumps = frozenset(key for key, join in joins.items() if join.jump is not None)
    for name, layer in layers.items():
        treated = TreatedLayer(
            name,
            {t: join for (owner, t), join in joins.items() if owner == name},
            inserted.running,
            keeps_all=keeps_all(wanted.skips, wanted.jumps),
            maps=inserted.mapped.get(name, ()),
            jumps=jumps,
        )
        inserted.layers[key_of(name)] = treated
        for module in [*layer.modules.values(), *layer.hearts]:
            treated.attach(module)
    modules = [m for layer in layers.values() for m in layer.modules.values()]
    if wanted.norms:
        maps = find_maps(model, list(layers.values()))
        inserted.endings = Endings(sites, joins, maps, wanted.norms[0].name)
    if inserted.mapped or wanted.acts_on_states:
        inserted.aside = Aside(inserted.running)
        for module in _unseen(model, [*modules, inserted]):
            inserted.aside.attach(module)
    for module in callers(model, modules):
        for name in methods(module):
            module.__dict__[name] = Call(module, name, inserted)


def _unseen(model: nn.Module, known: Sequence[nn.Module]) -> list[nn.Module]:
    """Attention and dropout between the layers."""
    inside = {part for module in known for part in module.modules()}
    attention = [
        module
        for layer in find_layers(model)
        if not layer.convs
        for module in layer.modules.values()
    ]
    dropout = [module for module in model.modules() if type(module) is FastDropout]
    return [module for module in [*attention, *dropout] if module not in inside]


def _row(site: Site, wanted: Wanted) -> Row:
    unsure = dict.fromkeys(site.of_states, "if states come before")
    if not site.is_first:
        unsure.clear()
    if site.is_unsure and wanted.norms:
        unsure[wanted.norms[0].name] = "if a map follows"
    return Row(
        site.name,
        site.kind,
        str(site.widths),
        site.inserted,
        site.left_out,
        site.of_states,
        unsure,
    )


def _asks_for_states(module: nn.Module) -> bool:
    """Whether a treatment acts on earlier states, or where there are none."""
    if isinstance(module, JumpingKnowledge):
        return True
    return isinstance(module, Skip | DropNode) and not is_idle(module)


def check_model(model: Any) -> nn.Module:
    """A model that can be treated.

    Args:
        model: What the user gave.

    Raises:
        InputError: If it is no module, or one that no hooks can be hung on.

    Example:
        >>> check_model(nn.Identity())
        Identity()
    """
    if not isinstance(model, nn.Module):
        found = f"an object of type {type(model).__name__}"
        raise InputError("model", found, "give a torch.nn.Module")
    if any(isinstance(module, Treatments) for module in model.modules()):
        raise InputError(
            "model",
            "a model that is treated already",
            "give all treatments in one call: treat(original, first, second)",
        )
    if isinstance(model, torch.jit.ScriptModule):
        raise InputError("model", "a ScriptModule", "treat the model before scripting")
    for module in model.modules():
        is_wrapper = type(module).__name__ == "OptimizedModule"
        if is_wrapper or module._compiled_call_impl is not None:
            raise InputError(
                "model", "a compiled model", "treat the model, then compile the copy"
            )
    if hasattr(model, "treatments"):
        raise InputError(
            "model", "an attribute 'treatments' of its own", "rename that attribute"
        )
    return model


def _refuse_propagation(sites: Sequence[Site], wanted: Wanted) -> None:
    for propagation in wanted.propagations:
        if any(site.node_type for site in sites):
            raise InputError(
                "treatments",
                f"{label(propagation)} on a heterogeneous model",
                "use InitialResidual(), whose limit is the same personalized PageRank",
            )
