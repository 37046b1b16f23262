"""The examples of the specification, one by one.

``VALID``: number, query, task type. ``INVALID``: number, query, kind, place, message,
expected, hint. A query is asked of the bank if it names one of its tables.
"""

from __future__ import annotations

import re

from tests.relational.query.schemas import BANK, SHOP

from benthic.relational.schema import Schema


def schema_of(query: str) -> Schema:
    return BANK if re.search("clients|accounts|payments|loans", query) else SHOP


VALID = [
    (
        1,
        ("PREDICT COUNT(orders.*, 0, 30, days) = 0 FOR EACH customers.customer_id"),
        "binary",
    ),
    (
        2,
        (
            "PREDICT COUNT(orders.*, 0, 30, days) = 0 FOR EACH "
            "customers.customer_id WHERE COUNT(orders.*, -90, 0, days) > 0"
        ),
        "binary",
    ),
    (
        3,
        ("PREDICT SUM(orders.total, 0, 3, months) FOR EACH customers.customer_id"),
        "regression",
    ),
    (
        4,
        (
            "PREDICT SUM(orders.total WHERE orders.channel = 'web' AND "
            "orders.status != 'cancelled', 0, 4, weeks) FOR "
            "customers.customer_id = 1042"
        ),
        "regression",
    ),
    (
        5,
        ("PREDICT AVG(orders.total, 0, 30) FOR customers.customer_id IN (7, 8, 9)"),
        "regression",
    ),
    (
        6,
        ("PREDICT MIN(orders.total, 0, 1, years) FOR EACH customers.customer_id"),
        "regression",
    ),
    (
        7,
        (
            "PREDICT MAX(payments.amount VIA payments.from_account, 0, 7, "
            "days) FOR EACH accounts.account_id"
        ),
        "regression",
    ),
    (
        8,
        (
            "PREDICT COUNT_DISTINCT(order_items.product_id, 0, 90, days) FOR "
            "EACH customers.customer_id"
        ),
        "regression",
    ),
    (
        9,
        ("PREDICT FIRST(orders.channel, 0, 14, days) FOR EACH customers.customer_id"),
        "multiclass",
    ),
    (
        10,
        ("PREDICT LAST(orders.total, 0, 30, days) FOR EACH customers.customer_id"),
        "regression",
    ),
    (
        11,
        (
            "PREDICT LAST(loans.status, 0, 12, months) = 'default' FOR EACH "
            "accounts.account_id"
        ),
        "binary",
    ),
    (
        12,
        "PREDICT customers.tier FOR EACH customers.customer_id",
        "multiclass",
    ),
    (
        13,
        "PREDICT clients.income FOR EACH clients.client_id",
        "regression",
    ),
    (
        14,
        "PREDICT customers.newsletter FOR EACH customers.customer_id",
        "binary",
    ),
    (
        15,
        (
            "PREDICT payments.is_fraud FOR EACH payments.payment_id WHERE "
            "payments.amount > 1000"
        ),
        "binary",
    ),
    (
        16,
        "PREDICT products.price > 50 FOR EACH products.product_id",
        "binary",
    ),
    (
        17,
        "PREDICT products.tags CLASSIFY FOR EACH products.product_id",
        "multilabel",
    ),
    (
        18,
        (
            "PREDICT LIST_DISTINCT(orders.channel, 0, 30, days) CLASSIFY FOR "
            "EACH customers.customer_id"
        ),
        "multilabel",
    ),
    (
        19,
        (
            "PREDICT LIST_DISTINCT(order_items.product_id, 0, 30, days) RANK "
            "TOP 10 FOR EACH customers.customer_id"
        ),
        "ranking",
    ),
    (
        20,
        (
            "PREDICT SUM(orders.total, 0, 7, days) FORECAST 8 TIMEFRAMES FOR "
            "regions.region_id IN ('north', 'south')"
        ),
        "forecast",
    ),
    (
        21,
        (
            "PREDICT COUNT(orders.*, 0, 91, days) > 0 OR COUNT(reviews.*, 0, "
            "91, days) > 0 FOR EACH customers.customer_id WHERE "
            "COUNT(orders.*, -INF, 0) > 0 OR COUNT(reviews.*, -INF, 0) > 0"
        ),
        "binary",
    ),
    (
        22,
        (
            "PREDICT NOT (COUNT(orders.*, 0, 30, days) = 0 AND "
            "COUNT(reviews.*, 0, 30, days) = 0) FOR EACH customers.customer_id"
        ),
        "binary",
    ),
    (
        23,
        (
            "PREDICT SUM(orders.total, 0, 30, days) / COUNT(orders.*, 0, 30, "
            "days) FOR EACH customers.customer_id"
        ),
        "regression",
    ),
    (
        24,
        (
            "PREDICT SUM(orders.total, 0, 30, days) > SUM(orders.total, -30, "
            "0, days) FOR EACH customers.customer_id"
        ),
        "binary",
    ),
    (
        25,
        (
            "PREDICT SUM(order_items.quantity * order_items.unit_price WHERE "
            "categories.label = 'books', 0, 1, month) FOR EACH "
            "customers.customer_id"
        ),
        "regression",
    ),
    (
        26,
        (
            "PREDICT COUNT(orders.*, 0, 30) FOR EACH customers.customer_id "
            "WHERE regions.country IN ('NL', 'BE') AND customers.joined_at >= "
            "2024-01-01 AND customers.email IS NOT NULL"
        ),
        "regression",
    ),
    (
        27,
        (
            "PREDICT SUM(orders.total, 0, 30, days) FOR EACH "
            "customers.customer_id ASSUMING COUNT(coupons.*, 0, 7, days) >= 2"
        ),
        "regression",
    ),
    (
        28,
        (
            "PREDICT COUNT(loans.* WHERE loans.status = 'default', 0, 24, "
            "months) > 0 FOR clients.client_id = 'C-77' ASSUMING "
            "clients.segment = 'premium'"
        ),
        "binary",
    ),
    (
        29,
        (
            "PREDICT COUNT(orders.* WHERE orders.status STARTS WITH 'ret' OR "
            "orders.note LIKE '%broken%', 0, 60, days) > 0 FOR EACH "
            "customers.customer_id\nWHERE LIST_DISTINCT(orders.channel, -90, 0, "
            "days) CONTAINS 'web' AND LAST(orders.status, -90, 0) NOT LIKE "
            "'canc%'"
        ),
        "binary",
    ),
    (
        30,
        (
            'predict count("orders".*, 0, 30, days) > 0  -- lower case, quoted '
            'names\nfor each "customers"."customer_id"'
        ),
        "binary",
    ),
    (
        31,
        (
            "PREDICT SUM(payments.amount VIA payments.to_account, -7, 30, "
            "days) FOR EACH accounts.account_id"
        ),
        "regression",
    ),
]

