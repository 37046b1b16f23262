from __future__ import annotations

import pytest
from tests.treatment.planted import communities
from torch_geometric.nn import GCN

from benthic.nn import LayerNorm, Residual
from benthic.supervision import roc_auc
from benthic.training import Protocol
from benthic.treatment import Norm
from benthic.treatment.recipe import recipe
from benthic.treatment.shortlist import _REMEDIES


@pytest.mark.parametrize("remedy", _REMEDIES, ids=lambda remedy: remedy.does[:20])
def test_the_code_of_every_remedy_runs_as_it_is_pasted(remedy):
    protocol = Protocol(**{"epochs": 2, **remedy.changes})
    data = communities()
    names = {"model": GCN(6, 8, 4, 3), "data": data}
    exec(recipe(remedy.make(), protocol), names)
    assert names["treated"](data.x, data.edge_index).shape == (data.num_nodes, 3)


def test_what_the_user_has_is_called_by_its_name():
    treatments = [Residual(), Norm(LayerNorm)]
    code = recipe(treatments, Protocol(metric=roc_auc), has_forward=True)
    assert "from benthic.supervision import roc_auc\n" in code
    assert code.endswith("train(treated, data, metric=roc_auc, forward=forward)")
    own = Protocol(metric=lambda logits, y: 0.0)
    assert recipe(treatments, own).endswith("train(treated, data, metric=metric)")


def test_nothing_won_nothing_is_applied():
    assert recipe([], Protocol()) == "# nothing to apply"
