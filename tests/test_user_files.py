from __future__ import annotations

import pickle
import sys

import pytest
import torch
from torch import nn
from torch_geometric.data import Data, HeteroData

from benthic.errors import InputError
from benthic.user_files import load_graph, load_model

SOURCE = """
from dataclasses import dataclass

import torch

import sibling

@dataclass
class Settings:
    width: int = 3

model = torch.nn.Linear(Settings.width, 2)
Net = torch.nn.Identity
number = 3

def build():
    return torch.nn.Linear(sibling.WIDTH, 2)

def needs_an_argument(width):
    return torch.nn.Linear(width, 2)

def gives_none():
    return None

def stops():
    raise SystemExit(3)
"""


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "sibling", raising=False)
    (tmp_path / "sibling.py").write_text("WIDTH = 5")
    path = tmp_path / "my_model.py"
    path.write_text(SOURCE)
    return path


def test_a_module_a_class_and_a_function_all_give_a_module(file):
    assert load_model(f"{file}:model").in_features == 3
    assert isinstance(load_model(f"{file}:Net"), nn.Identity)
    assert load_model(f"{file}:build").in_features == 5


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("modle", r"no name 'modle' in my_model.py; .* one of model"),
        ("", "without a name"),
        ("number", "number, an object of type int"),
        ("needs_an_argument", "raises TypeError"),
        ("gives_none", "returns an object of type NoneType"),
        ("stops", "raises SystemExit: 3"),
    ],
)
def test_a_name_that_is_no_module_is_explained(file, name, message):
    with pytest.raises(InputError, match=f"TARGET: .*{message}") as raised:
        load_model(f"{file}:{name}" if name else str(file))
    assert "\n" not in str(raised.value)


def test_a_missing_file_is_named():
    with pytest.raises(InputError, match=r"no file 'nowhere\.py'"):
        load_model("nowhere.py:model")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("\nx = 1 / 0", r"ZeroDivisionError: division by zero \(line 2\)"),
        ("def (", "SyntaxError"),
        ("import no_such_module_at_all", "ModuleNotFoundError"),
        ("import sys; sys.exit(0)", "SystemExit"),
    ],
)
def test_a_file_that_raises_is_explained(tmp_path, monkeypatch, source, message):
    monkeypatch.setattr(sys, "path", list(sys.path))
    path = tmp_path / "broken.py"
    path.write_text(source)
    with pytest.raises(InputError, match=message):
        load_model(f"{path}:model")
    assert "benthic_user_broken" not in sys.modules


def test_an_interrupt_while_loading_stays_an_interrupt(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    path = tmp_path / "interrupted.py"
    path.write_text("raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        load_model(f"{path}:model")


def test_graphs_come_back_as_they_were_saved(tmp_path):
    graph = Data(x=torch.ones(2, 3), edge_index=torch.tensor([[0], [1]]))
    hetero = HeteroData()
    hetero["user"].x = torch.ones(2, 3)
    for name, value in (("a.pt", graph), ("b.pt", hetero)):
        torch.save(value, tmp_path / name)
    assert load_graph(str(tmp_path / "a.pt")).x.shape == (2, 3)
    loaded = load_graph(str(tmp_path / "b.pt"))
    assert loaded["user"].num_nodes == 2


def test_a_folder_is_no_file(tmp_path):
    for name, load in (("a.pt", load_graph), ("a.py", load_model)):
        (tmp_path / name).mkdir()
        with pytest.raises(InputError, match=f"found a folder, '.*{name}'"):
            load(str(tmp_path / name))


def test_a_pickle_of_something_else_is_refused_without_a_warning(tmp_path):
    path = tmp_path / "a.pt"
    path.write_bytes(pickle.dumps({"x": [1, 2]}))  # torch warns of its protocol
    with pytest.raises(InputError, match="does not load as plain tensors"):
        load_graph(str(path))


def test_a_dictionary_of_tensors_is_a_graph(tmp_path):
    path = tmp_path / "a.pt"
    torch.save({"x": torch.ones(2, 3), "edge_index": torch.tensor([[0], [1]])}, path)
    assert load_graph(str(path)).num_edges == 1


class Hostile:
    def __reduce__(self):
        return (sys.exit, (7,))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([1, 2], "an object of type list"),
        ({"a": 1}, "an object of type dict"),
        (torch.ones(2), "an object of type Tensor"),
        (Hostile(), "does not load as plain tensors"),
    ],
)
def test_anything_else_is_refused_and_no_code_runs(tmp_path, value, message):
    path = tmp_path / "a.pt"
    torch.save(value, path)
    with pytest.raises(InputError, match=f"--data: .*{message}") as raised:
        load_graph(str(path))
    assert "\n" not in str(raised.value)


def test_a_file_that_is_no_tensor_file_is_refused(tmp_path):
    path = tmp_path / "a.pt"
    for content in (b"", b"not a tensor", b"PK\x03\x04broken"):
        path.write_bytes(content)
        with pytest.raises(InputError, match="does not load"):
            load_graph(str(path))


def test_a_missing_graph_is_named():
    with pytest.raises(InputError, match=r"--data: found no file 'nowhere\.pt'"):
        load_graph("nowhere.pt")
