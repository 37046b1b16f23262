from __future__ import annotations

import numpy as np
import pytest
import torch
from torch_geometric.nn import GCNConv, HeteroConv, SAGEConv

from benthic.forward import call_model

MASKS = ("train_mask", "val_mask", "test_mask")
NODE_TYPES = ("customer", "account", "card", "merchant", "supplier")


@pytest.fixture(scope="module")
def hetero(small_bank):
    return small_bank.to_hetero("fraud")


@pytest.fixture(scope="module")
def homogeneous(small_bank):
    return small_bank.to_homogeneous("fraud")


def test_both_graphs_agree_on_labels_and_masks(small_bank, hetero, homogeneous):
    customers = homogeneous.node_kind == 0
    for key in ("y", *MASKS):
        assert torch.equal(hetero["customer"][key], homogeneous[key][customers])
    assert np.array_equal(hetero["customer"].y.numpy(), small_bank.labels["fraud"])


def test_nodes_that_are_not_customers_have_no_label_and_no_mask(homogeneous):
    others = homogeneous.node_kind != 0
    assert (homogeneous.y[others] == -1).all()
    assert not any(homogeneous[key][others].any() for key in MASKS)


def test_masks_are_thirty_twenty_fifty_and_disjoint(hetero):
    masks = [hetero["customer"][key] for key in MASKS]
    assert [int(mask.sum()) for mask in masks] == [600, 400, 1_000]
    assert (sum(mask.int() for mask in masks) == 1).all()


def test_both_graphs_are_valid(hetero, homogeneous):
    assert hetero.validate()
    assert homogeneous.validate()
    assert hetero.node_types == list(NODE_TYPES)


def test_there_is_a_node_for_every_row(small_bank, hetero, homogeneous):
    sizes = [len(small_bank.tables[f"{node_type}s"]) for node_type in NODE_TYPES]
    assert [hetero[node_type].num_nodes for node_type in NODE_TYPES] == sizes
    assert homogeneous.node_kind.bincount().tolist() == sizes


def test_keys_are_edges_in_both_directions(small_bank, hetero):
    for table, keys in small_bank.foreign_keys.items():
        if table == "transactions":
            continue
        for column, parent in keys.items():
            child, other = table.removesuffix("s"), parent.removesuffix("s")
            edge_index = hetero[child, column, other].edge_index
            assert edge_index[1].tolist() == small_bank.tables[table][column].tolist()
            assert edge_index[0].tolist() == list(range(edge_index.size(1)))
            back = hetero[other, f"rev_{column}", child].edge_index
            assert torch.equal(back, edge_index.flip(0))


def test_transactions_are_edges_with_their_amount_and_time(small_bank, hetero):
    transactions = small_bank.tables["transactions"]
    store = hetero["card", "pays", "merchant"]
    assert store.edge_index[0].tolist() == transactions["card_id"].tolist()
    assert store.edge_index[1].tolist() == transactions["merchant_id"].tolist()
    seconds = transactions["timestamp"].astype("datetime64[s]").astype("int64")
    assert store.edge_time.tolist() == seconds.tolist()
    order = np.corrcoef(store.edge_attr[:, 0], np.log(transactions["amount"]))[0, 1]
    assert order == pytest.approx(1, abs=1e-5)
    back = hetero["merchant", "rev_pays", "card"]
    assert torch.equal(back.edge_index, store.edge_index.flip(0))


def test_columns_of_a_table_are_standardized(hetero):
    for node_type in NODE_TYPES:
        x = hetero[node_type].x
        x = x[:, :2] if node_type == "customer" else x
        assert x.dtype == torch.float32
        torch.testing.assert_close(x.mean(0), torch.zeros(x.size(1)), atol=1e-5, rtol=0)
        torch.testing.assert_close(
            x.std(0, correction=0), torch.ones(x.size(1)), atol=1e-4, rtol=0
        )
    segment = hetero["customer"].x[:, 2:]
    assert segment.size(1) == 20
    assert (segment.sum(1) == 1).all()


def test_a_block_of_columns_is_zero_outside_its_own_table(hetero, homogeneous):
    start = 0
    for kind, node_type in enumerate(NODE_TYPES):
        width = hetero[node_type].x.size(1)
        block = homogeneous.x[:, start : start + width]
        assert not block[homogeneous.node_kind != kind].any()
        torch.testing.assert_close(block.square().mean(0), torch.ones(width))
        start += width
    one_hot = homogeneous.x[:, start:]
    assert torch.equal(one_hot.argmax(1), homogeneous.node_kind)
    assert (one_hot.sum(1) == 1).all()


def test_the_projection_merges_transactions_and_keeps_their_number(
    small_bank, homogeneous
):
    kind = homogeneous.node_kind[homogeneous.edge_index]
    pays = (kind[0] == 2) & (kind[1] == 3)
    transactions = small_bank.tables["transactions"]
    pairs = transactions.drop_duplicates(["card_id", "merchant_id"])
    assert int(pays.sum()) == len(pairs)
    assert homogeneous.edge_count[pays].sum() == len(transactions)
    keys = sum(
        len(small_bank.tables[name]) for name in ("accounts", "cards", "merchants")
    )
    assert homogeneous.num_edges == 2 * (len(pairs) + keys)
    assert homogeneous.is_undirected()
    assert not homogeneous.has_self_loops()


def test_the_projection_links_what_the_typed_graph_links(hetero, homogeneous):
    sizes = homogeneous.node_kind.bincount()
    start = dict(zip(NODE_TYPES, (sizes.cumsum(0) - sizes).tolist(), strict=True))
    linked = set()
    for source, _, target in hetero.edge_types:
        edges = hetero[source, _, target].edge_index
        edges = edges + torch.tensor([[start[source]], [start[target]]])
        linked |= set(map(tuple, edges.t().tolist()))
    assert linked == set(map(tuple, homogeneous.edge_index.t().tolist()))


def test_a_plain_gcn_runs_without_weights_on_the_projection(homogeneous):
    conv = GCNConv(homogeneous.num_features, 4)
    expected = conv(homogeneous.x, homogeneous.edge_index)
    torch.testing.assert_close(call_model(conv, homogeneous), expected)


def test_a_heterogeneous_layer_runs_on_the_typed_graph(hetero):
    convs = {edge: SAGEConv((-1, -1), 4) for edge in hetero.edge_types}
    out = HeteroConv(convs)(hetero.x_dict, hetero.edge_index_dict)
    assert set(out) == set(NODE_TYPES)
    assert all(torch.isfinite(rows).all() for rows in out.values())
