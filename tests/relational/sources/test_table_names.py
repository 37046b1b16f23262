from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from benthic.relational.sources.table_names import table_names

NAMES = st.text('a."', min_size=1, max_size=9)


@given(st.lists(st.tuples(NAMES, NAMES), unique=True), NAMES)
def test_every_table_has_a_name_of_its_own(paths, default):
    found = table_names(paths, default)
    assert list(found) == paths
    assert len(set(found.values())) == len(paths)


def test_only_tables_that_would_share_a_name_are_called_otherwise():
    paths = [("main", "a.b"), ("a", "b"), ("a", "c"), ("main", "c")]
    assert list(table_names(paths, "main").values()) == [
        *('"main"."a.b"', '"a"."b"', "a.c", "c")
    ]
    paths = [("main", "a.b"), ("a", "b"), ("main", '"a"."b"')]
    assert len(set(table_names(paths, "main").values())) == 3
