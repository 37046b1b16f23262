"""Graph learning that keeps working at depth."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benthic.datasets import bank, load
    from benthic.diagnosis import Diagnosis, diagnose
    from benthic.errors import BenthicError, InputError, ModelError
    from benthic.trace import Trace, measure_smoothing

__version__ = "0.1.0"

__all__ = [
    "BenthicError",
    "Diagnosis",
    "InputError",
    "ModelError",
    "Trace",
    "bank",
    "diagnose",
    "load",
    "measure_smoothing",
]

_HOME = {
    "BenthicError": "benthic.errors",
    "Diagnosis": "benthic.diagnosis",
    "InputError": "benthic.errors",
    "ModelError": "benthic.errors",
    "Trace": "benthic.trace",
    "bank": "benthic.datasets",
    "diagnose": "benthic.diagnosis",
    "load": "benthic.datasets",
    "measure_smoothing": "benthic.trace",
}


def __getattr__(name: str) -> Any:
    # Importing torch takes seconds; `import benthic` and `benthic --help` do not.
    if name not in _HOME:
        raise AttributeError(f"module 'benthic' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return list(__all__)
