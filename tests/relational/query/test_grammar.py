"""The parser is built once and has no conflicts."""

from __future__ import annotations

from lark import Lark

from benthic.relational.query.grammar import parser


def test_the_parser_is_built_once():
    assert parser() is parser()


def test_the_grammar_is_lalr_without_conflicts_of_rules_or_of_words():
    # strict: any shift/reduce conflict, or two words that could be confused, raises
    grammar = parser().source_grammar

    lark = Lark(grammar, parser="lalr", start="query", keep_all_tokens=True)

    assert lark.parse("PREDICT a.b FOR EACH a.id").data == "query"


def test_after_a_dot_any_word_is_a_name():
    for word in ("rank", "COUNT", "for", "null", "größe", "_1"):
        assert parser().parse(f"PREDICT a.{word} FOR EACH a.{word}")
