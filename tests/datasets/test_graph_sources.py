"""Each source is read as its paper gives it."""

from __future__ import annotations

import pytest
import torch
from torch_geometric.utils import contains_self_loops, is_undirected

from benthic.datasets.graph_sources import SOURCES


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_every_name_points_at_a_loader_that_exists(name):
    from torch_geometric import datasets

    source = SOURCES[name]
    assert source.folder == "WikipediaFiltered" or hasattr(datasets, source.folder)


def test_bags_of_words_are_row_normalized_and_other_features_are_not(graph):
    total = graph("cora").x.sum(1)
    torch.testing.assert_close(total, torch.ones_like(total))
    assert graph("reed98").x.sum(1).max() > 1


def test_edges_are_as_published(graph):
    assert is_undirected(graph("chameleon_filtered").edge_index)
    assert not is_undirected(graph("chameleon_filtered_directed").edge_index)
    assert not contains_self_loops(graph("cora").edge_index)
