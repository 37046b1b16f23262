"""The named shapes, checked at run time as every test of the suite relies on."""

from __future__ import annotations

import pytest
import torch
from beartype import beartype
from beartype.roar import BeartypeCallHintParamViolation
from jaxtyping import TypeCheckError, jaxtyped
from torch import Tensor

from benthic.forward import output_rows
from benthic.typing import EdgeIndex, EdgeWeight, Labels, Mask, NodeFeatures, Scalar


def accepts(hint: type, value: Tensor) -> bool:
    return isinstance(value, hint)


@pytest.mark.parametrize(
    ("hint", "right", "wrong"),
    [
        (NodeFeatures, torch.zeros(3, 2), torch.zeros(3)),
        (NodeFeatures, torch.zeros(0, 2), torch.zeros(3, 2, dtype=torch.int64)),
        (NodeFeatures, torch.zeros(3, 2).half(), torch.zeros(3, 2, 1)),
        (EdgeIndex, torch.zeros(2, 0).long(), torch.zeros(3, 2).long()),
        (EdgeIndex, torch.zeros(2, 5).long(), torch.zeros(2, 5).int()),
        (EdgeWeight, torch.zeros(5), torch.zeros(5, 1)),
        (Labels, torch.zeros(3).long(), torch.zeros(3)),
        (Mask, torch.ones(3).bool(), torch.ones(3).long()),
        (Scalar, torch.tensor(1.0), torch.ones(1)),
        (Scalar, torch.tensor(1.0).double(), torch.tensor(1)),
    ],
)
def test_a_name_accepts_its_shape_and_refuses_another(hint, right, wrong):
    assert accepts(hint, right)
    assert not accepts(hint, wrong)


def test_features_and_labels_of_one_call_must_count_the_same_nodes():
    @jaxtyped(typechecker=beartype)
    def score(x: NodeFeatures, y: Labels) -> Scalar:
        return x.sum() + y.sum()

    assert score(torch.ones(3, 2), torch.ones(3).long()) == 9
    with pytest.raises(TypeCheckError):
        score(torch.ones(3, 2), torch.ones(4).long())


def test_the_suite_checks_the_annotations_of_the_package():
    with pytest.raises((TypeCheckError, BeartypeCallHintParamViolation)):
        output_rows(torch.zeros(2, 3), node_type=7)
