"""How warnings are counted: cases, leads, false alarms, by hand on three accounts."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from saldo.simulation.forecast_trial.warning_trial import STEP_DAYS, Counts, judge, share

FIRST = date(2025, 1, 6)
LOOKS = 53
DAYS = [FIRST + timedelta(days=STEP_DAYS * at) for at in range(LOOKS)]
FAILS = FIRST + timedelta(days=400)


def _truth() -> pl.DataFrame:
    """1 fails after a drift, 2 drifts and recovers, 3 never changes."""
    none = [None, None]
    return pl.DataFrame(
        {
            "account_id": [1, 2, 3],
            "insolvency_date": [FAILS, *none],
            "drift_from": [FAILS - timedelta(days=200), FIRST, None],
            "drift_to": [FAILS, FIRST + timedelta(days=900), None],
            "recovered_date": [None, FIRST + timedelta(days=950), None],
        },
        schema_overrides={"insolvency_date": pl.Date, "drift_from": pl.Date, "recovered_date": pl.Date},
    )


def _judged(standing: np.ndarray, watched: np.ndarray | None = None) -> Counts:
    seen = np.ones((LOOKS, 3), dtype=np.bool_) if watched is None else watched
    codes: list[dict[int, str]] = [{1: "delay_drift"} for _ in DAYS]
    return judge(standing, seen, DAYS, _truth(), codes)


@pytest.mark.parametrize(
    ("lead", "warned"), [(50, False), (62, True), (200, True), (364, True), (372, False)]
)
def test_only_a_warning_between_sixty_days_and_a_year_before_counts(lead: int, warned: bool) -> None:
    standing = np.zeros((LOOKS, 3), dtype=np.bool_)
    at = min(range(LOOKS), key=lambda look: abs((FAILS - DAYS[look]).days - lead))
    standing[at, 0] = True
    counts = _judged(standing)
    real = (FAILS - DAYS[at]).days
    assert counts.cases == counts.drift_cases == counts.all_failures == 1
    assert (counts.warned == 1) is (60 <= real <= 365) is warned
    assert counts.leads == ([real] if warned else [])
    assert counts.codes == ({"delay_drift": 1} if warned else {})


def test_a_case_needs_to_be_watched() -> None:
    standing = np.ones((LOOKS, 3), dtype=np.bool_)
    watched = np.ones((LOOKS, 3), dtype=np.bool_)
    watched[:, 0] = False
    counts = _judged(standing, watched)
    assert (counts.all_failures, counts.cases) == (1, 0)


def test_a_standing_warning_is_raised_once() -> None:
    standing = np.zeros((LOOKS, 3), dtype=np.bool_)
    standing[10:40, 1:] = True
    counts = _judged(standing)
    # Of account 2 the payments do change: it counts among all, not among the unchanged.
    assert (counts.any_raised, counts.unchanged_raised) == (2, 1)
    assert counts.any_quarters == 2 * counts.unchanged_quarters > 10
    assert counts.unchanged_standing > 1


def test_shares_carry_their_interval() -> None:
    found = share(30, 100)
    assert found["low"] == pytest.approx(0.219, abs=0.002) and found["high"] == pytest.approx(
        0.396, abs=0.002
    )
    assert share(0, 0)["high"] == 1.0
