"""The most that payments can tell of an insolvency in a simulated world, to judge the product's warnings by.

An observer who knows more than anybody could: of each customer its true way of paying (type and slowness),
with the delays that such customers have when nothing changes, learnt from the whole life of the world; and
the threshold that gives the stated rate of false alarms exactly, set on the truth. It sees the same payments
on the same evenings, and weighs them by the same changes.
"""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl

from saldo.analytics.book import Book
from saldo.analytics.changes import evidence
from saldo.analytics.delay_types import DelayTypes, Observed, learn_types, observe
from saldo.analytics.early_warning import WarningPolicy
from saldo.analytics.warning_threshold import subset
from saldo.simulation.forecast_trial.warning_trial import Counts, judge, look_days, looks_of
from saldo.simulation.world.tables import Tables

_SLOW = (0.86, 1.16)
_CANDIDATES = np.arange(-1.0, 6.0, 0.05)


def ceiling(world: Tables, book: Book, truth: pl.DataFrame, last: date, policy: WarningPolicy) -> Counts:
    """The counts of that observer over one world."""
    kinds = _kinds(world)
    types = _true_types(book, truth, kinds, last)
    days = look_days(book, last)
    accounts = np.sort(truth["account_id"].to_numpy())
    strength = np.full((len(days), len(accounts)), -np.inf)
    for at, day in enumerate(days):
        seen = observe(book, day)
        for kind, known in types.items():
            mine = np.flatnonzero(np.isin(seen.accounts, kinds[kind]))
            part = subset(seen, mine)
            found = evidence(part, (day - date(1970, 1, 1)).days, known).total
            strength[at, np.searchsorted(accounts, part.accounts)] = found
    watched = looks_of(book, days, accounts, policy)
    best = Counts()
    for limit in _CANDIDATES.tolist():
        best = judge(strength > limit, watched, days, truth, [{} for _ in days])
        if best.unchanged_raised <= policy.false_alarms * best.unchanged_quarters:
            break
    return best


def _kinds(world: Tables) -> dict[tuple[str, int, str], np.ndarray]:
    """Accounts by their true type, slowness and means of payment."""
    slow = pl.sum_horizontal(*((pl.col("slowness") > bound).cast(pl.Int32) for bound in _SLOW))
    customers = world.customers.select("customer_id", "paying_type", "slowness")
    keys = ("paying_type", "slow", "method")
    accounts = world.accounts.join(customers, on="customer_id").with_columns(slow=slow)
    found = accounts.group_by(keys).agg("account_id")
    return {
        (kind, int(level), method): np.array(ids, dtype=np.int64)
        for kind, level, method, ids in found.sort(keys).iter_rows()
    }


def _true_types(
    book: Book, truth: pl.DataFrame, kinds: dict[tuple[str, int, str], np.ndarray], last: date
) -> dict[tuple[str, int, str], DelayTypes]:
    """For each kind the delays of its accounts in which nothing ever changes."""
    calm = truth.filter(pl.col("insolvency_date").is_null() & pl.col("drift_from").is_null())["account_id"]
    seen = observe(book, last)
    found = {}
    for kind, ids in kinds.items():
        mine = np.flatnonzero(np.isin(seen.accounts, ids) & np.isin(seen.accounts, calm.to_numpy()))
        found[kind] = learn_types(_as_one(subset(seen, mine)))
    return found


def _as_one(seen: Observed) -> Observed:
    """All items as those of one account, so that one type is learnt of them."""
    return Observed(
        accounts=np.zeros(1, dtype=np.int64), account=np.zeros(len(seen), dtype=np.int64), due=seen.due,
        delay=seen.delay, paid=seen.paid, parted_at=seen.parted_at, returned_at=seen.returned_at,
        is_receipt=seen.is_receipt,
    )  # fmt: skip
