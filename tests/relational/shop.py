"""The two example databases of the predictive query's specification, by hand.

``shop_frames()`` and ``bank_frames()`` give fresh frames; ``SHOP_KEYS`` and
``BANK_KEYS`` their keys, times and semantic types, as schema overrides write them;
``shop_schema()`` and ``bank_schema()`` the same as a Schema, without a database.
"""

from __future__ import annotations

from collections.abc import Mapping
from io import StringIO
from typing import Any

import pandas as pd

from benthic.relational.schema import Column, ForeignKey, Schema, SType, Table

SHOP_KEYS: dict[str, Any] = {
    "tables": {
        "regions": {"pkey": "region_id", "time": None, "fkeys": {}},
        "customers": {
            "pkey": "customer_id",
            "time": "joined_at",
            "fkeys": {"region_id": "regions"},
        },
        "categories": {"pkey": "category_id", "time": None, "fkeys": {}},
        "products": {
            "pkey": "product_id",
            "time": None,
            "fkeys": {"category_id": "categories"},
        },
        "orders": {
            "pkey": "order_id",
            "time": "placed_at",
            "fkeys": {"customer_id": "customers"},
        },
        "order_items": {
            "pkey": "item_id",
            "time": None,
            "fkeys": {"order_id": "orders", "product_id": "products"},
        },
        "reviews": {
            "pkey": "review_id",
            "time": "written_at",
            "fkeys": {"customer_id": "customers", "product_id": "products"},
        },
        "coupons": {
            "pkey": "coupon_id",
            "time": "sent_at",
            "fkeys": {"customer_id": "customers"},
        },
    }
}

BANK_KEYS: dict[str, Any] = {
    "tables": {
        "clients": {"pkey": "client_id", "time": "since", "fkeys": {}},
        "accounts": {
            "pkey": "account_id",
            "time": "opened_at",
            "fkeys": {"client_id": "clients"},
        },
        "merchants": {"pkey": "merchant_id", "time": None, "fkeys": {}},
        "payments": {
            "pkey": "payment_id",
            "time": "paid_at",
            "fkeys": {
                "from_account": "accounts",
                "to_account": "accounts",
                "merchant_id": "merchants",
            },
        },
        "loans": {
            "pkey": "loan_id",
            "time": "granted_at",
            "fkeys": {"account_id": "accounts"},
        },
    }
}

_STYPES = {
    "categorical": "country tier label channel status segment kind sector",
    "boolean": "newsletter is_fraud",
    "multicategorical": "tags",
    "text": "name email title note text",
    "timestamp": "joined_at placed_at written_at sent_at since opened_at paid_at "
    "granted_at",
}
STYPES = {name: stype for stype, names in _STYPES.items() for name in names.split()}
"""Column -> stype; keys are ID and the rest is numerical."""

