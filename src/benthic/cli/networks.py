"""Commands about networks: diagnose, sweep, demo, report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benthic import consultation, demonstration
from benthic.cli.application import Debug, Html, Json, Seed, app, console
from benthic.cli.documents import print_json, write, write_html
from benthic.cli.screen import Screen, bar, resumable, work
from benthic.cli.wording import one_line
from benthic.errors import BenthicError, InputError
from benthic.options import between, named, of_training, whole_numbers
from benthic.output_file import check_writable

# Everything that imports torch is imported inside a command: help is instant.


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
    with work(debug):
        from benthic.user_files import is_model_file

        if is_model_file(target):
            names = layers.split(",") if layers else None
            document = consultation.diagnose_own(
                target, data, Screen(), seed=seed, layers=names
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
                Screen(),
                conv=conv,
                num_layers=num_layers,
                hidden_channels=hidden_channels,
                dropout=dropout,
                seed=seed,
                epochs=epochs,
                lr=lr,
                weight_decay=weight_decay,
            )
    write([document], as_json=json, html=html)


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
            "'none,initial_residual(alpha=0.2)+drop_edge,sdrf+residual'; "
            "'appnp(K=num_layers, alpha=0.1)' is as deep as the network is asked to be."
        ),
    ] = "none",
    conv: Annotated[
        str,
        typer.Option(
            help="Layers, by comma: gcn,sage,gat; or deep_gcn, graph_transformer."
        ),
    ] = "gcn",
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
    scale: Annotated[float, typer.Option(help="Factor of the input features.")] = 1.0,
    patience: Annotated[
        int | None,
        typer.Option(help="Epochs without a better validation score; all by default."),
    ] = None,
    samples: Annotated[
        int, typer.Option(callback=between(1), help="Random passes of an epoch.")
    ] = 1,
    consistency: Annotated[
        float,
        typer.Option(callback=between(0), help="Weight of the passes' agreement."),
    ] = 0.0,
    temperature: Annotated[
        float, typer.Option(help="Of what the passes shall agree on, above 0.")
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
    with work(debug), named(datasets="DATASETS"), resumable(out), bar() as progress:
        from benthic import sweeps

        result = sweeps.sweep(
            datasets,
            num_layers=depths,
            treatments=treatments,
            conv=conv,
            seeds=seeds,
            hidden_channels=hidden_channels,
            dropout=dropout,
            scale=scale,
            split=split,
            out=out,
            processes=processes,
            retry_failed=retry_failed,
            progress=progress,
            epochs=epochs,
            lr=lr,
            weight_decay=weight_decay,
            patience=patience,
            samples=samples,
            consistency=consistency,
            temperature=temperature,
        )
    write([result.to_dict()], as_json=json, html=html)
    if len(result.rows) == 0:
        reason = result.failed["reason"].iloc[0]
        raise BenthicError(f"every network failed, the first by {reason}")


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
    with work(debug):
        console.print("building the bank: customers, cards, merchants, suppliers")
        from benthic import datasets

        graph = datasets.bank(seed=seed).to_homogeneous("demand")
        documents = [
            consultation.train_and_diagnose(
                graph,
                "the bank, task demand",
                Screen(),
                num_layers=num_layers,
                seed=seed,
                **demonstration.TRAINING,
            )
            for num_layers in demonstration.DEPTHS
        ]
    write_html(documents, html, "Benthic demo: a shallow and a deep network")
    if json:
        print_json(documents)
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
    with work(debug):
        from benthic.report import from_json

        try:
            documents = from_json(file.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            remedy = "give a file that `--json` wrote"
            raise InputError("FILE", f"{file}: {one_line(error)}", remedy) from error
    write(documents, as_json=json, html=html)
