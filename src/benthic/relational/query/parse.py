"""From text to clauses."""

from __future__ import annotations

from lark import Token, Tree, UnexpectedCharacters, UnexpectedToken
from lark.exceptions import VisitError

from benthic.errors import QueryError
from benthic.relational.query import syntax
from benthic.relational.query.building import Builder, place_of
from benthic.relational.query.faults import Faults
from benthic.relational.query.grammar import parser
from benthic.relational.query.tree import Clauses, Place
from benthic.relational.query.walking import depth
from benthic.relational.schema import Schema

MOST_NESTED = 60
"""Levels of parentheses or operators; nobody reads further, and Python recurses."""


def read(faults: Faults, schema: Schema | None = None) -> tuple[Clauses, list[str]]:
    """The clauses of a text, and remarks on how it was read.

    Tables and columns are as the user wrote them.

    Args:
        faults: Holds the text; takes functions and units that do not exist.
        schema: Where the hints of a syntax error take their names from.

    Raises:
        QueryError: The first syntax error.
    """
    tree = _parsed(faults.text, schema)
    builder = Builder(faults)
    try:
        clauses: Clauses = builder.transform(tree)
    except VisitError as error:
        raise error.orig_exc from None
    for clause in (clauses.target, clauses.where, clauses.assuming):
        if clause is not None and depth(clause) > MOST_NESTED:
            raise _too_deep(faults.text, clause.place)
    return clauses, builder.remarks


def _too_deep(text: str, place: Place) -> QueryError:
    return QueryError(
        "syntax",
        "this is nested too deep to be read",
        place.line,
        place.column,
        place.length,
        f"at most {MOST_NESTED} levels",
        query=text,
    )


def _parsed(text: str, schema: Schema | None) -> Tree[Token]:
    feeding = parser().parse_interactive(text)
    tokens: list[Token] = []
    level = 0
    try:
        for token in feeding.iter_parse():
            tokens.append(token)
            level += (token.type == "LPAR") - (token.type == "RPAR")
            if level > MOST_NESTED:
                raise _too_deep(text, place_of(token))
        last = tokens[-1] if tokens else None
        tree: Tree[Token] = feeding.feed_eof(last)  # type: ignore[no-untyped-call]
    except (UnexpectedToken, UnexpectedCharacters) as error:
        raise syntax.explained(text, tokens, error, schema) from None
    return tree
