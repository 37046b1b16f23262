"""One tree, one text."""

from __future__ import annotations

import datetime as dt

import pytest

from benthic.relational.query import PredictiveQuery, canonical

QUERIES = [
    ("a.b * (a.c + 1) - -2", None),
    ("a.b - (a.c - a.d)", None),
    ("-(-a.b)", None),
    ("- - 5 * a.b", "5 * a.b"),
    ("a.b <> 1 or not a.c = 2 and (a.d = 3 or a.e = 4)", None),
    ('"a".b = 1', "a.b = 1"),
    ('"for"."unit price" = 1', None),
    ("a.rank IN (1)", None),
    ("a.b IS NOT IN ('x', 'y''z')", "a.b NOT IN ('x', 'y''z')"),
    ("a.b >= 2024-01-01 12:30", "a.b >= 2024-01-01T12:30:00"),
    (
        "SUM(a.b VIA a.c VIA b.d, -inf, 3, Week)",
        "SUM(a.b VIA a.c VIA b.d, -INF, 3, weeks)",
    ),
]


@pytest.mark.parametrize(("written", "printed"), QUERIES)
def test_an_expression_is_printed_in_one_way(written, printed):
    query = PredictiveQuery.parse(f"predict {written} for each a.id ;")

    wanted = printed or written.replace("<>", "!=").replace(" or ", " OR ")
    wanted = wanted.replace("not ", "NOT ").replace(" and ", " AND ")
    assert str(query) == f"PREDICT {wanted} FOR EACH a.id"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "TRUE"),
        (1e-30, "1e-30"),
        (dt.datetime(2024, 1, 2, 3, 4, 5, 600), "2024-01-02T03:04:05.000600"),
        (dt.datetime(2024, 1, 2, tzinfo=dt.timezone.utc), "2024-01-02T00:00:00+00:00"),
    ],
)
def test_a_value_is_printed_as_it_is_read(value, text):
    assert canonical.value(value) == text
