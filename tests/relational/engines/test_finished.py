from __future__ import annotations

import pytest

from benthic.errors import InputError
from benthic.relational.engines.finished import Finished
from benthic.relational.engines.folder import MARK, whole_folder


def test_results_outlive_the_process_but_not_other_data(tmp_path):
    Finished(tmp_path, "data").write({"a": 1}, {"value": 0.1 + 0.2})
    assert Finished(tmp_path, "data").read({"a": 1}) == {"value": 0.1 + 0.2}
    assert Finished(tmp_path, "other").read({"a": 1}) is None
    assert Finished(tmp_path, "data").read({"a": 2}) is None


def test_a_damaged_file_counts_as_absent(tmp_path):
    Finished(tmp_path, "data").write({"a": 1}, {"value": 1})
    (path,) = tmp_path.glob("*.json")
    path.write_text(path.read_text()[:-3])
    assert Finished(tmp_path, "data").read({"a": 1}) is None


def test_a_folder_that_cannot_be_made_is_one_clear_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="fit_dir"):
        Finished(tmp_path / "file", "data")
    with (
        pytest.raises(InputError, match="folder"),
        whole_folder(tmp_path / "file" / "x"),
    ):
        pass


def test_a_save_that_fails_leaves_the_old_one(tmp_path):
    with whole_folder(tmp_path / "model") as place:
        (place / MARK).write_text("old")

    def broken():
        with whole_folder(tmp_path / "model") as place:
            (place / MARK).write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        broken()
    assert (tmp_path / "model" / MARK).read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
