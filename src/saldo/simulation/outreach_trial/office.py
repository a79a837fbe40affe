"""Saldo as an office that writes by playbooks: files in, the day's run, a person who approves, the sender.

Everything goes through the real flows with a simulated clock; only the channel is a record of what left.
Import this only after Django is set up.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import PurePosixPath

from django.db import connection

from saldo import __version__
from saldo.cash.statements import add_bank_account
from saldo.collection.playbook_actions import TO_APPROVE, keep_plan, planned
from saldo.collection.playbook_changes import activate, install_shipped
from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.core.money import to_mills
from saldo.core.sending import LEFT
from saldo.disputes.operations import end_dispute
from saldo.flows import send_messages
from saldo.flows.apply_cash import apply_cash
from saldo.flows.collect_time import settle
from saldo.flows.cut_over import Starting, go_live
from saldo.flows.day import run_day
from saldo.flows.hand_over import Handed
from saldo.flows.import_documents import import_file
from saldo.flows.plan_outreach import plan_outreach
from saldo.flows.queue_messages import approve, queue_automatic, queue_thanks
from saldo.identity.models import Grant
from saldo.identity.operations import add_user, fix_known_at, open_day_run
from saldo.identity.queries import CompanyRow
from saldo.outreach.channels.outgoing import sent
from saldo.outreach.models import Message, MessageItem
from saldo.outreach.settings import change_rules
from saldo.parties.models import Contact
from saldo.simulation.files.world_file import WorldFile
from saldo.simulation.trial.desk import Clock, Desk
from saldo.simulation.world.tables import Tables

PERSON = "trial-person"
# The sender works when customers' offices are open, whatever the season.
SENDING_HOUR = time(10)
WHOLE_DAY_EVERY = timedelta(days=7)
# Old items begin where an office that had written to them would stand.
STARTING = Starting(bands={30: 1, 60: 2})


@dataclass(frozen=True, slots=True)
class LeftItem:
    item_id: int
    asked_mills: int
    level: int
    level_before: int


@dataclass(frozen=True, slots=True)
class LeftMessage:
    """A message that left today, as it was written."""

    message_id: int
    company_id: int
    account_id: int
    day: date
    channel: str
    track: str
    level: int
    tone: str
    currency: str
    to_address: str
    contact_id: int | None
    rfc_id: str
    playbook_action_id: int | None
    items: tuple[LeftItem, ...]


@dataclass(slots=True)
class Office:
    """One database with the world's companies. refused: files and approvals that were refused, by code."""

    desk: Desk
    refused: dict[str, int] = field(default_factory=dict)
    _whole_day: dict[int, date] = field(default_factory=dict)

    @classmethod
    def opened(cls, eve: date) -> Office:
        return cls(Desk(Clock(eve), eve))

    # -- setting up --------------------------------------------------------------------------------------

    def set_up(self, t: Tables, first_day: date) -> None:
        """Companies, their bank accounts, playbooks in force, and sending from ``first_day`` on."""
        codes = dict(t.companies.select("company_id", "code").iter_rows())
        for code, name, vat in t.companies.select("code", "name", "vat").iter_rows():
            self.desk.add_company(code, name, vat)
        owners = {row["company_id"]: row for row in t.companies.iter_rows(named=True)}
        for bank in t.banks.iter_rows(named=True):
            owner = owners[bank["company_id"]]
            add_bank_account(
                self.context(), self.desk.companies[codes[bank["company_id"]]].id, name=bank["name"],
                iban=bank["iban"], bic=bank["bic"], abi=bank["abi"], cab=bank["cab"], number=bank["account"],
                currency="EUR", sia=owner["sia"], creditor_id=owner["creditor_id"],
            )  # fmt: skip
        add_user(self.context(), PERSON, "not used", Grant.Role.CREDIT_MANAGER)
        for company in self.desk.companies.values():
            ctx = replace(self.context(company.id), actor=PERSON)
            for version_id in install_shipped(ctx, company.id):
                activate(ctx, company.id, version_id)
            # A bank writes a statement only for a day with lines; in a small world that is not every day.
            change_rules(self.context(company.id), company.id, statement_lag_days=15)

    def go_live(self, first_day: date) -> None:
        for company in self.desk.companies.values():
            go_live(self.context(company.id), company.id, first_day, STARTING, accept_missing=True)

    def know_contacts(self, t: Tables, customers: dict[int, int]) -> None:
        """The people of every account; customers: the world's account -> Saldo's."""
        known = set(Contact.objects.values_list("account_id", flat=True))
        people = t.accounts.select("account_id", "customer_id").join(t.contacts, on="customer_id")
        languages = dict(t.customers.select("customer_id", "language").iter_rows())
        pecs = dict(t.customers.select("customer_id", "pec").iter_rows())
        rows = []
        for row in people.sort("account_id", maintain_order=True).iter_rows(named=True):
            account = customers.get(row["account_id"])
            if account is None or account in known:
                continue
            language = "en" if languages[row["customer_id"]] == "en" else "it"
            rows.append(
                Contact(
                    account_id=account, name=row["name"], role=row["role"], email=row["email"],
                    phone=row["phone"], language=language, pec=pecs[row["customer_id"]] or "",
                )
            )  # fmt: skip
        Contact.objects.bulk_create(rows, ignore_conflicts=True)

    # -- a day -------------------------------------------------------------------------------------------

    def begin(self, day: date) -> None:
        self.desk.begin(day)

    def context(self, company_id: int | None = None) -> Context:
        return self.desk.context(company_id)

    def person(self, company_id: int | None = None) -> Context:
        return replace(self.context(company_id), actor=PERSON)

    def take_bank(self, file: WorldFile) -> None:
        code = file.path.split("/")[1]
        ctx = self.context(self.desk.companies[code].id)
        try:
            import_file(
                ctx, PurePosixPath(file.path).name, file.data, "auto", company_code=code, as_at=file.day
            )
        except SaldoError as error:
            self.count(f"file {error.code}")

    def apply_cash(self) -> None:
        for company in self.desk.companies.values():
            apply_cash(self.context(company.id), company.id)

    def plan_and_approve(self) -> None:
        """What to write is planned; a person approves all that waits for a person."""
        for company in self.desk.companies.values():
            run_id = self._planned(company)
            waiting = planned(self.person(company.id), run_id, state=TO_APPROVE)
            queued = approve(self.person(company.id), [row.id for row in waiting])
            for refused in queued.refused:
                self.count(f"approve {refused.code}")

    def _planned(self, company: CompanyRow) -> int:
        """The whole day on the first one and where a week begins. On other days its outreach alone, as the
        day does it: forecasts, scores and the worklist, which take most of its time, change nothing in it."""
        ctx = self.context(company.id)
        if (
            company.id not in self._whole_day
            or self.desk.day >= self._whole_day[company.id] + WHOLE_DAY_EVERY
        ):
            self._whole_day[company.id] = self.desk.day
            return run_day(ctx, company.id).day_run_id
        settle(ctx, company.id)
        ctx = fix_known_at(ctx, company.id)
        plan = plan_outreach(ctx, company)
        run = open_day_run(ctx, 1, __version__, f"outreach of {self.desk.day}")
        keep_plan(run.id, plan)
        now = replace(ctx, known_at=None)
        queue_automatic(now, company.id, run.id)
        queue_thanks(now, company.id)
        return run.id

    def send(self) -> list[LeftMessage]:
        """Everything that may leave leaves, at ten in the morning; what left today."""
        opening = datetime.combine(self.desk.day, SENDING_HOUR, UTC)
        self.desk.clock.now = max(self.desk.clock.now, opening)
        left: list[int] = []
        with _recording(left):
            send_messages.send_waiting(self.context())
        return self._messages(left)

    def _messages(self, ids: list[int]) -> list[LeftMessage]:
        items: dict[int, list[LeftItem]] = {}
        for item in MessageItem.objects.filter(message_id__in=ids).order_by("item_id"):
            items.setdefault(item.message_id, []).append(
                LeftItem(item.item_id, to_mills(item.asked), item.level, item.level_before)
            )
        return [
            LeftMessage(
                row.id, row.company_id, row.account_id, self.desk.day, row.channel, row.track, row.level,
                row.tone, row.currency, row.to_address.lower(), row.contact_id, row.rfc_id or "",
                row.action_id, tuple(items.get(row.id, ())),
            )
            for row in Message.objects.filter(id__in=ids).order_by("id")
        ]  # fmt: skip

    def settle_disputes(self, dispute_ids: dict[int, frozenset[int]], settled: frozenset[int]) -> None:
        """End disputes all of whose items the office has decided about."""
        for dispute_id, items in list(dispute_ids.items()):
            if items <= settled:
                try:
                    end_dispute(self.person(), dispute_id, "refused")
                except SaldoError as error:
                    self.count(f"dispute {error.code}")
                del dispute_ids[dispute_id]

    def count(self, what: str) -> None:
        self.refused[what] = self.refused.get(what, 0) + 1

    # -- the end -----------------------------------------------------------------------------------------

    def states(self) -> dict[str, int]:
        """How the messages ended, by state; one that left stays one that left."""
        with connection.cursor() as cursor:
            cursor.execute(_STATES, [sorted(LEFT)])
            return dict(cursor.fetchall())

    def finish(self) -> None:
        """What still waits is looked at once more, days later: nothing is left without an end."""
        for days in (3, 12):
            self.begin(self.desk.day + timedelta(days=days))
            opening = datetime.combine(self.desk.day, SENDING_HOUR, UTC)
            self.desk.clock.now = max(self.desk.clock.now, opening)
            with _recording([]):
                send_messages.send_waiting(self.context())


