"""Each invalid example of the specification fails as the specification says."""

from __future__ import annotations

import re

import pytest
from tests.relational.query.asking import error_of
from tests.relational.query.examples import INVALID, schema_of

from benthic.relational.query import PredictiveQuery
from benthic.relational.query.checking import checked
from benthic.relational.query.faults import Faults
from benthic.relational.query.parse import read


@pytest.mark.parametrize("row", INVALID, ids=[row[0] for row in INVALID])
def test_an_invalid_example_fails_with_its_kind_place_message_expectation_and_hint(row):
    _, text, *wanted = row

    error = error_of(text, schema_of(text))

    place = f"{error.line}:{error.column}"
    found = [error.kind, place, error.message, error.expected, error.suggestion]
    assert found == wanted
    assert error.others == ()


FULL = [
    row
    for row in INVALID
    # E18: the specification's own hint asks of a path without a time.
    if row[0] != "E18"
    and row[6]
    and re.search(r"(did you mean|for example:|count:|status:) ", row[6])
]


@pytest.mark.parametrize("row", FULL, ids=[row[0] for row in FULL])
def test_the_corrected_text_of_a_hint_mends_the_query(row):
    number, text, *_, hint = row
    schema = schema_of(text)
    error = error_of(text, schema)
    mended = re.split("did you mean |for example: |count: |status: ", hint)[-1]
    mended = mended.removesuffix("?")
    lines = text.split("\n")
    line = lines[error.line - 1]
    start, end = error.column - 1, error.column - 1 + error.length
    if mended.startswith("FOR EACH"):
        mended = f" {mended}"
    elif mended.split("(")[0].isupper() and "(" in mended:  # a whole aggregate
        lines[0] = re.sub(r"[A-Z]+\(.*?\)", lambda _: mended, lines[0], count=1)
        lines = [part for part in lines if not part.startswith("WHERE")]
        start = None
    elif number == "E3":
        mended += ".customer_id"
    if start is not None:
        lines[error.line - 1] = line[:start] + mended + line[end:]

    PredictiveQuery.parse("\n".join(lines), schema)


def test_all_faults_come_together_in_the_order_of_their_places_and_at_most_five():
    error = error_of(
        "PREDICT SUM(orders.status, 30, 0, dayz) + CUONT(ordes.*, 0, 1)\n"
        "FOR EACH customers.email WHERE customers.teir = 'x' AND regions.nme = 'y'"
    )

    faults = [error, *error.others]
    places = [(fault.line, fault.column) for fault in faults]
    assert places == sorted(places)
    assert len(faults) == 5
    assert [fault.kind for fault in faults] == [
        "type",
        "window",
        "unknown name",
        "unknown name",
        "unknown name",
    ]
    assert str(error).count("\n\n") == 4


def test_what_depends_on_an_unknown_name_is_left_alone():
    error = error_of("PREDICT SUM(nothing.x, 0, 30) > 'a' FOR EACH nobody.id")

    assert {fault.kind for fault in (error, *error.others)} == {"unknown name", "type"}


def test_without_a_schema_the_words_alone_are_checked():
    text = "PREDICT SUM(orders.nothing, 30, 0) FOR EACH nobody.id"
    faults = Faults(text)
    clauses, _ = read(faults)

    assert checked(clauses, None, faults) == clauses
    assert len(faults) == 1
