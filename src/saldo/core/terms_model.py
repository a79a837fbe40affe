"""Payment terms as a record, and the due dates they give. ``docs/rules/payment-terms.md`` has the rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from fractions import Fraction

from saldo.core.calendar import add_months, end_of_month, next_on_day, on_day

MAX_DAYS = 730
MAX_MONTHS = 24
DAYS_PER_MONTH = 30
MOVED_TO_DAY = 10


class Base(StrEnum):
    """What the days are counted from. Only the invoice date is always known."""

    INVOICE = "invoice"
    ADVANCE = "advance"  # due before the supply: by the time there is an invoice, due on its date
    DELIVERY = "delivery"
    RECEIPT = "receipt"  # of the invoice ("vista fattura")


class Method(StrEnum):
    """How the customer pays, where the terms say so."""

    RIBA = "riba"
    TRANSFER = "transfer"
    SDD = "sdd"
    DIRECT = "direct"  # rimessa diretta: the customer remits, by whatever means
    CASH = "cash"
    CASH_ON_DELIVERY = "cash_on_delivery"
    CHECK = "check"
    CARD = "card"
    DRAFT = "draft"  # cambiale, tratta
    MAV = "mav"


@dataclass(frozen=True, slots=True)
class Installment:
    """One part of the amount and how its due date comes about.

    The steps are taken in this order: base date, + ``days`` (or ``months``), then the end of that month if
    ``end_of_month``, then + ``plus_days``, then the next ``fixed_day`` of a month on or after that day. So
    "30 gg FM" is days=30 with end_of_month, and "FM + 30 gg" is end_of_month with plus_days=30.

    share: part of the total, exact, 0 < share <= 1.
    days, plus_days: 0 to 730.  months: 0 to 24, not with days.
    fixed_day: 1 to 31 (31 = last day), 0 = none.  method: None where the terms name none.
    """

    share: Fraction = Fraction(1)
    days: int = 0
    months: int = 0
    end_of_month: bool = False
    plus_days: int = 0
    fixed_day: int = 0
    base: Base = Base.INVOICE
    method: Method | None = None

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ValueError(f"a share is in (0, 1], not {self.share}")
        limits = ((self.days, MAX_DAYS), (self.plus_days, MAX_DAYS), (self.months, MAX_MONTHS))
        if any(not 0 <= value <= limit for value, limit in limits) or not 0 <= self.fixed_day <= 31:
            raise ValueError("days, months or day of the month out of range")
        if self.days and self.months:
            raise ValueError("an installment is counted in days or in months, not in both")
        if self.plus_days and not self.end_of_month:
            raise ValueError("plus_days come after an end of month")
        if self.base is Base.ADVANCE and (self.days or self.months or self.end_of_month or self.fixed_day):
            raise ValueError("an advance payment has no days")
        if self.method is Method.CASH_ON_DELIVERY and not (self.base is Base.DELIVERY and self.immediate):
            raise ValueError("cash on delivery is due on delivery")

    @property
    def immediate(self) -> bool:
        """Due on its base date itself."""
        return not (self.days or self.months or self.end_of_month or self.fixed_day)


@dataclass(frozen=True, slots=True)
class EarlyPayment:
    """Discount of ``rate`` (0 < rate < 1, whole hundredths of a percent) if paid within ``days`` of the
    invoice date. It never changes a due date."""

    rate: Fraction
    days: int

    def __post_init__(self) -> None:
        if not 0 < self.rate < 1 or not 0 <= self.days <= MAX_DAYS:
            raise ValueError("an early-payment discount has 0 < rate < 1 and 0-730 days")
        if (self.rate * 10_000).denominator != 1:
            raise ValueError("an early-payment discount has at most two decimals of a percent")


@dataclass(frozen=True, slots=True)
class PaymentTerms:
    """Agreed terms: at least one installment, their shares adding up to exactly 1.

    excluded_months: months (1 to 12, sorted) in which nothing falls due; a date in one of them moves to day
    ``moved_to_day`` (31 = last day) of the first month after it that is not excluded.
    """

    installments: tuple[Installment, ...]
    excluded_months: tuple[int, ...] = ()
    moved_to_day: int = MOVED_TO_DAY
    discount: EarlyPayment | None = None

    def __post_init__(self) -> None:
        if sum((i.share for i in self.installments), Fraction(0)) != 1:
            raise ValueError("the shares of the installments do not add up to 1")
        months = tuple(sorted(set(self.excluded_months)))
        if months != self.excluded_months or len(months) > 11 or not set(months) <= set(range(1, 13)):
            raise ValueError("excluded months are sorted, distinct, 1-12 and never all")
        if not 1 <= self.moved_to_day <= 31:
            raise ValueError("the day that dates move to is 1-31")
        if not months and self.moved_to_day != MOVED_TO_DAY:
            raise ValueError("without excluded months no date moves")

    @property
    def method(self) -> Method | None:
        """The one method that the terms name; None if they name none or several."""
        methods = {installment.method for installment in self.installments if installment.method}
        return methods.pop() if len(methods) == 1 else None

    @property
    def bases(self) -> frozenset[Base]:
        """What is counted from; beyond the invoice date, due dates need ``base_dates`` to be exact."""
        return frozenset(installment.base for installment in self.installments)


def due_date(installment: Installment, base_date: date, *, days_as_months: bool = True) -> date:
    """The due date of one installment before excluded months.

    days_as_months: with an end of month, days that are a multiple of 30 count as whole months (31 January
    + 60 gg FM = 31 March; by days it would be 30 April). Without an end of month days are always days.
    """
    whole_months = days_as_months and installment.end_of_month and installment.days % DAYS_PER_MONTH == 0
    if whole_months:
        day = add_months(base_date, installment.days // DAYS_PER_MONTH)
    else:
        day = base_date + timedelta(days=installment.days)
    day = add_months(day, installment.months)
    if installment.end_of_month:
        day = end_of_month(day) + timedelta(days=installment.plus_days)
    return next_on_day(day, installment.fixed_day) if installment.fixed_day else day


def out_of_excluded(day: date, terms: PaymentTerms) -> date:
    """``day``, or where it moves to if its month is excluded."""
    if day.month not in terms.excluded_months:
        return day
    month = day.replace(day=1)
    while month.month in terms.excluded_months:
        month = add_months(month, 1)
    return on_day(month, terms.moved_to_day)


def split_mills(amount_mills: int, shares: list[Fraction], quantum_mills: int = 10) -> list[int]:
    """``amount_mills`` in parts that add up to it exactly: each but the last is truncated toward zero to
    a multiple of ``quantum_mills``; the last takes what remains."""
    sign = -1 if amount_mills < 0 else 1
    parts = [sign * int(abs(amount_mills) * share / quantum_mills) * quantum_mills for share in shares[:-1]]
    return [*parts, amount_mills - sum(parts)]


def due_dates(
    terms: PaymentTerms,
    document_date: date,
    amount_mills: int,
    *,
    days_as_months: bool = True,
    quantum_mills: int = 10,
    base_dates: Mapping[Base, date] | None = None,
) -> list[tuple[date, int]]:
    """(due date, amount in mills) of each installment, in the order of the terms.

    The amounts add up to ``amount_mills`` exactly; the cents that do not divide are on the *last* one.
    Dates are those agreed: they are not rolled to a banking day.

    quantum_mills: smallest amount of the currency (10 = cent; 1000 for the yen, 1 for the dinar).
    base_dates: known dates of delivery or receipt; the document date stands in for those not given.
    """
    known = base_dates or {}
    days = [
        out_of_excluded(
            due_date(each, known.get(each.base, document_date), days_as_months=days_as_months), terms
        )
        for each in terms.installments
    ]
    parts = split_mills(amount_mills, [each.share for each in terms.installments], quantum_mills)
    return list(zip(days, parts, strict=True))
