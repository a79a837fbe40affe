"""The plan of a day: kept, read, decided; what was sent lifts items; nobody is written to twice."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from saldo.cash.models import MatchProposal
from saldo.collection.models import PlaybookAction
from saldo.collection.playbook_actions import (
    BLOCKED,
    SUGGESTED,
    TO_APPROVE,
    action_row,
    counts,
    decide,
    planned,
)
from saldo.collection.playbook_changes import activate, save
from saldo.collection.segments import choose_segment, segments
from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.core.reasons import render
from saldo.flows.day import DayResult, run_day
from saldo.flows.plan_outreach import askable_now
from saldo.identity.operations import add_user
from saldo.outreach.history import item_history, message_contacts, sent_messages
from saldo.outreach.models import Delivery, Message, MessageItem
from saldo.outreach.settings import change_rules
from saldo.parties.models import Contact
from saldo.promises.operations import record_promise
from tests.cash_world import World, context

pytestmark = pytest.mark.django_db
DAY = date(2026, 3, 10)
LADDER = """
code = "ladder"
order = 1
[title]
it = "Scala"
en = "Ladder"
[segment]
code = "everyone"
[segment.title]
it = "Tutti"
en = "Everyone"
[[step]]
code = "one"
track = "overdue"
level = 1
day = 5
channel = "email"
template = "reminder_1"
tone = "soft"
[[step]]
code = "call"
track = "overdue"
level = 1
day = 15
channel = "call"
tone = "soft"
[[step]]
code = "two"
track = "overdue"
level = 2
day = 15
wait_days = 8
channel = "email"
template = "reminder_2"
tone = "firm"
"""


class Case:
    """Rossi owes 400 (37 days late) and 1000 (23 days late); Verdi has no address."""

    def __init__(self) -> None:
        self.world = World()
        self.rossi = self.world.account("Rossi S.r.l.", vat="IT01234567897")
        self.verdi = self.world.account("Verdi S.p.A.", vat="IT02345678903")
        self.first = self.world.invoice(self.rossi, "F-1", "400.00", due=date(2026, 2, 1))
        self.second = self.world.invoice(self.rossi, "F-2", "1000.00", due=date(2026, 2, 15))
        self.other = self.world.invoice(self.verdi, "F-3", "700.00", due=date(2026, 2, 15))
        self.contact = Contact.objects.create(
            account_id=self.rossi, name="Anna Neri", email="anna@example.com", language="it"
        )
        ctx = self.ctx()
        for name in ("writer", "manager"):
            add_user(ctx, name, "a-long-password-1", "credit_manager")
        add_user(ctx, "watcher", "a-long-password-1", "cfo")
        saved = save(self.ctx(actor="writer"), self.world.company.id, LADDER)
        activate(self.ctx(actor="manager"), self.world.company.id, saved.id)
        change_rules(ctx, self.world.company.id, cutover_date=DAY)

    def ctx(self, day: date = DAY, actor: str = "system:test") -> Context:
        return replace(context(day), actor=actor).within(self.world.company.id)

    def run(self, day: date = DAY, refresh: bool = False) -> DayResult:
        return run_day(self.ctx(day), self.world.company.id, refresh)

    def of(self, run: DayResult, account: int) -> Any:
        (row,) = planned(self.ctx(), run.day_run_id, account_id=account)
        return row

    def message(
        self, items: list[tuple[int, int, int]], day: date, state: str = "sent", step: str = "one"
    ) -> Message:
        """A message of the overdue track about (item, level, level before) that ended in that state."""
        at = datetime(day.year, day.month, day.day, 9, tzinfo=UTC)
        key = f"{self.rossi}:{day}:{step}:{state}"
        made = Message.objects.create(
            company_id=self.world.company.id, account_id=self.rossi, key=key, channel="email",
            track="overdue", purpose="reminder", step=step, level=max(level for _, level, _ in items),
            currency="EUR", asked=Decimal(1), contact_id=self.contact.id, to_address="anna@example.com",
            language="it", body="…", rfc_id=f"<{key}@example.com>", as_of=day, actor="test",
            token=f"{Message.objects.count():024d}", recorded_at=at,
        )  # fmt: skip
        for item, level, before in items:
            MessageItem.objects.create(
                message=made, item_id=item, asked=Decimal(1), level=level, level_before=before
            )
        Delivery.objects.create(message=made, state="queued", occurred_at=at, actor="test", recorded_at=at)
        if state != "queued":
            Delivery.objects.create(
                message=made, state=state, attempt=1, occurred_at=at, actor="test", recorded_at=at
            )
        return made


@pytest.fixture
def case() -> Case:
    return Case()


def refused(code: str, work: Any, *args: Any, **named: Any) -> None:
    with pytest.raises(SaldoError) as told:
        work(*args, **named)
    assert told.value.code == code


def test_the_plan_is_kept_and_told_with_its_reasons(case: Case) -> None:
    record_promise(case.ctx(), case.rossi, "EUR", date(2026, 3, 20), 300_000, [case.second])
    run = case.run()
    row = case.of(run, case.rossi)
    assert (row.step, row.level, row.channel, row.contact_id) == ("one", 1, "email", case.contact.id)
    assert (row.asked, row.state, row.playbook) == (Decimal("1100.000"), TO_APPROVE, "ladder")
    both = {"level": 1, "level_before": 0}
    assert row.items == [
        {"item_id": case.first, "asked_mills": 400_000, "due_date": "2026-02-01", **both},
        {"item_id": case.second, "asked_mills": 700_000, "due_date": "2026-02-15", **both},
    ]
    words = [render(reason["code"], reason["params"], "it") for reason in row.reasons]
    assert words[0].startswith("playbook «Scala»: 1.400,00\N{NO-BREAK SPACE}€ aperti")
    assert "primo sollecito, scaduto da 37 giorni" in words[1]
    assert words[2] == "non chiesti 300,00\N{NO-BREAK SPACE}€: promessi fino al 23 marzo 2026"
    assert words[3] == "via e-mail a Anna Neri"
    assert case.of(run, case.verdi).blocked == "no_address"
    assert run.outreach == {
        TO_APPROVE: 1, "automatic": 0, "approved": 0, "refused": 0, BLOCKED: 1, SUGGESTED: 0
    }  # fmt: skip
    assert counts(run.day_run_id) == run.outreach
    # The amount kept is what the sender is told a moment later.
    now = askable_now(case.ctx(), [case.rossi])
    assert dict(now.select("item_id", "asked_mills").iter_rows()) == {
        case.first: 400_000,
        case.second: 700_000,
    }


def test_a_day_run_again_says_the_same_and_later_facts_make_a_version(case: Case) -> None:
    first = case.run()
    again = case.run()
    assert (again.version, again.is_new) == (first.version, False)
    assert PlaybookAction.objects.filter(day_run_id=first.day_run_id).count() == 2
    record_promise(case.ctx(), case.rossi, "EUR", date(2026, 3, 20))
    fresh = case.run(refresh=True)
    assert fresh.version == first.version + 1
    assert not planned(case.ctx(), fresh.day_run_id, account_id=case.rossi)
    assert case.of(first, case.rossi).asked == Decimal("1400.000"), "the old version stays as it was"


def test_only_one_person_decides_and_only_about_what_waits_for_it(case: Case) -> None:
    run = case.run()
    waiting, held = case.of(run, case.rossi), case.of(run, case.verdi)
    manager = case.ctx(actor="manager")
    refused("approval_not_allowed", decide, case.ctx(actor="watcher"), waiting.id, True)
    refused("approval_not_allowed", decide, case.ctx(actor="system:day"), waiting.id, True)
    refused("action_unknown", decide, case.ctx(actor="nobody"), waiting.id, True)
    refused("action_blocked", decide, manager, held.id, True)
    decide(manager, waiting.id, False, "later")
    refused("action_decided", decide, case.ctx(actor="writer"), waiting.id, True)
    told = action_row(case.ctx(), waiting.id)
    assert told is not None and (told.state, told.decided_by) == ("refused", "manager")


def test_an_item_rises_once_its_message_has_left(case: Case) -> None:
    sent = DAY - timedelta(days=9)
    case.message([(case.first, 1, 0), (case.second, 0, 0)], sent)
    found = {row["item_id"]: row for row in item_history(case.ctx()).iter_rows(named=True)}
    assert set(found) == {case.first}, "what was only listed goes on waiting"
    assert (found[case.first]["level"], found[case.first]["last_step"]) == (1, "one")
    assert found[case.first]["last_date"] == sent
    assert item_history(case.ctx(sent - timedelta(days=1))).is_empty(), "as of the day before"
    row = case.of(case.run(), case.rossi)
    levels = {item["item_id"]: (item["level_before"], item["level"]) for item in row.items}
    assert (row.step, levels) == ("two", {case.first: (1, 2), case.second: (0, 1)})


@pytest.mark.parametrize("state", ["queued", "sending", "unknown", "postponed"])
def test_nothing_is_planned_again_while_nobody_knows_whether_it_left(case: Case, state: str) -> None:
    case.message([(case.first, 1, 0), (case.second, 1, 0)], DAY - timedelta(days=20), state)
    assert item_history(case.ctx()).is_empty()
    assert sent_messages(case.ctx(), DAY)["date"].to_list() == [DAY]
    assert case.of(case.run(), case.rossi).blocked == "contact_cap"


@pytest.mark.parametrize("state", ["failed", "cancelled"])
def test_what_did_not_leave_is_planned_again(case: Case, state: str) -> None:
    case.message([(case.first, 1, 0), (case.second, 1, 0)], DAY - timedelta(days=2), state)
    row = case.of(case.run(), case.rossi)
    assert (row.step, row.blocked) == ("one", "")
    assert message_contacts(case.ctx()).is_empty()


def test_a_refusal_after_the_server_took_it_undoes_the_level(case: Case) -> None:
    day = DAY - timedelta(days=9)
    made = case.message([(case.first, 1, 0)], day)
    later = datetime(day.year, day.month, day.day, 10, tzinfo=UTC)
    assert item_history(case.ctx())["level"].to_list() == [1]
    Delivery.objects.create(message=made, state="failed", occurred_at=later, actor="test", recorded_at=later)
    assert item_history(case.ctx()).is_empty()
    # With what was known in between it had left.
    before = replace(case.ctx(), known_at=datetime(day.year, day.month, day.day, 9, 30, tzinfo=UTC))
    assert item_history(before)["level"].to_list() == [1]


def test_a_message_that_left_is_a_contact(case: Case) -> None:
    case.message([(case.first, 1, 0)], DAY - timedelta(days=3), "bounced")
    assert message_contacts(case.ctx()).rows() == [(case.rossi, "email", DAY - timedelta(days=3))]


def test_the_segment_that_a_person_chose_goes_first(case: Case) -> None:
    second = (
        LADDER.replace('"ladder"', '"gentle"')
        .replace('"everyone"', '"friends"')
        .replace("order = 1", "order = 9")
    )
    saved = save(case.ctx(actor="writer"), case.world.company.id, second)
    activate(case.ctx(actor="manager"), case.world.company.id, saved.id)
    choose_segment(case.ctx(), case.rossi, "friends", "an old friend")
    assert case.of(case.run(), case.rossi).playbook == "gentle"
    choose_segment(case.ctx(), case.rossi, "")
    told = dict(segments(case.ctx()).select("account_id", "segment").iter_rows())
    assert not told[case.rossi]
    assert json.dumps(case.of(case.run(refresh=True), case.rossi).playbook) == '"ladder"'


def test_a_line_that_was_imported_and_not_applied_is_looked_at_before_anybody_is_asked(case: Case) -> None:
    case.world.line("1400.00", "SALDO FATTURE F-1 E F-2", "ROSSI SRL", day=DAY)
    case.run()
    assert not MatchProposal.objects.exists(), "a look at a past day posts nothing"
    today = case.ctx(date.today())
    run = run_day(today, case.world.company.id)
    assert MatchProposal.objects.exists()
    assert not planned(today, run.day_run_id, account_id=case.rossi)
