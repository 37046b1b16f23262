"""What the user says about their tables, over what is declared and inferred."""

from __future__ import annotations

import difflib
import math
import sys
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from benthic.errors import InputError
from benthic.relational.declared import Declared, DeclaredTable
from benthic.relational.schema import SType

if sys.version_info >= (3, 11):
    import tomllib
else:  # pragma: no cover
    tomllib = None

_ENTRIES = ("pkey", "time", "end_time", "fkeys", "stypes", "ignore")
_BESIDE = ("schema.yaml", "schema.yml", "schema.toml")


@dataclass(frozen=True)
class TableOverride:
    """What the user says about one table.

    Args:
        given: Which of ``pkey``, ``time`` and ``end_time`` are said; said to be None
            means that there is none.
        pkey: Columns of the primary key.
        time: Time column.
        end_time: End of a row's life.
        fkeys: Column -> table it points at, None: at none.
        stypes: Column -> semantic type.
        ignore: Columns that are left out.
        ignored: Whether the whole table is left out.
    """

    given: frozenset[str] = frozenset()
    pkey: tuple[str, ...] | None = None
    time: str | None = None
    end_time: str | None = None
    fkeys: Mapping[str, str | None] = field(default_factory=dict)
    stypes: Mapping[str, SType] = field(default_factory=dict)
    ignore: frozenset[str] = frozenset()
    ignored: bool = False


@dataclass(frozen=True)
class Overrides:
    """What the user says about their tables.

    Args:
        tables: By name.
        source: Where it is said, for reasons and errors.
    """

    tables: Mapping[str, TableOverride] = field(default_factory=dict)
    source: str = "overrides"

    def table(self, name: str) -> TableOverride:
        """What is said about a table; nothing, for most."""
        return self.tables.get(name, _NOTHING)

    def amended(self, declared: Declared) -> Declared:
        """The declared facts with the user's keys and times, without what is ignored.

        Args:
            declared: What the database says.
        """
        kept = {
            name: self._amended(table)
            for name, table in declared.tables.items()
            if not self.table(name).ignored
        }
        tables = {
            name: replace(
                table, fkeys=tuple(key for key in table.fkeys if key.table in kept)
            )
            for name, table in kept.items()
        }
        return replace(declared, tables=tables)

    def _amended(self, table: DeclaredTable) -> DeclaredTable:
        said = self.table(table.name)
        dropped = said.ignore
        gone = dropped | said.fkeys.keys()
        table = replace(
            table,
            columns={c: d for c, d in table.columns.items() if c not in dropped},
            fkeys=tuple(k for k in table.fkeys if not gone & set(k.columns)),
            pkey=() if dropped & set(table.pkey) else table.pkey,
            time_col=None if table.time_col in dropped else table.time_col,
            end_time_col=None if table.end_time_col in dropped else table.end_time_col,
        )
        if "pkey" in said.given:
            table = replace(table, pkey=said.pkey or ())
        if "time" in said.given:
            table = replace(table, time_col=said.time, static=said.time is None)
        if "end_time" in said.given:
            table = replace(table, end_time_col=said.end_time)
        return table


_NOTHING = TableOverride()


def overrides_beside(database: Path) -> Path | None:
    """The file of overrides that lies in a database's folder or beside its file.

    ``schema.yaml`` (or ``.yml``, ``.toml``) in a folder; ``shop.schema.yaml`` beside
    ``shop.duckdb``.

    Args:
        database: A folder or a file.
    """
    if database.is_dir():
        places = [database / name for name in _BESIDE]
    else:
        places = [database.with_name(f"{database.stem}.{name}") for name in _BESIDE]
    return next((place for place in places if place.is_file()), None)


def written_link(table: str, column: str, parent: str) -> str:
    """How a user says that a column points at a table, as YAML in one line.

    Args:
        table: The child.
        column: Its foreign key.
        parent: The table it points at.

    Example:
        >>> print(written_link("orders", "buyer", "customers"))
        --overrides FILE (overrides= in Python): {tables: {orders: {fkeys: {buyer: \
customers}}}}
    """
    return _written({"tables": {table: {"fkeys": {column: parent}}}})


def written_stype(table: str, column: str, kind: SType) -> str:
    """How a user says what a column means, as YAML in one line.

    Args:
        table: The table.
        column: Its column.
        kind: What it is to be read as.

    Example:
        >>> print(written_stype("orders", "total", SType.numerical))
        --overrides FILE (overrides= in Python): {tables: {orders: {stypes: {total: \
numerical}}}}
    """
    return _written({"tables": {table: {"stypes": {column: str(kind)}}}})


def _written(entry: Mapping[str, Any]) -> str:
    text = yaml.safe_dump(
        entry, default_flow_style=True, width=math.inf, allow_unicode=True
    )
    return f"--overrides FILE (overrides= in Python): {str(text).strip()}"


def read_overrides(
    source: str | Path | Mapping[str, Any], declared: Declared
) -> Overrides:
    """Reads overrides from a YAML or TOML file, or a mapping, and checks every name.

    ::

        tables:
          orders:
            pkey: order_id            # null: it has none
            time: placed_at           # null: a static table
            end_time: closed_at
            fkeys: {buyer: customers, code: null}
            stypes: {zip: categorical}
            ignore: [last_update]     # true: the whole table

    Args:
        source: Path of the file, or what would stand in it.
        declared: The tables that it may speak of.

    Raises:
        InputError: If the file cannot be read, or an entry names something that is
            not there.
    """
    if isinstance(source, Mapping):
        return _Reader("overrides", declared).read(source)
    path = Path(source)
    return _Reader(str(path), declared).read(_parsed(path))


