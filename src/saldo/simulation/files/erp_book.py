"""What the ERP of a company has in its books on a day: every line with what is still open of it.

A line is an installment of an invoice, a credit note, or a payment on account that belongs to no invoice.
"""

from __future__ import annotations

from datetime import date
from functools import cached_property
from typing import Any

import polars as pl

from saldo.simulation.world.tables import Tables

# What every line has: where it came from, and amounts in cents with the sign of the ledger.
_LINE_SCHEMA: dict[str, Any] = {
    "line_id": pl.Int32, "account_id": pl.Int32, "kind": pl.String, "number": pl.String,
    "document_date": pl.Date, "due_date": pl.Date, "no": pl.Int16, "order_number": pl.String,
    "gross_cents": pl.Int64, "cash_cents": pl.Int64, "split_cents": pl.Int64, "withheld_cents": pl.Int64,
}  # fmt: skip
LINE_COLUMNS = tuple(_LINE_SCHEMA)


class ErpBook:
    """The lines of one company and what was posted on them.

    lines: LINE_COLUMNS, one row a line; document_date is the day from which it is there.
    postings: line_id, posted_date, effective_date, amount_cents.
    accounts: ACCOUNTS with name, vat, tax_code, country of the customer, and rank by customer code.
    """

    def __init__(self, t: Tables, company_id: int) -> None:
        self.company = t.companies.row(by_predicate=pl.col("company_id") == company_id, named=True)
        customers = t.customers.select("customer_id", "name", "vat", "tax_code", "country")
        self.accounts = (
            t.accounts.filter(pl.col("company_id") == company_id)
            .join(customers, on="customer_id", how="left")
            .sort("code")
            .with_row_index("rank")
        )
        self.lines = _lines(t, self.accounts)
        postings = t.postings.select(
            pl.col("installment_id").alias("line_id"),
            "posted_date",
            "effective_date",
            "amount_cents",
        )
        self.postings = postings.join(self.lines, on="line_id", how="semi")

    @cached_property
    def _doubled(self) -> pl.Series:
        """Lines that may have been covered twice on some day."""
        covered = (
            self.postings.filter(pl.col("amount_cents") > 0)
            .group_by("line_id")
            .agg(pl.col("amount_cents").sum())
        )
        debts = covered.join(self.lines.filter(pl.col("cash_cents") > 0), on="line_id")
        return debts.filter(pl.col("amount_cents") > pl.col("cash_cents"))["line_id"]

    def at(self, day: date, line_ids: pl.Series | None = None) -> pl.DataFrame:
        """The lines that are there at the end of ``day`` with open_cents and settled_date (null while open).

        line_ids: to ask for those lines only. A line that is covered twice (a receipt
        was at the bank already when a credit note came) is settled, and the excess is a credit on account.
        """
        lines = self.lines.filter(pl.col("document_date") <= day)
        posted = self.postings.filter(pl.col("posted_date") <= day)
        if line_ids is not None:
            asked = pl.col("line_id").is_in(line_ids.implode())
            lines, posted = lines.filter(asked), posted.filter(asked)
        taken = posted.group_by("line_id").agg(
            pl.col("amount_cents").sum().alias("taken_cents"), pl.col("effective_date").max()
        )
        open_cents = pl.col("cash_cents") - pl.col("taken_cents").fill_null(0)
        found = lines.join(taken, on="line_id", how="left").with_columns(open_cents=open_cents)
        exceeds = (pl.col("open_cents") < 0) & (pl.col("cash_cents") > 0)
        excess = found.filter(exceeds)
        if excess.height:
            found = pl.concat([found.with_columns(_zero_where(exceeds)), _on_account(excess)])
        # An advance is paid before its invoice is written: the line is settled from its first day.
        settled = pl.max_horizontal("effective_date", "document_date")
        return found.select(
            *LINE_COLUMNS,
            "open_cents",
            pl.when(pl.col("open_cents") == 0).then(settled).alias("settled_date"),
        )

    def open_at(self, day: date) -> pl.DataFrame:
        """The lines of ``at`` that are open at the end of ``day``."""
        return self.at(day).filter(pl.col("open_cents") != 0)

    def changed(self, after: date, until: date) -> pl.DataFrame:
        """The lines of ``at(until)`` that are new, or open to another amount, since the end of ``after``."""
        moved = (
            self.postings.filter((pl.col("posted_date") > after) & (pl.col("posted_date") <= until))
            .group_by("line_id")
            .agg(pl.col("amount_cents").sum())
            .filter(pl.col("amount_cents") != 0)
        )
        new = self.lines.filter((pl.col("document_date") > after) & (pl.col("document_date") <= until))
        now = self.at(until, pl.concat([moved["line_id"], new["line_id"]]).unique())
        doubled = moved.filter(pl.col("line_id").is_in(self._doubled.implode()))["line_id"]
        if doubled.is_empty():
            return now
        # What exceeded a line and does not any more is settled.
        was = self.at(after, doubled).filter(pl.col("line_id") < 0).join(now, on="line_id", how="anti")
        return pl.concat([now, was.with_columns(pl.lit(0, pl.Int64).alias("open_cents"), settled_date=until)])

    def open_total(self, day: date) -> int:
        """Cents open at the end of ``day``, credits taken off: the truth that a reader must come to."""
        return int(self.at(day).select(pl.col("open_cents").sum()).item())


