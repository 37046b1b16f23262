"""What do the words of a column's or table's name say?"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_A-Za-z]+")
_PREFIXES = frozenset({"tbl", "t", "dim", "fact", "fct", "stg", "vw", "raw", "tb"})
_IRREGULAR = {"people": "person", "children": "child", "men": "man", "women": "woman"}

KEY_WORDS = frozenset(
    {"id", "ids", "key", "uuid", "guid", "pk", "fk", "sk", "oid", "identifier"}
    | {"code", "no", "nr", "num", "number", "hash", "ref", "sid"}
)
"""Last words of a name that say "this names something"."""

_LEADING = frozenset({"id", "fk", "pk"})  # id_student, fk_customer

PLAIN_KEYS = frozenset({"id", "uuid", "guid", "pk", "key", "oid", "identifier"})
"""The part of :data:`KEY_WORDS` that says nothing else."""


@lru_cache(maxsize=65536)
def words(name: str) -> tuple[str, ...]:
    """Lower-case words of an identifier, whatever style it is written in.

    Example:
        >>> words("OwnerUserId"), words("from_account"), words("customerID")
        (('owner', 'user', 'id'), ('from', 'account'), ('customer', 'id'))
    """
    return tuple(word.lower() for word in _WORD.findall(name))


def root(word: str) -> str:
    """A word without what tells singular from plural, to compare and not to print.

    Example:
        >>> root("categories") == root("category"), root("statuses") == root("status")
        (True, True)
    """
    word = _IRREGULAR.get(word, word)
    if word.endswith("ies"):
        return word[:-3] + "i"
    if word.endswith(("sses", "ches", "shes", "xes", "zes", "uses")):
        word = word[:-2]
    elif word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    if word.endswith("e"):
        word = word[:-1]
    return word[:-1] + "i" if word.endswith("y") else word


def roots(name: str | Iterable[str]) -> tuple[str, ...]:
    """Roots of the words of an identifier."""
    return tuple(
        root(word) for word in (words(name) if isinstance(name, str) else name)
    )


@lru_cache(maxsize=65536)
def table_roots(table: str) -> tuple[str, ...]:
    """Roots of a table's name, without its schema and prefixes such as ``dim``.

    Example:
        >>> table_roots("shop.dim_customers")
        ('customer',)
    """
    found = words(table.rpartition(".")[2])
    while len(found) > 1 and found[0] in _PREFIXES:
        found = found[1:]
    return roots(found)


@dataclass(frozen=True)
class KeyName:
    """A column's name as what it points at and a word that says that it points.

    Args:
        stem: Roots of the words before the key word; all of them without one.
        suffix: The key word, "" without one.
    """

    stem: tuple[str, ...]
    suffix: str

    @classmethod
    def of(cls, column: str, tables: Iterable[str] = ()) -> KeyName:
        """Reads a column's name; ``tables`` help where words run together.

        Example:
            >>> KeyName.of("home_team_id")
            KeyName(stem=('hom', 'team'), suffix='id')
            >>> KeyName.of("customerid", ["customers"]), KeyName.of("grid").suffix
            (KeyName(stem=('customer',), suffix='id'), '')
        """
        found = words(column)
        if found and found[-1] in KEY_WORDS:
            return cls(roots(found[:-1]), found[-1])
        if len(found) > 1 and found[0] in _LEADING:
            return cls(roots(found[1:]), "id")
        if len(found) == 1 and found[0].endswith("id"):
            stem = roots((found[0][:-2],))
            if any(_is_about(found[0][:-2], stem, table) for table in tables):
                return cls(stem, "id")
        return cls(roots(found), "")

    @property
    def is_plain(self) -> bool:
        """Whether the name says "key" and nothing else."""
        return not self.stem and self.suffix in PLAIN_KEYS


def _is_about(letters: str, stem: tuple[str, ...], table: str) -> bool:
    """Whether letters before "id" are the name of a table, its end or its beginning."""
    theirs = table_roots(table)
    joined = "".join(theirs)
    if ends_with(stem, theirs):
        return True
    enough = len(letters) >= 4
    return enough and (joined.endswith(stem[0]) or joined[:5] == letters[:5])


def same(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Whether two names have the same roots, run together or not.

    Example:
        >>> same(("order", "item"), ("orderitem",))
        True
    """
    return bool(one) and "".join(one) == "".join(other)


def ends_with(name: tuple[str, ...], tail: tuple[str, ...]) -> bool:
    """Whether a name ends with the words of another.

    Words that run together count only from four letters on.

    Example:
        >>> ends_with(("original", "languag"), ("languag",))
        True
    """
    if not tail or not name:
        return False
    if name[-len(tail) :] == tail:
        return True
    joined = "".join(tail)
    return len(joined) >= 4 and len(name) == 1 and name[0].endswith(joined)
