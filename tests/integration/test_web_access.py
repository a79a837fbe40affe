"""Who sees what: every address as every role and as nobody. And what the pages may cost."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from saldo.collection.models import Action, Outcome
from saldo.identity.models import Event
from saldo.intake.models import Batch
from saldo.interfaces.web.urls import urlpatterns
from saldo.parties.models import AccountAccess
from tests.web_world import AS_OF, CUSTOMERS, World, build, user

MAX_QUERIES, MAX_QUERIES_OF_LIST, MAX_QUERIES_OF_ACCOUNT = 18, 22, 50
# The links in messages are for whoever got the message; what they may do is signed in them.
OPEN_TO_ALL = {
    "login",
    "choose_language",
    "link_click",
    "link_open",
    "link_opt_out",
    "link_offer",
    "link_survey",
}
ROLES = (
    "administrator",
    "credit_manager",
    "collector",
    "cash_specialist",
    "cfo",
    "customer_care",
    "sales",
    "resolver",
)


@pytest.fixture
def world(db: None) -> World:
    return build()


def login(world: World, role: str) -> Client:
    """Somebody of company AURO: sales sees its first customer alone, every other role the whole company."""
    own = (world.account("AURO", 0)[0],) if role == "sales" else ()
    client = Client()
    client.force_login(user(f"someone-{role}", role, world.companies["AURO"], own))
    return client


def addresses(account_id: int, action_id: int, batch_id: int) -> Iterator[tuple[str, str]]:
    """Every named address of the pages, about these rows."""
    values = {"account_id": account_id, "action_id": action_id, "batch_id": batch_id, "token": "x" * 32}
    values |= {"signed": "x", "code": "standard", "channel": "email", "language": "it"}
    for pattern in urlpatterns:
        for name in pattern.pattern.converters:
            # Everything else is a number: that of a row there is, or may be.
            values.setdefault(name, 1)
    for pattern in urlpatterns:
        wanted = pattern.pattern.converters
        yield pattern.name, reverse(pattern.name, kwargs={name: values[name] for name in wanted})


def foreign(world: World, company: str, place: int) -> tuple[int, int, int, str]:
    account_id, name = world.account(company, place)
    action = Action.objects.get(account_id=account_id).id
    batch = Batch.objects.get(company_id=world.companies[company]).id
    return account_id, action, batch, name


def test_nobody_without_a_login_gets_past_the_login_page(world: World) -> None:
    account_id, action, batch, _ = foreign(world, "AURO", 0)
    walked = 0
    for name, address in addresses(account_id, action, batch):
        if name in OPEN_TO_ALL:
            continue
        for method in ("get", "post"):
            response = getattr(Client(), method)(address)
            if name == "logout":
                assert response.status_code in (302, 405)
                continue
            assert response.status_code == 302, (name, method, response.status_code)
            assert response["Location"].startswith(reverse("login")), name
        walked += 1
    assert walked >= 15


def test_no_role_sees_an_account_of_another_company(world: World) -> None:
    account_id, action, batch, stranger = foreign(world, "BORE", 0)
    for role in ROLES:
        client = login(world, role)
        for name, address in addresses(account_id, action, batch):
            for headers in ({}, {"HX-Request": "true"}):
                response = client.get(address, {"q": stranger[:8]}, headers=headers)
                assert response.status_code < 500, (role, name)
                assert stranger not in response.content.decode(), (role, name)
        for name in ("account", "statement"):
            assert client.get(reverse(name, args=[account_id])).status_code == 404
        assert client.get(reverse("action", args=[action])).status_code == 404
        assert client.get(reverse("batch", args=[batch])).status_code in (403, 404)
        response = client.post(reverse("outcome", args=[account_id]), {"state": "done"})
        assert response.status_code in (403, 404), role
    assert not Outcome.objects.exists()


def test_sales_sees_its_own_customers_only_and_no_totals(world: World) -> None:
    client = login(world, "sales")
    own, other = world.account("AURO", 0), world.account("AURO", 1)
    for page in ("worklist", "accounts"):
        body = client.get(reverse(page)).content.decode()
        assert own[1] in body and other[1] not in body, page
    assert client.get(reverse("account", args=[own[0]])).status_code == 200
    assert client.get(reverse("account", args=[other[0]])).status_code == 404
    for page in ("dashboard", "imports"):
        assert client.get(reverse(page)).status_code == 403
    # It may take the call of its own customers, and of no other.
    assert client.post(reverse("outcome", args=[own[0]]), {"state": "done"}).status_code == 302
    assert client.get(reverse("call", args=[own[0]])).status_code == 200
    for name in ("outcome", "call"):
        sent = {"state": "done", "result": "reached"}
        assert client.post(reverse(name, args=[other[0]]), sent).status_code == 404


def test_an_ended_access_gives_no_look_at_earlier_days(world: World) -> None:
    client = login(world, "sales")
    account_id, name = world.account("AURO", 0)
    AccountAccess.objects.update(to_date=date.today() - timedelta(days=2))
    response = client.get(reverse("account", args=[account_id]), {"as_of": AS_OF.isoformat()})
    assert response.status_code == 404
    assert name not in client.get(reverse("worklist")).content.decode()


def test_who_may_record_an_outcome(world: World) -> None:
    account_id, _ = world.account("AURO", 0)
    recorded = 0
    for role in ROLES:
        may = role in ("administrator", "credit_manager", "collector", "sales")
        response = login(world, role).post(reverse("outcome", args=[account_id]), {"state": "done"})
        assert response.status_code == (302 if may else 403), role
        recorded += may
        assert Outcome.objects.filter(account_id=account_id).count() == recorded
        assert Event.objects.filter(kind="action.done", subject_id=account_id).count() == recorded


def htmx(client: Client, address: str, **data: str) -> Any:
    return client.post(address, data, headers={"HX-Request": "true"})


def names_in(client: Client) -> list[str]:
    body = client.get(reverse("worklist")).content.decode()
    return [name for name in CUSTOMERS["AURO"] if name in body]


def test_an_outcome_hides_the_row_and_its_undo_brings_it_back(world: World) -> None:
    client = login(world, "collector")
    account_id, name = world.account("AURO", 0)
    address = reverse("outcome", args=[account_id])
    everybody = names_in(client)
    assert name in everybody

    done = htmx(client, address, state="done")
    assert json.loads(done["HX-Trigger"])["saldo:outcome"]["state"] == "done"
    assert name not in names_in(client)
    htmx(client, address, state="undone")
    assert names_in(client) == everybody

    later = (AS_OF + timedelta(days=3)).isoformat()
    htmx(client, address, state="skipped", note="torna giovedì", follow_up_date=later)
    assert name not in names_in(client)
    htmx(client, address, state="note", note="una nota non rimette in lista")
    assert name not in names_in(client)
    assert [o.state for o in Outcome.objects.order_by("id")] == ["done", "undone", "skipped", "note"]


REFUSED = [
    ({"state": "skipped", "follow_up_date": "2025-03-25"}, "motivo"),
    ({"state": "skipped", "note": "x", "follow_up_date": "2025-03-20"}, "2025-03-20"),
    ({"state": "skipped", "note": "x", "follow_up_date": "2025-02-31"}, "2025-02-31"),
    ({"state": "skipped", "note": "x", "follow_up_date": "2031-01-01"}, "2031-01-01"),
]


def test_a_wrong_outcome_is_refused_in_words(world: World) -> None:
    client = login(world, "collector")
    address = reverse("outcome", args=[world.account("AURO", 0)[0]])
    for data, words in REFUSED:
        response = htmx(client, address, **data)
        assert response["HX-Retarget"] == "#problem"
        assert words in response.content.decode()
    assert htmx(client, address, state="paid").status_code == 400
    assert not Outcome.objects.exists()


def test_a_page_asks_the_database_a_few_times(
    world: World, django_assert_max_num_queries: Callable[..., Any]
) -> None:
    client = login(world, "collector")
    account_id, action, _, name = foreign(world, "AURO", 0)
    pages = [
        (reverse("worklist"), {}, MAX_QUERIES_OF_LIST),
        (reverse("action", args=[action]), {"HX-Request": "true"}, MAX_QUERIES),
        # All that is agreed, objected to, said and stopped, however much there is of it.
        (reverse("account", args=[account_id]), {}, MAX_QUERIES_OF_ACCOUNT),
        (reverse("account", args=[account_id]) + "?tab=closed", {}, MAX_QUERIES),
    ]
    for address, headers, most in pages:
        with django_assert_max_num_queries(most):
            response = client.get(address, headers=headers)
        assert response.status_code == 200 and name in response.content.decode(), address


def test_the_day_and_the_moment_change_the_figures(world: World) -> None:
    client = login(world, "collector")
    address = reverse("account", args=[world.account("AURO", 0)[0]])
    now = client.get(address).content.decode()
    assert "54.024,00" in now.replace("\xa0", " ")
    # Three of the six invoices had been issued by then.
    earlier = client.get(address, {"as_of": "2025-01-03"}).content.decode()
    assert "27.007,50" in earlier and "54.024,00" not in earlier
    # Nothing had been imported by then.
    assert "54.024,00" not in client.get(address, {"known_at": "2025-03-19T12:00"}).content.decode()
    assert client.get(address, {"as_of": "2025-02-31", "known_at": "x"}).status_code == 200


def test_every_answer_carries_the_policy_and_no_inline_script(world: World) -> None:
    client = login(world, "administrator")
    for name in ("worklist", "accounts", "imports", "dashboard", "settings"):
        response = client.get(reverse(name))
        assert "script-src 'self'" in response["Content-Security-Policy"]
        assert "unsafe-inline" not in response["Content-Security-Policy"]
        body = response.content.decode()
        assert " style=" not in body and " onclick=" not in body and "<style" not in body
        assert body.count("<script") == body.count("<script src=")
        assert response["Cache-Control"] == "no-store"


def test_a_name_with_markup_is_shown_as_text(world: World) -> None:
    from saldo.parties.models import Customer

    Customer.objects.filter(name=CUSTOMERS["AURO"][0]).update(name="<img src=x onerror=alert(1)>")
    client = login(world, "collector")
    account_id, _ = world.account("AURO", 0)
    for address in (reverse("worklist"), reverse("accounts"), reverse("account", args=[account_id])):
        body = client.get(address).content.decode()
        assert "<img src=x" not in body and "&lt;img src=x" in body


def test_filters_and_sorting_come_from_the_address(world: World) -> None:
    client = login(world, "collector")
    first, second = CUSTOMERS["AURO"][:2]
    body = client.get(reverse("worklist"), {"q": "tessit"}).content.decode()
    assert second in body and first not in body
    body = client.get(reverse("worklist"), {"min": "40.000,00"}).content.decode()
    assert first in body and second not in body
    body = client.get(reverse("worklist"), {"sort": "name"}).content.decode()
    order = [body.index(name) for name in ("Molino Dorsoduro", "Officina Bellaluna", "Tessitura Corvara")]
    assert order == sorted(order)
    for odd in (
        {"offset": "-1"},
        {"offset": "9" * 30},
        {"sort": "; DROP"},
        {"min": "NaN"},
        {"block": "x" * 99},
    ):
        assert client.get(reverse("worklist"), odd).status_code == 200
