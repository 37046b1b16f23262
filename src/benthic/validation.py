"""Is this graph fit to be diagnosed?  One clear sentence if it is not."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Data, HeteroData

from benthic.errors import InputError

_ROWS_AT_ONCE = 65_536  # keeps the boolean copy of x small on graphs of millions


def check_graph(data: Data | HeteroData, num_classes: int | None = None) -> None:
    """Refuses a graph that cannot be diagnosed, naming what is wrong with it.

    Looks at the nodes, their features, the edges, the labels and the masks, in
    this order, and stops at the first fault. Without faults nothing happens. A
    graph without edges, without labels or without masks is fine; a negative label
    means "unlabelled" and is refused only where a mask selects it.

    Args:
        data: The graph.
        num_classes: Outputs of the model, where known: an upper limit for ``y``.

    Raises:
        InputError: At the first fault.

    Example:
        >>> graph = Data(x=torch.ones(2, 3), edge_index=torch.tensor([[0, 5], [1, 0]]))
        >>> check_graph(graph)
        Traceback (most recent call last):
        ...
        benthic.errors.InputError: edge_index: found node 5 among 2 nodes; number the \
nodes from 0 to 1
    """
    if isinstance(data, HeteroData):
        _check_hetero(data, num_classes)
        return
    if not _has(data, "x"):
        raise InputError(
            "x",
            f"no node features (data has {_names(data)})",
            "set data.x to a float tensor with a row per node",
        )
    num_nodes = _check_nodes(data, "")
    if _has(data, "edge_index"):
        _check_edges(data, "", num_nodes, num_nodes)
    elif not _has(data, "adj_t"):
        raise InputError(
            "edge_index",
            f"no edges (data has {_names(data)})",
            "set data.edge_index to an int64 tensor of shape [2, num_edges]",
        )
    _check_labels(data, "", num_nodes, num_classes)


def _check_hetero(data: HeteroData, num_classes: int | None) -> None:
    if not any(_has(store, "x") for store in data.node_stores):
        raise InputError(
            "x_dict",
            f"no node features (node types: {', '.join(data.node_types) or 'none'})",
            "set data['…'].x to a float tensor with a row per node",
        )
    if not data.edge_types:
        raise InputError(
            "edge_index_dict",
            "no edge types",
            "set data['…', '…', '…'].edge_index",
        )
    sizes = {
        store._key: _check_nodes(store, f"[{store._key!r}]")
        for store in data.node_stores
    }
    for store in data.edge_stores:
        source, _, target = store._key
        where = f"[{', '.join(map(repr, store._key))}]"
        for node_type in (source, target):
            if node_type not in sizes:
                raise InputError(
                    f"edge_index{where}",
                    f"edges of node type {node_type!r}, which has no nodes",
                    f"set data[{node_type!r}].x",
                )
        if _has(store, "edge_index"):
            _check_edges(store, where, sizes[source], sizes[target])
    for store in data.node_stores:
        _check_labels(store, f"[{store._key!r}]", sizes[store._key], num_classes)


def _check_nodes(store: Any, where: str) -> int:
    x = store["x"] if _has(store, "x") else None
    num_nodes = store.num_nodes if x is None else None
    if x is None and num_nodes is None:
        raise InputError(
            f"x{where}", "no features and no number of nodes", "set x or num_nodes"
        )
    if x is not None:
        if not isinstance(x, Tensor):
            raise InputError(f"x{where}", _type(x), "give a tensor with a row per node")
        if x.dim() == 0:
            raise InputError(f"x{where}", "one number", "give a row per node")
        num_nodes = x.size(0)
    if not num_nodes:
        raise InputError(
            f"x{where}", "an empty graph (0 nodes)", "give at least one node"
        )
    if x is not None:
        _check_finite(x, f"x{where}", "nodes")
    return int(num_nodes)


def _check_edges(store: Any, where: str, num_sources: int, num_targets: int) -> None:
    edge_index = store["edge_index"]
    argument = f"edge_index{where}"
    if fault := _malformed(edge_index):
        remedy = "give an int64 tensor of shape [2, num_edges]"
        raise InputError(argument, fault, remedy)
    if edge_index.numel() == 0:
        return
    for row, size in zip(edge_index, (num_sources, num_targets), strict=True):
        low, high = int(row.min()), int(row.max())
        if low < 0 or high >= size:
            raise InputError(
                argument,
                f"node {low if low < 0 else high} among {size:,} nodes",
                f"number the nodes from 0 to {size - 1}",
            )
    for name in ("edge_weight", "edge_attr"):
        if _has(store, name) and isinstance(store[name], Tensor):
            value = store[name]
            _check_length(value, f"{name}{where}", edge_index.size(1), "edges")
            _check_finite(value, f"{name}{where}", "edges")


def _malformed(edge_index: Any) -> str:
    if not isinstance(edge_index, Tensor):
        return _type(edge_index)
    if edge_index.is_floating_point() or edge_index.dtype in (torch.bool, torch.uint8):
        return f"dtype {edge_index.dtype}"
    if edge_index.dim() != 2 or edge_index.size(0) != 2:
        return f"shape {list(edge_index.shape)}"
    return ""


def _check_labels(
    store: Any, where: str, num_nodes: int, num_classes: int | None
) -> None:
    masks = {
        name: store[name]
        for name in ("train_mask", "val_mask", "test_mask")
        if _has(store, name)
    }
    for name, mask in masks.items():
        check_mask(mask, f"{name}{where}", num_nodes)
        _check_selects(mask, f"{name}{where}")
    if not _has(store, "y"):
        return
    y = store["y"]
    if not isinstance(y, Tensor):
        raise InputError(f"y{where}", _type(y), "give a tensor with a label per node")
    if not masks:
        # Labels of whole graphs come without node masks; their count is not num_nodes.
        _check_classes(y, f"y{where}", num_classes)
        return
    _check_length(y, f"y{where}", num_nodes, "nodes")
    for name, mask in masks.items():
        selected = y[mask if mask.dim() == 1 else mask.any(dim=1)]
        if selected.is_floating_point():
            _check_finite(selected, f"y{where}", f"nodes of {name}")
        elif (selected < 0).any():
            raise InputError(
                f"y{where}",
                f"label {int(selected.min())} on a node that {name} selects",
                "number the classes from 0, and leave unlabelled nodes out of the mask",
            )
    _check_classes(y, f"y{where}", num_classes)


def check_mask(mask: Any, argument: str, num_nodes: int) -> None:
    """Refuses a mask that is not a boolean for each node.

    Args:
        mask: Anything; ``[N, S]`` holds the masks of several splits.
        argument: What the user calls it.
        num_nodes: N.

    Raises:
        InputError: If it is something else, such as the numbers of nodes.

    Example:
        >>> check_mask(torch.tensor([0, 3]), "train_mask", 4)
        Traceback (most recent call last):
        ...
        benthic.errors.InputError: train_mask: found dtype torch.int64; give a boolean \
