"""diagnose() -> Diagnosis."""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch_geometric.data import Data, HeteroData

from benthic import report
from benthic.checks import CHECKS, Case, Finding, NotLearning, Outcome
from benthic.checks.finding import passed
from benthic.checks.passes import Loss, Reading, forked_randomness
from benthic.errors import InputError
from benthic.forward import Forward, call_model, iterate_batches
from benthic.output_file import write_file
from benthic.trace import LayerReading
from benthic.validation import check_graph

# Mean cosine of independent Gaussian rows after a ReLU: 1 / π.
_RELU_FLOOR = 1 / math.pi


@dataclass(frozen=True)
class Diagnosis:
    """What is wrong with a model, and how that is known.

    Args:
        model: The model in a few words.
        data: The data in a few words.
        verdict: ``"healthy"``, or the code of the primary cause.
        summary: The verdict in one sentence.
        findings: Issues and tips, the primary cause first.
        checks: The answer of every check, by code.
        layers: One reading per traced layer and node type.
        metrics: Accuracy by split; None where undefined.
        controls: What the control experiments showed, as plain values.
        influence: Influence by hop, as plain values; None if not measured.
        limits: Reference lines for the gauges, as plain values.
        seconds: Wall time of the diagnosis.
    """

    model: str
    data: str
    verdict: str
    summary: str
    findings: tuple[Finding, ...]
    checks: dict[str, tuple[str, Outcome]]
    layers: tuple[LayerReading, ...]
    metrics: dict[str, float | None]
    controls: dict[str, Any]
    influence: list[dict[str, Any]] | None
    limits: dict[str, float | int | None]
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """The diagnosis as plain values; undefined and infinite ones are None."""
        plain: dict[str, Any] = json.loads(self.to_json())
        return plain

    def to_json(self) -> str:
        """One JSON document."""
        document = {
            "benthic": version("benthic"),
            "model": self.model,
            "data": self.data,
            "verdict": self.verdict,
            "summary": self.summary,
            "findings": [
                {**asdict(finding), "docs": finding.docs} for finding in self.findings
            ],
            "checks": [
                {
                    "code": code,
                    "title": title,
                    "outcome": outcome.kind,
                    "reason": outcome.reason,
                }
                for code, (title, outcome) in self.checks.items()
            ],
            "layers": [asdict(layer) for layer in self.layers],
            "metrics": self.metrics,
            "controls": self.controls,
            "influence": self.influence,
            "limits": self.limits,
            "undefined": self._undefined(),
            "seconds": self.seconds,
        }
        return report.to_json(document)

    def _undefined(self) -> dict[str, str]:
        """Why a metric, or the influence, is None."""
        reasons = {
            f"metrics.{split}": f"no labelled node of the {split} split has logits"
            for split, value in self.metrics.items()
            if value is None
        }
        if self.influence is None:
            reasons["influence"] = "not asked for, or the model has no Jacobian by x"
        return reasons

    def to_markdown(self) -> str:
        """The verdict, the findings and the layers as Markdown."""
        return report.to_markdown(self.to_dict())

    def to_html(self, path: str | Path | None = None) -> str:
        """A page that needs nothing else, with figures.

        Args:
            path: Where to write it as well.

        Raises:
            InputError: If it cannot be written there.
        """
        page = report.to_html([self.to_dict()], title=f"Diagnosis of {self.model}")
        if path is not None:
            write_file(Path(path), page, argument="path")
        return page

    def __str__(self) -> str:
        return report.to_text(self.to_dict())

    def _repr_html_(self) -> str:
        return self.to_html()


def diagnose(
    model: nn.Module,
    data: Any,
    *,
    name: str | None = None,
    data_name: str | None = None,
    loss: Loss | None = None,
    forward: Forward = call_model,
    layers: Sequence[str] | None = None,
    influence: bool = True,
    seed: int = 0,
    progress: Callable[[str], None] | None = None,
) -> Diagnosis:
    """Says why a model does badly, with evidence from every layer.

    Reads each layer's true states and gradients, runs the control experiments that
    separate causes with the same symptoms (graph off, weights off, fresh
    initialization, activations off, noise of training mode; no retraining), asks
    every check, and names the cause that the others follow from. The model, its
    gradients, its mode, the data and the random state stay as they are.

    Args:
        model: Any trained module: PyG, plain torch, homogeneous or heterogeneous.
        data: A PyG ``Data`` or ``HeteroData``, a tuple or mapping of inputs, or a
            loader of batches. Integer labels ``y`` with ``train_mask`` and
            ``val_mask`` let it tell most; the test split is only reported.
        name: What to call the model in the report.
        data_name: What to call the data.
        loss: Loss of an output and its batch; cross-entropy by default.
        forward: How to call the model on a batch, where the names of its
            arguments are not those of the data.
        layers: Names of the modules to read instead of those found.
        influence: Whether to measure influence by hop (8 backward passes).
        seed: Seeds every random part.
        progress: Told what is being done.

    Raises:
        InputError: If the model or the data cannot be diagnosed; says why.
        ModelError: If the model raises; names its exception.

    Example:
        >>> from torch_geometric.nn import GCN
        >>> graph = Data(x=torch.eye(3), edge_index=torch.tensor([[0, 1], [1, 2]]))
        >>> diagnose(GCN(3, 8, 2, 2), graph).verdict
        'healthy'
    """
    start = time.perf_counter()
    _check_inputs(model, data)
    with torch.inference_mode(mode=False):
        case = Case(
            model,
            data,
            loss=loss,
            forward=forward,
            layers=layers,
            influence=influence,
            seed=seed,
            progress=progress,
        )
        diagnosis = _conclude(
            case, name or _describe_model(model), data_name or _describe_data(data)
        )
    return replace(diagnosis, seconds=time.perf_counter() - start)


