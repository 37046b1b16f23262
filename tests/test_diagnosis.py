from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from benchmarks.networks import seeded
from tests.checks.planted import Skips, blocks, fit
from torch import nn
from torch_geometric.data import Data, HeteroData
from torch_geometric.loader import DataLoader
from torch_geometric.nn import (
    GAT,
    GCN,
    GIN,
    GCNConv,
    GINConv,
    GraphSAGE,
    HeteroConv,
    SAGEConv,
    global_mean_pool,
)

from benthic.checks.finding import Outcome
from benthic.diagnosis import _check_inputs, _findings, diagnose
from benthic.errors import InputError, ModelError
from benthic.nn import DeepGNN
from benthic.report import from_json, to_text
from benthic.training import train
from benthic.transforms import BORF, EGP, GDC, SDRF, FoSR, TwoHop, VirtualNode

DATA = blocks(per_class=30)
EDGES = DATA.edge_index


@pytest.fixture(scope="module")
def healthy() -> nn.Module:
    return fit(seeded(0, GCN, 8, 16, 2, 3), DATA, epochs=100)


# Healthy models are called healthy


@pytest.mark.parametrize("kind", [GCN, GraphSAGE, GAT, GIN])
def test_two_healthy_layers_of_any_kind_are_healthy(kind):
    model = fit(seeded(0, kind, 8, 16, 2, 3), DATA)
    assert diagnose(model, DATA).verdict == "healthy"


@pytest.mark.parametrize("kind", [GCN, GAT])
def test_two_layers_on_cora_are_healthy(cora, kind):
    model = seeded(0, kind, 1433, 16, 2, 7, dropout=0.5)
    train(model, cora, epochs=30)
    diagnosis = diagnose(model, cora, influence=False)
    assert diagnosis.verdict == "healthy"
    assert diagnosis.layers[0].mean_cosine > 0.3
    assert "validation accuracy" in diagnosis.summary


def test_a_heterophilous_graph_on_which_a_node_speaks_for_itself_is_no_illness():
    data = blocks(within=0.02, between=0.15, noise=0.5)
    model = fit(seeded(0, GraphSAGE, 8, 16, 2, 3), data)
    assert diagnose(model, data).verdict == "healthy"


def test_a_deep_residual_network_is_healthy():
    model = fit(seeded(0, Skips, 8, 3, 8), DATA)
    assert diagnose(model, DATA).verdict == "healthy"


