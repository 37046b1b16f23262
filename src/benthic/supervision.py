"""Labels and splits of a graph, and how well a model meets them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from scipy.stats import rankdata
from torch import Tensor
from torch_geometric.data import Data, HeteroData

from benthic.errors import InputError
from benthic.forward import output_rows
from benthic.validation import check_mask

SPLITS = ("train", "val", "test")

Measure = Callable[[Tensor, Tensor], float]
"""A score from logits ``[N, C]`` and classes ``[N]``; more is better."""


def class_logits(rows: Tensor) -> Tensor:
    """A column for each class: a single logit z stands for the two (0, z).

    Args:
        rows: Logits, ``[…, C]``.

    Example:
        >>> class_logits(torch.tensor([[2.0], [-1.0]]))
        tensor([[ 0.,  2.],
                [ 0., -1.]])
    """
    return F.pad(rows, (1, 0)) if rows.size(-1) == 1 else rows


def accuracy(logits: Tensor, y: Tensor) -> float:
    """Share of right answers, 0 … 1; one column means a binary logit.

    Args:
        logits: ``[N, C]``.
        y: Classes, ``[N]``.

    Example:
        >>> accuracy(torch.eye(3), torch.tensor([0, 1, 1]))
        0.6666666666666666
    """
    return int((class_logits(logits).argmax(-1) == y).sum()) / len(y)


def roc_auc(logits: Tensor, y: Tensor) -> float:
    """Area under the ROC curve of two classes: chance is 0.5, perfect 1.

    The published measure where one class is rare, as on Minesweeper.

    Args:
        logits: ``[N, 2]``, or one column of binary logits.
        y: 0 or 1, ``[N]``.

    Raises:
        InputError: If there are more classes than two.

    Example:
        >>> roc_auc(torch.tensor([[0.0], [1.0], [2.0]]), torch.tensor([0, 0, 1]))
        1.0
    """
    if logits.size(-1) > 2:
        raise InputError(
            "metric", f"ROC-AUC for {logits.size(-1)} classes", "take accuracy"
        )
    negative_logit, positive_logit = class_logits(logits).detach().unbind(-1)
    positive = (y == 1).cpu().numpy()
    num_positive, num_negative = positive.sum(), (~positive).sum()
    if not num_positive or not num_negative:
        return math.nan
    # Mann and Whitney's U: pairs in the right order, ties counted half.
    ranks = rankdata((positive_logit - negative_logit).cpu().numpy())
    pairs = ranks[positive].sum() - num_positive * (num_positive + 1) / 2
    return float(pairs / (num_positive * num_negative))


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

        Raises:
            InputError: If a mask is not a boolean for each label.

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
        where = f"[{node_type!r}]" if node_type else ""
        masks = {}
        for split in SPLITS:
            if _has(store, name := f"{split}_mask"):
                check_mask(store[name], f"{name}{where}", len(y))
                masks[split] = _one_split(store[name]) & counts
        return cls(y, masks or {"train": counts}, node_type)

    @classmethod
    def needed(cls, data: Any) -> Supervision:
        """The supervision of a graph, where there is no going on without.

        Args:
            data: As above.

        Raises:
            InputError: If there are no class labels, or a mask is none.

        Example:
            >>> Supervision.needed(Data(y=torch.ones(3, 2)))
            Traceback (most recent call last):
            ...
            benthic.errors.InputError: y: found torch.float32 of shape [3, 2]; give \
the class of each node, one whole number a row (of several labels, one column)
        """
        supervision = cls.of(data)
        if supervision is None:
            remedy = (
                "give the class of each node, one whole number a row (of several "
                "labels, one column)"
            )
            raise InputError("y", _what_there_is(data), remedy)
        return supervision

    @property
    def held_out(self) -> Tensor | None:
        """The mask that scores a diagnosis: validation, never the test split."""
        return self.masks.get("val")

    @property
    def num_classes(self) -> int:
        """One more than the largest label."""
        return int(self.y.max()) + 1 if self.y.numel() else 0

    def loss(self, output: Any, *, label_smoothing: float = 0.0) -> Tensor:
        """Cross-entropy over the training nodes, in nats; NaN without one.

        One output column means a binary logit.

        Args:
            output: What the model returned, with a row per node.
            label_smoothing: Share of each label spread over all classes.
        """
        mask = self.masks["train"] if "train" in self.masks else self.y >= 0
        logits = class_logits(output_rows(output, self.node_type)[mask])
        return F.cross_entropy(logits, self.y[mask], label_smoothing=label_smoothing)

    def correct(self, output: Any) -> dict[str, tuple[int, int]]:
        """Counts of right answers and of nodes, split by split.

        Args:
            output: What the model returned, with a row per node.
        """
        logits = class_logits(output_rows(output, self.node_type))
        right = logits.argmax(-1) == self.y
        return {
            split: (int(right[mask].sum()), int(mask.sum()))
            for split, mask in self.masks.items()
        }

    def measure(self, output: Any, metric: Measure) -> dict[str, float | None]:
        """A score of each split; None for a split without nodes.

        Args:
            output: What the model returned, with a row per node.
            metric: What to measure.
        """
        logits = output_rows(output, self.node_type)
        return {
            split: metric(logits[self.masks[split]], self.y[self.masks[split]])
            if split in self.masks and bool(self.masks[split].any())
            else None
            for split in SPLITS
        }

    def accuracy(self, output: Any) -> dict[str, float | None]:
        """Share of right answers in each split; None for a split without nodes.

        Args:
            output: What the model returned, with a row per node.
        """
        return self.measure(output, accuracy)


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


def _what_there_is(data: Any) -> str:
    """Instead of class labels."""
    stores = data.node_stores if isinstance(data, Data | HeteroData) else []
    y = next((store["y"] for store in stores if _has(store, "y")), None)
    if isinstance(y, Tensor):
        return f"{y.dtype} of shape {list(y.shape)}"
    return "none" if y is None else f"an object of type {type(y).__name__}"


def _has(store: Any, name: str) -> bool:
    return name in store and store[name] is not None


def _one_split(mask: Tensor) -> Tensor:
    return mask[:, 0] if mask.dim() == 2 else mask
