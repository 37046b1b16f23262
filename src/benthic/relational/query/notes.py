"""What should whoever reads the answer know about the question?"""

from __future__ import annotations

from collections.abc import Iterable

from benthic.relational.query import canonical
from benthic.relational.query.task_type import reason, task_type
from benthic.relational.query.tree import Aggregate, Clauses, Window
from benthic.relational.query.walking import aggregates
from benthic.relational.schema import Schema

_COUNTED = "no one two three four five six seven eight nine ten eleven twelve".split()


def notes(clauses: Clauses, remarks: Iterable[str], schema: Schema) -> tuple[str, ...]:
    """Sentences that go with every answer to a query.

    Args:
        clauses: A checked query.
        remarks: How it was read.
        schema: The database.
    """
    found = [f"{task_type(clauses, schema)} task: {reason(clauses, schema)}"]
    found += remarks
    target = aggregates(clauses.target)
    found += [known for part in target if (known := _known_part(part))]
    if aggregates(clauses.assuming):
        found.append(
            "learned from the anchors where the assumption came true: a conditional "
            "expectation, no proof that one causes the other"
        )
    return tuple(found)


def _known_part(node: Aggregate) -> str | None:
    window = node.window
    if window is None or window.end <= 0 or window.start == 0:
        return None
    if window.start is None:
        return (
            f"all that lies before the anchor is part of {canonical.expression(node)}"
        )
    if window.start > 0:
        return None
    verb = "is" if window.start == -1 else "are"
    return f"{_length(window)} of the label {verb} already known at the anchor"


def _length(window: Window) -> str:
    number = -(window.start or 0)
    shown = _COUNTED[number] if number < len(_COUNTED) else str(number)
    unit = window.unit.removesuffix("s") if number == 1 else window.unit
    return f"{shown} {unit}"
