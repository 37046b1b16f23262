"""Everything that ``fit`` decides: which paths, columns, windows, categories."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from benthic.relational.features.columns import Json, Reading
from benthic.relational.features.path_features import PathPlan, plan_to_json
from benthic.relational.features.paths import Path, neighbor_paths, own_paths
from benthic.relational.features.row_texts import RowText
from benthic.relational.features.text_vectors import Projection
from benthic.relational.features.windows import Windows
from benthic.relational.schema import Chain, Schema


@dataclass(frozen=True)
class FeaturePlan:
    """What is computed, in order.

    Args:
        entity_table: Where the entities are.
        entity_col: Its key.
        horizon: Length of the label's window in microseconds; None without one.
        row: Columns of the entity's row and of its parents.
        texts: Text columns of the entity's row.
        own: Paths to rows that point at the entity.
        neighbors: Paths through a parent.
        groups: Category -> target -> shrinkage of the label's rate by that category.
        seasons: Tables whose rows are counted by season.
        row_texts: Text columns of the rows that point at the entity; of its own row
            too, where an encoder reads them.
    """

    entity_table: str
    entity_col: str
    horizon: int | None
    row: PathPlan
    texts: tuple[str, ...]
    own: tuple[PathPlan, ...]
    neighbors: tuple[PathPlan, ...]
    groups: Mapping[str, Mapping[str, float]]
    seasons: tuple[str, ...]
    row_texts: tuple[RowText, ...] = ()

    @property
    def named_values(self) -> set[str]:
        """Every category that a feature names."""
        return {
            value
            for plan in (self.row, *self.own, *self.neighbors)
            for reading in plan.readings
            if reading.is_category
            for value in reading.common
        }

    def to_json(self) -> Json:
        """As plain JSON."""
        return {
            "entity_table": self.entity_table,
            "entity_col": self.entity_col,
            "horizon": self.horizon,
            "row": plan_to_json(self.row),
            "texts": list(self.texts),
            "own": [plan_to_json(plan) for plan in self.own],
            "neighbors": [plan_to_json(plan) for plan in self.neighbors],
            "groups": {name: dict(weights) for name, weights in self.groups.items()},
            "seasons": list(self.seasons),
            "row_texts": [text.to_json() for text in self.row_texts],
        }

    @classmethod
    def from_json(cls, found: Json, schema: Schema, num_hops: int) -> FeaturePlan:
        """The inverse of ``to_json``.

        Args:
            found: The JSON.
            schema: The schema that it was made from.
            num_hops: Longest path.
        """
        table = str(found["entity_table"])
        paths = [
            row_path(table),
            *own_paths(schema, table, num_hops),
            *neighbor_paths(schema, table, num_hops),
        ]
        by_label = {path.label: path for path in paths}

        def plans(name: str) -> tuple[PathPlan, ...]:
            return tuple(_plan_from_json(plan, by_label) for plan in found[name])  # type: ignore[attr-defined]

        return cls(
            table,
            str(found["entity_col"]),
            found["horizon"],  # type: ignore[arg-type]
            _plan_from_json(found["row"], by_label),  # type: ignore[arg-type]
            tuple(found["texts"]),  # type: ignore[arg-type]
            plans("own"),
            plans("neighbors"),
            found["groups"],  # type: ignore[arg-type]
            tuple(found["seasons"]),  # type: ignore[arg-type]
            tuple(
                _text_from_json(text, by_label)
                for text in found["row_texts"]  # type: ignore[attr-defined]
            ),
        )


def row_path(entity_table: str) -> Path:
    """The path of no step: the entity's own row.

    Args:
        entity_table: Where the entities are.
    """
    return Path(Chain((entity_table,)))


def _plan_from_json(found: Json, paths: Mapping[str, Path]) -> PathPlan:
    readings = tuple(Reading.from_json(r) for r in found["readings"])  # type: ignore[attr-defined]
    windows = Windows(tuple(found["rows"]), tuple(found["times"]))  # type: ignore[arg-type]
    return PathPlan(paths[str(found["label"])], readings, windows, bool(found["brief"]))


def _text_from_json(found: Json, paths: Mapping[str, Path]) -> RowText:
    return RowText(
        paths[str(found["label"])],
        str(found["column"]),
        int(found["rows"]),  # type: ignore[call-overload]
        Projection.from_json(found["projection"]),  # type: ignore[arg-type]
    )
