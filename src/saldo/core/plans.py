"""Payment plans and discounts for paying early: what an account can pay, and what becomes of what was agreed.
docs/rules/plans.md.

    sustainable         installments from the account's own cash of the months before
    judged              which installments were paid, which were missed, and whether the plan falls
    discount_terms      what a discount costs a year, and up to which rate it is worth its price

Amounts are mills of one currency. Nothing here knows of the ledger: who calls has counted the cash.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from statistics import median
from typing import Any

from saldo.core.calendar import add_months, next_business_day, next_on_day
from saldo.core.money import CURRENCY_EXPONENTS, MILLS_PER_UNIT
from saldo.core.promises import is_waited_for

# Months of cash that are looked at, and with how few of them nothing is concluded from them.
HISTORY_MONTHS, LEAST_MONTHS = 12, 3
# Days before the first money can be asked, and from a down payment to the first installment.
FIRST_DAYS, AFTER_DOWN_DAYS = 10, 14
# The day of the month where no habit is known.
LAST_OF_MONTH = 31
BASIS_POINTS = 10_000

# States of an installment.
COMING, DUE, PAID, PAID_LATE, MISSED, CREDITED = "coming", "due", "paid", "paid_late", "missed", "credited"


@dataclass(frozen=True, slots=True)
class PlanRule:
    """A plan's own rule. An installment is missed once tolerance_days after its day are over and it is not
    paid whole. The plan falls, as a whole, while missed_limit installments (or milestones) are missed, or
    late_percent of its amount (0: that does not count)."""

    tolerance_days: int = 5
    missed_limit: int = 2
    late_percent: int = 0


@dataclass(frozen=True, slots=True)
class PlanRules:
    """A company's rules. Basis points are hundredths of a percent.

    four_eyes_mills, four_eyes_months: a plan of more money or more months needs a second person.
    capacity_percent: the share of an account's typical monthly cash that an installment may take: the rest
    pays what it buys meanwhile. max_months, default_months: the longest that is proposed, and the usual one
    where no history says better. tolerance_days, missed_limit, late_percent: the rule of new plans.
    check_in_days: how long before an installment somebody asks whether it will come. offer_valid_days.
    cost_of_money_bp: what a year of waiting for money costs the company. max_discount_bp: a discount of more
    needs a second person.
    """

    four_eyes_mills: int = 25_000_000
    four_eyes_months: int = 12
    capacity_percent: int = 30
    max_months: int = 24
    default_months: int = 6
    tolerance_days: int = 5
    missed_limit: int = 2
    late_percent: int = 0
    check_in_days: int = 3
    offer_valid_days: int = 10
    cost_of_money_bp: int = 800
    max_discount_bp: int = 300

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> PlanRules:
        """From stored data; what it does not say keeps its default."""
        known = {each.name for each in fields(cls)}
        return cls(**{name: int(value) for name, value in data.items() if name in known})

    def data(self) -> dict[str, int]:
        return {each.name: getattr(self, each.name) for each in fields(self)}

    @property
    def rule(self) -> PlanRule:
        return PlanRule(self.tolerance_days, self.missed_limit, self.late_percent)

    def needs_second_person(self, mills: int, first: date, last: date) -> bool:
        """Whether a plan of this amount, to this last day, is beyond what one person may agree."""
        return mills > self.four_eyes_mills or last > add_months(first, self.four_eyes_months)


Installment = tuple[date, int]


@dataclass(frozen=True, slots=True)
class Sustainable:
    """Installments that the account can keep up, as far as its own cash tells.

    months: whole months that were looked at. typical_mills: the median month's cash. capacity_mills: what an
    installment may be, None where the history says too little. fits: no installment is more than that.
    reasons: {code, params} for people.
    """

    installments: tuple[Installment, ...]
    months: int
    typical_mills: int
    capacity_mills: int | None
    fits: bool
    reasons: tuple[dict[str, Any], ...]


def sustainable(
    debt_mills: int,
    currency: str,
    monthly_mills: Sequence[int],
    as_of: date,
    rules: PlanRules,
    usual_day: int | None = None,
    months: int | None = None,
    first_date: date | None = None,
    down_mills: int = 0,
) -> Sustainable:
    """A plan for a debt: equal installments of whole tens, the last one takes the rest.

        capacity = capacity_percent × median of the monthly cash
        number   = ceil((debt - down payment) / capacity), within 1 .. max_months

    monthly_mills: cash of each of the last whole months, months without any too. usual_day: of the month, on
    which the account pays. months, first_date: a person's wish, which wins. Installments fall on business
    days. The sum is always the debt.
    """
    typical = max(0, int(median(monthly_mills))) if monthly_mills else 0
    is_known = len(monthly_mills) >= LEAST_MONTHS and typical > 0
    capacity = typical * rules.capacity_percent // 100 if is_known else None
    down = min(max(0, down_mills), debt_mills)
    rest = debt_mills - down
    wanted = -(-rest // capacity) if capacity else rules.default_months
    count = max(1, months or min(wanted, rules.max_months))
    dated = _dates(as_of, usual_day, first_date, bool(down))
    parts = _parts(rest, count, currency)
    regular = [(next_business_day(add_months(dated[-1], n)), mills) for n, mills in enumerate(parts)]
    installments = ((dated[0], down), *regular) if down else tuple(regular)
    largest = max(parts, default=0)
    fits = capacity is None or largest <= capacity
    reasons = _reasons(currency, monthly_mills, typical, capacity, rules, fits, largest, wanted, usual_day)
    return Sustainable(installments, len(monthly_mills), typical, capacity, fits, reasons)


def _dates(as_of: date, usual_day: int | None, first_date: date | None, has_down: bool) -> list[date]:
    """[day of the down payment,] day from which the installments are counted."""
    earliest = as_of + timedelta(days=FIRST_DAYS)
    day = usual_day or LAST_OF_MONTH
    if not has_down:
        return [first_date or next_on_day(earliest, day)]
    down = next_business_day(first_date or earliest)
    return [down, next_on_day(down + timedelta(days=AFTER_DOWN_DAYS), day)]


def _parts(mills: int, count: int, currency: str) -> list[int]:
    """``count`` equal amounts, or fewer where rounding up makes do; the last one is what is left."""
    if mills <= 0:
        return []
    exact = -(-mills // count)
    step = 10 * MILLS_PER_UNIT if exact >= 100 * MILLS_PER_UNIT else MILLS_PER_UNIT
    each = -(-exact // step) * step
    parts = [each] * (-(-mills // each) - 1)
    # An amount below the smallest step is one installment, to the last decimal.
    assert mills % 10 ** (3 - CURRENCY_EXPONENTS[currency]) == 0, "a debt has the decimals of its currency"
    return [*parts, mills - sum(parts)]


def _reasons(
    currency: str, monthly: Sequence[int], typical: int, capacity: int | None, rules: PlanRules, fits: bool,
    largest: int, wanted: int, usual_day: int | None,
) -> tuple[dict[str, Any], ...]:  # fmt: skip
    told: list[dict[str, Any]] = []
    if capacity is None:
        told.append({"code": "plan_no_history", "params": {"months": len(monthly)}})
    else:
        told.append({"code": "plan_capacity", "params": {
            "months": len(monthly), "typical_mills": typical, "currency": currency,
            "percent": rules.capacity_percent, "capacity_mills": capacity,
        }})  # fmt: skip
    if not fits and capacity:
        told.append({"code": "plan_beyond_capacity", "params": {
            "installment_mills": largest, "currency": currency, "months": wanted,
        }})  # fmt: skip
    if usual_day is not None:
        told.append({"code": "plan_usual_day", "params": {"day": usual_day}})
    return tuple(told)


def usual_day_of(cash: Sequence[Installment]) -> int | None:
    """The day of the month by which half of the account's cash has come; 31 from the 28th on. None without
    cash. The same amount-weighted median whether the account pays once a month or often."""
    paid = sorted((day.day, mills) for day, mills in cash if mills > 0)
    total = sum(mills for _, mills in paid)
    running = 0
    for day, mills in paid:
        running += mills
        if 2 * running >= total:
            return day if day < 28 else LAST_OF_MONTH
    return None


def monthly_cash(cash: Sequence[Installment], as_of: date) -> list[int]:
    """The cash of each of the last HISTORY_MONTHS whole months, from the first with any on; oldest first."""
    this_month = as_of.replace(day=1)
    starts = [add_months(this_month, -n) for n in range(HISTORY_MONTHS, 0, -1)]
    sums = [
        sum(mills for day, mills in cash if start <= day < add_months(start, 1)) for start in starts
    ]  # fmt: skip
    first = next((n for n, mills in enumerate(sums) if mills > 0), len(sums))
    return [max(0, mills) for mills in sums[first:]]


# --- judging ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class JudgedInstallment:
    """mills: what it asks for, after what was credited. paid_date: the day on which it was paid whole."""

    number: int
    due_date: date
    mills: int
    paid_mills: int
    paid_date: date | None
    state: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """missed: installments and milestones missed at once. late_mills: missing of what should be paid, within
    the tolerance or not. falls: by the plan's own rule. is_completed: nothing is left of its items."""

    installments: tuple[JudgedInstallment, ...]
    missed: int
    late_mills: int
    falls: bool
    is_completed: bool


