"""The measures of one rung on questions whose outcome is known: a row of the table of a backtest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from saldo.analytics.curves import Curves, days_until, gone_within, paid_within
from saldo.analytics.payment_date import scoring
from saldo.analytics.payment_date.questions import WEEKS, Asked, Cash

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# The daily grid on which curves are judged.
HORIZON = 365
LOWER, UPPER = 0.1, 0.9
METRICS = (
    "mae_days", "within_7_days", "c_index", "auc_late", "brier_late", "ece_late", "coverage_80", "crps_days",
    "wape_4w", "error_4w_total",
)  # fmt: skip
ROUNDS = 100


@dataclass(frozen=True)
class Judged:
    """What a rung said of the questions asked at issue, as far as it could be judged.

    Days beyond the end of the data count as that end, of the forecast as of the outcome. loss: CRPS of each,
    in days; for a rung that gives a day only it is its absolute error.
    """

    point: Floats
    mean: Floats
    p_late: Floats
    low: Floats
    high: Floats
    loss: Floats


def judge(curves: Curves, asked: Asked) -> Judged:
    """What is credited or written off is no payment: curves are read given that it does not happen."""
    size = len(asked)
    kept = 1.0 - gone_within(curves, [int(curves.days[-1])])[:, 0]
    loss, mean = np.empty(size), np.empty(size)
    limit = np.minimum(asked.sight, HORIZON)
    for start in range(0, size, 5_000):
        rows = np.arange(start, min(start + 5_000, size))
        daily = _given(paid_within(curves.rows(rows), np.arange(0, HORIZON + 1)), kept[rows])
        in_sight = np.arange(HORIZON + 1)[None, :] <= limit[rows, None]
        by_then = np.arange(HORIZON + 1)[None, :] >= asked.days[rows, None]
        loss[rows] = (((daily - by_then) ** 2) * in_sight).sum(axis=1)
        mean[rows] = ((1.0 - daily) * in_sight).sum(axis=1)
    scaled = given_paid(curves)
    low, middle, high = (np.ceil(days_until(scaled, share)) for share in (LOWER, 0.5, UPPER))
    paid_by_due = paid_within(scaled, np.clip(asked.due_in, 0, HORIZON)[:, None])[:, 0]
    return Judged(np.minimum(middle, limit), mean, 1.0 - paid_by_due, low, high, loss)


def given_paid(curves: Curves) -> Curves:
    """The curves of what is paid in the end: given that it is not credited or written off."""
    if curves.gone is None:
        return curves
    kept = np.maximum(1.0 - curves.gone[:, -1:], 1e-6)
    return Curves(curves.days, np.minimum(curves.paid / kept, 1.0).astype(np.float32))


def _given(paid: Floats, kept: Floats) -> Floats:
    result: Floats = np.minimum(paid / np.maximum(kept, 1e-6)[:, None], 1.0)
    return result


@dataclass(frozen=True)
class Score:
    """The measures of a rung (None: without meaning) and their standard errors by bootstrap of customers."""

    name: str
    values: dict[str, float | None]
    errors: dict[str, float | None]

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            **{name: self.values.get(name) for name in METRICS},
            **{f"{name}_se": self.errors.get(name) for name in METRICS},
        }


def _issue_measures(
    judged: Judged, asked: Asked, is_point: bool
) -> dict[str, Callable[[Ints], float | None]]:
    """Each measure as a function of the rows it is taken over."""
    actual = np.minimum(asked.days, np.minimum(asked.sight, HORIZON))
    miss = np.abs(actual - judged.point)
    # An item due after the end of the data may be late or not: nobody knows yet.
    is_late = asked.days > asked.due_in
    has_meaning = (asked.due_in <= asked.sight) | ~is_late
    inside = (asked.days >= judged.low) & (asked.days <= judged.high)

    def mean(values: npt.NDArray[Any]) -> Callable[[Ints], float | None]:
        return lambda rows: float(values[rows].mean()) if len(rows) else None

    def judged_rows(rows: Ints) -> Ints:
        return rows[has_meaning[rows]]

    measures: dict[str, Callable[[Ints], float | None]] = {
        "mae_days": mean(miss),
        "within_7_days": mean(miss <= scoring.WITHIN_DAYS),
        "c_index": lambda rows: scoring.c_index(actual[rows], judged.mean[rows]),
    }
    if is_point:
        return measures
    late = is_late.astype(np.float64)
    return measures | {
        "auc_late": lambda rows: scoring.auc(is_late[judged_rows(rows)], judged.p_late[judged_rows(rows)]),
        "brier_late": lambda rows: mean((judged.p_late - late) ** 2)(judged_rows(rows)),
        "ece_late": lambda rows: (
            scoring.reliability(late[judged_rows(rows)], judged.p_late[judged_rows(rows)]).error
        ),
        "coverage_80": mean(inside),
        "crps_days": mean(judged.loss),
    }


def _cash_tables(curves: Curves, opened: Asked, cash: Cash) -> tuple[Floats, Floats, Ints]:
    """(expected, actual) per customer: columns are origins x weeks; and the customer of each row."""
    rows = np.flatnonzero(cash.is_counted)
    cumulative = paid_within(curves.rows(rows), [7 * week for week in range(1, WEEKS + 1)])
    balance = opened.features["balance_mills"].to_numpy().astype(np.float64)[rows]
    weekly = np.diff(cumulative, axis=1, prepend=0.0) * balance[:, None]
    customers, customer = np.unique(opened.accounts[rows], return_inverse=True)
    origins, origin = np.unique(cash.origin[rows], return_inverse=True)
    expected, actual = (np.zeros((len(customers), len(origins), WEEKS)) for _ in range(2))
    np.add.at(expected, (customer, origin), weekly)
    np.add.at(actual, (customer, origin), cash.weekly[rows])
    return expected, actual, customers


def cash_score(
    curves: Curves, opened: Asked, cash: Cash
) -> tuple[dict[str, float | None], dict[str, float | None]]:
    """wape_4w and error_4w_total, and their standard errors."""
    names = ("wape_4w", "error_4w_total")
    nothing: dict[str, float | None] = dict.fromkeys(names)
    if not cash.is_counted.any():
        return nothing, nothing
    expected, actual, customers = _cash_tables(curves, opened, cash)
    found = dict(zip(names, scoring.cash_errors(expected.sum(axis=0), actual.sum(axis=0)), strict=True))
    if len(customers) < 2:
        return found, nothing
    random = np.random.default_rng(scoring.SEED)
    picks = random.multinomial(len(customers), np.full(len(customers), 1.0 / len(customers)), size=ROUNDS)
    drawn = [
        scoring.cash_errors(*(np.tensordot(pick, t, axes=1) for t in (expected, actual))) for pick in picks
    ]
    errors: dict[str, float | None] = {}
    for place, name in enumerate(names):
        values = [pair[place] for pair in drawn if pair[place] is not None]
        errors[name] = float(np.std(np.array(values, dtype=np.float64), ddof=1)) if len(values) > 1 else None
    return found, errors


def score(
    name: str, is_point: bool, issued: Asked, said: Curves, opened: Asked, of_open: Curves, cash: Cash
) -> tuple[Score, Judged]:
    """All measures of one rung; at issue over the items that were or will be paid."""
    judged = judge(said, issued)
    measures = _issue_measures(judged, issued, is_point)
    rows = np.flatnonzero(~issued.is_gone)
    values: dict[str, float | None] = {
        key: measure(rows) if len(rows) else None for key, measure in measures.items()
    }
    errors = _errors(measures, rows, issued) if len(rows) else {}
    cash_values, cash_errors = cash_score(of_open, opened, cash)
    return Score(name, values | cash_values, errors | cash_errors), judged


def _errors(
    measures: dict[str, Callable[[Ints], float | None]], rows: Ints, asked: Asked
) -> dict[str, float | None]:
    customers = asked.accounts[rows]
    if len(np.unique(customers)) < 2:
        return {}

    def on(measure: Callable[[Ints], float | None]) -> Callable[[Ints], float | None]:
        return lambda drawn: measure(rows[drawn])

    plain = {key: on(measure) for key, measure in measures.items() if key != "c_index"}
    errors = scoring.standard_errors(plain, customers, ROUNDS)
    # Pairs are many: fewer rounds, on at most 2,000 items.
    few = rows if len(rows) <= 2_000 else rows[np.linspace(0, len(rows) - 1, 2_000).astype(np.int64)]
    ranked = scoring.standard_errors(
        {"c_index": lambda drawn: measures["c_index"](few[drawn])}, asked.accounts[few], 25
    )
    if ranked["c_index"] is not None:
        ranked["c_index"] *= float(np.sqrt(len(few) / len(rows)))
    return errors | ranked
