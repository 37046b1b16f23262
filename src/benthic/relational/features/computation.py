"""From a plan and some seeds to their features, one path after the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from benthic.relational.database import Database
from benthic.relational.features.columns import Reading
from benthic.relational.features.event_store import EventStore
from benthic.relational.features.events import Ints, Moments, text_hashes
from benthic.relational.features.feature import feature
from benthic.relational.features.history import LabelHistory, history_features
from benthic.relational.features.path_features import (
    Named,
    PathPlan,
    View,
    path_features,
    view,
)
from benthic.relational.features.plan import FeaturePlan
from benthic.relational.features.rates import rate_features
from benthic.relational.features.row_texts import RowTexts
from benthic.relational.features.season import (
    Days,
    calendar_features,
    season_features,
    season_of_labels,
)
from benthic.relational.features.text import text_features
from benthic.relational.features.windows import DAY


@dataclass
class Computation:
    """Computes a plan's features.

    Args:
        store: Gives the rows.
        plan: What to compute.
        texts: Reads the texts of rows.
        latest: Rows later than this do not exist (the frozen cut); None without one.
    """

    store: EventStore
    plan: FeaturePlan
    texts: RowTexts
    latest: int | None = None
    _hashes: dict[str, int] | None = None
    _days: dict[str, Days] = field(default_factory=dict)

    @property
    def db(self) -> Database:
        """The database."""
        return self.store.db

    @property
    def hashes(self) -> dict[str, int]:
        """``key_hash`` of each category that a feature names."""
        if self._hashes is None:
            self._hashes = text_hashes(self.db, sorted(self.plan.named_values))
        return self._hashes

    def features(
        self,
        moments: Moments,
        history: LabelHistory | None = None,
        groups: Mapping[str, Ints] | None = None,
    ) -> Named:
        """All features of the seeds but the standings in their cohort.

        Args:
            moments: The seeds.
            history: Past labels.
            groups: Category -> group of each past label, as ``groups_of`` gives it.
        """
        yield from calendar_features(moments)
        codes: dict[str, Ints] = {}
        row = self._view(self.plan.row, moments)
        codes.update(_last_codes(self.plan.row, row))
        yield from self._row_features(row)
        yield from self._texts(self.plan.row, row)
        yield from text_features(
            self.db, self.plan.entity_table, self.plan.texts, moments
        )
        for plan in self.plan.own:
            seen = self._view(plan, moments)
            codes.update(_last_codes(plan, seen))
            yield from path_features(plan, seen, self.hashes)
            yield from self._texts(plan, seen)
        for plan in self.plan.neighbors:
            keyed = moments.keyed(codes[plan.path.key_name])
            yield from path_features(plan, self._view(plan, keyed), self.hashes)
        yield from self._seasons(moments)
        if history is not None and len(history):
            yield from self._labels(moments, history, groups or {}, codes)

    def groups_of(self, moments: Moments) -> dict[str, Ints]:
        """The categories each seed is in: of its own row and of its last rows.

        Args:
            moments: The seeds.
        """
        codes: dict[str, Ints] = {}
        for plan in (self.plan.row, *self.plan.own):
            if any(reading.is_category for reading in plan.readings):
                codes.update(_last_codes(plan, self._view(plan, moments)))
        return codes

    def _view(self, plan: PathPlan, moments: Moments) -> View:
        keys = np.unique(moments.keys)
        until = int(moments.until.max()) if len(moments) else 0
        events = self.store.events(plan.path, plan.readings, keys[keys >= 0], until)
        return view(events, moments, plan.windows)

    def _texts(self, plan: PathPlan, seen: View) -> Named:
        for text in self.plan.row_texts:
            if text.path == plan.path:
                yield from self.texts.features(text, seen)

    def _row_features(self, row: View) -> Named:
        plan = self.plan.row
        for reading in plan.readings:
            name = f"{plan.path.table}.{reading.name}"
            made = feature(
                plan.path.table, name, plan.path.table, reading.name, "value"
            )
            if reading.is_category:
                last = row.last_codes(reading.name)
                values = np.full(len(last), np.nan)
                for rank, value in enumerate(reading.common):
                    values[last == self.hashes[value]] = rank
            else:
                values = row.at_last(row.events.numbers(reading.name))
            if _is_time(reading):
                made = feature(
                    plan.path.table, name, plan.path.table, reading.name, "days ago"
                )
                values = row.moments.anchors / DAY - values
            yield made, values

    def _seasons(self, moments: Moments) -> Named:
        if self.plan.horizon is None:
            return
        for table in self.plan.seasons:
            yield from season_features(
                table, self._days_of(table), moments, self.plan.horizon
            )

    def _days_of(self, table: str) -> Days:
        # All days at once: a window is only read when it is over by the seed's cut.
        if table not in self._days:
            found = self.db.query(
                "SELECT epoch_us(date_trunc('day', _time)), count(*)"
                f" FROM {self.db.relation(table, [])} WHERE _time IS NOT NULL"
                + (
                    ""
                    if self.latest is None
                    else f" AND epoch_us(_time) <= {self.latest}"
                )
                + " GROUP BY ALL ORDER BY ALL"
            )
            both = np.array(found, np.int64).reshape(len(found), 2)
            self._days[table] = Days(both[:, 0], both[:, 1])
        return self._days[table]

    def _labels(
        self,
        moments: Moments,
        history: LabelHistory,
        groups: Mapping[str, Ints],
        codes: Mapping[str, Ints],
    ) -> Named:
        plan = self.plan
        if not history.is_static:
            yield from history_features(
                history, plan.entity_table, plan.entity_col, moments
            )
        shown = history.shown_to(moments)
        for name, weights in plan.groups.items():
            keyed = shown.keyed(codes[name])
            yield from rate_features(name, history, groups[name], dict(weights), keyed)
        if plan.horizon is not None:
            yield from season_of_labels(history, moments, plan.horizon)


def _last_codes(plan: PathPlan, seen: View) -> dict[str, Ints]:
    return {
        f"{plan.path.label}.{reading.name}": seen.last_codes(reading.name)
        for reading in plan.readings
        if reading.is_category
    }


def _is_time(reading: Reading) -> bool:
    return str(reading.stype) == "timestamp"
