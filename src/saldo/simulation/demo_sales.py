"""Two years of sales of the demo company and how each installment was, or was not, paid.

Everything is decided from the seed and the last day; amounts are integers of cents.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta

from saldo.core.calendar import (
    add_months,
    end_of_month,
    is_banking_day,
    is_business_day,
    next_business_day,
    next_on_day,
    previous_business_day,
)
from saldo.core.terms_model import due_dates
from saldo.simulation.demo_customers import DemoCustomer, PayingType, table

INVOICE, CREDIT_NOTE, ON_ACCOUNT = "invoice", "credit_note", "payment"
PREFIXES = {INVOICE: "", CREDIT_NOTE: "NC ", ON_ACCOUNT: "ACC "}
FRIDAY = 4
DAYS_PER_MONTH = 30.4


@dataclass(frozen=True, slots=True)
class DemoInstallment:
    """One installment: positive = owed to us. settled_date is the day it will be fully paid, known or not;
    paid_cents on paid_date is what came before that."""

    number: int
    due_date: date
    amount_cents: int
    settled_date: date
    paid_date: date | None = None
    paid_cents: int = 0

    def open_cents(self, as_at: date) -> int:
        if self.settled_date <= as_at:
            return 0
        return self.amount_cents - (self.paid_cents if self.paid_date and self.paid_date <= as_at else 0)


@dataclass(frozen=True, slots=True)
class DemoDocument:
    """One invoice, credit note or payment on account. ``number`` is given when all are in order of date.

    taxable_cents and vat_cents are positive; the installments carry the sign.
    """

    kind: str
    document_date: date
    customer: DemoCustomer
    taxable_cents: int
    vat_cents: int
    installments: tuple[DemoInstallment, ...]
    order_ref: str = ""
    number: str = ""


def make_documents(
    seed: int, customers: list[DemoCustomer], yearly_sales: int, as_at: date
) -> list[DemoDocument]:
    """Every document up to the last day that the ERP has posted, numbered and in order of date."""
    options = table("demo")
    last = posted_until(as_at)
    first = add_months(last, -options["sales"]["months"]) + timedelta(days=1)
    days, weights = _selling_days(first, last)
    documents: list[DemoDocument] = []
    for customer in customers:
        rng = random.Random(f"{seed}:sales:{customer.code}")
        invoices = list(_invoices(rng, customer, len(customers), yearly_sales, days, weights, last))
        documents += invoices
        documents += [note for invoice in invoices if (note := _credit_note(rng, invoice, last)) is not None]
    documents += _on_account(random.Random(f"{seed}:on account"), customers, yearly_sales, last)
    before = Counter({(kind, first.year): _issued_before(documents, kind, first) for kind in PREFIXES})
    return numbered(documents, before)


def _issued_before(documents: list[DemoDocument], kind: str, first: date) -> int:
    """How many of a kind there were in the year of ``first`` before it, at the rate of those that we have."""
    days = table("demo")["sales"]["months"] * DAYS_PER_MONTH
    return int(sum(document.kind == kind for document in documents) * first.timetuple().tm_yday / days)


def posted_until(as_at: date) -> date:
    """The last day whose invoices the ERP has posted; those after it are only e-invoices so far."""
    day = as_at
    for _ in range(table("demo")["einvoices"]["business_days"]):
        day = previous_business_day(day - timedelta(days=1))
    return day


def _selling_days(first: date, last: date) -> tuple[list[date], list[float]]:
    options = table("demo")["sales"]
    days, weights = [], []
    for offset in range((last - first).days + 1):
        day = first + timedelta(days=offset)
        if not is_business_day(day) or (day.month == 12 and day.day > 23):
            continue
        weight = options["month_weights"][day.month - 1] * options["weekday_weights"][day.weekday()]
        near_end = (end_of_month(day) - day).days <= 2
        days.append(day)
        weights.append(weight * (options["month_end_factor"] if near_end else 1.0))
    return days, weights


# -- invoices --------------------------------------------------------------------------------------------


def _invoices(
    rng: random.Random,
    customer: DemoCustomer,
    customer_count: int,
    yearly_sales: int,
    days: list[date],
    weights: list[float],
    last: date,
) -> Iterator[DemoDocument]:
    options = table("demo")["sales"]
    years = options["months"] / 12
    size = customer.sales_share * customer_count
    count = max(2, round(options["yearly_orders"] * math.sqrt(size) * years))
    mean = yearly_sales * years * customer.sales_share / count
    sigma = options["log_sigma"]
    for day in sorted(rng.choices(days, weights, k=count)):
        # The mean of a log-normal is exp(mu + sigma²/2) times its median.
        taxable = max(2_000, round(100 * mean * rng.lognormvariate(-sigma * sigma / 2, sigma)))
        has_order = rng.random() < options["order_reference_share"]
        order_ref = f"ODA {rng.randrange(10_000, 99_999)}" if has_order else ""
        yield invoice_of(rng, customer, day, taxable, last, order_ref)


def invoice_of(
    rng: random.Random, customer: DemoCustomer, day: date, taxable_cents: int, last: date, order_ref: str
) -> DemoDocument:
    """One invoice with its installments and what becomes of them. ``last`` anchors drifting customers."""
    vat = vat_cents(customer, taxable_cents)
    collected = taxable_cents if customer.special == "public_body" else taxable_cents + vat
    if customer.special == "condominium":
        collected -= withholding_cents(taxable_cents)
    parts = due_dates(customer.terms.plan, day, collected * 10)
    installments = tuple(
        _settled(rng, customer, number, due, mills // 10, day, last)
        for number, (due, mills) in enumerate(parts, start=1)
    )
    return DemoDocument(INVOICE, day, customer, taxable_cents, vat, installments, order_ref)


def vat_cents(customer: DemoCustomer, taxable_cents: int) -> int:
    """Sales to other countries of the EU carry no VAT."""
    rate = round(table("demo")["sales"]["vat_rate"] * 100)
    return (taxable_cents * rate + 50) // 100 if customer.country == "IT" else 0


def withholding_cents(taxable_cents: int) -> int:
    """4% that a condominium keeps on works (art. 25-ter D.P.R. 600/1973)."""
    return (taxable_cents * 4 + 50) // 100


# -- payments --------------------------------------------------------------------------------------------


def _settled(
    rng: random.Random, customer: DemoCustomer, number: int, due: date, cents: int, issued: date, last: date
) -> DemoInstallment:
    kind = customer.paying_type
    if customer.terms.method == "RB":
        if rng.random() >= kind.returned:
            # The ERP closes a RiBa under its due date, whatever day the bank books it.
            return DemoInstallment(number, due, cents, due)
        due_for_transfer = due + timedelta(days=table("demo")["payments"]["returned_riba_days"])
    else:
        due_for_transfer = due
    delay = _delay_days(rng, kind, due, last) * customer.slowness
    paid = max(issued + timedelta(days=3), due_for_transfer + timedelta(days=round(delay)))
    paid = _transfer_day(rng, kind, paid)
    if (paid - due).days > 10 and rng.random() < kind.partial:
        part = round(cents * rng.uniform(0.3, 0.6) / 10_000) * 10_000
        early = _next_banking_day(due + (paid - due) / 2)
        if 0 < part < cents and early < paid:
            return DemoInstallment(number, due, cents, paid, early, part)
    return DemoInstallment(number, due, cents, paid)


def _delay_days(rng: random.Random, kind: PayingType, due: date, last: date) -> float:
    _, mean, spread = rng.choices(kind.modes, [mode[0] for mode in kind.modes])[0]
    if kind.drift_months:
        months = kind.drift_months - (last - due).days / DAYS_PER_MONTH
        mean += max(0.0, months) * kind.drift_days_per_month
    return rng.gauss(mean, spread)


def _transfer_day(rng: random.Random, kind: PayingType, day: date) -> date:
    """The day on which a transfer wanted on ``day`` reaches the account."""
    options = table("demo")["payments"]
    if kind.pay_days:
        return previous_business_day(min(next_on_day(day, wanted) for wanted in kind.pay_days))
    for month, first, last_month, last_day in options["holiday_windows"]:
        inside = date(day.year, month, first) <= day <= date(day.year, last_month, last_day)
        if inside and rng.random() < options["holiday_put_off"]:
            day += timedelta(days=options["holiday_days"])
            break
    if day.weekday() < FRIDAY and rng.random() < options["friday_share"]:
        day += timedelta(days=FRIDAY - day.weekday())
    return _next_banking_day(day)


def _next_banking_day(day: date) -> date:
    while not is_banking_day(day):
        day += timedelta(days=1)
    return day


# -- credits ---------------------------------------------------------------------------------------------


def _credit_note(rng: random.Random, invoice: DemoDocument, last: date) -> DemoDocument | None:
    options = table("demo")["credit_notes"]
    customer = invoice.customer
    if customer.special or rng.random() >= options["share"] * customer.paying_type.credit_factor:
        return None
    issued = next_business_day(
        invoice.document_date + timedelta(days=rng.randrange(options["days_min"], options["days_max"]))
    )
    if issued > last:
        return None
    taxable = max(100, round(invoice.taxable_cents * rng.uniform(options["part_min"], options["part_max"])))
    vat = vat_cents(customer, taxable)
    paid = max(part.settled_date for part in invoice.installments)
    waits = timedelta(days=rng.randrange(options["waits_days"]))
    settled = paid if paid >= issued else _next_banking_day(issued + waits)
    installment = DemoInstallment(1, issued, -(taxable + vat), settled)
    return DemoDocument(CREDIT_NOTE, issued, customer, taxable, vat, (installment,), invoice.order_ref)


def _on_account(
    rng: random.Random, customers: list[DemoCustomer], yearly_sales: int, last: date
) -> list[DemoDocument]:
    """Payments without a document in their text, which the ERP keeps as credits of the account."""
    count = min(table("demo")["payments"]["on_account_count"], len(customers) // 5)
    documents = []
    for customer in rng.sample([c for c in customers if not c.special], count):
        day = previous_business_day(last - timedelta(days=rng.randrange(2, 60)))
        monthly = yearly_sales * customer.sales_share / 12
        euros = max(5, round(monthly * rng.uniform(0.1, 0.5) / 100)) * 100
        installment = DemoInstallment(1, day, -euros * 100, date.max)
        documents.append(DemoDocument(ON_ACCOUNT, day, customer, euros * 100, 0, (installment,)))
    return documents


def numbered(documents: list[DemoDocument], before: Counter[tuple[str, int]]) -> list[DemoDocument]:
    """``documents`` with their numbers: they run within each year and series, in order of date.

    before: how many documents of each (kind, year) precede these.
    """
    counters = before.copy()
    result = []
    for document in sorted(documents, key=lambda d: (d.document_date, d.customer.code)):
        key = (document.kind, document.document_date.year)
        counters[key] += 1
        number = f"{PREFIXES[document.kind]}{counters[key]}/{key[1] % 100:02d}"
        result.append(replace(document, number=number))
    return result
