"""One item's forecast on opening it: the whole curve, the reasons and the plain facts behind them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from statistics import median
from typing import Any

import numpy as np
import polars as pl

from saldo.analytics.book import LANDMARKS, PAID, Book, balances, open_on
from saldo.analytics.curves import DAILY
from saldo.core.context import Context
from saldo.flows.books import gather_book
from saldo.flows.item_reasons import reasons_of_item
from saldo.flows.score_portfolio import fitted_model
from saldo.identity.model_versions import ModelRow, model_version
from saldo.identity.models import DayRun
from saldo.risk.queries import StoredForecast, stored_forecast

RECENT_INVOICES = 10


@dataclass(frozen=True, slots=True)
class ItemForecast:
    """What is expected of an item on the evening of ``as_of``.

    paid: share of the balance expected to be paid by the evening of as_of + each of ``days``. reasons: up to
    three {code, params}, strongest first, params["days"] is how much later the item is paid for it. facts:
    paid_invoices, median_delay_days, recent_median_delay_days (of the last RECENT_INVOICES; None without
    any), open_mills, overdue_mills, overdue_items, of the account in the item's currency.
    """

    item_id: int
    account_id: int
    as_of: date
    days: tuple[int, ...]
    paid: tuple[float, ...]
    p7: float
    p30: float
    p60: float
    p90: float
    p_over_90: float | None
    expected_date: date | None
    low_date: date | None
    high_date: date | None
    rung: str
    reasons: list[dict[str, Any]]
    facts: dict[str, Any]
    model: ModelRow | None


def forecast_of_item(ctx: Context, run: DayRun, account_id: int, item_id: int) -> ItemForecast | None:
    """The forecast of an open item as the day run stored it; None where the run knows no such item.

    The caller has checked that the actor sees the account.
    """
    stored = stored_forecast(run.id, account_id, item_id)
    if stored is None:
        return None
    then = replace(ctx, as_of=run.as_of, known_at=run.known_at, company_id=run.company_id)
    book = gather_book(then, [account_id])
    model = None if stored.model_version_id is None else model_version(stored.model_version_id)
    asked = pl.DataFrame({"item_id": [item_id], "as_of": [run.as_of]}, schema=LANDMARKS)
    days, paid = _curve(stored, model, book, asked)
    why = stored.reasons
    if why is None:
        why = reasons_of_item(model, book, item_id, run.as_of)
    return ItemForecast(
        item_id, account_id, run.as_of, days, paid, stored.p7, stored.p30,
        stored.p60, stored.p90, stored.p_over_90, stored.expected_date, stored.low_date, stored.high_date,
        stored.rung, why, account_facts(book, run.as_of, item_id), model,
    )  # fmt: skip


def _curve(
    stored: StoredForecast, model: ModelRow | None, book: Book, asked: pl.DataFrame
) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Days after as_of and the share paid by each, by the model that the run used."""
    if model is None or not model.content_hash:
        return tuple(DAILY.tolist()), tuple(_through(stored, asked["as_of"][0]).tolist())
    curves = fitted_model(model.id).curves(book, asked)
    return tuple(curves.days.tolist()), tuple(curves.paid[0].astype(float).tolist())


def _through(stored: StoredForecast, as_of: date) -> np.ndarray:
    """A curve through the figures that were stored, where their model keeps no file."""
    points = {0: 0.0, 7: stored.p7, 30: stored.p30, 60: stored.p60, 90: stored.p90}
    for day, share in ((stored.low_date, 0.1), (stored.expected_date, 0.5), (stored.high_date, 0.9)):
        if day is not None:
            points.setdefault((day - as_of).days, share)
    days = sorted(points)
    shares = np.maximum.accumulate([points[day] for day in days])
    return np.interp(DAILY, days, shares)


def account_facts(book: Book, as_of: date, item_id: int) -> dict[str, Any]:
    """The plain facts of an item's account, in the item's currency."""
    (currency,) = book.items.filter(pl.col("item_id") == item_id)["currency"].to_list()
    own = book.items.filter(pl.col("currency") == currency)
    asked = balances(book, open_on(book, as_of)).filter(pl.col("currency") == currency)
    late = asked.filter(pl.col("due_date") < as_of)
    delays = _delays(book, own, as_of)
    return {
        "currency": currency,
        "paid_invoices": len(delays),
        "median_delay_days": float(median(delays)) if delays else None,
        "recent_median_delay_days": float(median(delays[-RECENT_INVOICES:])) if delays else None,
        "open_mills": int(asked["balance_mills"].sum()),
        "overdue_mills": int(late["balance_mills"].sum()),
        "overdue_items": late.height,
    }


def _delays(book: Book, items: pl.DataFrame, as_of: date) -> list[int]:
    """Days from due to the last payment of each item that was settled with a payment, by settlement."""
    ended = book.ends.group_by("item_id").agg(
        pl.col("amount_mills").sum().alias("ended_mills"),
        pl.col("end_date").filter(pl.col("cause") == PAID).max().alias("paid_date"),
    )
    settled = items.join(ended, on="item_id").filter(
        (pl.col("ended_mills") >= pl.col("amount_mills")) & pl.col("paid_date").is_not_null()
    )
    asked = settled.select("item_id", pl.lit(as_of).alias("as_of")).cast(dict(LANDMARKS))
    due = balances(book, asked).select("item_id", "due_date")
    late = (pl.col("paid_date") - pl.col("due_date")).dt.total_days()
    return (
        settled.drop("due_date")
        .join(due, on="item_id")
        .sort("paid_date", "item_id")
        .select(late)
        .to_series()
        .to_list()
    )
