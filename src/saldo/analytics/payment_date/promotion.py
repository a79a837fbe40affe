"""Which rung is used: the cold start, unless one is better than it beyond the error of the comparison.

A rolling backtest inside of what is known compares the rungs on the same questions. The best has the least
mean loss (CRPS in days, at issue and of the open book). A rung is good enough if its loss is not above the
best one's by more than one standard error of the paired difference, by bootstrap of customers (the
one-standard-error rule of Breiman and others 1984). The cold start (empirical Bayes) stays if it is good
enough, since it knows something of every account from the first invoice; else the simplest that is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np

from saldo.analytics.book import Book
from saldo.analytics.leak_audit import without
from saldo.analytics.payment_date import backtest as protocol
from saldo.analytics.payment_date import scoring
from saldo.analytics.payment_date.backtest import BacktestReport
from saldo.analytics.payment_date.ladder import NAMES, rung
from saldo.analytics.payment_date.rungs import Fitted
from saldo.core.errors import SaldoError

# Fewer items judged compare nothing: what stands on a stated prior stays.
LEAST_ITEMS = 200
ERRORS = 1.0


@dataclass(frozen=True)
class Choice:
    """name: the rung promoted; why: code and params of the reason; losses: mean loss of each, in days."""

    name: str
    why: dict[str, Any]
    losses: dict[str, float] = field(default_factory=dict)


def choose(book: Book, as_of: date, names: Sequence[str] = NAMES) -> Choice:
    """The rung to use of what is known on the evening of ``as_of``; ``names`` simplest first."""
    try:
        span = protocol.span_of(book, end=as_of, last=_last_document(book, as_of))
    except ValueError:
        return Choice(
            protocol.fallback(names), {"code": "rung_too_short", "params": {"items": len(book.items)}}
        )
    trial = protocol.trial_of(book, span)
    kept = np.concatenate([~trial.issued.is_gone, ~trial.opened.is_gone])
    items = int((~trial.issued.is_gone).sum())
    if items < LEAST_ITEMS:
        return Choice(
            protocol.fallback(names),
            {"code": "rung_too_few", "params": {"items": items, "least": LEAST_ITEMS}},
        )
    found = {name: protocol.losses(name, book, trial) for name in names}
    losses = {name: loss[kept] for name, loss in found.items() if not isinstance(loss, str)}
    accounts = np.concatenate([trial.issued.accounts, trial.opened.accounts])[kept]
    return _simplest(losses, accounts, items)


def _last_document(book: Book, as_of: date) -> date | None:
    last = book.items["document_date"].max()
    return min(last, as_of) if isinstance(last, date) else None


def _simplest(losses: dict[str, scoring.Floats], accounts: scoring.Ints, items: int) -> Choice:
    means = {name: float(loss.mean()) for name, loss in losses.items()}
    best = min(means, key=lambda name: means[name])
    start = protocol.fallback(list(losses))
    for name in (start, *(each for each in losses if each != start)):
        loss = losses[name]
        gap = scoring.paired_difference(loss, losses[best], accounts)
        error = max(gap.error, gap.error_by_row) if name != best else 0.0
        if name == best or not np.isfinite(error) or gap.mean <= ERRORS * error:
            params: dict[str, Any] = {
                "rung": name, "loss": round(means[name], 3), "best": best, "best_loss": round(means[best], 3),
                "gap": round(gap.mean, 3), "error": round(error, 3) if np.isfinite(error) else None,
                "items": items,
            }  # fmt: skip
            return Choice(
                name, {"code": "rung_best" if name == best else "rung_simplest", "params": params}, means
            )
    raise AssertionError("the best rung is not worse than itself")


@dataclass(frozen=True)
class Trained:
    """fitted: the rung to use, on all that is known; report: how it and the others did."""

    fitted: Fitted
    report: BacktestReport


def train(book: Book, as_of: date, names: Sequence[str] = NAMES) -> Trained:
    """The backtest of what is known on the evening of ``as_of``; the promoted rung fitted on all of it."""
    known = book.known_by(as_of)
    report = protocol.backtest(known, names=names)
    clean = without(known, [leak["feature"] for leak in report.leaks])
    for name in (report.promoted, *reversed(names[: names.index(report.promoted)])):
        try:
            return Trained(rung(name).fit(clean, as_of), report)
        except (ValueError, SaldoError):
            continue
    raise AssertionError("the simplest rung can always be fitted")
