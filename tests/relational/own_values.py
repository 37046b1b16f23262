"""A shop whose orders are known to one another, and nothing tells of their values."""

from __future__ import annotations

import numpy as np
import pandas as pd

from benthic.relational.database import Database

QUERIES = {
    "boolean": "PREDICT orders.paid FOR EACH orders.order_id",
    "category": "PREDICT orders.status FOR EACH orders.order_id",
    "number": "PREDICT orders.score FOR EACH orders.order_id",
    "condition": "PREDICT orders.score > 0 FOR EACH orders.order_id",
    "conditions": "PREDICT orders.score > 0 AND orders.status = 'a' OR orders.paid"
    " = TRUE FOR EACH orders.order_id",
    "arithmetic": "PREDICT orders.score + 2 * orders.fee FOR EACH orders.order_id",
    "text": "PREDICT orders.note LIKE '%w0%' FOR EACH orders.order_id",
    "set": "PREDICT orders.tags CLASSIFY FOR EACH orders.order_id",
    "list": "PREDICT orders.marks RANK TOP 2 FOR EACH orders.order_id",
    "member": "PREDICT orders.tags CONTAINS 'a' FOR EACH orders.order_id",
}
MIXED = (
    "PREDICT COUNT(items.* VIA items.order_id, 0, 30, days) > 0"
    " AND orders.paid = TRUE FOR EACH orders.order_id"
)


def drawn(rng: np.random.Generator, size: int) -> dict[str, object]:
    """Values that nothing else depends on."""
    held = [[c for c in "abcd" if rng.random() < 0.4] for _ in range(size)]
    words = [f"w{i} and some more" for i in range(8)]
    return {
        "status": rng.choice(list("abc"), size),
        "paid": rng.random(size) < 0.5,
        "score": rng.normal(size=size).round(2),
        "fee": rng.integers(0, 9, size).astype(float),
        "note": rng.choice(words, size),
        "tags": ["|".join(each) for each in held],
        "marks": [[c for c in "xyz" if rng.random() < 0.5] or ["x"] for _ in held],
    }


def tables(seed: int = 0, size: int = 240) -> dict[str, pd.DataFrame]:
    """Orders that point at customers, at an order before and some at themselves."""
    rng = np.random.default_rng(seed)
    number = np.arange(size)
    times = pd.date_range("2026-01-01", periods=size // 2, freq="12h")
    return {
        "customers": pd.DataFrame({"customer_id": range(9), "tier": list("xyz" * 3)}),
        "orders": pd.DataFrame(
            {
                "order_id": number,
                "customer_id": rng.integers(0, 9, size),
                "follows": np.maximum(number - rng.integers(0, 3, size), 0),
                "placed_at": np.repeat(times.to_numpy("datetime64[us]"), 2),
                "total": rng.exponential(50, size).round(2),
                **drawn(rng, size),
            }
        ),
        "items": pd.DataFrame(
            {
                "item_id": range(2 * size),
                "order_id": rng.integers(0, size, 2 * size),
                "instead_of": rng.integers(0, size, 2 * size),
                "added_at": times[rng.integers(0, len(times), 2 * size)],
            }
        ),
    }


def opened(frames: dict[str, pd.DataFrame], *, timed: bool = True) -> Database:
    """The shop; without times its orders stand side by side."""
    stypes = {"status": "categorical", "paid": "boolean", "note": "text"}
    stypes |= {"score": "numerical", "fee": "numerical"}
    stypes |= dict.fromkeys(("tags", "marks"), "multicategorical")
    keys = {"customer_id": "customers", "follows": "orders"}
    orders = {"pkey": "order_id", "fkeys": keys, "stypes": stypes}
    links = {"order_id": "orders", "instead_of": "orders"}
    items = {"pkey": "item_id", "fkeys": links}
    if timed:
        orders["time"], items["time"] = "placed_at", "added_at"
    else:
        orders["ignore"], items["ignore"] = ["placed_at"], ["added_at"]
    facts = {"customers": {"pkey": "customer_id"}, "orders": orders, "items": items}
    return Database.open(frames, overrides={"tables": facts})
