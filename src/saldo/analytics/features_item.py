"""What is known of an item by itself on a day: its size, its terms, its age, the calendar of its due date."""

from __future__ import annotations

import numpy as np
import polars as pl

from saldo.analytics.features_history import MILLS, Floats, ratio

# Ten years: a date further away is a typing error, and would only stretch the scale.
SPAN_LIMIT_DAYS = 3650


def _days(later: pl.Expr, earlier: pl.Expr) -> pl.Expr:
    return (later - earlier).dt.total_days().clip(-SPAN_LIMIT_DAYS, SPAN_LIMIT_DAYS)


def item_features(own: pl.DataFrame, first_due: pl.Series) -> dict[str, Floats]:
    """Columns of ``own`` (as of book.balances) as numbers; ``first_due``: the due date agreed at first."""
    due, document, day = pl.col("due_date"), pl.col("document_date"), pl.col("as_of")
    calendar = own.with_columns(first_due.alias("_first_due")).select(
        terms_days=_days(due, document),
        days_past_due=_days(day, due),
        days_since_document=_days(day, document),
        extension_days=_days(due, pl.col("_first_due")),
        due_weekday=due.dt.weekday(),
        due_day=due.dt.day(),
        due_month=due.dt.month(),
        due_is_month_end=due == due.dt.month_end(),
        document_day=document.dt.day(),
    )
    amount = own["amount_mills"].fill_null(0).clip(lower_bound=0).to_numpy()
    balance = own["balance_mills"].fill_null(0).clip(lower_bound=0).to_numpy()
    # By numpy: a division by Polars rounds differently where a column holds one value only.
    return {
        "amount": amount / MILLS,
        "log_amount": np.log10(amount / MILLS + 1.0),
        "paid_share": ratio(np.maximum(amount - balance, 0), amount),
        **{name: calendar[name].cast(pl.Float64).fill_null(np.nan).to_numpy() for name in calendar.columns},
    }
