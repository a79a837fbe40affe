"""What a payment that is not the sum of its items can be: charges, rounding, discount, tax kept, or short.

Only what the policy lets be written off, and what the terms grant, can be posted without a person; tax that
the ERP did not flag is proposed, and what nothing explains stays open on its item.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from saldo.core.matching.policy import Policy
from saldo.core.matching.records import (
    CHARGES,
    DISCOUNT,
    DISCOUNT_LATE,
    ROUNDING,
    SHORT,
    SPLIT_VAT,
    WITHHOLDING,
    Difference,
    Line,
    OpenItem,
    Share,
)

# Withholding on the taxable amount: condominiums 4%, professionals 20%, agents 23% of the half or the fifth.
# In thousandths.
WITHHOLDING_RATES = (40, 200, 115, 46)
# VAT in the gross: rate in percent. 0: no VAT.
VAT_RATES = (22, 10, 5, 4)
_CENT = 10
# Up to this share of the payment a part that is missing is a deduction, and no payment in part.
_SMALL_SHARE = 0.03
# Who pays a part on purpose pays a round amount; an odd one is more likely something else.
_ROUND_MILLS = 50_000
# Combinations of discounts and of taxes that are tried.
_MOST_ITEMS = 10


@dataclass(frozen=True, slots=True)
class Fit:
    """How an amount fits its items. evidence: its part of the pattern ("exact", "charges.stated", …).

    may_post: nothing in the difference needs a person. shares and differences as in a Proposal;
    unapplied_mills is what the items cannot take.
    """

    evidence: str
    shares: tuple[Share, ...]
    differences: tuple[Difference, ...] = ()
    unapplied_mills: int = 0
    may_post: bool = True


def fit(line: Line, items: Sequence[OpenItem], policy: Policy) -> Fit | None:
    """How the line's amount pays ``items`` (debits and the credits taken off, oldest first).

    None where the credits alone are as large as the debits, or no money would reach the last item. The gap
    is Σ balances - amount. Explanations in order: none needed; charges stated by the bank; discount of the
    terms; rounding; charges; tax kept; short. A gap below zero stays unapplied.
    """
    due = sum(item.balance_mills for item in items)
    gap = due - line.amount_mills
    if due <= 0:
        return None
    if gap == 0:
        return Fit("exact", _shares(items, ()))
    if gap < 0:
        return _over(line, items, -gap, policy)
    return (
        _stated_charges(line, items, gap, policy)
        or _discount(line, items, gap, policy)
        or _rounding(items, gap, policy)
        or _charges(line, items, gap, policy)
        or _tax(items, gap)
        or _short(line, items, gap)
    )


def _shares(items: Sequence[OpenItem], differences: Sequence[Difference]) -> tuple[Share, ...]:
    less = {each.item_id: each.mills for each in differences}
    return tuple(Share(item.item_id, item.balance_mills - less.get(item.item_id, 0)) for item in items)


def _made(evidence: str, items: Sequence[OpenItem], found: tuple[Difference, ...], may_post: bool) -> Fit:
    return Fit(evidence, _shares(items, found), found, 0, may_post)


def _largest(items: Sequence[OpenItem], gap: int) -> OpenItem | None:
    """The item that a difference of the whole payment is taken from: its largest, if it is larger."""
    item = max(items, key=lambda each: (each.balance_mills, -each.item_id))
    return item if item.balance_mills > gap else None


def _over(line: Line, items: Sequence[OpenItem], more: int, policy: Policy) -> Fit:
    """Paid more than open: the remainder stays on account; a rounding up says so in the pattern."""
    small = more <= policy.rounding_mills
    return Fit("rounding" if small else "over", _shares(items, ()), (), more, True)


def _stated_charges(line: Line, items: Sequence[OpenItem], gap: int, policy: Policy) -> Fit | None:
    """The bank states on the line what was kept: certain, and written off up to the policy's limit."""
    item = _largest(items, gap) if gap == line.charges_mills else None
    if item is None:
        return None
    found = (Difference(CHARGES, item.item_id, gap),)
    return _made("charges.stated", items, found, gap <= policy.charges_mills)


def _discount(line: Line, items: Sequence[OpenItem], gap: int, policy: Policy) -> Fit | None:
    """The early-payment discounts of all items, or of those of them that make the gap to the cent."""
    granted = [item for item in items if 0 < item.discount_mills < item.balance_mills]
    for size in range(len(granted), 0, -1) if len(granted) <= _MOST_ITEMS else (len(granted),):
        for chosen in combinations(granted, size):
            if abs(sum(item.discount_mills for item in chosen) - gap) <= _CENT * size:
                return _discounted(line, items, chosen, gap, policy)
    return None


