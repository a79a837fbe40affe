"""Single documents in the ledger, as a person or another flow records them one at a time.

    record_invoice, record_credit_note, record_payment     a document with its items
    allocate, reverse_allocation                           credits against debits, and back
    write_off, amend_due_date                              what is given up, what is agreed anew

Each one is a transaction of its own: it locks the account first, is stamped under the company's lock, adds
rows and their Event, and runs again if it lost a race. What the ledger's rules refuse comes back as a
SaldoError that says what to do. Days are the context's unless given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any, TypeVar

import polars as pl
from django.db import IntegrityError, transaction
from django.db.models import Sum

from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.core.money import CURRENCY_EXPONENTS, Money, decimal_text, from_mills, to_mills
from saldo.core.normalize import normalized_number
from saldo.core.terms import due_dates, parse_terms
from saldo.identity.operations import record_event, stamped
from saldo.intake.operations import ensure_source
from saldo.ledger.models import Allocation, Invoice, Item, ItemTerms, Payment
from saldo.ledger.operations import give_way
from saldo.parties.models import CustomerAccount
from saldo.storage.locks import retried

T = TypeVar("T")

SOURCE = "manual"
# What the database says when a rule holds, and how it is told to a person.
_REFUSALS = {
    "allocation_sides": "allocation_sides",
    "item_used_within_cap": "allocation_exceeds",
    "item_used_within_cap_every_day": "allocation_exceeds_on_a_day",
    "reversal_within_allocation": "reversal_exceeds",
    "terms_of_existing_debit": "terms_not_for_item",
    "invoice_once": "document_exists",
    "payment_once": "document_exists",
}
_DOCUMENT_ITEM = {"invoice": "installment", "debit_note": "installment", "credit_note": "credit_note"}


@dataclass(frozen=True, slots=True)
class Share:
    """A part of a credit for one debit item, in the credit's currency."""

    item_id: int
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Recorded:
    """What was added: the document (invoice or payment) and its items, installments in order."""

    document_id: int
    item_ids: tuple[int, ...]


@contextmanager
def _designed_refusals(**params: Any) -> Iterator[None]:
    """What a constraint of the ledger refuses, as an error of the catalogue."""
    try:
        yield
    except IntegrityError as error:
        constraint = getattr(getattr(error.__cause__, "diag", None), "constraint_name", None)
        if constraint not in _REFUSALS:
            raise
        raise SaldoError(_REFUSALS[constraint], **{"number": "", "amount": "", **params}) from error


def _entry(ctx: Context, account_ids: Sequence[int], work: Callable[[Context], T], **params: Any) -> T:
    """Run ``work`` in a transaction with the accounts locked in id order, under a stamped context."""

    def whole() -> T:
        with _designed_refusals(**params), transaction.atomic():
            accounts = CustomerAccount.objects.filter(id__in=account_ids).order_by("id")
            # NO KEY: rows that point at the account may still be added by an import.
            companies = {a.id: a.company_id for a in accounts.select_for_update(no_key=True)}
            for account_id in account_ids:
                if account_id not in companies:
                    raise SaldoError("account_unknown", account=account_id)
            return work(stamped(ctx, companies[account_ids[0]]))

    return retried(whole)


def _checked(money: Money, number: str) -> Money:
    """An amount that a document may have: positive, with the decimals of its currency."""
    quantum = 10 ** (3 - CURRENCY_EXPONENTS[money.currency])
    if money.amount <= 0 or money.mills % quantum:
        raise SaldoError("entry_amount_invalid", number=number, amount=str(money))
    return money


def _key(number: str) -> str:
    norm = normalized_number(number)[:60]
    if not norm:
        raise SaldoError("entry_number_missing", number=number)
    return norm


