"""What could stand at a place, in the user's words."""

from __future__ import annotations

from benthic.relational.query import wording
from benthic.relational.query.names import column_list, found_table, table_list
from benthic.relational.query.stop import Stop
from benthic.relational.query.vocabulary import UNITS

FOR_FORMS = "FOR EACH table.key, FOR table.key = value, or FOR table.key IN (...)"

_VALUE = frozenset("INT DECIMAL STRING DATE TRUE FALSE NULL PLUS MINUS".split())
_OPERATORS = frozenset("PLUS MINUS STAR SLASH".split())
_TESTS = frozenset("EQUAL RELOP IS NOT IN LIKE CONTAINS STARTS ENDS".split())

_GROUPS: tuple[tuple[frozenset[str], frozenset[str], str], ...] = (
    (
        frozenset({"NAME", "STRING"}),
        _VALUE | {"NAME", "QUOTED", "LPAR", "NOT"},
        "table.column, an aggregate or a value",
    ),
    (frozenset({"STRING", "DATE"}), _VALUE, "a value"),
    (frozenset({"STRING"}), frozenset({"STRING"}), "text in single quotes"),
    (frozenset({"NAME", "QUOTED"}), frozenset({"NAME", "QUOTED"}), "table.column"),
    (frozenset({"NAME"}), frozenset({"NAME"}), wording.listed(UNITS, "or")),
    (
        frozenset({"INT"}),
        frozenset({"INT", "DECIMAL", "PLUS", "MINUS", "INF"}),
        "a whole number",
    ),
    (frozenset({"PLUS", "STAR"}), _OPERATORS, "an operator"),
    (frozenset({"RELOP", "IS"}), _TESTS, "a comparison"),
    (frozenset({"EQUAL", "IN"}), frozenset({"EQUAL", "IN"}), "= value or IN (...)"),
)
"""If all of the first are accepted, all of the second are said by one phrase."""

_WORDS = {
    "STAR": "*",
    "DOT": "a dot",
    "LPAR": "(",
    "COMMA": "a comma",
    "$END": "the end of the query",
}
_ORDER = (
    "PREDICT IN LIKE CONTAINS STARTS ENDS WITH NULL NOT AND OR FORECAST TIMEFRAMES "
    "RANK CLASSIFY TOP FOR EACH WHERE ASSUMING VIA STAR DOT LPAR COMMA $END"
).split()


def expected(stop: Stop) -> str | None:
    """What could stand at the place where the reading stopped."""
    if "FOR" in stop.accepts and stop.kind in ("$END", "WHERE", "ASSUMING"):
        return FOR_FORMS
    kinds = stop.last_kinds(3)
    if kinds[-1:] == ("DOT",):
        return _column_of(stop)
    phrases, left = [], set(stop.accepts)
    for needed, covered, phrase in _GROUPS:
        if needed <= left:
            phrases.append(phrase)
            left -= covered
    phrases += [_WORDS.get(kind, kind) for kind in _ORDER if kind in left]
    phrases += [closing(stop)] if "RPAR" in left else []
    return wording.listed(phrases, "or") or None


def closing(stop: Stop) -> str:
    """The parenthesis that is missing, and what it would close."""
    position = stop.open_parentheses[-1]
    opened = stop.before[position]
    name, first = "(", opened
    if position and stop.before[position - 1].type == "NAME":
        first = stop.before[position - 1]
        name = f"{first}("
    return f") to close {name} at line {first.line}, column {first.column}"


def _column_of(stop: Stop) -> str:
    token = stop.last(2)
    written = "" if token is None else str(token).strip('"')
    table = found_table(stop.schema, written)
    star = " or *" if "STAR" in stop.accepts else ""
    if table is None:
        return f"a column of {written}{star}"
    return f"{column_list(table)}{star}"


def tables(stop: Stop) -> str:
    """The list of tables, where a schema is known."""
    return "table.column" if stop.schema is None else table_list(stop.schema)
