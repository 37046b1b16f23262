from __future__ import annotations

import pytest

from benthic.errors import InputError, OutputError
from benthic.relational.engines.folder import (
    MARK,
    check_still_whole,
    check_whole_folder,
    whole_folder,
)


def test_nothing_is_there_until_all_is(tmp_path):
    place = tmp_path / "deep" / "model"
    with whole_folder(place) as made:
        (made / MARK).write_text("{}")
        assert not place.exists()
    assert (place / MARK).read_text() == "{}"
    assert [path.name for path in place.parent.iterdir()] == ["model"]


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


def test_a_saved_engine_is_replaced_as_a_whole(tmp_path):
    for name in ("one", "two"):
        with whole_folder(tmp_path / "model") as place:
            (place / MARK).write_text(name)
            (place / name).write_text("")
    names = {path.name for path in (tmp_path / "model").iterdir()}
    assert names == {MARK, "two", "checksums.json"}


def test_what_is_no_engine_is_never_replaced(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_text("")
    for name in ("photos", "photos/cat.jpg"):
        with (
            pytest.raises(InputError, match="holds something else"),
            whole_folder(tmp_path / name),
        ):
            pass
    assert (tmp_path / "photos" / "cat.jpg").exists()


def test_an_empty_folder_may_be_filled(tmp_path):
    (tmp_path / "empty").mkdir()
    with whole_folder(tmp_path / "empty") as place:
        (place / MARK).write_text("{}")
    assert (tmp_path / "empty" / MARK).is_file()


def test_a_folder_that_cannot_be_made_is_one_clear_line(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(InputError, match="not a directory; name a place"),
        whole_folder(tmp_path / "file" / "x"),
    ):
        pass


def test_it_is_found_before_the_work_whether_a_folder_can_be_made(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_text("")

    check_whole_folder(None)
    check_whole_folder(tmp_path / "deep" / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]
    with pytest.raises(InputError, match=r"--save: found .*photos, which holds some"):
        check_whole_folder(tmp_path / "photos", argument="--save")
    with pytest.raises(InputError, match=r"--save: found .*jpg/model: not a directory"):
        check_whole_folder(tmp_path / "photos/cat.jpg/model", argument="--save")


def test_a_full_disk_names_the_folder_that_was_asked_for(tmp_path, full_disk):
    def save():
        with (
            whole_folder(tmp_path / "model") as outer,
            whole_folder(outer / "in") as it,
        ):
            (it / MARK).write_text("{}")

    with full_disk(), pytest.raises(OutputError) as raised:
        save()
    assert raised.value.found == f"{tmp_path / 'model'}: file too large"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "text", "state"), [("b", "two", "damaged"), ("b", None, "gone")]
)
def test_a_file_that_is_not_as_it_was_written_is_named(tmp_path, name, text, state):
    with whole_folder(tmp_path / "model") as place:
        for each in (MARK, "b"):
            (place / each).write_text("one")
    (tmp_path / "model" / "added later").write_text("")
    check_still_whole(tmp_path / "model")

    path = tmp_path / "model" / name
    path.unlink() if text is None else path.write_text(text)
    with pytest.raises(InputError, match=rf"found mine, .*: {name} is {state}; save"):
        check_still_whole(tmp_path / "model", named="mine")
