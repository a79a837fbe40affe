"""The models of default risk: measures, calibration, scorecard, additive trees, challenger."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from saldo.analytics.default_risk import additive, challenger, simple, woe
from saldo.analytics.default_risk.boosting import boosted, raw
from saldo.analytics.default_risk.columns import CATEGORY, NUMBER, Column, Columns
from saldo.analytics.default_risk.logistic import calibrated, ridge_logistic, signed_logistic
from saldo.analytics.default_risk.measures import (
    Floats,
    Ints,
    auc,
    brier,
    chance,
    ece,
    ks,
    logit,
    standard_errors,
)
from saldo.analytics.default_risk.splits import inner_folds


def numbers(count: int) -> Columns:
    return Columns(tuple(Column(f"r{at}", NUMBER) for at in range(count)))


def drawn(
    seed: int, log_odds: Callable[[Floats], Floats], rows: int = 600, count: int = 4
) -> tuple[Floats, Ints]:
    draws = np.random.default_rng(seed)
    values = draws.normal(size=(rows, count))
    return values, (draws.random(rows) < chance(log_odds(values))).astype(np.int64)


def fitted(module: Any, values: Floats, outcomes: Ints, columns: Columns) -> Any:
    return module.fit(values, outcomes, columns, inner_folds(outcomes, 0))


# ---- measures ----------------------------------------------------------------------------------------------


def test_order_measures_by_hand() -> None:
    outcomes = np.array([0, 0, 1, 1, 0])
    scores = np.array([0.1, 0.4, 0.4, 0.9, 0.2])
    # Pairs (bad, good): 0.4 beats 0.1 and 0.2 and ties with 0.4; 0.9 beats all three.
    assert auc(outcomes, scores) == pytest.approx((2.5 + 3) / 6)
    # At 0.2 two of three good ones lie below and no bad one.
    assert ks(outcomes, scores) == pytest.approx(2 / 3)
    assert auc(outcomes, -scores) == pytest.approx(1 - auc(outcomes, scores))
    assert np.isnan(auc(np.ones(3, dtype=np.int64), scores[:3]))


def test_calibration_error_by_hand_and_whatever_the_order_of_rows() -> None:
    outcomes = np.array([0, 0, 0, 1] * 5 + [1, 1, 1, 0] * 5)
    chances = np.repeat([0.25, 0.60], 20)
    assert ece(outcomes, chances, bins=2) == pytest.approx(0.5 * 0.0 + 0.5 * 0.15)
    shuffled = np.random.default_rng(1).permutation(40)
    assert ece(outcomes[shuffled], chances[shuffled]) == ece(outcomes, chances)
    assert brier(outcomes, chances) == pytest.approx(0.5 * 0.1875 + 0.5 * (0.75 * 0.16 + 0.25 * 0.36))


def test_standard_error_of_a_mean_is_the_usual_one() -> None:
    draws = np.random.default_rng(0)
    outcomes = (draws.random(200) < 0.3).astype(np.int64)
    chances = np.full(200, 0.3)
    losses = (chances - outcomes) ** 2
    found = standard_errors(outcomes, chances, np.arange(200))["brier"]
    assert found == pytest.approx(losses.std(ddof=1) / np.sqrt(200))


# ---- logistic regression and calibration -------------------------------------------------------------------


def test_ridge_logistic_is_at_the_minimum_even_when_separated() -> None:
    x = np.linspace(-2.0, 2.0, 40)[:, None]
    outcomes = (x[:, 0] > 0.0).astype(np.int64)
    intercept, slope = ridge_logistic(x, outcomes, 0.5)
    p = chance(intercept + x[:, 0] * slope[0])
    assert float(x[:, 0] @ (p - outcomes)) + 0.5 * slope[0] == pytest.approx(0.0, abs=1e-5)
    assert float((p - outcomes).sum()) == pytest.approx(0.0, abs=1e-5)


def test_signed_logistic_leaves_out_what_would_enter_upside_down() -> None:
    values, outcomes = drawn(2, lambda x: 1.5 * x[:, 0] - 1.5 * x[:, 1] - 0.5)
    _, slopes = signed_logistic(values, outcomes, 1.0)
    assert slopes[0] > 0.8
    assert slopes[1] == 0.0
    assert (slopes >= 0.0).all()


def test_calibration_finds_shift_and_slope_and_never_turns_the_order() -> None:
    draws = np.random.default_rng(3)
    truth = draws.normal(-2.0, 1.5, 20_000)
    outcomes = (draws.random(20_000) < chance(truth)).astype(np.int64)
    found = calibrated((truth - 0.7) / 0.5, outcomes)
    assert (found.slope, found.shift) == (pytest.approx(0.5, abs=0.03), pytest.approx(0.7, abs=0.12))
    assert calibrated(-truth, outcomes).slope == 0.0
    assert chance(calibrated(-truth, outcomes)(-truth[:1]))[0] == pytest.approx(outcomes.mean())


# ---- scorecard ---------------------------------------------------------------------------------------------


def test_bins_follow_a_rising_risk_and_keep_missing_apart() -> None:
    draws = np.random.default_rng(4)
    values = draws.normal(size=3000)
    values[:300] = np.nan
    risk = np.where(np.isnan(values), 2.0, 1.5 * values) - 2.5
    outcomes = (draws.random(3000) < chance(risk)).astype(np.int64)
    bins = woe.binned(values, outcomes, False)
    assert len(bins.edges) >= 3
    assert (np.diff(bins.woe[:-1]) < 0.0).all()
    assert np.bincount(bins.index(values)).min() >= woe.LEAST_ROWS
    rate = outcomes[:300].mean()
    assert bins.woe[-1] == pytest.approx(logit(outcomes.mean()) - logit(rate), abs=0.1)
    # The bin of a value does not depend on how the column is scaled, however far out.
    far = woe.binned(values * 1e18, outcomes, False)
    assert (far.index(values * 1e18) == bins.index(values)).all()


def test_bins_turn_once_where_both_ends_are_bad_and_not_for_noise() -> None:
    draws = np.random.default_rng(5)
    values = draws.normal(size=4000)
    bad_ends = (draws.random(4000) < chance(1.5 * np.abs(values) - 3.0)).astype(np.int64)
    signs = np.sign(np.diff(woe.binned(values, bad_ends, False).woe[:-1]))
    assert {1.0, -1.0} == set(signs.tolist())
    assert (np.diff(signs) != 0).sum() == 1
    noise = (draws.random(4000) < 0.1).astype(np.int64)
    found = [woe.binned(draws.normal(size=4000), noise, False).iv >= woe.LEAST_IV for _ in range(20)]
    assert sum(found) <= 4


def test_card_adds_up_and_says_what_its_bins_say() -> None:
    values, outcomes = drawn(6, lambda x: 1.2 * x[:, 0] + 0.8 * x[:, 1] - 2.0, rows=1500)
    categories = np.where(values[:, 0] > 0.5, 1.0, 0.0)
    values = np.column_stack([values, categories])
    columns = Columns((*numbers(4).columns, Column("sector", CATEGORY, ("bakery", "building"))))
    card = fitted(woe, values, outcomes, columns)
    parts = card.contributions(values)
    assert np.allclose(card.intercept + parts.sum(axis=1), card.log_odds(values))
    assert (card.coefficients < 0.0).all()
    assert auc(outcomes, card.log_odds(values)) > 0.75
    factor = card.points(values)[0] - card.points(values)[1]
    odds = np.log(2.0) * factor / woe.DOUBLE_POINTS
    assert card.log_odds(values)[1] - card.log_odds(values)[0] == pytest.approx(odds)
    rows = [row for row in card.card() if row["column"] == "r0"]
    assert rows[-1]["missing"]
    assert [row["points"] for row in rows[:-1]] == sorted((row["points"] for row in rows[:-1]), reverse=True)
    unknown = values[:1].copy()
    unknown[0, 4] = np.nan
    assert np.isfinite(card.log_odds(unknown)).all()


# ---- additive trees ----------------------------------------------------------------------------------------


def test_tables_are_the_trees() -> None:
    values, outcomes = drawn(7, lambda x: x[:, 0] ** 2 - x[:, 1] - 2.0, rows=500)
    values[::7, 1] = np.nan
    codes = np.random.default_rng(7).integers(0, 4, 500).astype(np.float64)
    values = np.column_stack([values, codes])
    columns = Columns((*numbers(4).columns, Column("sector", CATEGORY, ("a", "b", "c", "d"))))
    alone = [[at] for at in range(5)]
    bags = [
        boosted(
            values,
            outcomes,
            40,
            categorical=[4],
            seed=seed,
            interaction_constraints=alone,
            **additive.SETTINGS,
        )
        for seed in (1, 2)
    ]
    table = additive._read_out(bags, 40, values, columns)
    trees = np.mean([raw(bag, values) for bag in bags], axis=0)
    assert np.allclose(table.log_odds(values), trees, atol=1e-9)
    assert np.allclose(table.contributions(values).mean(axis=0), 0.0, atol=1e-9)


def test_a_column_without_gaps_says_nothing_when_it_is_missing() -> None:
    values, outcomes = drawn(8, lambda x: 2.0 * x[:, 0] - 1.0)
    model = fitted(additive, values, outcomes, numbers(4))
    gap = values[:1].copy()
    gap[0, 0] = np.nan
    assert model.contributions(gap)[0, 0] == pytest.approx(0.0, abs=1e-12)


def test_only_the_challenger_sees_what_two_columns_mean_together() -> None:
    """Risk by the sign of a product: no sum of curves can tell it, a product can."""
    values, outcomes = drawn(9, lambda x: 4.0 * np.sign(x[:, 0] * x[:, 1]), rows=700, count=3)
    train, test = np.arange(500), np.arange(500, 700)
    plain = fitted(additive, values[train], outcomes[train], numbers(3))
    bold = fitted(challenger, values[train], outcomes[train], numbers(3))
    assert auc(outcomes[test], plain.log_odds(values[test])) < 0.65
    assert auc(outcomes[test], bold.log_odds(values[test])) > 0.9


def test_challenger_pairs_the_columns_of_a_ratio() -> None:
    draws = np.random.default_rng(10)
    values = np.exp(draws.normal(size=(1500, 5)))
    risk = 3.0 * np.log(values[:, 1] / values[:, 3]) - 1.0
    outcomes = (draws.random(1500) < chance(risk)).astype(np.int64)
    pairs = challenger.chosen_pairs(values, outcomes, [], 1, 0)
    assert set(pairs[0][1:]) == {1, 3}
    assert pairs[0][0] in (challenger.RATIO, challenger.INVERSE)


def test_synthetic_columns_of_zero_gap_and_overflow_are_missing() -> None:
    values = np.array([[1.0, 0.0], [2.0, 4.0], [np.nan, 1.0], [1e200, 1e200]])
    made = challenger.synthetic(values, [("/", 0, 1), ("\\", 0, 1), ("*", 0, 1), ("-", 0, 1)])
    assert np.isnan(made[0, 0])
    assert made[1].tolist() == [0.5, 2.0, 8.0, -2.0]
    assert np.isnan(made[2]).all()
    assert np.isnan(made[3, 2])


# ---- all of them -------------------------------------------------------------------------------------------

READERS = {
    woe.NAME: (woe.fit, woe.from_record),
    additive.NAME: (additive.fit, additive.from_record),
    challenger.NAME: (challenger.fit, challenger.from_record),
    simple.LOGISTIC: (simple.fit_logistic, simple.logistic_from_record),
}


@pytest.mark.parametrize("name", READERS)
def test_a_model_is_its_record_and_the_same_each_time(name: str) -> None:
    fit, read = READERS[name]
    values, outcomes = drawn(11, lambda x: x[:, 0] - x[:, 1] - 1.0, rows=300)
    values[::9, 2] = np.nan
    values = np.column_stack([values, (values[:, 0] > 0).astype(np.float64)])
    columns = Columns((*numbers(4).columns, Column("region", CATEGORY, ("north", "south"))))
    inner = inner_folds(outcomes, 0)
    record = json.dumps(fit(values, outcomes, columns, inner).as_record(), allow_nan=False)
    assert json.dumps(fit(values, outcomes, columns, inner).as_record()) == record
    asked = np.vstack([values, np.full((1, 5), np.nan), np.full((1, 5), 1e30)])
    again = read(json.loads(record))
    assert np.array_equal(again.log_odds(asked), fit(values, outcomes, columns, inner).log_odds(asked))
    assert np.isfinite(again.log_odds(asked)).all()


def test_calibrated_on_unseen_rows_noise_stays_at_the_base_rate() -> None:
    draws = np.random.default_rng(12)
    values = draws.normal(size=(600, 12))
    outcomes = (draws.random(600) < 0.2).astype(np.int64)
    for module in (woe, additive, challenger):
        spread = chance(fitted(module, values, outcomes, numbers(12)).log_odds(values)).std()
        assert spread < 0.1, module.NAME
