"""Linear probe per layer, group distance ratio, MADGap (need labels)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from torch import Tensor
from torch.nn.functional import one_hot
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from benthic.errors import InputError
from benthic.metrics.rows import row_blocks, row_norms, unit_rows
from benthic.typing import EdgeIndex, Labels, Mask, NodeFeatures, Scalar

_PAIRS = 2**22  # MADGap: pairs held at a time
_NOISE = 1e-7  # what rounding leaves of a standard deviation, relative to the size
_EXACT_NODES = 4096  # MADGap: all nodes are sources up to here (0.2 s on Cora)
_SAMPLED_NODES = 256  # MADGap: sources beyond that


def linear_probe_accuracy(
    x: NodeFeatures, y: Labels, train_mask: Mask, eval_mask: Mask
) -> Scalar:
    r"""Share of evaluation nodes that a linear classifier on ``x`` gets right.

    The idea is from `"Understanding intermediate layers using linear classifier
    probes" <https://arxiv.org/abs/1610.01644>`_; the probe is a ridge regression on
    one-hot labels, solved in closed form. Columns are standardized with the mean and
    deviation of all rows, then centered on the :math:`n` training rows:

    .. math::
        \mathbf{W} = \left( \mathbf{Z}^{\top} \mathbf{Z} + \lambda \mathbf{I}
        \right)^{-1} \mathbf{Z}^{\top} (\mathbf{Y} - \bar{\mathbf{Y}}), \qquad
        \lambda = \frac{1}{n} {\| \mathbf{Z} \|}^2_F

    The penalty weighs as much as one average training row, at any width, scale and
    depth, and is not tuned: generalized cross-validation picks a vanishing penalty for
    140 rows of 1,433 channels, and then reads 23.1 % at K = 16 and 66.9 % at K = 1024
    from the features :math:`\hat{A}^K X` below.

    It is the one gauge that says whether lost diversity mattered. On Cora's public
    split (140 training rows, test rows) :math:`\hat{A}^K X` reads 45.9, 72.4, 78.0,
    79.7, 79.1, 78.1, 77.4, 73.3, 30.9, 14.3 % at K = 0, 1, 2, 4, 8, 16, 32, 64, 256,
    1024; the majority class alone has 31.9 %. Trap: standardizing turns rare words up,
    so wide raw features read about 10 points below a tuned classifier, and a value at
    or below the largest class means "nothing linear", not "worse than nothing".
    If all rows are equal, the probe says the most frequent training class. NaN when no
    row is left to train or to evaluate on, or when any row of ``x`` is not finite.

    Args:
        x: Node features of one layer.
        y: Class of each node, negative where unknown (left out of both masks).
        train_mask: Rows the probe is fitted on.
        eval_mask: Rows it is judged on.

    Example:
        >>> x = torch.tensor([[1.0], [2.0], [-1.0], [-3.0]])
        >>> y = torch.tensor([1, 1, 0, 0])
        >>> half = torch.tensor([True, False, True, False])
        >>> linear_probe_accuracy(x, y, half, ~half)
        tensor(1., dtype=torch.float64)
    """
    metric = LinearProbeAccuracy(max(1, int(y.max()) + 1 if y.numel() else 1))
    metric = metric.to(x.device)
    metric.update(x, y, train_mask, eval_mask)
    return metric.compute()


class LinearProbeAccuracy(Metric):
    """Streaming :func:`linear_probe_accuracy`; each update is one shard or batch.

    The labeled rows of both masks are kept until :meth:`compute` (``cat`` states, in
    the precision they came in), because the standardization and the probe need all
    rows: memory is (training + evaluation rows) × channels. Nothing else is kept.

    Args:
        num_classes: Number of classes.

    Example:
        >>> metric = LinearProbeAccuracy(num_classes=2)
        >>> x, mask = torch.tensor([[1.0], [-1.0]]), torch.tensor([True, True])
        >>> metric.update(x, torch.tensor([1, 0]), mask, mask)
        >>> metric.compute()
        tensor(1., dtype=torch.float64)
    """

    full_state_update = False
    is_differentiable = False
    higher_is_better = True

    num_rows: Tensor
    total: Tensor
    total_squares: Tensor
    train_x: list[Tensor]
    train_y: list[Tensor]
    eval_x: list[Tensor]
    eval_y: list[Tensor]

    def __init__(self, num_classes: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.num_classes = num_classes
        for name in ("num_rows", "total", "total_squares"):
            self.add_state(name, torch.zeros((), dtype=torch.float64), "sum")
        for name in ("train_x", "train_y", "eval_x", "eval_y"):
            self.add_state(name, [], "cat")

    def update(
        self, x: NodeFeatures, y: Labels, train_mask: Mask, eval_mask: Mask
    ) -> None:
        """Adds the rows of one shard."""
        x = x.detach()
        self.num_rows = self.num_rows + x.size(0)
        for rows in _float64_blocks(x):
            self.total = self.total + rows.sum(0)  # [C]
            self.total_squares = self.total_squares + rows.square().sum(0)
        train, evaluate = train_mask & (y >= 0), eval_mask & (y >= 0)
        self.train_x.append(x[train])
        self.train_y.append(y[train])
        self.eval_x.append(x[evaluate])
        self.eval_y.append(y[evaluate])

    def compute(self) -> Scalar:
        """The accuracy of the probe on all evaluation rows."""
        undefined = self.total.new_full((), float("nan"))
        if len(self.train_x) == 0 or not self.total_squares.isfinite().all():
            return undefined
        x, y = dim_zero_cat(self.train_x), dim_zero_cat(self.train_y)
        eval_x, eval_y = dim_zero_cat(self.eval_x), dim_zero_cat(self.eval_y)
        if len(y) == 0 or len(eval_y) == 0:
            return undefined
        mean, scale = self._standardization(x.dtype)
        weight, bias = _ridge((x - mean) * scale, y, self.num_classes)
        hits = torch.zeros_like(undefined)
        start = 0
        for rows in _float64_blocks(eval_x):
            said = ((rows - mean) * scale @ weight + bias).argmax(1)
            hits = hits + (said == eval_y[start : start + len(said)]).sum()
            start += len(said)
        return hits / len(eval_y)

    def _standardization(self, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Mean and inverse deviation of every column; 0 for a constant column."""
        mean = self.total / self.num_rows
        square = self.total_squares / self.num_rows
        deviation = (square - mean.square()).clamp(min=0).sqrt()
        # Below this the "deviation" of a constant column is rounding, and dividing
        # by it would hand the probe noise with unit variance.
        floor = max(torch.finfo(dtype).eps, _NOISE) * square.sqrt()
        return mean, torch.where(deviation > floor, 1 / deviation, 0)


