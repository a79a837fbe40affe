"""What is known of one company's receivables, as frames: the input of features, models and backtests.

Every fact carries ``known_date``, the first day on whose evening it could be known (the ledger's knowable_at:
the entry date in the source, else the effective date plus a stated lag). A question about a past day uses
facts with ``known_date`` on or before that day and nothing else; so a model can be trained on the past, and
judged on it, as it would have been used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

import polars as pl

# A debit: an installment, fee or interest. amount_mills > 0 is what was owed first. due_date is the day
# agreed when the item came to be; later agreements are rows of ``terms``.
ITEMS: dict[str, pl.DataType] = {
    "item_id": pl.Int64(),
    "account_id": pl.Int64(),
    "customer_id": pl.Int64(),
    "segment": pl.String(),
    "currency": pl.String(),
    "document_date": pl.Date(),
    "due_date": pl.Date(),
    "amount_mills": pl.Int64(),
    "method": pl.String(),
    "known_date": pl.Date(),
}
# What took an amount off an item, on its effective day: amount_mills > 0; < 0 gives it back (a returned RiBa,
# a bounced payment, a correction). cause: one of CAUSES.
ENDS: dict[str, pl.DataType] = {
    "item_id": pl.Int64(),
    "end_date": pl.Date(),
    "amount_mills": pl.Int64(),
    "cause": pl.String(),
    "known_date": pl.Date(),
}
PAID, CREDITED, WRITTEN_OFF, RETURNED, UNKNOWN = "paid", "credited", "written_off", "returned", "unknown"
CAUSES = (PAID, CREDITED, WRITTEN_OFF, RETURNED, UNKNOWN)

# A due date agreed later: in force from known_date on.
TERMS: dict[str, pl.DataType] = {
    "item_id": pl.Int64(),
    "due_date": pl.Date(),
    "known_date": pl.Date(),
}
# The customer promised an amount by a day (item_id null: of the account).
PROMISES: dict[str, pl.DataType] = {
    "account_id": pl.Int64(),
    "item_id": pl.Int64(),
    "promised_date": pl.Date(),
    "amount_mills": pl.Int64(),
    "known_date": pl.Date(),
}
# An amount of an item is objected to from known_date until closed_date (null: still).
DISPUTES: dict[str, pl.DataType] = {
    "item_id": pl.Int64(),
    "amount_mills": pl.Int64(),
    "closed_date": pl.Date(),
    "known_date": pl.Date(),
}
# Somebody of ours spoke or wrote to the account. channel: call, email, letter, ….
CONTACTS: dict[str, pl.DataType] = {
    "account_id": pl.Int64(),
    "channel": pl.String(),
    "known_date": pl.Date(),
}
# The customer ordered.
ORDERS: dict[str, pl.DataType] = {
    "account_id": pl.Int64(),
    "amount_mills": pl.Int64(),
    "known_date": pl.Date(),
}

SCHEMAS: Mapping[str, dict[str, pl.DataType]] = {
    "items": ITEMS,
    "ends": ENDS,
    "terms": TERMS,
    "promises": PROMISES,
    "disputes": DISPUTES,
    "contacts": CONTACTS,
    "orders": ORDERS,
}

# A question: this item on the evening of this day. An item may stand in many.
LANDMARKS: dict[str, pl.DataType] = {"item_id": pl.Int64(), "as_of": pl.Date()}


def _empty(name: str) -> pl.DataFrame:
    return pl.DataFrame(schema=SCHEMAS[name])


@dataclass(frozen=True, slots=True)
class Book:
    """Facts of one company. Frames have at least the columns of SCHEMAS; more are kept (see ``extra``).

    known_from: first day from which payments are known (None: always); before it only what stayed open is.
    extra: names of further columns of ``items``, known when the item is, that a model may use: numbers or
    strings. Raises ValueError on a missing column or a wrong type.
    """

    items: pl.DataFrame
    ends: pl.DataFrame
    terms: pl.DataFrame = field(default_factory=lambda: _empty("terms"))
    promises: pl.DataFrame = field(default_factory=lambda: _empty("promises"))
    disputes: pl.DataFrame = field(default_factory=lambda: _empty("disputes"))
    contacts: pl.DataFrame = field(default_factory=lambda: _empty("contacts"))
    orders: pl.DataFrame = field(default_factory=lambda: _empty("orders"))
    known_from: date | None = None
    extra: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, schema in SCHEMAS.items():
            frame: pl.DataFrame = getattr(self, name)
            for column, kind in schema.items():
                if frame.schema.get(column) != kind:
                    raise ValueError(f"{name}.{column} is {frame.schema.get(column)}, not {kind}")
        missing = [name for name in self.extra if name not in self.items.columns]
        if missing:
            raise ValueError(f"items lack the further columns {missing}")

    def known_by(self, day: date) -> Book:
        """The same book as it was known on the evening of ``day``."""
        return self._with({name: frame.filter(pl.col("known_date") <= day) for name, frame in self._frames()})

    def of_accounts(self, account_ids: list[int]) -> Book:
        """Only these accounts' facts: enough for their features, which never look at other accounts."""
        wanted = pl.DataFrame({"account_id": account_ids}, schema={"account_id": pl.Int64})
        items = self.items.join(wanted, on="account_id", how="semi")
        cut: dict[str, pl.DataFrame] = {"items": items}
        for name in ("ends", "terms", "disputes"):
            cut[name] = getattr(self, name).join(items, on="item_id", how="semi")
        for name in ("promises", "contacts", "orders"):
            cut[name] = getattr(self, name).join(wanted, on="account_id", how="semi")
        return self._with(cut)

    def _frames(self) -> list[tuple[str, pl.DataFrame]]:
        return [(name, getattr(self, name)) for name in SCHEMAS]

    def _with(self, frames: Mapping[str, pl.DataFrame]) -> Book:
        """The same book with these frames instead."""
        return Book(**dict(self._frames()) | dict(frames), known_from=self.known_from, extra=self.extra)


