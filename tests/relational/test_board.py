from __future__ import annotations

import pytest

from benthic.errors import InputError
from benthic.relational.board import board, find_rel_f1, published_rows

RESULTS = [
    {
        "task": task,
        "regime": regime,
        "split": "test",
        "metric": metric,
        "value": value,
        "std": 0.01,
        "seeds": [0, 1, 2],
    }
    for regime in ("frozen", "rolling")
    for task, metric, value in (
        ("driver-dnf", "auroc", 0.8),
        ("driver-position", "nmae", 0.4),
    )
]


def test_each_regime_has_its_own_table_ours_first():
    frozen, rolling = board({"results": RESULTS}).split("\n\n")

    assert frozen.splitlines()[0] == "rel-f1, frozen, test split"
    assert frozen.splitlines()[2].split() == [
        *("Benthic,", "features", "(3", "seeds)", "80.0", "±", "1.0"),
        *("0.400", "±", "0.010"),
    ]
    assert "KumoRelational" in rolling
    assert "KumoRelational" not in frozen


def test_only_what_was_published_for_the_tasks_is_shown():
    only = [row for row in RESULTS if row["task"] == "driver-dnf"]

    assert "Global median" not in board({"results": only})


def test_every_published_figure_names_its_regime_and_evidence():
    for row in published_rows():
        assert row["regime"] in ("frozen", "rolling")
        assert row["evidence"] in ("board", "equal protocol", "paper")


def test_the_folder_is_found_in_the_data_or_its_absence_is_said(monkeypatch, tmp_path):
    folder = tmp_path / "relational" / "rel-f1"
    folder.mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BENTHIC_DATA", str(tmp_path))
    with pytest.raises(InputError, match="rel-f1"):
        find_rel_f1()
    (folder / "manifest.yaml").write_text("")
    assert find_rel_f1() == folder
