"""The cash desk and its pages: what they show, who may act, and that money moves as the page said."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from saldo.cash.models import BankTransaction, MatchPolicy, Posting
from saldo.interfaces.web.cash_forms import typed_amount
from saldo.ledger.models import ItemOpenProjection
from tests.cash_pages_world import DAY, STRANGER, CashWorld, add_line, build_cash, item_of, propose
from tests.web_world import AS_OF, user

MAX_QUERIES = 12
READERS = ("administrator", "credit_manager", "collector", "cash_specialist", "cfo", "customer_care")
POSTERS = ("administrator", "credit_manager", "cash_specialist")


@pytest.fixture
def cash(db: None) -> CashWorld:
    return build_cash()


def login(cash: CashWorld, role: str = "cash_specialist") -> Client:
    client = Client()
    own = (cash.world.account("AURO", 0)[0],) if role == "sales" else ()
    client.force_login(user(f"cash-{role}", role, cash.world.companies["AURO"], own))
    return client


def text(response: Any) -> str:
    assert response.status_code == 200, response.content.decode()[:400]
    return response.content.decode().replace("\xa0", " ")


def left(number: str) -> Decimal:
    projection = ItemOpenProjection.objects.get(item_id=item_of(number))
    return projection.cap - projection.used


def act(client: Client, cash: CashWorld, name: str, **data: Any) -> Any:
    address = reverse("cash_post", args=[cash.lines[name]])
    return client.post(address, data, headers={"HX-Request": "true"})


def first_proposal(cash: CashWorld, name: str, rank: int = 1) -> int:
    line = BankTransaction.objects.get(id=cash.lines[name])
    return int(line.proposals.get(rank=rank).id)


def test_the_day_adds_up_and_every_line_is_in_one_place(cash: CashWorld) -> None:
    body = text(login(cash).get(reverse("cash")))
    # 9001.50 + 9003.00 + 3001.50 + 500.00 + 9006.50 came in.
    for amount in ("30.512,50 €", "9.006,50", "21.006,00", "500,00"):
        assert amount in body, amount
    assert "does not add up" not in body and "non quadra" not in body
    assert f'data-line="{cash.lines["sure"]}"' in body
    # What is dealt with is folded away, with its sum.
    assert f'data-line="{cash.lines["auto"]}"' not in body
    assert STRANGER not in body


def test_a_group_unfolds_and_filters_find(cash: CashWorld) -> None:
    client = login(cash)
    rows = text(
        client.get(
            reverse("cash"), {"group": "auto"}, headers={"HX-Request": "true", "HX-Target": "rows-auto"}
        )
    )
    assert f'data-line="{cash.lines["auto"]}"' in rows and "AURO-16/25" in rows
    found = {
        "9.003,00": "short", "contante": "nobody", "AURO-11": "sure",
    }  # fmt: skip
    for asked, name in found.items():
        body = text(client.get(reverse("cash"), {"q": asked}))
        shown = [key for key, line in cash.lines.items() if f'data-line="{line}"' in body]
        assert shown == [name], asked
    add_line(cash.statements["AURO"], "61.00", "Un mese prima", "FT 7", booking_date=DAY - timedelta(days=30))
    for asked in ("un mese", "61,00"):
        body = text(client.get(reverse("cash"), {"q": asked, "view": "all"}))
        assert "Un mese prima" in body and "VERSAMENTO" not in body, asked
    assert "Un mese prima" in text(client.get(reverse("cash"), {"view": "open"}))
    for odd in (
        {"day": "2025-02-31"},
        {"bank": "x"},
        {"state": "; DROP"},
        {"offset": "9" * 30},
        {"q": "%_\\"},
    ):
        assert client.get(reverse("cash"), odd).status_code == 200


def test_the_pane_says_what_would_change_and_confirming_does_exactly_that(cash: CashWorld) -> None:
    client = login(cash)
    pane = text(client.get(reverse("cash_line", args=[cash.lines["sure"]]), headers={"HX-Request": "true"}))
    assert "412" in pane and "411" in pane
    # Five invoices of 9001.50 to 9005.50 are open; one of them is paid.
    assert "45.017,50" in pane and "36.016,00" in pane
    done = act(client, cash, "sure", do="confirm", proposal=first_proposal(cash, "sure"))
    told = json.loads(done["HX-Trigger"])["saldo:posted"]
    assert told["state"] == "match" and told["left"] == "3"
    assert left("AURO-11/25") == 0
    posting = Posting.objects.get(transaction_id=cash.lines["sure"])
    assert (posting.mode, posting.kind, posting.actor) == ("confirmed", "match", "cash-cash_specialist")

    again = act(client, cash, "sure", do="confirm", proposal=first_proposal(cash, "sure"))
    assert again["HX-Retarget"] == "#problem"
    undone = client.post(reverse("cash_undo", args=[cash.lines["sure"]]), headers={"HX-Request": "true"})
    assert json.loads(undone["HX-Trigger"])["saldo:posted"]["state"] == "undone"
    assert left("AURO-11/25") == Decimal("9001.500")


def test_a_line_takes_the_place_of_what_the_erp_told(cash: CashWorld) -> None:
    from saldo.ledger.models import Allocation, Item

    item = Item.objects.get(id=item_of("AURO-11/25"))
    facts = {"company_id": item.company_id, "recorded_at": item.recorded_at, "effective_date": AS_OF}
    told = Item.objects.create(
        account_id=item.account_id, invoice_id=item.invoice_id, kind="closure", amount=-item.amount,
        currency="EUR", **facts,
    )  # fmt: skip
    Allocation.objects.create(debit_item=item, credit_item=told, amount=item.amount, reason="closed", **facts)
    client = login(cash)
    pane = text(client.get(reverse("cash_line", args=[cash.lines["sure"]]), headers={"HX-Request": "true"}))
    assert "saldata per il gestionale" in pane and "36.016,00" in pane and "45.017,50" not in pane
    act(client, cash, "sure", do="confirm", proposal=first_proposal(cash, "sure"))
    assert left("AURO-11/25") == 0
    kinds = Allocation.objects.filter(debit_item=item).values_list("credit_item__kind", "amount")
    assert sum(amount for kind, amount in kinds if kind == "payment") == item.amount


def test_another_proposal_is_chosen_not_confirmed(cash: CashWorld) -> None:
    client = login(cash)
    address = reverse("cash_line", args=[cash.lines["sure"]])
    assert "AURO-12/25" in text(client.get(address, {"rank": "2"}, headers={"HX-Request": "true"}))
    act(client, cash, "sure", do="confirm", proposal=first_proposal(cash, "sure", 2))
    assert left("AURO-12/25") == Decimal("1.000") and left("AURO-11/25") == Decimal("9001.500")
    assert Posting.objects.get(transaction_id=cash.lines["sure"]).mode == "chosen"


SPLITS = [
    # typed amounts, keeps the rest on account, whether it adds up
    (("6.300,00", "2.701,50"), "", True),
    (("6.300,00", "2.701,49"), "", False),
    (("6.300,00", "2.000,00"), "1", True),
    (("9.001,51", ""), "1", False),
    (("12,3,4", "1"), "1", False),
    (("-6.300,00", "2.701,50"), "", False),
    (("6.300,00", "−1,00"), "1", False),
]


@pytest.mark.parametrize(("amounts", "keep", "adds_up"), SPLITS)
def test_a_split_is_posted_only_if_it_adds_up(
    cash: CashWorld, amounts: tuple[str, str], keep: str, adds_up: bool
) -> None:
    client = login(cash)
    items = [item_of("AURO-11/25"), item_of("AURO-12/25")]
    data = {f"amount-{item}": amount for item, amount in zip(items, amounts, strict=True)}
    if keep:
        data["keep"] = keep
    response = act(client, cash, "sure", do="split", account=cash.world.account("AURO", 0)[0], **data)
    assert ("HX-Trigger" in response) is adds_up, response.content.decode()
    assert Posting.objects.filter(transaction_id=cash.lines["sure"]).exists() is adds_up
    if adds_up and not keep:
        assert (left("AURO-11/25"), left("AURO-12/25")) == (Decimal("2701.500"), Decimal("6301.000"))


def test_a_minus_is_read_only_of_a_credit() -> None:
    for written in ("-50", "−50,00", "- 50", "€ -50"):
        assert typed_amount(written, "EUR") is None, written
        assert typed_amount(written, "EUR", is_credit=True) == 50, written
    assert typed_amount("50", "EUR", is_credit=True) == typed_amount(" € 50,00", "EUR") == 50
    assert typed_amount("--50", "EUR", is_credit=True) is None
    assert typed_amount("", "EUR") == 0


def test_what_is_missing_becomes_a_deduction_or_is_written_off(cash: CashWorld) -> None:
    from saldo.disputes.models import Deduction

    client = login(cash)
    first, second = item_of("AURO-21/25"), item_of("AURO-22/25")
    account = cash.world.account("AURO", 1)[0]
    data = {
        f"amount-{first}": "4.500,00", f"rest-{first}": "charges",
        f"amount-{second}": "4.503,00",
    }  # fmt: skip
    refused = act(client, cash, "short", do="split", account=account, **data)
    assert "AURO-22/25" in refused.content.decode()
    data |= {f"amount-{second}": "4.500,00", f"rest-{second}": "deduct-price", "keep": "1"}
    assert "HX-Trigger" in act(client, cash, "short", do="split", account=account, **data)
    assert left("AURO-21/25") == 0 and left("AURO-22/25") == Decimal("2.500")
    deduction = Deduction.objects.get()
    assert (deduction.amount, deduction.reason, deduction.item_id) == (Decimal("2.500"), "price", second)


def test_on_account_not_a_customer_and_paid_twice(cash: CashWorld) -> None:
    client = login(cash)
    account = cash.world.account("AURO", 1)[0]
    assert "nota" in act(client, cash, "nobody", do="not_customer").content.decode()
    assert not Posting.objects.filter(transaction_id=cash.lines["nobody"]).exists()
    act(client, cash, "nobody", do="account", account=account)
    act(client, cash, "twice", do="refund", proposal=first_proposal(cash, "twice"))
    act(client, cash, "out", do="not_customer", note="Commissioni")
    kinds = {p.transaction_id: (p.kind, p.note) for p in Posting.objects.all()}
    assert kinds[cash.lines["nobody"]] == ("match", "")
    assert kinds[cash.lines["twice"]] == ("match", "Pagato due volte: da restituire")
    assert kinds[cash.lines["out"]] == ("not_customer", "Commissioni")
    body = text(client.get(reverse("unapplied")))
    assert "500,00" in body and "3.001,50" in body and "Pagato due volte" in body


def test_unapplied_cash_is_set_against_items(cash: CashWorld) -> None:
    from saldo.ledger.models import Item

    client = login(cash)
    account = cash.world.account("AURO", 1)[0]
    act(client, cash, "nobody", do="account", account=account)
    credit = Item.objects.get(account_id=account, kind="payment")
    address = reverse("unapplied_item", args=[credit.id])
    field = f"amount-{item_of('AURO-21/25')}"
    assert client.post(address, {field: "500,01"}).status_code == 400
    assert client.post(address, {field: "-480,00"}).status_code == 400
    assert client.post(address, {field: "480,00"}).status_code == 302
    assert left("AURO-21/25") == Decimal("4021.500")
    assert "20,00" in text(client.get(address))


def test_lines_of_a_statement_that_does_not_add_up_wait_for_its_release(cash: CashWorld) -> None:
    from saldo.cash.models import Statement

    held = Statement.objects.create(
        bank_account_id=cash.banks["AURO"], kind="booked", identity="held", from_date=DAY, to_date=DAY,
        currency="EUR", is_quarantined=True, difference=Decimal("3.00"), lines=1,
        recorded_at="2025-03-19T20:00Z", opening=Decimal(1), closing=Decimal(2),
    )  # fmt: skip
    line = add_line(held.id, "4501.50", "Chi", "FT AURO-21/25")
    propose(line, cash.world.account("AURO", 1)[0], [("AURO-21/25", "4501.50")])
    client = login(cash)
    pane = text(client.get(reverse("cash_line", args=[line]), headers={"HX-Request": "true"}))
    assert 'data-key="Enter"' not in pane
    release = reverse("release_statement", args=[held.id])
    client.post(release, {"note": ""})
    assert not hasattr(Statement.objects.get(id=held.id), "release")
    assert client.post(release, {"note": "la banca ha confermato"}).status_code == 302
    pane = text(client.get(reverse("cash_line", args=[line]), headers={"HX-Request": "true"}))
    assert 'data-key="Enter"' in pane


def test_who_reads_and_who_acts(cash: CashWorld) -> None:
    names = ("cash", "unapplied", "bank_accounts", "cash_aliases", "cash_policy")
    for role in (*READERS, "sales"):
        client = login(cash, role)
        for name in names:
            expected = 403 if role == "sales" else 200
            assert client.get(reverse(name)).status_code == expected, (role, name)
        line = reverse("cash_line", args=[cash.lines["sure"]])
        response = client.get(line)
        assert response.status_code == (403 if role == "sales" else 200)
        assert ('data-key="Enter"' in response.content.decode()) is (role in POSTERS), role
        posted = client.post(
            reverse("cash_post", args=[cash.lines["out"]]), {"do": "not_customer", "note": "x"}
        )
        assert posted.status_code == (302 if role in POSTERS else 403), role
        undone = client.post(reverse("cash_undo", args=[cash.lines["out"]]))
        assert undone.status_code == (302 if role in POSTERS else 403), role
        added = client.post(reverse("bank_accounts"), {"iban": "IT60X0542811101000000123456"})
        assert added.status_code == (302 if role in POSTERS else 403), role


def test_lines_of_another_company_are_not_there(cash: CashWorld) -> None:
    client = login(cash, "credit_manager")
    stranger = cash.lines["stranger"]
    for name in ("cash_line", "cash_find"):
        assert client.get(reverse(name, args=[stranger])).status_code == 404
    for name in ("cash_post", "cash_undo"):
        assert (
            client.post(reverse(name, args=[stranger]), {"do": "not_customer", "note": "x"}).status_code
            == 404
        )
    assert client.get(reverse("bank_account", args=[cash.banks["BORE"]])).status_code == 404
    # Nor can its items or accounts be named in a form.
    account = cash.world.account("BORE", 0)[0]
    for data in ({"do": "account", "account": account}, {"do": "split", "account": account, "keep": "1"}):
        assert "HX-Trigger" not in act(client, cash, "nobody", **data)
    assert not Posting.objects.filter(transaction_id__in=[stranger, cash.lines["nobody"]]).exists()


def test_the_rules_are_validated_and_kept(cash: CashWorld) -> None:
    client = login(cash, "credit_manager")
    page = text(client.get(reverse("cash_policy")))
    assert "99,5" in page
    good = {"auto_above": "99,9", "propose_above": "40", "charges_mills": "12,50", "rounding_mills": "0,50"}
    for wrong in (
        {"auto_above": "101"},
        {"propose_above": "99,95"},
        {"charges_mills": "-3"},
        {"rounding_mills": "−0,50"},
        {"auto_above": "x"},
    ):
        assert client.post(reverse("cash_policy"), good | wrong).status_code == 400, wrong
    assert not MatchPolicy.objects.exists()
    assert client.post(reverse("cash_policy"), good).status_code == 302
    data = MatchPolicy.objects.get().data
    assert (data["auto_above"], data["charges_mills"], data["allows_partial"]) == (0.999, 12_500, False)
    specialist = login(cash)
    assert specialist.post(reverse("cash_policy"), good).status_code == 403


def test_what_was_learnt_is_shown_with_its_line_and_withdrawn(cash: CashWorld) -> None:
    from saldo.cash.models import Alias, AliasWithdrawal

    client = login(cash)
    act(client, cash, "sure", do="confirm", proposal=first_proposal(cash, "sure"))
    alias = Alias.objects.filter(kind="iban").first()
    assert alias is not None
    assert "IT40 S054" in text(client.get(reverse("cash_aliases")))
    address = reverse("withdraw_alias", args=[alias.id])
    assert client.post(address, headers={"HX-Request": "true"}).status_code == 200
    assert AliasWithdrawal.objects.filter(alias=alias).count() == 1
    assert client.post(address).status_code == 404


def test_pages_ask_the_database_at_most_twelve_times(
    cash: CashWorld, django_assert_max_num_queries: Callable[..., Any]
) -> None:
    client = login(cash)
    for number in range(30):
        line = add_line(cash.statements["AURO"], f"{100 + number}.00", f"Pagatore {number}", "acconto")
        propose(line, cash.world.account("AURO", 0)[0], [("AURO-12/25", f"{100 + number}.00")])
    hx = {"HX-Request": "true"}
    pages = [
        (reverse("cash"), {}), (reverse("cash") + "?view=open", {}),
        (reverse("cash"), hx | {"HX-Target": "list"}),
        (reverse("cash_line", args=[cash.lines["sure"]]), hx),
        (reverse("cash_line", args=[cash.lines["short"]]) + "?mode=split", hx),
        (reverse("cash_line", args=[cash.lines["short"]]) + "?mode=account", hx),
        (reverse("unapplied"), {}), (reverse("cash_aliases"), {}), (reverse("cash_policy"), {}),
    ]  # fmt: skip
    client.get(reverse("cash"))
    for address, headers in pages:
        with django_assert_max_num_queries(MAX_QUERIES):
            assert client.get(address, headers=headers).status_code == 200, address
