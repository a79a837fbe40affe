"""Presenting items to the bank: a slip of receipts or a file of direct debits, and the orders it makes.

Refused data refuse the whole file, with everything that is wrong, and then nothing is recorded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from saldo.cash.banks import BankAccountRow, bank_account
from saldo.cash.batches import OURS, NewOrder, add_batch, known_batch
from saldo.cash.collections import (
    MandateRow,
    domiciles_of,
    mandates_in_force,
    orders,
    presentable,
    rules_of,
)
from saldo.cash.postings import changing, locked
from saldo.core import collecting
from saldo.core.calendar import add_banking_days, is_banking_day
from saldo.core.context import Context
from saldo.core.errors import Rejection, SaldoError
from saldo.formats.riba_slip import SlipHead, SlipReceipt, WrittenSlip, write_riba_slip
from saldo.formats.sepa_debit import Debit, DebitHead, WrittenDebits, write_sepa_debits
from saldo.identity.queries import companies
from saldo.storage.frames import reserve_ids

_MILLS_PER_CENT = 10


@dataclass(frozen=True, slots=True)
class Presented:
    """data: the bank's file; None (and no batch_id) where something was refused."""

    batch_id: int | None
    data: bytes | None
    name: str
    orders: int
    total_mills: int
    rejections: tuple[Rejection, ...] = ()


def present(
    ctx: Context,
    company_id: int,
    bank_account_id: int,
    kind: str,
    item_ids: Sequence[int] | None = None,
    due_from: date | None = None,
    due_to: date | None = None,
    due_date: date | None = None,
    version: str = "02",
    sequence: str = "RCUR",
) -> Presented:
    """A slip (kind "riba") or direct debits ("sdd") of these items, recorded as under way.

    item_ids: which; without them the open items of that payment method that are due in the window, less those
    under way. due_date: when they are to be paid, in place of their own (needed where that is past). Raises
    SaldoError: bank_account_unknown, collection_kind_unknown, account_unknown.
    """
    if kind not in collecting.KINDS:
        raise SaldoError("collection_kind_unknown", kind=kind)
    bank = bank_account(bank_account_id)
    if bank.company_id != company_id:
        raise SaldoError("bank_account_unknown", account=bank_account_id)
    ctx = ctx.within(company_id)
    chosen = presentable(ctx, item_ids, due_from, due_to)
    if item_ids is None:
        chosen = [row for row in chosen if collecting.method_kind(row["payment_method"]) == kind]

    def work() -> Presented:
        now, _ = locked(company_id, sorted({row["account_id"] for row in chosen}), ctx)
        under_way = {
            order.item_id: order.number
            for order in orders(now, "AND r.end_date IS NULL AND r.paid_date IS NULL", all_days=True)
        }
        if item_ids is None:
            rows = [row for row in chosen if row["item_id"] not in under_way]
        else:
            rows = chosen
        faults = list(_faults(rows, item_ids, under_way))
        make = _Slip if kind == collecting.RIBA else _Debits
        return make(now, bank, rows, due_date).presented(faults, version, sequence)

    return changing(work)


def _faults(
    rows: Sequence[dict[str, Any]], item_ids: Sequence[int] | None, under_way: dict[int | None, str]
) -> list[Rejection]:
    found = {row["item_id"] for row in rows}
    missing = [item for item in item_ids or () if item not in found]
    faults = [Rejection("collection_item_not_open", str(item), "", {"item": item}) for item in missing]
    for row in rows:
        if row["item_id"] in under_way:
            params = {"item": row["number"], "batch": under_way[row["item_id"]]}
            faults.append(Rejection("collection_item_in_flight", row["number"], row["name"], params))
    return faults


