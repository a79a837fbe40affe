"""The post in the browser's place: who sees it, what each act does, and what is refused."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from saldo.interfaces.web.urls import urlpatterns
from tests.outreach_pages_world import PostWorld, address_of, build_post, reply_bytes
from tests.web_world import CUSTOMERS, user

ROLES = ("administrator", "credit_manager", "collector", "cash_specialist", "cfo", "customer_care", "sales")
WRITERS = ("administrator", "credit_manager", "collector")
SETTERS = ("administrator", "credit_manager")
HTMX = {"HX-Request": "true"}


@pytest.fixture
def post(db: None) -> PostWorld:
    return build_post()


def login(post: PostWorld, role: str) -> Client:
    """Somebody of AURO: sales sees its first customer alone."""
    own = (post.world.account("AURO", 0)[0],) if role == "sales" else ()
    client = Client()
    client.force_login(user(f"post-{role}", role, post.companies["AURO"], own))
    return client


def about(post: PostWorld, company: str) -> dict[str, Any]:
    """What the addresses of the post may be about, of one company."""
    from saldo.outreach.models import Delivery
    from saldo.parties.models import Contact

    account_id = post.world.account(company, 0)[0]
    message_id = post.message[company]
    return {
        "account_id": account_id, "action_id": post.planned[company], "message_id": message_id,
        "reply_id": post.reply[company], "fact_id": 1, "index": 0,
        "contact_id": Contact.objects.get(account_id=account_id).id,
        "delivery_id": Delivery.objects.filter(message_id=message_id).latest("id").id,
    }  # fmt: skip


def mail_addresses(values: dict[str, Any]) -> list[tuple[str, str]]:
    """The addresses of the post that are about a row."""
    found = []
    for pattern in urlpatterns:
        names = set(pattern.pattern.converters)
        route = str(pattern.pattern)
        if route.startswith(("mail/", "accounts/<int:account_id>/")) and names and names <= set(values):
            found.append((pattern.name, reverse(pattern.name, kwargs={name: values[name] for name in names})))
    return found


def test_nobody_sees_or_touches_another_companys_post(post: PostWorld) -> None:
    from saldo.outreach.models import Delivery, Message, ReplyHandling

    stranger = CUSTOMERS["BORE"][0].split()[0]
    before = (Message.objects.count(), Delivery.objects.count(), ReplyHandling.objects.count())
    addresses = mail_addresses(about(post, "BORE"))
    assert len(addresses) > 20
    for role in ROLES:
        client = login(post, role)
        for name, address in addresses:
            for method in ("get", "post"):
                response = getattr(client, method)(
                    address, {"outcome": "found", "was_sent": "yes", "act": "nothing"}
                )
                assert response.status_code in (302, 400, 403, 404, 405), (role, name, method)
                if response.status_code == 302:
                    pytest.fail(f"{role} got on with {name}")
        for name in ("mail", "mail_sent", "mail_replies", "mail_blocked", "mail_unknown", "mail_outgoing"):
            assert stranger not in client.get(reverse(name)).content.decode(), (role, name)
    assert (Message.objects.count(), Delivery.objects.count(), ReplyHandling.objects.count()) == before


def test_who_may_approve_answer_and_stop(post: PostWorld) -> None:
    values = about(post, "AURO")
    for role in ROLES:
        client = login(post, role)
        reads_all = role != "sales"
        assert client.get(reverse("mail")).status_code == 200
        message = client.get(reverse("message", args=[values["message_id"]]))
        assert message.status_code == 200
        page = client.get(reverse("mail_planned", args=[values["action_id"]]))
        assert page.status_code == (200 if reads_all else 404)
        may = role in WRITERS
        assert ('data-key="a"' in page.content.decode()) == may, role
        stop = client.post(reverse("sending_stop"), {"note": "prova"})
        assert stop.status_code == (302 if may else 403), role
        resume = client.post(reverse("sending_resume"), {"note": "prova"})
        assert resume.status_code == (302 if role in SETTERS else 403), role
        if role == "collector":
            # Stopped by a collector, let go on by who may set the rules: every page says that it is stopped.
            assert "Invii fermi" in client.get(reverse("worklist")).content.decode()
        assert client.get(reverse("sending")).status_code == (200 if reads_all else 403)
        if not may:
            for name in ("mail_approve", "mail_refuse"):
                assert (
                    client.post(reverse(name, args=[values["action_id"]]), {"note": "x"}).status_code == 403
                )


def test_a_planned_message_is_approved_with_other_words(post: PostWorld) -> None:
    from saldo.outreach.models import Message

    client = login(post, "collector")
    action = post.planned["AURO"]
    pane = client.get(reverse("mail_planned", args=[action]), headers=HTMX).content.decode()
    name = CUSTOMERS["AURO"][2]
    assert name in pane and address_of("AURO", 2) in pane
    body = re.search(r'name="body_was"[^>]*>(.*?)</textarea>', pane, re.DOTALL)
    assert body is not None
    words = body[1].strip() + "\nP.S. Vi chiamo domani."
    form = {"body": words.replace("\n", "\r\n"), "body_was": body[1]}
    response = client.post(reverse("mail_approve", args=[action]), form, headers=HTMX)
    told = json.loads(response["HX-Trigger"])["saldo:mailed"]
    assert (told["line"], told["state"]) == (action, "approved")
    made = Message.objects.get(action_id=action)
    assert made.body.endswith("P.S. Vi chiamo domani.") and made.to_address == address_of("AURO", 2)
    assert name in client.get(reverse("mail_outgoing")).content.decode()
    # Once is once: a second approval is refused in words, and no second message is made.
    again = client.post(reverse("mail_approve", args=[action]), form, headers=HTMX)
    assert again["HX-Retarget"] == "#problem"
    assert Message.objects.filter(action_id=action).count() == 1


def test_approving_all_does_nothing_when_the_list_has_changed(post: PostWorld) -> None:
    from saldo.outreach.models import Message

    client = login(post, "collector")
    page = client.get(reverse("mail")).content.decode()
    form = dict(re.findall(r'<input type="hidden" name="(q|group|count|run)" value="([^"]*)"', page))
    count = int(form["count"])
    before = Message.objects.count()
    assert count >= 2
    wrong = client.post(reverse("mail_approve_all"), form | {"count": str(count + 1)})
    assert wrong.status_code == 400 and Message.objects.count() == before
    assert client.post(reverse("mail_approve_all"), form).status_code == 302
    assert Message.objects.count() == before + count
    assert "Nulla da approvare" in client.get(reverse("mail")).content.decode()


def test_what_is_decided_brings_the_sums_up_to_date_under_the_filter(post: PostWorld) -> None:
    client = login(post, "collector")
    page = client.get(reverse("mail")).content.decode()
    count = int(re.search(r'name="count" value="(\d+)"', page)[1])  # type: ignore[index]
    action, other = (int(each) for each in re.findall(r'<tr class="row" data-line="(\d+)"', page)[:2])
    beside = HTMX | {"HX-Current-URL": "http://testserver" + reverse("mail")}
    name = "approve" if post.planned["AURO"] == action else "refuse"
    told = client.post(reverse(f"mail_{name}", args=[action]), {"note": "li chiamo io"}, headers=beside)
    sums = told.content.decode()
    assert 'id="figures" hx-swap-oob="true"' in sums
    assert f'name="count" value="{count - 1}"' in sums and f"<b>{count - 1}</b> messagg" in sums
    listed = client.get(reverse("mail"), headers=HTMX | {"HX-Target": "list"}).content.decode()
    amount = re.search(r"che chiedono <b>(.*?)</b>|<div>[^<]*<b>([^<]*€[^<]*)</b>", listed)
    assert amount is not None and amount[0] in sums
    blocks = json.loads(told["HX-Trigger"])["saldo:mailed"]["blocks"]
    assert blocks and all(f'id="{block}">{words}</span>' in listed for block, words in blocks.items())
    # Under a filter that fits nothing, nothing is left to approve at once; on a page of its own, no sums.
    found = beside | {"HX-Current-URL": "http://testserver" + reverse("mail") + "?q=nessuno"}
    last = client.post(reverse("mail_refuse", args=[other]), {"note": "no"}, headers=found)
    assert 'id="figures"' in last.content.decode() and "dlg-all" not in last.content.decode()


def test_a_refusal_needs_a_note_and_makes_no_message(post: PostWorld) -> None:
    from saldo.collection.models import PlaybookDecision
    from saldo.outreach.models import Message

    client, action = login(post, "collector"), post.planned["AURO"]
    client.post(reverse("mail_refuse", args=[action]), {"note": "li chiamo io"})
    decision = PlaybookDecision.objects.get(action_id=action)
    assert (decision.is_approved, decision.note) == (False, "li chiamo io")
    assert not Message.objects.filter(action_id=action).exists()


def test_a_reply_is_confirmed_as_proposed_and_taken_back(post: PostWorld) -> None:
    from saldo.promises.models import Promise, PromiseEnd

    client, reply = login(post, "collector"), post.reply["AURO"]
    pane = client.get(reverse("reply", args=[reply]), headers=HTMX).content.decode()
    assert 'value="2025-03-28"' in pane and 'data-key="y"' in pane
    form = {"act": "promise", "promised_date": "2025-03-28", "amount": ""}
    response = client.post(reverse("reply_confirm", args=[reply]), form, headers=HTMX)
    assert json.loads(response["HX-Trigger"])["saldo:mailed"]["state"] == "promise"
    promise = Promise.objects.get()
    assert promise.account_id == post.world.account("AURO", 0)[0] and promise.document_id is not None
    assert "Nessuna risposta in attesa" in client.get(reverse("mail_replies")).content.decode()
    account = client.get(reverse("account", args=[promise.account_id])).content.decode()
    assert "promessa di" in account and "28/03/2025" in account
    client.post(reverse("reply_reopen", args=[reply]))
    assert PromiseEnd.objects.get().outcome == "mistake"
    for wrong in ({"act": "promise", "promised_date": "2025-02-31"}, {"act": "hold", "until_date": "domani"}):
        refused = client.post(reverse("reply_confirm", args=[reply]), wrong, headers=HTMX)
        assert refused["HX-Retarget"] == "#problem"
    assert Promise.objects.count() == 1


def test_a_stray_is_given_to_its_customer(post: PostWorld) -> None:
    from dataclasses import replace

    from saldo.flows.read_mail import take
    from tests.web_world import context

    company_id = post.companies["AURO"]
    raw = reply_bytes(post.message["AURO"], "Paghiamo lunedì.", "ignoto@altrove.test", "9")
    raw = re.sub(rb"In-Reply-To: .*\r\n", b"", raw).replace(b"Re: ", b"")
    taken = take(replace(context(), company_id=company_id), raw, "AURO:email", company_id)
    assert taken.account_id is None
    client, account = login(post, "collector"), post.world.account("AURO", 1)
    listed = client.get(reverse("mail_replies")).content.decode()
    assert "di chi è?" in listed
    hits = client.get(reverse("reply_find", args=[taken.reply_id]), {"find": "tessit"}, headers=HTMX)
    assert account[1] in hits.content.decode()
    client.post(reverse("reply_assign", args=[taken.reply_id]), {"account": account[0]})
    assert account[1] in client.get(reverse("reply", args=[taken.reply_id])).content.decode()
    assert login(post, "sales").get(reverse("reply", args=[taken.reply_id])).status_code == 404


def test_a_stray_of_a_general_mailbox_is_seen_and_given_out_by_who_manages_credit(post: PostWorld) -> None:
    from saldo.flows.read_mail import take
    from tests.web_world import context

    raw = reply_bytes(post.message["AURO"], "Saldo di quanto scaduto.", "ignoto@altrove.test", "8")
    raw = re.sub(rb"In-Reply-To: .*\r\n", b"", raw).replace(b"Re: ", b"")
    reply = take(context("system:test"), raw, "*:email").reply_id
    assert reply is not None
    clients = {role: login(post, role) for role in ("administrator", "credit_manager", "collector", "cfo")}
    for role, client in clients.items():
        sees = role in SETTERS
        listed = client.get(reverse("mail_replies")).content.decode()
        assert ("Saldo di quanto scaduto." in listed) is sees, role
        assert client.get(reverse("reply", args=[reply])).status_code == (200 if sees else 404), role
    manager, account = clients["credit_manager"], post.world.account("AURO", 1)
    stranger = Client()
    stranger.force_login(user("post-bore", "credit_manager", post.companies["BORE"]))
    assert stranger.get(reverse("reply", args=[reply])).status_code == 200
    manager.post(reverse("reply_assign", args=[reply]), {"account": account[0]})
    assert account[1] in manager.get(reverse("reply", args=[reply])).content.decode()
    # It has a customer now: another company's people see it no more, those of this one do.
    assert stranger.get(reverse("reply", args=[reply])).status_code == 404
    assert account[1] not in stranger.get(reverse("mail_replies")).content.decode()
    assert clients["collector"].get(reverse("reply", args=[reply])).status_code == 200


def test_an_unknown_outcome_is_resolved_by_a_person(post: PostWorld) -> None:
    from saldo.outreach import deliveries
    from saldo.outreach.models import Message

    client, action = login(post, "collector"), post.planned["AURO"]
    client.post(reverse("mail_approve", args=[action]))
    message = Message.objects.get(action_id=action).id
    from dataclasses import replace

    from tests.web_world import context

    ctx = replace(context(), company_id=post.companies["AURO"])
    deliveries.add(ctx, message, "sending", attempt=1)
    deliveries.add(ctx, message, "unknown", code="timeout")
    assert CUSTOMERS["AURO"][2] in client.get(reverse("mail_unknown")).content.decode()
    client.post(
        reverse("message_resolve", args=[message]), {"was_sent": "yes", "note": "nella posta inviata"}
    )
    assert deliveries.state_of(message) == "sent"
    client.get(reverse("worklist"))  # shows the notice that it was done
    assert CUSTOMERS["AURO"][2] not in client.get(reverse("mail_unknown")).content.decode()


def test_agreements_are_recorded_and_ended_on_the_account(post: PostWorld) -> None:
    from saldo.cash.models import PaidClaim
    from saldo.collection.models import Hold
    from saldo.disputes.models import DisputeItem
    from saldo.ledger.models import Item
    from saldo.parties.models import AddressStop

    client, account_id = login(post, "credit_manager"), post.world.account("AURO", 1)[0]
    page = reverse("account", args=[account_id])
    item = Item.objects.filter(account_id=account_id).earliest("id").id
    client.post(
        reverse("add_dispute", args=[account_id]), {"item": item, "amount": "50,00", "reason": "price"}
    )
    assert DisputeItem.objects.get().amount == 50
    client.post(reverse("add_hold", args=[account_id]), {"until_date": "2025-04-01", "reason": "agreed"})
    client.post(reverse("add_claim", args=[account_id]), {"item": item, "note": "CRO 77"})
    body = client.get(page).content.decode()
    assert "50,00" in body and "01/04/2025" in body and "CRO 77" in body
    assert CUSTOMERS["AURO"][1] in client.get(reverse("cash_claims")).content.decode()
    claim, hold = PaidClaim.objects.get().id, Hold.objects.get().id
    client.post(reverse("end_claim", args=[account_id, claim]), {"outcome": "not_found", "next": "cash"})
    client.post(reverse("end_hold", args=[account_id, hold]))
    client.get(page)  # shows the notices that it was done
    assert CUSTOMERS["AURO"][1] not in client.get(reverse("cash_claims")).content.decode()
    # What belongs to another account cannot be ended from here; a wrong amount is told in words.
    other = post.world.account("AURO", 2)[0]
    assert client.post(reverse("end_hold", args=[other, hold])).status_code == 404
    wrong = client.post(reverse("add_dispute", args=[account_id]), {"item": item, "amount": "dieci"})
    assert wrong.status_code == 400 and "dieci" in wrong.content.decode()
    stop = {"channel": "email", "address": address_of("AURO", 1), "note": "lo chiede"}
    client.post(reverse("stop_address", args=[account_id]), stop)
    assert AddressStop.objects.get().address == address_of("AURO", 1)
    assert (
        client.post(reverse("stop_address", args=[account_id]), stop | {"address": "x@y.test"}).status_code
        == 400
    )


def test_rules_and_texts_say_what_they_refuse(post: PostWorld) -> None:
    from saldo.outreach.settings import rules_of
    from saldo.outreach.templates import newest

    client, company = login(post, "credit_manager"), post.companies["AURO"]
    form = {
        "daily_cap": "50", "contact_day_cap": "2", "contact_week_cap": "3", "account_month_cap": "6",
        "rest_days": "5", "reply_wait_days": "10", "grace_days": "2", "promise_tolerance_days": "3",
        "statement_lag_days": "3", "survey_rest_days": "180",
        "quiet_from": "19:00", "quiet_to": "08:00", "sms_needs_consent": "1",
        "sender_name": "Ufficio crediti",
        "signature_it": "Ufficio crediti\r\ntel. 02 5550100", "whole_disputed": "1",
    }  # fmt: skip
    assert client.post(reverse("sending_rules"), form).status_code == 302
    rules = rules_of(company)
    assert (rules.daily_cap, rules.grace_days, rules.blocks_whole_item) == (50, 2, ("disputed",))
    assert rules.signature["it"].startswith("Ufficio crediti") and not rules.tracking
    refused = client.post(reverse("sending_rules"), form | {"daily_cap": "-1"})
    assert refused.status_code == 400 and "Messaggi al giorno" in refused.content.decode()
    assert rules_of(company).daily_cap == 50

    address = reverse("wording", args=["reminder_1", "email", "it"])
    wrong = client.post(address, {"save": "1", "subject": "Sollecito", "body": "Gentile {cliente_sbagliato}"})
    assert wrong.status_code == 400 and "cliente_sbagliato" in wrong.content.decode()
    stored = newest(company, "reminder_1", "email", "it")
    assert stored is not None
    good = {"save": "1", "subject": "Sollecito {company}", "body": stored.body + "\n\nP.S. Grazie."}
    assert client.post(address, good).status_code == 302
    assert "Sollecito {company}" in client.get(address).content.decode()
    assert login(post, "collector").post(address, good).status_code == 403


def test_a_letter_and_what_was_sent_are_files(post: PostWorld) -> None:
    client, message = login(post, "collector"), post.message["AURO"]
    page = client.get(reverse("message", args=[message])).content.decode()
    link = re.search(rf"/mail/{message}/files/0/", page)
    assert link is not None
    file = client.get(link[0])
    assert file.content.startswith(b"%PDF") and file["X-Content-Type-Options"] == "nosniff"
    assert login(post, "cfo").get(reverse("delivery_file", args=[message, 1])).status_code == 403


@pytest.mark.parametrize("name", ["mail", "mail_replies", "sending", "wordings", "cash_claims"])
def test_pages_of_an_empty_company_teach(db: None, name: str) -> None:
    from saldo.identity.operations import ensure_company
    from tests.web_world import context

    company = ensure_company(context(), "VUOTA", "Vuota S.r.l.")
    client = Client()
    client.force_login(user("capo", "administrator", company.id))
    assert client.get(reverse(name)).status_code == 200
