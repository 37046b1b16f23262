from __future__ import annotations

from benthic.relational.progress import silent


def test_nobody_hears_it(capsys):
    assert silent("half done") is None
    assert capsys.readouterr() == ("", "")
