"""Rows in blocks that stay in cache, their norms and directions."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from benthic.errors import InputError
from benthic.typing import EdgeIndex, NodeFeatures

Rows = Float[Tensor, "rows channels"]
Norms = Float64[Tensor, "rows"]

# A block stays in a core's cache between the passes over it. A GPU wants few, large
# launches instead.
CPU_BLOCK = 2**20
GPU_BLOCK = 2**24
EDGE_BLOCK = 2**16  # two gathered float64 blocks fit the same cache
SHORT = 128
ROUNDING = 1e-7  # what it leaves of a standard deviation, relative to the size


def block_length(x: Tensor, elements: int = CPU_BLOCK) -> int:
    """Rows that fill one block: as many as hold ``elements`` numbers, at least one.

    Example:
        >>> block_length(torch.zeros(10, 64), elements=256)
        4
    """
    width = max(1, x[:1].numel())
    return max(1, (elements if x.device.type == "cpu" else GPU_BLOCK) // width)


def row_blocks(x: NodeFeatures) -> Iterator[Rows]:
    """Consecutive blocks of rows; 16-bit rows arrive as float32, no copy of ``x``.

    Example:
        >>> [block.shape[0] for block in row_blocks(torch.zeros(20_000, 64))]
        [16384, 3616]
    """
    for block in x.split(block_length(x)):
        yield at_least_float32(block)


def float64_blocks(x: NodeFeatures) -> Iterator[Rows]:
    """Consecutive blocks of rows in float64, so that no copy of ``x`` is made.

    Example:
        >>> [block.dtype for block in float64_blocks(torch.zeros(2, 3))]
        [torch.float64]
    """
    return (rows.double() for rows in row_blocks(x))


def at_least_float32(rows: Rows) -> Rows:
    """16-bit rows as float32, others as they are; cut off from gradients.

    Example:
        >>> at_least_float32(torch.zeros(1, 1, dtype=torch.bfloat16)).dtype
        torch.float32
    """
    return rows.detach().float() if rows.dtype.itemsize < 4 else rows.detach()


def row_norms(block: Rows) -> Norms:
    r"""Euclidean norm of every row in float64, right for tiny and huge entries.

    A row's squares may leave the range of its type (:math:`10^{-30}` is a live row
    of a vanishing network, not a dead one), so such rows are measured again relative
    to their largest entry. Zero only for an all-zero row; NaN when the row holds NaN
    or an infinity.

    Example:
        >>> row_norms(torch.tensor([[3.0, 4.0], [0.0, 0.0], [3e-30, 4e-30]]))
        tensor([5.0000e+00, 0.0000e+00, 5.0000e-30], dtype=torch.float64)
    """
    narrow: Tensor = torch.linalg.vector_norm(block, dim=1)
    norm = narrow.double()
    if not _in_range(narrow):
        index = _doubtful(narrow)
        rows = block[index]
        if rows.any():
            norm[index] = _rescale(rows)[1]
    return norm


def unit_rows(block: Rows, floor: float = 0.0) -> tuple[Rows, Norms]:
    r"""Direction of every row, and its norm; rows no longer than ``floor`` become 0.

    Example:
        >>> unit_rows(torch.tensor([[3.0, 4.0], [0.0, 0.0]]))[0]
        tensor([[0.6000, 0.8000],
                [0.0000, 0.0000]])
    """
    narrow: Tensor = torch.linalg.vector_norm(block, dim=1)
    norm = narrow.double()
    unit = block / narrow.unsqueeze(1)
    if not _in_range(narrow):
        index = _doubtful(narrow)
        rescaled, norm[index] = _rescale(block[index])
        unit[index] = rescaled.to(unit.dtype)
    dead = norm <= floor
    return unit.masked_fill_(dead.unsqueeze(1), 0.0), norm.masked_fill_(dead, 0.0)


def unit_row_sum(block: Rows, floor: float = 0.0) -> tuple[Tensor, int]:
    """Sum of the rows' directions in float64, and how many rows have one.

    Example:
        >>> unit_row_sum(torch.tensor([[3.0, 4.0], [0.0, 0.0]]))
        (tensor([0.6000, 0.8000], dtype=torch.float64), 1)
    """
    narrow: Tensor = torch.linalg.vector_norm(block, dim=1)
    num_rows, num_channels = block.shape
    num_dead = 0
    if not _in_range(narrow, floor):
        dead = _doubtful(narrow)
        if floor or block[dead].any():
            unit, norm = unit_rows(block, floor)
            return unit.sum(dim=0).double(), int(norm.count_nonzero())
        narrow[dead] = torch.inf
        num_dead = len(dead)
    # One long float32 matrix-vector product drifts by 1e-5 when all rows are equal;
    # many short ones stay below 1e-6 and are faster.
    inverse = narrow.reciprocal_()
    whole = num_rows - num_rows % SHORT
    if whole == 0:
        return (inverse @ block).double(), num_rows - num_dead
    groups = block[:whole].reshape(-1, SHORT, num_channels)
    total = torch.bmm(inverse[:whole].view(-1, 1, SHORT), groups).sum(dim=(0, 1))
    if whole < num_rows:
        total += inverse[whole:] @ block[whole:]
    return total.double(), num_rows - num_dead


def zero_if_finite(x: NodeFeatures) -> Tensor:
    """Zero, or NaN if any row holds NaN or an infinity: added, it passes NaN on.

    Example:
        >>> zero_if_finite(torch.tensor([[1.0], [torch.inf]]))
        tensor(nan, dtype=torch.float64)
    """
    zero = x.new_zeros((), dtype=torch.float64)
    for block in row_blocks(x):
        zero += (row_norms(block) * 0.0).sum()
    return zero


@torch.no_grad()
def column_mean(x: NodeFeatures) -> Tensor:
    """Mean row in float64; zeros without rows.

    Example:
        >>> column_mean(torch.tensor([[1.0, 5.0], [-1.0, 5.0]]))
        tensor([0., 5.], dtype=torch.float64)
    """
    total = x.new_zeros(x.shape[1], dtype=torch.float64)
    for block in row_blocks(x):
        total += block.sum(dim=0, dtype=torch.float64)
    return total / max(1, x.shape[0])


def check_edges(edge_index: EdgeIndex, num_src: int, num_dst: int) -> None:
    """Every edge names nodes that exist.

    Example:
        >>> check_edges(torch.tensor([[0], [3]]), 3, 3)
        Traceback (most recent call last):
        ...
        benthic.errors.InputError: edge_index: found node 3 in row 1; there are nodes \
