"""The exception tree.

::

    BenthicError                 everything Benthic raises on purpose
    ├── InputError               the request was wrong; exit code 2
    │   └── QueryError           a predictive query cannot be read or answered
    ├── ModelError               the model itself failed while it ran; exit code 1
    ├── DatabaseError            the database failed while it was read; exit code 1
    └── OutputError              a result cannot be written (disk full); exit code 1
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable


class BenthicError(Exception):
    """Everything Benthic raises on purpose."""


class InputError(BenthicError, ValueError):
    """The request was wrong: names the argument, what was found and what to do.

    Example:
        >>> raise InputError("num_layers", "0", "give a depth of 1 or more")
        Traceback (most recent call last):
        ...
        benthic.errors.InputError: num_layers: found 0; give a depth of 1 or more
    """

    def __init__(self, argument: str, found: str, remedy: str) -> None:
        super().__init__(f"{argument}: found {found}; {remedy}")
        self.argument = argument
        self.found = found
        self.remedy = remedy

    def __reduce__(self) -> tuple[type[InputError], tuple[object, ...]]:
        # An exception is otherwise rebuilt from its message alone, and the error
        # of a loader's worker process would arrive as a TypeError.
        return type(self), (self.argument, self.found, self.remedy)


def nearest(name: str, known: Iterable[str]) -> str:
    """What to do about a name that there is not: what may be meant, or all there are.

    Args:
        name: As it was given.
        known: What there is.

    Example:
        >>> nearest("coar", ["texas", "cora"]), nearest("x", ["texas", "cora"])
        ('did you mean cora', 'choose one of cora, texas')
    """
    names = sorted(known)
    if near := difflib.get_close_matches(name, names):
        return f"did you mean {', '.join(near)}"
    return f"choose one of {', '.join(names)}"


class QueryError(InputError):
    """A predictive query cannot be read or answered: what, where, and what to write.

    ``str(error)`` is the block a person reads, one for each fault, first place first.

    Args:
        kind: syntax, unknown name, type, window, path, clause or data.
        message: What is wrong with this query, in plain words.
        line: Line of the place, from 1.
        column: Column of the place, from 1, in characters.
        length: Length of the place, in characters.
        expected: What could stand there.
        suggestion: What to do; the corrected text where it is known.
        query: The whole text.
        others: Further faults of the same query, later in the text.

    Example:
        >>> text = "PREDICT SUM(orders.totl, 0, 30, days)"
        >>> print(QueryError("unknown name", "table orders has no column totl",
        ...                  1, 13, 11, "a column of orders: total",
        ...                  "did you mean orders.total?", text))
        unknown name at line 1, column 13: table orders has no column totl
          PREDICT SUM(orders.totl, 0, 30, days)
                      ^~~~~~~~~~~
        expected: a column of orders: total
        did you mean orders.total?
    """

    def __init__(
        self,
        kind: str,
        message: str,
        line: int = 1,
        column: int = 1,
        length: int = 1,
        expected: str | None = None,
        suggestion: str | None = None,
        query: str = "",
        others: tuple[QueryError, ...] = (),
    ) -> None:
        super().__init__("query", message, suggestion or expected or "mend the query")
        self.kind = kind
        self.message = message
        self.line = line
        self.column = column
        self.length = length
        self.expected = expected
        self.suggestion = suggestion
        self.query = query
        self.others = others

    @property
    def _fields(self) -> dict[str, object]:
        names = ["kind", "message", "line", "column", "length"]
        names += ["expected", "suggestion", "query"]
        return {name: getattr(self, name) for name in names}

    def __reduce__(self) -> tuple[type[QueryError], tuple[object, ...]]:
        return type(self), (*self._fields.values(), self.others)

    def __str__(self) -> str:
        return "\n\n".join(error._block() for error in (self, *self.others))

    def _block(self) -> str:
        where = f"{self.kind} at line {self.line}, column {self.column}"
        lines = [f"{where}: {self.message}", *self._marked_line()]
        lines += [f"expected: {self.expected}"] if self.expected else []
        lines += [self.suggestion] if self.suggestion else []
        return "\n".join(lines)

    def _marked_line(self, width: int = 120) -> list[str]:
        line = (self.query.split("\n") + [""] * self.line)[self.line - 1].rstrip()
        # A tab or an escape code would move the caret away from its place.
        line = "".join(c if c.isprintable() else " " for c in line)
        if not line:
            return []
        start = 0 if len(line) <= width else max(0, self.column - 1 - width // 2)
        seen = line[start : start + width]
        before, after = "…" * (start > 0), "…" * (start + width < len(line))
        column = self.column - 1 - start
        tail = "~" * (min(self.length, len(seen) - column) - 1)
        indent = " " * (column + len(before))
        return [f"  {before}{seen}{after}", f"  {indent}^{tail}"]

    def to_json(self) -> str:
        """The fields of the block as one JSON document; further faults in ``others``.

        Example:
            >>> QueryError("data", "no rows", query="PREDICT").to_json()[:33]
            '{"kind": "data", "message": "no r'
        """
        others = [error._fields for error in self.others]
        document = {**self._fields, **({"others": others} if others else {})}
        return json.dumps(document, ensure_ascii=False)


class ModelError(BenthicError, RuntimeError):
    """The model itself failed while it ran."""


class DatabaseError(BenthicError, RuntimeError):
    """The database failed while it was read."""


class OutputError(BenthicError, RuntimeError):
    """A result cannot be written: names the argument, what was found and what to do.

    Example:
        >>> raise OutputError("out", "a.csv: no space left on device", "free space")
        Traceback (most recent call last):
        ...
        benthic.errors.OutputError: out: a.csv: no space left on device; free space
    """

    def __init__(self, argument: str, found: str, remedy: str) -> None:
        super().__init__(f"{argument}: {found}; {remedy}")
        self.argument = argument
        self.found = found
        self.remedy = remedy

    def __reduce__(self) -> tuple[type[OutputError], tuple[object, ...]]:
        return type(self), (self.argument, self.found, self.remedy)
