"""prescribe() -> Prescription: what helps this model on this graph, found by trial."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import nn

from benthic import report
from benthic.checks.controls import isolated_copy
from benthic.diagnosis import Diagnosis, diagnose
from benthic.errors import InputError
from benthic.forward import Forward, call_model
from benthic.output_file import write_file
from benthic.ranges import ABOVE_ZERO, number, whole_number
from benthic.report.trials import HEADER, trial_cells
from benthic.report.wording import cell, table
from benthic.training import Protocol
from benthic.treatment.choosing import Choice, Tried, choose, winner
from benthic.treatment.placement import find_sites
from benthic.treatment.recipe import recipe
from benthic.treatment.shortlist import Candidate, onward, shortlist, written
from benthic.treatment.treatments import Treatments, check_model
from benthic.treatment.trial import (
    Gain,
    OutOfTimeError,
    Reached,
    Trials,
    gain,
    without_test,
)

_MOST_TRIALS = 6


@dataclass(frozen=True)
class Row:
    """What one trial showed; the test split is in none of it.

    Args:
        treatment: The treatments and the changes of the protocol; ``"untreated"``.
        outcome: ``"chosen"``, ``"tried"``, or why it was not.
        reason: Why it was on the list.
        val: Validation score of each seed.
        mean: Their mean; None where nothing was trained.
        std: Their standard deviation; None for one seed.
        gain: Mean gain over the untreated, seed by seed.
        standard_error: Of the gain, over seeds and validation nodes.
        seconds: Wall time.
    """

    treatment: str
    outcome: str
    reason: str
    val: tuple[float, ...] = ()
    mean: float | None = None
    std: float | None = None
    gain: float | None = None
    standard_error: float | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Prescription:
    """What helps a model, and how that was found.

    Args:
        verdict: The treatments that won; ``"leave it alone"``, or ``"no treatment was
            tried"`` where no trial was finished and so nothing is known.
        summary: The verdict in one or two sentences.
        model: The trained network: of the best seed by validation, or a copy of the
            user's own.
        treatments: What won, to give to :func:`~benthic.treatment.treat`; or nothing.
        protocol: How the trials were trained, with the changes of what won.
        diagnosis: Of the user's model as it was handed over, without the test split.
        retrained: Of the untreated network trained anew, where that was better than
            the user's; the short list then answers this one.
        table: A row for each candidate, the untreated network first.
        kept: Parameters that could not be made anew, and that all trials shared.
        seconds: Wall time.
        forward: How the model was called.
    """

    verdict: str
    summary: str
    model: nn.Module
    treatments: tuple[Any, ...]
    protocol: Protocol
    diagnosis: Diagnosis
    retrained: Diagnosis | None
    table: tuple[Row, ...]
    kept: tuple[str, ...]
    seconds: float
    forward: Forward = call_model

    @property
    def code(self) -> str:
        """Code that treats one's own ``model`` and trains it on ``data``."""
        has_forward = self.forward is not call_model
        return recipe(self.treatments, self.protocol, has_forward=has_forward)

    def to_frame(self) -> pd.DataFrame:
        """The table, one row per candidate."""
        return pd.DataFrame([asdict(row) for row in self.table])

    def to_dict(self) -> dict[str, Any]:
        """The prescription as plain values; undefined ones are None."""
        plain: dict[str, Any] = json.loads(self.to_json())
        return plain

    def to_json(self) -> str:
        """One JSON document."""
        protocol = {**vars(self.protocol), "metric": self.protocol.metric.__name__}
        document = {
            "benthic": version("benthic"),
            "verdict": self.verdict,
            "summary": self.summary,
            "code": self.code,
            "treatments": list(map(written, self.treatments)),
            "protocol": protocol,
            "table": [asdict(row) for row in self.table],
            "kept": list(self.kept),
            "diagnosis": json.loads(self.diagnosis.to_json()),
            "retrained": self.retrained and json.loads(self.retrained.to_json()),
            "seconds": self.seconds,
        }
        return report.to_json(document)

    def __str__(self) -> str:
        lines = [f"Prescription: {self.verdict}", self.summary, ""]
        if self.retrained is not None:
            lines += [f"As handed over: {self.diagnosis.summary}"]
        lines += [f"Diagnosis: {(self.retrained or self.diagnosis).summary}", ""]
        shown = [row for row in self.table if row.mean is not None]
        cells = [trial_cells(asdict(row)) for row in shown]
        lines += [*table(HEADER, cells, most=20), ""]
        lines += [f"- {row.treatment}: {row.reason}" for row in shown[1:]]
        left = [row for row in self.table if row.mean is None]
        lines += [f"- {row.treatment} {cell(row.outcome)}" for row in left]
        if self.kept:
            lines += ["", f"Not made anew in the trials: {', '.join(self.kept)}"]
        return "\n".join([*lines, "", "To apply it:", "", self.code])

    def to_html(self, path: str | Path | None = None) -> str:
        """A page that needs nothing else: the trials, and the diagnosis behind them.

        Args:
            path: Where to write it as well.

        Raises:
            InputError: If it cannot be written there.
        """
        document = (self.retrained or self.diagnosis).to_dict()
        page = report.to_html(
            [{**document, "prescription": self.to_dict()}], title="Benthic prescription"
        )
        if path is not None:
            write_file(Path(path), page, argument="path")
        return page

    def _repr_html_(self) -> str:
        return self.to_html()


