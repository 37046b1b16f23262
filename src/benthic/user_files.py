"""Loads a user's own model from FILE.py:NAME and own graph from FILE.pt."""

from __future__ import annotations

import difflib
import importlib.util
import re
import sys
import traceback
import warnings
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.data import Data, HeteroData
from torch_geometric.data.data import DataEdgeAttr, DataTensorAttr
from torch_geometric.data.storage import (
    BaseStorage,
    EdgeStorage,
    GlobalStorage,
    NodeStorage,
)

from benthic.errors import InputError

# PyG registers Data and HeteroData as safe to load, but not what they hold.
_GRAPH_PARTS: list[Any] = [
    BaseStorage,
    DataEdgeAttr,
    DataTensorAttr,
    EdgeStorage,
    GlobalStorage,
    NodeStorage,
]


def is_model_file(target: str) -> bool:
    """Whether ``target`` means a Python file rather than the name of a dataset.

    Args:
        target: What the user typed.

    Example:
        >>> is_model_file("my_model.py:model"), is_model_file("cora")
        (True, False)
    """
    return split_target(target)[0].endswith(".py")


def split_target(target: str) -> tuple[str, str]:
    """Splits ``FILE.py:NAME`` into the file and the name, which may be empty.

    Args:
        target: What the user typed.

    Example:
        >>> split_target("my_model.py:model")
        ('my_model.py', 'model')
        >>> split_target("my_model.py")
        ('my_model.py', '')
    """
    file, colon, name = target.rpartition(":")
    return (file, name) if colon and file.endswith(".py") else (target, "")


def load_model(target: str, *, argument: str = "TARGET") -> nn.Module:
    """Runs the code of ``FILE.py`` and returns the module that ``NAME`` stands for.

    The name may hold an ``nn.Module``, or a class or function that returns one
    when called without arguments. As with ``python FILE.py``, the folder of the
    file stays on ``sys.path``.

    Args:
        target: ``FILE.py:NAME``.
        argument: What to call the target in an error.

    Raises:
        InputError: If the file is missing or raises, or the name is no module.
    """
    file, name = split_target(target)
    path = Path(file)
    if not path.is_file():
        raise InputError(argument, _no_file(path), "give the path of a .py file")
    module = _run(path, argument)
    names = [key for key in vars(module) if not key.startswith("_")]
    if not name or not hasattr(module, name):
        nearest = difflib.get_close_matches(name, names, 8, 0.0)
        listed = ", ".join(nearest or names) or "the names it defines"
        raise InputError(
            argument,
            f"no name {name!r} in {path.name}" if name else f"{file!r} without a name",
            f"write {file}:NAME with one of {listed}",
        )
    return _as_module(getattr(module, name), f"{path.name}:{name}", argument)


def load_graph(file: str, *, argument: str = "--data") -> Data | HeteroData:
    """Loads a graph that ``torch.save`` wrote, without running any code in it.

    The file holds a PyG ``Data`` or ``HeteroData``, or a dictionary of tensors
    such as ``{"x": …, "edge_index": …, "y": …, "train_mask": …}``.

    Args:
        file: Path of the file.
        argument: What to call the file in an error.

    Raises:
        InputError: If the file is missing, unsafe, or holds something else.
    """
    path = Path(file)
    if not path.is_file():
        raise InputError(argument, _no_file(path), "give a .pt file or a dataset")
    try:
        with torch.serialization.safe_globals(_GRAPH_PARTS), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about pickles that it then refuses
            value = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise InputError(
            argument,
            f"{path.name}, which does not load as plain tensors{_unsafe(error)}",
            "save a PyG Data, a HeteroData or a dictionary of tensors with torch.save",
        ) from error
    if isinstance(value, Data | HeteroData):
        return value
    if isinstance(value, Mapping) and any(
        isinstance(item, Tensor) for item in value.values()
    ):
        return Data(**{str(key): item for key, item in value.items()})
    raise InputError(
        argument,
        f"an object of type {type(value).__name__} in {path.name}",
        "save a PyG Data, a HeteroData or a dictionary of tensors",
    )


def _no_file(path: Path) -> str:
    return f"a folder, {str(path)!r}" if path.is_dir() else f"no file {str(path)!r}"


def _unsafe(error: BaseException) -> str:
    """What torch refused to load: it says so deep inside a long text."""
    match = re.search(r"GLOBAL ([\w.]+)", str(error))
    return f" (it needs {match[1]})" if match else ""


def _run(path: Path, argument: str) -> ModuleType:
    name = f"benthic_user_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise InputError(argument, f"{path.name}, not Python", "give a .py file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise InputError(
            argument,
            f"{path.name}, which raises {_brief(error)}{_line(error, path)}",
            f"make `python {path.name}` run first",
        ) from error
    return module


def _as_module(value: Any, name: str, argument: str) -> nn.Module:
    remedy = "name an nn.Module, or a function that returns one without arguments"
    if isinstance(value, nn.Module):
        return value
    if not callable(value):
        found = f"{name}, an object of type {type(value).__name__}"
        raise InputError(argument, found, remedy)
    try:
        made = value()
    except (Exception, SystemExit) as error:
        found = f"{name}(), which raises {_brief(error)}"
        raise InputError(argument, found, remedy) from error
    if not isinstance(made, nn.Module):
        found = f"{name}(), which returns an object of type {type(made).__name__}"
        raise InputError(argument, found, remedy)
    return made


def _brief(error: BaseException) -> str:
    """The type and the first line of an error, short enough for one line."""
    lines = str(error).strip().splitlines()
    text = lines[0] if lines else ""
    name = type(error).__name__
    return f"{name}: {text[:160]}" if text else name


def _line(error: BaseException, path: Path) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    lines = [f.lineno for f in frames if Path(f.filename).name == path.name]
    return f" (line {lines[-1]})" if lines else ""