def _zero_where(condition: pl.Expr) -> pl.Expr:
    return pl.when(condition).then(0).otherwise("open_cents").alias("open_cents")


def _on_account(excess: pl.DataFrame) -> pl.DataFrame:
    """Lines of what exceeds others, numbered after them, with ids below zero."""
    none = pl.lit(0, pl.Int64)
    return excess.with_columns(
        (-1 - pl.col("line_id")).alias("line_id"),
        pl.lit("on_account").alias("kind"),
        pl.concat_str(pl.lit("AC "), "number", pl.lit("-"), "no").alias("number"),
        pl.lit(None, pl.Date).alias("due_date"),
        pl.lit("").alias("order_number"),
        pl.col("open_cents").alias("gross_cents"),
        pl.col("open_cents").alias("cash_cents"),
        none.alias("split_cents"),
        none.alias("withheld_cents"),
    )


def _lines(t: Tables, accounts: pl.DataFrame) -> pl.DataFrame:
    """Installments and credits of ``accounts``.

    The tax that the customer pays to the state is the part of the share that is no cash; where an invoice has
    both split VAT and withholding, it is divided in their proportion. A credit is what it takes off.
    """
    is_credit = pl.col("kind") != "invoice"
    kept = pl.when(is_credit).then(0).otherwise(pl.col("amount_cents") - pl.col("cash_cents"))
    taxes = pl.col("split_vat_cents") + pl.col("withholding_cents")
    withheld = (
        pl.when(pl.col("withholding_cents") > 0)
        .then(kept * pl.col("withholding_cents") // taxes)
        .otherwise(0)
    )
    invoices = t.invoices.select(
        "invoice_id", "kind", "number", "date", "order_number", "split_vat_cents", "withholding_cents"
    )
    return (
        t.installments.join(accounts, on="account_id", how="semi")
        .join(invoices, on="invoice_id", how="left")
        .select(
            pl.col("installment_id").alias("line_id"),
            "account_id",
            "kind",
            "number",
            pl.col("date").alias("document_date"),
            pl.when(~is_credit).then("due_date").alias("due_date"),
            "no",
            "order_number",
            pl.when(is_credit).then("cash_cents").otherwise("amount_cents").alias("gross_cents"),
            "cash_cents",
            (kept - withheld).alias("split_cents"),
            withheld.alias("withheld_cents"),
        )
    )
