"""From what a database declares, and its data, to a schema."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from benthic.errors import InputError
from benthic.relational.declared import Declared, DeclaredTable, Probe
from benthic.relational.inference.composite import (
    KeyColumn,
    key_column,
    pointing_column,
)
from benthic.relational.inference.data_problems import column_problems, time_problems
from benthic.relational.inference.keys import KeyChoice, declared_key, infer_key
from benthic.relational.inference.links import containment, infer_links, orphans
from benthic.relational.inference.profile import ColumnProfile, profile
from benthic.relational.inference.row_times import RowTime, RowTimes
from benthic.relational.inference.stypes import stype
from benthic.relational.inference.text_values import number_problem, text_value
from benthic.relational.inference.times import Reading, read_times
from benthic.relational.overrides import Overrides
from benthic.relational.schema import (
    Choice,
    Column,
    ForeignKey,
    Problem,
    Schema,
    SType,
    Table,
)


def infer_schema(
    declared: Declared, probe: Probe, overrides: Overrides | None = None
) -> Schema:
    """Declared keys and times, and what names, types and data say where none are.

    Everything that was not declared carries its reason and a confidence; what is
    uncertain between two readings is not chosen but listed as a problem.

    Args:
        declared: What the database says about itself.
        probe: Access to its data.
        overrides: What the user says; it wins over both.

    Raises:
        InputError: If the user says something that the data cannot bear.
    """
    overrides = overrides or Overrides()
    work = _Inference(overrides.amended(declared), probe, overrides)
    return work.schema()


@dataclass
class _Inference:
    """One pass over a database; each step reads what the steps before it found."""

    declared: Declared
    probe: Probe
    overrides: Overrides
    profiles: dict[str, dict[str, ColumnProfile]] = field(default_factory=dict)
    keys: dict[str, KeyChoice] = field(default_factory=dict)
    key_columns: dict[str, KeyColumn] = field(default_factory=dict)
    links: dict[str, list[ForeignKey]] = field(default_factory=dict)
    link_columns: dict[str, dict[str, KeyColumn]] = field(default_factory=dict)
    readings: dict[str, dict[str, Reading]] = field(default_factory=dict)
    unread: dict[str, tuple[str, ...]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def schema(self) -> Schema:
        tables = self.declared.tables
        self.problems += [
            Problem(name, None, text) for name, text in self.declared.notes
        ]
        for name, table in tables.items():
            self.profiles[name] = profile(table, self.probe)
            self.problems += column_problems(table, self.profiles[name])
        for table in tables.values():
            self._find_key(table)
        for table in tables.values():
            self._find_links(table)
        for table in tables.values():
            self._find_times(table)
        times = self._row_times()
        built = {name: self._table(tables[name], times[name]) for name in tables}
        return Schema(built, tuple(self.problems))

    # Keys

    def _find_key(self, table: DeclaredTable) -> None:
        said = self.overrides.table(table.name)
        pointed_at = _pointed_at(self.declared, table.name)
        if "pkey" in said.given and not table.pkey:
            found = KeyChoice((), Choice(self._given))
        elif table.pkey:
            reason = self._given if "pkey" in said.given else "declared"
            found = declared_key(table, self.probe, reason)
            if "pkey" in said.given and not found.columns:
                raise self._refused(f"{table.name}.pkey", found.choice.reason)
        elif pointed_at:
            found = declared_key(
                replace(table, pkey=pointed_at),
                self.probe,
                "a declared foreign key points at it",
            )
        else:
            found = infer_key(
                table,
                self.profiles[table.name],
                tuple(self.declared.tables),
                self.probe,
            )
        self.keys[table.name] = found
        self.problems += found.problems
        if found.columns:
            self.key_columns[table.name] = key_column(table, found.columns)

    # Links

    def _find_links(self, table: DeclaredTable) -> None:
        self.links[table.name] = []
        self.link_columns[table.name] = {}
        for key in table.fkeys:
            self._link(table, key.columns, key.table, key.parent_columns, "declared")
        said = self.overrides.table(table.name).fkeys
        for column, parent in said.items():
            if parent is not None and parent not in self.key_columns:
                where = f"{table.name}.fkeys.{column}"
                raise self._refused(where, f"{parent}, which has no primary key")
            if parent is not None:
                target = self.keys[parent].columns
                self._link(table, (column,), parent, target, self._given)
        taken = {column for key in table.fkeys for column in key.columns} | set(said)
        own = self.keys[table.name].columns
        taken |= set(own) if len(own) == 1 else set()
        open_columns = {
            column: seen
            for column, seen in self.profiles[table.name].items()
            if column not in taken
        }
        single = {
            name: key.sources[0]
            for name, key in self.key_columns.items()
            if len(key.sources) == 1
        }
        found, problems = infer_links(
            table, open_columns, single, self.declared, self.profiles, self.probe
        )
        self.links[table.name] += found
        self.problems += problems

    def _link(
        self,
        table: DeclaredTable,
        columns: tuple[str, ...],
        parent: str,
        parent_columns: tuple[str, ...],
        reason: str,
    ) -> None:
        key = self.key_columns.get(parent)
        if key is None or set(key.sources) != set(parent_columns):
            at = ", ".join(f"{parent}.{column}" for column in parent_columns)
            text = f"points at {at}, which is not used as {parent}'s key; not followed"
            self.problems.append(Problem(table.name, "+".join(columns), text))
            return
        pairs = dict(zip(parent_columns, columns, strict=True))
        ordered = tuple(pairs[column] for column in key.sources)
        child = pointing_column(table, ordered, self.declared.tables[parent], key)
        self.link_columns[table.name][child.name] = child
        self.links[table.name].append(ForeignKey(child.name, parent, Choice(reason)))
        data = containment(table, child, self.declared.tables[parent], key, self.probe)
        self.problems += orphans(table.name, child.name, parent, data)

    # Times

    def _find_times(self, table: DeclaredTable) -> None:
        said = self.overrides.table(table.name)
        trusted = {table.time_col, table.end_time_col} | {
            column for column, kind in said.stypes.items() if kind is SType.timestamp
        }
        found, problems = read_times(
            table, self.profiles[table.name], self.probe, trusted
        )
        keyed = {key.column for key in self.links[table.name]}
        keyed |= set(self.keys[table.name].columns)
        other = {c for c, kind in said.stypes.items() if kind is not SType.timestamp}
        left_out = (keyed | other) - {table.time_col, table.end_time_col}
        self.readings[table.name] = {
            column: reading
            for column, reading in found.items()
            if column not in left_out
        }
        faults = {str(p.column): p for p in problems if p.column not in left_out}
        self.unread[table.name] = tuple(faults)
        # Who says that a table has no time knows what its columns are.
        self.problems += () if table.static else faults.values()
        for column in sorted(trusted - {None} - found.keys(), key=str):
            self._unreadable(table, str(column), faults.get(str(column)))

    def _unreadable(
        self, table: DeclaredTable, column: str, fault: Problem | None
    ) -> None:
        said = self.overrides.table(table.name)
        why = fault.text if fault else f"type {table.columns[column]}"
        text = f"{column}, which holds no times ({why})"
        if column in said.stypes or {"time", "end_time"} & said.given:
            raise self._refused(f"{table.name}", text)
        self.problems.append(
            Problem(table.name, column, "declared as a time, but holds none; not used")
        )

    def _row_times(self) -> dict[str, RowTime]:
        tables = {
            name: replace(
                table,
                time_col=self._readable(table, table.time_col),
                end_time_col=self._readable(table, table.end_time_col),
            )
            for name, table in self.declared.tables.items()
        }
        single = {
            name: key.sources[0]
            for name, key in self.key_columns.items()
            if len(key.sources) == 1
        }
        plain = {
            name: [
                key
                for key in keys
                if not self._is_made(name, key.column) and key.table in single
            ]
            for name, keys in self.links.items()
        }
        declared = replace(self.declared, tables=tables)
        return RowTimes(
            *(declared, self.profiles, self.readings, self.unread),
            *(single, plain, self.probe),
        ).choose()

    def _readable(self, table: DeclaredTable, column: str | None) -> str | None:
        return column if column in self.readings[table.name] else None

    def _is_made(self, table: str, column: str) -> bool:
        made = self.link_columns[table].get(column)
        return made is not None and bool(made.expression)

    # Tables

    def _table(self, table: DeclaredTable, time: RowTime) -> Table:
        said = self.overrides.table(table.name)
        end, end_choice = time.end_column, time.end_choice
        if "end_time" in said.given:
            end = self._readable(table, said.end_time)
            end_choice = Choice(self._given)
        # An end is set later than its row, and no input: it says who is still there.
        self.problems += [
            found for found in time.problems if end is None or found.column != end
        ]
        for column in (time.column, end):
            if column is not None:
                reading = self.readings[table.name][column]
                reading, problems = time_problems(
                    table, column, reading, self.probe, is_end=column == end
                )
                self.readings[table.name][column] = reading
                self.problems += problems
        choice = Choice(self._given) if "time" in said.given else time.choice
        choices = {
            "pkey_col": self.keys[table.name].choice,
            "time_col": choice,
            "end_time_col": end_choice if end or "end_time" in said.given else None,
        }
        key = self.key_columns.get(table.name)
        columns = {column.name: column for column in self._columns(table)}
        # Features follow this order: one that is declared must not change predictions.
        order = list(columns)
        others = [c for c in columns.values() if c.name not in (time.column, end)]
        self.problems += self._unread(table.name, others)
        return Table(
            table.name,
            columns,
            pkey_col=key.name if key else None,
            fkeys=tuple(
                sorted(self.links[table.name], key=lambda k: order.index(k.column))
            ),
            time_col=time.column,
            end_time_col=end,
            num_rows=table.num_rows,
            choices={name: why for name, why in choices.items() if why is not None},
        )

    def _unread(self, table: str, columns: Iterable[Column]) -> Iterator[Problem]:
        for column in columns:
            seen = self.profiles[table].get(column.name)
            reading = self.readings[table].get(column.name)
            if reading is not None and reading.unread:
                yield Problem(table, column.name, reading.unread)
            elif reading is None and seen is not None:
                is_said = column.name in self.overrides.table(table).stypes
                found = number_problem(table, seen, column.stype, is_said=is_said)
                yield from () if found is None else (found,)

    def _columns(self, table: DeclaredTable) -> Iterator[Column]:
        made: dict[str, KeyColumn] = dict(self.link_columns[table.name])
        key = self.key_columns.get(table.name)
        if key is not None:
            made.setdefault(key.name, key)
        pointing = {link.column: link.table for link in self.links[table.name]}
        for name, dtype in table.columns.items():
            yield self._column(table.name, name, dtype, made.pop(name, None), pointing)
        for extra in made.values():
            yield Column(
                extra.name,
                extra.dtype,
                SType.id,
                Choice(f"{' and '.join(extra.sources)} together"),
                extra.expression,
                extra.sources,
            )

    def _column(
        self,
        table: str,
        name: str,
        dtype: str,
        key: KeyColumn | None,
        pointing: Mapping[str, str],
    ) -> Column:
        kind, choice = self._meaning(table, name)
        expression, reading = "", self.readings[table].get(name)
        if key is not None and key.expression:
            dtype, expression = key.dtype, key.expression
        elif reading is not None:
            dtype, expression = "TIMESTAMP", reading.expression
        elif key is None and name not in pointing:
            read = text_value(self.profiles[table][name], kind)
            expression, dtype = read or ("", dtype)
        if name not in self.overrides.table(table).stypes:
            if name in pointing:
                kind, choice = SType.id, Choice(f"points at {pointing[name]}")
            elif key is not None:
                kind, choice = SType.id, Choice(f"the key of {table}")
        sources = (name,) if expression else ()
        return Column(name, dtype, kind, choice, expression, sources)

    def _meaning(self, table: str, name: str) -> tuple[SType, Choice]:
        said = self.overrides.table(table).stypes
        if name in said:
            return said[name], Choice(self._given)
        reading = self.readings[table].get(name)
        if reading is not None:
            return SType.timestamp, Choice(reading.clause, 0.95)
        return stype(self.profiles[table][name])

    @property
    def _given(self) -> str:
        return f"given in {self.overrides.source}"

    def _refused(self, where: str, found: str) -> InputError:
        return InputError(
            f"{self.overrides.source}: tables.{where}",
            found,
            "correct or drop the entry",
        )


def _pointed_at(declared: Declared, table: str) -> tuple[str, ...]:
    """Columns that all declared keys to a table agree on; empty if they do not."""
    found = {
        key.parent_columns
        for child in declared.tables.values()
        for key in child.fkeys
        if key.table == table
    }
    return found.pop() if len(found) == 1 else ()