def _ridge(z: Tensor, y: Tensor, num_classes: int) -> tuple[Tensor, Tensor]:
    """Weight [C, K] and bias [K] of the ridge regression on one-hot labels."""
    center = z.mean(0)
    z = z - center  # [n, C]
    target = one_hot(y, num_classes).to(z.dtype)  # [n, K]
    base_rate = target.mean(0)
    num_rows, channels = z.shape
    penalty = z.square().sum() / num_rows
    if penalty == 0:
        return z.new_zeros(channels, num_classes), base_rate
    if num_rows <= channels:  # dual: a system of n rows, not of C channels
        weight = z.T @ _solve(z @ z.T, penalty, target - base_rate)
    else:
        weight = _solve(z.T @ z, penalty, z.T @ (target - base_rate))
    return weight, base_rate - center @ weight


def _solve(gram: Tensor, penalty: Tensor, target: Tensor) -> Tensor:
    gram.diagonal().add_(penalty)
    return torch.cholesky_solve(target, torch.linalg.cholesky(gram))


def group_distance_ratio(x: NodeFeatures, y: Labels) -> Scalar:
    r"""How much farther apart nodes of different classes are than nodes of one class.

    From the `"Towards Deeper Graph Neural Networks with Differentiable Group
    Normalization" <https://arxiv.org/abs/2006.06972>`_ paper, of which there are three
    incompatible versions. This is the authors' code (squared distances between rows of
    unit length, :math:`\hat{\mathbf{x}}`), without its self pairs and zero rows:

    .. math::
        R = \frac{\frac{2}{C(C-1)} \sum_{a < b} \frac{1}{n_a n_b} \sum_{i \in a,
        j \in b} {\| \hat{\mathbf{x}}_i - \hat{\mathbf{x}}_j \|}^2_2}{\frac{1}{C}
        \sum_{a} \frac{1}{n_a (n_a - 1)} \sum_{i \neq j \in a}
        {\| \hat{\mathbf{x}}_i - \hat{\mathbf{x}}_j \|}^2_2}

    We take it because it reads 1 on noise and because squared distances follow exactly
    from the sum of each class, with no pair ever formed. Measured on noise: this
    1.000, the authors' code 1.003, the paper's formula 1.170, PyG's
    ``DiffGroupNorm.group_distance_ratio`` 0.195. On well-separated classes PyG's even
    falls below 1 (0.43), where the authors' code reads 5.07.

    1 means classes cannot be told apart by direction; larger is better; ``inf`` when
    every class is one direction. Trap: the scale of the differences is gone, so a
    nearly collapsed layer may read high; look at the rank beside it. NaN with fewer
    than two classes, no class of two rows, all rows collinear, or a labeled row that is
    not finite. Zero rows have no direction and are left out.

    Args:
        x: Node features of one layer.
        y: Class of each node, negative where unknown (left out).

    Example:
        >>> x = torch.tensor([[1.0, 0.0], [1.0, 1.0], [-1.0, 0.0], [-1.0, 1.0]])
        >>> group_distance_ratio(x, torch.tensor([0, 0, 1, 1]))
        tensor(5.4749, dtype=torch.float64)
    """
    metric = GroupDistanceRatio(max(1, int(y.max()) + 1 if y.numel() else 1))
    metric = metric.to(x.device)
    metric.update(x, y)
    return metric.compute()


