"""The risk scores of a portfolio: each customer's parts found, combined and told.

Facts in, frames out; who may see what, and what was known when, is the caller's: it passes what was known on
the evening of ``as_of``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl

from saldo.analytics.default_risk import altman
from saldo.analytics.default_risk.classes import points_of
from saldo.analytics.default_risk.combine import (
    ALTMAN,
    BEHAVIOR,
    RATING_GIVEN,
    RATING_SCALE,
    STATEMENT,
    Combined,
    Part,
    Reason,
    combined,
    policy,
)
from saldo.analytics.default_risk.measures import Floats, logit_of_one
from saldo.analytics.default_risk.ratings import GIVEN, rated_pd
from saldo.analytics.default_risk.ratios import ratio_frame, ratio_table
from saldo.analytics.default_risk.train import RiskModel

# What a score can lack.
NO_STATEMENT, OLD_STATEMENT, NO_RATIOS, NO_RATING, OLD_RATING, UNKNOWN_RATING, NO_HISTORY = (
    "statement", "statement_too_old", "statement_incomplete", "rating", "rating_expired", "rating_unknown",
    "payment_history",
)  # fmt: skip
STATEMENT_REASON, MISSING_REASON, RATING_REASON = "risk_ratio", "risk_ratio_missing", "risk_rating"
SCORES: Mapping[str, type[pl.DataType]] = {
    "account_id": pl.Int64,
    "score": pl.Int64,
    "pd": pl.Float64,
    "risk_class": pl.String,
    "parts": pl.String,
    "reasons": pl.String,
    "missing": pl.String,
    "valid_until": pl.Date,
}


def score_customers(
    accounts: pl.DataFrame,
    statements: pl.DataFrame,
    ratings: pl.DataFrame,
    behavior: pl.DataFrame | None,
    as_of: date,
    model: RiskModel | None = None,
) -> pl.DataFrame:
    """The score of each account (SCORES), in their order.

    accounts: account_id, customer_id. statements: customer_id, year_end_date, figures (JSON text). ratings:
    customer_id, agency, value, pd, rating_date, valid_until. behavior: account_id, pd, reasons (JSON text:
    code, params, points of the score), n_history, missing (JSON text), or None. model: None where no
    outcomes could be learnt from: then Altman's Z'' and the stated base rate.
    """
    sheets = statement_parts(statements, as_of, model)
    agencies = rating_parts(ratings, as_of)
    payments = behavior_parts(behavior, as_of)
    base_rate = policy().base_rate if model is None else model.base_rate
    rows: list[tuple[Any, ...]] = []
    for account, customer in accounts.select("account_id", "customer_id").iter_rows():
        found = [sheets.get(customer), agencies.get(customer), payments.get(account)]
        missing = [NO_STATEMENT] if found[0] is None else found[0][1]
        missing = missing + ([NO_RATING] if found[1] is None else found[1][1])
        missing = missing + ([NO_HISTORY] if found[2] is None else found[2][1])
        parts = [one[0] for one in found if one is not None and one[0] is not None]
        rows.append((account, *_told(combined(parts, as_of, base_rate)), json.dumps(missing)))
    names = ["account_id", "score", "pd", "risk_class", "parts", "reasons", "valid_until", "missing"]
    frame = pl.DataFrame(rows, schema={name: SCORES[name] for name in names}, orient="row")
    return frame.select(*SCORES)


def _told(found: Combined) -> tuple[int, float, str, str, str, date]:
    return (
        found.score,
        found.pd,
        found.risk_class,
        json.dumps(found.parts),
        json.dumps(found.strongest),
        found.valid_until,
    )


Found = dict[int, tuple[Part | None, list[str]]]


def statement_parts(statements: pl.DataFrame, as_of: date, model: RiskModel | None) -> Found:
    """By customer: what its last balance sheet says, and what it lacks."""
    ratios = ratio_frame(statements, as_of)
    if ratios.is_empty():
        return {}
    names = ratio_table().names
    values = np.column_stack([ratios[name].to_numpy() for name in names]).astype(np.float64)
    kind, log_odds, contributions = _read(values, names, model)
    known = ~np.isnan(values)
    found: Found = {}
    keys = ratios.select("customer_id", "year_end_date").iter_rows()
    for row, (customer, year_end) in enumerate(keys):
        lacking = [name for at, name in enumerate(names) if not known[row, at]]
        valid_until = year_end + timedelta(days=policy().statement_days)
        if np.isnan(log_odds[row]):
            found[customer] = (None, [NO_RATIOS])
            continue
        if valid_until < as_of:
            found[customer] = (None, [OLD_STATEMENT])
            continue
        reasons = []
        for at in np.flatnonzero(contributions[row]):
            year = year_end.year
            if known[row, at]:
                params = {"ratio": names[at], "value": round(float(values[row, at]), 4), "year": year}
                reasons.append(Reason(STATEMENT_REASON, float(contributions[row, at]), params))
            else:
                params = {"ratio": names[at], "year": year}
                reasons.append(Reason(MISSING_REASON, float(contributions[row, at]), params))
        part = Part(kind, float(log_odds[row]), valid_until, reasons)
        found[customer] = (part, [f"ratio:{name}" for name in lacking])
    return found


def _read(values: Floats, names: tuple[str, ...], model: RiskModel | None) -> tuple[str, Floats, Floats]:
    """Kind of reader, log-odds (NaN: cannot say) and contributions of each ratio: (rows, ratios)."""
    if model is not None and model.statement is not None:
        given = np.full((len(values), len(model.statement.columns)), np.nan)
        contributions = np.zeros(values.shape)
        places = {name: at for at, name in enumerate(model.statement.columns.names)}
        for at, name in enumerate(names):
            if name in places:
                given[:, places[name]] = values[:, at]
        own = model.statement.contributions(given)
        for at, name in enumerate(names):
            if name in places:
                contributions[:, at] = own[:, places[name]]
        log_odds = model.statement.log_odds(given)
        return STATEMENT, np.where(np.isnan(given).all(axis=1), np.nan, log_odds), contributions
    used = [names.index(name) for name in altman.RATIOS.values()]
    middle, at_middle = altman.MIDDLE, altman.LOG_ODDS_AT_MIDDLE
    if model is not None and model.usual_z is not None:
        middle, at_middle = model.usual_z, logit_of_one(model.base_rate)
    contributions = np.zeros(values.shape)
    contributions[:, used] = altman.contributions(values[:, used], middle)
    return ALTMAN, altman.log_odds_of(altman.z_score(values[:, used]), middle, at_middle), contributions


def rating_parts(ratings: pl.DataFrame, as_of: date) -> Found:
    """By customer: what its last valid rating says; of one day, the riskier one. Reasons: the whole of it."""
    found: Found = {}
    seen = ratings.filter(pl.col("rating_date") <= as_of).sort(
        "customer_id", "rating_date", maintain_order=True
    )
    columns = ("customer_id", "agency", "value", "pd", "rating_date", "valid_until")
    latest: dict[int, tuple[date, float]] = {}
    for customer, agency, value, pd, rated, until in seen.select(*columns).iter_rows():
        valid_until = until or rated + timedelta(days=policy().rating_days)
        read = rated_pd(agency, value, pd)
        if read is None or valid_until < as_of:
            found.setdefault(customer, (None, [UNKNOWN_RATING if read is None else OLD_RATING]))
            continue
        if latest.get(customer, (date.min, 0.0)) > (rated, read.pd):
            continue
        latest[customer] = (rated, read.pd)
        params = {"agency": agency, "value": value, "pd": round(read.pd, 6), "date": rated.isoformat()}
        kind = RATING_GIVEN if read.origin == GIVEN else RATING_SCALE
        reason = Reason(RATING_REASON, None, params)
        found[customer] = (Part(kind, logit_of_one(read.pd), valid_until, [reason]), [])
    return found


def behavior_parts(behavior: pl.DataFrame | None, as_of: date) -> Found:
    """By account: what its payments say."""
    found: Found = {}
    if behavior is None:
        return found
    columns = ("account_id", "pd", "reasons", "n_history", "missing")
    points_per = float(points_of(1.0))
    for account, pd, reasons, history, missing in behavior.select(*columns).iter_rows():
        lacking = [str(name) for name in json.loads(missing or "[]")]
        if pd is None or not history:
            found[account] = (None, lacking or [NO_HISTORY])
            continue
        told = []
        for one in json.loads(reasons or "[]"):
            params = dict(one.get("params", {}))
            points = float(one.get("points", params.pop("points", 0.0)))
            params.pop("points", None)
            told.append(Reason(one["code"], points / points_per, params))
        until = as_of + timedelta(days=policy().score_days)
        found[account] = (Part(BEHAVIOR, logit_of_one(pd), until, told, int(history)), lacking)
    return found