@torch.inference_mode(False)  # what it trains and returns outlives the call
def prescribe(
    model: nn.Module,
    data: Any,
    *,
    epochs: int | None = None,
    minutes: float | int | None = None,
    seeds: int = 3,
    protocol: Protocol | None = None,
    forward: Forward = call_model,
    layers: Sequence[str] | None = None,
    progress: Callable[[str], None] | None = None,
) -> Prescription:
    r"""Finds by trial which treatments help a model on a graph, if any does.

    The model is diagnosed; the findings call for a short list of treatments; each is
    put into copies with new weights, which are trained, several seeds together, under
    the budget that the untreated network gets too; what wins is tried once more with
    DropNode, a consistency loss and propagation on top. The highest mean validation
    score wins if its gain is more than chance would show,

    .. math:: \text{gain} > \max(1, \, \text{E}[\max_{i \le k} z_i]) \cdot \text{SE},
        \qquad \text{gain} \ge 1 / N_\text{val}

    where SE is the standard error of the gain, paired over seeds and nodes
    (:func:`~benthic.treatment.trial.gain`), and the expectation what the best of
    :math:`k` useless candidates reaches by luck, in standard errors. Otherwise, or if
    the user's own model is as good already, the verdict is ``"leave it alone"``;
    where no trial was finished it is ``"no treatment was tried"``.

    The test split is never read: its mask and labels are taken away before anything
    is trained or diagnosed, and no table shows a test score, since a choice that was
    made beside test scores spoils them. Measure it once, at the end, on ``rx.model``.
    The trap: a score on few validation nodes picks by luck; look at ``gain`` and its
    ``standard_error``. An interruption (``Ctrl-C``) ends it without a result; what
    limits it with one is ``minutes``.

    Args:
        model: Any module with PyG layers, trained or not; stays as it is. Trials start
            from new weights.
        data: One PyG ``Data`` or ``HeteroData`` with labels ``y``, a ``train_mask`` and
            a ``val_mask``.
        epochs: Passes over the graph of each trial; the protocol's by default (200).
        minutes: Starts no trial after this time, and stops the one that runs; the
            untreated network is always finished.
        seeds: Networks of each candidate.
        protocol: How to train, and what the scores measure; a candidate may change it.
        forward: How to call the model on the graph, where the names of its arguments
            are not those of the data.
        layers: Names of the modules that the diagnosis reads instead of those found;
            the treatments go around message-passing layers in any case.
        progress: Told what is being done.

    Raises:
        InputError: If there is no validation split, or the model cannot be trained or
            treated.

    Example:
        >>> from torch_geometric.nn import GCN
        >>> graph = Data(
        ...     x=torch.eye(4),
        ...     y=torch.tensor([0, 0, 1, 1]),
        ...     edge_index=torch.tensor([[0, 1, 2, 3], [1, 0, 3, 2]]),
        ...     train_mask=torch.tensor([True, False, True, False]),
        ...     val_mask=torch.tensor([False, True, False, True]),
        ... )
        >>> rx = prescribe(GCN(4, 8, 2, 2), graph, epochs=30, seeds=2)
        >>> rx.verdict, rx.treatments
        ('leave it alone', ())
    """
    start = time.monotonic()
    _check_model(model)
    _check_budget(epochs, minutes, seeds)
    protocol = protocol or Protocol()
    if epochs is not None:
        protocol = replace(protocol, epochs=epochs)
    say = progress or (lambda _: None)
    blind = without_test(data)
    # Before anything else: it meets a model that cannot be copied, called or read.
    examine = partial(diagnose, forward=forward, layers=layers, progress=say)
    diagnosis = examine(model, blind)
    deadline = None if minutes is None else start + 60 * minutes
    trials = Trials(model, blind, protocol, range(seeds), deadline, forward)
    own = trials.own()
    say("training the untreated network")
    untreated = trials.untreated()
    retrained = None
    if own < untreated.mean:
        retrained = examine(untreated.best, blind)
    tried = _try_all(trials, shortlist(retrained or diagnosis), untreated, say)
    choice = choose(tried, untreated, own, len(trials.y))
    return Prescription(
        choice.verdict,
        choice.summary,
        isolated_copy(model).eval() if choice.reached is None else choice.reached.best,
        choice.treatments,
        replace(protocol, **choice.changes),
        diagnosis,
        retrained,
        _rows(tried, untreated, choice),
        trials.kept,
        time.monotonic() - start,
        forward,
    )


