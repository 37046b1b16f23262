"""Texts as vectors, and the few directions that tell them apart."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.stats import rankdata
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer

from benthic.relational.features.columns import Json
from benthic.relational.features.events import Floats

COLUMNS = 8
"""Columns that a text column becomes, at most."""

_BINS = 2048
_TOPIC_WORDS = 3
_TOPIC_TEXTS = 10_000
_LEAST_SEEDS = 20
_CHANCE = 4.6  # a normal number exceeds it in 2,048 tries once in a hundred times


@dataclass(frozen=True)
class Projection:
    """From a text's vector to a few numbers: ``x W - offset``, fixed by ``fit``.

    Args:
        weights: ``W`` in base64, float32, row by row.
        offset: One per column.
        names: What each column is called.
    """

    weights: str
    offset: tuple[float, ...]
    names: tuple[str, ...]

    def __call__(self, vectors: sparse.csr_matrix) -> NDArray[np.float32]:
        """The columns of some vectors, ``[N, columns]``.

        A row times a sparse matrix is summed in one order, whoever stands beside it;
        a dense product is not equal to the bit.

        Args:
            vectors: ``[N, width]``.
        """
        weights = np.frombuffer(base64.b64decode(self.weights), "<f4")
        matrix = weights.reshape(-1, len(self.names)).astype(np.float64)
        return np.asarray(vectors @ matrix - np.array(self.offset), np.float32)

    @classmethod
    def of(
        cls, weights: NDArray[np.floating], offset: object, names: Sequence[str]
    ) -> Projection:
        """A projection by a matrix.

        Args:
            weights: ``[width, columns]``.
            offset: ``[columns]``.
            names: Of the columns.

        Example:
            >>> double = Projection.of(2 * np.eye(2), [0, 1], ["a", "b"])
            >>> double(sparse.csr_matrix([[1.0, 2.0]])).tolist()
            [[2.0, 3.0]]
        """
        stored = np.ascontiguousarray(weights, "<f4").tobytes()
        shift = tuple(np.asarray(offset, np.float64).tolist())
        return cls(base64.b64encode(stored).decode("ascii"), shift, tuple(names))

    def to_json(self) -> Json:
        """As plain JSON."""
        return {**asdict(self), "offset": list(self.offset), "names": list(self.names)}

    @classmethod
    def from_json(cls, found: Json) -> Projection:
        """The inverse of ``to_json``."""
        return cls(
            str(found["weights"]),
            tuple(found["offset"]),  # type: ignore[arg-type]
            tuple(found["names"]),  # type: ignore[arg-type]
        )


@runtime_checkable
class TextVectors(Protocol):
    """How texts become vectors.

    Attributes:
        reads_own_row: Whether the texts of the entity's own row are read this way too.
    """

    reads_own_row: bool

    def __call__(self, texts: Sequence[str]) -> sparse.csr_matrix:
        """The vector of each text, ``[N, width]``, whatever texts are beside it.

        Args:
            texts: Not empty ones.
        """
        ...

    def projection(
        self, texts: Sequence[str], shares: sparse.csr_matrix, labels: Floats
    ) -> Projection:
        """The directions in which texts differ most.

        Args:
            texts: Of the rows that training seeds see.
            shares: Of each row in the mean of each seed, ``[N, rows]``.
            labels: Of the seeds, ``[N, targets]``.
        """
        ...


class HashedWords:
    """Words and pairs of words, hashed, so that no vocabulary is kept.

    Example:
        >>> HashedWords()(["the chain came off", "the wheel came off"]).shape
        (2, 2048)
    """

    reads_own_row = False

    def __init__(self) -> None:
        self._hashed = HashingVectorizer(n_features=_BINS, alternate_sign=False)

    def __call__(self, texts: Sequence[str]) -> sparse.csr_matrix:
        """Shares of the hashed words, of length one.

        Args:
            texts: Any.
        """
        return self._hashed.transform(texts)

    def projection(
        self, texts: Sequence[str], shares: sparse.csr_matrix, labels: Floats
    ) -> Projection:
        """Topics, and single words that go with a label.

        Topics are the singular vectors of the words weighted by how rare they are,
        each named by its strongest words. A word counts where chance would not give
        its correlation with the label once in a hundred tries over all bins.

        Args:
            texts: Of the rows that training seeds see.
            shares: Of each row in the mean of each seed, ``[N, rows]``.
            labels: Of the seeds, ``[N, targets]``.
        """
        counts, words = self(texts), self._words(texts)
        topics, names = _topics(counts, words)
        bins = [i for i in _telling(shares @ counts, labels) if i in words]
        single = np.zeros((_BINS, len(bins)))
        single[bins, np.arange(len(bins))] = 1
        names += [f"word {words[i]}" for i in bins]
        weights = np.hstack([topics, single])
        return Projection.of(weights, np.zeros(len(names)), names)

    def _words(self, texts: Sequence[str]) -> dict[int, str]:
        """The commonest word of each bin."""
        split = self._hashed.build_analyzer()
        counts = Counter(word for text in texts for word in split(text))
        common = sorted(counts, key=lambda word: (counts[word], word))
        bins = self._hashed.transform(common).indices
        return dict(zip(bins.tolist(), common, strict=True))


def _topics(
    counts: sparse.csr_matrix, words: dict[int, str]
) -> tuple[Floats, list[str]]:
    known = counts[np.flatnonzero(counts.getnnz(axis=1))]
    some = known[:: max(known.shape[0] // _TOPIC_TEXTS, 1)]
    rare = TfidfTransformer(norm=None).fit(some)
    count = min(COLUMNS, some.shape[0] - 1)
    axes = TruncatedSVD(count, random_state=0).fit(rare.transform(some)).components_
    strongest = np.abs(axes).argmax(axis=1)
    axes = axes * np.sign(axes[np.arange(count), strongest])[:, None]
    names = [
        f"topic {i + 1} ({_strongest(axis, words)})" for i, axis in enumerate(axes)
    ]
    return (axes * rare.idf_).T, names


def _strongest(axis: Floats, words: dict[int, str]) -> str:
    bins = np.argsort(-axis, kind="stable")[:_TOPIC_WORDS]
    return " ".join(words[i] for i in bins.tolist() if i in words)


def _telling(means: sparse.csr_matrix, labels: Floats) -> list[int]:
    """The bins whose share goes with a label, the strongest first."""
    known = np.isfinite(labels).all(axis=1)
    seen = np.flatnonzero((means.getnnz(axis=1) > 0) & known)
    if len(seen) < _LEAST_SEEDS or not labels.shape[1]:
        return []
    x = means[seen]
    y = rankdata(labels[seen], axis=0)
    y = (y - y.mean(axis=0)) / np.maximum(y.std(axis=0), 1e-12)
    mean = np.asarray(x.mean(axis=0))[0]
    spread = np.sqrt(np.asarray(x.multiply(x).mean(axis=0))[0] - mean**2)
    z = np.abs(x.T @ y) / np.maximum(spread, 1e-12)[:, None] / np.sqrt(len(seen))
    common = x.getnnz(axis=0) >= _LEAST_SEEDS
    strength = np.where(common, z.max(axis=1), 0)
    best = np.argsort(-strength, kind="stable")[:COLUMNS]
    return [int(i) for i in best if strength[i] >= _CHANCE]
