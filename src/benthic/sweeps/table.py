"""sweep() -> Sweep, the depth table."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch_geometric.data import Data

from benthic import report
from benthic.datasets import load
from benthic.errors import InputError
from benthic.forward import call_model
from benthic.output_file import write_file
from benthic.ranges import whole_number
from benthic.sweeps.cells import Job, Settings, jobs
from benthic.sweeps.hidden_layer import GAUGES
from benthic.sweeps.store import Store
from benthic.sweeps.summary import GROUP, summarize
from benthic.sweeps.workers import Progress, run_here, run_in_processes
from benthic.training import Protocol, changed
from benthic.treatment.named import build_treated, canonical
from benthic.treatment.rewiring import rewired

_SPLITS = ("train", "val", "test")
_COLUMNS = (*GROUP, "seed", *_SPLITS, "epochs", "seconds", *GAUGES)


@dataclass(frozen=True)
class Sweep:
    """The depth table of a sweep: a row per network, and what depth costs.

    Args:
        document: The table as plain values, as :meth:`to_dict` gives it.

    Example:
        >>> Sweep({"rows": [], "summary": [], "failed": []}).rows.shape
        (0, 15)
    """

    document: Mapping[str, Any] = field(repr=False)

    @property
    def rows(self) -> pd.DataFrame:
        """One row per trained network, its gauges as columns."""
        rows = [{**row, **row["gauges"]} for row in self.document["rows"]]
        frame = pd.DataFrame(rows, columns=list(_COLUMNS))
        numbers = [*_SPLITS, "seconds", *GAUGES]
        return frame.astype(dict.fromkeys(numbers, float))

    @property
    def summary(self) -> pd.DataFrame:
        """Median and worst test accuracy by depth, and the loss against shallower."""
        columns = [*GROUP, "median", "worst", "best_shallower", "depth_loss"]
        frame = pd.DataFrame(list(self.document["summary"]), columns=columns)
        return frame.astype(dict.fromkeys(columns[len(GROUP) :], float))

    @property
    def failed(self) -> pd.DataFrame:
        """Networks that have no row, and why."""
        columns = [*GROUP, "seed", "reason"]
        return pd.DataFrame(list(self.document["failed"]), columns=columns)

    def to_dict(self) -> dict[str, Any]:
        """The table as plain values; what is undefined is None."""
        plain: dict[str, Any] = json.loads(self.to_json())
        return plain

    def to_json(self) -> str:
        """One JSON document."""
        return report.to_json(self.document)

    def to_markdown(self) -> str:
        """The summary as Markdown."""
        return report.to_markdown(self.document)

    def to_html(self, path: str | Path | None = None) -> str:
        """A page that needs nothing else, with the depth curves.

        Args:
            path: Where to write it as well.

        Raises:
            InputError: If it cannot be written there.
        """
        page = report.to_html([self.document], title="Benthic sweep")
        if path is not None:
            write_file(Path(path), page, argument="path")
        return page

    def __str__(self) -> str:
        return report.to_text(self.document)

    def _repr_html_(self) -> str:
        return self.to_html()


def sweep(
    datasets: str | Sequence[str],
    protocol: Protocol | None = None,
    *,
    num_layers: int | Sequence[int] = (2, 4, 8, 16),
    treatments: str | Sequence[str] = "none",
    conv: str | Sequence[str] = "gcn",
    seeds: int | Sequence[int] = 10,
    hidden_channels: int = 64,
    dropout: float = 0.5,
    scale: float = 1.0,
    split: int = 0,
    out: str | Path | None = None,
    processes: int = 1,
    retry_failed: bool = False,
    progress: Progress | None = None,
    **changes: Any,
) -> Sweep:
    """Trains every combination of dataset, layer, treatment, depth and seed, once.

    Each network is a cell, and a finished cell is a file in ``out``: a sweep that was
    stopped or killed goes on where it was, other depths or seeds add to it, and other
    settings are other cells. Several sweeps may share a folder and the work. A network
    that raises or diverges is recorded as failed with its reason.

    At the end ``out`` holds what this call asked for as ``sweep.parquet`` (a row per
    network, gauges as columns) and ``sweep.json``.

    Args:
        datasets: Names of :func:`benthic.load`, a list or by comma.
        protocol: How to train, see :func:`benthic.training.train`.
        num_layers: Depths, 1 or more; or one depth.
        treatments: What to do about depth, a list or by comma: names of
            ``benthic.nn`` in snake case, joined by ``+``, with arguments in
            parentheses: ``"none,initial_residual(alpha=0.2)+drop_edge(p=0.5)"``; or
            rewirings of ``benthic.transforms``, ``"sdrf(num_iterations=50)"``; or a
            propagation as deep as the network is asked to be,
            ``"appnp(K=num_layers, alpha=0.1)"``, in the place of its layers.
        conv: Layers of :func:`benthic.training.build`, a list or by comma.
        seeds: How many, from 0 on; or the seeds themselves.
        hidden_channels: Width of the hidden layers.
        dropout: Drop probability on the branch of each layer.
        scale: Factor of the input features.
        split: Which published split, or the seed of a drawn one.
        out: The folder, or the name of the Parquet file; nothing is kept if None.
        processes: How many networks are trained at the same time; 1 stays in this
            process.
        retry_failed: Whether cells that failed earlier are run again.
        progress: Told the cells done, their number and what runs.
        changes: Fields of the protocol to change, such as ``epochs=50``.

    Raises:
        InputError: If a name, a number or the folder cannot be used.
        BenthicError: If the disk is full or a process is killed; the same call goes on.

    Example:
        >>> sweep("cora", num_layers=[0])
        Traceback (most recent call last):
        ...
        benthic.errors.InputError: num_layers: found 0; give whole numbers, 1 or more
    """
    protocol = changed(protocol, changes)
    settings = Settings(protocol, hidden_channels, dropout, scale, split)
    whole_number("processes", processes, 1)
    planned = jobs(
        [name.lower().replace("-", "_") for name in _listed("datasets", datasets)],
        [name.lower() for name in _listed("conv", conv)],
        canonical(treatments),
        num_layers if isinstance(num_layers, Iterable) else [num_layers],
        _seeds(seeds),
        settings,
    )
    _check_parts(planned)
    _check_graphs(planned)
    with tempfile.TemporaryDirectory(prefix="benthic-") as scratch:
        store = Store(scratch if out is None else out)
        try:
            if retry_failed:
                _forget_failed(planned, store)
            _run(planned, store, processes, progress or (lambda *_: None))
            result = Sweep(_document(planned, store))
            _keep(result, store)
        finally:
            store.close()
    return result


def _listed(argument: str, names: str | Sequence[str]) -> list[str]:
    parts = names.split(",") if isinstance(names, str) else names
    is_list = isinstance(parts, Sequence)
    if not is_list or not all(isinstance(part, str) for part in parts):
        found = f"an object of type {type(names).__name__}"
        raise InputError(argument, found, "give names, a list or by comma")
    return [part.strip() for part in parts]


def _seeds(seeds: int | Sequence[int]) -> Sequence[int]:
    if isinstance(seeds, Iterable):
        return list(seeds)
    return range(whole_number("seeds", seeds, 1))


def _check_parts(planned: Sequence[Job]) -> None:
    """Finds what cannot be before hours of work, by a small network of each kind."""
    pairs = {(job.conv, job.treatment): job.settings for job in planned}
    for (conv, treatment), settings in pairs.items():
        width, dropout = settings.hidden_channels, settings.dropout
        model = build_treated(conv, treatment, 8, width, 2, 3, dropout, 0)
        try:
            with torch.random.fork_rng(devices=[]):
                call_model(model.train(), rewired(treatment, _ring()))
        except (TypeError, ValueError, AssertionError) as error:
            if isinstance(error, InputError):
                raise
            found = f"{treatment} on {conv}: {type(error).__name__}: {error}"
            remedy = "give the parts sound values"
            raise InputError("treatments", " ".join(found.split()), remedy) from error


def _ring(num_nodes: int = 12) -> Data:
    """The smallest graph on which every rewiring has something to do."""
    around = torch.arange(num_nodes)
    one_way = torch.stack([around, around.roll(1)])
    return Data(
        x=torch.ones(num_nodes, 8), edge_index=torch.cat([one_way, one_way.flip(0)], 1)
    )


def _check_graphs(planned: Sequence[Job]) -> None:
    """Also puts every graph where the processes find it without a download each."""
    for name in dict.fromkeys(job.dataset for job in planned):
        try:
            load(name, split=planned[0].settings.split)
        except InputError as error:
            argument = "datasets" if error.argument == "name" else error.argument
            raise InputError(argument, error.found, error.remedy) from error


def _forget_failed(planned: Sequence[Job], store: Store) -> None:
    for job in planned:
        for seed in job.seeds:
            if "failed" in (store.read(job, seed) or {}):
                store.forget(job, seed)


def _run(
    planned: Sequence[Job], store: Store, processes: int, progress: Progress
) -> None:
    if processes == 1:
        run_here(planned, store, progress)
    else:
        run_in_processes(planned, store, processes, progress)


def _document(planned: Sequence[Job], store: Store) -> dict[str, Any]:
    """Rows in the order of names as they were given, then by depth and seed."""
    rows, failed, groups = [], [], []
    order = {
        key: index for index, key in enumerate(dict.fromkeys(map(_names, planned)))
    }
    for job in sorted(planned, key=lambda job: (order[_names(job)], job.num_layers)):
        groups.append(job.group)
        for seed in job.seeds:
            content = store.read(job, seed) or {}
            which = {**job.group, "seed": seed}
            if "failed" in content:
                failed.append({**which, "reason": content["failed"]})
            else:
                rows.append({**which, **content})
    return {
        "benthic": version("benthic"),
        "settings": planned[0].settings.to_dict(),
        "rows": rows,
        "summary": summarize(rows, groups),
        "failed": failed,
    }


def _names(job: Job) -> tuple[str, str, str]:
    return job.dataset, job.conv, job.treatment


def _keep(result: Sweep, store: Store) -> None:
    frame = result.rows
    store.replace(store.parquet, lambda path: frame.to_parquet(path, index=False))
    text = result.to_json() + "\n"
    store.replace(store.json, lambda path: path.write_text(text, "utf-8"))
