"""Commands that ask a database about the future: predict, evaluate, explain."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benthic.cli.application import Debug, Json, Seed, app, console
from benthic.cli.databases import Overrides, Source, opened, print_document
from benthic.cli.screen import counted, resumable, steps, work
from benthic.cli.wording import one_line
from benthic.errors import InputError, OutputError
from benthic.options import between, named

# DuckDB, pandas and LightGBM are imported inside a command: help is instant.
if TYPE_CHECKING:
    from benthic.relational.database import Database
    from benthic.relational.predictions import Predictions
    from benthic.relational.predictor import Predictor

_MOST_CLASSES = 6  # a column each on the screen; files have them all

Query = Annotated[
    str, typer.Argument(help="A predictive query: PREDICT … FOR EACH table.key")
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
FitDir = Annotated[
    Path | None,
    typer.Option(help="Keep finished parts of the fit here, to go on after a stop."),
]


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
    fit_dir: FitDir = None,
    seed: Seed = 0,
    overrides: Overrides = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Answer a predictive query: one prediction per entity."""
    from benthic.relational.answer_file import check_file, records, to_csv
    from benthic.relational.engines.folder import check_whole_folder

    check_file(out, argument="--out")
    check_whole_folder(save, argument="--save")
    asked = {"num_hops": num_hops, "seed": seed, "text_encoder": text_encoder}
    unsaved: list[InputError | OutputError] = []
    with work(debug), _asked(db, overrides, model, fit_dir) as database:
        with steps("predict") as progress:
            p = _predictor(database, query, model, asked, fit_dir, progress)
            answers = p.predictions(query, anchor_time=anchor_time)
        with _put_off(unsaved, "not saved"), named(folder="--save"):
            if save is not None:
                p.save(save, query)
                console.print(f"saved the model in {save}")
        for note in answers.notes:
            console.print(f"note: {note}", soft_wrap=True)
        rows = _written(answers, out, unsaved)
        found = _taken(answers) if rows is None else []
    document: dict[str, Any] = {"query": query, "notes": list(answers.notes)}
    if json and rows is not None:
        print_document({**document, "out": str(out), "num_rows": rows})
    elif json:
        print_document({**document, "predictions": list(records(found))})
    elif out is None:
        _show_predictions(found)
    elif rows is None:
        typer.echo(to_csv(found), nl=False)
    if unsaved:
        raise unsaved[0]


@contextlib.contextmanager
def _put_off(failures: list[InputError | OutputError], outcome: str) -> Iterator[None]:
    """What cannot be written must not cost the answers: they are given first."""
    try:
        yield
    except (InputError, OutputError) as error:
        console.print(f"{outcome}: {one_line(error)}", soft_wrap=True)
        failures.append(error)


def _written(
    answers: Predictions, out: Path | None, unsaved: list[InputError | OutputError]
) -> int | None:
    """How many predictions the file holds; None if there is none."""
    from benthic.relational.answer_file import write_answers

    if out is None:
        return None
    with _put_off(unsaved, "not written, printed here instead"):
        with counted("predict", answers, answers.num_rows) as parts:
            rows = write_answers(out, parts, argument="--out")
        console.print(f"wrote {rows:,} predictions to {out}")
        return rows
    return None


def _taken(answers: Predictions) -> list[Any]:
    with counted("predict", answers, answers.num_rows) as parts:
        return list(parts)


def _show_predictions(parts: list[Any], most: int = 20) -> None:
    import pandas as pd

    if not parts:
        raise InputError(
            "query",
            "no entity that it asks about at the anchor time",
            "give an earlier --anchor-time, or drop WHERE",
        )
    frame = pd.concat(parts, ignore_index=True)
    classes = [name for name in frame if str(name).startswith("probability_")]
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
    fit_dir: FitDir = None,
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
    with work(debug), _asked(db, overrides, None, fit_dir) as database:
        with steps("evaluate") as progress:
            p = _predictor(database, query, None, asked, fit_dir, progress)
            found = p.evaluate(
                query,
                regime=regime,
                anchor_time=anchor_time,
                test_anchors=test_anchors,
                validation_anchors=validation_anchors,
                backtest=backtest,
            )
    if json:
        print_document(found.to_dict())
    else:
        typer.echo(str(found))
    if out is not None:
        write_answers(out, [found.predictions], argument="--out")
        console.print(f"wrote {len(found.predictions):,} rows to {out}")


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
    fit_dir: FitDir = None,
    seed: Seed = 0,
    overrides: Overrides = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Show which tables, paths and rows moved a prediction."""
    asked = {"num_hops": num_hops, "seed": seed, "text_encoder": text_encoder}
    with work(debug), _asked(db, overrides, model, fit_dir) as database:
        with steps("explain") as progress:
            p = _predictor(database, query, model, asked, fit_dir, progress)
            found = p.explain(query, entity, anchor_time=anchor_time)
    if json:
        print_document(found.to_dict())
    else:
        typer.echo(str(found))


@contextlib.contextmanager
def _asked(
    source: str, overrides: Path | None, model: Path | None, fit_dir: Path | None
) -> Iterator[Database]:
    """The database, while errors speak of options and a stop says how to go on."""
    from benthic.output_file import check_folder

    check_folder(fit_dir, argument="--fit-dir")
    is_fit = model is None
    hint = (
        resumable(fit_dir, "--fit-dir FOLDER") if is_fit else contextlib.nullcontext()
    )
    with (
        named(query="query", database="database", folder="--model"),
        hint,
        opened(source, overrides) as database,
    ):
        yield database


def _predictor(
    database: Database,
    query: str,
    model: Path | None,
    asked: dict[str, Any],
    fit_dir: Path | None,
    progress: Callable[[str], None],
) -> Predictor:
    from benthic.relational.engines import Options
    from benthic.relational.predictor import Predictor

    if model is not None:
        loaded = Predictor.load(model, database, progress=progress)
        if not loaded.is_fitted_for(query):
            found = f"{model}, which answers {loaded.queries[0]}"
            raise InputError("--model", found, "ask that, or leave --model out")
        return loaded
    threads = os.cpu_count() or 1  # more of them never change a result
    options = Options(**asked, num_threads=threads)
    return Predictor(database, options, fit_dir=fit_dir, progress=progress)
