from __future__ import annotations

from types import SimpleNamespace

import pytest

from benthic.errors import InputError, OutputError, QueryError
from benthic.options import between, named, of_training, whole_numbers

PARAM = SimpleNamespace(name="num_layers")


def context(target, source):
    return SimpleNamespace(
        params={"target": target},
        get_parameter_source=lambda name: SimpleNamespace(name=source),
    )


def test_a_number_within_the_range_comes_back():
    assert between(0, 1)(None, PARAM, 0.0) == 0.0
    assert between(1)(None, PARAM, 10**9) == 10**9


@pytest.mark.parametrize("value", [-1, float("nan"), float("inf"), float("-inf")])
def test_a_number_outside_is_refused_by_the_name_of_its_flag(value):
    with pytest.raises(InputError, match=f"--num-layers: found {value}; .*0 or more"):
        between(0)(None, PARAM, value)


def test_an_option_of_training_is_refused_only_where_it_was_typed():
    check = of_training(between(1))
    assert check(context("cora", "COMMANDLINE"), PARAM, 3) == 3
    assert check(context("m.py:net", "DEFAULT"), PARAM, 2) == 2
    with pytest.raises(InputError, match="--num-layers: found 3 beside a module"):
        check(context("m.py:net", "COMMANDLINE"), PARAM, 3)
    with pytest.raises(InputError, match="1 or more"):
        check(context("cora", "COMMANDLINE"), PARAM, 0)


def test_depths_are_read_by_comma():
    assert whole_numbers(" 2,4 ,8", "--num-layers") == [2, 4, 8]


@pytest.mark.parametrize("text", ["", "2,", "2.5", "two", "2;4"])
def test_what_is_no_list_of_whole_numbers_is_refused(text):
    with pytest.raises(InputError, match=r"--num-layers: found '.*'; give whole"):
        whole_numbers(text, "--num-layers")


@pytest.mark.parametrize(
    ("argument", "typed"),
    [
        ("num_layers", "--num-layers"),
        ("datasets", "DATASETS"),
        ("TARGET", "TARGET"),
        ("a b", "a b"),
    ],
)
def test_an_argument_is_called_as_the_user_typed_it(argument, typed):
    with pytest.raises(InputError) as raised, named(datasets="DATASETS"):
        raise InputError(argument, "x", "y")
    assert raised.value.argument == typed


def test_a_full_disk_is_called_as_typed_and_a_query_stays_what_it_is():
    with pytest.raises(OutputError, match="--save: x; y"), named(folder="--save"):
        raise OutputError("folder", "x", "y")
    with pytest.raises(QueryError, match="type at line 1"), named():
        raise QueryError("type", "no number")
