"""Is what ASSUMING shows of an entity a value that rows have?"""

from __future__ import annotations

from benthic.relational.database import Database
from benthic.relational.query import PredictiveQuery, wording
from benthic.relational.query.walking import columns
from benthic.relational.schema import SType
from benthic.relational.sql import literal, quoted
from benthic.relational.task.labels import Assumption

_MOST_LOOKED_AT = 1_000


def check_assumed(db: Database, query: PredictiveQuery) -> None:
    """Refuses a category of which there is no row: nothing was learned of it.

    Args:
        db: The database.
        query: Checked against its schema.

    Raises:
        QueryError: With the values that there are, the commonest first.
    """
    table = db.schema.tables[query.entity.table]
    for name, value in Assumption.of(query).values:
        column = table.columns[name]
        if column.stype is not SType.categorical:
            continue
        shown = f"TRY_CAST({literal(value)} AS {column.dtype})"
        rows = db.relation(table.name, [name])
        if db.query(f"SELECT count(*) FROM {rows} WHERE {quoted(name)} = {shown}")[0][
            0
        ]:
            continue
        known = _commonest(db, rows, name)
        raise query.error(
            "data",
            f"no row of {table.name} has {name} {literal(value)}",
            next(c.place for c in columns(query.assuming) if c.name == name),
            wording.listed(known, "or"),
            wording.did_you_mean(wording.nearest(str(value), known)),
        )


def _commonest(db: Database, rows: str, name: str) -> list[str]:
    found = db.query(
        f"SELECT CAST({quoted(name)} AS VARCHAR), count(*) FROM {rows}"
        f" WHERE {quoted(name)} IS NOT NULL"
        f" GROUP BY ALL ORDER BY 2 DESC, 1 LIMIT {_MOST_LOOKED_AT}"
    )
    return [text for text, _ in found]