_STATES = """
SELECT CASE WHEN d.state = ANY(%s) THEN 'sent' ELSE d.state END, count(*)
  FROM (SELECT DISTINCT ON (message_id) message_id, state FROM outreach_delivery
         ORDER BY message_id, id DESC) d
 GROUP BY 1
"""


@contextmanager
def _recording(left: list[int]) -> Iterator[None]:
    """In place of the channels: what is handed over is noted, and taken."""
    real = send_messages.hand_over

    def noted(ctx: Context, message: Message, rules: object, attempt: int) -> Handed:
        left.append(message.id)
        return Handed(sent())

    send_messages.hand_over = noted  # type: ignore[assignment]
    try:
        yield
    finally:
        send_messages.hand_over = real


def balances() -> dict[int, tuple[int, int]]:
    """item -> (balance in mills, account), straight from the ledger's tables."""
    with connection.cursor() as cursor:
        cursor.execute(_BALANCES)
        return {item: (mills, account) for item, mills, account in cursor.fetchall()}


_BALANCES = """
SELECT i.id, ((abs(i.amount) - coalesce(u.used, 0)) * 1000)::bigint, i.account_id
  FROM ledger_item i
  LEFT JOIN (SELECT item_id, sum(amount) AS used FROM ledger_allocation_side GROUP BY 1) u ON u.item_id = i.id
 WHERE i.amount > 0
"""
