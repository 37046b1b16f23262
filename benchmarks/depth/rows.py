"""The rows of the depth table: one network a line, at every depth.

Settings were chosen on validation nodes alone (``LOG.md``), one for each graph and
the same at every depth.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.data import Data
from torch_geometric.nn import GATConv, GCNConv, GINConv, SAGEConv
from torch_geometric.nn.models import MLP
from torch_geometric.transforms import BaseTransform

from benthic.nn import (
    APPNP,
    AntiSymmetric,
    BatchNorm,
    ContraNorm,
    DeepGCN,
    DeepGNN,
    DenseResidual,
    DiffGroupNorm,
    DropEdge,
    DropMessage,
    DropNode,
    DropPath,
    GeneralizedPageRank,
    GradientGating,
    GraphNorm,
    GraphNormv2,
    GraphTransformer,
    IdentityMap,
    InitialResidual,
    LayerNorm,
    MeanSubtractionNorm,
    NodeNorm,
    PairNorm,
    Residual,
    SkipNode,
)
from benthic.supervision import roc_auc
from benthic.training import Protocol, build
from benthic.transforms import BORF, SDRF, FoSR, VirtualNode

DEPTHS = (2, 4, 8, 16, 32, 64, 128, 256)
SHALLOW = (2, 4, 8, 16, 32)
GRAPHS = ("cora", "citeseer", "pubmed")
LARGE = ("pubmed",)
CLASSES = {"cora": 7, "citeseer": 6, "pubmed": 3}

Network = Callable[..., nn.Module]
"""Features, classes, depth (and parts) -> network."""


def gin(in_channels: int, out_channels: int) -> GINConv:
    return GINConv(MLP([in_channels, out_channels, out_channels], norm=None))


class RootedGCN(nn.Module):
    """A GCN's operator on the neighbors, and a map of the node itself.

    The map is the learned skip of "Classic GNNs are Strong Baselines"; that paper's
    layer counts the node among its neighbors as well. PyG's ``ARMAConv`` with one
    stack computes the same in three times the time: its propagation is not cached.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = GCNConv(in_channels, out_channels, add_self_loops=False)
        self.root = nn.Linear(in_channels, out_channels, bias=False)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        return self.conv(x, edge_index) + self.root(x)


