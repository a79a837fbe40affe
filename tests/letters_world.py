"""A company that sends, with customers who owe and a playbook in force: its plan is made and kept by the real
planner, so that what is approved here is what a day would plan."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from saldo.collection.models import PlaybookAction
from saldo.collection.playbook_actions import keep_plan
from saldo.collection.playbook_changes import activate, save
from saldo.core.context import Context
from saldo.flows.plan_outreach import plan_outreach
from saldo.identity.models import Company, DayRun, Grant, User
from saldo.identity.operations import open_day_run
from saldo.identity.queries import company_row
from saldo.outreach.settings import change_rules
from saldo.parties.models import Contact, Customer
from tests.cash_world import IBAN
from tests.cash_world import World as Money

DAY = date(2026, 3, 10)  # a Tuesday
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
channel = "CHANNEL"
template = "reminder_1"
tone = "soft"
mode = "MODE"
attach = ["statement", "invoices"]
[[step]]
code = "mora"
track = "overdue"
level = 2
day = 40
channel = "letter"
template = "formal_notice"
tone = "formal"
purpose = "formal_notice"
[[step]]
code = "grazie"
track = "thanks"
level = 0
day = 0
channel = "email"
template = "thanks"
tone = "courtesy"
purpose = "thanks"
mode = "automatic"
"""


def context(day: date = DAY, actor: str = "anna") -> Context:
    return Context(actor, day, lambda: datetime.now(UTC))


class World:
    """anna is a credit manager, bruno an administrator, carla a collector, dario sees only."""

    def __init__(self, channel: str = "email", mode: str = "approve") -> None:
        self.money = Money()
        self.company: Company = self.money.company
        for name, role in (("anna", "credit_manager"), ("bruno", "administrator"), ("carla", "collector"),
                           ("dario", "cfo")):  # fmt: skip
            user = User.objects.create_user(name)
            Grant.objects.create(user=user, role=role)
        Company.objects.filter(id=self.company.id).update(vat_number="IT01234567897")
        change_rules(context(), self.company.id, cutover_date=date(2026, 1, 1), iban=IBAN, thanks=True)
        text = PLAYBOOK.replace("CHANNEL", channel).replace("MODE", mode)
        activate(context(actor="bruno"), self.company.id, save(context(), self.company.id, text).id)

    def account(self, name: str, email: str = "", language: str = "", **customer: Any) -> int:
        made = self.money.account(name)
        place = {
            "address": "Via Roma 1",
            "zip_code": "20100",
            "city": "Milano",
            "province": "MI",
            "country": "IT",
        }
        Customer.objects.filter(accounts__id=made).update(**{**place, **customer})
        if email:
            Contact.objects.create(account_id=made, name="Maria Rossi", email=email, language=language)
        return made

    def plan(self, day: date = DAY) -> dict[str, PlaybookAction]:
        """A run of the day with its plan; customer name -> action of the overdue track."""
        ctx = context(day, "system:test").within(self.company.id)
        version = DayRun.objects.filter(company=self.company, as_of=day).count() + 1
        stamped = Context(ctx.actor, day, ctx.clock, known_at=ctx.clock(), company_id=self.company.id)
        run = open_day_run(stamped, version, "test", str(version))
        keep_plan(run.id, plan_outreach(ctx, company_row(self.company)))
        rows = PlaybookAction.objects.filter(day_run=run).select_related("account__customer")
        return {row.account.customer.name: row for row in rows}
