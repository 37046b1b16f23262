"""How large the first weights of a deep network are."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch_geometric.nn import MessagePassing

from benthic.errors import InputError

__all__ = ["scale_initial_weights"]


def scale_initial_weights(model: nn.Module, gain: float = math.sqrt(2)) -> nn.Module:
    r"""Multiplies the weight matrices of the message-passing layers, in place.

    From the `"Delving Deep into Rectifiers" <https://arxiv.org/abs/1502.01852>`_ paper:
    a ReLU halves the second moment of what passes, so that weights drawn for no
    activation (Glorot's, PyG's default) let a signal shrink by :math:`2^{-L/2}` over
    :math:`L` layers. The remedy is the gain

    .. math:: W \leftarrow g\, W, \qquad g = \sqrt{2}

    before training. The trap: averaging over neighbors shrinks the signal as well,
    by an amount that depends on the graph, so that no one gain is right; a norm
    or a skip mends what this only moves.

    Args:
        model: An untrained model.
        gain: :math:`g`, above 0.

    Returns:
        The model itself.

    Raises:
        InputError: If ``gain`` is not above 0, or the model has no such layer.

    Example:
        >>> from torch_geometric.nn import GCNConv
        >>> conv = GCNConv(4, 4)
        >>> before = conv.lin.weight.norm()
        >>> torch.allclose(
        ...     scale_initial_weights(conv, 2.0).lin.weight.norm(), 2 * before
        ... )
        True
    """
    if not gain > 0:
        raise InputError("gain", str(gain), "give a factor above 0")
    weights = {
        id(weight): weight
        for layer in model.modules()
        if isinstance(layer, MessagePassing)
        for weight in layer.parameters()
        if weight.dim() == 2
    }
    if not weights:
        raise InputError(
            "model", "no message-passing layer with weights", "give a graph network"
        )
    with torch.no_grad():
        for weight in weights.values():
            weight.mul_(gain)
    return model
