"""From what an export changes to rows of the ledger, a bounded block at a time."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import polars as pl
from django.db import transaction

from saldo.analytics.export_diff import DOCUMENT_KEY, ExportDiff
from saldo.core.context import Context
from saldo.ledger.operations import (
    TARGET_COLUMNS,
    add_documents,
    add_increases,
    add_sightings,
    amend_due_dates,
    reopen,
    set_counters,
    spread_over_parts,
)

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Posting:
    """Where the rows come from: the source, the kept document, the export's day and the one before it."""

    source_id: int
    document_id: int
    as_at: date
    last_seen: date | None = None


def post_new(
    ctx: Context, diff: ExportDiff, known: pl.DataFrame, posting: Posting, progress: Progress
) -> int:
    """Add what is new: documents, items, and what was already taken off them when first seen."""
    if diff.new.is_empty():
        return 0
    refs = known.select(*DOCUMENT_KEY, pl.col("document_ref")).unique(DOCUMENT_KEY, keep="first")
    new = diff.new.join(refs, on=DOCUMENT_KEY, how="left")
    done = 0
    steps = add_documents(ctx, new, posting.source_id, posting.document_id)
    while True:
        # One transaction a block: a killed import leaves whole blocks, and reading again goes on from there.
        with transaction.atomic():
            items = next(steps, None)
            if items is None:
                return done
            set_counters(ctx, _first_counters(items, posting), posting.document_id)
        done += items.height
        progress(done, new.height)


def _first_counters(items: pl.DataFrame, posting: Posting) -> pl.DataFrame:
    """What a new item was reduced by before we saw it: split VAT, withholding, payment or cause unknown."""
    cash = pl.col("amount_mills").abs() - pl.col("split_vat_mills") - pl.col("withholding_mills")
    settled = pl.col("settled_date").is_not_null() & (pl.col("open_mills").fill_null(0) == 0)
    taken = pl.when(settled).then(cash).otherwise((cash - pl.col("open_mills").abs()).fill_null(0))
    parts = [
        _counters(items, pl.col("split_vat_mills"), "split_vat", pl.col("document_date"), "split payment"),
        _counters(
            items, pl.col("withholding_mills"), "withholding", pl.col("document_date"), "withholding tax"
        ),
        _counters(
            items.filter(settled), taken, "payment", pl.col("settled_date"), "settled, says the source"
        ),
        _counters(
            items.filter(~settled),
            taken,
            pl.when(pl.col("open_mills") == 0)
            .then(pl.lit("closure"))
            .otherwise(pl.lit("provisional_payment")),
            pl.lit(posting.as_at),
            "less open, cause unknown",
        ),
    ]
    return pl.concat(parts).sort("row")


def _counters(
    items: pl.DataFrame,
    mills: pl.Expr,
    kind: str | pl.Expr,
    day: pl.Expr,
    reason: str,
    details: str | None = None,
) -> pl.DataFrame:
    return items.filter(mills > 0).select(
        *TARGET_COLUMNS,
        mills.cast(pl.Int64).alias("counter_mills"),
        (pl.lit(kind) if isinstance(kind, str) else kind).alias("counter_kind"),
        day.alias("counter_date"),
        pl.lit(reason).alias("reason"),
        "row",
        pl.lit(details, pl.String).alias("details"),
    )


@transaction.atomic
def post_changes(ctx: Context, diff: ExportDiff, posting: Posting) -> None:
    """Add what the export says differently of lines that are known."""
    add_sightings(
        ctx,
        diff.seen_again.select(pl.col("known_invoice_id").alias("invoice_id"), "row"),
        posting.source_id,
        posting.document_id,
    )
    amend_due_dates(ctx, diff.due, posting.document_id)
    if diff.reopened.height:
        reopen(
            ctx,
            _known(diff.reopened).select("item_id", "reopen_mills", "row"),
            posting.document_id,
            "corrected by the source",
            settled=True,
        )
    grows = pl.col("delta_mills") * pl.col("sign") > 0
    if diff.amount.height:
        changed = _known(diff.amount)
        add_increases(ctx, changed.filter(grows), posting.document_id)
        shrunk = changed.filter(~grows)
        lowered = _counters(
            shrunk, pl.col("delta_mills").abs(), "adjustment", pl.lit(posting.as_at), "amount amended"
        )
        _set_spread(ctx, shrunk, lowered, posting)
    if diff.toward_zero.height:
        # A line that grows in this very export has one item more by now.
        reduced = _known(diff.toward_zero).with_columns(parts=pl.col("parts") + grows.cast(pl.Int64))
        _set_spread(ctx, reduced, _reductions(reduced, posting), posting)


def _set_spread(ctx: Context, lines: pl.DataFrame, counters: pl.DataFrame, posting: Posting) -> None:
    with_parts = counters.join(lines.select("row", "parts"), on="row", how="left")
    set_counters(ctx, spread_over_parts(ctx, with_parts).drop("parts"), posting.document_id)


def _known(rows: pl.DataFrame) -> pl.DataFrame:
    """Incoming rows as targets: the known line's item in the columns that set_counters expects."""
    return rows.with_columns(
        pl.col("known_item_id").alias("item_id"),
        pl.col("known_invoice_id").alias("invoice_id"),
        pl.col("known_parts").alias("parts"),
        pl.col("known_item_date").alias("item_date"),
        pl.col("known_amount_mills").sign().cast(pl.Int64).alias("sign"),
    )


def _reductions(reduced: pl.DataFrame, posting: Posting) -> pl.DataFrame:
    """Less open than before: a payment where the source gives its day, else the cause is unknown."""
    settled = pl.col("settled_date").is_not_null()
    unknown = (
        pl.when(pl.col("open_mills") == 0).then(pl.lit("closure")).otherwise(pl.lit("provisional_payment"))
    )
    return pl.concat(
        [
            _counters(
                reduced.filter(settled),
                pl.col("counter_mills"),
                "payment",
                pl.col("settled_date"),
                "settled, says the source",
            ),
            _counters(
                reduced.filter(~settled),
                pl.col("counter_mills"),
                unknown,
                pl.lit(posting.as_at),
                "less open, cause unknown",
                _interval(posting),
            ),
        ]
    )


@transaction.atomic
def post_closures(ctx: Context, vanished: pl.DataFrame, posting: Posting) -> int:
    """Close what a complete export does not list any more: cause unknown, dated by the interval."""
    if vanished.is_empty():
        return 0
    lines = vanished.with_columns(
        pl.col("amount_mills").sign().cast(pl.Int64).alias("sign"),
        pl.int_range(pl.len(), dtype=pl.Int64).alias("row"),
    )
    closures = _counters(
        lines,
        pl.col("balance_mills").abs(),
        "closure",
        pl.lit(posting.as_at),
        "not in the export any more",
        _interval(posting),
    )
    with_parts = closures.join(lines.select("row", "parts"), on="row", how="left")
    set_counters(
        ctx,
        spread_over_parts(ctx, with_parts).drop("parts").with_columns(pl.lit(0).alias("row")),
        posting.document_id,
    )
    return vanished.height


def _interval(posting: Posting) -> str:
    """When the cause must lie: after the last export that showed the line, up to the first without it."""
    last_seen = posting.last_seen.isoformat() if posting.last_seen else None
    return json.dumps({"last_seen": last_seen, "first_missing": posting.as_at.isoformat()})
