"""One bank line as the cash desk shows it: its facts, what is proposed, what was done, what would change.

Balances here are those that the ledger's rules check: whatever the day, all that was set against an item.
The caller lets only those ask who read all accounts of the company.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from saldo.cash.desk import rows_of
from saldo.core.aging import bucket_of
from saldo.core.context import Context
from saldo.core.matching.records import SHORT
from saldo.core.money import from_mills, to_mills
from saldo.ledger.provisional import LEAD_DAYS
from saldo.ledger.queries import PROVISIONAL_KINDS
from saldo.ledger.statement import ItemRow, Totals, totals

ZERO = Decimal(0)

_LINE = """
SELECT t.*, b.name AS bank_name, b.iban AS bank_iban, b.number AS bank_number,
       s.number AS statement_number, s.is_quarantined, s.document_id,
       EXISTS (SELECT 1 FROM cash_statementrelease r WHERE r.statement_id = s.id) AS is_released
  FROM cash_banktransaction t
  JOIN cash_bankaccount b ON b.id = t.bank_account_id
  JOIN cash_statement s ON s.id = t.statement_id
 WHERE t.id = %(line)s AND t.company_id = %(company)s
"""
_POSTINGS = """
SELECT p.sequence, p.kind, p.mode, p.account_id, p.payment_id, p.shares::text AS shares,
       p.differences::text AS differences, p.note, p.effective_date, p.actor, p.recorded_at,
       c.name AS account_name
  FROM cash_posting p
  LEFT JOIN parties_customeraccount a ON a.id = p.account_id
  LEFT JOIN parties_customer c ON c.id = a.customer_id
 WHERE p.transaction_id = %(line)s ORDER BY p.sequence
"""
_PROPOSALS = """
SELECT m.id, m.rank, m.kind, m.zone, m.account_id, m.shares::text AS shares,
       m.differences::text AS differences, m.unapplied, m.probability, m.pattern, m.reasons::text AS reasons,
       c.name AS account_name
  FROM cash_matchproposal m
  LEFT JOIN parties_customeraccount a ON a.id = m.account_id
  LEFT JOIN parties_customer c ON c.id = a.customer_id
 WHERE m.transaction_id = %(line)s
   AND m.run = (SELECT max(run) FROM cash_matchproposal WHERE transaction_id = %(line)s)
 ORDER BY m.rank
"""
# Balances of open items, and of those named; the terms in force today tell the due date.
_ITEMS = """
SELECT i.id, i.account_id, c.name AS account_name, i.kind, i.installment_no, i.amount, i.currency,
       coalesce(inv.number, pay.number, '') AS number, i.effective_date, i.payment_method, i.due_origin,
       coalesce(inv.order_ref, '') AS order_ref,
       coalesce((SELECT t.due_date FROM ledger_itemterms t WHERE t.item_id = i.id
                  ORDER BY t.effective_date DESC, t.recorded_at DESC, t.id DESC LIMIT 1),
                i.due_date) AS due_date,
       p.sign * (p.cap - p.used) AS balance, coalesce(told.amount, 0) AS told
  FROM ledger_item i
  JOIN ledger_item_open_projection p ON p.item_id = i.id
  JOIN parties_customeraccount a ON a.id = i.account_id AND a.company_id = %(company)s
  JOIN parties_customer c ON c.id = a.customer_id
  LEFT JOIN ledger_invoice inv ON inv.id = i.invoice_id
  LEFT JOIN ledger_payment pay ON pay.id = i.payment_id
  LEFT JOIN LATERAL (
      SELECT sum(a.amount) AS amount FROM ledger_allocation a JOIN ledger_item c ON c.id = a.credit_item_id
       WHERE a.debit_item_id = i.id AND p.used > 0
         AND (c.kind = ANY(%(provisional)s) AND a.effective_date >= %(booked)s
              OR c.kind = 'payment' AND c.payment_id IS NULL AND a.effective_date >= %(settled)s)
  ) told ON true
 WHERE i.account_id = ANY(%(accounts)s::bigint[]) AND NOT p.used_up OR i.id = ANY(%(items)s::bigint[])
 ORDER BY i.amount < 0, due_date, number, i.installment_no, i.id
