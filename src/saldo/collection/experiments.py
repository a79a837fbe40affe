"""Experiments of a company: which there are, who is in which arm, and what customers paid.

running, trials        what the plan of a day needs
experiments            every one, the newest first
outcomes               each customer of one: what it was asked and what it paid in time
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import polars as pl

from saldo.analytics.experiments import OUTCOMES
from saldo.analytics.playbook_arms import ARMS, Trials
from saldo.collection.models import Experiment
from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.core.experiments import Design, Running
from saldo.core.playbook import Step
from saldo.core.playbook_text import step_of
from saldo.identity.models import Grant
from saldo.parties.frames import account_frame
from saldo.storage.frames import copy_out

# Who may start and stop experiments: who may put playbooks in force.
MAY_EXPERIMENT = frozenset({Grant.Role.ADMINISTRATOR, Grant.Role.CREDIT_MANAGER})
ENROLLING, WATCHING, OVER, STOPPED = "enrolling", "watching", "over", "stopped"


@dataclass(frozen=True, slots=True)
class EndRow:
    reason: str
    data: dict[str, Any]
    note: str
    as_of: date
    actor: str
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class ExperimentRow:
    """One experiment as it was started. step_text: its step then. needed: customers each arm takes;
    customers: how many were expected; mean, variance: of their outcomes, mean None where the past said too
    little."""

    id: int
    company_id: int
    playbook: str
    step: str
    step_text: str
    arms: tuple[str, ...]
    salt: str
    design: Design
    needed: int
    customers: int
    mean: float | None
    variance: float
    from_date: date
    until_date: date
    note: str
    actor: str
    recorded_at: datetime
    end: EndRow | None

    @property
    def step_then(self) -> Step:
        return step_of(self.step_text)

    @property
    def last_date(self) -> date:
        """The last day of the last customer's time."""
        return self.until_date + timedelta(days=self.design.horizon_days)

    def state(self, as_of: date) -> str:
        """ENROLLING (customers come in), WATCHING (the last ones' time runs), OVER, or STOPPED."""
        if self.end is not None:
            return STOPPED
        if as_of <= self.until_date:
            return ENROLLING
        return WATCHING if as_of <= self.last_date else OVER

    @property
    def running(self) -> Running:
        return Running(
            self.id, self.playbook, self.step, self.step_text, self.salt, self.arms, self.from_date,
            self.until_date,
        )  # fmt: skip


def experiments(company_id: int, known_at: datetime | None = None) -> list[ExperimentRow]:
    """Every experiment known at an instant (None: now), the newest first."""
    found = Experiment.objects.filter(company_id=company_id).select_related("end").order_by("-id")
    if known_at is not None:
        found = found.filter(recorded_at__lte=known_at)
    return [_row(each, known_at) for each in found]


def experiment_row(company_id: int, experiment_id: int) -> ExperimentRow:
    """Raises SaldoError("experiment_unknown")."""
    found = Experiment.objects.filter(company_id=company_id, id=experiment_id).select_related("end").first()
    if found is None:
        raise SaldoError("experiment_unknown", experiment=experiment_id)
    return _row(found, None)


def running(company_id: int, as_of: date, known_at: datetime | None = None) -> list[Running]:
    """Those that give arms on a day: not stopped by then, and customers still come in or are looked at.

    Who is in an arm keeps it until the last customer's time is over: a reminder that comes again comes in
    the same arm.
    """
    return [
        each.running
        for each in experiments(company_id, known_at)
        if each.from_date <= as_of and each.state(as_of) in (ENROLLING, WATCHING)
    ]


def arm_of(experiment: Running, customer_id: int) -> str:
    return experiment.arm_of(customer_id)


def trials(ctx: Context) -> Trials:
    """The experiments of the context's company on its day, with the arm of every account and who came in."""
    assert ctx.company_id is not None, "experiments are those of one company"
    found = running(ctx.company_id, ctx.as_of, ctx.known_at)
    if not found:
        return Trials()
    accounts = account_frame(ctx).select("account_id", "customer_id")
    arms = [
        accounts.select(
            "account_id", pl.lit(each.id, dtype=pl.Int64).alias("experiment_id"), "customer_id",
            pl.Series("arm", [each.arm_of(c) for c in accounts["customer_id"].to_list()], dtype=pl.String),
        )
        for each in found
    ]  # fmt: skip
    sql = """
    SELECT experiment_id, customer_id FROM collection_experimententry
     WHERE experiment_id = ANY(%(ids)s) AND recorded_at <= %(known_at)s
    """
    params = {"ids": [each.id for each in found], "known_at": ctx.known_at or "infinity"}
    entered = copy_out(sql, params, {"experiment_id": pl.Int64, "customer_id": pl.Int64})
    drawn = pl.concat(arms).select(*ARMS)
    # Once nobody comes in any more, an arm is for those who did.
    closed = [each.id for each in found if each.until_date < ctx.as_of]
    late = drawn.filter(pl.col("experiment_id").is_in(closed)).join(
        entered, on=["experiment_id", "customer_id"], how="anti"
    )
    kept = drawn.join(late, on=["experiment_id", "account_id"], how="anti", maintain_order="left")
    return Trials(tuple(found), kept, entered)


