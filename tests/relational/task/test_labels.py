from __future__ import annotations

import pytest
from tests.relational.query.examples import VALID
from tests.relational.shop import bank_frames, shop_frames
from tests.relational.task.asking import answers, same
from tests.relational.task.by_hand import ASSUMED, LABELS, WHERE, plain_rows
from tests.relational.task.databases import moments, open_bank, open_shop

SHOP, BANK = open_shop(), open_bank()
ROWS = {True: plain_rows(bank_frames()), False: plain_rows(shop_frames())}
ANCHORS = {
    # Ends of months, moments of rows, and the steps before and after them.
    False: moments(
        "2023-10-31",
        "2023-12-31",
        "2024-01-09 20:00:00",
        "2024-01-31",
        "2024-01-31 23:59:59",
        "2024-02-01",
        "2024-02-20 12:00:00",
        "2024-02-20 11:59:59.999999",
        "2024-02-29",
        "2024-03-31",
        "2024-04-30 12:00:00",
        "2024-05-15",
        "2024-07-01",
    ),
    True: moments(
        "2021-12-31",
        "2022-05-25 12:00:00",
        "2022-06-01 12:00:00",
        "2022-10-01",
        "2022-12-24 10:00:00",
        "2023-01-31 23:59:59",
        "2023-09-05 02:40:00",
        "2023-11-30",
    ),
}
STAND_IN = {
    "customer_id = 1042": "customer_id = 4",
    "('north', 'south')": "(1, 2)",
    "'C-77'": "2",
}
"""Keys of the specification that the small databases do not hold."""


def written(text: str) -> str:
    for missing, present in STAND_IN.items():
        text = text.replace(missing, present)
    return text


QUERIES = {number: written(text) for number, text, _ in VALID}


def asked_of_bank(text: str) -> bool:
    return any(name in text for name in ("clients", "accounts", "payments", "loans"))


@pytest.mark.parametrize("number", sorted(QUERIES))
def test_the_labels_of_every_example_are_those_found_by_hand(number: int) -> None:
    text = QUERIES[number]
    in_bank = asked_of_bank(text)
    found = answers(BANK if in_bank else SHOP, text, ANCHORS[in_bank])
    rows = ROWS[in_bank]
    assert len(found)
    for row in found.itertuples():
        where = (row.entity, row.anchor_time, row.frame)
        label = LABELS[number](rows, row.entity, row.anchor_time)
        if number == 20:
            label = label[row.frame]
        assert same(row.label, label), (where, row.label, label)
        matches = WHERE.get(number, lambda *_: True)(rows, row.entity, row.anchor_time)
        assert row.matches_where is matches, where
        assumed = ASSUMED.get(number, lambda *_: True)(
            rows, row.entity, row.anchor_time
        )
        assert row.assumed is assumed, where


def test_every_example_is_found_by_hand() -> None:
    assert sorted(LABELS) == sorted(QUERIES) == list(range(1, 32))
