"""A copy shares graphs, and what has no copy; it never runs the original."""

from __future__ import annotations

import threading
import types

import pytest
import torch
from tests.treatment.models import Stack
from torch_geometric.nn import GCN
from torch_geometric.utils import to_torch_coo_tensor, to_torch_csr_tensor

from benthic.errors import InputError
from benthic.nn.residual import Residual
from benthic.treatment import treat
from benthic.treatment.copying import copy_model


@torch.jit.script
def scripted(x: torch.Tensor) -> torch.Tensor:
    return x.relu()


def test_what_has_no_copy_is_shared():
    model = Stack()
    model.lock, model.act, model.notes = threading.Lock(), scripted, ["a"]
    other = copy_model(model)
    assert other.lock is model.lock
    assert other.act is model.act
    assert other.notes is not model.notes
    assert other.convs[0].lin.weight is not model.convs[0].lin.weight


@pytest.mark.filterwarnings("ignore:Sparse")
def test_graphs_are_shared_in_whatever_form(edge_index):
    model = Stack()
    model.sparse = to_torch_coo_tensor(edge_index, size=20)
    model.rows = to_torch_csr_tensor(edge_index, size=20)
    model.graphs = {"knows": edge_index}
    other = copy_model(model)
    assert other.sparse is model.sparse
    assert other.rows is model.rows
    assert other.graphs["knows"] is edge_index


def test_a_method_of_the_very_object_stays(x, edge_index):
    model = GCN(6, 8, 3, 3).eval()

    def forward(self, x, edge_index):
        return GCN.forward(self, x, edge_index) * 2 + 1

    model.forward = types.MethodType(forward, model)
    treated = treat(model, Residual(0.0))
    assert torch.equal(treated(x, edge_index), model(x, edge_index))
    plain = treat(GCN(6, 8, 3, 3), Residual(), fast=False).eval()
    plain.load_state_dict(model.state_dict())
    treated = treat(model, Residual(), fast=False)
    torch.testing.assert_close(treated(x, edge_index), plain(x, edge_index) * 2 + 1)


def test_a_function_that_holds_on_to_the_model_is_refused():
    model = Stack()
    before = model.forward
    model.forward = lambda x, edge_index: 2 * before(x, edge_index)
    with pytest.raises(InputError, match=r"in the place of the model's forward\(\)"):
        treat(model, Residual())
    model = Stack()
    model.forward = lambda x, edge_index: x
    copy_model(model)
