"""What is wrong with a query, collected place by place."""

from __future__ import annotations

from benthic.errors import QueryError
from benthic.relational.query.tree import Place

MOST_SHOWN = 5


class Faults:
    """The faults of one query; at each place the first one found counts.

    Args:
        text: The whole query.

    Example:
        >>> faults = Faults("PREDICT a.b FOR EACH a.id")
        >>> faults.add("type", Place(1, 9, 3), "a.b is a time")
        >>> faults.raise_any()
        Traceback (most recent call last):
        ...
        benthic.errors.QueryError: type at line 1, column 9: a.b is a time
          PREDICT a.b FOR EACH a.id
                  ^~~
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._by_place: dict[tuple[int, int], QueryError] = {}

    def __len__(self) -> int:
        return len(self._by_place)

    def add(
        self,
        kind: str,
        place: Place,
        message: str,
        expected: str | None = None,
        suggestion: str | None = None,
    ) -> None:
        """Notes a fault unless its place already has one."""
        self._by_place.setdefault(
            (place.line, place.column),
            QueryError(
                kind,
                message,
                place.line,
                place.column,
                place.length,
                expected,
                suggestion,
                self.text,
            ),
        )

    def error(self) -> QueryError | None:
        """The first fault, with up to four more behind it; None if there is none."""
        if not self._by_place:
            return None
        first, *rest = [self._by_place[place] for place in sorted(self._by_place)]
        first.others = tuple(rest[: MOST_SHOWN - 1])
        return first

    def raise_any(self) -> None:
        """Raises what was noted, if anything was.

        Raises:
            QueryError: The faults in the order of their places, at most five.
        """
        error = self.error()
        if error is not None:
            raise error
