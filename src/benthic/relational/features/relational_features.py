"""Windowed relational features along foreign-key paths, no row later than its seed."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benthic.errors import InputError
from benthic.relational.database import Database
from benthic.relational.features.cohort import cohort_features, standings, strongest
from benthic.relational.features.columns import Json
from benthic.relational.features.computation import Computation
from benthic.relational.features.event_store import EventStore
from benthic.relational.features.events import (
    Floats,
    Ints,
    Moments,
    entity_hashes,
    text_hashes,
)
from benthic.relational.features.feature import Feature
from benthic.relational.features.fitting import group_weights, informative, make_plan
from benthic.relational.features.history import LabelHistory, label_columns, targets_of
from benthic.relational.features.known_types import Types, known_types
from benthic.relational.features.latest import Latest
from benthic.relational.features.plan import FeaturePlan
from benthic.relational.features.row_texts import RowTexts
from benthic.relational.features.seeds import (
    microsecond,
    microseconds,
    moments_of,
    seed_history,
)
from benthic.relational.features.text_encoder import SentenceEncoder
from benthic.relational.features.text_vectors import HashedWords

_CHUNK = 100_000
_FIT_ROWS = 20_000
_COHORT_SOURCES = 30


class RelationalFeatures:
    """Turns (entity, time) into numbers from rows the database had by that time.

    Args:
        db: The database.
        entity_table: Where the entities are.
        entity_col: Its primary key.
        num_hops: Longest path of foreign keys.
        cutoff: Rows later than this do not exist (the frozen regime).
        strict: Whether rows at exactly the seed time are hidden too.
        chunk_size: Seeds computed at a time.
        text_encoder: Folder or name of a sentence-embedding model that reads texts;
            hashed words by default.

    Raises:
        InputError: If there is no such encoder.
    """

    def __init__(
        self,
        db: Database,
        entity_table: str,
        entity_col: str,
        *,
        num_hops: int = 2,
        cutoff: dt.datetime | None = None,
        strict: bool = False,
        chunk_size: int = _CHUNK,
        text_encoder: str | None = None,
    ) -> None:
        self.db = db
        self.entity_table = entity_table
        self.entity_col = entity_col
        self.num_hops = num_hops
        self.cutoff = cutoff
        self.strict = strict
        self.chunk_size = chunk_size
        self.features: list[Feature] = []
        self._encoder = None if text_encoder is None else SentenceEncoder(text_encoder)
        self._texts = RowTexts(db, self._encoder or HashedWords())
        self._types: Types = {}
        self._plan: FeaturePlan | None = None
        self._history: LabelHistory | None = None
        self._groups: dict[str, Ints] = {}
        self._sources: list[Feature] = []
        self._computed: list[Feature] = []
        self._forget()

    def fit(
        self,
        seeds: pd.DataFrame,
        *,
        horizon: dt.timedelta | None = None,
        history: pd.DataFrame | None = None,
    ) -> RelationalFeatures:
        """Chooses paths, windows, vocabularies and cohort columns from training seeds.

        Everything is learned from rows up to the latest training anchor.

        Args:
            seeds: ``entity``, ``anchor_time``, optionally ``cut_time`` and ``label``.
            horizon: Length of the label's window; None where a label is for all time,
                which is then shown to other entities only.
            history: Past labels: ``entity``, ``anchor_time``, ``observed_at``,
                ``label``. The seeds by default, observed a horizon after their anchor;
                where there are none, labels are no inputs.
        """
        moments = self._moments(seeds)
        self._types = known_types(self.db, int(moments.until.max()))
        self.db = self.db.typed(self._types)
        self._texts = RowTexts(self.db, self._texts.vectors)
        length = None if horizon is None else horizon // dt.timedelta(microseconds=1)
        self._forget()
        # In the order in which they are computed, chunk by chunk.
        self._announce(np.unique(moments.keys), moments)
        self._plan = make_plan(
            self._store,
            self.entity_table,
            self.entity_col,
            self.num_hops,
            moments,
            length,
            self._texts,
            _labels(seeds),
        )
        past = history if history is not None else seed_history(seeds, horizon)
        self._history = (
            None
            if past is None or past.empty
            else self._label_history(past, targets_of(past["label"]), not length)
        )
        self._fit_groups()
        rows = np.linspace(0, len(seeds) - 1, min(len(seeds), _FIT_ROWS)).astype(
            np.int64
        )
        self._choose(moments.part(rows), seeds.iloc[rows], self._history)
        return self

    def _forget(self) -> None:
        self._store = EventStore(self.db)
        self._made: Computation | None = None
        self._known: Latest[tuple[LabelHistory, dict[str, Ints]]] = Latest()
        self._reference: Latest[NDArray[np.float32]] = Latest()

    def announce(self, seeds: pd.DataFrame) -> None:
        """Says which seeds ``transform`` will be given, in parts, in this order.

        Rows of many are then read at once, as far as memory allows: else each part
        would search all rows of the database for its own. None at all gives the
        memory back.

        Args:
            seeds: ``entity`` and ``anchor_time``.
        """
        moments = self._moments(seeds)
        self._announce(np.asarray(pd.unique(moments.keys)), moments)

    def _announce(self, keys: Ints, moments: Moments) -> None:
        until = int(moments.until.max()) if len(moments) else 0
        self._store.announce(keys[keys >= 0], until)

    def transform(
        self,
        seeds: pd.DataFrame,
        *,
        history: pd.DataFrame | None = None,
        cohort: pd.DataFrame | None = None,
    ) -> pd.DataFrame:
        """The features of each seed, float32, in the order of the seeds.

        Args:
            seeds: ``entity`` and ``anchor_time``; a ``cut_time`` hides rows after it.
            history: Labels known since ``fit``, as its argument of that name.
            cohort: Those whom a seed is compared with at its anchor; the seeds
                themselves by default. Give it when predicting for few entities.

        Raises:
            InputError: Before ``fit``, or a column is missing.
        """
        moments = self._moments(seeds)
        past, groups = self._known_labels(history)
        values = self._compute(moments, past, groups)
        standing = self._standings(values, moments, cohort, past, groups)
        everything = np.hstack([values, standing])
        names = [f.name for f in self.features]
        return pd.DataFrame(everything, columns=names, index=seeds.index, copy=False)

    def state(self) -> Json:
        """All that ``fit`` learned, as JSON."""
        return {
            "num_hops": self.num_hops,
            "cutoff": None
            if self.cutoff is None
            else pd.Timestamp(self.cutoff).isoformat(),
            "strict": self.strict,
            "hash": _sample_hash(self.db),
            "text_encoder": None if self._encoder is None else self._encoder.to_json(),
            "types": self._types,
            "plan": self._fitted().to_json(),
            "history": None if self._history is None else self._history.to_json(),
            "groups": {name: codes.tolist() for name, codes in self._groups.items()},
            "computed": [f.to_json() for f in self._computed],
            "sources": [f.to_json() for f in self._sources],
            "features": [f.to_json() for f in self.features],
        }

    @classmethod
    def from_state(cls, db: Database, state: Json) -> RelationalFeatures:
        """The inverse of ``state``.

        Args:
            db: The database, of the same schema.
            state: What ``state`` gave.

        Raises:
            InputError: If keys are hashed otherwise by the DuckDB that is installed,
                or the text encoder cannot be had.
        """
        if state["hash"] != _sample_hash(db):
            raise InputError(
                "folder",
                "a model whose keys were hashed by another version of DuckDB",
                "fit it again",
            )
        types: Types = state["types"]  # type: ignore[assignment]
        db = db.typed(types)
        plan = FeaturePlan.from_json(state["plan"], db.schema, int(state["num_hops"]))  # type: ignore[arg-type, call-overload]
        cutoff, encoder = state["cutoff"], state["text_encoder"]
        made = cls(
            db,
            plan.entity_table,
            plan.entity_col,
            num_hops=int(state["num_hops"]),  # type: ignore[call-overload]
            cutoff=None
            if cutoff is None
            else pd.Timestamp(str(cutoff)).to_pydatetime(),
            strict=bool(state["strict"]),
            text_encoder=None
            if encoder is None
            else SentenceEncoder.from_json(encoder).name,  # type: ignore[arg-type]
        )
        made._types, made._plan = types, plan
        if state["history"] is not None:
            made._history = LabelHistory.from_json(state["history"])  # type: ignore[arg-type]
        groups: dict[str, list[int]] = state["groups"]  # type: ignore[assignment]
        made._groups = {
            name: np.array(codes, np.int64) for name, codes in groups.items()
        }
        made._computed, made._sources, made.features = (
            [Feature(**f) for f in state[name]]  # type: ignore[attr-defined]
            for name in ("computed", "sources", "features")
        )
        return made

    def _fitted(self) -> FeaturePlan:
        if self._plan is None:
            raise InputError("features", "no plan", "call fit first")
        return self._plan

    def _computation(self) -> Computation:
        plan = self._fitted()
        if self._made is None or self._made.plan is not plan:
            latest = None if self.cutoff is None else microsecond(self.cutoff)
            self._made = Computation(self._store, plan, self._texts, latest)
        return self._made

    def _moments(self, seeds: pd.DataFrame) -> Moments:
        return moments_of(
            self.db, self.entity_table, seeds, cutoff=self.cutoff, strict=self.strict
        )

    def _label_history(
        self, past: pd.DataFrame, targets: tuple[str, ...], is_static: bool
    ) -> LabelHistory:
        known = past[past["label"].notna()]
        return LabelHistory(
            entity_hashes(self.db, self.entity_table, known["entity"]),
            microseconds(known["anchor_time"]),
            microseconds(known["observed_at"]),
            label_columns(known["label"], targets),
            targets,
            is_static,
        )

    def _fit_groups(self) -> None:
        self._groups = {}
        plan = self._fitted()
        if self._history is None:
            return
        groups = self._group_codes(self._history)
        weights = group_weights(self._history, groups)
        self._groups = {name: groups[name] for name in weights}
        self._plan = FeaturePlan(**{**plan.__dict__, "groups": weights})

    def _group_codes(self, history: LabelHistory) -> dict[str, Ints]:
        moments = history.moments()
        if self.strict:
            moments = Moments(moments.keys, moments.anchors, moments.anchors - 1)
        return self._computation().groups_of(moments)

    def _known_labels(
        self, history: pd.DataFrame | None
    ) -> tuple[LabelHistory | None, dict[str, Ints]]:
        if history is None or self._history is None:
            return self._history, self._groups
        past = self._history
        new = self._label_history(history, past.targets, past.is_static)

        def joined() -> tuple[LabelHistory, dict[str, Ints]]:
            codes = self._group_codes(new)
            groups = {
                name: np.concatenate([old, codes[name]])
                for name, old in self._groups.items()
            }
            return past.joined(new), groups

        return self._known(new.arrays, joined)

    def _choose(
        self, moments: Moments, seeds: pd.DataFrame, history: LabelHistory | None
    ) -> None:
        self._computed = []
        values = self._compute(moments, history, self._groups)
        frame = pd.DataFrame(values, columns=[f.name for f in self._computed])
        kept = set(informative(frame))
        self._computed = [f for f in self._computed if f.name in kept]
        self._sources = []
        # Of static labels each is asked for at its own time: there is no cohort.
        if "label" in seeds and history is not None and not history.is_static:
            labels = label_columns(seeds["label"], history.targets)
            if labels.shape[1]:
                names = set(
                    strongest(
                        frame[list(_names(self._computed))],
                        labels[:, 0],
                        _COHORT_SOURCES,
                    )
                )
                self._sources = [f for f in self._computed if f.name in names]
        self.features = [*self._computed, *cohort_features(self._sources)]

    def _compute(
        self, moments: Moments, history: LabelHistory | None, groups: dict[str, Ints]
    ) -> NDArray[np.float32]:
        # Seeds of one entity together, so that its rows are read once.
        order = np.lexsort((moments.anchors, moments.keys))
        computation = self._computation()
        out = np.full((len(moments), len(self._computed)), np.nan, np.float32)
        for start in range(0, len(order), self.chunk_size):
            rows = order[start : start + self.chunk_size]
            made = computation.features(moments.part(rows), history, groups)
            if not self._computed:
                found = list(made)
                self._computed = [f for f, _ in found]
                out = np.full((len(moments), len(found)), np.nan, np.float32)
                made = iter(found)
            places = {f.name: i for i, f in enumerate(self._computed)}
            for f, values in made:
                if f.name in places:
                    out[rows, places[f.name]] = values
        return out

    def _standings(
        self,
        values: NDArray[np.float32],
        moments: Moments,
        cohort: pd.DataFrame | None,
        history: LabelHistory | None,
        groups: dict[str, Ints],
    ) -> NDArray[np.float32]:
        names = _names(self._computed)
        columns = [names[f.name] for f in self._sources]
        if cohort is None:
            reference, others = values, moments
        else:
            others = self._moments(cohort)
            known = () if history is None else history.arrays
            # One cohort serves all parts of the seeds.
            reference = self._reference(
                (others.keys, others.anchors, others.until, *known),
                lambda: self._compute(others, history, groups),
            )
        both = pd.DataFrame(
            {
                "anchor": np.concatenate([moments.anchors, others.anchors]),
                "until": np.concatenate([moments.until, others.until]),
            }
        )
        group = both.groupby(["anchor", "until"]).ngroup().to_numpy(np.int64)
        cut = len(moments)
        return standings(
            values[:, columns], group[:cut], reference[:, columns], group[cut:]
        )


def _labels(seeds: pd.DataFrame) -> Floats | None:
    if "label" not in seeds:
        return None
    return label_columns(seeds["label"], targets_of(seeds["label"]))


def _sample_hash(db: Database) -> int:
    return text_hashes(db, ["benthic"])["benthic"]


def _names(features: list[Feature]) -> dict[str, int]:
    return {f.name: i for i, f in enumerate(features)}
