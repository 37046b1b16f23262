"""How a model is called: by the names its forward asks for, never with labels."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader as TensorLoader
from torch.utils.data import TensorDataset
from torch_geometric.data import Batch, Data, HeteroData
from torch_geometric.loader import DataLoader
from torch_geometric.nn import GCN, GCNConv, GraphSAGE, Sequential, to_hetero

from benthic.errors import InputError
from benthic.forward import call_model, iterate_batches, output_rows


class Recorder(nn.Module):
    """Keeps what its forward was given."""

    def see(self, **given):
        self.given = given
        return given.get("x")


class Plain(Recorder):
    def forward(self, x, edge_index):
        return self.see(x=x, edge_index=edge_index)


class WithOptions(Recorder):
    def forward(self, x, edge_index, edge_weight=None, batch=None, y=None, z=3):
        return self.see(
            x=x, edge_index=edge_index, edge_weight=edge_weight, batch=batch, y=y, z=z
        )


class KeywordOnly(Recorder):
    def forward(self, x, *, edge_index, edge_attr=None):
        return self.see(x=x, edge_index=edge_index, edge_attr=edge_attr)


class AllOptional(Recorder):
    def forward(self, x=None, edge_index=None, y=None):
        return self.see(x=x, edge_index=edge_index, y=y)


class WholeBatch(Recorder):
    def forward(self, data):
        return self.see(data=data)


class OddlyNamedBatch(Recorder):
    def forward(self, batch):
        return self.see(data=batch)


class BatchAndMore(Recorder):
    def forward(self, graph, x):
        return self.see(data=graph, x=x)


class HeteroNames(Recorder):
    def forward(self, x_dict, edge_index_dict, y_dict=None):
        return self.see(x=x_dict, edge_index=edge_index_dict, y=y_dict)


class Wrapper(nn.Module):
    def __init__(self, *wrapped):
        super().__init__()
        self.wrapped = nn.ModuleList(wrapped) if len(wrapped) > 1 else wrapped[0]
        self.extra = nn.Identity() if len(wrapped) > 1 else None

    def forward(self, *args, **kwargs):
        self.given = (args, kwargs)
        if isinstance(self.wrapped, nn.ModuleList):
            return args[0]
        return self.wrapped(*args, **kwargs)


class NeedsCount(Recorder):
    def forward(self, x, num_nodes):
        return self.see(x=x, num_nodes=num_nodes)


@pytest.fixture
def graph():
    return Data(
        x=torch.randn(3, 4),
        edge_index=torch.tensor([[0, 1, 2], [1, 2, 0]]),
        y=torch.tensor([0, 1, 0]),
    )


@pytest.fixture
def hetero():
    data = HeteroData()
    data["user"].x = torch.randn(2, 4)
    data["user"].y = torch.tensor([0, 1])
    data["item"].x = torch.randn(3, 4)
    data["user", "buys", "item"].edge_index = torch.tensor([[0, 1, 1], [0, 1, 2]])
    data["item", "bought_by", "user"].edge_index = torch.tensor([[0, 1, 2], [0, 1, 1]])
    return data


def test_required_arguments_are_found_by_name(graph):
    model = Plain()
    call_model(model, graph)

    assert model.given["x"] is graph.x
    assert model.given["edge_index"] is graph.edge_index


def test_keyword_only_arguments_are_found_by_name(graph):
    model = KeywordOnly()
    call_model(model, graph)

    assert model.given["edge_index"] is graph.edge_index
    assert model.given["edge_attr"] is None


def test_optional_inputs_arrive_when_the_graph_has_them(graph):
    model = WithOptions()
    graph.edge_weight = torch.ones(3)
    call_model(model, graph)

    assert model.given["edge_weight"] is graph.edge_weight
    assert model.given["batch"] is None


def test_what_a_model_says_it_does_not_support_is_left_out(graph):
    class Unweighted(WithOptions):
        supports_edge_weight = False

    model = Unweighted()
    graph.edge_weight = torch.ones(3)
    call_model(model, graph)
    assert model.given["edge_weight"] is None
    assert model.given["x"] is graph.x


def test_what_a_model_requires_it_is_given_whatever_it_says(graph):
    class Contrary(Recorder):
        supports_edge_weight = False

        def forward(self, x, edge_index, edge_weight):
            return self.see(x=x, edge_index=edge_index, edge_weight=edge_weight)

    model = Contrary()
    graph.edge_weight = torch.ones(3)
    call_model(model, graph)
    assert model.given["edge_weight"] is graph.edge_weight


@pytest.mark.parametrize("model", [WithOptions(), AllOptional()])
def test_labels_and_strangers_never_reach_an_optional_argument(graph, model):
    graph.z = torch.ones(3)
    call_model(model, graph)

    assert model.given["y"] is None
    assert model.given.get("z", 3) == 3


def test_labels_of_node_types_never_reach_an_optional_argument(hetero):
    model = HeteroNames()
    call_model(model, hetero)

    assert model.given["y"] is None
    assert set(model.given["x"]) == {"user", "item"}
    assert set(model.given["edge_index"]) == set(hetero.edge_types)


def test_a_model_whose_arguments_all_have_defaults_still_gets_the_graph(graph):
    model = AllOptional()
    call_model(model, graph)

    assert model.given["x"] is graph.x
    assert model.given["edge_index"] is graph.edge_index


@pytest.mark.parametrize("model", [WholeBatch(), OddlyNamedBatch(), BatchAndMore()])
def test_a_model_that_asks_for_the_data_gets_the_whole_batch(graph, model):
    call_model(model, graph)

    assert model.given["data"].x is graph.x
    assert model.given["data"].keys() == graph.keys()


def test_an_argument_called_batch_alone_means_the_batch_not_its_vector(graph):
    batch = Batch.from_data_list([graph, graph])
    model = OddlyNamedBatch()
    call_model(model, batch)

    assert type(model.given["data"]) is type(batch)
    assert model.given["data"].batch is batch.batch


def test_the_batch_vector_reaches_a_model_that_pools(graph):
    batch = Batch.from_data_list([graph, graph])
    model = WithOptions()
    call_model(model, batch)

    assert model.given["batch"].tolist() == [0, 0, 0, 1, 1, 1]


def test_whole_hetero_data_reaches_a_model_that_asks_for_it(hetero):
    model = WholeBatch()
    call_model(model, hetero)

    assert model.given["data"]["user"].x is hetero["user"].x


def test_a_model_that_writes_on_its_batch_leaves_the_callers_alone(graph):
    class Writes(torch.nn.Module):
        def forward(self, data):
            data.x = data.x.mean(dim=1, keepdim=True)
            data.extra = data.x
            return data.x

    before, names = graph.x, graph.keys()
    for _ in range(2):
        assert call_model(Writes(), graph).shape == (3, 1)
    assert graph.x is before
    assert graph.keys() == names


def test_the_number_of_nodes_is_known_without_being_stored(graph):
    model = NeedsCount()
    call_model(model, graph)

    assert model.given["num_nodes"] == 3


def test_pyg_models_run_on_data(graph):
    assert call_model(GCN(4, 8, 2, 5), graph).shape == (3, 5)


def test_pyg_sequential_is_called_by_the_names_it_was_given(graph):
    layers = [(GCNConv(4, 8), "x, edge_index -> x"), nn.ReLU(), nn.Linear(8, 2)]

    assert call_model(Sequential("x, edge_index", layers), graph).shape == (3, 2)


def test_a_model_made_by_to_hetero_runs_on_hetero_data(hetero):
    model = to_hetero(GraphSAGE((-1, -1), 8, 2, 5), hetero.metadata())
    output = call_model(model, hetero)

    assert output_rows(output, "user").shape == (2, 5)
    assert output_rows(output, "item").shape == (3, 5)


@pytest.mark.parametrize(
    "model",
    [
        nn.Linear(4, 2),
        nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)),
        nn.TransformerEncoder(
            nn.TransformerEncoderLayer(4, 1, 8), 1, enable_nested_tensor=False
        ),
    ],
)
def test_torch_modules_without_a_graph_get_the_features(graph, model):
    assert call_model(model, graph).shape[0] == 3


def test_a_wrapper_is_asked_for_the_names_of_what_it_wraps(graph):
    assert call_model(Wrapper(GCN(4, 8, 2, 5)), graph).shape == (3, 5)
    assert call_model(nn.DataParallel(GCN(4, 8, 2, 5)), graph).shape == (3, 5)
    compiled = torch.compile(Plain(), backend="eager")
    assert call_model(compiled, graph) is graph.x


def test_a_wrapper_of_several_modules_gets_the_features(graph):
    model = Wrapper(nn.Linear(4, 2), nn.Linear(4, 2))

    assert call_model(model, graph) is graph.x
    assert model.given[1] == {}


@pytest.mark.parametrize("kind", [tuple, list])
def test_a_tuple_or_list_is_passed_by_position(graph, kind):
    model = Plain()
    call_model(model, kind((graph.x, graph.edge_index)))

    assert model.given["x"] is graph.x
    assert model.given["edge_index"] is graph.edge_index


def test_a_mapping_is_passed_by_keyword(graph):
    model = WithOptions()
    call_model(model, {"edge_index": graph.edge_index, "x": graph.x, "z": 7})

    assert model.given["x"] is graph.x
    assert model.given["z"] == 7


def test_a_tensor_is_the_one_input():
    assert call_model(nn.Linear(4, 2), torch.zeros(3, 4)).shape == (3, 2)


def test_an_object_of_the_users_own_is_handed_over_as_it_is():
    model = WholeBatch()
    own = object()
    call_model(model, own)

    assert model.given["data"] is own


def test_a_missing_attribute_is_named_with_what_there_is(graph):
    del graph.x

    with pytest.raises(InputError, match="no attribute 'x'") as raised:
        call_model(Plain(), graph)
    assert raised.value.argument == "data"
    assert "Plain.forward" in str(raised.value)
    assert "(it has edge_index, y)" in str(raised.value)
    assert "forward=" in raised.value.remedy


def test_one_missing_input_is_not_replaced_by_the_whole_batch(graph):
    del graph.x

    with pytest.raises(InputError, match="no attribute 'input'"):
        call_model(nn.Linear(4, 2), graph)


def test_a_missing_attribute_of_hetero_data_is_named(hetero):
    class NeedsTime(nn.Module):
        def forward(self, x_dict, time_dict):
            return x_dict

    with pytest.raises(InputError, match="no attribute 'time_dict'"):
        call_model(NeedsTime(), hetero)


@pytest.mark.parametrize("form", ["data", "tuple", "mapping", "tensor", "hetero"])
def test_one_graph_in_any_form_is_one_batch(graph, hetero, form):
    given = {
        "data": graph,
        "tuple": (graph.x, graph.edge_index),
        "mapping": {"x": graph.x},
        "tensor": graph.x,
        "hetero": hetero,
    }[form]

    batches = list(iterate_batches(given))
    assert len(batches) == 1
    assert batches[0] is given


def test_a_loader_yields_its_batches_again_and_again(graph):
    loader = DataLoader([graph] * 5, batch_size=2)

    sizes = [batch.num_graphs for batch in iterate_batches(loader)]
    assert sizes == [2, 2, 1]
    assert len(list(iterate_batches(loader))) == 3


def test_a_torch_loader_of_lists_runs(graph):
    loader = TensorLoader(TensorDataset(graph.x), batch_size=2)

    rows = [call_model(nn.Linear(4, 2), batch) for batch in iterate_batches(loader)]
    assert torch.cat(rows).shape == (3, 2)


def test_something_that_is_no_graph_is_refused():
    with pytest.raises(InputError, match="data: found an object of type int"):
        list(iterate_batches(3))


def test_rows_come_from_whatever_the_model_returned():
    rows = torch.randn(3, 2)

    assert output_rows(rows) is rows
    assert output_rows((None, rows, torch.zeros(1))) is rows
    assert output_rows([rows]) is rows
    assert output_rows({"user": (rows, 0.5)}, "user") is rows
    assert torch.equal(output_rows(rows[:, 0]), rows[:, :1])  # a vector: one column
    assert output_rows({"logits": rows, "loss": None}) is rows


def test_rows_of_a_type_that_the_model_does_not_predict_are_refused():
    with pytest.raises(InputError, match=r"none for 'item'"):
        output_rows({"user": torch.zeros(1, 1)}, "item")


def test_of_several_outputs_by_name_the_user_says_which():
    output = {"logits": torch.zeros(3, 2), "states": torch.zeros(3, 8)}
    with pytest.raises(InputError, match=r"'logits', 'states'.*; say which: forward="):
        output_rows(output)


@pytest.mark.parametrize("output", [None, 0.5, (1, 2), "rows"])
def test_an_output_without_a_tensor_is_refused(output):
    with pytest.raises(InputError, match="model: found an output of type"):
        output_rows(output)
