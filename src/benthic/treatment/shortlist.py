"""From a diagnosis to the treatments that are worth a trial, the likeliest first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch_geometric.nn import JumpingKnowledge

from benthic.diagnosis import Diagnosis
from benthic.nn.drop import DropEdge, DropNode
from benthic.nn.gpr import APPNP
from benthic.nn.identity_map import IdentityMap
from benthic.nn.norm import BatchNorm, LayerNorm
from benthic.nn.residual import InitialResidual, Residual, Skip
from benthic.treatment.placement import label
from benthic.treatment.wanted import Norm


@dataclass(frozen=True)
class Candidate:
    """Treatments that belong together, and why they are worth a trial.

    Args:
        treatments: What :func:`~benthic.treatment.treat` takes.
        reason: One sentence that names the finding or the evidence.
        changes: Fields of :class:`~benthic.training.Protocol` that go with them.

    Example:
        >>> Candidate((Residual(), Norm(LayerNorm)), "", {"decoupled": True}).name
        'Residual() + Norm(LayerNorm), decoupled=True'
    """

    treatments: tuple[Any, ...]
    reason: str
    changes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The treatments and the changes of the protocol on one line."""
        changes = [f"{name}={value!r}" for name, value in self.changes.items()]
        return ", ".join([" + ".join(map(written, self.treatments)), *changes])


def written(treatment: Any) -> str:
    """A treatment as Python that makes it.

    Args:
        treatment: One of :func:`~benthic.treatment.treat`'s.

    Example:
        >>> written(JumpingKnowledge("max")), written(IdentityMap(0.5))
        ("JumpingKnowledge('max')", 'IdentityMap(theta=0.5)')
    """
    if isinstance(treatment, JumpingKnowledge):
        return f"JumpingKnowledge({treatment.mode!r})"
    if isinstance(treatment, IdentityMap):
        return f"IdentityMap(theta={treatment.theta!r})"
    text = label(treatment)
    return text if "(" in text or isinstance(treatment, type) else f"{text}()"


@dataclass(frozen=True)
class _Remedy:
    """What may help, against which findings, and how."""

    make: Callable[[], tuple[Any, ...]]
    does: str
    answers: tuple[str, ...]
    spreads: bool = False
    changes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def has_skip(self) -> bool:
        return any(isinstance(t, Skip | JumpingKnowledge) for t in self.make())


def _spread() -> APPNP:
    return APPNP(K=10, alpha=0.1)  # GCN's teleport in "Predict then Propagate", table 5


# "Graph Random Neural Networks", Cora: half of the nodes dropped, consistency 1.
_CONSISTENCY = {"samples": 2, "consistency": 1.0}
_UNLABELLED = "random passes that must agree also learn from nodes without labels"

# In the order in which they are tried where nothing else decides.
_REMEDIES = (
    _Remedy(
        lambda: (DropNode(p=0.5), _spread()),
        f"{_UNLABELLED}, and the output hears 10 hops more",
        ("D006", "D007"),
        spreads=True,
        changes=_CONSISTENCY,
    ),
    _Remedy(
        lambda: (_spread(),),
        "personalized PageRank lets the output hear 10 hops more without a parameter",
        ("D007",),
        spreads=True,
    ),
    _Remedy(
        lambda: (DropEdge(p=0.3),),
        "another graph at each step leaves nothing to learn by heart",
        ("D006",),
    ),
    _Remedy(
        lambda: (Residual(), Norm(LayerNorm)),
        "signal and gradient get a way around each layer, the norm keeps their scale",
        ("D002", "D003", "D004", "D009", "D010", "D011", "D012"),
    ),
    _Remedy(
        lambda: (InitialResidual(alpha=0.1), IdentityMap(theta=0.5)),
        "each layer keeps a share of the first state, which no depth can smooth away",
        ("D001", "D003", "D005"),
    ),
    _Remedy(
        lambda: (JumpingKnowledge("max"),),
        "the output hears each layer directly, so that no layer can bury the others",
        ("D001", "D003", "D005", "D008", "D010"),
    ),
    _Remedy(
        lambda: (Residual(), Norm(BatchNorm)),
        "signal and gradient get a way around each layer, columns stay of one size",
        ("D003", "D004", "D008"),
    ),
    _Remedy(
        lambda: (
            InitialResidual(alpha=0.1),
            IdentityMap(theta=0.5),
            DropNode(p=0.5),
            _spread(),
        ),
        f"the first state is kept at each depth; {_UNLABELLED}",
        ("D001", "D006"),
        spreads=True,
        changes=_CONSISTENCY,
    ),
    _Remedy(
        lambda: (Residual(), Norm(LayerNorm)),
        "decay beside the gradient cannot drive starved weights to zero, and a warm-up "
        "spares the first steps",
        ("D002", "D009"),
        changes={"decoupled": True, "warmup": 20},
    ),
    _Remedy(
        lambda: (Norm(BatchNorm),),
        "each column keeps mean and scale, so that no unit dies and none takes over",
        ("D002", "D004", "D008"),
    ),
    _Remedy(
        lambda: (Norm(LayerNorm),),
        "each row keeps its scale, so that signals neither vanish nor explode",
        ("D002", "D004", "D009", "D011", "D012"),
    ),
)


