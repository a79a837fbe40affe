"""A payment in another currency than its items', where the bank states both amounts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from saldo.core.matching.experience import SEPARATOR, Experience
from saldo.core.matching.policy import Policy
from saldo.core.matching.records import AUTO, MATCH, PROPOSE, Line, Proposal, Reason, Share


def in_original(line: Line) -> Line | None:
    """The line as the payer ordered it, in the currency of the order; None where that is the line's own."""
    if not line.original_mills or line.original_mills < 0 or line.original_currency in ("", line.currency):
        return None
    return replace(
        line, amount_mills=line.original_mills, currency=line.original_currency, original_mills=None,
        original_currency="", charges_mills=0,
    )  # fmt: skip


def converted(
    line: Line, found: Iterable[Proposal], policy: Policy, experience: Experience
) -> Iterator[Proposal]:
    """Proposals for the line as ordered that leave no difference, as proposals for the line as it came in.

    The shares are in the line's currency, at the bank's own rate (amount / original amount), rounded to the
    hundredth, the last one taking what rounding leaves. They are proposed, never posted unasked.
    """
    ordered = line.original_mills or 1
    for each in found:
        if each.kind != MATCH or each.differences or each.unapplied_mills:
            continue
        shares = tuple(_scaled(line, ordered, each.shares))
        if any(
            share.mills == 0 or (share.mills > 0) != (old.mills > 0)
            for share, old in zip(shares, each.shares, strict=True)
        ):
            continue
        parts = each.pattern.split(SEPARATOR)
        pattern = SEPARATOR.join((parts[0], "rate", *parts[2:]))
        chance = experience.chance(pattern)
        zone = chance.zone(policy)
        facts = {
            "paid_mills": line.amount_mills, "paid_currency": line.currency, "item_mills": ordered,
            "item_currency": line.original_currency,
        }  # fmt: skip
        reasons = (Reason("match_rate", facts), *each.reasons[:-1], chance.reason())
        yield replace(
            each, shares=shares, pattern=pattern, probability=chance.probability,
            zone=PROPOSE if zone == AUTO else zone, reasons=reasons,
        )  # fmt: skip


def _scaled(line: Line, ordered: int, shares: tuple[Share, ...]) -> Iterator[Share]:
    left = line.amount_mills
    for place, share in enumerate(shares, start=1):
        hundredths = (share.mills * line.amount_mills * 2 + ordered * 10) // (ordered * 20)
        mills = left if place == len(shares) else hundredths * 10
        left -= mills
        yield Share(share.item_id, mills)
