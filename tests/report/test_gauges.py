from __future__ import annotations

from dataclasses import fields

from benthic.report.gauges import GAUGES, PROBE, SIGNALS
from benthic.trace import LayerReading

ALL = (*GAUGES, *SIGNALS, PROBE)


def test_every_gauge_is_a_field_of_a_layer_reading():
    assert {gauge.field for gauge in ALL} <= {
        field.name for field in fields(LayerReading)
    }


def test_every_gauge_has_a_title_of_its_own_and_says_how_to_read_it():
    assert len({gauge.title for gauge in ALL}) == len(ALL)
    assert all(gauge.caption.endswith(".") for gauge in ALL)
