"""Actions become messages: approved, automatic, written by a person, thanks. On PostgreSQL."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from django.db import connection

from saldo.collection.levels import CHOSEN, IMPORTED, NEW_LEVELS, record_levels
from saldo.core.errors import SaldoError
from saldo.core.money import Money
from saldo.core.text_tables import Table, blocks
from saldo.disputes.operations import open_dispute
from saldo.flows.queue_messages import (
    approve,
    draft_for,
    preview,
    queue_automatic,
    queue_thanks,
    refuse,
    write,
)
from saldo.ledger import entries
from saldo.outreach.deliveries import add, state_of
from saldo.outreach.messages import token_of
from saldo.outreach.models import Delivery, Message
from saldo.parties.models import Contact
from saldo.promises.operations import record_promise
from tests.letters_world import DAY, World, context

LATE = DAY - timedelta(days=20)


def jobs() -> list[int]:
    """Messages that have a job; the queue may hold jobs of other tests that committed."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (args->>'message_id')::bigint FROM procrastinate_jobs"
            " WHERE task_name = 'saldo.send_message'"
            " AND (args->>'message_id')::bigint IN (SELECT id FROM outreach_message) ORDER BY id"
        )
        return [row[0] for row in cursor.fetchall()]


def pay(account: int, amount: str, item: int, day: date) -> None:
    money = Money(Decimal(amount), "EUR")
    shares = [entries.Share(item, money.amount)]
    entries.record_payment(context(day), account, money, shares, booking_date=day)


def leave(message_id: int) -> None:
    at = datetime(DAY.year, DAY.month, DAY.day, 10, tzinfo=UTC)
    add(context(), message_id, "sending", attempt=1, occurred_at=at)
    add(context(), message_id, "sent", attempt=1, occurred_at=at)


@pytest.fixture
def world(db: None) -> World:
    return World()


def two_invoices(world: World, **more: Any) -> tuple[int, int, int]:
    account = world.account("Caffè Città S.r.l.", "conti@citta.test", **more)
    first = world.money.invoice(account, "F-1", "1000.00", due=LATE)
    second = world.money.invoice(account, "F-2", "250.50", due=LATE + timedelta(days=3))
    return account, first, second


def test_an_approved_action_is_one_message_with_its_items_its_job_and_its_decision(world: World) -> None:
    account, first, second = two_invoices(world)
    action = world.plan()["Caffè Città S.r.l."]
    shown = preview(context(), action.id)
    assert Message.objects.count() == 0
    done = approve(context(), [action.id], "va bene")
    (message,) = Message.objects.all()
    assert done.done == (message.id,) and done.refused == ()
    assert (message.subject, message.body) == (shown.subject, shown.body)
    assert (message.key, message.channel, message.to_address, message.language) == (
        f"{account}:EUR:overdue:2026-03-10", "email", "conti@citta.test", "it",
    )  # fmt: skip
    assert message.token == token_of(message.key) and len(message.token) == 24
    assert message.rfc_id == f"<{message.token}@saldo.invalid>"
    items = [(i.item_id, i.asked, i.level, i.level_before) for i in message.items.order_by("id")]
    assert items == [(first, Decimal("1000"), 1, 0), (second, Decimal("250.5"), 1, 0)]
    assert message.asked == Decimal("1250.5") and message.attach == ["statement", "invoices"]
    assert state_of(message.id) == "queued" and jobs() == [message.id]
    assert (action.decision.actor, action.decision.note) == ("anna", "va bene")
    assert "1.250,50\N{NO-BREAK SPACE}€" in message.body and "F-1" in message.body and "{" not in message.body
    # Again: decided already, no second message.
    again = approve(context(), [action.id])
    assert [each.code for each in again.refused] == ["action_decided"]
    assert Message.objects.count() == 1 and jobs() == [message.id]


