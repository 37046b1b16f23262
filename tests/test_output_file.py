from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from benthic.errors import InputError, OutputError
from benthic.output_file import check_folder, check_writable, unwritable, write_file


def test_a_missing_folder_is_found_before_the_work(tmp_path):
    with pytest.raises(InputError, match=r"--html: .*folder does not exist"):
        check_writable(tmp_path / "no" / "a.html", argument="--html")


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(InputError, match="which is a folder"):
        check_writable(tmp_path, argument="--html")


def test_no_file_and_a_good_file_pass(tmp_path):
    check_writable(None, argument="--html")
    check_writable(tmp_path / "a.html", argument="--html")
    assert not (tmp_path / "a.html").exists()


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write")
def test_a_write_protected_file_is_refused(tmp_path):
    path = tmp_path / "a.html"
    path.touch(mode=0o400)
    with pytest.raises(InputError, match="cannot be written"):
        check_writable(path, argument="--html")


def test_a_failed_write_names_the_argument(tmp_path):
    with pytest.raises(InputError, match=r"--html: found .*is a directory; name a"):
        write_file(tmp_path, "text", argument="--html")


def test_a_full_disk_is_work_that_failed_and_no_wrong_request(tmp_path, full_disk):
    with full_disk(), pytest.raises(OutputError, match=r"--html: .*file too large; fr"):
        write_file(tmp_path / "a.html", "text", argument="--html")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux")  # noqa: PTH110
def test_a_device_that_is_full_says_so(tmp_path):
    (tmp_path / "a.html").symlink_to("/dev/full")
    with pytest.raises(OutputError, match="no space left on device"):
        write_file(tmp_path / "a.html", "text", argument="--html")


def test_a_folder_is_tried_before_the_work_and_not_made(tmp_path):
    check_folder(None, argument="--save")
    check_folder(tmp_path / "of" / "tomorrow", argument="--save")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_within_a_file_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"--save: found .*file/x: not a directory"):
        check_folder(tmp_path / "file" / "x", argument="--save")


@pytest.mark.skipif(not os.path.exists("/proc/self"), reason="Linux")  # noqa: PTH110
def test_a_place_that_only_seems_writable_is_found_before_the_work():
    with pytest.raises(InputError, match=r"--out: found /proc/x\.csv: no such file"):
        check_folder(Path("/proc"), argument="--out", named=Path("/proc/x.csv"))


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, OutputError),
        (errno.EFBIG, OutputError),
        (errno.EACCES, InputError),
    ],
)
def test_a_wrong_place_and_a_full_one_are_told_apart(number, kind):
    assert type(unwritable("a", OSError(number, "x"), argument="out")) is kind
