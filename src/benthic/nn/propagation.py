"""Cached sparse propagation: the fast path of message passing."""

from __future__ import annotations

import functools
import inspect
import threading
import warnings
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import torch
from scipy.sparse import coo_array, csr_array
from torch import Tensor

from benthic.errors import InputError
from benthic.nn.torch_func import (
    is_batched_gradient,
    is_recorded,
    is_wrapped,
    outside_transforms,
)

__all__ = [
    "Adjacency",
    "GraphCache",
    "check_edges",
    "compressed",
    "has_product",
    "joins_rows",
    "propagate",
]


class Adjacency:
    r"""A graph as the sparse matrix that a layer multiplies with.

    .. math:: A_{ij} = \sum_{e:\, j \to i} w_e

    in compressed rows (CSR), so that summing messages reads each row of states once
    per edge and stores no message. Duplicate edges add up. The transposed matrix, which
    the gradient needs, is built when it is first asked for.

    Args:
        edge_index: Edges from source to target, ``[2, E]``.
        edge_weight: Weight of each edge, ``[E]``.
        size: Numbers of targets and of sources.

    Raises:
        InputError: If an edge comes from, or goes to, a node that is not there.

    Example:
        >>> edge_index = torch.tensor([[0, 1], [1, 2]])
        >>> Adjacency(edge_index, torch.ones(2), (3, 3)).matrix.to_dense()
        tensor([[0., 0., 0.],
                [1., 0., 0.],
                [0., 1., 0.]])
    """

    def __init__(
        self, edge_index: Tensor, edge_weight: Tensor, size: tuple[int, int]
    ) -> None:
        check_edges(edge_index, size)
        self.matrix = _compress(edge_index.flip(0), edge_weight.detach(), size)

    @functools.cached_property
    @outside_transforms()
    @torch.inference_mode(False)  # it stays for passes that train
    def transposed(self) -> Tensor:
        """The matrix with sources as rows, compressed in its turn."""
        matrix = self.matrix
        if matrix.device.type == "cpu":
            parts = matrix.values(), matrix.col_indices(), matrix.crow_indices()
            rows = csr_array(tuple(part.numpy() for part in parts), shape=matrix.shape)
            return _from_scipy(rows.T.tocsr())
        entries = matrix.to_sparse_coo()
        return _compress(
            entries.indices().flip(0), entries.values(), matrix.shape[::-1]
        )


def joins_rows(edge_index: Tensor, size: tuple[int, int]) -> bool:
    """Whether all edges join nodes that are there: torch's products do not look.

    Args:
        edge_index: Edges from source to target, ``[2, E]``.
        size: Numbers of targets and of sources.

    Example:
        >>> joins_rows(torch.tensor([[0, 3], [1, 2]]), size=(3, 4))
        True
        >>> joins_rows(torch.tensor([[0, 3], [1, 2]]), size=(4, 3))
        False
    """
    ends = edge_index.new_tensor(size).flip(0).unsqueeze(1)  # [2, 1]
    return bool(((edge_index >= 0) & (edge_index < ends)).all())


def check_edges(edge_index: Tensor, size: tuple[int, int]) -> None:
    """Refuses edges of nodes that are not there.

    Args:
        edge_index: Edges from source to target, ``[2, E]``.
        size: Numbers of targets and of sources.

    Raises:
        InputError: If there are such edges.

    Example:
        >>> check_edges(torch.tensor([[0, 3], [1, 2]]), size=(3, 4))
    """
    if not joins_rows(edge_index, size):
        targets, sources = size
        raise InputError(
            "edge_index",
            f"nodes other than {sources} sources and {targets} targets",
            "number the nodes of each side from 0",
        )


def _compress(index: Tensor, value: Tensor, size: Sequence[int]) -> Tensor:
    # Torch sorts, which takes up to 40 times as long as SciPy's counting.
    by = _by_scipy if index.device.type == "cpu" else _by_torch
    return by(index, value, size)


