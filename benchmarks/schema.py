"""Claim: keys, links and times are found without declarations, at any size of database.

Five public databases are stripped of what they declare and opened as data frames; what
is inferred is compared with the declarations. Names come in three styles: as they are,
with every primary key called "id", and in lower case run together. Beside it stands
what KumoRFM's client is described to do (scores of names and types, keys by the share
of different values, links without a look at the values), as we read the description.
Our rules were written with the first style of these databases at hand, so its figures
are no forecast for yours; the other two styles were met later.
Then: seconds and memory to open 100 tables, and ten million rows.
"""

from __future__ import annotations

import os
import re
import resource
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pandas as pd
import timing
import yaml

from benthic.relational.database import Database
from benthic.relational.schema import Schema

DATABASES = ("rel-f1", "rel-oulad", "rel-bicyclesmeta", "sakila", "chinook")
RESULT = Path(__file__).parent / "results" / "schema.json"
Frames = dict[str, pd.DataFrame]
Facts = set[tuple[str, ...]]


def data() -> Path:
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    return Path(os.environ.get("BENTHIC_DATA", beside)) / "relational"


def load(name: str) -> tuple[Frames, Facts]:
    """The tables, and what is declared: ("pkey", table, column) and so on."""
    if name == "chinook":
        return _chinook(data() / name / "raw" / "chinook.sqlite")
    folder = data() / name
    frames, facts = {}, set()
    for table, said in yaml.safe_load((folder / "manifest.yaml").read_text())[
        "tables"
    ].items():
        frames[table] = pd.read_parquet(folder / "db" / f"{table}.parquet")
        facts |= {("pkey", table, said["pkey"])} if said["pkey"] else set()
        facts |= {("time", table, said["time_col"])} if said["time_col"] else set()
        facts |= {("fkey", table, *link) for link in said["fkeys"].items()}
    return frames, facts


def _chinook(path: Path) -> tuple[Frames, Facts]:
    """Its catalogue knows keys; the times are those of the one event table."""
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    query = "SELECT name FROM sqlite_master WHERE type = 'table'"
    frames, facts = {}, set()
    for (table,) in connection.execute(query).fetchall():
        frames[table] = pd.read_sql_query(f'SELECT * FROM "{table}"', connection)
        columns = connection.execute(f'PRAGMA table_info("{table}")').fetchall()
        keys = [row[1] for row in columns if row[5]]
        facts |= {("pkey", table, keys[0])} if len(keys) == 1 else set()
        links = connection.execute(f'PRAGMA foreign_key_list("{table}")').fetchall()
        facts |= {("fkey", table, row[3], row[2]) for row in links}
    connection.close()
    return frames, facts


# Styles of names


def as_is(frames: Frames, facts: Facts) -> tuple[Frames, Facts]:
    return frames, facts


def plain_keys(frames: Frames, facts: Facts) -> tuple[Frames, Facts]:
    keys = {fact[1]: fact[2] for fact in facts if fact[0] == "pkey"}
    renamed = {
        name: frame.rename(columns={keys[name]: "id"}) if name in keys else frame
        for name, frame in frames.items()
    }
    return renamed, {
        ("pkey", fact[1], "id") if fact[0] == "pkey" else fact for fact in facts
    }


def run_together(frames: Frames, facts: Facts) -> tuple[Frames, Facts]:
    def short(name: str) -> str:
        return name.replace("_", "").lower()

    renamed = {
        short(name): frame.rename(columns=short) for name, frame in frames.items()
    }
    return renamed, {(fact[0], *map(short, fact[1:])) for fact in facts}


STYLES = {"as is": as_is, "keys named id": plain_keys, "run together": run_together}

# Ways to find out


def by_benthic(frames: Frames) -> Facts:
    with Database.open(frames) as db:
        return set(_facts(db.schema))


def _facts(schema: Schema) -> Iterator[tuple[str, ...]]:
    for table in schema.tables.values():
        if table.pkey_col:
            yield "pkey", table.name, table.pkey_col
        if table.time_col:
            yield "time", table.name, table.time_col
        for key in table.fkeys:
            yield "fkey", table.name, key.column, key.table


_IS_ID = re.compile(r"(id|hash|key|code|uuid)$", re.IGNORECASE)
_STOP = {"paid", "grid", "valid", "bid", "humid", "rapid", "android"}


def by_names(frames: Frames) -> Facts:
    """The heuristics of KumoRFM's client, as described; a tie is skipped."""
    keys = {}
    for table, frame in frames.items():
        scores = {column: _key_score(table, frame, column) for column in frame}
        keys[table] = _winner(scores, 4)
    facts = {("pkey", table, key) for table, key in keys.items() if key}
    for table, frame in frames.items():
        times = {
            column: _time_score(column) for column in frame if _is_time(frame[column])
        }
        chosen = max(times, key=lambda column: times[column], default=None)
        facts |= {("time", table, chosen)} if chosen else set()
        for column in frame:
            if column == keys[table]:
                continue
            scores = {
                parent: _link_score(frame, column, parent, frames[parent], key)
                for parent, key in keys.items()
                if key
            }
            winner = _winner(scores, 5)
            facts |= {("fkey", table, column, winner)} if winner else set()
    return facts


