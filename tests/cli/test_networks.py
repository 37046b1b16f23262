from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tests.cli.outcome import SWEEP, only_line
from torch_geometric.data import Data

from benthic import demonstration


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["nope"], "No such command 'nope'"),
        (["diagnose"], "Missing argument"),
        (["diagnose", "cora", "--nope"], "No such option: --nope"),
        (["diagnose", "cora", "--num-layers", "0"], "--num-layers: found 0; give"),
        (["diagnose", "cora", "--num-layers", "two"], "'--num-layers'"),
        (["diagnose", "cora", "--hidden-channels", "0"], "--hidden-channels: found 0"),
        (["diagnose", "cora", "--epochs=-1"], "--epochs: found -1; give"),
        (["diagnose", "cora", "--lr", "nan"], "--lr: found nan; give"),
        (["diagnose", "cora", "--weight-decay=-1"], "--weight-decay: found -1.0"),
        (["diagnose", "cora", "--dropout", "1.5"], "--dropout: found 1.5; give"),
        (["diagnose", "cora", "--seed=-3"], "--seed: found -3; give"),
        (["diagnose", "cora", "--seed", "9" * 20], "--seed: found 9999"),
        (["diagnose", "coro"], "TARGET: found 'coro'; did you mean cora"),
        (["diagnose", "cora", "--data", "x.pt"], "--data: found 'x.pt' beside"),
        (["diagnose", "m.py:m"], "--data: found nothing; say what m.py:m runs on"),
        (["diagnose", "m.py:m", "--data", "x.pt"], "--data: found no file 'x.pt'"),
        (["diagnose", "m.py:m", "--data", "coro"], "--data: found 'coro'; did you"),
        (["diagnose", "m.py:m", "--epochs", "9"], "--epochs: found 9 beside a module"),
        (["diagnose", "cora", "--html", "no/a.html"], "--html: found no/a.html, whose"),
        (["sweep"], "Missing argument"),
        (["sweep", "coro"], "DATASETS: found 'coro'; did you mean cora"),
        (["sweep", "cora,", "--seeds", "1"], "DATASETS: found ''"),
        (["sweep", "cora", "--num-layers", "2,0"], "--num-layers: found 0; give whole"),
        (["sweep", "cora", "--num-layers", "2.5"], "--num-layers: found '2.5'; give"),
        (["sweep", "cora", "--seeds", "0"], "--seeds: found 0; give a number, 1 or"),
        (["sweep", "cora", "--epochs", "0"], "--epochs: found 0; give a number, 1 or"),
        (["sweep", "cora", "--processes", "0"], "--processes: found 0; give"),
        (["sweep", "cora", "--conv", "gnc"], "--conv: found 'gnc'; choose one of gin"),
        (["sweep", "cora", "--treatments", "residul"], "--treatments: found 'residul'"),
        (["sweep", "cora", "--treatments", "residual(scale=a)"], "residual(scale='a')"),
        (["sweep", "cora", "--temperature", "0"], "--temperature: found 0.0; give a"),
        (["sweep", "cora", "--consistency", "1"], "--consistency: found one sample an"),
        (["sweep", "cora", "--html", "no/a.html"], "--html: found no/a.html, whose"),
        (["demo", "--html", "."], "--html: found ., which is a folder"),
        (["report", "no.json"], "FILE: found no.json: no such file"),
        (["report", "."], "FILE: found .: is a directory"),
    ],
)
def test_a_wrong_request_is_one_line_and_exit_code_2(run, arguments, line):
    code, out, err = run(*arguments)
    assert code == 2
    assert out == ""
    assert line in only_line(err)


@pytest.mark.parametrize(
    ("out", "line"),
    [
        ("file", "--out: found file, which is a file; name an empty folder"),
        ("file/sweep", "--out: found file/sweep: not a directory; name a folder"),
        ("full", "--out: found full, which holds 'notes.txt'; name an empty folder"),
        ("no/a.parquet", "--out: found no/a.parquet: no such file or directory"),
    ],
)
def test_a_folder_that_a_sweep_cannot_use_is_one_line_and_exit_code_2(
    run, graph, out, line
):
    graph("texas")
    Path("file").write_text("")
    Path("full").mkdir()
    Path("full/notes.txt").write_text("mine")
    code, printed, err = run("sweep", "texas", "--out", out)
    assert (code, printed) == (2, "")
    assert line in only_line(err)