class GroupDistanceRatio(Metric):
    """Streaming :func:`group_distance_ratio`; keeps one sum of rows per class.

    Args:
        num_classes: Number of classes.

    Example:
        >>> metric = GroupDistanceRatio(num_classes=2)
        >>> x = torch.tensor([[1.0, 0.0], [1.0, 1.0]])
        >>> metric.update(x, torch.tensor([0, 0]))
        >>> metric.update(x * torch.tensor([-1.0, 1.0]), torch.tensor([1, 1]))
        >>> metric.compute()
        tensor(5.4749, dtype=torch.float64)
    """

    full_state_update = False
    is_differentiable = False
    higher_is_better = True

    class_sum: Tensor
    class_size: Tensor

    def __init__(self, num_classes: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.num_classes = num_classes
        zeros = torch.zeros(num_classes, 1, dtype=torch.float64)
        self.add_state("class_sum", zeros, "sum")  # [K, C] from the first update on
        self.add_state("class_size", zeros.clone(), "sum")  # [K, 1]

    def update(self, x: NodeFeatures, y: Labels) -> None:
        """Adds the labeled rows of one shard."""
        start = 0
        for rows in _float64_blocks(x.detach()):
            label = y[start : start + len(rows)]
            start += len(rows)
            unit = unit_rows(rows[label >= 0])[0]
            usable = unit.ne(0).any(1)
            member = one_hot(label[label >= 0][usable], self.num_classes).to(unit.dtype)
            self.class_sum = self.class_sum + member.T @ unit[usable]
            self.class_size = self.class_size + member.sum(0).unsqueeze(1)

    def compute(self) -> Scalar:
        """The ratio over all rows seen."""
        size = self.class_size.squeeze(1)  # [K]
        square = self.class_sum.square().sum(1)
        inside = (2 * size.square() - 2 * square) / (size * (size - 1))
        inside = inside[(size > 1) | square.isnan()]
        mean = (self.class_sum / self.class_size)[size > 0]
        between = 2 - 2 * (mean @ mean.T)
        pairs = torch.ones_like(between, dtype=torch.bool).triu(1)
        return _denoise(between[pairs].mean()) / _denoise(inside.mean())


def _denoise(distance: Tensor) -> Tensor:
    # Rounding of float32 rows leaves about 1e-14 of a squared distance between equal
    # directions; 0/0 must stay undefined instead of becoming a ratio of rounding.
    return torch.where(distance.abs() < _NOISE**2, 0.0, distance)


def mean_average_distance_gap(
    x: NodeFeatures, edge_index: EdgeIndex, *, near_hops: int = 3, far_hops: int = 8
) -> Scalar:
    r"""How much less alike remote nodes are than neighbors (MADGap).

    From the `"Measuring and Relieving the Over-smoothing Problem for Graph Neural
    Networks from the Topological View" <https://arxiv.org/abs/1909.03211>`_ paper, with
    :math:`\text{hop}` the distance along edges taken in both directions:

    .. math::
        \text{MADGap} = \text{MAD}(\text{hop} \geq 8) - \text{MAD}(1 \leq \text{hop}
        \leq 3), \qquad \text{MAD}(M) = \operatorname{mean}_i \operatorname{mean}_{j
        \in M(i)} \left( 1 - \cos(\mathbf{x}_i, \mathbf{x}_j) \right)

    Two choices the paper leaves open: remote pairs are in one component, and pairs at
    distance 0 count (the authors' code leaves them out, so a graph in which all but one
    pair had collapsed would read as diverse). The limits 3 and 8 are the paper's.

    In [-2, 2]. Above 0, neighbors are more alike than strangers, as a label-friendly
    layer should be; at or below 0 the difference is gone. Trap: raw cosines, so any
    common offset (a ReLU's) shrinks it, and low is not harmful by itself: compare with
    the linear probe. NaN if no pair of non-zero rows is ``far_hops`` away or none is
    near, or if a row is not finite. Exact up to 4,096 nodes; beyond, 256 source nodes
    are drawn with a fixed seed. Memory is a fixed number of sources × nodes.

    Args:
        x: Node features of one layer.
        edge_index: Edges of the graph; their direction does not matter.
        near_hops: Neighbors are at most so many hops away.
        far_hops: Remote nodes are at least so many hops away.

    Raises:
        InputError: Unless ``1 <= near_hops < far_hops``.

    Example:
        >>> path = torch.stack([torch.arange(9), torch.arange(1, 10)])
        >>> angle = torch.arange(10) / 9 * 3.1416
        >>> x = torch.stack([angle.cos(), angle.sin()], dim=1)
        >>> mean_average_distance_gap(x, path)
        tensor(1.7096, dtype=torch.float64)
    """
    metric = MeanAverageDistanceGap(near_hops=near_hops, far_hops=far_hops)
    metric = metric.to(x.device)
    metric.update(x, edge_index)
    return metric.compute()


class MeanAverageDistanceGap(Metric):
    """Streaming :func:`mean_average_distance_gap`; each update is one whole graph.

    Hops need the graph, so a shard is a graph with no edge to other shards; the result
    is that of all graphs as one.

    Args:
        near_hops: Neighbors are at most so many hops away.
        far_hops: Remote nodes are at least so many hops away.

    Raises:
        InputError: Unless ``1 <= near_hops < far_hops``.

    Example:
        >>> path = torch.stack([torch.arange(9), torch.arange(1, 10)])
        >>> metric = MeanAverageDistanceGap()
        >>> metric.update(torch.ones(10, 1), path)
        >>> metric.compute()
        tensor(0., dtype=torch.float64)
    """

    full_state_update = False
    is_differentiable = False
    higher_is_better = True

    distance: Tensor
    num_nodes: Tensor

    def __init__(self, near_hops: int = 3, far_hops: int = 8, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not 1 <= near_hops < far_hops:
            raise InputError(
                "near_hops, far_hops",
                f"{near_hops} and {far_hops}",
                "give 1 <= near_hops < far_hops",
            )
        self.near_hops, self.far_hops = near_hops, far_hops
        zeros = torch.zeros(2, dtype=torch.float64)  # near, far
        self.add_state("distance", zeros, "sum")
        self.add_state("num_nodes", zeros.clone(), "sum")

    def update(self, x: NodeFeatures, edge_index: EdgeIndex) -> None:
        """Adds one graph."""
        x = x.detach()
        norm = torch.cat([row_norms(rows) for rows in row_blocks(x)])
        usable = norm.ne(0)  # [N]
        adjacency, component = _undirected(edge_index, x.size(0))
        for source in _sources(x.size(0)).to(x.device).split(_width(x.size(0))):
            source = source[usable[source]]
            unit = unit_rows(x[source].double())[0]  # [B, C]
            bands = _hop_bands(
                adjacency, component, source, self.near_hops, self.far_hops
            )
            cosine = _cosines(x, unit)  # [N, B]
            for band, mask in enumerate(bands):
                mask &= usable.unsqueeze(1)  # [N, B]
                heard = mask.any(0)
                mean = (cosine * mask).sum(0) / mask.sum(0)  # [B]
                self.distance[band] += (1 - mean[heard]).sum()
                self.num_nodes[band] += heard.sum()

    def compute(self) -> Scalar:
        """The gap over all graphs seen."""
        near, far = self.distance / self.num_nodes
        gap: Tensor = far - near
        return gap


def _undirected(edge_index: Tensor, num_nodes: int) -> tuple[Tensor, Tensor]:
    """Sparse symmetric adjacency [N, N] and the component of each node [N]."""
    both = torch.cat([edge_index, edge_index.flip(0)], dim=1)
    adjacency = torch.sparse_coo_tensor(
        both,
        torch.ones(both.size(1), device=both.device),
        (num_nodes, num_nodes),
        check_invariants=False,
    ).coalesce()
    row, col = edge_index.cpu().numpy()
    graph = coo_matrix(([True] * len(row), (row, col)), shape=(num_nodes, num_nodes))
    _, component = connected_components(graph, directed=False)
    return adjacency, torch.from_numpy(component).to(edge_index.device)


def _hop_bands(
    adjacency: Tensor, component: Tensor, source: Tensor, near_hops: int, far_hops: int
) -> tuple[Tensor, Tensor]:
    """Which nodes are near, and which far from, each source: two masks [N, B]."""
    column = torch.arange(len(source), device=source.device)
    reached = torch.zeros(len(component), len(source), device=source.device)
    reached[source, column] = 1
    near = reached
    for hop in range(1, far_hops):
        reached = torch.sparse.mm(adjacency, reached).add_(reached).clamp_(max=1)
        near = reached if hop == near_hops else near
    is_near = near.bool()
    is_near[source, column] = False
    together = component.unsqueeze(1) == component[source]
    return is_near, together & ~reached.bool()


def _cosines(x: Tensor, unit: Tensor) -> Tensor:
    """Cosine of each row of ``x`` with each unit row [B, C]: [N, B]."""
    return torch.cat([unit_rows(rows)[0] @ unit.T for rows in _float64_blocks(x)])


def _sources(num_nodes: int) -> Tensor:
    if num_nodes <= _EXACT_NODES:
        return torch.arange(num_nodes)
    generator = torch.Generator().manual_seed(0)
    return torch.randperm(num_nodes, generator=generator)[:_SAMPLED_NODES]


def _width(num_nodes: int) -> int:
    """How many sources at a time keep sources × nodes within the chunk."""
    return max(1, min(512, _PAIRS // max(1, num_nodes)))


def _float64_blocks(x: Tensor) -> Iterator[Tensor]:
    """Consecutive blocks of rows in float64, so that no copy of ``x`` is made."""
    return (rows.double() for rows in row_blocks(x))
