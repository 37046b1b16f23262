from __future__ import annotations

import errno
import json
import multiprocessing
import os
import signal

import pytest

from benthic.errors import BenthicError, InputError
from benthic.sweeps.cells import Job, Settings
from benthic.sweeps.store import Store

JOB = Job("cora", "gcn", "none", 4, (0, 1, 2), Settings())

# Python 3.12 warns of a fork beside threads; these children only lock a file.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


@pytest.fixture
def store(tmp_path):
    opened = Store(tmp_path / "sweep")
    yield opened
    opened.close()


def again(store):
    """What another process sees: nothing is remembered."""
    return Store(store.out)


def cell_file(store, seed):
    return store.out / "cells" / f"{JOB.cell_key(seed)}.json"


def test_a_cell_that_was_written_is_there_for_the_next_sweep(store):
    assert store.missing(JOB) == [0, 1, 2]
    store.write(JOB, 1, {"test": 0.5})
    assert again(store).read(JOB, 1) == {"test": 0.5}
    assert again(store).missing(JOB) == [0, 2]
    assert store.present() == {JOB.cell_key(1)}


@pytest.mark.parametrize(
    "tear",
    [
        lambda text: "",
        lambda text: text[: len(text) // 2],
        lambda text: text.replace("0.5", "0.6"),
        lambda text: text.replace('"seed": 1', '"seed": 2'),
        lambda text: "[]",
        lambda text: "3",
        lambda text: json.dumps({"sha256": 3}),
        lambda text: "\0" * len(text),
    ],
)
def test_a_torn_file_counts_as_missing(store, tear):
    store.write(JOB, 1, {"test": 0.5})
    file = cell_file(store, 1)
    file.write_text(tear(file.read_text()))
    assert again(store).missing(JOB) == [0, 1, 2]
    store.write(JOB, 1, {"test": 0.7})
    assert again(store).read(JOB, 1) == {"test": 0.7}


def test_a_cell_under_the_name_of_another_is_not_taken_for_it(store):
    store.write(JOB, 1, {"test": 0.5})
    cell_file(store, 1).rename(cell_file(store, 2))
    assert again(store).missing(JOB) == [0, 1, 2]


def test_a_full_disk_is_one_line_and_leaves_no_half_file(store, monkeypatch):
    store.write(JOB, 0, {"test": 0.5})

    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(
        BenthicError, match="no space left on device; what is"
    ) as raised:
        store.write(JOB, 1, {"test": 0.5})
    assert not isinstance(raised.value, InputError)
    assert "\n" not in str(raised.value)
    names = {path.name for path in (store.out / "cells").iterdir()}
    assert names == {"claims", cell_file(store, 0).name}
    monkeypatch.undo()
    store.write(JOB, 1, {"test": 0.5})
    assert again(store).missing(JOB) == [2]


def test_what_a_killed_process_had_begun_to_write_is_cleared_away(store):
    torn = store.out / "cells" / f".{JOB.cell_key(1)}.json.12345"
    torn.write_text("{")
    store.write(JOB, 1, {})
    assert not torn.exists()


def _claims(out, answers, hold):
    store = Store(out)
    with store.claim(JOB) as is_mine:
        answers.send(is_mine)
        while hold:
            signal.pause()


@pytest.fixture
def other(store):
    """Lets another process claim the job: its answer, and the process."""
    started = []

    def claim(*, hold=False):
        ours, theirs = multiprocessing.Pipe()
        context = multiprocessing.get_context("fork")
        process = context.Process(target=_claims, args=(store.out, theirs, hold))
        process.start()
        started.append(process)
        return ours.recv(), process

    yield claim
    for process in started:
        process.kill()
        process.join()


def test_a_claim_keeps_other_processes_away_until_it_ends(store, other):
    with store.claim(JOB) as is_mine:
        assert is_mine
        assert other()[0] is False
    assert other()[0] is True


def test_the_claim_of_a_killed_process_falls(store, other):
    is_theirs, process = other(hold=True)
    assert is_theirs
    with store.claim(JOB) as is_mine:
        assert not is_mine
    with store.claim(Job("cora", "gcn", "none", 8, (0,), Settings())) as is_mine:
        assert is_mine
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    with store.claim(JOB) as is_mine:
        assert is_mine


def test_a_parquet_name_keeps_the_cells_beside_the_table(tmp_path):
    store = Store(tmp_path / "depth.parquet")
    store.write(JOB, 0, {})
    store.close()
    assert store.parquet == tmp_path / "depth.parquet"
    assert store.json == tmp_path / "depth.json"
    assert (tmp_path / "depth.cells" / f"{JOB.cell_key(0)}.json").exists()


@pytest.mark.parametrize("name", ["notes.txt", "cells/notes.txt"])
def test_a_folder_that_holds_something_else_is_refused(tmp_path, name):
    (tmp_path / "cells").mkdir()
    (tmp_path / name).write_text("mine")
    if "/" not in name:
        (tmp_path / "cells").rmdir()
    with pytest.raises(InputError, match=r"out: found .*, which holds 'notes.txt'"):
        Store(tmp_path)
    assert (tmp_path / name).read_text() == "mine"


def test_pages_beside_the_cells_do_no_harm(store):
    (store.out / "page.html").write_text("")
    again(store)


def test_what_cannot_be_a_folder_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file, which is a file"):
        Store(tmp_path / "file")
    with pytest.raises(InputError, match=r"out: found .*: not a directory; name a"):
        Store(tmp_path / "file" / "sweep")
    with pytest.raises(InputError, match=r"out: found .*: no such file"):
        Store(tmp_path / "nowhere" / "a.parquet")
