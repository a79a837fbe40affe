"""What is known on a day of one company, as the frames that the engines read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl

from saldo.cash.collections import in_flight, returned_receipts
from saldo.collection.planning import dated_entries, last_contacts
from saldo.core.context import Context
from saldo.disputes.queries import overdue_disputes
from saldo.flows.books import payments_known_from
from saldo.flows.judged_promises import promise_entries
from saldo.flows.plans import plan_entries
from saldo.ledger.queries import daily_sales, first_document_date, open_items, payment_history
from saldo.measurement.surveys import low_answers
from saldo.outreach.history import message_contacts
from saldo.outreach.replies import waiting_accounts
from saldo.parties.frames import account_frame

SALES_WINDOW_DAYS = 90


@dataclass(frozen=True, slots=True)
class Facts:
    """Frames cut at (as_of, known_at).

    open_items: debits and credits with a balance, with customer_id and segment. history: installments, paid
    and open. dated: account_id, code, date of what a person must do whatever its value. contacts: the last
    one of each account, by a person or in writing. in_flight: item_id of what the bank is collecting (RiBa,
    SDD): open, and not to be dunned.
    known_from: first day from which payments are known too, None if they always were.
    sales_from: first day from which all sales are known, None if only open items are.
    """

    as_of: date
    open_items: pl.DataFrame
    history: pl.DataFrame
    sales: pl.DataFrame
    dated: pl.DataFrame
    contacts: pl.DataFrame
    in_flight: pl.DataFrame
    known_from: date | None
    sales_from: date | None


def gather(ctx: Context) -> Facts:
    """Read the facts of ``ctx.company_id`` as of the day, as known at the run's instant."""
    assert ctx.company_id is not None, "facts are those of one company"
    accounts = account_frame(ctx)
    history = payment_history(ctx).join(accounts, on="account_id", how="left")
    known_from = payments_known_from(ctx)
    items = open_items(ctx).join(accounts, on="account_id", how="left")
    people = last_contacts(ctx)
    return Facts(
        as_of=ctx.as_of,
        open_items=items,
        history=history,
        sales=daily_sales(ctx, ctx.as_of - timedelta(days=SALES_WINDOW_DAYS)),
        dated=pl.concat(
            [
                # Judged before the call-backs of the day are put together: who broke its word is on the list.
                _not_contacted(promise_entries(ctx), people),
                _not_contacted(plan_entries(ctx), people),
                dated_entries(ctx),
                _not_contacted(_returned(ctx, items), people),
                _replies(ctx),
                overdue_disputes(ctx),
                _not_contacted(low_answers(ctx), people),
            ]
        ),
        contacts=_last_contacts(people, message_contacts(ctx)),
        in_flight=in_flight(ctx),
        known_from=known_from,
        sales_from=first_document_date(ctx) if known_from is None else known_from,
    )


def _returned(ctx: Context, items: pl.DataFrame) -> pl.DataFrame:
    """account_id, code, date: receipts and debits that came back and are owed."""
    return (
        returned_receipts(ctx)
        .join(items.filter(pl.col("balance_mills") > 0).select("item_id"), on="item_id", how="semi")
        .select("account_id", pl.lit("insoluto").alias("code"), "date")
    )


def _not_contacted(dated: pl.DataFrame, people: pl.DataFrame) -> pl.DataFrame:
    """Those since whose day no person has spoken with the account: a message sent by Saldo is no answer."""
    return (
        dated.join(people, on="account_id", how="left")
        .filter(pl.col("last_contact").is_null() | (pl.col("last_contact") < pl.col("date")))
        .select(dated.columns)
    )


def _replies(ctx: Context) -> pl.DataFrame:
    """account_id, code, date: what customers wrote and nobody has dealt with."""
    return waiting_accounts(ctx).select("account_id", pl.lit("reply_waiting").alias("code"), "date")


def _last_contacts(people: pl.DataFrame, messages: pl.DataFrame) -> pl.DataFrame:
    """account_id, last_contact: by a person or by a message that left, whichever is later."""
    written = messages.select("account_id", pl.col("known_date").alias("last_contact"))
    return pl.concat([people, written]).group_by("account_id", maintain_order=True).agg(
        pl.col("last_contact").max()
    )  # fmt: skip


def combined(each: list[Facts]) -> Facts:
    """Several companies' facts as one; what is not known of one of them is not known of all."""
    first, *_ = each
    sales_from = [facts.sales_from for facts in each if facts.open_items.height or facts.history.height]
    return Facts(
        as_of=first.as_of,
        open_items=pl.concat([facts.open_items for facts in each]),
        history=pl.concat([facts.history for facts in each]),
        sales=pl.concat([facts.sales for facts in each]),
        dated=pl.concat([facts.dated for facts in each]),
        contacts=pl.concat([facts.contacts for facts in each]),
        in_flight=pl.concat([facts.in_flight for facts in each]),
        known_from=max((facts.known_from for facts in each if facts.known_from), default=None),
        sales_from=None if None in sales_from else max(sales_from, default=None),
    )
