from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest
import torch
from torch_geometric.nn import GCNConv

import benthic
from benthic.errors import BenthicError, InputError
from benthic.nn import APPNP, DeepGNN, DropNode
from benthic.report import from_json
from benthic.sweeps.hidden_layer import GAUGES
from benthic.training import train

ROW = [
    *("dataset", "conv", "treatment", "num_layers", "seed"),
    *("train", "val", "test", "epochs", "seconds", "gauges"),
]
SUMMARY = [
    *("dataset", "conv", "treatment", "num_layers"),
    *("median", "worst", "best_shallower", "depth_loss"),
]
KILLED = {
    "num_layers": [2, 3, 4, 5, 6],
    "treatments": "none,residual",
    "seeds": 2,
    "epochs": 3,
}


@pytest.fixture
def sweep(graph, tmp_path):
    """A sweep of Texas, a graph of 183 nodes, that is soon done."""
    graph("texas")

    def run(datasets="texas", **changes):
        settings = {"num_layers": [2, 4], "seeds": 2, "epochs": 2, **changes}
        return benthic.sweep(datasets, **{"out": tmp_path / "sweep", **settings})

    return run


def cells(folder):
    """When each cell was written, and where on the disk."""
    files = [path for path in (folder / "cells").glob("*.json")]
    return {file.name: (file.stat().st_mtime_ns, file.stat().st_ino) for file in files}


def without_seconds(result):
    return result.rows.drop(columns="seconds")


def test_the_document_has_the_promised_form(sweep):
    document = sweep(conv="gcn,sage", treatments=["residual"]).to_dict()
    assert list(document) == ["benthic", "settings", "rows", "summary", "failed"]
    assert len(document["rows"]) == 2 * 2 * 2
    for row in document["rows"]:
        assert list(row) == ROW
        assert list(row["gauges"]) == list(GAUGES)
        assert 0 <= row["test"] <= 1
    assert [list(row) for row in document["summary"]] == [SUMMARY] * 4
    assert document["settings"]["epochs"] == 2
    assert document["settings"]["metric"] == "accuracy"
    assert document["failed"] == []


def test_rows_follow_the_order_of_the_request_then_depth_and_seed(sweep):
    rows = sweep(treatments="residual,none", num_layers=[4, 2], seeds=[7, 3]).rows
    assert list(rows["treatment"]) == ["residual"] * 4 + ["none"] * 4
    assert list(rows["num_layers"][:4]) == [2, 2, 4, 4]
    assert list(rows["seed"][:2]) == [7, 3]


def test_the_table_is_kept_as_parquet_and_json(sweep, tmp_path):
    result = sweep()
    folder = tmp_path / "sweep"
    pd.testing.assert_frame_equal(
        pd.read_parquet(folder / "sweep.parquet"), result.rows, check_dtype=False
    )
    text = (folder / "sweep.json").read_text()
    assert json.loads(text) == result.to_dict()
    assert from_json(text) == [result.to_dict()]
    assert {path.name for path in folder.iterdir()} == {
        *("cells", "sweep.parquet", "sweep.json")
    }


def test_a_finished_cell_is_never_run_twice(sweep, tmp_path):
    first = sweep()
    before = cells(tmp_path / "sweep")
    second = sweep(num_layers=[2, 4, 3], seeds=3)
    after = cells(tmp_path / "sweep")
    assert before.items() <= after.items()
    assert len(after) == 9
    assert first.document["rows"][0] == second.document["rows"][0]
    pd.testing.assert_frame_equal(sweep().rows, first.rows)


def test_rewirings_and_whole_networks_are_named_like_treatments(sweep):
    result = sweep(
        treatments="virtual_node,half_hop(p=0.5)+residual,egp",
        num_layers=2,
        seeds=1,
    )
    assert len(result.rows) == 3
    assert len(result.failed) == 0
    result = sweep(conv="deep_gcn,graph_transformer", treatments="none,gdc", seeds=1)
    assert len(result.rows) == 8


def test_the_default_row_of_the_depth_table_is_a_sweep(sweep, graph):
    settings = {"samples": 2, "consistency": 1.0, "weight_decay": 5e-3, "epochs": 5}
    treatment = "appnp(K=num_layers, alpha=0.15)+drop_node(p=0.5)"
    rows = sweep(
        treatments=treatment, num_layers=[2, 9], seeds=1, scale=10.0, **settings
    ).rows
    data = graph("texas")
    data.x = data.x * 10.0
    for depth, row in zip((2, 9), rows.to_dict("records"), strict=True):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            drop, spread = DropNode(0.5), APPNP(depth, alpha=0.15)
            sizes = data.num_features, 64, int(data.y.max()) + 1, 0
            model = DeepGNN(GCNConv, *sizes, propagation=spread, drop=drop)
        metrics = train(model, data, seed=0, **settings).metrics
        assert {split: row[split] for split in metrics} == metrics


def test_other_settings_are_other_cells(sweep, tmp_path):
    sweep()
    before = cells(tmp_path / "sweep")
    result = sweep(epochs=3)
    assert set(result.rows["epochs"]) == {3}
    assert len(cells(tmp_path / "sweep")) == 2 * len(before)
    assert len(result.rows) == 4


def test_a_torn_cell_is_run_again_and_the_others_are_left(sweep, tmp_path):
    first = sweep()
    before = cells(tmp_path / "sweep")
    torn = tmp_path / "sweep" / "cells" / min(before)
    torn.write_bytes(torn.read_bytes()[:100])
    pd.testing.assert_frame_equal(without_seconds(sweep()), without_seconds(first))
    after = cells(tmp_path / "sweep")
    assert {name for name in after if after[name] != before[name]} == {torn.name}


