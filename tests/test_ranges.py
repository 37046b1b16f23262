from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from benthic.errors import InputError
from benthic.ranges import ABOVE_ZERO, number, whole_number


@pytest.mark.parametrize("value", [0, 1, 0.5, np.float32(0.5), np.int64(1)])
def test_a_number_in_its_range_comes_back(value):
    assert number("alpha", value, 0, 1) is value


def test_a_tensor_of_one_number_is_a_number():
    assert number("alpha", torch.tensor(0.5), 0, 1) == 0.5


@pytest.mark.parametrize("value", [-0.1, 1.1, math.nan, math.inf, "1", None, [1], {}])
def test_everything_else_is_refused_in_one_line(value):
    with pytest.raises(InputError, match="give a number, from 0 to 1"):
        number("alpha", value, 0, 1)


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan, "foo"])
def test_without_a_range_a_number_must_be_finite(value):
    with pytest.raises(InputError, match=r"scale: found .*; give a number$"):
        number("scale", value)


def test_zero_is_not_above_zero():
    assert number("p", 1e-300, ABOVE_ZERO) == 1e-300
    with pytest.raises(InputError, match="p: found 0; give a number above 0"):
        number("p", 0, ABOVE_ZERO)


def test_a_place_may_say_in_its_own_words_what_to_give():
    with pytest.raises(InputError, match="p: found 2; give a share"):
        number("p", 2, 0, 1, remedy="give a share")
    with pytest.raises(InputError, match="K: found 0; give 1 hop or more"):
        whole_number("K", 0, 1, remedy="give 1 hop or more")


@pytest.mark.parametrize("value", [3, np.int64(3)])
def test_a_whole_number_comes_back(value):
    assert whole_number("K", value, 1) is value


@pytest.mark.parametrize("value", [0, 2.0, True, "3", None, math.inf])
def test_a_whole_number_is_an_integer_and_large_enough(value):
    with pytest.raises(InputError, match="give a whole number, 1 or more"):
        whole_number("K", value, 1)
