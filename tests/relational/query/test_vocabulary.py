"""The words of the language and of its grammar are the same."""

from __future__ import annotations

import pytest

from benthic.relational.query.grammar import parser
from benthic.relational.query.vocabulary import FUNCTIONS, KEYWORDS, UNITS, unit


def test_the_keywords_are_those_of_the_grammar():
    words = {term.name for term in parser().terminals if term.priority == 2}

    assert KEYWORDS - {"INFINITY"} == words - {"DECIMAL"}


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_is_known_singular_and_plural_in_any_case(name):
    assert unit(name) == unit(name[:-1]) == unit(name.upper()) == name


def test_other_words_are_no_units_and_functions_are_sorted():
    assert [unit(word) for word in ("dayss", "d", "", "s")] == [None] * 4
    assert list(FUNCTIONS) == sorted(FUNCTIONS)