def record_invoice(
    ctx: Context,
    account_id: int,
    number: str,
    amount: Money,
    installments: Sequence[tuple[date, Decimal]] = (),
    terms_text: str = "",
    document_date: date | None = None,
    kind: str = "invoice",
    payment_method: str = "",
) -> Recorded:
    """An invoice or debit note with its installments: as given (they must add up), else from its terms.

    Raises SaldoError: entry_amount_invalid, entry_number_missing, installments_differ, document_exists,
    terms_* (text that is not understood), account_unknown.
    """
    day = document_date or ctx.as_of
    _checked(amount, number)
    origin = "stated"
    parts = [(due, to_mills(part)) for due, part in installments]
    if not parts:
        quantum = 10 ** (3 - CURRENCY_EXPONENTS[amount.currency])
        parts, origin = due_dates(parse_terms(terms_text), day, amount.mills, quantum_mills=quantum), "terms"
    if sum(mills for _, mills in parts) != amount.mills:
        told = decimal_text(sum(mills for _, mills in parts), amount.currency)
        raise SaldoError("installments_differ", number=number, amount=str(amount), told=told)
    for _, mills in parts:
        _checked(Money.of_mills(mills, amount.currency), number)
    norm = _key(number)

    def work(ctx: Context) -> Recorded:
        invoice = _add_invoice(ctx, account_id, kind, number, norm, day, amount.currency, terms_text)
        items = [
            _add_item(
                ctx, account_id, "installment", from_mills(mills), amount.currency, day,
                invoice_id=invoice.id, installment_no=no, due_date=due, due_origin=origin,
                payment_method=payment_method,
            )
            for no, (due, mills) in enumerate(parts, start=1)
        ]  # fmt: skip
        _tell(ctx, f"ledger.{kind}", account_id, number, amount)
        return Recorded(invoice.id, tuple(item.id for item in items))

    return _entry(ctx, [account_id], work, number=number)


def record_credit_note(
    ctx: Context,
    account_id: int,
    number: str,
    amount: Money,
    shares: Sequence[Share] = (),
    document_date: date | None = None,
) -> Recorded:
    """A credit note (``amount`` positive), set against the shares' items; the rest stays an open credit."""
    day = document_date or ctx.as_of
    _checked(amount, number)
    norm = _key(number)

    def work(ctx: Context) -> Recorded:
        note = _add_invoice(ctx, account_id, "credit_note", number, norm, day, amount.currency, "")
        item = _add_item(
            ctx, account_id, "credit_note", -amount.amount, amount.currency, day, invoice_id=note.id
        )
        _tell(ctx, "ledger.credit_note", account_id, number, amount)
        _allocate_shares(ctx, item, shares, "credit note", day)
        return Recorded(note.id, (item.id,))

    return _entry(ctx, _accounts_of(account_id, shares), work, number=number)


def record_payment(
    ctx: Context,
    account_id: int,
    amount: Money,
    shares: Sequence[Share] = (),
    booking_date: date | None = None,
    value_date: date | None = None,
    number: str = "",
    text: str = "",
) -> Recorded:
    """Money received (booked on the bank's ``booking_date``), set against the shares' items.

    What no share takes is unapplied cash. Without a number it gets one made of its booking day and an
    ordinal, so that two equal payments of one day are two. Where a share's item was closed or reduced
    provisionally on the booking day or later, the payment is the true cause and takes that place.
    """
    day = booking_date or ctx.as_of
    _checked(amount, number or text)

    def work(ctx: Context) -> Recorded:
        told = number or _next_payment_number(account_id, day)
        payment = Payment.objects.create(
            company_id=ctx.company_id, account_id=account_id, number=told[:60], number_norm=_key(told),
            year=day.year, booking_date=day, value_date=value_date, currency=amount.currency,
            text=text[:200], source_id=_source(), row=0, recorded_at=ctx.recorded_at,
        )  # fmt: skip
        item = _add_item(
            ctx, account_id, "payment", -amount.amount, amount.currency, day, payment_id=payment.id
        )
        _tell(ctx, "ledger.payment", account_id, told, amount)
        _give_way(ctx, shares, day)
        _allocate_shares(ctx, item, shares, "payment", day)
        return Recorded(payment.id, (item.id,))

    return _entry(ctx, _accounts_of(account_id, shares), work, number=number or text)


def _next_payment_number(account_id: int, day: date) -> str:
    made = f"{day:%Y%m%d}-"
    taken = Payment.objects.filter(account_id=account_id, year=day.year, number__startswith=made).count()
    return f"{made}{taken + 1}"


def allocate(
    ctx: Context,
    credit_item_id: int,
    shares: Sequence[Share],
    reason: str = "allocated by hand",
    effective_date: date | None = None,
) -> list[int]:
    """Set parts of a credit that exists against debit items; returns the allocations' ids.

    A payment takes the place of what exports told about the items and it explains (as in record_payment).
    """
    credit = _item(credit_item_id)
    day = effective_date or ctx.as_of

    def work(ctx: Context) -> list[int]:
        if credit.kind == "payment":
            _give_way(ctx, shares, credit.effective_date)
        return _allocate_shares(ctx, credit, shares, reason, day)

    return _entry(ctx, _accounts_of(credit.account_id, shares), work)


