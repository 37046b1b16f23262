"""Hooks any torch module, streams its layers into metrics, always lets go."""

from benthic.trace.layers import Layer, find_layers
from benthic.trace.reading import LayerReading, RelationReading
from benthic.trace.recorder import Trace

__all__ = ["Layer", "LayerReading", "RelationReading", "Trace", "find_layers"]
