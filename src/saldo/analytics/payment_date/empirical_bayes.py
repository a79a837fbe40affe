"""When each open item will be paid: a distribution of the payment date, given that it is not paid yet.

The estimate is the empirical-Bayes delay distribution of ``saldo.analytics.delays``: account -> segment ->
portfolio -> stated prior. Formula, source and worked example: docs/rules/payment-forecast.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from saldo.analytics.payment_date import delays
from saldo.analytics.payment_date.delays import Counts, Floats, Hierarchy, Ints
from saldo.core.priors import DelayPrior, default_priors

MODEL_VERSION = "payment-date-eb-1"
HORIZONS = (7, 30, 60, 90)
ROLL_DAYS = 90
# The quantiles of an 80% interval, and the normal quantile between them.
LOWER, UPPER, Z80 = 0.1, 0.9, 1.2815515655446004

NO_DATE_IN_HORIZON = "beyond_horizon"

FORECAST_SCHEMA: dict[str, pl.DataType] = {
    **{f"p{days}": pl.Float64() for days in HORIZONS},
    "p_over_90": pl.Float64(),
    "p30_low": pl.Float64(),
    "p30_high": pl.Float64(),
    "expected_date": pl.Date(),
    "expected_date_reason": pl.Utf8(),
    "low_date": pl.Date(),
    "high_date": pl.Date(),
    "n_history": pl.UInt32(),
    "median_delay_days": pl.Float64(),
    "mean_delay_days": pl.Float64(),
    "rung": pl.Utf8(),
    "model_version": pl.Utf8(),
}


@dataclass(frozen=True, slots=True)
class DelayModel:
    """Curves of log P(still open) by days past due, as known at ``as_of``.

    curves: one row per group: row 0 the portfolio, then segments, then accounts. ``evidence`` is the number
    of invoices, real (weighted by age) and assumed, behind each row. ``accounts`` (account_id, account_row,
    n_history, median_delay_days, mean_delay_days), ``segments`` (segment, segment_row, segment_paid).
    """

    as_of: date
    curves: Floats
    evidence: Floats
    accounts: pl.DataFrame
    segments: pl.DataFrame
    portfolio_paid: int
    segment_strength: float
    shape_strength: float
    prior: DelayPrior


def _days_past_due(column: str) -> pl.Expr:
    return (pl.col(column) - pl.col("due_date")).dt.total_days()


def _check_history(history: pl.DataFrame, as_of: date) -> None:
    """The history must be cut at ``as_of`` by the caller; a fact from later would be a leak."""
    for column in ("paid_date", "document_date"):
        latest = history[column].max()
        if isinstance(latest, date) and latest > as_of:
            raise ValueError(f"history has a {column} of {latest}, after as_of {as_of}: it was not cut")
    if history["due_date"].null_count():
        raise ValueError("history has installments without a due date: derive it from their terms first")


def _training_rows(
    history: pl.DataFrame, as_of: date, half_life_days: float, known_from: date | None
) -> pl.DataFrame:
    """One row per usable installment: account_id, segment, entry, exit (days past due), is_paid, weight.

    Before ``known_from`` only what stayed open is known, so nobody is at risk before it (left truncation).
    Items closed without a known cause tell nothing about payment and are left out. Weights fall with the age
    of the document, never of the payment: weighting by payment day would favor those already paid.
    """
    age = (pl.lit(as_of) - pl.coalesce("document_date", "due_date")).dt.total_days().clip(lower_bound=0)
    is_paid = pl.col("paid_date").is_not_null()
    exit_days = pl.when(is_paid).then(_days_past_due("paid_date")).otherwise(
        (pl.lit(as_of) - pl.col("due_date")).dt.total_days()
    )  # fmt: skip
    entry = _days_past_due("document_date").fill_null(delays.FIRST_DAY)
    usable = history.filter(~pl.col("closed_unknown"))
    if known_from is not None:
        entry = pl.max_horizontal(entry, (pl.lit(known_from) - pl.col("due_date")).dt.total_days())
        usable = usable.filter(pl.col("paid_date").is_null() | (pl.col("paid_date") >= known_from))
    return usable.select(
        "account_id",
        "segment",
        entry.alias("entry"),
        exit_days.alias("exit"),
        is_paid.alias("is_paid"),
        (-age * (np.log(2.0) / half_life_days)).exp().alias("weight"),
    )


def _account_table(rows: pl.DataFrame) -> pl.DataFrame:
    """Each account of the training rows with its segment and what its paid invoices say, sorted by id."""
    paid_delay = pl.col("exit").filter("is_paid")
    return (
        rows.group_by("account_id")
        .agg(
            pl.col("segment").drop_nulls().max(),
            pl.col("is_paid").sum().cast(pl.UInt32).alias("n_history"),
            paid_delay.median().alias("median_delay_days"),
            paid_delay.mean().alias("mean_delay_days"),
        )
        .sort("account_id")
    )


def _codes(rows: pl.DataFrame, table: pl.DataFrame, key: str) -> Ints:
    """Position in ``table`` of the key of each row (null matches null)."""
    numbered = table.select(key).with_row_index("_position")
    joined = rows.select(key).join(numbered, on=key, how="left", nulls_equal=True, maintain_order="left")
    return joined["_position"].to_numpy().astype(np.int64)


def _evidence(levels: Hierarchy, accounts: Counts, segment_of: Ints, prior: DelayPrior) -> Floats:
    """Invoices behind each curve: paid ones, weighted by age, and what the levels above are worth."""
    own = accounts.paid.sum(axis=1)
    by_segment = np.bincount(segment_of, weights=own, minlength=len(levels.segments))
    portfolio = np.array([prior.strength_invoices + own.sum()])
    # Knowing a level well says no more of a single account than accounts are alike.
    unseen = np.minimum(levels.likeness, np.concatenate([portfolio, portfolio + by_segment]))
    return np.concatenate([unseen, unseen[1:][segment_of] + own])


def fit(
    history: pl.DataFrame, as_of: date, prior: DelayPrior | None = None, known_from: date | None = None
) -> DelayModel:
    """Estimate the delay distributions from what was known at ``as_of``.

    history: one row per installment known at ``as_of``, the open ones included: account_id, segment (Utf8?),
    document_date (Date?), due_date (Date), paid_date (Date?, null = open, censored at ``as_of``),
    closed_unknown (Boolean). Other columns are ignored. known_from: first day from which payments are known
    (24 months of closed items: the day they begin). Raises ValueError if a date is after ``as_of``.

    With fewer paid invoices than the stated minimum every curve is the stated prior: a list of open items
    alone holds only what was not paid, and would teach that nobody pays.
    """
    prior = prior or default_priors().delay
    _check_history(history, as_of)
    rows = _training_rows(history, as_of, prior.half_life_days, known_from)
    accounts = _account_table(rows)
    segments = (
        accounts.group_by("segment").agg(pl.col("n_history").sum().alias("segment_paid")).sort("segment")
    )
    portfolio_paid = int(accounts["n_history"].sum())
    is_sufficient = portfolio_paid >= prior.portfolio_minimum
    counts = delays.count(
        _codes(rows, accounts, "account_id"),
        rows["entry"].to_numpy().astype(np.int64),
        rows["exit"].to_numpy().astype(np.int64),
        rows["is_paid"].to_numpy(),
        rows["weight"].to_numpy() if is_sufficient else np.zeros(len(rows)),
        len(accounts),
    )
    segment_of = _codes(accounts, segments, "segment")
    levels = (
        delays.estimate(counts, segment_of, len(segments), prior)
        if is_sufficient
        else delays.prior_only(len(accounts), len(segments), prior)
    )
    stacked = np.concatenate([levels.portfolio, levels.segments, levels.accounts])
    return DelayModel(
        as_of=as_of,
        curves=delays.log_open_at_edges(stacked),
        evidence=_evidence(levels, counts, segment_of, prior),
        accounts=accounts.drop("segment").with_row_index("account_row", offset=1 + len(segments)),
        segments=segments.with_row_index("segment_row", offset=1),
        portfolio_paid=portfolio_paid,
        segment_strength=levels.segment_strength,
        shape_strength=levels.shape_strength,
        prior=prior,
    )


@dataclass(frozen=True, slots=True)
class Ages:
    """Where each open item stands: the row of its curve, its age (days past due) and log P(open so long)."""

    row: Ints
    age: Ints
    log_open: Floats


def _with_rows(model: DelayModel, open_items: pl.DataFrame) -> pl.DataFrame:
    """The open items, in their order, with curve_row, account facts and rung."""
    prior = model.prior
    rung = (
        pl.when(pl.lit(model.portfolio_paid) < prior.portfolio_minimum).then(pl.lit("insufficient"))
        .when(pl.col("n_history") >= prior.account_minimum).then(pl.lit("account"))
        .when((pl.col("segment_paid") >= prior.segment_minimum) & pl.col("segment").is_not_null())
        .then(pl.lit("segment"))
        .otherwise(pl.lit("portfolio"))
    )  # fmt: skip
    return (
        open_items.select("account_id", "segment", "due_date")
        .join(model.accounts, on="account_id", how="left", maintain_order="left")
        .join(model.segments, on="segment", how="left", nulls_equal=True, maintain_order="left")
        .with_columns(pl.col("n_history").fill_null(0), pl.col("segment_paid").fill_null(0))
        .with_columns(
            pl.coalesce("account_row", "segment_row", pl.lit(0)).cast(pl.Int64).alias("curve_row"),
            (pl.lit(model.as_of) - pl.col("due_date")).dt.total_days().alias("age"),
            rung.alias("rung"),
        )
    )


def _ages(model: DelayModel, placed: pl.DataFrame) -> Ages:
    row, age = placed["curve_row"].to_numpy(), placed["age"].to_numpy().astype(np.int64)
    return Ages(row, age, delays.log_open(model.curves, row, age))


def _paid_within(model: DelayModel, items: Ages, days: int) -> Floats:
    later = delays.log_open(model.curves, items.row, items.age + days)
    return np.clip(-np.expm1(later - items.log_open), 0.0, 1.0)


def paid_within(model: DelayModel, open_items: pl.DataFrame, days: Sequence[int]) -> Floats:
    """P(paid within each of ``days`` from as_of | open at as_of); one row per item, one column per day."""
    items = _ages(model, _with_rows(model, open_items))
    return np.stack([_paid_within(model, items, n) for n in days], axis=1)


def _days_until(model: DelayModel, items: Ages, share: float) -> Ints:
    """First number of days from as_of within which at least ``share`` is paid; horizon + 1 if beyond it."""
    low = np.zeros(len(items.age), dtype=np.int64)
    high = np.full(len(items.age), model.prior.horizon_days + 1, dtype=np.int64)
    target = items.log_open + np.log1p(-share)
    while np.any(high - low > 1):
        middle = (low + high) // 2
        reached = delays.log_open(model.curves, items.row, items.age + middle) <= target + 1e-12
        high, low = np.where(reached, middle, high), np.where(reached, low, middle)
    return high


def _dates(model: DelayModel, days: Ints, name: str) -> pl.Series:
    frame = pl.DataFrame({"days": days})
    expression = pl.lit(model.as_of) + pl.duration(days=pl.col("days"))
    inside = pl.when(pl.col("days") <= model.prior.horizon_days).then(expression)
    return frame.select(inside.cast(pl.Date).alias(name)).to_series()


def _band(share: Floats, evidence: Floats) -> tuple[Floats, Floats]:
    """80% interval of a probability known from ``evidence`` invoices.

    Normal on the log-odds scale, with the half invoice on either side of Haldane and Anscombe.
    """
    yes, no = evidence * share + 0.5, evidence * (1.0 - share) + 0.5
    center, width = np.log(yes / no), Z80 * np.sqrt(1.0 / yes + 1.0 / no)
    low, high = 1 / (1 + np.exp(width - center)), 1 / (1 + np.exp(-width - center))
    return np.minimum(low, share), np.maximum(high, share)


def forecast(model: DelayModel, open_items: pl.DataFrame) -> pl.DataFrame:
    """The open items with the columns of FORECAST_SCHEMA, in their order.

    open_items: account_id, segment (Utf8?), due_date (Date, required), any other column is kept.
    p7 ... p90: paid within so many days of as_of. p_over_90: still open 90 days past due (1 when it already
    is). p30_low/high: 80% interval of p30 itself, wide where little is known. expected_date: median; null,
    with expected_date_reason, when less than half is paid within the horizon. low_date/high_date: 80%
    interval of the date, null = beyond the horizon. rung: the level whose invoices carry the forecast;
    "insufficient" = the stated prior. Raises ValueError on an item without a due date.
    """
    if open_items["due_date"].null_count():
        raise ValueError("open items without a due date: derive it from their terms first")
    placed = _with_rows(model, open_items)
    items = _ages(model, placed)
    shares = {days: _paid_within(model, items, days) for days in HORIZONS}
    roll = delays.log_open(model.curves, items.row, np.maximum(items.age, ROLL_DAYS))
    p30_low, p30_high = _band(shares[30], model.evidence[items.row])
    middle = _days_until(model, items, 0.5)
    beyond = pl.Series(middle > model.prior.horizon_days)
    return open_items.with_columns(
        *(pl.Series(f"p{days}", shares[days]) for days in HORIZONS),
        pl.Series("p_over_90", np.clip(np.exp(roll - items.log_open), 0.0, 1.0)),
        pl.Series("p30_low", p30_low),
        pl.Series("p30_high", p30_high),
        _dates(model, middle, "expected_date"),
        pl.when(beyond).then(pl.lit(NO_DATE_IN_HORIZON)).alias("expected_date_reason"),
        _dates(model, _days_until(model, items, LOWER), "low_date"),
        _dates(model, _days_until(model, items, UPPER), "high_date"),
        *(placed[name] for name in ("n_history", "median_delay_days", "mean_delay_days", "rung")),
        pl.lit(MODEL_VERSION).alias("model_version"),
    )


def payment_forecast(
    history: pl.DataFrame,
    open_items: pl.DataFrame,
    as_of: date,
    prior: DelayPrior | None = None,
    known_from: date | None = None,
) -> pl.DataFrame:
    """``forecast`` of ``open_items`` by a model fitted on ``history``, both as known at ``as_of``."""
    return forecast(fit(history, as_of, prior, known_from), open_items)
