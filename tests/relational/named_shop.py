"""A shop whose columns may have any names: the answers are the same under all."""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

import benthic.relational
from benthic.relational.database import Database
from benthic.relational.sources.source import RESERVED
from benthic.relational.sql import quoted

Names = Mapping[str, Mapping[str, str]]
"""Table -> column in this file -> name in the database."""

FACTS = {
    "customers": {"pkey": "customer", "time": None, "fkeys": {}},
    "orders": {"pkey": "order", "time": "at", "fkeys": {"buyer": "customers"}},
    "items": {
        "pkey": "item",
        "time": None,
        "fkeys": {"part_of": "orders", "of": "products"},
    },
    "products": {"pkey": "product", "time": None, "fkeys": {}},
}
STYPES = {
    "customers": {"tier": "categorical", "balance": "numerical", "about": "text"},
    "orders": {
        "total": "numerical",
        "channel": "categorical",
        "paid": "boolean",
        "due": "timestamp",
        "tags": "multicategorical",
        "note": "text",
    },
    "items": {"quantity": "numerical"},
    "products": {"kind": "categorical", "price": "numerical"},
}


def tables(size: int = 200, seed: int = 0) -> dict[str, pd.DataFrame]:
    """The shop under the names of this file."""
    rng = np.random.default_rng(seed)
    num = 12
    day = pd.to_timedelta(np.sort(rng.integers(0, 400, size)), unit="D")
    words = np.array([f"word{i} of many" for i in range(40)])
    texts = [" and ".join(rng.choice(words, 3)) for _ in range(size)]
    return {
        "customers": pd.DataFrame(
            {
                "customer": range(num),
                "tier": rng.choice(list("ab"), num),
                "balance": rng.normal(size=num).round(2),
                "about": texts[:num],
            }
        ),
        "orders": pd.DataFrame(
            {
                "order": range(size),
                "buyer": rng.integers(0, num, size),
                "at": pd.Timestamp("2025-01-01") + day,
                "total": rng.exponential(9, size).round(2),
                "channel": rng.choice(list("xyz"), size),
                "paid": rng.random(size) < 0.5,
                "due": pd.Timestamp("2025-01-09") + day * 1.01,
                "tags": ["|".join(rng.choice(list("rgb"), 2)) for _ in range(size)],
                "note": texts,
            }
        ),
        "items": pd.DataFrame(
            {
                "item": range(2 * size),
                "part_of": rng.integers(0, size, 2 * size),
                "of": rng.integers(0, 8, 2 * size),
                "quantity": rng.integers(1, 9, 2 * size),
            }
        ),
        "products": pd.DataFrame(
            {
                "product": range(8),
                "kind": list("uvuvuvuv"),
                "price": rng.normal(size=8).round(2),
            }
        ),
    }


def opened(names: Names, frames: Mapping[str, pd.DataFrame]) -> Database:
    """The shop under other names, with nothing left to be inferred from them."""
    said = {}
    for table, facts in FACTS.items():
        to = names[table]
        time = facts["time"]
        said[table] = {
            "pkey": to[facts["pkey"]],
            "time": None if time is None else to[time],
            "end_time": None,  # else "until" is one
            "fkeys": {to[key]: parent for key, parent in facts["fkeys"].items()},
            "stypes": {to[column]: kind for column, kind in STYPES[table].items()},
        }
    renamed = {
        name: frame.rename(columns=names[name]) for name, frame in frames.items()
    }
    return Database.open(renamed, overrides={"tables": said})


def query(text: str, names: Names) -> str:
    """A query in which ``table.column`` is what this file calls it."""
    return re.sub(
        r"\b(\w+)\.(\w+)",
        lambda found: f"{found[1]}.{quoted(names[found[1]][found[2]])}",
        text,
    )


def our_names() -> list[str]:
    """Aliases of our SQL, columns of our frames, and all that is of one letter."""
    numbered = {f"{letter}{i}" for letter in "cfkprtvx" for i in range(2)}
    found = {*string.ascii_lowercase, *numbered, "rowid", "anchor", "target"}
    for path in sorted(Path(benthic.relational.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found |= set(re.findall(r"(?:\bAS|lambda) ([A-Za-z_]\w*)", node.value))
            elif isinstance(node, ast.Subscript):
                found |= {str(getattr(node.slice, "value", ""))}
            elif isinstance(node, ast.Dict) and "features" in path.parts:
                found |= {str(getattr(key, "value", "")) for key in node.keys}
    words = {word.lower() for word in found if re.fullmatch(r"[A-Za-z_]\w*", word)}
    return sorted(words - RESERVED)


def plain() -> Names:
    """Names as they are in this file."""
    return {name: {c: c for c in frame} for name, frame in tables().items()}


def named(words: Sequence[str]) -> Names:
    """Names for the columns of each table from the first words, in their order."""
    return {
        name: dict(zip(columns, words, strict=False))
        for name, columns in plain().items()
    }
