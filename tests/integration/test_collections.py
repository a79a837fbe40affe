"""Receipts and direct debits from presentation to safety or return, on the real ledger."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.core.money import Money
from saldo.formats.bank_records import CollectionFlow, CollectionOutcome

pytestmark = pytest.mark.usefixtures("db")

EUR = "EUR"


def D(text: str) -> date:
    return date.fromisoformat(text)


@dataclass
class World:
    """A company with an account at a bank, customers, and days on which things happen."""

    make_ctx: Any
    company: Any = None
    bank: Any = None
    accounts: dict[str, int] = field(default_factory=dict)
    items: dict[str, int] = field(default_factory=dict)
    statement: Any = None
    lines: int = 0

    def ctx(self, day: str) -> Context:
        ctx: Context = self.make_ctx(day)
        return ctx.within(self.company.id) if self.company else ctx

    def invoice(self, day: str, code: str, number: str, amount: str, due: str, method: str = "MP12") -> int:
        from saldo.ledger.entries import record_invoice

        made = record_invoice(
            self.ctx(day), self.accounts[code], number, Money(Decimal(amount), EUR),
            [(D(due), Decimal(amount))], document_date=D(day), payment_method=method,
        )  # fmt: skip
        self.items[number] = made.item_ids[0]
        return made.item_ids[0]

    def line(self, day: str, amount: str, text: str, code: str = "", **more: Any) -> int:
        from saldo.cash.models import BankTransaction

        self.lines += 1
        made = BankTransaction.objects.create(
            company_id=self.company.id, bank_account_id=self.bank.id, statement=self.statement, kind="booked",
            key=f"line {self.lines}", ordinal=self.lines, booking_date=D(day), amount=Decimal(amount),
            currency=EUR, text=text, code=code, recorded_at=self.ctx(day).clock(), **more,
        )  # fmt: skip
        return int(made.id)

    def apply(self, day: str) -> Any:
        from saldo.flows.collect import apply_lines

        return apply_lines(self.ctx(day), self.company.id)

    def flow(self, day: str, kind: str, *receipts: tuple[str, str, str, str, str]) -> Any:
        """receipts: number, amount, due, outcome, debt."""
        from saldo.flows.collect import take_in_flow

        outcomes = tuple(
            CollectionOutcome(
                n, receipt, int(Decimal(amount) * 1000), D(due), "30000", outcome, "C1", "Alfa Esempio Srl",
                "07771010159", debt, "99995", "01600",
            )
            for n, (receipt, amount, due, outcome, debt) in enumerate(receipts, start=1)
        )  # fmt: skip
        presented = kind == "riba-presented"
        flow = CollectionFlow(
            kind, "AB012" if presented else "99991", "99991" if presented else "AB012", D(day),
            f"RB{day.replace('-', '')}000042" if presented else f"ES{day}", outcomes,
            sum(one.amount_mills for one in outcomes),
        )  # fmt: skip
        return take_in_flow(self.ctx(day), flow, None)

    def balance(self, number: str, day: str) -> Decimal:
        from saldo.ledger.queries import open_items

        found = open_items(self.ctx(day)).filter(pl.col("item_id") == self.items[number])
        return Decimal(found["balance_mills"][0]) / 1000 if found.height else Decimal(0)

    def totals(self, day: str) -> dict[str, Any]:
        from saldo.ledger.queries import totals

        found = totals(self.ctx(day)).to_dicts()
        return found[0] if found else {"open_mills": 0, "credits_mills": 0, "overdue_mills": 0}

    def state(self, receipt: str = "") -> str:
        from saldo.cash.collections import orders

        found = [o for o in orders(self.ctx("2026-12-31"), all_days=True) if receipt in o.receipt]
        (order,) = found
        return str(order.state)

    def against(self, number: str) -> list[tuple[str, Decimal]]:
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT c.kind, sum(a.amount) FROM ledger_allocation a JOIN ledger_item c "
                "ON c.id = a.credit_item_id WHERE a.debit_item_id = %s GROUP BY c.kind "
                "HAVING sum(a.amount) <> 0 ORDER BY 1",
                [self.items[number]],
            )
            return [(kind, amount) for kind, amount in cursor.fetchall()]

    def settle(self, day: str) -> Any:
        from saldo.flows.collect import settle

        return settle(self.ctx(day), self.company.id)

    def in_flight(self, day: str) -> list[int]:
        from saldo.cash.collections import in_flight

        return in_flight(self.ctx(day))["item_id"].to_list()


@pytest.fixture
def world(make_ctx: Any) -> World:
    return make_world(make_ctx)


def make_world(make_ctx: Any) -> World:
    from saldo.cash.models import BankAccount, Statement
    from saldo.identity.operations import ensure_company
    from saldo.parties.models import Customer, CustomerAccount

    world = World(make_ctx)
    ctx = make_ctx("2026-01-01")
    world.company = ensure_company(ctx, "OFF", "Officine Esempio Srl", EUR, "IT07771000150")
    world.bank = BankAccount.objects.create(
        company_id=world.company.id, name="Banca", iban="IT96A9999111200000000555001", abi="99991",
        cab="11200", number="000000555001", sia="AB012", bic="IMMGIT2XXXX", creditor_id="IT90ZZZ07770001018",
        recorded_at=ctx.clock(),
    )  # fmt: skip
    world.statement = Statement.objects.create(
        bank_account=world.bank, kind="booked", identity="S1", currency=EUR, lines=0, recorded_at=ctx.clock()
    )
    for code, name, vat in (
        ("C1", "Alfa Esempio Srl", "IT07771010159"),
        ("C2", "Beta Prova Spa", "IT07771020158"),
    ):
        customer = Customer.objects.create(
            name=name, search_text=name.lower(), sort_name=name.lower(), vat_number=vat, country="IT",
            address="Via Uno 1", zip_code="00100", city="Roma", province="RM",
        )  # fmt: skip
        account = CustomerAccount.objects.create(
            company_id=world.company.id, customer=customer, code=code, recorded_at=ctx.clock()
        )
        world.accounts[code] = account.id
    return world


SLIP = ("0000000015", "1000.00", "2026-03-31", "presented", "FATT. 7/26 DEL 05/01/2026 RATA 1")


def presented(world: World) -> None:
    world.invoice("2026-01-05", "C1", "7/26", "1000.00", "2026-03-31")
    taken = world.flow("2026-03-02", "riba-presented", SLIP)
    assert (taken.done, taken.unchanged, taken.rejections, taken.notices) == (1, 0, (), ())


def test_advance_before_the_due_date_is_not_a_payment(world: World) -> None:
    presented(world)
    world.line("2026-03-10", "1000.00", "ACCREDITO DISTINTA 000042 SBF", "30")
    told = world.apply("2026-03-10")
    assert told.slips == 1 and not told.waiting
    assert world.balance("7/26", "2026-03-10") == 1000 and world.in_flight("2026-03-10") == [
        world.items["7/26"]
    ]
    assert world.settle("2026-03-30").provisional == 0
    assert world.settle("2026-03-31").provisional == 1
    assert world.balance("7/26", "2026-03-30") == 1000 and world.balance("7/26", "2026-03-31") == 0
    assert world.against("7/26") == [("provisional_payment", Decimal("1000.000"))]


def test_safe_days_make_it_paid(world: World) -> None:
    from saldo.cash.collections import at_risk

    presented(world)
    world.line("2026-03-31", "1000.00", "RIBA DISTINTA 000042 N. 1", "30")
    world.apply("2026-04-01")
    assert world.state() == "provisional"
    assert at_risk(world.ctx("2026-04-02")).to_dicts() == [
        {"account_id": world.accounts["C1"], "currency": EUR, "at_risk_mills": 1_000_000}
    ]
    # Easter: 3 and 6 April are no banking days; the tenth banking day after 31 March is 16 April.
    assert world.settle("2026-04-16").paid == 0
    assert world.settle("2026-04-17").paid == 1 and world.settle("2026-04-17").paid == 0
    assert world.against("7/26") == [("payment", Decimal("1000.000"))]
    assert world.balance("7/26", "2026-03-31") == 0 and world.balance("7/26", "2026-03-30") == 1000
    assert at_risk(world.ctx("2026-04-17")).is_empty() and world.in_flight("2026-04-17") == []
    assert world.totals("2026-04-17")["credits_mills"] == 0


@pytest.mark.parametrize("stage", ["in flight", "provisional", "paid"])
def test_insoluto_reopens_at_the_original_due_date(world: World, stage: str) -> None:
    presented(world)
    if stage != "in flight":
        world.line("2026-03-31", "1000.00", "RIBA DISTINTA 000042 N. 1", "30")
        world.apply("2026-04-01")
    day = "2026-04-02"
    if stage == "paid":
        world.settle("2026-04-30")
        day = "2026-05-04"
    world.line(day, "-1000.00", "INSOLUTO RIBA FATT. 7/26", "37", payer_name="ALFA ESEMPIO SRL")
    world.line(day, "-6.50", "COMMISSIONI SU INSOLUTO", "16")
    told = world.apply(day)
    assert (told.returns, told.fees, told.waiting) == (1, 1, [])
    assert world.state() == "returned" and world.balance("7/26", day) == 1000
    totals = world.totals(day)
    assert totals["open_mills"] == totals["overdue_mills"] == 1_000_000 and totals["credits_mills"] == 0
    assert totals["oldest_due_date"] == D("2026-03-31")
    if stage != "in flight":
        assert world.totals("2026-04-01")["open_mills"] == 0
    # Time changes nothing more, and the same line is not open any more.
    world.settle("2026-12-31")
    assert world.balance("7/26", "2026-12-31") == 1000 and world.apply("2026-12-31").done == []


def test_the_fee_is_charged_only_where_it_was_agreed(world: World) -> None:
    from saldo.cash.collections import set_rules
    from saldo.identity.queries import events_of

    presented(world)
    set_rules(world.ctx("2026-01-01"), world.company.id, recharge_fees=True)
    world.line("2026-04-02", "-1000.00", "INSOLUTO RIBA FATT. 7/26", "37")
    world.line("2026-04-02", "-6.50", "COMMISSIONI SU INSOLUTO", "16")
    world.apply("2026-04-02")
    assert world.totals("2026-04-02")["open_mills"] == 1_006_500
    events = [
        one["data"] for one in events_of("account", world.accounts["C1"]) if one["kind"] == "cash.return_fee"
    ]
    assert [(one["amount"], one["is_charged"]) for one in events] == [("6.50", True)]


def test_an_undone_fee_is_charged_once(world: World) -> None:
    from saldo.cash.collections import set_rules
    from saldo.cash.undoing import undo

    presented(world)
    set_rules(world.ctx("2026-01-01"), world.company.id, recharge_fees=True)
    world.line("2026-04-02", "-1000.00", "INSOLUTO RIBA FATT. 7/26", "37")
    fee = world.line("2026-04-02", "-6.50", "COMMISSIONI SU INSOLUTO", "16")
    world.apply("2026-04-02")
    undo(world.ctx("2026-04-03"), fee)
    assert world.totals("2026-04-03")["open_mills"] == 1_000_000
    assert world.apply("2026-04-03").fees == 1
    assert world.totals("2026-04-03")["open_mills"] == 1_006_500


def test_a_transfer_booked_before_the_receipt_came_back_counts_from_the_return(world: World) -> None:
    """On the days between, the receipt had paid the item: the transfer was on account."""
    from saldo.cash.plans import AUTO, Planned
    from saldo.cash.postings import post_many
    from saldo.core.matching.records import Share

    presented(world)
    world.line("2026-03-31", "1000.00", "RIBA DISTINTA 000042 N. 1", "30")
    world.apply("2026-04-01")
    world.line("2026-04-08", "-1000.00", "INSOLUTO RIBA FATT. 7/26", "37")
    world.apply("2026-04-08")
    line = world.line("2026-04-03", "1000.00", "BONIFICO FATT 7/26")
    plan = Planned(line, world.accounts["C1"], (Share(world.items["7/26"], 1_000_000),), mode=AUTO)
    outcome = post_many(world.ctx("2026-04-08"), world.company.id, [plan])
    assert [(one.allocated_mills, one.unapplied_mills) for one in outcome.done] == [(1_000_000, 0)]
    assert [world.balance("7/26", f"2026-04-{day}") for day in ("02", "05", "08")] == [0, 0, 0]
    assert world.totals("2026-04-05")["credits_mills"] == 1_000_000
    assert world.totals("2026-04-08")["credits_mills"] == 0


def test_a_receipt_due_before_a_transfer_bounced_counts_from_then(world: World) -> None:
    from saldo.cash.postings import post_match
    from saldo.core.matching.records import Share

    presented(world)
    paid = world.line("2026-04-02", "1000.00", "BONIFICO FATT 7/26", end_to_end_id="X1")
    share = Share(world.items["7/26"], 1_000_000)
    post_match(world.ctx("2026-04-02"), paid, world.accounts["C1"], [share])
    world.line("2026-04-10", "-1000.00", "STORNO", is_reversal=True, end_to_end_id="X1")
    assert world.apply("2026-04-10").bounced == 1
    world.line("2026-03-31", "1000.00", "RIBA DISTINTA 000042 N. 1", "30")
    assert world.apply("2026-04-12").slips == 1
    assert world.state() == "provisional" and world.balance("7/26", "2026-04-12") == 0
    assert world.settle("2026-04-30").paid == 1
    assert world.against("7/26") == [("payment", Decimal("1000.000"))]
    assert world.totals("2026-04-30")["credits_mills"] == 0


def test_what_was_given_back_of_a_payment_that_bounces_is_owed(world: World) -> None:
    from saldo.cash.postings import post_on_account, post_refund

    came = world.line("2026-04-02", "100.00", "ACCONTO", end_to_end_id="X1")
    done = post_on_account(world.ctx("2026-04-02"), came, world.accounts["C1"])
    assert done.payment_item_id is not None
    out = world.line("2026-04-03", "-100.00", "RIMBORSO")
    post_refund(world.ctx("2026-04-03"), out, [done.payment_item_id])
    assert world.totals("2026-04-03")["open_mills"] == 0
    world.line("2026-04-07", "-100.00", "STORNO", is_reversal=True, end_to_end_id="X1")
    assert world.apply("2026-04-07").bounced == 1
    assert world.totals("2026-04-07")["open_mills"] == 100_000
    assert world.totals("2026-04-07")["credits_mills"] == 0


def test_a_second_line_for_a_credited_slip_is_other_money(world: World) -> None:
    from saldo.cash.collecting import SLIP as SLIP_LINE
    from saldo.cash.collecting import LineTold, Move, record
    from saldo.cash.collections import orders

    presented(world)
    (order,) = orders(world.ctx("2026-04-01"), all_days=True)
    first, second = (world.line("2026-03-31", "1000.00", "EFFETTI SBF", "30") for _ in range(2))

    def credited(line: int) -> None:
        """As a run decides that saw the slip before the other line was posted."""
        move = Move(order.id, "credited", D("2026-03-31"), transaction_id=line)
        record(world.ctx("2026-04-01"), world.company.id, [move], LineTold(line, SLIP_LINE))

    credited(first)
    with pytest.raises(SaldoError) as caught:
        credited(second)
    assert caught.value.code == "collection_batch_unknown"
    assert [one.transaction_id for one in world.apply("2026-04-02").waiting] == [second]


def test_a_return_is_told_by_one_line_and_a_payment_comes_back_once(world: World) -> None:
    from saldo.cash.bounces import record_bounce
    from saldo.cash.collecting import RETURN, LineTold, Move, record
    from saldo.cash.collections import orders
    from saldo.cash.postings import post_on_account
    from saldo.cash.undoing import undo

    presented(world)
    ctx, company = world.ctx("2026-04-02"), world.company.id
    (order,) = orders(ctx, all_days=True)
    first, second = (world.line("2026-04-02", "-1000.00", "EFFETTI INSOLUTI", "37") for _ in range(2))

    def refused(line: int) -> str:
        with pytest.raises(SaldoError) as caught:
            record(
                ctx, company, [Move(order.id, "unpaid", D("2026-04-02"), "", line)], LineTold(line, RETURN)
            )
        return caught.value.code

    record(ctx, company, [Move(order.id, "unpaid", D("2026-04-02"), "", first)], LineTold(first, RETURN))
    assert refused(second) == "collection_order_ended" and refused(first) == "line_already_posted"
    came = world.line("2026-04-02", "100.00", "ACCONTO", end_to_end_id="X1")
    payment_id = post_on_account(ctx, came, world.accounts["C1"]).payment_id
    undo(ctx, came)
    back = world.line("2026-04-07", "-100.00", "STORNO", is_reversal=True, end_to_end_id="X1")
    with pytest.raises(SaldoError) as caught:
        # As a run decides that saw the payment before it was undone.
        record_bounce(ctx, company, back, payment_id or 0, world.accounts["C1"])
    assert caught.value.code == "line_not_posted"


@pytest.mark.parametrize("mode", ["post", "by hand"])
def test_a_transfer_does_not_take_the_place_of_a_receipt_that_fell_due(world: World, mode: str) -> None:
    from saldo.cash.postings import post_match, post_on_account
    from saldo.core.matching.records import Share
    from saldo.ledger import entries

    presented(world)
    world.line("2026-03-31", "1000.00", "RIBA DISTINTA 000042 N. 1", "30")
    world.apply("2026-04-01")
    line, account = world.line("2026-03-20", "400.00", "BONIFICO"), world.accounts["C1"]
    with pytest.raises(SaldoError, match=r"more than|exceeds|than is"):
        if mode == "post":
            post_match(world.ctx("2026-04-01"), line, account, [Share(world.items["7/26"], 400_000)])
        else:
            done = post_on_account(world.ctx("2026-04-01"), line, account)
            share = entries.Share(world.items["7/26"], Decimal(400))
            entries.allocate(world.ctx("2026-04-01"), done.payment_item_id or 0, [share])
    assert world.against("7/26") == [("provisional_payment", Decimal("1000.000"))]


@pytest.mark.parametrize("first", ["flow", "line"])
def test_line_and_flow_make_one_return(world: World, first: str) -> None:
    presented(world)
    world.line("2026-03-31", "1000.00", "RIBA DISTINTA 000042 N. 1", "30")
    world.apply("2026-04-01")
    outcome = (*SLIP[:3], "unpaid", SLIP[4])
    if first == "flow":
        assert world.flow("2026-04-02", "riba-outcomes", outcome).done == 1
    world.line("2026-04-02", "-1000.00", "EFFETTI INSOLUTI", "37", end_to_end_id="R000000015")
    assert world.apply("2026-04-02").returns == 1
    if first == "line":
        taken = world.flow("2026-04-03", "riba-outcomes", outcome)
        assert (taken.done, taken.unchanged) == (0, 1)
    assert (
        world.balance("7/26", "2026-04-03") == 1000 and world.totals("2026-04-03")["open_mills"] == 1_000_000
    )
    # A second return line of the same receipt is not believed.
    world.line("2026-04-07", "-1000.00", "EFFETTI INSOLUTI", "37", end_to_end_id="R000000015")
    told = world.apply("2026-04-07")
    assert told.returns == 0 and [one.reason for one in told.waiting] == ["return_unknown"]


def test_paid_by_the_flow_before_the_credit(world: World) -> None:
    presented(world)
    taken = world.flow("2026-04-14", "riba-outcomes", (*SLIP[:3], "paid", SLIP[4]))
    assert taken.done == 1 and world.against("7/26") == [("payment", Decimal("1000.000"))]
    world.line("2026-03-31", "1000.00", "RIBA DISTINTA 000042 N. 1", "30")
    assert world.apply("2026-04-15").slips == 1
    assert world.against("7/26") == [("payment", Decimal("1000.000"))]
    assert world.totals("2026-04-15")["credits_mills"] == 0


def test_unknown_cause_waits_for_a_person(world: World) -> None:
    from saldo.cash.collections import batches

    presented(world)
    assert world.flow("2026-04-14", "riba-outcomes", (*SLIP[:3], "unknown", SLIP[4])).done == 1
    (batch,) = batches(world.ctx("2026-04-14"))
    assert (batch.unclear, batch.returned, batch.paid) == (1, 0, 0)
    assert world.in_flight("2026-04-14") == [world.items["7/26"]]


def test_a_flow_is_taken_in_once(world: World) -> None:
    presented(world)
    again = world.flow("2026-03-02", "riba-presented", SLIP)
    assert (again.done, again.unchanged) == (0, 1)
    lost = world.flow("2026-04-14", "riba-outcomes", ("99", "5.00", "2026-03-31", "paid", ""))
    assert lost.done == 0 and [one.code for one in lost.rejections] == ["collection_order_unknown"]


def test_an_installment_that_comes_later_is_tied(world: World) -> None:
    taken = world.flow("2026-03-02", "riba-presented", SLIP)
    assert [one.code for one in taken.notices] == ["collection_untied"]
    world.invoice("2026-01-05", "C1", "7/26", "1000.00", "2026-03-31")
    world.line("2026-03-31", "1000.00", "RIBA DISTINTA 000042 N. 1", "30")
    world.apply("2026-04-01")
    assert world.balance("7/26", "2026-04-01") == 0


def test_what_is_not_clear_is_not_tied(world: World) -> None:
    for number in ("8/26", "9/26"):
        world.invoice("2026-01-05", "C1", number, "1000.00", "2026-03-31")
    taken = world.flow("2026-03-02", "riba-presented", (*SLIP[:4], "SALDO FATTURE GENNAIO"))
    assert [one.code for one in taken.notices] == ["collection_untied"] and world.in_flight(
        "2026-03-02"
    ) == []


def test_ambiguous_credit_waits(world: World) -> None:
    presented(world)
    world.invoice("2026-01-05", "C2", "9/26", "1000.00", "2026-03-31")
    other = ("0000000016", "1000.00", "2026-03-31", "presented", "FATT. 9/26 DEL 05/01/2026 RATA 1")
    world.flow("2026-03-03", "riba-presented", other)
    world.line("2026-03-31", "1000.00", "EFFETTI SBF", "30")
    told = world.apply("2026-04-01")
    assert told.done == [] and [one.reason for one in told.waiting] == ["slip_ambiguous"]
    world.line("2026-03-31", "999.00", "EFFETTI SBF", "30")
    assert [one.reason for one in world.apply("2026-04-01").waiting] == ["slip_ambiguous", "slip_unknown"]


def test_erp_closed_it_first(world: World) -> None:
    """An ERP may close a receipt's invoice by its own list: one closing, and one return."""
    from saldo.ledger.operations import set_counters

    presented(world)
    item = world.items["7/26"]
    ctx = replace(world.ctx("2026-03-05"), recorded_at=world.ctx("2026-03-05").clock())
    target = pl.DataFrame(
        [{"item_id": item, "company_id": world.company.id, "account_id": world.accounts["C1"],
          "invoice_id": None, "installment_no": 1, "currency": EUR, "sign": 1, "item_date": D("2026-01-05"),
          "counter_mills": 1_000_000, "counter_kind": "closure", "counter_date": D("2026-03-05"),
          "reason": "vanished", "row": 0, "details": None}],
        schema_overrides={"invoice_id": pl.Int64, "details": pl.String},
    )  # fmt: skip
    set_counters(ctx, target, None)
    world.line("2026-03-31", "1000.00", "RIBA DISTINTA 000042 N. 1", "30")
    world.apply("2026-04-01")
    assert world.against("7/26") == [("closure", Decimal("1000.000"))]
    world.settle("2026-04-30")
    assert world.against("7/26") == [("payment", Decimal("1000.000"))]
    assert world.totals("2026-04-30")["credits_mills"] == world.totals("2026-04-30")["open_mills"] == 0
    world.line("2026-05-04", "-1000.00", "INSOLUTO RIBA FATT. 7/26", "37")
    world.apply("2026-05-04")
    assert world.balance("7/26", "2026-05-04") == 1000 and world.totals("2026-05-04")["credits_mills"] == 0


