"""Training: the company's models are learnt anew from what is known, judged, kept, and put to use.

the book -> each engine's own backtest and final fit -> the registry -> promoted, or not and why
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from saldo.analytics import early_warning
from saldo.analytics.behavior import behavior_questions, train_behavior
from saldo.analytics.book import SCHEMAS, Book
from saldo.analytics.default_risk.train import RiskModel, train_statements
from saldo.analytics.outside import outside_view
from saldo.analytics.payment_date import promotion as payment_date
from saldo.analytics.payment_date.ladder import POINTS
from saldo.core.context import Context
from saldo.core.reasons import render
from saldo.flows.books import gather_book
from saldo.flows.score_portfolio import ENGINE as PAYMENT_DATE
from saldo.flows.score_risk import DEFAULT_RISK, EARLY_WARNING
from saldo.identity.model_versions import ModelRow, model_version
from saldo.identity.operations import fix_known_at
from saldo.identity.registry import promote, record_model
from saldo.parties.frames import account_frame
from saldo.risk.queries import known_ratings, known_statements

_HASHED_ROWS = 200_000
# Reasons of a backtest that could compare nothing.
_UNDECIDED = ("rung_nothing_known", "rung_too_short", "rung_too_few")


@dataclass(frozen=True, slots=True)
class Learnt:
    """What an engine learnt: the rung to use with its record, what it was judged by, and why this one.

    rung: empty where too little is known to learn from; then there is no record. is_worth_it: it may take the
    place of what is used until a model is promoted.
    """

    rung: str
    record: dict[str, Any]
    metrics: dict[str, Any]
    reason: dict[str, Any]
    is_worth_it: bool = True


@dataclass(frozen=True, slots=True)
class Trained:
    """What became of an engine. promoted: it came into use now; else what was in use stays.

    model: None where too little is known to learn from. reason: {code, params}, why this rung was chosen.
    """

    engine: str
    model: ModelRow | None
    promoted: bool
    reason: dict[str, Any]
    metrics: dict[str, Any]


def train(
    ctx: Context, company_id: int, engines: Sequence[str] | None = None, promotes: bool = True
) -> list[Trained]:
    """Learn the company's models as of ``ctx.as_of``, from what is known now (or at ``ctx.known_at``).

    engines: of ENGINES (None: all). The rung that a backtest on the company's own past chose is fitted on
    everything known, and kept with its figures. A small book keeps a simple rung, and the reason says so.
    """
    ctx = ctx.within(company_id)
    if ctx.known_at is None:
        ctx = fix_known_at(ctx, company_id)
    book = gather_book(ctx)
    data_hash = hash_of_book(book)
    return [_trained(ctx, company_id, engine, book, data_hash, promotes) for engine in engines or ENGINES]


def _trained(
    ctx: Context, company_id: int, engine: str, book: Book, data_hash: str, promotes: bool
) -> Trained:
    learnt = _LEARN[engine](ctx, book)
    if not learnt.rung:
        return Trained(engine, None, False, learnt.reason, learnt.metrics)
    parameters = {
        "items": book.items.height,
        "ends": book.ends.height,
        "known_from": book.known_from and book.known_from.isoformat(),
    }
    metrics = learnt.metrics | {"why": learnt.reason}
    version_id = record_model(
        ctx, company_id, engine, learnt.rung, learnt.record, parameters, metrics, data_hash, ctx.as_of
    )
    why = render(learnt.reason["code"], learnt.reason["params"], ctx.language)
    is_new = promotes and learnt.is_worth_it and promote(ctx, company_id, engine, version_id, why)
    return Trained(engine, model_version(version_id), is_new, learnt.reason, metrics)


def _learn_payment_date(ctx: Context, book: Book) -> Learnt:
    trained = payment_date.train(book, ctx.as_of)
    metrics = trained.report.as_json()
    # Days without chances are no use to a worklist, and a book too small to compare on chose nothing.
    rung, why = trained.fitted.name, metrics["why"]
    is_worth_it = rung not in POINTS and why["code"] not in _UNDECIDED
    return Learnt(rung, trained.fitted.as_record(), metrics, why, is_worth_it)


def _learn_default_risk(ctx: Context, book: Book) -> Learnt:
    """From payments and, where figures are known of customers whose outcome is known, from these too."""
    questions = behavior_questions(book, ctx.as_of)
    behavior = train_behavior(book, ctx.as_of)
    statement = _statement_model(ctx, questions)
    if behavior is None and statement is None:
        return Learnt("", {}, {}, {"code": "risk_too_few_outcomes", "params": {}})
    record = {
        "behavior": behavior and behavior.as_record(),
        "statement": statement and statement.as_record(),
    }
    metrics = dict(statement.metrics) if statement else {}
    metrics["behavior"] = dict(behavior.metrics) if behavior else None
    names = ("behavior" if behavior else "", "statements" if statement else "")
    rung = "+".join(name for name in names if name)
    return Learnt(rung, record, metrics, {"code": "risk_learnt", "params": metrics["behavior"] or {}})


def _statement_model(ctx: Context, questions: pl.DataFrame | None) -> RiskModel | None:
    """Learnt from the yearly figures of customers with outcomes; None where these are too few."""
    statements = known_statements(ctx)
    if questions is None or statements.is_empty():
        return None
    accounts = account_frame(ctx).select("account_id", "customer_id")
    outcomes = questions.select("account_id", "as_of", "defaulted").join(accounts, on="account_id")
    model = train_statements(statements, outcomes.select("customer_id", "as_of", "defaulted"))
    return None if model.statement is None else model


def _learn_early_warning(ctx: Context, book: Book) -> Learnt:
    accounts = account_frame(ctx)
    try:
        found = early_warning.learn(book, ctx.as_of, outside=outside_view(accounts, known_ratings(ctx)))
    except ValueError:
        return Learnt("", {}, {}, {"code": "warning_too_few", "params": {"items": book.items.height}})
    params = {"items": book.items.height, "threshold": round(found.threshold, 3)}
    return Learnt("change_types", found.as_record(), params, {"code": "warning_learnt", "params": params})


_LEARN: dict[str, Callable[[Context, Book], Learnt]] = {
    PAYMENT_DATE: _learn_payment_date,
    DEFAULT_RISK: _learn_default_risk,
    EARLY_WARNING: _learn_early_warning,
}
ENGINES = tuple(_LEARN)


def hash_of_book(book: Book) -> str:
    """Names the facts that a model has seen: the same facts, the same hash, on any machine."""
    digest = hashlib.sha256(repr((book.known_from, book.extra)).encode())
    for name in SCHEMAS:
        frame: pl.DataFrame = getattr(book, name)
        digest.update(f"{name} {frame.columns}".encode())
        for start in range(0, frame.height, _HASHED_ROWS):
            digest.update(frame.slice(start, _HASHED_ROWS).write_csv(None, include_header=False).encode())
    return digest.hexdigest()
