"""A company of a simulated world as a Book: what its ERP, its banks and its office would have told, no more.

Outcomes (who failed, and when) stand apart in functions of their own: they judge, and are never input.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl

from saldo.analytics.book import (
    CONTACTS,
    CREDITED,
    DISPUTES,
    ENDS,
    ITEMS,
    ORDERS,
    PAID,
    PROMISES,
    RETURNED,
    WRITTEN_OFF,
    Book,
)
from saldo.analytics.outside import outside_view
from saldo.simulation.world.tables import Tables

MILLS_PER_CENT = 10
_CAUSES = {"payment": PAID, "credit": CREDITED, "write_off": WRITTEN_OFF, "return": RETURNED}


def world_tables(folder: Path | str) -> Tables:
    """The tables of a written world: ``folder`` as given to ``saldo world write --to``."""
    truth = Path(folder) / "truth"
    return Tables(**{name: pl.read_parquet(truth / f"{name}.parquet") for name in Tables.__annotations__})


def world_book(world: Tables | Path | str, company: str | None = None) -> Book:
    """What was known of the items of ``company`` (its code; None: of all companies together).

    Ids are those of the world (item_id = installment_id). segment is the customer's sector. Money was known
    on the day on which the ERP booked it; a promise on all of the account's items has no item_id, one on a
    single item has it. Raises ValueError for a company that the world does not have.
    """
    t = world if isinstance(world, Tables) else world_tables(world)
    accounts = _accounts(t, company)
    items = _items(t, accounts)
    return Book(
        items=items,
        ends=_ends(t, items),
        promises=_promises(t, accounts),
        disputes=_disputes(t, items),
        contacts=_select(
            t.messages.join(accounts.select("account_id"), on="account_id", how="semi"),
            CONTACTS,
            known_date="sent_date",
        ),
        orders=_select(
            t.orders.join(accounts.select("account_id"), on="account_id", how="semi").with_columns(
                amount_mills=pl.col("total_cents") * MILLS_PER_CENT
            ),
            ORDERS,
            known_date="date",
        ),
    )


def insolvencies(world: Tables | Path | str, company: str | None = None) -> pl.DataFrame:
    """Truth of each account: account_id, customer_id, insolvency_date (null: never), drift_from, drift_to,
    recovered_date, paying_type. A customer with a drift_from and no insolvency_date recovers."""
    t = world if isinstance(world, Tables) else world_tables(world)
    wanted = ("insolvency_date", "drift_from", "drift_to", "recovered_date", "paying_type")
    return (
        _accounts(t, company)
        .select("account_id", "customer_id")
        .join(t.customers.select("customer_id", *wanted), on="customer_id", how="left")
        .sort("account_id")
        .cast({"account_id": pl.Int64, "customer_id": pl.Int64})
    )


def outside_opinions(world: Tables | Path | str, company: str | None = None) -> pl.DataFrame:
    """What rating agencies say of each account's customer: OUTSIDE of ``analytics.outside``."""
    t = world if isinstance(world, Tables) else world_tables(world)
    told = t.ratings.select(
        "customer_id", "pd", agency="provider", value="rating", rating_date="rated_date"
    ).cast({"customer_id": pl.Int64})
    return outside_view(_accounts(t, company), told)


def settled_dates(book: Book) -> pl.DataFrame:
    """Truth of each item: item_id, settled_date (the effective day on which its balance came to nothing for
    good; null: open at the end of the world), cause (of what took most of it off, a rounding aside)."""
    ends = book.ends.join(book.items.select("item_id", "amount_mills"), on="item_id", suffix="_item")
    running = ends.sort("item_id", "end_date", "known_date", maintain_order=True).with_columns(
        left=pl.col("amount_mills_item") - pl.col("amount_mills").cum_sum().over("item_id")
    )
    last = running.group_by("item_id", maintain_order=True).last().filter(pl.col("left") <= 0)
    most = (
        book.ends.filter(pl.col("cause") != RETURNED)
        .group_by("item_id", "cause", maintain_order=True)
        .agg(pl.col("amount_mills").sum())
        .sort("item_id", "amount_mills", "cause")
        .group_by("item_id", maintain_order=True)
        .agg(pl.col("cause").last())
    )
    closed = last.select("item_id", settled_date="end_date").join(most, on="item_id", how="left")
    return book.items.select("item_id").join(closed, on="item_id", how="left", maintain_order="left")


def last_day(world: Tables | Path | str) -> date:
    """The last day of which the world knows."""
    t = world if isinstance(world, Tables) else world_tables(world)
    days = (t.invoices["date"].max(), t.postings["posted_date"].max())
    return max(day for day in days if isinstance(day, date))


def _accounts(t: Tables, company: str | None) -> pl.DataFrame:
    if company is None:
        return t.accounts
    found = t.companies.filter(pl.col("code") == company)
    if found.is_empty():
        raise ValueError(f"The world has no company {company}: {t.companies['code'].to_list()}")
    return t.accounts.join(found.select("company_id"), on="company_id", how="semi")


def _items(t: Tables, accounts: pl.DataFrame) -> pl.DataFrame:
    lines = (
        t.installments.filter(pl.col("cash_cents") > 0)
        .join(t.invoices.select("invoice_id", document_date="date"), on="invoice_id")
        .join(accounts.select("account_id", "customer_id", "method"), on="account_id")
        .join(t.customers.select("customer_id", segment="sector"), on="customer_id")
        .with_columns(currency=pl.lit("EUR"), amount_mills=pl.col("cash_cents") * MILLS_PER_CENT)
        .sort("installment_id")
    )
    return _select(lines, ITEMS, item_id="installment_id", known_date="document_date")


def _ends(t: Tables, items: pl.DataFrame) -> pl.DataFrame:
    booked = (
        t.postings.filter(pl.col("kind").is_in(list(_CAUSES)))
        .with_columns(
            pl.col("installment_id").cast(pl.Int64).alias("item_id"),
            cause=pl.col("kind").replace_strict(_CAUSES, return_dtype=pl.String),
            amount_mills=pl.col("amount_cents") * MILLS_PER_CENT,
        )
        .join(items.select("item_id"), on="item_id", how="semi", maintain_order="left")
    )
    return _select(booked, ENDS, end_date="effective_date", known_date="posted_date")


def _promises(t: Tables, accounts: pl.DataFrame) -> pl.DataFrame:
    told = (
        t.replies.filter(pl.col("kind") == "promise")
        .join(accounts.select("account_id"), on="account_id", how="semi")
        .with_columns(
            amount_mills=pl.col("promise_cents") * MILLS_PER_CENT,
            item_id=pl.when(pl.col("installments").list.len() == 1).then(pl.col("installments").list.first()),
        )
    )
    return _select(told, PROMISES, promised_date="promise_date", known_date="reply_date")


def _disputes(t: Tables, items: pl.DataFrame) -> pl.DataFrame:
    until = last_day(t)
    opened = t.disputes.with_columns(
        item_id=pl.col("installment_id").cast(pl.Int64),
        # Later days are decided already in the truth; nobody knows them.
        resolved_date=pl.when(pl.col("resolved_date") <= until).then(pl.col("resolved_date")),
    ).join(items.select("item_id", "amount_mills"), on="item_id")
    return _select(opened, DISPUTES, closed_date="resolved_date", known_date="opened_date")


def _select(frame: pl.DataFrame, schema: dict[str, pl.DataType], **renamed: str) -> pl.DataFrame:
    """The columns of ``schema``, from columns of the same name or of the name stated, in its types."""
    return frame.select(
        pl.col(renamed.get(name, name)).cast(kind).alias(name) for name, kind in schema.items()
    )