def _by_scipy(index: Tensor, value: Tensor, size: Sequence[int]) -> Tensor:
    num_rows, num_columns = size
    entries = value.numpy(), tuple(index.numpy())
    return _from_scipy(coo_array(entries, shape=(num_rows, num_columns)).tocsr())


def _by_torch(index: Tensor, value: Tensor, size: Sequence[int]) -> Tensor:
    num_rows, num_columns = size
    shape = (num_rows, num_columns)
    entries = torch.sparse_coo_tensor(index, value, shape, check_invariants=False)
    rows = entries.coalesce().to_sparse_csr()
    # The product's own index type: others are converted at every call.
    crow, column = rows.crow_indices().int(), rows.col_indices().int()
    return compressed(crow, column, rows.values(), shape)


def _from_scipy(rows: Any) -> Tensor:
    crow, column = (
        torch.from_numpy(part).int() for part in (rows.indptr, rows.indices)
    )
    return compressed(crow, column, torch.from_numpy(rows.data), rows.shape)


with warnings.catch_warnings():  # torch says once a process that these are in beta
    warnings.simplefilter("ignore")
    torch.sparse_csr_tensor([0, 1], [0], [1.0], (1, 1), check_invariants=False)


def compressed(
    crow: Tensor, column: Tensor, value: Tensor, size: tuple[int, int]
) -> Tensor:
    """A matrix in compressed rows, whose parts are not looked at.

    Args:
        crow: Where each row begins among the entries, ``[rows + 1]``.
        column: Column of each entry, ``[E]``.
        value: Each entry, ``[E]``.
        size: Rows and columns.

    Example:
        >>> rows, columns = torch.tensor([0, 1, 2]), torch.tensor([1, 0])
        >>> compressed(rows, columns, torch.ones(2), (2, 2)).to_dense()
        tensor([[0., 1.],
                [1., 0.]])
    """
    return torch.sparse_csr_tensor(crow, column, value, size, check_invariants=False)


def has_product(x: Tensor) -> bool:
    """Whether torch multiplies a sparse matrix with numbers of this kind.

    It does so on a CPU and on CUDA, and on a CPU in single and double precision only;
    under autocast they may be cast to another, and no product is written down by what
    compiles or traces.

    Args:
        x: Any tensor.

    Example:
        >>> has_product(torch.ones(2, 2)), has_product(torch.ones(2, 2).half())
        (True, False)
    """
    device = x.device.type
    fits = device in ("cpu", "cuda") and x.dtype in (torch.float32, torch.float64)
    return fits and not torch.is_autocast_enabled(device) and not is_recorded(x)


def propagate(adjacency: Adjacency, x: Tensor) -> Tensor:
    r"""Sums over incoming edges: :math:`A x`.

    The gradient is :math:`A^\top g`, and nothing is stored for it but the graph. Under
    ``torch.func.vmap`` the members of a batch share it; a few channels become columns
    of one product.

    Args:
        adjacency: The graph, for ``S`` sources and ``N`` targets.
        x: States of the sources, ``[S, C]``.

    Returns:
        Sums at the targets, ``[N, C]``.

    Example:
        >>> edge_index = torch.tensor([[0, 1], [1, 2]])
        >>> graph = Adjacency(edge_index, torch.ones(2), (3, 3))
        >>> propagate(graph, torch.eye(3))[2]
        tensor([0., 1., 0.])
    """
    out: Tensor = _Propagate.apply(x, adjacency, False)
    return out


