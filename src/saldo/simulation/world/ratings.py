"""Ratings of customers by agencies: the truth, seen through noise."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from saldo.simulation.draws import Draws, Floats
from saldo.simulation.world.courses import EPOCH
from saldo.simulation.world.customers import day_series, in_schema
from saldo.simulation.world.health import days_of, signal
from saldo.simulation.world.parameters import Parameters
from saldo.simulation.world.strata import Indexes, picked
from saldo.simulation.world.tables import RATINGS

# A customer is rated anew every so many days; the first time within as many before the world's first day.
PERIOD = 180
# Part of the noise's variance that stays with the customer: an agency errs for years.
LASTING_PART = 0.6
# Scores: the middle, and points for a standard deviation; ratings from the lowest score of each.
MIDDLE, POINTS = 55.0, 18.0
BANDS = ((75, "A"), (60, "B"), (45, "C"), (30, "D"), (0, "E"))
# Logit of the probability of default at the middle, and its change for a standard deviation.
PD_MIDDLE, PD_SLOPE = -3.6, 0.9
EVENTS = ("protesto", "decreto ingiuntivo", "ipoteca giudiziale", "pignoramento")
# Share of the ratings that name an event: while a drift lasts, and otherwise.
EVENTS_IN_DRIFT, EVENTS_ELSE = 0.18, 0.012


def ratings(
    p: Parameters,
    draws: Draws,
    customers: pl.DataFrame,
    accounts: pl.DataFrame,
    first_day: date,
    last_day: date,
) -> pl.DataFrame:
    """RATINGS of tables.py in order of (customer_id, rated_date), up to ``last_day``; none after an
    insolvency or a merger. Public bodies and condominiums are not rated."""
    among = np.flatnonzero((customers["special"] == "").to_numpy())
    who = picked(draws, "rating/known", round(p.ratings.known_share * len(among)), among)
    firms = customers[who]
    limits = accounts.group_by("customer_id").agg(pl.col("limit_cents").sum())
    joined = firms.select("customer_id").join(limits, on="customer_id", how="left", maintain_order="left")
    limit = joined["limit_cents"].fill_null(0).to_numpy().astype(np.float64)
    provider = np.array(p.ratings.providers, dtype=object)[
        draws.whole("rating/provider", 0, len(p.ratings.providers) - 1, who)
    ]
    ends = np.fmin(days_of(firms["insolvency_date"]), days_of(firms["merged_date"]))
    start = (first_day - EPOCH).days - draws.whole("rating/day", 0, PERIOD - 1, who)
    frames = []
    for turn in range((last_day - first_day).days // PERIOD + 2):
        day = (start + PERIOD * turn).astype(np.float64)
        seen = (day <= (last_day - EPOCH).days) & ~(day >= ends)
        z = _seen_through_noise(p, draws, firms, day, turn)
        score = np.clip(np.round(MIDDLE + POINTS * z), 0, 100).astype(np.int64)
        columns = {
            "customer_id": who,
            "rated_date": day_series(day),
            "provider": provider,
            "rating": _bands(score),
            "score": score,
            "pd": np.round(1.0 / (1.0 + np.exp(-(PD_MIDDLE - PD_SLOPE * z))), 4),
            "limit_cents": np.round(limit * np.exp(0.5 * z) / 100_000).astype(np.int64) * 100_000,
            "events": _events(draws, firms, day, turn),
        }
        frames.append(in_schema(columns, RATINGS).filter(pl.Series(seen)))
    return pl.concat(frames).sort("customer_id", "rated_date")


def _seen_through_noise(p: Parameters, draws: Draws, firms: pl.DataFrame, day: Floats, turn: int) -> Floats:
    """The truth and the stated noise beside it, brought back to one standard deviation."""
    ids = firms["customer_id"].to_numpy()
    truth = signal(firms, day)
    truth = (truth - truth.mean()) / max(float(truth.std()), 1e-9)
    lasting = LASTING_PART**0.5 * draws.normal("rating/lasting", ids)
    passing = (1 - LASTING_PART) ** 0.5 * draws.normal("rating/passing", ids, turn)
    noise = p.ratings.noise
    return (truth + noise * (lasting + passing)) / (1 + noise**2) ** 0.5


def _bands(score: Indexes) -> NDArray[np.object_]:
    names = np.full(len(score), BANDS[-1][1], dtype=object)
    for lowest, name in reversed(BANDS):
        names[score >= lowest] = name
    return names


def _events(draws: Draws, firms: pl.DataFrame, day: Floats, turn: int) -> NDArray[np.object_]:
    ids = firms["customer_id"].to_numpy()
    ends = np.fmax(days_of(firms["drift_to"]), days_of(firms["recovered_date"]))
    with np.errstate(invalid="ignore"):
        is_drifting = (days_of(firms["drift_from"]) <= day) & (day <= ends)
    happens = draws.happens("rating/event", np.where(is_drifting, EVENTS_IN_DRIFT, EVENTS_ELSE), ids, turn)
    which = np.array(EVENTS, dtype=object)[draws.whole("rating/which", 0, len(EVENTS) - 1, ids, turn)]
    return np.where(happens, which, "")
