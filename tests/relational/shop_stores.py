"""The shop in every kind of store, and whether a Database reads the same rows."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
from tests.relational.shop import SHOP_KEYS, STYPES, shop_frames

from benthic.relational.database import Database
from benthic.relational.sql import quoted

_TYPES = {
    "timestamp": "TIMESTAMP",
    "boolean": "BOOLEAN",
    "multicategorical": "TEXT[]",
    "text": "TEXT",
    "categorical": "TEXT",
}


def shop_ddl(arrays: bool = True) -> list[str]:
    """CREATE TABLE statements, parents first, with all keys declared.

    Orders' items point at an order that is gone: that key cannot be declared.
    """
    statements = []
    for name, frame in shop_frames().items():
        keys = SHOP_KEYS["tables"][name]
        parts = [
            f"{quoted(column)} {_type(column, frame[column], arrays)}"
            for column in frame
        ]
        parts.append(f"PRIMARY KEY ({quoted(keys['pkey'])})")
        for column, parent in keys["fkeys"].items():
            if (name, column) != ("order_items", "order_id"):
                key = SHOP_KEYS["tables"][parent]["pkey"]
                parts.append(
                    f"FOREIGN KEY ({quoted(column)}) "
                    f"REFERENCES {quoted(parent)} ({quoted(key)})"
                )
        statements.append(f"CREATE TABLE {quoted(name)} ({', '.join(parts)})")
    return statements


def _type(column: str, values: pd.Series, arrays: bool) -> str:
    if values.dtype in ("int64", "Int64"):
        return "BIGINT"
    kind = _TYPES.get(STYPES.get(column, ""), "DOUBLE PRECISION")
    return "TEXT" if kind == "TEXT[]" and not arrays else kind


def rows_of(
    frame: pd.DataFrame, convert: Callable[[Any], Any]
) -> list[tuple[Any, ...]]:
    """Rows as Python values, None for missing, times as ``convert`` gives them."""
    columns = [
        [_plain(value, convert) for value in frame[column].astype(object)]
        for column in frame
    ]
    return list(zip(*columns, strict=True))


def _plain(value: Any, convert: Callable[[Any], Any]) -> Any:
    if isinstance(value, list | np.ndarray):
        return convert(list(value))
    if pd.isna(value):
        return None
    return convert(value.to_pydatetime() if isinstance(value, pd.Timestamp) else value)


def insert(
    execute: Callable[[str, list[tuple[Any, ...]]], Any],
    mark: str,
    convert: Callable[[Any], Any] = lambda value: value,
) -> None:
    """Inserts the shop's rows through a driver whose parameters look like ``mark``."""
    for name, frame in shop_frames().items():
        marks = ", ".join([mark] * frame.shape[1])
        execute(f"INSERT INTO {quoted(name)} VALUES ({marks})", rows_of(frame, convert))


def write_duckdb(path: Path) -> Path:
    with duckdb.connect(str(path)) as connection:
        for statement in shop_ddl():
            connection.execute(statement)
        insert(connection.executemany, "?")
    return path


def write_sqlite(path: Path) -> Path:
    connection = sqlite3.connect(path)
    for statement in shop_ddl(arrays=False):
        connection.execute(statement)
    insert(connection.executemany, "?", _sqlite_value)
    connection.commit()
    connection.close()
    return path


def _sqlite_value(value: Any) -> Any:
    if isinstance(value, list):
        return "|".join(value)
    is_time = hasattr(value, "isoformat")
    return value.isoformat(sep=" ") if is_time else value


def write_parquet(path: Path) -> Path:
    path.mkdir(exist_ok=True)
    for name, frame in shop_frames().items():
        frame.to_parquet(path / f"{name}.parquet")
    return path


def write_csv(path: Path) -> Path:
    path.mkdir(exist_ok=True)
    for name, frame in shop_frames().items():
        if "tags" in frame:
            frame["tags"] = frame["tags"].str.join("|")
        frame.to_csv(path / f"{name}.csv", index=False)
    return path


def differences(
    db: Database,
    frames: Mapping[str, pd.DataFrame],
    tables: Mapping[str, str] | None = None,
    but: Collection[str] = ("tags",),
) -> list[str]:
    """Columns that the database does not give as the frames hold them, in order."""
    found = []
    for name, frame in frames.items():
        table = (tables or {}).get(name, name)
        sql = f"SELECT * FROM {db.relation(table)} ORDER BY _row"
        rows = db.frame(sql)
        for column in frame:
            if column in but:
                continue
            wanted = [_plain(value, str) for value in frame[column].astype(object)]
            got = [_plain(value, str) for value in rows[column].astype(object)]
            if _numbers(wanted) != _numbers(got):
                found.append(f"{name}.{column}: {wanted} {got}")
    return found


def _numbers(values: list[Any]) -> list[Any]:
    """1, 1.0 and '1' are one value here: a store may know no integers with gaps."""
    return [_number(value) for value in values]


def _number(value: Any) -> Any:
    try:
        return float(value)
    except (TypeError, ValueError):
        return value


def keys_of(db: Database) -> dict[str, tuple[str | None, dict[str, str], str | None]]:
    """Each table's key, links and time."""
    return {
        name: (table.pkey_col, table.fkey_col_to_pkey_table, table.time_col)
        for name, table in db.schema.tables.items()
    }


def shop_keys() -> dict[str, tuple[str | None, dict[str, str], str | None]]:
    """What :func:`keys_of` gives for the shop."""
    return {
        name: (keys["pkey"], keys["fkeys"], keys["time"])
        for name, keys in SHOP_KEYS["tables"].items()
    }
