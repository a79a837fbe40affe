"""What ERPs are told of the cash applied here: which postings an export holds, and its file, made again.

next_export   the postings a source has not been told of, kept as one numbered export
export_entries  the entries of an export, from what was posted: the same export gives the same bytes
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import connection, transaction

from saldo.cash.models import CashExport, CashExportLine, Posting
from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.core.money import to_mills
from saldo.formats.prima_nota import (
    CHARGES,
    CUSTOMER,
    DISCOUNT,
    EFFETTI,
    INCASSO,
    INSOLUTO,
    RECEIPTS,
    RIMBORSO,
    ROUNDING,
    SPLIT_VAT,
    STORNO,
    WITHHOLDING,
    Entry,
    EntryRow,
)
from saldo.identity.operations import record_event, stamped

# What an ERP is told of, and as what.
_CAUSES = {"match": INCASSO, "slip": EFFETTI, "return": INSOLUTO, "refund": RIMBORSO}
_ITEM_FACTS = (
    "customer_code", "customer", "document_kind", "number", "document_date", "installment_no", "due_date",
)  # fmt: skip
_COST_ACCOUNTS = {
    "charges": CHARGES, "rounding": ROUNDING, "discount": DISCOUNT, "discount_late": DISCOUNT,
    "withholding": WITHHOLDING, "split_vat": SPLIT_VAT,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ExportRow:
    """An export as people see it."""

    id: int
    number: int
    source: str
    posts_cash: str
    day: date
    actor: str
    postings: int
    amount: Decimal


# Postings of a company that belong to a source: the one that brought the first document they pay, else the
# company's main source; told once, whatever source is the main one later. An undo goes out where what it
# undoes was told.
_TO_TELL = """
SELECT p.id FROM cash_posting p
  JOIN cash_banktransaction t ON t.id = p.transaction_id
  LEFT JOIN cash_posting was ON p.kind = 'undo' AND was.transaction_id = p.transaction_id
        AND was.sequence = p.sequence - 1
  LEFT JOIN LATERAL (SELECT i.invoice_id FROM ledger_item i
                      WHERE i.id = (p.shares -> 0 ->> 'item')::bigint) i ON true
  LEFT JOIN ledger_invoice v ON v.id = i.invoice_id
 WHERE t.company_id = %(company)s AND p.recorded_at <= %(recorded_at)s
   AND NOT EXISTS (SELECT 1 FROM cash_cashexportline x WHERE x.posting_id = p.id)
   AND CASE WHEN p.kind = 'undo'
            THEN was.kind = ANY(%(kinds)s) AND EXISTS (SELECT 1 FROM cash_cashexportline x
                                                 WHERE x.source_id = %(source)s AND x.posting_id = was.id)
            ELSE coalesce(v.source_id, %(main)s) = %(source)s
             AND p.kind = ANY(%(kinds)s) AND NOT EXISTS (SELECT 1 FROM cash_posting u
                                                   WHERE u.transaction_id = p.transaction_id
                                                     AND u.sequence > p.sequence) END
 ORDER BY t.booking_date, p.id
"""


def to_tell(ctx: Context, source_id: int, main_source_id: int) -> list[int]:
    """Ids of the postings of the context's company that a source has not been told of."""
    with connection.cursor() as cursor:
        cursor.execute(
            _TO_TELL,
            {
                "company": ctx.company_id,
                "source": source_id,
                "main": main_source_id,
                "kinds": list(_CAUSES),
                "recorded_at": ctx.recorded_at or ctx.clock(),
            },
        )
        return [row[0] for row in cursor.fetchall()]


@transaction.atomic
def next_export(ctx: Context, source_id: int, main_source_id: int, posts_cash: str) -> int:
    """Keep what a source has not been told of as its next export; returns its id.

    Raises SaldoError("nothing_to_export").
    """
    assert ctx.company_id is not None
    ctx = stamped(ctx, ctx.company_id)
    with connection.cursor() as cursor:
        # One export of a source at a time: its number and its postings are its own.
        cursor.execute("SELECT 1 FROM intake_source WHERE id = %s FOR UPDATE", [source_id])
    ids = to_tell(ctx, source_id, main_source_id)
    if not ids:
        raise SaldoError("nothing_to_export")
    number = CashExport.objects.filter(source_id=source_id).count() + 1
    export = CashExport.objects.create(
        company_id=ctx.company_id, source_id=source_id, posts_cash=posts_cash, number=number, day=ctx.as_of,
        actor=ctx.actor, recorded_at=ctx.recorded_at,
    )  # fmt: skip
    CashExportLine.objects.bulk_create(
        [CashExportLine(export=export, source_id=source_id, posting_id=each) for each in ids], 2000
    )
    record_event(ctx, "cash.exported", "company", ctx.company_id, {"number": number, "postings": len(ids)})
    return export.id


