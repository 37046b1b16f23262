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