def _discounted(
    line: Line, items: Sequence[OpenItem], chosen: Sequence[OpenItem], gap: int, policy: Policy
) -> Fit:
    odd = gap - sum(item.discount_mills for item in chosen)
    found = []
    in_time = True
    for item in chosen:
        until = item.discount_until
        late = (line.booking_date - until).days > policy.discount_grace_days if until else True
        in_time &= not late
        mills = item.discount_mills + odd
        odd = 0
        found.append(Difference(DISCOUNT_LATE if late else DISCOUNT, item.item_id, mills))
    return _made("discount" if in_time else "discount.late", items, tuple(found), in_time)


def _rounding(items: Sequence[OpenItem], gap: int, policy: Policy) -> Fit | None:
    item = _largest(items, gap) if gap <= policy.rounding_mills else None
    if item is None:
        return None
    return _made("rounding", items, (Difference(ROUNDING, item.item_id, gap),), True)


def _charges(line: Line, items: Sequence[OpenItem], gap: int, policy: Policy) -> Fit | None:
    """Small beside the payment: usual from abroad, possible from home."""
    if gap > policy.charges_mills or gap > policy.charges_share * line.amount_mills:
        return None
    item = _largest(items, gap)
    if item is None:
        return None
    evidence = "charges.foreign" if is_foreign(line) else "charges"
    return _made(evidence, items, (Difference(CHARGES, item.item_id, gap),), True)


def is_foreign(line: Line) -> bool:
    """Whether the payment came from an account outside Italy, or in another currency."""
    abroad = bool(line.payer_iban) and line.payer_iban[:2].upper() not in ("IT", "SM", "VA")
    return abroad or (bool(line.original_currency) and line.original_currency != line.currency)


def _tax(items: Sequence[OpenItem], gap: int) -> Fit | None:
    """Withholding or split VAT of the gross, at one rate, of all debits or of one; within a cent each."""
    debits = [item for item in items if item.amount_mills > 0]
    groups = [debits] if len(debits) == 1 else [debits, *([each] for each in debits[:_MOST_ITEMS])]
    for chosen in groups:
        for evidence, share in _TAX_SHARES:
            kept = [_of_gross(item.amount_mills, share) for item in chosen]
            odd = gap - sum(kept)
            if abs(odd) > _CENT * len(chosen):
                continue
            kept[0] += odd
            if all(0 < mills < item.balance_mills for mills, item in zip(kept, chosen, strict=True)):
                kinds = tuple(Difference(evidence, i.item_id, m) for i, m in zip(chosen, kept, strict=True))
                return _made(evidence, items, kinds, False)
    return None


def _of_gross(gross: int, share: tuple[int, int]) -> int:
    """gross · numerator / denominator, to the cent, halves up."""
    numerator, denominator = share
    cents = (2 * gross * numerator + denominator * _CENT) // (2 * denominator * _CENT)
    return cents * _CENT


# Tax kept as a share (numerator, denominator) of the gross: VAT r% is r / (100 + r); withholding w‰ of the
# taxable amount is w / (10 · (100 + r)).
_TAX_SHARES: tuple[tuple[str, tuple[int, int]], ...] = (
    *((SPLIT_VAT, (rate, 100 + rate)) for rate in VAT_RATES),
    *((WITHHOLDING, (held, 10 * (100 + rate))) for held in WITHHOLDING_RATES for rate in (*VAT_RATES, 0)),
)


def _short(line: Line, items: Sequence[OpenItem], gap: int) -> Fit | None:
    """Less than its items. A small part is missing from the largest one; else the credits are taken off
    whole, the debits are paid oldest first, and what is missing stays open on the last one. None where that
    one would get nothing."""
    debits = [item for item in items if item.balance_mills > 0]
    if gap <= _SMALL_SHARE * line.amount_mills and (largest := _largest(items, gap)) is not None:
        evidence, item = "short.small", largest
    elif len(debits) > 1:
        evidence, item = "short.several", debits[-1]
    else:
        evidence = "short" if line.amount_mills % _ROUND_MILLS else "short.round"
        item = debits[0]
    if item.balance_mills <= gap:
        return None
    found = (Difference(SHORT, item.item_id, gap),)
    return Fit(evidence, _shares(items, found), found, 0, len(debits) == 1 or evidence == "short.small")
