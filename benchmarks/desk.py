"""How fast the day's list of a large credit office is made, and how fast it opens.

    python -m benchmarks.run --only desk            100,000 accounts, ten open items each, 20 collectors
    python -m benchmarks.run --only desk --small    a tenth of it

Measured is what the list itself takes: what people did is read, every action of every account is valued, the
accounts are shared out, the rows are kept. The forecasts that it starts from, and the plan of the playbooks,
are measured on their own. Accounts, outcomes and assignments are in the database; forecasts are made up.
"""

from __future__ import annotations

import statistics
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from benchmarks.measure import Result, measured
from benchmarks.outreach_plan import AS_OF, RULES, make_frames, playbook_world
from saldo.analytics.askable import PLAN, left_out, with_asked

COLLECTORS, ITEMS_EACH, ACCOUNTS_COUNT = 20, 10, 100_000
PASSWORD = "bench-password-1"
REQUESTS = 100


def bench_list(accounts: int = ACCOUNTS_COUNT) -> list[Result]:
    """The list made and kept, and one collector's list opened; Django is set up on a database of its own."""
    from saldo.collection.planning import keep_actions
    from saldo.core.context import Context
    from saldo.flows.desk_facts import desk_of_day
    from saldo.flows.plan_actions import plan_actions
    from saldo.flows.share_work import with_collectors
    from saldo.identity.models import DayRun

    first, _, run_id = playbook_world(accounts)
    run = DayRun.objects.get(id=run_id)
    # Recorded before the run's known_at, as all that a run reads is.
    _people(run.company_id, first, accounts)
    ctx = Context("system:bench", AS_OF, lambda: datetime.now(UTC), company_id=run.company_id)
    facts, forecasts, outreach, book = _facts(ctx, first, accounts)
    with measured("the day's list, valued and kept", "< 90 s for 100,000 accounts, 20 collectors") as result:
        desk = desk_of_day(ctx, facts, book, forecasts)
        ranked = with_collectors(ctx, plan_actions(facts, forecasts, "EUR", outreach, desk), "EUR")
        kept = keep_actions(run_id, ranked)
    planned = ranked.filter(pl.col("is_planned") & (pl.col("block") != "wait"))
    result.figures = {"rows": kept, "planned": planned.height, "accounts/s": round(accounts / result.seconds)}
    result.met = result.seconds < 90
    DayRun.objects.filter(id=run_id).update(known_at=datetime.now(UTC))
    return [result, _opening(run.company_id)]


def _opening(company_id: int) -> Result:
    """Server time of one collector's own list, as that collector asks for it."""
    from django.db import connection
    from django.test import Client

    with connection.cursor() as cursor:
        cursor.execute("ANALYZE collection_action, collection_outcome, collection_assignment")
    client = Client(HTTP_HOST="127.0.0.1")
    assert client.login(username="collector07", password=PASSWORD)
    client.post("/settings/company/", {"company": company_id})
    times = []
    with measured("a collector's list opened", "p95 < 100 ms") as result:
        for _ in range(REQUESTS):
            start = time.perf_counter()
            response = client.get("/", {"collector": "collector07"})
            times.append((time.perf_counter() - start) * 1000)
            assert response.status_code == 200, response.status_code
    p95 = statistics.quantiles(times, n=20)[-1]
    result.figures = {"p95 ms": round(p95, 1), "median ms": round(statistics.median(times), 1)}
    result.met = p95 < 100
    return result


def _people(company_id: int, first: int, accounts: int) -> None:
    """Collectors with minutes, three accounts in ten given to one, and what they did in the last months."""
    from django.contrib.auth.hashers import make_password
    from django.db import connection

    from saldo.collection.models import Capacity
    from saldo.identity.models import Grant, User

    at, names = datetime.now(UTC), [f"collector{n:02}" for n in range(COLLECTORS)]
    password = make_password(PASSWORD)
    users = User.objects.bulk_create(User(username=name, password=password) for name in names)
    Grant.objects.bulk_create(Grant(user=user, company_id=company_id, role="collector") for user in users)
    Capacity.objects.bulk_create(
        Capacity(
            company_id=company_id, collector=name, minutes=300, from_date=AS_OF - timedelta(days=90),
            actor="bench", recorded_at=at,
        )
        for name in names
    )  # fmt: skip
    with connection.cursor() as cursor:
        told = {"first": first, "accounts": accounts, "day": AS_OF, "at": at, "n": COLLECTORS}
        for sql in (_ASSIGNMENTS, _OUTCOMES):
            cursor.execute(sql, told)


