"""A protocol that cannot be followed is refused."""

from __future__ import annotations

import pytest

from benthic.errors import InputError
from benthic.training import Protocol


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"samples": 0}, "samples: found 0; give 1 or more"),
        ({"consistency": 1.0}, "consistency: found one sample an epoch"),
    ],
)
def test_a_protocol_without_enough_passes_is_refused(options, message):
    with pytest.raises(InputError, match=message):
        Protocol(**options)
