"""The sum of the rows' directions, and the mean cosine that follows from it."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from benthic.metrics.rows import row_blocks, row_norms, unit_row_sum
from benthic.typing import NodeFeatures, Scalar

# A row nearer to the centre than its own rounding has no direction. Rounding the
# centre and subtracting costs 1 eps of it each; the rest is room for float64 sums.
CENTER_FLOOR = 16


@torch.no_grad()
def sum_directions(
    x: NodeFeatures, center: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Sum of unit rows and number of non-zero rows.

    Args:
        x: Node features.
        center: Taken off every row; a row no longer than its rounding is then zero.

    Example:
        >>> sum_directions(torch.tensor([[3.0, 4.0], [0.0, 0.0]]))[1]
        tensor(1., dtype=torch.float64)
    """
    total = x.new_zeros(x.shape[1], dtype=torch.float64)
    count = 0
    for block, floor in _centered_blocks(x, center):
        part, live = unit_row_sum(block, floor)
        total += part
        count += live
    return total, total.new_tensor(count)


def _centered_blocks(
    x: NodeFeatures, center: Tensor | None
) -> Iterator[tuple[Tensor, float]]:
    """Blocks of rows minus the center, and the norm below which a row is zero."""
    if center is None:
        yield from ((block, 0.0) for block in row_blocks(x))
        return
    length = float(row_norms(center.unsqueeze(0)))
    for block in row_blocks(x):
        floor = CENTER_FLOOR * torch.finfo(block.dtype).eps * length
        yield block - center.to(block.dtype), floor


def pooled_cosine(direction_sum: Tensor, num_rows: Tensor) -> Scalar:
    """Mean cosine over the pairs of each group: (‖Σû‖² − m) / (m (m − 1)).

    Args:
        direction_sum: Sum of the unit rows, of all or of each group.
        num_rows: How many rows have a direction; without a pair the value is NaN.

    Example:
        >>> pooled_cosine(*sum_directions(torch.eye(2)))
        tensor(0., dtype=torch.float64)
    """
    # Plain numbers: a tenth of the whole call at Cora's size.
    squares: Tensor = torch.linalg.vecdot(direction_sum, direction_sum)
    similarity = (squares - num_rows).sum().item()
    pairs = (num_rows * (num_rows - 1)).sum().item()
    value = similarity / pairs if pairs else torch.nan
    # Float32 directions miss the ends by 1e-7; NaN passes through.
    return squares.new_tensor(min(value, 1.0) if value > 0 else max(value, -1.0))
