"""Reading payment plans as of a day, as known at an instant.

    plans_of            one account's, for people, judged by their own rule
    judged_plans        those that did not end, with what becomes of them by the day
    dated_plans         what a person must look after: installments to come, milestones, plans that fell
    cash_of             the cash that an account paid, for what it can sustain

Cash is what payments took off a plan's items since the plan was agreed, by bank booking date; what came back
counts against it. Credit notes, discounts and write-offs take off what is asked, from the last installment.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl

from saldo.core.context import Context
from saldo.core.money import from_mills, to_mills
from saldo.core.plans import COMING, DUE, Judgement, PlanRule, judged
from saldo.ledger.owed import balances
from saldo.ledger.queries import clocks
from saldo.promises.models import PaymentPlan
from saldo.storage.frames import copy_out

OPEN, SETTLED = "open", "settled"
# States of a milestone.
MET, EXPECTED, OVERDUE = "met", "expected", "overdue"
CHECK_IN, MILESTONE, FELL = "plan_installment_due", "plan_milestone_due", "plan_fallen"
# A plan that fell stays on the list so long, unless somebody speaks with the customer before.
FELL_DAYS = 30
DATED = {"account_id": pl.Int64, "code": pl.String, "date": pl.Date}
CASH = {"day": pl.Date, "mills": pl.Int64}
_PLAN_CASH = {"plan_id": pl.Int64, "day": pl.Date, "mills": pl.Int64}
# What was told after the plan was agreed: money that had come before and was not known then is paid on it.
_CASH_ON = """
SELECT i.plan_id, a.effective_date, (sum(a.amount) * 1000)::bigint
  FROM promises_planitem i JOIN promises_paymentplan p ON p.id = i.plan_id
  JOIN ledger_allocation a ON a.debit_item_id = i.item_id
  JOIN ledger_item c ON c.id = a.credit_item_id
 WHERE i.plan_id = ANY(%(plans)s::bigint[]) AND c.kind = 'payment'
   AND a.recorded_at > p.recorded_at AND a.recorded_at <= %(known_at)s AND a.effective_date <= %(as_of)s
 GROUP BY 1, 2 ORDER BY 1, 2
"""
_CASH_OF = """
SELECT i.effective_date, (sum(-i.amount) * 1000)::bigint
  FROM ledger_item i
 WHERE i.account_id = %(account)s AND i.currency = %(currency)s
   AND (i.kind = 'payment' OR i.kind = 'reopening' AND i.payment_id IS NOT NULL)
   AND i.effective_date >= %(since)s AND i.effective_date <= %(as_of)s AND i.recorded_at <= %(known_at)s
 GROUP BY 1 ORDER BY 1
"""


@dataclass(frozen=True, slots=True)
class PlanPart:
    """A plan's item: its share of the plan, and what is still expected of it."""

    item_id: int
    amount: Decimal
    remaining: Decimal


@dataclass(frozen=True, slots=True)
class InstallmentRow:
    """state: coming, due (within the tolerance), paid, paid_late, missed, or credited (asked no more)."""

    number: int
    due_date: date
    amount: Decimal
    paid: Decimal
    paid_date: date | None
    state: str


@dataclass(frozen=True, slots=True)
class MilestoneRow:
    """state: met, expected, or overdue (its day and the tolerance are over)."""

    id: int
    due_date: date
    text: str
    state: str


@dataclass(frozen=True, slots=True)
class PlanRow:
    """A plan as people see it. state: open, settled (nothing is left of its items) or how it ended:
    completed, fallen, withdrawn. due: what should have been paid by the day; late: the part of it that was
    not. missed: installments and milestones missed at once; falls: its own rule says that it falls."""

    id: int
    account_id: int
    currency: str
    amount: Decimal
    remaining: Decimal
    paid: Decimal
    due: Decimal
    late: Decimal
    missed: int
    falls: bool
    state: str
    rule: PlanRule
    installments: tuple[InstallmentRow, ...]
    milestones: tuple[MilestoneRow, ...]
    items: tuple[PlanPart, ...]
    note: str
    document_id: int | None
    effective_date: date
    ended_date: date | None
    actor: str
    recorded_at: datetime

    @property
    def next_installment(self) -> InstallmentRow | None:
        """The first that is neither paid nor credited nor missed."""
        return next((each for each in self.installments if each.state in (COMING, DUE)), None)


