"""What the companies sell: invoices, their installments and due dates, and the orders they come from.

Nothing here depends on how customers pay, so it is made once for the whole span of a world. A customer buys
nothing after its insolvency or after it was taken over.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cache

import numpy as np
import polars as pl
from numpy.typing import NDArray

from saldo.core.terms import parse_terms
from saldo.core.terms_model import due_dates
from saldo.simulation.draws import Draws
from saldo.simulation.world import days, tables
from saldo.simulation.world.parameters import Parameters, Size

Cents = NDArray[np.int64]
QUIET_FROM_DECEMBER = 24
CONDOMINIUM_WITHHOLDING = 4  # per cent of the taxable amount (art. 25-ter D.P.R. 600/1973)


@dataclass(frozen=True, slots=True)
class Sales:
    """Frames of the whole span, by day; ``installments`` has the columns of its schema only."""

    invoices: pl.DataFrame
    installments: pl.DataFrame
    orders: pl.DataFrame


def make_sales(
    p: Parameters,
    draws: Draws,
    size: Size,
    customers: pl.DataFrame,
    accounts: pl.DataFrame,
    first_day: int,
    last_day: int,
) -> Sales:
    """Invoices from ``first_day`` to ``last_day`` (both included)."""
    joined = accounts.join(customers, on="customer_id", how="left", maintain_order="left")
    counts = _invoice_counts(p, draws, size, joined, (last_day - first_day + 1) / 365.25)
    account = np.repeat(np.arange(accounts.height), counts)
    ordinal = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    day = _selling_day(p, draws, first_day, last_day, account, ordinal)
    until = _buys_until(joined)
    kept = day <= until[account]
    order = np.lexsort((ordinal[kept], account[kept], day[kept]))
    account, ordinal, day = account[kept][order], ordinal[kept][order], day[kept][order]
    invoices = _invoices(p, draws, joined, account, ordinal, day, first_day)
    installments = _installments(accounts, invoices, day)
    return Sales(invoices, installments, _orders(p, draws, invoices, accounts, until, last_day))


def _invoice_counts(
    p: Parameters, draws: Draws, size: Size, joined: pl.DataFrame, years: float
) -> NDArray[np.int64]:
    """Invoices of each account: with the root of its customer's size, on average what the size says."""
    parts = joined["terms_text"].replace_strict(
        {terms.text: len(parse_terms(terms.text).installments) for terms in p.terms}, return_dtype=pl.Int64
    )
    # Fewer and larger invoices where they are paid in installments: terms must not decide who buys more.
    weight = np.sqrt(joined["sales_share"].to_numpy() * size.customers)
    weight = weight / parts.to_numpy() / weight.sum()
    wanted = weight * size.installments_per_customer_year * size.customers * years
    whole = np.floor(wanted)
    ids = joined["account_id"].to_numpy()
    return (whole + draws.happens("sales/count", wanted - whole, ids)).astype(np.int64).clip(1)


def _selling_day(
    p: Parameters, draws: Draws, first: int, last: int, account: Cents, ordinal: Cents
) -> days.Days:
    every = np.arange(first, last + 1)
    months = days.month_of(every) % 12
    weights = np.asarray(p.sales.month_weights)[months]
    weights = weights * np.append(np.asarray(p.sales.weekday_weights), [0.0, 0.0])[days.weekday(every)]
    weights = weights * days.is_business(every)
    near_end = days.add_business(every, 2) > days.month_end(every)
    weights = weights * np.where(near_end, p.sales.month_end_factor, 1.0)
    quiet = (months == 11) & (every - days.month_start(days.month_of(every)) + 1 >= QUIET_FROM_DECEMBER)
    weights[quiet] = 0.0
    return every[draws.choice("sales/day", list(weights), account, ordinal)]


def _buys_until(joined: pl.DataFrame) -> days.Days:
    ends = joined.select(pl.min_horizontal("insolvency_date", "merged_date")).to_series()
    return ends.cast(pl.Int32).cast(pl.Int64).fill_null(days.NEVER).to_numpy() - 1


