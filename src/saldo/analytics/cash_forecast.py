"""Expected cash per week, with P10, P50 and P90, from the items' curves and from what will be invoiced.

Formula and worked example: docs/rules/cash-forecast.md. Currencies are never added up. Credits that customers
may still deduct are not taken off.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from zlib import crc32

import numpy as np
import numpy.typing as npt
import polars as pl

from saldo.analytics.book import Book, balances
from saldo.analytics.cash_dependence import estimate_dependence, stated_dependence
from saldo.analytics.cash_history import cash_movements, naive_weeks, past_weeks
from saldo.analytics.cash_past import STEP_WEEKS, look_back, past_landmarks
from saldo.analytics.cash_paydays import Paydays, find_paydays
from saldo.analytics.cash_sales import sales_cash
from saldo.analytics.cash_simulation import DRAWS, Dependence, Portfolio, draw_weeks, strayed
from saldo.analytics.curves import Curves

WEEKS = 13
# What items that are open bring, what will be invoiced brings, both, and the simple forecast beside them.
OPEN, FUTURE, TOTAL, NAIVE = "open", "future", "total", "naive"
KINDS = (OPEN, FUTURE, TOTAL, NAIVE)

CASH_SCHEMA: dict[str, pl.DataType] = {
    "currency": pl.String(),
    "kind": pl.String(),
    "week": pl.Int64(),
    "week_start": pl.Date(),
    "week_end": pl.Date(),
    "expected_mills": pl.Int64(),
    "low_mills": pl.Int64(),
    "middle_mills": pl.Int64(),
    "high_mills": pl.Int64(),
    "cumulative_mills": pl.Int64(),
    "cumulative_low_mills": pl.Int64(),
    "cumulative_middle_mills": pl.Int64(),
    "cumulative_high_mills": pl.Int64(),
}
_QUANTILES = (0.1, 0.5, 0.9)

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Cash:
    """Of one currency and kind: expected cash by the end of each week, and of each week in every draw."""

    cumulative: Ints
    draws: Floats

    def plus(self, other: _Cash) -> _Cash:
        return _Cash(self.cumulative + other.cumulative, self.draws + other.draws)


def seed_of(company: str, as_of: date) -> int:
    """The seed of a company's day: the same day gives the same figures."""
    return crc32(f"{company} {as_of.isoformat()}".encode())


def cash_forecast(
    curves: Curves,
    items: pl.DataFrame,
    as_of: date,
    *,
    dependence: Dependence | None = None,
    seed: int = 0,
    weeks: int = WEEKS,
) -> pl.DataFrame:
    """Cash of open items in each of the next ``weeks`` weeks: CASH_SCHEMA, kind "open".

    items: item_id, customer_id, currency, balance_mills, each with its row of ``curves`` on ``as_of``; those
    with a balance of zero or less are left out. Week 1 is the seven days after ``as_of``. Expected weeks add
    up exactly to the cumulative figure. low, middle, high: P10, P50 and P90 of the simulation, so the
    expected amount may lie outside of them where one item decides.
    """
    share = Paydays().by_week(curves, as_of, weeks)
    found = _open_cash(share, items, dependence or stated_dependence(), seed)
    return _framed([_rows(code, OPEN, cash, as_of) for code, cash in found.items()])


def expected_weeks(
    book: Book,
    landmarks: pl.DataFrame,
    curves: Curves,
    as_of: date,
    *,
    past: Callable[[pl.DataFrame], Curves] | None = None,
    seed: int = 0,
    weeks: int = WEEKS,
) -> pl.DataFrame:
    """CASH_SCHEMA of every kind: open, future, total and naive, by currency.

    landmarks: the open items on ``as_of`` (``open_on``) with their ``curves``. past: gives the same model's
    curves of landmarks on past days, for paydays and correlations; None: the stated ones. Kinds that the
    history is too short for are left out; then "total" is what the open items bring.
    """
    book = book.known_by(as_of)
    paydays, dependence = _learnt(book, as_of, past)
    share = paydays.by_week(curves, as_of, weeks)
    opened = _open_cash(share, balances(book, landmarks), dependence, seed)
    future = _future_cash(book, as_of, dependence.week, seed, weeks)
    before = past_weeks(cash_movements(book), as_of, book.known_from)
    rows = []
    for code in sorted({*opened, *future, *before}):
        kinds = {OPEN: opened.get(code), FUTURE: future.get(code)}
        known = [cash for cash in kinds.values() if cash is not None]
        for kind, cash in kinds.items():
            if cash is not None:
                rows.append(_rows(code, kind, cash, as_of))
        if known:
            rows.append(_rows(code, TOTAL, known[0] if len(known) == 1 else known[0].plus(known[1]), as_of))
        if code in before and (simple := naive_weeks(before[code], weeks)) is not None:
            rows.append(_laid_out(code, NAIVE, as_of, *(_mills(each) for each in simple)))
    return _framed(rows)


