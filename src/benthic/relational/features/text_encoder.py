"""Texts as the vectors of a sentence-embedding model on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse
from sklearn.decomposition import PCA

from benthic.errors import InputError
from benthic.relational.features.columns import Json
from benthic.relational.features.events import Floats
from benthic.relational.features.text_vectors import COLUMNS, Projection

if TYPE_CHECKING:
    from model2vec import StaticModel

_PROBE = "What do we know, and since when?"
_SAME = 1e-3
_TEXTS = 10_000


class SentenceEncoder:
    """Mean word vectors of a static embedding model (model2vec), by folder or name.

    A text's vector does not depend on the texts beside it, so that predictions stay
    equal to the bit. Nothing is asked for on a network: a name is looked up among the
    models that were downloaded.

    Args:
        name: A folder that ``StaticModel.save_pretrained`` wrote, or the name of a
            model in this machine's cache of the Hugging Face hub.

    Raises:
        InputError: If model2vec is not installed or there is no such model.

    Example:
        >>> SentenceEncoder("no such folder")  # doctest: +IGNORE_EXCEPTION_DETAIL
        Traceback (most recent call last):
        ...
        benthic.errors.InputError: text_encoder: found no such folder
    """

    reads_own_row = True

    def __init__(self, name: str) -> None:
        folder = Path(name)
        self.name = str(folder.resolve()) if folder.is_dir() else name
        self._model = _opened(self.name, _changed_at(folder))

    def __call__(self, texts: Sequence[str]) -> sparse.csr_matrix:
        """The model's vector of each text.

        Args:
            texts: Any.
        """
        found = self._model.encode(list(texts), use_multiprocessing=False)
        return sparse.csr_matrix(np.asarray(found, np.float64))

    def projection(
        self, texts: Sequence[str], shares: sparse.csr_matrix, labels: Floats
    ) -> Projection:
        """Principal components of the vectors.

        Args:
            texts: Of the rows that training seeds see.
            shares: Of each row in the mean of each seed; any.
            labels: Of the seeds; any.
        """
        del shares, labels
        known = [text for text in texts if text]
        some = known[:: max(len(known) // _TEXTS, 1)]
        vectors = self(some).toarray()
        count = min(COLUMNS, len(some) - 1, vectors.shape[1])
        found = PCA(count, svd_solver="full").fit(vectors)
        axes = found.components_
        names = [f"meaning {i + 1}" for i in range(count)]
        return Projection.of(axes.T, axes @ found.mean_, names)

    def to_json(self) -> Json:
        """Its name, and a vector by which it is known again."""
        return {"name": self.name, "probe": self._probe()}

    @classmethod
    def from_json(cls, found: Json) -> SentenceEncoder:
        """The inverse of ``to_json``.

        Args:
            found: The JSON.

        Raises:
            InputError: If the encoder cannot be had or is another one.
        """
        encoder = cls(str(found["name"]))
        before = np.array(found["probe"], np.float64)
        now = np.array(encoder._probe(), np.float64)
        if now.shape != before.shape or not np.allclose(now, before, atol=_SAME):
            raise InputError(
                "text_encoder",
                f"another model at {encoder.name} than the one fitted with",
                "bring that one back, or fit again",
            )
        return encoder

    def _probe(self) -> list[float]:
        vector: list[float] = self([_PROBE]).toarray()[0].round(6).tolist()
        return vector


def _changed_at(folder: Path) -> int:
    weights = folder / "model.safetensors"
    return weights.stat().st_mtime_ns if weights.is_file() else 0


@lru_cache(maxsize=2)
def _opened(name: str, changed_at: int) -> StaticModel:
    # The time only tells a file that was replaced from the one that is remembered.
    del changed_at
    try:
        from huggingface_hub import snapshot_download
        from model2vec import StaticModel
    except ImportError as error:
        raise InputError(
            "text_encoder",
            f"{name}, and no package that reads it",
            'pip install "benthic[text]", or leave it out',
        ) from error
    # The packages raise errors of their own, of many kinds.
    try:
        is_folder = Path(name).is_dir()
        folder = name if is_folder else snapshot_download(name, local_files_only=True)
    except Exception as error:
        raise InputError(
            "text_encoder",
            f"{name}, which is no folder here and no model that was downloaded",
            "name the folder of a static embedding model, or download the model "
            "first (hf download NAME)",
        ) from error
    try:
        return StaticModel.from_pretrained(folder)
    except Exception as error:
        said = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise InputError(
            "text_encoder",
            f"{name}, where no model can be read ({said})",
            "name a folder that model2vec's StaticModel.save_pretrained wrote",
        ) from error