class _Propagate(torch.autograd.Function):
    @staticmethod
    def forward(x: Tensor, adjacency: Adjacency, backward: bool) -> Tensor:
        matrix = adjacency.transposed if backward else adjacency.matrix
        if is_batched_gradient(x):
            return matrix @ x
        out = x.new_empty(matrix.size(0), x.size(1))
        return torch.addmm(out, matrix, x.contiguous(), beta=0, out=out)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        _, ctx.adjacency, ctx.backward_pass = inputs

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        return _Propagate.apply(grad, ctx.adjacency, not ctx.backward_pass), None, None

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, *_: Any) -> Tensor:
        out: Tensor = _Propagate.apply(tangent, ctx.adjacency, ctx.backward_pass)
        return out

    @staticmethod
    def vmap(
        info: Any,
        in_dims: tuple[int | None, ...],
        x: Tensor,
        adjacency: Adjacency,
        backward: bool,
    ) -> tuple[Tensor, int]:
        x = x.movedim(in_dims[0] or 0, 0)  # [B, S, C]
        if x.size(2) >= _WIDE:
            members = [_Propagate.apply(part, adjacency, backward) for part in x]
            return torch.stack(members), 0
        columns = x.movedim(0, 1)  # [S, B, C]
        out = _Propagate.apply(columns.flatten(1), adjacency, backward)
        return out.unflatten(1, columns.shape[1:]), 1


# autograd asks for it at every call, which takes a third of the call to work out.
_Propagate.forward.__signature__ = (  # type: ignore[attr-defined]
    inspect.signature(_Propagate.forward)
)

# Channels that fill a cache line. Fewer are read faster beside those of other members.
_WIDE = 16


class GraphCache:
    """Keeps what was computed from the last few graphs, for as long as they live.

    A graph is known by its tensors: the same ``edge_index`` object, not written to
    since. So the layers of a stack, and the epochs of a training run, share one
    normalization and one sparse matrix. Nothing here keeps a graph alive.

    The trap is a write that torch does not count: through ``tensor.data``, or through
    the NumPy array that shares the memory. It is not seen, since seeing it would take a
    copy of the graph and a look at all of it in every layer. Write to the tensor
    itself, as in ``edge_weight.mul_(2)``, or make a new one. Of tensors that were made
    under ``torch.inference_mode`` torch counts no writes at all: nothing is kept.

    Args:
        capacity: Graphs (and flavors of them) to remember.

    Example:
        >>> cache, edge_index = GraphCache(), torch.tensor([[0, 1], [1, 0]])
        >>> cache.get(edge_index, None, "edges", lambda: edge_index.size(1))
        2
        >>> cache.get(edge_index, None, "edges", lambda: 1 / 0)
        2
    """

    def __init__(self, capacity: int = 8) -> None:
        self.capacity = capacity
        self.lock = threading.RLock()  # models are served by several threads
        self._entries: dict[tuple[Any, ...], tuple[tuple[Any, ...], Any]] = {}

    def get(
        self,
        edge_index: Tensor,
        edge_weight: Tensor | None,
        flavor: Any,
        make: Callable[[], Any],
    ) -> Any:
        """What ``make`` returned for this graph and flavor, made once, as a constant.

        Args:
            edge_index: Identity of the graph.
            edge_weight: Its weights, where there are any.
            flavor: What is made of it; hashable.
            make: Makes it.
        """
        tensors = [t for t in (edge_index, edge_weight) if t is not None]
        if any(t.is_inference() or is_wrapped(t) for t in tensors):
            return make()
        key = (*((id(t), t._version) for t in tensors), flavor)
        with self.lock:
            references, made = self._entries.pop(key, ((), None))
            if not references or any(
                reference() is not tensor
                for reference, tensor in zip(references, tensors, strict=True)
            ):
                # It outlives an inference pass, whose tensors no training may meet.
                with outside_transforms(), torch.inference_mode(False), torch.no_grad():
                    made = make()
                references = tuple(weakref.ref(t, self._forget(key)) for t in tensors)
            self._entries[key] = (references, made)
            if len(self._entries) > self.capacity:
                del self._entries[next(iter(self._entries))]
        return made

    def _forget(self, key: tuple[Any, ...]) -> Callable[[Any], None]:
        entries = weakref.ref(self)

        def forget(_: Any) -> None:
            cache = entries()
            if cache is not None:
                cache._entries.pop(key, None)

        return forget

    def __deepcopy__(self, memo: dict[int, Any]) -> GraphCache:
        memo[id(self)] = copy = GraphCache(self.capacity)
        return copy

    def __reduce__(self) -> tuple[type[GraphCache], tuple[int]]:
        return GraphCache, (self.capacity,)