"""


@dataclass(frozen=True, slots=True)
class DeskItem:
    """An item as a bank line may pay it. balance is signed: negative is a credit of the customer's.

    told: what an export told as taken from it on the line's day or later, which the line may be the cause of.
    """

    id: int
    account_id: int
    account_name: str
    kind: str
    number: str
    installment_no: int
    amount: Decimal
    balance: Decimal
    currency: str
    effective_date: date
    due_date: date | None
    late_days: int
    payment_method: str = ""
    order_ref: str = ""
    told: Decimal = ZERO

    @property
    def available(self) -> Decimal:
        """The most that a line may pay of it."""
        return self.balance + self.told


@dataclass(frozen=True, slots=True)
class Part:
    """What the line gives to an item. difference: what of the rest is explained, by kind; ``stays`` is what
    stays open afterwards."""

    item: DeskItem
    paid: Decimal
    differences: tuple[tuple[str, Decimal], ...] = ()

    @property
    def taken(self) -> Decimal:
        return self.paid + sum((amount for kind, amount in self.differences if kind != SHORT), ZERO)

    @property
    def given_way(self) -> Decimal:
        """What an export told of the item and this payment takes the place of."""
        return max(ZERO, min(self.taken, self.item.told))

    @property
    def open(self) -> Decimal:
        """What the item has for this payment."""
        return self.item.balance + self.given_way

    @property
    def stays(self) -> Decimal:
        return self.open - self.taken

    @property
    def is_possible(self) -> bool:
        """Whether the item still has as much as this takes."""
        return min(self.open, ZERO) <= self.stays <= max(self.open, ZERO)


@dataclass(frozen=True, slots=True)
class Proposal:
    """One way to apply the line, with the items as they are now. is_possible: they still allow it."""

    id: int
    rank: int
    kind: str
    zone: str
    account_id: int | None
    account_name: str
    parts: tuple[Part, ...]
    unapplied: Decimal
    probability: float
    reasons: tuple[dict[str, Any], ...]
    shares: tuple[Mapping[str, Any], ...]
    differences: tuple[Mapping[str, Any], ...]

    @property
    def takes_place(self) -> bool:
        """Whether it explains what an export told already."""
        return any(part.given_way for part in self.parts)

    @property
    def is_possible(self) -> bool:
        return self.account_id is not None and all(part.is_possible for part in self.parts)


@dataclass(frozen=True, slots=True)
class PostingRow:
    sequence: int
    kind: str
    mode: str
    account_id: int | None
    account_name: str
    parts: tuple[Part, ...]
    note: str
    effective_date: date
    actor: str
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class Line:
    """A bank line with its history. facts: the columns of the line and the names of where it stands."""

    id: int
    amount: Decimal
    currency: str
    facts: Mapping[str, Any]
    postings: tuple[PostingRow, ...]
    proposals: tuple[Proposal, ...]

    @property
    def posted(self) -> PostingRow | None:
        """What the line is now: None while it waits."""
        last = self.postings[-1] if self.postings else None
        return last if last is not None and last.kind != "undo" else None

    @property
    def is_held(self) -> bool:
        return bool(self.facts["is_quarantined"] and not self.facts["is_released"])

    @property
    def payer(self) -> str:
        return str(self.facts["payer_name"] or self.facts["ultimate_name"])

    @property
    def came_in(self) -> bool:
        return self.amount > 0


@dataclass(frozen=True, slots=True)
class Change:
    """The balance of an account before and after what is about to be posted."""

    account_id: int
    account_name: str
    before: Totals
    after: Totals


def line(ctx: Context, line_id: int) -> Line | None:
    """The line, or None where there is none in the company."""
    params = {"line": line_id, "company": ctx.company_id}
    found = rows_of(_LINE, params)
    if not found:
        return None
    postings, proposals = rows_of(_POSTINGS, params), rows_of(_PROPOSALS, params)
    for row in (*postings, *proposals):
        for name in ("shares", "differences", "reasons"):
            if name in row:
                row[name] = _loaded(row[name])
    named = [share["item"] for row in (*postings, *proposals) for share in row["shares"]]
    facts = found[0]
    items = {item.id: item for item in desk_items(ctx, (), named, facts["booking_date"])}
    return Line(
        id=line_id,
        amount=facts["amount"],
        currency=facts["currency"],
        facts=facts,
        postings=tuple(_posting(row, items) for row in postings),
        proposals=tuple(_proposal(row, items) for row in proposals),
    )


def _loaded(text: str) -> Any:
    return json.loads(text or "[]")


def parts_of(
    shares: Iterable[Mapping[str, Any]],
    differences: Iterable[Mapping[str, Any]],
    items: Mapping[int, DeskItem],
) -> tuple[Part, ...]:
    """Shares and differences as stored ({"item", "mills", "kind"}), by item, in the order of the shares."""
    explained: dict[int, list[tuple[str, Decimal]]] = {}
    for each in differences:
        explained.setdefault(each["item"], []).append((each["kind"], from_mills(each["mills"])))
    return tuple(
        Part(items[share["item"]], from_mills(share["mills"]), tuple(explained.get(share["item"], ())))
        for share in shares
        if share["item"] in items
    )


def _proposal(row: Mapping[str, Any], items: Mapping[int, DeskItem]) -> Proposal:
    return Proposal(
        id=row["id"],
        rank=row["rank"],
        kind=row["kind"],
        zone=row["zone"],
        account_id=row["account_id"],
        account_name=row["account_name"] or "",
        parts=parts_of(row["shares"], row["differences"], items),
        unapplied=row["unapplied"],
        probability=row["probability"],
        reasons=tuple(row["reasons"]),
        shares=tuple(row["shares"]),
        differences=tuple(row["differences"]),
    )


def _posting(row: Mapping[str, Any], items: Mapping[int, DeskItem]) -> PostingRow:
    return PostingRow(
        sequence=row["sequence"],
        kind=row["kind"],
        mode=row["mode"],
        account_id=row["account_id"],
        account_name=row["account_name"] or "",
        parts=parts_of(row["shares"], row["differences"], items),
        note=row["note"],
        effective_date=row["effective_date"],
        actor=row["actor"],
        recorded_at=row["recorded_at"],
    )


def desk_items(
    ctx: Context, account_ids: Sequence[int], item_ids: Sequence[int] = (), booked: date | None = None
) -> list[DeskItem]:
    """The open items of these accounts, and these items even if settled: debits by due date first."""
    if not account_ids and not item_ids:
        return []
    day = booked or date.max
    params = {
        "company": ctx.company_id, "accounts": list(account_ids), "items": list(item_ids), "booked": day,
        "settled": day - timedelta(days=LEAD_DAYS), "provisional": list(PROVISIONAL_KINDS),
    }  # fmt: skip
    return [_item(row, ctx.as_of) for row in rows_of(_ITEMS, params)]


def _item(row: Mapping[str, Any], today: date) -> DeskItem:
    due, balance = row["due_date"], row["balance"]
    late = max(0, (today - due).days) if due and balance > 0 else 0
    kept = {name: row[name] for name in DeskItem.__slots__ if name in row}
    return DeskItem(**kept, late_days=late)


def changes(
    ctx: Context, account_ids: Sequence[int], parts: Sequence[Part], unapplied: Decimal, currency: str
) -> list[Change]:
    """What posting ``parts``, and keeping ``unapplied`` on the first account, would make of the accounts.

    The other accounts whose items are paid follow the first one.
    """
    others = [part.item.account_id for part in parts]
    wanted = list(dict.fromkeys([*account_ids, *others]))
    found = desk_items(ctx, wanted)
    paid = {part.item.id: part.taken - part.given_way for part in parts}
    told = []
    for account_id in wanted:
        own = [item for item in found if item.account_id == account_id and item.currency == currency]
        after = [replace(item, balance=item.balance - paid.get(item.id, ZERO)) for item in own]
        rest = unapplied if account_ids and account_id == account_ids[0] else ZERO
        name = own[0].account_name if own else ""
        told.append(
            Change(account_id, name, _total(own, ZERO, currency, ctx), _total(after, rest, currency, ctx))
        )
    return told


def _total(items: Sequence[DeskItem], unapplied: Decimal, currency: str, ctx: Context) -> Totals:
    found = totals(_as_row(item, ctx.as_of) for item in items if item.balance)
    total = found[0] if found else Totals(currency)
    total.credits += unapplied
    total.unapplied += unapplied
    return total


def _as_row(item: DeskItem, today: date) -> ItemRow:
    return ItemRow(
        id=item.id,
        kind=item.kind,
        number=item.number,
        installment_no=item.installment_no,
        amount=item.amount,
        balance=item.balance,
        currency=item.currency,
        effective_date=item.effective_date,
        due_date=item.due_date,
        due_origin="",
        amended=False,
        payment_method=item.payment_method,
        order_ref=item.order_ref,
        settled_date=None,
        late_days=item.late_days,
        bucket=bucket_of(item.due_date, today) if item.due_date and item.balance > 0 else "",
    )


def as_shares(parts: Iterable[Part]) -> list[dict[str, int]]:
    """Parts as they are stored in proposals and postings."""
    return [{"item": part.item.id, "mills": to_mills(part.paid)} for part in parts]
