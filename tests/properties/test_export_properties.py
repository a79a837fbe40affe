"""An ERP whose invoices are issued, paid, amended, returned, forgotten at random, as its exports tell it.

After each export the ledger says what the export says, to the cent and for every line; the same said again
changes nothing; and the money adds up."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from saldo.core.context import Context
from saldo.flows.import_documents import ImportResult, import_file
from saldo.identity.models import Company
from saldo.ledger.models import Item
from saldo.ledger.queries import known_lines, projection_differences, totals

pytestmark = pytest.mark.django_db
DAY = date(2026, 1, 1)
PROFILE = """
source = "erp"
[format]
decimal = "."
dates = ["YYYY-MM-DD"]
[columns]
customer_code = "customer"
number = "number"
document_date = "date"
due_date = "due"
amount = "amount"
open = "open"
settled_date = "settled"
order_ref = "ref"
[export]
complete = {complete}
"""


@dataclass(frozen=True)
class Line:
    """An invoice as the ERP has it. sign is -1 for a credit note."""

    number: str
    sign: int
    due: date
    amount: int
    open: int
    settled: date | None = None
    listed: bool = True


move = st.tuples(
    st.sampled_from(["issue", "pay", "settle", "unpay", "amend", "due", "forget", "list"]),
    st.integers(0, 5),
    st.integers(1, 50),
)
exports = st.lists(st.tuples(st.lists(move, min_size=1, max_size=5), st.booleans()), min_size=2, max_size=6)


def moved(lines: list[Line], kind: str, pick: int, size: int, today: date) -> list[Line]:
    """The ERP after one more thing happened."""
    if kind == "issue" or not lines:
        sign = -1 if pick == 0 and lines else 1
        return [*lines, Line(f"F-{len(lines) + 1}", sign, today + timedelta(30), size * 2, size * 2)]
    index = pick % len(lines)
    line = lines[index]
    paid = line.amount - line.open
    changed = {
        "pay": lambda: replace(line, open=line.open - min(size, line.open)),
        "settle": lambda: replace(line, open=0, settled=today - timedelta(size % 3)) if line.open else line,
        "unpay": lambda: replace(line, open=line.open + min(size, paid), settled=None),
        "amend": lambda: replace(line, amount=paid + size, open=size, settled=None),
        "due": lambda: replace(line, due=line.due + timedelta(size)),
        "forget": lambda: replace(line, listed=False),
        "list": lambda: replace(line, listed=True),
    }[kind]()
    return [*lines[:index], changed, *lines[index + 1 :]]


def told(lines: list[Line], today: date, complete: bool, ref: str) -> ImportResult:
    rows = [
        f"ACME;{x.number};2026-01-01;{x.due};{x.sign * x.amount};{x.sign * x.open};{x.settled or ''};{ref}"
        for x in lines
        if x.listed
    ]
    text = "customer;number;date;due;amount;open;settled;ref\n" + "\n".join(rows) + "\n"
    instant = datetime(today.year, today.month, today.day, 20, tzinfo=UTC)
    ctx = Context("test", today, lambda: instant)
    mapping = PROFILE.format(complete=str(complete).lower())
    return import_file(
        ctx, "export.csv", text.encode(), mapping=mapping, company_code="EXPORT", accept_closures=True
    )


def ledger(today: date, company_id: int) -> dict[str, tuple[Decimal, Decimal, date]]:
    """Number -> (amount, balance, due date in force) as the ledger has it on the day."""
    frame = known_lines(Context("test", today, lambda: datetime.now(UTC)), [company_id], 0)
    return {
        row["number_norm"]: (
            Decimal(row["amount_mills"]) / 1000,
            Decimal(row["balance_mills"]) / 1000,
            row["due_date"],
        )
        for row in frame.iter_rows(named=True)
    }


def overdue(day: date, company_id: int) -> Decimal:
    ctx = Context("test", day, lambda: datetime.now(UTC), company_id=company_id)
    return Decimal(int(totals(ctx, by_account=False)["overdue_mills"].sum())) / 1000


class RollBack(Exception):
    """Ends an example; nothing of it stays."""


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(exports)
def test_after_an_export_the_ledger_says_what_it_says(db: None, history: list[Any]) -> None:
    with pytest.raises(RollBack), transaction.atomic():
        company = Company.objects.create(code="EXPORT", name="Export")
        lines: list[Line] = []
        known: dict[str, Line] = {}
        for number, (moves, complete) in enumerate(history):
            today = DAY + timedelta(days=7 * number + 7)
            for kind, pick, size in moves:
                lines = moved(lines, kind, pick, size, today)
                event(kind)
            if not any(line.listed for line in lines):
                continue
            result = told(lines, today, complete, f"a{number}")
            assert [(r.code, r.excerpt) for r in result.rejections] == []
            has = ledger(today, company.id)
            for line in lines:
                key = line.number.lower().replace("-", "")
                if line.listed:
                    known[key] = line
                elif complete and key in known:
                    known[key] = replace(known[key], open=0)
            for key, line in known.items():
                assert has[key][:2] == (line.sign * line.amount, line.sign * line.open), line
                assert line.sign < 0 or has[key][2] == line.due, line
            for day in (today, today + timedelta(40)):
                late = sum(x.open for x in known.values() if x.sign > 0 and x.due < day)
                assert overdue(day, company.id) == late
            again = told(lines, today, complete, f"b{number}")
            assert (again.done, again.closed, again.rejections) == (0, 0, [])
        ctx = Context("test", DAY + timedelta(365), lambda: datetime.now(UTC), company_id=company.id)
        net = sum(Item.objects.values_list("amount", flat=True))
        for row in totals(ctx, by_account=False).iter_rows(named=True):
            assert Decimal(row["open_mills"] - row["credits_mills"]) / 1000 == net
        assert projection_differences() == []
        raise RollBack
