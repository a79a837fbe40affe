"""Promises judged from the ledger and the bank's statements, causes of delay, what is to be collected."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.test import Client
from django.urls import reverse

from saldo.cash.models import Statement
from saldo.collection.causes import delay_reasons
from saldo.collection.operations import record_outcome, undo_outcome
from saldo.core.money import Money
from saldo.disputes.operations import open_dispute
from saldo.flows.judged_promises import judgements, promise_entries, promises_of
from saldo.flows.to_collect import collectable, to_collect
from saldo.interfaces import clock
from saldo.ledger import entries
from saldo.promises.operations import end_promise, record_plan
from tests.integration.test_blocks import DAY, Case, refused
from tests.web_world import user

pytestmark = pytest.mark.django_db
LAST = date(2026, 3, 18)  # of a promise by the 15th


@pytest.fixture
def case() -> Case:
    return Case()


def state(case: Case, day: date) -> tuple[str, int, int]:
    (row,) = judgements(case.ctx(day)).to_dicts()
    return row["state"], row["paid_mills"], row["left_mills"]


def test_a_promise_is_told_as_broken_from_the_day_on_which_anybody_could_know(case: Case) -> None:
    case.promise(date(2026, 3, 15), None, case.first)
    case.world._statement("S1", to_date=LAST - timedelta(days=1), closing_date=LAST)
    assert state(case, date(2026, 3, 25))[0] == "open"
    Statement.objects.create(
        bank_account=case.world.bank, kind="booked", identity="S2", currency="EUR", lines=0, to_date=LAST,
        recorded_at=datetime(2026, 3, 24, 8, tzinfo=UTC),
    )  # fmt: skip
    assert state(case, date(2026, 3, 25)) == ("broken", 0, 400_000)
    told = promise_entries(case.ctx(date(2026, 3, 25)))
    assert told.rows() == [(case.account, "promise_broken", date(2026, 3, 24))]
    (row,) = promises_of(case.ctx(date(2026, 3, 25)), case.account)
    assert (row.state, row.judged_date, row.may_end, row.is_open) == (
        "broken",
        date(2026, 3, 24),
        True,
        False,
    )


def test_money_of_before_the_promise_is_not_on_it_and_money_on_no_item_is(case: Case) -> None:
    old = entries.record_payment(case.ctx(), case.account, Money(Decimal(50), "EUR"), booking_date=DAY)
    case.promise(date(2026, 3, 15), None, case.first)
    entries.record_payment(case.ctx(DAY + timedelta(days=1)), case.account, Money(Decimal(300), "EUR"))
    after = LAST + timedelta(days=1)
    assert state(case, after) == ("partially_kept", 300_000, 100_000)
    # Set against the item afterwards, what had been there before pays on it too.
    entries.allocate(case.ctx(after), old.item_ids[0], [entries.Share(case.first, Decimal(50))])
    assert state(case, after) == ("partially_kept", 350_000, 50_000)


def test_what_went_into_a_plan_or_was_promised_anew_is_no_entry_of_the_list(case: Case) -> None:
    case.promise(date(2026, 3, 12), None, case.first)
    case.promise(date(2026, 3, 12), None, case.second)
    after = date(2026, 3, 16)
    assert promise_entries(case.ctx(after)).height == 1
    record_plan(case.ctx(after), case.account, "EUR", [(date(2026, 4, 1), 400_000)], [case.first])
    case.promise(date(2026, 3, 30), None, case.second, day=after)
    assert promise_entries(case.ctx(after)).is_empty()
    assert judgements(case.ctx(after)).sort("promise_id")["state"].to_list() == ["broken", "broken", "open"]


def test_a_promise_taken_back_twice_or_after_a_new_one_is_refused(case: Case) -> None:
    first = case.promise(date(2026, 3, 15), None, case.first)
    case.promise(date(2026, 3, 20), None, case.first, replaces=True)
    refused("promise_ended", end_promise, case.ctx(), first, "withdrawn")
    refused("outcome_unknown", end_promise, case.ctx(), first, "replaced")


def test_the_newest_reason_counts_and_what_was_taken_back_does_not(case: Case) -> None:
    ctx = replace(case.ctx(), actor="system:test")

    def say(reason: str, day: date) -> int:
        return record_outcome(ctx.at(day), case.account, "done", result="reached", delay_reason=reason)

    def told(day: date, days: int | None = 90) -> list[str]:
        return delay_reasons(ctx.at(day), days=days)["reason"].to_list()

    say("cash", DAY)
    say("forgotten", DAY + timedelta(days=2))
    taken = say("bank", DAY + timedelta(days=3))
    assert told(DAY) == ["cash"] and told(DAY + timedelta(days=3)) == ["bank"]
    undo_outcome(ctx.at(DAY + timedelta(days=3)), case.account, taken)
    assert told(DAY + timedelta(days=3)) == ["forgotten"]
    later = DAY + timedelta(days=100)
    assert (told(later), told(later, days=None)) == ([], ["forgotten"])


def test_what_is_promised_is_outstanding_and_not_to_be_collected(case: Case) -> None:
    case.promise(DAY + timedelta(days=5), 300_000, case.first)
    open_dispute(case.ctx(), case.account, [(case.second, 50_000)], "price")
    found = collectable(case.ctx(), case.account)["EUR"]
    assert (found.outstanding, found.due, found.promised, found.disputed, found.planned, found.other) == (
        2000, 1400, 300, 50, 0, 0
    )  # fmt: skip
    assert found.to_collect == 1050
    assert to_collect(case.ctx()).equals(to_collect(case.ctx(), [case.account]))


def test_the_form_names_the_promise_there_is_and_replaces_it_when_asked(case: Case) -> None:
    client, page = Client(), reverse("account", args=[case.account])
    client.force_login(user("promessa", "collector", case.world.company.id))
    add = reverse("add_promise", args=[case.account])
    fields = {"promised_date": str(clock.today() + timedelta(days=5)), "item": case.first}
    assert client.post(add, fields).status_code == 302
    shown = client.get(page).content.decode()
    assert 'name="replaces"' in shown and "collect" in shown
    again = client.post(add, fields)
    assert again.status_code == 400 and str(clock.today() + timedelta(days=5)) in again.content.decode()
    assert client.post(add, fields | {"replaces": "yes"}).status_code == 302
    ctx = case.ctx(clock.today())
    assert [(row.state, row.ended) for row in promises_of(ctx, case.account)] == [
        ("open", ""), ("void", "replaced"),
    ]  # fmt: skip
    assert client.get(page).status_code == 200
