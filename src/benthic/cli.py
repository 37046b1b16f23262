"""The only typer/rich file."""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from benthic import consultation, demonstration
from benthic.errors import BenthicError, InputError
from benthic.options import between, named, of_training, whole_numbers
from benthic.output_file import check_writable, write_file
from benthic.output_stream import stdout_kept

# Everything that imports torch is imported inside a command: help is instant.

app = typer.Typer(
    name="benthic",
    help="Diagnose graph neural networks that get worse with depth.",
    epilog="Start with: benthic demo",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
console = Console(stderr=True, highlight=False, markup=False)

# typer vendors click since 0.2x; this is click's UsageError wherever it lives.
_UsageError: type[Exception] = typer.BadParameter.__bases__[0]
_INTERRUPTED = 130  # 128 + SIGINT, as shells count


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


@app.command(
    epilog="Examples: benthic diagnose cora --conv gcn --num-layers 16 "
    "or benthic diagnose my_model.py:model --data my_data.pt --html report.html"
)
def diagnose(
    target: Annotated[
        str,
        typer.Argument(
            is_eager=True,  # the options of training ask for it
            help="A dataset, whose network is trained by the standard protocol; or "
            "FILE.py:NAME, your own module or a function that returns one.",
        ),
    ],
    conv: Annotated[
        str, typer.Option(callback=of_training(), help="Layer: gcn, sage, gat, gin, …")
    ] = "gcn",
    num_layers: Annotated[
        int, typer.Option(callback=of_training(between(1)), help="Depth, 1 or more.")
    ] = 2,
    hidden_channels: Annotated[
        int, typer.Option(callback=of_training(between(1)), help="Width, 1 or more.")
    ] = 64,
    epochs: Annotated[
        int,
        typer.Option(callback=of_training(between(0)), help="Passes over the graph."),
    ] = 200,
    lr: Annotated[
        float,
        typer.Option(callback=of_training(between(0)), help="Learning rate of Adam."),
    ] = 0.01,
    weight_decay: Annotated[
        float,
        typer.Option(callback=of_training(between(0)), help="L2 factor of Adam."),
    ] = 5e-4,
    dropout: Annotated[
        float,
        typer.Option(
            callback=of_training(between(0, 1)), help="Drop probability, 0 to 1."
        ),
    ] = 0.5,
    seed: Seed = 0,
    data: Annotated[
        str | None,
        typer.Option(help="Graph for your own module: FILE.pt or a dataset."),
    ] = None,
    layers: Annotated[
        str | None,
        typer.Option(help="Modules to read, by comma, instead of those found."),
    ] = None,
    json: Json = False,
    html: Html = None,
    debug: Debug = False,
) -> None:
    """Say why a graph neural network fails, layer by layer."""
    check_writable(html, argument="--html")
    with _work(debug):
        from benthic.user_files import is_model_file

        if is_model_file(target):
            names = layers.split(",") if layers else None
            document = consultation.diagnose_own(
                target, data, _Screen(), seed=seed, layers=names
            )
        elif data is not None or layers is not None:
            raise InputError(
                "--layers" if data is None else "--data",
                f"{(layers if data is None else data)!r} beside the dataset {target!r}",
                "leave it out, or name your own module: FILE.py:NAME",
            )
        else:
            document = consultation.train_and_diagnose(
                consultation.load_dataset(target, "TARGET"),
                target,
                _Screen(),
                conv=conv,
                num_layers=num_layers,
                hidden_channels=hidden_channels,
                dropout=dropout,
                seed=seed,
                epochs=epochs,
                lr=lr,
                weight_decay=weight_decay,
            )
    _write([document], as_json=json, html=html)


@app.command(
    epilog="Example: benthic sweep cora --num-layers 2,4,8,16,32 "
    "--treatments none,initial_residual+layer_norm --out cora-sweep"
)
def sweep(
    datasets: Annotated[
        str, typer.Argument(help="Datasets, by comma: cora,citeseer,pubmed.")
    ],
    num_layers: Annotated[str, typer.Option(help="Depths, by comma.")] = "2,4,8,16",
    treatments: Annotated[
        str,
        typer.Option(
            help="By comma; joined by +, with arguments in parentheses: "
            "'none,initial_residual(alpha=0.2)+drop_edge'."
        ),
    ] = "none",
    conv: Annotated[str, typer.Option(help="Layers, by comma: gcn,sage,gat.")] = "gcn",
    seeds: Annotated[
        int, typer.Option(callback=between(1), help="Networks of each kind.")
    ] = 10,
    epochs: Annotated[
        int, typer.Option(callback=between(1), help="Passes over the graph.")
    ] = 200,
    lr: Annotated[
        float, typer.Option(callback=between(0), help="Learning rate of Adam.")
    ] = 0.01,
    weight_decay: Annotated[
        float, typer.Option(callback=between(0), help="L2 factor of Adam.")
    ] = 5e-4,
    hidden_channels: Annotated[
        int, typer.Option(callback=between(1), help="Width, 1 or more.")
    ] = 64,
    dropout: Annotated[
        float, typer.Option(callback=between(0, 1), help="Drop probability, 0 to 1.")
    ] = 0.5,
    split: Annotated[
        int, typer.Option(callback=between(0), help="Which split of a dataset.")
    ] = 0,
    out: Annotated[
        Path, typer.Option(help="Folder, or FILE.parquet, of the cells and the table.")
    ] = Path("benthic-sweep"),
    processes: Annotated[
        int, typer.Option(callback=between(1), help="Networks trained at a time.")
    ] = 1,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Run again what failed.")
    ] = False,
    json: Json = False,
    html: Html = None,
    debug: Debug = False,
) -> None:
    """Measure what depth costs: dataset x layer x treatment x depth x seed."""
    check_writable(html, argument="--html")
    depths = whole_numbers(num_layers, "--num-layers")
    with _work(debug), named(datasets="DATASETS"), _resumable(out), _bar() as progress:
        from benthic import sweeps

        result = sweeps.sweep(
            datasets,
            num_layers=depths,
            treatments=treatments,
            conv=conv,
            seeds=seeds,
            hidden_channels=hidden_channels,
            dropout=dropout,
            split=split,
            out=out,
            processes=processes,
            retry_failed=retry_failed,
            progress=progress,
            epochs=epochs,
            lr=lr,
            weight_decay=weight_decay,
        )
    _write([result.to_dict()], as_json=json, html=html)


