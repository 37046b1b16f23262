"""A small shop whose customers' future follows from their past."""

from __future__ import annotations

import numpy as np
import pandas as pd

from benthic.relational.database import Database

DAY = pd.Timedelta(days=1)
START = pd.Timestamp("2025-01-01")


def frames(num_customers=60, num_days=240, seed=0):
    random = np.random.default_rng(seed)
    keen = random.random(num_customers) ** 2
    visits = random.random((num_customers, num_days)) < 0.12 * keen[:, None]
    customer, day = np.nonzero(visits)
    taste = random.integers(0, 3, num_customers)
    stray = random.integers(0, 8, len(customer))
    product = np.where(random.random(len(customer)) < 0.8, taste[customer], stray)
    orders = pd.DataFrame(
        {
            "order_id": np.arange(len(customer)),
            "customer_id": customer,
            "product_id": product,
            "amount": np.round(
                5 + 20 * keen[customer] + random.random(len(customer)), 2
            ),
            "placed_at": START + pd.to_timedelta(day, "D"),
        }
    ).sort_values("placed_at", kind="stable", ignore_index=True)
    customers = pd.DataFrame({"customer_id": np.arange(num_customers)})
    products = pd.DataFrame({"product_id": np.arange(8)})
    return {"customers": customers, "products": products, "orders": orders}


def database(tables=None):
    return Database.open(tables if tables is not None else frames())


def examples(tables, days, what, width=20):
    """Labels of a window of ``width`` days, counted by hand."""
    parts = []
    for day in days:
        anchor = START + day * DAY
        orders = tables["orders"]
        inside = (orders.placed_at > anchor) & (
            orders.placed_at <= anchor + width * DAY
        )
        groups = orders[inside].groupby("customer_id")
        found = pd.DataFrame({"entity": tables["customers"].customer_id})
        found["anchor_time"] = anchor.as_unit("us")
        found["label"] = what(groups, found.entity)
        parts.append(found)
    return pd.concat(parts, ignore_index=True).dropna()


def ordered(groups, entity):
    return entity.isin(groups.groups).astype(bool)


def spent(groups, entity):
    return entity.map(groups.amount.sum()).fillna(0.0)


def size(groups, entity):
    count = entity.map(groups.size()).fillna(0)
    return np.select([count == 0, count == 1], ["none", "one"], "many")


def bought(groups, entity):
    sets = groups.product_id.agg(lambda values: sorted(set(values)))
    return entity.map(sets)
