"""The ERP and the bank tell of the same cash: what to do when an ERP's list meets what was posted here.

with_awaited     before the comparison: the ERP may lag behind what the bank line paid
without_tied     an ERP's own line for cash that the bank told is that cash, never booked twice
acknowledge_shown  after it: what the list shows now is acknowledged
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
from django.db import transaction

from saldo.analytics.export_diff import ExportDiff
from saldo.cash import acknowledgements
from saldo.core.context import Context

# An ERP's line for a payment is dated within so many days of the bank's booking.
TIE_DAYS = 10
_KEY = ["account_id", "number_norm", "year"]


def with_awaited(ctx: Context, known: pl.DataFrame, company_ids: Sequence[int]) -> pl.DataFrame:
    """The known lines with awaited_mills: what was posted from the bank and the ERP has not shown yet."""
    waiting = acknowledgements.awaited(ctx, company_ids)
    return known.join(waiting, on="item_id", how="left").with_columns(pl.col("awaited_mills").fill_null(0))


def without_tied(
    ctx: Context, frame: pl.DataFrame, company_ids: Sequence[int], source_id: int, document_id: int
) -> tuple[pl.DataFrame, dict[int, int]]:
    """The rows of an export less those of payments that the bank told, and what of those it still has on
    account: bank line -> mills.

    A payment line is tied to a bank payment of the same account and currency with the same amount (the whole,
    or what was left on account), dated within TIE_DAYS; the nearest day first, each once. Once tied it stays
    tied.
    """
    payments = frame.filter(pl.col("kind") == "payment")
    if payments.is_empty():
        return frame, {}
    accounts = payments["account_id"].unique().to_list()
    tied = acknowledgements.tied_lines(source_id, accounts)
    ours = acknowledgements.untied_payments(ctx, company_ids, source_id, accounts)
    fresh = payments.join(tied, on=_KEY, how="anti")
    ties = _nearest(fresh, ours)
    if ties.height:
        with transaction.atomic():
            acknowledgements.tie(ctx, ties, source_id, document_id)
        tied = acknowledgements.tied_lines(source_id, accounts)
    is_payment = pl.col("kind") == "payment"
    rest = pl.concat([frame.filter(~is_payment), payments.join(tied, on=_KEY, how="anti")], how="vertical")
    listed = payments.join(tied, on=_KEY).filter(
        pl.col("open_mills").is_not_null() & pl.col("transaction_id").is_not_null()
    )
    still = listed.group_by("transaction_id").agg(pl.col("open_mills").sum().abs())
    return rest.sort("row"), dict(still.iter_rows())


def _nearest(lines: pl.DataFrame, ours: pl.DataFrame) -> pl.DataFrame:
    """Pairs of an ERP's line and a bank payment, each in one pair at most."""
    amount = pl.col("amount_mills").abs()
    pairs = (
        lines.select(*_KEY, "number", "row", "currency", "document_date", amount.alias("told_mills"))
        .join(ours, on=["account_id", "currency"])
        .filter(
            (pl.col("told_mills") == pl.col("amount_mills"))
            | (pl.col("told_mills") == pl.col("on_account_mills"))
        )
        .with_columns((pl.col("document_date") - pl.col("booking_date")).dt.total_days().abs().alias("days"))
        .filter(pl.col("days") <= TIE_DAYS)
        .sort("days", "row", "payment_id")
    )
    lines_taken: set[int] = set()
    payments_taken: set[int] = set()
    chosen = []
    for at, (row, payment) in enumerate(pairs.select("row", "payment_id").iter_rows()):
        if row not in lines_taken and payment not in payments_taken:
            lines_taken.add(row)
            payments_taken.add(payment)
            chosen.append(at)
    return pairs[chosen]


def acknowledge_shown(
    ctx: Context, diff: ExportDiff, company_ids: Sequence[int], source_id: int, document_id: int
) -> int:
    """Acknowledge the postings whose items the list shows paid too; returns how many (posting, item)."""
    return acknowledgements.acknowledge(ctx, company_ids, diff.shown.to_list(), source_id, document_id)
