"""Freed memory goes back to the system, where the system can take it."""

from __future__ import annotations

import sys

import pytest
import torch

from benthic.nn import freed_memory
from benthic.nn.freed_memory import return_freed_memory


def test_tensors_that_live_stay_as_they_are():
    x = torch.randn(300, 300)
    before = x.clone()
    return_freed_memory()
    assert torch.equal(x, before)


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_elsewhere_nothing_is_done(platform, monkeypatch):
    monkeypatch.setattr(sys, "platform", platform)
    freed_memory._malloc_trim.cache_clear()
    assert freed_memory._malloc_trim() is None
    return_freed_memory()
    freed_memory._malloc_trim.cache_clear()
