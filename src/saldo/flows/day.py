"""The day: what is known becomes forecasts, a worklist and figures. Read this first."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime

import polars as pl
from django.db import transaction

from saldo import __version__
from saldo.analytics.payment_date.empirical_bayes import MODEL_VERSION
from saldo.collection.planning import keep_actions
from saldo.core.context import Context
from saldo.flows.collect_time import settle
from saldo.flows.facts import gather
from saldo.flows.plan_actions import plan_actions
from saldo.flows.record_measures import expect_cash, measure
from saldo.flows.score_portfolio import score_portfolio
from saldo.identity.operations import ensure_model_version, fix_known_at, open_day_run, record_event
from saldo.identity.queries import companies, last_recorded_at, latest_day_run
from saldo.measurement.operations import MeasureValue, keep_cash_forecast, keep_measures
from saldo.risk.operations import keep_forecasts
from saldo.storage.statistics import analyze


@dataclass(frozen=True, slots=True)
class DayResult:
    """A run of the day. is_new: it made a version; later_facts: facts were recorded after its known_at."""

    day_run_id: int
    company_code: str
    version: int
    known_at: datetime
    actions: int
    items: int
    is_new: bool
    later_facts: bool


def run_day(ctx: Context, company_id: int, refresh: bool = False) -> DayResult:
    """The day ``ctx.as_of`` of one company.

    Run again it gives the same day, from what was known at its first run; ``refresh`` takes in what was
    recorded since. A version is added only if something is different.
    """
    last = latest_day_run(company_id, ctx.as_of)
    rerun = last is not None and not refresh
    if not rerun:
        settle(ctx, company_id)
    ctx = (
        replace(ctx, known_at=last.known_at, company_id=company_id)
        if rerun
        else fix_known_at(ctx, company_id)
    )
    (company,) = companies(ctx)

    facts = gather(ctx)
    model, forecasts = score_portfolio(facts)
    worklist = plan_actions(facts, forecasts, company.currency)
    figures = measure(facts)
    weeks = expect_cash(facts, model)

    digest = _digest(forecasts, worklist, weeks, figures)
    later = (last_recorded_at(company_id) or ctx.known_at) > ctx.known_at
    if last is not None and last.digest == digest:
        return DayResult(
            last.id,
            company.code,
            last.version,
            last.known_at,
            worklist.height,
            forecasts.height,
            False,
            later,
        )
    with transaction.atomic():
        version = last.version + 1 if last else 1
        engine = ensure_model_version(ctx, "payment_date", MODEL_VERSION, {})
        run = open_day_run(ctx, version, __version__, digest)
        keep_forecasts(run.id, engine.id, forecasts)
        keep_actions(run.id, worklist)
        keep_measures(run.id, figures)
        keep_cash_forecast(run.id, weeks)
        analyze(("risk_paymentforecast", "collection_action"), forecasts.height)
        record_event(
            replace(ctx, recorded_at=run.recorded_at), "day.run", "day_run", run.id, {"version": version}
        )
    return DayResult(
        run.id, company.code, version, run.known_at, worklist.height, forecasts.height, True, later
    )


def run_days(ctx: Context, refresh: bool = False) -> list[DayResult]:
    """The day of every company of the context."""
    return [run_day(ctx, company.id, refresh) for company in companies(ctx)]


def _digest(
    forecasts: pl.DataFrame, worklist: pl.DataFrame, weeks: pl.DataFrame, figures: list[MeasureValue]
) -> str:
    """One hash over everything that the day says, to tell a rerun that differs."""
    digest = hashlib.sha256()
    flat = worklist.with_columns(
        pl.col("reasons").list.eval(pl.element().struct.json_encode()).list.join("\n")
    )
    for frame in (forecasts.sort("item_id"), flat.sort("currency", "rank"), weeks):
        digest.update(frame.write_csv(None, float_precision=9).encode())
    digest.update(repr(figures).encode())
    return digest.hexdigest()
