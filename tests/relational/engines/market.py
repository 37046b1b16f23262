"""A market where each lot is sold once: who buys what again and again are its kinds."""

from __future__ import annotations

import numpy as np
import pandas as pd
from tests.relational.engines.shop import START

from benthic.relational.database import Database

NUM_BUYERS = 40
NUM_KINDS = 8


def frames(num_lots=900, num_days=240, seed=0):
    random = np.random.default_rng(seed)
    offered = np.sort(random.integers(0, num_days - 1, num_lots))
    kind = random.integers(0, NUM_KINDS, num_lots)
    of_kind = [np.arange(i, NUM_BUYERS, NUM_KINDS) for i in range(NUM_KINDS)]
    buyer = [random.choice(of_kind[i]) for i in kind]
    sold = offered + random.integers(1, 25, num_lots)
    kinds = pd.DataFrame({"kind_id": np.arange(NUM_KINDS)})
    lots = pd.DataFrame(
        {
            "lot_id": np.arange(num_lots),
            "kind_id": kind,
            "offered_at": START + pd.to_timedelta(offered, "D"),
        }
    )
    sales = pd.DataFrame(
        {
            "sale_id": np.arange(num_lots),
            "buyer_id": buyer,
            "lot_id": np.arange(num_lots),
            "sold_at": START + pd.to_timedelta(sold, "D"),
        }
    )
    inside = sales[sold < num_days].sort_values("sold_at", kind="stable")
    return {
        "buyers": pd.DataFrame({"buyer_id": np.arange(NUM_BUYERS)}),
        "kinds": kinds,
        "lots": lots,
        "sales": inside.reset_index(drop=True),
    }


def database(tables):
    kinds = {"lots": {"kind_id": "kinds"}}
    keys = {**kinds, "sales": {"buyer_id": "buyers", "lot_id": "lots"}}
    times = {"lots": "offered_at", "sales": "sold_at"}
    said = {table: {"fkeys": keys[table], "time": times[table]} for table in keys}
    for table in keys:
        if times[table] not in tables[table]:
            del said[table]["time"]
    return Database.open(tables, overrides={"tables": said})
