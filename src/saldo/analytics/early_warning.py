"""Early warning: customers whose way of paying or ordering changes by more than chance explains.

``learn`` finds from a company's own items how its customers pay and how strong the evidence of a change must
be, so that no more than a stated share of unchanged accounts is warned of in a quarter; ``warnings`` then
says who is over it on a day. See docs/rules/early-warning.md.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl

from saldo.analytics.book import Book
from saldo.analytics.changes import CHANGES, evidence
from saldo.analytics.delay_types import DelayTypes, Ints, Observed, learn_types, observe
from saldo.analytics.outside import latest, leanings, usual_pd
from saldo.analytics.rhythm import order_spikes, silences
from saldo.analytics.warning_threshold import Watched, strength, threshold

DELAY, PARTS, RETURNED, SILENCE, ORDERS = "delay_drift", "part_payments", "returned", "silence", "order_spike"
WARNINGS: dict[str, pl.DataType] = {
    "account_id": pl.Int64(),
    "code": pl.String(),
    "since_date": pl.Date(),
    "size": pl.Float64(),
    "reasons": pl.String(),
}
# A further sign is told as a reason when the evidence for it alone is at least this (log of the odds).
_TOLD = 0.4


@dataclass(frozen=True, slots=True)
class WarningPolicy:
    """What a company asks of its warnings.

    false_alarms: share of unchanged accounts that may be warned of in a quarter, over all kinds together;
    shares: how it is dealt out among changes of payment, silence and orders. least_days: a drift counts from
    so many days beyond the usual delay.
    """

    false_alarms: float = 0.05
    shares: tuple[float, float, float] = (0.94, 0.03, 0.03)
    least_days: int = 7
    watched: Watched = field(default_factory=Watched)

    def __post_init__(self) -> None:
        if not 0 < self.false_alarms < 1 or sum(self.shares) > 1 + 1e-9 or min(self.shares) <= 0:
            raise ValueError(f"no rate of false alarms: {self.false_alarms} dealt out as {self.shares}")


@dataclass(frozen=True, slots=True)
class Learnt:
    """How the company's customers pay, and the log Bayes factor from which a change is warned of."""

    types: DelayTypes
    threshold: float

    def as_record(self) -> dict[str, Any]:
        """All of it as JSON values; ``from_record`` makes it again, to the last bit."""
        return {
            "threshold": self.threshold,
            "log_share": self.types.log_share.tolist(),
            "log_density": self.types.log_density.tolist(),
            "log_later": self.types.log_later.tolist(),
        }

    @staticmethod
    def from_record(record: Mapping[str, Any]) -> Learnt:
        """What ``as_record`` told."""
        names = ("log_share", "log_density", "log_later")
        types = DelayTypes(*(np.array(record[name], dtype=np.float64) for name in names))
        return Learnt(types, float(record["threshold"]))


def learn(
    book: Book, as_of: date, policy: WarningPolicy | None = None, outside: pl.DataFrame | None = None
) -> Learnt:
    """What was to be learnt by the evening of ``as_of``. The same facts give the same."""
    return _learn(observe(book, as_of), as_of, policy or WarningPolicy(), latest(outside, as_of))