def shortlist(diagnosis: Diagnosis) -> Iterator[Candidate]:
    """Yields candidates: what answers the findings, then what may help in general.

    The findings decide first, the primary cause before its symptoms. What follows them
    is ordered by the weights-off control: where merely propagated features are read
    best beyond two hops, what propagates further comes first, elsewhere last; in a sick
    model, skips come before both.

    Args:
        diagnosis: Of a trained model.

    Example:
        >>> from torch_geometric.nn import GCN
        >>> from benthic.diagnosis import diagnose
        >>> graph = Data(x=torch.eye(3), edge_index=torch.tensor([[0, 1], [1, 2]]))
        >>> print(*(c.name for c in shortlist(diagnose(GCN(3, 8, 2, 2), graph))))
        DropEdge(p=0.3, undirected=True) Residual() + Norm(LayerNorm) ...
    """
    left = list(_REMEDIES)
    for finding in diagnosis.findings:
        why = f"{finding.code} ({finding.cause})"
        for remedy in [r for r in left if finding.code in r.answers]:
            left.remove(remedy)
            yield _candidate(remedy, why)
    pays, evidence = _reach(diagnosis)
    is_sick = diagnosis.verdict != "healthy"

    def rank(remedy: _Remedy) -> tuple[bool, bool]:
        # What a sick stack says is not worth spreading: first mend its stream.
        return is_sick and not remedy.has_skip, remedy.spreads != pays

    for remedy in sorted(left, key=rank):
        yield _candidate(remedy, evidence if remedy.spreads else "in general")


def onward(candidate: Candidate) -> Candidate | None:
    """What may help on top of what did, once the stream is mended; None if it has it.

    Args:
        candidate: What won.

    Example:
        >>> won = Candidate((Residual(), Norm(LayerNorm)), "D003")
        >>> onward(won).name
        'Residual() + Norm(LayerNorm) + DropNode(p=0.5) + APPNP(K=10, alpha=0.1), ...
    """
    if any(isinstance(treatment, APPNP) for treatment in candidate.treatments):
        return None
    return Candidate(
        (*candidate.treatments, DropNode(p=0.5), _spread()),
        f"on top of what helped: {_UNLABELLED}",
        {**candidate.changes, **_CONSISTENCY},
    )


def _candidate(remedy: _Remedy, why: str) -> Candidate:
    return Candidate(remedy.make(), f"{why}: {remedy.does}", remedy.changes)


def _reach(diagnosis: Diagnosis) -> tuple[bool, str]:
    """Whether propagating further than two hops pays, and how that is known."""
    points = {p["num_hops"]: p["accuracy"] for p in diagnosis.controls["weights_off"]}
    far = {hops: score for hops, score in points.items() if hops > 2}
    near = {hops: score for hops, score in points.items() if hops <= 2}
    if not far or not near:
        return False, "in general"
    hops = max(far, key=lambda hops: far[hops])
    best = max(near, key=lambda hops: near[hops])
    evidence = (
        f"merely propagated, the features say {near[best]:.0%} after {best} hops "
        f"and {far[hops]:.0%} after {hops}"
    )
    return far[hops] >= near[best], evidence