def test_a_sweep_that_was_killed_goes_on_where_it_was(sweep, tmp_path):
    """kill -9 in a process of its own, with cells finished and others under way."""
    folder = tmp_path / "killed"
    code = f"import benthic; benthic.sweep('texas', out={str(folder)!r}, **{KILLED})"
    with subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path) as process:
        while process.poll() is None and not list(folder.glob("cells/*.json")):
            time.sleep(0.005)
        os.kill(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    before = cells(folder)
    assert len(before) in range(1, 20)
    assert not (folder / "sweep.json").exists()
    resumed = sweep(**KILLED, out=folder)
    assert before.items() <= cells(folder).items()
    assert len(cells(folder)) == len(resumed.rows) == 20
    fresh = sweep(**KILLED)
    pd.testing.assert_frame_equal(without_seconds(resumed), without_seconds(fresh))
    assert not list(folder.glob("cells/.*"))


def test_a_parallel_sweep_that_was_killed_fails_no_cell_and_leaves_no_process(
    sweep, tmp_path
):
    """Its workers are in the middle of cells that take for ever."""
    folder, endless = tmp_path / "killed", {**KILLED, "epochs": 10**9}
    code = (
        "import benthic\n"
        "if __name__ == '__main__':\n"
        f"    benthic.sweep('texas', out={str(folder)!r}, processes=2, **{endless},\n"
        "                  progress=lambda *told: print(told[2], flush=True))\n"
    )
    script = tmp_path / "killed.py"
    script.write_text(code)
    command = [sys.executable, str(script)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        at_work = next(line for line in process.stdout if "texas" in line)
        os.kill(process.pid, signal.SIGKILL)
    assert "layers" in at_work
    assert is_gone(process.pid)
    assert not list(folder.glob("cells/*.json"))


def is_gone(group):
    """Whether nothing runs in a group of processes any more, or soon."""
    for _ in range(200):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    os.killpg(group, signal.SIGKILL)
    return False


def test_a_failed_cell_is_listed_with_its_reason_and_run_again_on_request(
    sweep, tmp_path
):
    broken = {"lr": 1e30, "epochs": 9, "num_layers": [4]}
    result = sweep(**broken)
    assert len(result.rows) == 0
    assert list(result.failed) == [*ROW[:5], "reason"]
    assert result.failed["reason"].str.startswith("the training loss is not a").all()
    assert result.summary["median"].isna().all()
    before = cells(tmp_path / "sweep")
    sweep(**broken)
    assert cells(tmp_path / "sweep") == before
    sweep(**broken, retry_failed=True)
    assert not before.items() & cells(tmp_path / "sweep").items()


def test_a_full_disk_ends_the_sweep_and_the_next_goes_on(sweep, tmp_path, monkeypatch):
    flush, flushed = os.fsync, []

    def fills_up(descriptor):
        if len(flushed) >= 5:
            raise OSError(28, "No space left on device")
        flushed.append(descriptor)
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", fills_up)
    with pytest.raises(BenthicError, match="no space left on device; what is finished"):
        sweep()
    monkeypatch.undo()
    before = cells(tmp_path / "sweep")
    assert before
    assert len(sweep().rows) == 4
    assert before.items() <= cells(tmp_path / "sweep").items()


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"datasets": "texsa"}, "datasets: found 'texsa'; did you mean texas"),
        ({"datasets": ""}, "datasets: found ''"),
        ({"conv": "gnc"}, "conv: found 'gnc'; choose one of"),
        ({"treatments": "residul"}, "treatments: found 'residul'; did you mean resid"),
        ({"treatments": ""}, "treatments: found ''"),
        ({"num_layers": [0]}, "num_layers: found 0; give whole numbers, 1 or more"),
        ({"seeds": 0}, "seeds: found 0; give a whole number, 1 or more"),
        ({"epochs": 0}, "epochs: found 0; give a whole number, 1"),
        ({"processes": 0}, "processes: found 0; give a whole number, 1"),
        ({"epoch": 3}, "epoch: found no such field of the protocol; did you mean epo"),
        ({"lr": -1.0}, "lr: found -1.0; give a number, 0 or more"),
        ({"scale": float("nan")}, "scale: found nan; give a number"),
        ({"treatments": "appnp(K=2, alpha=2.0)"}, "alpha: found 2.0; give a number"),
        ({"conv": "deep_gcn", "treatments": "residual"}, "residual on deep_gcn; take"),
        ({"split": 99}, "split: found 99; give 0 … 9"),
    ],
)
def test_a_wrong_request_is_refused_before_any_work(sweep, tmp_path, change, line):
    with pytest.raises(InputError, match=line) as raised:
        sweep(**change)
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "sweep").exists()


def test_without_a_folder_nothing_is_kept(sweep, tmp_path):
    assert len(sweep(out=None).rows) == 4
    assert list(tmp_path.glob("sweep*")) == []


def test_the_callers_random_state_and_threads_stay(sweep):
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    sweep()
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_num_threads() == threads


def test_a_sweep_shows_itself_everywhere(sweep, tmp_path):
    result = sweep()
    assert str(result).startswith("gcn on texas: test accuracy in percent")
    assert "| none |" in result.to_markdown()
    page = result.to_html(tmp_path / "page.html")
    assert page == (tmp_path / "page.html").read_text() == result._repr_html_()
    assert "gcn on texas" in page
