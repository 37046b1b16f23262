"""Pages that scripts make out of results say what the results say."""

from __future__ import annotations

import benchmarks.depth.page
import benchmarks.guide.page
import pytest


@pytest.mark.parametrize(
    "page",
    [benchmarks.depth.page, benchmarks.guide.page],
    ids=lambda page: page.PAGE.name,
)
def test_a_page_is_what_its_script_makes_of_the_committed_results(page):
    assert page.PAGE.read_text(encoding="utf-8") == page.render()