# Cash counts by its booking date. What was paid before the customer came in, and was known only after, had
# not to be asked; a closing of unknown cause is no payment.
_OUTCOMES = """
WITH asked AS MATERIALIZED (
    SELECT e.id, e.customer_id, e.account_id, e.arm, e.entered_date, e.recorded_at,
           (x->>'item_id')::bigint AS item_id, (x->>'asked_mills')::bigint AS asked
      FROM collection_experimententry e, jsonb_array_elements(e.items) x
     WHERE e.experiment_id = %(experiment)s AND e.recorded_at <= %(known_at)s
       AND e.entered_date <= %(as_of)s
), paid AS (
    SELECT q.*, coalesce(p.before, 0) AS before, coalesce(p.within, 0) AS within,
           coalesce(p.unknown, false) AS unknown
      FROM asked q
      LEFT JOIN LATERAL (
           SELECT (sum(a.amount) FILTER (WHERE c.kind <> 'closure' AND a.effective_date <= q.entered_date
                                           AND a.recorded_at > q.recorded_at) * 1000)::bigint AS before,
                  (sum(a.amount) FILTER (WHERE c.kind <> 'closure' AND a.effective_date > q.entered_date)
                   * 1000)::bigint AS within,
                  sum(a.amount) FILTER (WHERE c.kind = 'closure') > 0 AS unknown
             FROM ledger_allocation a JOIN ledger_item c ON c.id = a.credit_item_id
            WHERE a.debit_item_id = q.item_id AND c.kind IN ('payment', 'provisional_payment', 'closure')
              AND a.effective_date <= q.entered_date + %(horizon)s::int
              AND a.effective_date <= %(as_of)s AND a.recorded_at <= %(known_at)s) p ON true
), due AS (
    SELECT id, customer_id, account_id, arm, entered_date, unknown,
           asked - least(greatest(before, 0), asked) AS asked, within
      FROM paid
)
SELECT customer_id, account_id, arm, entered_date, entered_date + %(horizon)s::int AS end_date,
       entered_date + %(horizon)s::int <= %(until)s::date AS is_finished,
       CASE WHEN sum(asked) > 0
            THEN sum(least(greatest(within, 0), asked))::float8 / sum(asked)::float8 END AS share,
       sum(asked)::bigint, sum(least(greatest(within, 0), asked))::bigint, bool_or(unknown)
  FROM due GROUP BY id, customer_id, account_id, arm, entered_date ORDER BY entered_date, id
"""


def outcomes(ctx: Context, experiment: ExperimentRow, known_until: date) -> pl.DataFrame:
    """OUTCOMES at both clocks of the context. known_until: the last day that payments are known of."""
    params = {
        "experiment": experiment.id,
        "horizon": experiment.design.horizon_days,
        "until": min(known_until, ctx.as_of),
        "as_of": ctx.as_of,
        "known_at": ctx.known_at or "infinity",
    }
    return copy_out(_OUTCOMES, params, OUTCOMES)


def _row(one: Experiment, known_at: datetime | None) -> ExperimentRow:
    end = getattr(one, "end", None)
    if end is not None and known_at is not None and end.recorded_at > known_at:
        end = None
    return ExperimentRow(
        id=one.id,
        company_id=one.company_id,
        playbook=one.playbook_code,
        step=one.step,
        step_text=one.step_text,
        arms=tuple(one.arms),
        salt=one.salt,
        design=Design(
            one.effect, one.alpha, one.power, one.horizon_days, (one.until_date - one.from_date).days + 1
        ),
        needed=one.needed,
        customers=one.customers,
        mean=one.mean,
        variance=one.variance,
        from_date=one.from_date,
        until_date=one.until_date,
        note=one.note,
        actor=one.actor,
        recorded_at=one.recorded_at,
        end=None
        if end is None
        else EndRow(end.reason, end.data, end.note, end.as_of, end.actor, end.recorded_at),
    )
