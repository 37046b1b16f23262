"""Lists, plurals and near names, as a person would write them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

MOST_LISTED = 9


def listed(items: Iterable[str], last: str | None = None) -> str:
    """Items with commas, at most nine, and how many more there are.

    Args:
        items: What to list.
        last: "or" or "and", to stand before the last one.

    Example:
        >>> listed(["a", "b", "c"], "or")
        'a, b or c'
        >>> listed("abcdefghijkl")
        'a, b, c, d, e, f, g, h, i and 3 more'
    """
    every = list(items)
    shown, rest = every[:MOST_LISTED], len(every) - MOST_LISTED
    if rest > 0:
        return f"{', '.join(shown)} and {rest} more"
    if last is None or len(shown) < 2:
        return ", ".join(shown)
    return f"{', '.join(shown[:-1])} {last} {shown[-1]}"


def singular(table: str) -> str:
    """One row of a table, by the name of the table.

    Example:
        >>> [singular(name) for name in ("orders", "categories", "address", "boxes")]
        ['order', 'category', 'address', 'box']
    """
    endings = {"ies": "y", "xes": "x", "sses": "ss", "ss": "ss", "us": "us", "s": ""}
    found = next((end for end in endings if table.lower().endswith(end)), None)
    return table if found is None else table[: -len(found)] + endings[found]


def with_article(noun: str) -> str:
    """A or an before a noun."""
    return f"{'an' if noun[:1].lower() in tuple('aeiou') else 'a'} {noun}"


def distance(one: str, other: str) -> int:
    """Edits from one word to another; two letters in the wrong order are one edit.

    Damerau and Levenshtein's distance, restricted (optimal string alignment).

    Example:
        >>> distance("cuont", "count")
        1
    """
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, start=1):
        two_before, before, row = before, row, [i]
        for j, target in enumerate(other, start=1):
            same = letter == target
            row.append(min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (not same)))
            if i > 1 and j > 1 and (letter, one[i - 2]) == (other[j - 2], target):
                row[j] = min(row[j], two_before[j - 2] + 1)
    return row[-1]


def _bare(word: str) -> str:
    return word.casefold().replace("_", "").removesuffix("s")


def nearest(word: str, candidates: Iterable[str], most: int = 3) -> list[str]:
    """Names that the word may stand for, nearest first.

    A candidate is near at two edits or fewer and a third of the word's length or less,
    or if it is the word but for case, underscores or a plural s.

    Example:
        >>> nearest("custommers", ["orders", "customers"])
        ['customers']
    """
    ranked: list[tuple[int, str]] = []
    reach = min(2, len(word) // 3)
    for candidate in candidates:
        if _bare(candidate) == _bare(word):
            ranked.append((0, candidate))
        elif abs(len(candidate) - len(word)) <= reach:
            edits = distance(word.casefold(), candidate.casefold())
            ranked += [(edits, candidate)] if edits <= reach else []
    return [candidate for _, candidate in sorted(ranked)[:most]]


def did_you_mean(candidates: Sequence[str]) -> str | None:
    """The question, or None without candidates.

    Example:
        >>> did_you_mean(["orders.total"])
        'did you mean orders.total?'
    """
    return f"did you mean {listed(candidates, 'or')}?" if candidates else None