def _winner(scores: dict[str, float], least: float) -> str | None:
    best = max(scores.values(), default=0)
    found = [name for name, score in scores.items() if score == best]
    return found[0] if best >= least and len(found) == 1 else None


def _singular(table: str) -> str:
    return table.lower().replace("_", "").removesuffix("s")


def _key_score(table: str, frame: pd.DataFrame, column: str) -> float:
    name = column.lower().replace("_", "")
    if not _is_id(column):
        return 0
    own = name in {"id", f"{_singular(table)}id", f"{table.lower()}id"}
    return (5 if own else 4) * own + 3 * frame[column].nunique() / max(len(frame), 1)


def _is_id(column: str) -> bool:
    return bool(_IS_ID.search(column)) and column.lower() not in _STOP


def _link_score(
    frame: pd.DataFrame, column: str, parent: str, theirs: pd.DataFrame, key: str
) -> float:
    name, target = column.lower().replace("_", ""), key.lower().replace("_", "")
    if name == target and target != "id":
        score = 7
    elif name == f"{_singular(parent)}id" or (target != "id" and name.endswith(target)):
        score = 4
    elif _singular(parent) in name:
        score = 2
    else:
        return 0
    score += 2 * _is_id(column)
    score += frame[column].dtype == theirs[key].dtype
    return score + (frame[column].nunique() <= theirs[key].nunique())


def _is_time(values: pd.Series) -> bool:
    if pd.api.types.is_datetime64_any_dtype(values):
        return True
    if not pd.api.types.is_string_dtype(values):
        return False
    head = values.dropna().head(100)
    parsed = pd.to_datetime(head, errors="coerce", format="ISO8601")
    return len(head) > 0 and bool(parsed.notna().all())


def _time_score(column: str) -> float:
    name = column.lower()
    return 2 * name.startswith("creat") - 2 * ("last" in name or "update" in name)


WAYS: dict[str, Callable[[Frames], Facts]] = {
    "benthic": by_benthic,
    "names (KumoRFM)": by_names,
}


def compare() -> list[dict[str, object]]:
    rows = []
    for name in DATABASES:
        for style, change in STYLES.items():
            frames, truth = change(*load(name))
            for way, find in WAYS.items():
                found = find(frames)
                for kind in ("pkey", "fkey", "time"):
                    if kind == "time" and name == "chinook":
                        continue  # its catalogue declares none
                    right = {fact for fact in truth if fact[0] == kind}
                    said = {fact for fact in found if fact[0] == kind}
                    rows.append(
                        {
                            "dataset": name,
                            "names": style,
                            "way": way,
                            "what": kind,
                            "declared": len(right),
                            "found": len(said & right),
                            "wrong": sorted(map(list, said - right)),
                            "missed": sorted(map(list, right - said)),
                        }
                    )
    return rows


def summary(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    table = pd.DataFrame(rows).assign(wrong=lambda t: t["wrong"].map(len))
    sums = table.groupby(["names", "way", "what"], sort=False)[
        ["declared", "found", "wrong"]
    ].sum()
    sums["recall"] = (sums["found"] / sums["declared"]).round(4)
    sums["precision"] = (sums["found"] / (sums["found"] + sums["wrong"])).round(4)
    return sums.reset_index().to_dict("records")


def opening(tables: int, rows: int) -> dict[str, object]:
    """Seconds and memory to open a chain of tables of 12 columns, in a DuckDB file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.duckdb"
        connection = duckdb.connect(str(path))
        for number in range(tables):
            parent = f", (i * 7) % {rows} AS table{number - 1}_id" if number else ""
            connection.execute(
                f"CREATE TABLE table{number} AS SELECT i AS id{parent}, "
                "TIMESTAMP '2020-01-01' + to_minutes(i) AS created_at, "
                "i % 5 AS status, random() AS amount, i % 2 = 0 AS is_late, "
                "'kind ' || (i % 9) AS kind, 'name ' || i AS title, "
                "CAST(DATE '2020-01-01' + CAST(i % 900 AS INTEGER) AS VARCHAR) AS due, "
                "'<a><b' || (i % 4) || '>' AS tags, i % 100 AS points, "
                f"'some longer words on number ' || i AS note FROM range({rows}) r(i)"
            )
        connection.close()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        start, busy = time.perf_counter(), time.process_time()
        with Database.open(path) as db:
            seconds = time.perf_counter() - start
            busy = time.process_time() - busy
            links = sum(len(table.fkeys) for table in db.schema.tables.values())
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "tables": tables,
        "rows_per_table": rows,
        "columns": 12 * tables,
        "links": links,
        "open_seconds": round(seconds, 2),
        "processor_seconds": round(busy, 2),
        "peak_memory_more_mb": round((after - before) / 1024),
    }


def main() -> None:
    rows = compare()
    found = {
        "claim": __doc__.partition("\n")[0],
        "summary": summary(rows),
        "results": rows,
        "opening": [opening(10, 20_000), opening(100, 20_000), opening(2, 10_000_000)],
    }
    timing.save(RESULT, found)
    print(pd.DataFrame(found["summary"]).to_string())
    print(pd.DataFrame(found["opening"]).to_string())
    for row in rows:
        if row["way"] == "benthic" and (row["wrong"] or row["missed"]):
            print(row, file=sys.stderr)


if __name__ == "__main__":
    main()
