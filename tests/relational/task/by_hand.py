"""The examples of the specification by hand: a loop over rows for each label.

``LABELS`` and ``WHERE``: number of the example -> function of (rows, key, t). ``rows``
holds each table as a list of dictionaries, with None for what is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

Rows = Mapping[str, list[dict[str, Any]]]


def plain_rows(frames: Mapping[str, pd.DataFrame]) -> Rows:
    """Frames as lists of dictionaries."""
    return {name: [_plain(row) for row in _records(f)] for name, f in frames.items()}


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return frame.astype(object).to_dict("records")


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        k: v if isinstance(v, list) or pd.notna(v) else None for k, v in row.items()
    }


def within(
    time: pd.Timestamp | None,
    t: pd.Timestamp,
    start: int | None,
    end: int,
    unit: str = "days",
) -> bool:
    """Whether a time lies in (t + start, t + end]."""
    if time is None or pd.isna(time):
        return False
    if start is not None and time <= t + pd.DateOffset(**{unit: start}):
        return False
    return bool(time <= t + pd.DateOffset(**{unit: end}))


def of(rows: Rows, table: str, column: str, key: Any) -> list[dict[str, Any]]:
    """The rows of a table that point at a key."""
    return [row for row in rows[table] if row[column] == key]


def parent(rows: Rows, table: str, column: str, key: Any) -> dict[str, Any]:
    """The row with a key; one of Nones if there is none."""
    found = [row for row in rows[table] if key is not None and row[column] == key]
    return found[0] if found else dict.fromkeys(rows[table][0])


def orders(rows: Rows, key: Any, t: pd.Timestamp, *window: Any) -> list[dict[str, Any]]:
    """The orders of a customer in a window, earliest first."""
    found = [
        row
        for row in of(rows, "orders", "customer_id", key)
        if within(row["placed_at"], t, *window)
    ]
    return sorted(found, key=lambda row: (row["placed_at"], row["order_id"]))


def reviews(
    rows: Rows, key: Any, t: pd.Timestamp, *window: Any
) -> list[dict[str, Any]]:
    """The reviews of a customer in a window."""
    found = of(rows, "reviews", "customer_id", key)
    return [row for row in found if within(row["written_at"], t, *window)]


def items(rows: Rows, key: Any, t: pd.Timestamp, *window: Any) -> list[dict[str, Any]]:
    """The items of a customer's orders in a window."""
    wanted = {row["order_id"] for row in orders(rows, key, t, *window)}
    return [row for row in rows["order_items"] if row["order_id"] in wanted]


def payments(
    rows: Rows, column: str, key: Any, t: pd.Timestamp, *window: Any
) -> list[Any]:
    """The amounts of the payments that point at an account by one of their keys."""
    found = of(rows, "payments", column, key)
    return [row["amount"] for row in found if within(row["paid_at"], t, *window)]


def known(values: list[dict[str, Any]], column: str) -> list[Any]:
    """The values of a column that are not missing."""
    return [row[column] for row in values if row[column] is not None]


def total(values: list[dict[str, Any]], column: str = "total") -> float:
    """Sum; 0 over no rows."""
    return float(sum(known(values, column)))


def over(values: list[Any], function: Callable[[list[Any]], Any]) -> Any:
    """A function of values; None over none."""
    return function(values) if values else None


def mean(values: list[Any]) -> float:
    return sum(values) / len(values)


def column(table: str, pkey: str, name: str) -> Callable[..., Any]:
    """A column of the entity's own row."""
    return lambda rows, key, t: parent(rows, table, pkey, key)[name]


def web_spend(rows: Rows, key: Any, t: pd.Timestamp) -> float:
    kept = [
        row
        for row in orders(rows, key, t, 0, 4, "weeks")
        if row["channel"] == "web" and row["status"] not in (None, "cancelled")
    ]
    return total(kept)


def last_loan_defaults(rows: Rows, key: Any, t: pd.Timestamp) -> bool | None:
    found = [
        row
        for row in of(rows, "loans", "account_id", key)
        if within(row["granted_at"], t, 0, 12, "months") and row["status"] is not None
    ]
    found.sort(key=lambda row: (row["granted_at"], row["loan_id"]))
    return found[-1]["status"] == "default" if found else None


def expensive(rows: Rows, key: Any, t: pd.Timestamp) -> bool | None:
    price = parent(rows, "products", "product_id", key)["price"]
    return None if price is None else price > 50


def region_weeks(rows: Rows, key: Any, t: pd.Timestamp) -> list[float]:
    members = {row["customer_id"] for row in of(rows, "customers", "region_id", key)}
    return [
        float(sum(total(orders(rows, m, t, 7 * i, 7 * i + 7)) for m in members))
        for i in range(8)
    ]


def alive(rows: Rows, key: Any, t: pd.Timestamp, *window: Any) -> bool:
    return bool(orders(rows, key, t, *window) or reviews(rows, key, t, *window))


def basket(rows: Rows, key: Any, t: pd.Timestamp) -> float | None:
    found = orders(rows, key, t, 0, 30)
    return total(found) / len(found) if found else None


