"""A feature says where it came from."""

from __future__ import annotations

from benthic.relational.features.feature import Feature, feature


def test_the_name_follows_from_the_provenance():
    made = feature("visits", "people <- visits", "visits", "spent", "mean", "last 5")
    assert made.name == "visits.spent mean last 5"
    assert feature("t", "t", "t", None, "count", "all").name == "t count all"


def test_no_name_holds_a_sign_that_lightgbm_refuses():
    made = feature("t", "t", "t", "kind", 'share = {"a": [1, 2]}')
    assert not set(made.name) & set('",:[]{}')


def test_a_feature_comes_back_from_json():
    made = feature("t", "p", "t", "c", "mean", "all")
    assert Feature(**made.to_json()) == made