@pytest.mark.parametrize("squeezed", [False, True])
def test_a_single_logit_is_healthy(squeezed):
    data = DATA.clone()
    data.y = (data.y == 0).long()

    class Logit(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gnn = GCN(8, 16, 2, 1)

        def forward(self, x, edge_index):
            out = self.gnn(x, edge_index)
            return out.squeeze(-1) if squeezed else out

    model = seeded(0, Logit)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    for _ in range(80):
        optimizer.zero_grad()
        logit = model(data.x, EDGES).flatten()[data.train_mask]
        target = data.y[data.train_mask].float()
        F.binary_cross_entropy_with_logits(logit, target).backward()
        optimizer.step()
    diagnosis = diagnose(model, data)
    assert diagnosis.verdict == "healthy"
    assert diagnosis.metrics["val"] > 0.8


def test_half_precision_is_healthy(healthy):
    data = DATA.clone()
    data.x = data.x.bfloat16()
    model = GCN(8, 16, 2, 3).eval()
    model.load_state_dict(healthy.state_dict())
    assert diagnose(model.bfloat16(), data).verdict == "healthy"


@pytest.mark.parametrize(
    "data",
    [
        Data(x=DATA.x, edge_index=EDGES),
        Data(x=DATA.x, edge_index=EDGES, y=torch.randn(90)),
        (DATA.x, EDGES),
        {"x": DATA.x, "edge_index": EDGES},
        [DATA, DATA],
        DataLoader([DATA, DATA], batch_size=1, shuffle=True),
    ],
    ids=["no labels", "float labels", "tuple", "mapping", "list", "loader"],
)
def test_whatever_the_data_come_in_a_healthy_model_is_healthy(healthy, data):
    diagnosis = diagnose(healthy, data)
    assert diagnosis.verdict == "healthy"
    assert diagnosis.layers[0].norm > 0
    json.loads(diagnosis.to_json())


REWIRINGS = [SDRF(2), BORF(1), FoSR(2), EGP(), EGP(merged=True), GDC(), VirtualNode()]


@pytest.mark.filterwarnings("ignore:Sparse invariant checks:UserWarning")
@pytest.mark.parametrize("rewiring", [*REWIRINGS, TwoHop()], ids=str)
def test_a_stack_is_read_on_a_graph_that_was_rewired(rewiring):
    model = seeded(0, DeepGNN, GCNConv, 8, 16, 3, 2)
    assert diagnose(model, rewiring(DATA), influence=False).layers


def test_without_labels_the_summary_says_what_is_not_known(healthy):
    summary = diagnose(healthy, Data(x=DATA.x, edge_index=EDGES)).summary
    assert "without labels" in summary


def test_of_labelled_batches_the_summary_gives_the_accuracy(healthy):
    diagnosis = diagnose(healthy, [DATA, DATA])
    assert f"{diagnosis.metrics['val']:.1%}" in diagnosis.summary
    assert "without labels" not in diagnosis.summary


def test_in_batches_too_a_network_at_chance_is_not_healthy():
    diagnosis = diagnose(seeded(0, GCN, 8, 16, 2, 3), [DATA, DATA])
    assert diagnosis.verdict == "D009"
    assert diagnosis.controls["chance"] == pytest.approx(
        diagnose(seeded(0, GCN, 8, 16, 2, 3), DATA).controls["chance"]
    )


def test_graphs_in_a_list_of_batches_are_healthy():
    class Readout(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.convs = nn.ModuleList(
                [GINConv(nn.Linear(8, 16)), GINConv(nn.Linear(16, 16))]
            )
            self.lin = nn.Linear(16, 2)

        def forward(self, x, edge_index, batch):
            for conv in self.convs:
                x = conv(x, edge_index).relu()
            return self.lin(global_mean_pool(x, batch))

    graphs = [
        Data(
            x=torch.randn(5 + i % 3, 8) + i % 2,
            edge_index=torch.randint(0, 5, (2, 12)),
            y=torch.tensor([i % 2]),
        )
        for i in range(40)
    ]
    batches = list(DataLoader(graphs, batch_size=8))
    diagnosis = diagnose(Readout(), batches)
    assert diagnosis.verdict == "healthy"
    assert diagnosis.metrics["train"] is not None


class TwoTypes(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            HeteroConv(
                {
                    ("user", "buys", "item"): SAGEConv((-1, -1), 16),
                    ("item", "bought_by", "user"): SAGEConv((-1, -1), 16),
                }
            )
            for _ in range(2)
        )
        self.lin = nn.Linear(16, 2)

    def forward(self, x_dict, edge_index_dict):
        for conv in self.convs:
            x_dict = {k: x.relu() for k, x in conv(x_dict, edge_index_dict).items()}
        return {"user": self.lin(x_dict["user"])}


def shop() -> HeteroData:
    generator = torch.Generator().manual_seed(0)
    user, item = torch.randint(60, (200,), generator=generator), torch.arange(200) % 30
    data = HeteroData()
    data["user"].y = (torch.arange(60) % 2).long()
    data["user"].x = torch.randn(60, 4, generator=generator)
    data["user"].x[:, 0] += 3.0 * data["user"].y
    data["item"].x = torch.randn(30, 5, generator=generator)
    data["user", "buys", "item"].edge_index = torch.stack([user, item])
    data["item", "bought_by", "user"].edge_index = torch.stack([item, user])
    data["user"].train_mask = torch.arange(60) < 30
    data["user"].val_mask = torch.arange(60) >= 30
    return data


def test_a_heterogeneous_model_is_healthy_and_read_by_node_type():
    data, model = shop(), TwoTypes()
    model(data.x_dict, data.edge_index_dict)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    mask = data["user"].train_mask
    for _ in range(60):
        optimizer.zero_grad()
        out = model(data.x_dict, data.edge_index_dict)["user"]
        F.cross_entropy(out[mask], data["user"].y[mask]).backward()
        optimizer.step()
    diagnosis = diagnose(model, data)
    assert diagnosis.verdict == "healthy"
    assert {layer.node_type for layer in diagnosis.layers} == {"user", "item"}
    assert diagnosis.checks["D011"][1].kind == "not applicable"


# A cause comes before its symptoms


def outcomes(**kinds: tuple[str, float]) -> dict[str, Outcome]:
    quiet = {f"D{n:03}": Outcome("passed", "no") for n in range(1, 13)}
    return quiet | {
        code: Outcome(kind, "yes", confidence)
        for code, (kind, confidence) in kinds.items()
    }


def order(**kinds: tuple[str, float]) -> list[str]:
    return [finding.code for finding in _findings(outcomes(**kinds))]


def test_a_cause_comes_before_its_symptom_however_sure_the_symptom_is():
    found = order(D003=("issue", 0.5), D002=("issue", 0.99), D001=("issue", 0.9))
    assert found[0] == "D003"


def test_issues_come_before_tips():
    assert order(D004=("tip", 1.0), D009=("issue", 0.1)) == ["D009", "D004"]


def test_a_tip_explains_nothing():
    assert order(D003=("tip", 1.0), D002=("issue", 0.5)) == ["D002", "D003"]


def test_of_two_independent_causes_the_surer_comes_first():
    assert order(D007=("issue", 0.6), D004=("issue", 0.9)) == ["D004", "D007"]


def test_nothing_found_is_no_finding():
    assert order() == []


def test_a_deep_dead_network_names_the_gradient_first():
    model = fit(seeded(0, GCN, 8, 16, 16, 3), DATA, epochs=120, weight_decay=5e-4)
    diagnosis = diagnose(model, DATA, influence=False)
    codes = [finding.code for finding in diagnosis.findings]
    assert diagnosis.verdict == codes[0] == "D003"
    assert "D002" in codes
    assert diagnosis.summary.startswith("Vanishing gradient: ")
    assert "dead layers" in diagnosis.summary


# The document


@pytest.fixture(scope="module")
def broken():
    """Infinite ratios, undefined gauges and dead layers in one diagnosis."""
    model = seeded(0, GCN, 8, 16, 4, 3)
    with torch.no_grad():
        model.convs[1].lin.weight.zero_()
        model.convs[2].bias[0] = math.nan
    return diagnose(model, DATA)


def numbers(value: Any) -> list[float]:
    if isinstance(value, dict):
        return numbers(list(value.values()))
    if isinstance(value, list):
        return [number for item in value for number in numbers(item)]
    return [value] if isinstance(value, float) else []


def test_the_document_is_strict_json(broken):
    def refuse(text: str) -> None:
        raise AssertionError(text)

    document = json.loads(broken.to_json(), parse_constant=refuse)
    assert document["verdict"] == broken.verdict != "healthy"
    assert len(document["checks"]) == 12
    assert document["findings"][0]["docs"].startswith("docs/checks.md#d0")
    layer = document["layers"][2]
    assert layer["norm"] is None
    assert layer["undefined"]["norm"]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_plain_values_hold_no_nan_and_no_infinity(healthy, monkeypatch, value):
    from benthic.checks import DeadLayers

    evidence = {"ratio": value, "several": [1.0, value], "pair": (value, "text")}
    outcome = Outcome("issue", "why", 0.9, evidence)
    monkeypatch.setattr(DeadLayers, "__call__", lambda self, case: outcome)
    diagnosis = diagnose(healthy, DATA, influence=False)
    document = diagnosis.to_dict()
    found = document["findings"][0]["evidence"]
    assert found == {"ratio": None, "several": [1.0, None], "pair": [None, "text"]}
    assert all(map(math.isfinite, numbers(document)))
    json.dumps(document, allow_nan=False)


def test_a_saved_diagnosis_can_be_shown_again(healthy, broken):
    for diagnosis in (diagnose(healthy, DATA), broken):
        (document,) = from_json(diagnosis.to_json())
        assert document == diagnosis.to_dict()
        assert to_text(document) == str(diagnosis)


def test_the_document_has_every_part(healthy):
    document = diagnose(healthy, DATA).to_dict()
    assert list(document) == [
        "benthic",
        "model",
        "data",
        "verdict",
        "summary",
        "findings",
        "checks",
        "layers",
        "metrics",
        "controls",
        "influence",
        "limits",
        "undefined",
        "seconds",
    ]
    assert [row["num_hops"] for row in document["controls"]["weights_off"]][:3] == [
        0,
        1,
        2,
    ]
    assert document["influence"][0]["hop"] == 0
    assert document["limits"]["num_classes"] == 3
    assert document["model"] == "GCN(8, 3, num_layers=2)"
    assert document["data"].startswith("90 nodes, ")


def test_names_can_be_given(healthy):
    diagnosis = diagnose(healthy, DATA, name="mine", data_name="ours", influence=False)
    assert (diagnosis.model, diagnosis.data) == ("mine", "ours")


def test_it_can_be_read_in_a_terminal_in_an_issue_and_in_a_browser(broken, tmp_path):
    assert str(broken).startswith(f"verdict: {broken.verdict}")
    assert "convs.1" in str(broken)
    assert "nan" not in str(broken).split()
    assert broken.to_markdown().startswith(f"## Verdict: {broken.verdict}")
    page = broken.to_html(tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == page
    assert page == broken._repr_html_()
    assert len(page.encode()) < 300_000


def test_a_page_that_cannot_be_written_is_refused(broken, tmp_path):
    with pytest.raises(InputError, match="no such file or directory") as raised:
        broken.to_html(tmp_path / "no" / "page.html")
    assert raised.value.argument == "path"


# Requests that cannot be met


def changed(**changes: Any) -> Data:
    data = DATA.clone()
    for name, value in changes.items():
        data[name] = value
    return data


NAN = torch.full((90, 8), math.nan)
NONE = torch.zeros(90, dtype=torch.bool)
REQUESTS: list[tuple[Callable[[], object], object, str, str]] = [
    (lambda: nn.Linear(8, 3), DATA, "model", "no message-passing layer"),
    (lambda: GCN(8, 16, 2, 3), 7, "data", "type int"),
    (lambda: GCN(8, 16, 2, 3), None, "data", "NoneType"),
    (lambda: GCN(8, 16, 2, 3), [], "data", "without batches"),
    (lambda: GCN(8, 16, 2, 3), iter([DATA]), "data", "only once"),
    (lambda: GCN(8, 16, 2, 3), (d for d in [DATA]), "data", "only once"),
    (lambda: GCN(8, 16, 2, 3), changed(x=NAN), "x", "NaN"),
    (lambda: GCN(8, 16, 2, 3), changed(train_mask=NONE), "train_mask", "empty mask"),
    (lambda: GCN(8, 16, 2, 3), changed(val_mask=NONE), "val_mask", "empty mask"),
    (lambda: GCN(8, 16, 2, 3), changed(edge_index=EDGES + 90), "edge_index", "node"),
    (lambda: GCN(8, 16, 2, 3), changed(y=DATA.y[:5]), "y", r"shape \[5\]"),
    (lambda: GCN(8, 16, 2, 3), Data(x=DATA.x), "edge_index", "no edges"),
    (lambda: GCN(8, 16, 2, 2), DATA, "y", "label 2, where the model has 2 outputs"),
    (lambda: GCN(5, 16, 2, 3), DATA, "x", "8 features for GCN with 5"),
    (lambda: GCN(8, 16, 2, 3), [DATA, changed(x=NAN)], "x", "NaN"),
]


@pytest.mark.parametrize(("model", "data", "argument", "found"), REQUESTS)
def test_a_wrong_request_is_refused_in_one_line(model, data, argument, found):
    with pytest.raises(InputError, match=found) as raised:
        diagnose(model(), data)
    assert raised.value.argument == argument
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("model", ["a model", GCN, None])
def test_what_is_no_module_is_refused(model):
    with pytest.raises(InputError, match="Module") as raised:
        _check_inputs(model, DATA)  # in tests, types are checked before diagnose()
    assert raised.value.argument == "model"


def test_a_batch_need_not_hold_a_node_of_every_split(healthy):
    diagnosis = diagnose(healthy, [DATA, changed(train_mask=NONE)])
    assert diagnosis.verdict == "healthy"


def test_an_unknown_layer_name_is_refused(healthy):
    with pytest.raises(InputError, match="no_such") as raised:
        diagnose(healthy, DATA, layers=["no_such"])
    assert raised.value.argument == "layers"


def test_a_forward_that_raises_is_named_with_its_exception():
    class Broken(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = GCNConv(8, 3)

        def forward(self, x, edge_index):
            raise ZeroDivisionError("by zero,\nagain")

    with pytest.raises(ModelError) as raised:
        diagnose(Broken(), DATA)
    assert str(raised.value) == "Broken raised ZeroDivisionError: by zero, again"
    assert isinstance(raised.value.__cause__, ZeroDivisionError)


# What the caller keeps


def test_model_data_and_random_state_stay_as_they_were():
    model = seeded(0, GCN, 8, 16, 2, 3, norm="batch_norm", dropout=0.5).train()
    model.convs[0].bias.grad = torch.ones(16)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    data, numbers = DATA.clone(), torch.get_rng_state()
    loader = DataLoader([data, data], batch_size=1, shuffle=True)
    diagnose(model, data)
    diagnose(model, loader)
    assert torch.equal(torch.get_rng_state(), numbers)
    assert all(module.training for module in model.modules())
    assert torch.equal(model.convs[0].bias.grad, torch.ones(16))
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])
    assert data.to_dict().keys() == DATA.to_dict().keys()
    assert torch.equal(data.edge_index, EDGES)


def test_the_same_request_gives_the_same_answer(healthy):
    first, again = (diagnose(healthy, DATA).to_dict() for _ in range(2))
    first.pop("seconds"), again.pop("seconds")
    assert first == again


def relabelled(data: Data, order: torch.Tensor) -> Data:
    place = torch.empty_like(order)
    place[order] = torch.arange(len(order))
    return Data(
        edge_index=place[data.edge_index],
        **{name: data[name][order] for name in ("x", "y", "train_mask", "val_mask")},
    )


@pytest.mark.parametrize("num_layers", [2, 8])
def test_the_order_of_the_nodes_does_not_count(num_layers):
    model = fit(seeded(0, GCN, 8, 16, num_layers, 3), DATA, epochs=40)
    other = relabelled(DATA, torch.randperm(90))
    a, b = (diagnose(model, data, influence=False) for data in (DATA, other))
    assert a.verdict == b.verdict
    assert [f.code for f in a.findings] == [f.code for f in b.findings]
    for x, y in zip(a.layers, b.layers, strict=True):
        assert x.probe_accuracy == pytest.approx(y.probe_accuracy, abs=0.05)
        for name in ("norm", "mean_cosine", "rayleigh_quotient", "effective_rank"):
            assert getattr(x, name) == pytest.approx(getattr(y, name), rel=1e-3)
    off = [d.controls["weights_off"] for d in (a, b)]
    for x, y in zip(*off, strict=True):
        assert x["accuracy"] == pytest.approx(y["accuracy"], abs=0.05)


def test_progress_is_told(healthy):
    told: list[str] = []
    diagnose(healthy, DATA, progress=told.append)
    assert told[0] == "reading the layers"
    assert "influence by hop" in told


def test_inference_mode_around_a_diagnosis_changes_nothing():
    graph = blocks()
    model = GCN(8, 16, 2, 3)
    outside = diagnose(model, graph).to_dict()
    with torch.inference_mode():
        inside = diagnose(model, graph).to_dict()
    assert inside | {"seconds": 0} == outside | {"seconds": 0}


def test_a_missing_metric_says_why():
    graph = Data(x=torch.eye(3), edge_index=torch.tensor([[0, 1], [1, 2]]))
    document = diagnose(GCN(3, 8, 2, 2), graph, influence=False).to_dict()
    assert document["metrics"]["val"] is None
    assert "val split" in document["undefined"]["metrics.val"]
    assert "not asked for" in document["undefined"]["influence"]
