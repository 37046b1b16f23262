from __future__ import annotations

from benthic.cli.wording import one_line
from benthic.errors import ModelError


def test_lines_are_joined_and_only_a_foreign_error_names_its_kind():
    assert one_line(ModelError("no\nluck")) == "no luck"
    assert one_line(ValueError("no\nluck")) == "ValueError: no luck"


def test_an_error_of_the_system_is_its_own_words():
    assert one_line(OSError(28, "No space left on device")) == "no space left on device"
