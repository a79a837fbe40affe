"""A company whose customers all owe alike, and a playbook whose first reminder has an arm to try out."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from saldo.collection.experiment_changes import start as begin
from saldo.collection.models import ExperimentEntry, PlaybookAction
from saldo.collection.playbook_changes import activate, save
from saldo.collection.playbooks import in_force
from saldo.core.context import Context
from saldo.core.experiments import Design
from saldo.core.money import Money
from saldo.core.normalize import search_text, sort_name
from saldo.flows.day import run_day
from saldo.flows.experiments import Read, read, start
from saldo.identity.models import Company, Grant, User
from saldo.identity.queries import company_row
from saldo.ledger import entries
from saldo.outreach.settings import change_rules
from saldo.parties.models import Contact, Customer, CustomerAccount

DAY = date(2026, 3, 10)
SALT = "salt"
PLAYBOOK = """
code = "prova"
order = 1
title = { it = "Prova", en = "Trial" }
[segment]
code = "tutti"
title = { it = "Tutti", en = "All" }
[[step]]
code = "promemoria"
track = "overdue"
level = 1
day = 5
channel = "email"
template = "reminder_1"
tone = "soft"
mode = "automatic"
[[step.arm]]
code = "oggetto"
payment_link = false
subject = { it = "Due righe su {documents_count}", en = "A line" }
""".replace("{documents_count}", "{count}")
LATER = PLAYBOOK.replace('subject = { it = "Due righe su {count}", en = "A line" }', "shift_days = 4")
WIDE = Design(effect=0.5, horizon_days=14, enroll_days=30)


def ctx(day: date = DAY, actor: str = "anna", hour: int = 9) -> Context:
    at = datetime(day.year, day.month, day.day, hour, tzinfo=UTC)
    return Context(actor, day, lambda: at)


class World:
    """A company whose customers each owe 100.00, due ten days ago."""

    def __init__(self, customers: int, playbook: str = PLAYBOOK) -> None:
        first = DAY - timedelta(days=60)
        self.company = Company.objects.create(code="ONE", name="Uno S.p.A.")
        for name, role in (("anna", "credit_manager"), ("bruno", "administrator"), ("carla", "collector")):
            Grant.objects.create(user=User.objects.create_user(name), role=role)
        change_rules(ctx(first), self.company.id, cutover_date=first, daily_cap=1000)
        self.playbook(playbook, first)
        self.items: dict[int, int] = {}
        self.customers = 0
        for number in range(customers):
            self.add(f"Cliente {number:03}", DAY - timedelta(days=10))

    def playbook(self, text: str, day: date) -> None:
        saved = save(ctx(day), self.company.id, text)
        activate(ctx(day, "bruno"), self.company.id, saved.id)

    def add(self, name: str, due: date) -> int:
        recorded = ctx(DAY - timedelta(days=50)).clock()
        # With numbers of their own and one salt, the lot is the same in every run of the tests.
        self.customers += 1
        customer = Customer.objects.create(
            id=999 + self.customers, name=name, search_text=search_text(name), sort_name=sort_name(name)
        )
        account = CustomerAccount.objects.create(
            company=self.company, customer=customer, code=name, recorded_at=recorded
        ).id
        Contact.objects.create(
            account_id=account, name="Ufficio", email=f"c{account}@example.test", language="it"
        )
        day = DAY - timedelta(days=45)
        made = entries.record_invoice(
            ctx(day), account, f"F-{account}", Money(Decimal(100), "EUR"), [(due, Decimal(100))],
            document_date=day,
        )  # fmt: skip
        self.items[account] = made.item_ids[0]
        return account

    def pay(self, account: int, day: date, amount: str = "100.00") -> None:
        money = Money(Decimal(amount), "EUR")
        share = entries.Share(self.items[account], money.amount)
        entries.record_payment(ctx(day), account, money, [share], booking_date=day)

    def run(self, day: date) -> dict[int, PlaybookAction]:
        made = run_day(ctx(day, "system:test", hour=6), self.company.id)
        return {row.account_id: row for row in PlaybookAction.objects.filter(day_run_id=made.day_run_id)}

    def start(self, design: Design = WIDE, day: date = DAY - timedelta(days=1)) -> int:
        return start(ctx(day), company_row(self.company), "prova", "promemoria", design)

    def begin(self, day: date = DAY - timedelta(days=1)) -> int:
        """Begun whatever the number of customers."""
        step = in_force(self.company.id)[0][1].steps[0]
        return begin(ctx(day), self.company.id, "prova", step, WIDE, 10, 100, 0.25)

    def arms(self) -> dict[int, str]:
        return dict(ExperimentEntry.objects.values_list("account_id", "arm"))

    def read(self, experiment: int, day: date) -> Read:
        return read(ctx(day, hour=20), company_row(self.company), experiment)