def _check_budget(epochs: int | None, minutes: float | int | None, seeds: int) -> None:
    if epochs is not None:
        whole_number("epochs", epochs, 1)
    whole_number("seeds", seeds, 1)
    if minutes is not None:
        number("minutes", minutes, ABOVE_ZERO, remedy="give more than 0, or None")


def _check_model(model: Any) -> None:
    """Refuses what no treatment goes with before it is diagnosed and trained."""
    if not isinstance(model, nn.Module):
        return  # the diagnosis says what is wrong with it
    if any(isinstance(module, Treatments) for module in model.modules()):
        remedy = "prescribe for the original: all treatments are given in one call"
        raise InputError("model", "a model that is treated already", remedy)
    find_sites(check_model(model))


def _try_all(
    trials: Trials,
    candidates: Any,
    untreated: Reached,
    say: Callable[[str], None],
) -> list[Tried]:
    """Tries candidates until there are enough; those refused do not count."""
    tried: list[Tried] = []
    count = 0
    for candidate in candidates:
        if count == _MOST_TRIALS:
            break
        if trials.is_out_of_time:
            found = Tried(candidate, "not tried: the time was used up")
        else:
            say(f"trial {count + 1} of at most {_MOST_TRIALS}: {candidate.name}")
            found = _try(trials, candidate, untreated)
        tried.append(found)
        count += not found.outcome.startswith("cannot be applied")
    won = winner(tried, len(trials.y))
    more = onward(won.candidate) if won else None
    if more is not None and not trials.is_out_of_time:
        say(f"one more trial: {more.name}")
        tried.append(_try(trials, more, untreated))
    return tried


def _try(trials: Trials, candidate: Candidate, untreated: Reached) -> Tried:
    try:
        reached = trials.treated(candidate)
    except InputError as error:
        return Tried(candidate, f"cannot be applied: {cell(error)}")
    except OutOfTimeError as error:
        return Tried(candidate, f"not finished: the time was used up after {error}")
    found = gain(reached.rows, untreated.rows, trials.y, trials.protocol.metric)
    return Tried(candidate, reached=reached, gain=found)


def _rows(
    tried: Sequence[Tried], untreated: Reached, choice: Choice
) -> tuple[Row, ...]:
    is_chosen = choice.reached is untreated
    rows = [_measured("untreated", is_chosen, "the reference", untreated, None)]
    for each in tried:
        name, reason = each.candidate.name, each.candidate.reason
        if each.reached is None:
            rows.append(Row(name, each.outcome, reason))
        else:
            is_chosen = each.candidate is choice.candidate
            rows.append(_measured(name, is_chosen, reason, each.reached, each.gain))
    return tuple(rows)


def _measured(
    name: str, is_chosen: bool, reason: str, reached: Reached, found: Gain | None
) -> Row:
    return Row(
        name,
        "chosen" if is_chosen else "tried",
        reason,
        reached.val,
        reached.mean,
        statistics.stdev(reached.val) if len(reached.val) > 1 else None,
        found and found.mean,
        found and found.standard_error,
        reached.seconds,
    )
