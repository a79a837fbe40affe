"""On which days cash comes: the calendar that curves may not know, from what came on past days.

A model of days past due, or of weeks, spreads payments over the calendar. Banks and customers do not: nothing
comes on a weekend, much at the end of a month and on the 10th. Each kind of day has a factor, of what came on
such days to what the curves had said, by which the hazard of payment on those days is multiplied. Curves that
know the calendar already have factors near 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from saldo.analytics.cash_past import SEEN_DAYS, Seen
from saldo.analytics.curves import Curves, paid_within
from saldo.core.calendar import end_of_month, is_banking_day

Floats = npt.NDArray[np.float64]

# Closed: weekends and bank holidays. An anchor that falls on a closed day means the next open one.
CLOSED, MONTH_END, BEFORE_END, TENTH, FIFTEENTH, BEGINNING, MIDDLE, LATE = range(8)
KINDS_OF_DAY = 8
# To each kind of day is added a fair share of the cash of so many past days, as said and as come.
PRIOR_DAYS = 1.3
_CHUNK = 50_000
_MOST = 1.0 - 1e-6


@lru_cache(maxsize=4096)
def kind_of_day(day: date) -> int:
    if not is_banking_day(day):
        return CLOSED
    # Since the last open day, this one excluded, and up to it.
    since, month_ended = day, False
    while True:
        anchor = since.day
        month_ended = month_ended or since == end_of_month(since)
        if month_ended:
            return MONTH_END
        if anchor in (10, 15):
            return TENTH if anchor == 10 else FIFTEENTH
        since -= timedelta(days=1)
        if is_banking_day(since):
            break
    if (end_of_month(day) - day).days <= 2:
        return BEFORE_END
    return BEGINNING if day.day < 10 else MIDDLE if day.day < 21 else LATE


@dataclass(frozen=True, slots=True)
class Paydays:
    """The factor of each kind of day; None: the curves stay as they are."""

    factors: tuple[float, ...] | None = None

    def by_week(self, curves: Curves, as_of: date, weeks: int) -> Floats:
        """Share of each item paid by the end of each week after ``as_of`` (items x weeks), never falling.

        Flat after the last day of the curves. The factor f of a day makes of its hazard h: 1 - (1 - h)^f.
        """
        parts = [
            self._by_week(curves.rows(np.arange(start, min(start + _CHUNK, len(curves)))), as_of, weeks)
            for start in range(0, max(len(curves), 1), _CHUNK)
        ]
        result: Floats = np.clip(np.maximum.accumulate(np.concatenate(parts), axis=1), 0.0, 1.0)
        return result

    def _by_week(self, curves: Curves, as_of: date, weeks: int) -> Floats:
        if self.factors is None:
            return paid_within(curves, 7 * np.arange(1, weeks + 1))
        days = 7 * weeks
        paid = paid_within(curves, np.arange(days + 1))
        left = -np.log1p(-np.minimum(paid, _MOST))
        kinds = [kind_of_day(as_of + timedelta(days=day + 1)) for day in range(days)]
        factor = np.array(self.factors)[kinds]
        # Cumulative hazard at the end of each week: the sum of the days' own, times their factors.
        until = np.arange(days)[:, None] < 7 * np.arange(1, weeks + 1)[None, :]
        hazard: Floats = np.diff(left, axis=1) @ (factor[:, None] * until)
        return -np.expm1(-hazard)


def find_paydays(seen: Seen, curves: Curves) -> Paydays:
    """The factors on the days after past landmarks. curves: of the landmarks, by the model to correct.

    Curves given by the week spread a week over its days without knowing them, and may know the calendar of
    weeks all the same. So of what the kinds of days say (factor f), the part is taken, 1 + part x (f - 1),
    that makes the past weeks come closest, at the level that they came at.
    """
    came, said = (
        _by_day(seen, np.diff(seen.came, axis=1, prepend=0.0)),
        _by_day(seen, np.diff(paid_within(curves, np.arange(SEEN_DAYS + 1)), axis=1)),
    )
    if said.sum() <= 0:
        return Paydays()
    kinds = np.array(
        [[kind_of_day(day + timedelta(days=after)) for after in range(1, SEEN_DAYS + 1)] for day in seen.days]
    )
    share = PRIOR_DAYS / len(seen.days)
    sums = [np.bincount(kinds.ravel(), each.ravel(), minlength=KINDS_OF_DAY) for each in (came, said)]
    alone = (sums[0] + share * sums[1].mean()) / (sums[1] + share * sums[1].mean())
    best, least = Paydays(), np.inf
    weekly = _by_week(came)
    for part in np.linspace(0.0, 1.0, 11):
        factors = 1.0 + part * (alone - 1.0)
        expected = _by_week(said * factors[kinds])
        level = (came.sum() + share * said.sum()) / (expected.sum() + share * said.sum())
        error = float(((weekly - level * expected) ** 2).sum())
        if error < least:
            best, least = Paydays(tuple((level * factors).tolist())), error
    return best


def _by_day(seen: Seen, shares: Floats) -> Floats:
    """Amounts by landmark day and day after it (days x SEEN_DAYS), from shares of each landmark."""
    return np.stack(
        [
            seen.amount[seen.of_day == number] @ shares[seen.of_day == number]
            for number in range(len(seen.days))
        ]
    )


def _by_week(amounts: Floats) -> Floats:
    result: Floats = amounts.reshape(len(amounts), -1, 7).sum(axis=2)
    return result
