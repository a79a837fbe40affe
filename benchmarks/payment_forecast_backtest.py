"""Backtest of the payment date forecast on a file of invoices that were all paid in the end.

    python benchmarks/payment_forecast_backtest.py ibm_late_payments.csv [--from 2013-01-01 --to 2013-12-31]

Each invoice is forecast on its issue date, knowing only what was paid before that day; invoices then open
count as open. Prints the measures next to two baselines: the due date, and the median past delay of the
customer. With --half-lives it compares half-lives (choose on 2012, then test on 2013).
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from saldo.analytics.payment_date import empirical_bayes as payment_date
from saldo.core.priors import DelayPrior, default_priors

Floats = npt.NDArray[np.float64]
SPAN = 400


def read(path: Path) -> pl.DataFrame:
    def day(name: str) -> pl.Expr:
        return pl.col(name).str.to_date("%m/%d/%Y")

    raw = pl.read_csv(path, infer_schema=False)
    return raw.select(
        pl.col("invoiceNumber").alias("item_id"),
        pl.col("customerID").alias("account_id"),
        pl.col("countryCode").alias("segment"),
        day("InvoiceDate").alias("document_date"),
        day("DueDate").alias("due_date"),
        day("SettledDate").alias("paid_date"),
        pl.lit(False).alias("closed_unknown"),
    ).sort("document_date", "item_id")


def known(facts: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """What was known at the end of ``as_of``."""
    paid = pl.when(pl.col("paid_date") <= as_of).then("paid_date").alias("paid_date")
    return facts.filter(pl.col("document_date") <= as_of).with_columns(paid)


def predict(facts: pl.DataFrame, first: date, last: date, prior: DelayPrior) -> tuple[pl.DataFrame, Floats]:
    """Tested invoices with their forecasts, and the daily distribution of days from issue of each."""
    frames, curves = [], []
    tested = facts.filter(pl.col("document_date").is_between(first, last))
    for issued, invoices in tested.group_by("document_date", maintain_order=True):
        day = issued[0]
        assert isinstance(day, date)
        eve = day - timedelta(days=1)
        model = payment_date.fit(known(facts, eve), eve, prior)
        frames.append(payment_date.forecast(model, invoices))
        curves.append(payment_date.paid_within(model, invoices, range(1, SPAN + 1)))
    return pl.concat(frames), np.concatenate(curves)


def c_index(actual: Floats, predicted: Floats) -> float:
    first, second = np.triu_indices(len(actual), 1)
    order = np.sign(actual[first] - actual[second])
    comparable = order != 0
    agree = np.sign(predicted[first] - predicted[second])[comparable] * order[comparable]
    return float((agree > 0).mean() + 0.5 * (agree == 0).mean())


def auc(label: npt.NDArray[np.bool_], score: Floats) -> float:
    ranks = pl.Series(score).rank("average").to_numpy()
    positives, negatives = label.sum(), (~label).sum()
    return float((ranks[label].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def calibration_error(label: npt.NDArray[np.bool_], share: Floats) -> float:
    bins = np.array_split(np.argsort(share, kind="stable"), 10)
    return float(sum(len(b) * abs(label[b].mean() - share[b].mean()) for b in bins) / len(label))


def _row(name: str, values: dict[str, float | None]) -> str:
    return f"{name:<18}" + "".join(f"{'–' if v is None else f'{v:.3f}':>9}" for v in values.values())


def measure(days: Floats, point: Floats) -> dict[str, float | None]:
    error = np.abs(days - point)
    c = c_index(days, point)
    return {"MAE": float(error.mean()), "±7": float((error <= 7).mean()), "C": c} | dict.fromkeys(
        ("AUC", "Brier", "ECE", "cover80", "CRPS"), None
    )


def measure_forecast(tested: pl.DataFrame, paid_by: Floats) -> dict[str, float | None]:
    """Days count from issue. Column d of ``paid_by``: P(paid within d days after issue, day 0 first)."""
    days = _from_issue(tested, "paid_date")
    terms = _from_issue(tested, "due_date").astype(int)
    mean = (1.0 - paid_by).sum(axis=1)
    p_late = 1.0 - paid_by[np.arange(len(days)), terms]
    late = days > terms
    inside = tested.select(
        (pl.col("paid_date") >= pl.col("low_date"))
        & (pl.col("paid_date") <= pl.col("high_date").fill_null(date.max))
    ).to_series()
    outcome = np.arange(paid_by.shape[1])[None, :] >= days[:, None]
    point = _from_issue(tested, "expected_date")
    return measure(days, point) | {
        "C": c_index(days, mean),
        "AUC": auc(late, p_late),
        "Brier": float(((p_late - late) ** 2).mean()),
        "ECE": calibration_error(late, p_late),
        "cover80": float(inside.mean()),  # type: ignore[arg-type]
        "CRPS": float(((paid_by - outcome) ** 2).sum(axis=1).mean()),
    }


def _from_issue(frame: pl.DataFrame, column: str) -> Floats:
    days = frame.select((pl.col(column) - pl.col("document_date")).dt.total_days()).to_series()
    return days.to_numpy().astype(np.float64)


def customer_median(facts: pl.DataFrame, tested: pl.DataFrame) -> Floats:
    """Due date + median delay of the customer's invoices paid before the issue date (0 without any)."""
    past = tested.select("item_id", "account_id", issued="document_date").join(
        facts.select("account_id", "paid_date", delay=pl.col("paid_date") - pl.col("due_date")),
        on="account_id",
    )
    before = past.filter(pl.col("paid_date") < pl.col("issued"))
    medians = before.group_by("item_id").agg(pl.col("delay").dt.total_days().median())
    delay = tested.select("item_id").join(medians, on="item_id", how="left", maintain_order="left")["delay"]
    return _from_issue(tested, "due_date") + delay.fill_null(0).to_numpy()


