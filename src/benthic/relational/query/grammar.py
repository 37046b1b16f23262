"""The grammar as a parser that is fed token by token."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from lark import Lark


@cache
def parser() -> Lark:
    """The LALR(1) parser of the predictive query; built once.

    Its lexer is contextual: after a dot only a name can follow, so a column may be
    called ``rank`` or ``count``.

    Example:
        >>> parser().parse("PREDICT a.b FOR EACH a.id").data
        Token('RULE', 'query')
    """
    grammar = files("benthic.relational.query").joinpath("predictive_query.lark")
    return Lark(
        grammar.read_text(encoding="utf-8"),
        parser="lalr",
        start="query",
        lexer="contextual",
        propagate_positions=True,
        maybe_placeholders=True,
        keep_all_tokens=True,
    )
