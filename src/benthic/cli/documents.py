"""What a command leaves: text or one JSON document on stdout, and a page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

from benthic.cli.application import console
from benthic.output_file import write_file


def write(
    documents: Sequence[dict[str, Any]], *, as_json: bool, html: Path | None
) -> None:
    """Shows documents as text or JSON, and writes a page of them.

    Args:
        documents: Diagnoses, or one sweep.
        as_json: Whether stdout gets one JSON document instead of text.
        html: Where the page goes, if one is wanted.
    """
    from benthic.report import is_sweep, to_text

    if html is not None:
        kind = "sweep" if is_sweep(documents[0]) else "diagnosis"
        write_html(documents, html, f"Benthic {kind}")
        console.print(f"wrote {html}")
    if as_json:
        print_json(documents)
        return
    for index, document in enumerate(documents):
        verdict, _, rest = to_text(document).partition("\n")
        colors = {None: None, "healthy": "green"}
        color = colors.get(document.get("verdict"), "red")
        typer.echo("\n" if index else "", nl=False)
        typer.secho(verdict, bold=True, fg=color)
        typer.echo(rest)


def print_json(documents: Sequence[dict[str, Any]]) -> None:
    """Prints documents as one JSON document.

    Args:
        documents: One, or several diagnoses.
    """
    from benthic.report import to_json

    one = documents[0] if len(documents) == 1 else {"diagnoses": list(documents)}
    typer.echo(to_json(one))


def write_html(documents: Sequence[dict[str, Any]], path: Path, title: str) -> None:
    """Writes a self-contained page.

    Args:
        documents: Diagnoses, or one sweep.
        path: Where to.
        title: Of the page.
    """
    from benthic.report import to_html

    write_file(path, to_html(documents, title=title), argument="--html")
