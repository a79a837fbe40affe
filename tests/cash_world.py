"""A company with customers, invoices and bank lines, made row by row for tests of cash."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from saldo.cash.models import BankAccount, BankTransaction, Statement
from saldo.core.context import Context
from saldo.core.money import Money
from saldo.core.normalize import search_text, sort_name
from saldo.identity.models import Company
from saldo.ledger import entries
from saldo.ledger.models import Item
from saldo.ledger.statement import open_items
from saldo.parties.models import Customer, CustomerAccount

DAY = date(2026, 3, 10)
IBAN = "IT60X0542811101000000123456"


def context(day: date = DAY, actor: str = "anna") -> Context:
    return Context(actor, day, lambda: datetime.now(UTC))


@dataclass
class World:
    """One company with a bank account; ``account``, ``invoice`` and ``line`` add to it."""

    company: Company = field(
        default_factory=lambda: Company.objects.get_or_create(code="ONE", defaults={"name": "Uno S.p.A."})[0]
    )
    lines: int = 0

    def __post_init__(self) -> None:
        self.bank, _ = BankAccount.objects.get_or_create(
            iban=IBAN, defaults={"company": self.company, "name": "c/c", "recorded_at": datetime.now(UTC)}
        )
        self.statement = self._statement("S0")

    def _statement(self, identity: str, **more: Any) -> Statement:
        return Statement.objects.create(
            bank_account=self.bank, kind="booked", identity=identity, currency="EUR", lines=0,
            recorded_at=datetime.now(UTC), **more,
        )  # fmt: skip

    def held_statement(self) -> Statement:
        self.held_statement_made = self._statement("S-held", is_quarantined=True, difference=Decimal(1))
        return self.held_statement_made

    def account(self, name: str, vat: str = "", code: str = "") -> int:
        customer = Customer.objects.create(
            name=name, search_text=search_text(name), sort_name=sort_name(name), vat_number=vat
        )
        made = CustomerAccount.objects.create(
            company=self.company, customer=customer, code=code or name[:20], recorded_at=datetime.now(UTC)
        )
        return made.id

    def invoice(
        self, account_id: int, number: str, amount: str, due: date = DAY, day: date = date(2026, 1, 10),
        currency: str = "EUR",
    ) -> int:  # fmt: skip
        money = Money(Decimal(amount), currency)
        made = entries.record_invoice(context(day), account_id, number, money, [(due, money.amount)],
                                      document_date=day)  # fmt: skip
        return made.item_ids[0]

    def credit_note(self, account_id: int, number: str, amount: str, day: date = date(2026, 1, 20)) -> int:
        made = entries.record_credit_note(context(day), account_id, number, Money(Decimal(amount), "EUR"))
        return made.item_ids[0]

    def line(self, amount: str, text: str = "", payer: str = "", day: date = DAY, **more: Any) -> int:
        self.lines += 1
        values = {"statement": self.statement, "kind": "booked", "currency": "EUR", **more}
        values.setdefault("bank_account", self.bank)
        made = BankTransaction.objects.create(
            company_id=self.company.id, key=f"K{self.lines}-{id(self)}",
            ordinal=self.lines, booking_date=day, value_date=day, amount=Decimal(amount), text=text,
            payer_name=payer, recorded_at=datetime.now(UTC), **values,
        )  # fmt: skip
        return made.id


def balances(account_id: int, day: date = date(2026, 12, 31)) -> dict[str, str]:
    """What is open on an account: {number: balance}, credits with their sign."""
    found: dict[str, Decimal] = {}
    for item in open_items(context(day), account_id):
        found[item.number] = found.get(item.number, Decimal(0)) + item.balance
    return {number: f"{balance:.2f}" for number, balance in sorted(found.items())}


def item_sums(item_ids: Sequence[int]) -> list[Decimal]:
    return list(Item.objects.filter(id__in=item_ids).order_by("id").values_list("amount", flat=True))
