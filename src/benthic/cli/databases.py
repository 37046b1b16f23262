"""Commands about databases: schema, predict, evaluate, explain, bench."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benthic.cli.application import Debug, Json, Seed, app, console
from benthic.cli.screen import steps, work
from benthic.errors import InputError
from benthic.options import between

# DuckDB, pandas and LightGBM are imported inside a command: help is instant.
if TYPE_CHECKING:
    from benthic.relational.database import Database
    from benthic.relational.predictor import Predictor
    from benthic.relational.schema import Schema

_MOST_CLASSES = 6  # a column each on the screen; files have them all

Source = Annotated[
    str,
    typer.Argument(
        metavar="DB",
        help="A DuckDB or SQLite file, a folder of Parquet or CSV, a RelBench folder, "
        "postgresql://…, or bank.",
    ),
]
Query = Annotated[
    str, typer.Argument(help="A predictive query: PREDICT … FOR EACH table.key")
]
Overrides = Annotated[
    Path | None,
    typer.Option(help="YAML or TOML with keys, times and types that you know better."),
]
AnchorTime = Annotated[
    str,
    typer.Option(
        help="When to predict: a time; 'entity' for each row's own; 'end' of the data; "
        "'auto' takes the end, or each event's own time."
    ),
]
NumHops = Annotated[
    int,
    typer.Option(callback=between(1, 6), help="Foreign keys to follow, 1 to 6."),
]
TextEncoder = Annotated[
    str | None,
    typer.Option(
        metavar="NAME_OR_FOLDER",
        help="A sentence-embedding model that reads texts; hashed words without one.",
    ),
]
Model = Annotated[
    Path | None, typer.Option(help="A folder that --save wrote, instead of a new fit.")
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
    with work(debug), _opened(db, overrides) as opened:
        from benthic.relational import diagram

        found, title = opened.schema, str(opened)
        if table is not None and table not in found.tables:
            known = ", ".join(list(found.tables)[:12])
            raise InputError("--table", repr(table), f"choose one of {known}")
    if json:
        _print(diagram.schema_to_json(found))
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


@app.command(
    epilog="Example: benthic predict shop.duckdb "
    "'PREDICT COUNT(orders.*, 0, 30, days) = 0 FOR EACH customers.customer_id'"
)
def predict(
    db: Source,
    query: Query,
    out: Annotated[
        Path | None, typer.Option(help="Write to a .parquet, .csv or .json file.")
    ] = None,
    anchor_time: AnchorTime = "auto",
    num_hops: NumHops = 2,
    text_encoder: TextEncoder = None,
    model: Model = None,
    save: Annotated[
        Path | None, typer.Option(help="Keep the fitted model in this folder.")
    ] = None,
    fit_dir: Annotated[
        Path | None,
        typer.Option(
            help="Keep finished parts of the fit here, to go on after a stop."
        ),
    ] = None,
    seed: Seed = 0,
    overrides: Overrides = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Answer a predictive query: one prediction per entity."""
    from benthic.relational.answer_file import check_file, records, write_answers

    check_file(out, argument="--out")
    asked = {"num_hops": num_hops, "seed": seed, "text_encoder": text_encoder}
    with work(debug), _opened(db, overrides) as opened, steps("predict") as progress:
        p = _predictor(opened, query, model, asked, fit_dir, progress)
        when = _anchor(anchor_time)
        parts = p.predictions(query, anchor_time=when)
        if out is not None:
            rows = write_answers(out, parts, argument="--out")
            console.print(f"wrote {rows:,} predictions to {out}")
        elif json:
            found = list(parts)
        else:
            found = [p.predict(query, anchor_time=when)]
        if save is not None:
            p.save(save, query)
            console.print(f"saved the model in {save}")
    if out is not None:
        return
    if json:
        _print({"predictions": list(records(found))})
        return
    _show_predictions(found[0])


def _show_predictions(frame: Any, most: int = 20) -> None:
    classes = [name for name in frame if name.startswith("probability_")]
    shown = frame.head(most)
    if len(classes) > _MOST_CLASSES:
        likeliest = shown[classes].max(axis=1)
        shown = shown.drop(columns=classes).assign(probability=likeliest)
    typer.echo(shown.to_string(index=False))
    if len(frame) > most:
        typer.echo(f"… {len(frame):,} rows in all; --out FILE writes them")


