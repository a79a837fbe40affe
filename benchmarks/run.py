"""make bench: what Saldo promises about speed and memory, measured on this machine.

    python -m benchmarks.run            all of it (about fifteen minutes; needs 7 GiB of disk)
    python -m benchmarks.run --small    a tenth of the size, to try the benchmark itself

It makes a database of its own (saldo_bench) on the server in use and drops it afterwards.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks import cash, desk, forecast_speed, forecasts, outreach_plan, outreach_render
from benchmarks.measure import Result, measured
from benchmarks.simulated import bench_simulated_day, bench_world
from benchmarks.world import AS_AT, MAPPING, write_installments

ITEMS, ACCOUNTS, HISTORY = 200_000, 20_000, 1_000_000


def _setup() -> None:
    """Django on a fresh database of its own."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "saldo.config.settings")
    from django.conf import settings

    name = "saldo_bench"
    settings.DATABASES["default"] |= {"NAME": name}
    import django

    django.setup()
    _admin(f'DROP DATABASE IF EXISTS "{name}"', f'CREATE DATABASE "{name}"')
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    from saldo.identity.operations import ensure_company

    for code in ("BENCH", "PORT"):
        ensure_company(_context(), code)


def _admin(*statements: str) -> None:
    import psycopg
    from django.db import connection

    connection.close()
    time.sleep(1)
    params = connection.get_connection_params() | {"dbname": "postgres"}
    kept = {k: v for k, v in params.items() if k in ("host", "port", "user", "password", "dbname")}
    with psycopg.connect(**kept, autocommit=True) as admin:
        for statement in statements:
            admin.execute(statement)


def _context() -> Any:
    from saldo.core.context import Context

    return Context("bench", AS_AT, lambda: datetime.now(UTC))


def bench_import(folder: Path, rows: int) -> Result:
    """End to end: bytes to committed rows, with everything a user's import does."""
    from saldo.flows.import_documents import import_file

    path = folder / "million.csv"
    size = write_installments(path, rows, ACCOUNTS, seed=1)
    with measured("import, open items", ">= 12,000 rows/s, < 2 GiB") as result:
        told = import_file(_context(), path.name, path.read_bytes(), "receivables", MAPPING, "BENCH", AS_AT)
    assert told.done == rows and not told.rejections, told.rejections[:3]
    rate = rows / result.seconds
    result.figures = {"rows/s": round(rate), "file MiB": size >> 20}
    result.met = rate >= 12_000 and result.peak_mib < 2048
    return result


def bench_reimport(folder: Path, rows: int) -> Result:
    """The same rows a day later: everything is compared, nothing is written."""
    from saldo.flows.import_documents import import_file

    path = folder / "million.csv"
    with measured("import again, nothing new", "-") as result:
        ctx = replace(_context(), as_of=AS_AT + timedelta(days=1))
        data = path.read_bytes() + b"\n"
        told = import_file(ctx, path.name, data, "receivables", MAPPING, "BENCH", ctx.as_of)
    assert told.done == 0
    result.figures = {"rows/s": round(rows / result.seconds)}
    return result


def bench_history(folder: Path, rows: int, accounts: int, series: str) -> Result:
    """Closed items: each brings a payment and an allocation."""
    from saldo.flows.import_documents import import_file

    path = folder / "history.csv"
    write_installments(path, rows, accounts, open_share=0.0, seed=2)
    data = path.read_bytes().replace(b"FT/", series.encode())
    with measured("import, mostly settled items", "-") as result:
        told = import_file(_context(), path.name, data, "receivables", MAPPING, "PORT", AS_AT)
    result.figures = {"rows/s": round(rows / result.seconds)}
    assert told.done == rows
    return result


def bench_day(folder: Path, items: int, accounts: int) -> Result:
    from saldo.flows.day import run_day
    from saldo.flows.import_documents import import_file
    from saldo.identity.queries import company_by_code

    path = folder / "open.csv"
    write_installments(path, items, accounts, open_share=1.0, seed=3)
    text = path.read_text().replace("FT/", "OP/")
    import_file(_context(), path.name, text.encode(), "receivables", MAPPING, "PORT", AS_AT)
    company = company_by_code("PORT")
    with measured("day run", "< 60 s") as result:
        told = run_day(_context(), company.id)
    result.figures = {"open items": told.items, "accounts": told.actions}
    result.met = result.seconds < 60
    return result