# --- the worklist -----------------------------------------------------------------------------------


def worklist(world: World, day: str) -> list[dict[str, Any]]:
    from saldo.collection.planning import stored_plan
    from saldo.flows.day import run_day

    return stored_plan(run_day(world.ctx(day), world.company.id, refresh=True).day_run_id)


def test_nobody_is_asked_for_what_the_bank_collects_and_a_return_comes_first(world: World) -> None:
    from saldo.core.reasons import render

    world.invoice("2026-01-05", "C2", "9/26", "9000.00", "2026-02-10", "MP05")
    presented(world)
    # The due date passed and the bank has not said anything yet: still on its way.
    assert [row["account__code"] for row in worklist(world, "2026-04-02")] == ["C2"]
    world.line("2026-04-07", "-1000.00", "INSOLUTO RIBA FATT. 7/26", "37")
    world.apply("2026-04-07")
    first, second = worklist(world, "2026-04-07")
    assert (first["account__code"], first["block"], first["oldest_days"]) == ("C1", "dated", 7)
    assert second["account__code"] == "C2"
    reason = first["reasons"][0]
    assert reason["code"] == "insoluto"
    assert render("insoluto", reason["params"], "it") == "insoluto: tornato dalla banca il 7 aprile 2026"


def test_a_contact_or_another_presentation_takes_a_return_off_the_block(world: World) -> None:
    from saldo.collection.operations import record_outcome

    presented(world)
    world.line("2026-04-07", "-1000.00", "INSOLUTO RIBA FATT. 7/26", "37")
    world.apply("2026-04-07")
    assert [row["block"] for row in worklist(world, "2026-04-08")] == ["dated"]
    again = ("0000000055", "1000.00", "2026-04-30", "presented", SLIP[4])
    world.flow("2026-04-09", "riba-presented", again)
    assert worklist(world, "2026-04-10") == []
    world.line("2026-05-05", "-1000.00", "INSOLUTO RIBA FATT. 7/26", "37")
    world.apply("2026-05-05")
    assert [row["block"] for row in worklist(world, "2026-05-05")] == ["dated"]
    system = replace(world.ctx("2026-05-06"), actor="system:test")
    record_outcome(system, world.accounts["C1"], "done", "called")
    # Spoken with, it is left alone for a week; then it comes back by its value.
    assert [row["block"] for row in worklist(world, "2026-05-07")] == ["wait"]
    assert [row["block"] for row in worklist(world, "2026-05-14")] == ["value"]


