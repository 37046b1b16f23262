"""A small shop in which the busy stay busy: there is something to learn."""

from __future__ import annotations

import numpy as np
import pandas as pd

CHURN = "PREDICT COUNT(orders.*, 0, 14, days) = 0 FOR EACH customers.customer_id"
SPEND = "PREDICT SUM(orders.total, 0, 14, days) FOR EACH customers.customer_id"
CHANNEL = "PREDICT LAST(orders.channel, 0, 14, days) FOR EACH customers.customer_id"
NEXT = (
    "PREDICT LIST_DISTINCT(orders.product_id, 0, 14, days) RANK TOP 3 "
    "FOR EACH customers.customer_id"
)


def market_frames(
    num_customers: int = 40, num_orders: int = 1_500
) -> dict[str, pd.DataFrame]:
    """Customers, products and a year of orders; a third of the customers buy most."""
    rng = np.random.default_rng(0)
    busy = np.where(np.arange(num_customers) % 3 == 0, 8.0, 1.0)
    customer = rng.choice(num_customers, num_orders, p=busy / busy.sum())
    start = pd.Timestamp("2025-01-01")
    hours = np.sort(rng.integers(0, 365 * 24, num_orders))
    orders = pd.DataFrame(
        {
            "order_id": np.arange(num_orders),
            "customer_id": customer,
            "product_id": (customer + rng.integers(0, 3, num_orders)) % 10,
            "channel": rng.choice(["web", "shop"], num_orders, p=[0.7, 0.3]),
            "total": np.round(rng.gamma(2.0, 10.0, num_orders), 2),
            "placed_at": start + pd.to_timedelta(hours, unit="h"),
        }
    )
    customers = pd.DataFrame(
        {
            "customer_id": np.arange(num_customers),
            "tier": np.where(np.arange(num_customers) % 2, "gold", "basic"),
        }
    )
    products = pd.DataFrame(
        {"product_id": np.arange(10), "price": np.linspace(1.0, 10.0, 10)}
    )
    return {"customers": customers, "products": products, "orders": orders}


def complaining_frames(num_customers: int = 120) -> dict[str, pd.DataFrame]:
    """Customers who order every few days, until some write that they cancel."""
    rng = np.random.default_rng(0)
    stays = rng.random(num_customers) < 0.4
    leaves = np.where(stays, 999, rng.integers(60, 360, num_customers))
    words = "hello your shop sent me the parcel with thanks from all of us".split()
    start, rows = pd.Timestamp("2025-01-01"), []
    orders = []
    for customer, last in enumerate(leaves.tolist()):
        days = rng.permutation(365)
        orders += [(customer, day) for day in days[:80] if day < last]
        asks = [(day, "cancel") for day in (last - 1, last) if last < 365]
        for day, word in [*((day, "") for day in days[:12]), *asks]:
            rows.append((customer, day, " ".join([*rng.choice(words, 8), word])))
    messages = pd.DataFrame(rows, columns=["customer_id", "day", "body"])
    bought = pd.DataFrame(orders, columns=["customer_id", "day"])
    dated = {
        "messages": messages.sort_values("day", ignore_index=True),
        "orders": bought.sort_values("day", ignore_index=True),
    }
    return {
        "customers": pd.DataFrame({"customer_id": range(num_customers)}),
        **{
            name: pd.DataFrame(
                {
                    f"{name[:-1]}_id": range(len(frame)),
                    **frame.drop(columns="day"),
                    "at": start + pd.to_timedelta(frame["day"], unit="D"),
                }
            )
            for name, frame in dated.items()
        },
    }
