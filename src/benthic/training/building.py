"""Networks by name: PyG's basic GNNs by that of their layer, and Benthic's own."""

from __future__ import annotations

import difflib
from typing import Any

import torch
from torch import nn
from torch_geometric.nn.models import basic_gnn

from benthic.errors import InputError
from benthic.nn import DeepGCN, GraphTransformer


def build(
    conv: str,
    in_channels: int,
    hidden_channels: int,
    out_channels: int,
    *,
    num_layers: int,
    dropout: float = 0.5,
    seed: int = 0,
) -> nn.Module:
    """Builds one of PyG's basic GNNs by the name of its layer, or a whole network.

    Args:
        conv: ``"gcn"``, ``"sage"``, ``"gat"``, ``"gin"``, …: the class names of
            ``torch_geometric.nn.models.basic_gnn``, in any case; a tail of the
            name is enough. ``PNA`` is left out: it needs the degrees of a graph. Or
            ``"deep_gcn"`` or ``"graph_transformer"``, of ``benthic.nn``.
        in_channels: Features of a node.
        hidden_channels: Width of the hidden layers.
        out_channels: Classes.
        num_layers: Message passing layers, 1 or more.
        dropout: Share of hidden units that a training step drops.
        seed: Seeds the initial weights; the caller's random state stays.

    Raises:
        InputError: If no class has that name.

    Example:
        >>> build("SAGE", 3, 8, 2, num_layers=4)
        GraphSAGE(3, 2, num_layers=4)
    """
    classes: dict[str, Any] = {
        cls.__name__.lower(): cls
        for cls in basic_gnn.BasicGNN.__subclasses__()
        if cls.__module__ == basic_gnn.__name__ and cls is not basic_gnn.PNA
    }
    whole = {"deep_gcn": DeepGCN, "graph_transformer": GraphTransformer}
    conv, classes = conv.lower(), {**classes, **whole}
    named = [name for name in classes if name.endswith(conv)] if conv else []
    if conv in classes:
        named = [conv]
    if len(named) != 1:
        nearest = difflib.get_close_matches(conv, classes, len(classes), 0.0)
        raise InputError("conv", repr(conv), f"choose one of {', '.join(nearest)}")
    if num_layers < 1:
        raise InputError("num_layers", str(num_layers), "give a depth of 1 or more")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model: nn.Module = classes[named[0]](
            in_channels=in_channels,
            hidden_channels=hidden_channels,
            out_channels=out_channels,
            num_layers=num_layers,
            dropout=dropout,
        )
    return model
