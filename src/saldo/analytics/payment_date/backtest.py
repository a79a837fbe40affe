"""The protocol: every rung, asked about days after those it was fitted on, and judged by what came.

Rolling origin: each rung is fitted again at each quarter of the test span on what was known then, and asked
about the documents of the quarter, each on the eve of its date, and about the open book, week by week. Which
rung is promoted was chosen before the span, by the same protocol inside of what was known then
(``promotion``). Formulas: docs/rules/payment-forecast.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from saldo.analytics.book import Book
from saldo.analytics.curves import DAILY, Curves, paid_within
from saldo.analytics.leak_audit import book_leaks, without
from saldo.analytics.payment_date import scoring
from saldo.analytics.payment_date.bayes import EMPIRICAL_BAYES
from saldo.analytics.payment_date.evaluation import METRICS, Score, judge, score
from saldo.analytics.payment_date.ladder import NAMES, POINTS, rung
from saldo.analytics.payment_date.questions import (
    SHARE_DAYS,
    Asked,
    Cash,
    at_issue,
    cash_of,
    open_book,
)
from saldo.analytics.payment_date.rungs import Fitted
from saldo.core.errors import SaldoError

Floats = npt.NDArray[np.float64]

MOST_ISSUED, MOST_OPEN = 20_000, 60_000
# Beyond so many items a rung is fitted at most so many times: it takes minutes, and the book is large enough.
MANY_ITEMS, FEW_FOLDS = 10_000, 3
# Where items are still open at the end, documents are judged that are at least this much older.
SIGHT_DAYS = 120
# The open book is asked about every week, of a long span or a large book every four.
ORIGIN_DAYS, MOST_ORIGINS = 7, 60


@dataclass(frozen=True)
class Span:
    """cuts: the evening on which each fold is fitted; last: last document judged; end: of the data."""

    cuts: tuple[date, ...]
    last: date
    end: date

    @property
    def first(self) -> date:
        return self.cuts[0] + timedelta(days=1)

    @property
    def origins(self) -> list[date]:
        """The evenings on which the open book is asked about, with four weeks to see after each."""
        until = min(self.last, self.end - timedelta(days=28))
        count = max((until - self.cuts[0]).days // ORIGIN_DAYS + 1, 0)
        step = ORIGIN_DAYS * max(1, -(-count // MOST_ORIGINS))
        return [
            self.cuts[0] + timedelta(days=day)
            for day in range(0, max((until - self.cuts[0]).days, 0) + 1, step)
        ]


def _quarter(day: date) -> date:
    return date(day.year, 3 * ((day.month - 1) // 3) + 1, 1)


def _next_quarter(day: date) -> date:
    return _quarter(_quarter(day) + timedelta(days=100))


def last_known(book: Book) -> date | None:
    """The last day of which the book tells anything."""
    days = [frame["known_date"].max() for frame in (book.items, book.ends)]
    known = [day for day in days if isinstance(day, date)]
    return max(known) if known else None


def span_of(book: Book, first: date | None = None, last: date | None = None, end: date | None = None) -> Span:
    """By default the last half of the documents' time, from the quarter nearest to its middle.

    Raises ValueError("too_short") where there is no time before it or in it.
    """
    end = end or last_known(book)
    documents = book.items["document_date"]
    begin, finish = documents.min(), documents.max()
    if end is None or not isinstance(begin, date) or not isinstance(finish, date):
        raise ValueError("too_short")
    begin = max(begin, book.known_from or begin)
    if last is None:
        last = min(finish, end)
        if _open_share(book, end) > 0.005 and (end - begin).days > 3 * SIGHT_DAYS:
            last = min(last, end - timedelta(days=SIGHT_DAYS))
    if first is None:
        middle = begin + (last - begin) / 2
        before, after = _quarter(middle), _next_quarter(middle)
        first = before if middle - before <= after - middle else after
        if not begin < first <= last or (last - begin).days < 180:
            first = middle
    if not begin < first <= last:
        raise ValueError("too_short")
    cuts = [first]
    while (following := _next_quarter(cuts[-1])) <= last:
        cuts.append(following)
    if len(book.items) > MANY_ITEMS:
        cuts = cuts[:: -(-len(cuts) // FEW_FOLDS)]
    return Span(tuple(cut - timedelta(days=1) for cut in cuts), last, end)


def _open_share(book: Book, end: date) -> float:
    """Share of the items known by ``end`` of which nothing was known to be settled by then."""
    known = book.items.filter(pl.col("known_date") <= end)
    ended = book.ends.filter(pl.col("known_date") <= end)
    return len(known.join(ended, on="item_id", how="anti")) / max(len(known), 1)


@dataclass(frozen=True)
class Trial:
    """The questions of a span and the outcomes."""

    span: Span
    issued: Asked
    opened: Asked
    cash: Cash


def trial_of(book: Book, span: Span) -> Trial:
    issued = at_issue(book, list(span.cuts), span.last, span.end, MOST_ISSUED)
    opened = open_book(book, list(span.cuts), span.origins, span.end, MOST_OPEN)
    return Trial(span, issued, opened, cash_of(book, opened, span.end))


@dataclass(frozen=True)
class Answers:
    """The curves of a rung for all questions of a trial; fitted: the rung of the last fold."""

    issued: Curves
    opened: Curves
    fitted: Fitted


def answers(name: str, book: Book, trial: Trial) -> Answers | str:
    """The curves of a rung, fitted at each cut-off; or why it could not be fitted (a code)."""
    issued: list[tuple[Any, Curves]] = []
    opened: list[tuple[Any, Curves]] = []
    fitted: Fitted | None = None
    for number, cut in enumerate(trial.span.cuts):
        try:
            fitted = rung(name).fit(book.known_by(cut), cut)
        except ValueError as error:
            return str(error)
        except SaldoError as error:
            return error.code
        for asked, found in ((trial.issued, issued), (trial.opened, opened)):
            rows = asked.of_fold(number)
            if len(rows):
                found.append((rows, _asked(fitted, book, asked, rows)))
    assert fitted is not None
    return Answers(_joined(issued, len(trial.issued)), _joined(opened, len(trial.opened)), fitted)


def _asked(fitted: Fitted, book: Book, asked: Asked, rows: npt.NDArray[np.int64]) -> Curves:
    features = asked.features[rows]
    by_features: Callable[[Book, pl.DataFrame], Curves] | None = getattr(fitted, "curves_of", None)
    if by_features is not None:
        return by_features(book, features)
    return fitted.curves(book, features.select("item_id", "as_of"))


def _joined(parts: Sequence[tuple[npt.NDArray[np.int64], Curves]], size: int) -> Curves:
    """The curves of all folds in the order of the questions, on the days of the first."""
    if not parts:
        return Curves(DAILY, np.zeros((size, len(DAILY)), dtype=np.float32))
    days = parts[0][1].days
    paid = np.zeros((size, len(days)), dtype=np.float32)
    has_gone = any(curves.gone is not None for _, curves in parts)
    gone = np.zeros_like(paid) if has_gone else None
    for rows, curves in parts:
        same = len(curves.days) == len(days) and bool((curves.days == days).all())
        paid[rows] = curves.paid if same else paid_within(curves, days)
        if gone is not None and curves.gone is not None:
            moved = Curves(curves.days, curves.gone)
            gone[rows] = curves.gone if same else paid_within(moved, days)
    return Curves(days, paid, gone)


@dataclass(frozen=True)
class BacktestReport:
    """What a backtest found. promoted: the rung chosen before the span; why: code and params of the reason.

    differences: of the promoted rung's loss (CRPS at issue) to each other rung's, paired. left_out: rungs
    that could not be fitted, with the code of why. leaks: columns that tell the outcome, left out of all.
    """

    promoted: str
    why: dict[str, Any]
    rungs: tuple[Score, ...]
    differences: dict[str, dict[str, float | bool]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    leaks: tuple[dict[str, Any], ...] = ()
    items: int = 0
    accounts: int = 0
    open_questions: int = 0
    first: date | None = None
    last: date | None = None
    end: date | None = None
    folds: int = 0
    calibration: dict[str, list[dict[str, float | int]]] = field(default_factory=dict)
    drift: list[dict[str, Any]] = field(default_factory=list)

    def of(self, name: str) -> Score:
        """The row of one rung. Raises KeyError where it was not fitted."""
        return {one.name: one for one in self.rungs}[name]

    def as_json(self) -> dict[str, Any]:
        return {
            "promoted": self.promoted, "why": self.why,
            "rungs": [one.as_json() for one in self.rungs] + [
                {"name": name, **dict.fromkeys(METRICS), "left_out": code}
                for name, code in self.left_out.items()
            ],
            "differences": self.differences, "leaks": list(self.leaks), "items": self.items,
            "accounts": self.accounts, "open_questions": self.open_questions,
            "from": _iso(self.first), "to": _iso(self.last), "end": _iso(self.end), "folds": self.folds,
            "calibration": self.calibration, "drift": self.drift,
        }  # fmt: skip


def fallback(names: Sequence[str]) -> str:
    """Without a comparison: what says something when it knows nothing, else the simplest."""
    return EMPIRICAL_BAYES if EMPIRICAL_BAYES in names else names[0]


def _iso(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def without_leaks(book: Book, as_of: date) -> tuple[Book, tuple[dict[str, Any], ...]]:
    """The book without the columns that tell the outcome, doubtful ones too, and what was found of each."""
    found = book_leaks(book, as_of)
    listed = tuple({**one.as_json(), "excluded": one.column in book.extra} for one in found)
    return without(book, [one.column for one in found]), listed


def backtest(
    book: Book,
    first: date | None = None,
    last: date | None = None,
    names: Sequence[str] = NAMES,
    seed: int = 0,
) -> BacktestReport:
    """The report of ``names`` on ``book`` over documents from ``first`` to ``last`` (default: the last half).

    A book too short or too small for any trial gives a report without measures, and the simplest rung.
    """
    from saldo.analytics.payment_date.promotion import choose

    end = last_known(book)
    if end is None:
        return BacktestReport(fallback(names), {"code": "rung_nothing_known", "params": {}}, ())
    book, leaks = without_leaks(book, end)
    try:
        span = span_of(book, first, last)
    except ValueError:
        params = {"items": len(book.items)}
        return BacktestReport(
            names[0], {"code": "rung_too_short", "params": params}, (), leaks=leaks, end=end
        )
    choice = choose(book.known_by(span.cuts[0]), span.cuts[0], names)
    return _report(book, trial_of(book, span), names, choice.name, choice.why, leaks)


def _report(
    book: Book,
    trial: Trial,
    names: Sequence[str],
    promoted: str,
    why: dict[str, Any],
    leaks: tuple[dict[str, Any], ...],
) -> BacktestReport:
    rows, losses, left_out = [], {}, {}
    calibration: dict[str, list[dict[str, float | int]]] = {}
    drift: list[dict[str, Any]] = []
    for name in names:
        said = answers(name, book, trial)
        if isinstance(said, str):
            left_out[name] = said
            continue
        row, judged = score(
            name, name in POINTS, trial.issued, said.issued, trial.opened, said.opened, trial.cash
        )
        rows.append(row)
        losses[name] = judged.loss
        if name == promoted:
            calibration, drift = _reliability(said.opened, trial.opened), _drift(said.issued, trial.issued)
    kept = ~trial.issued.is_gone
    accounts = trial.issued.accounts[kept]
    return BacktestReport(
        promoted, why, tuple(rows),
        differences={
            name: scoring.paired_difference(losses[promoted][kept], loss[kept], accounts).as_json()
            for name, loss in losses.items()
            if name != promoted and promoted in losses
        },
        left_out=left_out, leaks=leaks, items=int(kept.sum()), accounts=len(np.unique(accounts)),
        open_questions=len(trial.opened), first=trial.span.first, last=trial.span.last, end=trial.span.end,
        folds=len(trial.span.cuts), calibration=calibration, drift=drift,
    )  # fmt: skip


def _reliability(curves: Curves, asked: Asked) -> dict[str, list[dict[str, float | int]]]:
    """Forecast and observed shares of the open book within each horizon, in bins of equal count."""
    found = {}
    for place, days in enumerate(SHARE_DAYS):
        seen = np.flatnonzero(np.isfinite(asked.shares[:, place]))
        if len(seen):
            bins = scoring.reliability(
                asked.shares[seen, place], paid_within(curves.rows(seen), [days])[:, 0]
            )
            found[str(days)] = [
                {"forecast": float(f), "observed": float(o), "items": int(n)}
                for f, o, n in zip(bins.forecast, bins.observed, bins.count, strict=True)
            ]
    return found


def _drift(curves: Curves, asked: Asked) -> list[dict[str, Any]]:
    """Month by month of the document: delays, share paid within 30 days, and the forecast of it."""
    place = SHARE_DAYS.index(30)
    delay = np.where(np.isfinite(asked.days), asked.days - asked.due_in, np.nan)
    frame = asked.features.select(month=pl.col("document_date").dt.strftime("%Y-%m")).with_columns(
        delay=pl.Series(delay).fill_nan(None),
        late=pl.Series((asked.days > asked.due_in).astype(np.float64)),
        paid=pl.Series(asked.shares[:, place]).fill_nan(None),
        forecast=pl.Series(paid_within(curves, [30])[:, 0]),
    )
    months = frame.group_by("month").agg(
        pl.col("delay").median().alias("median_delay_days"),
        pl.col("late").mean().alias("late_share"),
        pl.col("paid").mean().alias("paid_30_share"),
        pl.col("forecast").mean().alias("forecast_30_share"),
        pl.len().alias("items"),
    )
    return months.sort("month").to_dicts()


def losses(name: str, book: Book, trial: Trial) -> Floats | str:
    """CRPS, as far as it can be seen, of a rung on the questions at issue and then those of the open book."""
    said = answers(name, book, trial)
    if isinstance(said, str):
        return said
    return np.concatenate([judge(said.issued, trial.issued).loss, judge(said.opened, trial.opened).loss])