def exports(ctx: Context, limit: int = 50) -> list[ExportRow]:
    """The newest exports of the context's company."""
    sql = """
    SELECT x.id, x.number, s.name, x.posts_cash, x.day, x.actor, count(l.id),
           coalesce(sum(CASE WHEN p.kind = 'undo' THEN -t.amount ELSE t.amount END), 0)
      FROM cash_cashexport x JOIN intake_source s ON s.id = x.source_id
      LEFT JOIN cash_cashexportline l ON l.export_id = x.id
      LEFT JOIN cash_posting p ON p.id = l.posting_id
      LEFT JOIN cash_banktransaction t ON t.id = p.transaction_id
     WHERE x.company_id = %s GROUP BY x.id, s.name ORDER BY x.id DESC LIMIT %s
    """
    with connection.cursor() as cursor:
        cursor.execute(sql, [ctx.company_id, limit])
        return [ExportRow(*row) for row in cursor.fetchall()]


def export_entries(ctx: Context, export_id: int) -> tuple[Entry, ...]:
    """The entries of an export. Raises SaldoError("cash_export_unknown")."""
    export = CashExport.objects.filter(id=export_id, company_id=ctx.company_id).first()
    if export is None:
        raise SaldoError("cash_export_unknown", export=export_id)
    told = list(
        Posting.objects.filter(id__in=export.export_lines.values("posting_id"))
        .select_related("transaction__bank_account", "account__customer")
        .order_by("transaction__booking_date", "id")
    )
    undone = _undone([posting for posting in told if posting.kind == "undo"])
    facts = _items({share["item"] for each in told for share in undone.get(each.id, each).shares})
    return tuple(_entry(each, undone.get(each.id), facts, export.day) for each in told)


def _undone(undos: Sequence[Posting]) -> dict[int, Posting]:
    """What each undo took back."""
    found = {
        (each.transaction_id, each.sequence): each
        for each in Posting.objects.filter(
            transaction_id__in=[undo.transaction_id for undo in undos]
        ).select_related("account__customer")
    }
    return {undo.id: found[undo.transaction_id, undo.sequence - 1] for undo in undos}


def _items(item_ids: set[int]) -> dict[int, dict[str, Any]]:
    """What an ERP needs to know of items."""
    sql = """
    SELECT i.id, a.code, c.name,
           CASE v.kind WHEN 'invoice' THEN 'FT' WHEN 'debit_note' THEN 'ND' WHEN 'credit_note' THEN 'NC'
                       ELSE CASE i.kind WHEN 'payment' THEN 'ACC' ELSE '' END END,
           coalesce(v.number, ''), v.document_date,
           CASE WHEN i.invoice_id IS NOT NULL THEN i.installment_no END, i.due_date
      FROM ledger_item i JOIN parties_customeraccount a ON a.id = i.account_id
      JOIN parties_customer c ON c.id = a.customer_id
      LEFT JOIN ledger_invoice v ON v.id = i.invoice_id
     WHERE i.id = ANY(%s)
    """
    with connection.cursor() as cursor:
        cursor.execute(sql, [list(item_ids)])
        return {row[0]: dict(zip(_ITEM_FACTS, row[1:], strict=True)) for row in cursor.fetchall()}


def _entry(posting: Posting, undone: Posting | None, facts: dict[int, dict[str, Any]], day: date) -> Entry:
    """Bank against customer, item by item; costs of what was written off; the rest on account."""
    line, what = posting.transaction, undone or posting
    amount = to_mills(line.amount)
    text = f"{line.payer_name} {line.text}".strip()[:120]
    written: dict[tuple[str, int], int] = defaultdict(int)
    for difference in what.differences:
        if "credit_item" in difference:
            written[difference["kind"], difference["item"]] += difference["mills"]
    payer = (
        {"customer_code": what.account.code, "customer": what.account.customer.name} if what.account else {}
    )
    rows = [EntryRow(line.bank_account.iban or line.bank_account.number, amount, text=text)]
    for share in what.shares:
        rows.append(EntryRow(CUSTOMER, -share["mills"], text=text, **facts[share["item"]]))
    for (kind, item), mills in written.items():
        rows.append(EntryRow(_COST_ACCOUNTS[kind], mills, text=text))
        rows.append(EntryRow(CUSTOMER, -mills, text=text, **facts[item]))
    on_account = amount - sum(share["mills"] for share in what.shares)
    # A payment that bounced is given back by its customer; only of receipts the document may not be known.
    if on_account and what.kind in ("slip", "return") and what.payment_id is None:
        rows.append(EntryRow(RECEIPTS, -on_account, text=text))
    elif on_account:
        rows.append(EntryRow(CUSTOMER, -on_account, document_kind="ACC", text=text, **payer))
    sign = -1 if undone else 1
    return Entry(
        key=f"BT{line.id}.{posting.sequence}",
        cause=STORNO if undone else _CAUSES[what.kind],
        registered=day,
        booking_date=line.booking_date,
        value_date=line.value_date,
        currency=line.currency,
        rows=tuple(_signed(row, sign) for row in rows),
    )


def _signed(row: EntryRow, sign: int) -> EntryRow:
    return row if sign > 0 else replace(row, mills=-row.mills)
