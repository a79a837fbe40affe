"""The day: what is known becomes forecasts, a worklist and figures. Read this first."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime

import polars as pl
from django.db import transaction

from saldo import __version__
from saldo.collection.experiment_changes import enter
from saldo.collection.planning import alternatives_json, keep_actions
from saldo.collection.playbook_actions import counts, keep_plan, plan_json
from saldo.core.context import Context
from saldo.flows.apply_cash import apply_new_lines
from saldo.flows.ask_surveys import queue_surveys
from saldo.flows.books import gather_book
from saldo.flows.collect_time import settle
from saldo.flows.desk_facts import desk_of_day
from saldo.flows.expected_cash import expect_cash
from saldo.flows.experiments import watch
from saldo.flows.facts import gather
from saldo.flows.item_reasons import with_reasons
from saldo.flows.plan_actions import plan_actions
from saldo.flows.plan_outreach import outreach_of
from saldo.flows.plans import look_after
from saldo.flows.queue_messages import queue_automatic, queue_thanks
from saldo.flows.record_measures import measure
from saldo.flows.score_portfolio import score_portfolio, version_of
from saldo.flows.score_risk import RiskOfDay, risk_version, score_risk
from saldo.flows.share_work import with_collectors
from saldo.identity.models import DayRun
from saldo.identity.operations import fix_known_at, open_day_run, record_event
from saldo.identity.queries import CompanyRow, companies, last_recorded_at, latest_day_run
from saldo.measurement.operations import MeasureValue, keep_cash_forecast, keep_measures
from saldo.parties.queries import LEGAL_ZONE
from saldo.risk.operations import keep_forecasts, keep_scores, keep_warnings
from saldo.storage.statistics import analyze


@dataclass(frozen=True, slots=True)
class DayResult:
    """A run of the day. is_new: it made a version; later_facts: facts were recorded after its known_at.

    outreach: how many messages playbooks planned, by state (collection.playbook_actions.STATES).
    """

    day_run_id: int
    company_code: str
    version: int
    known_at: datetime
    actions: int
    items: int
    is_new: bool
    later_facts: bool
    outreach: dict[str, int]


@dataclass(frozen=True, slots=True)
class Day:
    """Everything that a day says. model_version_id: what its forecasts come from. outreach: PLAN. entrants:
    ENTRANTS of experiments."""

    model_version_id: int
    forecasts: pl.DataFrame
    worklist: pl.DataFrame
    outreach: pl.DataFrame
    entrants: pl.DataFrame
    risk: RiskOfDay
    figures: list[MeasureValue]
    weeks: pl.DataFrame


def run_day(ctx: Context, company_id: int, refresh: bool = False) -> DayResult:
    """The day ``ctx.as_of`` of one company.

    Run again it gives the same day, from what was known at its first run; ``refresh`` takes in what was
    recorded since. A version is added only if something is different. What playbooks send by themselves is
    queued where the day is today: a past day is looked at, not lived again.
    """
    last = latest_day_run(company_id, ctx.as_of)
    rerun = last is not None and not refresh
    if not rerun:
        settle(ctx, company_id)
        # Whoever paid by a line that nobody has looked at would be asked to pay again.
        apply_new_lines(ctx, company_id)
        if ctx.as_of <= _today(ctx):
            # A look ahead ends nobody's plan.
            look_after(ctx, company_id)
            watch(ctx, company_id)
    ctx = (
        replace(ctx, known_at=last.known_at, company_id=company_id)
        if rerun
        else fix_known_at(ctx, company_id)
    )
    (company,) = companies(ctx)
    day = day_of(ctx, company)
    digest = _digest(day)
    later = (last_recorded_at(company_id) or ctx.known_at) > ctx.known_at
    is_new = last is None or last.digest != digest
    run = _kept(ctx, day, last.version + 1 if last else 1, digest) if is_new else last
    if ctx.as_of == _today(ctx):
        now = replace(ctx, known_at=None)
        enter(now, company_id, day.entrants)
        queue_automatic(now, company_id, run.id)
        queue_thanks(now, company_id)
        queue_surveys(now, company_id)
    return DayResult(
        run.id, company.code, run.version, run.known_at, day.worklist.height, day.forecasts.height, is_new,
        later, counts(run.id),
    )  # fmt: skip


def _today(ctx: Context) -> date:
    return ctx.clock().astimezone(LEGAL_ZONE).date()


def run_days(ctx: Context, refresh: bool = False) -> list[DayResult]:
    """The day of every company of the context."""
    return [run_day(ctx, company.id, refresh) for company in companies(ctx)]


def day_of(ctx: Context, company: CompanyRow) -> Day:
    """The day from what was known at ``ctx.known_at``: nothing of it is kept yet."""
    facts, book = gather(ctx), gather_book(ctx)
    scored = score_portfolio(ctx, facts, book)
    risk = score_risk(ctx, book)
    outreach = outreach_of(ctx, company, facts, scores=risk.scores)
    desk = desk_of_day(ctx, facts, book, scored.forecasts)
    ranked = plan_actions(facts, scored.forecasts, company.currency, outreach, desk)
    worklist = with_collectors(ctx, ranked, company.currency)
    # A cold start is asked about its own day only: the past would be fitted on what came after it.
    learnt = None if scored.version_id is None else scored.fitted
    return Day(
        model_version_id=version_of(ctx, scored),
        forecasts=with_reasons(scored, book, worklist),
        worklist=worklist,
        outreach=outreach.plan,
        entrants=outreach.entrants,
        risk=risk,
        figures=measure(facts),
        weeks=expect_cash(book, learnt, scored.landmarks, scored.curves, ctx.as_of, company.code),
    )


def _kept(ctx: Context, day: Day, version: int, digest: str) -> DayRun:
    with transaction.atomic():
        run = open_day_run(ctx, version, __version__, digest)
        keep_forecasts(run.id, day.model_version_id, day.forecasts)
        keep_actions(run.id, day.worklist)
        keep_plan(run.id, day.outreach)
        keep_scores(run.id, risk_version(ctx, day.risk), day.risk.scores)
        keep_warnings(run.id, day.risk.warnings)
        keep_measures(run.id, day.figures)
        keep_cash_forecast(run.id, day.weeks)
        analyze(("risk_paymentforecast", "collection_action", "risk_riskscore"), day.forecasts.height)
        record_event(
            replace(ctx, recorded_at=run.recorded_at), "day.run", "day_run", run.id, {"version": version}
        )
    return run


def _digest(day: Day) -> str:
    """One hash over everything that the day says, to tell a rerun that differs."""
    digest = hashlib.sha256()
    for frame in _told(day):
        digest.update(frame.write_csv(None, float_precision=9).encode())
    digest.update(repr(day.figures).encode())
    return digest.hexdigest()


def _told(day: Day) -> Iterator[pl.DataFrame]:
    reasons = pl.col("reasons").list.eval(pl.element().struct.json_encode()).list.join("\n")
    others = alternatives_json(pl.col("alternatives"))
    yield day.forecasts.sort("item_id")
    yield day.worklist.with_columns(reasons, others.alias("alternatives")).sort("currency", "rank")
    yield plan_json(day.outreach)
    yield day.risk.scores.sort("account_id")
    yield day.risk.warnings.sort("account_id", "code")
    yield day.weeks
