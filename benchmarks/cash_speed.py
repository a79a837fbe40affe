"""100,000 bank lines against 1,000,000 open items: seconds, memory, and what was posted wrongly.

Ledger and statements come in by the import that everybody uses. Import this only after Django is set up.
"""

from __future__ import annotations

import sys
import tempfile
from collections import defaultdict
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

from benchmarks.cash_world import OUR_IBAN, Ledger, Pay, payments, statement, write_items
from benchmarks.measure import measured
from benchmarks.world import AS_AT, MAPPING

LINES, ITEMS, ACCOUNTS, DAYS = 100_000, 1_000_000, 100_000, 20
SECONDS, MIB = 90, 3072

_POSTED = """
SELECT t.bank_reference, p.shares, p.differences
  FROM cash_banktransaction t JOIN cash_posting p ON p.transaction_id = t.id WHERE p.kind = 'match'
"""


def bench_speed(scale: int = 1) -> dict[str, Any]:
    """The figures of one run; scale: a tenth of the size with 10."""
    from django.db import connection

    from saldo.cash.statements import add_bank_account
    from saldo.core.context import Context
    from saldo.flows.apply_cash import apply_cash
    from saldo.flows.import_documents import import_file
    from saldo.identity.operations import ensure_company

    last = AS_AT + timedelta(days=DAYS)
    ctx = Context("bench", last, lambda: datetime.now(UTC))
    company = ensure_company(ctx, "BENCH")
    add_bank_account(ctx, company.id, name="Bank", iban=OUR_IBAN)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "items.csv"
        ledger = write_items(path, ITEMS // scale, ACCOUNTS // scale)
        with measured("open items imported", "-") as items:
            import_file(ctx, path.name, path.read_bytes(), "receivables", MAPPING, "BENCH", AS_AT)
    print(items.line(), file=sys.stderr, flush=True)
    pays = list(payments(ledger, LINES // scale, DAYS))
    with measured("bank lines imported", "-") as lines:
        for number, (day, found) in enumerate(groupby(pays, lambda pay: pay.day), start=1):
            file = statement(day, number, list(found))
            import_file(ctx, f"{number}.xml", file, "bank", company_code="BENCH", as_at=day)
    print(lines.line(), file=sys.stderr, flush=True)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()
    with measured("cash applied", f"{LINES} lines, {ITEMS} items: < {SECONDS} s, < {MIB} MiB") as result:
        done = apply_cash(ctx, company.id)
    print(result.line(), file=sys.stderr, flush=True)
    assert done.adds_up and not done.refused, done.as_json("en")
    wrong = _wrong(ledger, pays)
    result.figures = {
        "lines": done.lines,
        "posted": done.posted,
        "wrong": wrong,
        "items imported in s": round(items.seconds, 1),
        "lines imported in s": round(lines.seconds, 1),
        "server's backend MiB": _peak_mib(pid),
    }
    result.met = result.seconds < SECONDS and result.peak_mib < MIB if scale == 1 else None
    return asdict(result)


def _peak_mib(pid: int) -> int | None:
    """Peak memory of the server's process for this connection, shared buffers included, where it is here."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) >> 10
    return None


def _wrong(ledger: Ledger, pays: list[Pay]) -> int:
    """Automatic postings that give an item what the line did not pay."""
    import json

    from django.db import connection

    by_day: dict[str, Pay] = {}
    counts: dict[Any, int] = defaultdict(int)
    for pay in pays:
        by_day[f"{pay.day:%y%m%d}{counts[pay.day]:010d}"] = pay
        counts[pay.day] += 1
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT i.id, v.number FROM ledger_item i JOIN ledger_invoice v ON v.id = i.invoice_id"
            " WHERE i.kind = 'installment'"
        )
        numbers = dict(cursor.fetchall())
        cursor.execute(_POSTED)
        rows = cursor.fetchall()
    position = {number: at for at, number in enumerate(ledger.number)}
    wrong = 0
    for reference, told, kept in rows:
        pay = by_day[reference]
        cleared: dict[int, int] = defaultdict(int)
        for share in json.loads(told) if isinstance(told, str) else told:
            cleared[position[numbers[share["item"]]]] += share["mills"] // 10
        given = sum(cleared.values())
        for each in json.loads(kept) if isinstance(kept, str) else kept:
            if each["kind"] in ("charges", "rounding", "discount"):
                cleared[position[numbers[each["item"]]]] += each["mills"] // 10
        meant = {at: cents + (pay.kept if n == 0 else 0) for n, (at, cents) in enumerate(pay.items.items())}
        wrong += given != sum(pay.items.values()) or any(
            cents > meant.get(at, 0) for at, cents in cleared.items()
        )
    return wrong