_ASSIGNMENTS = """
INSERT INTO collection_assignment (account_id, collector, from_date, note, actor, recorded_at)
SELECT n, 'collector' || lpad((n %% %(n)s)::text, 2, '0'), %(day)s::date - 60, '', 'bench', %(at)s
  FROM generate_series(%(first)s, %(first)s + %(accounts)s - 1) n WHERE n %% 10 < 3
"""
# Two outcomes of each second account: a try, and a contact or a skip with its reason.
_OUTCOMES = """
INSERT INTO collection_outcome (account_id, as_of, state, channel, result, skip_reason, delay_reason, seconds,
                                note, data, actor, recorded_at)
SELECT n, %(day)s::date - (n %% 40)::int - 1 - k,
       CASE WHEN k = 1 AND n %% 3 > 0 THEN 'done' ELSE 'skipped' END, 'phone',
       CASE WHEN k = 0 THEN 'no_answer' WHEN n %% 3 > 0 THEN 'reached' ELSE '' END,
       CASE WHEN k = 1 AND n %% 3 = 0 THEN 'will_pay' ELSE '' END,
       CASE WHEN k = 1 AND n %% 6 = 1 THEN 'cash' ELSE '' END, 240 + n %% 300, '', '{}',
       'collector' || lpad((n %% %(n)s)::text, 2, '0'), %(at)s::timestamptz - interval '40 days'
  FROM generate_series(%(first)s, %(first)s + %(accounts)s - 1, 2) n, generate_series(0, 1) k
"""


def _facts(ctx: Any, first: int, accounts: int) -> tuple[Any, pl.DataFrame, Any, Any]:
    """Facts, forecasts, outreach and book of made-up items of the accounts from ``first`` on."""
    from saldo.cash.collections import in_flight
    from saldo.collection.planning import contacts_made, dated_entries, last_contacts
    from saldo.flows.facts import Facts
    from saldo.flows.plan_outreach import Outreach

    frames = {
        name: frame.with_columns(pl.col("account_id") + first) if "account_id" in frame.columns else frame
        for name, frame in make_frames(accounts, ITEMS_EACH).items()
    }
    draws = np.random.default_rng(7)
    items, count = frames["items"], frames["items"].height
    p30 = draws.random(count)
    forecasts = items.select("item_id", "account_id", "currency", "due_date", "balance_mills").with_columns(
        pl.Series("p30", p30), pl.Series("p_over_90", (1 - p30) * draws.random(count)),
        pl.lit("account").alias("rung"), pl.Series("mean_delay_days", draws.normal(12, 9, count)),
        pl.lit(20).alias("n_history"), pl.col("balance_mills").alias("amount_mills"),
    )  # fmt: skip
    empty = pl.DataFrame()
    facts = Facts(
        as_of=AS_OF, open_items=forecasts, history=empty, sales=empty, dated=dated_entries(ctx),
        contacts=last_contacts(ctx), in_flight=in_flight(ctx), known_from=None, sales_from=None,
    )  # fmt: skip
    out = left_out(items, frames["blocks"], frames["covers"], RULES)
    written = pl.DataFrame(
        schema={"account_id": pl.Int64, "track": pl.String, "channel": pl.String, "step": pl.String}
    )
    outreach = Outreach(pl.DataFrame(schema=PLAN), with_asked(items, out), out, written)
    return facts, forecasts, outreach, _book(contacts_made(ctx))


def _book(contacts: pl.DataFrame) -> Any:
    """A book in which only contacts stand: the ranking reads no more of it."""
    from saldo.analytics.book import SCHEMAS, Book

    empty = {name: pl.DataFrame(schema=SCHEMAS[name]) for name in ("items", "ends")}
    return Book(**empty, contacts=contacts)