def test_silence_of_the_bank_does_not_protect_for_ever(world: World) -> None:
    presented(world)
    assert world.in_flight("2026-04-16") == [world.items["7/26"]]
    assert world.in_flight("2026-04-17") == []


# --- direct debits ----------------------------------------------------------------------------------

IBAN = "IT05A9999501600000000000042"


def mandate(world: World, code: str = "C1", scheme: str = "CORE") -> None:
    from saldo.cash.collections import add_mandate

    add_mandate(
        world.ctx("2026-01-02"),
        world.accounts[code],
        f"M-{code}",
        scheme,
        D("2026-01-02"),
        IBAN,
        "Alfa Esempio",
    )


def present(world: World, day: str, kind: str, **more: Any) -> Any:
    from saldo.flows.collect import present

    return present(world.ctx(day), world.company.id, world.bank.id, kind, **more)


def test_core_debit_refunded_after_six_weeks(world: World) -> None:
    mandate(world)
    world.invoice("2026-01-05", "C1", "7/26", "1000.00", "2026-03-31", "MP19")
    made = present(world, "2026-03-20", "sdd")
    assert made.data is not None and made.orders == 1 and b"<ReqdColltnDt>2026-03-31<" in made.data
    (receipt,) = [line for line in made.data.decode().split("\n") if "EndToEndId" in line]
    reference = receipt.strip().removeprefix("<EndToEndId>").removesuffix("</EndToEndId>")
    world.line("2026-03-31", "1000.00", "ACCREDITO INCASSI SDD", "PMNT/IDDT/ESDD", end_to_end_id=reference)
    assert world.apply("2026-03-31").slips == 1 and world.balance("7/26", "2026-03-31") == 0
    assert world.settle("2026-05-10").paid == 0  # eight weeks are not over
    world.line(
        "2026-05-12",
        "-1000.00",
        "SDD STORNATO",
        "PMNT/IDDT/UPDD",
        end_to_end_id=reference,
        return_reason="MD06",
    )
    assert world.apply("2026-05-12").returns == 1
    assert world.balance("7/26", "2026-05-12") == 1000 and world.balance("7/26", "2026-05-11") == 0
    from saldo.cash.collections import orders

    (order,) = orders(world.ctx("2026-05-12"))
    assert (order.end_outcome, order.cause, order.retry) == ("refunded", "MD06", "never")


