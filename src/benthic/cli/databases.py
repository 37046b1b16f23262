"""Commands about databases themselves: schema, bench."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benthic.cli.application import Debug, Json, app, console
from benthic.cli.screen import steps, work
from benthic.errors import InputError
from benthic.options import between

# DuckDB, pandas and LightGBM are imported inside a command: help is instant.
if TYPE_CHECKING:
    from benthic.relational.database import Database
    from benthic.relational.schema import Schema

Source = Annotated[
    str,
    typer.Argument(
        metavar="DB",
        help="A DuckDB or SQLite file, a folder of Parquet or CSV, a RelBench folder, "
        "postgresql://…, or bank.",
    ),
]
Overrides = Annotated[
    Path | None,
    typer.Option(help="YAML or TOML with keys, times and types that you know better."),
]


@app.command(epilog="Example: benthic schema shop.duckdb")
def schema(
    db: Source,
    table: Annotated[str | None, typer.Option(help="Show its columns.")] = None,
    mermaid: Annotated[
        bool, typer.Option("--mermaid", help="Print a Mermaid diagram instead.")
    ] = False,
    overrides: Overrides = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Show a database's tables, keys, types, times and problems, and why."""
    with work(debug), opened(db, overrides) as database:
        from benthic.relational import diagram

        found, title = database.schema, str(database)
        if table is not None and table not in found.tables:
            known = ", ".join(list(found.tables)[:12])
            raise InputError("--table", repr(table), f"choose one of {known}")
    if json:
        print_document(diagram.schema_to_json(found))
    elif mermaid:
        typer.echo(diagram.schema_diagram(found))
    else:
        typer.secho(f"{title}\n", bold=True)
        _show_schema(found, table)


def _show_schema(found: Schema, table: str | None) -> None:
    from benthic.relational import diagram

    if table is not None:
        _table(diagram.column_rows(found, table))
        return
    _table(diagram.table_rows(found))
    problems = diagram.problem_rows(found)
    if problems:
        typer.secho("\nproblems", bold=True)
        _table(problems)
    typer.echo("\nColumns of a table: --table NAME. A diagram: --mermaid.")


@app.command(epilog="Example: benthic bench rel-f1 --seeds 5 --out rel-f1-runs")
def bench(
    name: Annotated[str, typer.Argument(help="Which board: rel-f1.")],
    seeds: Annotated[
        int, typer.Option(callback=between(1), help="Fits of each kind.")
    ] = 5,
    split: Annotated[
        str, typer.Option(help="test, or validation while developing.")
    ] = "test",
    tasks: Annotated[str | None, typer.Option(help="Tasks, by comma; all.")] = None,
    regimes: Annotated[
        str, typer.Option(help="frozen and rolling, by comma.")
    ] = "frozen,rolling",
    data: Annotated[
        Path | None, typer.Option(help="The folder of rel-f1, instead of the search.")
    ] = None,
    out: Annotated[
        Path, typer.Option(help="Folder of finished runs; a stopped bench goes on.")
    ] = Path("benthic-bench"),
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Measure the engine on a public benchmark, official splits."""
    if name != "rel-f1":
        raise InputError("NAME", repr(name), "choose rel-f1")
    with work(debug), steps("bench") as progress:
        from benthic.relational import bench as benches
        from benthic.relational import board
        from benthic.relational.database import Database

        folder = data if data is not None else board.find_rel_f1()
        with Database.open(folder) as opened:
            found = benches.run_rel_f1(
                opened,
                folder,
                seeds=range(seeds),
                regimes=regimes.split(","),
                tasks=tasks.split(",") if tasks else benches.TASKS,
                split=split,
                out=out,
                progress=progress,
            )
    if json:
        print_document(found)
    else:
        typer.echo(board.board(found))


@contextlib.contextmanager
def opened(source: str, overrides: Path | None) -> Iterator[Database]:
    """The database that was asked for, and what was copied of it until the end.

    Args:
        source: As typed.
        overrides: What the user knows better.
    """
    from benthic.relational.database import Database

    with console.status("opening the database"):
        found = Database.open(source, overrides=overrides)
    with found:
        yield found


def print_document(document: Any) -> None:
    """Prints one JSON document.

    Args:
        document: Plain values.
    """
    import json as json_module

    typer.echo(json_module.dumps(document, indent=2, ensure_ascii=False, default=str))


def _table(rows: list[dict[str, str]]) -> None:
    """Rows under a header, columns as wide as their text."""
    if not rows:
        return
    names = list(rows[0])
    rows = [line for row in rows for line in _lines(row)]
    widths = {n: max(len(n), *(len(row[n]) for row in rows)) for n in names}
    typer.echo("  ".join(n.ljust(widths[n]) for n in names).rstrip())
    typer.echo("  ".join("-" * widths[n] for n in names))
    for row in rows:
        typer.echo("  ".join(row[n].ljust(widths[n]) for n in names).rstrip())


def _lines(row: dict[str, str]) -> list[dict[str, str]]:
    """A row whose cells have several lines, as several rows."""
    cells = {name: text.split("\n") for name, text in row.items()}
    most = max(map(len, cells.values()))
    return [
        {name: dict(enumerate(lines)).get(i, "") for name, lines in cells.items()}
        for i in range(most)
    ]