def warnings(
    book: Book,
    as_of: date,
    policy: WarningPolicy | None = None,
    learnt: Learnt | None = None,
    outside: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """The warnings standing on the evening of ``as_of``, one row an account and code, columns of WARNINGS.

    size: the statistic over its threshold, at least 1. since_date: from when on the change is seen. reasons:
    JSON list of {"code", "params"}, strongest first. learnt: from an earlier day, to spare the learning
    (None: learns from what was known by ``as_of``). outside: what others say of the customers (OUTSIDE of
    ``outside``), which takes the place of some of the evidence, never of all. Facts known later change
    nothing.
    """
    policy = policy or WarningPolicy()
    seen = observe(book, as_of)
    opinions = latest(outside, as_of)
    learnt = learnt or _learn(seen, as_of, policy, opinions)
    _, silent, orders = (policy.false_alarms * share for share in policy.shares)
    found = [
        _payment_warnings(seen, as_of, learnt, policy, opinions),
        _silence_warnings(silences(book, as_of), silent),
        _order_warnings(order_spikes(book, as_of), orders),
    ]
    return pl.concat(found).sort("account_id", "code")


def _learn(seen: Observed, as_of: date, policy: WarningPolicy, opinions: pl.DataFrame) -> Learnt:
    types = learn_types(seen)
    rate = policy.false_alarms * policy.shares[0]
    lean = leanings(opinions, seen.accounts)
    return Learnt(types, threshold(seen, _number(as_of), types, rate, policy.watched, lean))


def _number(day: date) -> int:
    return (day - date(1970, 1, 1)).days


def _empty() -> pl.DataFrame:
    return pl.DataFrame(schema=WARNINGS)


def _payment_warnings(
    seen: Observed, as_of: date, learnt: Learnt, policy: WarningPolicy, opinions: pl.DataFrame
) -> pl.DataFrame:
    if not len(seen):
        return _empty()
    found = evidence(seen, _number(as_of), learnt.types)
    leaning = leanings(opinions, seen.accounts)
    strong = strength(found.total, leaning)
    over = np.flatnonzero((strong > learnt.threshold) & policy.watched.accounts(seen, _number(as_of)))
    if not len(over):
        return _empty()
    kinds = np.stack(found.means())[:, over]
    each = (found.delay + found.parted, found.parted, found.returned)
    best = np.stack([np.argmax(part[:, over], axis=0) for part in each])
    leads = np.argmax(kinds, axis=0)
    since_days = np.array([change.since_days for change in CHANGES])[best[leads, np.arange(len(over))]]
    facts = _facts(seen, over, since_days, as_of)
    told_outside = _opinions_told(opinions)
    rows = []
    for place, account in enumerate(over.tolist()):
        row = facts[place]
        lead = int(leads[place])
        if lead == 0 and row["late_recent"] <= row["usual_days"] + policy.least_days:
            continue
        order = sorted(range(3), key=lambda kind: -float(kinds[kind, place]))
        told = [kind for kind in order if kind == lead or kinds[kind, place] >= _TOLD]
        reasons = [reason for kind in told if (reason := _reason(kind, row)) is not None]
        if leaning[account] >= _TOLD:
            reasons.append({"code": "warning_outside", "params": told_outside[int(seen.accounts[account])]})
        size = float(strong[account] / learnt.threshold)
        since = as_of - timedelta(days=int(since_days[place]))
        code = (DELAY, PARTS, RETURNED)[lead]
        rows.append((int(seen.accounts[account]), code, since, size, json.dumps(reasons)))
    return pl.DataFrame(rows, schema=WARNINGS, orient="row")


def _facts(seen: Observed, over: Ints, since_days: Ints, as_of: date) -> list[dict[str, float]]:
    """Plain facts of the accounts at ``over``, in that order: of their items due since the change, and of
    those due in the two years before it."""
    place = np.full(len(seen.accounts), -1, dtype=np.int64)
    place[over] = np.arange(len(over))
    kept = place[seen.account] >= 0
    row = place[seen.account[kept]]
    ago = _number(as_of) - seen.due[kept]
    frame = pl.DataFrame(
        {
            "row": row,
            "ago": ago,
            "delay": seen.delay[kept],
            "paid": seen.paid[kept],
            "parted": seen.parted_at[kept] <= ago,
            "returned": seen.returned_at[kept] <= ago,
            "receipt": seen.is_receipt[kept],
            "recent": ago < since_days[row],
        }
    ).filter(pl.col("recent") | (pl.col("ago") < 730 + since_days.max()))
    new, old = pl.col("recent"), ~pl.col("recent")
    is_open = ~pl.col("paid") & (pl.col("delay") == pl.col("ago")) & (pl.col("ago") > 0)
    facts = frame.group_by("row").agg(
        items=new.sum(),
        recent_days=pl.col("delay").filter(new).median(),
        late_recent=pl.col("delay").filter(new).max().fill_null(-999),
        usual_items=old.sum(),
        usual_days=pl.col("delay").filter(old).median().fill_null(0.0),
        overdue_items=is_open.sum(),
        oldest_days=pl.col("ago").filter(is_open).max().fill_null(0),
        parted=(new & pl.col("parted")).sum(),
        parted_before=(old & pl.col("parted")).sum(),
        returned=(new & pl.col("returned")).sum(),
        returned_before=(old & pl.col("returned")).sum(),
        receipts=(new & pl.col("receipt")).sum(),
        receipts_before=(old & pl.col("receipt")).sum(),
    )
    return facts.sort("row").drop("row").to_dicts()


def _reason(kind: int, facts: dict[str, float]) -> dict[str, object] | None:
    """The reason of one kind of change with what it is about; None where nothing of it was seen."""
    names = {
        0: ("items", "recent_days", "usual_items", "usual_days", "overdue_items", "oldest_days"),
        1: ("parted", "items", "parted_before", "usual_items"),
        2: ("returned", "receipts", "returned_before", "receipts_before"),
    }[kind]
    if kind > 0 and not facts[names[0]]:
        return None
    return {
        "code": f"warning_{(DELAY, PARTS, RETURNED)[kind]}",
        "params": {name: facts[name] for name in names},
    }


def _opinions_told(opinions: pl.DataFrame) -> dict[int, dict[str, object]]:
    """The facts of each account's outside opinion."""
    usual = usual_pd(opinions)
    return {
        account: {"pd": round(pd, 4), "usual_pd": round(usual or 0.0, 4), "date": day.isoformat()}
        for account, day, pd in opinions.select("account_id", "known_date", "pd").iter_rows()
    }


def _silence_warnings(found: pl.DataFrame, rate: float) -> pl.DataFrame:
    limit = pl.lit(rate) / pl.col("per_quarter").clip(1.0)
    return _by_chance(found, SILENCE, limit, ("days", "usual_days", "past"))


def _order_warnings(found: pl.DataFrame, rate: float) -> pl.DataFrame:
    # The months that a quarter's looks see, and no more than the orders in it.
    limit = pl.lit(rate / 3)
    return _by_chance(found, ORDERS, limit, ("orders", "usual_orders", "largest_mills", "usual_mills"))


def _by_chance(found: pl.DataFrame, code: str, limit: pl.Expr, facts: tuple[str, ...]) -> pl.DataFrame:
    """Warnings where the chance is below the limit; size: ratio of their logarithms."""
    over = found.with_columns(limit=limit).filter(pl.col("chance") < pl.col("limit"))
    least = pl.col("chance").clip(1e-300)
    return over.select(
        "account_id",
        pl.lit(code).alias("code"),
        "since_date",
        (least.log() / pl.col("limit").log()).alias("size"),
        pl.Series(
            "reasons",
            [
                json.dumps([{"code": f"warning_{code}", "params": row}])
                for row in over.select(facts).to_dicts()
            ],
            dtype=pl.String,
        ),
    ).select(pl.col(name).cast(kind) for name, kind in WARNINGS.items())
