"""Which customers are going bad: the risk score of every account, and what changed in how it pays."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import polars as pl

from saldo.analytics import early_warning
from saldo.analytics.behavior import BehaviorModel, behavior_scores
from saldo.analytics.book import Book
from saldo.analytics.default_risk.scoring import score_customers
from saldo.analytics.default_risk.train import RiskModel
from saldo.analytics.outside import outside_view
from saldo.core.context import Context
from saldo.identity.model_versions import load_model, model_in_use
from saldo.identity.operations import ensure_model_version
from saldo.parties.frames import account_frame
from saldo.risk.operations import WARNINGS
from saldo.risk.queries import known_ratings, known_statements

DEFAULT_RISK, EARLY_WARNING = "default_risk", "early_warning"
# What is used until a model is promoted: the stated card, Altman's Z'', the stated base rate.
COLD_START, COLD_START_VERSION = "stated", "default-risk-stated-1"


@dataclass(frozen=True, slots=True)
class RiskOfDay:
    """scores and warnings: frames of ``risk.operations``. version_id: None where nothing was learnt yet."""

    version_id: int | None
    scores: pl.DataFrame
    warnings: pl.DataFrame


@dataclass(frozen=True, slots=True)
class RiskModels:
    """What was learnt of default: from payments and from yearly figures; None where outcomes were too few."""

    behavior: BehaviorModel | None = None
    statement: RiskModel | None = None


def score_risk(ctx: Context, book: Book) -> RiskOfDay:
    """Scores and early warnings of the company's accounts by the models in use at ``ctx.known_at``.

    Warnings need to have learnt what is usual here: without a model of them there are none.
    """
    assert ctx.company_id is not None, "risk is that of one company"
    used = model_in_use(ctx.company_id, DEFAULT_RISK, ctx.known_at, ctx.as_of)
    models = RiskModels() if used is None else risk_models(used.id)
    accounts, ratings = account_frame(ctx), known_ratings(ctx)
    scores = score_customers(
        accounts,
        known_statements(ctx),
        ratings,
        behavior_scores(book, ctx.as_of, models.behavior),
        ctx.as_of,
        models.statement,
    )
    return RiskOfDay(used and used.id, scores, _warnings(ctx, book, accounts, ratings))


def _warnings(ctx: Context, book: Book, accounts: pl.DataFrame, ratings: pl.DataFrame) -> pl.DataFrame:
    assert ctx.company_id is not None
    used = model_in_use(ctx.company_id, EARLY_WARNING, ctx.known_at, ctx.as_of)
    if used is None:
        return pl.DataFrame(schema=WARNINGS)
    return early_warning.warnings(
        book, ctx.as_of, learnt=warning_model(used.id), outside=outside_view(accounts, ratings)
    )


@lru_cache(maxsize=8)
def risk_models(version_id: int) -> RiskModels:
    """A kept model, checked against its record once in a process."""
    record = load_model(version_id)
    behavior, statement = record["behavior"], record["statement"]
    return RiskModels(
        behavior and BehaviorModel.from_record(behavior), statement and RiskModel.from_record(statement)
    )


@lru_cache(maxsize=8)
def warning_model(version_id: int) -> early_warning.Learnt:
    """What is usual for a company's customers, as it was learnt; checked once in a process."""
    return early_warning.Learnt.from_record(load_model(version_id))


def risk_version(ctx: Context, risk: RiskOfDay) -> int:
    """The ModelVersion that the day's scores name."""
    if risk.version_id is not None:
        return risk.version_id
    return ensure_model_version(ctx, DEFAULT_RISK, COLD_START_VERSION, {}, COLD_START).id
