"""The bank's tables: who belongs to whom, who pays whom, and when."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

_Ints: TypeAlias = npt.NDArray[np.int64]

PRIMARY_KEYS: Mapping[str, str] = {
    "customers": "customer_id",
    "accounts": "account_id",
    "cards": "card_id",
    "merchants": "merchant_id",
    "suppliers": "supplier_id",
    "transactions": "transaction_id",
}
FOREIGN_KEYS: Mapping[str, Mapping[str, str]] = {
    "accounts": {"customer_id": "customers"},
    "cards": {"account_id": "accounts"},
    "merchants": {"supplier_id": "suppliers"},
    "transactions": {"card_id": "cards", "merchant_id": "merchants"},
}
TIME_COLUMNS: Mapping[str, str] = {
    "customers": "since",
    "accounts": "opened",
    "cards": "issued",
    "transactions": "timestamp",
}

NUM_SEGMENTS = 20
# Measured on the default bank: 10 merchants a card, 12 % of them outside the owner's
# segment, put the mean shortest path between customers and merchants at 4.2.
_MERCHANTS_PER_CARD = 10
_CROSS_SEGMENT = 0.12
_MERCHANTS_PER_SUPPLIER = 5
_POPULARITY_SPREAD = 0.25
_SECOND_ACCOUNT = _SECOND_CARD = 0.2
# Unix seconds: the bank opens in 2015, transactions fill 2023 and 2024.
_OPENING, _FIRST, _END = (
    int(np.datetime64(day, "s").astype(np.int64))
    for day in ("2015-01-01", "2023-01-01", "2025-01-01")
)


def draw_entities(
    rng: np.random.Generator, num_customers: int, num_merchants: int
) -> dict[str, pd.DataFrame]:
    """Customers, accounts, cards, merchants and suppliers, keys 0 … n-1 by row.

    One customer in five has a second account, one account in five a second card.
    Nothing but the keys links one table to another: every other column is drawn
    independently of all others.

    Args:
        rng: The stream to draw from.
        num_customers: How many customers.
        num_merchants: How many merchants; there is a supplier for every five.

    Example:
        >>> tables = draw_entities(np.random.default_rng(0), 200, 400)
        >>> {name: len(table) for name, table in tables.items()}["suppliers"]
        80
    """
    owner = _draw_owners(rng, num_customers, _SECOND_ACCOUNT)
    account = _draw_owners(rng, len(owner), _SECOND_CARD)
    since = _draw_times(rng, np.full(num_customers, _OPENING))
    opened = _draw_times(rng, since[owner])
    issued = _draw_times(rng, opened[account])
    merchants, suppliers = _draw_trade(rng, num_merchants)
    segment = rng.permutation(np.arange(num_customers) % NUM_SEGMENTS)
    return {
        "customers": pd.DataFrame(
            {
                "customer_id": np.arange(num_customers),
                "segment": segment,
                "age": rng.integers(18, 90, num_customers),
                "income": rng.gamma(8.0, 5_000.0, num_customers).round(2),
                "since": _to_datetime(since),
            }
        ),
        "accounts": pd.DataFrame(
            {
                "account_id": np.arange(len(owner)),
                "customer_id": owner,
                "activity": rng.standard_normal(len(owner)),
                "balance": rng.gamma(4.0, 1_500.0, len(owner)).round(2),
                "opened": _to_datetime(opened),
            }
        ),
        "cards": pd.DataFrame(
            {
                "card_id": np.arange(len(account)),
                "account_id": account,
                "credit_limit": 500 * rng.integers(1, 21, len(account)),
                "issued": _to_datetime(issued),
            }
        ),
        "merchants": merchants,
        "suppliers": suppliers,
    }


def _draw_owners(rng: np.random.Generator, num_parents: int, second: float) -> _Ints:
    """The parent of each child: one child a parent, and now and then a second."""
    return np.repeat(np.arange(num_parents), 1 + (rng.random(num_parents) < second))


def _draw_times(rng: np.random.Generator, after: _Ints) -> _Ints:
    """A moment between ``after`` and the first transaction."""
    return after + (rng.random(len(after)) * (_FIRST - after)).astype(np.int64)


def _to_datetime(seconds: _Ints) -> pd.DatetimeIndex:
    return pd.to_datetime(seconds, unit="s").astype("datetime64[ns]")


def _draw_trade(
    rng: np.random.Generator, num_merchants: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Merchants and suppliers; a supplier serves five merchants of one segment."""
    segment = rng.permutation(np.arange(num_merchants) % NUM_SEGMENTS)
    # Rank of each merchant within its segment, in random order of the rows.
    order = np.argsort(segment, kind="stable")
    size = np.bincount(segment, minlength=NUM_SEGMENTS)
    rank = np.empty_like(order)
    rank[order] = np.arange(num_merchants) - np.repeat(np.cumsum(size) - size, size)
    num_suppliers = size // _MERCHANTS_PER_SUPPLIER
    first = np.cumsum(num_suppliers) - num_suppliers
    merchants = pd.DataFrame(
        {
            "merchant_id": np.arange(num_merchants),
            "supplier_id": first[segment] + rank % num_suppliers[segment],
            "segment": segment,
            "risk": rng.standard_normal(num_merchants),
            "price_level": rng.gamma(9.0, 1 / 9.0, num_merchants),
        }
    )
    supplier_segment = np.repeat(np.arange(NUM_SEGMENTS), num_suppliers)
    suppliers = pd.DataFrame(
        {
            "supplier_id": np.arange(len(supplier_segment)),
            "segment": supplier_segment,
            "reliability": rng.standard_normal(len(supplier_segment)),
            "capacity": rng.integers(10, 1_000, len(supplier_segment)),
        }
    )
    return merchants, suppliers


