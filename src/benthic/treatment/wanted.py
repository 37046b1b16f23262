"""What the user asked for, sorted by where it acts in a layer."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from torch import nn
from torch_geometric.nn import JumpingKnowledge, MessagePassing
from torch_geometric.transforms import BaseTransform

from benthic.errors import InputError
from benthic.nn.drop import DropMessage, DropNode, EdgeDrop
from benthic.nn.gpr import APPNP, GeneralizedPageRank
from benthic.nn.identity_map import IdentityMap
from benthic.nn.norm import make_norm
from benthic.nn.residual import Skip
from benthic.ranges import number, whole_number

_CHOICES = (
    "a skip such as Residual(), Norm(LayerNorm), DropEdge(p=0.2), DropNode, "
    "DropMessage, IdentityMap, JumpingKnowledge('max') or APPNP(K, alpha)"
)


class Norm:
    r"""A norm for every layer that :func:`treat` finds, made for its width.

    .. math:: \text{the layer returns} \quad \operatorname{norm}(x_{l+1})

    while the stream carries :math:`x_{l+1}` itself on to the next skip. A norm is made
    anew for each layer, so that none shares its parameters with another.

    Args:
        norm: What :func:`~benthic.nn.norm.make_norm` takes: a class such as
            ``LayerNorm``, or a function of the width.
        **kwargs: Further arguments of the class.

    Raises:
        InputError: If ``norm`` is not something that makes norms.

    Example:
        >>> from benthic.nn.norm import LayerNorm
        >>> Norm(LayerNorm, mode="node")(64)
        LayerNorm(64, affine=True, mode=node)
    """

    def __init__(self, norm: Any, **kwargs: Any) -> None:
        if not callable(norm):
            found = f"{norm!r}"
            raise InputError("norm", found, "give a class: Norm(LayerNorm)")
        self.norm = norm
        self.kwargs = kwargs

    def __call__(self, channels: int) -> nn.Module:
        """The norm of one layer.

        Args:
            channels: Width of the layer's output.
        """
        return make_norm(
            partial(self.norm, **self.kwargs) if self.kwargs else self.norm, channels
        )

    @property
    def name(self) -> str:
        """The norm as one writes it down: ``PairNorm(scale_individually=True)``."""
        kind = getattr(self.norm, "__name__", str(self.norm))
        kwargs = [f"{key}={value!r}" for key, value in self.kwargs.items()]
        return f"{kind}({', '.join(kwargs)})" if kwargs else kind

    @property
    def is_idle(self) -> bool:
        """Whether the norm changes nothing, as ``ContraNorm`` of no strength."""
        return hasattr(self.norm, "is_idle") and bool(self(1).is_idle)

    def __repr__(self) -> str:
        kwargs = [f", {key}={value!r}" for key, value in self.kwargs.items()]
        return f"Norm({getattr(self.norm, '__name__', self.norm)}{''.join(kwargs)})"


@dataclass
class Wanted:
    """The treatments of one call of :func:`treat`, by where they act."""

    skips: list[Skip | type[Skip]] = field(default_factory=list)
    norms: list[Norm] = field(default_factory=list)
    jumps: list[JumpingKnowledge] = field(default_factory=list)
    identity_maps: list[IdentityMap] = field(default_factory=list)
    edge_drops: list[EdgeDrop] = field(default_factory=list)
    node_drops: list[DropNode] = field(default_factory=list)
    message_drops: list[DropMessage] = field(default_factory=list)
    propagations: list[nn.Module] = field(default_factory=list)

    @property
    def is_idle(self) -> bool:
        """Whether everything asked for is at strength zero, or nothing is."""
        others = self.jumps or self.identity_maps or self.propagations
        norms_are = all(norm.is_idle for norm in self.norms)
        return not others and norms_are and all(map(is_idle, self.drops + self.skips))

    @property
    def acts_on_states(self) -> bool:
        """Whether anything asks where states come from."""
        return bool(self.skips or self.jumps or self.node_drops)

    @property
    def drops(self) -> list[Any]:
        """Edge, node and message drops."""
        return [*self.edge_drops, *self.node_drops, *self.message_drops]


_PLACES: tuple[tuple[type, str], ...] = (
    (Skip, "skips"),
    (Norm, "norms"),
    (JumpingKnowledge, "jumps"),
    (IdentityMap, "identity_maps"),
    (EdgeDrop, "edge_drops"),
    (DropNode, "node_drops"),
    (DropMessage, "message_drops"),
    (GeneralizedPageRank, "propagations"),
    (MessagePassing, "propagations"),
)
_SEVERAL = ("skips", "edge_drops")  # one after the other, in the order given


def sort_treatments(treatments: Sequence[Any]) -> Wanted:
    """Sorts treatments by where they act.

    Args:
        treatments: What :func:`treat` was given.

    Raises:
        InputError: If one is no treatment, or out of its range, or two of a kind
            exclude each other.

    Example:
        >>> from benthic.nn.residual import Residual
        >>> sort_treatments([Residual()]).skips
        [Residual()]
    """
    wanted = Wanted()
    for treatment in treatments:
        place = _place(treatment)
        members = getattr(wanted, place)
        if members and place not in _SEVERAL:
            found = f"{_name(members[0])} and {_name(treatment)}"
            raise InputError("treatments", found, "give one of the two")
        members.append(treatment)
    for jump in wanted.jumps:
        if jump.mode == "cat":
            raise InputError(
                "treatments",
                "JumpingKnowledge('cat'), which changes the width",
                "use JumpingKnowledge('max'), or DenseResidual()",
            )
    return wanted


def _place(treatment: Any) -> str:
    if isinstance(treatment, type) and issubclass(treatment, Skip):
        return "skips"
    for kind, place in _PLACES:
        if isinstance(treatment, kind):
            _refuse_conv(treatment)
            _check_page_rank(treatment)
            return place
    raise InputError("treatments", _name(treatment), _remedy(treatment))


def _refuse_conv(treatment: Any) -> None:
    """Only a propagation without weights of its own width acts on any output."""
    is_conv = isinstance(treatment, MessagePassing) and (
        hasattr(treatment, "out_channels")
        or hasattr(treatment, "channels")
        or "edge_index" not in inspect.signature(treatment.forward).parameters
    )
    if is_conv:
        raise InputError(
            "treatments",
            f"the layer {_name(treatment)}",
            "give a propagation that keeps the width, such as APPNP(K, alpha)",
        )


def _check_page_rank(treatment: Any) -> None:
    """PyG takes any numbers, and answers some with infinities."""
    if isinstance(treatment, APPNP):
        whole_number("K", treatment.K, 0)
        number("alpha", treatment.alpha, 0, 1)


def _remedy(treatment: Any) -> str:
    makes: Callable[..., Any] | None = treatment if callable(treatment) else None
    if isinstance(treatment, BaseTransform):
        return "apply a transform to the data: data = transform(data)"
    if isinstance(treatment, type):
        known = any(issubclass(treatment, kind) for kind, _ in _PLACES)
        name = treatment.__name__
        return f"give an instance: {name}(…)" if known else f"give {_CHOICES}"
    if isinstance(treatment, nn.Module) and "Norm" in type(treatment).__name__:
        return f"give the class: Norm({type(treatment).__name__})"
    if makes is not None and not isinstance(treatment, nn.Module):
        return f"wrap what makes norms: Norm(…); or give {_CHOICES}"
    return f"give {_CHOICES}"


def _name(treatment: Any) -> str:
    if isinstance(treatment, type):
        return f"the class {treatment.__name__}"
    return repr(treatment)


def is_propagation(treatment: Any) -> bool:
    """Whether a treatment spreads what the model returns.

    Args:
        treatment: What :func:`treat` takes.

    Example:
        >>> is_propagation(APPNP(K=2, alpha=0.1)), is_propagation(DropNode(0.5))
        (True, False)
    """
    return _place(treatment) == "propagations"


def is_idle(treatment: Any) -> bool:
    """Whether a skip or a drop is at strength zero.

    Args:
        treatment: One of them; a class makes skips at its default strength.
    """
    if isinstance(treatment, type):
        return False
    strengths = [vars(treatment).get(name) for name in ("p", "scale", "alpha")]
    return any(strength == 0 for strength in strengths)
