"""How are numbers written as text?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from benthic.relational.sql import quoted


@dataclass(frozen=True)
class Notation:
    """How numbers are written as text.

    Args:
        name: What it is called among the statistics of a column.
        mark: What stands before the fraction.
        group: What may stand between thousands, beside a space.
    """

    name: str
    mark: str
    group: str

    @property
    def number(self) -> str:
        """A pattern of whole values."""
        return rf"{self._whole}({self._mark}\d+)?([eE][+-]?\d+)?"

    @property
    def fraction(self) -> str:
        """A pattern of values that can be read in no other notation.

        ``1,234`` is one and a bit here and more than a thousand there.
        """
        short = rf"{self._whole}{self._mark}(\d{{1,2}}|\d{{4,}})"
        return rf"{short}|[+-]?(0|\d{{4,}}){self._mark}\d+"

    def sql(self, column: str) -> str:
        """The number as SQL over the raw column; NULL where it is none."""
        text = f"trim({quoted(column)})"
        plain = f"replace(replace({text}, '{self.group}', ''), ' ', '')"
        number = f"TRY_CAST(replace({plain}, '{self.mark}', '.') AS DOUBLE)"
        return f"CASE WHEN regexp_full_match({text}, '{self.number}') THEN {number} END"

    @property
    def _whole(self) -> str:
        return rf"[+-]?(\d+|\d{{1,3}}([{self.group} ]\d{{3}})+)"

    @property
    def _mark(self) -> str:
        return f"[{self.mark}]"


NOTATIONS = (Notation("point", ".", ","), Notation("comma", ",", "."))
"""The one to ask first before the other."""


def number_measures() -> Mapping[str, str]:
    """Name -> SQL, with ``{c}`` for the column, of what tells notations apart.

    How many values are numbers in each notation, and how many in that one alone.
    """
    found = {}
    for how in NOTATIONS:
        for kind, pattern in (("number", how.number), ("fraction", how.fraction)):
            escaped = pattern.replace("{", "{{").replace("}", "}}")
            test = f"regexp_full_match(trim({{c}}), '{escaped}')"
            found[f"{kind}_{how.name}"] = f"count(*) FILTER ({test})"
    return found
