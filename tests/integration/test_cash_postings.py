"""Bank lines posted and undone, one at a time and many: what the ledger says before and after."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from saldo.cash.aliases import aliases
from saldo.cash.models import Alias, Posting, StatementRelease
from saldo.cash.plans import AUTO, Objection, Planned
from saldo.cash.postings import post_many, post_match, post_not_customer, post_on_account, post_refund
from saldo.cash.undoing import undo
from saldo.core.errors import SaldoError
from saldo.core.matching.records import Difference, Share
from saldo.core.normalize import normalized_number
from saldo.disputes.models import Deduction
from saldo.flows.import_documents import import_file
from saldo.identity.models import Event
from saldo.ledger import entries
from saldo.ledger.models import Payment
from saldo.ledger.queries import projection_differences, totals
from tests.cash_world import DAY, World, balances, context

pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> World:
    return World()


def mills(amount: str) -> int:
    return int(Decimal(amount) * 1000)


def refused(code: str, work: object) -> None:
    with pytest.raises(SaldoError) as caught:
        work()  # type: ignore[operator]
    assert caught.value.code == code, caught.value


def test_a_line_pays_items_and_the_rest_stays_on_account(world: World) -> None:
    acme = world.account("Acme S.r.l.")
    first, second = world.invoice(acme, "F-1", "100.00"), world.invoice(acme, "F-2", "50.00")
    line = world.line("170.00", "saldo f-1 f-2", "ACME SRL")
    done = post_match(context(), line, acme, [Share(first, mills("100")), Share(second, mills("50"))])
    assert (done.allocated_mills, done.unapplied_mills) == (150_000, 20_000)
    assert balances(acme) == {f"BT{line}.1": "-20.00"}
    payment = Payment.objects.get(id=done.payment_id)
    assert (payment.booking_date, payment.text) == (DAY, "ACME SRL saldo f-1 f-2")
    assert payment.number_norm == normalized_number(payment.number)
    (event,) = Event.objects.filter(kind="cash.posted", subject_id=acme)
    assert event.data["unapplied"] == "20.00" and event.effective_date == DAY
    refused("line_already_posted", lambda: post_on_account(context(), line, acme))
    assert projection_differences() == []


def test_credits_taken_off_are_set_against_the_debits_first(world: World) -> None:
    acme = world.account("Acme S.r.l.")
    invoice, note = world.invoice(acme, "F-1", "130.00"), world.credit_note(acme, "N-1", "30.00")
    line = world.line("100.00")
    post_match(context(), line, acme, [Share(invoice, mills("130")), Share(note, -mills("30"))])
    assert balances(acme) == {}
    undo(context(), line, "wrong invoice")
    assert balances(acme) == {"F-1": "130.00", "N-1": "-30.00"}
    assert projection_differences() == []


def test_a_parent_pays_for_its_subsidiary_and_is_remembered(world: World) -> None:
    parent, child = world.account("Gruppo Alfa S.p.A."), world.account("Alfa Sud S.r.l.")
    invoice = world.invoice(child, "F-9", "80.00")
    line = world.line("80.00", payer="GRUPPO ALFA", payer_iban="IT11A0000000000000000000001")
    post_match(context(), line, parent, [Share(invoice, mills("80"))])
    assert balances(parent) == balances(child) == {}
    learnt = aliases(context(), world.company.id).select("kind", "value", "account_id").rows()
    assert set(learnt) == {
        ("iban", "IT11A0000000000000000000001", parent),
        ("name", "gruppo alfa", parent),
        ("pays_for", str(child), parent),
    }
    undo(context(), line, "")
    assert aliases(context(), world.company.id).is_empty() and Alias.objects.count() == 3
    assert balances(child) == {"F-9": "80.00"} and balances(parent) == {}


def test_what_another_posting_shows_too_is_not_forgotten(world: World) -> None:
    acme = world.account("Acme S.r.l.")
    iban = "IT11A0000000000000000000001"
    first, second = world.line("10.00", payer_iban=iban), world.line("20.00", payer_iban=iban)
    post_on_account(context(), first, acme)
    post_on_account(context(), second, acme)
    undo(context(), first)
    assert aliases(context(), world.company.id)["value"].to_list() == [iban]
    undo(context(), second)
    assert aliases(context(), world.company.id).is_empty()


def test_differences_are_credits_of_their_own_and_undone_with_the_payment(world: World) -> None:
    acme = world.account("Acme S.r.l.")
    invoice, other = world.invoice(acme, "F-1", "100.00"), world.invoice(acme, "F-2", "200.00")
    line = world.line("294.00")
    shares = [Share(invoice, mills("98")), Share(other, mills("196"))]
    explained = [Difference("charges", invoice, mills("2")), Difference("discount", other, mills("4"))]
    post_match(context(), line, acme, shares, explained)
    assert balances(acme) == {}
    assert [item.kind for item in _credits(acme)] == ["payment", "write_off", "discount"]
    undo(context(), line)
    assert balances(acme) == {"F-1": "100.00", "F-2": "200.00"}
    again = post_match(context(), line, acme, [Share(invoice, mills("100"))])
    assert Payment.objects.get(id=again.payment_id).number == f"BT{line}.3"
    assert balances(acme) == {f"BT{line}.3": "-194.00", "F-2": "200.00"}
    assert projection_differences() == []


def _credits(account_id: int) -> list:
    from saldo.ledger.models import Item

    return list(Item.objects.filter(account_id=account_id, amount__lt=0).order_by("id"))


def test_a_short_payment_opens_a_deduction(world: World) -> None:
    acme = world.account("Acme S.r.l.")
    invoice = world.invoice(acme, "F-1", "100.00")
    line = world.line("90.00")
    objections = [Objection(invoice, mills("10"), "quality", "due colli rotti")]
    post_match(context(), line, acme, [Share(invoice, mills("90"))], deductions=objections)
    (deduction,) = Deduction.objects.all()
    assert (deduction.reason, deduction.amount, deduction.transaction_id) == ("quality", 10, line)
    assert balances(acme) == {"F-1": "10.00"}
    undo(context(), line, "per errore")
    assert deduction.end.outcome == "withdrawn"


def test_what_is_refused_leaves_nothing(world: World) -> None:
    acme, other = world.account("Acme S.r.l."), world.account("Beta S.r.l.")
    invoice, dollars = (
        world.invoice(acme, "F-1", "100.00"),
        world.invoice(acme, "U-1", "90.00", currency="USD"),
    )
    note = world.credit_note(acme, "N-1", "30.00")
    line, out = world.line("100.00"), world.line("-5.00")
    held = world.line("7.00", statement=world.held_statement())
    pending = world.line("8.00", status="PDNG")
    intraday = world.line("9.00", kind="intraday")

    def match(line_id: int, *shares: Share, account: int = acme) -> object:
        return lambda: post_match(context(), line_id, account, shares)

    refused("allocation_exceeds", match(world.line("101.00"), Share(invoice, mills("101"))))
    refused("allocation_exceeds", match(line, Share(invoice, mills("100")), Share(note, -mills("31"))))
    refused("shares_do_not_add_up", match(line, Share(invoice, mills("100.01"))))
    refused("shares_do_not_add_up", match(line, Share(invoice, mills("50")), Share(invoice, mills("50"))))
    refused("shares_do_not_add_up", match(line, Share(note, -mills("30"))))
    refused("allocation_sides", match(line, Share(note, mills("30"))))
    refused("line_currency_differs", match(line, Share(dollars, mills("90"))))
    refused("item_unknown", match(line, Share(10**12, mills("10"))))
    refused("account_unknown", match(line, account=10**9))
    refused("line_is_debit", match(out))
    refused("line_quarantined", match(held))
    refused("line_not_booked", match(pending))
    refused("line_not_booked", match(intraday))
    refused("line_unknown", match(10**12))
    refused("line_not_posted", lambda: undo(context(), line))
    assert Payment.objects.count() == Posting.objects.count() == 0
    assert balances(acme) == {"F-1": "100.00", "N-1": "-30.00", "U-1": "90.00"} and balances(other) == {}
    StatementRelease.objects.create(
        statement=world.held_statement_made, note="ok", actor="anna", recorded_at=context().clock()
    )
    post_on_account(context(), held, acme)


def test_an_invoice_in_another_currency_takes_the_banks_own_rate(world: World) -> None:
    acme = world.account("Acme Inc.")
    first, second = (
        world.invoice(acme, n, a, currency="USD") for n, a in (("U-1", "100.00"), ("U-2", "33.33"))
    )
    line = world.line("121.00", original_amount=Decimal("133.33"), original_currency="USD")
    post_match(context(), line, acme, [Share(first, mills("90.75")), Share(second, mills("30.25"))])
    assert balances(acme) == {}
    undo(context(), line)
    assert balances(acme) == {"U-1": "100.00", "U-2": "33.33"} and projection_differences() == []


def test_a_refund_uses_up_credits_and_can_be_undone(world: World) -> None:
    acme = world.account("Acme S.r.l.")
    first = post_on_account(context(), world.line("100.00"), acme)
    note = world.credit_note(acme, "N-1", "50.00")
    credit = _credits(acme)[0].id
    out = world.line("-120.00", day=date(2026, 3, 12))
    refused("allocation_exceeds", lambda: post_refund(context(), out, [note]))
    post_refund(context(), out, [credit, note])
    assert balances(acme) == {"N-1": "-30.00"}
    refused("posting_used", lambda: undo(context(), first.transaction_id))
    undo(context(), out)
    assert balances(acme) == {f"BT{first.transaction_id}.1": "-100.00", "N-1": "-50.00"}
    undo(context(), first.transaction_id)
    assert balances(acme) == {"N-1": "-50.00"} and projection_differences() == []


def test_what_is_no_customers_money_leaves_the_ledger_alone(world: World) -> None:
    line = world.line("-3.50", "spese tenuta conto")
    post_not_customer(context(), line, "spese")
    assert Payment.objects.count() == 0
    undo(context(), line)
    assert [p.kind for p in Posting.objects.order_by("sequence")] == ["not_customer", "undo"]


def test_an_undo_takes_back_what_was_allocated_later_too(world: World) -> None:
    acme = world.account("Acme S.r.l.")
    invoice = world.invoice(acme, "F-1", "100.00")
    done = post_on_account(context(), world.line("100.00"), acme)
    entries.allocate(context(date(2026, 3, 20)), _credits(acme)[0].id, [entries.Share(invoice, Decimal(60))])
    undo(context(), done.transaction_id)
    for day in (DAY, date(2026, 3, 19), date(2026, 3, 20), date(2026, 12, 31)):
        assert balances(acme, day) == {"F-1": "100.00"}


def test_a_bounced_payment_is_not_undone(world: World) -> None:
    acme = world.account("Acme S.r.l.")
    invoice = world.invoice(acme, "F-1", "100.00")
    line = world.line("100.00")
    post_match(context(), line, acme, [Share(invoice, mills("100"))])
    entries.reverse_allocation(context(date(2026, 3, 30)), invoice, Decimal(100), "insoluto")
    refused("posting_used", lambda: undo(context(), line))
    assert balances(acme) == {"F-1": "100.00"}


def test_what_an_export_closed_gives_way_to_the_bank(world: World) -> None:
    profile = (
        "[export]\ncomplete = true\n[columns]\ncustomer_code = 'c'\nnumber = 'n'\n"
        "document_date = 'd'\ndue_date = 'due'\n"
        "amount = 'a'\nopen = 'o'\n"
    )

    def export(day: date, *rows: str) -> None:
        data = "\n".join(("c;n;d;due;a;o", *rows)).encode()
        import_file(
            context(day), "p.csv", data, mapping=profile, company_code="ONE", as_at=day, accept_closures=True
        )

    export(date(2026, 3, 1), "ACME;F-1;10/01/2026;31/01/2026;100,00;100,00",
           "ACME;F-2;10/01/2026;31/01/2026;70,00;70,00")  # fmt: skip
    export(date(2026, 3, 12), "ACME;F-2;10/01/2026;31/01/2026;70,00;30,00")
    from saldo.ledger.models import Item

    first, second = Item.objects.filter(kind="installment").order_by("invoice__number")
    assert balances(first.account_id) == {"F-2": "30.00"}
    late = world.line("100.00", day=date(2026, 3, 20))
    refused(
        "allocation_exceeds",
        lambda: post_match(context(), late, first.account_id, [Share(first.id, mills("100"))]),
    )
    line = world.line("140.00", day=date(2026, 3, 10))
    post_match(
        context(), line, first.account_id, [Share(first.id, mills("100")), Share(second.id, mills("40"))]
    )
    assert balances(first.account_id) == {"F-2": "30.00"}
    assert [i.kind for i in _credits(first.account_id)].count("payment") == 1
    undo(context(), line)
    # The export's word is not put back: the next one says it again if it is still so.
    assert balances(first.account_id) == {"F-1": "100.00", "F-2": "70.00"}
    assert projection_differences() == []


def test_many_lines_are_the_same_as_each_of_them(world: World) -> None:
    acme = world.account("Acme S.r.l.")
    invoices = [world.invoice(acme, f"F-{n}", "10.00") for n in range(8)]
    lines = [world.line("10.00") for _ in invoices]
    plans = [
        Planned(line, acme, (Share(item, mills("10")),), mode=AUTO)
        for line, item in zip(lines, invoices, strict=True)
    ]
    clash = Planned(world.line("10.00"), acme, (Share(invoices[0], mills("10")),), mode=AUTO)
    asks = Planned(
        world.line("9.00"), acme, (Share(invoices[1], mills("9")),),
        (Difference("withholding", invoices[1], mills("1")),), mode=AUTO,
    )  # fmt: skip
    outcome = post_many(context(), world.company.id, [*plans, clash, asks])
    assert [done.transaction_id for done in outcome.done] == lines
    assert [(r.transaction_id, r.error.code) for r in outcome.refused] == [
        (clash.transaction_id, "allocation_exceeds"),
        (asks.transaction_id, "difference_needs_a_person"),
    ]
    again = post_many(context(), world.company.id, plans)
    assert not again.done and {r.error.code for r in again.refused} == {"line_already_posted"}
    assert balances(acme) == {} and projection_differences() == []


def test_an_automatic_posting_teaches_only_what_the_line_itself_shows(world: World) -> None:
    acme, beta = world.account("Acme S.r.l."), world.account("Beta S.r.l.")
    first, second, third = (world.invoice(acme, f"F-{n}", "10.00") for n in range(3))
    share = lambda item: (Share(item, mills("10")),)  # noqa: E731
    lines = [
        world.line("10.00", payer="ACME SRL", payer_iban="IT01"),
        world.line("10.00", payer="Studio Rossi", payer_iban="IT02"),
        world.line("10.00", payer="Acme s.r.l.", payer_iban="IT03"),
    ]
    post_on_account(context(), world.line("5.00", payer_iban="IT03"), beta)
    plans = [
        Planned(line, acme, share(item), mode=AUTO)
        for line, item in zip(lines, (first, second, third), strict=True)
    ]
    assert len(post_many(context(), world.company.id, plans).done) == 3
    learnt = aliases(context(), world.company.id).select("value", "account_id").rows()
    assert learnt == [("IT03", beta), ("IT01", acme)]


def test_deductions_of_an_item_are_not_more_than_stays_open(world: World) -> None:
    acme = world.account("Acme S.r.l.")
    item, line = world.invoice(acme, "F-1", "100.00"), world.line("60.00")
    twice = [Objection(item, mills("40")), Objection(item, mills("40"))]
    share = [Share(item, mills("60"))]
    refused("allocation_exceeds", lambda: post_match(context(), line, acme, share, deductions=twice))
    assert balances(acme) == {"F-1": "100.00"}


def test_figures_as_known_before_do_not_change_with_what_is_undone_later(world: World) -> None:
    acme = world.account("Acme S.r.l.")
    item, note = world.invoice(acme, "F-1", "130.00"), world.credit_note(acme, "N-1", "30.00")
    line, other = world.line("100.00"), world.line("70.00")

    def known(at: datetime) -> list[object]:
        days = (DAY, DAY + timedelta(days=1), date(2026, 12, 31))
        asked = [replace(context(day), known_at=at, company_id=world.company.id) for day in days]
        return [totals(ctx).to_dicts() for ctx in asked]

    def by_hand() -> None:
        payment = post_on_account(context(), other, acme).payment_item_id
        entries.allocate(context(), payment or 0, [entries.Share(item, Decimal(30))])

    seen = []
    for step in (
        lambda: post_match(context(), line, acme, [Share(item, mills("130")), Share(note, -mills("30"))]),
        lambda: undo(context(), line),
        lambda: post_match(
            context(), line, acme, [Share(item, mills("95"))], [Difference("charges", item, mills("5"))]
        ),
        by_hand,
        lambda: undo(context(), other),
        lambda: undo(context(), line),
    ):
        step()
        at = datetime.now(UTC)
        seen.append((at, known(at)))
    assert len({str(figures) for _, figures in seen}) >= 4
    assert all(known(at) == figures for at, figures in seen)