def test_b2b_debit_is_safe_after_three_banking_days(world: World) -> None:
    mandate(world, scheme="B2B")
    world.invoice("2026-01-05", "C1", "7/26", "1000.00", "2026-03-31", "SDD")
    made = present(world, "2026-03-20", "sdd")
    world.line("2026-03-31", "1000.00", "SDD LOTTO N. 1", "06")
    assert world.apply("2026-03-31").slips == 1 and made.batch_id is not None
    assert world.settle("2026-04-07").paid == 0 and world.settle("2026-04-08").paid == 1


def test_debits_that_only_the_statement_tells(world: World) -> None:
    world.invoice("2026-01-05", "C1", "7/26", "1000.00", "2026-03-31", "MP19")
    world.invoice("2026-01-05", "C2", "9/26", "400.00", "2026-03-31", "MP19")
    for reference, amount, text in (
        ("R1", "1000.00", "FATT. 7/26 DEL 05/01/2026 RATA 1"),
        ("R2", "400.00", "FATT. 9/26"),
        ("R3", "5.00", "X"),
    ):
        world.line(
            "2026-03-31", amount, text, "PMNT/IDDT/BBDD", end_to_end_id=reference, bank_reference="B77",
            mandate_id=f"M-{reference}", payer_name="ALFA ESEMPIO",
        )  # fmt: skip
    told = world.apply("2026-03-31")
    assert told.slips == 2 and not told.waiting  # the third is for the matching engine
    assert world.against("7/26") == [("provisional_payment", Decimal("1000.000"))]
    world.line("2026-04-01", "-400.00", "SDD RESPINTO FATT. 9/26", "PMNT/IDDT/UPDD", end_to_end_id="R2",
               mandate_id="M-R2", return_reason="AM04")  # fmt: skip
    assert world.apply("2026-04-01").returns == 1
    assert world.balance("9/26", "2026-04-01") == 400 and world.balance("7/26", "2026-04-01") == 0


