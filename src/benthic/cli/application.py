"""The application, its screen and the options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benthic.options import between

app = typer.Typer(
    name="benthic",
    help="Diagnose and treat deep graph networks; predict from databases.",
    epilog="Start with: benthic demo",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
console = Console(stderr=True, highlight=False, markup=False)

Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON document and nothing else.")
]
Html = Annotated[Path | None, typer.Option(help="Write a self-contained page here.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks.")]
Seed = Annotated[
    int,
    # The most that NumPy's and torch's generators both take.
    typer.Option(callback=between(0, 2**32 - 1), help="Seed of everything random."),
]


def _print_version(wanted: bool) -> bool:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"benthic {version('benthic')}")
        raise typer.Exit
    return wanted


@app.callback()
def _front(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Print the version and exit.",
            callback=_print_version,
            is_eager=True,
        ),
    ] = False,
) -> None:
    pass
