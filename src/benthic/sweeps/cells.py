"""What a sweep runs: its cells, and the settings that all of them share."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import product
from typing import Any

from benthic.errors import InputError
from benthic.ranges import number, whole_number
from benthic.training import Protocol

# A row of an earlier protocol is not taken for one of today's.
_PROTOCOL = 1


@dataclass(frozen=True)
class Settings:
    """How every cell of a sweep is built and trained.

    Args:
        protocol: Epochs, learning rate, weight decay, …
        hidden_channels: Width of the hidden layers.
        dropout: Drop probability on the branch of each layer, 0 … 1.
        scale: Factor of the input features.
        split: Which published split of a dataset, or the seed of a drawn one.

    Raises:
        InputError: If a value is out of its range.

    Example:
        >>> Settings(Protocol(epochs=0))
        Traceback (most recent call last):
        ...
        benthic.errors.InputError: epochs: found 0; give a whole number, 1 or more
    """

    protocol: Protocol = field(default_factory=Protocol)
    hidden_channels: int = 64
    dropout: float = 0.5
    scale: float = 1.0
    split: int = 0

    def __post_init__(self) -> None:
        whole_number("epochs", self.protocol.epochs, 1)
        whole_number("hidden_channels", self.hidden_channels, 1)
        number("dropout", self.dropout, 0, 1)
        number("scale", self.scale)
        whole_number("split", self.split, 0)

    def to_dict(self) -> dict[str, Any]:
        """All settings side by side as plain values.

        Example:
            >>> Settings(dropout=0.6).to_dict()["lr"]
            0.01
        """
        protocol = asdict(self.protocol)
        names = ("hidden_channels", "dropout", "scale", "split")
        own = {name: getattr(self, name) for name in names}
        return {**protocol, "metric": self.protocol.metric.__name__, **own}


@dataclass(frozen=True)
class Job:
    """Networks that differ in their seed alone, so that they can be trained together.

    Each seed is a cell of the table.

    Args:
        dataset: A name of :func:`benthic.datasets.load`.
        conv: A name of :func:`benthic.training.build`.
        treatment: What is done about depth, by name.
        num_layers: Message-passing layers.
        seeds: The cells.
        settings: How they are trained.
    """

    dataset: str
    conv: str
    treatment: str
    num_layers: int
    seeds: tuple[int, ...]
    settings: Settings

    def __str__(self) -> str:
        return f"{self.dataset} {self.conv} {self.treatment}, {self.num_layers} layers"

    @property
    def group(self) -> dict[str, Any]:
        """What the cells have in common in the table."""
        return {
            "dataset": self.dataset,
            "conv": self.conv,
            "treatment": self.treatment,
            "num_layers": self.num_layers,
        }

    @property
    def key(self) -> str:
        """Names this job wherever it is asked for, whatever its seeds."""
        return _digest(self._identity())

    def cell(self, seed: int) -> dict[str, Any]:
        """Everything that decides the numbers of one cell.

        Args:
            seed: Of the weights and the dropout.
        """
        return {**self._identity(), "seed": seed}

    def cell_key(self, seed: int) -> str:
        """Names one cell: other settings are another cell.

        Args:
            seed: Of the weights and the dropout.

        Example:
            >>> job = Job("cora", "gcn", "none", 2, (0, 1), Settings())
            >>> longer = Job("cora", "gcn", "none", 2, (0, 1), Settings(Protocol(500)))
            >>> job.cell_key(0) == longer.cell_key(0)
            False
        """
        return _digest(self.cell(seed))

    def _identity(self) -> dict[str, Any]:
        return {"protocol": _PROTOCOL, **self.group, **self.settings.to_dict()}


def _digest(identity: dict[str, Any]) -> str:
    text = json.dumps(identity, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def jobs(
    datasets: Sequence[str],
    convs: Sequence[str],
    treatments: Sequence[str],
    num_layers: Sequence[int],
    seeds: Sequence[int],
    settings: Settings,
) -> list[Job]:
    """Every combination once, shallow networks first: they are soon done.

    Args:
        datasets: Names of graphs.
        convs: Names of layers.
        treatments: Treatments in their canonical form.
        num_layers: Depths, 1 or more.
        seeds: Seeds, 0 or more.
        settings: How every cell is trained.

    Raises:
        InputError: If one of the lists is empty, or a number is out of its range.

    Example:
        >>> [str(job) for job in jobs(["cora"], ["gcn"], ["none"], [4, 2], [0],
        ...                           Settings())]
        ['cora gcn none, 2 layers', 'cora gcn none, 4 layers']
    """
    for name, values in (
        ("datasets", datasets),
        ("conv", convs),
        ("treatments", treatments),
        ("num_layers", num_layers),
        ("seeds", seeds),
    ):
        if not values:
            raise InputError(name, "nothing", "give at least one")
    _check_whole("num_layers", num_layers, 1)
    _check_whole("seeds", seeds, 0)
    return [
        Job(dataset, conv, treatment, depth, tuple(dict.fromkeys(seeds)), settings)
        for depth, dataset, conv, treatment in _grid(
            sorted(set(num_layers)), datasets, convs, treatments
        )
    ]


def _grid(*axes: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
    return product(*(dict.fromkeys(axis) for axis in axes))


def _check_whole(name: str, values: Sequence[int], low: int) -> None:
    for value in values:
        whole_number(name, value, low, remedy=f"give whole numbers, {low} or more")