def gat(in_channels: int, out_channels: int) -> GATConv:
    return GATConv(in_channels, out_channels // 8, heads=8)


CONVS = {
    "gcn": GCNConv,
    "rooted gcn": RootedGCN,
    "sage": SAGEConv,
    "gat": gat,
    "gin": gin,
}
"""Each has square layers of 64 channels in a stack."""

STANDARD = Protocol(epochs=200, lr=0.01, weight_decay=5e-4, patience=50)
"""What most published tables use; a network that learns nothing for 50 epochs stops."""


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Args:
        network: Builds it.
        conv: The layer, as the table names it.
        protocol: How it is trained; ``by_graph`` changes it.
        by_graph: Changes of the protocol for one graph.
        parts: Arguments of the network for one graph.
        scale: Factor of the input features, which sum to 1 in every row: larger ones
            let Adam's steps of one size get on faster.
        seeds: Seeds at depths up to ``deep``; beyond it, and on large graphs.
        deep: See ``seeds``.
        depths: Depths to run.
        graphs: Graphs to run.
        rewiring: Changes the graph before training.
        by_split: Whether each seed has its own published split (heterophilous graphs),
            and so a training run of its own.
    """

    network: Network
    conv: str = "gcn"
    protocol: Protocol = STANDARD
    by_graph: dict[str, dict[str, Any]] = field(default_factory=dict)
    parts: dict[str, dict[str, Any]] = field(default_factory=dict)
    scale: float = 1.0
    seeds: tuple[int, int] = (3, 1)
    deep: int = 64
    depths: tuple[int, ...] = DEPTHS
    graphs: tuple[str, ...] = ("cora",)
    rewiring: BaseTransform | None = None
    by_split: bool = False

    def protocol_of(self, graph: str) -> Protocol:
        """How the row is trained on a graph."""
        return replace(self.protocol, **self.by_graph.get(graph, {}))

    def seeds_at(self, graph: str, depth: int) -> range:
        """The seeds of a cell."""
        return range(self.seeds[depth > self.deep or graph in LARGE])

    def build(self, data: Data, graph: str, depth: int, seed: int) -> nn.Module:
        """The network of a cell; the caller's random state stays."""
        classes = int(data.y.max()) + 1
        parts = self.parts.get(graph, {})
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return self.network(data.num_features, classes, depth, **parts)


def plain(conv: str) -> Network:
    return lambda ins, outs, depth: build(conv, ins, 64, outs, num_layers=depth)


def stack(conv: str = "gcn", dropout: float = 0.5, **parts: Any) -> Network:
    return lambda ins, outs, depth: DeepGNN(
        CONVS[conv], ins, 64, outs, depth, dropout=dropout, **parts
    )


def default(
    ins: int, outs: int, depth: int, alpha: float = 0.1, dropout: float = 0.5
) -> nn.Module:
    """Personalized PageRank of an MLP, with DropNode: GRAND's parts."""
    return DeepGNN(
        GCNConv,
        ins,
        64,
        outs,
        num_layers=0,
        propagation=APPNP(depth, alpha=alpha),
        drop=DropNode(0.5),
        dropout=dropout,
    )


def gcnii(
    ins: int, outs: int, depth: int, alpha: float = 0.1, dropout: float = 0.5
) -> nn.Module:
    """A GCN with GCNII's treatments, and DropNode."""
    return DeepGNN(
        GCNConv,
        ins,
        64,
        outs,
        depth,
        dropout=dropout,
        residual=InitialResidual(alpha),
        identity_map=IdentityMap(),
        drop=DropNode(0.5),
    )


GRAND = Protocol(
    epochs=600,
    lr=0.01,
    weight_decay=5e-3,
    samples=2,
    consistency=1.0,
    temperature=0.5,
    patience=150,
)
GCNII = Protocol(
    epochs=1000,
    lr=0.01,
    weight_decay=5e-4,
    hidden_weight_decay=0.01,
    patience=100,
)
CONSISTENT_GCNII = replace(
    GCNII,
    epochs=500,
    weight_decay=5e-3,
    samples=2,
    consistency=2.0,
    temperature=0.5,
)

CLASSIC = Protocol(epochs=600, lr=0.01, weight_decay=0.0, patience=200)
"""As "Classic GNNs are Strong Baselines" trains on heterophilous graphs, but shorter:
they take 2,000 epochs on Minesweeper."""


def near_identity(conv: str, dropout: float) -> Row:
    """GCNII's treatments of any layer. Dropout must not grow: diagnosis D012."""
    return Row(
        stack(
            conv,
            dropout=dropout,
            residual=InitialResidual(0.1),
            identity_map=IdentityMap(),
        ),
        conv=conv,
        protocol=GCNII,
        scale=10.0,
    )


ROWS: dict[str, Row] = {
    "default": Row(
        default,
        protocol=GRAND,
        by_graph={
            "cora": {"consistency": 2.0, "epochs": 500},
            "citeseer": {"temperature": 0.3, "patience": 100},
            "pubmed": {"temperature": 0.2, "epochs": 120, "patience": 40},
        },
        parts={
            "cora": {"alpha": 0.15, "dropout": 0.7},
            "citeseer": {"alpha": 0.2},
        },
        scale=10.0,
        seeds=(10, 10),
        graphs=GRAPHS,
    ),
    "initial_residual+identity_map": replace(
        near_identity("gcn", dropout=0.6), seeds=(10, 3), graphs=("cora", "citeseer")
    ),
    "initial_residual+identity_map+drop_node": Row(
        gcnii,
        protocol=CONSISTENT_GCNII,
        by_graph={
            "citeseer": {"consistency": 1.0, "temperature": 0.3},
            "pubmed": {
                "samples": 1,
                "consistency": 0.0,
                "epochs": 120,
                "patience": 40,
            },
        },
        parts={"citeseer": {"alpha": 0.2}},
        scale=10.0,
        seeds=(10, 10),
        graphs=GRAPHS,
    ),
    "none": Row(plain("gcn"), graphs=GRAPHS),
    "sage: minesweeper": Row(
        stack("sage", dropout=0.3, residual=Residual(), norm=BatchNorm),
        conv="sage",
        protocol=replace(CLASSIC, metric=roc_auc),
        seeds=(3, 1),
        depths=(24, 12, 2, 4, 8, 16, 32),
        deep=24,
        graphs=("minesweeper",),
        by_split=True,
    ),
    "rooted gcn: minesweeper": Row(
        stack("rooted gcn", dropout=0.2, norm=BatchNorm),
        conv="rooted gcn",
        protocol=replace(CLASSIC, epochs=2000, patience=600, metric=roc_auc),
        seeds=(3, 1),
        depths=(12, 16, 24, 32, 8, 4, 2),
        deep=16,
        graphs=("minesweeper",),
        by_split=True,
    ),
    "sage: heterophilous": Row(
        stack("sage", dropout=0.3, residual=Residual(), norm=BatchNorm),
        conv="sage",
        protocol=CLASSIC,
        depths=(2, 4, 8, 16, 32),
        graphs=("chameleon_filtered", "chameleon", "texas", "cornell", "amherst41"),
        by_split=True,
    ),
    "residual+layer_norm": Row(
        stack(residual=Residual(), norm=LayerNorm), graphs=GRAPHS
    ),
    "residual+layer_norm+warmup": Row(
        stack(residual=Residual(), norm=LayerNorm),
        protocol=replace(STANDARD, warmup=20),
    ),
    "deep_gcn": Row(lambda ins, outs, depth: DeepGCN(ins, 64, outs, depth)),
    "residual": Row(stack(residual=Residual())),
    "residual+batch_norm": Row(stack(residual=Residual(), norm=BatchNorm)),
    "dense_residual+layer_norm": Row(stack(residual=DenseResidual(), norm=LayerNorm)),
    "initial_residual": Row(stack(residual=InitialResidual(0.1))),
    "jumping_max": Row(stack(jump="max")),
    "gradient_gating": Row(stack(residual=GradientGating())),
    "anti_symmetric": Row(stack(residual=AntiSymmetric)),
    "layer_norm": Row(stack(norm=LayerNorm)),
    "node_norm": Row(stack(norm=NodeNorm)),
    "pair_norm": Row(stack(norm=PairNorm)),
    "mean_norm": Row(stack(norm=MeanSubtractionNorm)),
    "group_norm": Row(stack(norm=DiffGroupNorm)),
    "pair_norm(scale_individually)": Row(
        stack(norm=partial(PairNorm, scale_individually=True)), depths=SHALLOW
    ),
    "batch_norm": Row(stack(norm=BatchNorm)),
    "contra_norm": Row(stack(norm=ContraNorm), depths=SHALLOW),
    "graph_norm": Row(stack(norm=GraphNorm), depths=SHALLOW),
    "graph_normv2": Row(stack(norm=GraphNormv2), depths=SHALLOW),
    "drop_edge": Row(stack(drop=DropEdge(0.5))),
    "drop_node": Row(stack(drop=DropNode(0.5))),
    "drop_message": Row(stack(drop=DropMessage(0.5)), depths=(2, 4, 8, 16, 32, 64)),
    "residual+drop_path": Row(
        stack(residual=Residual(), drop=DropPath(0.2)), depths=SHALLOW
    ),
    "skip_node": Row(stack(residual=SkipNode(0.5))),
    "gpr": Row(
        lambda ins, outs, depth: DeepGNN(
            GCNConv, ins, 64, outs, 0, propagation=GeneralizedPageRank(depth, 0.1)
        )
    ),
    "graph_transformer": Row(
        lambda ins, outs, depth: GraphTransformer(ins, 64, outs, depth, dropout=0.5),
        depths=SHALLOW,
    ),
    "rewired by sdrf": Row(plain("gcn"), rewiring=SDRF(100), depths=SHALLOW),
    "rewired by fosr": Row(plain("gcn"), rewiring=FoSR(100), depths=SHALLOW),
    "rewired by borf": Row(
        plain("gcn"),
        rewiring=BORF(3, batch_add=20, batch_remove=10),
        depths=SHALLOW,
    ),
    "with a virtual node": Row(plain("gcn"), rewiring=VirtualNode(), depths=SHALLOW),
    **{
        f"{conv}: {name}": replace(row, conv=conv)
        for conv in ("sage", "gin", "gat")
        for name, row in {
            "none": Row(plain(conv)),
            "residual+layer_norm": Row(
                stack(conv, residual=Residual(), norm=LayerNorm)
            ),
        }.items()
    },
    # GIN adds up and grows: IdentityMap refuses it.
    "sage: initial_residual+identity_map": near_identity("sage", dropout=0.6),
    "gat: initial_residual+identity_map": near_identity("gat", dropout=0.2),
    "gat: the same, dropout 0.6": replace(
        near_identity("gat", dropout=0.6), depths=(2, 4, 8, 16, 32, 64)
    ),
}