tensor with a value per node
    """
    if not isinstance(mask, Tensor) or mask.dtype != torch.bool:
        found = _type(mask) if not isinstance(mask, Tensor) else f"dtype {mask.dtype}"
        raise InputError(argument, found, "give a boolean tensor with a value per node")
    if mask.dim() not in (1, 2):
        raise InputError(
            argument, f"shape {list(mask.shape)}", f"give the shape [{num_nodes}]"
        )
    _check_length(mask, argument, num_nodes, "nodes")


def _check_selects(mask: Tensor, argument: str) -> None:
    if not mask.any(dim=0).all() or mask.numel() == 0:
        raise InputError(
            argument, "an empty mask (it selects no node)", "select nodes, or remove it"
        )


def _check_classes(y: Tensor, argument: str, num_classes: int | None) -> None:
    if num_classes is None or y.is_floating_point() or y.numel() == 0:
        return
    # A single output is a logit between two classes.
    limit = max(num_classes, 2)
    highest = int(y.max())
    if highest >= limit:
        raise InputError(
            argument,
            f"label {highest} for a model with {num_classes} outputs",
            f"number the classes from 0 to {limit - 1}",
        )


def _check_finite(values: Tensor, argument: str, what: str) -> None:
    if not values.is_floating_point() or values.layout != torch.strided:
        return
    faulty = 0
    for rows in torch.split(values, _ROWS_AT_ONCE):
        finite = rows.isfinite()
        faulty += int((~finite.reshape(len(rows), -1).all(dim=1)).sum())
    if faulty:
        raise InputError(
            argument,
            f"NaN or infinity on {faulty:,} of {len(values):,} {what}",
            "fill or drop the missing values",
        )


def _check_length(values: Tensor, argument: str, length: int, what: str) -> None:
    if values.dim() == 0 or values.size(0) != length:
        raise InputError(
            argument,
            f"shape {list(values.shape)} for {length:,} {what}",
            f"give one value per row of the {length:,} {what}",
        )


def _has(store: Any, name: str) -> bool:
    return name in store and store[name] is not None


def _names(data: Data) -> str:
    return ", ".join(map(str, data.keys())) or "nothing"


def _type(value: Any) -> str:
    return f"an object of type {type(value).__name__}"
