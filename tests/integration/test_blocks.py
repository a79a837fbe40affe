"""Promises, plans, disputes, holds, claims: what people record, and what it keeps out of dunning."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from saldo.cash.claims import claims_of, end_claim, open_claims, record_claim
from saldo.cash.models import MatchProposal, Remittance
from saldo.collection.holds import end_hold, hold, holds_of
from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.core.money import Money
from saldo.core.sending import CASH_FIRST, DISPUTED, HELD, PLANNED, PROMISED, SendingRules
from saldo.disputes.operations import end_dispute, open_deduction, open_dispute
from saldo.disputes.queries import disputes_of, objections
from saldo.flows import blocks as flow
from saldo.flows.judged_promises import promise_entries
from saldo.identity.operations import ensure_model_version, stamped
from saldo.identity.queries import events_of
from saldo.ledger import entries
from saldo.promises.operations import end_plan, end_promise, record_plan, record_promise
from saldo.promises.plan_facts import plans_of
from saldo.promises.queries import promises_of
from tests.cash_world import World, context

pytestmark = pytest.mark.django_db
RULES = SendingRules()
DAY = date(2026, 3, 10)


class Case:
    """An account with two overdue invoices (400 and 1000) and one not due yet (600)."""

    def __init__(self) -> None:
        self.world = World()
        self.account = self.world.account("Rossi S.r.l.", vat="IT01234567897")
        self.first = self.world.invoice(self.account, "F-1", "400.00", due=date(2026, 2, 1))
        self.second = self.world.invoice(self.account, "F-2", "1000.00", due=date(2026, 2, 15))
        self.third = self.world.invoice(self.account, "F-3", "600.00", due=date(2026, 4, 15))

    def ctx(self, day: date = DAY) -> Context:
        return context(day).within(self.world.company.id)

    def pay(self, item: int, amount: str, day: date) -> None:
        money = Money(Decimal(amount), "EUR")
        shares = [entries.Share(item, money.amount)]
        entries.record_payment(self.ctx(day), self.account, money, shares, booking_date=day)

    def blocked(self, day: date = DAY, code: str | None = None) -> dict[int, int | None]:
        """{item: mills} of the blocks of a day (of one reason)."""
        found = flow.blocks(self.ctx(day), RULES)
        return {
            row["item_id"]: row["mills"] for row in found.iter_rows(named=True) if code in (None, row["code"])
        }

    def covers(self, day: date = DAY) -> list[tuple[str, int | None]]:
        found = flow.covers(self.ctx(day)).filter(account_id=self.account)
        return sorted((row["code"], row["mills"]) for row in found.iter_rows(named=True))

    def promise(
        self, by: date, mills: int | None = None, *items: int, day: date = DAY, replaces: bool = False
    ) -> int:
        return record_promise(self.ctx(day), self.account, "EUR", by, mills, items, replaces=replaces)


@pytest.fixture
def case() -> Case:
    return Case()


def refused(code: str, work: Any, *args: Any, **named: Any) -> None:
    with pytest.raises(SaldoError) as told:
        work(*args, **named)
    assert told.value.code == code


# --- promises ---------------------------------------------------------------------------------------


def test_a_promise_takes_the_oldest_overdue_first_and_only_its_amount_leaves_dunning(case: Case) -> None:
    case.promise(DAY + timedelta(days=5), 700_000)
    assert case.blocked(code=PROMISED) == {case.first: 400_000, case.second: 300_000}
    (row,) = promises_of(case.ctx(), case.account)
    assert (row.amount, row.remaining, row.state, row.level) == (Decimal(700), Decimal(700), "open", 1)
    assert events_of("account", case.account)[0]["kind"] == "promise.recorded"


def test_a_promise_without_amount_is_about_all_that_is_overdue(case: Case) -> None:
    case.promise(DAY)
    assert case.blocked() == {case.first: 400_000, case.second: 1_000_000}


def test_what_is_paid_on_a_promise_is_expected_no_more_and_what_comes_back_is_again(case: Case) -> None:
    case.promise(DAY + timedelta(days=5), 700_000, case.second)
    later = DAY + timedelta(days=2)
    case.pay(case.second, "250.00", later)
    assert case.blocked(later) == {case.second: 450_000}
    entries.reverse_allocation(case.ctx(later), case.second, Decimal("250.00"), "insoluto")
    assert case.blocked(later) == {case.second: 700_000}
    assert case.blocked(DAY) == {case.second: 700_000}


def test_a_promise_is_waited_for_until_its_tolerance_and_until_the_statements_reach_it(case: Case) -> None:
    case.promise(date(2026, 3, 15), None, case.first)
    assert case.blocked(date(2026, 3, 18)) == {case.first: 400_000}
    assert case.blocked(date(2026, 3, 19)) == {}
    states = flow.account_states(case.ctx(date(2026, 3, 19)), RULES)
    assert states.rows() == [(case.account, "broken", False, False)]
    broken = promise_entries(case.ctx(date(2026, 3, 19)), rules=RULES)
    assert broken.rows() == [(case.account, "promise_broken", date(2026, 3, 19))]
    # A statement to the 17th: whether it was kept on the 18th nobody knows.
    case.world._statement("S1", to_date=date(2026, 3, 17))
    assert flow.booked_until(case.ctx()) == date(2026, 3, 17)
    assert case.blocked(date(2026, 3, 25)) == {case.first: 400_000}
    assert promise_entries(case.ctx(date(2026, 3, 25)), rules=RULES).is_empty()


def test_a_new_promise_takes_the_place_of_the_older_ones_part(case: Case) -> None:
    old = case.promise(date(2026, 3, 12), None, case.first, case.second)
    refused("item_promised", case.promise, date(2026, 3, 20), None, case.first)
    refused("item_promised", case.promise, date(2026, 3, 20))
    new = case.promise(date(2026, 3, 20), None, case.first, replaces=True)
    parts = flow.blocks(case.ctx(), RULES).sort("item_id").select("item_id", "ref").rows()
    assert parts == [(case.first, new), (case.second, old)]
    third = case.promise(date(2026, 3, 25), 1_400_000, replaces=True)
    told = {row.id: (row.state, row.ended) for row in promises_of(case.ctx(), case.account)}
    assert told == {old: ("void", "replaced"), new: ("void", "replaced"), third: ("open", "")}
    # What had never been promised replaced nothing.
    end_promise(case.ctx(), third, "mistake")
    parts = flow.blocks(case.ctx(), RULES).sort("item_id").select("item_id", "ref").rows()
    assert parts == [(case.first, new), (case.second, old)]


def test_the_level_counts_promises_that_are_put_off(case: Case) -> None:
    case.promise(date(2026, 3, 12), None, case.first)
    case.promise(date(2026, 3, 16), None, case.first, day=date(2026, 3, 14))  # its day had gone by
    case.promise(date(2026, 3, 30), None, case.first, day=date(2026, 3, 15), replaces=True)  # a later day
    case.promise(date(2026, 3, 29), None, case.first, day=date(2026, 3, 15), replaces=True)  # an earlier one
    rows = promises_of(case.ctx(date(2026, 3, 15)), case.account)
    assert [row.level for row in rows] == [3, 3, 2, 1]


def test_promises_that_cannot_be_are_refused(case: Case) -> None:
    refused("promise_in_the_past", case.promise, DAY - timedelta(days=1))
    refused("promise_too_far", case.promise, DAY + timedelta(days=400))
    refused("promise_beyond_balance", case.promise, DAY, 400_010, case.first)
    refused("promise_beyond_balance", case.promise, DAY, 2_000_010)
    refused("stated_amount_invalid", case.promise, DAY, 0)
    refused("stated_amount_invalid", case.promise, DAY, 1)
    other = case.world.account("Bianchi")
    theirs = case.world.invoice(other, "B-1", "10.00")
    dollars = case.world.invoice(case.account, "F-USD", "10.00", currency="USD")
    refused("item_not_of_account", case.promise, DAY, None, theirs)
    refused("item_currency_differs", case.promise, DAY, None, dollars)
    refused("item_unknown", case.promise, DAY, None, 10**9)
    case.pay(case.first, "400.00", DAY)
    refused("item_closed", case.promise, DAY, None, case.first)
    refused("nothing_to_promise", record_promise, case.ctx(), other, "CHF", DAY)
    refused("account_unknown", record_promise, case.ctx(), 10**9, "EUR", DAY)
    assert case.blocked() == {}


def test_a_promise_ends_once(case: Case) -> None:
    promise = case.promise(DAY)
    refused("outcome_unknown", end_promise, case.ctx(), promise, "kept")
    end_promise(case.ctx(DAY + timedelta(days=1)), promise, "withdrawn", "non paga più")
    refused("promise_ended", end_promise, case.ctx(), promise, "mistake")
    assert case.blocked(DAY) and not case.blocked(DAY + timedelta(days=1))


# --- plans ------------------------------------------------------------------------------------------


def test_a_plan_covers_the_whole_of_its_items_until_it_ends(case: Case) -> None:
    schedule = [(date(2026, 4, 1), 700_000), (date(2026, 5, 1), 700_000)]
    plan = record_plan(case.ctx(), case.account, "EUR", schedule, [case.first, case.second])
    assert case.blocked(code=PLANNED) == {case.first: 400_000, case.second: 1_000_000}
    case.pay(case.first, "400.00", date(2026, 3, 30))
    (row,) = plans_of(case.ctx(date(2026, 4, 2)), case.account)
    assert (row.due, row.late, row.remaining) == (Decimal(700), Decimal(300), Decimal(1000))
    assert case.blocked(date(2026, 6, 1)) == {case.second: 1_000_000}
    end_plan(case.ctx(date(2026, 6, 1)), plan, "fallen")
    assert case.blocked(date(2026, 6, 1)) == {}


def test_plans_that_cannot_be_are_refused(case: Case) -> None:
    def plan(*schedule: tuple[date, int], items: tuple[int, ...] = (case.first,)) -> int:
        return record_plan(case.ctx(), case.account, "EUR", schedule, items)

    april, may = date(2026, 4, 1), date(2026, 5, 1)
    refused("plan_sum_differs", plan, (april, 200_000), (may, 199_990))
    refused("plan_dates_invalid", plan, (may, 200_000), (april, 200_000))
    refused("plan_dates_invalid", plan, (date(2026, 3, 1), 400_000))
    refused("plan_dates_invalid", plan)
    refused("stated_amount_invalid", plan, (april, 400_010), (may, -10))
    refused("plan_without_items", plan, (april, 400_000), items=())
    plan((april, 400_000))
    refused("item_in_plan", plan, (may, 1_400_000), items=(case.first, case.second))


# --- disputes ---------------------------------------------------------------------------------------


def test_a_small_dispute_leaves_the_rest_to_be_asked_for(case: Case) -> None:
    dispute = open_dispute(
        case.ctx(), case.account, [(case.second, 50_000)], "price", "prezzo errato", claimed_mills=61_000
    )
    assert case.blocked(code=DISPUTED) == {case.second: 50_000}
    (row,) = disputes_of(case.ctx(), case.account)
    assert (row.amount, row.claimed_amount, row.state) == (Decimal(50), Decimal(61), "open")
    end_dispute(case.ctx(DAY + timedelta(days=3)), dispute, "refused")
    assert case.blocked(DAY + timedelta(days=3)) == {}
    told = objections(case.ctx(DAY + timedelta(days=3)))
    assert told.rows() == [(case.second, 50_000, DAY + timedelta(days=3), DAY)]


def test_disputes_never_exceed_what_is_open(case: Case) -> None:
    def dispute(mills: int | None, item: int = case.first) -> int:
        return open_dispute(case.ctx(), case.account, [(item, mills)], "quality")

    refused("dispute_exceeds", dispute, 400_010)
    dispute(300_000)
    refused("dispute_exceeds", dispute, 100_010)
    dispute(None)
    refused("dispute_exceeds", dispute, None)
    # A deduction on the same item says the same thing: together they are never more than the item.
    open_deduction(stamped(case.ctx(), case.world.company.id), case.first, 400_000)
    found = flow.blocks(case.ctx(), RULES).filter(item_id=case.first)
    assert found["mills"].sum() == 400_000
    case.pay(case.second, "1000.00", DAY)
    refused("item_closed", dispute, None, case.second)
    refused("dispute_reason_unknown", open_dispute, case.ctx(), case.account, [(case.first, 1)], "boh")
    refused("dispute_without_items", open_dispute, case.ctx(), case.account, [], "price")


# --- holds, claims ----------------------------------------------------------------------------------


def test_a_hold_of_the_account_takes_all_that_it_owes_and_ends_on_its_day(case: Case) -> None:
    held = hold(case.ctx(), case.account, date(2026, 3, 20), "relationship")
    assert case.blocked(date(2026, 3, 20), HELD) == {case.first: None, case.second: None, case.third: None}
    assert case.blocked(date(2026, 3, 21)) == {}
    end_hold(case.ctx(date(2026, 3, 12)), held)
    assert case.blocked(date(2026, 3, 11)) and not case.blocked(date(2026, 3, 12))
    assert [row.state for row in holds_of(case.ctx(date(2026, 3, 11)), case.account)] == ["open"]
    refused("hold_ended", end_hold, case.ctx(), held)


def test_a_hold_of_one_item_and_holds_that_cannot_be(case: Case) -> None:
    hold(case.ctx(), case.account, DAY, "documents", item_id=case.second)
    assert case.blocked() == {case.second: None}
    refused("hold_ends_before", hold, case.ctx(), case.account, DAY - timedelta(days=1), "other")
    refused("hold_too_long", hold, case.ctx(), case.account, DAY + timedelta(days=367), "other")
    refused("hold_reason_unknown", hold, case.ctx(), case.account, DAY, "boh")
    other = case.world.account("Bianchi")
    refused("item_not_of_account", hold, case.ctx(), other, DAY, "other", case.second)


def test_what_is_said_to_be_paid_goes_to_the_cash_desk_first(case: Case) -> None:
    whole = record_claim(case.ctx(), case.account, "EUR", [case.first])
    part = record_claim(case.ctx(), case.account, "EUR", [case.second, case.third], amount_mills=1_200_000)
    assert case.blocked(code=CASH_FIRST) == {case.first: None, case.second: 1_000_000, case.third: 200_000}
    assert [row.id for row in open_claims(case.ctx())] == [whole, part]
    end_claim(case.ctx(), whole, "not_found")
    end_claim(case.ctx(), part, "mistake")
    assert case.blocked() == {} and claims_of(case.ctx(), case.account)[1].state == "not_found"
    nameless = record_claim(case.ctx(), case.account, "EUR")
    assert case.covers() == [("claimed", None)] and case.blocked() == {}
    end_claim(case.ctx(), nameless, "found")
    refused("claim_ended", end_claim, case.ctx(), nameless, "found")


def test_claims_that_cannot_be_are_refused(case: Case) -> None:
    refused("claim_for_nothing", record_claim, case.ctx(), case.world.account("Bianchi"), "EUR")
    refused("claim_in_the_future", record_claim, case.ctx(), case.account, "EUR",
            paid_date=DAY + timedelta(days=1))  # fmt: skip
    case.pay(case.first, "400.00", DAY)
    refused("item_closed", record_claim, case.ctx(), case.account, "EUR", [case.first])
    refused("stated_amount_invalid", record_claim, case.ctx(), case.account, "EUR", amount_mills=-5)


# --- money that could cover -------------------------------------------------------------------------


def test_unapplied_cash_and_credit_notes_cover(case: Case) -> None:
    entries.record_payment(case.ctx(), case.account, Money(Decimal("120.00"), "EUR"), booking_date=DAY)
    case.world.credit_note(case.account, "NC-1", "30.00")
    assert case.covers() == [("credit_note", 30_000), ("unapplied", 120_000)]


def test_an_announced_payment_covers_until_its_money_comes(case: Case) -> None:
    def advice(key: str, **more: Any) -> None:
        values = {"company_id": case.world.company.id, "medium": "mail", "received_date": DAY, "key": key,
                  "payment_date": DAY, "currency": "EUR", "recorded_at": context().clock()}  # fmt: skip
        Remittance.objects.create(**values | more)

    advice("a", payer_vat="IT01234567897", total=Decimal(400))
    case.world.invoice(case.account, "FT 0031/2026", "1000.00")
    advice("b", lines=[{"number": "ft-31/2026", "paid_mills": 1_000_000}])
    advice("c", payer_name="Nobody We Know", total=Decimal(77))
    assert case.covers() == [("announced", 400_000), ("announced", 1_000_000)]
    assert case.covers(DAY + timedelta(days=60)) == []
    case.world.line("400.00", day=DAY + timedelta(days=1))
    assert case.covers() == [("announced", 1_000_000)]


@pytest.mark.parametrize("probability", [0.8, 0.98])
def test_what_a_waiting_line_seems_to_pay_of_an_item_is_not_asked_for(case: Case, probability: float) -> None:
    """The item that the best proposal names, not the oldest; where that is sure, nothing else waits."""
    line = case.world.line("950.00", "F-2 meno spese", day=DAY)
    version = ensure_model_version(case.ctx(), "cash", "test", {})
    MatchProposal.objects.create(
        transaction_id=line, run=1, rank=1, kind="match", zone="propose", account_id=case.account,
        shares=[{"item": case.second, "mills": 950_000}], probability=probability, pattern="x",
        model_version=version, recorded_at=context().clock(),
    )  # fmt: skip
    found = flow.blocks(case.ctx(), SendingRules())
    assert found.select("item_id", "code", "mills").rows() == [(case.second, "cash_first", 950_000)]
    assert case.covers() == ([] if probability > 0.9 else [("bank_line", 950_000)])
    assert flow.blocks(case.ctx(), SendingRules(), [case.account + 1]).is_empty()


def test_an_item_of_exactly_the_amount_of_a_line_that_nobody_understands_is_not_asked_for(case: Case) -> None:
    odd = case.world.invoice(case.account, "F-4", "1301.37", due=date(2026, 2, 20))
    line = case.world.line("1301.37", "saldo a vs favore", day=DAY)
    case.world.line("1000.00", "saldo", day=DAY)
    other = case.world.account("Capogruppo S.p.A.", vat="IT09876543217")
    assert case.blocked(code="cash_first") == {odd: 1_301_370}
    assert case.blocked(DAY - timedelta(days=1)) == {}
    version = ensure_model_version(case.ctx(), "cash", "test", {})
    told = {"zone": "propose", "probability": 0.7, "pattern": "x", "model_version": version,
            "recorded_at": context().clock(), "transaction_id": line}  # fmt: skip
    MatchProposal.objects.create(run=1, rank=1, kind="on_account", account_id=other, shares=[], **told)
    assert case.blocked(code="cash_first") == {odd: 1_301_370}
    own = {**told, "kind": "on_account", "account_id": case.account, "shares": []}
    MatchProposal.objects.create(run=2, rank=1, **own)
    # Now it is money of the account itself, which covers an item of its amount once.
    assert case.blocked(code="cash_first") == {} and case.covers() == [("bank_line", 1_301_370)]


def test_a_line_that_waits_at_the_cash_desk_covers_until_it_is_posted(case: Case) -> None:
    line = case.world.line("950.00", "F-2 meno spese", day=DAY)
    version = ensure_model_version(case.ctx(), "cash", "test", {})
    MatchProposal.objects.create(
        transaction_id=line, run=1, rank=1, kind="match", zone="propose", account_id=case.account,
        shares=[{"item": case.second, "mills": 950_000}], probability=0.8, pattern="x",
        model_version=version, recorded_at=context().clock(),
    )  # fmt: skip
    assert case.covers() == [("bank_line", 950_000)]
    then = replace(case.ctx(), known_at=context().clock())
    from saldo.cash.plans import MANUAL, Planned
    from saldo.cash.postings import post
    from saldo.core.matching.records import Share

    post(case.ctx(), Planned(line, case.account, (Share(case.second, 950_000),), (), mode=MANUAL))
    assert case.covers() == []
    # As it was known then, and as it is known now by the postings themselves.
    assert flow.covers(then)["code"].to_list() == ["bank_line"]
    assert flow.covers(replace(then, known_at=context().clock())).is_empty()


def test_the_account_that_reaches_least_far_decides_what_is_known(case: Case) -> None:
    assert flow.booked_until(case.ctx()) is None
    case.world._statement("S1", to_date=date(2026, 3, 9))
    case.world._statement("S2", to_date=date(2026, 3, 12), is_quarantined=True)
    assert flow.booked_until(case.ctx()) == date(2026, 3, 9)
    from saldo.cash.models import BankAccount, Statement

    second = BankAccount.objects.create(
        company=case.world.company, name="2", iban="", number="77", recorded_at=context().clock()
    )
    Statement.objects.create(
        bank_account=second, kind="booked", identity="X", currency="EUR", lines=0, to_date=date(2026, 3, 4),
        recorded_at=context().clock(),
    )  # fmt: skip
    assert flow.booked_until(case.ctx()) == date(2026, 3, 9)
    case.world.line("10.00", day=date(2026, 3, 9))
    assert flow.booked_until(case.ctx()) == date(2026, 3, 9)
    case.world.line("10.00", day=date(2026, 3, 3), bank_account=second)
    assert flow.booked_until(case.ctx()) == date(2026, 3, 4)


# --- append-only ------------------------------------------------------------------------------------


def test_what_was_recorded_stays(case: Case) -> None:
    case.promise(DAY)
    open_dispute(case.ctx(), case.account, [(case.first, None)], "price")
    hold(case.ctx(), case.account, DAY, "other")
    record_claim(case.ctx(), case.account, "EUR")
    tables = (
        "promises_promise", "promises_promiseitem", "disputes_dispute", "disputes_disputeitem",
        "collection_hold", "cash_paidclaim",
    )  # fmt: skip
    for table in tables:
        for change in (f"DELETE FROM {table}", f"UPDATE {table} SET id = id"):
            refusal = pytest.raises(DatabaseError, match="append-only")
            with refusal, transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(change)
