"""Speed and memory of forecasts on a large book: training, curves, reasons, one item, features of the past.

    python -m benchmarks.forecast_speed            2 million closed items, 1 million open ones
    python -m benchmarks.forecast_speed --small    a tenth of it

The book is made by numpy from a seed: only its size and shape matter. Each part runs in a process of its own,
so that its peak of memory is its own too.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.measure import Result, measured
from saldo.analytics.book import ENDS, ITEMS, PAID, Book, open_on

AS_OF = date(2026, 6, 30)
DAYS = 3 * 365
CLOSED, OPEN, ACCOUNTS = 2_000_000, 1_000_000, 100_000
REASONS = 20_000
ONE_ITEM = 20
QUESTIONS = 50_000
TARGETS = {
    "train": ("training, closed items", 600.0, None),
    "curves": ("curves of open items", 180.0, 4096.0),
    "reasons": ("reasons of the worklist", 40.0, None),
    "one": ("one item with its reasons", 0.3, None),
    "features": ("features, as of today", None, None),
    "past": ("features, two years back", None, None),
}


def large_book(scale: int) -> Book:
    """Accounts of three years with habits of their own; open items are the latest ones, some long overdue."""
    rng = np.random.default_rng(7)
    accounts, closed, still = ACCOUNTS // scale, CLOSED // scale, OPEN // scale
    count = closed + still
    # A few accounts have many invoices, many have few.
    account = np.minimum((accounts * rng.power(0.5, count)).astype(np.int64), accounts - 1)
    habit = rng.normal(8.0, 15.0, accounts)
    terms = rng.choice([30, 60, 90], accounts)
    is_open = np.arange(count) >= closed
    age = np.where(is_open, rng.gamma(2.0, 35.0, count), rng.uniform(0.0, DAYS, count)).astype(np.int64)
    day = np.datetime64(AS_OF) - np.minimum(age, DAYS).astype("timedelta64[D]")
    due = day + terms[account].astype("timedelta64[D]")
    waited = (habit[account] + rng.gamma(2.0, 6.0, count) - 8.0).astype(np.int64)
    paid = due + waited.astype("timedelta64[D]")
    # What is closed was paid by today, on its day or, of an invoice too young for that, on one between.
    early = day + (rng.random(count) * age).astype(np.int64).astype("timedelta64[D]")
    paid = np.maximum(np.where(paid <= np.datetime64(AS_OF), paid, early), day)
    mills = (np.exp(rng.normal(7.0, 1.2, count)) * 1000).astype(np.int64) // 10 * 10 + 1000
    items = pl.DataFrame(
        {
            "item_id": np.arange(count),
            "account_id": account,
            "customer_id": account,
            "segment": np.array(["north", "south", "abroad"])[account % 3],
            "currency": np.full(count, "EUR"),
            "document_date": day,
            "due_date": due,
            "amount_mills": mills,
            "method": np.array(["MP05", "MP12"])[account % 2],
            "known_date": day,
        },
        schema_overrides=ITEMS,
    )
    ends = items.filter(pl.Series(~is_open)).select(
        "item_id",
        pl.Series("end_date", paid[~is_open]).cast(pl.Date),
        "amount_mills",
        pl.lit(PAID).alias("cause"),
        pl.Series("known_date", paid[~is_open]).cast(pl.Date),
    )
    return Book(items, ends.select(*ENDS))


def _train(book: Book, folder: Path) -> dict[str, object]:
    from saldo.analytics.payment_date.ladder import rung
    from saldo.analytics.payment_date.promotion import train

    trained = train(book, AS_OF)
    # The dearest rung is what the other parts ask, whichever was promoted.
    fitted = trained.fitted if trained.fitted.name == "hazard" else rung("hazard").fit(book, AS_OF)
    (folder / "model.json").write_text(json.dumps(fitted.as_record()), encoding="utf-8")
    return {
        "promoted": trained.fitted.name,
        "model MB": round((folder / "model.json").stat().st_size / 1e6, 1),
    }


def _fitted(folder: Path):  # type: ignore[no-untyped-def]
    from saldo.analytics.payment_date.ladder import fitted_from

    return fitted_from(json.loads((folder / "model.json").read_text(encoding="utf-8")))


def _curves(book: Book, folder: Path) -> dict[str, object]:
    landmarks = open_on(book, AS_OF)
    curves = _fitted(folder).curves(book, landmarks)
    return {"items": len(curves), "columns": curves.paid.shape[1]}


def _reasons(book: Book, folder: Path) -> dict[str, object]:
    from saldo.analytics.payment_date.reasons import reasons

    landmarks = open_on(book, AS_OF)
    landmarks = landmarks.sample(min(REASONS, len(landmarks)), seed=1)
    return {"items": len(reasons(_fitted(folder), book, landmarks))}


def _one(book: Book, folder: Path) -> dict[str, object]:
    """Accounts of middling size one by one, from their own facts, as a page that is opened does."""
    from saldo.analytics.payment_date.forecasts import item_forecasts
    from saldo.analytics.payment_date.reasons import reasons

    fitted = _fitted(folder)
    wanted = open_on(book, AS_OF).sample(ONE_ITEM, seed=2)
    accounts = wanted.join(book.items, on="item_id", maintain_order="left")["account_id"].to_list()
    small = [book.of_accounts([account]) for account in accounts]
    times = []
    for at, own in enumerate(small):
        began = time.perf_counter()
        asked = wanted.slice(at, 1)
        item_forecasts(fitted, own, asked)
        reasons(fitted, own, asked)
        times.append(time.perf_counter() - began)
    return {
        "seconds": sorted(times)[int(len(times) * 0.95)],
        "median ms": round(1000 * sorted(times)[len(times) // 2]),
    }


def _features(day: date) -> Callable[[Book, Path], dict[str, object]]:
    def run(book: Book, _: Path) -> dict[str, object]:
        from saldo.analytics.features import features_at

        known = book.known_by(day)
        # As many questions on either day, so that the two cost the same.
        landmarks = known.items.sample(QUESTIONS, seed=3, with_replacement=len(known.items) < QUESTIONS)
        asked = landmarks.select("item_id", pl.lit(day).alias("as_of"))
        began = time.perf_counter()
        found = features_at(known, asked)
        return {
            "seconds": time.perf_counter() - began,
            "questions": len(found),
            "items known": len(known.items),
        }

    return run


PARTS: dict[str, Callable[[Book, Path], dict[str, object]]] = {
    "train": _train,
    "curves": _curves,
    "reasons": _reasons,
    "one": _one,
    "features": _features(AS_OF),
    "past": _features(AS_OF - timedelta(days=730)),
}


def run_part(name: str, folder: Path, scale: int) -> Result:
    """One part, in this process. Making the book counts neither as time nor, beyond its size, as memory."""
    title, most_seconds, most_mib = TARGETS[name]
    book = large_book(scale)
    wanted = [f"< {most_seconds:g} s" if most_seconds else "", f"< {most_mib:g} MiB" if most_mib else ""]
    with measured(title, ", ".join(word for word in wanted if word) or "-") as result:
        figures = PARTS[name](book, folder)
    result.seconds = float(str(figures.pop("seconds", result.seconds)))
    result.figures = figures
    if most_seconds and scale == 1:
        result.met = result.seconds < most_seconds and result.peak_mib < (most_mib or float("inf"))
    return result


def speed(small: bool = False, parts: tuple[str, ...] = tuple(PARTS)) -> list[Result]:
    """Each part in a process of its own, as rows of the report."""
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for name in parts:
            words = ["--inside", name, "--folder", folder, *(["--small"] if small else [])]
            command = [sys.executable, "-W", "ignore", "-m", "benchmarks.forecast_speed", *words]
            told = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
            results.append(Result(**json.loads(told.splitlines()[-1])))
            print(results[-1].line(), flush=True)
    return results


def main() -> None:
    found = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    found.add_argument("--small", action="store_true", help="a tenth of the size")
    found.add_argument("--parts", help=f"of {', '.join(PARTS)}; train makes the model that others ask")
    found.add_argument("--inside", choices=list(PARTS), help=argparse.SUPPRESS)
    found.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = found.parse_args()
    if options.inside:
        print(json.dumps(asdict(run_part(options.inside, options.folder, 10 if options.small else 1))))
        return
    parts = tuple(options.parts.split(",")) if options.parts else tuple(PARTS)
    results = speed(options.small, parts)
    sys.exit(0 if all(one.met is not False for one in results) else 1)


if __name__ == "__main__":
    main()
