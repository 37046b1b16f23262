from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import dijkstra
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch_geometric.utils import add_self_loops, to_scipy_sparse_matrix

from benthic.datasets import Bank, bank
from benthic.errors import InputError

TASKS = ("control", "fraud", "demand")
KEYS_AND_TIMES = {
    *Bank.primary_keys.values(),
    *Bank.time_columns.values(),
    *(column for keys in Bank.foreign_keys.values() for column in keys),
    "segment",
}


@pytest.fixture(scope="module")
def default_bank() -> Bank:
    return bank()


def walks(tables, num_hops: int) -> pd.DataFrame:
    """One row per walk of ``num_hops`` steps down the chain, by joining the tables."""
    # Shuffled rows: nothing may rest on a key being a row number.
    tables = {
        name: table.sample(frac=1, random_state=0) for name, table in tables.items()
    }
    pairs = tables["transactions"][["card_id", "merchant_id"]].drop_duplicates()
    joined = tables["customers"][["customer_id", "segment"]]
    steps = [
        (tables["accounts"], "customer_id"),
        (tables["cards"], "account_id"),
        (pairs.merge(tables["merchants"].drop(columns="segment")), "card_id"),
        (tables["suppliers"].drop(columns="segment"), "supplier_id"),
    ]
    for table, key in steps[:num_hops]:
        joined = joined.merge(table, on=key)
    return joined


def neighborhood(tables, num_hops: int) -> pd.DataFrame:
    """Every attribute within ``num_hops``, averaged over the walks that end there."""
    customers = tables["customers"].set_index("customer_id")
    segments = pd.get_dummies(customers["segment"], dtype=float)
    features = [customers[["age", "income"]], segments]
    names = ("accounts", "cards", "merchants", "suppliers")
    for hop, name in enumerate(names[:num_hops], 1):
        groups = walks(tables, hop).groupby("customer_id")
        columns = [c for c in tables[name] if c not in KEYS_AND_TIMES]
        features += [groups[columns].mean(), groups.size().rename(f"{name}_count")]
    table = pd.concat(features, axis=1).sort_index()
    return table.set_axis(map(str, table), axis=1)


@pytest.fixture(scope="module")
def summaries(default_bank):
    return [neighborhood(default_bank.tables, hops) for hops in range(5)]


@pytest.mark.parametrize(("task", "num_hops"), list(itertools.product(TASKS, range(5))))
def test_the_best_predictor_within_k_hops_reaches_the_plan_and_no_more(
    default_bank, summaries, task, num_hops
):
    x, y = summaries[num_hops].to_numpy(), default_bank.labels[task]
    train = np.arange(len(y)) < len(y) // 2
    predictors = (
        make_pipeline(StandardScaler(), LogisticRegression()),
        HistGradientBoostingClassifier(max_iter=40, random_state=0),
    )
    accuracy = max(
        predictor.fit(x[train], y[train]).score(x[~train], y[~train])
        for predictor in predictors
    )
    plan = default_bank.best_accuracy(task, num_hops)
    sampling = np.sqrt(plan * (1 - plan) / (~train).sum())
    assert plan == (0.95 if num_hops >= Bank.signals[task].num_hops else 0.5)
    assert accuracy < plan + 3 * sampling
    assert accuracy > plan - 0.03


@pytest.mark.parametrize("task", TASKS)
def test_a_label_is_the_noisy_upper_half_of_the_mean_at_its_depth(default_bank, task):
    signal = default_bank.signals[task]
    chain = walks(default_bank.tables, signal.num_hops)
    score = chain.groupby("customer_id")[signal.column].mean().sort_index()
    segment = default_bank.tables["customers"]["segment"]
    upper = score > score.groupby(segment).transform("median")
    share = (upper == default_bank.labels[task].astype(bool)).mean()
    assert abs(share - 0.95) < 3 * np.sqrt(0.95 * 0.05 / len(upper))


@pytest.mark.parametrize("task", TASKS)
def test_a_segment_says_nothing_about_a_label(default_bank, task):
    segment = default_bank.tables["customers"]["segment"]
    rate = pd.Series(default_bank.labels[task]).groupby(segment).mean()
    # Halves are exact; what remains are flips, sqrt(500 * 0.05 * 0.95) / 500.
    assert (rate - 0.5).abs().max() < 4 * 0.0098


def test_labels_of_different_tasks_are_unrelated(default_bank):
    for one, other in itertools.combinations(TASKS, 2):
        agree = (default_bank.labels[one] == default_bank.labels[other]).mean()
        assert abs(agree - 0.5) < 4 * 0.5 / np.sqrt(10_000)


