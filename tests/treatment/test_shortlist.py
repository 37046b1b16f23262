"""From a diagnosis to candidates: the order, the reasons, and code that can be run."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch_geometric.data import Data
from torch_geometric.nn import GCN, JumpingKnowledge

from benthic import diagnose, nn
from benthic.checks import Finding
from benthic.nn.drop import DropEdge, DropNode
from benthic.nn.gpr import APPNP
from benthic.nn.identity_map import IdentityMap
from benthic.nn.norm import BatchNorm, LayerNorm
from benthic.nn.residual import InitialResidual, Residual, Skip
from benthic.treatment.shortlist import Candidate, onward, shortlist, written
from benthic.treatment.wanted import Norm


@pytest.fixture(scope="module")
def healthy():
    torch.manual_seed(1)  # with other weights it may have a tip (D008)
    edge_index = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])
    return diagnose(GCN(3, 8, 2, 2), Data(x=torch.eye(3), edge_index=edge_index))


def with_findings(diagnosis, *codes, severity="issue"):
    findings = tuple(
        Finding(code, f"the cause {code}", severity, 1.0, "", {}, ()) for code in codes
    )
    verdict = codes[0] if severity == "issue" else "healthy"
    return replace(diagnosis, verdict=verdict, findings=findings)


def with_probe(diagnosis, **accuracy):
    points = [
        {"num_hops": int(hops[1:]), "accuracy": score}
        for hops, score in accuracy.items()
    ]
    return replace(diagnosis, controls={**diagnosis.controls, "weights_off": points})


def kinds(candidate):
    return [type(treatment) for treatment in candidate.treatments]


def has_skip(candidate):
    return any(isinstance(t, Skip | JumpingKnowledge) for t in candidate.treatments)


@pytest.mark.parametrize("number", range(1, 12))
def test_what_answers_the_primary_finding_comes_first_and_names_it(healthy, number):
    code = f"D{number:03d}"

    first = next(shortlist(with_findings(healthy, code)))

    assert first.reason.startswith(f"{code} (the cause {code}): ")


def test_a_symptom_is_answered_after_the_primary_cause(healthy):
    reasons = [c.reason for c in shortlist(with_findings(healthy, "D003", "D002"))]
    codes = [reason[:4] for reason in reasons if reason.startswith("D0")]

    assert codes == sorted(codes, reverse=True)
    assert set(codes) == {"D002", "D003"}


def test_dead_layers_get_decoupled_decay_and_a_warm_up(healthy):
    changes = [dict(c.changes) for c in shortlist(with_findings(healthy, "D002"))][:4]

    assert {"decoupled": True, "warmup": 20} in changes


def test_over_fitting_gets_dropped_nodes_with_consistency(healthy):
    first = next(shortlist(with_findings(healthy, "D006")))

    assert kinds(first) == [DropNode, APPNP]
    assert first.changes == {"samples": 2, "consistency": 1.0}


def test_a_tip_is_answered_too_in_a_healthy_model(healthy):
    first = next(shortlist(with_findings(healthy, "D007", severity="tip")))

    assert APPNP in kinds(first)


def test_where_far_features_say_more_propagation_comes_first(healthy):
    diagnosis = with_probe(healthy, h0=0.5, h1=0.7, h4=0.8)

    candidates = list(shortlist(diagnosis))

    assert APPNP in kinds(candidates[0])
    assert "70% after 1 hops and 80% after 4" in candidates[0].reason


def test_where_the_graph_hurts_propagation_comes_last(healthy):
    candidates = list(shortlist(with_probe(healthy, h0=0.73, h1=0.64, h4=0.6)))
    spreads = [APPNP in kinds(candidate) for candidate in candidates]

    assert spreads == sorted(spreads)


def test_a_sick_model_gets_skips_before_anything_that_only_spreads(healthy):
    diagnosis = with_probe(with_findings(healthy, "D003"), h0=0.5, h1=0.7, h4=0.8)

    with_skip = [has_skip(candidate) for candidate in shortlist(diagnosis)]

    assert with_skip == sorted(with_skip, reverse=True)


@pytest.mark.parametrize("codes", [[], ["D001"], ["D002", "D003"], ["D006"], ["D009"]])
def test_no_candidate_comes_twice_and_the_known_combinations_are_there(healthy, codes):
    diagnosis = with_findings(healthy, *codes) if codes else healthy
    names = [candidate.name for candidate in shortlist(diagnosis)]

    assert len(set(names)) == len(names)
    assert {
        "Residual() + Norm(LayerNorm)",
        "Residual() + Norm(BatchNorm)",
        "InitialResidual(alpha=0.1) + IdentityMap(theta=0.5)",
        "APPNP(K=10, alpha=0.1)",
        "DropNode(p=0.5) + APPNP(K=10, alpha=0.1), samples=2, consistency=1.0",
        "DropEdge(p=0.3, undirected=True)",
    } <= set(names)


def test_what_is_written_is_python_that_makes_the_same_treatment(healthy):
    namespace = {**vars(nn), "Norm": Norm}
    for candidate in shortlist(healthy):
        for treatment in candidate.treatments:
            made = eval(written(treatment), namespace)
            assert type(made) is type(treatment)
            assert written(made) == written(treatment)


def test_a_class_is_written_by_its_name():
    assert written(nn.AntiSymmetric) == "AntiSymmetric"


def test_a_name_holds_the_treatments_and_the_changes_of_the_protocol():
    candidate = Candidate(
        (InitialResidual(), IdentityMap(), Residual(), Norm(LayerNorm)), "", {"lr": 0.1}
    )

    assert candidate.name == (
        "InitialResidual(alpha=0.1) + IdentityMap(theta=0.5) + Residual() + "
        "Norm(LayerNorm), lr=0.1"
    )
    assert Candidate((Norm(BatchNorm), DropEdge(0.5)), "").name == (
        "Norm(BatchNorm) + DropEdge(p=0.5, undirected=True)"
    )


def test_what_won_is_tried_again_with_what_spreads_on_top():
    won = Candidate((Residual(), Norm(LayerNorm)), "D003", {"decoupled": True})

    more = onward(won)

    assert more.treatments[:2] == won.treatments
    assert [type(each) for each in more.treatments[2:]] == [DropNode, APPNP]
    assert more.changes == {"decoupled": True, "samples": 2, "consistency": 1.0}


def test_nothing_is_spread_twice():
    assert onward(Candidate((APPNP(10, 0.1),), "")) is None
