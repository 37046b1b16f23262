"""Runs the jobs that are left: here, or over several processes."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any, TypeAlias

import torch

from benthic.datasets import load
from benthic.errors import BenthicError
from benthic.sweeps.cells import Job
from benthic.sweeps.graph import Graph
from benthic.sweeps.run import run
from benthic.sweeps.store import Store

Progress: TypeAlias = Callable[[float, int, str], None]
"""Told the cells done (a running one counts in part), their number, and the job."""

_Told: TypeAlias = Callable[[str, float], None]
"""Told by whoever works: which job, and how many cells of it are under way."""

_PAUSE = 0.2  # seconds between two looks at what other processes have finished


def run_here(jobs: Sequence[Job], store: Store, progress: Progress) -> None:
    """Runs what is left in this process.

    Args:
        jobs: The whole sweep; finished cells are left alone.
        store: Where cells are kept.
        progress: Told how far the sweep is.
    """
    count = _Count(jobs, store, progress)
    count.tell()

    def told(text: str, under_way: float) -> None:
        count.under_way = {0: under_way}
        count.tell(text)

    _work(jobs, store, told)
    count.tell()


def run_in_processes(
    jobs: Sequence[Job], store: Store, processes: int, progress: Progress
) -> None:
    """Runs what is left in processes of one thread each.

    They take jobs from the folder, as those of another sweep there do. When this
    process dies, however it dies, they end at once; what they had not finished is run
    another time.

    Args:
        jobs: The whole sweep; finished cells are left alone.
        store: Where cells are kept.
        processes: How many to start.
        progress: Told how far the sweep is.

    Raises:
        BenthicError: If a process dies, or the disk is full.
    """
    count = _Count(jobs, store, progress)
    count.tell()
    left = sum(bool(store.missing(job)) for job in jobs)
    workers = started = [_start(jobs, store.out) for _ in range(min(processes, left))]
    try:
        # A process may still be starting when the others have done its work.
        while workers and any(store.missing(job) for job in jobs):
            workers = [worker for worker in workers if _is_at_work(worker, count)]
            wait([worker.pipe for worker in workers], timeout=_PAUSE)
            count.tell(next((w.text for w in workers if w.text), ""))
    finally:
        for worker in started:
            worker.process.terminate()
            worker.process.join()
    count.tell()


class _Count:
    """How many cells are done, whoever does them."""

    def __init__(self, jobs: Sequence[Job], store: Store, progress: Progress) -> None:
        self._keys = {job.cell_key(seed) for job in jobs for seed in job.seeds}
        self._store = store
        self._progress = progress
        self._looked = -_PAUSE
        self._done = 0
        self._shown = 0.0
        self.under_way: dict[int, float] = {}

    def tell(self, text: str = "") -> None:
        if (now := time.monotonic()) - self._looked >= _PAUSE or not text:
            self._done = len(self._keys & self._store.present())
            self._looked = now
        total = len(self._keys)
        done = float(min(self._done + sum(self.under_way.values()), total))
        self._shown = max(self._shown, done)  # a bar that goes back looks broken
        self._progress(self._shown, total, text)


@dataclass
class _Worker:
    process: SpawnProcess
    pipe: Connection
    text: str = ""


def _start(jobs: Sequence[Job], out: Path) -> _Worker:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_main, args=(list(jobs), out, theirs), daemon=True)
    process.start()
    theirs.close()
    return _Worker(process, ours)


def _is_at_work(worker: _Worker, count: _Count) -> bool:
    """Takes in what a worker said; false once it has ended well."""
    try:
        while worker.pipe.poll():
            message = worker.pipe.recv()
            if isinstance(message, BaseException):
                raise message
            worker.text, count.under_way[id(worker)] = message
    except EOFError:
        worker.process.join()
        count.under_way.pop(id(worker), None)
        if worker.process.exitcode:
            raise _died(worker.process.exitcode, worker.text) from None
        return False
    return True


def _died(code: int, text: str) -> BenthicError:
    how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
    if not text:
        return BenthicError(
            f"a process of the sweep {how} before it began; in a script, put the call "
            'under `if __name__ == "__main__":`, or take 1 process'
        )
    return BenthicError(
        f"a process {how} while it trained {text}; what is finished is kept: "
        "run the same command again, with fewer processes if memory was short"
    )


def _main(jobs: Sequence[Job], out: Path, pipe: Connection) -> None:
    """What a process of a sweep does from start to end."""
    # The one who waits at the terminal stops us; Ctrl-C reaches us as well.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()
    torch.set_num_threads(1)
    # Nobody listens once our parent was killed; we may notice before it ends us.
    with contextlib.closing(Store(out)) as store, contextlib.suppress(BrokenPipeError):
        try:
            _work(jobs, store, lambda *message: pipe.send(message))
        except BrokenPipeError:
            raise
        except Exception as error:
            pipe.send(error if isinstance(error, BenthicError) else _plain(error))


def end_with_parent() -> None:
    """Ends this process when the one that started it is gone, whatever runs by then.

    A cell that is being written then is torn and runs another time, as after any kill.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def end() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=end, daemon=True).start()


def _plain(error: Exception) -> BenthicError:
    """An error that can surely be sent to another process."""
    return BenthicError(f"{type(error).__name__}: {error}")


def _work(jobs: Sequence[Job], store: Store, told: _Told) -> None:
    """Runs every job that nobody else runs, until none is left."""
    graphs: dict[tuple[str, int], Graph] = {}
    left = list(jobs)
    while left := [job for job in left if store.missing(job)]:
        ran = [_run_if_free(job, store, graphs, told) for job in left]
        if not any(ran):
            told("", 0.0)
            time.sleep(_PAUSE)


def _run_if_free(
    job: Job, store: Store, graphs: dict[tuple[str, int], Graph], told: _Told
) -> bool:
    with store.claim(job) as is_mine:
        # Read after the claim: who held it before us may have finished the job.
        if not is_mine or not (seeds := store.missing(job)):
            return is_mine
        key = job.dataset, job.settings.split
        if key not in graphs:
            graphs[key] = Graph(load(job.dataset, split=job.settings.split))
        for seed, content in _counted(job, seeds, graphs[key], told):
            store.write(job, seed, content)
        told(str(job), 0.0)
    return True


def _counted(
    job: Job, seeds: Sequence[int], graph: Graph, told: _Told
) -> Iterator[tuple[int, dict[str, Any]]]:
    written = 0

    def progress(share: float) -> None:
        told(str(job), max(0.0, share * len(seeds) - written))

    for seed, content in run(job, seeds, graph, progress):
        yield seed, content
        written += 1
