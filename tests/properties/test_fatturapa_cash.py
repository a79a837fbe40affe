"""Expected cash: whatever the payments look like, nothing is lost, doubled or subtracted twice."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from saldo.formats._fatturapa_cash import DocumentFigures, cash_plan

cents = st.integers(min_value=1, max_value=10**9).map(lambda value: value * 10)


@st.composite
def documents(draw: st.DrawFn) -> tuple[DocumentFigures, list[int]]:
    """A document with deductions smaller than its total, and how its net cash is cut into payments."""
    net, split, withheld = draw(cents), draw(st.just(0) | cents), draw(st.just(0) | cents)
    cuts = sorted(draw(st.lists(st.integers(min_value=0, max_value=net // 10), max_size=5)))
    marks = [0, *(cut * 10 for cut in cuts), net]
    parts = [after - before for before, after in pairwise(marks)]
    return DocumentFigures(net + split + withheld, net + split + withheld, 0, split, withheld), parts


@given(documents())
def test_net_payments_are_the_cash_and_deductions_ride_on_top(
    case: tuple[DocumentFigures, list[int]],
) -> None:
    figures, parts = case
    plan = cash_plan(figures, parts)
    assert [share.expected_mills for share in plan.shares] == parts
    assert sum(share.split_vat_mills for share in plan.shares) == figures.split_vat_mills
    assert sum(share.withholding_mills for share in plan.shares) == figures.withholding_mills


@given(documents())
def test_one_gross_payment_loses_its_deductions_once(case: tuple[DocumentFigures, list[int]]) -> None:
    figures, parts = case
    gross = figures.stated_mills or 0
    [share] = cash_plan(figures, [gross]).shares
    assert share.expected_mills == sum(parts)
    assert share.expected_mills + share.split_vat_mills + share.withholding_mills == gross


@given(documents(), st.lists(st.integers(min_value=1, max_value=10**7), min_size=1, max_size=6))
def test_expected_cash_never_exceeds_what_is_asked(
    case: tuple[DocumentFigures, list[int]], asked: list[int]
) -> None:
    figures, _ = case
    plan = cash_plan(figures, [amount * 10 for amount in asked])
    assert plan.expected_mills <= sum(amount * 10 for amount in asked)
    assert len({share.asked_index for share in plan.shares}) == len(plan.shares)
