"""How good forecasts are where the truth is known: a simulated world, and what really happened in it.

    python -m benchmarks.forecasts                     the seed of development, medium size
    python -m benchmarks.forecasts --seed 7101         another world
    python -m benchmarks.forecasts --folder DIR        a world that ``saldo world write`` wrote

Each company's models are trained by the product's code on what was known on one day, and asked on later days
about every item that was open then. What they are asked about is over by the end of the world, so nothing is
censored in the judgement. Intervals are 95%, by bootstrap of customers. Needs no database.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from benchmarks.measure import Result
from saldo.analytics.book import PAID, RETURNED, Book, balances, open_on
from saldo.analytics.curves import days_until, gone_within, paid_within
from saldo.analytics.payment_date.rungs import Fitted
from saldo.analytics.payment_date.scoring import auc, c_index, reliability

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LAST_DAY = date(2026, 10, 30)
# Everything was developed on this world; seeds from 7000 on are for the final measurement.
DEVELOPMENT_SEED = 901
HORIZONS = (7, 30, 60, 90)
# Longest wait for an outcome; questions stop this many days before the world does.
WINDOW = 90
# Days between two questions, and how long questions are asked after the training.
EVERY, ASKED_DAYS = 14, 120
# An item counts as rolled if more than this of its balance is still open on its 91st day after due.
STILL_OPEN = 0.5
OVER = 90
BOOTSTRAPS = 200
# Concordance compares all pairs: its interval, on so many items.
PAIRED_ITEMS = 1_500
# The gate.
MOST_ECE, LEAST_ROLL_AUC, COVERAGE = 0.03, 0.80, (0.75, 0.85)


@dataclass(frozen=True)
class Asked:
    """Questions of one company with their forecasts and outcomes, one row each (arrays in one order).

    forecast, paid: shares of the balance paid within each of HORIZONS. days: until half of the balance was
    paid, at most WINDOW. median, low, high: the forecast's. roll: forecast share open on the 91st day after
    due; rolled: whether it was (nan: over 90 already, or later than the world knows).
    """

    customer: Ints
    forecast: Floats
    paid: Floats
    days: Floats
    median: Floats
    low: Floats
    high: Floats
    roll: Floats
    rolled: Floats


def outcomes(book: Book, facts: pl.DataFrame, until: Ints) -> tuple[Floats, Floats]:
    """(share of the balance paid, share paid or gone) by the evening of as_of + until, each row its own days.

    What the truth says, also of payments that were made by as_of and booked later: they count as at once.
    """
    asked = facts.select("item_id", "as_of", "balance_mills").with_row_index("at")
    asked = asked.with_columns(by=pl.col("as_of") + pl.duration(days=pl.Series(until)))
    later = asked.join(book.ends, on="item_id").filter(
        (pl.col("known_date") > pl.col("as_of")) & (pl.col("end_date") <= pl.col("by"))
    )
    told = later.group_by("at").agg(
        cash=pl.col("amount_mills").filter(pl.col("cause").is_in([PAID, RETURNED])).sum(),
        ended=pl.col("amount_mills").sum(),
    )
    both = asked.join(told, on="at", how="left", maintain_order="left").select(
        (pl.col(name).fill_null(0) / pl.col("balance_mills")).clip(0.0, 1.0) for name in ("cash", "ended")
    )
    return both["cash"].to_numpy(), both["ended"].to_numpy()


def ask(book: Book, fitted: Fitted, days: list[date], last: date) -> Asked:
    """Every item open on each of ``days``: what ``fitted`` says of it, and what became of it by ``last``."""
    landmarks = pl.concat([open_on(book, day) for day in days])
    facts = balances(book, landmarks)
    curves = fitted.curves(book, landmarks)
    paid = [outcomes(book, facts, np.full(len(facts), day))[0] for day in HORIZONS]
    gap = facts.select(
        until=(pl.col("due_date") - pl.col("as_of")).dt.total_days() + OVER + 1,
        room=(pl.lit(last) - pl.col("as_of")).dt.total_days(),
    )
    until, room = gap["until"].to_numpy(), gap["room"].to_numpy()
    is_asked = (until > 0) & (until <= room)
    span = np.clip(until, 1, 365)
    _, ended = outcomes(book, facts, span)
    roll = 1.0 - paid_within(curves, span[:, None])[:, 0] - gone_within(curves, span[:, None])[:, 0]
    return Asked(
        customer=facts["customer_id"].to_numpy(),
        forecast=paid_within(curves, HORIZONS),
        paid=np.stack(paid, axis=1),
        days=_days_to_half(book, facts),
        median=np.minimum(days_until(curves, 0.5), WINDOW),
        low=days_until(curves, 0.1),
        high=days_until(curves, 0.9),
        roll=np.clip(roll, 0.0, 1.0),
        rolled=np.where(is_asked, (1.0 - ended > STILL_OPEN).astype(float), np.nan),
    )


def _days_to_half(book: Book, facts: pl.DataFrame) -> Floats:
    """Days until half of the balance was paid, at most WINDOW; 1 where it had been and nobody knew yet."""
    asked = facts.select("item_id", "as_of", "balance_mills").with_row_index("at")
    running = (
        asked.join(book.ends.filter(pl.col("cause").is_in([PAID, RETURNED])), on="item_id")
        .filter(pl.col("known_date") > pl.col("as_of"))
        .sort("at", "end_date", maintain_order=True)
        .with_columns(so_far=pl.col("amount_mills").cum_sum().over("at"))
        .filter(2 * pl.col("so_far") >= pl.col("balance_mills"))
        .group_by("at")
        .agg(day=pl.col("end_date").min())
    )
    waited = (pl.col("day") - pl.col("as_of")).dt.total_days().clip(1, WINDOW).fill_null(WINDOW)
    told = asked.join(running, on="at", how="left", maintain_order="left").select(waited.cast(pl.Float64))
    return told.to_series().to_numpy()


def together(parts: list[Asked]) -> Asked:
    """The questions of several companies; a customer of two of them stays one."""
    return Asked(*(np.concatenate([getattr(part, name) for part in parts]) for name in Asked.__annotations__))


Measure = Callable[[Asked, Ints], float | None]


def _ece(at: int) -> Measure:
    return lambda a, rows: reliability(a.paid[rows, at], a.forecast[rows, at]).error


def _roll_auc(a: Asked, rows: Ints) -> float | None:
    rows = rows[~np.isnan(a.rolled[rows])]
    return auc(a.rolled[rows] > 0, a.roll[rows])


def _coverage(a: Asked, rows: Ints) -> float | None:
    """Share paid within the 10-90% interval; one that outlasts the window holds what does so too."""
    day, low, high = a.days[rows], a.low[rows], a.high[rows]
    is_over = day >= WINDOW
    inside = np.where(is_over, high >= WINDOW, (np.floor(low) <= day) & (day <= np.ceil(high)))
    return float(inside.mean())


def _concordance(a: Asked, rows: Ints) -> float | None:
    return c_index(a.days[rows], a.median[rows])


MEASURES: dict[str, Measure] = {
    **{f"ece_{days}": _ece(at) for at, days in enumerate(HORIZONS)},
    "roll_auc": _roll_auc,
    "coverage_80": _coverage,
    "c_index": _concordance,
    "mae_days": lambda a, rows: float(np.abs(a.days[rows] - a.median[rows]).mean()),
}


def measured(asked: Asked, rounds: int = BOOTSTRAPS) -> dict[str, dict[str, float | None]]:
    """Each measure with its 95% interval by bootstrap of customers."""
    order = np.argsort(asked.customer, kind="stable")
    _, starts = np.unique(asked.customer[order], return_index=True)
    groups = np.split(order, starts[1:])
    random = np.random.default_rng(1)
    picks = [random.integers(0, len(groups), len(groups)) for _ in range(rounds)]
    values: dict[str, list[float]] = {name: [] for name in MEASURES}
    for pick in picks:
        rows = np.concatenate([groups[one] for one in pick])
        few = rows[:: max(1, len(rows) // PAIRED_ITEMS)]
        for name, measure in MEASURES.items():
            if (value := measure(asked, few if measure is _concordance else rows)) is not None:
                values[name].append(value)
    everything = np.arange(len(asked.customer))
    return {
        name: {
            "value": MEASURES[name](asked, everything),
            "low": float(np.quantile(found, 0.025)) if found else None,
            "high": float(np.quantile(found, 0.975)) if found else None,
        }
        for name, found in values.items()
    }


def cash(book: Book, fitted: Fitted, days: list[date], code: str) -> pl.DataFrame:
    """The product's cash forecast on each day beside the cash that came: one row per day, kind and week."""
    from saldo.analytics.cash_forecast import expected_weeks, seed_of

    frames = []
    for day in days:
        known = book.known_by(day)
        landmarks = open_on(known, day)
        found = expected_weeks(
            known,
            landmarks,
            fitted.curves(known, landmarks),
            day,
            past=partial(fitted.curves, known),
            seed=seed_of(code, day),
        )
        frames.append(found.with_columns(as_of=pl.lit(day)))
    weeks = pl.concat(frames)
    is_cash = pl.col("cause").is_in([PAID, RETURNED])
    came = book.ends.filter(is_cash).join(
        book.items.select("item_id", item_known="known_date"), on="item_id", how="left"
    )
    actual = []
    for row in weeks.select("as_of", "kind", "week_start", "week_end").iter_rows(named=True):
        inside = came.filter(pl.col("end_date").is_between(row["week_start"], row["week_end"]))
        if row["kind"] in ("open", "future"):
            was_known = pl.col("item_known") <= row["as_of"]
            inside = inside.filter(was_known if row["kind"] == "open" else ~was_known)
        actual.append(int(inside["amount_mills"].sum()))
    return weeks.with_columns(pl.Series("actual_mills", actual, dtype=pl.Int64), company=pl.lit(code))