def reverse_allocation(
    ctx: Context,
    debit_item_id: int,
    amount: Decimal,
    reason: str,
    correction: bool = False,
    credit_item_id: int | None = None,
) -> list[int]:
    """Take back ``amount`` of what was set against an item, newest first; it is open again, due as before.

    correction=False: an event of its own day (a RiBa that came back, a returned direct debit): the payments
    it concerns are used up, since that money is not ours. correction=True: an allocation that was wrong,
    taken back from the day it counted from; the credit is there again to be allocated. Returns the ids of
    the reversing allocations. Raises SaldoError("reversal_exceeds").
    """
    debit = _item(debit_item_id)

    def work(ctx: Context) -> list[int]:
        made = []
        for allocation, part in _taken(debit, amount, credit_item_id, cash_only=not correction):
            day = allocation.effective_date if correction else max(ctx.as_of, allocation.effective_date)
            reversal = _add_allocation(
                ctx, debit.id, allocation.credit_item_id, -part, day, reason, reverses_id=allocation.id
            )
            made.append(reversal.id)
            if not correction:
                _use_up(ctx, allocation.credit_item, part, day, reason)
        _tell(ctx, "ledger.reversal", debit.account_id, reason, Money(amount, debit.currency), debit.id)
        return made

    return _entry(ctx, [debit.account_id], work, amount=str(Money(amount, debit.currency)))


def _taken(
    debit: Item, amount: Decimal, credit_item_id: int | None, cash_only: bool
) -> list[tuple[Allocation, Decimal]]:
    """The newest allocations of the item that make up ``amount``, each with the part to take back."""
    found = Allocation.objects.filter(debit_item=debit, amount__gt=0).select_related("credit_item")
    if credit_item_id is not None:
        found = found.filter(credit_item_id=credit_item_id)
    if cash_only:
        found = found.filter(credit_item__kind="payment")
    # Earlier reversals took back the newest first, too.
    gone = dict(
        Allocation.objects.filter(debit_item=debit, amount__lt=0)
        .values_list("credit_item_id")
        .annotate(total=-Sum("amount"))
    )
    left, taken = amount, []
    for allocation in found.order_by("-effective_date", "-id"):
        before = min(gone.get(allocation.credit_item_id, Decimal(0)), allocation.amount)
        gone[allocation.credit_item_id] = gone.get(allocation.credit_item_id, Decimal(0)) - before
        part = min(left, allocation.amount - before)
        if part > 0:
            taken.append((allocation, part))
            left -= part
    if left > 0 or amount <= 0:
        raise SaldoError("reversal_exceeds", amount=str(Money(amount, debit.currency)), number="")
    return taken


def _use_up(ctx: Context, credit: Item, amount: Decimal, day: date, reason: str) -> None:
    """The payment came back: a debit of its own uses up what it had paid with."""
    returned = _add_item(
        ctx, credit.account_id, "reopening", amount, credit.currency, day,
        payment_id=credit.payment_id, invoice_id=credit.invoice_id, due_date=day,
    )  # fmt: skip
    _add_allocation(ctx, returned.id, credit.id, amount, day, reason)


def write_off(ctx: Context, item_id: int, amount: Decimal, reason: str, kind: str = "write_off") -> Recorded:
    """Give up ``amount`` of a debit item: a credit of its own kind (or a "discount"), never cash."""
    debit = _item(item_id)
    _checked(Money(amount, debit.currency), reason)

    def work(ctx: Context) -> Recorded:
        day = max(ctx.as_of, debit.effective_date)
        credit = _add_item(
            ctx, debit.account_id, kind, -amount, debit.currency, day,
            invoice_id=debit.invoice_id, installment_no=debit.installment_no, details={"reason": reason},
        )  # fmt: skip
        _allocate_shares(ctx, credit, [Share(item_id, amount)], kind.replace("_", "-"), day)
        _tell(ctx, f"ledger.{kind}", debit.account_id, reason, Money(amount, debit.currency), item_id)
        return Recorded(debit.invoice_id or 0, (credit.id,))

    return _entry(ctx, [debit.account_id], work)