def bench_aging() -> Result:
    from django.db import connection

    from saldo.identity.queries import company_by_code
    from saldo.ledger.queries import totals

    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
        cursor.execute("SELECT count(*) FROM ledger_allocation")
        (allocations,) = cursor.fetchone()
    company = company_by_code("PORT")
    seconds = []
    with measured("aging as of a past day", "< 3 s over 2 million allocations") as result:
        for back in (0, 90, 365):
            start = time.perf_counter()
            totals(_context().within(company.id).at(AS_AT - timedelta(days=back)), by_account=False)
            seconds.append(time.perf_counter() - start)
    result.seconds = max(seconds)
    result.figures = {"allocations": allocations, "each": [round(one, 2) for one in seconds]}
    result.met = max(seconds) < 3
    return result


def bench_pages() -> list[Result]:
    """Server time of the two pages people live in, as an administrator who sees everything."""
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    from saldo.collection.planning import stored_plan
    from saldo.identity.operations import add_user
    from saldo.identity.queries import company_by_code, latest_day_run

    add_user(_context(), "bench", "bench-password-1", "credit_manager")
    client = Client(HTTP_HOST="127.0.0.1")
    client.login(username="bench", password="bench-password-1")
    company = company_by_code("PORT")
    client.post("/settings/company/", {"company": company.id})
    run = latest_day_run(company.id)
    assert run is not None
    accounts = [row["account_id"] for row in stored_plan(run.id)[:400:4]]
    pages = {"worklist page": ["/"] * 100, "account page": [f"/accounts/{one}/" for one in accounts]}
    results = []
    for name, addresses in pages.items():
        with measured(name, "p95 < 100 ms, <= 12 queries") as result:
            times, queries = [], 0
            for address in addresses:
                start = time.perf_counter()
                response = client.get(address)
                times.append((time.perf_counter() - start) * 1000)
                assert response.status_code == 200, (address, response.status_code)
            with CaptureQueriesContext(
                connection,
            ) as captured:
                client.get(addresses[-1])
            queries = len(captured)
        p95 = statistics.quantiles(times, n=20)[-1]
        result.seconds = sum(times) / 1000
        result.figures = {
            "p95 ms": round(p95, 1),
            "median ms": round(statistics.median(times), 1),
            "queries": queries,
        }
        result.met = p95 < 100 and queries <= 12
        results.append(result)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--small", action="store_true", help="a tenth of the size")
    parser.add_argument("--keep", action="store_true", help="keep the database")
    parser.add_argument(
        "--only",
        help="names of parts, comma separated: import, day, aging, pages, world, simulated, cash, plan, "
        "desk, render, forecasts",
    )
    options = parser.parse_args()
    scale = 10 if options.small else 1
    every = "import,day,aging,pages,world,simulated,cash,plan,desk,render,forecasts"
    parts = set((options.only or every).split(","))
    _setup()
    results: list[Result] = []

    def add(*found: Result) -> None:
        for one in found:
            results.append(one)
            print(one.line(), flush=True)

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if "import" in parts:
            add(bench_import(folder, 1_000_000 // scale))
            add(bench_reimport(folder, 1_000_000 // scale))
        if parts & {"day", "aging", "pages"}:
            add(bench_history(folder, HISTORY // scale, ACCOUNTS // scale, "FA/"))
            add(bench_day(folder, ITEMS // scale, ACCOUNTS // scale))
        if "aging" in parts:
            add(bench_history(folder, HISTORY // scale, ACCOUNTS // scale, "FB/"))
            add(bench_aging())
        if "pages" in parts:
            add(*bench_pages())
        if "world" in parts:
            add(bench_world(folder, "medium" if options.small else "large"))
        if "simulated" in parts:
            add(bench_simulated_day())
        if "cash" in parts:
            add(cash.speed(small=options.small))
            add(
                cash.quality(
                    cash.DEVELOPMENT_SEED, *(["--days", "20", "--warm", "20"] if options.small else [])
                )
            )
        if "plan" in parts:
            add(outreach_plan.bench_kept_plan(outreach_plan.ACCOUNTS_COUNT // scale))
        if "desk" in parts:
            add(*desk.bench_list(desk.ACCOUNTS_COUNT // scale))
        if "render" in parts:
            add(*outreach_render.bench_render(scale))
        if "forecasts" in parts:
            results += forecast_speed.speed(small=options.small)
            small = ["--size", "small", "--rounds", "20"] if options.small else []
            add(forecasts.quality(forecasts.DEVELOPMENT_SEED, *small))
    if not options.keep:
        _admin('DROP DATABASE IF EXISTS "saldo_bench"')
    sys.exit(0 if all(one.met is not False for one in results) else 1)


if __name__ == "__main__":
    main()