# --- presenting -------------------------------------------------------------------------------------


def test_a_slip_of_ours_reads_back_and_is_in_flight(world: World) -> None:
    from saldo.cash.collections import set_domicile
    from saldo.formats.cbi_riba import read_cbi_riba

    world.invoice("2026-01-05", "C1", "7/26", "1000.00", "2026-03-31")
    world.invoice("2026-01-05", "C1", "8/26", "50.00", "2026-03-31", "MP05")
    refused = present(world, "2026-03-02", "riba")
    assert refused.data is None and [one.code for one in refused.rejections] == ["collection_bank_invalid"]
    assert world.in_flight("2026-03-02") == []
    set_domicile(world.ctx("2026-03-02"), world.accounts["C1"], "99995", "01600", "Banca Inventata")
    made = present(world, "2026-03-02", "riba")
    assert (made.orders, made.total_mills, made.rejections) == (1, 1_000_000, ())
    (flow,) = read_cbi_riba(made.data).records
    assert [(one.amount_mills, one.due_date, one.debtor_code) for one in flow.outcomes] == [
        (1_000_000, D("2026-03-31"), "C1")
    ]
    assert world.in_flight("2026-03-02") == [world.items["7/26"]]
    from saldo.flows.collect import take_in_flow

    again = take_in_flow(world.ctx("2026-03-03"), flow, None)
    assert (again.done, again.unchanged) == (0, 1)
    # In flight: not presented twice, by choice or by name.
    assert [one.code for one in present(world, "2026-03-03", "riba").rejections] == ["collection_empty"]
    twice = present(world, "2026-03-03", "riba", item_ids=[world.items["7/26"]])
    assert [one.code for one in twice.rejections] == ["collection_item_in_flight"]


