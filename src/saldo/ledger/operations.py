"""Adding to the ledger: documents with their items, and what an export changes of them.

Everything is set-based: frames go in by COPY with ids reserved beforehand, so that rows that refer to each
other are written at once. Nothing is ever updated.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import polars as pl
from django.db import connection

from saldo.core.context import Context
from saldo.ledger.provisional import LEAD_DAYS, explainable, may_explain
from saldo.ledger.queries import enlargements, line_parts, provisional_allocations
from saldo.storage.frames import copy_in, reserve_ids

ITEM_KIND = {
    "invoice": "installment",
    "debit_note": "installment",
    "credit_note": "credit_note",
    "payment": "payment",
}
CHUNK_DOCUMENTS = 100_000
# What a counter item is set against: the columns a target frame has.
TARGET_COLUMNS = (
    "item_id", "company_id", "account_id", "invoice_id", "installment_no", "currency", "sign", "item_date",
)  # fmt: skip


def add_documents(
    ctx: Context, new: pl.DataFrame, source_id: int, document_id: int
) -> Iterator[pl.DataFrame]:
    """Add documents and their base items, yielding a block of rows (with item_id) each time one is written.

    new: incoming rows with company_id, account_id, number_norm, year, due_origin, and document_ref (the id of
    the document where the ledger has it already, else null). The caller wraps each step in a transaction.
    """
    assert ctx.recorded_at is not None, "documents are recorded under a stamped context"
    ordered = new.sort("account_id", "kind", "number_norm", "year", "installment_no")
    first = ordered.unique(["account_id", "kind", "number_norm", "year"], keep="first", maintain_order=True)
    missing = first.filter(pl.col("document_ref").is_null())
    for start in range(0, max(missing.height, 1), CHUNK_DOCUMENTS):
        documents = missing.slice(start, CHUNK_DOCUMENTS)
        documents = _with_ids(documents)
        key = ["account_id", "kind", "number_norm", "year"]
        rows = ordered.join(
            documents.select(*key, pl.col("document_ref").alias("made_ref")), on=key, how="left"
        ).with_columns(pl.coalesce("document_ref", "made_ref").alias("document_ref"))
        # Rows of documents that were known come with the first block.
        known = rows["made_ref"].is_null() & rows["document_ref"].is_not_null()
        rows = rows.filter(rows["made_ref"].is_not_null() | (known & (start == 0)))
        _write_documents(ctx, documents, source_id, document_id)
        yield _write_items(ctx, rows, document_id)


def _with_ids(documents: pl.DataFrame) -> pl.DataFrame:
    """Documents with a reserved id in document_ref, from the sequence of their own table."""
    is_payment = documents["kind"] == "payment"
    payments, invoices = documents.filter(is_payment), documents.filter(~is_payment)
    return pl.concat(
        [
            invoices.with_columns(reserve_ids("ledger_invoice", invoices.height).alias("document_ref")),
            payments.with_columns(reserve_ids("ledger_payment", payments.height).alias("document_ref")),
        ]
    )


def _write_documents(ctx: Context, documents: pl.DataFrame, source_id: int, document_id: int) -> None:
    shared = documents.select(
        "company_id",
        "account_id",
        "number_norm",
        "year",
        "document_date",
        "currency",
        "row",
        "source_at",
        "kind",
        pl.col("number").str.slice(0, 60),
        pl.col("document_ref").alias("id"),
        pl.col("order_ref").fill_null("").str.slice(0, 60),
        pl.col("terms_text").fill_null("").str.slice(0, 120),
        pl.lit(source_id).alias("source_id"),
        pl.lit(document_id).alias("document_id"),
        pl.lit(str(ctx.recorded_at)).alias("recorded_at"),
    )
    invoices = shared.filter(pl.col("kind") != "payment")
    payments = shared.filter(pl.col("kind") == "payment")
    copy_in("ledger_invoice", invoices)
    copy_in(
        "ledger_payment",
        payments.rename({"document_date": "booking_date"})
        .drop("kind", "order_ref", "terms_text")
        .with_columns(pl.lit("").alias("text")),
    )


def _write_items(ctx: Context, rows: pl.DataFrame, document_id: int) -> pl.DataFrame:
    is_payment = pl.col("kind") == "payment"
    items = rows.with_columns(
        reserve_ids("ledger_item", rows.height).alias("item_id"),
        pl.col("kind").replace_strict(ITEM_KIND, return_dtype=pl.String).alias("item_kind"),
        pl.when(~is_payment).then(pl.col("document_ref")).alias("invoice_id"),
        pl.when(is_payment).then(pl.col("document_ref")).alias("payment_id"),
    )
    copy_in(
        "ledger_item",
        items.select(
            pl.col("item_id").alias("id"),
            "company_id",
            "account_id",
            "invoice_id",
            "payment_id",
            pl.col("item_kind").alias("kind"),
            "installment_no",
            "amount_mills",
            "currency",
            pl.col("document_date").alias("effective_date"),
            "due_date",
            "due_origin",
            pl.col("payment_method").fill_null("").str.slice(0, 10),
            pl.lit(document_id).alias("document_id"),
            "row",
            pl.lit(str(ctx.recorded_at)).alias("recorded_at"),
            "source_at",
        ),
    )
    return items.with_columns(
        pl.col("amount_mills").sign().cast(pl.Int64).alias("sign"), pl.col("document_date").alias("item_date")
    )


def set_counters(ctx: Context, targets: pl.DataFrame, document_id: int | None) -> int:
    """Set a counter item of its own against each target and allocate it wholly.

    targets: TARGET_COLUMNS plus counter_mills (> 0), counter_kind, counter_date (the counter's own day),
    reason, row, details (JSON text or null). A debit gets a credit, a credit gets a debit. The allocation
    counts from the day when both sides exist.
    """
    assert ctx.recorded_at is not None
    if targets.is_empty():
        return 0
    made = targets.with_columns(
        reserve_ids("ledger_item", targets.height).alias("counter_id"),
        (-pl.col("sign") * pl.col("counter_mills")).alias("amount_mills"),
        pl.max_horizontal("item_date", "counter_date").alias("effective_date"),
        pl.lit(str(ctx.recorded_at)).alias("recorded_at"),
        pl.lit(document_id, pl.Int64).alias("document_id"),
    )
    copy_in(
        "ledger_item",
        made.select(
            pl.col("counter_id").alias("id"),
            "company_id",
            "account_id",
            "invoice_id",
            pl.col("counter_kind").alias("kind"),
            "installment_no",
            "amount_mills",
            "currency",
            pl.col("effective_date"),
            pl.when(pl.col("amount_mills") > 0).then(pl.col("effective_date")).alias("due_date"),
            pl.lit("stated").alias("due_origin"),
            pl.lit("").alias("payment_method"),
            "document_id",
            "row",
            "recorded_at",
            "details",
        ),
    )
    return _allocate(
        made.select(
            "company_id",
            pl.when(pl.col("sign") > 0).then("item_id").otherwise("counter_id").alias("debit_item_id"),
            pl.when(pl.col("sign") > 0).then("counter_id").otherwise("item_id").alias("credit_item_id"),
            pl.col("counter_mills").alias("amount_mills"),
            "effective_date",
            "reason",
            "document_id",
            "recorded_at",
        )
    )


def _allocate(rows: pl.DataFrame) -> int:
    return copy_in("ledger_allocation", rows)


def spread_over_parts(ctx: Context, targets: pl.DataFrame) -> pl.DataFrame:
    """Targets of lines that were adjusted, spread over the line's open items, oldest first.

    A line without adjustments has one item and comes back as it is.
    """
    lines = targets.filter(pl.col("parts") > 1)
    if lines.is_empty():
        return targets
    parts = line_parts(ctx, lines["item_id"].to_list())
    spread = (
        lines.drop("item_date")
        .join(parts, left_on="item_id", right_on="line_item_id", how="inner")
        .sort("row", "part_item_id")
        .with_columns(
            (pl.col("balance_mills").cum_sum().over("row") - pl.col("balance_mills")).alias("before")
        )
        .with_columns(
            pl.min_horizontal("balance_mills", pl.col("counter_mills") - pl.col("before")).alias(
                "counter_mills"
            ),
            pl.col("part_item_id").alias("item_id"),
        )
        .filter(pl.col("counter_mills") > 0)
    )
    return pl.concat(
        [targets.filter(pl.col("parts") <= 1), spread.select(targets.columns)], how="vertical_relaxed"
    )


def reopen(
    ctx: Context, wanted: pl.DataFrame, document_id: int | None, reason: str, settled: bool = False
) -> int:
    """Take back provisional closings and part payments, newest first, up to reopen_mills of each line.

    wanted: item_id, reopen_mills, row. Each reversal takes the effective date of what it corrects, and the
    counter item that stood for the unknown cause is used up by an opposite one. settled: then also the
    payments that the export itself had told; they came back, an event of the context's day.
    """
    assert ctx.recorded_at is not None
    if wanted.is_empty():
        return 0
    standing = provisional_allocations(ctx, wanted["item_id"].to_list(), settled).with_columns(
        pl.when("is_payment")
        .then(pl.max_horizontal("effective_date", pl.lit(ctx.as_of)))
        .otherwise("effective_date")
        .alias("effective_date")
    )
    lines = wanted.select(pl.col("item_id").alias("line_item_id"), "reopen_mills", "row")
    taken = (
        standing.join(lines, on="line_item_id", maintain_order="left")
        .with_columns(
            (pl.col("amount_mills").cum_sum().over("line_item_id") - pl.col("amount_mills")).alias("before")
        )
        .with_columns(
            pl.min_horizontal("amount_mills", pl.col("reopen_mills") - pl.col("before")).alias("take_mills")
        )
        .filter(pl.col("take_mills") > 0)
        .with_columns(
            pl.lit(str(ctx.recorded_at)).alias("recorded_at"),
            pl.lit(document_id, pl.Int64).alias("document_id"),
        )
    )
    return _take_back(ctx, taken, reason)


def give_way(
    ctx: Context,
    wanted: pl.DataFrame,
    reason: str = "the payment is known now",
    with_receipts: bool = False,
) -> int:
    """Take back what exports told about items, up to take_mills of each, for a bank line that explains it.

    wanted: item_id (once), take_mills, booking_date of the line. Only what the line can be the cause of gives
    way (``provisional.may_explain``), the nearest day first. Each reversal is a correction of the day it
    corrects. with_receipts: also what receipts and direct debits stand for, which only they themselves pay.
    """
    assert ctx.recorded_at is not None
    if wanted.is_empty():
        return 0
    first = wanted["booking_date"].min()
    assert isinstance(first, date)
    since = first - timedelta(days=LEAD_DAYS)
    distance = (pl.col("effective_date") - pl.col("booking_date")).dt.total_days()
    standing = (
        explainable(ctx, since, item_ids=wanted["item_id"].to_list(), with_receipts=with_receipts)
        .join(wanted.select("item_id", "take_mills", "booking_date"), on="item_id")
        .filter(may_explain(pl.col("booking_date")))
        .sort("item_id", distance.abs(), "counter_item_id")
    )
    before = pl.col("amount_mills").cum_sum().over("item_id") - pl.col("amount_mills")
    taken = standing.with_columns(
        pl.min_horizontal("amount_mills", pl.col("take_mills") - before).alias("take_mills"),
        pl.lit(True).alias("is_debit"),
        pl.lit(0, pl.Int64).alias("row"),
        pl.lit(str(ctx.recorded_at)).alias("recorded_at"),
        pl.lit(None, pl.Int64).alias("document_id"),
    ).filter(pl.col("take_mills") > 0)
    return _take_back(ctx, taken, reason)


def _take_back(ctx: Context, taken: pl.DataFrame, reason: str) -> int:
    """Reverse allocations in part or wholly, and use up the counter items that stood for the cause.

    taken: allocation_id, item_id, counter_item_id, is_debit, take_mills, effective_date, row, company_id,
    account_id, invoice_id, currency, document_id, recorded_at.
    """
    if taken.is_empty():
        return 0
    _allocate(
        taken.select(
            "company_id",
            pl.when("is_debit").then("item_id").otherwise("counter_item_id").alias("debit_item_id"),
            pl.when("is_debit").then("counter_item_id").otherwise("item_id").alias("credit_item_id"),
            (-pl.col("take_mills")).alias("amount_mills"),
            "effective_date",
            pl.lit(reason).alias("reason"),
            pl.col("allocation_id").alias("reverses_id"),
            "document_id",
            "recorded_at",
        )
    )
    return set_counters(
        ctx,
        taken.select(
            pl.col("counter_item_id").alias("item_id"),
            "company_id",
            "account_id",
            "invoice_id",
            pl.lit(1, pl.UInt16).alias("installment_no"),
            "currency",
            pl.when("is_debit").then(-1).otherwise(1).cast(pl.Int64).alias("sign"),
            pl.col("effective_date").alias("item_date"),
            pl.col("take_mills").alias("counter_mills"),
            pl.lit("reopening").alias("counter_kind"),
            pl.col("effective_date").alias("counter_date"),
            pl.lit(reason).alias("reason"),
            "row",
            pl.lit(None, pl.String).alias("details"),
        ),
        taken["document_id"][0],
    )


def amend_due_dates(ctx: Context, due: pl.DataFrame, document_id: int | None) -> int:
    """New ItemTerms of whole lines from the context's day on. due: item_id, due_date, row, item_date."""
    if due.is_empty():
        return 0
    grown = enlargements(due["item_id"].to_list()).rename({"item_id": "part_id", "item_date": "part_date"})
    parts = due.join(grown, left_on="item_id", right_on="line_item_id").with_columns(
        item_id="part_id", item_date="part_date"
    )
    return copy_in(
        "ledger_itemterms",
        pl.concat([due, parts.select(due.columns)]).select(
            "item_id",
            "due_date",
            pl.max_horizontal("item_date", pl.lit(ctx.as_of)).alias("effective_date"),
            pl.lit("amended by the source").alias("reason"),
            pl.lit(document_id, pl.Int64).alias("document_id"),
            "row",
            pl.lit(str(ctx.recorded_at)).alias("recorded_at"),
        ),
    )


def add_increases(ctx: Context, increases: pl.DataFrame, document_id: int | None) -> int:
    """An amount that grew: an adjustment item of the same sign, due with the line.

    increases: TARGET_COLUMNS plus delta_mills (same sign as the item), due_date, row.
    """
    return copy_in(
        "ledger_item",
        increases.select(
            "company_id",
            "account_id",
            "invoice_id",
            pl.lit("adjustment").alias("kind"),
            "installment_no",
            pl.col("delta_mills").alias("amount_mills"),
            "currency",
            pl.max_horizontal("item_date", pl.lit(ctx.as_of)).alias("effective_date"),
            pl.when(pl.col("delta_mills") > 0).then("due_date").alias("due_date"),
            pl.lit("stated").alias("due_origin"),
            pl.lit("").alias("payment_method"),
            pl.lit(document_id, pl.Int64).alias("document_id"),
            "row",
            pl.lit(str(ctx.recorded_at)).alias("recorded_at"),
        ),
    )


def add_sightings(ctx: Context, seen: pl.DataFrame, source_id: int, document_id: int) -> int:
    """Attach a second source to documents it tells too. seen: invoice_id, row."""
    first = seen.filter(pl.col("invoice_id").is_not_null()).unique("invoice_id", keep="first")
    return copy_in(
        "ledger_invoicesighting",
        first.select(
            "invoice_id",
            "row",
            pl.lit(source_id).alias("source_id"),
            pl.lit(document_id).alias("document_id"),
            pl.lit(str(ctx.recorded_at)).alias("recorded_at"),
        ),
    )


def rebuild_projection() -> int:
    """Make the open projection anew from items and allocations; returns the number of rows."""
    with connection.cursor() as cursor:
        cursor.execute("LOCK TABLE ledger_item, ledger_allocation IN SHARE MODE")
        cursor.execute("DELETE FROM ledger_item_open_projection")
        cursor.execute(
            """
            INSERT INTO ledger_item_open_projection
                   (item_id, company_id, account_id, kind, currency, sign, effective_date, due_date,
                    recorded_at, cap, used, used_up, has_reversal, first_effective_date, first_recorded_at,
                    last_effective_date, last_recorded_at)
            SELECT i.id, i.company_id, i.account_id, i.kind, i.currency, sign(i.amount), i.effective_date,
                   i.due_date, i.recorded_at, abs(i.amount), coalesce(u.used, 0),
                   coalesce(u.used, 0) = abs(i.amount), coalesce(u.reversal, false),
                   u.first_date, u.first_at, u.last_date, u.last_at
              FROM ledger_item i
              LEFT JOIN (SELECT item_id, sum(amount) AS used, bool_or(amount < 0) AS reversal,
                                min(effective_date) AS first_date, min(recorded_at) AS first_at,
                                max(effective_date) AS last_date, max(recorded_at) AS last_at
                           FROM ledger_allocation_side GROUP BY item_id) u ON u.item_id = i.id
            """
        )
        return int(cursor.rowcount)
