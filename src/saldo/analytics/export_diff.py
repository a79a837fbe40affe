"""What an export says against what the ledger knows: frames in, changes out.

An export lists installments, credit notes and payments with what is still open of each. Compared with the
ledger as of the export's day, each row is new, unchanged or changed; and in a complete export what is not
listed any more is closed. The rules are DESIGN §3 "What an export says"; docs/rules/exports.md has examples.

Sign: amounts are signed as in the ledger (positive = they owe us). "Toward zero" means reducing an item's
balance, whatever its sign.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import polars as pl

# What makes two rows the same line of the same business document.
KEY = ["account_id", "kind", "number_norm", "year", "installment_no"]
DOCUMENT_KEY = KEY[:-1]
KEY_SCHEMA = {
    "account_id": pl.Int64,
    "kind": pl.String,
    "number_norm": pl.String,
    "year": pl.Int16,
    "installment_no": pl.UInt16,
}
KNOWN_SCHEMA = {
    **KEY_SCHEMA,
    "item_id": pl.Int64,
    "document_ref": pl.Int64,
    "currency": pl.String,
    "amount_mills": pl.Int64,
    "balance_mills": pl.Int64,
    "provisional_mills": pl.Int64,
    "settled_mills": pl.Int64,
    "due_date": pl.Date,
    "item_date": pl.Date,
    "company_id": pl.Int64,
    "parts": pl.Int64,
    "invoice_id": pl.Int64,
    "owned": pl.Boolean,
    "sighted": pl.Boolean,
}


@dataclass(frozen=True, slots=True)
class ExportRules:
    """What the export declares, and what may follow from it.

    stale: an export of the same source and scope with a later day was already read, so this one only adds
    documents that are not known yet.
    kinds: the document kinds it covers; only those can vanish from it.
    amends: the source may say another amount or due date later. An e-invoice may not: the same number with
    other content is a conflict.
    """

    as_at: date
    complete: bool
    stale: bool = False
    kinds: frozenset[str] = frozenset({"invoice", "credit_note", "debit_note", "payment"})
    ask_above_rate: float = 0.02
    amends: bool = True


@dataclass(frozen=True, slots=True)
class ExportDiff:
    """The changes, each a frame.

    new: incoming rows not in the ledger. seen_again: known lines that this source tells for the first time.
    due: known lines with another due date (item_id, due_date, row).
    amount: known lines with another amount (item_id, delta_mills, row ...).
    toward_zero: known lines with less open (item_id, counter_mills, settled_date, row ...).
    reopened: known lines with more open (item_id, reopen_mills, row ...).
    vanished: known open lines the complete export does not list (item_id, balance_mills ...).
    awaited: known lines that the export has more open than we, because it does not show yet what we posted
    from the bank (item_id, awaited_mills, row). shown: item ids whose posting from the bank it shows now.
    conflicts: rows that contradict the ledger and are not this source's to change (row, code, told, known).
    unchanged: number of rows that said nothing new.
    """

    new: pl.DataFrame
    seen_again: pl.DataFrame
    due: pl.DataFrame
    amount: pl.DataFrame
    toward_zero: pl.DataFrame
    reopened: pl.DataFrame
    vanished: pl.DataFrame
    conflicts: pl.DataFrame
    awaited: pl.DataFrame
    shown: pl.Series
    unchanged: int
    asks: bool


def compare(incoming: pl.DataFrame, known: pl.DataFrame, rules: ExportRules) -> ExportDiff:
    """Compare an export with the ledger.

    incoming: the canonical receivables frame with KEY columns, currency and due_date resolved; one row per
    KEY. known: KNOWN_SCHEMA, one row per KEY, balances as of ``rules.as_at``; ``amount_mills`` includes
    adjustments, ``provisional_mills`` is what provisional closings and part payments took so far (>= 0),
    ``settled_mills`` what exports told as paid: the owning source may take both back. ``awaited_mills``
    (optional): what we posted from the bank and this source has not shown yet; it may lack that.
    """
    if "awaited_mills" not in known.columns:
        known = known.with_columns(awaited_mills=pl.lit(0, pl.Int64))
    joined = incoming.join(
        known.select(*KEY, pl.exclude(*KEY).name.prefix("known_")), on=KEY, how="left", coalesce=True
    )
    is_new = pl.col("known_item_id").is_null()
    new = joined.filter(is_new).select(incoming.columns)
    told = _with_differences(joined.filter(~is_new))
    conflicts = _conflicts(told, rules)
    settled = told.filter(~pl.col("row").is_in(conflicts["row"].implode()))
    if rules.stale:
        settled = settled.clear()
    due = settled.filter(pl.col("due_differs")).select(
        "row",
        "due_date",
        pl.col("known_item_id").alias("item_id"),
        pl.col("known_item_date").alias("item_date"),
    )
    amount = settled.filter(pl.col("delta_mills") != 0)
    toward_zero = settled.filter(pl.col("counter_mills") > 0)
    reopened = settled.filter(pl.col("reopen_mills") > 0)
    vanished = _vanished(incoming, known, rules)
    changed = pl.concat(
        [frame["row"] for frame in (due, amount, toward_zero, reopened, conflicts)]
    ).n_unique()
    return ExportDiff(
        new=new,
        seen_again=told.filter(~pl.col("known_owned") & ~pl.col("known_sighted")),
        due=due,
        amount=amount,
        toward_zero=toward_zero,
        reopened=reopened,
        vanished=vanished,
        conflicts=conflicts,
        awaited=settled.filter(pl.col("awaited_mills") > 0).select(
            "row", "awaited_mills", pl.col("known_item_id").alias("item_id")
        ),
        shown=_shown(settled, incoming, known, rules),
        unchanged=told.height - changed,
        asks=_asks(vanished, known, rules),
    )


def _with_differences(told: pl.DataFrame) -> pl.DataFrame:
    """Known lines with what the export says differently.

    The open amount it states is the target; a settlement day without one means a target of zero; with
    neither, the export says nothing about what is open.
    """
    sign = pl.col("known_amount_mills").sign()
    target = (
        pl.when(pl.col("open_mills").is_not_null())
        .then(pl.col("open_mills"))
        .when(pl.col("settled_date").is_not_null())
        .then(pl.lit(0, pl.Int64))
    )
    delta = pl.col("amount_mills") - pl.col("known_amount_mills")
    return (
        told.with_columns(
            delta_mills=delta,
            # A smaller amount than was paid already, and nothing said about what is open.
            shrinks_below_paid=target.is_null() & (delta * sign < -(pl.col("known_balance_mills") * sign)),
            due_differs=(pl.col("due_date") != pl.col("known_due_date")).fill_null(False)
            & (sign > 0)
            & (pl.col("due_origin") == "stated"),
        )
        .with_columns(
            # How far the balance must go toward zero (positive) or away from it (negative).
            gap_mills=((pl.col("known_balance_mills") + pl.col("delta_mills") - target) * sign).fill_null(0)
        )
        .with_columns(
            counter_mills=pl.col("gap_mills").clip(lower_bound=0),
            reopen_mills=(-pl.col("gap_mills")).clip(lower_bound=0),
            says_open=target.is_not_null(),
            # The true cause arrived: the payment takes the place of what stood provisionally.
            cause_mills=pl.when(pl.col("settled_date").is_not_null() & (pl.col("gap_mills") >= 0))
            .then(pl.col("known_provisional_mills"))
            .otherwise(0),
        )
        .with_columns(
            counter_mills=pl.col("counter_mills") + pl.col("cause_mills"),
            awaited_mills=pl.min_horizontal("reopen_mills", "known_awaited_mills"),
        )
        .with_columns(reopen_mills=pl.col("reopen_mills") - pl.col("awaited_mills") + pl.col("cause_mills"))
    )


def _conflicts(told: pl.DataFrame, rules: ExportRules) -> pl.DataFrame:
    """Rows that contradict the ledger where this source may not change it."""
    foreign = ~pl.col("known_owned") if rules.amends else pl.lit(True)
    code = (
        pl.when(pl.col("currency") != pl.col("known_currency"))
        .then(pl.lit("conflict_currency"))
        .when(pl.col("amount_mills").sign() != pl.col("known_amount_mills").sign())
        .then(pl.lit("conflict_sign"))
        .when((foreign & (pl.col("delta_mills") != 0)) | pl.col("shrinks_below_paid"))
        .then(pl.lit("conflict_amount"))
        .when(foreign & pl.col("due_differs"))
        .then(pl.lit("conflict_due_date"))
        .when(
            pl.col("reopen_mills")
            > pl.col("known_provisional_mills") + pl.when(foreign).then(0).otherwise("known_settled_mills")
        )
        .then(pl.lit("conflict_open"))
    )
    if rules.stale:
        return told.with_columns(code=pl.lit("")).clear()
    return told.with_columns(code=code).filter(pl.col("code").is_not_null())


def _in_scope(known: pl.DataFrame, rules: ExportRules) -> pl.DataFrame:
    """Known open lines that this source tells about."""
    return known.filter(
        (pl.col("owned") | pl.col("sighted"))
        & pl.col("kind").is_in(list(rules.kinds))
        & (pl.col("balance_mills") != 0)
    )


def _vanished(incoming: pl.DataFrame, known: pl.DataFrame, rules: ExportRules) -> pl.DataFrame:
    if not rules.complete or rules.stale:
        return known.clear()
    return _in_scope(known, rules).join(incoming.select(KEY), on=KEY, how="anti")


def _shown(told: pl.DataFrame, incoming: pl.DataFrame, known: pl.DataFrame, rules: ExportRules) -> pl.Series:
    """Lines of which the export has no more open than we: it shows what we posted from the bank."""
    listed = told.filter(
        (pl.col("known_awaited_mills") > 0) & pl.col("says_open") & (pl.col("awaited_mills") == 0)
    )["known_item_id"]
    if not rules.complete or rules.stale:
        return listed.alias("item_id")
    waiting = known.filter(
        (pl.col("awaited_mills") > 0)
        & (pl.col("owned") | pl.col("sighted"))
        & pl.col("kind").is_in(list(rules.kinds))
    )
    return pl.concat([listed, waiting.join(incoming.select(KEY), on=KEY, how="anti")["item_id"]]).alias(
        "item_id"
    )


def _asks(vanished: pl.DataFrame, known: pl.DataFrame, rules: ExportRules) -> bool:
    """Whether more vanished than one should believe without asking: by number or by value."""
    if vanished.is_empty():
        return False
    scope = _in_scope(known, rules)
    by_number = vanished.height / scope.height
    by_value = int(vanished["balance_mills"].abs().sum()) / int(scope["balance_mills"].abs().sum())
    return max(by_number, by_value) > rules.ask_above_rate
