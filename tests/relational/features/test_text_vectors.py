"""Texts as hashed words, topics and single words that go with a label."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from benthic.relational.features.text_vectors import COLUMNS, HashedWords, Projection

PLENTY = "the train was late again and nobody told us why it stood there".split()


def complaints(count=400, seed=0):
    """Texts of random words; a fifth also ask to cancel. One per seed."""
    rng = np.random.default_rng(seed)
    texts = [" ".join(rng.choice(PLENTY, 9)) for _ in range(count)]
    asks = rng.random(count) < 0.2
    texts = [f"{t} cancel" if a else t for t, a in zip(texts, asks, strict=True)]
    return texts, asks


def fitted(texts, labels=None):
    labels = np.empty((len(texts), 0)) if labels is None else labels
    labels = np.asarray(labels, np.float64)
    labels = labels if labels.ndim == 2 else labels[:, None]
    each = sparse.csr_matrix(np.eye(len(texts)))
    return HashedWords().projection(texts, each, labels)


def test_a_word_that_goes_with_the_label_becomes_a_column():
    texts, asks = complaints()
    names = fitted(texts, asks).names
    assert [name for name in names if name.startswith("word")] == ["word cancel"]


def test_chance_gives_no_word():
    for seed in range(20):
        texts, _ = complaints(seed=seed)
        labels = np.random.default_rng(seed).random(len(texts)) < 0.3
        assert not any(n.startswith("word") for n in fitted(texts, labels).names)


def test_without_labels_there_are_topics_only():
    texts, _ = complaints()
    names = fitted(texts).names
    assert len(names) == COLUMNS
    assert all(name.startswith("topic") for name in names)


def test_missing_labels_tell_nothing():
    texts, asks = complaints()
    labels = np.where(np.arange(len(texts)) % 2, asks, np.nan)
    assert "word cancel" in fitted(texts, labels).names


def test_two_subjects_are_two_topics_named_by_their_words():
    bikes, cakes = "chain wheel spoke brake saddle", "flour sugar butter oven cream"
    rng = np.random.default_rng(0)
    texts = [
        " ".join(rng.choice((bikes if i % 3 else cakes).split(), 6)) for i in range(120)
    ]
    made = fitted(texts)
    first = set(made.names[0].split("(")[1].strip(")").split())
    assert first <= set(bikes.split())
    values = made(HashedWords()(texts))[:, :2]
    about = np.arange(len(texts)) % 3 > 0
    assert values[about, 0].min() > values[~about, 0].max()


@settings(max_examples=30)
@given(st.lists(st.text(min_size=1, max_size=60), min_size=1, max_size=8))
def test_a_text_has_the_same_numbers_whoever_stands_beside_it(texts):
    made = fitted(*complaints(120))
    vectors = HashedWords()
    together = made(vectors(texts))
    alone = np.vstack([made(vectors([text])) for text in texts])
    assert together.tobytes() == alone.tobytes()


def test_a_projection_comes_back_from_json():
    made = fitted(*complaints(120))
    assert Projection.from_json(json.loads(json.dumps(made.to_json()))) == made


def test_a_projection_is_the_product_minus_the_offset():
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(5, 3)).astype(np.float32)
    x = rng.normal(size=(4, 5))
    found = Projection.of(weights, [1.0, 2.0, 3.0], list("abc"))(sparse.csr_matrix(x))
    assert found == pytest.approx(x @ weights - [1, 2, 3], abs=1e-5)