def test_after_an_insoluto_it_is_a_new_order_with_a_new_due_date(world: World) -> None:
    presented(world)
    world.line("2026-04-07", "-1000.00", "INSOLUTO RIBA FATT. 7/26", "37")
    world.apply("2026-04-07")
    past = present(world, "2026-04-08", "riba")
    assert [one.code for one in past.rejections] == ["collection_due_past"]
    made = present(world, "2026-04-08", "riba", due_date=D("2026-05-15"))
    assert made.data is not None and world.in_flight("2026-04-08") == [world.items["7/26"]]
    assert world.totals("2026-04-08")["oldest_due_date"] == D("2026-03-31")


def test_debits_need_a_mandate_in_force(world: World) -> None:
    from saldo.cash.collections import end_mandate

    world.invoice("2026-01-05", "C1", "7/26", "1000.00", "2026-03-31", "MP19")
    assert [one.code for one in present(world, "2026-03-02", "sdd").rejections] == [
        "collection_mandate_missing"
    ]
    mandate(world)
    with pytest.raises(SaldoError) as error:
        mandate(world)
    assert error.value.code == "mandate_exists"
    end_mandate(world.ctx("2026-03-01"), world.accounts["C1"], "M-C1", D("2026-03-02"), "revoked")
    assert [one.code for one in present(world, "2026-03-02", "sdd").rejections] == [
        "collection_mandate_missing"
    ]
    assert present(world, "2026-03-01", "sdd").data is not None


