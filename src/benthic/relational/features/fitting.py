"""How a plan is made: from the schema and from rows before the training cutoff."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from benthic.relational.database import Database
from benthic.relational.features.columns import readable_columns
from benthic.relational.features.computation import Computation
from benthic.relational.features.event_store import EventStore
from benthic.relational.features.events import Floats, Ints, Moments, raw_sample
from benthic.relational.features.history import LabelHistory
from benthic.relational.features.path_features import PathPlan
from benthic.relational.features.paths import Path, neighbor_paths, own_paths
from benthic.relational.features.plan import FeaturePlan, row_path
from benthic.relational.features.rates import shrinkage
from benthic.relational.features.rhythm import (
    moments_per_key,
    useful,
    usual_gap,
    usual_span,
)
from benthic.relational.features.row_source import is_timed
from benthic.relational.features.row_texts import RowTexts
from benthic.relational.features.text import text_columns
from benthic.relational.features.text_fitting import TextSample, fit_row_texts
from benthic.relational.features.windows import Windows, choose_windows

_SAMPLE_KEYS = 5_000
_NEIGHBOR_ROWS = (10, 40)
_MOST_GROUPS = 12
_SAME_PARENT = 0.75


def make_plan(
    store: EventStore,
    entity_table: str,
    entity_col: str,
    num_hops: int,
    moments: Moments,
    horizon: int | None,
    texts: RowTexts,
    labels: Floats | None = None,
) -> FeaturePlan:
    """The plan for some training seeds, without rates: those need the plan itself.

    Args:
        store: Gives the rows.
        entity_table: Where the entities are.
        entity_col: Its key.
        num_hops: Longest path.
        moments: Training seeds.
        horizon: Length of the label's window in microseconds.
        texts: Reads the texts of rows.
        labels: Of the seeds, ``[N, targets]``.
    """
    db, until = store.db, int(moments.until.max())
    keys = _some(moments.keys)
    sample = TextSample.of(moments, labels, keys)
    row = _row_plan(db, entity_table, keys, until)
    own = tuple(
        found
        for path in own_paths(db.schema, entity_table, num_hops)
        if (found := _path_plan(db, path, keys, until, horizon)) is not None
    )
    plan = FeaturePlan(
        entity_table,
        entity_col,
        horizon,
        row,
        () if texts.vectors.reads_own_row else text_columns(db, entity_table, until),
        own,
        (),
        {},
        _season_tables(db, own),
        tuple(
            text
            for path in _text_paths(row, own, texts)
            for text in fit_row_texts(db, path, sample, texts.vectors)
        ),
    )
    computation = Computation(store, plan, texts)
    neighbors = tuple(_neighbors(computation, num_hops, moments, until))
    return FeaturePlan(**{**plan.__dict__, "neighbors": neighbors})


def group_weights(
    history: LabelHistory, groups: dict[str, Ints]
) -> dict[str, dict[str, float]]:
    """Shrinkage of the label's rate by each category that repeats.

    Args:
        history: Training labels.
        groups: Category -> group of each label.
    """
    found: dict[str, dict[str, float]] = {}
    for name, codes in groups.items():
        kinds = len(np.unique(codes[codes >= 0]))
        if not 2 <= kinds <= max(len(history) // 5, 2) or len(found) == _MOST_GROUPS:
            continue
        found[name] = {
            target: shrinkage(history.labels[:, i], codes)
            for i, target in enumerate(history.targets)
        }
    return found


def _some(keys: Ints) -> Ints:
    # Ordered by hash, so the first ones are a random sample that never changes.
    distinct = np.unique(keys)
    return distinct[distinct >= 0][:_SAMPLE_KEYS]


def _row_plan(db: Database, table: str, keys: Ints, until: int) -> PathPlan:
    path = row_path(table)
    readings = readable_columns(db.schema, table, ())
    _, values = raw_sample(db, path, readings, keys, until)
    return PathPlan(path, useful(readings, values), Windows(rows=(1,)))


def _path_plan(
    db: Database, path: Path, keys: Ints, until: int, horizon: int | None
) -> PathPlan | None:
    used = path.chain.columns[:1]
    readings = readable_columns(db.schema, path.table, used)
    direct = path.is_own and len(path.chain) == 1
    if not direct:
        readings = [reading for reading in readings if reading.key is None]
    rows, values = raw_sample(db, path, readings, keys, until)
    if rows.empty:
        return None
    timed = any(is_timed(db.schema, table) for table in path.chain.tables[:-1])
    windows = (
        choose_windows(usual_gap(rows), usual_span(rows), horizon)
        if timed
        else Windows()
    )
    if not path.is_own:
        if timed and moments_per_key(rows) < 2:
            return None
        windows = Windows(_NEIGHBOR_ROWS, windows.times[-2:])
    return PathPlan(path, useful(readings, values), windows, brief=not direct)


def _text_paths(
    row: PathPlan, own: Sequence[PathPlan], texts: RowTexts
) -> Iterator[Path]:
    if texts.vectors.reads_own_row:
        yield row.path
    yield from (plan.path for plan in own if len(plan.path.chain) == 1)


def _neighbors(
    computation: Computation, num_hops: int, moments: Moments, until: int
) -> Iterator[PathPlan]:
    db, plan = computation.db, computation.plan
    paths = neighbor_paths(db.schema, plan.entity_table, num_hops)
    if not paths:
        return
    rows = np.linspace(0, len(moments) - 1, min(len(moments), _SAMPLE_KEYS)).astype(
        np.int64
    )
    codes = computation.groups_of(moments.part(rows))
    followed: list[tuple[str, Ints]] = []
    for path in paths:
        keys = codes.get(path.key_name)
        if keys is None or _is_followed(str(path.chain), keys, followed):
            continue
        followed.append((str(path.chain), keys))
        some = _some(keys)
        found = _path_plan(db, path, some, until, plan.horizon) if len(some) else None
        if found is not None:
            yield found


def _is_followed(chain: str, keys: Ints, followed: list[tuple[str, Ints]]) -> bool:
    # Two tables that name the same parent nearly always would say everything twice.
    known = keys >= 0
    return bool(known.any()) and any(
        other == chain and np.mean(keys[known] == others[known]) >= _SAME_PARENT
        for other, others in followed
    )


def _season_tables(db: Database, own: Sequence[PathPlan]) -> tuple[str, ...]:
    tables = dict.fromkeys(p.path.table for p in own if len(p.path.chain) == 1)
    return tuple(table for table in tables if is_timed(db.schema, table))


def informative(features: pd.DataFrame) -> list[str]:
    """Names of the columns that vary and repeat no earlier column.

    Args:
        features: Training features.
    """
    seen: set[bytes] = set()
    kept = []
    for name in features.columns:
        values = features[name].to_numpy()
        known = values[np.isfinite(values)]
        missing = len(values) - len(known)
        constant = not len(known) or bool((known == known[0]).all())
        if constant and missing in (0, len(values)):
            continue
        content = values.tobytes()
        if content not in seen:
            seen.add(content)
            kept.append(str(name))
    return kept
