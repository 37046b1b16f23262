"""Functions and units of other languages."""

from __future__ import annotations

import pytest
from tests.relational.query.asking import customers, error_of, place_of


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("mean", "did you mean AVG?"),
        ("AVERAGE", "did you mean AVG?"),
        ("TOTAL", "did you mean SUM?"),
        ("NUNIQUE", "did you mean COUNT_DISTINCT?"),
        ("COUNTDISTINCT", "did you mean COUNT_DISTINCT?"),
        ("EXISTS", "write COUNT(...) > 0"),
        ("UPPER", "functions of single values are not part of the language"),
        ("MAXX", "did you mean MAX?"),
        ("XYZZY", None),
    ],
)
def test_a_function_that_does_not_exist_gets_its_nearest(word, hint):
    error = error_of(customers(f"{word}(orders.total, 0, 30)"), None)

    assert error.message == f"no function named {word}"
    assert error.expected.startswith("one of AVG, COUNT")
    assert error.suggestion == hint


@pytest.mark.parametrize("word", ["MEDIAN", "STDDEV", "QUANTILE", "MODE"])
def test_a_function_we_do_not_have_is_said_to_be_missing(word):
    assert error_of(customers(f"{word}(orders.total, 0, 30)")).suggestion


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("dayz", "did you mean days?"),
        ("Mnths", "did you mean months?"),
        ("yaer", "did you mean years?"),
        ("fortnights", None),
    ],
)
def test_a_unit_that_does_not_exist_gets_its_nearest(word, hint):
    error = error_of(customers(f"SUM(orders.total, 0, 30, {word})"))

    assert error.suggestion == hint
    assert place_of(error) == word
