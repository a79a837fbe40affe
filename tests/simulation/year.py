"""Days of a small world through the real flows, with what must hold on every one of them (DESIGN, tests).

The world, the ERPs' files, the import, the day's run, the worklist, the contacts and the answers are the real
ones of ``saldo simulate --policy saldo``; the truth is used only to judge. Run as a program, on an empty
database of its own, it lives through the days asked for and says what they came to:

    DATABASE_URL=... python -m tests.simulation.year FIRST_DAY DAYS
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from datetime import date
from typing import Any

import django

django.setup()

import polars as pl  # noqa: E402
from django.db import connection  # noqa: E402

from saldo.analytics.book import balances, open_on  # noqa: E402
from saldo.collection.planning import stored_plan  # noqa: E402
from saldo.core.context import Context  # noqa: E402
from saldo.core.priors import default_priors  # noqa: E402
from saldo.flows.day import run_day  # noqa: E402
from saldo.flows.to_collect import to_collect  # noqa: E402
from saldo.identity.queries import latest_day_run  # noqa: E402
from saldo.ledger.book import book_of  # noqa: E402
from saldo.ledger.queries import BUCKET_COLUMNS, open_items, projection_differences, totals  # noqa: E402
from saldo.simulation.files.erp_book import ErpBook  # noqa: E402
from saldo.simulation.trial.figures import figures  # noqa: E402
from saldo.simulation.trial.jobs import Job  # noqa: E402
from saldo.simulation.trial.run import Trial, begin, business_days, live  # noqa: E402
from saldo.simulation.world.world import World  # noqa: E402

SEED = 1
MILLS_PER_CENT = 10
# Every so many business days: the costlier checks.
SELDOM = 20
AGAIN_AFTER = 15


def live_through(first_day: date, days: int) -> dict[str, Any]:
    """Live through the days; an AssertionError says what did not hold. Returns what happened in them."""
    trial = begin(Job("saldo", SEED, "small", days, first_day), World.make)
    past: list[tuple[Context, pl.DataFrame]] = []
    contacts = 0
    for count, day in enumerate(business_days(trial)):
        contacts += len(live(trial, day))
        t = trial.world.tables()
        known = replace(trial.desk.context(), known_at=trial.desk.clock())
        ours, aged = open_items(known), totals(known)
        for company_id, code in trial.codes.items():
            ctx = known.within(trial.desk.companies[code].id)
            items = ours.filter(pl.col("company_id") == ctx.company_id)
            _saldo_says_what_the_erp_says(ErpBook(t, company_id), items, day)
            _worklist_names_only_what_is_owed(ctx, items)
        _aging_partitions_what_is_open(aged, ours, day)
        _allocations_stay_within_their_items()
        past.append((known, aged))
        if count >= AGAIN_AFTER:
            _tells_the_same_of(*past[count - AGAIN_AFTER])
        if count % SELDOM == 0:
            _models_are_told_the_same(known, ours, [each.id for each in trial.desk.companies.values()])
            _projections_agree()
            _runs_again_the_same(trial, day)
    for then in past[::SELDOM]:
        _tells_the_same_of(*then)
    _runs_again_the_same(trial, past[len(past) // 2][0].as_of)
    _projections_agree()
    return _what_happened(trial, len(past), contacts)


def _saldo_says_what_the_erp_says(book: ErpBook, ours: pl.DataFrame, day: date) -> None:
    """To the cent, line by line of the sum: open debits and credits of the company."""
    truth = book.open_at(day)
    assert ours["balance_mills"].sum() == truth["open_cents"].sum() * MILLS_PER_CENT, day
    for side in (1, -1):
        told = ours.filter(pl.col("balance_mills") * side > 0)["balance_mills"].sort()
        real = truth.filter(pl.col("open_cents") * side > 0)["open_cents"].sort() * MILLS_PER_CENT
        assert told.to_list() == real.to_list(), day


def _models_are_told_the_same(known: Context, ours: pl.DataFrame, company_ids: list[int]) -> None:
    """What models learn from has the balances of the ledger, item by item."""
    books = [book_of(known.within(company_id)) for company_id in company_ids]
    told = pl.concat([balances(book, open_on(book, known.as_of)) for book in books])
    columns = ["item_id", "account_id", "due_date", "balance_mills"]
    owed = ours.filter(pl.col("balance_mills") > 0)
    assert told.select(columns).sort("item_id").equals(owed.select(columns).sort("item_id")), known.as_of


def _aging_partitions_what_is_open(frame: pl.DataFrame, items: pl.DataFrame, day: date) -> None:
    buckets = [f"{name}_mills" for name in BUCKET_COLUMNS]
    wrong = frame.filter(pl.sum_horizontal(buckets) != pl.col("open_mills"))
    late = frame.filter(pl.sum_horizontal(buckets[1:]) != pl.col("overdue_mills"))
    assert wrong.is_empty() and late.is_empty(), day
    assert frame.select(pl.min_horizontal(*buckets, "credits_mills").min()).item() >= 0
    assert frame["open_mills"].sum() == items.filter(pl.col("balance_mills") > 0)["balance_mills"].sum()


def _worklist_names_only_what_is_owed(ctx: Context, items: pl.DataFrame) -> None:
    """A row has the overdue that the ledger says; without any, it is a courtesy about what falls due."""
    assert ctx.company_id is not None
    run = latest_day_run(ctx.company_id, ctx.as_of)
    assert run is not None
    debits = items.filter(pl.col("balance_mills") > 0)
    days = (pl.lit(ctx.as_of) - pl.col("due_date")).dt.total_days()
    late = _by_account(debits.filter(days > 0))
    soon = _by_account(debits.filter(days.is_between(-default_priors().priority.courtesy_days, 0)))
    rows = stored_plan(run.id)
    collectable = to_collect(ctx)
    kept_out = set(collectable.filter(pl.col("due_mills") != pl.col("to_collect_mills"))["account_id"])
    for row in rows:
        account = row["account_id"]
        # Of an account with promised or planned items the row tells the others.
        overdue, owed = row["overdue"] * 1000, late.get(account, 0)
        assert overdue <= owed and (account in kept_out or overdue == owed), (ctx.as_of, row)
        courtesy = any(reason["code"] == "courtesy_check" for reason in row["reasons"])
        assert late.get(account, 0) > 0 or (account in soon and (courtesy or row["block"] == "dated")), row
    assert len({(row["account_id"], row["currency"]) for row in rows}) == len(rows)
    least = default_priors().priority.minimum_overdue_mills
    # Of what is promised or in a plan nothing is left to ask.
    apart = {
        row["account_id"]: row["due_mills"] - row["to_collect_mills"]
        for row in collectable.iter_rows(named=True)
    }
    missing = {account for account, mills in late.items() if mills - apart.get(account, 0) >= least}
    missing -= {row["account_id"] for row in rows}
    assert not missing, ("who owes is in the list, if only to wait", ctx.as_of, sorted(missing))


def _by_account(items: pl.DataFrame) -> dict[int, int]:
    return dict(items.group_by("account_id").agg(pl.col("balance_mills").sum()).iter_rows())


def _allocations_stay_within_their_items() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT count(*) FROM ledger_item i
              JOIN (SELECT item_id, sum(amount) AS used FROM ledger_allocation_side GROUP BY 1) u
                ON u.item_id = i.id
             WHERE u.used < 0 OR u.used > abs(i.amount)
            """
        )
        assert cursor.fetchone() == (0,)


def _tells_the_same_of(then: Context, said: pl.DataFrame) -> None:
    assert totals(then).equals(said), then.as_of


def _projections_agree() -> None:
    assert projection_differences() == []


def _runs_again_the_same(trial: Trial, day: date) -> None:
    """A rerun of a day, from what was known at its first run, is the same day."""
    for company in trial.desk.companies.values():
        before = latest_day_run(company.id, day)
        assert before is not None
        again = run_day(replace(trial.desk.context(company.id), as_of=day), company.id)
        assert not again.is_new and again.day_run_id == before.id and again.known_at == before.known_at


def _what_happened(trial: Trial, days: int, contacts: int) -> dict[str, Any]:
    trial.world.advance(trial.last_day)
    t = trial.world.tables()
    found = figures(t, trial.first_day, trial.last_day)
    assert contacts == found.contacts
    return {
        "days": days,
        "contacts": contacts,
        "cash_cents": found.cash_cents,
        "replies": sorted(set(t.replies["kind"].to_list())),
        "postings": sorted(set(t.postings["kind"].to_list())),
    }


if __name__ == "__main__":
    print(json.dumps(live_through(date.fromisoformat(sys.argv[1]), int(sys.argv[2]))))
