"""Until when do the rows tell all that happened?"""

from __future__ import annotations

import numpy as np
import pandas as pd

from benthic.relational.database import Database
from benthic.relational.sql import literal

_PIECES = 10_000
"""The past is cut into so many pieces; a silence is a run of pieces without a row."""


def complete_until(db: Database, now: pd.Timestamp) -> pd.Timestamp:
    """``now``, or the last row before it if the data had never been silent for so long.

    A window that reaches beyond the end of the data would have too small a label. That
    no row was written since Friday evening does not mean that the data end there; that
    none was in the last year may. Rows later than ``now`` have no say in it: what they
    are, or whether there are any, is not known yet.

    Args:
        db: The database.
        now: When the question is asked.

    Raises:
        DatabaseError: If the source fails while it is read.

    Example:
        >>> days = pd.date_range("2026-01-01", "2026-03-01")
        >>> weekdays = days[days.day_of_week < 5]
        >>> db = Database.open({"visits": pd.DataFrame({"at": weekdays})})
        >>> str(complete_until(db, pd.Timestamp("2026-02-15")).date())  # a Sunday
        '2026-02-15'
        >>> str(complete_until(db, pd.Timestamp("2026-06-15")).date())
        '2026-02-27'
    """
    rows = " UNION ALL ".join(
        f"SELECT _time FROM {db.relation(table.name, [])}"
        f" WHERE isfinite(_time) AND _time <= {literal(now)}"
        for table in db.schema.tables.values()
        if table.time_col is not None
    )
    if not rows:
        return now
    first, last = db.query(f"SELECT min(_time), max(_time) FROM ({rows})")[0]
    if first is None or last == now or first == last:
        return now if first is None else pd.Timestamp(last)
    start, width = literal(first), (now - first) / _PIECES / pd.Timedelta("1us")
    piece = f"floor((epoch_us(_time) - epoch_us({start})) / {width})::BIGINT"
    heard = np.sort([n for (n,) in db.query(f"SELECT DISTINCT {piece} FROM ({rows})")])
    silences = np.diff(np.append(heard, _PIECES))
    is_usual = silences[-1] <= silences[:-1].max(initial=1)
    return now if is_usual else pd.Timestamp(last)
