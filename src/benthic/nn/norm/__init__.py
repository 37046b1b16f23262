r"""Normalization of node states: what PyG has by its own name, and what PyG lacks.

All map ``[N, C]`` to ``[N, C]`` and are made for a width by :func:`make_norm`.

=========================== ==========================================================
``BatchNorm``               per channel, over all nodes of the batch
``InstanceNorm``            per channel, over the nodes of each graph
``LayerNorm``               over a whole graph; ``mode="node"`` over each row, which is
                            what most papers on depth mean by LayerNorm
``GraphNorm``               as ``InstanceNorm``, with a learned share of the mean
``GraphSizeNorm``           by the square root of the number of nodes
``MeanSubtractionNorm``     "MeanNorm": rows less their mean
``PairNorm``                rows less their mean, at a constant mean squared norm;
                            ``scale_individually=True`` is PairNorm-SI
``DiffGroupNorm``           "DGN", "GroupNorm": batch norm in learned soft groups
=========================== ==========================================================

PyG's ``MessageNorm`` is none of them (it normalizes messages next to a state), and
``HeteroBatchNorm`` and ``HeteroLayerNorm`` ask for a type of each node.
"""

from torch_geometric.nn import (
    BatchNorm,
    DiffGroupNorm,
    GraphNorm,
    GraphSizeNorm,
    InstanceNorm,
    LayerNorm,
    MeanSubtractionNorm,
    PairNorm,
)

from benthic.nn.norm.contra_norm import ContraNorm
from benthic.nn.norm.graph_normv2 import GraphNormv2, dominant_basis
from benthic.nn.norm.making import make_norm
from benthic.nn.norm.node_norm import NodeNorm

__all__ = [
    "BatchNorm",
    "ContraNorm",
    "DiffGroupNorm",
    "GraphNorm",
    "GraphNormv2",
    "GraphSizeNorm",
    "InstanceNorm",
    "LayerNorm",
    "MeanSubtractionNorm",
    "NodeNorm",
    "PairNorm",
    "dominant_basis",
    "make_norm",
]
