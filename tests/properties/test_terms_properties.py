"""Payment terms: writing and reading back is the identity; amounts are conserved; nothing else escapes."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

from hypothesis import example, given
from hypothesis import strategies as st

from saldo.core.errors import SaldoError
from saldo.core.terms import (
    Base,
    EarlyPayment,
    Installment,
    Method,
    PaymentTerms,
    due_dates,
    parse_terms,
    render,
)

DAYS = st.sampled_from([0, 7, 10, 15, 30, 45, 60, 90, 120, 365, 730])


@st.composite
def shares(draw: st.DrawFn) -> list[Fraction]:
    weights = draw(st.lists(st.integers(1, 40), min_size=1, max_size=5))
    if draw(st.booleans()):
        weights = [1] * len(weights)
    return [Fraction(weight, sum(weights)) for weight in weights]


@st.composite
def installments(draw: st.DrawFn, share: Fraction) -> Installment:
    method = draw(st.none() | st.sampled_from(Method))
    base = Base.DELIVERY if method is Method.CASH_ON_DELIVERY else draw(st.sampled_from(Base))
    if base is Base.ADVANCE or method is Method.CASH_ON_DELIVERY:
        return Installment(share, base=base, method=method)
    days, end = draw(DAYS), draw(st.booleans())
    return Installment(
        share,
        days=days,
        months=0 if days else draw(st.integers(0, 24)),
        end_of_month=end,
        plus_days=draw(DAYS) if end else 0,
        fixed_day=draw(st.sampled_from([0, 0, 1, 10, 28, 31])),
        base=base,
        method=method,
    )


@st.composite
def terms(draw: st.DrawFn) -> PaymentTerms:
    parts = draw(shares())
    if draw(st.booleans()):  # "30/60/90 gg ...": alike but for the days
        model = draw(installments(parts[0]))
        if model.base is not Base.ADVANCE and model.method is not Method.CASH_ON_DELIVERY:
            step = draw(st.sampled_from([15, 30]))
            found = [
                Installment(
                    share, days=step * i, end_of_month=model.end_of_month, plus_days=model.plus_days,
                    fixed_day=model.fixed_day, base=model.base, method=model.method,
                )
                for i, share in enumerate(parts, start=draw(st.integers(0, 2)))
            ]  # fmt: skip
        else:
            found = [draw(installments(share)) for share in parts]
    else:
        found = [draw(installments(share)) for share in parts]
    months = tuple(sorted(draw(st.sets(st.integers(1, 12), max_size=4))))
    rates = st.integers(1, 9_999).map(lambda hundredths: Fraction(hundredths, 10_000))
    discount = st.builds(EarlyPayment, rates, st.integers(0, 730))
    return PaymentTerms(
        tuple(found),
        excluded_months=months,
        moved_to_day=draw(st.integers(1, 31)) if months else 10,
        discount=draw(st.none() | discount),
    )


@given(terms())
def test_parse_of_render_is_the_identity(written: PaymentTerms) -> None:
    assert parse_terms(render(written)) == written


@given(
    terms(),
    st.dates(date(1990, 1, 1), date(2090, 12, 31)),
    st.integers(-(10**15), 10**15),
    st.sampled_from([1, 10, 1000]),
    st.booleans(),
)
def test_due_dates_conserve_the_amount_and_never_precede_the_document(
    agreed: PaymentTerms, day: date, amount_mills: int, quantum_mills: int, days_as_months: bool
) -> None:
    found = due_dates(agreed, day, amount_mills, quantum_mills=quantum_mills, days_as_months=days_as_months)
    assert len(found) == len(agreed.installments)
    assert sum(part for _, part in found) == amount_mills
    assert all(part * amount_mills >= 0 for _, part in found)
    assert all(part % quantum_mills == 0 for _, part in found[:-1])
    assert all(due >= day and due.month not in agreed.excluded_months for due, _ in found)


WORDS = "30 60 10 / - , + % gg fm df dffm mesi esclusi agosto e al 31 del mese successivo saldo 50% net dopo"


@given(st.lists(st.sampled_from(WORDS.split()), max_size=9).map(" ".join) | st.text(max_size=60))
@example("2/10 net")
@example("quota 0/1 30 gg quota 1/1 60 gg")
@example("³0 gg")
@example("٣٠ gg")
def test_any_text_is_read_stably_or_refused(text: str) -> None:
    try:
        found = parse_terms(text)
    except SaldoError as refusal:
        assert refusal.code.startswith("terms_") and refusal.why("it")
    else:
        assert parse_terms(render(found)) == found