def _invoices(
    p: Parameters,
    draws: Draws,
    joined: pl.DataFrame,
    account: Cents,
    ordinal: Cents,
    day: days.Days,
    first_day: int,
) -> pl.DataFrame:
    base = joined[account]
    taxable = _taxable(p, draws, joined, base, account, ordinal)
    special, country = base["special"].to_numpy(), base["country"].to_numpy()
    rate = np.where(
        draws.happens("sales/reduced", p.sales.vat_reduced_share, account, ordinal)
        | (special == "condominium"),
        p.sales.vat_reduced_rate,
        p.sales.vat_rate,
    )
    rate = np.where(country == "IT", rate, 0.0)
    percent = np.round(rate * 100).astype(np.int64)
    vat = (taxable * percent + 50) // 100
    split = np.where(special == "public_body", vat, 0)
    withheld = np.where(special == "condominium", (taxable * CONDOMINIUM_WITHHOLDING + 50) // 100, 0)
    has_order = draws.happens("sales/order", p.sales.order_share, account, ordinal)
    order = draws.whole("sales/order number", 10_000, 99_999, account, ordinal)
    frame = pl.DataFrame(
        {
            "account_id": account, "company_id": base["company_id"], "day": day, "taxable_cents": taxable,
            "vat_cents": vat, "total_cents": taxable + vat, "vat_rate": rate, "split_vat_cents": split,
            "withholding_cents": withheld, "has_order": has_order, "order": order,
        }
    )  # fmt: skip
    return (
        frame.with_row_index("invoice_id")
        .with_columns(_number(first_day).alias("number"))
        .with_columns(
            pl.col("day").cast(pl.Int32).cast(pl.Date).alias("date"),
            pl.lit("invoice").alias("kind"),
            pl.when("has_order")
            .then(pl.format("ODA {}", "order"))
            .otherwise(pl.lit(""))
            .alias("order_number"),
            pl.lit(None).alias("related_id"),
            pl.lit("").alias("reason"),
        )
        .select([pl.col(name).cast(kind) for name, kind in tables.INVOICES.items()])
    )


def _taxable(
    p: Parameters, draws: Draws, joined: pl.DataFrame, base: pl.DataFrame, account: Cents, ordinal: Cents
) -> Cents:
    """Log-normal around the account's own mean, which goes with the square root of the customer's size."""
    weight = np.sqrt(joined["sales_share"].to_numpy() * joined["customer_id"].n_unique())
    parts = base["terms_text"].replace_strict(
        {terms.text: len(parse_terms(terms.text).installments) for terms in p.terms}, return_dtype=pl.Int64
    )
    mean = p.sales.mean_installment * parts.to_numpy() * weight[account]
    sigma = p.sales.log_sigma
    noise = np.exp(sigma * draws.normal("sales/amount", account, ordinal) - sigma * sigma / 2)
    return np.maximum(2_000, np.round(100 * mean * noise)).astype(np.int64)


def _number(first_day: int) -> pl.Expr:
    """Numbers run within each company and year in order of date, after those from before the world."""
    year = pl.col("day").cast(pl.Int32).cast(pl.Date).dt.year()
    ordinal = pl.int_range(1, pl.len() + 1).over("company_id", year)
    daily = pl.len().over("company_id") / (pl.col("day").max() - first_day + 1)
    begun = days.day_of(first_day)
    before = pl.when(year == begun.year).then((daily * (begun - date(begun.year, 1, 1)).days).floor())
    n = (ordinal + before.otherwise(0.0)).cast(pl.Int64)
    # In the Italian manner, and in that of a large ERP.
    short = pl.format("{}/{}", n, (year % 100).cast(pl.String).str.zfill(2))
    long = pl.format("9{}{}", (year % 100).cast(pl.String).str.zfill(2), n.cast(pl.String).str.zfill(7))
    return pl.when(pl.col("company_id") == 0).then(short).otherwise(long)


@cache
def _due_days(text: str, day: int) -> tuple[int, ...]:
    """Due days of the terms for an invoice of that day, as the product computes them."""
    parts = due_dates(parse_terms(text), days.day_of(day), 1_000_000)
    return tuple(days.number(due) for due, _ in parts)


def _installments(accounts: pl.DataFrame, invoices: pl.DataFrame, day: days.Days) -> pl.DataFrame:
    """Equal parts; the last one takes the cents that are left."""
    texts = accounts["terms_text"].to_list()
    account = invoices["account_id"].to_numpy()
    dues = [_due_days(texts[a], int(d)) for a, d in zip(account, day, strict=True)]
    parts = np.array([len(due) for due in dues], dtype=np.int64)
    invoice = np.repeat(np.arange(invoices.height), parts)
    no = np.arange(parts.sum()) - np.repeat(np.cumsum(parts) - parts, parts) + 1
    of = parts[invoice]
    total = invoices["total_cents"].to_numpy()
    cash = total - invoices["split_vat_cents"].to_numpy() - invoices["withholding_cents"].to_numpy()

    def share(amount: Cents) -> Cents:
        part = amount[invoice] // of
        return np.where(no == of, amount[invoice] - part * (of - 1), part)

    return pl.DataFrame(
        {
            "installment_id": np.arange(len(invoice)),
            "invoice_id": invoice,
            "account_id": account[invoice],
            "no": no,
            "due_date": pl.Series(
                np.concatenate([np.array(due) for due in dues]) if dues else [], dtype=pl.Int32
            ),
            "amount_cents": share(total),
            "cash_cents": share(cash),
        }
    ).select([pl.col(name).cast(kind) for name, kind in tables.INSTALLMENTS.items()])


def _orders(
    p: Parameters,
    draws: Draws,
    invoices: pl.DataFrame,
    accounts: pl.DataFrame,
    until: days.Days,
    last_day: int,
) -> pl.DataFrame:
    """The order behind each invoice that names one, and recent orders that are not invoiced yet.

    until: the last day on which each account buys."""
    frames = (_invoiced_orders(p, draws, invoices), _open_orders(p, draws, accounts, until, last_day))
    return (
        pl.concat(
            [frame.cast({"day": pl.Int32, "delivery": pl.Int32, "total_cents": pl.Int64}) for frame in frames]
        )
        .sort("day", "account_id", "number", "total_cents")
        .with_row_index("order_id")
        .with_columns(
            pl.col("day").cast(pl.Date).alias("date"), pl.col("delivery").cast(pl.Date).alias("delivery_date")
        )
        .select([pl.col(name).cast(kind) for name, kind in tables.ORDERS.items()])
    )


def _invoiced_orders(p: Parameters, draws: Draws, invoices: pl.DataFrame) -> pl.DataFrame:
    named = invoices.filter(pl.col("order_number") != "")
    ids = named["invoice_id"].to_numpy()
    invoiced = named["date"].cast(pl.Int32).to_numpy()
    ordered = days.next_business(invoiced - draws.whole("orders/lead", *p.sales.order_days, ids))
    return pl.DataFrame(
        {
            "account_id": named["account_id"], "number": named["order_number"],
            "day": np.minimum(ordered, invoiced), "delivery": invoiced,
            "total_cents": named["total_cents"], "invoice_id": named["invoice_id"],
        }
    )  # fmt: skip


def _open_orders(
    p: Parameters, draws: Draws, accounts: pl.DataFrame, until: days.Days, last_day: int
) -> pl.DataFrame:
    ids = np.flatnonzero(
        draws.happens("orders/open", p.sales.open_orders_share, accounts["account_id"].to_numpy())
    )
    placed = days.previous_business(last_day - draws.whole("orders/placed", 0, 25, ids))
    still = placed <= until[ids]
    ids, placed = ids[still], placed[still]
    amount = np.round(np.exp(11.9 + 0.8 * draws.normal("orders/amount", ids))).astype(np.int64)
    return pl.DataFrame(
        {
            "account_id": pl.Series(ids, dtype=pl.Int32),
            "number": [f"ODA {n}" for n in draws.whole("orders/number", 10_000, 99_999, ids)],
            "day": placed, "delivery": placed + draws.whole("orders/delivery", 5, 40, ids),
            "total_cents": amount, "invoice_id": pl.Series([None] * len(ids), dtype=pl.Int32),
        }
    )  # fmt: skip