def test_a_report_of_the_bank_on_debits(world: World) -> None:
    from saldo.flows.collect import take_in_flow

    mandate(world)
    world.invoice("2026-01-05", "C1", "7/26", "1000.00", "2026-03-31", "MP19")
    made = present(world, "2026-03-20", "sdd")
    reference = f"SALDO-{orders_of(world)[0].id:010d}"

    def told(status: str, outcome: str, receipt: str = reference) -> Any:
        one = CollectionOutcome(1, receipt, 0, None, status, outcome)
        flow = CollectionFlow("sdd-outcomes", "IMMGIT2XXXX", "", D("2026-03-23"), "any", (one,))
        return take_in_flow(world.ctx("2026-03-23"), flow, None)

    assert made.orders == 1 and (told("ACCP", "presented").unchanged, world.state()) == (1, "presented")
    assert [one.code for one in told("RJCT", "unpaid", "NO-SUCH").rejections] == ["collection_order_unknown"]
    assert told("AC04", "unpaid").done == 1 and told("AC04", "unpaid").unchanged == 1
    assert orders_of(world)[0].retry == "never" and world.in_flight("2026-03-23") == []


# --- what a person decides --------------------------------------------------------------------------


def orders_of(world: World) -> list[Any]:
    from saldo.cash.collections import orders

    return orders(world.ctx("2026-12-31"), all_days=True)


