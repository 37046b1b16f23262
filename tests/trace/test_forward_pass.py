"""What is read is what the next layer consumes, in any model."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from tests.trace.true_states import GCNII, GraphTransformer, assert_reads, traced
from torch import nn
from torch_geometric.nn import (
    APPNP,
    GAT,
    GCN,
    GIN,
    DeepGCNLayer,
    GCNConv,
    GraphSAGE,
    RGCNConv,
    Sequential,
    SGConv,
)

from benthic.metrics import (
    mean_norm,
    rayleigh_quotient,
)


@pytest.mark.parametrize("cls", [GCN, GraphSAGE, GAT, GIN])
@pytest.mark.parametrize("norm", [None, "layer"])
def test_a_basic_gnn_is_read_after_norm_and_activation(cls, norm, x, edge_index):
    model = cls(6, 8, num_layers=3, out_channels=4, norm=norm).eval()
    h, expected = x, {}
    for i in range(3):
        h = model.convs[i](h, edge_index)
        if i < 2:
            h = model.norms[i](h) if norm else h
            h = h.relu()
        expected[f"convs.{i}"] = h
    assert_reads(traced(model, x, edge_index), expected)


@pytest.mark.parametrize("jk", ["last", "cat"])
def test_jumping_knowledge_leaves_the_last_layer_its_own_states(jk, x, edge_index):
    model = GCN(6, 8, num_layers=3, out_channels=4, jk=jk).eval()
    h, expected = x, {}
    for i in range(3):
        h = expected[f"convs.{i}"] = model.convs[i](h, edge_index).relu()
    assert_reads(traced(model, x, edge_index), expected)


def test_what_the_classifier_consumes_is_the_maximum_under_jumping_knowledge(
    x, edge_index
):
    model = GCN(6, 8, num_layers=2, out_channels=4, jk="max").eval()
    first = model.convs[0](x, edge_index).relu()
    second = model.convs[1](first, edge_index).relu()
    expected = {"convs.0": first, "convs.1": torch.maximum(first, second)}
    assert_reads(traced(model, x, edge_index), expected)


def test_gcnii_is_read_before_its_classifier(x, edge_index):
    model = GCNII().eval()
    trace = traced(model, x, edge_index)
    assert_reads(trace, {f"convs.{i}": h for i, h in enumerate(model.states)})
    assert trace.num_hops == 4


def test_sgc_is_read_at_every_power_of_two(x, edge_index):
    model = SGConv(6, 3, K=5)
    trace = traced(model, x, edge_index)
    step, expected = GCNConv(6, 6, bias=False), {}
    nn.init.eye_(step.lin.weight)
    h = x
    for k in range(1, 6):
        h = step(h, edge_index)
        if k in (1, 2, 4):
            expected[f"SGConv[{k}]"] = h
    expected["SGConv"] = model(x, edge_index)
    assert_reads(trace, expected)
    assert trace.num_hops == 5


def test_a_cached_sgc_still_reaches_its_k_hops(x, edge_index):
    model = SGConv(6, 3, K=5, cached=True)
    model(x, edge_index)
    trace = traced(model, x, edge_index)
    assert [layer.name for layer in trace.layers] == ["SGConv"]
    assert trace.num_hops == 5


def test_appnp_is_read_after_the_teleport(x, edge_index):
    model = APPNP(K=3, alpha=0.2)
    trace = traced(model, x, edge_index)
    expected = {
        "APPNP[1]": APPNP(K=1, alpha=0.2)(x, edge_index),
        "APPNP[2]": APPNP(K=2, alpha=0.2)(x, edge_index),
        "APPNP": model(x, edge_index),
    }
    assert_reads(trace, expected)
    assert trace.num_hops == 3


def test_a_gps_layer_counts_as_a_whole_and_hears_everyone(x, edge_index):
    model = GraphTransformer().eval()
    trace = traced(model, x, edge_index)
    assert_reads(trace, {f"convs.{i}": h for i, h in enumerate(model.states)})
    assert trace.num_hops is None
    assert trace.layers[0].rayleigh_quotient == pytest.approx(
        float(rayleigh_quotient(model.states[0], edge_index))
    )


def test_linear_attention_hears_everyone_too(x, edge_index):
    model = GraphTransformer(attn_type="performer").eval()
    trace = traced(model, x, edge_index)
    assert_reads(trace, {f"convs.{i}": h for i, h in enumerate(model.states)})
    assert trace.num_hops is None


def test_deep_gcn_layers_are_read_on_their_stream_also_the_first(x, edge_index):
    class DeeperGCN(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList(
                DeepGCNLayer(
                    GCNConv(8, 8), nn.LayerNorm(8), nn.ReLU(), "res+", dropout=0.1
                )
                for _ in range(3)
            )
            self.lin_in, self.lin = nn.Linear(6, 8), nn.Linear(8, 2)

        def forward(self, x, edge_index):
            x = self.lin_in(x)
            x = self.layers[0].conv(x, edge_index)
            self.states = [x]
            for layer in self.layers[1:]:
                x = layer(x, edge_index)
                self.states.append(x)
            self.states[-1] = x = self.layers[0].act(self.layers[0].norm(x))
            return self.lin(x)

    model = DeeperGCN().eval()
    trace = traced(model, x, edge_index)
    assert_reads(trace, {f"layers.{i}": h for i, h in enumerate(model.states)})
    assert trace.num_hops == 3


def test_a_pyg_sequential_is_read_after_its_activations(x, edge_index):
    model = Sequential(
        "x, edge_index",
        [
            (GCNConv(6, 8), "x, edge_index -> x"),
            nn.ReLU(inplace=True),
            (GCNConv(8, 8), "x, edge_index -> x"),
            nn.ReLU(inplace=True),
            nn.Linear(8, 3),
        ],
    )
    first = model[0](x, edge_index).relu()
    second = model[2](first, edge_index).relu()
    assert_reads(traced(model, x, edge_index), {"module_0": first, "module_2": second})


def test_nested_sequentials_of_transformer_layers_are_found():
    block = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    model = nn.Sequential(nn.Linear(6, 8), nn.Sequential(block, nn.Sequential(block)))
    x = torch.randn(2, 5, 6)
    first = block(model[0](x))
    trace = traced(model.train(False), x)
    first = block(model[0](x))
    assert_reads(trace, {"1.0": first, "1.0#2": block(first)})


def test_a_relational_gcn_reaches_one_hop_for_all_its_relations(x, edge_index):
    model = RGCNConv(6, 8, num_relations=3)
    edge_type = torch.arange(edge_index.size(1)) % 3
    trace = traced(model, x, edge_index, edge_type)
    assert_reads(trace, {"RGCNConv": model(x, edge_index, edge_type)})
    assert trace.num_hops == 1


class Block(nn.Module):
    def __init__(self, pre_norm):
        super().__init__()
        self.conv, self.norm, self.pre_norm = GCNConv(8, 8), nn.LayerNorm(8), pre_norm

    def forward(self, x, edge_index):
        if self.pre_norm:
            return x + self.conv(self.norm(x), edge_index).relu()
        return self.norm(x + self.conv(x, edge_index).relu())


@pytest.mark.parametrize("pre_norm", [True, False])
def test_a_block_in_a_list_is_read_on_its_residual_stream(pre_norm, x, edge_index):
    class Residual(nn.Module):
        def __init__(self):
            super().__init__()
            self.lin, self.head = nn.Linear(6, 8), nn.Linear(8, 3)
            self.blocks = nn.ModuleList(Block(pre_norm) for _ in range(3))

        def forward(self, x, edge_index):
            x = self.lin(x)
            self.states = []
            for block in self.blocks:
                x = block(x, edge_index)
                self.states.append(x)
            return self.head(x)

    model = Residual()
    trace = traced(model, x, edge_index)
    assert_reads(trace, {f"blocks.{i}": h for i, h in enumerate(model.states)})
    assert trace.num_hops == 3


def test_a_skip_in_the_models_own_forward_is_part_of_the_stream(x, edge_index):
    class Skip(nn.Module):
        def __init__(self):
            super().__init__()
            self.lin = nn.Linear(6, 8)
            self.convs = nn.ModuleList(GCNConv(8, 8) for _ in range(3))

        def forward(self, x, edge_index):
            x = self.lin(x)
            self.states = []
            for conv in self.convs:
                x = F.dropout(x + conv(x, edge_index).relu(), 0.5, self.training)
                self.states.append(x)
            return x

    model = Skip().train()
    trace = traced(model, x, edge_index)
    assert_reads(trace, {f"convs.{i}": h for i, h in enumerate(model.states)})


def test_a_dense_skip_is_read_as_it_is_concatenated(x, edge_index):
    class Dense(nn.Module):
        def __init__(self):
            super().__init__()
            self.convs = nn.ModuleList(GCNConv(6 + 4 * i, 4) for i in range(3))

        def forward(self, x, edge_index):
            self.states = []
            for conv in self.convs:
                x = torch.cat([x, conv(x, edge_index).relu()], dim=1)
                self.states.append(x)
            return x

    model = Dense()
    trace = traced(model, x, edge_index)
    out = model.convs[2](model.states[1], edge_index).relu()
    expected = {"convs.0": model.states[0], "convs.1": model.states[1], "convs.2": out}
    assert_reads(trace, expected)


class Branches(nn.Module):
    """A variational encoder: two layers side by side after a common one."""

    def __init__(self):
        super().__init__()
        self.conv = GCNConv(6, 8)
        self.mu, self.logstd = GCNConv(8, 8), GCNConv(8, 8)

    def forward(self, x, edge_index):
        self.h = self.conv(x, edge_index).relu()
        self.m, self.s = self.mu(self.h, edge_index), self.logstd(self.h, edge_index)
        return self.m + torch.randn_like(self.s) * self.s.exp()


def test_a_branch_is_not_read_as_its_sibling(x, edge_index):
    model = Branches()
    trace = traced(model, x, edge_index)
    names = [layer.name for layer in trace.layers]
    assert names == ["conv", "mu", "logstd"]
    assert trace.layers[0].norm == pytest.approx(float(mean_norm(model.h)))
    assert trace.layers[1].norm == pytest.approx(float(mean_norm(model.m)))
    assert trace.num_hops == 2, "two layers side by side are one hop"


def test_towers_of_one_width_do_not_read_each_others_inputs(x, edge_index):
    class Towers(nn.Module):
        def __init__(self):
            super().__init__()
            self.lins = nn.ModuleList(nn.Linear(6, 8) for _ in range(2))
            self.a, self.b = GCNConv(8, 8), GCNConv(8, 8)

        def forward(self, x, edge_index):
            a = self.a(self.lins[0](x), edge_index).relu()
            b = self.b(self.lins[1](x), edge_index).relu()
            self.states = a, b
            return torch.cat([a, b], dim=-1)

    model = Towers()
    trace = traced(model, x, edge_index)
    assert_reads(trace, dict(zip("ab", model.states, strict=True)))
    assert trace.num_hops == 1


def test_shared_weights_are_numbered_by_call(x, edge_index):
    class Shared(nn.Module):
        def __init__(self):
            super().__init__()
            self.lin, self.conv = nn.Linear(6, 8), GCNConv(8, 8)

        def forward(self, x, edge_index):
            x = self.lin(x)
            self.states = []
            for _ in range(3):
                x = self.conv(x, edge_index).tanh()
                self.states.append(x)
            return x

    model = Shared()
    trace = traced(model, x, edge_index)
    names = ["conv", "conv#2", "conv#3"]
    assert_reads(trace, dict(zip(names, model.states, strict=True)))
    assert trace.num_hops == 3


def test_states_written_in_place_are_followed(x, edge_index):
    class InPlace(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = GCNConv(6, 8), GCNConv(8, 8)

        def forward(self, x, edge_index):
            h = self.a(x, edge_index)
            self.h = x.new_zeros(20, 8)
            self.h[torch.arange(20).flip(0)] = h.relu()
            out = self.b(self.h, edge_index)
            out[:, :4].mul_(2.0)
            self.out = out
            return out

    model = InPlace()
    trace = traced(model, x, edge_index)
    assert_reads(trace, {"a": model.h, "b": model.out})


def test_an_auxiliary_term_is_not_taken_for_the_output(x, edge_index):
    class WithPenalty(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = GCNConv(6, 8)

        def forward(self, x, edge_index):
            h = self.conv(x, edge_index).relu()
            spread = h - h.mean(0)
            return h, spread.square().sum()

    model = WithPenalty()
    trace = traced(model, x, edge_index)
    assert_reads(trace, {"conv": model(x, edge_index)[0]})