0 to 2
    """
    if edge_index.numel() == 0:
        return
    for row, num_nodes in enumerate((num_src, num_dst)):
        low, high = (int(limit) for limit in edge_index[row].aminmax())
        if low < 0 or high >= num_nodes:
            found = f"node {low if low < 0 else high} in row {row}"
            raise InputError(
                "edge_index", found, f"there are nodes 0 to {num_nodes - 1}"
            )


def _in_range(norm: Tensor, floor: float = 0.0) -> bool:
    """Whether every norm is live and was squared without leaving its type's range."""
    if norm.numel() == 0:
        return True
    low, high = (limit.item() for limit in norm.aminmax())  # NaN fails every comparison
    return low >= _smallest(norm) and low > floor and high < math.inf


def _doubtful(norm: Tensor) -> Tensor:
    """Indices of the rows whose norm is zero, not finite, or imprecise."""
    fine = (norm >= _smallest(norm)).logical_and_(norm < math.inf)
    return fine.logical_not_().nonzero().squeeze(1)


def _smallest(norm: Tensor) -> float:
    """Norm below which squares lose digits to the smallest normal number."""
    limits = torch.finfo(norm.dtype)
    return math.sqrt(limits.tiny / limits.eps)


def _rescale(rows: Rows) -> tuple[Rows, Norms]:
    """Direction and norm of every row in float64, by way of its largest entry."""
    wide = rows.double()
    if wide.shape[1] == 0:
        return wide, wide.new_zeros(wide.shape[0])
    peak = wide.abs().amax(dim=1)
    scaled = wide / peak.masked_fill(peak == 0, 1.0).unsqueeze(1)
    length = torch.linalg.vector_norm(scaled, dim=1)
    unit = scaled / length.masked_fill(length == 0, 1.0).unsqueeze(1)
    return unit, peak * length
