"""A gauge has its metric's value, or none and a reason; never a false zero."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from benthic import metrics
from benthic.errors import InputError
from benthic.supervision import Supervision
from benthic.trace.reading import NAMES, Edges, Gauges

EDGES = torch.tensor([[0, 1, 2, 3, 1, 2, 3, 0], [1, 2, 3, 0, 0, 1, 2, 3]])
OF_STATES = NAMES - {"probe_accuracy", "rayleigh_quotient"}


def read(*batches, edges=None, supervision=None, names=None):
    gauges = Gauges("layer", None, names)
    for x in batches:
        gauges.update(x, edges, supervision)
    return gauges.reading(1.0, 1.0, {})


def labels(num_nodes=4, train=2, **changes):
    rows = torch.arange(num_nodes)
    given = {
        "y": rows % 2,
        "masks": {"train": rows < train, "val": rows >= train},
    } | changes
    return Supervision(**given)


def test_every_gauge_is_its_metric():
    x = torch.randn(4, 3, generator=torch.Generator().manual_seed(0)).relu()
    layer = read(x, edges=Edges(EDGES, None, "rw"), supervision=labels())
    expected = {
        "dead_fraction": metrics.dead_fraction(x),
        "norm": metrics.mean_norm(x),
        "mean_cosine": metrics.mean_cosine_similarity(x),
        "centered_cosine": metrics.centered_cosine_similarity(x),
        "effective_rank": metrics.effective_rank(x),
        "feature_correlation": metrics.feature_correlation(x),
        "rayleigh_quotient": metrics.rayleigh_quotient(x, EDGES, normalization="rw"),
        "probe_accuracy": metrics.linear_probe_accuracy(
            x, torch.arange(4) % 2, torch.arange(4) < 2, torch.arange(4) >= 2
        ),
    }
    assert set(expected) == NAMES
    for name, value in expected.items():
        assert getattr(layer, name) == pytest.approx(float(value)), name
    assert set(layer.undefined) == {"state_gradient_norm"}


@settings(max_examples=30)
@given(
    st.lists(st.integers(0, 4), min_size=1, max_size=3),
    st.integers(1, 3),
    st.sampled_from([0.0, 1.0, math.nan, math.inf]),
)
def test_a_gauge_is_a_finite_number_or_has_a_reason(sizes, width, fill):
    layer = read(*(torch.full((n, width), fill) for n in sizes))
    for name in NAMES:
        value = getattr(layer, name)
        if value is None:
            assert layer.undefined[name]
        else:
            assert math.isfinite(value)
            assert name not in layer.undefined


@pytest.mark.parametrize(
    ("x", "reason"),
    [
        (torch.zeros(4, 3), "every row is zero: the layer is dead"),
        (torch.zeros(0, 3), "there are no rows"),
        (torch.full((4, 3), torch.nan), "the states hold NaN or infinite values"),
        (torch.tensor([[1.0], [torch.inf]]), "the states hold NaN or infinite values"),
    ],
)
def test_broken_and_dead_states_have_no_gauge_but_a_reason(x, reason):
    layer = read(x)
    for name in OF_STATES - {"dead_fraction", "norm"}:
        assert getattr(layer, name) is None
        assert layer.undefined[name] == reason
    is_dead = "dead" in reason
    assert layer.dead_fraction == (1.0 if is_dead else None)
    assert layer.norm == (0.0 if is_dead else None)


def test_one_direction_is_one_although_its_columns_are_constant():
    layer = read(torch.ones(4, 3))
    assert layer.mean_cosine == pytest.approx(1.0)
    assert layer.effective_rank == pytest.approx(1.0)
    assert layer.centered_cosine is None
    assert layer.undefined["centered_cosine"].startswith("fewer than two rows differ")
    assert layer.undefined["feature_correlation"] == "fewer than two columns vary"


def test_one_live_row_is_like_nothing():
    layer = read(torch.eye(3)[:1])
    assert layer.mean_cosine is None
    assert layer.undefined["mean_cosine"] == "fewer than two rows are not zero"


@pytest.mark.parametrize(
    ("supervision", "reason"),
    [
        (None, "the data has no class labels"),
        (labels(7), "there are 7 labels for 4 rows"),
        (labels(node_type="user"), "the labels are on nodes of type 'user'"),
        (
            labels(masks={"train": torch.ones(4).bool()}),
            "a probe needs a train_mask and a val_mask",
        ),
        (labels(train=4), "a split has no labelled rows"),
        (labels(y=-torch.ones(4).long()), "a split has no labelled rows"),
    ],
)
def test_a_probe_without_labels_has_a_reason(supervision, reason):
    layer = read(torch.randn(4, 3), supervision=supervision)
    assert layer.probe_accuracy is None
    assert layer.undefined["probe_accuracy"] == reason


def test_batches_without_labels_do_not_hide_those_with_some():
    gauges = Gauges("layer", None)
    x = torch.tensor([[1.0], [-1.0], [1.0], [-1.0]])
    for supervision in (None, labels(), None):
        gauges.update(x, None, supervision)
    layer = gauges.reading(None, None, {})
    assert layer.probe_accuracy == 1.0
    assert "probe_accuracy" not in layer.undefined


def test_edges_beyond_the_rows_are_a_reason():
    layer = read(torch.randn(3, 2), edges=Edges(EDGES, None, "sym"))
    assert layer.rayleigh_quotient is None
    assert "node 3" in layer.undefined["rayleigh_quotient"]


def test_isolated_rows_have_no_random_walk():
    edges = Edges(torch.zeros(2, 0, dtype=torch.long), None, "rw")
    layer = read(torch.randn(3, 2), edges=edges)
    assert layer.rayleigh_quotient is None
    assert "has an edge" in layer.undefined["rayleigh_quotient"]


def test_edges_of_two_relations_are_joined_with_weights():
    weighted = Edges(EDGES, torch.full((8,), 2.0), None)
    both = weighted.with_more(Edges(EDGES, None, None))
    assert both.edge_index.shape == (2, 16)
    assert both.edge_weight.tolist() == [2.0] * 8 + [1.0] * 8
    assert (
        Edges(EDGES, None, None).with_more(Edges(EDGES, None, None)).edge_weight is None
    )


def test_wide_states_have_no_products():
    x = torch.randn(3, 2049)
    layer = read(x)
    for name in ("effective_rank", "feature_correlation"):
        assert getattr(layer, name) is None
        assert layer.undefined[name] == "it takes a matrix of 2,049 x 2,049 channels"
    assert layer.mean_cosine is not None


def test_only_the_asked_gauges_are_taken():
    layer = read(torch.randn(4, 3), names=frozenset({"effective_rank"}))
    assert layer.effective_rank is not None
    assert layer.norm is None
    for name in NAMES - {"effective_rank"}:
        assert getattr(layer, name) is None
        assert layer.undefined[name] == "this gauge was not asked for"


def test_rows_of_any_shape_are_flattened():
    x = torch.randn(2, 3, 4)
    flat, deep = read(x.reshape(6, 4)), read(x)
    assert flat == deep
    empty = read(torch.zeros(2, 0, 4))
    assert (empty.num_nodes, empty.channels) == (0, 4)


def test_batches_of_another_width_are_refused():
    gauges = Gauges("layer", None)
    gauges.update(torch.ones(2, 3), None, None)
    with pytest.raises(InputError, match="model: found 4 channels in layer, 3 before"):
        gauges.update(torch.ones(2, 4), None, None)


def test_a_reading_in_the_middle_does_not_disturb():
    x, y = torch.randn(5, 3), torch.randn(4, 3)
    gauges = Gauges("layer", None)
    gauges.update(x, None, None)
    first = gauges.reading(None, None, {})
    assert first == gauges.reading(None, None, {})
    gauges.update(y, None, None)
    assert gauges.reading(1.0, 1.0, {}) == read(x, y)


def test_gradients_of_states_are_read_until_the_hook_goes():
    x = torch.randn(4, 3, requires_grad=True)
    gauges = Gauges("layer", None)
    handle = gauges.update(x, None, None)
    (3.0 * x).sum().backward()
    assert gauges.reading(None, None, {}).state_gradient_norm == pytest.approx(
        3.0 * math.sqrt(12.0)
    )
    handle.remove()
    assert not x._backward_hooks