def card_owners(tables: Mapping[str, pd.DataFrame]) -> _Ints:
    """The customer of each card.

    Args:
        tables: At least ``accounts`` and ``cards``.

    Example:
        >>> tables = draw_entities(np.random.default_rng(0), 200, 400)
        >>> len(card_owners(tables)) == len(tables["cards"])
        True
    """
    owner = tables["accounts"]["customer_id"].to_numpy()
    return np.asarray(owner[tables["cards"]["account_id"].to_numpy()])


def draw_pairs(
    rng: np.random.Generator,
    tables: Mapping[str, pd.DataFrame],
    num_transactions: int,
) -> tuple[_Ints, _Ints]:
    """The distinct pairs of card and merchant that trade, sorted.

    Each card draws 10 merchants (fewer if there are not enough transactions), 12 %
    of them anywhere, the others in its owner's segment; a merchant drawn twice
    counts once.

    Args:
        rng: The stream to draw from.
        tables: What :func:`draw_entities` gave.
        num_transactions: Upper bound on the number of pairs.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> card, merchant = draw_pairs(rng, draw_entities(rng, 200, 400), 8_000)
        >>> len(card) == len(merchant) <= 8_000
        True
    """
    owner = card_owners(tables)
    num_cards, num_merchants = len(owner), len(tables["merchants"])
    each = min(_MERCHANTS_PER_CARD, num_transactions // num_cards)
    card = np.repeat(np.arange(num_cards), each)
    segment = tables["customers"]["segment"].to_numpy()[owner[card]]
    # Merchants lie side by side by segment on a line, each as long as it is popular;
    # a point drawn on the segment's stretch, or on the whole line, is a merchant.
    merchant_segment = tables["merchants"]["segment"].to_numpy()
    order = np.argsort(merchant_segment, kind="stable")
    popularity = np.exp(_POPULARITY_SPREAD * rng.standard_normal(num_merchants))
    line = np.concatenate([[0.0], np.cumsum(popularity)])
    border = line[np.searchsorted(merchant_segment[order], np.arange(NUM_SEGMENTS + 1))]
    abroad = rng.random(len(card)) < _CROSS_SEGMENT
    low = np.where(abroad, 0.0, border[segment])
    high = np.where(abroad, line[-1], border[segment + 1])
    point = low + rng.random(len(card)) * (high - low)
    position = np.searchsorted(line, point, side="right") - 1
    merchant = order[np.minimum(position, num_merchants - 1)]
    pair = np.unique(card * num_merchants + merchant)
    return pair // num_merchants, pair % num_merchants


def draw_transactions(
    rng: np.random.Generator,
    card: _Ints,
    merchant: _Ints,
    price_level: pd.Series,
    num_transactions: int,
) -> pd.DataFrame:
    """Transactions in order of time; each pair trades about equally often.

    Args:
        rng: The stream to draw from.
        card: Card of each pair.
        merchant: Merchant of each pair.
        price_level: Price level of each merchant, which scales the amounts.
        num_transactions: How many; at least one per pair.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> tables = draw_entities(rng, 200, 400)
        >>> pairs = draw_pairs(rng, tables, 8_000)
        >>> prices = tables["merchants"]["price_level"]
        >>> len(draw_transactions(rng, *pairs, prices, 8_000))
        8000
    """
    rounds = -(-num_transactions // len(card))
    pair = np.concatenate([rng.permutation(len(card)) for _ in range(rounds)])
    pair = rng.permutation(pair[:num_transactions])
    typical = 20.0 * price_level.to_numpy()[merchant[pair]]
    amount = typical * np.exp(0.8 * rng.standard_normal(num_transactions))
    return pd.DataFrame(
        {
            "transaction_id": np.arange(num_transactions),
            "card_id": card[pair],
            "merchant_id": merchant[pair],
            "amount": np.maximum(amount, 0.01).round(2),
            "timestamp": _to_datetime(
                np.sort(rng.integers(_FIRST, _END, num_transactions))
            ),
        }
    )
