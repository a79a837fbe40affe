"""What a bank knows of our accounts: statements with chained balances, their lines, and the receipts in them.

Shared by the writers of all bank formats. A statement is that of one account and one day with lines.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

import polars as pl

from saldo.simulation.files.bank_text import year_first
from saldo.simulation.world.tables import Tables

# What banks print where the payer said nothing; causes of the Italian banking association; ISO 20022 codes.
REMARKS = {
    "transfer": "BONIFICO A VOSTRO FAVORE",
    "riba": "ACCREDITO DISTINTA EFFETTI RIBA",
    "sdd": "ACCREDITO INCASSI SDD",
    "riba_return": "EFFETTI INSOLUTI",
    "sdd_return": "SDD INSOLUTO O STORNATO",
    "fee": "COMMISSIONI E SPESE",
    "refund": "BONIFICO A FAVORE DI TERZI",
}
CAUSES = {
    "transfer": "48", "riba": "30", "sdd": "06", "riba_return": "37", "sdd_return": "08", "fee": "16",
    "refund": "26",
}  # fmt: skip
TRANSFERS = frozenset({"transfer", "refund"})
RETURNS = frozenset({"riba_return", "sdd_return"})
NO_END_TO_END = "NOTPROVIDED"


class Bank(NamedTuple):
    """One of our accounts, and whose it is."""

    bank_id: int
    name: str
    abi: str
    cab: str
    account: str
    cin: str
    iban: str
    bic: str
    code: str
    owner: str
    tax_code: str
    sia: str
    creditor_id: str


class Receipt(NamedTuple):
    """A RiBa or direct debit with what its files say of debtor and debt; city holds the debtor's place."""

    receipt_id: int
    kind: str
    batch_id: int
    bank_id: int
    presented_date: date
    due_date: date
    amount_cents: int
    returned_date: date | None
    return_reason: str
    customer_code: str
    mandate_id: str
    scheme: str
    name: str
    address: str
    zip: str
    city: str
    province: str
    tax_code: str
    iban: str
    bic: str
    abi: str
    cab: str
    bank_name: str
    number: str
    date: date
    no: int
    end_to_end: str

    @property
    def debt(self) -> str:
        """The reference of the debt, as creditors write it for the debtor to see."""
        return f"FATT. {self.number} DEL {self.date:%d/%m/%Y} RATA {self.no}"


class Line(NamedTuple):
    """A line of an account. receipt: of a return, what came back."""

    payment_id: int
    kind: str
    booking_date: date
    value_date: date
    amount_cents: int
    name: str
    iban: str
    bic: str
    text: str
    end_to_end: str
    creditor_reference: str
    charges_cents: int
    batch_id: int | None
    return_reason: str
    bank_id: int
    receipt_id: int | None

    @property
    def bank_reference(self) -> str:
        """16 characters, different for every line."""
        return f"{year_first(self.booking_date)}{self.payment_id:010d}"

    @property
    def remittance(self) -> str:
        """Text and creditor reference in one, for formats that have no field for the second."""
        return " ".join(part for part in (self.text, self.creditor_reference) if part)


@dataclass(frozen=True, slots=True)
class Statement:
    """number: of the statements of the account in the year. Balances before and after the lines, in cents."""

    bank: Bank
    day: date
    number: int
    opening_cents: int
    closing_cents: int
    lines: Sequence[Line]
    receipts: Receipts

    def file_name(self, prefix: str, suffix: str) -> str:
        return bank_path(self.bank, prefix, f"{self.day:%Y%m%d}{suffix}")


class Receipts:
    """The receipts behind the lines of a window, by batch and by id."""

    def __init__(self, found: Sequence[Receipt]) -> None:
        self._by_id = {receipt.receipt_id: receipt for receipt in found}
        self._by_batch: dict[tuple[str, int], list[Receipt]] = {}
        for receipt in found:
            self._by_batch.setdefault((receipt.kind, receipt.batch_id), []).append(receipt)

    def returned(self, line: Line) -> Receipt | None:
        """The receipt that came back with ``line``; None for lines that are no return (fees name one too)."""
        if line.kind not in RETURNS or line.receipt_id is None:
            return None
        return self._by_id[line.receipt_id]

    def of_batch(self, line: Line) -> list[Receipt]:
        """The receipts that ``line`` credits. ValueError if they do not come to its amount."""
        found = self._by_batch.get((line.kind, line.batch_id if line.batch_id is not None else -1), [])
        total = sum(receipt.amount_cents for receipt in found)
        if total != line.amount_cents:
            raise ValueError(
                f"Payment {line.payment_id}: the receipts of batch {line.batch_id} come to {total} cents, "
                f"the line to {line.amount_cents}"
            )
        return found


def bank_path(bank: Bank, prefix: str, rest: str) -> str:
    """Where a file of ``bank`` lies in the folder of a world."""
    return f"files/{bank.code}/bank/{prefix}_{bank.abi}_{bank.account}_{rest}"


def banks_of(t: Tables, form: str | None = None) -> dict[int, Bank]:
    """Our accounts by id; with ``form`` those whose bank writes that format."""
    owners = t.companies.select("company_id", "code", owner="name", tax_code="tax_code", sia="sia",
                                creditor_id="creditor_id")  # fmt: skip
    rows = t.banks if form is None else t.banks.filter(pl.col("format") == form)
    rows = rows.join(owners, on="company_id").sort("bank_id").select(Bank._fields)
    return {row[0]: Bank._make(row) for row in rows.iter_rows()}


