from __future__ import annotations

from dataclasses import replace

import pytest

from benthic.errors import InputError
from benthic.sweeps.cells import Job, Settings, jobs
from benthic.training import Protocol

JOB = Job("cora", "gcn", "none", 4, (0, 1), Settings())


def test_a_job_keeps_its_name_whatever_its_seeds():
    assert replace(JOB, seeds=(5,)).key == JOB.key
    assert replace(JOB, seeds=(5, 0)).cell_key(0) == JOB.cell_key(0)


@pytest.mark.parametrize(
    "other",
    [
        replace(JOB, dataset="citeseer"),
        replace(JOB, conv="sage"),
        replace(JOB, treatment="residual"),
        replace(JOB, num_layers=8),
        replace(JOB, settings=Settings(Protocol(lr=0.02))),
        replace(JOB, settings=Settings(Protocol(hidden_weight_decay=0.01))),
        replace(JOB, settings=Settings(hidden_channels=32)),
        replace(JOB, settings=Settings(dropout=0.6)),
        replace(JOB, settings=Settings(split=1)),
    ],
)
def test_every_setting_makes_another_cell(other):
    assert other.cell_key(0) != JOB.cell_key(0)


def test_seeds_are_cells_of_their_own():
    assert JOB.cell_key(0) != JOB.cell_key(1)


def test_every_combination_is_there_once_and_shallow_networks_come_first():
    found = jobs(["a", "b", "a"], ["gcn"], ["none", "x"], [8, 2, 8], [3, 3], Settings())
    assert len(found) == len({job.key for job in found}) == 2 * 2 * 2
    assert [job.num_layers for job in found] == [2] * 4 + [8] * 4
    assert found[0].seeds == (3,)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"num_layers": [2, 0]}, "num_layers: found 0; give whole numbers, 1 or more"),
        ({"num_layers": [True]}, "num_layers: found True"),
        ({"num_layers": []}, "num_layers: found nothing"),
        ({"seeds": [-1]}, "seeds: found -1; give whole numbers, 0 or more"),
        ({"convs": []}, "conv: found nothing; give at least one"),
    ],
)
def test_what_is_no_grid_is_refused(change, line):
    wanted = {
        "datasets": ["cora"],
        "convs": ["gcn"],
        "treatments": ["none"],
        "num_layers": [2],
        "seeds": [0],
    }
    with pytest.raises(InputError, match=line):
        jobs(**wanted | change, settings=Settings())


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (lambda: Settings(Protocol(lr=float("nan"))), "lr: found nan"),
        (lambda: Settings(Protocol(lr=float("inf"))), "lr: found inf"),
        (lambda: Settings(dropout=1.5), "dropout: found 1.5; give a number, from 0"),
        (lambda: Settings(hidden_channels=0), "hidden_channels: found 0"),
    ],
)
def test_a_setting_out_of_its_range_is_refused(make, line):
    with pytest.raises(InputError, match=line):
        make()
