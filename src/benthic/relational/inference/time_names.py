"""What does the name of a time say about the row?"""

from __future__ import annotations

from dataclasses import dataclass

from benthic.relational.inference.names import words
from benthic.relational.inference.times import TIME_WORDS

# Words of a name, and how likely the column says when the row came to be.
_CAME_TO_BE = frozenset(
    "create created creation inserted placed ordered submitted registered purchased "
    "occurred posted sent paid issued joined signup signed recorded logged received "
    "booked hired enrolled opened since visited uploaded published".split()
)
_PLAIN = frozenset("date time timestamp datetime ts when dt tstamp".split())
_BEGAN = frozenset("start started begin began from first effective".split())
_LATER = frozenset(
    "updated update modified modification last edit edited changed change refreshed "
    "synced loaded etl due deadline expected estimated scheduled planned required next "
    "shipped delivered delivery returned return resolved completed finished reviewed "
    "cancelled canceled approved confirmed accepted arrival release released".split()
)
_ENDED = frozenset(
    "end ended ends expires expired expiry expiration expire closed close until "
    "terminated termination deleted removed left finish stop stopped thru through "
    "deactivated withdrawn churned".split()
)
_OF_A_LIFE = frozenset("birth born dob birthday birthdate death died deceased".split())
_RUN_TOGETHER = ("birth", "death")  # birthday, deathdate


@dataclass(frozen=True)
class Rank:
    """How a column's name ranks as the time of its row.

    Args:
        score: 5 "created_at" … 2 no hint, 0 never.
        clause: Why.
    """

    score: int
    clause: str


def rank(table: str, column: str) -> Rank:
    """Ranks a time column by its name.

    Example:
        >>> rank("orders", "created_at").score, rank("drivers", "dob").score
        (5, 0)
        >>> rank("returns", "return_date").score, rank("rental", "return_date").score
        (5, 0)
    """
    found = _parted(column)
    run_together = any(part in column.lower() for part in _RUN_TOGETHER)
    if found & _OF_A_LIFE or run_together:
        return Rank(0, f"{column} belongs to a person's life, not to the row")
    own = _of_the_table(found, table)
    if (found - own) & _ENDED:
        return Rank(0, f"{column} says when something ends")
    if (found - own) & _LATER:
        return Rank(0, f"{column} is set later than the row")
    if own:
        return Rank(5, f"{column} is named after {table}")
    return _by_hint(found, column)


def _by_hint(found: frozenset[str], column: str) -> Rank:
    if found & _CAME_TO_BE:
        return Rank(5, f"{column} says when the row came to be")
    if found <= _PLAIN | {"utc", "event"}:
        return Rank(4, f"{column} is the row's {column.lower()}")
    if found & _BEGAN:
        return Rank(2, f"{column} says when something starts")
    return Rank(3 if found & TIME_WORDS else 2, f"{column} is a time of the row")


def is_end(column: str) -> bool:
    """Whether a column's name says when a row ceases to be.

    Example:
        >>> is_end("valid_to"), is_end("expires_at"), is_end("created_at")
        (True, True, False)
    """
    return bool(_ENDED & _parted(column)) or words(column)[-1:] == ("to",)


def _of_the_table(found: frozenset[str], table: str) -> frozenset[str]:
    """Words that begin like a word of the table's name.

    ``rental`` of ``rental_date`` in ``rentals``, ``cancelled`` of ``cancelled_at`` in
    ``cancellations``.
    """
    theirs = words(table.rpartition(".")[2])
    return frozenset(
        word
        for word in found - _PLAIN
        if len(word) >= 5 and any(other[:5] == word[:5] for other in theirs)
    )


_VOCABULARY = _CAME_TO_BE | _PLAIN | _BEGAN | _LATER | _ENDED | TIME_WORDS
_TAILS = ("timestamp", "datetime", "date", "time")


def _parted(column: str) -> frozenset[str]:
    """Words of a name, and of words that run together: ``duedate``, ``rentaldate``."""
    return frozenset(part for word in words(column) for part in _parts(word))


def _parts(word: str) -> tuple[str, ...]:
    if word in _VOCABULARY:
        return (word,)
    for length in range(len(word) - 2, 1, -1):
        head, tail = word[:length], word[length:]
        known = head in _VOCABULARY and _parts(tail)[0] in _VOCABULARY
        if known or (tail in _TAILS and len(head) > 2):
            return (*_parts(head), *_parts(tail))
    return (word,)
