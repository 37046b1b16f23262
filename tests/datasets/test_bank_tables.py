from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from benthic.datasets import Bank


@pytest.mark.parametrize("table", Bank.primary_keys)
def test_primary_keys_are_row_numbers(small_bank, table):
    key = small_bank.tables[table][Bank.primary_keys[table]]
    assert np.array_equal(key, np.arange(len(key)))


def test_every_foreign_key_finds_its_parent(small_bank):
    for table, keys in Bank.foreign_keys.items():
        for column, parent in keys.items():
            known = small_bank.tables[parent][Bank.primary_keys[parent]]
            assert small_bank.tables[table][column].isin(known).all()


def test_every_parent_on_the_chain_has_a_child(small_bank):
    for table, column in (("accounts", "customer_id"), ("cards", "account_id")):
        parent = Bank.foreign_keys[table][column]
        used = small_bank.tables[table][column].nunique()
        assert used == len(small_bank.tables[parent])
    assert small_bank.tables["transactions"]["card_id"].nunique() == len(
        small_bank.tables["cards"]
    )
    assert small_bank.tables["merchants"]["supplier_id"].nunique() == len(
        small_bank.tables["suppliers"]
    )


def test_suppliers_serve_one_segment_and_five_merchants(small_bank):
    merchants, suppliers = (
        small_bank.tables[name] for name in ("merchants", "suppliers")
    )
    both = merchants.merge(suppliers, on="supplier_id")
    assert (both["segment_x"] == both["segment_y"]).all()
    assert (merchants["supplier_id"].value_counts() == 5).all()


def test_time_columns_are_times_and_a_card_is_issued_before_it_pays(small_bank):
    tables = small_bank.tables
    for table, column in Bank.time_columns.items():
        assert pd.api.types.is_datetime64_any_dtype(tables[table][column])
    chain = tables["transactions"].merge(
        tables["cards"].merge(tables["accounts"].merge(tables["customers"]))
    )
    assert (chain["since"] >= "2015-01-01").all()
    assert (chain["since"] <= chain["opened"]).all()
    assert (chain["opened"] <= chain["issued"]).all()
    assert (chain["issued"] <= chain["timestamp"]).all()


def test_transactions_are_in_order_within_their_two_years(small_bank):
    transactions = small_bank.tables["transactions"]
    assert transactions["timestamp"].is_monotonic_increasing
    assert transactions["timestamp"].min() >= pd.Timestamp("2023-01-01")
    assert transactions["timestamp"].max() < pd.Timestamp("2025-01-01")
    assert (transactions["amount"] > 0).all()


def test_a_pair_trades_about_as_often_as_any_other(small_bank):
    pairs = small_bank.tables["transactions"].groupby(["card_id", "merchant_id"])
    assert pairs.size().max() - pairs.size().min() <= 1


def test_about_one_purchase_in_nine_crosses_segments(small_bank):
    tables = small_bank.tables
    owners = tables["cards"].merge(tables["accounts"]).merge(tables["customers"])
    merchants = tables["merchants"][["merchant_id", "segment"]]
    trade = tables["transactions"][["card_id", "merchant_id"]].merge(
        owners[["card_id", "segment"]]
    )
    trade = trade.merge(merchants, on="merchant_id")
    cross = (trade["segment_x"] != trade["segment_y"]).mean()
    # 12 % drawn anywhere, one twentieth of which fall at home; merchants drawn twice
    # at home count once, which lifts the share.
    assert 0.11 < cross < 0.14


def test_no_value_is_missing(small_bank):
    assert not any(table.isna().any(axis=None) for table in small_bank.tables.values())
