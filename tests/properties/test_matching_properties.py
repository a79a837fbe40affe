"""Property tests of saldo.core.matching.engine: money is conserved, whatever a line says."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from saldo.core.matching.book import Book
from saldo.core.matching.engine import MOST_PROPOSALS, propose
from saldo.core.matching.experience import Experience, belief, pattern_of
from saldo.core.matching.payers import PayerAccount, PayerAlias, Payers
from saldo.core.matching.policy import DEFAULT
from saldo.core.matching.records import AUTO, Advice, AdviceLine, Line, OpenItem, Proposal
from saldo.core.reasons import render

DAY = date(2026, 3, 2)
PAYERS = Payers(
    [
        PayerAccount(1, 11, "Torneria Rossi S.r.l.", group_id=11),
        PayerAccount(2, 12, "Bianchi S.p.A.", group_id=11),
        PayerAccount(3, 13, "Rossi Torneria di Rossi Mario"),
    ],
    [PayerAlias(1, "pays_for", "2")],
)
# Everything was always right: as much as possible is automatic.
TRUSTING = Experience(
    {
        pattern_of(found, fits, payer, against): (100_000, 0)
        for found in belief().found
        for fits in belief().fits
        for payer in belief().payer
        for against in (
            (),
            ("credits",),
            ("installment",),
            ("early",),
            ("recent",),
            ("rival",),
            ("ambiguous",),
        )
    }
)
_AMOUNTS = st.sampled_from([100_000, 100_000, 50_000, 150_000, 99_990, 33_330, 1_000, 250_000, 1_220_000])
_NUMBERS = st.sampled_from(["FT 1001/2026", "1002/26", "9260001003", "9260001004", "NC 5/26", "1005", "A-7"])


@st.composite
def _items(draw: st.DrawFn) -> list[OpenItem]:
    items = []
    for place in range(draw(st.integers(0, 12))):
        amount = draw(_AMOUNTS) * draw(st.sampled_from([1, 1, 1, 1, -1]))
        kind = "installment" if amount > 0 else draw(st.sampled_from(["credit_note", "payment", "advance"]))
        balance = draw(st.sampled_from([amount, amount, amount, amount // 20 * 10, 0]))
        items.append(
            OpenItem(
                place + 1, draw(st.integers(1, 3)), kind, draw(_NUMBERS), DAY - timedelta(days=40),
                DAY + timedelta(draw(st.integers(-60, 60))), draw(st.sampled_from(["EUR", "EUR", "USD"])),
                amount, balance, draw(st.integers(1, 3)), draw(st.sampled_from([None, 1, 2, place + 100])),
                draw(st.sampled_from(["", "ODA 55512"])), None if balance else DAY - timedelta(days=9),
                draw(st.sampled_from([0, 0, 2_000])), DAY, draw(st.booleans()) and draw(st.booleans()),
            )
        )  # fmt: skip
    return items


@st.composite
def _lines(draw: st.DrawFn, items: Sequence[OpenItem]) -> Line:
    balances = [each.balance_mills for each in items if draw(st.booleans())]
    amount = draw(st.sampled_from([sum(balances), sum(balances) - 7_500, 100_000, 123_450, 10]))
    words = draw(
        st.lists(st.one_of(_NUMBERS, st.sampled_from(["SALDO", "ACCONTO", "ODA 55512"])), max_size=4)
    )
    advice = None
    if draw(st.booleans()):
        told = tuple(
            AdviceLine(draw(_NUMBERS), draw(st.sampled_from([None, 100_000, -50_000, 5]))) for _ in range(2)
        )
        advice = Advice(1, told, (), None, draw(st.sampled_from([True, False, None])))
    return Line(
        1, DAY, max(amount, 10), "EUR", draw(st.one_of(st.just(" ".join(words)), st.text(max_size=40))),
        draw(st.sampled_from(["TORNERIA ROSSI SRL", "BIANCHI", "", "ROSSI"])), references=tuple(words[:1]),
        charges_mills=draw(st.sampled_from([0, 0, 7_500])), advice=advice,
        end_to_end_id=draw(st.sampled_from(["", "9260001003"])),
    )  # fmt: skip


@settings(deadline=None)
@given(data=st.data(), trusting=st.booleans())
def test_money_is_conserved_and_nothing_is_taken_twice(data: st.DataObject, trusting: bool) -> None:
    items = data.draw(_items())
    line = data.draw(_lines(items))
    found = propose(line, Book(items), PAYERS, DEFAULT, TRUSTING if trusting else Experience())
    assert 1 <= len(found) <= MOST_PROPOSALS
    assert all(each.zone != AUTO for each in found[1:])
    for each in found:
        _holds(each, line, {item.item_id: item for item in items})


def _holds(proposal: Proposal, line: Line, items: dict[int, OpenItem]) -> None:
    assert sum(share.mills for share in proposal.shares) + proposal.unapplied_mills == line.amount_mills
    assert proposal.unapplied_mills >= 0
    assert 0 <= proposal.probability <= 1
    assert len({share.item_id for share in proposal.shares}) == len(proposal.shares)
    left = {each.item_id: each.mills for each in proposal.differences}
    assert len(left) == len(proposal.differences)
    for share in proposal.shares:
        balance = items[share.item_id].balance_mills
        assert items[share.item_id].currency == line.currency
        assert share.mills and (share.mills > 0) == (balance > 0) and abs(share.mills) <= abs(balance)
        if share.item_id in left:
            assert share.mills + left[share.item_id] == balance and left[share.item_id] > 0
    for reason in proposal.reasons:
        assert render(reason.code, reason.params, "it") and render(reason.code, reason.params, "en")
    if proposal.zone == AUTO:
        _may_be_posted(proposal, items)


def _may_be_posted(proposal: Proposal, items: dict[int, OpenItem]) -> None:
    chosen = [items[share.item_id] for share in proposal.shares]
    assert not any(each.is_in_flight for each in chosen)
    assert "ambiguous" not in proposal.pattern
    assert not {each.kind for each in proposal.differences} & {"withholding", "split_vat", "discount_late"}
    advances = [each for each in chosen if each.kind == "advance"]
    orders = {each.order_ref for each in chosen if each.amount_mills > 0}
    assert all(each.order_ref in orders for each in advances)