def amend_due_date(ctx: Context, item_id: int, due_date: date, reason: str) -> int:
    """A due date agreed anew, in force from the context's day; returns the id of the ItemTerms."""
    item = _item(item_id)

    def work(ctx: Context) -> int:
        terms = ItemTerms.objects.create(
            item=item,
            due_date=due_date,
            effective_date=ctx.as_of,
            reason=reason[:30],
            recorded_at=ctx.recorded_at,
        )
        data = {"item": item_id, "due_date": due_date.isoformat(), "reason": reason}
        record_event(ctx, "ledger.terms", "account", item.account_id, data)
        return terms.id

    return _entry(ctx, [item.account_id], work)


# --- rows -------------------------------------------------------------------------------------------


def _source() -> int:
    return ensure_source(SOURCE, "receivables", "saldo")


def _item(item_id: int) -> Item:
    found = Item.objects.filter(id=item_id).first()
    if found is None:
        raise SaldoError("item_unknown", item=item_id)
    return found


def _accounts_of(account_id: int, shares: Sequence[Share]) -> list[int]:
    """The account of the document first (its company counts), then those of the items it pays."""
    others = Item.objects.filter(id__in=[s.item_id for s in shares]).exclude(account_id=account_id)
    return [account_id, *others.order_by("account_id").values_list("account_id", flat=True).distinct()]


def _add_invoice(
    ctx: Context,
    account_id: int,
    kind: str,
    number: str,
    norm: str,
    day: date,
    currency: str,
    terms_text: str,
) -> Invoice:
    return Invoice.objects.create(
        company_id=ctx.company_id, account_id=account_id, kind=kind, number=number[:60], number_norm=norm,
        year=day.year, document_date=day, currency=currency, terms_text=terms_text[:120],
        source_id=_source(), row=0, recorded_at=ctx.recorded_at,
    )  # fmt: skip


def _add_item(
    ctx: Context, account_id: int, kind: str, amount: Decimal, currency: str, day: date, **more: Any
) -> Item:
    return Item.objects.create(
        company_id=ctx.company_id, account_id=account_id, kind=kind, amount=amount, currency=currency,
        effective_date=day, recorded_at=ctx.recorded_at, **more,
    )  # fmt: skip


def _add_allocation(
    ctx: Context,
    debit_id: int,
    credit_id: int,
    amount: Decimal,
    day: date,
    reason: str,
    reverses_id: int | None = None,
) -> Allocation:
    return Allocation.objects.create(
        company_id=ctx.company_id, debit_item_id=debit_id, credit_item_id=credit_id, amount=amount,
        effective_date=day, reason=reason[:30], reverses_id=reverses_id, recorded_at=ctx.recorded_at,
    )  # fmt: skip


def _allocate_shares(
    ctx: Context, credit: Item, shares: Sequence[Share], reason: str, day: date
) -> list[int]:
    """One allocation a share, from the day when both sides exist."""
    made = []
    for share in shares:
        debit = _item(share.item_id)
        _checked(Money(share.amount, debit.currency), reason)
        since = max(day, debit.effective_date, credit.effective_date)
        made.append(_add_allocation(ctx, debit.id, credit.id, share.amount, since, reason).id)
        data = {"debit_item": debit.id, "credit_item": credit.id, "amount": str(share.amount)}
        record_event(replace(ctx, as_of=since), "ledger.allocation", "account", debit.account_id, data)
    return made


def _give_way(ctx: Context, shares: Sequence[Share], day: date) -> None:
    """Take back what stands provisionally against the shares' items and this payment explains."""
    if not shares:
        return
    wanted: dict[int, int] = {}
    for share in shares:
        wanted[share.item_id] = wanted.get(share.item_id, 0) + to_mills(share.amount)
    rows = [(item_id, mills, day) for item_id, mills in wanted.items()]
    schema = {"item_id": pl.Int64, "take_mills": pl.Int64, "booking_date": pl.Date}
    give_way(ctx, pl.DataFrame(rows, schema=schema, orient="row"))


def _tell(
    ctx: Context, kind: str, account_id: int, number: str, amount: Money, item_id: int | None = None
) -> None:
    data = {"number": number, "amount": str(amount.amount), "currency": amount.currency}
    record_event(ctx, kind, "account", account_id, data | ({"item": item_id} if item_id else {}))
