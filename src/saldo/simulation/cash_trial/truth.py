"""What the bank lines of a world are for, and whether a posting says the same. Amounts in cents.

A line of a world's PAYMENTS pays installments, takes credit notes off, or belongs to no document (paid twice,
paid on account). What a payer kept for itself (charges, a rounding, a discount) was meant as paid.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date

import polars as pl

from saldo.simulation.world.tables import Tables

PAYS, DUPLICATE, ON_ACCOUNT = "pays", "duplicate", "on_account"
MEANT = ("charges", "rounding", "discount")
# What is said of a line whose faults are none.
PLAIN = "no fault"

RIGHT, WRONG, LEFT = "right", "wrong", "left"


@dataclass(frozen=True, slots=True)
class Truth:
    """What a transfer is for. paid: installment -> cents that arrived for it. meant: installment -> cents
    that are missing and were meant as paid, of the kind meant_kind. credits: installment of a credit note ->
    cents taken off (positive). kind: PAYS, or DUPLICATE or ON_ACCOUNT, which belong to no open item: the
    ERP's line for the money is then on_account."""

    payment_id: int
    company_id: int
    payer_id: int
    booking_date: date
    cents: int
    kind: str = PAYS
    paid: dict[int, int] = field(default_factory=dict)
    meant: dict[int, int] = field(default_factory=dict)
    meant_kind: str = ""
    credits: dict[int, int] = field(default_factory=dict)
    on_account: int | None = None
    faults: tuple[str, ...] = ()

    def cleared(self, installment: int) -> int:
        """What the line and what was meant with it take from an installment."""
        return self.paid.get(installment, 0) + self.meant.get(installment, 0)


def truths(t: Tables, first: date, last: date) -> dict[int, Truth]:
    """The transfers booked from ``first`` to ``last`` by payment id, in order of (day, id).

    ValueError where the lines of a payment do not come to its amount.
    """
    transfers = t.payments.filter(
        (pl.col("kind") == "transfer") & pl.col("booking_date").is_between(first, last)
    ).sort("booking_date", "payment_id")
    found = {
        row["payment_id"]: Truth(
            row["payment_id"], row["company_id"], row["payer_id"], row["booking_date"], row["amount_cents"],
            faults=tuple(row["faults"]),
        )
        for row in transfers.iter_rows(named=True)
    }  # fmt: skip
    lines = t.payment_lines.join(transfers.select("payment_id"), on="payment_id", how="semi")
    for payment, line, kind, cents in lines.iter_rows():
        found[payment] = _with(found[payment], line, kind, cents)
    for truth in found.values():
        if truth.kind == PAYS and sum(truth.paid.values()) - sum(truth.credits.values()) != truth.cents:
            raise ValueError(f"Payment {truth.payment_id}: its lines do not come to its amount")
    return found


def _with(truth: Truth, line: int, kind: str, cents: int) -> Truth:
    """``truth`` with one of its PAYMENT_LINES."""
    if kind == "paid":
        truth.paid[line] = truth.paid.get(line, 0) + cents
    elif kind == "credit":
        truth.credits[line] = truth.credits.get(line, 0) - cents
    elif kind in MEANT:
        truth.meant[line] = truth.meant.get(line, 0) + cents
        return replace(truth, meant_kind=kind)
    else:
        return replace(truth, kind=kind, on_account=line)
    return truth


def verdict(truth: Truth, shares: Mapping[int, int], written_off: Mapping[int, int] | None = None) -> str:
    """Whether a posting of the line is RIGHT or WRONG; LEFT: nothing was applied that should have been.

    shares: installment -> cents (negative: a credit that was taken off); written_off: installment -> cents
    closed beside the money. Right: every euro is on an installment that it was paid for, credits are the ones
    that were taken off, and nothing is cleared beyond what was meant. Where the missing part of a payment of
    several installments shows is free: who paid did not say. Of a line that belongs to no open item, right is
    only what applies nothing.
    """
    shares = {item: cents for item, cents in shares.items() if cents}
    extra = {item: cents for item, cents in (written_off or {}).items() if cents}
    if truth.kind != PAYS:
        return WRONG if shares or extra else RIGHT
    if not shares:
        return WRONG if extra else LEFT
    debits = {item: cents for item, cents in shares.items() if cents > 0}
    credits = {item: -cents for item, cents in shares.items() if cents < 0}
    cleared = {item: debits.get(item, 0) + extra.get(item, 0) for item in debits.keys() | extra.keys()}
    is_right = (
        credits == truth.credits
        and sum(debits.values()) == sum(truth.paid.values())
        and all(cents <= truth.cleared(item) for item, cents in cleared.items())
    )
    return RIGHT if is_right else WRONG


def fault_kinds(truth: Truth) -> tuple[str, ...]:
    """The rows of the report that the line counts in; what was planted beside the faults is one too."""
    more = ["credit_taken"] if truth.credits else []
    return (*truth.faults, *more) or (PLAIN,)