@app.command(
    epilog="Example: benthic evaluate shop.duckdb 'PREDICT …' --regime rolling "
    "--test-anchors 3"
)
def evaluate(
    db: Source,
    query: Query,
    regime: Annotated[
        str,
        typer.Option(
            help="rolling: each prediction sees the rows up to its own time; frozen: "
            "only those up to the first evaluated one."
        ),
    ] = "rolling",
    test_anchors: Annotated[
        int, typer.Option(callback=between(1), help="Times to evaluate at.")
    ] = 1,
    validation_anchors: Annotated[
        int, typer.Option(callback=between(1), help="Times to choose settings by.")
    ] = 1,
    backtest: Annotated[
        bool, typer.Option("--backtest", help="Fit anew for each evaluated time.")
    ] = False,
    anchor_time: AnchorTime = "auto",
    num_hops: NumHops = 2,
    text_encoder: TextEncoder = None,
    seed: Seed = 0,
    out: Annotated[
        Path | None,
        typer.Option(help="Write labels and predictions to .parquet, .csv or .json."),
    ] = None,
    overrides: Overrides = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Say what answers would have been worth in the past, beside honest baselines."""
    from benthic.relational.answer_file import check_file, write_answers

    check_file(out, argument="--out")
    asked = {"num_hops": num_hops, "seed": seed, "text_encoder": text_encoder}
    with work(debug), _opened(db, overrides) as opened, steps("evaluate") as progress:
        p = _predictor(opened, query, None, asked, None, progress)
        found = p.evaluate(
            query,
            regime=regime,
            anchor_time=_anchor(anchor_time),
            test_anchors=test_anchors,
            validation_anchors=validation_anchors,
            backtest=backtest,
        )
        if out is not None:
            write_answers(out, [found.predictions], argument="--out")
            console.print(f"wrote {len(found.predictions):,} rows to {out}")
    if json:
        _print(found.to_dict())
    else:
        typer.echo(str(found))


@app.command(epilog="Example: benthic explain shop.duckdb 'PREDICT …' --entity 1042")
def explain(
    db: Source,
    query: Query,
    entity: Annotated[
        str | None, typer.Option(help="Key of the entity; the query on the whole.")
    ] = None,
    anchor_time: AnchorTime = "auto",
    num_hops: NumHops = 2,
    text_encoder: TextEncoder = None,
    model: Model = None,
    seed: Seed = 0,
    overrides: Overrides = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Show which tables, paths and rows moved a prediction."""
    asked = {"num_hops": num_hops, "seed": seed, "text_encoder": text_encoder}
    with work(debug), _opened(db, overrides) as opened, steps("explain") as progress:
        p = _predictor(opened, query, model, asked, None, progress)
        found = p.explain(query, entity, anchor_time=_anchor(anchor_time))
    if json:
        _print(found.to_dict())
    else:
        typer.echo(str(found))


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
        _print(found)
    else:
        typer.echo(board.board(found))


@contextlib.contextmanager
def _opened(source: str, overrides: Path | None) -> Iterator[Database]:
    from benthic.relational.database import Database

    with console.status("opening the database"):
        opened = Database.open(source, overrides=overrides)
    with opened:
        yield opened


def _predictor(
    opened: Database,
    query: str,
    model: Path | None,
    asked: dict[str, Any],
    fit_dir: Path | None,
    progress: Callable[[str], None],
) -> Predictor:
    from benthic.relational.engines import Options
    from benthic.relational.predictor import Predictor

    if model is not None:
        loaded = Predictor.load(model, opened, progress=progress)
        if not loaded.is_fitted_for(query):
            found = f"{model}, which answers {loaded.queries[0]}"
            raise InputError("--model", found, "ask that, or leave --model out")
        return loaded
    threads = os.cpu_count() or 1  # more of them never change a result
    options = Options(**asked, num_threads=threads)
    return Predictor(opened, options, fit_dir=fit_dir, progress=progress)


def _anchor(text: str) -> str | None:
    return None if text == "end" else text


def _print(document: Any) -> None:
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
