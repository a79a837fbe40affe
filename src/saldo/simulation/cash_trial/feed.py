"""Lines, advices and open items of a world as the matching engine reads them. Cents become mills."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, timedelta

import polars as pl

from saldo.core.matching.records import Advice, AdviceLine, Line, OpenItem
from saldo.simulation.cash_trial.books import Books, OpenLine
from saldo.simulation.cash_trial.ceiling import Seen
from saldo.simulation.draws import Draws
from saldo.simulation.files import remittance_files
from saldo.simulation.files.bank_text import arrival
from saldo.simulation.world.tables import Tables

KINDS = {"invoice": "installment", "credit_note": "credit_note", "on_account": "payment"}
NO_END_TO_END = "NOTPROVIDED"


def seen_lines(t: Tables, first: date, last: date) -> dict[int, Seen]:
    """The transfers of the span as their banks tell them, with the advices that came before the statement."""
    told = advices(t, first, last)
    rows = t.payments.filter(
        (pl.col("kind") == "transfer") & pl.col("booking_date").is_between(first, last)
    ).sort("booking_date", "payment_id")
    found = {}
    for row in rows.iter_rows(named=True):
        advice = told.get(row["payment_id"])
        is_there = advice is not None and advice.sent_date <= arrival(row["booking_date"])
        found[row["payment_id"]] = Seen(
            row["payment_id"], row["company_id"], row["booking_date"], row["amount_cents"], row["text"] or "",
            row["creditor_reference"] or "", row["payer_name"] or "", row["payer_iban"] or "",
            row["charges_cents"] or 0,
            tuple((line.number, line.paid_cents) for line in advice.lines) if is_there else (),
        )  # fmt: skip
    return found


def advices(t: Tables, first: date, last: date) -> dict[int, remittance_files.Advice]:
    """The advices of the payments of a span, by payment."""
    few = timedelta(days=7)
    # Who signs an advice is drawn; what it says is not.
    found = remittance_files.advices(t, Draws(0), first - few, last + few)
    return {advice.payment["payment_id"]: advice for advice in found}


def engine_line(seen: Seen, end_to_end: str = "") -> Line:
    advice = None
    if seen.advice:
        lines = tuple(
            AdviceLine(number, None if cents is None else cents * 10, None, (cents or 0) < 0)
            for number, cents in seen.advice
        )
        total = sum(cents or 0 for _, cents in seen.advice)
        advice = Advice(seen.payment_id, lines, (), total * 10, True)
    return Line(
        line_id=seen.payment_id,
        booking_date=seen.booking_date,
        amount_mills=seen.cents * 10,
        currency="EUR",
        text=seen.text,
        payer_name=seen.payer_name,
        payer_iban=seen.payer_iban,
        creditor_reference=seen.creditor_reference,
        end_to_end_id="" if end_to_end == NO_END_TO_END else end_to_end,
        charges_mills=seen.charges_cents * 10,
        advice=advice,
    )


def engine_items(books: Books, company: int, day: date, recent_days: int) -> Iterator[OpenItem]:
    """What a company has open, and what was settled lately."""
    yield from map(engine_item, books.open(company))
    yield from map(engine_item, books.closed_since(day - timedelta(days=recent_days), company))


def engine_item(line: OpenLine) -> OpenItem:
    return OpenItem(
        item_id=line.installment_id,
        account_id=line.account_id,
        kind=KINDS[line.kind],
        number=line.number,
        document_date=line.issued,
        due_date=line.due if line.kind == "invoice" else None,
        currency="EUR",
        amount_mills=line.cents * 10,
        balance_mills=line.balance * 10,
        installment_no=line.no,
        invoice_id=line.invoice_id,
        order_ref=line.order,
        closed_date=line.closed,
        is_in_flight=line.presented is not None,
    )


def by_day(seen: Iterable[Seen]) -> dict[date, list[Seen]]:
    """Lines by booking day, in order of (day, id)."""
    found: dict[date, list[Seen]] = {}
    for line in sorted(seen, key=lambda line: (line.booking_date, line.payment_id)):
        found.setdefault(line.booking_date, []).append(line)
    return found