def _parsed(path: Path) -> Any:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        found = error.strerror if isinstance(error, OSError) else "no UTF-8 text"
        raise InputError(
            "overrides", f"{path}: {found}", "give a YAML or TOML file"
        ) from None
    if path.suffix == ".toml":
        if tomllib is None:  # pragma: no cover
            raise InputError("overrides", str(path), "write it as YAML on Python 3.10")
        parse, errors = tomllib.loads, tomllib.TOMLDecodeError
        kind = "TOML"
    else:
        parse, errors, kind = yaml.safe_load, yaml.YAMLError, "YAML"
    try:
        return parse(text)
    except errors as error:
        fault = " ".join(str(error).split())
        raise InputError(
            "overrides", f"{path}, which is no {kind} ({fault})", "correct it"
        ) from None


@dataclass(frozen=True)
class _Reader:
    """Checks entries; every error names the file and the entry."""

    source: str
    declared: Declared

    def read(self, document: Any) -> Overrides:
        root = self._mapping("", document)
        for key in root:
            self._one_of(str(key), key, ("tables",), "an entry")
        tables = self._mapping("tables", root.get("tables"))
        for name in tables:
            self._one_of(f"tables.{name}", name, self.declared.tables, "a table")
        found = {
            name: self._table(self.declared.tables[name], entry)
            for name, entry in tables.items()
        }
        for name, said in found.items():
            self._check_parents(name, said, found)
        return Overrides(found, self.source)

    def _table(self, table: DeclaredTable, entry: Any) -> TableOverride:
        where = f"tables.{table.name}"
        said = self._mapping(where, entry)
        for key in said:
            self._one_of(f"{where}.{key}", key, _ENTRIES, "an entry")
        ignore = said.get("ignore", [])
        columns = {} if ignore is True else table.columns
        if ignore is True:
            return TableOverride(ignored=True)
        return TableOverride(
            given=frozenset(said) & {"pkey", "time", "end_time"},
            pkey=self._key(f"{where}.pkey", said.get("pkey"), columns),
            time=self._column(f"{where}.time", said.get("time"), columns),
            end_time=self._column(f"{where}.end_time", said.get("end_time"), columns),
            fkeys=dict(self._links(f"{where}.fkeys", said.get("fkeys"), columns)),
            stypes=dict(self._stypes(f"{where}.stypes", said.get("stypes"), columns)),
            ignore=frozenset(self._ignored(f"{where}.ignore", ignore, table)),
        )

    def _key(
        self, where: str, value: Any, columns: Collection[str]
    ) -> tuple[str, ...] | None:
        if value is None:
            return None
        names = value if isinstance(value, list) else [value]
        if not names:
            raise self._error(where, "an empty list", "name a column, or null for none")
        return tuple(self._one_of(where, name, columns, "a column") for name in names)

    def _column(self, where: str, value: Any, columns: Collection[str]) -> str | None:
        return (
            None if value is None else self._one_of(where, value, columns, "a column")
        )

    def _links(
        self, where: str, value: Any, columns: Collection[str]
    ) -> Iterator[tuple[str, str | None]]:
        for column, parent in self._mapping(where, value).items():
            self._one_of(where, column, columns, "a column")
            if parent is not None:
                entry = f"{where}.{column}"
                self._one_of(entry, parent, self.declared.tables, "a table")
            yield column, parent

    def _stypes(
        self, where: str, value: Any, columns: Collection[str]
    ) -> Iterator[tuple[str, SType]]:
        for column, stype in self._mapping(where, value).items():
            self._one_of(where, column, columns, "a column")
            names = [str(known) for known in SType]
            yield (
                column,
                SType(self._one_of(f"{where}.{column}", stype, names, "a type")),
            )

    def _ignored(self, where: str, value: Any, table: DeclaredTable) -> Iterator[str]:
        if value is False or value is None:
            return
        if not isinstance(value, list):
            raise self._error(where, repr(value), "list columns, or write true")
        for name in value:
            yield self._one_of(where, name, table.columns, "a column")

    def _check_parents(
        self, name: str, said: TableOverride, found: Mapping[str, TableOverride]
    ) -> None:
        for column, parent in said.fkeys.items():
            if parent is not None and found.get(parent, _NOTHING).ignored:
                raise self._error(
                    f"tables.{name}.fkeys.{column}",
                    f"{parent}, which is ignored",
                    f"drop the entry or keep {parent}",
                )
        used = {*(said.pkey or ()), said.time, said.end_time, *said.fkeys}
        for column in sorted(said.ignore):
            if column in used:
                raise self._error(
                    f"tables.{name}.ignore",
                    f"{column}, which another entry needs",
                    "keep it or drop that entry",
                )

    def _mapping(self, where: str, value: Any) -> Mapping[Any, Any]:
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            remedy = "write entries as NAME: VALUE"
            raise self._error(where, f"{value!r}", remedy)
        return value

    def _one_of(self, where: str, value: Any, known: Collection[str], kind: str) -> str:
        if isinstance(value, str) and value in known:
            return value
        near = difflib.get_close_matches(str(value), known, 1, 0.5) or [
            name for name in known if name.lower() == str(value).lower()
        ]
        shown = ", ".join(list(known)[:8])
        remedy = f"did you mean {near[0]}?" if near else f"name {kind} of: {shown}"
        raise self._error(where, f"{value!r}, which is not {kind}", remedy)

    def _error(self, where: str, found: str, remedy: str) -> InputError:
        entry = f"{self.source}: {where}" if where else self.source
        return InputError(entry, found, remedy)