def open_book(facts: pl.DataFrame, first: date, last: date, prior: DelayPrior) -> dict[str, float]:
    """Open items on the first day of each month: forecast of the next 7 and 30 days against what happened."""
    frames = []
    for as_of in pl.date_range(first, last - timedelta(days=30), "1mo", eager=True):
        book = known(facts, as_of)
        still_open = book.filter(pl.col("paid_date").is_null()).drop("paid_date")
        forecast = payment_date.payment_forecast(book, still_open, as_of, prior)
        truth = facts.select("item_id", "paid_date", waited=(pl.col("paid_date") - as_of).dt.total_days())
        frames.append(forecast.join(truth, on="item_id"))
    tested = pl.concat(frames)
    result: dict[str, float] = {"items": float(len(tested))}
    for days in (7, 30):
        share, paid = tested[f"p{days}"].to_numpy(), (tested["waited"] <= days).to_numpy()
        result |= {
            f"p{days} mean": float(share.mean()), f"paid in {days}": float(paid.mean()),
            f"ECE {days}": calibration_error(paid, share), f"AUC {days}": auc(paid, share),
        }  # fmt: skip
    inside = tested.select(
        (pl.col("paid_date") >= pl.col("low_date"))
        & (pl.col("paid_date") <= pl.col("high_date").fill_null(date.max))
    ).to_series()
    return result | {"cover80": float(inside.mean())}  # type: ignore[arg-type]


def main() -> None:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("file", type=Path)
    parser.add_argument("--from", dest="first", type=date.fromisoformat, default=date(2013, 1, 1))
    parser.add_argument("--to", dest="last", type=date.fromisoformat, default=date(2013, 12, 31))
    parser.add_argument("--half-lives", type=float, nargs="*", default=[])
    given = parser.parse_args()
    facts, prior = read(given.file), default_priors().delay
    days = None
    for half_life in given.half_lives or [prior.half_life_days]:
        tested, paid_by = predict(facts, given.first, given.last, replace(prior, half_life_days=half_life))
        if days is None:
            days, due = _from_issue(tested, "paid_date"), _from_issue(tested, "due_date")
            print(f"{len(tested)} invoices issued {given.first} to {given.last}")
            print(" " * 18 + "".join(f"{name:>9}" for name in measure(days, due)))
            print(_row("due date", measure(days, due)))
            print(_row("customer median", measure(days, customer_median(facts, tested))))
        print(_row(f"half-life {half_life:g}", measure_forecast(tested, paid_by)))
    book = open_book(facts, given.first, given.last, prior)
    print("open book, first of each month: " + ", ".join(f"{k} {v:.3f}" for k, v in book.items()))


if __name__ == "__main__":
    main()
