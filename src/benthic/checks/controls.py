"""Control experiments: forward and backward passes on copies, no retraining."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch_geometric.data import Data, HeteroData
from torch_geometric.utils import is_sparse

from benthic.checks.passes import failure, forked_randomness
from benthic.errors import ModelError

_DROPOUTS = (
    F.dropout,
    F.dropout1d,
    F.dropout2d,
    F.dropout3d,
    F.alpha_dropout,
    F.feature_alpha_dropout,
    torch.dropout,
)
_ACTIVATIONS = (
    F.relu,
    F.relu6,
    F.leaky_relu,
    F.elu,
    F.selu,
    F.celu,
    F.gelu,
    F.silu,
    F.mish,
    F.prelu,
    F.softplus,
    F.tanh,
    F.sigmoid,
    torch.relu,
    torch.tanh,
    torch.sigmoid,
    Tensor.relu,
    Tensor.tanh,
    Tensor.sigmoid,
)


class _Skipping(TorchFunctionMode):
    """Turns functions into the identity of their first argument."""

    def __init__(self, functions: tuple[Callable[..., Any], ...]) -> None:
        super().__init__()
        self._functions = set(functions)

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Runs every other function."""
        if func in self._functions:
            return args[0] if args else (kwargs or {})["input"]
        return func(*args, **(kwargs or {}))


def without_dropout() -> TorchFunctionMode:
    """Inside, no unit is dropped, also in training mode.

    Example:
        >>> with without_dropout():
        ...     bool((F.dropout(torch.ones(9), 0.9, training=True) == 1).all())
        True
    """
    return _Skipping(_DROPOUTS)


def without_activations() -> TorchFunctionMode:
    """Inside, activations are the identity: the same depth, all linear.

    Example:
        >>> with without_activations():
        ...     F.relu(torch.tensor([-1.0]))
        tensor([-1.])
    """
    return _Skipping(_ACTIVATIONS)


def isolated_copy(model: nn.Module) -> nn.Module:
    """A copy that shares nothing and forgets the graph its layers may have cached.

    Layers with ``cached=True`` cache the first graph they see anew: a copy is for one
    graph.

    Args:
        model: Any module.

    Raises:
        ModelError: If it cannot be copied.

    Example:
        >>> from torch_geometric.nn import GCNConv
        >>> isolated_copy(GCNConv(2, 2, cached=True))._cached_edge_index is None
        True
    """
    # A forward pass may have left states in an attribute, which deepcopy refuses.
    left = [v for module in model.modules() for v in _tensors(vars(module).values())]
    memo: dict[int, Any] = {id(v): v.detach().clone() for v in left if not v.is_leaf}
    try:
        twin = copy.deepcopy(model, memo)
    except Exception as error:
        raise ModelError(f"{failure(model, error)} (copying it)") from error
    for module in twin.modules():
        for name in ("_cached_edge_index", "_cached_adj_t", "_cached_x", "_cached_h"):
            if getattr(module, name, None) is not None:
                setattr(module, name, None)
    return twin


def _tensors(values: Iterable[Any]) -> Iterator[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, list | tuple):
            yield from _tensors(value)
        elif type(value) is dict:
            yield from _tensors(value.values())


def fresh_copy(model: nn.Module, seed: int) -> tuple[nn.Module, tuple[str, ...]]:
    """A copy with new initial weights, and the parameters that could not be reset.

    Args:
        model: Any module.
        seed: Seeds the new weights; the caller's random state stays.

    Example:
        >>> twin, kept = fresh_copy(nn.Linear(2, 2), seed=0)
        >>> kept
        ()
    """
    twin = isolated_copy(model)
    reset: set[int] = set()
    with forked_randomness(model, seed):
        # Parts before the whole, which may start them in a way of its own.
        for module in reversed(list(twin.modules())):
            if callable(getattr(module, "reset_parameters", None)):
                module.reset_parameters()  # type: ignore[operator]
                reset.update(map(id, module.parameters()))
    kept = [name for name, p in twin.named_parameters() if id(p) not in reset]
    return twin, tuple(kept)


def without_edges(data: Any) -> Any:
    """The same nodes and no edges: the model's own weights as an MLP.

    Args:
        data: A graph, a batch, or a tuple or mapping of inputs; left as it is.

    Example:
        >>> graph = Data(x=torch.ones(2, 1), edge_index=torch.tensor([[0], [1]]))
        >>> without_edges(graph).num_edges, graph.num_edges
        (0, 1)
    """
    if isinstance(data, HeteroData):
        bare = copy.copy(data)
        for store in bare.edge_stores:
            _empty_edges(store)
        return bare
    if isinstance(data, Data):
        bare = copy.copy(data)
        _empty_edges(bare._store)
        return bare
    if isinstance(data, tuple):
        return tuple(_without_edge_rows(value) for value in data)
    if isinstance(data, dict):
        return {key: _without_edge_rows(value) for key, value in data.items()}
    return data


def _empty_edges(store: Any) -> None:
    names = [name for name in store.keys() if store.is_edge_attr(name)]
    for name in {*names, *({"edge_index", "adj_t"} & set(store.keys()))}:
        value = store[name]
        if torch.is_tensor(value) and not is_sparse(value):
            dim = 1 if name == "edge_index" else 0
            store[name] = value.narrow(dim, 0, 0)
        elif torch.is_tensor(value):
            store[name] = _empty_sparse(value)


def _without_edge_rows(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_edge_rows(item) for key, item in value.items()}
    if not torch.is_tensor(value):
        return value
    if is_sparse(value):
        return _empty_sparse(value)
    is_edges = value.dtype == torch.int64 and value.dim() == 2 and value.size(0) == 2
    return value.narrow(1, 0, 0) if is_edges else value


def _empty_sparse(matrix: Tensor) -> Tensor:
    empty = torch.sparse_coo_tensor(
        torch.empty(2, 0, dtype=torch.int64, device=matrix.device),
        torch.empty(0, dtype=matrix.dtype, device=matrix.device),
        matrix.shape,
        is_coalesced=True,
        check_invariants=False,
    )
    return empty.to_sparse_csr() if matrix.layout == torch.sparse_csr else empty


@contextmanager
def silenced(modules: Sequence[nn.Module]) -> Iterator[None]:
    """Inside, these modules answer zero, so that only skips carry the states on.

    Args:
        modules: Modules that return one tensor.

    Example:
        >>> layer = nn.Linear(2, 2)
        >>> with silenced([layer]):
        ...     layer(torch.ones(1, 2))
        tensor([[0., 0.]])
    """
    handles = [
        module.register_forward_hook(
            lambda _m, _i, out: _zero(out),
            prepend=True,  # before what a treatment adds
        )
        for module in modules
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _zero(out: Any) -> Any:
    # Not out * 0.0: infinity would become NaN.
    return torch.zeros_like(out) if torch.is_tensor(out) else out
