"""Runs a model and leaves it, and the caller's randomness, as they were found."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch_geometric.data import Data, HeteroData


@contextmanager
def left_as_found(model: nn.Module) -> Iterator[None]:
    """Evaluation mode in the block; afterwards every module is what it was.

    Besides the training flags this restores buffers and whatever ``forward`` stored on
    a module (``GCNConv(cached=True)`` keeps the normalized graph).

    Args:
        model: Any module.

    Example:
        >>> model = nn.Dropout()
        >>> with left_as_found(model):
        ...     model.training
        False
        >>> model.training
        True
    """
    modules = list(model.modules())
    training = [module.training for module in modules]
    before = [
        (
            dict(vars(m)),
            dict(m._buffers),
            {k: _cloned(b) for k, b in m._buffers.items()},
        )
        for m in modules
    ]
    try:
        model.eval()
        yield
    finally:
        for module, (attributes, buffers, values) in zip(modules, before, strict=True):
            vars(module).clear()
            vars(module).update(attributes)
            module._buffers.clear()
            module._buffers.update(buffers)
            _write_back(buffers, values)
        for module, flag in zip(modules, training, strict=True):
            module.training = flag  # a scripted module keeps it elsewhere


@contextmanager
def own_randomness(data: Data | HeteroData, seed: int) -> Iterator[None]:
    """Gradients on, and random numbers from ``seed``, in the block only.

    Args:
        data: What the model will read; on a GPU, its random numbers too are kept.
        seed: Of the numbers drawn in the block.

    Example:
        >>> before = torch.get_rng_state()
        >>> with own_randomness(Data(x=torch.ones(1, 1)), seed=0):
        ...     _ = torch.rand(3)
        >>> torch.equal(torch.get_rng_state(), before)
        True
    """
    devices = list(range(torch.cuda.device_count())) if data.is_cuda else []
    with (
        torch.random.fork_rng(devices),
        torch.inference_mode(False),
        torch.enable_grad(),
        # cuDNN's recurrent networks refuse a backward pass in evaluation mode.
        torch.backends.cudnn.flags(enabled=False),
    ):
        # torch.manual_seed would also seed the devices that are not forked here.
        torch.default_generator.manual_seed(seed)
        if devices:
            torch.cuda.manual_seed_all(seed)
        yield


def _cloned(buffer: Tensor | None) -> Tensor | None:
    return None if buffer is None else buffer.detach().clone()


def _write_back(
    buffers: dict[str, Tensor | None], values: dict[str, Tensor | None]
) -> None:
    for name, buffer in buffers.items():
        value = values[name]
        if buffer is not None and value is not None and not torch.equal(buffer, value):
            with torch.no_grad():
                buffer.copy_(value)
