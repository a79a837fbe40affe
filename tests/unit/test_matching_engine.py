"""Unit tests of saldo.core.matching.engine: what a cash specialist would do with a bank line."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from saldo.core.matching.book import Book
from saldo.core.matching.engine import propose
from saldo.core.matching.experience import Experience
from saldo.core.matching.payers import PayerAccount, PayerAlias, Payers
from saldo.core.matching.policy import DEFAULT, Policy
from saldo.core.matching.records import Advice, AdviceLine, Line, OpenItem, Proposal
from saldo.core.reasons import render

DAY = date(2026, 3, 2)
DUE = date(2026, 2, 28)
IBAN = "IT60X0542811101000000123456"
ROSSI, BIANCHI, HOLDING, NEVE = 1, 2, 3, 4
PAYERS = [
    PayerAccount(ROSSI, 11, "Torneria Rossi S.r.l.", group_id=11),
    PayerAccount(BIANCHI, 12, "Bianchi Impianti S.p.A.", group_id=12),
    PayerAccount(HOLDING, 13, "Holding Alpina S.p.A.", group_id=13),
    PayerAccount(NEVE, 14, "Neve Servizi S.r.l.", group_id=13),
]
LEARNT = [PayerAlias(ROSSI, "iban", IBAN)]
# What a year of confirmed matches has taught.
SEASONED = Experience({"sum.unique|exact|sure": (900, 0), "none.said|exact|sure": (500, 0)})


def item(item_id: int, number: str, amount: int, account: int = ROSSI, **more: object) -> OpenItem:
    made = OpenItem(
        item_id, account, "credit_note" if amount < 0 else "installment", number, date(2026, 1, 15), DUE,
        "EUR", amount, amount, invoice_id=1_000 + item_id,
    )  # fmt: skip
    return replace(made, **more)  # type: ignore[arg-type]


def line(amount: int, text: str = "", payer: str = "TORNERIA ROSSI SRL", **more: object) -> Line:
    return replace(Line(7, DAY, amount, "EUR", text, payer), **more)  # type: ignore[arg-type]


def asked(
    of: Line,
    *items: OpenItem,
    experience: Experience | None = None,
    policy: Policy = DEFAULT,
    aliases: tuple[PayerAlias, ...] = (),
) -> tuple[Proposal, ...]:
    payers = Payers(PAYERS, [*LEARNT, *aliases])
    found = propose(of, Book(items), payers, policy, experience or Experience())
    assert 1 <= len(found) <= 5
    for each in found:
        assert sum(share.mills for share in each.shares) + each.unapplied_mills == of.amount_mills
        for reason in each.reasons:
            assert render(reason.code, reason.params, "it") and render(reason.code, reason.params, "en")
    return found


def shares(proposal: Proposal) -> dict[int, int]:
    return {share.item_id: share.mills for share in proposal.shares}


A, B, C = item(1, "FT 1001/2026", 100_000), item(2, "FT 1002/2026", 200_000), item(3, "FT 1003/2026", 300_000)


# --- documents that are named ----------------------------------------------------------------------------


@pytest.mark.parametrize("payer", ["TORNERIA ROSSI SRL", "M. QUALCUNO"])
def test_a_number_in_full_and_the_exact_amount_are_posted_without_experience(payer: str) -> None:
    first = asked(line(100_000, "SALDO FT 1001/2026", payer), A, B, C)[0]
    assert (first.zone, shares(first)) == ("auto", {1: 100_000})


def test_several_numbers_and_a_credit_note_taken_off() -> None:
    credit = item(4, "NC 7/2026", -30_000)
    first = asked(line(270_000, "FT 1001/2026, 1002/2026 - NC 7/2026"), A, B, C, credit)[0]
    assert (first.zone, shares(first)) == ("auto", {1: 100_000, 2: 200_000, 4: -30_000})


def test_a_credit_note_that_nobody_named_is_found_and_proposed() -> None:
    credit = item(4, "NC 7/2026", -30_000)
    first = asked(line(270_000, "FT 1001/2026, 1002/2026"), A, B, C, credit)[0]
    assert (first.zone, shares(first)) == ("propose", {1: 100_000, 2: 200_000, 4: -30_000})


def test_a_creditor_reference_is_a_key() -> None:
    first = asked(line(300_000, payer="", creditor_reference="RF97FT10032026"), A, B, C)[0]
    assert (first.zone, shares(first)) == ("auto", {3: 300_000})


def test_a_round_part_of_a_named_document_is_posted_and_leaves_the_rest_open() -> None:
    first = asked(line(50_000, "ACC. FT 1001/2026"), A)[0]
    assert (first.zone, shares(first)) == ("auto", {1: 50_000})
    assert [(each.kind, each.mills) for each in first.differences] == [("short", 50_000)]
    assert asked(line(50_000, "FT 1001/2026"), A, policy=Policy(allows_partial=False))[0].zone == "propose"


def test_a_part_is_not_posted_where_other_items_fit_to_the_cent() -> None:
    first = asked(line(200_000, "FT 1003/2026"), B, C)[0]
    assert first.zone != "auto"
    assert {frozenset(shares(each)) for each in asked(line(200_000, "FT 1003/2026"), B, C)} >= {
        frozenset({2}), frozenset({3})
    }  # fmt: skip


def test_the_amount_picks_the_installment() -> None:
    first_half = replace(A, balance_mills=50_000, amount_mills=50_000)
    second = replace(first_half, item_id=9, installment_no=2, balance_mills=50_010, due_date=DAY)
    picked = asked(line(50_010, "FT 1001/2026"), first_half, second)[0]
    assert (picked.zone, shares(picked)) == ("auto", {9: 50_010})
    equal = replace(second, balance_mills=50_000)
    oldest = asked(line(50_000, "FT 1001/2026"), first_half, equal)[0]
    assert (oldest.zone, shares(oldest)) == ("propose", {1: 50_000})


def test_a_digit_slip_is_proposed_with_what_was_written() -> None:
    first = asked(line(100_000, "FT 1007/2026"), A, B)[0]
    assert first.zone == "propose" and shares(first) == {1: 100_000}
    assert any(each.code == "match_slip" for each in first.reasons)


def test_a_cut_list_is_completed_by_the_only_items_that_make_the_amount() -> None:
    odd = [replace(each, balance_mills=mills) for each, mills in ((A, 100_010), (B, 213_570), (C, 377_770))]
    first = asked(line(477_780, "FT 1001/2026, 10"), *odd)[0]
    assert (first.zone, shares(first)) == ("propose", {1: 100_010, 3: 377_770})


def test_a_number_of_another_customer_is_no_match_for_a_known_payer() -> None:
    other = item(8, "FT 2008/2026", 77_000, account=BIANCHI)
    found = asked(line(55_000, "FT 2008/2026"), A, other)
    assert all(each.zone != "auto" for each in found)


def test_a_document_settled_lately_is_a_duplicate() -> None:
    settled = replace(A, balance_mills=0, closed_date=date(2026, 2, 20))
    first = asked(line(100_000, "FT 1001/2026"), settled, B)[0]
    assert (first.kind, first.zone, first.shares) == ("duplicate", "propose", ())


def test_items_presented_for_collection_are_never_posted_unasked() -> None:
    first = asked(line(100_000, "FT 1001/2026"), replace(A, is_in_flight=True))[0]
    assert first.zone == "propose" and shares(first) == {1: 100_000}


# --- an advice -------------------------------------------------------------------------------------------


def _advice(*lines: tuple[str, int]) -> Advice:
    total = sum(mills for _, mills in lines)
    return Advice(5, tuple(AdviceLine(n, m) for n, m in lines), (), total, True)


def test_an_advice_states_the_shares() -> None:
    told = _advice(("FT 1001/2026", 100_000), ("FT 1002/2026", 50_000))
    first = asked(line(150_000, "BONIFICO", advice=told), A, B, C)[0]
    assert (first.zone, shares(first)) == ("auto", {1: 100_000, 2: 50_000})


def test_an_advice_that_names_what_is_not_there_is_only_proposed() -> None:
    told = _advice(("FT 1001/2026", 100_000), ("FT 9999/2026", 50_000))
    assert asked(line(150_000, "BONIFICO", advice=told), A, B, C)[0].zone != "auto"


# --- payer and amount ------------------------------------------------------------------------------------

ODD = [
    replace(A, balance_mills=101_230, amount_mills=101_230),
    replace(B, balance_mills=213_570, amount_mills=213_570),
    replace(C, balance_mills=377_770, amount_mills=377_770),
]


def test_the_only_sum_of_a_sure_payer_needs_experience() -> None:
    of = line(314_800, "BONIFICO")
    assert asked(of, *ODD)[0].zone == "propose"
    learnt = asked(of, *ODD, experience=SEASONED)[0]
    assert (learnt.zone, shares(learnt)) == ("auto", {1: 101_230, 2: 213_570})
    assert any(each.params.get("confirmed") == 900 for each in learnt.reasons)


def test_two_ways_are_proposed_the_single_item_first_and_never_posted() -> None:
    found = asked(line(300_000), A, B, C, experience=SEASONED)
    assert shares(found[0]) == {3: 300_000}
    assert all(each.zone != "auto" for each in found)
    twin = replace(A, item_id=6, number="FT 1006/2026", invoice_id=1_006)
    assert all(each.zone != "auto" for each in asked(line(100_000), A, twin, experience=SEASONED))


def test_a_payer_that_is_nobody_leaves_the_line() -> None:
    first = asked(line(101_230, "BONIFICO", "SCONOSCIUTI & FIGLI"), *ODD, experience=SEASONED)[0]
    assert (first.kind, first.zone, first.account_id) == ("unknown", "leave", None)


def test_a_parent_pays_for_its_child_once_this_was_learnt() -> None:
    child = item(8, "FT 2008/2026", 77_770, account=NEVE)
    of = line(77_770, "FT 2008/2026", "HOLDING ALPINA SPA")
    before = asked(of, child)[0]
    assert (before.zone, before.account_id, shares(before)) == ("propose", HOLDING, {8: 77_770})
    after = asked(of, child, aliases=(PayerAlias(HOLDING, "pays_for", str(NEVE)),))[0]
    assert (after.zone, after.account_id) == ("auto", HOLDING)


def test_money_of_other_currencies_is_never_mixed() -> None:
    dollars = replace(A, currency="USD")
    assert all(not each.shares for each in asked(line(100_000, "FT 1001/2026"), dollars))


def test_another_currency_is_proposed_where_the_bank_states_both_amounts() -> None:
    dollars = [replace(each, currency="USD") for each in (A, B)]
    of = line(276_930, "FT 1001/2026, 1002/2026", original_mills=300_000, original_currency="USD")
    first = asked(of, *dollars, experience=SEASONED)[0]
    assert (first.zone, shares(first)) == ("propose", {1: 92_310, 2: 184_620})
    assert any(each.code == "match_rate" for each in first.reasons)


def test_a_text_that_denies_the_advice_needs_a_person() -> None:
    told = _advice(("FT 1001/2026", 100_000))
    assert asked(line(100_000, "BONIFICO", advice=told), A, B)[0].zone == "auto"
    assert asked(line(100_000, "FT 1002/2026", advice=told), A, B)[0].zone == "propose"


def test_the_oldest_first_only_where_the_policy_allows_it_and_never_posted() -> None:
    of = line(150_000, "BONIFICO")
    assert asked(of, *ODD)[0].kind == "on_account"
    found = asked(of, *ODD, policy=Policy(oldest_first=True), experience=SEASONED)
    assert all(each.zone != "auto" for each in found)
    assert {1: 101_230, 2: 48_770} in [shares(each) for each in found]


def test_what_went_out_is_nobodys_payment() -> None:
    assert asked(line(-100_000, "FT 1001/2026"), A)[0].kind == "unknown"


def test_on_account_when_the_text_says_so() -> None:
    first = asked(line(500_000, "ACCONTO SU FORNITURE"), *ODD)[0]
    assert (first.kind, first.zone, first.unapplied_mills) == ("on_account", "propose", 500_000)


def test_an_order_without_invoice_is_an_advance() -> None:
    first = asked(line(500_000, "ANTICIPO ORDINE ODA 55512"), *ODD)[0]
    assert (first.kind, first.zone) == ("advance", "propose")


def test_items_of_an_advance_are_taken_off_only_its_own_order() -> None:
    advance = item(9, "AN 1", -30_000, kind="advance", order_ref="ODA 55512")
    other = asked(line(70_000, "FT 1001/2026"), A, advance)[0]
    assert 9 not in shares(other)
    for written, is_same in (
        ("ODA 55512", True), ("55512/2026", True), ("oda-0055512", True), ("ODA 55513", False), ("", False),
    ):  # fmt: skip
        own = asked(line(70_000, "FT 1001/2026"), replace(A, order_ref=written), advance)[0]
        assert shares(own) == ({1: 100_000, 9: -30_000} if is_same else {1: 70_000}), written


def test_orders_of_two_years_are_two_orders() -> None:
    advance = item(9, "AN 1", -30_000, kind="advance", order_ref="123/2025")
    of = line(70_000, "FT 1001/2026")
    assert 9 not in shares(asked(of, replace(A, order_ref="123/2026"), advance)[0])
    assert 9 in shares(asked(of, replace(A, order_ref="2025-123"), advance)[0])


def test_a_second_advance_on_an_order_is_an_advance_too() -> None:
    before = item(9, "AN 1", -30_000, kind="advance", order_ref="55512")
    first = asked(line(500_000, "ANTICIPO ORDINE ODA 55512"), *ODD, before)[0]
    assert (first.kind, first.zone) == ("advance", "propose")


# --- differences -----------------------------------------------------------------------------------------


def _difference(of: Line, *items: OpenItem) -> tuple[str, list[tuple[str, int]]]:
    first = asked(of, *items)[0]
    return first.zone, [(each.kind, each.mills) for each in first.differences]


def test_charges_that_the_bank_states_are_certain() -> None:
    of = line(992_500, "FT 1001/2026", charges_mills=7_500)
    assert _difference(of, replace(A, balance_mills=1_000_000)) == ("auto", [("charges", 7_500)])


def test_charges_that_nobody_states_are_proposed() -> None:
    of = line(992_500, "FT 1001/2026", payer_iban="DE02120300000000202051")
    assert _difference(of, replace(A, balance_mills=1_000_000)) == ("propose", [("charges", 7_500)])


def test_a_discount_in_time_and_out_of_time() -> None:
    granted = replace(A, discount_mills=2_000, discount_until=DAY)
    assert _difference(line(98_000, "FT 1001/2026"), granted)[1] == [("discount", 2_000)]
    late = replace(granted, discount_until=date(2026, 1, 31))
    assert _difference(line(98_000, "FT 1001/2026"), late) == ("propose", [("discount_late", 2_000)])


@pytest.mark.parametrize(
    ("paid", "kind", "kept"),
    [
        (1_000_000, "split_vat", 220_000),
        (1_180_000, "withholding", 40_000),
        (1_020_000, "withholding", 200_000),
    ],
)
def test_tax_that_the_erp_did_not_flag_is_proposed_never_posted(paid: int, kind: str, kept: int) -> None:
    of = line(paid, "FT 1001/2026")
    whole = replace(A, amount_mills=1_220_000, balance_mills=1_220_000)
    assert _difference(of, whole) == ("propose", [(kind, kept)])


def test_what_is_paid_too_much_stays_on_account() -> None:
    first = asked(line(130_000, "FT 1001/2026"), A)[0]
    assert (first.zone, shares(first), first.unapplied_mills) == ("propose", {1: 100_000}, 30_000)
