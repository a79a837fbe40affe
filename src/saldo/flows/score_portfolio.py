"""When each open item will be paid: the curves of the model in use, their figures, and why."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import polars as pl

from saldo.analytics.book import Book
from saldo.analytics.curves import DAILY, Curves
from saldo.analytics.features import features_at
from saldo.analytics.payment_date.empirical_bayes import FORECAST_SCHEMA
from saldo.analytics.payment_date.forecasts import figures_of
from saldo.analytics.payment_date.ladder import fitted_from, rung
from saldo.analytics.payment_date.rungs import Fitted
from saldo.core.context import Context
from saldo.flows.facts import Facts
from saldo.identity.model_versions import ModelRow, load_model, model_in_use
from saldo.identity.operations import ensure_model_version

ENGINE = "payment_date"
# What is used until a model is promoted: fitted anew each day, so it keeps no file.
COLD_START, COLD_START_VERSION = "empirical_bayes", "empirical-bayes-2"
# Reasons are kept for the first items of the worklist; those of any other are computed when it is opened.
REASONED_ITEMS = 20_000
_NO_CURVES = Curves(DAILY, np.zeros((0, len(DAILY)), np.float32))


@dataclass(frozen=True, slots=True)
class Scored:
    """What is expected of every open debit.

    forecasts: the open items with FORECAST_SCHEMA; in the same order landmarks, their features and curves.
    version_id: None where the model keeps no file.
    """

    version_id: int | None
    fitted: Fitted
    landmarks: pl.DataFrame
    features: pl.DataFrame
    curves: Curves
    forecasts: pl.DataFrame


def score_portfolio(ctx: Context, facts: Facts, book: Book) -> Scored:
    """The forecast of every open debit by the model that was in use at ``ctx.known_at``.

    Until one is promoted, and for days before it was trained: the empirical-Bayes rung, fitted on the day's
    own book.
    """
    fitted, used = fitted_for(ctx, book)
    version = COLD_START_VERSION if used is None else used.version
    debits = facts.open_items.filter(pl.col("balance_mills") > 0)
    landmarks = debits.select("item_id", pl.lit(ctx.as_of).alias("as_of"))
    version_id = None if used is None else used.id
    if debits.is_empty():
        nothing = debits.hstack(pl.DataFrame(schema=FORECAST_SCHEMA))
        return Scored(version_id, fitted, landmarks, landmarks, _NO_CURVES, nothing)
    features = features_at(book, landmarks)
    curves, told = figures_of(fitted, book, features, version)
    forecasts = debits.hstack(told.select(*FORECAST_SCHEMA))
    return Scored(version_id, fitted, landmarks, features, curves, forecasts)


def fitted_for(ctx: Context, book: Book) -> tuple[Fitted, ModelRow | None]:
    """The model that was in use at the context's clocks; None with the cold start, fitted on ``book``."""
    assert ctx.company_id is not None, "a model is that of one company"
    used = model_in_use(ctx.company_id, ENGINE, ctx.known_at, ctx.as_of)
    return (rung(COLD_START).fit(book, ctx.as_of), None) if used is None else (fitted_model(used.id), used)


@lru_cache(maxsize=4)
def fitted_model(version_id: int) -> Fitted:
    """A kept model, checked against its record once in a process: versions never change.

    Raises SaldoError: model_unknown, model_file_mismatch.
    """
    return fitted_from(load_model(version_id))


def version_of(ctx: Context, scored: Scored) -> int:
    """The ModelVersion that the day's forecasts name."""
    if scored.version_id is not None:
        return scored.version_id
    return ensure_model_version(ctx, ENGINE, COLD_START_VERSION, {}, COLD_START).id
