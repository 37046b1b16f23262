"""Is there enough to learn from?  If not, the counts that tell why."""

from __future__ import annotations

from dataclasses import dataclass

from benthic.errors import QueryError
from benthic.relational.query import TaskType
from benthic.relational.query.tree import Place
from benthic.relational.task.labels import Assumption, LabelQuery
from benthic.relational.task.task import Examples


@dataclass(frozen=True)
class Required:
    """What training needs at least.

    Args:
        examples: Rows.
        assumed: Rows where what ASSUMING says of the future came true.
    """

    examples: int = 10
    assumed: int = 100


def check_training(
    labels: LabelQuery,
    made: Examples,
    considered: int,
    anchors: int,
    required: Required,
) -> None:
    """Nothing, if a model can learn from these examples.

    Args:
        labels: The query.
        made: Its training examples.
        considered: How many entity-times were looked at.
        anchors: At how many anchors.
        required: What training needs at least.

    Raises:
        QueryError: Of kind data, with the counts.
    """
    found, query = len(made.table), labels.query
    left_out = ", ".join(f"{count:,} {why}" for why, count in made.dropped.items())
    counts = (
        f"{found:,} training {_noun(found, 'example')} of {considered:,} entity-times"
        f" at {anchors:,} {_noun(anchors, 'anchor')}"
    )
    counts += f" ({left_out})" if left_out else ""
    assumes = Assumption.of(query).future is not None
    if assumes and found < required.assumed:
        raise query.error(
            "data",
            f"the assumption came true too seldom to learn from: {counts}",
            _place(query.assuming),
            f"at least {required.assumed:,} examples",
            "weaken the assumption",
        )
    if found < required.examples:
        raise query.error(
            "data",
            f"too little to learn from: {counts}",
            _place(query.target),
            f"at least {required.examples:,} examples",
            _advice(made),
        )
    _check_classes(labels, made, counts)


def check_judging(
    labels: LabelQuery, made: Examples, considered: int, moment: str
) -> None:
    """Nothing, if there is a label to choose or to judge by.

    Args:
        labels: The query.
        made: Its examples of validation, or of the test.
        considered: How many entity-times were looked at.
        moment: Which anchors these are, in words.

    Raises:
        QueryError: Of kind data, with the anchors and the counts.
    """
    is_set = labels.task_type is TaskType.multilabel
    filled = "count(*) FILTER (len(label) > 0)" if is_set else "count(*)"
    if made.table.row(filled)[0]:
        return
    query = labels.query
    left_out = [f"{count:,} {why}" for why, count in made.dropped.items()]
    advice = _advice(made)
    if len(made.table):
        left_out.append(f"{len(made.table):,} empty: no row in the window")
        advice = _ADVICE["empty"]
    raise query.error(
        "data",
        f"no label at {moment}: {considered:,} entity-times ({', '.join(left_out)})",
        _place(query.target),
        "labels at that time",
        f"give another anchor_time, or {advice}",
    )


def _check_classes(labels: LabelQuery, made: Examples, counts: str) -> None:
    if labels.task_type not in (TaskType.binary, TaskType.multiclass):
        return
    least, most = made.table.row("min(label), max(label)")
    if least != most:
        return
    value = str(least).lower() if isinstance(least, bool) else repr(least)
    raise _one_class(labels, value, counts)


def _one_class(labels: LabelQuery, value: str, counts: str) -> QueryError:
    return labels.query.error(
        "data",
        f"every label is {value}: {counts}",
        _place(labels.query.target),
        "at least two different labels",
        "ask for a longer window or a condition that is sometimes met",
    )


def _advice(made: Examples) -> str:
    most = max(made.dropped, key=lambda why: made.dropped[why], default="")
    return _ADVICE.get(most, "ask for more anchors or a shorter window")


_ADVICE = {
    "fails WHERE": "widen WHERE",
    "undefined": "ask for a longer window, or for what is defined over no rows",
    "empty": "ask for a longer window",
}


def _noun(count: int, noun: str) -> str:
    return noun if count == 1 else f"{noun}s"


def _place(node: object) -> Place | None:
    return getattr(node, "place", None)
