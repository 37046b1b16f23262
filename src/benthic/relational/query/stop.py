"""Where the reading of a text stopped, and what could have stood there."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lark import Token, UnexpectedCharacters, UnexpectedToken

from benthic.relational.query.grammar import parser
from benthic.relational.query.tree import Place
from benthic.relational.schema import Schema

_RUN = re.compile(r"[\w.]+|.", re.DOTALL)


@dataclass(frozen=True)
class Stop:
    """The first place where no query goes on.

    Args:
        text: The whole text.
        before: The tokens up to the place.
        kind: The grammar's name of what stands there; empty for no token at all.
        found: What stands there, as written; empty at the end.
        offset: The place, in characters from 0.
        accepts: Grammar's names of what could stand there.
        accepted_before: What could have stood in place of the last token before.
        schema: Names for the hints.
    """

    text: str
    before: tuple[Token, ...]
    kind: str
    found: str
    offset: int
    accepts: frozenset[str]
    accepted_before: frozenset[str]
    schema: Schema | None

    @property
    def place(self) -> Place:
        """Where it is."""
        return self.place_at(self.offset, len(self.found))

    def place_at(self, offset: int, length: int) -> Place:
        """A stretch of the text as line, column and length."""
        line = self.text.count("\n", 0, offset) + 1
        column = offset - self.text.rfind("\n", 0, offset)
        return Place(line, column, max(1, length))

    def last(self, back: int = 1) -> Token | None:
        """The token that many steps before the place, if there is one."""
        return self.before[-back] if len(self.before) >= back else None

    def last_kinds(self, most: int = 3) -> tuple[str, ...]:
        """The grammar's names of the last tokens before the place."""
        return tuple(token.type for token in self.before[-most:])

    @property
    def open_parentheses(self) -> list[int]:
        """Positions in ``before`` of the parentheses that are still open."""
        found: list[int] = []
        for position, token in enumerate(self.before):
            if token.type == "LPAR":
                found.append(position)
            elif token.type == "RPAR":
                found.pop()
        return found


def stop(
    text: str,
    tokens: list[Token],
    error: UnexpectedToken | UnexpectedCharacters,
    schema: Schema | None,
) -> Stop:
    """The stop that an error of the parser speaks of.

    Args:
        text: The whole text.
        tokens: What was read, perhaps with the token that does not fit.
        error: What the parser or its lexer raised.
        schema: Names for the hints.
    """
    kind, found = "", ""
    if isinstance(error, UnexpectedToken) and error.token.type != "$END":
        kind, found = error.token.type, str(error.token)
        offset = error.token.start_pos or 0
    elif isinstance(error, UnexpectedToken):
        kind, offset = "$END", (tokens[-1].end_pos or 0) if tokens else 0
    else:
        offset = error.pos_in_stream or 0
        run = _RUN.match(text, offset)
        found = run.group() if run else ""
    before = [token for token in tokens if (token.start_pos or 0) < offset]
    return Stop(
        text,
        tuple(before),
        kind,
        found,
        offset,
        _accepts(before),
        _accepts(before[:-1]),
        schema,
    )


def _accepts(tokens: list[Token]) -> frozenset[str]:
    # The parser that failed has already reduced what stood before the place, and
    # forgotten what else could have followed it: feed a fresh one.
    feeding = parser().parse_interactive("")
    for token in tokens:
        feeding.feed_token(token)
    return frozenset(feeding.accepts())  # type: ignore[no-untyped-call]
