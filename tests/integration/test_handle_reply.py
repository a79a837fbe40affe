"""What is done about replies: proposed, recorded, taken back, put on hold at once; who may."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from saldo.core.errors import SaldoError
from saldo.flows.handle_reply import confirm, dismiss, propose, reopen
from saldo.identity.operations import ensure_company
from saldo.outreach import links, replies
from saldo.outreach.channels import config
from saldo.outreach.mailboxes import mailboxes
from saldo.outreach.models import ReplyHandling
from saldo.parties.models import AddressStop
from tests import mail_world
from tests.mail_reading import Reads, codes, faked_reading, reply_of, taken, world_with_mailbox
from tests.mail_world import ADDRESS, DAY, World, context

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return world_with_mailbox(tmp_path, monkeypatch)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    return faked_reading(monkeypatch)


def test_a_promise_with_one_key_and_back(world: World, reads: Reads) -> None:
    from saldo.promises.queries import promises_of

    message = world.message()
    reads("promise", promised_date=date(2026, 3, 20), amount_mills=1_000_000, items=(0,))
    told = taken(mail_world.answer(message, "La F-1 di 1.000 euro la paghiamo il 20 marzo"))
    number = told.reply_id or 0
    proposal = propose(context(), number)
    assert proposal.one_key and proposal.act == "promise"
    assert proposal.fields == {
        "promised_date": date(2026, 3, 20), "amount_mills": 1_000_000, "item_ids": [world.items["F-1"]],
    }  # fmt: skip
    confirm(context(), number, proposal.act, **proposal.fields)
    (made,) = promises_of(context(), world.account_id)
    assert (made.promised_date, made.document_id, made.state) == (date(2026, 3, 20), told.document_id, "open")
    with pytest.raises(SaldoError) as caught:
        dismiss(context(), number)
    assert caught.value.code == "reply_handled"
    reopen(context(), number)
    assert [one.ended for one in promises_of(context(), world.account_id)] == ["mistake"]
    assert replies.row_of(context(), number).is_waiting


def test_what_is_not_sure_is_not_one_key(world: World, reads: Reads) -> None:
    message = world.message()

    def proposed(text: str, **facts: Any) -> Any:
        reads("promise", **facts)
        return propose(context(), taken(mail_world.answer(message, text)).reply_id or 0)

    assert proposed("a", promised_date=date(2026, 3, 20)).one_key
    assert not proposed("b").one_key
    assert not proposed("c", promised_date=date(2026, 3, 10)).one_key, "a day that has passed"
    assert not proposed("d", promised_date=date(2026, 3, 20), is_conditional=True).one_key
    assert not proposed("e", promised_date=date(2026, 3, 20), is_plan=True).one_key
    assert not proposed("f", zone="middle", promised_date=date(2026, 3, 20)).one_key
    dollars = proposed("g", promised_date=date(2026, 3, 20), amount_mills=700_000, currency="USD")
    assert not dollars.one_key and dollars.fields["amount_mills"] is None


def test_a_dispute_of_a_part_and_a_payment_said_to_be_made(world: World, reads: Reads) -> None:
    from saldo.cash.claims import claims_of
    from saldo.disputes.models import Dispute

    message = world.message()
    reads("dispute", items=(0,), dispute_reason="quality", disputed_mills=50_000)
    number = taken(mail_world.answer(message, "Merce difettosa per 50 euro")).reply_id or 0
    proposal = propose(context(), number)
    confirm(context(), number, "dispute", **proposal.fields)
    dispute = Dispute.objects.get()
    (part,) = dispute.items.all()
    assert (dispute.reason, part.item_id, part.amount) == ("quality", world.items["F-1"], 50)
    reads("paid", paid_date=date(2026, 3, 13), paid_mills=500_000)
    number = taken(mail_world.answer(message, "Già pagato venerdì")).reply_id or 0
    confirm(context(), number, "paid_claim", **propose(context(), number).fields)
    (claim,) = claims_of(context(), world.account_id)
    assert (claim.paid_date, claim.amount, set(claim.items)) == (
        date(2026, 3, 13),
        500,
        set(world.items.values()),
    )
    reopen(context(), number)
    assert claims_of(context(), world.account_id)[0].state == "mistake"


def test_an_opt_out_is_honored_at_once(world: World, reads: Reads) -> None:
    message = world.message()
    reads("opt_out")
    told = taken(mail_world.answer(message, "Non scrivetemi più", sender="direzione@cliente.test"))
    assert AddressStop.objects.get().address == ADDRESS
    assert replies.row_of(context(), told.reply_id or 0).act == "opt_out"
    reopen(context(), told.reply_id or 0)
    assert AddressStop.objects.filter(release__isnull=True).count() == 0


def test_the_unsubscribe_button_of_a_mail_program(world: World, reads: Reads) -> None:
    message = world.message()
    header = links.unsubscribe_headers(message.token, "ALFA")["List-Unsubscribe"]
    address = links.reply_address(message.token, "ALFA")
    assert f"<mailto:{address}?subject=STOP>" in header
    taken(bytes(mail_world.mail("", subject="STOP", To=address)))
    assert AddressStop.objects.get().reason == "opt_out"


def test_no_brake_for_whom_evidence_speaks_against(world: World, reads: Reads) -> None:
    message = world.message()
    reads("opt_out")
    told = taken(mail_world.answer(message, "Stop", Authentication_Results="mx.example.com; dmarc=fail"))
    assert not AddressStop.objects.exists()
    assert replies.row_of(context(), told.reply_id or 0).is_waiting


def test_angry_words_pause_the_account_and_wait_for_an_answer(world: World, reads: Reads) -> None:
    from saldo.collection.holds import holds_of

    message = world.message()
    reads("angry")
    told = taken(mail_world.answer(message, "È una vergogna"))
    number = told.reply_id or 0
    row = replies.row_of(context(), number)
    assert (row.act, row.is_waiting) == ("brake", True)
    assert [one.state for one in holds_of(context(), world.account_id)] == ["open"]
    # A person's own pause takes the place of the machine's.
    confirm(context(), number, "complaint", until_date=DAY + timedelta(days=14), note="parlo io")
    states = {(one.until_date, one.state) for one in holds_of(context(), world.account_id)}
    assert states == {(DAY + timedelta(days=7), "ended"), (DAY + timedelta(days=14), "open")}


def test_a_fact_that_is_refused_leaves_the_reply_waiting(world: World, reads: Reads) -> None:
    message = world.message()
    number = taken(mail_world.answer(message, "Boh")).reply_id or 0
    for act, fields in (("promise", {}), ("promise", {"promised_date": date(2026, 1, 1)}), ("dance", {})):
        with pytest.raises(SaldoError):
            confirm(context(), number, act, **fields)
    assert not ReplyHandling.objects.exists()


def test_who_may_see_and_handle(world: World, reads: Reads) -> None:
    from tests.web_world import user

    message = world.message()
    number = taken(mail_world.answer(message, "Ciao")).reply_id or 0
    stray = (
        taken(bytes(mail_world.mail("Ciao", sender="x@y.test")), company_id=world.company_id).reply_id or 0
    )
    user("carla", "collector", world.company_id)
    user("caio", "cfo", world.company_id)
    user("sara", "sales", world.company_id)
    for name, sees in (("carla", {number, stray}), ("caio", {number, stray}), ("sara", set())):
        assert {row.id for row in replies.waiting(context(actor=name))} == sees, name
    with pytest.raises(SaldoError) as caught:
        dismiss(context(actor="caio"), number)
    assert caught.value.code == "reply_not_allowed"
    with pytest.raises(SaldoError) as caught:
        replies.reply(context(actor="sara"), number)
    assert caught.value.code == "reply_unknown"
    dismiss(context(actor="carla"), number)
    assert replies.row_of(context(), number).act == "nothing"


def test_a_remittance_advice_goes_to_the_cash_desk(world: World, reads: Reads) -> None:
    from saldo.cash.models import Remittance
    from saldo.flows.import_documents import process
    from saldo.intake.models import Batch

    message = world.message()
    text = (
        "Vi comunichiamo di aver disposto in data 13/03/2026 bonifico di € 1.500,00 a saldo di:\n"
        "F-1 del 10/01/2026 € 1.000,00\nF-2 del 10/01/2026 € 500,00\n"
    )
    told = taken(mail_world.answer(message, text))
    assert codes(told) == {"mail_advice_imported"}
    batch = Batch.objects.get(kind="remittances")
    assert (batch.document_id, batch.company_id) == (told.document_id, world.company_id)
    process(context(), batch.id)
    advice = Remittance.objects.get()
    assert (advice.company_id, advice.total, advice.document_id) == (world.company_id, 1500, told.document_id)
    forged = mail_world.answer(message, text + " ", Authentication_Results="mx.example.com; dmarc=fail")
    taken(forged)
    assert Batch.objects.filter(kind="remittances").count() == 1


def test_files_of_a_reply(world: World, reads: Reads) -> None:
    made = mail_world.mail("Vedi allegato", In_Reply_To=str(world.message().rfc_id))
    made.add_attachment(b"%PDF-1.4 nothing", "application", "pdf", filename="estratto.pdf")
    number = taken(bytes(made)).reply_id or 0
    thread = replies.reply(context(), number)
    assert [(one.index, one.name, one.size) for one in thread.attachments] == [(0, "estratto.pdf", 16)]
    assert replies.attachment(context(), number, 0) == (
        "estratto.pdf",
        "application/pdf",
        b"%PDF-1.4 nothing",
    )
    assert [turn.sender for turn in thread.turns] == ["us", "customer"]
    with pytest.raises(SaldoError):
        replies.attachment(context(), number, 1)


def test_received_when_the_message_says_if_that_can_be(world: World, reads: Reads) -> None:
    message = world.message()
    for stated, expected in (
        ("Mon, 16 Mar 2026 10:00:00 +0100", datetime.fromisoformat("2026-03-16T09:00:00+00:00")),
        ("Mon, 16 Mar 2036 10:00:00 +0100", mail_world.NOW),
        ("Mon, 16 Mar 1996 10:00:00 +0100", mail_world.NOW),
    ):
        row = reply_of(taken(mail_world.answer(message, f"Il {stated}", Date=stated)))
        assert row.received_at == expected
    assert replace(context()).clock() == mail_world.NOW


def test_a_second_opinion_is_asked_only_where_one_is_configured(
    world: World, reads: Reads, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from procrastinate.contrib.django.models import ProcrastinateJob

    from saldo.flows.second_opinion import ask
    from saldo.outreach import drafting

    given: list[list[drafting.Turn]] = []

    def endpoint(thread: list[drafting.Turn]) -> drafting.Opinion:
        given.append(thread)
        return drafting.Opinion("promise", date(2026, 3, 20), None)

    monkeypatch.setattr(drafting, "second_opinion", endpoint)
    message = world.message()
    world.message(body="Another message, of which it is told nothing.")
    jobs = ProcrastinateJob.objects.filter(task_name="saldo.second_opinion")
    first = taken(mail_world.answer(message, "Boh, vediamo")).reply_id or 0
    assert not jobs.exists() and not ask(context(), first) and not given
    path = tmp_path / "channels.toml"
    path.write_text(path.read_text() + '[drafting]\nurl = "http://127.0.0.1:9/v1"\nmodel = "m"\n')
    assert config.channels().companies == ("ALFA",) and drafting.is_on()
    second = taken(mail_world.answer(message, "Boh, vediamo il 20")).reply_id or 0
    assert [job.args for job in jobs] == [{"reply_id": second}]
    assert ask(context(), second)
    assert [(turn.sender, turn.text) for turn in given[0]] == [
        ("us", message.body), ("customer", "Boh, vediamo il 20"),
    ]  # fmt: skip
    proposal = propose(context(), second)
    assert (proposal.act, proposal.zone, proposal.one_key) == ("promise", "middle", False)
    assert proposal.fields["promised_date"] == date(2026, 3, 20)
    reads("promise", promised_date=date(2026, 3, 20))
    third = taken(mail_world.answer(message, "Paghiamo il 20 marzo")).reply_id or 0
    assert not ask(context(), third), "what is sure needs no second opinion"
    assert jobs.count() == 1


def test_a_mailbox_of_every_company(world: World, reads: Reads, tmp_path: Any) -> None:
    path = tmp_path / "channels.toml"
    path.write_text(path.read_text().replace("[ALFA.imap]", '["*".imap]'))
    (box,) = mailboxes()
    assert (box.name, box.channel, box.company) == ("*:email", "email", None)
    message = world.message()
    address = links.reply_address(message.token, "ALFA")
    assert address.endswith("@example.com")
    row = reply_of(taken(bytes(mail_world.mail("Ok.", To=address)), box.name))
    assert (row.company_id, row.message_id) == (world.company_id, message.id)
    stray = taken(bytes(mail_world.mail("Chi è?", sender="x@y.test")), box.name)
    assert reply_of(stray).company_id is None
    from tests.web_world import user

    user("carla", "collector", world.company_id)
    user("ada", "administrator", None)
    assert {one.id for one in replies.waiting(context(actor="ada"))} == {row.id, stray.reply_id}
    ensure_company(context(), "BETA", "Beta S.p.A.")
    assert {one.id for one in replies.waiting(context(actor="carla"))} == {row.id}
