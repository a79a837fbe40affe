"""Expected cash of an e-invoice: pure arithmetic over integers of mills (docs/rules/fatturapa.md).

A FatturaPA states a total, the VAT summary, what the customer withholds, and 0..n payments. Software in use
disagrees on whether the payments (and even the total) are gross or net of split-payment VAT and withholding
tax, so the figures are compared to find out, and nothing is subtracted twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

# Roundings of a few cents between the total, the VAT summary and the payments are everyday.
TOLERANCE_MILLS = 50
CENT_MILLS = 10


@dataclass(frozen=True, slots=True)
class DocumentFigures:
    """What the document states, in mills with its own signs.

    stated_mills: ImportoTotaleDocumento, None when absent. computed_mills: total from the VAT summary, None
    when there is none. stamp_mills: stamp duty, which some software charges without a line of its own.
    """

    stated_mills: int | None
    computed_mills: int | None
    stamp_mills: int
    split_vat_mills: int
    withholding_mills: int


@dataclass(frozen=True, slots=True)
class Share:
    """The part of one payment: expected + split VAT + withholding = its gross share of the document."""

    asked_index: int
    expected_mills: int
    split_vat_mills: int
    withholding_mills: int


@dataclass(frozen=True, slots=True)
class CashPlan:
    """Gross total, one Share per payment that counts, and the codes of what a person should know."""

    gross_mills: int
    shares: tuple[Share, ...]
    findings: tuple[str, ...]

    @property
    def expected_mills(self) -> int:
        return sum(share.expected_mills for share in self.shares)


def cash_plan(figures: DocumentFigures, asked: Sequence[int]) -> CashPlan:
    """How much cash each payment will bring. ``asked``: ImportoPagamento of each, possibly none.

    Without payments, one share holds all the cash (asked_index 0). Raises ValueError when there is neither a
    total, nor a VAT summary, nor a payment.
    """
    findings: list[str] = []
    gross = _gross_total(figures, asked, findings)
    split, withholding = figures.split_vat_mills, figures.withholding_mills
    expected = gross - split - withholding
    if not asked:
        return CashPlan(gross, (Share(0, expected, split, withholding),), tuple(findings))
    indexes = list(range(len(asked)))
    if _fit(sum(asked), gross, figures) is None and _are_alternatives(asked, gross, expected):
        findings.append("fatturapa_alternative_payments")
        indexes = [0]
    amounts = [asked[index] for index in indexes]
    if not any(amounts) and expected:
        findings.append("fatturapa_payments_without_amount")
        amounts = _apportioned(expected, [1] * len(amounts))
    fit = _fit(sum(amounts), gross, figures)
    if fit is None:
        findings.append("fatturapa_payments_differ")
        return CashPlan(gross, _as_asked(indexes, amounts), tuple(findings))
    return CashPlan(gross, _shares(indexes, amounts, figures, fit), tuple(findings))


def _gross_total(figures: DocumentFigures, asked: Sequence[int], findings: list[str]) -> int:
    """The total with VAT and withholding inside. A stated total may already be net of either."""
    stated, computed = figures.stated_mills, figures.computed_mills
    if stated is None or (stated == 0 and computed):
        findings.append("fatturapa_total_computed")
        if computed is not None:
            with_stamp = computed + figures.stamp_mills
            asked_with_stamp = sum(asked) == with_stamp - _any_kept(figures, sum(asked), with_stamp)
            return with_stamp if figures.stamp_mills and asked_with_stamp else computed
        if not asked:
            raise ValueError("no total, no VAT summary, no payment")
        return sum(asked)
    if computed is None or abs(stated - computed) <= TOLERANCE_MILLS:
        return stated
    for reference in {computed, computed + figures.stamp_mills}:
        if abs(stated - reference) <= TOLERANCE_MILLS:
            return stated
        kept = _any_kept(figures, stated, reference)
        if kept:
            return stated + kept
    findings.append("fatturapa_total_differs")
    return stated


def _any_kept(figures: DocumentFigures, net: int, gross: int) -> int:
    """Which of withholding, split VAT or both explains ``gross`` − ``net`` exactly; 0 when none does."""
    split, withholding = figures.split_vat_mills, figures.withholding_mills
    return next(
        (kept for kept in (withholding, split, split + withholding) if kept and gross - net == kept), 0
    )


def _are_alternatives(asked: Sequence[int], gross: int, expected: int) -> bool:
    """Several payments, each of the whole amount: ways to pay it once (two banks), not two debts."""
    whole = asked[0]
    return (
        len(asked) > 1
        and whole != 0
        and all(amount == whole for amount in asked)
        and min(abs(whole - gross), abs(whole - expected)) <= TOLERANCE_MILLS
    )


def _fit(total_asked: int, gross: int, figures: DocumentFigures) -> tuple[int, int] | None:
    """(split VAT, withholding) still inside the payments, to subtract; None when nothing explains them."""
    candidates = list(_interpretations(gross, figures))
    for level, *still_inside in candidates:
        if total_asked == level:
            return still_inside[0], still_inside[1]
    nearest = min(candidates, key=lambda candidate: abs(total_asked - candidate[0]))
    if abs(total_asked - nearest[0]) <= TOLERANCE_MILLS:
        return nearest[1], nearest[2]
    return None


def _interpretations(gross: int, figures: DocumentFigures) -> Iterator[tuple[int, int, int]]:
    """(sum of the payments, split VAT inside it, withholding inside it), the likeliest first."""
    split, withholding = figures.split_vat_mills, figures.withholding_mills
    for stamp in dict.fromkeys((0, figures.stamp_mills)):
        yield gross + stamp - split - withholding, 0, 0
        yield gross + stamp, split, withholding
        yield gross + stamp - split, 0, withholding
        yield gross + stamp - withholding, split, 0


def _as_asked(indexes: Sequence[int], amounts: Sequence[int]) -> tuple[Share, ...]:
    return tuple(Share(index, amount, 0, 0) for index, amount in zip(indexes, amounts, strict=True))


def _shares(
    indexes: Sequence[int], amounts: Sequence[int], figures: DocumentFigures, still_inside: tuple[int, int]
) -> tuple[Share, ...]:
    weights = [abs(amount) for amount in amounts] if any(amounts) else [1] * len(amounts)
    splits = _apportioned(figures.split_vat_mills, weights)
    withholdings = _apportioned(figures.withholding_mills, weights)
    split_inside, withholding_inside = still_inside
    return tuple(
        Share(
            index,
            amount - (split if split_inside else 0) - (withholding if withholding_inside else 0),
            split,
            withholding,
        )
        for index, amount, split, withholding in zip(indexes, amounts, splits, withholdings, strict=True)
    )


def _apportioned(whole: int, weights: Sequence[int]) -> list[int]:
    """``whole`` in parts proportional to ``weights``, in whole cents where it is one, adding up exactly."""
    unit = CENT_MILLS if whole % CENT_MILLS == 0 else 1
    units, total = whole // unit, sum(weights)
    running, marks = 0, [0]
    for weight in weights:
        running += weight
        marks.append(units * running // total)
    return [(after - before) * unit for before, after in pairwise(marks)]
