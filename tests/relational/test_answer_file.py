from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from benthic.errors import InputError, OutputError
from benthic.relational.answer_file import check_file, records, write_answers

PART = pd.DataFrame(
    {
        "entity": ["a", "b"],
        "anchor_time": pd.to_datetime(["2026-01-01", "2026-01-02"]),
        "prediction": [1.5, float("nan")],
    }
)


def test_parquet_holds_all_parts(tmp_path):
    path = tmp_path / "a.parquet"

    assert write_answers(path, iter([PART, PART])) == 4
    pd.testing.assert_frame_equal(
        pd.read_parquet(path), pd.concat([PART, PART], ignore_index=True)
    )


def test_csv_has_one_header(tmp_path):
    path = tmp_path / "a.csv"

    assert write_answers(path, [PART, PART]) == 4
    assert pd.read_csv(path)["entity"].tolist() == ["a", "b", "a", "b"]


def test_json_is_an_array_of_records_with_null_for_what_is_missing(tmp_path):
    path = tmp_path / "a.json"

    assert write_answers(path, [PART]) == 2
    assert json.loads(path.read_text()) == [
        {"entity": "a", "anchor_time": "2026-01-01T00:00:00", "prediction": 1.5},
        {"entity": "b", "anchor_time": "2026-01-02T00:00:00", "prediction": None},
    ]


def test_a_list_is_json_in_a_cell_of_csv(tmp_path):
    path = tmp_path / "a.csv"
    write_answers(path, [pd.DataFrame({"prediction": [[1, 2]]})])

    assert pd.read_csv(path)["prediction"].map(json.loads).tolist() == [[1, 2]]
    assert next(records([pd.DataFrame({"prediction": [[1, 2]]})])) == {
        "prediction": [1, 2]
    }


def test_no_part_is_an_empty_file_of_json(tmp_path):
    assert write_answers(tmp_path / "a.json", []) == 0
    assert json.loads((tmp_path / "a.json").read_text()) == []


@pytest.mark.parametrize("suffix", ["parquet", "csv", "json"])
def test_a_full_disk_leaves_what_was_there(tmp_path, full_disk, suffix):
    path = tmp_path / f"a.{suffix}"
    path.write_text("before")

    with (
        full_disk(),
        pytest.raises(OutputError, match=rf"out: .*/a\.{suffix}: file too"),
    ):
        write_answers(path, [PART])
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["a.xlsx", "a", "no/such/a.csv"])
def test_a_file_that_cannot_be_written_is_refused_before_the_work(tmp_path, name):
    with pytest.raises(InputError):
        check_file(tmp_path / name)
    check_file(None)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="Linux")
def test_where_no_file_can_be_made_the_answers_are_not_asked_for():
    def parts():
        pytest.fail("the work was done first")
        yield PART

    with pytest.raises(InputError, match=r"out: found /proc/x\.csv: no such file"):
        write_answers("/proc/x.csv", parts())