@pytest.mark.parametrize(
    ("task", "least"), [("control", 0.90), ("fraud", 0.87), ("demand", 0.83)]
)
def test_plain_propagation_reads_a_label_at_its_depth_and_not_before(
    default_bank, task, least
):
    data = default_bank.to_homogeneous(task)
    edges, _ = add_self_loops(data.edge_index)
    adjacency = to_scipy_sparse_matrix(edges, num_nodes=data.num_nodes).tocsr()
    scale = np.asarray(adjacency.sum(1)).ravel() ** -0.5
    adjacency = adjacency.multiply(scale[:, None]).multiply(scale).tocsr()
    x, y = data.x.double().numpy(), data.y.numpy()
    train, test = data.train_mask.numpy(), data.test_mask.numpy()
    depth = default_bank.signals[task].num_hops
    for num_hops in range(depth + 2):
        probe = make_pipeline(StandardScaler(), RidgeClassifier())
        accuracy = probe.fit(x[train], y[train]).score(x[test], y[test])
        assert least < accuracy if num_hops >= depth else accuracy < 0.53
        x = adjacency @ x


def test_customers_and_merchants_are_about_four_steps_apart(default_bank):
    owners = default_bank.tables["cards"].merge(default_bank.tables["accounts"])
    trade = default_bank.tables["transactions"].merge(owners, on="card_id")
    customer, merchant = trade["customer_id"], trade["merchant_id"] + 10_000
    graph = coo_matrix((np.ones(len(trade)), (customer, merchant)), (15_000,) * 2)
    rng = np.random.default_rng(0)
    starts = [*rng.choice(10_000, 16), *(10_000 + rng.choice(5_000, 8))]
    steps = dijkstra(graph.tocsr(), directed=False, indices=starts, unweighted=True)
    reached = np.isfinite(steps) & (steps > 0)
    assert reached.mean() > 0.999
    assert 3.7 < steps[reached].mean() < 4.3


def test_the_default_bank_has_the_sizes_of_the_plan(default_bank):
    sizes = {name: len(table) for name, table in default_bank.tables.items()}
    assert sizes["customers"] == 10_000
    assert sizes["merchants"] == 5_000
    assert sizes["suppliers"] == 1_000
    assert sizes["transactions"] == 500_000
    assert default_bank.tables["customers"]["segment"].nunique() == 20
    pairs = default_bank.tables["transactions"][["card_id", "merchant_id"]]
    assert 100_000 < len(pairs.drop_duplicates()) < 200_000


def test_the_same_seed_gives_the_same_bank_and_another_seed_another(small_bank):
    sizes = (2_000, 1_000, 100_000)
    again, other = bank(*sizes), bank(*sizes, seed=1)
    for name, table in small_bank.tables.items():
        pd.testing.assert_frame_equal(table, again.tables[name])
        assert not table.equals(other.tables[name])
    for task in TASKS:
        assert np.array_equal(small_bank.labels[task], again.labels[task])
        assert not np.array_equal(small_bank.labels[task], other.labels[task])


def test_drawing_a_bank_leaves_the_global_random_state_alone():
    np.random.seed(0)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    bank(200, 400, 8_000).to_homogeneous("fraud")
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_editing_a_graph_does_not_reach_the_bank(small_bank):
    small_bank.to_hetero("fraud")["customer"].y.fill_(7)
    small_bank.to_homogeneous("fraud").y.fill_(7)
    assert set(small_bank.labels["fraud"]) == {0, 1}


def test_an_unknown_task_lists_the_tasks_nearest_first(small_bank):
    for call in (small_bank.to_hetero, small_bank.to_homogeneous):
        with pytest.raises(InputError, match="task: found 'frauds'; choose fraud,"):
            call("frauds")


@pytest.mark.parametrize(
    ("sizes", "argument"),
    [
        ((99, 400, 8_000), "num_customers"),
        ((200, 399, 8_000), "num_merchants"),
        ((200, 400, 399), "num_transactions"),
    ],
)
def test_a_bank_too_small_for_its_signals_is_refused(sizes, argument):
    with pytest.raises(InputError, match=f"{argument}: found"):
        bank(*sizes)


def test_the_smallest_bank_stands():
    tiny = bank(100, 400, 200)
    assert tiny.to_homogeneous("demand").validate()
    assert len(tiny.tables["transactions"]) == 200
