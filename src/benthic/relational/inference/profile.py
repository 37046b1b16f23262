"""Statistics of every column of a table, from one query on a bounded sample."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any

from benthic.relational.declared import DeclaredTable, Probe
from benthic.relational.inference.number_notation import number_measures
from benthic.relational.inference.time_notation import ISO
from benthic.relational.missing import is_missing, without_nan
from benthic.relational.sql import quoted

Query = Callable[[str], list[tuple[Any, ...]]]
"""Rows that SQL gives."""

_AT_ONCE = 60  # columns a query: a thousand aggregates and more are slow to plan

_FAMILIES = {
    "BOOLEAN": "boolean",
    "UUID": "uuid",
    "VARCHAR": "text",
    "DATE": "time",
    "FLOAT": "real",
    "DOUBLE": "real",
    "TIME": "clock",
    "INTERVAL": "clock",
    '"NULL"': "nothing",
    "TINYINT": "integer",
    "SMALLINT": "integer",
    "INTEGER": "integer",
    "BIGINT": "integer",
    "HUGEINT": "integer",
    "UTINYINT": "integer",
    "USMALLINT": "integer",
    "UINTEGER": "integer",
    "UBIGINT": "integer",
    "UHUGEINT": "integer",
}
_BY_START = {
    "DECIMAL": "real",
    "TIMESTAMP": "time",
    "TIME": "clock",
    "ENUM": "text",
    "VARCHAR": "text",
}


def family(dtype: str) -> str:
    """What kind of values a DuckDB type holds.

    One of integer, real, text, uuid, boolean, time, clock (of the day), list, nothing
    (all NULL) and opaque.

    Example:
        >>> family("BIGINT"), family("DECIMAL(10,2)"), family("VARCHAR[]")
        ('integer', 'real', 'list')
    """
    if dtype.endswith("]"):
        return "list"
    if dtype in _FAMILIES:
        return _FAMILIES[dtype]
    return next(
        (kind for start, kind in _BY_START.items() if dtype.startswith(start)), "opaque"
    )


_WORDS = "length(trim({c})) - length(replace(trim({c}), ' ', '')) + 1"
_BOOLEAN_WORD = "lower(trim({c})) IN ('t','f','true','false','y','n','yes','no')"
_DELIMITED = r"^\s*[<\[{{].*[>\]}}]\s*$|[|;,]"
_TOKENS = r"regexp_extract_all(CAST({c} AS VARCHAR), '[^<>{{}}\[\]|;,\"]+')"
_UUID = "[0-9a-fA-F]{{8}}(-[0-9a-fA-F]{{4}}){{3}}-[0-9a-fA-F]{{12}}"
_MEASURES: Mapping[str, Mapping[str, str]] = {
    "any": {"filled": "count({c})"},
    "counted": {"distinct": "count(DISTINCT {c})"},
    "number": {
        "low": "CAST(min({c}) AS DOUBLE)",
        "high": "CAST(max({c}) AS DOUBLE)",
        "whole": "count(*) FILTER ({c} = floor({c}))",
    },
    "text": {
        "words": "avg(" + _WORDS + ")",
        "length": "avg(length({c}))",
        "dates": f"count({ISO.expression})",
        "clocks": r"count(*) FILTER (regexp_matches({c}, '^\s*\d{{1,2}}:\d\d'))",
        "datelike": r"count(*) FILTER (regexp_matches({c}, "
        r"'^\s*\d{{1,4}}([/.-]\d{{1,2}}[/.-]\d|[ -][A-Za-z]{{3}})'))",
        "blank": f"count(*) FILTER ({is_missing('{c}')})",
        "truths": "count(*) FILTER (" + _BOOLEAN_WORD + ")",
        "answers": "count(DISTINCT lower(trim({c}))) FILTER (" + _BOOLEAN_WORD + ")",
        "delimited": "count(*) FILTER (regexp_matches({c}, '" + _DELIMITED + "'))",
        "tokens": "len(list_distinct(flatten(list("
        "CASE WHEN length({c}) <= 256 AND regexp_matches({c}, '" + _DELIMITED + "') "
        "THEN " + _TOKENS + " END))))",
        "uuids": "count(*) FILTER (regexp_full_match({c}, '" + _UUID + "'))",
        **number_measures(),
    },
    "finite": {"finite": "count(*) FILTER (isfinite({c}))"},
}
_SECTIONS = {
    "integer": ("any", "counted", "number"),
    "real": ("any", "counted", "number"),
    "text": ("any", "counted", "text"),
    "boolean": ("any", "counted"),
    "time": ("any", "counted", "finite"),
    "clock": ("any", "counted"),
    "uuid": ("any", "counted"),
}


@dataclass(frozen=True)
class ColumnProfile:
    """What a sample says about one column.

    Args:
        name: The column.
        dtype: DuckDB's name of its raw type.
        rows: Rows in the sample.
        whole_table: Whether the sample is the whole table.
        measures: Statistics by name; which there are depends on the family.
    """

    name: str
    dtype: str
    rows: int
    whole_table: bool
    measures: Mapping[str, float | None]

    @cached_property
    def family(self) -> str:
        """What kind of values it holds, see :func:`family`."""
        return family(self.dtype)

    @property
    def filled(self) -> int:
        """Rows that are neither NULL nor NaN."""
        return int(self.get("filled"))

    @property
    def worded(self) -> int:
        """Rows that are neither NULL nor blank, nor hold a word for NULL."""
        return self.filled - int(self.get("blank"))

    @property
    def distinct(self) -> int:
        """Different values."""
        return int(self.get("distinct"))

    def get(self, measure: str) -> float:
        """A statistic, 0 where the column has none."""
        return self.measures.get(measure) or 0.0

    def share(self, measure: str) -> float:
        """A count as a share of the rows that are not NULL."""
        return self.get(measure) / self.filled if self.filled else 0.0

    @property
    def is_whole(self) -> bool:
        """Whether all values are whole numbers, however they are stored."""
        if self.family == "integer":
            return True
        return self.family == "real" and self.filled > 0 and self.share("whole") == 1

    @property
    def key_family(self) -> str:
        """Family to compare keys by: a whole double is an integer with NULLs."""
        return "integer" if self.is_whole else self.family


def profile(table: DeclaredTable, probe: Probe) -> dict[str, ColumnProfile]:
    """Profiles all columns of a table on its sample, in one scan of it.

    Args:
        table: The table.
        probe: Access to its data.
    """
    if not table.columns:
        return {}
    relation = probe.sample(table.name)
    return column_profiles(
        table.columns, relation, probe.query, num_rows=table.num_rows
    )


def column_profiles(
    dtypes: Mapping[str, str], relation: str, query: Query, *, num_rows: int
) -> dict[str, ColumnProfile]:
    """Profiles columns of a relation.

    Args:
        dtypes: Column -> DuckDB's name of its type.
        relation: SQL of the sample.
        query: Runs SQL.
        num_rows: Rows of what it was drawn from.
    """
    ((rows,),) = query(f"SELECT count(*) FROM {relation}")
    found: dict[str, ColumnProfile] = {}
    columns = iter(dtypes.items())
    while batch := tuple(islice(columns, _AT_ONCE)):
        asked = [(name, *measure) for name, dtype in batch for measure in _asked(dtype)]
        values = {name: without_nan(quoted(name), dtype) for name, dtype in batch}
        expressions = [sql.format(c=values[name]) for name, _, sql in asked]
        answers = query(f"SELECT {', '.join(expressions)} FROM {relation}")[0]
        for name, dtype in batch:
            measures = {
                measure: None if value is None else float(value)
                for (column, measure, _), value in zip(asked, answers, strict=True)
                if column == name
            }
            found[name] = ColumnProfile(name, dtype, rows, rows >= num_rows, measures)
    return found


def _asked(dtype: str) -> list[tuple[str, str]]:
    sections = _SECTIONS.get(family(dtype), ("any",))
    return [measure for section in sections for measure in _MEASURES[section].items()]
