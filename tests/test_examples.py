"""The examples run, and print what their first line promises."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


def run(name, capsys):
    runpy.run_path(str(EXAMPLES / name), run_name="__main__")
    return capsys.readouterr().out


def test_every_example_is_run_here():
    tested = {
        "dropout_on_the_skip.py",
        "predict_badges.py",
        "predict_rentals.py",
        "trace_your_own_loop.py",
        "treat_your_model.py",
    }
    assert {path.name for path in EXAMPLES.glob("*.py")} == tested


@pytest.mark.slow  # trains two 16-layer networks
@pytest.mark.usefixtures("cora")
def test_dropout_on_the_skip_is_noise_and_on_the_branch_is_none(capsys):
    skip, branch = run("dropout_on_the_skip.py", capsys).splitlines()
    assert skip.startswith("dropout on the skip: Noise on the skip stream")
    assert branch.startswith("dropout on the branch: No check found anything")


def test_a_traced_loop_shows_rank_and_gradients_of_each_layer(capsys):
    lines = run("trace_your_own_loop.py", capsys).splitlines()
    assert [line for line in lines if line.startswith("epoch 20")]
    assert sum("effective rank" in line for line in lines) == 6


@pytest.mark.slow  # trains two 16-layer networks
@pytest.mark.usefixtures("cora")
def test_a_treated_network_learns_what_the_untreated_one_does_not(capsys):
    *table, untreated, treated = run("treat_your_model.py", capsys).splitlines()
    assert sum("Residual, LayerNorm" in line for line in table) == 14
    assert untreated.startswith("as it is: test")
    assert treated.endswith("healthy")
    score = [float(line.split()[-3].rstrip("%,")) for line in (untreated, treated)]
    assert score[1] > score[0] + 40


@pytest.mark.slow  # fits twice on 40,000 examples
def test_badges_are_predicted_better_than_by_each_user_s_habit(capsys):
    text = run("predict_badges.py", capsys)
    model, *_, habit, _ = next(
        map(float, line.split()[1:])
        for line in text.splitlines()
        if line.startswith("auroc")
    )
    assert model > habit + 0.05
    assert "users <- badges.UserId" in text


@pytest.mark.slow  # fits twice on thousands of examples
def test_rentals_are_predicted_better_than_by_the_last_three_weeks(capsys):
    text = run("predict_rentals.py", capsys)
    model, *_, last = next(
        map(float, line.split()[1:])
        for line in text.splitlines()
        if line.startswith("mae")
    )
    assert model < last - 0.1