def judged(
    installments: Sequence[Installment],
    rule: PlanRule,
    cash: Sequence[Installment],
    credited_mills: int,
    left_mills: int,
    as_of: date,
    booked_until: date | None = None,
    milestones_due: Sequence[date] = (),
) -> Judgement:
    """A plan on the evening of ``as_of``.

    cash: what payments took off the plan's items since it was agreed, by bank booking date; what came back is
    negative, and makes an installment unpaid again. It pays the installments in their order. credited_mills:
    what credit notes, discounts and write-offs took off: it is asked for no more, from the last installment
    backwards. left_mills: what is open of the items. booked_until: the day to which bank statements reach;
    nothing is missed beyond it. milestones_due: the days of the milestones that were not met.
    """
    asked = _after_credit(installments, credited_mills)
    runs = _running(cash)
    total = runs[-1][1] if runs else 0
    need, rows = 0, []
    for number, ((due, _), mills) in enumerate(zip(installments, asked, strict=True), start=1):
        paid = min(mills, max(0, total - need))
        need += mills
        paid_date = _since(runs, need) if mills and total >= need else None
        state = _state(due, mills, paid, paid_date, rule, as_of, booked_until)
        rows.append(JudgedInstallment(number, due, mills, paid, paid_date, state))
    missed_rows = [row for row in rows if row.state == MISSED]
    overdue = [row for row in rows if row.state in (MISSED, DUE)]
    over = [day for day in milestones_due if as_of > day + timedelta(days=rule.tolerance_days)]
    missed = len(missed_rows) + len(over)
    missing = sum(row.mills - row.paid_mills for row in missed_rows)
    amount = sum(asked)
    by_count = 0 < rule.missed_limit <= missed
    by_share = rule.late_percent > 0 and missing > 0 and missing * 100 >= rule.late_percent * amount
    late = sum(row.mills - row.paid_mills for row in overdue)
    is_completed = left_mills <= 0
    return Judgement(tuple(rows), missed, late, (by_count or by_share) and not is_completed, is_completed)