def cash_figures(weeks: pl.DataFrame) -> dict[str, dict[str, float]]:
    """By kind: share of weeks inside the band, error of the weeks (WAPE) and of the first four together."""
    told = {}
    for (kind,), part in weeks.group_by("kind", maintain_order=True):
        inside = part["actual_mills"].is_between(part["low_mills"], part["high_mills"])
        month = part.filter(pl.col("week") <= 4)
        sums = month.group_by("company", "as_of").agg(pl.col("expected_mills", "actual_mills").sum())
        total = max(1, int(month["actual_mills"].sum()))
        told[str(kind)] = {
            "coverage": float(inside.cast(pl.Float64).sum()) / len(part),
            "wape_4w": float((month["expected_mills"] - month["actual_mills"]).abs().sum()) / total,
            "error_4w_total": float((sums["expected_mills"] - sums["actual_mills"]).abs().sum()) / total,
        }
    return told


def _days(trained: date, last: date) -> list[date]:
    span = min(ASKED_DAYS, (last - trained).days - WINDOW)
    return [trained + timedelta(days=after) for after in range(EVERY, span + 1, EVERY)]


def companies(options: argparse.Namespace) -> Iterator[tuple[str, Book, date]]:
    """(code, book, last day) of each company of the world."""
    from saldo.simulation.forecast_trial.world_book import last_day, world_book, world_tables
    from saldo.simulation.world.world import World

    if options.folder:
        tables = world_tables(options.folder)
    else:
        tables = World.make(options.size, options.seed, LAST_DAY).tables()
    for code in tables.companies["code"].to_list():
        yield code, world_book(tables, code), last_day(tables)


