from __future__ import annotations

import math

from benthic.report.series import number, places, series


def test_a_layer_called_twice_stands_at_two_places():
    rows = [{"name": "conv", "norm": 1.0}, {"name": "conv", "norm": 2.0}]
    assert series(rows, "norm", places(rows)) == {None: [1.0, 2.0]}


def test_node_types_share_the_axis_and_have_a_line_each():
    rows = [
        {"name": name, "node_type": kind, "norm": value}
        for name, kind, value in (("a", "user", 1), ("a", "item", 2), ("b", "user", 3))
    ]
    found = series(rows, "norm", places(rows))
    assert found["user"] == [1.0, 3.0]
    assert found["item"][0] == 2.0
    assert math.isnan(found["item"][1])


def test_a_control_of_an_unknown_layer_has_no_place():
    axis = places([{"name": "a"}])
    found = series([{"name": "b", "norm": 1.0}], "norm", axis)
    assert all(math.isnan(value) for value in found[None])


def test_what_is_no_finite_number_is_a_gap():
    for value in (None, "3", [], {}, math.inf, -math.inf, math.nan):
        assert math.isnan(number(value))
