"""How strong the evidence of a change must be, so that false alarms stay within a stated rate.

Measured on the company's own items: in each account the delays are dealt anew among its items in random
order, which leaves it its own way of paying and takes away any trend; then half a year is lived again, and
the threshold is set where no more than the stated share of accounts raises an alarm in the last quarter of
it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from saldo.analytics.changes import evidence
from saldo.analytics.delay_types import EARLIEST, DelayTypes, Flags, Floats, Ints, Observed, log_sum

QUARTER_DAYS = 91
# An alarm is raised when none stood in the days before; it is looked for this often.
_QUIET_DAYS = 91
_STEP_DAYS = 14
# Account-quarters that are lived again, of as many accounts at most.
_QUARTERS, _MOST_ACCOUNTS, _MOST_TIMES = 4_000, 2_500, 12
# With fewer accounts their own items say nothing of how often chance looks like a change.
_FEWEST_ACCOUNTS = 10
# Who was this clearly changed on a look back (seven to one) is no example of chance.
_CLEARLY = 2.0
_LOOK_BACK_DAYS, _LOOK_EVERY_DAYS = 540, 60
# Evidence of less than two to one is none, however rarely it occurs.
LEAST = float(np.log(2.0))
_MOST, _GRID = 8.0, 0.05
# Evidence below this speaks against a change, whatever others say of the customer.
_AGAINST = -0.5
_SEED = 20_261


@dataclass(frozen=True, slots=True)
class Watched:
    """Who is watched: accounts with so many paid items, and one due within the last ``due_within_days``."""

    least_paid: int = 4
    due_within_days: int = 180

    def accounts(self, seen: Observed, today: int) -> Flags:
        count = len(seen.accounts)
        paid = np.bincount(seen.account[seen.paid], minlength=count)
        recent = (seen.due <= today) & (today - seen.due <= self.due_within_days)
        due = np.bincount(seen.account[recent], minlength=count)
        return (paid >= self.least_paid) & (due >= 1)


def strength(total: Floats, leaning: Floats) -> Floats:
    """Log odds of a change by account: the evidence with what others say added; minus infinity where the
    payments themselves speak against a change."""
    return np.where(total > _AGAINST, total + leaning, -np.inf)


def threshold(
    seen: Observed, today: int, types: DelayTypes, rate: float, watched: Watched, leaning: Floats
) -> float:
    """The strength that at most ``rate`` of the watched accounts reaches in a quarter by chance.

    leaning: of each of ``seen.accounts``, see ``outside.leanings``; it is left as it is.
    With fewer than ten watched accounts, the bound that holds for any: log(1 / rate).
    """
    chosen = np.flatnonzero(watched.accounts(seen, today))
    if len(chosen) < _FEWEST_ACCOUNTS:
        return float(-np.log(rate))
    if len(chosen) > _MOST_ACCOUNTS:
        chosen = chosen[np.linspace(0, len(chosen) - 1, _MOST_ACCOUNTS).astype(np.int64)]
    own, calm = _unchanged(subset(seen, chosen), today, types)
    lean = leaning[chosen[calm]]
    times = int(np.clip(-(-_QUARTERS // len(chosen)), 1, _MOST_TIMES))
    rng = np.random.default_rng(_SEED)
    raised = [_lived_again(own, today, types, watched, lean, rng) for _ in range(times)]
    shares = np.mean(raised, axis=0)
    within = np.flatnonzero(shares <= rate)
    return float(_candidates()[within[0]]) if len(within) else _MOST


def _unchanged(own: Observed, today: int, types: DelayTypes) -> tuple[Observed, Ints]:
    """The accounts of which no look back says clearly that they have changed (all, should none be left),
    and their places in ``own``."""
    gone = _gone(own, today)
    most = np.full(len(own.accounts), -np.inf)
    for day in range(today - _LOOK_BACK_DAYS, today + 1, _LOOK_EVERY_DAYS):
        most = np.maximum(most, evidence(_seen_on(own, gone, day), day, types).total)
    calm = np.flatnonzero(most <= _CLEARLY)
    if not len(calm):
        return own, np.arange(len(own.accounts))
    return subset(own, calm), calm


def _gone(own: Observed, today: int) -> Flags:
    """Items that ended without a payment, on the day of their delay."""
    return ~own.paid & (own.delay < today - own.due)


def _candidates() -> Floats:
    return np.arange(LEAST, _MOST, _GRID)


def subset(seen: Observed, chosen: Ints) -> Observed:
    """The accounts at these places with their items."""
    place = np.full(len(seen.accounts), -1, dtype=np.int64)
    place[chosen] = np.arange(len(chosen))
    kept = place[seen.account] >= 0
    rows = {
        each.name: getattr(seen, each.name)[kept]
        for each in fields(seen)
        if each.name not in ("accounts", "account")
    }
    return Observed(accounts=seen.accounts[chosen], account=place[seen.account[kept]], **rows)


def _lived_again(
    own: Observed,
    today: int,
    types: DelayTypes,
    watched: Watched,
    leaning: Floats,
    rng: np.random.Generator,
) -> Floats:
    """Share of the accounts that raise an alarm in the last quarter, for each candidate."""
    dealt, gone = _dealt_anew(own, today, types, rng)
    days = range(today - QUARTER_DAYS - _QUIET_DAYS + _STEP_DAYS, today + 1, _STEP_DAYS)
    found = []
    is_watched = np.zeros(len(own.accounts), dtype=np.bool_)
    for day in days:
        seen = _seen_on(dealt, gone, day)
        of_day = watched.accounts(seen, day)
        strong = strength(evidence(seen, day, types).total, leaning)
        found.append(np.where(of_day, strong, -np.inf))
        is_watched |= of_day
    values = np.array(found)
    quarter = np.array(list(days)) > today - QUARTER_DAYS
    quiet = _QUIET_DAYS // _STEP_DAYS
    shares = [
        _raised(values > each, quarter, quiet)[is_watched].sum() / max(int(is_watched.sum()), 1)
        for each in _candidates().tolist()
    ]
    return np.array(shares)


def _raised(above: Flags, quarter: Flags, quiet: int) -> Flags:
    """Accounts that are above on a day of the quarter and were not on the looks before it: (accounts,)."""
    result = np.zeros(above.shape[1], dtype=np.bool_)
    for at in np.flatnonzero(quarter).tolist():
        result |= above[at] & ~above[max(0, at - quiet) : at].any(axis=0)
    return result


def _dealt_anew(
    own: Observed, today: int, types: DelayTypes, rng: np.random.Generator
) -> tuple[Observed, Flags]:
    """The items with their ends in another order within each account, and which of them end unpaid on the
    day of their delay. What is open ends as an item of its account's type would that is as old."""
    gone = _gone(own, today)
    belongs = types.by_account(own.account, len(own.accounts), own.delay, own.paid)
    share = np.cumsum(np.exp(belongs - log_sum(belongs, 1)[:, None]), axis=1)
    kind = (rng.random((len(share), 1)) > share[:, :-1]).sum(axis=1)[own.account]
    delay = np.where(own.paid | gone, own.delay, _later_end(types, kind, own.delay, rng))
    order = np.lexsort((rng.random(len(own)), own.account))
    dealt = replace(
        own,
        delay=delay[order],
        parted_at=own.parted_at[order],
        returned_at=own.returned_at[order],
        is_receipt=own.is_receipt[order],
    )
    return dealt, gone[order]


def _later_end(types: DelayTypes, kind: Ints, delay: Ints, rng: np.random.Generator) -> Ints:
    """A delay beyond ``delay`` drawn from each item's type."""
    chance = rng.random(len(kind))
    result = delay.copy()
    for each in range(len(types)):
        mine = np.flatnonzero(kind == each)
        later = np.exp(types.log_later[each])
        at = np.clip(delay[mine] - EARLIEST, 0, len(later) - 1)
        # later falls with the day: the first day on which less than the drawn part of it is left.
        left = np.searchsorted(-later, -chance[mine] * later[at], side="right") - 1
        result[mine] = np.maximum(left, at) + EARLIEST
    return result


def _seen_on(dealt: Observed, gone: Flags, day: int) -> Observed:
    """What would have been known of the items on the evening of ``day``."""
    age = day - dealt.due
    ended = dealt.delay <= age
    kept = (age >= 0) | ended
    seen = replace(dealt, delay=np.minimum(dealt.delay, age), paid=ended & ~gone)
    rows = {each.name: getattr(seen, each.name) for each in fields(seen) if each.name != "accounts"}
    return Observed(accounts=seen.accounts, **{name: values[kept] for name, values in rows.items()})
