"""What the last hidden layer of a trained network looks like."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn
from torch_geometric.data import Data

from benthic.errors import InputError
from benthic.forward import call_model
from benthic.supervision import Supervision
from benthic.trace import LayerReading, Trace, find_layers

_OF_STATES = ("effective_rank", "dead_fraction", "mean_cosine", "rayleigh_quotient")
GAUGES = (*_OF_STATES, "gradient_ratio")
"""Fields of a reading, and how the first layer's gradient compares with the last's."""


def read_hidden_layer(
    model: nn.Module, data: Data, num_classes: int
) -> dict[str, float | None]:
    r"""Gauges of the last layer before the logits, in evaluation mode.

    ``gradient_ratio`` is :math:`\| \nabla_{W_1} \| / \| \nabla_{W_L} \|`, the norm of
    the training loss's gradient by the parameters of the first message-passing layer
    over that of the last; far below 1, the first layers are not trained. A gauge
    without a value is None: a dead layer has no direction, so no cosine.

    Args:
        model: A trained network; its gradients are overwritten.
        data: The graph that it was trained on.
        num_classes: Columns of the logits.

    Example:
        >>> from torch_geometric.nn import GCN
        >>> edge_index = torch.tensor([[0, 1, 2], [1, 2, 0]])
        >>> graph = Data(x=torch.eye(3), edge_index=edge_index, y=torch.arange(3))
        >>> model = GCN(3, 8, num_layers=3, out_channels=3)
        >>> sorted(read_hidden_layer(model, graph, 3)) == sorted(GAUGES)
        True
    """
    try:
        readings = _readings(model, data)
    except InputError:  # a model without message passing
        return dict.fromkeys(GAUGES)
    layer = _last_hidden(readings, num_classes)
    values: dict[str, float | None] = {
        name: getattr(layer, name, None) for name in _OF_STATES
    }
    return {**values, "gradient_ratio": _ratio(readings[0], readings[-1])}


def _readings(model: nn.Module, data: Data) -> Sequence[LayerReading]:
    names = [layer.name for layer in find_layers(model)]
    ends = list(dict.fromkeys([*names[:1], *names[-2:]]))
    trace = Trace(model, layers=ends, gauges=_OF_STATES)
    supervision = Supervision.of(data)
    model.eval()
    with trace:
        output = call_model(model, data)
        if supervision is not None:
            supervision.loss(output).backward()
    model.zero_grad(set_to_none=True)
    if not trace.layers:
        raise InputError("model", "no layer that ran", "give one with layers")
    return list(trace.layers)


def _last_hidden(
    readings: Sequence[LayerReading], num_classes: int
) -> LayerReading | None:
    """The last reading that is not of the logits."""
    hidden = [reading for reading in readings if reading.channels != num_classes]
    if hidden:
        return hidden[-1]
    return readings[-2] if len(readings) > 1 else None


def _ratio(first: LayerReading, last: LayerReading) -> float | None:
    if first.gradient_norm is None or not last.gradient_norm:
        return None
    return first.gradient_norm / last.gradient_norm
