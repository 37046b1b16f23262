"""Which columns hold the keys of another table?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from benthic.relational.declared import Declared, DeclaredTable, Probe
from benthic.relational.inference.composite import KeyColumn, key_column
from benthic.relational.inference.keys import EXACT_ROWS
from benthic.relational.inference.names import (
    PLAIN_KEYS,
    KeyName,
    ends_with,
    roots,
    same,
    table_roots,
)
from benthic.relational.inference.profile import ColumnProfile
from benthic.relational.missing import without_nan
from benthic.relational.overrides import written_link
from benthic.relational.schema import Choice, ForeignKey, Problem

Profiles = Mapping[str, Mapping[str, ColumnProfile]]

_WEAK = 0.7  # below, a name needs the data to agree in full
_LINKABLE = frozenset({"integer", "text", "uuid"})
_SELF = frozenset(roots("parent manager supervisor boss mentor reports reply referrer"))
_SELF_WITH_ID = _SELF | frozenset(
    roots("predecessor successor previous prev next original ancestor root superior")
)
_PERSONS = frozenset(roots("user employee staff person member agent account"))
_PERSON_ROLES = frozenset(
    roots(
        "owner author creator editor buyer seller sender receiver recipient assignee "
        "reporter manager rep agent clerk approver reviewer supervisor salesperson by"
    )
)
_SHORT = {
    "dept": "department",
    "acct": "account",
    "txn": "transaction",
    "mgr": "manager",
}


@dataclass(frozen=True)
class Containment:
    """How much of a column is found among the keys of another table.

    Args:
        values: Different values of the column.
        orphan_values: Those that no key equals.
        rows: Rows that are not NULL.
        orphan_rows: Those whose value no key equals.
        keys: Keys of the parent.
        exact: Whether every row was looked at.
    """

    values: int
    orphan_values: int
    rows: int
    orphan_rows: int
    keys: int
    exact: bool

    @property
    def share(self) -> float:
        """Share of the values that are keys; 1 for a column without values."""
        return 1 - self.orphan_values / self.values if self.values else 1.0

    @property
    def coverage(self) -> float:
        """Share of the keys that the column holds."""
        return (self.values - self.orphan_values) / self.keys if self.keys else 0.0

    def __str__(self) -> str:
        where = "" if self.exact else " of the sample"
        known = self.values - self.orphan_values
        return f"{known:,} of {self.values:,} values{where} are keys there"


def containment(
    child: DeclaredTable,
    column: KeyColumn,
    parent: DeclaredTable,
    key: KeyColumn,
    probe: Probe,
) -> Containment:
    """Looks for a column's values among a parent's keys.

    Exactly up to :data:`~benthic.relational.inference.keys.EXACT_ROWS` rows of the
    child; a larger child is looked at through its sample.

    Args:
        child: Table that points.
        column: By this column.
        parent: Table pointed at.
        key: Its primary key.
        probe: Access to the data.
    """
    exact = child.num_rows <= EXACT_ROWS
    rows = (
        probe.relation(child.name, column.sources)
        if exact
        else probe.sample(child.name)
    )
    keys = probe.relation(parent.name, key.sources)
    value = without_nan(column.sql, column.dtype)
    answer = probe.query(
        f"WITH every AS (SELECT {value} AS v FROM {rows}), "
        "child AS (SELECT v, count(*) AS n FROM every WHERE v IS NOT NULL GROUP BY v), "
        f"parent AS (SELECT DISTINCT {key.sql} AS k FROM {keys}) "
        "SELECT count(*), count(*) FILTER (k IS NULL), coalesce(sum(n), 0), "
        "coalesce(sum(n) FILTER (k IS NULL), 0), (SELECT count(k) FROM parent) "
        "FROM child LEFT JOIN parent ON v = k"
    )[0]
    values, orphan_values, filled, orphan_rows, num_keys = map(int, answer)
    return Containment(values, orphan_values, filled, orphan_rows, num_keys, exact)


@dataclass(frozen=True)
class _Candidate:
    table: str
    key: str
    evidence: float
    clause: str


def infer_links(
    table: DeclaredTable,
    open_columns: Mapping[str, ColumnProfile],
    keys: Mapping[str, str],
    declared: Declared,
    profiles: Profiles,
    probe: Probe,
) -> tuple[list[ForeignKey], list[Problem]]:
    """Links the columns whose name points at a table and whose values are its keys.

    Args:
        table: The child.
        open_columns: Columns that may point somewhere, with their profiles.
        keys: Table -> primary key, for tables that have one of one column.
        declared: All tables.
        profiles: Table -> profiles of its columns.
        probe: Access to the data.
    """
    found: list[ForeignKey] = []
    problems: list[Problem] = []
    for column, seen in open_columns.items():
        held: list[tuple[float, _Candidate, Containment]] = []
        refused = list(_uncomparable(table.name, seen, keys, profiles))
        own = key_column(table, (column,))
        for candidate in _candidates(table.name, seen, keys, profiles):
            parent = declared.tables[candidate.table]
            key = key_column(parent, (candidate.key,))
            data = containment(table, own, parent, key, probe)
            if _holds(candidate, seen, data):
                held.append((candidate.evidence * data.share, candidate, data))
            elif candidate.evidence >= 0.9 and data.values:
                refused.append(_refusal(table.name, column, candidate, data))
        link, noted = _best(table.name, column, held)
        found.extend(link)
        problems.extend(noted if held else refused[:1])
    return found, problems


def orphans(table: str, column: str, parent: str, data: Containment) -> list[Problem]:
    """Rows that point nowhere, as a problem if there are any.

    Args:
        table: The child.
        column: The foreign key.
        parent: The table it points at.
        data: What was found.
    """
    if not data.orphan_rows:
        return []
    where = "" if data.exact else " of the sample"
    text = (
        f"{data.orphan_rows:,} of {data.rows:,} rows{where} point at no row of {parent}"
        f" ({data.orphan_values:,} values); the rows stay, without a parent"
    )
    return [Problem(table, column, text)]


def _best(
    table: str, column: str, held: list[tuple[float, _Candidate, Containment]]
) -> tuple[list[ForeignKey], list[Problem]]:
    if not held:
        return [], []
    held = sorted(held, key=lambda item: (-item[0], item[1].table))
    score, candidate, data = held[0]
    rivals = [item[1].table for item in held[1:] if item[0] > score - 0.05]
    if rivals:
        names = " and ".join([candidate.table, *rivals])
        said = written_link(table, column, candidate.table)
        text = f"could point at {names} alike; none was chosen; say which in {said}"
        return [], [Problem(table, column, text, (candidate.table, *rivals))]
    known = str(data) if data.values else "no values to check it on"
    confidence = round(min(0.99, score if data.values else 0.7 * score), 2)
    link = ForeignKey(
        column, candidate.table, Choice(f"{candidate.clause}; {known}", confidence)
    )
    return [link], orphans(table, column, candidate.table, data)


def _refusal(
    table: str, column: str, candidate: _Candidate, data: Containment
) -> Problem:
    return Problem(
        table,
        column,
        f"{candidate.clause}, but {data.orphan_values:,} of {data.values:,} values are "
        f"no keys of {candidate.table}; not linked; to link it, write in "
        + written_link(table, column, candidate.table),
        (candidate.table,),
    )


def _uncomparable(
    table: str, seen: ColumnProfile, keys: Mapping[str, str], profiles: Profiles
) -> Iterator[Problem]:
    """A column named like a key of another kind: 5.0 where the key is '00005'."""
    name = KeyName.of(seen.name, keys)
    for parent, key in keys.items():
        kind = profiles[parent][key].key_family
        is_other = {kind, seen.key_family} <= _LINKABLE and kind != seen.key_family
        evidence, clause = _evidence(name, seen.name, table, parent, key)
        if is_other and seen.filled and evidence >= 0.9:
            text = (
                f"{clause}, but holds {seen.key_family} where {parent}.{key} is {kind}"
            )
            yield Problem(table, seen.name, f"{text}; not linked", (parent,))


def _holds(candidate: _Candidate, seen: ColumnProfile, data: Containment) -> bool:
    """Whether the data bear out what the name says."""
    if not data.values:  # nothing speaks against a strong name
        return candidate.evidence >= 0.9
    if candidate.evidence >= 0.9:
        return data.share >= 0.9
    # 1..m is contained in 1..n whatever it means: a weaker name needs the column to
    # reach a good part of the keys, too, unless its values cannot be there by chance.
    telling = seen.key_family != "integer" or data.coverage >= 0.1
    return telling and data.share >= (0.98 if candidate.evidence >= _WEAK else 1.0)


def _candidates(
    table: str,
    seen: ColumnProfile,
    keys: Mapping[str, str],
    profiles: Profiles,
) -> Iterator[_Candidate]:
    name = KeyName.of(seen.name, keys)
    for parent, key in keys.items():
        theirs = profiles[parent][key]
        fits = seen.key_family == theirs.key_family and seen.key_family in _LINKABLE
        # A column without any value has no type worth comparing in a data frame.
        if not fits and seen.filled:
            continue
        evidence, clause = _evidence(name, seen.name, table, parent, key)
        if evidence:
            yield _Candidate(parent, key, evidence, clause)


def _evidence(
    name: KeyName, column: str, table: str, parent: str, key: str
) -> tuple[float, str]:
    """How much the name of a column says that it points at ``parent``, and why."""
    theirs, own = table_roots(parent), KeyName.of(key, (parent,))
    strong = name.suffix in PLAIN_KEYS
    if name.stem and column.lower() == key.lower() and own.suffix and not own.is_plain:
        return 1.0, f"has the name of {parent}'s key"
    targets = [theirs] + ([own.stem] if own.suffix and own.stem else [])
    if any(same(name.stem, target) for target in targets):
        return (1.0 if strong else 0.8), f"is named after {parent}"
    if any(ends_with(name.stem, target) for target in targets):
        return (0.95 if strong else 0.8), f"its name ends with {parent}"
    return _weaker_evidence(name, table, parent, theirs)


def _weaker_evidence(
    name: KeyName, table: str, parent: str, theirs: tuple[str, ...]
) -> tuple[float, str]:
    strong = name.suffix in PLAIN_KEYS
    role = _role(name)
    if parent == table and role in (_SELF_WITH_ID if strong else _SELF):
        return 0.75, f"a role among the rows of {parent} itself"
    if strong and ends_with(theirs, name.stem):
        return 0.75, f"its name is the end of {parent}"
    if strong and _shortens(name.stem, theirs):
        return 0.72, f"its name shortens {parent}"
    if theirs[-1:] and theirs[-1] in _PERSONS and role in _PERSON_ROLES:
        return 0.6, f"its name is a role of a person, as in {parent}"
    return 0.0, ""


def _role(name: KeyName) -> str:
    """The word that says what the row pointed at is to this one."""
    stem = name.stem[:-1] if name.stem[-1:] == ("to",) else name.stem
    return stem[-1] if stem else ""


def _shortens(stem: tuple[str, ...], table: tuple[str, ...]) -> bool:
    if len(stem) != 1 or len(table) != 1 or len(stem[0]) < 3:
        return False
    return table[0].startswith(_SHORT.get(stem[0], stem[0]))