def test_what_changed_since_the_plan_is_asked_as_it_is_now(world: World) -> None:
    account, first, second = two_invoices(world)
    action = world.plan()["Caffè Città S.r.l."]
    open_dispute(context(), account, [(first, 50_000)], "price")
    pay(account, "250.50", second, DAY)
    assert preview(context(), action.id).left_out == (("F-1", 50_000, "disputed"),)
    approve(context(), [action.id])
    (message,) = Message.objects.all()
    assert [(i.item_id, i.asked) for i in message.items.all()] == [(first, Decimal("950"))]
    assert "richiesta: F-1: 50,00\N{NO-BREAK SPACE}€ in contestazione\n" in message.body
    assert "F-2" not in message.body


def test_a_credit_note_is_named_once_and_what_is_shown_adds_up(world: World) -> None:
    account = world.account("Caffè Città S.r.l.", "conti@citta.test")
    world.money.invoice(account, "F-1", "100.00", due=LATE)
    world.money.invoice(account, "F-2", "3895.00", due=LATE + timedelta(days=1))
    world.money.credit_note(account, "NC-1", "244.00", day=LATE)
    action = world.plan()["Caffè Città S.r.l."]
    shown = preview(context(), action.id)
    body = shown.body.replace("\N{NO-BREAK SPACE}", " ")
    (table,) = [each for each in blocks(body) if isinstance(each, Table)]
    assert [(row[0], row[-2:]) for row in (*table.rows, *table.footer)] == [
        ("F-2", ("3.895,00", "3.751,00")), ("Totale", ("3.895,00", "3.751,00")),
    ]  # fmt: skip
    day = f"{LATE:%d/%m/%Y}"
    assert (
        "Non sono compresi nella somma richiesta:\n"
        f"F-1 (non in elenco): 100,00 € coperti dalla nota di credito n. NC-1 del {day}\n"
        f"F-2: 144,00 € coperti dalla nota di credito n. NC-1 del {day}\n"
    ) in body
    assert shown.asked_mills == 3_751_000 and "a Vostro favore" not in body and "244" not in body
    assert shown.left_out == (("F-1", 100_000, "cash_first"), ("F-2", 144_000, "cash_first"))
    # More credit than is due: what no item used is told as a credit.
    world.money.invoice(account, "F-3", "10.00", due=DAY + timedelta(days=40))
    world.money.credit_note(account, "NC-2", "10.00", day=LATE)
    body = preview(context(), action.id).body.replace("\N{NO-BREAK SPACE}", " ")
    assert "144,00 € coperti" in body and "accrediti non abbinati per 10,00 €" in body


def test_an_action_whose_reason_is_gone_is_refused_and_nothing_is_decided(world: World) -> None:
    account, _, _ = two_invoices(world)
    action = world.plan()["Caffè Città S.r.l."]
    record_promise(context(), account, "EUR", DAY + timedelta(days=5))
    assert preview(context(), action.id).refused == "action_overtaken"
    assert [each.code for each in approve(context(), [action.id]).refused] == ["action_overtaken"]
    action.refresh_from_db()
    assert not hasattr(action, "decision") and Message.objects.count() == 0 and jobs() == []


def test_without_a_usable_address_there_is_a_reason_and_the_others_go_on(world: World) -> None:
    two_invoices(world)
    other = world.account("Bar Nord S.r.l.", "bar@nord.test")
    world.money.invoice(other, "G-1", "300.00", due=LATE)
    actions = world.plan()
    Contact.objects.filter(account_id=other).update(email="nessuna chiocciola")
    done = approve(context(), [action.id for action in actions.values()])
    assert [(each.account_id, each.code) for each in done.refused] == [(other, "no_address")]
    assert len(done.done) == 1


def test_only_the_newest_day_and_only_for_some_days(world: World) -> None:
    two_invoices(world)
    action = world.plan()["Caffè Città S.r.l."]
    late = approve(context(DAY + timedelta(days=4)), [action.id])
    newer = world.plan()["Caffè Città S.r.l."]
    old = approve(context(), [action.id])
    assert [each.code for each in (*late.refused, *old.refused)] == ["action_outdated"] * 2
    assert approve(context(DAY + timedelta(days=3)), [newer.id]).done