_SHOP = {
    "regions": """
region_id,country,population
1,NL,17500000
2,BE,11600000
3,DE,83200000
""",
    # Customer 7 lives nowhere known, 8 never ordered, 9 joined at an unknown time.
    "customers": """
customer_id,region_id,name,email,tier,newsletter,joined_at
1,1,Ada Vos,ada@example.com,gold,True,2023-11-03 09:15:00
2,1,Bram Kok,bram@example.com,silver,False,2023-12-20 18:00:00
3,2,Chloe Maes,,bronze,True,2024-01-05 08:30:00
4,2,Dries Wouters,dries@example.com,gold,False,2024-01-05 08:30:00
5,3,Emma Braun,emma@example.com,silver,True,2024-02-11 12:00:00
6,3,Finn Lang,finn@example.com,,False,2024-03-01 00:00:00
7,,Gus O'Hara,gus@example.com,bronze,,2024-03-15 23:59:59
8,1,Hanna Smit,hanna@example.com,bronze,True,2024-04-02 10:00:00
9,2,Ivo Claes,ivo@example.com,silver,False,
""",
    "categories": """
category_id,label
10,books
20,games
30,garden
""",
    "products": """
product_id,category_id,title,price,tags
100,10,A short history of rain,12.5,paper|nature
101,10,Deep water,18,paper
102,20,Harbor: the board game,35,family|boxed
103,20,Card sharks,9.95,family
104,30,Copper watering can,42,metal|nature
105,,Gift card,,
""",
    # Order 1006 has no time, 1013 no customer; 1007 and 1008 share their moment.
    "orders": """
order_id,customer_id,channel,status,total,note,placed_at
1000,1,web,paid,30.5,,2023-11-10 10:00:00
1001,2,web,paid,35,leave at the door,2023-12-24 17:30:00
1002,1,app,paid,18,,2024-01-09 20:00:00
1003,3,store,returned,42,scratched,2024-01-12 11:00:00
1004,4,web,paid,79.95,,2024-01-31 23:59:59
1005,1,web,paid,12.5,,2024-02-01 00:00:00
1006,2,app,open,9.95,,
1007,5,app,paid,35,as a gift,2024-02-20 12:00:00
1008,5,web,paid,42,,2024-02-20 12:00:00
1009,3,web,paid,12.5,,2024-03-02 09:00:00
1010,6,store,paid,84,,2024-03-09 15:45:00
1011,4,web,returned,9.95,too late,2024-03-21 08:00:00
1012,7,app,paid,53,,2024-03-30 21:10:00
1013,,store,paid,18,,2024-04-01 13:00:00
1014,1,web,paid,35,,2024-04-12 10:00:00
1015,2,web,open,,call first,2024-04-28 19:00:00
1016,5,app,paid,60.5,,2024-05-05 16:20:00
1017,3,app,paid,18,,2024-05-19 07:00:00
1018,7,web,paid,9.95,,2024-06-01 12:00:00
1019,1,web,open,12.5,,2024-06-14 22:00:00
""",
    # Item 19 belongs to an order that is gone.
    "order_items": """
item_id,order_id,product_id,quantity,unit_price
1,1000,100,1,12.5
2,1000,101,1,18
3,1001,102,1,35
4,1002,101,1,18
5,1003,104,1,42
6,1004,102,2,35
7,1004,103,1,9.95
8,1005,100,1,12.5
9,1006,103,1,9.95
10,1007,102,1,35
11,1008,104,1,42
12,1009,100,1,12.5
13,1010,104,2,42
14,1011,103,1,9.95
15,1012,102,1,35
16,1012,101,1,18
17,1013,101,1,18
18,1014,102,1,35
19,1999,105,3,
20,1016,104,1,42
21,1016,101,1,18.5
22,1017,101,1,18
23,1018,103,1,9.95
24,1019,100,1,12.5
""",
    "reviews": """
review_id,customer_id,product_id,stars,text,written_at
1,1,100,5,Made me look up,2023-11-20 08:00:00
2,2,102,4,Long but good,2024-01-02 20:00:00
3,3,104,1,It leaks,2024-01-20 09:00:00
4,4,102,5,,2024-02-10 12:00:00
5,5,104,4,Solid,2024-03-01 00:00:00
6,1,101,3,Too dark,2024-03-10 22:00:00
7,6,104,,Pretty,2024-04-04 14:00:00
8,7,102,2,Pieces missing,2024-04-20 18:30:00
9,3,101,5,Again,2024-06-02 07:45:00
""",
    "coupons": """
coupon_id,customer_id,percent,sent_at
1,1,10,2024-01-01 00:00:00
2,2,10,2024-01-01 00:00:00
3,4,15,2024-03-01 00:00:00
4,8,20,2024-04-15 00:00:00
5,8,25,2024-05-15 00:00:00
6,5,10,2024-06-10 00:00:00
""",
}

