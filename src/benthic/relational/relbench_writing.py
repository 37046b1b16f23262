"""Any database as a folder in RelBench's format."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from benthic.errors import InputError
from benthic.relational.database import Database
from benthic.relational.schema import Table
from benthic.relational.sources.relbench_folder import MANIFEST
from benthic.relational.sql import literal, quoted

_SPLITS = {"val_timestamp": 0.8, "test_timestamp": 0.9}  # of the span, if not given


def write_relbench_folder(
    db: Database,
    path: str | Path,
    *,
    val_timestamp: dt.datetime | None = None,
    test_timestamp: dt.datetime | None = None,
) -> None:
    """Writes ``manifest.yaml`` and ``db/TABLE.parquet``.

    As RelBench asks: a table with time is sorted by it, a primary key is 0 … n-1 in
    the order of the rows, and foreign keys follow; one that points at no row becomes
    NULL. The keys as they were are not kept. A primary key that is a foreign key too
    stays a foreign key, and the rows are numbered in a column of their own.

    Args:
        db: What to write.
        path: The folder to make; it must not exist, or be empty.
        val_timestamp: End of training; 80 % of the time span, if None.
        test_timestamp: End of validation; 90 % of the time span, if None.

    Raises:
        InputError: If the folder cannot be made.
        DatabaseError: If reading or writing fails; nothing is left half-written.
    """
    folder = Path(path)
    part = folder.with_name(f".{folder.name}.part")
    try:
        if folder.is_dir() and any(folder.iterdir()):
            raise InputError(
                "path", f"{folder}, which holds files", "name a new folder"
            )
        shutil.rmtree(part, ignore_errors=True)
        (part / "db").mkdir(parents=True)
        manifest = _manifest(db, folder.name, val_timestamp, test_timestamp)
        for table in db.schema.tables.values():
            _write_table(db, table, part / "db")
        text = yaml.safe_dump(manifest, sort_keys=False, allow_unicode=True)
        (part / MANIFEST).write_text(text, encoding="utf-8")
        part.replace(folder)
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        remedy = "name a folder you can write to"
        raise InputError("path", f"{folder}: {reason}", remedy) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _manifest(
    db: Database,
    name: str,
    val_timestamp: dt.datetime | None,
    test_timestamp: dt.datetime | None,
) -> dict[str, Any]:
    given = {"val_timestamp": val_timestamp, "test_timestamp": test_timestamp}
    timed = [table for table in db.schema.tables.values() if table.time_col]
    times = {
        split: (given[split] or _at(db, timed, share)).isoformat(sep=" ")
        for split, share in _SPLITS.items()
        if given[split] or timed
    }
    tables = {
        table.name: {
            "pkey": _pkey(table),
            "time_col": table.time_col,
            "fkeys": {key.column: key.table for key in table.fkeys},
        }
        for table in db.schema.tables.values()
    }
    return {"name": name, "manifest_version": 1, **times, "tables": tables}


def _at(db: Database, timed: list[Table], share: float) -> dt.datetime:
    """Midnight after a share of the time span."""
    relations = [db.relation(table.name, [str(table.time_col)]) for table in timed]
    starts = [
        db.query(f"SELECT min(_time) FROM {relation} WHERE isfinite(_time)")[0][0]
        for relation in relations
    ]
    start = min(time for time in starts if time is not None)
    moment: dt.datetime = start + share * (db.end_time - start)
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def _pkey(table: Table) -> str | None:
    """The column that numbers the rows."""
    if table.pkey_col in table.fkey_col_to_pkey_table:
        return f"{table.name}_row"
    return table.pkey_col


def _write_table(db: Database, table: Table, folder: Path) -> None:
    if Path(table.name).name != table.name:
        found = f"{table.name!r}, which cannot name a file"
        raise InputError("table", found, "ignore it in the overrides")
    file = literal(str(folder / f"{table.name}.parquet"))
    columns, joins = zip(*_columns(db, table), strict=True)
    db.query(
        f"COPY (SELECT {', '.join(columns)} FROM ({_numbered(db, table)}) own "
        f"{' '.join(joins)} ORDER BY own._number) TO {file} (FORMAT parquet)"
    )


def _columns(db: Database, table: Table) -> Iterator[tuple[str, str]]:
    """SELECT item and join of each column that is written."""
    number = _pkey(table)
    if number is not None and number not in table.columns:
        yield f"own._number AS {quoted(number)}", ""
    parents = table.fkey_col_to_pkey_table
    for place, name in enumerate(table.columns):
        if name in parents:
            parent, alias = db.schema.tables[parents[name]], quoted(f"parent {place}")
            rows, key = _numbered(db, parent), quoted(str(parent.pkey_col))
            kind = parent.columns[str(parent.pkey_col)].dtype
            yield (
                f"{alias}._number AS {quoted(name)}",
                f"LEFT JOIN (SELECT {key} AS _key, min(_number) AS _number "
                f"FROM ({rows}) GROUP BY 1) {alias} "
                f"ON TRY_CAST(own.{quoted(name)} AS {kind}) = {alias}._key",
            )
        else:
            value = "_number" if name == number else quoted(name)
            yield f"own.{value} AS {quoted(name)}", ""


def _numbered(db: Database, table: Table) -> str:
    order = "_row" if table.time_col is None else "_time NULLS LAST, _row"
    return (
        f"SELECT *, row_number() OVER (ORDER BY {order}) - 1 AS _number "
        f"FROM {db.relation(table.name)}"
    )