def _after_credit(installments: Sequence[Installment], credited: int) -> list[int]:
    asked = [mills for _, mills in installments]
    for index in reversed(range(len(asked))):
        part = min(asked[index], max(0, credited))
        asked[index] -= part
        credited -= part
    return asked


def _running(cash: Sequence[Installment]) -> list[Installment]:
    total, runs = 0, []
    for day, mills in sorted(cash):
        total += mills
        runs.append((day, total))
    return runs


def _since(runs: Sequence[Installment], need: int) -> date:
    """The first day from which the running total stays at ``need`` or more."""
    since = runs[-1][0]
    for day, total in reversed(runs):
        if total < need:
            break
        since = day
    return since


def _state(
    due: date, mills: int, paid: int, paid_date: date | None, rule: PlanRule, as_of: date,
    booked_until: date | None,
) -> str:  # fmt: skip
    if not mills:
        return CREDITED
    if paid_date is not None and paid >= mills:
        return PAID if paid_date <= due + timedelta(days=rule.tolerance_days) else PAID_LATE
    if not is_waited_for(due, rule.tolerance_days, as_of, booked_until):
        return MISSED
    return DUE if due < as_of else COMING


# --- discounts --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DiscountTerms:
    """A discount for paying by a day instead of on the usual one.

    days: how much earlier. annual_bp: what it costs a year, in basis points. break_even_bp: the rate at which
    it costs as much as the money. is_worth: it costs no more than that.
    """

    discount_mills: int
    to_pay_mills: int
    days: int
    annual_bp: int
    break_even_bp: int
    is_worth: bool


def discount_of(mills: int, rate_bp: int, currency: str) -> int:
    """The discount on one amount, in the decimals of its currency, half up."""
    quantum = 10 ** (3 - CURRENCY_EXPONENTS[currency])
    exact = Decimal(mills) * rate_bp / BASIS_POINTS / quantum
    whole = int(exact.to_integral_value(ROUND_HALF_UP))
    return whole * int(quantum)


def discount_terms(
    amounts_mills: Sequence[int], currency: str, rate_bp: int, pay_by: date, usual_date: date,
    cost_of_money_bp: int,
) -> DiscountTerms:  # fmt: skip
    """The usual formula of a cash discount: annual = d / (1 - d) × 365 / days, on a year of 365 days.

    usual_date: when the money would come otherwise. pay_by is before it, the rate between 0 and 10,000.
    """
    assert usual_date > pay_by and 0 < rate_bp < BASIS_POINTS, "a discount buys days and leaves something"
    discount = sum(discount_of(mills, rate_bp, currency) for mills in amounts_mills)
    days = (usual_date - pay_by).days
    rate = Decimal(rate_bp) / BASIS_POINTS
    annual = rate / (1 - rate) * 365 / days
    money = Decimal(cost_of_money_bp) / BASIS_POINTS * days / 365
    annual_bp, even_bp = (int((each * BASIS_POINTS).to_integral_value(ROUND_HALF_UP))
                          for each in (annual, money / (1 + money)))  # fmt: skip
    return DiscountTerms(
        discount, sum(amounts_mills) - discount, days, annual_bp, even_bp, annual_bp <= cost_of_money_bp
    )
