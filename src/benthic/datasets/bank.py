"""The bank: a seeded toy database whose labels sit at known depths."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch_geometric.data import Data, HeteroData

from benthic.datasets.bank_graphs import to_hetero, to_homogeneous
from benthic.datasets.bank_tables import (
    FOREIGN_KEYS,
    PRIMARY_KEYS,
    TIME_COLUMNS,
    card_owners,
    draw_entities,
    draw_pairs,
    draw_transactions,
)
from benthic.errors import InputError
from benthic.typing import Labels

_Ints: TypeAlias = npt.NDArray[np.int64]
_Floats: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Signal:
    """Where the label of a task was planted, and how much of it can be read.

    Args:
        num_hops: Steps along the chain from a customer to ``table``.
        table: The table that holds the attribute.
        column: The attribute, a standard normal score.
        flip_rate: Share of labels turned over at random.
    """

    num_hops: int
    table: str
    column: str
    flip_rate: float


@dataclass(frozen=True)
class Bank:
    r"""A bank as tables, with labels that only a deep enough look can read.

    The chain of keys is customer ← account ← card → merchant → supplier, where the
    step from card to merchant is a transaction, taken as an edge (an engine that
    makes each transaction a node of its own counts one hop more from there on). The
    label of customer :math:`c` in a task planted at depth :math:`k` is

    .. math::
        y_c = \left[ \frac{1}{|W_k(c)|} \sum_{w \in W_k(c)} a_{\mathrm{end}(w)}
        > \operatorname{median}_{\mathrm{segment}(c)} \right] \oplus
        \mathrm{Bernoulli}(0.05)

    over the walks :math:`W_k(c)` of exactly :math:`k` steps down the chain, each
    pair of card and merchant taken once:

    ======= === ========================= ====================== ===========
    task     k  attribute                 best with fewer hops   with k hops
    ======= === ========================= ====================== ===========
    control  1  ``accounts.activity``     0.50                   0.95
    fraud    3  ``merchants.risk``        0.50                   0.95
    demand   4  ``suppliers.reliability`` 0.50                   0.95
    ======= === ========================= ====================== ===========

    Each attribute is normal, independent of every other column and of who is linked
    to whom, and enters nothing but its own label. Turning its sign turns the label,
    so given everything nearer the label is a fair coin: that is the 0.50. It is
    centered in each segment and the median is the segment's, so a segment says
    nothing either (a fitted predictor lands a hair *below* 0.50: halves are exact, so
    a segment rich in positives in train is poor in them elsewhere). The trap: a
    predictor that learns a weight for each *identity* (a merchant's or supplier's
    key) sees one hop further than its number of hops.

    Args:
        tables: The six tables by name; keys are 0 … n-1 in row order.
        labels: One 0/1 label per customer, by task.
        seed: The seed it was drawn with.

    Attributes:
        primary_keys: The key column of each table (RelBench's ``pkey_col``).
        foreign_keys: For each table, key column to parent table
            (``fkey_col_to_pkey_table``).
        time_columns: The time column (``time_col``) of each table that has one.
        signals: Where each task's label was planted.

    Example:
        >>> small = bank(200, 400, 8_000)
        >>> small
        Bank(200 customers, 400 merchants, 8,000 transactions, seed=0)
        >>> small.foreign_keys["cards"]
        {'account_id': 'accounts'}
        >>> int(small.to_homogeneous("fraud").y[:200].sum())  # about half of them
        100
    """

    tables: Mapping[str, pd.DataFrame] = field(repr=False)
    labels: Mapping[str, _Ints] = field(repr=False)
    seed: int

    primary_keys: ClassVar[Mapping[str, str]] = PRIMARY_KEYS
    foreign_keys: ClassVar[Mapping[str, Mapping[str, str]]] = FOREIGN_KEYS
    time_columns: ClassVar[Mapping[str, str]] = TIME_COLUMNS
    signals: ClassVar[Mapping[str, Signal]] = {
        "control": Signal(1, "accounts", "activity", 0.05),
        "fraud": Signal(3, "merchants", "risk", 0.05),
        "demand": Signal(4, "suppliers", "reliability", 0.05),
    }

    def __repr__(self) -> str:
        sizes = ", ".join(
            f"{len(self.tables[table]):,} {table}"
            for table in ("customers", "merchants", "transactions")
        )
        return f"Bank({sizes}, seed={self.seed})"

    def best_accuracy(self, task: str, num_hops: int) -> float:
        """Accuracy of the best predictor that sees ``num_hops`` hops and no further.

        Args:
            task: ``"control"``, ``"fraud"`` or ``"demand"``.
            num_hops: How far the predictor sees from the customer.

        Raises:
            InputError: If there is no such task.

        Example:
            >>> small = bank(200, 400, 8_000)
            >>> [small.best_accuracy("fraud", hops) for hops in range(5)]
            [0.5, 0.5, 0.5, 0.95, 0.95]
        """
        signal = _signal(task)
        return 0.5 if num_hops < signal.num_hops else 1.0 - signal.flip_rate

    def to_hetero(self, task: str) -> HeteroData:
        """The bank as one node type per table, transactions as timed edges.

        Every foreign key is an edge type named by its column, and ``rev_`` the other
        way; ``("card", "pays", "merchant")`` has one edge per transaction with the
        standardized log amount (``edge_attr`` ``[E, 1]``) and its time in Unix
        seconds (``edge_time`` ``[E]``). Columns are standardized within their table;
        customers also carry their segment, one-hot. ``y`` and the masks (30 % train,
        20 % val, 50 % test, drawn with the bank's seed) are on ``"customer"``.

        Args:
            task: ``"control"``, ``"fraud"`` or ``"demand"``.

        Raises:
            InputError: If there is no such task.

        Example:
            >>> data = bank(200, 400, 8_000).to_hetero("demand")
            >>> data["card", "pays", "merchant"].num_edges
            8000
        """
        return to_hetero(self.tables, self._y(task), seed=self.seed)

    def to_homogeneous(self, task: str) -> Data:
        """The bank as one undirected graph that a plain GCN can run on.

        Rows are customers, accounts, cards, merchants, suppliers, in this order
        (``node_kind`` 0 … 4). The columns of ``x`` are the blocks of the tables'
        columns, zero outside their own table, and one-hot ``node_kind``; numeric
        columns are divided by their root mean square over *all* nodes, so that a
        column of the few suppliers is not drowned. Transactions of one card at one
        merchant are one edge; ``edge_count`` says how many (1 for a key). It is not
        called ``edge_weight``: cards visit their merchants about equally often, and
        an unweighted GCN is meant to do well. ``y`` is -1 and the masks are false
        outside customers.

        Args:
            task: ``"control"``, ``"fraud"`` or ``"demand"``.

        Raises:
            InputError: If there is no such task.

        Example:
            >>> data = bank(200, 400, 8_000).to_homogeneous("fraud")
            >>> data.is_undirected(), data.node_kind.unique().tolist()
            (True, [0, 1, 2, 3, 4])
        """
        return to_homogeneous(self.tables, self._y(task), seed=self.seed)

    def _y(self, task: str) -> Labels:
        _signal(task)
        return torch.from_numpy(self.labels[task].copy())


def bank(
    num_customers: int = 10_000,
    num_merchants: int = 5_000,
    num_transactions: int = 500_000,
    *,
    seed: int = 0,
) -> Bank:
    """Draws a bank: the same arguments always give the same bank.

    Customers and merchants fall into 20 segments. A card pays at 10 merchants, 12 %
    of them outside its owner's segment; at the default size this makes about 141,000
    distinct pairs and a mean shortest path of 4.2 between customers and merchants.

    Args:
        num_customers: Customers, at least 100.
        num_merchants: Merchants, at least 400; there is a supplier for every five.
        num_transactions: Transactions, at least two per customer and enough for
            each card to pay once at one merchant.
        seed: Seed of the one random stream that draws everything.

    Raises:
        InputError: If a size is too small.

    Example:
        >>> len(bank(200, 400, 8_000, seed=1).tables["transactions"])
        8000
    """
    _check_sizes(num_customers, num_merchants, num_transactions)
    rng = np.random.default_rng(seed)
    tables = draw_entities(rng, num_customers, num_merchants)
    card, merchant = draw_pairs(rng, tables, num_transactions)
    walks = _walks(tables, card, merchant)
    labels = {
        task: _plant(rng, signal, tables, *walks[signal.num_hops])
        for task, signal in Bank.signals.items()
    }
    tables["transactions"] = draw_transactions(
        rng, card, merchant, tables["merchants"]["price_level"], num_transactions
    )
    return Bank(tables=tables, labels=labels, seed=seed)


def _signal(task: str) -> Signal:
    if task not in Bank.signals:
        near = difflib.get_close_matches(
            task, Bank.signals, n=len(Bank.signals), cutoff=0.0
        )
        raise InputError("task", repr(task), f"choose {', '.join(near)}")
    return Bank.signals[task]


def _check_sizes(num_customers: int, num_merchants: int, num_transactions: int) -> None:
    for name, found, least in (
        ("num_customers", num_customers, 100),
        ("num_merchants", num_merchants, 400),
        ("num_transactions", num_transactions, 2 * num_customers),
    ):
        if found < least:
            raise InputError(name, f"{found:,}", f"give {least:,} or more")


def _walks(
    tables: Mapping[str, pd.DataFrame], card: _Ints, merchant: _Ints
) -> dict[int, tuple[_Ints, _Ints]]:
    """For each depth: the customer where a walk starts, the row where it ends."""
    owner = tables["accounts"]["customer_id"].to_numpy()
    card_owner = card_owners(tables)
    supplier = tables["merchants"]["supplier_id"].to_numpy()[merchant]
    return {
        1: (owner, np.arange(len(owner))),
        2: (card_owner, np.arange(len(card_owner))),
        3: (card_owner[card], merchant),
        4: (card_owner[card], supplier),
    }


def _plant(
    rng: np.random.Generator,
    signal: Signal,
    tables: Mapping[str, pd.DataFrame],
    start: _Ints,
    end: _Ints,
) -> _Ints:
    """Labels by the upper half of each segment, and centers the attribute there."""
    segment = tables["customers"]["segment"].to_numpy()
    table = tables[signal.table]
    attribute = table[signal.column].to_numpy().copy()
    end_segment = table["segment"].to_numpy() if "segment" in table else segment[start]
    size = np.bincount(segment)
    # Without this a segment's mean would shift the threshold of its customers, and a
    # predictor would have to learn twenty thresholds instead of one.
    score = _mean_by(start, attribute[end], len(segment))
    attribute -= (np.bincount(segment, score) / size)[end_segment]
    table[signal.column] = attribute
    score = _mean_by(start, attribute[end], len(segment))
    order = np.lexsort((score, segment))
    rank = np.arange(len(segment)) - (np.cumsum(size) - size)[segment[order]]
    label = np.empty(len(segment), dtype=np.int64)
    label[order] = rank >= size[segment[order]] // 2
    flips = rng.random(len(segment)) < signal.flip_rate
    return np.where(flips, 1 - label, label)


def _mean_by(group: _Ints, value: _Floats, num_groups: int) -> _Floats:
    total = np.bincount(group, value, num_groups)
    return np.asarray(total / np.bincount(group, minlength=num_groups))
