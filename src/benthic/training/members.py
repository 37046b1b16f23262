"""What one pass trains: a model alone, or several of one make, stacked."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap
from torch_geometric.data import Data, HeteroData

from benthic.forward import Forward, call_model
from benthic.nn.drop import EdgeDrop

# Stacked states of larger graphs outgrow a processor's cache: ten members together take
# up to 1.4 times as long as one after the other (``benchmarks/propagation.py``).
MOST_STACKED_NODES = 1_000

Output = Any


class Alone:
    """One model: its parameters, its outputs, its best state.

    Args:
        model: Trained in place.
        data: The graph.
        forward: How to call the model on it.

    Example:
        >>> from torch_geometric.nn import GCN
        >>> graph = Data(x=torch.eye(2), edge_index=torch.tensor([[0, 1], [1, 0]]))
        >>> alone = Alone(GCN(2, 8, 1, 3), graph)
        >>> [output.shape for output in alone.outputs(training=False)]
        [torch.Size([2, 3])]
    """

    def __init__(
        self,
        model: nn.Module,
        data: Data | HeteroData,
        forward: Forward = call_model,
    ) -> None:
        self.model, self.data, self.forward = model, data, forward
        self.best: list[dict[str, Tensor] | None] = [None]

    def __len__(self) -> int:
        return 1

    def parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """What the optimizer is given, by name."""
        return self.model.named_parameters()

    def outputs(self, *, training: bool) -> list[Output]:
        """One pass, in training or evaluation mode: an output for each member."""
        self.model.train(training)
        return [self.forward(self.model, self.data)]

    def keep(self, index: int) -> None:
        """Remembers the state of a member as its best."""
        self.best[index] = copy.deepcopy(self.model.state_dict())

    def finish(self) -> None:
        """Leaves in each model the state that was kept, in evaluation mode."""
        for best in self.best:
            if best is not None:
                self.model.load_state_dict(best)
        self.model.eval()


class _Call(nn.Module):
    """A model on its graph, as a module without arguments."""

    def __init__(
        self, model: nn.Module, data: Data | HeteroData, call: Forward
    ) -> None:
        super().__init__()
        self.model, self.data, self.call = model, data, call

    def forward(self) -> Output:
        return self.call(self.model, self.data)


class Together:
    """Models of one make, stacked, that share what a step costs beside arithmetic.

    Args:
        models: Given the states that were kept by :meth:`finish`, not before.
        data: The graph.
        forward: How to call a model on it.

    Example:
        >>> from torch_geometric.nn import GCN
        >>> graph = Data(x=torch.eye(2), edge_index=torch.tensor([[0, 1], [1, 0]]))
        >>> both = Together([GCN(2, 8, 1, 3), GCN(2, 8, 1, 3)], graph)
        >>> [output.shape for output in both.outputs(training=False)]
        [torch.Size([2, 3]), torch.Size([2, 3])]
    """

    def __init__(
        self,
        models: Sequence[nn.Module],
        data: Data | HeteroData,
        forward: Forward = call_model,
    ) -> None:
        self.models = models
        self.call = _Call(copy.deepcopy(models[0]), data, forward)
        calls = [_Call(model, data, forward) for model in models]
        parameters, self.buffers = stack_module_state(calls)
        self.stacked = {
            name: nn.Parameter(value.detach(), requires_grad=value.requires_grad)
            for name, value in parameters.items()
        }
        self.best = [self._state(index) for index in range(len(models))]

    def __len__(self) -> int:
        return len(self.models)

    def parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """What the optimizer is given, by the names that one model has for it."""
        return ((name.removeprefix("model."), p) for name, p in self.stacked.items())

    def outputs(self, *, training: bool) -> list[Output]:
        """One pass, in training or evaluation mode: an output for each member."""
        self.call.train(training)

        def one(parameters: Any, buffers: Any) -> Output:
            return functional_call(self.call, (parameters, buffers), ())

        output = vmap(one, randomness="different")(self.stacked, self.buffers)
        return [_member(output, index) for index in range(len(self))]

    def keep(self, index: int) -> None:
        """Remembers the state of a member as its best."""
        self.best[index] = self._state(index)

    def _state(self, index: int) -> dict[str, Tensor]:
        both = itertools.chain(self.stacked.items(), self.buffers.items())
        return {name: value[index].detach().clone() for name, value in both}

    def finish(self) -> None:
        """Leaves in each model the state that was kept, in evaluation mode."""
        for model, best in zip(self.models, self.best, strict=True):
            state = {name.removeprefix("model."): best[name] for name in best}
            model.load_state_dict(state, strict=False)
            model.eval()


def _member(output: Output, index: int) -> Output:
    if isinstance(output, Tensor):
        return output[index]
    if isinstance(output, dict):
        return {key: _member(value, index) for key, value in output.items()}
    return type(output)(_member(value, index) for value in output)


def can_be_stacked(
    models: Sequence[nn.Module],
    data: Data | HeteroData,
    forward: Forward = call_model,
) -> bool:
    """Whether one stacked pass goes through and pays; the attempt changes nothing.

    Args:
        models: Of one make.
        data: The graph.
        forward: How to call a model on it.

    Example:
        >>> from torch_geometric.nn import GCN
        >>> graph = Data(x=torch.eye(2), edge_index=torch.tensor([[0, 1], [1, 0]]))
        >>> can_be_stacked([GCN(2, 8, 1, 3), GCN(2, 8, 1, 3)], graph)
        True
        >>> graph.num_nodes = MOST_STACKED_NODES + 1
        >>> can_be_stacked([GCN(2, 8, 1, 3), GCN(2, 8, 1, 3)], graph)
        False
    """
    if (data.num_nodes or 0) > MOST_STACKED_NODES:
        return False
    if any(isinstance(part, EdgeDrop) for part in models[0].modules()):
        return False  # another graph for every copy: there is nothing to share
    try:
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            Together(models[:2], data, forward).outputs(training=True)
    except RuntimeError:  # an operation without a batching rule
        return False
    return True