@app.command(epilog="Example: benthic demo --html benthic-demo.html")
def demo(
    html: Annotated[
        Path, typer.Option(help="Write a self-contained page here.")
    ] = Path("benthic-demo.html"),
    json: Json = False,
    seed: Seed = 0,
    debug: Debug = False,
) -> None:
    """Diagnose a shallow and a deep network on a bank."""
    check_writable(html, argument="--html")
    with _work(debug):
        console.print("building the bank: customers, cards, merchants, suppliers")
        from benthic import datasets

        graph = datasets.bank(seed=seed).to_homogeneous("demand")
        documents = [
            consultation.train_and_diagnose(
                graph,
                "the bank, task demand",
                _Screen(),
                num_layers=num_layers,
                seed=seed,
                **demonstration.TRAINING,
            )
            for num_layers in demonstration.DEPTHS
        ]
    _write_html(documents, html, "Benthic demo: a shallow and a deep network")
    if json:
        _print_json(documents)
        return
    for is_title, line in demonstration.story(documents, str(html)):
        typer.secho(line, bold=is_title)


@app.command(epilog="Example: benthic report diagnosis.json --html report.html")
def report(
    file: Annotated[Path, typer.Argument(help="What `--json` printed earlier.")],
    html: Html = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Show a saved diagnosis or sweep again."""
    check_writable(html, argument="--html")
    with _work(debug):
        from benthic.report import from_json

        try:
            documents = from_json(file.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            remedy = "give a file that `--json` wrote"
            raise InputError("FILE", f"{file}: {_one_line(error)}", remedy) from error
    _write(documents, as_json=json, html=html)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line and exits: 0 good, 1 the work failed, 2 a wrong request.

    Args:
        arguments: What follows ``benthic``; the process's own by default.
    """
    arguments = (sys.argv[1:] if arguments is None else list(arguments)) or ["--help"]
    # Set before torch loads: threads that spin while they wait starve each other on a
    # busy machine (benchmarks/LOG.md).
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    for stream in (sys.stdout, sys.stderr):
        # A terminal without these characters shows "?" instead of failing.
        with contextlib.suppress(AttributeError):
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    sys.exit(_run(arguments))


def _run(arguments: Sequence[str]) -> int:
    try:
        code = app(list(arguments), prog_name="benthic", standalone_mode=False)
        if code != _INTERRUPTED:
            return int(code or 0)
        line = "interrupted"
    except (KeyboardInterrupt, typer.Abort):
        code, line = _INTERRUPTED, "interrupted"
    except BrokenPipeError:
        # Whoever read our output has seen enough; the flush at exit must not fail.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        code, line = _explain(error)
    typer.echo(f"benthic: {line}", err=True)
    return int(code)


def _explain(error: Exception) -> tuple[int, str]:
    """The exit code and the one line that an error deserves."""
    if isinstance(error, _UsageError):
        text = " ".join(str(error.format_message()).split())  # type: ignore[attr-defined]
        return 2, f"{text.rstrip('.')}; see benthic --help"
    if isinstance(error, BenthicError):
        return 2 if isinstance(error, InputError) else 1, _one_line(error)
    return 1, f"failed: {_one_line(error)}; run again with --debug for the traceback"


def _one_line(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    text = " ".join(str(error).split())
    known = isinstance(error, BenthicError)
    return text if known and text else f"{type(error).__name__}: {text[:300]}"


def _write(
    documents: Sequence[dict[str, Any]], *, as_json: bool, html: Path | None
) -> None:
    from benthic.report import is_sweep, to_text

    if html is not None:
        kind = "sweep" if is_sweep(documents[0]) else "diagnosis"
        _write_html(documents, html, f"Benthic {kind}")
        console.print(f"wrote {html}")
    if as_json:
        _print_json(documents)
        return
    for index, document in enumerate(documents):
        verdict, _, rest = to_text(document).partition("\n")
        colors = {None: None, "healthy": "green"}
        color = colors.get(document.get("verdict"), "red")
        typer.echo("\n" if index else "", nl=False)
        typer.secho(verdict, bold=True, fg=color)
        typer.echo(rest)


def _print_json(documents: Sequence[dict[str, Any]]) -> None:
    from benthic.report import to_json

    one = documents[0] if len(documents) == 1 else {"diagnoses": list(documents)}
    typer.echo(to_json(one))


def _write_html(documents: Sequence[dict[str, Any]], path: Path, title: str) -> None:
    from benthic.report import to_html

    write_file(path, to_html(documents, title=title), argument="--html")


class _Screen:
    """Says on stderr how far a diagnosis is."""

    def say(self, text: str) -> None:
        console.print(text)

    @contextlib.contextmanager
    def training(self, text: str, epochs: int) -> Iterator[Callable[[int, int], None]]:
        with Progress(
            console=console, transient=True, disable=not console.is_terminal
        ) as bar:
            task = bar.add_task(text, total=epochs)
            yield lambda done, _: bar.update(task, completed=done)

    @contextlib.contextmanager
    def diagnosing(self) -> Iterator[Callable[[str], None]]:
        with console.status("diagnosing") as status:
            yield lambda text: status.update(f"diagnosing: {text}")


@contextlib.contextmanager
def _work(debug: bool) -> Iterator[None]:
    """Keeps stdout for the result, and shows where an error came from."""
    try:
        with stdout_kept():
            yield
    except Exception:
        if debug:
            traceback.print_exc()
        raise


@contextlib.contextmanager
def _resumable(out: Path) -> Iterator[None]:
    """Says what an interruption leaves behind."""
    try:
        yield
    except KeyboardInterrupt:
        kept = f"what is finished is kept in {out}"
        console.print(f"{kept}: run the same command again to go on")
        raise


@contextlib.contextmanager
def _bar() -> Iterator[Callable[[float, int, str], None]]:
    """A bar over cells in a terminal, and a line per job in a log."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f} of {task.total:.0f} cells"),
        TimeRemainingColumn(),
    )
    is_terminal = console.is_terminal
    with Progress(
        *columns, console=console, transient=True, disable=not is_terminal
    ) as bar:
        task = bar.add_task("starting", total=None)
        said = ""

        def advance(done: float, total: int, text: str) -> None:
            nonlocal said
            bar.update(task, completed=done, total=total, description=text or "sweep")
            if text and text != said and not is_terminal:
                console.print(f"{done:.0f} of {total} cells done; training {text}")
            said = text or said

        yield advance
