"""Words and signs of other languages are named, with what to write here."""

from __future__ import annotations

import pytest
from tests.relational.query.asking import customers, error_of, filtered, place_of

COUNT = "COUNT(orders.*, 0, 30)"


@pytest.mark.parametrize(
    ("text", "place", "hint"),
    [
        (filtered("regions.population BETWEEN 1 AND 'z'"), "BETWEEN",
         "did you mean regions.population >= 1 AND regions.population <= 'z'?"),
        (filtered("COUNT(orders.*, -9, 0) BETWEEN 1 AND 2"), "BETWEEN",
         "write >= and <="),
        (filtered("customers.tier == 'x'"), "==", "write ="),
        (filtered("regions.population => 3"), "=>", "write >="),
        (filtered("! customers.newsletter"), "!", "write NOT"),
        (filtered("customers.newsletter && 1 = 1"), "&&", "write AND"),
        (filtered("customers.newsletter || 1 = 1"), "||", "write OR"),
        (filtered("customers.tier = ?"), "?",
         "write the value itself: there are no parameters"),
        (filtered("customers.tier = :tier"), ":tier",
         "write the value itself: there are no parameters"),
        (filtered("customers.tier = ‘gold’"), "‘gold’", "did you mean 'gold'?"),
        (filtered("customers.tier = “gold”"), "“gold”", "did you mean 'gold'?"),
        (filtered("customers.tier IN (SELECT 1)"), "SELECT",
         "there are no subqueries: write the values, or an aggregate"),
        (filtered("CASE WHEN 1 THEN 2"), "WHEN",
         "write a condition, or one query for each case"),
        (filtered("customers.tier ILIKE 'x'"), "ILIKE", "write LIKE: it respects case"),
        (customers(COUNT, "GROUP  by customers.tier"), "GROUP  by",
         "FOR EACH already gives one prediction for each entity"),
        (customers(COUNT, "HAVING 1 = 1"), "HAVING",
         "write the condition after WHERE"),
        (customers(COUNT, "GIVEN 1 = 1"), "GIVEN",
         "write WHERE for the past, ASSUMING for the future"),
        (customers(f"{COUNT} AS churn"), "AS", "leave the new name out"),
        (customers(f"{COUNT} FROM orders"), "FROM",
         "tables are named with their columns: table.column"),
        (customers("COUNT(DISTINCT orders.channel, 0, 30)"), "DISTINCT",
         "write COUNT_DISTINCT(table.column, ...)"),
        (customers("LIST_DISTINCT(orders.channel, 0, 30) LIMIT 7"), "LIMIT",
         "did you mean RANK TOP 7?"),
        (customers(COUNT, "LIMIT 7"), "LIMIT",
         "cut the returned table instead; for a list: RANK TOP k"),
    ],
)  # fmt: skip
def test_a_word_from_elsewhere_is_named_with_what_to_write(text, place, hint):
    error = error_of(text)

    assert error.kind == "syntax"
    assert error.message.split(": ")[-1].startswith("the language has no ")
    assert error.suggestion == hint
    assert place_of(error) == place


def test_tables_and_columns_may_bear_such_words():
    error = error_of("PREDICT orders.left FOR EACH limit.id")

    assert error.kind == "unknown name"
