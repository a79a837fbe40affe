"""Three customers with addresses who owe, on the list of a day, and who may visit them; without a run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal

from saldo.collection.models import Action
from saldo.core.context import Context
from saldo.core.money import Money
from saldo.identity.models import DayRun
from saldo.identity.operations import ensure_company
from saldo.ledger import entries
from saldo.parties.models import Customer, CustomerAccount
from tests.web_world import AS_OF, PASSWORD, user

NOW = datetime(2025, 3, 20, 9, tzinfo=UTC)
NAMES = ("Officina Bellaluna S.r.l.", "Tessitura Corvara S.p.A.", "Molino Dorsoduro S.n.c.")
PLACES = (
    ("20121", "Milano", "Via Dante 14"), ("20154", "Milano", "Via Bramante 9"),
    ("00184", "Roma", "Via Cavour 3"),
)  # fmt: skip
OWED = ("9000.00", "4500.00", "3000.00")


@dataclass
class World:
    company_id: int
    run_id: int
    accounts: list[int]
    items: list[int]
    foreign: int


def build() -> World:
    """Six overdue invoices each; and a customer of another company."""
    ctx = Context("system:test", AS_OF, lambda: NOW)
    company, other = (ensure_company(ctx, code, f"{code} S.p.A.").id for code in ("AURO", "BORE"))
    run = DayRun.objects.create(
        company_id=company,
        as_of=AS_OF,
        version=1,
        known_at=NOW,
        recorded_at=NOW,
        code_version="x",
        digest="x",
    )
    accounts, items = [], []
    for place, (zip_code, city, street) in enumerate(PLACES):
        account = customer(company, NAMES[place], zip_code=zip_code, city=city, address=street)
        for number in range(1, 7):
            due = date(2025, 2, 10 + number)
            items.append(invoice(account, f"AURO-{place + 1}{number}/25", OWED[place], due))
        overdue = 6 * Decimal(OWED[place])
        Action.objects.create(
            day_run=run, account_id=account, rank=place + 1, block="value", kind="email", minutes=5, value=1,
            currency="EUR", value_per_minute=1, overdue=overdue, open=overdue, oldest_days=37, p30=0.5,
            rung="",
        )  # fmt: skip
        accounts.append(account)
    user("carla", "collector", company, password=PASSWORD)
    user("marco", "credit_manager", company)
    stranger = customer(other, "Ferramenta Nibbiano S.r.l.", zip_code="20121")
    return World(company, run.id, accounts, items, stranger)


def context(world: World, actor: str = "system:test") -> Context:
    return Context(actor, AS_OF, lambda: NOW).within(world.company_id)


def customer(company_id: int, name: str, **address: str) -> int:
    made = Customer.objects.create(
        name=name, sort_name=name, search_text=name.lower(), country="IT", **address
    )
    return int(
        CustomerAccount.objects.create(
            company_id=company_id, customer=made, code=f"C{made.id}", recorded_at=NOW
        ).id
    )


def invoice(account: int, number: str, amount: str, due: date) -> int:
    ctx = Context("system:test", AS_OF, lambda: NOW)
    money = Money(Decimal(amount), "EUR")
    made = entries.record_invoice(
        ctx, account, number, money, [(due, money.amount)], document_date=date(2025, 1, 5)
    )
    return int(made.item_ids[0])
