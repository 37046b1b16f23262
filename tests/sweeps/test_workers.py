from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys

import pytest
import torch

from benthic.errors import BenthicError
from benthic.sweeps import workers
from benthic.sweeps.cells import Settings, jobs
from benthic.sweeps.store import Store
from benthic.sweeps.workers import run_here, run_in_processes
from benthic.training import Protocol


@pytest.fixture
def texas(graph, monkeypatch):
    """A small graph, in place of those that are loaded by name."""
    data = graph("texas")
    monkeypatch.setattr(workers, "load", lambda name, split: data)


@pytest.fixture
def store(tmp_path):
    opened = Store(tmp_path)
    yield opened
    opened.close()


PLANNED = jobs(
    ["texas"], ["gcn"], ["none"], [1, 2], [0, 1], Settings(Protocol(epochs=2))
)


def nothing(*_):
    pass


def test_every_cell_is_run_and_none_twice(texas, store, monkeypatch):
    ran = []
    whole = workers.run
    monkeypatch.setattr(
        workers,
        "run",
        lambda job, seeds, *rest: ran.append((job, seeds)) or whole(job, seeds, *rest),
    )
    store.write(PLANNED[0], 1, {"test": 0.0})
    run_here(PLANNED, store, nothing)
    assert ran == [(PLANNED[0], [0]), (PLANNED[1], [0, 1])]
    run_here(PLANNED, Store(store.out), nothing)
    assert len(ran) == 2


def test_progress_counts_cells_and_names_the_job(texas, store):
    told = []
    run_here(PLANNED, store, lambda *message: told.append(message))
    done = [message[0] for message in told]
    assert done == sorted(done)
    assert told[0] == (0, 4, "")
    assert told[-1] == (4, 4, "")
    assert "texas gcn none, 2 layers" in {text for _, _, text in told}


def test_a_job_that_another_sweep_runs_is_waited_for(texas, store, monkeypatch):
    """The other one dies with its job half done, and this one takes it over."""
    claimed = []

    class Claimed(Store):
        def claim(self, job):
            claimed.append(job)
            if job == PLANNED[0] and len(claimed) < 4:
                return _Taken()
            return super().claim(job)

    class _Taken:
        def __enter__(self):
            return False

        def __exit__(self, *_):
            pass

    monkeypatch.setattr(workers, "_PAUSE", 0.0)
    run_here(PLANNED, other := Claimed(store.out), nothing)
    assert claimed[:2] == PLANNED
    assert not any(other.missing(job) for job in PLANNED)
    other.close()


def test_processes_share_the_jobs_and_none_is_trained_by_two(graph, store, monkeypatch):
    graph("texas")
    trained = {}
    listen = workers._is_at_work

    def overhear(worker, count):
        is_at_work = listen(worker, count)
        trained.setdefault(worker.text, set()).add(worker.process.pid)
        return is_at_work

    monkeypatch.setattr(workers, "_is_at_work", overhear)
    told = []
    run_in_processes(PLANNED, store, 2, lambda *message: told.append(message))
    assert not any(store.missing(job) for job in PLANNED)
    assert told[-1] == (4, 4, "")
    assert multiprocessing.active_children() == []
    trained.pop("", None)
    assert trained
    assert all(len(pids) == 1 for pids in trained.values())


def test_the_end_of_a_process_is_said_in_one_line(graph, store):
    graph("texas")
    endless = Settings(Protocol(epochs=10**9))
    planned = jobs(["texas"], ["gcn"], ["none"], [2], [0], endless)

    def kill(done, total, text):
        for child in multiprocessing.active_children():
            if text:
                os.kill(child.pid, signal.SIGKILL)

    with pytest.raises(BenthicError, match="killed by signal 9 while it trained texas"):
        run_in_processes(planned, store, 2, kill)
    assert multiprocessing.active_children() == []


@pytest.fixture
def as_a_process(monkeypatch):
    """Runs here what a process runs: what it says to its parent."""
    monkeypatch.setattr(signal, "signal", nothing)
    monkeypatch.setattr(torch, "set_num_threads", nothing)

    def call(planned, out, *, is_heard=True):
        ours, theirs = multiprocessing.Pipe(duplex=False)
        if not is_heard:
            ours.close()
        workers._main(planned, out, theirs)
        theirs.close()
        said = []
        while is_heard:
            try:
                said.append(ours.recv())
            except EOFError:
                break
        return said

    return call


def test_a_process_hands_a_full_disk_to_its_parent(texas, store, as_a_process):
    (store.out / "cells" / f"{PLANNED[0].cell_key(0)}.json").mkdir()
    *_, last = as_a_process(PLANNED, store.out)
    assert isinstance(last, BenthicError)
    assert "what is finished is kept" in str(last)


def test_a_process_ends_when_nobody_listens_any_more(texas, store, as_a_process):
    as_a_process(PLANNED, store.out, is_heard=False)
    assert store.missing(PLANNED[1]) == [0, 1]


ORPHAN = """
import multiprocessing, os, signal, sys, time

def work():
    from benthic.sweeps.workers import end_with_parent
    end_with_parent()
    print("at work", flush=True)
    time.sleep(30)
    print("still there")

if __name__ == "__main__":
    multiprocessing.get_context("spawn").Process(target=work, daemon=True).start()
    time.sleep(600)
"""


def test_a_process_that_hears_nothing_ends_with_its_parent(tmp_path):
    """In the middle of a long step nothing is written into the pipe that broke."""
    script = tmp_path / "orphan.py"
    script.write_text(ORPHAN)
    command = [sys.executable, str(script)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, start_new_session=True
    ) as parent:
        assert parent.stdout.readline() == b"at work\n"
        os.kill(parent.pid, signal.SIGKILL)
        assert parent.stdout.read() == b""  # at the end of the last that could write


def test_an_error_of_a_process_is_raised_here(store):
    ours, theirs = multiprocessing.Pipe(duplex=False)
    theirs.send(BenthicError("no space left"))
    worker = workers._Worker(multiprocessing.get_context("spawn").Process(), ours)
    with pytest.raises(BenthicError, match="no space left"):
        workers._is_at_work(worker, workers._Count(PLANNED, store, nothing))


def test_a_process_that_never_began_says_what_a_script_needs():
    assert "__main__" in str(workers._died(1, ""))