INVALID = [
    (
        "E1",
        "COUNT(orders.*, 0, 30, days) > 0\nFOR EACH customers.customer_id",
        "syntax",
        "1:1",
        "a query starts with PREDICT",
        "PREDICT",
        None,
    ),
    (
        "E2",
        ("PREDICT CUONT(orders.*, 0, 30, days) > 0\nFOR EACH customers.customer_id"),
        "unknown name",
        "1:9",
        "no function named CUONT",
        (
            "one of AVG, COUNT, COUNT_DISTINCT, FIRST, LAST, LIST_DISTINCT, "
            "MAX, MIN, SUM"
        ),
        "did you mean COUNT?",
    ),
    (
        "E3",
        ("PREDICT COUNT(orders.*, 0, 30, days) > 0\nFOR EACH custommers.customer_id"),
        "unknown name",
        "2:10",
        "no table named custommers",
        "a table of this database",
        "did you mean customers?",
    ),
    (
        "E4",
        ("PREDICT SUM(orders.totl, 0, 30, days)\nFOR EACH customers.customer_id"),
        "unknown name",
        "1:13",
        "table orders has no column totl",
        (
            "a column of orders: channel, customer_id, note, order_id, "
            "placed_at, status, total"
        ),
        "did you mean orders.total?",
    ),
    (
        "E5",
        ("PREDICT SUM(customers.total, 0, 30, days)\nFOR EACH customers.customer_id"),
        "unknown name",
        "1:13",
        "table customers has no column total",
        "a column of customers",
        "orders has a column total: did you mean orders.total?",
    ),
    (
        "E6",
        "PREDICT SUM(total, 0, 30, days)\nFOR EACH customers.customer_id",
        "syntax",
        "1:13",
        "a column is written table.column",
        "table.column",
        "did you mean orders.total?",
    ),
    (
        "E7",
        ("PREDICT SUM(orders.total, 0, 30, dayz)\nFOR EACH customers.customer_id"),
        "unknown name",
        "1:34",
        "no time unit named dayz",
        "seconds, minutes, hours, days, weeks, months or years",
        "did you mean days?",
    ),
    (
        "E8",
        ("PREDICT COUNT(orders.*, 0, 30, days > 0\nFOR EACH customers.customer_id"),
        "syntax",
        "1:37",
        "unexpected >",
        ") to close COUNT( at line 1, column 9",
        None,
    ),
    (
        "E9",
        "PREDICT COUNT(orders.*, 0, 30, days) > 0",
        "syntax",
        "1:41",
        "the query ends too early",
        ("FOR EACH table.key, FOR table.key = value, or FOR table.key IN (...)"),
        "for example: FOR EACH customers.customer_id",
    ),
    (
        "E10",
        ("PREDICT SUM(orders.total, 30, 0, days)\nFOR EACH customers.customer_id"),
        "window",
        "1:27",
        "the window ends before it starts",
        "a start smaller than the end",
        "did you mean 0, 30, days?",
    ),
    (
        "E11",
        ("PREDICT SUM(orders.total, -30, 0, days)\nFOR EACH customers.customer_id"),
        "window",
        "1:27",
        "the target lies entirely in the past: nothing is left to predict",
        "an end after the anchor (greater than 0)",
        "a look-back condition belongs in WHERE",
    ),
    (
        "E12",
        (
            "PREDICT SUM(orders.total, 0, 30, days)\nFOR EACH "
            "customers.customer_id\nWHERE COUNT(orders.*, 0, 30, days) > 0"
        ),
        "window",
        "3:23",
        "WHERE may not look past the anchor: it would leak the future",
        "an end of at most 0",
        "to condition on the future, use ASSUMING",
    ),
    (
        "E13",
        "PREDICT COUNT(orders.*) > 0\nFOR EACH customers.customer_id",
        "window",
        "1:9",
        "COUNT needs a window",
        "start, end, unit",
        "did you mean COUNT(orders.*, 0, 30, days)?",
    ),
    (
        "E14",
        ("PREDICT SUM(orders.status, 0, 30, days)\nFOR EACH customers.customer_id"),
        "type",
        "1:13",
        "SUM needs numbers, and orders.status is categorical",
        "a numerical column: orders.total",
        (
            "to count rows with one status: COUNT(orders.* WHERE orders.status "
            "= '...', 0, 30, days)"
        ),
    ),
    (
        "E15",
        (
            "PREDICT AVG(SUM(orders.total, 0, 30, days), 0, 90, days)\nFOR EACH "
            "customers.customer_id"
        ),
        "type",
        "1:13",
        "an aggregate cannot contain another aggregate",
        "a column of one row",
        None,
    ),
    (
        "E16",
        "PREDICT COUNT(orders.*, 0, 30, days) > 0\nFOR EACH customers.email",
        "clause",
        "2:10",
        "the entity must be named by its primary key",
        "customers.customer_id",
        None,
    ),
    (
        "E17",
        ("PREDICT COUNT(payments.*, 0, 30, days)\nFOR EACH accounts.account_id"),
        "path",
        "1:15",
        "payments reaches accounts in two ways",
        "VIA payments.from_account or VIA payments.to_account",
        ("for example: COUNT(payments.* VIA payments.from_account, 0, 30, days)"),
    ),
    (
        "E18",
        ("PREDICT SUM(orders.total, 0, 30, days)\nFOR EACH products.product_id"),
        "path",
        "1:13",
        ("one order can belong to many products, so its total has no single product"),
        "a table that points at products: order_items, reviews",
        "for example: SUM(order_items.quantity, 0, 30, days)",
    ),
    (
        "E19",
        (
            "PREDICT LIST_DISTINCT(order_items.product_id, 0, 30, days)\nFOR "
            "EACH customers.customer_id"
        ),
        "clause",
        "1:9",
        "a list as target needs to be told what to do with it",
        "RANK TOP k or CLASSIFY after the target",
        None,
    ),
    (
        "E20",
        'PREDICT customers.tier = "gold"\nFOR EACH customers.customer_id',
        "syntax",
        "1:26",
        "double quotes name a column or a table",
        "a value: text is written in single quotes",
        "did you mean 'gold'?",
    ),
    (
        "E21",
        "PREDICT orders.placed_at FOR EACH orders.order_id",
        "type",
        "1:9",
        "a time column cannot be predicted",
        "a numerical, categorical, boolean or multicategorical column",
        None,
    ),
    (
        "E22",
        (
            "PREDICT COUNT(orders.*, 0, 30, days) > 0\nFOR EACH "
            "customers.customer_id WHERE customers.tier IN ()"
        ),
        "syntax",
        "2:57",
        "the list is empty",
        "a value",
        None,
    ),
    (
        "E23",
        (
            "PREDICT COUNT(orders.*, 0, 7, days) > 0 FORECAST 4 TIMEFRAMES\nFOR "
            "EACH customers.customer_id"
        ),
        "clause",
        "1:41",
        ("FORECAST needs a number for each timeframe, and the target is a condition"),
        "an aggregate or arithmetic of aggregates",
        "drop the comparison, or drop FORECAST",
    ),
    (
        "E24",
        (
            "PREDICT SUM(orders.total, 0, 30, days)\nFOR EACH "
            "customers.customer_id\nWHERE orders.status = 'paid'"
        ),
        "path",
        "3:7",
        "WHERE filters entities, and a customer has many orders",
        (
            "a column of customers or of the tables it points to (regions), or "
            "a past aggregate"
        ),
        (
            "to choose which orders count: SUM(orders.total WHERE "
            "orders.status = 'paid', 0, 30, days)"
        ),
    ),
    (
        "E25",
        (
            "PREDICT SUM(orders.total, 0, 30, days)\nFOR EACH "
            "customers.customer_id\nORDER BY customers.customer_id LIMIT 10"
        ),
        "syntax",
        "3:1",
        "the query should end here: the language has no ORDER BY",
        "WHERE, ASSUMING or the end of the query",
        "sort the returned table instead",
    ),
    (
        "E26",
        (
            "PREDICT clients.income FOR EACH clients.client_id\nWHERE "
            "clients.income IS NULL"
        ),
        "clause",
        "2:7",
        "the filter leaves no row with a known income to learn from",
        "a filter that keeps rows with a known target",
        "drop it: clients whose income is NULL are predicted anyway",
    ),
]
