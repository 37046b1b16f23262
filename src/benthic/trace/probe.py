"""A linear probe that keeps a bounded number of labelled rows."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from benthic.metrics.linear_probe import LinearProbeAccuracy

# A share of this many rows has a standard error of at most 0.8 points, and 64 layers
# of 64 channels keep at most 0.13 GB.
MOST_ROWS = 4096


class Probe:
    """Linear probe accuracy over batches, from evenly spaced labelled rows.

    A probe needs its training and held-out rows together. So that a trace does not
    keep every layer's states, it takes each of them up to 4,096 rows of a split, then
    every second, every fourth, …, over all batches alike. Below that it is exact.

    Args:
        num_classes: Number of classes, which may grow later.

    Example:
        >>> probe = Probe(num_classes=2)
        >>> x, every = torch.tensor([[1.0], [-1.0]]), torch.tensor([True, True])
        >>> probe.update(x, torch.tensor([1, 0]), every, every)
        >>> probe.compute()
        1.0
    """

    def __init__(self, num_classes: int) -> None:
        self._metric: Any = LinearProbeAccuracy(num_classes, sync_on_compute=False)
        self._strides = {"train": 1, "eval": 1}
        self._seen = {"train": 0, "eval": 0}

    def update(
        self, x: Tensor, y: Tensor, train_mask: Tensor, eval_mask: Tensor
    ) -> None:
        """Takes the rows of one batch.

        Args:
            x: States, ``[N, C]``.
            y: Class of each row, ``[N]``; negative where unknown.
            train_mask: Rows to fit on.
            eval_mask: Rows to judge on.
        """
        metric = self._metric.to(x.device)
        # A later batch may hold a class that the first one lacks.
        num_classes = int(y.max()) + 1 if y.numel() else 0
        metric.num_classes = max(metric.num_classes, num_classes)
        known = y >= 0
        masks = [
            self._spaced(split, mask & known)
            for split, mask in (("train", train_mask), ("eval", eval_mask))
        ]
        metric.update(x, y, *masks)
        for split in self._strides:
            self._thin(split)

    def compute(self) -> float:
        """The held-out accuracy; NaN if a split has no labelled rows."""
        return float(self._metric.compute())

    def _spaced(self, split: str, mask: Tensor) -> Tensor:
        """Every k-th row of a split, counted over all batches."""
        stride = self._strides[split]
        rows = mask.nonzero().squeeze(1)
        first = -self._seen[split] % stride
        self._seen[split] += len(rows)
        spaced = torch.zeros_like(mask)
        spaced[rows[first::stride]] = True
        return spaced

    def _thin(self, split: str) -> None:
        labels = torch.cat(getattr(self._metric, f"{split}_y"))
        if len(labels) <= MOST_ROWS:
            return
        rows = torch.cat(getattr(self._metric, f"{split}_x"))
        while len(labels) > MOST_ROWS:
            rows, labels = rows[::2].clone(), labels[::2].clone()
            self._strides[split] *= 2
        setattr(self._metric, f"{split}_x", [rows])
        setattr(self._metric, f"{split}_y", [labels])
