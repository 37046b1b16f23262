"""The shop and the bank of the specification, and stranger databases, as schemas."""

from __future__ import annotations

from benthic.relational.schema import Column, ForeignKey, Schema, SType, Table

STORED = {
    SType.numerical: "DOUBLE",
    SType.categorical: "VARCHAR",
    SType.boolean: "BOOLEAN",
    SType.multicategorical: "VARCHAR[]",
    SType.text: "VARCHAR",
    SType.timestamp: "TIMESTAMP",
    SType.id: "BIGINT",
}
SHORT = {
    "": SType.numerical,
    "c": SType.categorical,
    "b": SType.boolean,
    "m": SType.multicategorical,
    "x": SType.text,
    "t": SType.timestamp,
    "T": SType.timestamp,
    "k": SType.id,
    "K": SType.id,
    "s": SType.id,
    "S": SType.id,
}


def table(name: str, columns: str, **fkeys: str) -> Table:
    """A table from words ``name:letter``.

    Letters: c categorical, b boolean, m multicategorical, x text, t time, T the time
    column, k key, K primary key (s and S: keys of text); none: numerical.
    A tilde stands for a space.
    """
    words = [word.replace("~", " ").partition(":")[::2] for word in columns.split()]
    found = {
        column: Column(
            column,
            "VARCHAR" if letter in ("s", "S") else STORED[SHORT[letter]],
            SHORT[letter],
        )
        for column, letter in words
    }
    return Table(
        name,
        found,
        pkey_col=next(
            (column for column, letter in words if letter in "KS" and letter), None
        ),
        fkeys=tuple(ForeignKey(column, owner) for column, owner in fkeys.items()),
        time_col=next((column for column, letter in words if letter == "T"), None),
    )


def schema(*tables: Table) -> Schema:
    return Schema({one.name: one for one in tables})


SHOP = schema(
    table("regions", "region_id:S country:c population"),
    table(
        "customers",
        "customer_id:K region_id:s name:x email:x tier:c newsletter:b joined_at:T",
        region_id="regions",
    ),
    table("categories", "category_id:K label:c"),
    table(
        "products",
        "product_id:K category_id:k title:x price tags:m",
        category_id="categories",
    ),
    table(
        "orders",
        "order_id:K customer_id:k channel:c status:c total note:x placed_at:T",
        customer_id="customers",
    ),
    table(
        "order_items",
        "item_id:K order_id:k product_id:k quantity unit_price",
        order_id="orders",
        product_id="products",
    ),
    table(
        "reviews",
        "review_id:K customer_id:k product_id:k stars text:x written_at:T",
        customer_id="customers",
        product_id="products",
    ),
    table(
        "coupons",
        "coupon_id:K customer_id:k percent sent_at:T",
        customer_id="customers",
    ),
)

BANK = schema(
    table("clients", "client_id:S segment:c income since:T"),
    table(
        "accounts", "account_id:K client_id:s kind:c opened_at:T", client_id="clients"
    ),
    table("merchants", "merchant_id:K sector:c"),
    table(
        "payments",
        "payment_id:K from_account:k to_account:k merchant_id:k amount is_fraud:b "
        "paid_at:T",
        from_account="accounts",
        to_account="accounts",
        merchant_id="merchants",
    ),
    table(
        "loans",
        "loan_id:K account_id:k amount status:c granted_at:T",
        account_id="accounts",
    ),
)