def measure_world(options: argparse.Namespace) -> dict[str, Any]:
    """The figures of every company of a world, and of all together."""
    from saldo.analytics.payment_date.ladder import rung
    from saldo.analytics.payment_date.promotion import train

    parts, weeks, told = [], [], {}
    for code, book, last in companies(options):
        trained_as_of = last - timedelta(days=ASKED_DAYS + WINDOW)
        known = book.known_by(trained_as_of)
        began = time.perf_counter()
        if options.rung:
            fitted: Fitted = rung(options.rung).fit(known, trained_as_of)
        else:
            fitted = train(known, trained_as_of).fitted
        seconds = time.perf_counter() - began
        days = _days(trained_as_of, last)
        asked = ask(book, fitted, days, last)
        print(f"{code}: {fitted.name}, {len(asked.customer)} questions", file=sys.stderr, flush=True)
        parts.append(asked)
        if options.cash:
            weeks.append(cash(book, fitted, days, code))
        told[code] = {
            "rung": fitted.name,
            "trained_as_of": str(trained_as_of),
            "train_seconds": round(seconds, 1),
            "questions": len(asked.customer),
            "days": [str(day) for day in days],
            **measured(asked, options.rounds),
        }
    return {
        "seed": options.seed,
        "size": options.size,
        "companies": told,
        "all": measured(together(parts), options.rounds),
        "cash": cash_figures(pl.concat(weeks)) if weeks else {},
    }


