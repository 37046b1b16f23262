"""Where did this number come from?"""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Feature:
    """One feature and its provenance.

    Args:
        name: Unique, and free of the signs that LightGBM refuses.
        path: The foreign keys followed, as text: ``drivers <- results.driverId``.
        table: The table whose rows were read.
        column: The column that was aggregated; None where rows are counted.
        aggregate: What was done: ``mean``, ``last``, ``days since last`` …
        window: Over which rows: ``last 5``, ``90 days``, ``all``; None if none.

    Example:
        >>> Feature("a.b mean last 5", "e <- a.e", "a", "b", "mean", "last 5").table
        'a'
    """

    name: str
    path: str
    table: str
    column: str | None
    aggregate: str
    window: str | None = None

    def to_json(self) -> dict[str, str | None]:
        """As plain JSON."""
        return asdict(self)


def feature(
    label: str,
    path: str,
    table: str,
    column: str | None,
    aggregate: str,
    window: str | None = None,
) -> Feature:
    """A feature whose name follows from its provenance.

    Args:
        label: Short name of the path, unique within one set of features.
        path: The whole path.
        table: The table whose rows were read.
        column: The aggregated column.
        aggregate: What was done.
        window: Over which rows.

    Example:
        >>> feature("items", "orders <- items", "items", "price", "mean", "last 5").name
        'items.price mean last 5'
    """
    subject = label if column is None else f"{label}.{column}"
    name = " ".join(part for part in (subject, aggregate, window) if part)
    return Feature(name.translate(_REFUSED), path, table, column, aggregate, window)


_REFUSED = str.maketrans('",:[]{}', "';;()()")
