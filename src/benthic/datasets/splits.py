"""One train, validation and test mask: a published split, or one drawn by class."""

from __future__ import annotations

import torch
from torch import Tensor
from torch_geometric.data import Data

from benthic.datasets.graph_sources import SOURCES
from benthic.errors import InputError
from benthic.typing import Labels

# Shchur et al., "Pitfalls of Graph Neural Network Evaluation", section 3.
_TRAIN_PER_CLASS, _VAL_PER_CLASS = 20, 30


def with_split(data: Data, name: str, split: int) -> Data:
    """Gives a graph one mask for each part, without the nodes that have no label.

    Args:
        data: With published masks, a column a split, or none; changed in place.
        name: Of the graph.
        split: Which published split, or the seed of a drawn one.

    Raises:
        InputError: If there is no such split.

    Example:
        >>> with_split(Data(y=torch.tensor([0, 0, 0])), "tiny", 0).train_mask.sum()
        tensor(1)
    """
    labeled = data.y >= 0
    if "train_mask" not in data:
        masks = _random_masks(data.y, split)
    else:
        masks = {
            key: data[key].view(len(labeled), -1)
            for key in ("train_mask", "val_mask", "test_mask")
        }
        count = masks["train_mask"].size(1)
        if not 0 <= split < count:
            given = f"give 0 … {count - 1}" if count > 1 else "give 0"
            ten = f"{name}_geom_gcn"
            more = f", or load {ten!r}, which has ten" if ten in SOURCES else ""
            raise InputError("split", str(split), given + more)
        masks = {key: mask[:, split].bool() for key, mask in masks.items()}
    for key, mask in masks.items():
        data[key] = mask & labeled
    return data


def _random_masks(y: Labels, seed: int) -> dict[str, Tensor]:
    if seed < 0:
        raise InputError("split", str(seed), "give a seed of 0 or more")
    generator = torch.Generator().manual_seed(seed)
    masks = {
        key: torch.zeros(len(y), dtype=torch.bool)
        for key in ("train_mask", "val_mask", "test_mask")
    }
    for label in y[y >= 0].unique():
        members = (y == label).nonzero().view(-1)
        members = members[torch.randperm(len(members), generator=generator)]
        third = len(members) // 3
        train, val = min(_TRAIN_PER_CLASS, third), min(_VAL_PER_CLASS, third)
        parts = members.split([train, val, len(members) - train - val])
        for mask, part in zip(masks.values(), parts, strict=True):
            mask[part] = True
    return masks
