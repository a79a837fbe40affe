"""The disputes desk: who sees a dispute, what its owner may do, what becomes of it, and its pages."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.urls import reverse

from saldo.core.errors import SaldoError
from saldo.disputes.cases import QueueFilter, case, queue, summary, waiting
from saldo.disputes.models import Dispute
from saldo.disputes.operations import add_note, change_owner, open_dispute, reopen, resolve
from saldo.disputes.policies import change_policy
from saldo.disputes.queries import closed_disputes, disputes_of, overdue_disputes
from saldo.ledger.models import Item
from tests.web_world import AS_OF, World, build, context, user

RESOLVER = "magazzino"


@pytest.fixture
def world(db: None) -> World:
    return build()


def items(account_id: int) -> list[int]:
    return list(
        Item.objects.filter(account_id=account_id).order_by("due_date", "id").values_list("id", flat=True)
    )


def ours(world: World, actor: str = "system:test", day: date = AS_OF) -> object:
    ctx = context(actor).within(world.companies["AURO"])
    at = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    return replace(ctx, as_of=day, clock=lambda: at)


def dispute(world: World, place: int = 0, mills: int | None = 100_000, **more: object) -> int:
    account, _ = world.account("AURO", place)
    return open_dispute(
        ours(world), account, [(items(account)[0], mills)], "quality", "colli bagnati", **more
    )


def login(name: str) -> Client:
    from saldo.identity.models import User

    client = Client()
    client.force_login(User.objects.get(username=name))
    return client


def body_of(client: Client, name: str, *args: int, **data: str) -> str:
    response = client.get(reverse(name, args=args), data)
    assert response.status_code == 200, (name, response.status_code)
    return response.content.decode().replace("\xa0", " ")


def test_a_resolver_sees_the_disputes_given_to_it_and_nothing_else(world: World) -> None:
    user(RESOLVER, "resolver", world.companies["AURO"])
    own, other = dispute(world), dispute(world, place=1)
    change_owner(ours(world), own, RESOLVER)
    account, name = world.account("AURO", 0)
    _, stranger = world.account("AURO", 1)
    client = login(RESOLVER)
    assert client.get(reverse("worklist"))["Location"] == reverse("disputes")
    body = body_of(client, "disputes")
    assert name in body and stranger not in body
    body = body_of(client, "dispute", own)
    assert "colli bagnati" in body and reverse("account", args=[account]) not in body
    assert client.get(reverse("dispute", args=[other])).status_code == 404
    for page in ("account", "statement", "account_lines"):
        assert client.get(reverse(page, args=[account])).status_code in (403, 404), page
    # Once it is somebody else's, it is gone from here.
    change_owner(ours(world), own, "")
    assert client.get(reverse("dispute", args=[own])).status_code == 404
    assert [row.row.id for row in queue(ours(world, RESOLVER))] == []
    assert case(ours(world, RESOLVER), own) is None


def test_an_owner_answers_and_the_office_decides(world: World) -> None:
    user(RESOLVER, "resolver", world.companies["AURO"])
    user("anna", "collector", world.companies["AURO"])
    own = dispute(world, owner=RESOLVER)
    client, office = login(RESOLVER), login("anna")
    assert waiting(ours(world, RESOLVER), frozenset({"resolver"})) == 1
    assert client.post(reverse("dispute_resolve", args=[own]), {"outcome": "withdrawn"}).status_code == 403
    assert client.post(reverse("dispute_reopen", args=[own])).status_code == 403
    photo = SimpleUploadedFile("foto.jpg", b"\xff\xd8\xff wet", content_type="image/jpeg")
    assert (
        client.post(reverse("dispute_note", args=[own]), {"note": "visto", "file": photo}).status_code == 302
    )
    told = {"verdict": "justified", "amount": "60,00", "note": "due colli su tre"}
    assert client.post(reverse("dispute_answer", args=[own]), told).status_code == 302
    assert waiting(ours(world, RESOLVER), frozenset({"resolver"})) == 0
    assert waiting(ours(world, "anna"), frozenset({"collector"})) == 1

    found = case(ours(world, "anna"), own)
    assert found is not None and found.row.waits_for == "office"
    assert [one.kind for one in found.moments] == ["answer", "note", "opened"]
    (document,) = found.documents
    response = client.get(reverse("dispute_document", args=[own, document]))
    assert response.content == b"\xff\xd8\xff wet" and response["Content-Type"] == "application/octet-stream"
    assert client.get(reverse("dispute_document", args=[own, document + 99])).status_code == 404

    data = {"outcome": "withdrawn", "amount": "40,00"}
    assert office.post(reverse("dispute_resolve", args=[own]), data).status_code == 302
    assert office.post(reverse("dispute_resolve", args=[own]), {"outcome": "credited"}).status_code == 302
    (row,) = disputes_of(ours(world), world.account("AURO", 0)[0])
    assert (row.state, row.current, row.waits) == ("agreed", Decimal(60), Decimal(60))
    refused = office.post(reverse("dispute_resolve", args=[own]), {"outcome": "paid"})
    assert refused.status_code == 400 and "pagata" in refused.content.decode()


def test_the_queue_by_owner_and_age_and_what_is_overdue(world: World) -> None:
    user("anna", "collector", world.companies["AURO"])
    old = AS_OF - timedelta(days=40)
    account, _ = world.account("AURO", 0)
    first = open_dispute(
        ours(world, day=old), account, [(items(account)[0], 100_000)], "quality", owner="anna"
    )
    dispute(world, place=1, mills=None)
    rows = queue(ours(world))
    assert rows[0].row.id == first and rows[0].late_days > 0
    lines = {line.owner: line for line in summary(rows)}
    assert lines["anna"].counts == (0, 0, 1, 0, 0) and lines["anna"].late == 1
    assert lines[""].amount == Decimal("4501.50")
    assert [row.row.id for row in queue(ours(world), QueueFilter(owner="anna", band=2))] == [first]
    overdue = overdue_disputes(ours(world))
    assert overdue["account_id"].to_list() == [account] and overdue["code"].to_list() == ["dispute_due"]
    # A word of anybody's gives time; silence does not.
    add_note(ours(world), first, "chiesto al magazzino")
    assert overdue_disputes(ours(world)).is_empty()
    later = AS_OF + timedelta(days=7)
    assert overdue_disputes(ours(world, day=later))["account_id"].to_list()[0] == account


def test_the_rules_of_the_company_give_owner_and_day(world: World) -> None:
    user(RESOLVER, "resolver", world.companies["AURO"])
    change_policy(ours(world), world.companies["AURO"], days={"quality": 1}, owners={"quality": RESOLVER})
    dispute(world)
    (row,) = disputes_of(ours(world), world.account("AURO", 0)[0])
    assert (row.owner, row.due_date) == (RESOLVER, AS_OF + timedelta(days=1))
    for wrong, code in (
        ({"owners": {"quality": "nobody"}}, "dispute_owner_unknown"),
        ({"days": {"quality": 0}}, "dispute_policy_invalid"),
        ({"days": {"colore": 3}}, "dispute_reason_unknown"),
    ):
        with pytest.raises(SaldoError) as refused:
            change_policy(ours(world), world.companies["AURO"], **wrong)
        assert refused.value.code == code
    manager = user("capo", "credit_manager", world.companies["AURO"])
    client = login(manager.username)
    page = reverse("dispute_policy")
    assert RESOLVER in client.get(page).content.decode()
    assert client.post(page, {"credit_days": "x"}).status_code == 400


def test_closed_for_good(world: World) -> None:
    first, second, third = (dispute(world, place=place) for place in range(3))
    resolve(ours(world), first, "refused")
    resolve(ours(world), second, "mistake")
    resolve(ours(world), third, "withdrawn")
    reopen(ours(world, day=AS_OF + timedelta(days=1)), third)
    later = ours(world, day=AS_OF + timedelta(days=2))
    assert [(one.dispute_id, one.outcome) for one in closed_disputes(later, AS_OF)] == [(first, "refused")]
    assert closed_disputes(later, AS_OF + timedelta(days=1)) == []


def test_what_was_written_on_a_dispute_stays(world: World) -> None:
    own = dispute(world)
    add_note(ours(world), own, "una nota")
    resolve(ours(world), own, "refused", 50_000)
    for table in ("disputes_disputeentry", "disputes_disputesettlement"):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"DELETE FROM {table}")
    assert Dispute.objects.count() == 1


def test_sales_notes_on_its_own_customers_only(world: World) -> None:
    own, other = dispute(world), dispute(world, place=1)
    seller = user("venditore", "sales", world.companies["AURO"], (world.account("AURO", 0)[0],))
    client = login(seller.username)
    assert client.post(reverse("dispute_note", args=[own]), {"note": "ho parlato"}).status_code == 302
    assert client.post(reverse("dispute_note", args=[other]), {"note": "x"}).status_code == 404
    assert client.post(reverse("dispute_resolve", args=[own]), {"outcome": "refused"}).status_code == 403
    auditor = user("cfo", "cfo", world.companies["AURO"])
    assert "ho parlato" in body_of(login(auditor.username), "dispute", own)
    assert login("cfo").post(reverse("dispute_note", args=[own]), {"note": "x"}).status_code == 403
