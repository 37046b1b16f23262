"""The only typer/rich file."""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress

from benthic import demonstration
from benthic.errors import InputError, ModelError
from benthic.options import between, of_training
from benthic.output_file import check_writable, write_file

# Everything that imports torch is imported inside a command: help is instant.
if TYPE_CHECKING:
    from torch import nn
    from torch_geometric.data import Data, HeteroData

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
            document = _diagnose_own(target, data, seed, names)
        elif data is not None or layers is not None:
            raise InputError(
                "--layers" if data is None else "--data",
                f"{(layers if data is None else data)!r} beside the dataset {target!r}",
                "leave it out, or name your own module: FILE.py:NAME",
            )
        else:
            document = _train_and_diagnose(
                _load_dataset(target, "TARGET"),
                target,
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
            _train_and_diagnose(
                graph,
                "the bank, task demand",
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
    """Show a saved diagnosis again."""
    check_writable(html, argument="--html")
    with _work(debug):
        from benthic.report import from_json

        try:
            documents = from_json(file.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            remedy = "give a file that `benthic diagnose --json` wrote"
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
    if isinstance(error, InputError | ModelError):
        return 2 if isinstance(error, InputError) else 1, _one_line(error)
    return 1, f"failed: {_one_line(error)}; run again with --debug for the traceback"


def _one_line(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    text = " ".join(str(error).split())
    known = isinstance(error, InputError | ModelError)
    return text if known and text else f"{type(error).__name__}: {text[:300]}"


def _load_dataset(name: str, argument: str) -> Data:
    from benthic import datasets

    with _named(argument):
        return datasets.load(name)


def _train_and_diagnose(
    data: Data,
    data_name: str,
    *,
    conv: str,
    num_layers: int,
    hidden_channels: int,
    dropout: float,
    seed: int,
    epochs: int,
    **optimization: float,
) -> dict[str, Any]:
    from benthic.training import build, train

    with _named("--conv"):
        model = build(
            conv,
            data.num_features,
            hidden_channels,
            int(data.y.max()) + 1,
            num_layers=num_layers,
            dropout=dropout,
            seed=seed,
        )
    with Progress(
        console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task(f"training {num_layers} layers", total=epochs)

        def advance(done: int, _: int) -> None:
            bar.update(task, completed=done)

        train(model, data, epochs=epochs, seed=seed, progress=advance, **optimization)
    console.print(f"trained {model!r} on {data_name}: {epochs} epochs")
    return _diagnose(model, data, name=None, data_name=data_name, seed=seed)


def _diagnose_own(
    target: str, data: str | None, seed: int, layers: list[str] | None
) -> dict[str, Any]:
    import torch

    from benthic.user_files import load_graph, load_model, split_target

    if data is None:
        raise InputError(
            "--data", "nothing", f"say what {target} runs on: FILE.pt or a dataset"
        )
    is_file = Path(data).suffix in (".pt", ".pth") or Path(data).exists()
    graph = load_graph(data) if is_file else _load_dataset(data, "--data")
    if (file := Path(split_target(target)[0])).is_file():
        console.print(f"running the code in {file}")
    torch.manual_seed(seed)  # what the file builds is random as well
    model = load_model(target)
    data_name = Path(data).name if is_file else data
    try:
        return _diagnose(
            model, graph, name=target, data_name=data_name, seed=seed, layers=layers
        )
    except ModelError as error:
        remedy = f"make {target} run on {data_name}, or run again with --debug"
        raise InputError("TARGET", _one_line(error), remedy) from error
    except InputError as error:
        typed = {"model": "TARGET", "data": "--data", "layers": "--layers"}
        argument = typed.get(error.argument, error.argument)
        remedy = error.remedy.replace("layers=[…]", "--layers NAME,NAME")
        raise InputError(argument, error.found, remedy) from error


def _diagnose(
    model: nn.Module,
    data: Data | HeteroData,
    *,
    name: str | None,
    data_name: str,
    seed: int,
    layers: list[str] | None = None,
) -> dict[str, Any]:
    from benthic import diagnosis

    with console.status("diagnosing") as status:
        found = diagnosis.diagnose(
            model,
            data,
            name=name,
            data_name=data_name,
            layers=layers,
            seed=seed,
            progress=lambda text: status.update(f"diagnosing: {text}"),
        )
    return dict(found.to_dict())


def _write(
    documents: Sequence[dict[str, Any]], *, as_json: bool, html: Path | None
) -> None:
    from benthic.report import to_text

    if html is not None:
        _write_html(documents, html, "Benthic diagnosis")
        console.print(f"wrote {html}")
    if as_json:
        _print_json(documents)
        return
    for index, document in enumerate(documents):
        verdict, _, rest = to_text(document).partition("\n")
        color = "green" if document["verdict"] == "healthy" else "red"
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


@contextlib.contextmanager
def _work(debug: bool) -> Iterator[None]:
    """Keeps stdout for the result: what libraries and users' files print moves."""
    try:
        with contextlib.redirect_stdout(sys.stderr), _descriptor_moved():
            yield
    except Exception:
        if debug:
            traceback.print_exc()
        raise


@contextlib.contextmanager
def _descriptor_moved() -> Iterator[None]:
    """Moves what other programs print as well: they know only the descriptor."""
    try:
        stdout = os.dup(1)
    except OSError:  # closed by whoever started us
        yield
        return
    try:
        os.dup2(2, 1)
        yield
    finally:
        os.dup2(stdout, 1)
        os.close(stdout)


@contextlib.contextmanager
def _named(argument: str) -> Iterator[None]:
    """Calls the argument of an error by the name that the user typed."""
    try:
        yield
    except InputError as error:
        raise InputError(argument, error.found, error.remedy) from error
