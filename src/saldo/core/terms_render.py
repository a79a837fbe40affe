"""Payment terms written out in the customary Italian way, such that parsing gives them back."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

from saldo.core.terms_model import Base, EarlyPayment, Installment, Method, PaymentTerms

_METHODS = {
    Method.RIBA: "RiBa", Method.TRANSFER: "bonifico", Method.SDD: "SDD", Method.DIRECT: "rimessa diretta",
    Method.CASH: "contanti", Method.CASH_ON_DELIVERY: "contrassegno", Method.CHECK: "assegno",
    Method.CARD: "carta di credito", Method.DRAFT: "cambiale", Method.MAV: "MAV",
}  # fmt: skip
_IMMEDIATE = {
    Base.INVOICE: "data fattura", Base.ADVANCE: "anticipato", Base.DELIVERY: "alla consegna",
    Base.RECEIPT: "vista fattura",
}  # fmt: skip
_COUNTED_FROM = {Base.INVOICE: "DF", Base.DELIVERY: "data consegna", Base.RECEIPT: "vista fattura"}
_MONTHS = (
    "gennaio", "febbraio", "marzo", "aprile", "maggio", "giugno", "luglio", "agosto", "settembre", "ottobre",
    "novembre", "dicembre",
)  # fmt: skip


def _decimal(value: Fraction) -> str:
    """A number of at most four decimals, with a comma."""
    whole, decimals = divmod(int(value * 10_000), 10_000)
    return f"{whole},{decimals:04d}".rstrip("0").rstrip(",")


def _share(share: Fraction) -> str:
    percent = share * 100
    if (percent * 10_000).denominator == 1:
        return f"{_decimal(percent)}%"
    return f"quota {share.numerator}/{share.denominator}"


def _offsets(values: Sequence[int], unit: str) -> str:
    return "/".join(map(str, values)) + f" {unit}" if any(values) else ""


def _dates(group: Sequence[Installment]) -> str:
    """The dates of installments that differ only in their days, months, or days after the end of month."""
    first = group[0]
    if len(group) == 1 and first.immediate:
        return _IMMEDIATE[first.base]
    days = _offsets(sorted({each.days for each in group}), "gg")
    one_month = first.months == 1 and len(group) == 1
    months = _offsets(sorted({each.months for each in group}), "mese" if one_month else "mesi")
    end = "FM" if first.end_of_month else ""
    base = _COUNTED_FROM[first.base]
    base_and_end = base + end if first.base is Base.INVOICE else f"{base} {end}"
    plus = "/".join(str(each) for each in sorted({each.plus_days for each in group}) if each)
    fixed = f" giorno fisso {first.fixed_day}" if first.fixed_day else ""
    return " ".join(f"{days} {months} {base_and_end}".split()) + (f"+{plus}" if plus else "") + fixed


def _terms(group: Sequence[Installment]) -> str:
    method = group[0].method
    return f"{_METHODS[method]} {_dates(group)}" if method else _dates(group)


def _is_list(installments: Sequence[Installment]) -> bool:
    """Whether they can be written "30/60/90 gg ...": alike but for one ascending number."""
    alike = {(each.share, each.end_of_month, each.fixed_day, each.base, each.method) for each in installments}
    varying = [
        [getattr(each, name) for each in installments]
        for name in ("days", "months", "plus_days")
        if len({getattr(each, name) for each in installments}) > 1
    ]
    if len(alike) > 1 or len(varying) != 1 or any(a >= b for a, b in pairwise(varying[0])):
        return False
    # A list after the end of month cannot start with nothing, nor follow a list before it.
    return all(each.plus_days for each in installments) or not any(each.plus_days for each in installments)


def _exclusions(terms: PaymentTerms) -> str:
    names = [_MONTHS[month - 1] for month in terms.excluded_months]
    listed = " e ".join(filter(None, (", ".join(names[:-1]), names[-1])))
    return f", esclusi {listed} al {terms.moved_to_day} del mese successivo"


def _discount(discount: EarlyPayment) -> str:
    return f"sconto {_decimal(discount.rate * 100)}% entro {discount.days} gg, "


def render(terms: PaymentTerms) -> str:
    """The terms as text: "30/60/90 gg DFFM+10, esclusi agosto e dicembre al 10 del mese successivo".

    ``parse_terms(render(terms)) == terms``. The day that dates move to is always written out.
    """
    installments = terms.installments
    if len(installments) == 1 or _is_list(installments):
        text = _terms(installments)
    else:
        text = ", ".join(f"{_share(each.share)} {_terms([each])}" for each in installments)
    excluded = _exclusions(terms) if terms.excluded_months else ""
    return (_discount(terms.discount) if terms.discount else "") + text + excluded