def books(rows: Rows, key: Any, t: pd.Timestamp) -> float:
    found = 0.0
    for item in items(rows, key, t, 0, 1, "months"):
        product = parent(rows, "products", "product_id", item["product_id"])
        category = parent(rows, "categories", "category_id", product["category_id"])
        if category["label"] == "books" and item["unit_price"] is not None:
            found += item["quantity"] * item["unit_price"]
    return found


def from_the_low_countries(rows: Rows, key: Any, t: pd.Timestamp) -> bool:
    me = parent(rows, "customers", "customer_id", key)
    region = parent(rows, "regions", "region_id", me["region_id"])
    return (
        region["country"] in ("NL", "BE")
        and me["joined_at"] is not None
        and me["joined_at"] >= pd.Timestamp("2024-01-01")
        and me["email"] is not None
    )


def coupons(rows: Rows, key: Any, t: pd.Timestamp) -> bool:
    found = of(rows, "coupons", "customer_id", key)
    return sum(within(row["sent_at"], t, 0, 7) for row in found) >= 2


def client_defaults(rows: Rows, key: Any, t: pd.Timestamp) -> bool:
    accounts = {row["account_id"] for row in of(rows, "accounts", "client_id", key)}
    return any(
        row["account_id"] in accounts
        and row["status"] == "default"
        and within(row["granted_at"], t, 0, 24, "months")
        for row in rows["loans"]
    )


def complaint(rows: Rows, key: Any, t: pd.Timestamp) -> bool:
    return any(
        (row["status"] or "").startswith("ret") or "broken" in (row["note"] or "")
        for row in orders(rows, key, t, 0, 60)
    )


def web_and_not_cancelled(rows: Rows, key: Any, t: pd.Timestamp) -> bool:
    past = orders(rows, key, t, -90, 0)
    last = over(known(past, "status"), lambda values: values[-1])
    return "web" in known(past, "channel") and last is not None and last[:4] != "canc"


LABELS: dict[int, Callable[[Rows, Any, pd.Timestamp], Any]] = {
    1: lambda r, k, t: not orders(r, k, t, 0, 30),
    2: lambda r, k, t: not orders(r, k, t, 0, 30),
    3: lambda r, k, t: total(orders(r, k, t, 0, 3, "months")),
    4: web_spend,
    5: lambda r, k, t: over(known(orders(r, k, t, 0, 30), "total"), mean),
    6: lambda r, k, t: over(known(orders(r, k, t, 0, 1, "years"), "total"), min),
    7: lambda r, k, t: over(payments(r, "from_account", k, t, 0, 7), max),
    8: lambda r, k, t: float(len(set(known(items(r, k, t, 0, 90), "product_id")))),
    9: lambda r, k, t: over(known(orders(r, k, t, 0, 14), "channel"), lambda v: v[0]),
    10: lambda r, k, t: over(known(orders(r, k, t, 0, 30), "total"), lambda v: v[-1]),
    11: last_loan_defaults,
    12: column("customers", "customer_id", "tier"),
    13: column("clients", "client_id", "income"),
    14: column("customers", "customer_id", "newsletter"),
    15: column("payments", "payment_id", "is_fraud"),
    16: expensive,
    17: lambda r, k, t: over(
        parent(r, "products", "product_id", k)["tags"] or [], lambda v: sorted(set(v))
    ),
    18: lambda r, k, t: sorted(set(known(orders(r, k, t, 0, 30), "channel"))),
    19: lambda r, k, t: sorted(set(known(items(r, k, t, 0, 30), "product_id"))),
    20: region_weeks,
    21: lambda r, k, t: alive(r, k, t, 0, 91),
    22: lambda r, k, t: alive(r, k, t, 0, 30),
    23: basket,
    24: lambda r, k, t: total(orders(r, k, t, 0, 30)) > total(orders(r, k, t, -30, 0)),
    25: books,
    26: lambda r, k, t: float(len(orders(r, k, t, 0, 30))),
    27: lambda r, k, t: total(orders(r, k, t, 0, 30)),
    28: client_defaults,
    29: complaint,
    30: lambda r, k, t: bool(orders(r, k, t, 0, 30)),
    31: lambda r, k, t: float(sum(payments(r, "to_account", k, t, -7, 30))),
}
"""Number of the example -> its label; None where it is undefined."""

WHERE: dict[int, Callable[[Rows, Any, pd.Timestamp], bool]] = {
    2: lambda r, k, t: bool(orders(r, k, t, -90, 0)),
    15: lambda r, k, t: parent(r, "payments", "payment_id", k)["amount"] > 1000,
    21: lambda r, k, t: alive(r, k, t, None, 0),
    26: from_the_low_countries,
    29: web_and_not_cancelled,
}
"""Number of the example -> whether an entity matches its filter."""

ASSUMED: dict[int, Callable[[Rows, Any, pd.Timestamp], bool]] = {27: coupons}
"""Number of the example -> whether what it assumes of the future came true."""