def plans_of(ctx: Context, account_id: int, booked_until: date | None = None) -> list[PlanRow]:
    """The account's plans, newest first. booked_until: the day to which the bank statements reach (None:
    there are none). The caller has checked the account's scope."""
    return _rows(ctx, PaymentPlan.objects.filter(account_id=account_id), booked_until)


def judged_plans(
    ctx: Context, booked_until: date | None = None, account_ids: Sequence[int] | None = None
) -> list[PlanRow]:
    """Plans of the context's company (or of these accounts) that did not end by the day, oldest first."""
    found = PaymentPlan.objects.all()
    if ctx.company_id is not None:
        found = found.filter(company_id=ctx.company_id)
    if account_ids is not None:
        found = found.filter(account_id__in=account_ids)
    running = [row for row in _rows(ctx, found, booked_until) if row.state in (OPEN, SETTLED)]
    return sorted(running, key=lambda row: row.id)


def fallen_plans(ctx: Context, account_ids: Sequence[int] | None = None) -> pl.DataFrame:
    """DATED (code "plan_fallen"): accounts of which a plan fell in the last FELL_DAYS, by its last day."""
    sql = """
    SELECT p.account_id, 'plan_fallen', max(e.effective_date)
      FROM promises_planend e JOIN promises_paymentplan p ON p.id = e.plan_id
     WHERE e.outcome = 'fallen' AND e.effective_date <= %(as_of)s AND e.recorded_at <= %(known_at)s
       AND e.effective_date > %(since)s
       AND (%(company_id)s::int IS NULL OR p.company_id = %(company_id)s)
       AND (%(accounts)s::bigint[] IS NULL OR p.account_id = ANY(%(accounts)s::bigint[]))
     GROUP BY 1 ORDER BY 1
    """
    params = {
        **clocks(ctx), "since": ctx.as_of - timedelta(days=FELL_DAYS), "company_id": ctx.company_id,
        "accounts": None if account_ids is None else list(account_ids),
    }  # fmt: skip
    return copy_out(sql, params, DATED)


def dated_plans(
    ctx: Context,
    check_in_days: int,
    booked_until: date | None = None,
    account_ids: Sequence[int] | None = None,
) -> pl.DataFrame:
    """DATED: a check-in from check_in_days before each installment that is not covered yet, until it is or is
    missed; the same of milestones, until they are met; and plans that fell. The day is that from which
    somebody should ask: who spoke with the account since then has done so."""
    rows = []
    lead = timedelta(days=check_in_days)
    for plan in judged_plans(ctx, booked_until, account_ids):
        if plan.state != OPEN:
            continue
        asks = [each.due_date - lead for each in plan.installments if each.state in (COMING, DUE)]
        stones = [each.due_date - lead for each in plan.milestones if each.state != MET]
        for code, days in ((CHECK_IN, asks), (MILESTONE, stones)):
            come = [max(day, plan.effective_date) for day in days if day <= ctx.as_of]
            if come:
                rows.append((plan.account_id, code, max(come)))
    told = pl.DataFrame(rows, schema=DATED, orient="row")
    own = told.group_by("account_id", "code").agg(pl.col("date").max()).sort("account_id", "code")
    return pl.concat([own.select(*DATED), fallen_plans(ctx, account_ids)])


def cash_of(ctx: Context, account_id: int, currency: str, since: date) -> list[tuple[date, int]]:
    """(day, mills) of what the account paid since a day, by booking date, less what came back."""
    params = {**clocks(ctx), "account": account_id, "currency": currency, "since": since}
    return list(copy_out(_CASH_OF, params, CASH).iter_rows())


# --- rows -------------------------------------------------------------------------------------------


