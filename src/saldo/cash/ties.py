"""Which installment a receipt or direct debit collects, from what its file says of debtor and debt.

The debt's reference and the amount come first; the debtor's code or tax code with amount and due date where
the reference names nothing. What fits several installments is tied to none, and is seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from django.db import connection

from saldo.core.collecting import installment_in, number_keys, only
from saldo.core.normalize import customer_code
from saldo.parties.models import CustomerAccount

_INSTALLMENTS = """
SELECT i.id, i.account_id, v.number_norm, i.installment_no,
       coalesce((SELECT t.due_date FROM ledger_itemterms t WHERE t.item_id = i.id
                  ORDER BY t.effective_date DESC, t.recorded_at DESC, t.id DESC LIMIT 1), i.due_date),
       (i.amount * 1000)::bigint, ((p.cap - p.used) * 1000)::bigint
  FROM ledger_item i
  JOIN ledger_item_open_projection p ON p.item_id = i.id
  JOIN ledger_invoice v ON v.id = i.invoice_id
 WHERE i.company_id = %(company)s AND i.kind = 'installment' AND i.amount > 0 AND i.currency = 'EUR'
   AND (v.company_id = %(company)s AND v.number_norm = ANY(%(numbers)s)
        OR i.account_id = ANY(%(accounts)s) AND (i.amount * 1000)::bigint = ANY(%(mills)s)
        OR i.account_id = ANY(%(accounts)s) AND ((p.cap - p.used) * 1000)::bigint = ANY(%(mills)s))
 ORDER BY i.id
"""


@dataclass(frozen=True, slots=True)
class Debt:
    """What a file says of the debt behind an order."""

    mills: int
    due_date: date
    reference: str
    debtor_code: str = ""
    debtor_tax_code: str = ""
    account_id: int | None = None


@dataclass(frozen=True, slots=True)
class Tied:
    account_id: int | None
    item_id: int | None


@dataclass(frozen=True, slots=True)
class Installment:
    id: int
    account_id: int
    number_norm: str
    no: int
    due_date: date
    mills: int
    left_mills: int

    def is_of(self, mills: int) -> bool:
        return mills in (self.left_mills, self.mills)


def ties_of(company_id: int, debts: Sequence[Debt], taken: Iterable[int] = ()) -> list[Tied]:
    """The account and the installment of each debt, None where it is not clear. taken: items under way."""
    debtors = _debtors(company_id, debts)
    keys = {key for debt in debts for key in number_keys(debt.reference)}
    params = {
        "company": company_id, "numbers": sorted(keys),
        "accounts": sorted({account for account in debtors if account is not None}),
        "mills": sorted({debt.mills for debt in debts}),
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(_INSTALLMENTS, params)
        found = [Installment(*row) for row in cursor.fetchall()]
    by_number: dict[str, list[Installment]] = {}
    by_account: dict[int, list[Installment]] = {}
    for one in found:
        by_number.setdefault(one.number_norm, []).append(one)
        by_account.setdefault(one.account_id, []).append(one)
    gone, tied = set(taken), []
    for debt, account_id in zip(debts, debtors, strict=True):
        named = [one for key in number_keys(debt.reference) for one in by_number.get(key, ())]
        own = by_account.get(account_id, []) if account_id is not None else []
        item = _chosen(debt, account_id, named, own, gone)
        if item is not None:
            gone.add(item.id)
        tied.append(Tied(item.account_id if item else account_id, item.id if item else None))
    return tied


def _chosen(
    debt: Debt,
    account_id: int | None,
    named: Sequence[Installment],
    own: Sequence[Installment],
    gone: set[int],
) -> Installment | None:
    of_debtor = [one for one in named if account_id in (None, one.account_id)]
    fitting = list(
        {one.id: one for one in of_debtor if one.is_of(debt.mills) and one.id not in gone}.values()
    )
    # What the file says of the installment itself, its number or its due date, is never set aside.
    no = installment_in(debt.reference)
    if no is not None and any(one.no == no for one in of_debtor):
        fitting = [one for one in fitting if one.no == no]
    elif any(one.due_date == debt.due_date and one.is_of(debt.mills) for one in of_debtor):
        fitting = [one for one in fitting if one.due_date == debt.due_date]
    if (found := only(fitting)) is not None:
        return found
    # The reference names a document of the debtor that does not fit: nothing else is guessed.
    if of_debtor:
        return None
    return only(
        one for one in own if one.is_of(debt.mills) and one.due_date == debt.due_date and one.id not in gone
    )


def _debtors(company_id: int, debts: Sequence[Debt]) -> list[int | None]:
    """The account of each debtor: by its code, unless its tax code says otherwise; else by its tax code."""
    codes = {text for debt in debts for text in (debt.debtor_code, customer_code(debt.debtor_code)) if text}
    taxes = {_tax(debt.debtor_tax_code) for debt in debts if debt.debtor_tax_code}
    written = [*taxes, *(f"IT{tax}" for tax in taxes)]
    rows = CustomerAccount.objects.filter(company_id=company_id).values_list(
        "id", "code", "customer__vat_number", "customer__tax_code"
    )
    found = set(rows.filter(code__in=codes)) | set(rows.filter(customer__vat_number__in=written))
    found |= set(rows.filter(customer__tax_code__in=taxes))
    by_code: dict[str, set[int]] = {}
    by_tax: dict[str, set[int]] = {}
    known: dict[int, set[str]] = {}
    for account_id, code, vat, tax in found:
        by_code.setdefault(customer_code(code), set()).add(account_id)
        known[account_id] = {_tax(text) for text in (vat, tax) if text}
        for text in known[account_id]:
            by_tax.setdefault(text, set()).add(account_id)
    debtors: list[int | None] = []
    for debt in debts:
        tax = _tax(debt.debtor_tax_code)
        account = only(by_code.get(customer_code(debt.debtor_code), ())) if debt.debtor_code else None
        if account is not None and tax and known[account] and tax not in known[account]:
            account = None
        if account is None and tax:
            account = only(by_tax.get(tax, ()))
        debtors.append(debt.account_id if debt.account_id is not None else account)
    return debtors


def _tax(text: str) -> str:
    return "".join(text.split()).upper().removeprefix("IT")
