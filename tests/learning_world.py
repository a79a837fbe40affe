"""A company whose customers pay each in its own manner, taken in as an ERP's history and its open items."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from saldo.core.context import Context
from saldo.flows.import_documents import import_file
from saldo.identity.operations import ensure_company

FIRST_DAY, LAST_DAY = date(2024, 1, 8), date(2026, 3, 31)
MAPPING = """
source = "history"
kind = "receivables"
[format]
delimiter = ";"
decimal = ","
dates = ["YYYY-MM-DD"]
rows = "installment"
[columns]
customer_code = ["code"]
customer_name = ["name"]
number = ["number"]
document_date = ["date"]
due_date = ["due"]
amount = ["amount"]
open = ["open"]
settled_date = ["settled"]
optional = ["settled_date", "open"]
[amount]
closed_when = "settled_date"
[values]
currency = "EUR"
[export]
complete = false
"""
HEADER = "code;name;number;date;due;amount;open;settled"


def at(day: date, hour: int = 7) -> Context:
    """The morning of a day; whatever is recorded then is known then."""
    instant = datetime(day.year, day.month, day.day, hour, tzinfo=UTC)
    return Context("clara", day, lambda: instant, language="en")


def delay_days(customer: int, invoice: int) -> int:
    """Prompt customers, late ones, and those who pay large sums later: a manner, and some days of chance."""
    chance = (customer * 37 + invoice * 101) % 11 - 5
    manner = (-2, 4, 18, 45)[customer % 4]
    return manner + chance + (12 if invoice % 5 == 0 and customer % 4 else 0)


def rows(customers: int, every_days: int, until: date, first: date = FIRST_DAY) -> list[str]:
    """One invoice a customer every so many days, as the ERP lists them on the evening of ``until``."""
    told = []
    for customer in range(customers):
        day, invoice = first + timedelta(days=customer % every_days), 0
        while day <= until:
            due = day + timedelta(days=30)
            settled = due + timedelta(days=delay_days(customer, invoice))
            amount = 500 + (customer * 91 + invoice * 53) % 900 + (4000 if invoice % 5 == 0 else 0)
            paid = settled if settled <= until else None
            name = f"C{customer:03};Ditta {customer:03} S.r.l.;{customer:03}-{invoice:04}"
            told.append(f"{name};{day};{due};{amount},00;{'0' if paid else amount},00;{paid or ''}")
            day, invoice = day + timedelta(days=every_days), invoice + 1
    return told


def company_with(code: str, lines: list[str], day: date) -> int:
    """The company, with these lines of its ERP taken in on ``day``."""
    company = ensure_company(at(day), code)
    data = "\n".join([HEADER, *lines]).encode()
    told = import_file(at(day), f"{code}-{day}.csv", data, "receivables", MAPPING, code, day)
    assert not told.rejections, told.rejections[:3]
    return company.id
