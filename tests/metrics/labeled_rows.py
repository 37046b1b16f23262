"""Rows of labelled nodes, as far apart as asked."""

from __future__ import annotations

import torch


def labeled(num_rows: int, channels: int, distance: float = 0.0, num_classes: int = 3):
    y = torch.randint(0, num_classes, (num_rows,))
    centers = torch.randn(num_classes, channels) * distance
    return torch.randn(num_rows, channels) + centers[y], y


def split(num_rows: int, num_train: int) -> tuple[torch.Tensor, torch.Tensor]:
    train = torch.zeros(num_rows, dtype=torch.bool)
    train[torch.randperm(num_rows)[:num_train]] = True
    return train, ~train
