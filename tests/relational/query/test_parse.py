"""Any tree can be written down and read again."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from tests.relational.query.trees import queries

from benthic.errors import QueryError
from benthic.relational.query import canonical
from benthic.relational.query.faults import Faults
from benthic.relational.query.parse import read
from benthic.relational.query.tree import ColumnRef, IsNull


# beartype draws which item of a tuple it looks at.
@pytest.mark.filterwarnings("ignore:Do not use the `random` module")
@settings(max_examples=120)
@given(clauses=queries)
def test_a_tree_that_is_printed_reads_as_the_same_tree(clauses):
    text = canonical.query(clauses)

    again, remarks = read(Faults(text))

    assert again == clauses
    assert canonical.query(again) == text
    assert remarks == []


@pytest.mark.parametrize(
    ("test", "negated"), [("= NULL", False), ("!= NULL", True), ("<> null", True)]
)
def test_equal_to_null_is_read_as_is_null_and_said_so(test, negated):
    text = f"PREDICT a.b FOR EACH a.id WHERE a.c {test}"

    clauses, remarks = read(Faults(text))

    assert clauses.where == IsNull(ColumnRef("a", "c"), negated)
    assert len(remarks) == 1
    assert "is read as IS" in remarks[0]


def test_sixty_parentheses_are_read_and_one_more_is_refused():
    def nested(levels):
        inside = "(" * levels + "a.b" + ")" * levels
        return read(Faults(f"PREDICT {inside} FOR EACH a.id"))

    assert nested(60)[0].target == ColumnRef("a", "b")
    with pytest.raises(QueryError, match="nested too deep"):
        nested(61)
