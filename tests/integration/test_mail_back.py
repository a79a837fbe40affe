"""What comes back is kept, tied to whose it is, and believed only as far as it can be."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from saldo.core.errors import SaldoError
from saldo.flows.handle_reply import assign, confirm, propose
from saldo.intake.models import Document
from saldo.intake.queries import document_bytes
from saldo.outreach import links, replies
from saldo.outreach.deliveries import state_of
from saldo.outreach.models import Delivery, Reply, ReplyHandling, ReplyReading
from saldo.parties.models import AddressStop, Contact
from tests import mail_world
from tests.mail_reading import Reads, codes, faked_reading, reply_of, taken, world_with_mailbox
from tests.mail_world import ADDRESS, DAY, PEC_ADDRESS, World, context

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return world_with_mailbox(tmp_path, monkeypatch)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    return faked_reading(monkeypatch)


# -- whose it is --------------------------------------------------------------------------------------------


def test_an_answer_is_threaded_kept_and_taken_once(world: World, reads: Reads) -> None:
    message = world.message()
    raw = mail_world.answer(message, "Paghiamo il 20 marzo.\n\nIl giorno 12/03/2026 Saldo ha scritto:\n> F-1")
    told = taken(raw)
    row = reply_of(told)
    assert (told.kind, row.threaded_by, row.is_trusted, row.notes) == ("reply", "message_id", True, [])
    assert (row.account_id, row.message_id, row.company_id) == (
        world.account_id,
        message.id,
        world.company_id,
    )
    assert row.text == "Paghiamo il 20 marzo."
    assert document_bytes(row.document_id) == raw
    assert ReplyReading.objects.get().reply_id == row.id
    again = taken(raw)
    assert (again.kind, again.reply_id) == ("duplicate", row.id)
    # The same message by way of another mailbox: other bytes, one Message-ID.
    other = taken(b"Received: from elsewhere\r\n" + raw)
    assert (other.kind, other.reply_id) == ("duplicate", row.id)
    assert Reply.objects.count() == 1 and Document.objects.count() == 2


def test_another_text_under_the_same_identifier_is_another_message(world: World, reads: Reads) -> None:
    message = world.message()
    first = taken(mail_world.answer(message, "Paghiamo domani.", Message_ID="<1@cliente.test>"))
    second = taken(mail_world.answer(message, "Anzi no, venerdì.", Message_ID="<1@cliente.test>"))
    assert second.kind == "reply" and second.reply_id != first.reply_id


def test_the_signed_address_threads_and_a_changed_one_does_not(world: World, reads: Reads) -> None:
    message = world.message()
    address = links.reply_address(message.token, "ALFA")
    assert address.startswith(f"crediti+{message.token}.") and address.endswith("@example.com")
    good = reply_of(taken(bytes(mail_world.mail("Ok.", To=address.upper()))))
    assert (good.threaded_by, good.message_id, good.is_trusted) == ("token", message.id, True)
    signature = address.rpartition("@")[0][-1]
    forged = address.replace(f"{signature}@", f"{'a' if signature != 'a' else 'b'}@")
    told = taken(bytes(mail_world.mail("Ok!", To=forged)))
    bad = reply_of(told)
    assert (bad.threaded_by, bad.message_id, bad.is_trusted) == ("address", None, False)
    assert "mail_token_tampered" in codes(told)
    reads("promise", promised_date=DAY)
    assert propose(context(), bad.id).fields == {}


def test_a_forged_sender_gets_no_proposal_filled_in(world: World, reads: Reads) -> None:
    reads("promise", promised_date=date(2026, 3, 20))
    told = taken(bytes(mail_world.mail("Paghiamo il 20 marzo.")))
    assert codes(told) == {"mail_not_threaded"}
    proposal = propose(context(), told.reply_id or 0)
    assert (proposal.act, proposal.fields, proposal.one_key, proposal.zone) == ("promise", {}, False, "low")
    assert {"reply_not_trusted", "mail_not_threaded"} <= {why["code"] for why in proposal.why}


@pytest.mark.parametrize(
    ("results", "code"),
    [
        ("mx.example.com; dmarc=fail (p=none) header.from=cliente.test; spf=pass", "mail_dmarc_failed"),
        ("mx.example.com; spf=softfail smtp.mailfrom=cliente.test; dkim=none", "mail_spf_failed"),
        ("mx.example.com; spf=fail smtp.mailfrom=cliente.test; dkim=pass header.d=cliente.test", None),
        # Not our server's words: whoever sends a message can write them.
        ("mx.attacker.test; dmarc=fail", None),
        ("mx.example.com; dmarc=pass (comment: dmarc=fail)", None),
    ],
)
def test_only_our_own_server_speaks_against_a_sender(
    world: World, reads: Reads, results: str, code: str | None
) -> None:
    message = world.message()
    told = taken(mail_world.answer(message, "Ok.", Authentication_Results=results))
    assert reply_of(told).is_trusted is (code is None)
    assert codes(told) == ({code} if code else set())


def test_a_colleague_is_of_the_house_and_a_stranger_is_not(world: World, reads: Reads) -> None:
    message = world.message()
    colleague = taken(mail_world.answer(message, "Rispondo io.", sender="direzione@cliente.test"))
    assert reply_of(colleague).is_trusted
    stranger = taken(mail_world.answer(message, "Rispondo io!", sender="cliente@gmail.com"))
    assert not reply_of(stranger).is_trusted and codes(stranger) == {"mail_from_elsewhere"}
    Contact.objects.create(account_id=world.account_id, name="B", email="amministratore@gmail.com")
    other = taken(mail_world.answer(message, "Rispondo io?", sender="altri@gmail.com"))
    assert not reply_of(other).is_trusted, "a domain of everybody makes nobody a colleague"


def test_what_is_nobodys_waits_until_it_is_given_to_a_customer(world: World, reads: Reads) -> None:
    told = taken(
        bytes(mail_world.mail("Buongiorno", sender="chi@sconosciuto.test")), company_id=world.company_id
    )
    row = replies.row_of(context(), told.reply_id or 0)
    assert (row.account_id, row.is_waiting) == (None, True) and codes(told) == {"mail_unknown_sender"}
    with pytest.raises(SaldoError, match="whose reply"):
        confirm(context(), row.id, "promise", promised_date=DAY)
    assign(context(), row.id, world.account_id)
    assert replies.row_of(context(), row.id).account_id == world.account_id
    assert [one.id for one in replies.waiting(context(), account_id=world.account_id)] == [row.id]
    assert replies.waiting_accounts(context().within(world.company_id)).rows() == [
        (world.account_id, "reply", DAY)
    ]
    reads("promise", promised_date=date(2026, 3, 20))
    assert not propose(context(), row.id).fields, "who gave it to a customer did not prove who wrote it"


# -- programs -----------------------------------------------------------------------------------------------


def test_our_own_message_that_comes_back_is_a_loop(world: World, reads: Reads) -> None:
    message = world.message()
    for more in ({"X_Saldo_Message": message.token}, {"Message_ID": str(message.rfc_id)}):
        told = taken(bytes(mail_world.mail("Gentile cliente", sender="crediti@example.com", **more)))
        assert told.kind == "loop" and codes(told) == {"mail_own"}
        assert not replies.row_of(context(), told.reply_id or 0).is_waiting
    assert not ReplyReading.objects.exists()


def test_two_programs_that_answer_each_other_are_stopped(world: World, reads: Reads) -> None:
    message = world.message()
    kinds = [
        taken(mail_world.answer(message, f"Ricevuto {n}", Auto_Submitted="auto-replied")).kind
        for n in range(6)
    ]
    assert kinds == ["reply"] * 3 + ["loop"] * 3
    assert len(reads.calls) == 3, "what loops is not classified"  # type: ignore[attr-defined]
    later = context(now=mail_world.NOW + timedelta(hours=2))
    told = taken(mail_world.answer(message, "Ricevuto 9", Auto_Submitted="auto-replied"), ctx=later)
    assert told.kind == "reply"


def test_an_absence_is_waited_for_and_other_answers_of_programs_are_nothing(
    world: World, reads: Reads
) -> None:
    message = world.message()
    reads("out_of_office", return_date=date(2026, 3, 23))
    told = taken(mail_world.answer(message, "Rientro il 23 marzo", Auto_Submitted="auto-replied"))
    row = replies.row_of(context(), told.reply_id or 0)
    assert (row.act, row.is_waiting) == ("hold", False)
    assert ReplyHandling.objects.get().actor == "system:mail"
    from saldo.collection.holds import holds_of

    (pause,) = holds_of(context(), world.account_id)
    assert (pause.until_date, pause.reason, pause.document_id) == (
        date(2026, 3, 22),
        "out_of_office",
        told.document_id,
    )
    reads("other", "middle")
    ticket = taken(mail_world.answer(message, "Richiesta n. 77 registrata", Auto_Submitted="auto-replied"))
    assert replies.row_of(context(), ticket.reply_id or 0).act == "nothing"


# -- reports of servers -------------------------------------------------------------------------------------


def test_a_hard_bounce_stops_the_address(world: World, reads: Reads) -> None:
    message = world.message()
    told = taken(mail_world.bounce(message, ADDRESS, "5.1.1", "550 5.1.1 <x> User unknown"))
    assert (told.kind, told.message_id, state_of(message.id)) == ("bounce", message.id, "bounced")
    stop = AddressStop.objects.get()
    assert (stop.address, stop.reason, stop.document_id) == (ADDRESS, "bounced", told.document_id)
    assert not Reply.objects.exists()
    again = taken(mail_world.bounce(message, ADDRESS, "5.1.1", "550 5.1.1 <x> User unknown"))
    assert again.kind == "duplicate"


def test_a_full_mailbox_stops_the_address_the_third_time(world: World, reads: Reads) -> None:
    for n in range(3):
        message = world.message()
        told = taken(mail_world.bounce(message, ADDRESS, "5.2.2", "552 5.2.2 mailbox full"))
        assert told.kind == "bounce"
        assert AddressStop.objects.exists() is (n == 2)


def test_a_delay_says_so_and_stops_nothing(world: World, reads: Reads) -> None:
    message = world.message()
    taken(mail_world.bounce(message, ADDRESS, "4.4.1", "connection timed out", action="delayed"))
    assert state_of(message.id) == "sent" and not AddressStop.objects.exists()


def test_nobody_stops_an_address_by_a_forged_bounce(world: World, reads: Reads) -> None:
    message = world.message()
    told = taken(mail_world.bounce(None, ADDRESS, "5.1.1", "550 User unknown"))
    assert told.kind == "ignored" and codes(told) == {"mail_report_not_ours"}
    # A message that never left cannot have bounced.
    Delivery.objects.create(
        message=world.message(),
        state="cancelled",
        occurred_at=mail_world.NOW,
        actor="x",
        recorded_at=mail_world.NOW,
    )
    assert state_of(message.id) == "sent" and not AddressStop.objects.exists()
    # Of somebody's forwarding: the address that we write to works.
    taken(mail_world.bounce(message, "vecchio@altrove.test", "5.1.1", "550 User unknown"))
    assert not AddressStop.objects.exists()


def test_a_complaint_stops_the_address(world: World, reads: Reads) -> None:
    message = world.message()
    assert taken(mail_world.complaint(message)).kind == "complaint"
    assert state_of(message.id) == "complaint"
    assert AddressStop.objects.get().reason == "complaint"


# -- PEC ----------------------------------------------------------------------------------------------------


def test_receipts_of_pec_in_any_order(world: World, reads: Reads) -> None:
    message = world.message("pec", PEC_ADDRESS)
    for type_ in ("avvenuta-consegna", "accettazione"):
        data = mail_world.daticert(type_, str(message.rfc_id))
        told = taken(mail_world.receipt(type_, str(message.rfc_id), data), "ALFA:pec")
        assert told.kind == "receipt" and told.message_id == message.id
    assert state_of(message.id) == "delivered"
    kept = Delivery.objects.filter(message=message, document__isnull=False)
    assert {one.state for one in kept} == {"accepted", "delivered"}
    assert b"X-Ricevuta" in document_bytes(kept[0].document_id or 0)
    # Who answers names the provider's envelope, not our Message-ID.
    inner = mail_world.mail(
        "Vi paghiamo venerdì", sender=PEC_ADDRESS, In_Reply_To="<opec77.20260316.1@pec.example.com>"
    )
    row = reply_of(taken(mail_world.envelope(inner, PEC_ADDRESS), "ALFA:pec"))
    assert (row.message_id, row.is_trusted, row.from_address) == (message.id, True, PEC_ADDRESS)
    assert row.text == "Vi paghiamo venerdì"


def test_a_pec_that_was_not_delivered(world: World, reads: Reads) -> None:
    message = world.message("pec", PEC_ADDRESS)
    data = mail_world.daticert("errore-consegna", str(message.rfc_id), "no-dest")
    taken(mail_world.receipt("errore-consegna", str(message.rfc_id), data), "ALFA:pec")
    assert state_of(message.id) == "bounced"
    assert AddressStop.objects.get().channel == "pec"
    refused = world.message("pec", PEC_ADDRESS)
    data = mail_world.daticert("non-accettazione", str(refused.rfc_id), "virus")
    taken(mail_world.receipt("non-accettazione", str(refused.rfc_id), data), "ALFA:pec")
    assert state_of(refused.id) == "failed"


@pytest.mark.parametrize(
    "case", ["missing", "broken", "other_message", "other_outcome", "error", "mailbox", "recipient"]
)
def test_a_receipt_that_cannot_be_believed_is_ordinary_mail(world: World, reads: Reads, case: str) -> None:
    message = world.message("pec", PEC_ADDRESS)
    own = str(message.rfc_id)
    data: bytes | None = {
        "missing": None,
        "broken": b"<postacert",
        "other_message": mail_world.daticert("avvenuta-consegna", "<other@example.com>"),
        "other_outcome": mail_world.daticert("accettazione", own),
        "error": mail_world.daticert("avvenuta-consegna", own, "no-dest"),
        "mailbox": mail_world.daticert("avvenuta-consegna", own),
        "recipient": mail_world.daticert("avvenuta-consegna", own, to="altri@pec.test"),
    }[case]
    told = taken(
        mail_world.receipt("avvenuta-consegna", own, data), "ALFA:email" if case == "mailbox" else "ALFA:pec"
    )
    expected = {
        "missing": "pec_data_missing", "broken": "pec_data_broken", "mailbox": "pec_receipt_elsewhere",
        "recipient": "pec_receipt_other_recipient",
    }.get(case, "pec_data_differs")  # fmt: skip
    assert (told.kind, codes(told)) == ("reply", {expected})
    assert state_of(message.id) == "sent"
    row = replies.row_of(context(), told.reply_id or 0)
    assert not row.is_trusted and row.is_waiting


def test_a_pec_whose_sender_is_not_the_certified_one(world: World, reads: Reads) -> None:
    message = world.message("pec", PEC_ADDRESS)
    inner = mail_world.mail("Disdetta", sender=PEC_ADDRESS, In_Reply_To=str(message.rfc_id))
    told = taken(mail_world.envelope(inner, "ladro@pec.test"), "ALFA:pec")
    assert "pec_sender_differs" in codes(told) and not reply_of(told).is_trusted


# -- large, broken ------------------------------------------------------------------------------------------


def test_a_message_too_large_is_kept_by_its_beginning(world: World, reads: Reads) -> None:
    message = world.message()
    large = mail_world.mail("Allego tutto.", In_Reply_To=str(message.rfc_id))
    large.add_attachment(b"x" * 400_000, "application", "pdf", filename="tutto.pdf")
    raw = bytes(large)
    told = taken(raw[:100_000], whole_size=41 * 2**20)
    row = reply_of(told)
    assert (row.text, row.is_trusted) == ("Allego tutto.", True)
    assert row.notes == [{"code": "mail_too_large", "params": {"megabytes": 41}}]


def test_what_cannot_be_read_waits_for_a_person(world: World, reads: Reads) -> None:
    raw = b"From: a@b.test\r\nContent-Type: message/rfc822\r\n\r\n" * 40 + b"x"
    told = taken(raw)
    assert codes(told) == {"mail_broken"} and replies.row_of(context(), told.reply_id or 0).is_waiting
    assert taken(raw).kind == "duplicate"
