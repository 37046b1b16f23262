from __future__ import annotations

import os

import pytest

from benthic.errors import InputError
from benthic.output_file import check_writable, write_file


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
    with pytest.raises(InputError, match=r"--html: found .*directory"):
        write_file(tmp_path, "text", argument="--html")