def test_a_person_settles_what_waits(world: World) -> None:
    from saldo.flows.collect_decide import decide, post_return, post_slip

    presented(world)
    world.invoice("2026-01-05", "C2", "9/26", "1000.00", "2026-03-31")
    other = ("0000000016", "1000.00", "2026-03-31", "presented", "FATT. 9/26 DEL 05/01/2026 RATA 1")
    world.flow("2026-03-03", "riba-presented", other)
    first, second = orders_of(world)
    credit = world.line("2026-03-31", "1000.00", "EFFETTI SBF", "30")
    short = world.line("2026-03-31", "990.00", "EFFETTI SBF", "30")
    assert len(world.apply("2026-04-01").waiting) == 2
    with pytest.raises(SaldoError) as error:
        post_slip(world.ctx("2026-04-01"), world.company.id, short, first.batch_id)
    assert error.value.code == "collection_total_differs"
    assert post_slip(world.ctx("2026-04-01"), world.company.id, credit, first.batch_id) == 1
    assert world.balance("7/26", "2026-04-01") == 0 and world.balance("9/26", "2026-04-01") == 1000
    back = world.line("2026-04-07", "-1000.00", "EFFETTI INSOLUTI", "37")
    assert [one.transaction_id for one in world.apply("2026-04-07").waiting if one.transaction_id == back]
    assert post_return(world.ctx("2026-04-07"), world.company.id, back, first.id).state == "returned"
    assert world.balance("7/26", "2026-04-07") == 1000
    assert decide(world.ctx("2026-04-08"), world.company.id, second.id, "withdrawn").state == "returned"
    assert world.in_flight("2026-04-08") == []
    with pytest.raises(SaldoError) as error:
        decide(world.ctx("2026-04-08"), world.company.id, second.id, "paid")
    assert error.value.code == "collection_order_ended"


# --- bounced payments -------------------------------------------------------------------------------


def test_a_bounced_transfer_opens_its_items_again(world: World) -> None:
    from saldo.cash.postings import post_match
    from saldo.core.matching.records import CHARGES, Difference, Share

    item = world.invoice("2026-01-05", "C1", "7/26", "1000.00", "2026-03-31", "MP05")
    line = world.line("2026-03-31", "998.00", "SALDO FATT 7/26", end_to_end_id="E2E-1", payer_name="ALFA")
    post_match(world.ctx("2026-03-31"), line, world.accounts["C1"], [Share(item, 998_000)],
               [Difference(CHARGES, item, 2_000)])  # fmt: skip
    assert world.balance("7/26", "2026-03-31") == 0
    world.line("2026-04-02", "-998.00", "STORNO BONIFICO", end_to_end_id="E2E-1", is_reversal=True)
    told = world.apply("2026-04-02")
    assert told.bounced == 1 and world.apply("2026-04-02").bounced == 0
    assert world.balance("7/26", "2026-04-02") == 1000 and world.balance("7/26", "2026-04-01") == 0
    assert world.totals("2026-04-02")["credits_mills"] == 0
    assert world.totals("2026-04-02")["open_mills"] == 1_000_000
