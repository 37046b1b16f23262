from __future__ import annotations

import pytest

from benthic.relational.inference.names import (
    KeyName,
    ends_with,
    root,
    same,
    table_roots,
    words,
)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("OwnerUserId", ("owner", "user", "id")),
        ("customerID", ("customer", "id")),
        ("HTTPServer2", ("http", "server", "2")),
        ("order-item no", ("order", "item", "no")),
        ("größe", ("gr", "öß", "e")),
        ("___", ()),
    ],
)
def test_an_identifier_falls_into_its_words(name, expected):
    assert words(name) == expected


@pytest.mark.parametrize(
    ("one", "many"),
    [
        *[("category", "categories"), ("status", "statuses"), ("box", "boxes")],
        *[("movie", "movies"), ("house", "houses"), ("case", "cases")],
        *[("address", "addresses"), ("person", "people"), ("key", "keys")],
        *[("analysis", "analysis"), ("branch", "branches"), ("day", "days")],
    ],
)
def test_singular_and_plural_have_one_root(one, many):
    assert root(one) == root(many)


def test_different_words_keep_different_roots():
    found = {root(word) for word in ("post", "position", "user", "use", "team", "tea")}
    assert len(found) == 6


@pytest.mark.parametrize(
    ("column", "stem", "suffix"),
    [
        ("id", (), "id"),
        ("uuid", (), "uuid"),
        ("team_id", ("team",), "id"),
        ("id_student", ("student",), "id"),
        ("account_no", ("account",), "no"),
        ("grid", ("grid",), ""),
        ("paid", ("paid",), ""),
    ],
)
def test_a_key_name_is_a_stem_and_a_word_that_says_key(column, stem, suffix):
    assert KeyName.of(column, ["teams", "students"]) == KeyName(stem, suffix)


def test_words_that_run_together_part_where_a_table_is_named():
    assert KeyName.of("raceid", ["races"]) == KeyName((root("race"),), "id")
    assert KeyName.of("raceid", ["drivers"]).suffix == ""
    assert KeyName.of("siteid", ["vlesites"]).suffix == "id"
    assert KeyName.of("qualifyid", ["qualifying"]).suffix == "id"


def test_a_tables_schema_and_prefix_do_not_count():
    assert table_roots("sales.dim_customers") == table_roots("customer")
    assert table_roots("t") == ("t",)


def test_names_end_with_names_word_by_word():
    assert ends_with(("hom", "team"), ("team",))
    assert ends_with(("originallanguag",), ("languag",))
    assert not ends_with(("steam",), ("tea",))
    assert not ends_with((), ("team",))
    assert not same((), ())