def statements(t: Tables, form: str, first: date, last: date) -> Iterator[Statement]:
    """The statements in format ``form`` of the days from ``first`` to ``last``, by day and account."""
    banks = banks_of(t, form)
    known = t.payments.filter(pl.col("bank_id").is_in(list(banks)) & (pl.col("booking_date") <= last))
    balances = _balances(known, t.banks, first)
    window = known.filter(pl.col("booking_date") >= first)
    receipts = Receipts(receipts_of(t, _wanted(t.receipts, window)))
    lines = lines_of(t, window)
    for (day, bank_id), found in groupby(lines, attrgetter("booking_date", "bank_id")):
        number, opening, moved = balances[day, bank_id]
        yield Statement(banks[bank_id], day, number, opening, opening + moved, list(found), receipts)


def _balances(
    payments: pl.DataFrame, banks: pl.DataFrame, first: date
) -> dict[tuple[date, int], tuple[int, int, int]]:
    """(day, bank) -> (number in the year, opening balance, what the day moved)."""
    days = (
        payments.group_by("bank_id", "booking_date")
        .agg(pl.col("amount_cents").sum())
        .join(banks.select("bank_id", "opening_cents"), on="bank_id")
        .sort("bank_id", "booking_date")
        .with_columns(
            opening=pl.col("opening_cents")
            + pl.col("amount_cents").cum_sum().over("bank_id")
            - pl.col("amount_cents"),
            number=pl.int_range(1, pl.len() + 1).over("bank_id", pl.col("booking_date").dt.year()),
        )
        .filter(pl.col("booking_date") >= first)
    )
    rows = days.select("booking_date", "bank_id", "number", "opening", "amount_cents").iter_rows()
    return {(day, bank_id): (number, opening, moved) for day, bank_id, number, opening, moved in rows}


def _wanted(receipts: pl.DataFrame, payments: pl.DataFrame) -> pl.DataFrame:
    """The receipts that the payments credit or give back."""
    credits = payments.filter(pl.col("kind") == "sdd").select("kind", "batch_id").unique()
    credited = receipts.join(credits, on=["kind", "batch_id"], how="semi")
    back = payments.select(receipt_id="returns_id").drop_nulls().unique()
    returned = receipts.join(back, on="receipt_id", how="semi")
    return pl.concat([credited, returned]).unique("receipt_id")


def lines_of(t: Tables, payments: pl.DataFrame) -> Iterator[Line]:
    """Lines by day, account and id."""
    bics = t.payer_banks.select(payer_iban="iban", bic="bic").unique(
        "payer_iban", keep="first", maintain_order=True
    )
    rows = (
        payments.join(bics, on="payer_iban", how="left")
        .sort("booking_date", "bank_id", "payment_id")
        .select(
            "payment_id", "kind", "booking_date", "value_date", "amount_cents",
            pl.col("payer_name", "payer_iban", "bic", "text").fill_null(""),
            pl.col("end_to_end").fill_null("").replace(NO_END_TO_END, ""),
            pl.col("creditor_reference").fill_null(""),
            pl.col("charges_cents").fill_null(0), "batch_id", pl.col("return_reason").fill_null(""),
            "bank_id", "returns_id",
        )
    )  # fmt: skip
    return map(Line._make, rows.iter_rows())


def receipts_of(t: Tables, receipts: pl.DataFrame) -> list[Receipt]:
    """``receipts`` (rows of that table) with debtor, debt and the debtor's bank on the due date, by id."""
    if receipts.is_empty():
        return []
    returned = (
        t.payments.filter(pl.col("returns_id").is_not_null() & (pl.col("end_to_end") != ""))
        .select("end_to_end", receipt_id="returns_id")
        .unique("receipt_id", keep="first", maintain_order=True)
    )
    customers = t.customers.select(
        "customer_id", "name", "address", "zip", "city", "province",
        tax_code=pl.when(pl.col("tax_code") != "").then("tax_code").otherwise(pl.col("vat").str.slice(2)),
    )  # fmt: skip
    told = (
        receipts.with_columns(pl.col("return_reason").fill_null(""))
        .join(
            t.accounts.select("account_id", "customer_id", "mandate_id", "scheme", customer_code="code"),
            on="account_id",
        )
        .join(customers, on="customer_id")
        .join(t.installments.select("installment_id", "invoice_id", "no"), on="installment_id")
        .join(t.invoices.select("invoice_id", "number", "date"), on="invoice_id")
        .join(returned, on="receipt_id", how="left")
        .sort("due_date")
        .join_asof(
            t.payer_banks.sort("from_date"), left_on="due_date", right_on="from_date", by="customer_id",
            check_sortedness=False,
        )
        .with_columns(
            pl.col("iban", "bic", "abi", "cab", "bank_name", "mandate_id", "scheme").fill_null(""),
            # A return gives the reference of its debit.
            end_to_end=pl.coalesce(
                "end_to_end", pl.format("R{}", pl.col("receipt_id").cast(pl.String).str.zfill(9))
            ),
        )
        .sort("receipt_id")
        .select(Receipt._fields)
    )  # fmt: skip
    return [Receipt._make(row) for row in told.iter_rows()]
