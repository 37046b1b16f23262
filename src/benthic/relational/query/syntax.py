"""What is wrong with a text that is no query?"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from lark import Token, UnexpectedCharacters, UnexpectedToken

from benthic.errors import QueryError
from benthic.relational.query import canonical, elsewhere, literals, wording
from benthic.relational.query.expected import FOR_FORMS, expected
from benthic.relational.query.names import columns_named, found_table
from benthic.relational.query.stop import Stop, stop
from benthic.relational.query.tree import ColumnRef, Place
from benthic.relational.query.vocabulary import KEYWORDS, unit
from benthic.relational.schema import Schema


class Verdict(NamedTuple):
    """One explanation of a stop; ``expected`` and ``suggestion`` may be missing."""

    place: Place
    message: str
    expected: str | None = None
    suggestion: str | None = None


def explained(
    text: str,
    tokens: list[Token],
    error: UnexpectedToken | UnexpectedCharacters,
    schema: Schema | None,
) -> QueryError:
    """The error of the parser in the user's words.

    Args:
        text: The whole text.
        tokens: What was read before the error.
        error: What the parser raised.
        schema: Names for the hints.
    """
    here = stop(text, tokens, error, schema)
    verdict = next(found for explain in _EXPLANATIONS if (found := explain(here)))
    place = verdict.place
    return QueryError(
        "syntax",
        verdict.message,
        place.line,
        place.column,
        place.length,
        verdict.expected,
        verdict.suggestion,
        text,
    )


def _unclosed(here: Stop) -> Verdict | None:
    rest = here.text[here.offset :]
    openings = {
        "'": ("this text has no end", "a closing '"),
        '"': ("this name has no end", 'a closing "'),
        "/*": ("this comment has no end", "a closing */"),
    }
    if here.kind:
        return None
    found = next((mark for mark in openings if rest.startswith(mark)), None)
    if found is None:
        return None
    place = here.place_at(here.offset, len(rest.split("\n", 1)[0].rstrip()))
    return Verdict(place, *openings[found])


def _no_predict(here: Stop) -> Verdict | None:
    if here.before:
        return None
    near = wording.nearest(here.found.upper(), ["PREDICT"])
    select = "a query says PREDICT what FOR EACH whom"
    hint = select if here.found.upper() == "SELECT" else wording.did_you_mean(near)
    return Verdict(here.place, "a query starts with PREDICT", "PREDICT", hint)


def _foreign(here: Stop) -> Verdict | None:
    found = elsewhere.foreign(here)
    if found is None:
        return None
    place, what, suggestion = found
    message = f"the language has no {what}"
    if "$END" in here.accepts and what.split()[0] in elsewhere.TRAILING:
        message = f"the query should end here: {message}"
    before = place.line, place.column
    inside = before == (here.place.line, here.place.column)
    could = expected(here) if inside else "table.column"
    return Verdict(place, message, could, suggestion)


def _too_early(here: Stop) -> Verdict | None:
    if here.kind != "$END" or "DOT" in here.accepts:
        return None
    hint = None
    if "FOR" in here.accepts and (key := _likely_entity(here)) is not None:
        hint = f"for example: FOR EACH {key}"
    if here.accepts == {"EQUAL", "IN"}:
        hint = _for_each(here)
    return Verdict(here.place, "the query ends too early", expected(here), hint)


def _double_quotes(here: Stop) -> Verdict | None:
    token = here.last()
    if here.kind == "QUOTED" and "STRING" in here.accepts:
        found, offset = here.found, here.offset
    elif token is not None and token.type == "QUOTED" and "DOT" in here.accepts:
        found, offset = str(token), token.start_pos or 0
        if not _beside_a_test(here):
            return None
    else:
        return None
    text = canonical.value(found[1:-1].replace('""', '"'))
    return Verdict(
        here.place_at(offset, len(found)),
        "double quotes name a column or a table",
        "a value: text is written in single quotes",
        f"did you mean {text}?",
    )


def _beside_a_test(here: Stop) -> bool:
    before = here.last_kinds(2)[0]
    return {before, here.kind} & {"EQUAL", "RELOP", "CONTAINS"} != set()


def _no_column(here: Stop) -> Verdict | None:
    token = here.last()
    if token is None or "DOT" not in here.accepts:
        return None
    word = literals.text(token) if token.type == "QUOTED" else str(token)
    keywords = [word for word in here.accepted_before if word in KEYWORDS]
    near = wording.nearest(word.upper(), sorted(keywords))
    hint = wording.did_you_mean(near or _columns_meant(here, word))
    place = here.place_at(token.start_pos or 0, len(token))
    return Verdict(place, "a column is written table.column", "table.column", hint)


def _columns_meant(here: Stop, word: str) -> list[str]:
    if here.schema is None:
        return []
    table = found_table(here.schema, word)
    names_entity = here.last_kinds(2)[0] in ("FOR", "EACH")
    if table is not None and names_entity and table.pkey_col is not None:
        return [canonical.expression(ColumnRef(table.name, table.pkey_col))]
    if table is not None:
        return [f"{canonical.name(table.name)}.*"] if here.open_parentheses else []
    found = columns_named(word, here.schema)
    return found[:1] if names_entity else found[:3]


def _empty_list(here: Stop) -> Verdict | None:
    if here.kind != "RPAR" or here.last_kinds(2) != ("IN", "LPAR"):
        return None
    return Verdict(here.place, "the list is empty", "a value")


def _several_targets(here: Stop) -> Verdict | None:
    if here.kind != "COMMA" or "FOR" not in here.accepts:
        return None
    message = "a query has one target"
    return Verdict(here.place, message, expected(here), "write one query each")


def _chained(here: Stop) -> Verdict | None:
    tests = {"EQUAL", "RELOP", "IS", "IN", "LIKE", "CONTAINS", "STARTS", "ENDS"}
    if here.kind not in tests or "AND" not in here.accepts or "RELOP" in here.accepts:
        return None
    message = f"unexpected {here.found}: tests do not chain"
    return Verdict(here.place, message, expected(here), "join two tests by AND")


def _clause_order(here: Stop) -> Verdict | None:
    word = here.found.upper()
    if here.kind in ("WHERE", "ASSUMING") and "FOR" in here.accepts:
        message = f"{word} comes after FOR"
        return Verdict(here.place, message, FOR_FORMS)
    seen = {token.type for token in here.before} & {"WHERE", "ASSUMING"}
    if here.kind in seen and "$END" in here.accepts:
        hint = "join the conditions by AND" if here.kind in seen else None
        return Verdict(here.place, f"a query has one {word}", expected(here), hint)
    if here.kind == "WHERE" and "ASSUMING" in seen:
        return Verdict(here.place, "WHERE comes before ASSUMING", expected(here))
    return None


def _entity_form(here: Stop) -> Verdict | None:
    if here.accepts == {"EQUAL", "IN"}:
        message = f"unexpected {here.found}"
        return Verdict(here.place, message, expected(here), _for_each(here))
    each = here.before[-4].type == "EACH" if len(here.before) > 3 else False
    if each and here.kind in ("EQUAL", "IN"):
        message = f"unexpected {here.found}: EACH asks for every entity"
        hint = "leave EACH out to name entities"
        return Verdict(here.place, message, expected(here), hint)
    return None


def _bare_star(here: Stop) -> Verdict | None:
    if here.kind != "STAR" or here.last_kinds(2) != ("NAME", "LPAR"):
        return None
    message = "* needs its table: whose rows are counted?"
    return Verdict(here.place, message, "table.*")


def _dotted_table(here: Stop) -> Verdict | None:
    if here.kind != "DOT" or here.last_kinds(3)[1:2] != ("DOT",):
        return None
    message = "a column has one table: table.column"
    hint = 'a name that holds a dot stands in double quotes: "schema.table".column'
    return Verdict(here.place, message, expected(here), hint)


def _second_query(here: Stop) -> Verdict | None:
    if here.kind != "PREDICT":
        return None
    message = "a text holds one query"
    return Verdict(here.place, message, expected(here), "write one query each")


def _glued_unit(here: Stop) -> Verdict | None:
    match = re.fullmatch(r"(\d+)([^\W\d]+)", here.found)
    if match is None or unit(match.group(2)) is None:
        return None
    hint = f"did you mean {match.group(1)}, {match.group(2)}?"
    return Verdict(here.place, f"unexpected {here.found}", expected(here), hint)


def _window_form(here: Stop) -> Verdict | None:
    if here.kind != "NAME" or unit(here.found) is None:
        return None
    last, kinds = here.last(), here.last_kinds(2)
    hint = None
    if kinds == ("INT", "COMMA") and "INF" in here.accepts:
        number = here.last(2)
        hint = f"did you mean 0, {number}, {here.found}?"
    elif kinds[-1:] == ("INT",) and "COMMA" in here.accepts:
        hint = f"did you mean {last}, {here.found}?"
    if hint is None:
        return None
    return Verdict(here.place, f"unexpected {here.found}", expected(here), hint)


def _anything(here: Stop) -> Verdict:
    words = [word for word in here.accepts if word in KEYWORDS]
    near = wording.did_you_mean(wording.nearest(here.found.upper(), sorted(words)))
    shown = here.found if here.found.isprintable() else f"U+{ord(here.found[0]):04X}"
    shown = shown if len(shown) <= 40 else f"{shown[:40]}…"
    return Verdict(here.place, f"unexpected {shown}", expected(here), near)


_EXPLANATIONS: tuple[Callable[[Stop], Verdict | None], ...] = (
    _unclosed,
    _no_predict,
    _foreign,
    _too_early,
    _double_quotes,
    _no_column,
    _empty_list,
    _several_targets,
    _chained,
    _clause_order,
    _entity_form,
    _glued_unit,
    _window_form,
    _bare_star,
    _dotted_table,
    _second_query,
    _anything,
)
"""The first that has something to say is heard."""


def _for_each(here: Stop) -> str:
    words = "".join(str(token) for token in here.before[-3:])
    return f"for all of them: FOR EACH {words}"


def _likely_entity(here: Stop) -> str | None:
    """The key that the first table named in the text points at, else its own."""
    pairs = zip(here.before, here.before[1:], strict=False)
    named = next((name for name, dot in pairs if dot.type == "DOT"), None)
    table = None if named is None else found_table(here.schema, named.strip('"'))
    if table is None or here.schema is None:
        return None
    owner = here.schema.tables[table.fkeys[0].table] if table.fkeys else table
    if owner.pkey_col is None:
        return None
    return canonical.expression(ColumnRef(owner.name, owner.pkey_col))