class _Slip:
    """A slip of receipts. Receipts are numbered by the ids of their orders: unique for ever."""

    kind = collecting.RIBA

    def __init__(
        self, ctx: Context, bank: BankAccountRow, rows: Sequence[dict[str, Any]], due_date: date | None
    ) -> None:
        self.ctx, self.bank, self.rows, self.due_date = ctx, bank, rows, due_date
        self.ids = reserve_ids("cash_collectionorder", len(rows)).to_list()
        (self.batch_id,) = reserve_ids("cash_collectionbatch", 1).to_list()
        self.number = f"SALDO-{self.batch_id:010d}"

    @property
    def file_name(self) -> str:
        return f"riba_{self.bank.abi}_{self.ctx.as_of:%Y%m%d}_{self.number}.txt"

    def presented(self, faults: list[Rejection], version: str, sequence: str) -> Presented:
        written, more = self.written(version, sequence)
        rejections = (*faults, *more, *written.rejections)
        total = sum(row["mills"] for row in self.rows)
        if rejections or written.data is None:
            return Presented(None, None, self.file_name, len(self.rows), total, rejections)
        assert known_batch(self.bank.id, self.kind, self.number) is None
        new = [self.order(row, id_) for row, id_ in zip(self.rows, self.ids, strict=True)]
        add_batch(
            self.ctx, self.bank.id, self.kind, self.number, self.ctx.as_of, OURS, new, None, self.batch_id
        )
        return Presented(self.batch_id, written.data, self.file_name, len(self.rows), total)

    def written(self, version: str, sequence: str) -> tuple[WrittenSlip | WrittenDebits, list[Rejection]]:
        (company,) = companies(self.ctx)
        head = SlipHead(
            self.bank.sia, self.bank.abi, self.bank.cab, self.bank.number[-12:], self.ctx.as_of, self.number,
            (company.name,), company.vat_number.upper().removeprefix("IT"),
        )  # fmt: skip
        domiciles = domiciles_of({row["account_id"] for row in self.rows})
        receipts = [
            SlipReceipt(
                receipt=self.receipt(id_), due_date=self.due(row), amount_cents=_cents(row["mills"]),
                debtor_name=row["name"], debtor_tax_code=_tax_code(row),
                debtor_abi=domiciles.get(row["account_id"], ("", "", ""))[0],
                debtor_cab=domiciles.get(row["account_id"], ("", "", ""))[1],
                debtor_bank=domiciles.get(row["account_id"], ("", "", ""))[2],
                debtor_code=row["code"], debtor_address=row["address"], debtor_zip=row["zip_code"],
                debtor_city=row["city"], debtor_province=row["province"], debt_reference=_reference(row),
            )
            for row, id_ in zip(self.rows, self.ids, strict=True)
        ]  # fmt: skip
        return write_riba_slip(head, receipts), self._past()

    def _past(self) -> list[Rejection]:
        """A receipt cannot fall due before it is presented."""
        return [
            Rejection("collection_due_past", row["number"], row["name"],
                      {"item": row["number"], "due": self.due(row).isoformat()})
            for row in self.rows
            if self.due(row) <= self.ctx.as_of
        ]  # fmt: skip

    def due(self, row: dict[str, Any]) -> date:
        day: date = self.due_date or row["due_date"]
        return day

    def receipt(self, id_: int) -> str:
        return f"{id_:010d}"

    def order(self, row: dict[str, Any], id_: int) -> NewOrder:
        return NewOrder(
            self.receipt(id_), row["mills"], self.due(row), row["account_id"], row["item_id"],
            debtor_name=row["name"], debtor_code=row["code"], debtor_tax_code=_tax_code(row),
            debt_reference=_reference(row), id=id_,
        )  # fmt: skip


class _Debits(_Slip):
    """A file of direct debits: each by the mandate in force of its account, on a banking day."""

    kind = collecting.SDD

    def __init__(
        self, ctx: Context, bank: BankAccountRow, rows: Sequence[dict[str, Any]], due_date: date | None
    ) -> None:
        super().__init__(ctx, bank, rows, due_date)
        assert ctx.company_id is not None
        self.number = f"SALDO-SDD-{self.batch_id:010d}"
        self.lead_days = rules_of(ctx.company_id).lead_days
        self.mandates = mandates_in_force(ctx, [row["account_id"] for row in rows])

    @property
    def file_name(self) -> str:
        return f"sdd_{self.ctx.as_of:%Y%m%d}_{self.number}.xml"

    def written(self, version: str, sequence: str) -> tuple[WrittenSlip | WrittenDebits, list[Rejection]]:
        (company,) = companies(self.ctx)
        created_at = datetime.combine(self.ctx.as_of, self.ctx.clock().time())
        head = DebitHead(
            self.number, created_at, company.name, self.bank.iban, self.bank.bic, self.bank.creditor_id,
            self.lead_days,
        )  # fmt: skip
        missing = [
            Rejection("collection_mandate_missing", row["number"], row["name"],
                      {"item": row["number"], "debtor": row["name"]})
            for row in self.rows
            if row["account_id"] not in self.mandates
        ]  # fmt: skip
        debits = [
            self._debit(row, id_, self.mandates[row["account_id"]], sequence)
            for row, id_ in zip(self.rows, self.ids, strict=True)
            if row["account_id"] in self.mandates
        ]
        if missing and not debits:
            return WrittenDebits(None, 0, 0), missing
        return write_sepa_debits(head, debits, version), missing

    def _debit(self, row: dict[str, Any], id_: int, mandate: MandateRow, sequence: str) -> Debit:
        return Debit(
            end_to_end_id=self.receipt(id_), amount_cents=_cents(row["mills"]), collection_date=self.due(row),
            scheme=mandate.scheme, sequence=sequence, mandate_id=mandate.mandate_id,
            mandate_date=mandate.signed_date, name=mandate.holder, iban=mandate.iban, bic=mandate.bic,
            text=_reference(row),
        )  # fmt: skip

    def due(self, row: dict[str, Any]) -> date:
        """The due date or the first day that the bank's notice allows, on a banking day."""
        earliest = add_banking_days(self.ctx.as_of, self.lead_days)
        day = max(super().due(row), earliest)
        return day if is_banking_day(day) else add_banking_days(day, 1)

    def receipt(self, id_: int) -> str:
        return f"SALDO-{id_:010d}"

    def order(self, row: dict[str, Any], id_: int) -> NewOrder:
        mandate = self.mandates[row["account_id"]]
        return NewOrder(
            self.receipt(id_), row["mills"], self.due(row), row["account_id"], row["item_id"], mandate.scheme,
            mandate.id, debtor_name=mandate.holder, debtor_code=row["code"], debt_reference=_reference(row),
            id=id_,
        )  # fmt: skip


def _cents(mills: int) -> int:
    cents, rest = divmod(mills, _MILLS_PER_CENT)
    assert rest == 0, "amounts in euro have two decimals"
    return cents


def _tax_code(row: dict[str, Any]) -> str:
    """What a receipt says: the VAT number, or else the tax code."""
    text: str = row["vat_number"] or row["tax_code"]
    return "".join(text.split()).upper().removeprefix("IT")


def _reference(row: dict[str, Any]) -> str:
    return f"FATT. {row['number']} DEL {row['document_date']:%d/%m/%Y} RATA {row['installment_no']}"
