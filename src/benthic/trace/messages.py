"""How alike the messages of different relations are."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import torch
import torch.nn.functional as F
from torch import Tensor

from benthic.trace.layers import Layer
from benthic.trace.reading import RelationReading


class Messages:
    """Compares what the relations of one layer send to the same node type.

    The messages of one layer are held until it ends, then reduced to sums.
    """

    def __init__(self) -> None:
        self._sent: dict[str, dict[str, Tensor]] = {}
        self._sums: dict[tuple[int, str, str, str], tuple[float, int]] = {}

    def send(self, relation: str, target: str, x: Tensor) -> None:
        """Keeps the messages of one relation until its layer ends.

        Args:
            relation: The relation.
            target: The node type that receives them.
            x: One message per target node, ``[N, C]``.
        """
        self._sent.setdefault(target, {})[relation] = x.detach()

    def drop(self) -> None:
        """Lets go of messages that were not compared."""
        self._sent = {}

    def compare(self, layer: int) -> None:
        """Ends a layer: adds up cosines between its relations, lets messages go.

        Args:
            layer: Position of the layer.
        """
        sent, self._sent = self._sent, {}
        for target, by_relation in sent.items():
            for (a, x), (b, y) in combinations(by_relation.items(), 2):
                if x.shape != y.shape:
                    continue
                heard = (x.norm(dim=-1) > 0) & (y.norm(dim=-1) > 0)
                cosine = F.cosine_similarity(x[heard], y[heard], dim=-1)
                total, count = self._sums.get((layer, target, a, b), (0.0, 0))
                self._sums[layer, target, a, b] = (
                    total + float(cosine.sum(dtype=torch.float64)),
                    count + int(heard.sum()),
                )

    def readings(self, layers: Sequence[Layer]) -> list[RelationReading]:
        """Mean cosine of each two relations, layer by layer.

        Args:
            layers: The traced layers.
        """
        return [
            RelationReading(
                layers[layer].name, target, (a, b), total / count if count else None
            )
            for (layer, target, a, b), (total, count) in self._sums.items()
        ]
