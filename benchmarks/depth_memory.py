"""Claim: checkpoints keep memory from growing in step with depth; 1,000 layers train.

Peak memory of one training epoch on Cora, each in a process of its own, with and
without ``checkpoint=True``; then fifty epochs of 1,000 layers.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from datetime import datetime, timezone
from pathlib import Path

import torch
import torch.nn.functional as F
from torch_geometric.nn import GCNConv, LayerNorm

from benthic.datasets import load
from benthic.metrics import dead_fraction, effective_rank
from benthic.nn import DeepGNN, IdentityMap, Residual

DEPTHS = (8, 32, 128, 256, 512, 1024)
HIDDEN = 64
DEEP = 1000
EPOCHS = 50
RESULTS = Path(__file__).parent / "results"


def build(data, num_layers: int, checkpoint: bool, **options) -> DeepGNN:
    torch.manual_seed(0)
    return DeepGNN(
        GCNConv,
        data.num_features,
        HIDDEN,
        int(data.y.max()) + 1,
        num_layers,
        residual=Residual(),
        norm=LayerNorm,
        checkpoint=checkpoint,
        **options,
    )


def train_epoch(model: DeepGNN, optimizer: torch.optim.Optimizer, data) -> float:
    model.train()
    optimizer.zero_grad()
    out = model(data.x, data.edge_index)[data.train_mask]
    loss = F.cross_entropy(out, data.y[data.train_mask])
    loss.backward()
    optimizer.step()
    return loss.item()


def peak(num_layers: int, checkpoint: bool) -> dict[str, float]:
    """Peak memory of this process in MiB, before an epoch and after it."""
    data = load("cora")
    # Threads, libraries and the sparse matrices are there before the epoch begins.
    small = build(data, 1, checkpoint)
    train_epoch(small, torch.optim.Adam(small.parameters(), lr=0.01), data)
    model = build(data, num_layers, checkpoint)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    start = time.process_time()
    train_epoch(model, optimizer, data)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "before_mib": round(before, 1),
        "peak_mib": round(after, 1),
        "epoch_mib": round(after - before, 1),
        "cpu_seconds": round(time.process_time() - start, 2),
    }


def train_deep() -> dict[str, object]:
    """Losses of fifty epochs of 1,000 layers, and the last state after them."""
    data = load("cora")
    model = build(data, DEEP, checkpoint=True, identity_map=IdentityMap(0.5))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
    losses = [train_epoch(model, optimizer, data) for _ in range(EPOCHS)]
    states: list[torch.Tensor] = []
    model.convs[-1].register_forward_hook(lambda _, __, out: states.append(out))
    model.lin_out.register_forward_pre_hook(lambda _, args: states.append(args[0]))
    with torch.no_grad():
        right = model.eval()(data.x, data.edge_index).argmax(-1) == data.y
    return {
        "num_layers": DEEP,
        "identity_map": "IdentityMap(0.5)",
        "epochs": EPOCHS,
        "lr": 0.001,
        "losses": [round(loss, 4) for loss in losses],
        "train_accuracy": round(float(right[data.train_mask].float().mean()), 3),
        "test_accuracy": round(float(right[data.test_mask].float().mean()), 3),
        "last_branch_dead_rows": float(dead_fraction(states[0])),
        "last_state_dead_rows": float(dead_fraction(states[1])),
        "last_state_effective_rank": round(float(effective_rank(states[1])), 1),
        "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    }


def in_own_process(*arguments: object) -> dict[str, object]:
    command = [sys.executable, __file__, *map(str, arguments)]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return json.loads(output)


def draw(curves: dict[str, dict[int, dict[str, float]]], path: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(5, 3.2), layout="constrained")
    for name, curve in curves.items():
        memory = [row["epoch_mib"] for row in curve.values()]
        axes.plot(list(curve), memory, marker="o", label=name)
    axes.set(xscale="log", yscale="log", xlabel="num_layers", ylabel="MiB of an epoch")
    axes.set_xticks(DEPTHS, [str(depth) for depth in DEPTHS])
    axes.minorticks_off()
    axes.legend(frameon=False)
    axes.set_title("Peak memory of a training epoch on Cora", fontsize=10)
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    curves: dict[str, dict[int, dict[str, float]]] = {}
    for checkpoint in (True, False):
        name = f"checkpoint={checkpoint}"
        curves[name] = {}
        for depth in DEPTHS:
            curves[name][depth] = in_own_process(depth, int(checkpoint))
            print(name, depth, curves[name][depth], flush=True)
    document = {
        "date": datetime.now(timezone.utc).date().isoformat(),
        "torch": torch.__version__,
        "network": "DeepGNN(GCNConv, residual=Residual(), norm=LayerNorm)",
        "hidden_channels": HIDDEN,
        "measured": "peak resident memory of one training epoch (Adam), own process",
        "curves": curves,
        "depth_1000": in_own_process("train"),
    }
    (RESULTS / "depth_memory.json").write_text(json.dumps(document, indent=2) + "\n")
    draw(curves, RESULTS / "depth_memory.svg")
    print(json.dumps(document["depth_1000"], indent=2))


if __name__ == "__main__":
    torch.set_num_threads(1)
    if sys.argv[1:] == ["train"]:
        print(json.dumps(train_deep()))
    elif len(sys.argv) == 3:
        print(json.dumps(peak(int(sys.argv[1]), bool(int(sys.argv[2])))))
    else:
        main()
