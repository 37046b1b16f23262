"""A protocol that cannot be followed is refused."""

from __future__ import annotations

import math

import pytest

from benthic.errors import InputError
from benthic.training import Protocol, changed


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"samples": 0}, "samples: found 0; give a whole number, 1 or more"),
        ({"consistency": 1.0}, "consistency: found one sample an epoch"),
    ],
)
def test_a_protocol_without_enough_passes_is_refused(options, message):
    with pytest.raises(InputError, match=message):
        Protocol(**options)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", -1),
        ("lr", -1.0),
        ("lr", math.nan),
        ("weight_decay", -0.1),
        ("hidden_weight_decay", math.inf),
        ("warmup", -1),
        ("label_smoothing", 1.1),
        ("consistency", -1.0),
        ("temperature", 0.0),
        ("patience", 0),
    ],
)
def test_a_value_without_meaning_is_refused_by_its_name(name, value):
    with pytest.raises(InputError, match=f"^{name}: found {value}; give a "):
        Protocol(**{name: value})


def test_changes_leave_the_other_fields():
    protocol = Protocol(lr=0.5)
    assert changed(protocol, {"epochs": 3}) == Protocol(lr=0.5, epochs=3)
    assert changed(protocol, {}) == protocol


def test_an_unknown_field_is_refused_with_the_nearest_names():
    with pytest.raises(InputError, match=r"epoch: found no such field .* mean epochs$"):
        changed(None, {"epoch": 3})
