"""The place where reading stopped, and what was possible there."""

from __future__ import annotations

import pytest
from lark import UnexpectedCharacters, UnexpectedToken

from benthic.relational.query.grammar import parser
from benthic.relational.query.stop import stop
from benthic.relational.query.tree import Place


def stopped(text):
    feeding = parser().parse_interactive(text)
    tokens = []
    try:
        for token in feeding.iter_parse():
            tokens.append(token)
        feeding.feed_eof(tokens[-1] if tokens else None)
    except (UnexpectedToken, UnexpectedCharacters) as error:
        return stop(text, tokens, error, None)
    raise AssertionError(f"{text} is a query")


@pytest.mark.parametrize(
    ("text", "kind", "found", "place"),
    [
        ("", "$END", "", Place(1, 1, 1)),
        ("PREDICT\n  a.b  -- end", "$END", "", Place(2, 6, 1)),
        ("PREDICT a.b\nWHERE", "WHERE", "WHERE", Place(2, 1, 5)),
        ("PREDICT 30days", "", "30days", Place(1, 9, 6)),
        ("PREDICT a.b €", "", "€", Place(1, 13, 1)),
    ],
)
def test_a_stop_knows_what_stands_where(text, kind, found, place):
    here = stopped(text)

    assert (here.kind, here.found, here.place) == (kind, found, place)


def test_what_could_stand_there_is_not_forgotten_by_the_parser_that_failed():
    here = stopped("PREDICT SUM(a.b FOR")

    assert {"PLUS", "RELOP", "AND", "WHERE", "VIA", "COMMA", "RPAR"} <= here.accepts
    assert "FOR" not in here.accepts
    assert here.last_kinds(2) == ("DOT", "NAME")
    assert here.last(99) is None
    assert [str(here.before[i - 1]) for i in here.open_parentheses] == ["SUM"]
