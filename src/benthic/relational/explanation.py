"""What moved a prediction, to be read by people and by programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pandas as pd

_LEAST_SHARE = 0.01  # of the paths that are printed; the JSON has them all
_MOST_OUTCOMES = 6  # columns of the screen; the JSON has them all


@dataclass(frozen=True)
class Outcome:
    """One score that was explained: ``score = expected + sum of all effects``.

    Args:
        name: ``True``, ``prediction``, a class, a value of a list, ``mean`` or
            ``frame 0`` of a forecast.
        expected: The score of anybody.
        score: The score of this entity.
    """

    name: str
    expected: float
    score: float


@dataclass(frozen=True)
class PathEffect:
    """What one path of foreign keys did.

    Args:
        path: The path, as text: ``drivers <- results.driverId``.
        tables: The tables whose rows were read on it.
        share: Its share of all that moved predictions, 0 to 1.
        effects: For one entity: what it added to each outcome, by name; empty for the
            query as a whole.
    """

    path: str
    tables: tuple[str, ...]
    share: float
    effects: Mapping[str, float] = field(default_factory=dict)

    @property
    def effect(self) -> float | None:
        """What it added to the first outcome, the one that is explained."""
        return next(iter(self.effects.values()), None)


@dataclass(frozen=True)
class FeatureEffect:
    """What one feature did; its provenance is in its name and path.

    Args:
        feature: Its name.
        path: Where it comes from.
        share: Its share of all that moved predictions, 0 to 1.
        effects: As of a path.
    """

    feature: str
    path: str
    share: float
    effects: Mapping[str, float] = field(default_factory=dict)

    @property
    def effect(self) -> float | None:
        """What it added to the first outcome, the one that is explained."""
        return next(iter(self.effects.values()), None)


@dataclass(frozen=True)
class RowEffect:
    """What the prediction would have been without one row.

    Args:
        table: Where the row is.
        row: The row.
        time: When it became visible.
        prediction: With the row hidden; None where a value would be no candidate.
        change: What the row did to the prediction: with it minus without it.
    """

    table: str
    row: Mapping[str, Any]
    time: pd.Timestamp | None
    prediction: float | None
    change: float | None


@dataclass(frozen=True)
class Explanation:
    """Why a query is answered as it is, for one entity or on the whole.

    Args:
        query: What was asked.
        entity: For whom; None for the query on the whole.
        anchor_time: As of when; None on the whole.
        prediction: What was answered, a list where there are several frames; None on
            the whole.
        outcomes: The scores that are explained, the first one in the first place.
        paths: What each path did, the strongest first.
        features: The strongest features.
        rows: The entity's own latest rows, the strongest first.
        rows_move: What the changes of ``rows`` are changes of.
        notes: How to read it.

    Example:
        >>> path = PathEffect("users <- orders.user", ("orders",), 1.0, {"True": 2.5})
        >>> facts = {"probability": 0.82}
        >>> true = Outcome("True", -1.0, 1.5)
        >>> print(Explanation("PREDICT …", 7, None, facts, (true,), (path,)))
        PREDICT …
        for 7: probability 0.82
        <BLANKLINE>
        paths
          +2.500  100.0%  users <- orders.user
          -1.000          expected of anybody
          +1.500          score
    """

    query: str
    entity: Any | None
    anchor_time: pd.Timestamp | None
    prediction: Mapping[str, Any] | None
    outcomes: tuple[Outcome, ...] = ()
    paths: tuple[PathEffect, ...] = ()
    features: tuple[FeatureEffect, ...] = ()
    rows: tuple[RowEffect, ...] = ()
    rows_move: str = "the prediction"
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        plain: dict[str, Any] = json.loads(self.to_json())
        return plain

    def to_json(self) -> str:
        """As one JSON document."""
        return json.dumps(asdict(self), indent=2, default=_plain)

    def __str__(self) -> str:
        lines = [self.query]
        if self.prediction is not None:
            when = "" if self.anchor_time is None else f" at {self.anchor_time}"
            lines.append(f"for {self.entity!r}{when}: {_answered(self.prediction)}")
        lines += ["", *self._path_lines()]
        if self.features:
            found = [(one.effects, one.share, one.feature) for one in self.features]
            lines += ["", *_table("features", self._names, found)]
        if self.rows:
            lines += ["", f"rows (what each did to {self.rows_move})"]
            lines += [_row_line(each) for each in self.rows]
        notes = [f"note: {note}" for note in self.notes]
        return "\n".join([*lines, *([""] if notes else []), *notes])

    @property
    def _names(self) -> list[str]:
        """Of the outcomes that have a column on the screen."""
        names = [one.name for one in self.outcomes]
        if len(names) > _MOST_OUTCOMES:
            return [*names[: _MOST_OUTCOMES - 1], names[-1]]
        return names

    def _path_lines(self) -> Iterable[str]:
        shown = [each for each in self.paths if each.share >= _LEAST_SHARE]
        rest = [each for each in self.paths if each.share < _LEAST_SHARE]
        found = [(each.effects, each.share, each.path) for each in shown]
        if rest:
            sums = {n: sum(each.effects[n] for each in rest) for n in self._names}
            share = sum(each.share for each in rest)
            text = f"{len(rest)} more, each below {_LEAST_SHARE:.0%}"
            found.append((sums, share, text))
        totals = []
        if self.outcomes:
            expected = {one.name: one.expected for one in self.outcomes}
            scores = {one.name: one.score for one in self.outcomes}
            totals = [(expected, None, "expected of anybody"), (scores, None, "score")]
        return _table("paths", self._names, [*found, *totals])


_Line = tuple[Mapping[str, float], float | None, str]


def _table(title: str, names: list[str], found: Iterable[_Line]) -> list[str]:
    """Effects, share and text of each line, under the names of several outcomes."""
    lines = list(found)
    known = [abs(effects[name]) for effects, _, _ in lines for name in names]
    digits = 3 if max(known, default=0.0) < 1_000 else 0
    cells = [[f"{each[0][name]:+,.{digits}f}" for name in names] for each in lines]
    heads = (
        [_short(name, 12) for name in names] if len(names) > 1 else [""] * len(names)
    )
    widths = [
        max(len(head), *(len(row[i]) for row in cells), 6)
        for i, head in enumerate(heads)
    ]
    body = [
        "  ".join(
            [
                *(cell.rjust(width) for cell, width in zip(row, widths, strict=True)),
                "      " if share is None else f"{share:6.1%}",
                text,
            ]
        )
        for row, (_, share, text) in zip(cells, lines, strict=True)
    ]
    head = "  ".join(head.rjust(w) for head, w in zip(heads, widths, strict=True))
    return [title, *([f"  {head}"] if head.strip() else []), *(f"  {x}" for x in body)]


def _answered(prediction: Mapping[str, Any]) -> str:
    """The answer on one line: of many classes, the likeliest."""
    classes = [name for name in prediction if name.startswith("probability_")]
    ranked = sorted(classes, key=lambda name: -prediction[name])
    # A list has the likeliest already, with their scores.
    hidden = ranked[0 if "scores" in prediction else _MOST_OUTCOMES :]
    shown = {k: v for k, v in prediction.items() if k not in hidden}
    said = [f"{name} {_short(value)}" for name, value in shown.items()]
    more = hidden and "scores" not in prediction
    return ", ".join([*said, *(["…"] if more else [])])


def _row_line(each: RowEffect) -> str:
    change = "no candidate without" if each.change is None else f"{each.change:+.4f}"
    return f"  {change}  {each.table}: {_cells(each.row)}"


def _cells(row: Mapping[str, Any], most: int = 8) -> str:
    """A row on one line: the first columns, long texts cut."""
    known = {name: value for name, value in row.items() if not _is_missing(value)}
    shown = [f"{name}={_short(value)}" for name, value in list(known.items())[:most]]
    return ", ".join([*shown, *(["…"] if len(known) > most else [])])


def _is_missing(value: Any) -> bool:
    return value is None or (np.isscalar(value) and bool(pd.isna(value)))


def _short(value: Any, most: int = 40) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        texts = [_short(each, 20) for each in value[:10]]
        return f"[{', '.join([*texts, *(['…'] if len(value) > 10 else [])])}]"
    text = " ".join(str(value).split())
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    return None if value is pd.NaT else str(value)