def test_who_may_approve(world: World) -> None:
    two_invoices(world)
    action = world.plan()["Caffè Città S.r.l."]
    assert [each.code for each in approve(context(actor="dario"), [action.id]).refused] == [
        "approval_not_allowed"
    ]
    assert approve(context(actor="carla"), [action.id]).done
    # A formal notice takes more than a collector.
    message = Message.objects.get()
    leave(message.id)
    later = DAY + timedelta(days=30)
    formal = world.plan(later)["Caffè Città S.r.l."]
    assert formal.step == "mora"
    refused = approve(context(later, "carla"), [formal.id]).refused
    assert [each.code for each in refused] == ["approval_not_allowed"]
    (letter_id,) = approve(context(later, "anna"), [formal.id]).done
    letter = Message.objects.get(id=letter_id)
    assert letter.channel == "letter" and letter.purpose == "formal_notice" and letter.rfc_id is None
    assert "art. 1219" in letter.subject and "da ultimo quello del 10/03/2026" in letter.body
    assert letter.to_address.startswith("Via Roma 1")


def test_a_level_that_a_person_chose_is_no_reminder_that_was_sent(world: World) -> None:
    account, first, second = two_invoices(world)
    rows = [(account, item, 1, DAY - timedelta(days=1)) for item in (first, second)]
    record_levels(context(), world.company.id, pl.DataFrame(rows, schema=NEW_LEVELS, orient="row"), CHOSEN)
    later = DAY + timedelta(days=30)
    formal = world.plan(later)["Caffè Città S.r.l."]
    body = preview(context(later), formal.id).body
    assert formal.step == "mora" and "art. 1219" in body and "da ultimo quello" not in body
    rows = [(account, first, 1, DAY - timedelta(days=9))]
    record_levels(context(), world.company.id, pl.DataFrame(rows, schema=NEW_LEVELS, orient="row"), IMPORTED)
    assert "da ultimo quello del 01/03/2026" in preview(context(later), formal.id).body


def test_own_words_for_one_action(world: World) -> None:
    two_invoices(world)
    action = world.plan()["Caffè Città S.r.l."]
    with pytest.raises(SaldoError, match="one action"):
        approve(context(), [action.id, action.id + 1], subject="a", body="b")
    approve(context(), [action.id], subject="Un\nsaluto", body="Con {items} fra graffe\r\n\r\ne basta")
    message = Message.objects.get()
    assert (message.subject, message.body) == ("Un saluto", "Con {items} fra graffe\n\ne basta")
    assert message.items.count() == 2


def test_refusing_makes_no_message_and_cannot_be_undone_by_approving(world: World) -> None:
    two_invoices(world)
    action = world.plan()["Caffè Città S.r.l."]
    assert refuse(context(), [action.id], "già d'accordo") == 1
    assert refuse(context(), [action.id]) == 0
    assert [each.code for each in approve(context(), [action.id]).refused] == ["action_decided"]
    assert Message.objects.count() == 0


def test_automatic_actions_once_however_often(db: None) -> None:
    world = World(mode="automatic")
    account, _, _ = two_invoices(world, language="en")
    run = world.plan()["Caffè Città S.r.l."].day_run_id
    first = queue_automatic(context(actor="system:day"), world.company.id, run)
    again = queue_automatic(context(actor="system:day"), world.company.id, run)
    # A later version of the day plans nothing that went out today; were it planned, its key is the same.
    (message,) = Message.objects.all()
    assert first.done == (message.id,) and again.done == () and jobs() == [message.id]
    assert message.language == "en" and "€1,250.50" in message.body
    assert Delivery.objects.get(message=message).actor == "system:day"
    assert message.account_id == account


def test_two_who_approve_at_once_make_one_message(committed_db: None) -> None:
    world = World()
    two_invoices(world)
    action = world.plan()["Caffè Città S.r.l."]
    found: list[Any] = []

    def work(actor: str) -> None:
        try:
            found.append(approve(context(actor=actor), [action.id]))
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(actor,)) for actor in ("anna", "bruno", "carla")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(found) == 3
    assert sum(len(each.done) for each in found) == 1 == Message.objects.count() == len(jobs())
    assert [one.code for each in found for one in each.refused] == ["action_decided"] * 2