def test_a_sweep_gives_one_json_document_a_page_and_its_table(run, graph, tmp_path):
    graph("texas")
    code, out, err = run(*SWEEP, "--json", "--html", "page.html", "--out", "a")
    assert code == 0, err
    document = json.loads(out)
    assert len(document["rows"]) == 8
    assert "training texas gcn residual, 4 layers" in err
    assert "gcn on texas" in Path("page.html").read_text()
    assert json.loads(Path("a/sweep.json").read_text()) == document
    code, text, err = run(*SWEEP, "--out", "a")
    assert code == 0, err
    assert text.startswith("gcn on texas: test accuracy in percent")
    assert "training" not in err
    assert run("report", "a/sweep.json")[1] == text
    code, out, _ = run("report", "a/sweep.json", "--json", "--html", "again.html")
    assert json.loads(out) == document
    assert "Benthic sweep" in Path("again.html").read_text()


def test_a_sweep_whose_every_network_failed_says_so_after_its_table(run, graph):
    graph("texas")
    code, out, err = run(*SWEEP, "--lr", "1e30", "--epochs", "9", "--json")
    document = json.loads(out)
    assert code == 1
    assert (len(document["rows"]), len(document["failed"])) == (0, 8)
    *_, last = err.splitlines()
    assert "every network failed, the first by the training loss is not" in last


def test_a_sweep_on_a_full_disk_is_one_line_and_goes_on_later(run, graph, monkeypatch):
    graph("texas")

    def full(_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        code, out, err = run(*SWEEP, "--out", "a")
    assert (code, out) == (1, "")
    assert "a/cells: no space left on device; what is finished" in only_line(err)
    assert run(*SWEEP, "--out", "a")[0] == 0


def test_an_unknown_layer_lists_those_that_exist(run, cora, monkeypatch):
    monkeypatch.setattr("benthic.datasets.load", lambda name: cora)
    code, _, err = run("diagnose", "cora", "--conv", "gnc")
    assert code == 2
    assert "--conv: found 'gnc'; choose one of gin, gcn" in only_line(err)


@pytest.mark.parametrize(
    ("target", "line"),
    [
        ("nowhere.py:model", "TARGET: found no file 'nowhere.py'"),
        ("net.py:modle", "TARGET: found no name 'modle' in net.py"),
        ("net.py", "TARGET: found 'net.py' without a name"),
        ("net.py:torch", "TARGET: found net.py:torch, an object of type module"),
        ("net.py:Raises", "ValueError: no luck today"),
        ("net.py:Leaves", "TARGET: found Leaves raised SystemExit: 0;"),
        ("net.py:wide", "RuntimeError: mat1 and mat2 shapes"),
    ],
)
def test_a_broken_model_is_one_line_and_exit_code_2(run, files, target, line):
    code, out, err = run("diagnose", target, "--data", "data.pt")
    assert code == 2
    assert out == ""
    assert line in only_line(err)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"x": torch.full((40, 3), float("nan"))}, "x: found NaN or infinity on 40"),
        ({"x": torch.empty(0, 3)}, "x: found an empty graph"),
        ({"edge_index": torch.tensor([[0], [40]])}, "edge_index: found node 40 among"),
        ({"y": torch.arange(40)}, "label 39, where the model has 2 outputs"),
        ({"train_mask": torch.zeros(40).bool()}, "train_mask: found an empty mask"),
        ({"val_mask": torch.ones(41).bool()}, "val_mask: found shape [41]"),
    ],
)
def test_a_broken_graph_is_one_line_and_exit_code_2(run, files, change, line):
    torch.save({**files, **change}, "data.pt")
    code, out, err = run("diagnose", "net.py:model", "--data", "data.pt")
    assert code == 2
    assert out == ""
    assert line in only_line(err)


def test_a_users_model_gives_one_json_document_and_a_page(run, files, tmp_path):
    torch.save(Data(**files), "data.pt")
    code, out, err = run(
        *("diagnose", "net.py:model", "--data", "data.pt", "--json"),
        *("--html", "page.html"),
    )
    assert code == 0, err
    document = json.loads(out)
    assert document["model"] == "net.py:model"
    assert len(document["layers"]) == 2
    assert "running the code in net.py" in err
    assert "a user's file may print" in err
    assert "net.py:model" in (tmp_path / "page.html").read_text()