def is_met(told: dict[str, Any]) -> bool:
    """Calibration, the roll into >90, and the band of the cash forecast."""
    whole, total = told["all"], told["cash"].get("total")
    is_calibrated = all(whole[f"ece_{days}"]["value"] <= MOST_ECE for days in HORIZONS)
    is_covered = total is None or COVERAGE[0] <= total["coverage"] <= COVERAGE[1]
    return is_calibrated and is_covered and (whole["roll_auc"]["value"] or 0.0) >= LEAST_ROLL_AUC


def show(told: dict[str, Any]) -> None:
    """Print the figures."""
    print(f"seed {told['seed']}, {told['size']}")
    for code, one in told["companies"].items():
        print(
            f"{code}: {one['rung']}, trained on {one['trained_as_of']} in {one['train_seconds']} s, "
            f"{one['questions']} questions on {one['days'][0]} to {one['days'][-1]}"
        )
    rows = {**told["companies"], "all": told["all"]}
    print(f"{'':<14}" + "".join(f"{code:>28}" for code in rows))
    for name in MEASURES:
        print(f"{name:<14}" + "".join(f"{_interval(one[name]):>28}" for one in rows.values()))
    for kind, figures in told["cash"].items():
        print(f"cash, {kind:<8}", ", ".join(f"{name} {value:.3f}" for name, value in figures.items()))
    print("met" if is_met(told) else "MISSED")


def _interval(one: dict[str, float | None]) -> str:
    if one["value"] is None:
        return "-"
    return f"{one['value']:.4f} [{one['low']:.4f}, {one['high']:.4f}]"


def quality(seed: int, *arguments: str) -> Result:
    """``python -m benchmarks.forecasts --seed``, as a row of the report."""
    began = time.perf_counter()
    told = measure_world(parser().parse_args(["--seed", str(seed), *arguments]))
    show(told)
    target = f"ECE <= {MOST_ECE}, roll AUC >= {LEAST_ROLL_AUC}, coverage {COVERAGE[0]}-{COVERAGE[1]}"
    result = Result(f"forecasts, quality, seed {seed}", target, seconds=time.perf_counter() - began)
    result.figures = {name: round(one["value"] or 0.0, 4) for name, one in told["all"].items()}
    result.figures["cash coverage"] = round(told["cash"]["total"]["coverage"], 3)
    result.met = is_met(told)
    return result


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    found.add_argument("--seed", type=int, default=DEVELOPMENT_SEED)
    found.add_argument("--size", default="medium")
    found.add_argument("--folder", type=Path, help="a world that was written, instead of making the seed's")
    found.add_argument("--rung", help="this model, instead of the one that the product promotes")
    found.add_argument("--rounds", type=int, default=BOOTSTRAPS, help="bootstrap samples")
    found.add_argument("--no-cash", dest="cash", action="store_false", help="without the cash forecast")
    found.add_argument("--json", type=Path, help="write the figures to this file too")
    return found


def main() -> None:
    options = parser().parse_args()
    told = measure_world(options)
    if options.json:
        options.json.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    show(told)
    sys.exit(0 if is_met(told) else 1)


if __name__ == "__main__":
    main()
