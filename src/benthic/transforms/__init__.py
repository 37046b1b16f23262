"""Edits of the graph, as PyG transforms: by curvature, by spectrum, and PyG's own."""

from __future__ import annotations

from torch_geometric.transforms import GDC, HalfHop, TwoHop, VirtualNode

from benthic.transforms.curvature import BORF, SDRF
from benthic.transforms.forman import balanced_forman_curvature
from benthic.transforms.ollivier import ollivier_ricci_curvature
from benthic.transforms.spectral import EGP, FoSR, cayley_graph

__all__ = [
    "BORF",
    "EGP",
    "GDC",
    "SDRF",
    "FoSR",
    "HalfHop",
    "TwoHop",
    "VirtualNode",
    "balanced_forman_curvature",
    "cayley_graph",
    "ollivier_ricci_curvature",
]
