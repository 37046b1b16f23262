"""The graph that a treatment by name makes of a graph."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Data

from benthic.treatment.spelling import REWIRING, Part, read


def rewirings(combination: Sequence[Part]) -> list[Callable[[Data], Data]]:
    """The transforms among the parts of a treatment.

    Args:
        combination: The parts.

    Raises:
        InputError: If an argument is refused.

    Example:
        >>> rewirings(read("fosr(num_iterations=5)+residual")[0])
        [FoSR(num_iterations=5, initial_power_iters=5, seed=0)]
    """
    return [part.build(_made) for part in combination if part.place == REWIRING]


def _made(part: Part) -> Any:
    arguments = dict(part.arguments)
    if "merged" in inspect.signature(part.kind).parameters:
        arguments["merged"] = True
    return part.kind(**arguments)


def rewired(treatments: str, data: Data) -> Data:
    """The graph on which the network of a treatment is trained.

    Rewirings act one after the other, random ones always alike. Nodes that they add
    have no label and are in no mask. Where the edges get weights (GDC), a network that
    takes ``edge_weight`` is given them.

    Args:
        treatments: As in :func:`~benthic.treatment.named.build_treated`.
        data: A graph, which stays as it is.

    Raises:
        InputError: If the graph cannot be rewired so.

    Example:
        >>> edges = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])
        >>> graph = Data(x=torch.eye(3), edge_index=edges, y=torch.arange(3))
        >>> rewired("half_hop+residual", graph).y
        tensor([ 0,  1,  2, -1, -1, -1, -1])
    """
    transforms = rewirings(read([treatments])[0])
    if not transforms:
        return data
    after = data
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for transform in transforms:
            after = _completed(transform(after), after)
    return after


def _completed(after: Data, before: Data) -> Data:
    """With weights by the name that layers ask for, and a row for each node."""
    weight = after.get("edge_attr")
    if isinstance(weight, Tensor) and weight.dim() == 1 and "edge_attr" not in before:
        after.edge_weight = weight
        del after.edge_attr
    added = (after.num_nodes or 0) - (before.num_nodes or 0)
    for key in before.keys() if added else ():
        value = before[key] if key == "y" else after[key]  # PyG labels them 0
        if before.is_node_attr(key) and len(value) == before.num_nodes:
            fill = value.new_full((added, *value.shape[1:]), -1 if key == "y" else 0)
            after[key] = torch.cat([value, fill])
    return after
