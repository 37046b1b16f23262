"""From text to clauses."""

from __future__ import annotations

from lark import Token, UnexpectedCharacters, UnexpectedToken
from lark.exceptions import VisitError

from benthic.errors import QueryError
from benthic.relational.query import syntax
from benthic.relational.query.building import Builder
from benthic.relational.query.faults import Faults
from benthic.relational.query.grammar import parser
from benthic.relational.query.tree import Clauses, Place
from benthic.relational.query.walking import depth
from benthic.relational.schema import Schema

MOST_NESTED = 60
"""Levels of parentheses or operators; beyond it a query is no longer read by people."""


def read(text: str, schema: Schema | None = None) -> tuple[Clauses, tuple[str, ...]]:
    """The clauses of a text, and remarks on how it was read.

    Functions and units are resolved; tables and columns are as the user wrote them.

    Args:
        text: One query.
        schema: Where the hints of a syntax error take their names from.

    Raises:
        QueryError: The first syntax error; or functions and units that do not exist.
    """
    faults = Faults(text)
    tree = _parsed(text, schema)
    builder = Builder(faults)
    try:
        clauses: Clauses = builder.transform(tree)
    except VisitError as error:
        raise error.orig_exc from None
    faults.raise_any()
    _check_depth(clauses, faults)
    return clauses, tuple(builder.remarks)
