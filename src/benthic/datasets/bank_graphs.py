"""The bank's graphs: its tables as typed nodes, or as one undirected graph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import one_hot
from torch_geometric.data import Data, HeteroData
from torch_geometric.utils import coalesce, to_undirected

from benthic.datasets.bank_tables import FOREIGN_KEYS, NUM_SEGMENTS
from benthic.typing import Labels

_Floats: TypeAlias = npt.NDArray[np.float64]

# The node types of both graphs, in the order of the projection's rows, and the
# columns a model may see. Keys, times and labels are never among them.
_NODE_TYPES: Mapping[str, str] = {
    "customers": "customer",
    "accounts": "account",
    "cards": "card",
    "merchants": "merchant",
    "suppliers": "supplier",
}
_NUMERIC: Mapping[str, tuple[str, ...]] = {
    "customers": ("age", "income"),
    "accounts": ("activity", "balance"),
    "cards": ("credit_limit",),
    "merchants": ("risk", "price_level"),
    "suppliers": ("reliability", "capacity"),
}

_SPLIT = (0.3, 0.5)  # customers: 30 % train, 20 % val, 50 % test


def to_hetero(
    tables: Mapping[str, pd.DataFrame], y: Labels, *, seed: int
) -> HeteroData:
    """One node type per table, transactions as timed edges.

    The contract is that of :meth:`benthic.datasets.Bank.to_hetero`.

    Args:
        tables: The six tables.
        y: One label per customer.
        seed: Seed of the masks.

    Example:
        >>> from benthic.datasets import bank
        >>> small = bank(200, 400, 8_000)
        >>> data = to_hetero(small.tables, torch.zeros(200).long(), seed=0)
        >>> data.node_types
        ['customer', 'account', 'card', 'merchant', 'supplier']
    """
    data = HeteroData()
    for table, node_type in _NODE_TYPES.items():
        data[node_type].x = _columns(tables, table)
    for child, column, parent in _key_edges():
        edge_index = _key_edge_index(tables[child][column])
        source, target = _NODE_TYPES[child], _NODE_TYPES[parent]
        data[source, column, target].edge_index = edge_index
        data[target, f"rev_{column}", source].edge_index = edge_index.flip(0)
    edge_index, amount, time = _payments(tables["transactions"])
    for edge_type, index in (
        (("card", "pays", "merchant"), edge_index),
        (("merchant", "rev_pays", "card"), edge_index.flip(0)),
    ):
        data[edge_type].edge_index = index
        data[edge_type].edge_attr = amount
        data[edge_type].edge_time = time
    data["customer"].y = y
    data["customer"].update(_customer_masks(len(y), len(y), seed))
    return data


def to_homogeneous(tables: Mapping[str, pd.DataFrame], y: Labels, *, seed: int) -> Data:
    """One undirected graph over the rows of all tables but the transactions.

    The contract is that of :meth:`benthic.datasets.Bank.to_homogeneous`.

    Args:
        tables: The six tables.
        y: One label per customer.
        seed: Seed of the masks.

    Example:
        >>> from benthic.datasets import bank
        >>> small = bank(200, 400, 8_000)
        >>> data = to_homogeneous(small.tables, torch.zeros(200).long(), seed=0)
        >>> data.train_mask.sum(), data.val_mask.sum(), data.test_mask.sum()
        (tensor(60), tensor(40), tensor(100))
    """
    sizes = torch.tensor([len(tables[table]) for table in _NODE_TYPES])
    num_nodes = int(sizes.sum())
    node_kind = torch.repeat_interleave(torch.arange(len(sizes)), sizes)
    starts = (sizes.cumsum(0) - sizes).tolist()
    edge_index, edge_count = _merged_edges(
        tables, dict(zip(_NODE_TYPES, starts, strict=True)), num_nodes
    )
    padded = torch.full((num_nodes,), -1)
    padded[: len(y)] = y
    return Data(
        x=_block_features(tables, node_kind),
        edge_index=edge_index,
        edge_count=edge_count,
        y=padded,
        node_kind=node_kind,
        **_customer_masks(len(y), num_nodes, seed),
    )


def _merged_edges(
    tables: Mapping[str, pd.DataFrame], start: Mapping[str, int], num_nodes: int
) -> tuple[Tensor, Tensor]:
    edges = [
        _key_edge_index(tables[child][column])
        + torch.tensor([[start[child]], [start[parent]]])
        for child, column, parent in _key_edges()
    ]
    transactions = tables["transactions"]
    pays = _stack(transactions["card_id"], transactions["merchant_id"])
    edges.append(pays + torch.tensor([[start["cards"]], [start["merchants"]]]))
    edge_index = torch.cat(edges, dim=1)
    ones = torch.ones(edge_index.size(1))
    edge_index, count = coalesce(edge_index, ones, num_nodes)
    both: tuple[Tensor, Tensor] = to_undirected(edge_index, count, num_nodes)
    return both


def _key_edges() -> list[tuple[str, str, str]]:
    """Child table, key column, parent table of each key between two node types."""
    return [
        (child, column, parent)
        for child, keys in FOREIGN_KEYS.items()
        for column, parent in keys.items()
        if child in _NODE_TYPES
    ]


def _key_edge_index(key: pd.Series) -> Tensor:
    return _stack(np.arange(len(key)), key)


def _stack(source: npt.ArrayLike, target: npt.ArrayLike) -> Tensor:
    return torch.from_numpy(np.stack([source, target]).astype(np.int64))


def _payments(transactions: pd.DataFrame) -> tuple[Tensor, Tensor, Tensor]:
    edge_index = _stack(transactions["card_id"], transactions["merchant_id"])
    log_amount = np.log(transactions["amount"].to_numpy())
    timestamp = transactions["timestamp"].to_numpy().astype("datetime64[s]")
    return (
        edge_index,
        _standardize(log_amount[:, None]),
        torch.from_numpy(timestamp.astype(np.int64)),
    )


def _columns(tables: Mapping[str, pd.DataFrame], table: str) -> Tensor:
    """What a model may see of a table: its columns, and a customer's segment."""
    frame = tables[table]
    x = _standardize(frame[list(_NUMERIC[table])].to_numpy(dtype=np.float64))
    if table != "customers":
        return x
    segment = torch.from_numpy(frame["segment"].to_numpy().copy())
    return torch.cat([x, one_hot(segment, NUM_SEGMENTS).float()], dim=1)


def _standardize(x: _Floats) -> Tensor:
    return torch.from_numpy((x - x.mean(0)) / x.std(0)).float()


def _block_features(tables: Mapping[str, pd.DataFrame], node_kind: Tensor) -> Tensor:
    blocks = [_columns(tables, table) for table in _NODE_TYPES]
    x = torch.zeros(len(node_kind), sum(block.size(1) for block in blocks))
    row = column = 0
    for block in blocks:
        x[row : row + len(block), column : column + block.size(1)] = block
        row, column = row + len(block), column + block.size(1)
    x = x / x.square().mean(0).sqrt()
    return torch.cat([x, one_hot(node_kind, len(_NODE_TYPES)).float()], dim=1)


def _customer_masks(num_customers: int, num_nodes: int, seed: int) -> dict[str, Tensor]:
    order = np.random.default_rng([seed, 1]).permutation(num_customers)
    bounds = [int(share * num_customers) for share in _SPLIT]
    masks = {}
    names = ("train_mask", "val_mask", "test_mask")
    for name, part in zip(names, np.split(order, bounds), strict=True):
        masks[name] = torch.zeros(num_nodes, dtype=torch.bool)
        masks[name][torch.from_numpy(part)] = True
    return masks
