"""The command line; the only room that knows typer and rich."""

from benthic.cli.front import main

__all__ = ["main"]