def _rows(ctx: Context, found: Any, booked_until: date | None) -> list[PlanRow]:
    plans = list(
        found.filter(effective_date__lte=ctx.as_of)
        .select_related("end").prefetch_related("items", "installments", "milestones__met").order_by("-id")
    )  # fmt: skip
    if ctx.known_at is not None:
        plans = [one for one in plans if one.recorded_at <= ctx.known_at]
    item_ids = sorted({part.item_id for one in plans for part in one.items.all()})
    now = dict(balances(ctx, item_ids).select("item_id", "balance_mills").iter_rows())
    cash = _cash_on(ctx, [one.id for one in plans])
    return [_row(ctx, one, now, cash.get(one.id, []), booked_until) for one in plans]


def _cash_on(ctx: Context, plan_ids: Sequence[int]) -> Mapping[int, list[tuple[date, int]]]:
    found: dict[int, list[tuple[date, int]]] = defaultdict(list)
    if plan_ids:
        rows = copy_out(_CASH_ON, {**clocks(ctx), "plans": list(plan_ids)}, _PLAN_CASH)
        for plan_id, day, mills in rows.iter_rows():
            found[plan_id].append((day, mills))
    return found


def _row(
    ctx: Context,
    one: Any,
    now: Mapping[int, int],
    cash: list[tuple[date, int]],
    booked_until: date | None,
) -> PlanRow:
    ended, ended_date = _ended(one, ctx)
    parts = sorted(one.items.all(), key=lambda part: part.item_id)
    left = {part.item_id: _left(part, now) for part in parts}
    amount, remaining = sum(to_mills(part.amount) for part in parts), sum(left.values())
    came = sum(mills for _, mills in cash)
    told = sorted(one.installments.all(), key=lambda each: each.number)
    rule = PlanRule(one.tolerance_days, one.missed_limit, one.late_percent)
    stones = tuple(_milestone(each, rule, ctx) for each in _by_number(one.milestones.all()))
    found = judged(
        [(each.due_date, to_mills(each.amount)) for each in told], rule, cash,
        max(0, amount - remaining - max(0, came)), remaining, ctx.as_of, booked_until,
        [each.due_date for each in stones if each.state != MET],
    )  # fmt: skip
    state = ended or (SETTLED if found.is_completed else OPEN)
    due = sum(each.mills for each in found.installments if each.due_date <= ctx.as_of)
    return PlanRow(
        one.id, one.account_id, one.currency, from_mills(amount), from_mills(0 if ended else remaining),
        from_mills(max(0, came)), from_mills(due), from_mills(0 if ended else found.late_mills),
        found.missed, found.falls and not ended, state, rule, _installments(found), stones,
        tuple(
            PlanPart(part.item_id, part.amount, from_mills(0 if ended else left[part.item_id]))
            for part in parts
        ),
        one.note, one.document_id, one.effective_date, ended_date, one.actor, one.recorded_at,
    )  # fmt: skip


def _by_number(rows: Iterable[Any]) -> list[Any]:
    return sorted(rows, key=lambda each: each.number)


def _left(part: Any, now: Mapping[int, int]) -> int:
    """What is open of the plan's part of an item; more came onto the item since is not the plan's."""
    return min(to_mills(part.amount), max(0, now.get(part.item_id, 0)))


def _installments(found: Judgement) -> tuple[InstallmentRow, ...]:
    return tuple(
        InstallmentRow(
            each.number, each.due_date, from_mills(each.mills), from_mills(each.paid_mills), each.paid_date,
            each.state,
        )
        for each in found.installments
    )  # fmt: skip


def _milestone(one: Any, rule: PlanRule, ctx: Context) -> MilestoneRow:
    met = getattr(one, "met", None)
    is_met = met is not None and met.effective_date <= ctx.as_of
    is_met = is_met and (ctx.known_at is None or met.recorded_at <= ctx.known_at)
    over = ctx.as_of > one.due_date + timedelta(days=rule.tolerance_days)
    return MilestoneRow(one.id, one.due_date, one.text, MET if is_met else OVERDUE if over else EXPECTED)


def _ended(one: Any, ctx: Context) -> tuple[str, date | None]:
    """How and when it ended as far as the context knows; "" if it did not."""
    end = getattr(one, "end", None)
    if end is None or end.effective_date > ctx.as_of:
        return "", None
    is_known = ctx.known_at is None or end.recorded_at <= ctx.known_at
    return (str(end.outcome), end.effective_date) if is_known else ("", None)
