"""Writes predictions where the user asked, part by part, whole or not at all."""

from __future__ import annotations

import contextlib
import io
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from benthic.errors import InputError
from benthic.output_file import check_folder, check_writable, unwritable


def write_answers(
    path: str | Path, parts: Iterable[pd.DataFrame], *, argument: str = "out"
) -> int:
    """Writes frames of the same columns into one file; the number of rows.

    Args:
        path: ``.parquet``, ``.csv``, or ``.json`` (an array of records).
        parts: Frames, made as they are written, so that millions need no memory.
        argument: What to call the path in an error.

    Raises:
        InputError: If the kind of file is unknown, or it cannot be written; what was
            there before stays.
        OutputError: If the disk is full; the same.

    Example:
        >>> place = Path(tempfile.mkdtemp()) / "answers.csv"
        >>> one = pd.DataFrame({"entity": [1]})
        >>> write_answers(place, [one, one + 1])
        2
        >>> place.read_text().split()
        ['entity', '1', '2']
    """
    final = Path(path)
    check_file(final, argument=argument)
    try:
        return _replaced(final, parts)
    except OSError as error:
        raise unwritable(path, error, argument=argument) from error


def _replaced(final: Path, parts: Iterable[pd.DataFrame]) -> int:
    handle, name = tempfile.mkstemp(prefix=f".{final.name}-", dir=final.parent)
    os.close(handle)
    made = Path(name)
    try:
        rows = _FORMATS[final.suffix.lower()](made, parts)
        made.chmod(0o644)  # mkstemp's file is for its owner only
        made.replace(final)
    finally:
        made.unlink(missing_ok=True)
    return rows


def check_file(path: str | Path | None, *, argument: str = "out") -> None:
    """Finds out before the work whether the answers can be written; None is fine.

    Args:
        path: Where they shall go.
        argument: What to call it in an error.

    Raises:
        InputError: If they cannot.
        OutputError: If the disk is full.
    """
    if path is None:
        return
    final = Path(path)
    if final.suffix.lower() not in _FORMATS:
        known = ", ".join(_FORMATS)
        raise InputError(argument, str(path), f"name a file that ends in {known}")
    check_writable(final, argument=argument)
    check_folder(final.parent, argument=argument, named=final)


def _parquet(path: Path, parts: Iterable[pd.DataFrame]) -> int:
    rows, schema = 0, None
    with contextlib.ExitStack() as stack:
        writer = None
        for part in parts:
            table = pa.Table.from_pandas(part, schema=schema, preserve_index=False)
            if writer is None:
                schema = table.schema
                writer = stack.enter_context(pq.ParquetWriter(path, schema))
            writer.write_table(table)
            rows += len(part)
    return rows


def to_csv(parts: Iterable[pd.DataFrame]) -> str:
    """Frames of the same columns as the text of one CSV file.

    Args:
        parts: Frames.

    Example:
        >>> one = pd.DataFrame({"entity": [1]})
        >>> to_csv([one, one + 1]).split()
        ['entity', '1', '2']
    """
    text = io.StringIO()
    _write_csv(text, parts)
    return text.getvalue()


def _csv(path: Path, parts: Iterable[pd.DataFrame]) -> int:
    with path.open("w", encoding="utf-8", newline="") as file:
        return _write_csv(file, parts)


def _write_csv(file: io.TextIOBase, parts: Iterable[pd.DataFrame]) -> int:
    rows = 0
    for part in parts:
        _flat(part).to_csv(file, index=False, header=rows == 0)
        rows += len(part)
    return rows


def _json(path: Path, parts: Iterable[pd.DataFrame]) -> int:
    rows = 0
    with path.open("w", encoding="utf-8") as file:
        file.write("[")
        for record in records(parts):
            file.write(",\n" if rows else "\n")
            file.write(json.dumps(record))
            rows += 1
        file.write("\n]\n")
    return rows


def records(parts: Iterable[pd.DataFrame]) -> Iterator[dict[str, Any]]:
    """Rows as plain values: times as ISO text, what is missing as None.

    Args:
        parts: Frames.

    Example:
        >>> frame = pd.DataFrame({"at": pd.to_datetime(["2026-01-02"]), "p": [None]})
        >>> list(records([frame]))
        [{'at': '2026-01-02T00:00:00', 'p': None}]
    """
    for part in parts:
        for row in part.to_dict("records"):
            yield {str(name): _plain(value) for name, value in row.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if value is None or value is pd.NaT or value is pd.NA:
        return None
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else None
    if hasattr(value, "item"):
        return _plain(value.item())
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return value if isinstance(value, bool | int | str) else str(value)


def _flat(part: pd.DataFrame) -> pd.DataFrame:
    """Lists as JSON text, since a cell of CSV holds one value."""
    lists = [
        name
        for name in part.columns
        if part[name].dtype == object
        and any(isinstance(value, list) for value in part[name].head(1))
    ]
    return part.assign(
        **{str(n): [json.dumps(_plain(v)) for v in part[n]] for n in lists}
    )


_FORMATS: dict[str, Callable[[Path, Iterable[pd.DataFrame]], int]] = {
    ".parquet": _parquet,
    ".csv": _csv,
    ".json": _json,
}
