from __future__ import annotations

import os
import subprocess
import sys

import pytest

from benthic.output_stream import stdout_kept


def test_what_is_printed_inside_goes_to_stderr(capsys):
    with stdout_kept():
        sys.stdout.write("noise\n")
    sys.stdout.write("result\n")
    assert capsys.readouterr() == ("result\n", "noise\n")


def test_programs_that_are_started_inside_print_to_stderr_as_well(capfd):
    with stdout_kept():
        subprocess.run([sys.executable, "-c", "print('noise')"], check=True)
    os.write(1, b"result\n")
    out, err = capfd.readouterr()
    assert out == "result\n"
    assert "noise" in err


def test_stdout_is_given_back_when_the_work_fails(capsys):
    def fail():
        with stdout_kept():
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    sys.stdout.write("result\n")
    assert capsys.readouterr().out == "result\n"
