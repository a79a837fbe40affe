"""What the assumptions of a simulated world come to: the marginals on docs/rules/simulated-world.md.

    python -m benchmarks.world_marginals [--size medium] [--seeds 1,2] [--last-day 2026-11-20]

Amounts are with VAT, without split VAT and withheld tax. Late and lost are shares of the value that fell due
more than half a year before the last day. One line a measure, one column a seed.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from datetime import date, timedelta

import polars as pl

from saldo.core.calendar import add_months
from saldo.simulation.world.parameters import load
from saldo.simulation.world.references import UNUSABLE
from saldo.simulation.world.tables import Tables
from saldo.simulation.world.world import World

SALES_DAYS = 90
LOST_DAYS = 180
DSO_DAYS_BEFORE = (0, 180, 360)
LATE_AFTER_DAYS = (0, 3)

Measure = tuple[str, float, str]


def silent_world(size: str, seed: int, last_day: date) -> World:
    """A world in which nobody ever asks."""
    p = load()
    first = add_months(last_day, -p.size(size).months) + timedelta(days=1)
    world = World(p, p.size(size), seed, first, last_day)
    world.advance(last_day)
    return world


def measures(size: str, seed: int, last_day: date) -> Iterator[Measure]:
    """(name, value, format) of each marginal, in the order of the page."""
    t = World.make(size, seed, last_day).tables()
    silent = silent_world(size, seed, last_day).tables()
    yield "installments", t.installments.height, ",.0f"
    for before in DSO_DAYS_BEFORE:
        day = last_day - timedelta(days=before)
        yield f"DSO on {day}, days", dso(t, day), ".1f"
    for after in LATE_AFTER_DAYS:
        yield f"paid more than {after} days late", late_share(t, last_day, after), ".1%"
    yield "lost when nobody asks", lost_share(silent, last_day), ".1%"
    yield "lost with the office of the past", lost_share(t, last_day), ".1%"
    yield "transfers without a usable reference", unusable_share(t), ".1%"


def dso(t: Tables, day: date) -> float:
    """Open debits / sales of the trailing 90 days net of credit notes x 90, as the ERPs show them."""
    debits = t.installments.filter(pl.col("cash_cents") > 0).join(
        t.invoices.filter(pl.col("date") <= day).select("invoice_id"), on="invoice_id"
    )
    posted = t.postings.filter(pl.col("posted_date") <= day).join(debits, on="installment_id")
    owed = debits["cash_cents"].sum() - posted["amount_cents"].sum()
    recent = t.invoices.filter(
        pl.col("date").is_between(day - timedelta(days=SALES_DAYS), day, closed="right")
        & (pl.col("kind") != "on_account")
    )
    sold = t.installments.join(recent, on="invoice_id")["cash_cents"].sum()
    return float(owed / sold * SALES_DAYS)


def _due_long_ago(t: Tables, last_day: date) -> pl.DataFrame:
    """Debits whose end is known."""
    return t.installments.filter(
        (pl.col("cash_cents") > 0) & (pl.col("due_date") < last_day - timedelta(days=LOST_DAYS))
    )


def late_share(t: Tables, last_day: date, after: int) -> float:
    """Share of the value that was open, for good or again after a return, so many days after the due date."""
    lines = _due_long_ago(t, last_day)
    limit = pl.col("due_date") + pl.duration(days=after)
    booked = (
        t.postings.join(lines.select("installment_id", "cash_cents", "due_date"), on="installment_id")
        .sort("installment_id", "effective_date", "posted_date", maintain_order=True)
        .with_columns(
            (pl.col("cash_cents") - pl.col("amount_cents").cum_sum().over("installment_id")).alias("open")
        )
    )
    at_limit = (
        booked.filter(pl.col("effective_date") <= limit)
        .group_by("installment_id", maintain_order=True)
        .agg(pl.col("open").last())
    )
    later = (
        booked.filter(pl.col("effective_date") > limit)
        .group_by("installment_id")
        .agg(pl.col("open").max().alias("again"))
    )
    late = lines.join(at_limit, on="installment_id", how="left").join(later, on="installment_id", how="left")
    owed = pl.max_horizontal(pl.col("open").fill_null(pl.col("cash_cents")), pl.col("again"))
    return float(late.select(owed.sum() / pl.col("cash_cents").sum()).item())


def lost_share(t: Tables, last_day: date) -> float:
    """Written off, or still open, of what fell due more than half a year ago."""
    lines = _due_long_ago(t, last_day)
    posted = t.postings.join(lines, on="installment_id", how="semi")
    paid = posted.filter(pl.col("kind") != "write_off")["amount_cents"].sum()
    return float(1 - paid / lines["cash_cents"].sum())


def unusable_share(t: Tables) -> float:
    transfers = t.payments.filter(pl.col("kind") == "transfer")
    bare = transfers["faults"].list.eval(pl.element().is_in(UNUSABLE)).list.any()
    return float(bare.fill_null(False).mean() or 0.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--size", default="medium")
    parser.add_argument("--seeds", default="1,2")
    parser.add_argument("--last-day", type=date.fromisoformat, default=date(2026, 11, 20))
    chosen = parser.parse_args()
    columns = [list(measures(chosen.size, int(seed), chosen.last_day)) for seed in chosen.seeds.split(",")]
    for row in zip(*columns, strict=True):
        print(f"{row[0][0]:<40}", *(f"{value:>10{shape}}" for _, value, shape in row))


if __name__ == "__main__":
    main()
