"""What does a column mean: an amount, a kind, a name, a text?"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from benthic.relational.inference.names import KEY_WORDS, PLAIN_KEYS, words
from benthic.relational.inference.profile import ColumnProfile
from benthic.relational.inference.text_values import notation
from benthic.relational.schema import Choice, SType

_Found = tuple[SType, Choice]

_KINDS = frozenset(
    "type types status state code class category kind group cluster segment zip postal "
    "postcode zipcode gender sex mode flag tier band channel reason role country "
    "region language currency color colour section department".split()
)
_AMOUNTS = frozenset(
    "amount price cost total sum quantity qty count num number rate ratio percent age "
    "balance salary income revenue score points rank position weight height length "
    "width size duration year years month months day days hour hours minutes seconds "
    "milliseconds ms bytes lat lng lon latitude longitude distance temperature".split()
)
_TRUTHS = frozenset(
    "is has was are can did does should flag active enabled disabled deleted valid "
    "visible approved verified archived blocked locked public private confirmed".split()
)
_PHONES = frozenset("phone fax mobile tel telephone".split())
_MOST_KINDS = 100
_KIND_SHARE = 0.2
_KIND_SHARE_FEW = 0.5  # of a text with at most _MOST_KINDS values
_CODE_SHARE = 0.01
_PROSE_WORDS = 6.0
_ENOUGH = 10  # values that are 0 and 1; fewer of an amount could be, too
_WITHOUT_VALUES = {
    "integer": SType.numerical,
    "real": SType.numerical,
    "boolean": SType.boolean,
    "list": SType.multicategorical,
}


def stype(seen: ColumnProfile) -> _Found:
    """Semantic type of a column that is no key and no time.

    Args:
        seen: What a sample says about it.
    """
    if not seen.filled:
        kind = _WITHOUT_VALUES.get(seen.family, SType.categorical)
        stored = "" if seen.family == "nothing" else f"; stored as {seen.dtype}"
        return kind, Choice(f"no values{stored}", 0.3)
    return _BY_FAMILY[seen.family](seen)


def stored_stype(seen: ColumnProfile) -> SType:
    """Semantic type of a column that is read as it is stored: a text is no number.

    Args:
        seen: What a sample says about it.
    """
    kind, _ = stype(seen)
    if seen.family == "text" and kind in (SType.numerical, SType.boolean):
        kind, _ = _by_words(seen, words(seen.name))
    return kind


def _boolean(seen: ColumnProfile) -> _Found:
    return SType.boolean, Choice(f"stored as {seen.dtype}")


def _clock(seen: ColumnProfile) -> _Found:
    return SType.categorical, Choice(f"stored as {seen.dtype}: a time of the day", 0.6)


def _list(seen: ColumnProfile) -> _Found:
    return SType.multicategorical, Choice(f"stored as {seen.dtype}")


def _opaque(seen: ColumnProfile) -> _Found:
    return SType.id, Choice(f"stored as {seen.dtype}, of which nothing is read", 0.5)


def _number(seen: ColumnProfile) -> _Found:
    found = words(seen.name)
    if seen.family == "real" and not seen.is_whole:
        return SType.numerical, Choice(f"fractions, from {_range(seen)}", 0.99)
    if _is_truth(seen, found):
        return SType.boolean, Choice(
            "only 0 and 1, and a name that asks yes or no", 0.95
        )
    few = _few(seen)
    if found[-1:] and found[-1] in PLAIN_KEYS:
        rare = seen.distinct > max(_MOST_KINDS, _CODE_SHARE * seen.filled)
        kind = SType.categorical if few or not rare else SType.id
        return kind, Choice(f"named like a key without a table; {_counts(seen)}", 0.8)
    named = found[-1:] and found[-1] in _KINDS and not _AMOUNTS & set(found)
    if named and (few or found[-1] in {"zip", "zipcode", "postal", "postcode"}):
        return SType.categorical, Choice(f"named like a kind; {_counts(seen)}", 0.9)
    if _PHONES & set(found):
        return SType.id, Choice("a telephone number", 0.8)
    if _is_binary(seen) and not _AMOUNTS & set(found):
        return SType.boolean, Choice(f"only 0 and 1 in {seen.filled:,} values", 0.8)
    confidence = 0.95 if _AMOUNTS & set(found) or not few else 0.75
    return SType.numerical, Choice(f"whole numbers, from {_range(seen)}", confidence)


def _text(seen: ColumnProfile) -> _Found:
    found = words(seen.name)
    if seen.dtype.startswith("ENUM"):
        return SType.categorical, Choice("stored as ENUM")
    if seen.get("truths") == seen.worded and seen.get("answers") == 2:
        return SType.boolean, Choice("only two words, one for yes and one for no", 0.95)
    if found[-1:] and found[-1] in KEY_WORDS and seen.distinct > 0.5 * seen.filled:
        return SType.id, Choice(f"named like a key; {_counts(seen)}", 0.85)
    return _by_form(seen) or _by_words(seen, found)


def _by_form(seen: ColumnProfile) -> _Found | None:
    """What the shape of the texts says, whatever the column is called."""
    if seen.share("uuids") == 1:
        return SType.id, Choice("every value is a UUID", 0.95)
    if how := notation(seen):
        clause = f"numbers as text, with {how.mark!r} before the fraction"
        return SType.numerical, Choice(clause, 0.9)
    delimited = seen.share("delimited")
    if delimited >= 0.5 and _is_list(seen):
        share = f"{delimited:.0%} of the values hold a delimiter"
        return SType.multicategorical, Choice(f"{share}, {_counts(seen)}", 0.75)
    return None


def _by_words(seen: ColumnProfile, found: tuple[str, ...]) -> _Found:
    if seen.get("words") >= _PROSE_WORDS and not _few(seen):
        clause = f"{seen.get('words'):.0f} words a value; {_counts(seen)}"
        return SType.text, Choice(clause, 0.95)
    if _PHONES & set(found):
        return SType.id, Choice("a telephone number", 0.8)
    if _repeats(seen, found):
        return SType.categorical, Choice(_counts(seen), 0.9)
    return SType.text, Choice(f"{_counts(seen)}, of no fixed kind", 0.7)


def _uuid(seen: ColumnProfile) -> _Found:
    return SType.id, Choice(f"stored as {seen.dtype}")


_BY_FAMILY: Mapping[str, Callable[[ColumnProfile], _Found]] = {
    "boolean": _boolean,
    "clock": _clock,
    "list": _list,
    "opaque": _opaque,
    "integer": _number,
    "real": _number,
    "text": _text,
    "uuid": _uuid,
    "time": _opaque,  # a time is read before it comes here
    "nothing": _opaque,
}


def _is_truth(seen: ColumnProfile, found: tuple[str, ...]) -> bool:
    binary = seen.distinct <= 2 and seen.get("low") >= 0 and seen.get("high") <= 1
    return binary and bool(_TRUTHS & set(found))


def _is_binary(seen: ColumnProfile) -> bool:
    """Whether there are both 0 and 1, nothing else, and often enough to say so."""
    ends = (seen.get("low"), seen.get("high"))
    return ends == (0, 1) and seen.distinct == 2 and seen.filled >= _ENOUGH


def _is_list(seen: ColumnProfile) -> bool:
    """Names in many combinations, not prose with commas."""
    return 0 < seen.get("tokens") < seen.distinct and seen.get("words") <= 12


def _repeats(seen: ColumnProfile, found: tuple[str, ...]) -> bool:
    """Whether the values are kinds: they come back, or are named so."""
    if seen.distinct == 1:
        return True
    named = bool(found[-1:]) and found[-1] in _KINDS and seen.distinct < seen.filled
    few = seen.distinct <= min(_MOST_KINDS, _KIND_SHARE_FEW * seen.filled)
    return named or few or seen.distinct <= _KIND_SHARE * seen.filled


def _few(seen: ColumnProfile) -> bool:
    return seen.distinct <= min(_MOST_KINDS, _KIND_SHARE * seen.filled)


def _counts(seen: ColumnProfile) -> str:
    return f"{seen.distinct:,} different in {seen.filled:,} sampled values"


def _range(seen: ColumnProfile) -> str:
    return f"{seen.get('low'):g} to {seen.get('high'):g}"
