"""The one training loop, for one model or for several seeds of it at once."""

from benthic.training.building import build
from benthic.training.loop import Progress, train, train_together
from benthic.training.protocol import Protocol, Training, changed

__all__ = [
    "Progress",
    "Protocol",
    "Training",
    "build",
    "changed",
    "train",
    "train_together",
]
