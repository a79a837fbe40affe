"""The measures of forecasts, against figures worked out by hand and against slow definitions."""

from __future__ import annotations

import numpy as np
import pytest

from saldo.analytics.payment_date import scoring


def test_concordance_by_hand() -> None:
    actual, predicted = np.array([1.0, 2.0, 3.0, 3.0]), np.array([1.0, 3.0, 2.0, 3.0])
    # Pairs with different days: 5. In order: (1,2) (1,3) (1,4); tied forecast: (2,4) half; wrong: (2,3).
    assert scoring.c_index(actual, predicted) == pytest.approx(3.5 / 5)
    assert scoring.c_index(np.ones(3), np.arange(3.0)) is None


def test_concordance_of_many_is_close_to_that_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(3)
    actual = random.normal(size=2_000)
    predicted = actual + random.normal(size=2_000)
    every = scoring.c_index(actual, predicted)
    monkeypatch.setattr(scoring, "PAIRED_ITEMS", 1_000)
    some = scoring.c_index(actual, predicted)
    assert every is not None and some is not None
    assert some == pytest.approx(every, abs=0.02)
    assert some != every


def test_auc_counts_ties_half_and_needs_both_outcomes() -> None:
    label = np.array([True, True, False, False])
    assert scoring.auc(label, np.array([0.9, 0.4, 0.4, 0.1])) == pytest.approx(3.5 / 4)
    assert scoring.auc(np.array([True]), np.array([0.5])) is None


def test_crps_of_a_date_is_its_absolute_error() -> None:
    grid = np.arange(0, 21)
    step = (grid[None, :] >= np.array([5, 12])[:, None]).astype(float)
    assert scoring.crps(step, np.array([9.0, 9.0])).tolist() == [4.0, 3.0]


def test_crps_rewards_saying_how_sure_one_is() -> None:
    grid = np.arange(0, 41)
    sharp = 1 / (1 + np.exp(-(grid - 20) / 1.0))
    wide = 1 / (1 + np.exp(-(grid - 20) / 6.0))
    both = np.stack([sharp, wide])
    near, far = scoring.crps(both, np.array([20.0, 20.0])), scoring.crps(both, np.array([35.0, 35.0]))
    assert near[0] < near[1] and far[0] > far[1]


def test_calibration_error_by_bins_of_equal_count() -> None:
    share = np.repeat([0.2, 0.8], 50)
    outcome = np.concatenate([np.arange(50) < 20, np.arange(50) < 40]).astype(float)
    bins = scoring.reliability(outcome, share, bins=2)
    assert bins.observed.tolist() == [0.4, 0.8]
    assert bins.error == pytest.approx(0.1)


def test_cash_errors_by_hand() -> None:
    actual = np.array([[10.0, 10.0], [20.0, 0.0]])
    expected = np.array([[15.0, 5.0], [10.0, 5.0]])
    weekly, total = scoring.cash_errors(expected, actual)
    assert weekly == pytest.approx((5 + 5 + 10 + 5) / 40)
    assert total == pytest.approx((0 + 5) / 40)
    assert scoring.cash_errors(expected, np.zeros((2, 2))) == (None, None)


def test_pinball_is_least_at_the_quantile() -> None:
    days = np.arange(1.0, 101.0)
    losses = [scoring.pinball(days, np.full(100, guess), 0.8).mean() for guess in (60.0, 80.0, 95.0)]
    assert min(losses) == losses[1]


def test_a_paired_difference_sees_customers_as_one() -> None:
    """Ten customers with a hundred items each: what differs by customer is worth ten, not a thousand."""
    random = np.random.default_rng(5)
    customers = np.repeat(np.arange(10), 100)
    by_customer = random.normal(size=10)[customers]
    found = scoring.paired_difference(by_customer - 0.1, np.zeros(1_000), customers)
    assert found.error > 5 * found.error_by_row
    assert not found.is_beyond
    clear = scoring.paired_difference(np.full(1_000, -0.5) + 0.1 * by_customer, np.zeros(1_000), customers)
    assert clear.is_beyond


def test_few_customers_are_compared_by_items() -> None:
    gap = np.random.default_rng(6).normal(-1.0, 1.0, 200)
    found = scoring.paired_difference(gap, np.zeros(200), np.zeros(200, dtype=np.int64))
    assert found.error == found.error_by_row
    assert found.is_beyond


def test_bootstrap_of_clusters_keeps_them_whole() -> None:
    clusters = np.array([7, 7, 7, 9, 9])
    for rows in scoring.resamples(clusters, 5, rounds=20):
        drawn = np.bincount(clusters[rows], minlength=10)
        assert drawn[7] % 3 == 0 and drawn[9] % 2 == 0
