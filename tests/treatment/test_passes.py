"""A pass begins with a call of the model and ends with it."""

from __future__ import annotations

import copy
import inspect
import pickle
import threading

import torch
from tests.treatment.models import AutoEncoder, Stack
from torch_geometric.nn import GAE, GCN

from benthic.forward import call_model
from benthic.nn.residual import InitialResidual, Residual
from benthic.treatment import treat
from benthic.treatment.passes import Running, callers, methods


def test_methods_that_a_user_may_call():
    assert methods(AutoEncoder()) == ["decode", "encode"]
    assert methods(Stack()) == ["forward"]
    assert "reset_parameters" not in methods(GCN(6, 8, 2))


def test_callers_hold_layers_and_are_none():
    model = GAE(GCN(6, 8, 2))
    convs = list(model.encoder.convs)
    assert [type(m).__name__ for m in callers(model, convs)] == [
        "GAE",
        "GCN",
        "ModuleList",
    ]


def test_a_treated_method_looks_like_the_original():
    model = Stack()
    treated = treat(model, Residual())
    assert inspect.signature(treated.forward) == inspect.signature(model.forward)
    assert type(treated).forward is type(model).forward


def test_a_part_may_be_called(x, edge_index):
    model = GAE(GCN(6, 8, 3)).eval()
    treated = treat(model, InitialResidual(0.5))
    expected = treated.encode(x, edge_index)
    torch.testing.assert_close(treated.encoder(x, edge_index), expected)
    assert not torch.equal(model.encode(x, edge_index), expected)


def test_two_threads_do_not_hear_each_other(x, edge_index):
    treated = treat(Stack().eval(), InitialResidual(0.5))
    inputs = [(i + 1) * x for i in range(4)]
    expected = [treated(value, edge_index) for value in inputs]
    results = {}

    def work(i):
        with torch.no_grad():
            results[i] = [treated(inputs[i], edge_index) for _ in range(20)]

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i, outs in results.items():
        assert all(torch.allclose(out, expected[i], atol=1e-6) for out in outs)
    assert len(results) == 4


def test_a_copy_runs_by_itself():
    running = Running()
    running.now = "a pass"
    assert copy.deepcopy(running).now is None
    assert pickle.loads(pickle.dumps(running)).now is None


def test_a_treated_model_is_called_by_the_names_of_its_inputs(x, edge_index):
    from torch_geometric.data import Data

    treated = treat(Stack().eval(), Residual())
    data = Data(x=x, edge_index=edge_index)
    assert torch.equal(call_model(treated, data), treated(x, edge_index))
