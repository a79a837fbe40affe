"""The brakes: rules of sending, "Ferma invii", stopped addresses, ways, go-live, prescription."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from typing import Any

import pytest
from django.db import connection

from saldo.collection.levels import item_levels, known_items
from saldo.core.addresses import fold_address, is_usable, phone_number
from saldo.core.errors import SaldoError
from saldo.core.sending import SendingRules
from saldo.disputes.operations import open_dispute
from saldo.flows import cut_over
from saldo.flows.books import gather_book
from saldo.flows.cut_over import Starting, choose_levels, go_live, import_reminders
from saldo.flows.prescription import prescription, record_return_receipt
from saldo.identity.operations import stamped
from saldo.identity.queries import events_of
from saldo.intake.operations import keep_document
from saldo.outreach import deliveries
from saldo.outreach.models import Message, MessageItem
from saldo.outreach.settings import (
    change_rules,
    changes_of,
    is_live,
    is_stopped,
    resume,
    rules_of,
    stop,
    stop_of,
)
from saldo.parties.models import Contact, CustomerAccount
from saldo.parties.stops import give_consent, release_address, stop_address, stops_in_force, stops_of
from saldo.parties.ways import ways
from saldo.promises.models import Promise
from saldo.promises.operations import record_promise
from tests.cash_world import context
from tests.integration.test_blocks import DAY, Case, refused


@pytest.fixture
def case() -> Case:
    return Case()


def contact(case: Case, **told: str) -> int:
    return Contact.objects.create(account_id=case.account, **told).id


def way(case: Case) -> list[tuple[str, str, str, int, bool]]:
    found = ways(case.ctx(), [case.account])
    wanted = ("channel", "address", "stop", "place", "has_consent")
    return sorted(tuple(row[name] for name in wanted) for row in found.iter_rows(named=True))  # type: ignore[misc]


# --- rules and "Ferma invii" ------------------------------------------------------------------------

db = pytest.mark.django_db


@db
def test_rules_are_kept_as_changed_and_as_they_were_known(case: Case) -> None:
    company = case.world.company.id
    assert rules_of(company) == SendingRules()
    first = change_rules(
        case.ctx(), company, daily_cap=50, quiet_from="19:00", iban="IT60 X054 2811 1010 0000 0123 456"
    )
    before = datetime.now(UTC)
    second = change_rules(
        case.ctx(), company, "più prudenti", blocks_whole_item="disputed", cutover_date="2026-04-01",
        signature={"it": "Ufficio crediti"}, prescription_years="installment=1", thanks="on",
    )  # fmt: skip
    assert (first.daily_cap, first.quiet_from) == (50, time(19, 0))
    assert rules_of(company, before) == first and rules_of(company) == second
    assert second.cutover_date == date(2026, 4, 1) and second.blocks_whole_item == ("disputed",)
    assert second.prescription_years == {"installment": 1} and second.thanks
    assert not is_live(company, date(2026, 3, 31)) and is_live(company, date(2026, 4, 1))
    assert change_rules(case.ctx(), company, daily_cap=50) == second
    assert [row.note for row in changes_of(company)] == ["più prudenti", ""]
    assert events_of("company", company)[0]["data"]["thanks"] == [False, True]


@db
@pytest.mark.parametrize(
    "change",
    [{"daily_cap": -1}, {"daily_cap": "many"}, {"daily_cap": True}, {"contact_day_cap": 3},
     {"quiet_from": "25:00"}, {"quiet_from": "08:30"}, {"cutover_date": "31/12/2026"}, {"iban": "IT00X"},
     {"blocks_whole_item": "paid"}, {"signature": {"de": "x"}}, {"on_saturday": "maybe"},
     {"prescription_years": {"installment": 0}}, {"prescription_years": "boh=3"}, {"sender_name": "a\nb\x00"},
     {"sender_name": "x@example.com"}],
)  # fmt: skip
def test_values_that_cannot_be_are_refused(case: Case, change: dict[str, Any]) -> None:
    refused("sending_rule_invalid", change_rules, case.ctx(), case.world.company.id, **change)
    assert rules_of(case.world.company.id) == SendingRules()


@db
def test_a_rule_that_is_none(case: Case) -> None:
    refused("sending_rule_unknown", change_rules, case.ctx(), case.world.company.id, speed=9)


@db
def test_a_stop_of_one_or_of_all_companies(case: Case) -> None:
    company = case.world.company.id
    assert stop(case.ctx(), company, "lista sbagliata") and not stop(case.ctx(), company)
    assert is_stopped(company) and stop_of(company).note == "lista sbagliata"  # type: ignore[union-attr]
    stop(case.ctx(), None, "tutto")
    assert stop_of(company).company_id is None  # type: ignore[union-attr]
    resume(case.ctx(), None)
    assert is_stopped(company)
    resume(case.ctx(), company)
    assert not is_stopped(company) and not resume(case.ctx(), company)


# --- addresses --------------------------------------------------------------------------------------


@db
def test_the_best_usable_contact_stands_first(case: Case) -> None:
    sales = contact(case, name="Vendite", role="Commerciale", email="sales@example.com", phone="333 1234567")
    contact(case, name="Anna", role="Amministrazione", email="Anna@Example.com", pec="rossi@pec.example.com")
    contact(case, name="Boh", role="Contabilità fornitori", email="not an address")
    assert way(case) == [
        ("call", "+393331234567", "", 1, True),
        ("email", "Anna@Example.com", "", 1, True),
        ("email", "not an address", "invalid", 3, True),
        ("email", "sales@example.com", "", 2, True),
        ("pec", "rossi@pec.example.com", "", 1, True),
        ("portal", "Rossi S.r.l.", "", 1, True),
        ("sms", "+393331234567", "", 1, False),
    ]
    give_consent(case.ctx(), sales, "sms")
    assert ("sms", "+393331234567", "", 1, True) in way(case)
    give_consent(case.ctx(), sales, "sms", is_given=False)
    assert ("sms", "+393331234567", "", 1, False) in way(case)


@db
def test_a_stopped_address_is_stopped_at_once_for_whoever_has_it(case: Case) -> None:
    contact(case, name="Anna", email="anna@example.com")
    contact(case, name="Bea", email="bea@example.com")
    stop_id = stop_address(case.ctx(), "email", " ANNA@example.com", "bounced", case.world.company.id)
    assert stop_address(case.ctx(), "email", "anna@example.com", "bounced", case.world.company.id) == stop_id
    stop_address(case.ctx(), "email", "anna@example.com", "opt_out", case.world.company.id)
    found = {row[1]: row[2:4] for row in way(case)}
    assert found["anna@example.com"] == ("bounced", 2) and found["bea@example.com"] == ("", 1)
    assert {row.reason for row in stops_of(case.ctx(), case.account)} == {"bounced", "opt_out"}
    assert events_of("account", case.account)[0]["kind"] == "address.stopped"
    refused("note_missing", release_address, case.ctx(), stop_id, " ")
    release_address(case.ctx(), stop_id, "ci ha scritto lui")
    assert {row[1]: row[2] for row in way(case)}["anna@example.com"] == ""
    assert stops_in_force(case.ctx()) == []
    refused("stop_unknown", release_address, case.ctx(), stop_id, "ancora")


@db
def test_a_stop_counts_for_its_company_only_unless_it_is_for_all(case: Case) -> None:
    contact(case, email="anna@example.com", phone="+39 333 1234567")
    from saldo.identity.models import Company

    other = Company.objects.create(code="TWO", name="Due")
    stop_address(case.ctx(), "email", "anna@example.com", "opt_out", other.id)
    assert {row[0]: row[2] for row in way(case)}["email"] == ""
    stop_address(case.ctx(), "sms", "0039 333 123 4567", "opt_out")
    assert {row[0]: row[2] for row in way(case)}["sms"] == "opt_out"
    whole = ways(context(DAY), [case.account]).filter(channel="email")
    assert whole["stop"].to_list() == [""]
    refused("stop_reason_unknown", stop_address, case.ctx(), "email", "x@example.com", "boh")
    refused("channel_unknown", stop_address, case.ctx(), "fax", "x", "person")
    refused("address_missing", stop_address, case.ctx(), "sms", "n.d.", "person")


@db
def test_columns_are_folded_as_single_addresses_are(case: Case) -> None:
    mails = [
        " A@B.example ",
        "x",
        "ö@example.com",
        "a b@example.com",
        "a@example.com;b@example.com",
        "q@ex_1.com",
    ]
    phones = ["333.1", "+1 (0)212 555 0100", "0039-06-123456", "06 123456", "n.d.", "00", "٣٣٣"]
    for at, mail in enumerate(mails):
        contact(case, name=str(at), email=mail, phone=phones[at % len(phones)])
    contact(case, name="last", phone=phones[6])
    for row in ways(case.ctx(), [case.account]).iter_rows(named=True):
        if row["channel"] in ("email", "sms"):
            assert (row["stop"] == "") == is_usable(row["channel"], row["address"]), row
    told = set(ways(case.ctx(), [case.account]).filter(channel="sms")["address"])
    assert told == {number for phone in phones if (number := phone_number(phone))}
    assert fold_address("email", " A@B.example ") == "a@b.example"


@db
def test_the_language_and_the_postal_way(case: Case) -> None:
    customer = CustomerAccount.objects.get(id=case.account).customer
    customer.country, customer.address, customer.city, customer.zip_code = "FR", "1 rue X", "Lyon", "69001"
    customer.save()
    contact(case, name="A", email="a@example.com")
    contact(case, name="B", email="b@example.com", language="it")
    found = ways(case.ctx(), [case.account])
    assert dict(found.select("address", "language").iter_rows())["b@example.com"] == "it"
    assert found.filter(channel="letter").select("address", "language").rows() == [
        ("1 rue X, 69001 Lyon", "en")
    ]


# --- go-live ----------------------------------------------------------------------------------------


@db
def test_what_is_missing_is_told_and_refused(case: Case) -> None:
    told = cut_over.state(case.ctx(), case.world.company.id)
    assert told.missing == ("playbook", "channel", "statement", "levels", "cutover")
    assert (told.old_items, told.without_level, told.is_live) == (2, 2, False)
    refused("cutover_not_ready", go_live, case.ctx(), case.world.company.id, DAY)
    refused("cutover_in_the_past", go_live, case.ctx(), case.world.company.id, date(2026, 3, 9))
    refused("cutover_too_far", go_live, case.ctx(), case.world.company.id, date(2028, 3, 9))
    assert rules_of(case.world.company.id).cutover_date is None


@db
def test_going_live_with_bands(case: Case) -> None:
    starting = Starting(bands={0: 1, 30: 2})
    after = go_live(case.ctx(), case.world.company.id, DAY, starting, accept_missing=True)
    assert after.is_live and "levels" not in after.missing and "cutover" not in after.missing
    levels = item_levels(case.ctx(), [case.account])
    assert levels.rows() == [(case.first, 2, DAY), (case.second, 1, DAY)]


@db
def test_levels_are_chosen_by_item_too_and_known_ones_stay(case: Case) -> None:
    company = case.world.company.id
    assert choose_levels(case.ctx(), company, Starting(items={case.first: 3})) == 2
    # Zero was chosen for the other: known, and no level.
    assert item_levels(case.ctx())["item_id"].to_list() == [case.first]
    assert known_items(case.ctx()).height == 2
    assert choose_levels(case.ctx(), company, Starting(bands={0: 1})) == 0
    assert choose_levels(case.ctx(), company, Starting(bands={0: 1}, only_new=False)) == 2
    assert item_levels(case.ctx())["level"].to_list() == [1, 1]
    refused("level_out_of_range", choose_levels, case.ctx(), company, Starting(bands={0: 10}))
    refused("starting_bands_invalid", choose_levels, case.ctx(), company, Starting(bands={0: 2, 30: 1}))
    refused("item_unknown", choose_levels, case.ctx(), company, Starting(items={case.third: 1}))


REMINDERS = """Elenco solleciti al 09/03/2026
Cod. cliente;N. documento;Rata;Livello sollecito;Data invio;Canale
Rossi S.r.l.;f-1;1;1;10/02/2026;e-mail
Rossi S.r.l.;F-1;1;2° sollecito;25/02/2026;e-mail
Rossi S.r.l.;F-2;;primo;01/03/2026;lettera
Nobody;F-2;;1;01/03/2026;
Rossi S.r.l.;F-99;;1;01/03/2026;
Rossi S.r.l.;F-2;7;1;01/03/2026;
Rossi S.r.l.;F-2;;12;01/03/2026;
Rossi S.r.l.;F-2;;1;31/02/2026;
Rossi S.r.l.;F-2;;1;11/03/2026;
"""


@db
def test_past_reminders_are_taken_in_row_by_row_and_only_once(case: Case) -> None:
    company = case.world.company.id
    told = import_reminders(case.ctx(), company, "solleciti.csv", REMINDERS.encode())
    assert (told.done, told.unchanged) == (2, 0)
    assert [(one.row, one.code) for one in told.rejections] == [
        (6, "reminder_customer_unknown"), (7, "reminder_document_unknown"), (8, "reminder_document_unknown"),
        (9, "reminder_level_unreadable"), (10, "date_impossible"), (11, "reminder_in_the_future"),
    ]  # fmt: skip
    for one in told.rejections:
        assert one.why("it") and one.remedy("it")
    expected = [(case.first, 2, date(2026, 2, 25)), (case.second, 1, date(2026, 3, 1))]
    assert item_levels(case.ctx()).rows() == expected
    again = import_reminders(case.ctx(), company, "solleciti.csv", REMINDERS.encode())
    assert (again.done, again.unchanged) == (0, 2)
    lower = "customer;number;level;date\nRossi S.r.l.;F-1;1;26/02/2026\n"
    assert import_reminders(case.ctx(), company, "x.csv", lower.encode()).done == 0
    assert item_levels(case.ctx()).rows() == expected


@db
def test_a_past_reminder_names_its_document_in_any_spelling_unless_two_fit(case: Case) -> None:
    one = case.world.invoice(case.account, "FT 12/2026", "100.00", due=date(2026, 2, 1))
    other = case.world.invoice(
        case.account, "FT 12/2025", "90.00", due=date(2025, 2, 1), day=date(2025, 1, 9)
    )
    twin = case.world.invoice(case.account, "A/31/2026", "80.00", due=date(2026, 2, 1))
    case.world.invoice(case.account, "B/31/2026", "70.00", due=date(2026, 2, 1))
    case.world.invoice(case.account, "FT 12/2027", "60.00", day=date(2026, 3, 2))
    rows = (
        "12/2026;1", "fattura n. 0012-25;2", "12;1", "31/2026;1", "A 31/26;3", "C 31/2026;1", "12/2024;1",
    )  # fmt: skip
    told = "customer;number;level;date\n" + "".join(
        f"Rossi S.r.l.;{number};{level};25/02/2026\n"
        for number, _, level in (row.partition(";") for row in rows)
    )
    done = import_reminders(case.ctx(), case.world.company.id, "solleciti.csv", told.encode())
    assert [(each.row, each.code) for each in done.rejections] == [
        (4, "reminder_document_ambiguous"), (5, "reminder_document_ambiguous"),
        (7, "reminder_document_unknown"), (8, "reminder_document_unknown"),
    ]  # fmt: skip
    assert "A/31/2026" in done.rejections[1].why("it") and "B/31/2026" in done.rejections[1].why("it")
    levels = item_levels(case.ctx()).select("item_id", "level").rows()
    assert sorted(levels) == sorted([(one, 1), (other, 2), (twin, 3)])


@db
def test_a_list_without_its_columns_is_refused_whole(case: Case) -> None:
    data = b"customer;number;date\nRossi S.r.l.;F-1;26/02/2026\n"
    refused("reminders_columns_missing", import_reminders, case.ctx(), case.world.company.id, "x.csv", data)
    refused("empty_file", import_reminders, case.ctx(), case.world.company.id, "x.csv", b"")


# --- prescription -----------------------------------------------------------------------------------


def formal_notice(case: Case, channel: str, day: date, state: str = "sent") -> int:
    message = Message.objects.create(
        company=case.world.company, account_id=case.account, key=f"{channel}{day}", channel=channel,
        purpose="formal_notice", currency="EUR", asked=1000, language="it", body="…", as_of=day, actor="anna",
        token=f"{channel}{day}", recorded_at=datetime.now(UTC),
    )  # fmt: skip
    MessageItem.objects.create(message=message, item_id=case.second, asked=1000, level=5)
    for each in ("queued", "sending", state):
        deliveries.add(stamped(case.ctx(day), case.world.company.id), message.id, each,
                       attempt=0 if each == "queued" else 1)  # fmt: skip
    return message.id


def clock_of(case: Case, item: int, day: date) -> dict[str, Any]:
    return prescription(case.ctx(day), [case.account]).filter(item_id=item).row(0, named=True)


@db
def test_the_term_runs_from_the_due_date_and_a_receipt_restarts_it(case: Case) -> None:
    told = clock_of(case, case.second, DAY)
    assert (told["expires_date"], told["proof"], told["number"]) == (date(2036, 2, 15), None, "F-2")
    pec = formal_notice(case, "pec", date(2026, 3, 1))
    assert clock_of(case, case.second, DAY)["proof"] is None
    inner = stamped(case.ctx(), case.world.company.id)
    eml = keep_document(inner, "consegna.eml", b"receipt")
    deliveries.add(
        inner, pec, "delivered", occurred_at=datetime(2026, 3, 1, 23, 30, tzinfo=UTC), document_id=eml
    )
    told = clock_of(case, case.second, DAY)
    assert (told["proof"], told["ref"], told["document_id"]) == ("pec_receipt", pec, eml)
    assert (told["interrupted_date"], told["expires_date"]) == (date(2026, 3, 2), date(2036, 3, 3))
    assert clock_of(case, case.first, DAY)["proof"] is None


@db
def test_the_card_of_a_registered_letter_restarts_it_and_a_reminder_by_email_does_not(case: Case) -> None:
    formal_notice(case, "email", date(2026, 2, 20), "sent")
    letter = formal_notice(case, "letter", date(2026, 3, 1), "printed")
    receipt = (letter, date(2026, 3, 4), "cartolina.pdf", b"%PDF scan")
    record_return_receipt(case.ctx(), *receipt)
    told = clock_of(case, case.second, DAY)
    assert (told["proof"], told["interrupted_date"]) == ("letter_receipt", date(2026, 3, 4))
    assert events_of("account", case.account)[0]["kind"] == "message.return_receipt"
    refused("receipt_date_invalid", record_return_receipt, case.ctx(), letter, date(2026, 2, 28))
    refused("receipt_date_invalid", record_return_receipt, case.ctx(), letter, date(2026, 3, 11))
    refused("receipt_not_for_letter", record_return_receipt, case.ctx(), letter - 1, DAY)
    refused("message_unknown", record_return_receipt, case.ctx(), 10**9, DAY)


@db
def test_a_promise_in_writing_acknowledges_the_debt_and_alerts_come_in_time(case: Case) -> None:
    old = case.world.invoice(case.account, "OLD", "70.00", due=date(2016, 6, 1), day=date(2016, 5, 1))
    told = clock_of(case, old, DAY)
    assert (told["expires_date"], told["days_left"], told["is_alert"]) == (date(2026, 6, 1), 83, True)
    record_promise(case.ctx(), case.account, "EUR", DAY, item_ids=[old], note="al telefono")
    assert clock_of(case, old, DAY)["proof"] is None
    document = keep_document(stamped(case.ctx(), case.world.company.id), "mail.eml", b"paghiamo")
    record_promise(case.ctx(), case.account, "EUR", DAY, item_ids=[old], document_id=document, replaces=True)
    told = clock_of(case, old, DAY)
    assert (told["proof"], told["expires_date"], told["is_alert"]) == ("promise", date(2036, 3, 10), False)
    change_rules(case.ctx(), case.world.company.id, prescription_years={"installment": 1})
    over = prescription(case.ctx(), alerts_only=True)
    assert over.select("number", "is_expired").rows() == [("OLD", True)]
    soon = prescription(case.ctx(date(2026, 9, 1)), alerts_only=True)
    assert soon["number"].to_list() == ["OLD", "F-1", "F-2"]


@db
def test_promises_reach_the_book_that_features_read(case: Case) -> None:
    case.promise(DAY, 500_000)
    book = gather_book(case.ctx())
    told = book.promises.select("item_id", "amount_mills", "promised_date", "known_date").rows()
    assert told == [(case.first, 400_000, DAY, DAY), (case.second, 100_000, DAY, DAY)]


# --- two at once ------------------------------------------------------------------------------------


def at_once(*works: Callable[[], Any]) -> list[Any]:
    results: list[Any] = [None] * len(works)
    ready = threading.Barrier(len(works))

    def run(place: int) -> None:
        try:
            connection.ensure_connection()
            ready.wait(20)
            results[place] = works[place]()
        except Exception as error:
            results[place] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[place]) for place in range(len(works))]
    [thread.start() for thread in threads]
    [thread.join(60) for thread in threads]
    assert not any(thread.is_alive() for thread in threads)
    return results


@pytest.mark.usefixtures("committed_db")
def test_of_two_people_at_once_the_second_sees_what_the_first_did() -> None:
    case = Case()

    def dispute() -> int:
        return open_dispute(case.ctx(), case.account, [(case.first, 300_000)], "price")

    found = at_once(dispute, dispute, dispute)
    refusals = [one for one in found if isinstance(one, SaldoError)]
    assert [one.code for one in refusals] == ["dispute_exceeds"] * 2

    def promise(replaces: bool = False) -> int:
        return record_promise(
            case.ctx(), case.account, "EUR", DAY, item_ids=[case.second], replaces=replaces
        )  # fmt: skip

    made = at_once(*[promise] * 4)
    refused = [one.code for one in made if isinstance(one, SaldoError)]
    assert refused == ["item_promised"] * 3 and Promise.objects.count() == 1, made
    # Whoever says so puts theirs in its place: the last one counts, once.
    made = at_once(*[lambda: promise(replaces=True)] * 3)
    assert all(isinstance(one, int) for one in made), made
    assert Promise.objects.count() == 4
    assert case.blocked(code="promised") == {case.second: 1_000_000}

    company = case.world.company.id
    caps = at_once(
        lambda: change_rules(case.ctx(), company, daily_cap=7),
        lambda: change_rules(case.ctx(), company, rest_days=9),
    )
    assert all(isinstance(one, SendingRules) for one in caps), caps
    assert (rules_of(company).daily_cap, rules_of(company).rest_days) == (7, 9)