_BANK = {
    "clients": """
client_id,segment,income,since
1,student,9000,2022-01-10 00:00:00
2,family,52000,2022-02-01 00:00:00
3,business,,2022-03-15 00:00:00
4,family,48000,2023-06-30 00:00:00
""",
    "accounts": """
account_id,client_id,kind,opened_at
11,1,current,2022-01-10 09:00:00
12,2,current,2022-02-01 09:00:00
13,2,savings,2022-05-05 09:00:00
14,3,current,2022-03-16 09:00:00
15,4,current,2023-07-01 09:00:00
""",
    "merchants": """
merchant_id,sector
501,food
502,travel
503,food
""",
    "payments": """
payment_id,from_account,to_account,merchant_id,amount,is_fraud,paid_at
1,11,12,,50,False,2022-06-01 12:00:00
2,12,,501,23.4,False,2022-06-03 13:00:00
3,12,13,,200,False,2022-07-01 08:00:00
4,14,,502,980,True,2022-08-15 03:12:00
5,11,,503,8.2,False,2022-09-09 12:30:00
6,13,12,,75,False,2022-12-24 10:00:00
7,12,14,,310,False,2023-01-31 23:59:59
8,14,,501,44,,2023-03-03 19:00:00
9,15,11,,20,False,2023-08-01 09:30:00
10,15,,502,1500,True,2023-09-12 02:40:00
11,11,15,,35,False,2023-10-10 18:00:00
12,12,,503,12.75,False,2023-12-01 11:11:11
""",
    "loans": """
loan_id,account_id,amount,status,granted_at
901,12,15000,repaid,2022-04-01 00:00:00
902,14,80000,running,2022-10-01 00:00:00
903,15,6000,late,2023-09-01 00:00:00
904,11,1200,running,2023-11-15 00:00:00
""",
}


def shop_frames() -> dict[str, pd.DataFrame]:
    """Fresh frames of the shop; ``tags`` holds lists."""
    return _frames(_SHOP)


def bank_frames() -> dict[str, pd.DataFrame]:
    """Fresh frames of the bank with two accounts per payment."""
    return _frames(_BANK)


def shop_schema() -> Schema:
    """The shop's schema, with no database behind it."""
    return _schema(shop_frames(), SHOP_KEYS)


def bank_schema() -> Schema:
    """The bank's schema, with no database behind it."""
    return _schema(bank_frames(), BANK_KEYS)


def _frames(texts: Mapping[str, str]) -> dict[str, pd.DataFrame]:
    return {name: _frame(text) for name, text in texts.items()}


def _frame(text: str) -> pd.DataFrame:
    frame = pd.read_csv(StringIO(text.strip()), keep_default_na=False, na_values=[""])
    for name in frame:
        if STYPES.get(name) == "timestamp":
            frame[name] = pd.to_datetime(frame[name]).astype("datetime64[us]")
        elif STYPES.get(name) == "boolean":
            frame[name] = frame[name].astype("boolean")
        elif name == "tags":
            lists = [
                value.split("|") if value == value else None for value in frame[name]
            ]
            frame[name] = pd.Series(lists, dtype=object)
        elif name.endswith(("_id", "_account")):
            frame[name] = frame[name].astype("Int64")
    return frame


_DTYPES = {
    "numerical": "DOUBLE",
    "categorical": "VARCHAR",
    "boolean": "BOOLEAN",
    "multicategorical": "VARCHAR[]",
    "text": "VARCHAR",
    "timestamp": "TIMESTAMP",
    "ID": "BIGINT",
}


def _schema(frames: Mapping[str, pd.DataFrame], keys: Mapping[str, Any]) -> Schema:
    return Schema(
        {
            name: _table(name, frame, keys["tables"][name])
            for name, frame in frames.items()
        }
    )


def _table(name: str, frame: pd.DataFrame, keys: Mapping[str, Any]) -> Table:
    columns = {}
    for column in frame:
        is_key = column == keys["pkey"] or column in keys["fkeys"]
        stype = "ID" if is_key else STYPES.get(column, "numerical")
        dtype = "BIGINT" if frame[column].dtype == "int64" else _DTYPES[stype]
        columns[column] = Column(column, dtype, SType(stype))
    return Table(
        name=name,
        columns=columns,
        pkey_col=keys["pkey"],
        fkeys=tuple(ForeignKey(*link) for link in keys["fkeys"].items()),
        time_col=keys["time"],
        num_rows=len(frame),
    )
