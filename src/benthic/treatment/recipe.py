"""The code that applies what was prescribed to one's own model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Any

from benthic.training import Protocol
from benthic.treatment.shortlist import written
from benthic.treatment.wanted import Norm


def recipe(
    treatments: Sequence[Any], protocol: Protocol, *, has_forward: bool = False
) -> str:
    """Python that treats ``model`` and trains it on ``data`` as the trials were.

    It can be pasted as it is: what it needs besides these two (and a metric or a
    ``forward`` of one's own) it imports.

    Args:
        treatments: What won; nothing to apply if there are none.
        protocol: How the trials were trained.
        has_forward: Whether the model is called by a function of one's own.

    Example:
        >>> from benthic.nn import LayerNorm, Residual
        >>> print(recipe([Residual(), Norm(LayerNorm)], Protocol(epochs=50)))
        from benthic import Norm, treat
        from benthic.nn import LayerNorm, Residual
        from benthic.training import train
        <BLANKLINE>
        treated = treat(model, Residual(), Norm(LayerNorm))
        train(treated, data, epochs=50)
    """
    if not treatments:
        return "# nothing to apply"
    kinds = [t.norm if isinstance(t, Norm) else type(t) for t in treatments]
    parts = sorted({kind.__name__ for kind in kinds})
    has_norm = any(isinstance(t, Norm) for t in treatments)
    changes = list(_changes(protocol))
    changes += ["forward=forward"] if has_forward else []
    return "\n".join(
        [
            f"from benthic import {'Norm, ' if has_norm else ''}treat",
            f"from benthic.nn import {', '.join(parts)}",
            *_metric_import(protocol),
            "from benthic.training import train",
            "",
            f"treated = treat(model, {', '.join(map(written, treatments))})",
            f"train({', '.join(['treated', 'data', *changes])})",
        ]
    )


def _changes(protocol: Protocol) -> Iterator[str]:
    standard = Protocol()
    for field in fields(protocol):
        value = getattr(protocol, field.name)
        if value != getattr(standard, field.name):
            shown = _metric(protocol) if field.name == "metric" else repr(value)
            yield f"{field.name}={shown}"


def _metric(protocol: Protocol) -> str:
    is_importable = protocol.metric.__module__.startswith("benthic.")
    return protocol.metric.__name__ if is_importable else "metric"


def _metric_import(protocol: Protocol) -> list[str]:
    if protocol.metric is Protocol().metric or _metric(protocol) == "metric":
        return []
    return [f"from {protocol.metric.__module__} import {_metric(protocol)}"]
