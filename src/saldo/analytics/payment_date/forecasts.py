"""Curves -> the figures of each open item: chances, the expected date and its interval, and their basis."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
import polars as pl

from saldo.analytics.book import Book
from saldo.analytics.curves import Curves, Floats, days_until, gone_within, paid_within
from saldo.analytics.features import features_at
from saldo.analytics.payment_date.empirical_bayes import (
    HORIZONS,
    LOWER,
    NO_DATE_IN_HORIZON,
    ROLL_DAYS,
    UPPER,
    Z80,
)
from saldo.analytics.payment_date.evaluation import given_paid
from saldo.analytics.payment_date.pieces import ages
from saldo.analytics.payment_date.rungs import Fitted
from saldo.core.priors import DelayPrior, default_priors

# The columns of an item that its figures stand beside.
OWN = (
    "item_id", "as_of", "account_id", "customer_id", "segment", "currency", "document_date", "due_date",
    "balance_mills",
)  # fmt: skip


# Rungs that say the same of every customer.
ACCOUNT_BLIND = ("due_date", "pooled_km")


@runtime_checkable
class _FromFeatures(Protocol):
    """A rung that needs nothing but features: they are computed once for its curves and its facts."""

    def curves_of(self, book: Book, features: pl.DataFrame) -> Curves: ...


def item_forecasts(
    fitted: Fitted, book: Book, landmarks: pl.DataFrame, model_version: str = ""
) -> tuple[Curves, pl.DataFrame]:
    """The curves of ``landmarks`` and their figures (``forecast_frame``), rows in their order.

    ``book`` may be cut to the landmarks' accounts: the figures are the same, but for ``rung``, which tells
    how much is known of segment and portfolio too.
    """
    features = features_at(book, landmarks)
    return figures_of(fitted, book, features, model_version)


def figures_of(
    fitted: Fitted, book: Book, features: pl.DataFrame, model_version: str = ""
) -> tuple[Curves, pl.DataFrame]:
    """``item_forecasts`` of landmarks whose ``features`` are known already."""
    if isinstance(fitted, _FromFeatures):
        curves = fitted.curves_of(book, features)
    else:
        curves = fitted.curves(book, features.select("item_id", "as_of"))
    frame = forecast_frame(curves, features, book, model_version)
    if fitted.name in ACCOUNT_BLIND:
        above = pl.when(pl.col("rung") == "insufficient").then("rung").otherwise(pl.lit("portfolio"))
        frame = frame.with_columns(above.alias("rung"))
    return curves, frame


def forecast_frame(
    curves: Curves, features: pl.DataFrame, book: Book, model_version: str = ""
) -> pl.DataFrame:
    """OWN and FORECAST_SCHEMA of ``empirical_bayes`` of each landmark, in their order.

    features: ``features_at`` of the landmarks that the curves are of. p7 ... p90: share of the balance paid
    within so many days of as_of. p_over_90: neither paid nor credited 90 days past due (1 when it already is
    that old). p30_low/high: 80% interval of p30 itself, by the account's paid items and those that the
    stated prior is worth. expected_date: the median, null with its reason beyond the horizon; low_date and
    high_date: the 80% interval. These days are of what is paid: what is credited or written off has none.
    """
    prior = default_priors().delay
    shares = paid_within(curves, HORIZONS)
    p30_low, p30_high = _band(shares[:, 1], features["paid_count"].fill_null(0.0).to_numpy(), prior)
    dated = given_paid(curves)
    middle = days_until(dated, 0.5)
    known = pl.col("paid_count").fill_null(0).cast(pl.UInt32)
    return features.select(
        *OWN,
        *(pl.Series(f"p{days}", shares[:, place]) for place, days in enumerate(HORIZONS)),
        pl.Series("p_over_90", _rolls(curves, features)),
        pl.Series("p30_low", p30_low),
        pl.Series("p30_high", p30_high),
        _date(middle, "expected_date"),
        pl.when(pl.Series(np.isinf(middle))).then(pl.lit(NO_DATE_IN_HORIZON)).alias("expected_date_reason"),
        _date(days_until(dated, LOWER), "low_date"),
        _date(days_until(dated, UPPER), "high_date"),
        known.alias("n_history"),
        pl.col("delay_median").cast(pl.Float64).alias("median_delay_days"),
        pl.col("delay_mean").cast(pl.Float64).alias("mean_delay_days"),
        _levels(features, book, prior),
        pl.lit(model_version).alias("model_version"),
    )


def _rolls(curves: Curves, features: pl.DataFrame) -> Floats:
    """Share still open on the evening it is ROLL_DAYS past due; what is older already is there."""
    left = ROLL_DAYS - ages(features)
    asked = np.maximum(left, 0)[:, None]
    ended = (paid_within(curves, asked) + gone_within(curves, asked))[:, 0]
    result: Floats = np.where(left <= 0, 1.0, np.clip(1.0 - ended, 0.0, 1.0))
    return result


def _band(share: Floats, paid_items: Floats, prior: DelayPrior) -> tuple[Floats, Floats]:
    """80% interval of a probability: normal on the log-odds scale, half an item added on either side."""
    evidence = paid_items + prior.strength_invoices
    yes, no = evidence * share + 0.5, evidence * (1.0 - share) + 0.5
    center, width = np.log(yes / no), Z80 * np.sqrt(1.0 / yes + 1.0 / no)
    low, high = 1 / (1 + np.exp(width - center)), 1 / (1 + np.exp(-width - center))
    return np.minimum(low, share), np.maximum(high, share)


def _date(days: Floats, name: str) -> pl.Expr:
    """The day so many days after as_of, rounded up: its evening is when the share is reached."""
    whole = pl.Series(np.ceil(np.where(np.isinf(days), np.nan, days))).fill_nan(None).cast(pl.Int64)
    return (pl.col("as_of") + pl.duration(days=pl.lit(whole))).cast(pl.Date).alias(name)


def _levels(features: pl.DataFrame, book: Book, prior: DelayPrior) -> pl.Series:
    """rung: the level whose history carries the forecast: account, segment, portfolio or insufficient."""
    if features.is_empty():
        return pl.Series("rung", [], dtype=pl.String)
    last = features["as_of"].max()
    ended = book.ends.filter((pl.col("cause") == "paid") & (pl.col("known_date") <= last))
    paid = book.items.select("item_id", "segment").join(ended, on="item_id", how="semi")
    segments = paid.group_by("segment").agg(pl.len().alias("segment_paid"))
    level = (
        pl.when(pl.lit(len(paid)) < prior.portfolio_minimum).then(pl.lit("insufficient"))
        .when(pl.col("paid_count").fill_null(0) >= prior.account_minimum).then(pl.lit("account"))
        .when(pl.col("segment").is_not_null() & (pl.col("segment_paid") >= prior.segment_minimum))
        .then(pl.lit("segment"))
        .otherwise(pl.lit("portfolio"))
    )  # fmt: skip
    placed = features.select("segment", "paid_count").join(
        segments, on="segment", how="left", nulls_equal=True, maintain_order="left"
    )
    return placed.select(level.alias("rung")).to_series()
