"""The exception tree and its one-line messages."""

from __future__ import annotations

import inspect
import pickle

import pytest

from benthic import errors
from benthic.errors import BenthicError, InputError, ModelError


def test_a_wrong_request_names_the_argument_what_was_found_and_the_remedy():
    error = InputError("num_layers", "0", "give a depth of 1 or more")

    assert str(error) == "num_layers: found 0; give a depth of 1 or more"
    assert (error.argument, error.found) == ("num_layers", "0")
    assert error.remedy == "give a depth of 1 or more"


def test_one_except_clause_catches_everything_raised_on_purpose():
    raised = [
        value
        for value in vars(errors).values()
        if inspect.isclass(value) and issubclass(value, Exception)
    ]

    assert len(raised) > 1
    assert all(issubclass(error, BenthicError) for error in raised)


@pytest.mark.parametrize(
    ("error", "builtin"), [(InputError, ValueError), (ModelError, RuntimeError)]
)
def test_an_error_is_also_the_builtin_that_a_caller_may_already_catch(error, builtin):
    assert issubclass(error, builtin)


def test_a_wrong_request_survives_the_way_back_from_a_worker_process():
    error = pickle.loads(pickle.dumps(InputError("x", "NaN in 3 rows", "clean it")))

    assert str(error) == "x: found NaN in 3 rows; clean it"
    assert error.argument == "x"


def test_the_tree_drawn_at_the_top_shows_every_error():
    for name, value in vars(errors).items():
        if inspect.isclass(value) and value.__module__ == errors.__name__:
            assert name in (errors.__doc__ or "")
