"""Random expressions and queries, for hypothesis; and texts that nearly are queries."""

from __future__ import annotations

import datetime as dt

from hypothesis import strategies as st
from tests.relational.query.examples import INVALID, VALID

from benthic.relational.query.tree import (
    Aggregate,
    And,
    Arithmetic,
    Classify,
    Clauses,
    ColumnRef,
    Comparison,
    Forecast,
    IsIn,
    IsNull,
    Literal,
    Negative,
    Not,
    Or,
    Rank,
    Star,
    TextTest,
    Window,
)
from benthic.relational.query.vocabulary import FUNCTIONS, KEYWORDS, UNITS

words = st.one_of(
    st.sampled_from(["orders", "total", "Größe", "order items", 'a"b', "count", "x.y"]),
    st.sampled_from(sorted(KEYWORDS)),
    st.text(max_size=6),
)
columns = st.builds(ColumnRef, words, words)
numbers = st.one_of(
    st.integers(-(10**20), 10**20),
    st.floats(allow_nan=False, allow_infinity=False),
)
zones = st.one_of(
    st.none(),
    st.integers(-1439, 1439).map(lambda m: dt.timezone(dt.timedelta(minutes=m))),
)
dates = st.datetimes(dt.datetime(2, 1, 1), dt.datetime(9998, 12, 31), timezones=zones)
texts = st.text(max_size=8)
known = st.one_of(numbers, texts, dates, st.booleans()).map(Literal)
literals = known | st.just(Literal(None))
windows = st.builds(
    Window,
    st.none() | st.integers(-400, 400),
    st.integers(-400, 400),
    st.sampled_from(UNITS),
)


def negative(operand):
    """As the reader does: a sign before a number belongs to it."""
    if isinstance(operand, Literal):
        return columns.map(Negative)
    return st.just(Negative(operand))


def _larger(inner):
    several = st.lists(inner, min_size=2, max_size=3).map(tuple)
    return st.one_of(
        st.builds(Arithmetic, st.sampled_from("+-*/"), inner, inner),
        inner.flatmap(negative),
        st.builds(Comparison, st.sampled_from(["<", "<=", ">", ">="]), inner, inner),
        st.builds(
            Comparison, st.sampled_from(["=", "!="]), inner, known | columns
        ).filter(lambda node: node.left != Literal(None)),
        st.builds(IsNull, inner, st.booleans()),
        st.builds(
            IsIn,
            inner,
            st.lists(literals, min_size=1, max_size=3).map(tuple),
            st.booleans(),
        ),
        st.builds(
            TextTest,
            st.sampled_from(["LIKE", "STARTS WITH", "ENDS WITH"]),
            inner,
            texts.map(Literal),
            st.booleans(),
        ),
        st.builds(TextTest, st.just("CONTAINS"), inner, literals, st.booleans()),
        several.map(And),
        several.map(Or),
        inner.map(Not),
        st.builds(
            Aggregate,
            st.sampled_from(FUNCTIONS),
            words.map(Star) | inner,
            st.none() | inner,
            st.lists(columns, max_size=2).map(tuple),
            st.none() | windows,
        ),
    )


expressions = st.recursive(columns | literals, _larger, max_leaves=12)
modifiers = st.one_of(
    st.none(),
    st.integers(0, 20).map(Forecast),
    st.integers(0, 20).map(Rank),
    (st.none() | st.integers(0, 20)).map(Classify),
)
queries = st.builds(
    Clauses,
    expressions,
    modifiers,
    columns,
    st.none() | st.lists(literals, min_size=1, max_size=3).map(tuple),
    st.none() | expressions,
    st.none() | expressions,
)

PIECES = [
    *sorted(KEYWORDS),
    *FUNCTIONS,
    *("(", ")", ",", ".", "*", "=", "==", "<", "-", "--", "/*", "'", '"', "#", ";"),
    *("?", ":x", "0", "30", "1e999", "9" * 50, "2024-02-30", "-INF", "days", "dayz"),
    *("orders", "orders.total", "orders.*", "customers.customer_id", "'gold'"),
    *("SELECT", "BETWEEN", "ORDER BY", "\n", "\t", " ", "é", "\u2028", "\x00", "𝔸"),
]


@st.composite
def spoiled(draw):
    """A query of the examples with pieces taken out, put in, or cut off."""
    text = draw(st.sampled_from([row[1] for row in [*VALID, *INVALID]]))
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, min(len(text), start + 12)))
        text = text[:start] + draw(st.sampled_from(PIECES) | st.just("")) + text[end:]
    return text[: draw(st.integers(0, len(text)))] if draw(st.booleans()) else text


shuffled = st.lists(st.sampled_from(PIECES), max_size=25).map(" ".join)