def _learnt(
    book: Book, as_of: date, past: Callable[[pl.DataFrame], Curves] | None
) -> tuple[Paydays, Dependence]:
    """What the model's errors on past days say of the days on which cash comes, and of how much it varies."""
    earlier = past_landmarks(book, as_of) if past is not None else None
    if past is None or earlier is None or earlier.is_empty():
        return Paydays(), stated_dependence()
    curves, seen = past(earlier), look_back(book, earlier, as_of)
    paydays = find_paydays(seen, curves)
    said = np.zeros((len(curves), STEP_WEEKS))
    for number, day in enumerate(seen.days):
        rows = np.flatnonzero(seen.of_day == number)
        said[rows] = paydays.by_week(curves.rows(rows), day, STEP_WEEKS)
    return paydays, estimate_dependence(seen, said)


def _generator(seed: int, currency: str, kind: str) -> np.random.Generator:
    return np.random.default_rng([seed, crc32(currency.encode()), crc32(kind.encode())])


def _open_cash(share: Floats, items: pl.DataFrame, dependence: Dependence, seed: int) -> dict[str, _Cash]:
    """share: of each of ``items`` paid by the end of each week."""
    # In one order, whatever the order given: then the draws, and every sum, are the same.
    ordered = (
        items.select("item_id", "customer_id", "currency", "balance_mills")
        .with_row_index("_row")
        .filter(pl.col("balance_mills") > 0)
        .sort("currency", "customer_id", "item_id")
    )
    found = {}
    for (currency,), rows in ordered.group_by("currency", maintain_order=True):
        portfolio = Portfolio(
            share=share[rows["_row"].to_numpy()],
            amount=rows["balance_mills"].to_numpy().astype(np.float64),
            customer=rows["customer_id"].rle_id().to_numpy().astype(np.int64),
        )
        draws = draw_weeks(portfolio, dependence, _generator(seed, str(currency), OPEN), DRAWS)
        cumulative = np.minimum(_mills(portfolio.amount @ portfolio.share), int(rows["balance_mills"].sum()))
        found[str(currency)] = _Cash(cumulative, _within(draws, float(portfolio.amount.sum())))
    return found


def _within(draws: Floats, balance: float) -> Floats:
    """The draws with no more in all than is open: the normal part of the sum may pass it by a little."""
    over = draws.sum(axis=1) / balance
    result: Floats = draws / np.maximum(over, 1.0)[:, None]
    return result


def _future_cash(book: Book, as_of: date, week: float, seed: int, weeks: int) -> dict[str, _Cash]:
    """week: how far a week's cash strays, as of what is open."""
    found = {}
    for code, sales in sales_cash(book, as_of, weeks).items():
        rng = _generator(seed, code, FUTURE)
        draws = strayed(sales.draw(rng, DRAWS), week, rng)
        found[code] = _Cash(_mills(sales.mean.cumsum()), draws)
    return found


def _quantiles(draws: Floats) -> Floats:
    """P10, P50 and P90 (rows) of each week (columns)."""
    ordered = np.sort(np.ascontiguousarray(draws.T))
    at = np.array(_QUANTILES) * (len(draws) - 1)
    low = at.astype(np.int64)
    high = np.minimum(low + 1, len(draws) - 1)
    result: Floats = ordered[:, low] + (ordered[:, high] - ordered[:, low]) * (at - low)
    return result.T


def _mills(values: Floats) -> Ints:
    return np.rint(values).astype(np.int64)


def _rows(currency: str, kind: str, cash: _Cash, as_of: date) -> dict[str, Any]:
    week, so_far = _quantiles(cash.draws), _quantiles(cash.draws.cumsum(axis=1))
    expected = np.diff(cash.cumulative, prepend=0)
    return _laid_out(
        currency, kind, as_of,
        np.stack([expected, *_mills(week)]), np.stack([cash.cumulative, *_mills(so_far)]),
    )  # fmt: skip


def _laid_out(currency: str, kind: str, as_of: date, week: Ints, so_far: Ints) -> dict[str, Any]:
    """Columns of CASH_SCHEMA. week, so_far: expected, P10, P50 and P90 (rows) of each week (columns)."""
    count = week.shape[1]
    starts = [as_of + timedelta(days=7 * index + 1) for index in range(count)]
    names = ("", "low_", "middle_", "high_")
    return {
        "currency": [currency] * count,
        "kind": [kind] * count,
        "week": list(range(1, count + 1)),
        "week_start": starts,
        "week_end": [start + timedelta(days=6) for start in starts],
        **{f"{name or 'expected_'}mills": values for name, values in zip(names, week, strict=True)},
        **{f"cumulative_{name}mills": values for name, values in zip(names, so_far, strict=True)},
    }


def _framed(rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    frames = [pl.DataFrame(row, schema=CASH_SCHEMA) for row in rows]
    return pl.concat(frames) if frames else pl.DataFrame(schema=CASH_SCHEMA)
