"""Contacts that people add and correct, on the page and beside the lists of the ERP."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

import pytest
from django.test import Client
from django.urls import reverse

from saldo.collection import playbook_changes
from saldo.core.errors import SaldoError
from saldo.flows.cut_over import Starting, go_live
from saldo.flows.day import run_day
from saldo.flows.import_documents import import_file
from saldo.identity.models import Event
from saldo.parties.contacts import add_contact, change_contact
from saldo.parties.models import Consent, Contact
from saldo.parties.queries import contacts_of
from saldo.parties.stops import give_consent
from saldo.parties.ways import ways
from tests.web_world import AS_OF, CUSTOMERS, World, build, context, user

HEADER = "Codice cliente;Ragione sociale;Referente;Ruolo;E-mail;PEC;Telefono;Estratto\n"
VERSIONS = count(1)
ANNA = "Anna Rossi;Amministrazione;anna@vecchia.test;;02 5550100"
MAY = ("administrator", "credit_manager", "collector", "customer_care")
MAY_NOT = ("cash_specialist", "cfo", "sales")


@pytest.fixture
def world(db: None) -> World:
    return build()


@pytest.fixture
def account(world: World) -> int:
    return world.account("AURO", 0)[0]


def take_list(*contacts: str) -> None:
    """The list of customers of the ERP, a row for each contact of AURO's first one. Never the same bytes:
    they would not be read again."""
    version = next(VERSIONS)
    rows = [f"C1;{CUSTOMERS['AURO'][0]};{contact};{version}\n" for contact in contacts]
    data = (HEADER + "".join(rows)).encode()
    result = import_file(
        context(), f"clienti-{version}.csv", data, "customers", "customers", company_code="AURO", as_at=AS_OF
    )
    assert result.done + result.unchanged == len(contacts) and not result.rejections


def told(account_id: int) -> list[tuple[str, str, str, str, str]]:
    return sorted((c.name, c.role, c.email, c.pec, c.phone) for c in contacts_of(account_id))


def test_a_contact_is_added_and_can_be_written_to(account: int) -> None:
    made = add_contact(
        context("anna"), account, "  Ugo  Neri ", email=" Ugo.Neri@Cliente.test", phone="02 5550 199"
    )
    assert told(account) == [("Ugo Neri", "", "Ugo.Neri@Cliente.test", "", "02 5550 199")]
    found = ways(context(), [account]).filter(contact_id=made)
    assert set(found.select("channel", "address").iter_rows()) >= {
        ("email", "Ugo.Neri@Cliente.test"), ("call", "+39025550199"),
    }  # fmt: skip
    event = Event.objects.get(kind="contact.added")
    assert (event.subject_id, event.actor) == (account, "anna")
    assert event.data == {"contact": made, "fields": ["name", "email", "phone"]}


WRONG = [
    ({"name": "Ugo"}, "contact_unreachable"),
    ({"email": "ugo@cliente"}, "contact_address_invalid"),
    ({"email": "a@cliente.test, b@cliente.test"}, "contact_address_invalid"),
    ({"pec": "ugo.pec"}, "contact_address_invalid"),
    ({"phone": "interno"}, "contact_phone_invalid"),
    ({"phone": "02 5550100 / 02 5550101"}, "contact_phone_invalid"),
    ({"phone": "02 5550100", "language": "xx"}, "contact_language_unknown"),
    ({"phone": "02 5550100", "name": "x" * 121}, "contact_text_too_long"),
    ({"name": "ANNA rossi", "email": "Anna@Cliente.test", "phone": "+39 02 5550100"}, "contact_twice"),
]


@pytest.mark.parametrize(("fields", "code"), WRONG)
def test_what_is_no_contact_is_refused(account: int, fields: dict[str, str], code: str) -> None:
    first = add_contact(context(), account, "Anna Rossi", email="anna@cliente.test", phone="025550100")
    other = add_contact(context(), account, "Ugo", pec="ugo@pec.test")
    before = told(account)
    with pytest.raises(SaldoError) as caught:
        add_contact(context(), account, **fields)
    assert caught.value.code == code
    emptied = {"name": "", "email": "", "pec": "", "phone": ""}
    with pytest.raises(SaldoError) as caught:
        change_contact(context(), other, **{**emptied, **fields})
    assert caught.value.code == code
    assert told(account) == before and Event.objects.filter(kind="contact.changed").count() == 0
    assert first != other


def test_a_contact_of_another_company_is_unknown(world: World, account: int) -> None:
    made = add_contact(context(), account, "Anna", email="anna@cliente.test")
    other = context().within(world.companies["BORE"])
    with pytest.raises(SaldoError) as caught:
        change_contact(other, made, name="Eva")
    assert caught.value.code == "contact_unknown"
    with pytest.raises(SaldoError) as caught:
        add_contact(other, account, "Eva", email="eva@cliente.test")
    assert caught.value.code == "account_unknown"
    assert [row[0] for row in told(account)] == ["Anna"]


def test_a_change_tells_its_fields_and_ends_the_consent_of_the_old_number(account: int) -> None:
    made = add_contact(context(), account, "Anna", email="anna@cliente.test", phone="333 5550100")
    give_consent(context(), made, "sms")
    assert not change_contact(context(), made, name="Anna ", phone="333 5550100")
    change_contact(context(), made, phone="+39 333 5550100")
    assert Consent.objects.filter(contact_id=made).latest("id").is_given
    assert change_contact(context("ugo"), made, email="anna@nuova.test", phone="333 5550199")
    assert not Consent.objects.filter(contact_id=made).latest("id").is_given
    event = Event.objects.filter(kind="contact.changed").latest("id")
    assert (event.actor, event.data) == ("ugo", {"contact": made, "fields": ["email", "phone"]})


def test_the_next_list_neither_undoes_nor_doubles_what_a_person_changed(account: int) -> None:
    take_list(ANNA)
    made = contacts_of(account)[0].id
    change_contact(context(), made, email="anna@nuova.test", role="Tesoreria")
    corrected = [("Anna Rossi", "Tesoreria", "anna@nuova.test", "", "02 5550100")]
    assert told(account) == corrected
    take_list(ANNA)
    assert told(account) == corrected
    # What the person did not set is the list's: here the PEC.
    take_list(ANNA.replace(";;", ";anna@pec.test;"))
    completed = [("Anna Rossi", "Tesoreria", "anna@nuova.test", "anna@pec.test", "02 5550100")]
    assert told(account) == completed
    change_contact(context(), made, name="Anna Rossi Neri")
    # Under any spelling it ever had, and the corrected one once the ERP has it too.
    take_list(ANNA, "Anna Rossi;Amministrazione;anna@nuova.test;;02 5550100")
    take_list("Anna Rossi Neri;Amministrazione;anna@nuova.test;;02 5550100")
    assert told(account) == [("Anna Rossi Neri", *completed[0][1:])]
    # Another person is another contact, as ever.
    take_list(ANNA, "Bruno Bianchi;;bruno@cliente.test;;")
    assert [row[0] for row in told(account)] == ["Anna Rossi Neri", "Bruno Bianchi"]


def test_a_list_completes_what_a_person_added(account: int) -> None:
    add_contact(context(), account, "Anna Rossi", "Tesoreria", "anna@vecchia.test", phone="02 5550100")
    take_list(ANNA.replace(";;", ";anna@pec.test;"))
    assert told(account) == [("Anna Rossi", "Tesoreria", "anna@vecchia.test", "anna@pec.test", "02 5550100")]


def login(world: World, role: str) -> Client:
    own = (world.account("AURO", 0)[0],) if role == "sales" else ()
    client = Client()
    client.force_login(user(f"di-{role}", role, world.companies["AURO"], own))
    return client


def test_the_page_adds_and_corrects_for_those_who_may(world: World, account: int) -> None:
    page, add = reverse("account", args=[account]), reverse("add_contact", args=[account])
    for number, role in enumerate((*MAY, *MAY_NOT)):
        client, may = login(world, role), role in MAY
        assert (add in client.get(page).content.decode()) is may, role
        fields = {"name": f"Uno {number}", "email": f"uno{number}@cliente.test"}
        answer = client.post(add, fields)
        assert answer.status_code == (302 if may else 403), role
        if may:
            assert answer["Location"] == f"{page}#contacts"
            made = Contact.objects.get(email=fields["email"])
            change = reverse("change_contact", args=[account, made.id])
            assert change in client.get(page).content.decode()
            answer = client.post(change, {"phone": "02 5550100"}, headers={"HX-Request": "true"})
            assert answer["HX-Refresh"] == "true"
            made.refresh_from_db()
            assert (made.name, made.phone) == (fields["name"], "02 5550100")
    assert Contact.objects.count() == len(MAY)
    body = login_again(world).get(page).content.decode()
    assert "contatto aggiunto (Nome, E-mail)" in body and "contatto corretto (Telefono)" in body


def login_again(world: World) -> Client:
    client = Client()
    client.force_login(user("altra", "collector", world.companies["AURO"]))
    return client


def test_a_refusal_is_told_in_the_form_and_a_strangers_contact_is_not_found(
    world: World, account: int
) -> None:
    client = login(world, "collector")
    add = reverse("add_contact", args=[account])
    answer = client.post(add, {"name": "Ugo", "email": "ugo@"}, headers={"HX-Request": "true"})
    assert answer["HX-Retarget"] == "#problem" and "ugo@" in answer.content.decode()
    foreign = world.account("BORE", 0)[0]
    made = add_contact(context(), foreign, "Eva", email="eva@altra.test")
    # Neither at its own account's address nor smuggled in under one in sight.
    for place in (foreign, account):
        answer = client.post(reverse("change_contact", args=[place, made]), {"name": "Preso"})
        assert answer.status_code == 404
    assert client.post(reverse("add_contact", args=[foreign]), {"email": "a@b.test"}).status_code == 404
    assert told(foreign) == [("Eva", "", "eva@altra.test", "", "")]
    assert told(account) == []


def test_what_is_held_back_for_want_of_an_address_leads_to_the_form_that_mends_it(
    world: World, account: int
) -> None:
    company = world.companies["AURO"]
    ctx = context().within(company)
    for version in playbook_changes.install_shipped(ctx, company):
        playbook_changes.activate(replace(ctx, actor="capo"), company, version, "si parte")
    go_live(ctx, company, AS_OF, Starting({0: 0}), accept_missing=True)
    run_day(ctx, company, refresh=True)
    client, place = login(world, "collector"), f"{reverse('account', args=[account])}#contacts"
    assert f'href="{place}">' in client.get(reverse("mail_blocked")).content.decode()
    client.post(reverse("add_contact", args=[account]), {"email": "amministrazione@cliente.test"})
    run_day(ctx, company, refresh=True)
    body = client.get(reverse("mail_blocked")).content.decode()
    assert f'href="{place}">' not in body and CUSTOMERS["AURO"][1] in body
    assert CUSTOMERS["AURO"][0] in client.get(reverse("mail")).content.decode()
