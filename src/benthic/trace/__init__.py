"""Hooks any torch module, streams its layers into metrics, always lets go."""

from benthic.trace.layers import Layer, find_layers
from benthic.trace.reading import LayerReading, RelationReading
from benthic.trace.recorder import Trace
from benthic.trace.smoothing import measure_smoothing

__all__ = [
    "Layer",
    "LayerReading",
    "RelationReading",
    "Trace",
    "find_layers",
    "measure_smoothing",
]
