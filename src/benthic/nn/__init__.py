"""Parts that resist smoothing."""

from torch_geometric.nn import AntiSymmetricConv, GCN2Conv

from benthic.nn.acceleration import accelerate
from benthic.nn.deep_gcn import DeepGCN
from benthic.nn.deep_gnn import DeepGNN
from benthic.nn.drop import (
    DropEdge,
    DropMessage,
    DropNode,
    DropPath,
    EdgeDrop,
    SkipNode,
)
from benthic.nn.dropout import FastDropout
from benthic.nn.encoding import (
    AddLaplacianEigenvectorPE,
    AddRandomWalkPE,
    DegreeEncoding,
    Encoding,
    EncodingSum,
    LaplacianEncoding,
    RandomWalkEncoding,
    return_probabilities,
)
from benthic.nn.gpr import APPNP, GeneralizedPageRank
from benthic.nn.graph_transformer import (
    GlobalAttention,
    GraphTransformer,
    GraphTransformerLayer,
    performer,
)
from benthic.nn.identity_map import IdentityMap
from benthic.nn.initialization import scale_initial_weights
from benthic.nn.norm import (
    BatchNorm,
    ContraNorm,
    DiffGroupNorm,
    GraphNorm,
    GraphNormv2,
    GraphSizeNorm,
    InstanceNorm,
    LayerNorm,
    MeanSubtractionNorm,
    NodeNorm,
    PairNorm,
    dominant_basis,
    make_norm,
)
from benthic.nn.propagation import Adjacency, GraphCache, propagate
from benthic.nn.residual import (
    AntiSymmetric,
    DenseResidual,
    GradientGating,
    InitialResidual,
    JumpingKnowledge,
    Residual,
    Skip,
)
from benthic.nn.sparse_input import InputLinear

__all__ = [
    "APPNP",
    "AddLaplacianEigenvectorPE",
    "AddRandomWalkPE",
    "Adjacency",
    "AntiSymmetric",
    "AntiSymmetricConv",
    "BatchNorm",
    "ContraNorm",
    "DeepGCN",
    "DeepGNN",
    "DegreeEncoding",
    "DenseResidual",
    "DiffGroupNorm",
    "DropEdge",
    "DropMessage",
    "DropNode",
    "DropPath",
    "EdgeDrop",
    "Encoding",
    "EncodingSum",
    "FastDropout",
    "GCN2Conv",
    "GeneralizedPageRank",
    "GlobalAttention",
    "GradientGating",
    "GraphCache",
    "GraphNorm",
    "GraphNormv2",
    "GraphSizeNorm",
    "GraphTransformer",
    "GraphTransformerLayer",
    "IdentityMap",
    "InitialResidual",
    "InputLinear",
    "InstanceNorm",
    "JumpingKnowledge",
    "LaplacianEncoding",
    "LayerNorm",
    "MeanSubtractionNorm",
    "NodeNorm",
    "PairNorm",
    "RandomWalkEncoding",
    "Residual",
    "Skip",
    "SkipNode",
    "accelerate",
    "dominant_basis",
    "make_norm",
    "performer",
    "propagate",
    "return_probabilities",
    "scale_initial_weights",
]
