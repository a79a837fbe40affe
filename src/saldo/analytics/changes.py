"""Whether an account's payments have changed: how much better a change explains them than none.

The evidence is a Bayes factor: the likelihood of the account's items if, from some day on, they are paid
later and later (or later by so much, or in parts, or come back), against their likelihood if nothing changed,
averaged over the days and sizes that a change could have. Under no change a Bayes factor reaches c at any
time with probability 1/c at most (Ville's inequality), which is the threshold where nothing better is known.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from saldo.analytics.delay_types import EARLIEST, LATEST, DelayTypes, Flags, Floats, Ints, Observed, log_sum


@dataclass(frozen=True, slots=True)
class Change:
    """A change that began ``since_days`` ago: delays have grown by extra_days until now, evenly if
    ``is_gradual``, else at once."""

    since_days: int
    extra_days: int
    is_gradual: bool

    def part(self, due_ago: Ints) -> Floats:
        """How far the change had come for items due so many days ago: 0 before it, 1 now."""
        if not self.is_gradual:
            return np.where(due_ago < self.since_days, 1.0, 0.0)
        return np.clip((self.since_days - due_ago) / self.since_days, 0.0, 1.0)


CHANGES: tuple[Change, ...] = (
    *(Change(since, extra, True) for since in (90, 150, 240) for extra in (25, 60, 110)),
    *(Change(100, extra, False) for extra in (25, 60)),
)
RECENT_DAYS = max(change.since_days for change in CHANGES)
# At the height of a change this share more of the items is paid in parts, or comes back.
RISE = 0.35
_FULL_RISE_DAYS = 80
# A part payment says something only of what is late.
LATE_DAYS = 10
# Base rates of part payments and returns that an account may have.
_BASE_RATES: Floats = np.array([0.001, 0.003, 0.01, 0.02, 0.04, 0.08, 0.15, 0.25, 0.4])
_RATE_ROUNDS = 30
# Weight of returns beside delays in the evidence about those who pay by receipts: the bank collects on the
# day or not at all, so that a drift shows in what comes back.
_RETURNS_WEIGHT = 0.7


@dataclass(frozen=True, slots=True)
class Evidence:
    """Log Bayes factors, (changes, accounts), for a change in delays, in part payments and in returns.
    total: that of any change, (accounts,)."""

    delay: Floats
    parted: Floats
    returned: Floats
    total: Floats

    def means(self) -> tuple[Floats, Floats, Floats]:
        """The evidence of each kind alone, averaged over the changes: three of (accounts,)."""
        count = np.log(len(CHANGES))
        return (
            log_sum(self.delay, 0) - count,
            log_sum(self.parted, 0) - count,
            log_sum(self.returned, 0) - count,
        )


def evidence(seen: Observed, today: int, types: DelayTypes) -> Evidence:
    """The evidence about each of ``seen.accounts`` on day ``today`` (since 1970)."""
    ago = today - seen.due
    delay = _delay_evidence(seen, ago, types)
    parted = _rate_evidence(seen, ago, seen.parted_at <= ago, ~seen.is_receipt & (seen.delay > LATE_DAYS))
    returned = _rate_evidence(seen, ago, seen.returned_at <= ago, seen.is_receipt)
    receipts = np.bincount(seen.account[seen.is_receipt & (ago <= RECENT_DAYS)], minlength=len(seen.accounts))
    weight = np.where(receipts > 0, _RETURNS_WEIGHT, 1e-9)
    count = np.log(len(CHANGES))
    total = np.logaddexp(
        log_sum(delay + parted, 0) - count + np.log1p(-weight),
        log_sum(returned, 0) - count + np.log(weight),
    )
    return Evidence(delay, parted, returned, total)


def _delay_evidence(seen: Observed, ago: Ints, types: DelayTypes) -> Floats:
    accounts = len(seen.accounts)
    unchanged = types.by_account(seen.account, accounts, seen.delay, seen.paid)
    before = log_sum(unchanged, 1)
    recent = ago <= RECENT_DAYS
    account, delay, paid, since = seen.account[recent], seen.delay[recent], seen.paid[recent], ago[recent]
    base = types.each(delay, paid)
    result = np.empty((len(CHANGES), accounts))
    for row, change in enumerate(CHANGES):
        shifted = np.rint(delay - change.extra_days * change.part(since)).astype(np.int64)
        at = np.clip(shifted, EARLIEST, LATEST) - EARLIEST
        changed = unchanged.copy()
        for kind in range(len(types)):
            after = np.where(paid, types.log_density[kind, at], types.log_later[kind, at])
            changed[:, kind] += np.bincount(account, weights=after - base[kind], minlength=accounts)
        result[row] = log_sum(changed, 1) - before
    return result


def _rate_evidence(seen: Observed, ago: Ints, marked: Flags, used: Flags) -> Floats:
    """Evidence that the share of ``marked`` items among the ``used`` ones has risen. Each account has a base
    rate of its own; how usual each rate is, is learnt from all accounts."""
    accounts = len(seen.accounts)
    result = np.zeros((len(CHANGES), accounts))
    if not used.any():
        return result
    account, hit, since = seen.account[used], marked[used], ago[used]
    tries = np.bincount(account, minlength=accounts)
    hits = np.bincount(account, weights=hit, minlength=accounts)
    likelihood = hits[:, None] * np.log(_BASE_RATES) + (tries - hits)[:, None] * np.log1p(-_BASE_RATES)
    unchanged = likelihood + np.log(_usual_rates(likelihood[tries > 0]))
    before = log_sum(unchanged, 1)
    recent = since <= RECENT_DAYS
    account, hit, since = account[recent], hit[recent], since[recent]
    for row, change in enumerate(CHANGES):
        rise = RISE * change.part(since) * min(1.0, change.extra_days / _FULL_RISE_DAYS)
        changed = unchanged.copy()
        for at, rate in enumerate(_BASE_RATES.tolist()):
            risen = np.minimum(rate + rise, 0.95)
            gain = np.where(hit, np.log(risen / rate), np.log1p(-risen) - np.log1p(-rate))
            changed[:, at] += np.bincount(account, weights=gain, minlength=accounts)
        result[row] = log_sum(changed, 1) - before
    return result


def _usual_rates(likelihood: Floats) -> Floats:
    """How usual each base rate is among accounts with this log likelihood under each: (rates,)."""
    share = np.full(len(_BASE_RATES), 1.0 / len(_BASE_RATES))
    for _ in range(_RATE_ROUNDS):
        each = likelihood + np.log(share)
        belongs = np.exp(each - log_sum(each, 1)[:, None])
        share = (belongs.sum(axis=0) + 0.1) / (len(belongs) + 0.1 * len(share))
    return share
