"""A network named on the command line: loaded or trained, then diagnosed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from benthic.errors import InputError, ModelError
from benthic.options import named

# What imports torch is imported inside: the command line's help is instant.
if TYPE_CHECKING:
    from torch import nn
    from torch_geometric.data import Data, HeteroData


@runtime_checkable
class Screen(Protocol):
    """Where a person is told how far the work is."""

    def say(self, text: str) -> None:
        """Shows a line.

        Args:
            text: The line.
        """

    def training(
        self, text: str, epochs: int
    ) -> AbstractContextManager[Callable[[int, int], None]]:
        """Shows a bar; what it yields is told the epochs done and planned.

        Args:
            text: What is trained.
            epochs: How long.
        """

    def diagnosing(self) -> AbstractContextManager[Callable[[str], None]]:
        """Shows that a diagnosis runs; what it yields is told what it does."""


def load_dataset(name: str, argument: str) -> Data:
    """A graph by name.

    Args:
        name: One of :func:`benthic.datasets.names`.
        argument: What to call it in an error.

    Raises:
        InputError: If there is no such graph.
    """
    from benthic import datasets

    with named(name=argument):
        return datasets.load(name)


def train_and_diagnose(
    data: Data,
    data_name: str,
    screen: Screen,
    *,
    conv: str,
    num_layers: int,
    hidden_channels: int,
    dropout: float,
    seed: int,
    epochs: int,
    **optimization: Any,
) -> dict[str, Any]:
    """The diagnosis of one of PyG's networks after the standard protocol.

    Args:
        data: A graph with labels.
        data_name: What to call it.
        screen: Told how far it is.
        conv: A name of :func:`benthic.training.build`.
        num_layers: Message-passing layers.
        hidden_channels: Width.
        dropout: Drop probability.
        seed: Of everything random.
        epochs: Passes over the graph.
        optimization: Fields of :class:`benthic.training.Protocol`.

    Raises:
        InputError: If there is no such layer.
    """
    from benthic.training import build, train

    with named():
        model = build(
            conv,
            data.num_features,
            hidden_channels,
            int(data.y.max()) + 1,
            num_layers=num_layers,
            dropout=dropout,
            seed=seed,
        )
    with screen.training(f"training {num_layers} layers", epochs) as advance:
        train(model, data, epochs=epochs, seed=seed, progress=advance, **optimization)
    screen.say(f"trained {model!r} on {data_name}: {epochs} epochs")
    return _diagnose(model, data, screen, name=None, data_name=data_name, seed=seed)


def diagnose_own(
    target: str,
    data: str | None,
    screen: Screen,
    *,
    seed: int,
    layers: list[str] | None,
) -> dict[str, Any]:
    """The diagnosis of a module in a user's file.

    Args:
        target: ``FILE.py:NAME``.
        data: A file of a graph, or a dataset.
        screen: Told how far it is.
        seed: Of everything random.
        layers: Modules to read instead of those found.

    Raises:
        InputError: If the file, the graph or the module cannot be used.
    """
    import torch

    from benthic.user_files import load_graph, load_model, split_target

    if data is None:
        raise InputError(
            "--data", "nothing", f"say what {target} runs on: FILE.pt or a dataset"
        )
    is_file = Path(data).suffix in (".pt", ".pth") or Path(data).exists()
    graph = load_graph(data) if is_file else load_dataset(data, "--data")
    if (file := Path(split_target(target)[0])).is_file():
        screen.say(f"running the code in {file}")
    torch.manual_seed(seed)  # what the file builds is random as well
    model = load_model(target)
    names = {"name": target, "data_name": Path(data).name if is_file else data}
    try:
        return _diagnose(model, graph, screen, **names, seed=seed, layers=layers)
    except ModelError as error:
        remedy = f"make {target} run on {names['data_name']}, or run again with --debug"
        raise InputError("TARGET", " ".join(str(error).split()), remedy) from error
    except InputError as error:
        typed = {"model": "TARGET", "data": "--data", "layers": "--layers"}
        argument = typed.get(error.argument, error.argument)
        remedy = error.remedy.replace("layers=[…]", "--layers NAME,NAME")
        raise InputError(argument, error.found, remedy) from error


def _diagnose(
    model: nn.Module,
    data: Data | HeteroData,
    screen: Screen,
    *,
    name: str | None,
    data_name: str,
    seed: int,
    layers: list[str] | None = None,
) -> dict[str, Any]:
    from benthic import diagnosis

    with screen.diagnosing() as progress:
        found = diagnosis.diagnose(
            model,
            data,
            name=name,
            data_name=data_name,
            layers=layers,
            seed=seed,
            progress=progress,
        )
    return dict(found.to_dict())
