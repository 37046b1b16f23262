"""Array shapes named once."""

from __future__ import annotations

from jaxtyping import Bool, Float, Int64
from torch import Tensor

NodeFeatures = Float[Tensor, "nodes channels"]
EdgeIndex = Int64[Tensor, "2 edges"]
EdgeWeight = Float[Tensor, "edges"]
Labels = Int64[Tensor, "nodes"]
Mask = Bool[Tensor, "nodes"]
Scalar = Float[Tensor, ""]