def balances(book: Book, landmarks: pl.DataFrame) -> pl.DataFrame:
    """``landmarks`` (LANDMARKS) in their order with what was known of each item that evening.

    Adds account_id, customer_id, segment, currency, document_date, due_date (as agreed by then),
    amount_mills, balance_mills (0 or less: settled; equal to amount for an item not known yet, whose facts
    cannot have been either).
    """
    numbered = landmarks.select("item_id", "as_of").with_row_index("_row")
    keys = numbered.select("_row", "item_id", "as_of")
    taken = (
        keys.join(book.ends.select("item_id", "known_date", used="amount_mills"), on="item_id")
        .filter(pl.col("known_date") <= pl.col("as_of"))
        .group_by("_row")
        .agg(pl.col("used").sum())
    )
    agreed = (
        keys.join(book.terms.select("item_id", "known_date", agreed="due_date"), on="item_id")
        .filter(pl.col("known_date") <= pl.col("as_of"))
        .sort("known_date", maintain_order=True)
        .group_by("_row", maintain_order=True)
        .agg(pl.col("agreed").last())
    )
    facts = book.items.select(*(name for name in ITEMS if name not in ("known_date",)), *book.extra)
    return (
        numbered.join(facts, on="item_id", how="left", maintain_order="left")
        .join(taken, on="_row", how="left", maintain_order="left")
        .join(agreed, on="_row", how="left", maintain_order="left")
        .with_columns(
            pl.coalesce("agreed", "due_date").alias("due_date"),
            (pl.col("amount_mills") - pl.col("used").fill_null(0)).alias("balance_mills"),
        )
        .drop("_row", "used", "agreed")
    )


def open_on(book: Book, day: date) -> pl.DataFrame:
    """LANDMARKS of every item known and with a balance on the evening of ``day``."""
    known = book.items.filter(pl.col("known_date") <= day).select("item_id", pl.lit(day).alias("as_of"))
    return balances(book, known).filter(pl.col("balance_mills") > 0).select("item_id", "as_of")
