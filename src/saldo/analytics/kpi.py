"""The indicators of ``saldo.core.kpi`` from frames, by currency: different currencies never add up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl

from saldo.core import kpi
from saldo.core.kpi import BUCKETS, SALES_DAYS, Kpi


@dataclass(frozen=True, slots=True)
class CurrencyKpis:
    """Totals and indicators of one currency, as of one day. Amounts in mills."""

    currency: str
    open_mills: int
    credits_mills: int
    net_mills: int
    overdue_mills: int
    buckets: dict[str, int]
    sales_mills: int | None
    indicators: dict[str, Kpi]


def _days_past_due(as_of: date) -> pl.Expr:
    return (pl.lit(as_of) - pl.col("due_date")).dt.total_days()


def aging_buckets(open_items: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """currency, bucket, balance_mills of the debits of ``open_items`` (currency, due_date, balance_mills)."""
    days = _days_past_due(as_of)
    bucket = (
        pl.when(days <= 0).then(pl.lit(BUCKETS[0])).when(days <= 30).then(pl.lit(BUCKETS[1]))
        .when(days <= 60).then(pl.lit(BUCKETS[2])).when(days <= 90).then(pl.lit(BUCKETS[3]))
        .otherwise(pl.lit(BUCKETS[4]))
    )  # fmt: skip
    debits = open_items.filter(pl.col("balance_mills") > 0)
    return debits.group_by("currency", bucket.alias("bucket")).agg(pl.col("balance_mills").sum())


def trailing_sales(documents: pl.DataFrame, as_of: date, known_from: date | None) -> dict[str, int] | None:
    """Sales of the 90 days up to ``as_of``, incl. VAT and net of credit notes, by currency.

    documents: currency, document_date, amount_mills (signed: credit notes negative; payments left out; VAT
    under split payment taken off). ``known_from``: first day from which every document, paid ones too, is
    known. None if that does not cover the 90 days: a list of open items alone does not say what was sold.
    """
    start = as_of - timedelta(days=SALES_DAYS - 1)
    if known_from is None or known_from > start:
        return None
    period = documents.filter(pl.col("document_date").is_between(start, as_of))
    return dict(period.group_by("currency").agg(pl.col("amount_mills").sum()).iter_rows())


def invoice_to_cash(history: pl.DataFrame, since: date, as_of: date) -> dict[str, Kpi]:
    """Value-weighted days from document to payment of what was paid from ``since`` to ``as_of``, by currency.

    history: currency, document_date, paid_date, amount_mills, closed_unknown (those are left out).
    """
    in_period = pl.col("paid_date").is_between(since, as_of)
    paid = history.filter(in_period & ~pl.col("closed_unknown") & (pl.col("amount_mills") > 0))
    days = (pl.col("paid_date") - pl.col("document_date")).dt.total_days()
    # 128-bit: mills times days of a large ledger can pass 64 bits.
    weighted = (pl.col("amount_mills").cast(pl.Int128) * days).sum().cast(pl.Utf8)
    sums = paid.group_by("currency").agg(weighted.alias("mill_days"), pl.col("amount_mills").sum())
    return {
        currency: kpi.invoice_to_cash_of_sums(int(mill_days), total)
        for currency, mill_days, total in sums.sort("currency").iter_rows()
    }


def portfolio_kpis(
    open_items: pl.DataFrame, as_of: date, sales: dict[str, int] | None
) -> dict[str, CurrencyKpis]:  # fmt: skip
    """Totals, aging and indicators of each currency of ``open_items``.

    open_items: currency, due_date, balance_mills (signed: credits negative). sales: of ``trailing_sales``.
    """
    buckets = aging_buckets(open_items, as_of)
    credits = (
        open_items.filter(pl.col("balance_mills") < 0)
        .group_by("currency")
        .agg((-pl.col("balance_mills")).sum())
    )
    credit_of = dict(credits.iter_rows())
    result = {}
    for currency in sorted(open_items["currency"].unique().to_list()):
        own = buckets.filter(pl.col("currency") == currency).select("bucket", "balance_mills")
        amounts = {**dict.fromkeys(BUCKETS, 0), **dict(own.iter_rows())}
        sold = None if sales is None else sales.get(currency, 0)
        result[currency] = _of_currency(currency, amounts, credit_of.get(currency, 0), sold)
    return result


def _of_currency(
    currency: str, buckets: dict[str, int], credits_mills: int, sales: int | None
) -> CurrencyKpis:  # fmt: skip
    total, current = sum(buckets.values()), buckets[BUCKETS[0]]
    indicators = (
        kpi.dso(total, sales),
        kpi.best_possible_dso(current, sales),
        kpi.average_days_delinquent(total, current, sales),
        kpi.overdue_share(total - current, total),
    )
    return CurrencyKpis(
        currency=currency,
        open_mills=total,
        credits_mills=credits_mills,
        net_mills=total - credits_mills,
        overdue_mills=total - current,
        buckets=buckets,
        sales_mills=sales,
        indicators={indicator.code: indicator for indicator in indicators},
    )
