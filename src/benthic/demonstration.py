"""What `benthic demo` trains, and how it tells the outcome in plain words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

DEPTHS = (2, 16)

TRAINING: dict[str, Any] = {
    "conv": "gcn",
    "hidden_channels": 32,
    "dropout": 0.5,
    "epochs": 12,
    "lr": 0.01,
    "weight_decay": 5e-4,
}
"""Short enough for two cores and three minutes; the diagnosis needs no more."""


def story(
    documents: Sequence[Mapping[str, Any]], page: str
) -> Iterator[tuple[bool, str]]:
    r"""Lines that say what was found and what to type next, titles marked True.

    Args:
        documents: One diagnosis per entry of :data:`DEPTHS`.
        page: Where the full report is.

    Example:
        >>> healthy = {"verdict": "healthy", "summary": "All is well."}
        >>> print(*(line for _, line in story([healthy], "page.html")), sep="\n")
        The task: a customer's demand, decided by suppliers four hops away.
        <BLANKLINE>
        A network of 2 layers: healthy
          All is well.
        <BLANKLINE>
        Both in full, with figures: page.html
        <BLANKLINE>
        Next, a published benchmark, then a network of your own:
          benthic diagnose cora --conv gcn --num-layers 16
          benthic diagnose my_model.py:model --data my_data.pt
    """
    yield False, "The task: a customer's demand, decided by suppliers four hops away."
    for num_layers, document in zip(DEPTHS, documents, strict=False):
        yield False, ""
        yield True, f"A network of {num_layers} layers: {_headline(document)}"
        yield False, f"  {document['summary']}"
        for line in (*_score(document), *_advice(document)):
            yield False, f"  {line}"
    yield False, f"\nBoth in full, with figures: {page}\n"
    yield False, "Next, a published benchmark, then a network of your own:"
    yield False, "  benthic diagnose cora --conv gcn --num-layers 16"
    yield False, "  benthic diagnose my_model.py:model --data my_data.pt"


def _headline(document: Mapping[str, Any]) -> str:
    verdict = str(document["verdict"])
    for finding in document.get("findings") or []:
        if finding["code"] == verdict:
            return f"{verdict} {finding['cause']}"
    return verdict


def _score(document: Mapping[str, Any]) -> list[str]:
    score = (document.get("metrics") or {}).get("val")
    chance = (document.get("controls") or {}).get("chance")
    if score is None or chance is None:
        return []
    return [f"It answers {score:.0%} right where guessing answers {chance:.0%}."]


def _advice(document: Mapping[str, Any]) -> list[str]:
    for finding in document.get("findings") or []:
        if finding["code"] == document["verdict"]:
            return [f"-> {advice}" for advice in finding["advice"][:2]]
    return []
