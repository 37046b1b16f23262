"""A sentence-embedding model on this machine reads texts, or is refused clearly."""

from __future__ import annotations

import json
import shutil
import sys

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from tests.relational.features.static_model import write_static_model

from benthic.errors import InputError
from benthic.relational.features.text_encoder import SentenceEncoder

TEXTS = [
    "The brake pads wear out on long descents.",
    "Should questions about electric bikes be closed?",
    "",
    "zzz qqq",
    "A tag for tyre pressure, please.",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_static_model(tmp_path_factory.mktemp("encoder") / "model")


def test_a_text_has_the_same_vector_whoever_stands_beside_it(folder):
    encoder = SentenceEncoder(folder)
    together = encoder(TEXTS).toarray()
    alone = np.vstack([encoder([text]).toarray() for text in TEXTS])
    assert together.tobytes() == alone.tobytes()
    assert (together[2] == 0).all()
    assert (together[3] == 0).all()


def test_columns_are_principal_components(folder):
    encoder = SentenceEncoder(folder)
    texts = [f"{text} {i}" for i in range(20) for text in TEXTS if text]
    made = encoder.projection(
        texts, sparse.csr_matrix(np.eye(len(texts))), np.empty((len(texts), 0))
    )
    values = made(encoder(texts)).astype(np.float64)
    assert made.names[0] == "meaning 1"
    assert values.mean(axis=0) == pytest.approx(np.zeros(8), abs=1e-5)
    x = encoder(texts).toarray()
    spread = np.linalg.eigvalsh(np.cov(x.T))[::-1][:8]
    assert values.var(axis=0, ddof=1) == pytest.approx(spread, abs=1e-6)


def test_it_comes_back_by_its_folder(folder, monkeypatch):
    saved = json.loads(json.dumps(SentenceEncoder(folder).to_json()))
    monkeypatch.chdir("/")
    assert SentenceEncoder.from_json(saved).name == folder


def test_another_model_in_its_place_is_refused(folder, tmp_path):
    other = write_static_model(tmp_path / "model", seed=1, dim=20)
    saved = {**SentenceEncoder(folder).to_json(), "name": other}
    with pytest.raises(InputError, match="text_encoder: found another model at"):
        SentenceEncoder.from_json(saved)


@pytest.mark.parametrize(
    "name", ["no-such/model", "nowhere", "/no/such/folder", "no/such/folder"]
)
def test_what_is_nowhere_is_refused_in_one_line(folder, name):
    with pytest.raises(InputError, match="no folder here and no model") as caught:
        SentenceEncoder(name)
    assert "\n" not in str(caught.value)


def test_a_downloaded_model_is_known_by_its_name(folder, tmp_path, monkeypatch):
    kept = tmp_path / "models--some--words"
    shutil.copytree(folder, kept / "snapshots" / "a1")
    (kept / "refs").mkdir()
    (kept / "refs" / "main").write_text("a1")
    monkeypatch.setattr(
        "huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path), raising=True
    )
    found = SentenceEncoder("some/words")
    assert found(TEXTS).toarray() == pytest.approx(
        SentenceEncoder(folder)(TEXTS).toarray()
    )
    assert found.to_json()["name"] == "some/words"


def test_a_folder_without_a_model_is_refused(folder, tmp_path):
    with pytest.raises(InputError, match="where no model can be read"):
        SentenceEncoder(str(tmp_path))
    (tmp_path / "model.safetensors").write_bytes(b"broken")
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(InputError, match="where no model can be read"):
        SentenceEncoder(str(tmp_path))


def test_without_the_package_it_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "model2vec", None)
    with pytest.raises(InputError, match=r'pip install "benthic\[text\]"'):
        SentenceEncoder(str(tmp_path))


def test_near_meanings_are_near(folder):
    """The fixture is a real model: words that share company have near vectors."""
    x = SentenceEncoder(folder)(["tag tags", "questions tagged", "http com"]).toarray()
    near = pd.DataFrame(x @ x.T)
    assert near.loc[0, 1] > near.loc[0, 2]
