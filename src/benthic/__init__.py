"""Graph learning that keeps working at depth."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benthic.datasets import bank, load
    from benthic.diagnosis import Diagnosis, diagnose
    from benthic.errors import (
        BenthicError,
        DatabaseError,
        InputError,
        ModelError,
        QueryError,
    )
    from benthic.nn import (
        AntiSymmetric,
        DenseResidual,
        DropEdge,
        DropMessage,
        DropNode,
        DropPath,
        GradientGating,
        IdentityMap,
        InitialResidual,
        Residual,
        SkipNode,
    )
    from benthic.relational.database import Database
    from benthic.relational.predictor import Predictor
    from benthic.sweeps import Sweep, sweep
    from benthic.trace import Trace, measure_smoothing
    from benthic.treatment import Norm, Prescription, prescribe, treat

__version__ = "0.1.0"

__all__ = [
    "AntiSymmetric",
    "BenthicError",
    "Database",
    "DatabaseError",
    "DenseResidual",
    "Diagnosis",
    "DropEdge",
    "DropMessage",
    "DropNode",
    "DropPath",
    "GradientGating",
    "IdentityMap",
    "InitialResidual",
    "InputError",
    "ModelError",
    "Norm",
    "Predictor",
    "Prescription",
    "QueryError",
    "Residual",
    "SkipNode",
    "Sweep",
    "Trace",
    "bank",
    "diagnose",
    "load",
    "measure_smoothing",
    "prescribe",
    "sweep",
    "treat",
]

_HOME = {
    "AntiSymmetric": "benthic.nn",
    "BenthicError": "benthic.errors",
    "Database": "benthic.relational.database",
    "DatabaseError": "benthic.errors",
    "DenseResidual": "benthic.nn",
    "Diagnosis": "benthic.diagnosis",
    "DropEdge": "benthic.nn",
    "DropMessage": "benthic.nn",
    "DropNode": "benthic.nn",
    "DropPath": "benthic.nn",
    "GradientGating": "benthic.nn",
    "IdentityMap": "benthic.nn",
    "InitialResidual": "benthic.nn",
    "InputError": "benthic.errors",
    "ModelError": "benthic.errors",
    "Norm": "benthic.treatment",
    "Predictor": "benthic.relational.predictor",
    "Prescription": "benthic.treatment",
    "QueryError": "benthic.errors",
    "Residual": "benthic.nn",
    "SkipNode": "benthic.nn",
    "Sweep": "benthic.sweeps",
    "Trace": "benthic.trace",
    "bank": "benthic.datasets",
    "diagnose": "benthic.diagnosis",
    "load": "benthic.datasets",
    "measure_smoothing": "benthic.trace",
    "prescribe": "benthic.treatment",
    "sweep": "benthic.sweeps",
    "treat": "benthic.treatment",
}


_ROOMS = (
    "checks",
    "datasets",
    "errors",
    "metrics",
    "nn",
    "relational",
    "report",
    "sweeps",
    "trace",
    "training",
    "transforms",
    "treatment",
)


def __getattr__(name: str) -> Any:
    # Importing torch takes seconds; `import benthic` and `benthic --help` do not.
    if name in _ROOMS:
        return import_module(f"benthic.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'benthic' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return list(__all__)