def test_the_demo_writes_its_page_and_says_what_to_type_next(
    run, small_bank, monkeypatch, tmp_path
):
    monkeypatch.setattr("benthic.datasets.bank", lambda seed: small_bank)
    monkeypatch.setattr("benthic.demonstration.DEPTHS", (1, 2))
    monkeypatch.setitem(demonstration.TRAINING, "epochs", 1)
    code, out, err = run("demo")
    assert code == 0, err
    assert "A network of 2 layers: " in out
    assert "benthic diagnose my_model.py:model" in out
    page = (tmp_path / "benthic-demo.html").read_text()
    assert "GCN(34, 2, num_layers=2)" in page


@pytest.mark.slow
def test_the_demo_finds_both_causes_and_writes_one_small_page(tmp_path):
    result = subprocess.run(
        [sys.executable, "-c", "from benthic.cli import main; main()", "demo"],
        cwd=tmp_path,
        env={**os.environ, "COLUMNS": "100"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "A network of 2 layers: D007" in result.stdout
    assert "A network of 16 layers: D003" in result.stdout
    assert (tmp_path / "benthic-demo.html").stat().st_size < 300_000


@pytest.mark.slow
def test_cora_by_the_standard_protocol_is_healthy(run, cora, monkeypatch):
    monkeypatch.setattr("benthic.datasets.load", lambda name: cora)
    code, out, _ = run("diagnose", "cora", "--json")
    assert code == 0
    document = json.loads(out)
    assert document["verdict"] == "healthy"
    assert document["metrics"]["test"] > 0.78


def test_no_code_is_said_to_run_from_a_file_that_is_not_there(run, files):
    _, _, err = run("diagnose", "nowhere.py:model", "--data", "data.pt")
    assert err == only_line(err) + "\n"
    _, _, err = run("diagnose", "net.py:Leaves", "--data", "data.pt")
    assert err.startswith("running the code in net.py")


def test_layers_that_are_not_pyg_s_are_named_by_comma(run, files):
    Path("mlp.py").write_text(
        "import torch\n"
        "class MLP(torch.nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.first = torch.nn.Linear(3, 8)\n"
        "        self.last = torch.nn.Linear(8, 2)\n"
        "    def forward(self, x):\n"
        "        return self.last(self.first(x).relu())\n"
    )
    command = ("diagnose", "mlp.py:MLP", "--data", "data.pt")
    code, _, err = run(*command)
    assert code == 2
    assert "TARGET: found no message-passing layer" in err
    assert "--layers NAME,NAME" in err
    code, out, _ = run(*command, "--layers", "first,last", "--json")
    assert code == 0
    assert [layer["name"] for layer in json.loads(out)["layers"]] == ["first", "last"]
    code, _, err = run(*command, "--layers", "frist")
    assert code == 2
    assert "--layers: found 'frist'" in err


def test_two_runs_of_a_random_model_with_one_seed_agree(run, files):
    Path("random_gcn.py").write_text(
        "from torch_geometric.nn import GCN\n"
        "def model():\n"
        "    return GCN(3, 4, num_layers=2, out_channels=2)\n"
    )
    command = ("diagnose", "random_gcn.py:model", "--data", "data.pt", "--json")
    first, second = (json.loads(run(*command)[1]) for _ in range(2))
    assert first | {"seconds": 0} == second | {"seconds": 0}


def test_programs_that_a_users_file_starts_do_not_print_into_the_json(tmp_path, files):
    (tmp_path / "loud.py").write_text(
        "import os\n"
        "from torch_geometric.nn import GCN\n"
        "def model():\n"
        "    os.system('echo loud')\n"
        "    return GCN(3, 4, num_layers=2, out_channels=2)\n"
    )
    result = subprocess.run(
        [
            *(sys.executable, "-c", "from benthic.cli import main; main()"),
            *("diagnose", "loud.py:model", "--data", "data.pt", "--json"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(result.stdout)["verdict"]
    assert "loud\n" in result.stderr