def _conclude(case: Case, name: str, data_name: str) -> Diagnosis:
    outcomes = _ask_all(case)
    findings = _findings(outcomes)
    sick = bool(findings) and findings[0].severity == "issue"
    return Diagnosis(
        model=name,
        data=data_name,
        verdict=findings[0].code if sick else "healthy",
        summary=_summary(case, findings),
        findings=findings,
        checks={check.code: (check.cause, outcomes[check.code]) for check in CHECKS},
        layers=case.reading.layers,
        metrics=case.reading.metrics,
        controls=_controls(case),
        influence=_influence(case),
        limits={
            "relu_floor": _RELU_FLOOR,
            "component_cosine": case.limit_cosine,
            "num_classes": case.supervision.num_classes if case.supervision else None,
        },
        seconds=0.0,
    )


def _check_inputs(model: Any, data: Any) -> None:
    if not isinstance(model, nn.Module):
        raise InputError(
            "model",
            f"an object of type {type(model).__name__}",
            "give a torch.nn.Module",
        )
    if isinstance(data, Iterator):
        raise InputError(
            "data",
            "an iterator that can be read only once",
            "give a loader or a list of batches",
        )
    with forked_randomness(model, seed=0):  # a loader may shuffle
        batch = next(iterate_batches(data), None)
    if batch is None:
        raise InputError("data", "a loader without batches", "give at least one")
    for graph in data if isinstance(data, list) else [batch]:
        if isinstance(graph, Data | HeteroData):
            check_graph(graph if graph is data else _without_empty_masks(graph))


def _without_empty_masks(batch: Data | HeteroData) -> Data | HeteroData:
    """A batch of many need not hold a node of every split."""
    batch = copy.copy(batch)
    for store in batch.node_stores:
        for name in [key for key in store.keys() if str(key).endswith("_mask")]:
            if torch.is_tensor(store[name]) and not store[name].any():
                del store[name]
    return batch


def _ask_all(case: Case) -> dict[str, Outcome]:
    outcomes = {check.code: check(case) for check in CHECKS}
    # "For another reason" is no answer where a reason was found.
    if NotLearning.code in _explained(outcomes):
        outcomes[NotLearning.code] = passed("another check names the cause")
    return outcomes


def _explained(outcomes: dict[str, Outcome]) -> set[str]:
    """Codes that are only symptoms of an issue that was found."""
    issues = [check for check in CHECKS if outcomes[check.code].kind == "issue"]
    return {code for check in issues for code in check.explains}


def _findings(outcomes: dict[str, Outcome]) -> tuple[Finding, ...]:
    """Issues before tips; a cause before what it explains; the surest first."""
    found = [
        Finding(
            check.code,
            check.cause,
            outcome.kind,
            outcome.confidence,
            outcome.reason,
            outcome.evidence,
            outcome.advice,
        )
        for check in CHECKS
        if (outcome := outcomes[check.code]).kind in ("issue", "tip")
    ]
    explained = _explained(outcomes)
    return tuple(
        sorted(
            found,
            key=lambda f: (f.severity == "tip", f.code in explained, -f.confidence),
        )
    )


def _summary(case: Case, findings: tuple[Finding, ...]) -> str:
    if findings and findings[0].severity == "issue":
        first = findings[0]
        others = [f.cause for f in findings[1:] if f.severity == "issue"]
        follows = f" With it comes {' and '.join(others)}." if others else ""
        return f"{first.cause.capitalize()}: {first.reason}.{follows}"
    val = case.reading.metrics["val"]
    if case.is_failing is None and val is not None:
        return (
            f"No sign of illness in states and gradients; validation accuracy is "
            f"{val:.1%}, and to tell whether that is low takes a train_mask."
        )
    if case.is_failing is None:
        return (
            "No sign of illness in states and gradients; without labels and masks "
            "nothing can be said about what the model has learned."
        )
    return f"No check found anything that hurts; validation accuracy is {val:.1%}."


def _controls(case: Case) -> dict[str, Any]:
    return {
        "chance": case.chance,
        "num_hops": case.reading.num_hops,
        "weights_off": [asdict(point) for point in case.weights_off],
        "graph_off": _gauges(case.graph_off),
        "fresh": _gauges(case.fresh),
        "noise": [
            {
                "name": noise.name,
                "all_paths": _finite(noise.all_paths),
                "growth": _finite(noise.growth),
                "skip_only": _finite(noise.skip_only),
            }
            for noise in case.noise
        ],
    }


def _gauges(reading: Reading) -> list[dict[str, Any]]:
    names = (
        "name",
        "node_type",
        "norm",
        "rayleigh_quotient",
        "effective_rank",
        "probe_accuracy",
        "weight_norm",
        "gradient_norm",
    )
    return [{n: getattr(layer, n) for n in names} for layer in reading.layers]


def _influence(case: Case) -> list[dict[str, Any]] | None:
    influence, null = case.influence, case.influence_null
    if influence is None or null is None:
        return None
    heard = sum(null.influence) or 1.0
    return [
        {
            "hop": hop,
            "share": _finite(influence.share[hop]),
            "standard_error": _finite(influence.share_standard_error[hop]),
            "null": null.influence[hop] / heard if hop < len(null.influence) else None,
        }
        for hop in influence.hop
    ]


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _describe_model(model: nn.Module) -> str:
    text = repr(model)
    return text if "\n" not in text and len(text) < 80 else type(model).__name__


def _describe_data(data: Any) -> str:
    if isinstance(data, Data | HeteroData):
        return f"{data.num_nodes:,} nodes, {data.num_edges:,} edges"
    return type(data).__name__
