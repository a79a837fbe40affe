"""Cash forecasts measured on a simulated world: how far off, and how often inside of their band.

    python -m benchmarks.cash_forecast --seed 901                          items' curves by the hazard
    python -m benchmarks.cash_forecast --seed 901 --rung empirical_bayes   by another rung
    python -m benchmarks.cash_forecast --speed                             a million items

A company of the world is forecast on days four weeks apart, from what was known on each, and judged by the
cash that came. Models are fitted anew each quarter. Seeds from 7000 on are for the final measurement.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl

from benchmarks.measure import Result, measured
from saldo.analytics.book import Book, open_on
from saldo.analytics.cash_forecast import FUTURE, OPEN, WEEKS, cash_forecast, expected_weeks, seed_of
from saldo.analytics.cash_history import cash_after, cash_movements
from saldo.analytics.cash_scoring import JUDGED, CashScore, cash_scores
from saldo.analytics.curves import WEEKLY, Curves
from saldo.analytics.payment_date import ladder
from saldo.analytics.payment_date.rungs import Fitted
from saldo.simulation.forecast_trial.world_book import last_day, world_book
from saldo.simulation.world.world import World

LAST_DAY = date(2026, 10, 30)
STEP_DAYS, REFIT_DAYS = 27, 91  # 27: the days fall on every weekday and place in the month
ITEMS, CUSTOMERS = 1_000_000, 100_000


def forecast_days(last: date, count: int) -> list[date]:
    """Days whose thirteen weeks are over by ``last``, oldest first."""
    newest = last - timedelta(days=7 * WEEKS + 1)
    return [newest - timedelta(days=STEP_DAYS * back) for back in reversed(range(count))]


def judged_forecasts(book: Book, code: str, rung: str, days: list[date]) -> pl.DataFrame:
    """JUDGED of the forecasts of a company on each of ``days``."""
    movements = cash_movements(book)
    parts: list[pl.DataFrame] = []
    fitted: Fitted | None = None
    for number, day in enumerate(days):
        known = book.known_by(day)
        if fitted is None or (day - fitted.as_of).days >= REFIT_DAYS:
            fitted = ladder.rung(rung).fit(known, day)
        parts.append(_judged(known, movements, fitted, code, day, number))
    return pl.concat(parts)


def _judged(
    known: Book, movements: pl.DataFrame, fitted: Fitted, code: str, day: date, number: int
) -> pl.DataFrame:
    landmarks = open_on(known, day)
    weeks = expected_weeks(
        known, landmarks, fitted.curves(known, landmarks), day,
        past=lambda earlier: fitted.curves(known, earlier), seed=seed_of(code, day),
    )  # fmt: skip
    came = cash_after(movements, day, WEEKS)
    opened, later = pl.col("open_mills").fill_null(0), pl.col("future_mills").fill_null(0)
    mills = pl.when(pl.col("kind") == OPEN).then(opened).when(pl.col("kind") == FUTURE).then(later)
    return (
        weeks.join(came, on=["currency", "week"], how="left")
        .with_columns(came_mills=mills.otherwise(opened + later), forecast=pl.lit(number, pl.Int64))
        .select(*JUDGED)
    )


def measure_quality(options: argparse.Namespace) -> dict[str, Any]:
    tables = World.make(options.size, options.seed, LAST_DAY).tables()
    began = time.perf_counter()
    found = {}
    for code in tables.companies["code"].to_list():
        days = forecast_days(last_day(tables), options.days)
        found[code] = judged_forecasts(world_book(tables, code), code, options.rung, days)
    # Each company's forecasts stand for themselves: numbered on, judged together.
    together = pl.concat(
        frame.with_columns(pl.col("forecast") + 1000 * place) for place, frame in enumerate(found.values())
    )
    scores = {code: [asdict(score) for score in cash_scores(frame)] for code, frame in found.items()}
    return {
        "seed": options.seed, "rung": options.rung, "days": options.days,
        "seconds": round(time.perf_counter() - began), "companies": scores,
        "all": [asdict(score) for score in cash_scores(together)],
    }  # fmt: skip


def measure_speed(items: int = ITEMS) -> Result:
    """The simulation alone, from curves by the week."""
    rng = np.random.default_rng(1)
    customers = max(items * CUSTOMERS // ITEMS, 1)
    speed = 1 - np.exp(-WEEKLY[None, :] / rng.gamma(1.0, 30.0, (items, 1)))
    curves = Curves(WEEKLY, speed.astype(np.float32))
    frame = pl.DataFrame(
        {
            "item_id": np.arange(items), "customer_id": rng.integers(0, customers, items),
            "currency": ["EUR"] * items,
            "balance_mills": np.exp(rng.normal(13.0, 1.5, items)).astype(np.int64),
        }
    )  # fmt: skip
    with measured(f"cash forecast, {items:,} items", "< 60 s, < 4 GiB") as result:
        weeks = cash_forecast(curves, frame, LAST_DAY)
    result.figures = {"expected millions": round(weeks["cumulative_mills"][-1] / 1e9)}
    result.met = result.seconds < 60 and result.peak_mib < 4096
    return result


def _table(scores: list[dict[str, Any]]) -> str:
    def shown(value: float | None) -> str:
        return "      -" if value is None else f"{value:7.3f}"

    names = [name for name in CashScore.__slots__ if name not in ("currency", "kind", "weeks", "forecasts")]
    lines = ["kind    weeks    n " + " ".join(f"{name[:7]:>7}" for name in names)]
    for score in scores:
        head = f"{score['kind']:<8}{score['weeks']:>4}{score['forecasts']:>6} "
        lines.append(head + " ".join(shown(score[name]) for name in names))
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seed", type=int, default=901)
    parser.add_argument("--size", default="medium")
    parser.add_argument("--days", type=int, default=12, help="forecasts of each company")
    parser.add_argument("--rung", default="hazard", choices=ladder.NAMES)
    parser.add_argument("--speed", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.speed:
        print(measure_speed(2_000).line(), measure_speed().line(), sep="\n")
        return
    report = measure_quality(options)
    if options.json:
        print(json.dumps(report))
        return
    for code, scores in report["companies"].items():
        print(code, _table(scores), sep="\n")
    print("all", _table(report["all"]), f"{report['seconds']} s", sep="\n")


if __name__ == "__main__":
    main()
