"""Labels and splits of a graph, and how well a model meets them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch_geometric.data import Data, HeteroData

from benthic.forward import output_rows

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Supervision:
    """Class labels of one graph's nodes and the splits they fall into.

    Nodes with a negative label are unlabelled and belong to no split.

    Args:
        y: Class of each node, ``[N]``; negative where unknown.
        masks: ``"train"``, ``"val"`` and ``"test"`` to a boolean ``[N]``; a split
            that the graph does not define is absent.
        node_type: The labelled node type of a heterogeneous graph.

    Example:
        >>> graph = Data(y=torch.tensor([0, 1, -1]), train_mask=torch.ones(3).bool())
        >>> Supervision.of(graph).masks["train"]
        tensor([ True,  True, False])
    """

    y: Tensor
    masks: dict[str, Tensor]
    node_type: str | None = None

    @classmethod
    def of(cls, data: Any) -> Supervision | None:
        """The supervision that ``data`` carries, or None without class labels.

        Masks of several splits (``[N, S]``) give their first; without masks, every
        labelled node is a training node. In a sampled batch only the seed nodes (its
        first ``batch_size`` rows) count: the others lack neighbors.

        Args:
            data: A ``Data``, a ``HeteroData``, a mapping, or anything else.

        Example:
            >>> Supervision.of(Data(x=torch.ones(3, 1))) is None
            True
        """
        store, node_type = _labelled_store(data)
        if store is None:
            return None
        y = store["y"].reshape(-1).long()
        seeds = int(store["batch_size"]) if _has(store, "batch_size") else len(y)
        counts = (torch.arange(len(y), device=y.device) < seeds) & (y >= 0)
        masks = {
            split: _one_split(store[f"{split}_mask"]) & counts
            for split in SPLITS
            if _has(store, f"{split}_mask")
        }
        masks = masks or {"train": counts}
        return cls(y, masks, node_type)

    @property
    def held_out(self) -> Tensor | None:
        """The mask that scores a diagnosis: validation, never the test split."""
        return self.masks.get("val")

    @property
    def num_classes(self) -> int:
        """One more than the largest label."""
        return int(self.y.max()) + 1 if self.y.numel() else 0

    def loss(self, output: Any) -> Tensor:
        """Cross-entropy over the training nodes, in nats; NaN without one.

        One output column means a binary logit.

        Args:
            output: What the model returned, with a row per node.
        """
        logits, y = self._training_rows(output)
        if logits.size(-1) == 1:
            return F.binary_cross_entropy_with_logits(logits.squeeze(-1), y.float())
        return F.cross_entropy(logits, y)

    def correct(self, output: Any) -> dict[str, tuple[int, int]]:
        """Counts of right answers and of nodes, split by split.

        Args:
            output: What the model returned, with a row per node.
        """
        logits = output_rows(output, self.node_type)
        binary = logits.size(-1) == 1
        guess = (logits.squeeze(-1) > 0).long() if binary else logits.argmax(-1)
        right = guess == self.y
        return {
            split: (int(right[mask].sum()), int(mask.sum()))
            for split, mask in self.masks.items()
        }

    def accuracy(self, output: Any) -> dict[str, float | None]:
        """Share of right answers in each split; None for a split without nodes.

        Args:
            output: What the model returned, with a row per node.
        """
        counts = self.correct(output)
        return {
            split: counts[split][0] / counts[split][1]
            if split in counts and counts[split][1]
            else None
            for split in SPLITS
        }

    def _training_rows(self, output: Any) -> tuple[Tensor, Tensor]:
        mask = self.masks["train"] if "train" in self.masks else self.y >= 0
        return output_rows(output, self.node_type)[mask], self.y[mask]


def _labelled_store(data: Any) -> tuple[Any, str | None]:
    if isinstance(data, HeteroData):
        stores = [store for store in data.node_stores if _has_classes(store)]
        stores.sort(key=lambda store: "train_mask" not in store)
        return (stores[0], stores[0]._key) if stores else (None, None)
    if isinstance(data, Data | Mapping) and _has_classes(data):
        return data, None
    return None, None


def _has_classes(store: Any) -> bool:
    """Whether the labels are one whole number a row."""
    y = store["y"] if "y" in store else None
    return (
        isinstance(y, Tensor)
        and not (y.is_floating_point() or y.is_complex())
        and (y.dim() == 1 or (y.dim() == 2 and y.size(1) == 1))
    )


def _has(store: Any, name: str) -> bool:
    return name in store and store[name] is not None


def _one_split(mask: Tensor) -> Tensor:
    return (mask[:, 0] if mask.dim() == 2 else mask).bool()
