"""What did the user mean by a function or a unit that does not exist?"""

from __future__ import annotations

from collections.abc import Sequence

from benthic.relational.query import wording
from benthic.relational.query.faults import Faults
from benthic.relational.query.tree import Place
from benthic.relational.query.vocabulary import FUNCTIONS

MEANT = {
    "MEAN": "did you mean AVG?",
    "AVERAGE": "did you mean AVG?",
    "TOTAL": "did you mean SUM?",
    "UNIQUE": "did you mean COUNT_DISTINCT?",
    "NUNIQUE": "did you mean COUNT_DISTINCT?",
    "DISTINCT": "did you mean COUNT_DISTINCT?",
    "EXISTS": "write COUNT(...) > 0",
    "MEDIAN": "the language has no MEDIAN: AVG, MIN and MAX are the nearest",
    "STDDEV": "the language has no STDDEV: AVG, MIN and MAX are the nearest",
    "QUANTILE": "regression answers with an interval of quantiles: ask for the value",
    "MODE": "the language has no MODE: LAST or LIST_DISTINCT may serve",
    "CAST": "the type of a column is set in the schema, not in the query",
    "COALESCE": "write IS NULL as a condition of its own",
    "IF": "a condition of its own: WHERE or ASSUMING",
}
"""Functions of other languages, and what to write here."""

ON_VALUES = frozenset(
    "ABS CEIL CONCAT DATE EXTRACT FLOOR LENGTH LOG LOWER ROUND SQRT SUBSTR SUBSTRING "
    "TRIM UPPER YEAR MONTH DAY NOW".split()
)


def unknown_function(faults: Faults, place: Place, word: str) -> None:
    """Notes that no function has this name."""
    name = word.upper()
    near = wording.did_you_mean(wording.nearest(name, FUNCTIONS))
    on_values = "functions of single values are not part of the language"
    suggestion = MEANT.get(name) or near or (on_values if name in ON_VALUES else None)
    faults.add(
        "unknown name",
        place,
        f"no function named {word}",
        f"one of {', '.join(FUNCTIONS)}",
        suggestion,
    )


def unknown_unit(faults: Faults, place: Place, word: str, units: Sequence[str]) -> None:
    """Notes that no unit of time has this name."""
    near = wording.nearest(word, units) or wording.nearest(f"{word}s", units)
    faults.add(
        "unknown name",
        place,
        f"no time unit named {word}",
        wording.listed(units, "or"),
        wording.did_you_mean(near),
    )
