"""Until when do the rows tell all that happened?"""

from __future__ import annotations

import numpy as np
import pandas as pd

from benthic.relational.database import Database
from benthic.relational.sql import literal

_PIECES = 10_000
"""The past is cut into so many pieces; a silence is a run of pieces without a row."""

_FEW = 0.01  # of all rows; more are no slips
_LONGEST = 10  # times the longest silence before
_LONG = 0.05  # of the past before


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
    heard = _heard(db, now)
    if heard.empty or heard["last"].iloc[-1] == now or len(heard) == 1:
        return now if heard.empty else pd.Timestamp(heard["last"].iloc[-1])
    silences = np.diff(np.append(heard["piece"], _PIECES))
    is_usual = silences[-1] <= silences[:-1].max(initial=1)
    return now if is_usual else pd.Timestamp(heard["last"].iloc[-1])


def before_strays(db: Database, end: pd.Timestamp) -> pd.Timestamp:
    """``end``, or the last row before a few that stand apart: mistakes, most likely.

    One year that was typed wrong would be the anchor of every answer. A few are a
    hundredth of all rows at most; they stand apart after a silence ten times as long as
    any before, and as a twentieth of the past.

    Args:
        db: The database.
        end: Its last row.

    Raises:
        DatabaseError: If the source fails while it is read.

    Example:
        >>> days = pd.date_range("2026-01-01", periods=200).tolist()
        >>> visits = pd.DataFrame({"at": [*days, pd.Timestamp("2062-01-01")]})
        >>> db = Database.open({"visits": visits})
        >>> str(before_strays(db, pd.Timestamp(db.end_time)).date())
        '2026-07-19'
    """
    heard = _heard(db, end)
    pieces, rows = heard["piece"].to_numpy(), heard["rows"].to_numpy()
    silences = np.diff(pieces)
    few = rows.sum() - rows.cumsum()[:-1] <= _FEW * rows.sum()
    usual = _LONGEST * silences[~few].max(initial=1)
    apart = few & (silences > np.maximum(usual, _LONG * pieces[:-1]))
    return pd.Timestamp(heard["last"].iloc[apart.argmax()]) if apart.any() else end


def _heard(db: Database, until: pd.Timestamp) -> pd.DataFrame:
    """The pieces of the past that hold rows: number, count of rows, last of them."""
    rows = " UNION ALL ".join(
        f"SELECT _time FROM {db.relation(table.name, [])}"
        f" WHERE isfinite(_time) AND _time <= {literal(until)}"
        for table in db.schema.tables.values()
        if table.time_col is not None
    )
    rows = rows or "SELECT NULL::TIMESTAMP AS _time WHERE FALSE"
    return db.frame(
        f"WITH every AS ({rows}), span AS (SELECT min(_time) AS first, greatest("
        f"epoch_us({literal(until)}) - epoch_us(min(_time)), 1) AS width FROM every)"
        f" SELECT floor((epoch_us(_time) - epoch_us(first)) * {_PIECES}::DOUBLE"
        " / width)::BIGINT AS piece, count(*) AS rows, max(_time) AS last"
        " FROM every, span GROUP BY 1 ORDER BY 1"
    )
