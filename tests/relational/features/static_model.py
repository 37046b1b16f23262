"""A small sentence-embedding model, made from real words."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from scipy.sparse.linalg import svds
from sklearn.feature_extraction.text import CountVectorizer
from tests.relational.bare_tables import relational_folder


def write_static_model(folder: Path, *, dim: int = 24, seed: int = 0) -> str:
    """Word vectors of the posts of a bicycle forum: PPMI, then SVD, as model2vec's."""
    try:
        from model2vec import StaticModel
        from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
    except ImportError:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip("model2vec is not installed")
    posts = relational_folder() / "rel-bicyclesmeta" / "db" / "posts.parquet"
    texts = pd.read_parquet(posts)["Body"].dropna()
    words, vectors = _word_vectors(texts.tolist(), dim, seed)
    vocabulary = {word: i for i, word in enumerate(["[UNK]", *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    padded = np.vstack([np.zeros((1, dim)), vectors]).astype(np.float32)
    StaticModel(padded, tokenizer, normalize=True).save_pretrained(folder)
    return str(folder)


def _word_vectors(texts: list[str], dim: int, seed: int):
    """Left singular vectors of the positive pointwise mutual information."""
    counted = CountVectorizer(max_features=600, binary=True).fit(texts)
    present = counted.transform(texts).astype(np.float64)
    together = (present.T @ present).tocoo()
    total, each = present.shape[0], np.asarray(present.sum(axis=0))[0]
    expected = each[together.row] * each[together.col] / total
    values = np.maximum(np.log(together.data / expected), 0)
    ppmi = sparse.csr_matrix((values, (together.row, together.col)), together.shape)
    u, s, _ = svds(ppmi, dim, random_state=seed)
    return counted.get_feature_names_out().tolist(), u * np.sqrt(s)
