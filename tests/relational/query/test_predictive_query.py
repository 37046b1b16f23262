"""A text becomes a query, and a query a text; nothing else comes out."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.relational.query.examples import VALID, schema_of
from tests.relational.query.schemas import BANK, SHOP
from tests.relational.query.trees import shuffled, spoiled

from benthic.relational.query import PredictiveQuery, QueryError, TaskType
from benthic.relational.query.tree import (
    Aggregate,
    Comparison,
    Literal,
    Place,
    Star,
    Window,
)
from benthic.relational.query.vocabulary import FUNCTIONS, KEYWORDS, UNITS

CHURN = VALID[0][1]


@pytest.mark.parametrize(("number", "text", "task"), VALID)
def test_a_valid_example_has_its_task_type_and_prints_as_a_text_that_reads_the_same(
    number, text, task
):
    schema = schema_of(text)

    query = PredictiveQuery.parse(text, schema)

    assert query.task_type(schema) is TaskType(task), number
    assert PredictiveQuery.parse(str(query), schema) == query
    assert PredictiveQuery.parse(text) == query  # all names are spelled right


def test_the_tree_of_a_query_keeps_its_places():
    query = PredictiveQuery.parse(CHURN)

    count = Aggregate("COUNT", Star("orders"), window=Window(0, 30, "days"))
    assert query.target == Comparison("=", count, Literal(0))
    assert query.entities is None
    assert query.target.place == Place(1, 9, 32)
    assert query.target.left.window.place == Place(1, 25, 11)
    assert query.entity.place == Place(1, 51, 21)


def test_entities_are_the_named_values():
    ranged = PredictiveQuery.parse(f"{CHURN.split(' FOR')[0]} FOR a.b IN (7, -8, 'x')")
    one = PredictiveQuery.parse(f"{CHURN.split(' FOR')[0]} FOR a.b = 7")

    assert ranged.entities == (7, -8, "x")
    assert one.entities == (7,)


def test_the_horizon_is_the_window_that_ends_last():
    text = "PREDICT SUM(a.b, 0, 40, days) > SUM(a.b, 0, 2, months) FOR EACH a.id"
    query = PredictiveQuery.parse(text)

    assert query.horizon == Window(0, 2, "months")
    assert [window.end for window in query.windows] == [40, 2]
    assert query.is_temporal
    static = PredictiveQuery.parse("PREDICT a.b FOR EACH a.id")
    assert static.horizon is None
    assert not static.is_temporal


def test_an_error_of_the_data_carries_the_place_of_the_entity_and_the_text():
    query = PredictiveQuery.parse(CHURN, SHOP)

    error = query.error("data", "no customer 9", expected="a key that exists")

    assert str(error).splitlines()[0] == "data at line 1, column 51: no customer 9"
    assert error.query == CHURN


def test_notes_tell_the_task_type_and_what_is_known_already():
    query = PredictiveQuery.parse(VALID[30][1], BANK)

    assert query.notes(BANK) == (
        "regression task: the target is a number",
        "seven days of the label are already known at the anchor",
    )


def _words(text: str) -> set[str]:
    return {*KEYWORDS, *FUNCTIONS, *map(str.upper, UNITS), "MONTH"} & {
        word.upper() for word in text.replace("(", " ").replace(")", " ").split()
    }


@settings(max_examples=60)
@given(data=st.data())
def test_case_white_space_and_comments_change_nothing(data):
    text = data.draw(st.sampled_from([row[1] for row in VALID]))
    gaps = st.sampled_from(
        [" ", "\n", "\t ", " -- why\n", " /* why\n */ ", "\r\n# x\n"]
    )
    cases = st.sampled_from([str.upper, str.lower, str.title])
    parts = text.split("'")  # what stands in quotes is left alone
    for i in range(0, len(parts), 2):
        words = parts[i].replace("\n", " \n ").split(" ")
        words = [
            data.draw(cases)(word) if word.upper() in _words(text) else word
            for word in words
        ]
        comment = any("--" in word for word in words)
        gap = " " if comment else data.draw(gaps)
        parts[i] = gap.join(words)

    assert PredictiveQuery.parse("'".join(parts)) == PredictiveQuery.parse(text)


def query_or_error(text, schema):
    try:
        return PredictiveQuery.parse(text, schema)
    except QueryError as error:
        return error


@settings(max_examples=150)
@given(
    text=st.one_of(spoiled(), shuffled, st.text(max_size=60)),
    schema=st.sampled_from([None, SHOP, BANK]),
)
def test_no_text_makes_anything_but_a_query_or_an_error_with_a_caret_in_the_text(
    text, schema
):
    found = query_or_error(text, schema)

    if isinstance(found, PredictiveQuery):
        assert PredictiveQuery.parse(str(found), schema) == found
        assert schema is None or found.notes(schema)
        return
    lines = text.split("\n")
    for fault in (found, *found.others):
        assert fault.line in range(1, len(lines) + 1)
        assert fault.column in range(1, len(lines[fault.line - 1]) + 2)
        assert fault.length >= 1
    assert len(found.others) < 5
    assert str(pickle.loads(pickle.dumps(found))) == str(found)


EACH = "FOR EACH orders.order_id"


@pytest.mark.parametrize(
    "text",
    [
        "PREDICT " + "(" * 10_000,
        "PREDICT " + "(" * 10_000 + "orders.total" + ")" * 10_000 + EACH,
        f"PREDICT {'NOT ' * 2_000} orders.total = 1 {EACH}",
        f"PREDICT {'- ' * 2_000} orders.total {EACH}",
        f"PREDICT {' + '.join(['orders.total'] * 1_500)} {EACH}",
        f"PREDICT {'SUM(' * 5_000}",
        f"PREDICT COUNT(orders.*, 0, {'9' * 5_000}) {EACH}",
        f"PREDICT COUNT(orders.*, 0, {'9' * 38}, years) {EACH}",
        f"PREDICT COUNT(orders.*, 0, 1001, years) {EACH}",
        f"PREDICT COUNT(orders.*, -{'9' * 38}, 1) {EACH}",
        f"PREDICT COUNT(orders.*, 0, 1, years) FORECAST 5000 TIMEFRAMES {EACH}",
        f"PREDICT COUNT(orders.*, 0, 1) FORECAST {'9' * 38} TIMEFRAMES {EACH}",
        f"PREDICT orders.total > 1e999 {EACH}",
        f"PREDICT orders.total > {'9' * 5_000} {EACH}",
        f"PREDICT orders.placed_at > 0000-01-01 {EACH}",
        f"PREDICT orders.placed_at > 0001-01-01T00:00+23:00 {EACH}",
        "",
        "\x00",
        "\ud800",
        "PREDICT '" + "x" * 100_000,
    ],
    ids=lambda text: text[:40],
)
def test_what_is_too_deep_too_large_or_nothing_at_all_is_a_query_error(text):
    for schema in (None, SHOP):
        with pytest.raises(QueryError) as caught:
            PredictiveQuery.parse(text, schema)
        assert len(str(caught.value)) < 2_000


@pytest.mark.parametrize(
    ("target", "names"),
    [
        ("customers.tier", ("tier",)),
        (
            "customers.tier = 'gold' AND NOT customers.newsletter",
            ("tier", "newsletter"),
        ),
        ("COUNT(orders.*, 0, 30) > 0 AND customers.tier = 'gold'", ()),
        ("SUM(orders.total WHERE orders.channel = 'web', 0, 30)", ()),
    ],
)
def test_a_column_is_asked_for_only_where_no_window_is(target, names):
    text = f"PREDICT {target} FOR EACH customers.customer_id"
    assert PredictiveQuery.parse(text).asked_columns == names
