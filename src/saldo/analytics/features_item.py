"""What is known of an item by itself on a day: its size, its terms, its age, the calendar of its due date."""

from __future__ import annotations

import numpy as np
import polars as pl

from saldo.analytics.features_history import Floats

# Ten years: a date further away is a typing error, and would only stretch the scale.
SPAN_LIMIT_DAYS = 3650


def _days(later: pl.Expr, earlier: pl.Expr) -> pl.Expr:
    return (later - earlier).dt.total_days().clip(-SPAN_LIMIT_DAYS, SPAN_LIMIT_DAYS)


def item_features(own: pl.DataFrame, first_due: pl.Series) -> dict[str, Floats]:
    """Columns of ``own`` (as of book.balances) as numbers; ``first_due``: the due date agreed at first."""
    due, document, day = pl.col("due_date"), pl.col("document_date"), pl.col("as_of")
    units = pl.col("amount_mills").cast(pl.Float64).clip(lower_bound=0.0) / 1000.0
    used = 1.0 - pl.col("balance_mills") / pl.col("amount_mills").cast(pl.Float64)
    frame = own.with_columns(first_due.alias("_first_due")).select(
        amount=units,
        log_amount=(units + 1.0).log10(),
        terms_days=_days(due, document),
        days_past_due=_days(day, due),
        days_since_document=_days(day, document),
        extension_days=_days(due, pl.col("_first_due")),
        paid_share=pl.when(pl.col("amount_mills") > 0).then(used.clip(0.0, 1.0)),
        due_weekday=due.dt.weekday(),
        due_day=due.dt.day(),
        due_month=due.dt.month(),
        due_is_month_end=due == due.dt.month_end(),
        document_day=document.dt.day(),
    )
    return {name: frame[name].cast(pl.Float64).fill_null(np.nan).to_numpy() for name in frame.columns}