def test_a_persons_own_message(world: World) -> None:
    account, _, _ = two_invoices(world)
    first = write(
        context(), account, "email", "Un  saluto\n", "Testo con {graffe}\r\ne basta", attach=("statement",)
    )
    message = Message.objects.get(id=first)
    assert (message.subject, message.body, message.purpose) == (
        "Un saluto",
        "Testo con {graffe}\ne basta",
        "person",
    )
    assert message.track == "" and not message.items.exists() and jobs() == [first]
    second = write(context(), account, "email", "Un saluto", "Testo")
    assert second != first
    for code, args in {
        "message_empty": ("email", " ", "x"),
        "message_channel_bad": ("call", "a", "b"),
        "message_too_long": ("sms", "", "x" * 460),
        "message_no_address": ("pec", "a", "b"),
        "account_unknown": None,
    }.items():
        with pytest.raises(SaldoError) as told:
            write(context(), account if args else 10**9, *(args or ("email", "a", "b")))
        assert told.value.code == code


def test_the_same_request_writes_once(world: World) -> None:
    account, _, _ = two_invoices(world)
    ctx = replace(context(), key="abc")
    assert write(ctx, account, "email", "a", "b") == write(ctx, account, "email", "a", "b")
    assert len(jobs()) == 1


def test_a_draft_to_begin_from(world: World) -> None:
    account, _, _ = two_invoices(world)
    draft = draft_for(context(), account, "statement", "email")
    assert draft.to_address == "conti@citta.test" and "F-2" in draft.body and draft.refused == ""
    with pytest.raises(SaldoError, match="no template"):
        draft_for(context(), account, "nulla", "email")


def test_a_draft_tells_what_it_leaves_out_and_no_credit_twice(world: World) -> None:
    account, first, _ = two_invoices(world)
    open_dispute(context(), account, [(first, 50_000)], "price")
    world.money.credit_note(account, "NC-1", "300.00", day=LATE)
    draft = draft_for(context(), account, "reminder_1", "email")
    assert draft.left_out == (
        ("F-1", 50_000, "disputed"), ("F-1", 300_000, "cash_first"),
    )  # fmt: skip
    assert draft.asked_mills == 900_500 and "NC-1" in draft.body and "a Vostro favore" not in draft.body


def thanked(world: World, day: date) -> list[str]:
    queue_thanks(context(day, "system:day"), world.company.id)
    return [message.body for message in Message.objects.filter(purpose="thanks")]


def test_thanks_once_when_all_that_was_asked_has_been_paid_with_money(world: World) -> None:
    account, first, second = two_invoices(world)
    action = world.plan()["Caffè Città S.r.l."]
    (message_id,) = approve(context(), [action.id]).done
    paid = DAY + timedelta(days=4)
    pay(account, "1000.00", first, paid)
    assert thanked(world, paid) == []
    pay(account, "250.50", second, paid)
    # It never left: nobody was asked.
    assert thanked(world, paid) == []
    leave(message_id)
    third = world.money.invoice(account, "F-3", "10.00", due=DAY - timedelta(days=1))
    assert thanked(world, paid) == []
    pay(account, "10.00", third, paid)
    (body,) = thanked(world, paid)
    assert "F-1" in body and "F-2" in body and "1.250,50" in body and "F-3" not in body
    assert len(thanked(world, paid + timedelta(days=1))) == 1


def test_no_thanks_for_a_credit_note(world: World) -> None:
    account = world.account("Caffè Città S.r.l.", "conti@citta.test")
    item = world.money.invoice(account, "F-1", "100.00", due=LATE)
    (message_id,) = approve(context(), [world.plan()["Caffè Città S.r.l."].id]).done
    leave(message_id)
    note = world.money.credit_note(account, "NC-1", "100.00", day=DAY)
    entries.allocate(context(), note, [entries.Share(item, Decimal(100))])
    assert thanked(world, DAY + timedelta(days=1)) == []
