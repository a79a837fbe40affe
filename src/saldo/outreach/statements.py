"""The statement of account (estratto conto): what is open on a day, what is credited, totals, aging."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

import polars as pl

from saldo.core.aging import BUCKETS
from saldo.core.context import Context
from saldo.core.message_facts import Line, clean, day_text, line_name
from saldo.core.money import CURRENCY_EXPONENTS
from saldo.core.text_tables import Paragraph, Table
from saldo.core.words import date_text, number_text
from saldo.disputes.queries import dispute_parts
from saldo.ledger.statement import ItemRow, Totals, open_items, totals
from saldo.outreach.letters.typeset import Block, Heading
from saldo.promises.queries import plan_parts, promise_parts

_WORDS = {
    "it": {
        "title": "Estratto conto al {day}", "customer": "Cliente: {name} (codice {code})",
        "header": ("Documento", "Data", "Scadenza", "Giorni", "Importo", "Saldo {currency}", "Nota"),
        "credits": ("Accrediti", "Data", "Saldo {currency}"), "open": "Totale partite",
        "credit": "Totale accrediti",
        "aging": ("Non scaduto", "1-30 giorni", "31-60 giorni", "61-90 giorni", "oltre 90 giorni"),
        "totals": ("Riepilogo", "{currency}"), "overdue": "di cui scaduto",
        "net": "Saldo al netto degli accrediti",
        "nothing": "Alla data non risultano partite aperte.",
        "promised": "promesso per il {day}", "disputed": "in contestazione", "planned": "in piano di rientro",
        "payment": "Incasso", "credit_note": "Nota di credito", "other": "Accredito",
        "note": "Gli importi non tengono conto dei pagamenti non ancora pervenuti alla data indicata.",
    },
    "en": {
        "title": "Statement of account as of {day}", "customer": "Customer: {name} (number {code})",
        "header": ("Document", "Date", "Due date", "Days", "Amount", "Balance {currency}", "Note"),
        "credits": ("Credits", "Date", "Balance {currency}"), "open": "Total of open items",
        "credit": "Total of credits",
        "aging": ("Not due", "1-30 days", "31-60 days", "61-90 days", "over 90 days"),
        "totals": ("Summary", "{currency}"), "overdue": "of which past due", "net": "Balance net of credits",
        "nothing": "On this day nothing is open.",
        "promised": "promised for {day}", "disputed": "disputed", "planned": "in a payment plan",
        "payment": "Payment", "credit_note": "Credit note", "other": "Credit",
        "note": "Payments that had not arrived by this day are not included.",
    },
}  # fmt: skip
# A promise that is this many days old is not told as one: it was kept, or it was not.
_PROMISE_DAYS = 3


@dataclass(frozen=True, slots=True)
class Statement:
    """The open items of an account as of a day. notes: item -> what is agreed about it, in words."""

    items: Sequence[ItemRow]
    notes: dict[int, str]


def statement(ctx: Context, account_id: int, language: str, notes: dict[int, str] | None = None) -> Statement:
    """As of ``ctx.as_of`` with what was known at ``ctx.known_at``. notes: where they were read for many."""
    told = notes_of(ctx, [account_id], language) if notes is None else notes
    return Statement(open_items(ctx, account_id), told)


def notes_of(ctx: Context, account_ids: Sequence[int], language: str) -> dict[int, str]:
    """Item -> "in contestazione", "promesso per il …", "in piano di rientro"."""
    words = _WORDS[language]
    promised = promise_parts(ctx, account_ids).filter(
        pl.col("promised_date") >= ctx.as_of - timedelta(days=_PROMISE_DAYS)
    )
    days = promised.select("item_id", "promised_date").rows()
    notes = {each: str(words["promised"]).format(day=day_text(day, language)) for each, day in days}
    for code, frame in (("planned", plan_parts), ("disputed", dispute_parts)):
        notes |= dict.fromkeys(frame(ctx, account_ids)["item_id"].to_list(), str(words[code]))
    return notes


def statement_blocks(ctx: Context, told: Statement, name: str, code: str, language: str,
                     currency: str = "") -> tuple[Block, ...]:  # fmt: skip
    """The statement as headings, paragraphs and tables, a currency after the other, never summed.

    currency: that one alone.
    """
    words = _WORDS[language]
    day = date_text(ctx.as_of.isoformat(), language)
    head = Heading(str(words["title"]).format(day=day))
    made: list[Block] = [
        head,
        Paragraph((str(words["customer"]).format(name=clean(name), code=clean(code)),)),
    ]
    items = [item for item in told.items if not currency or item.currency == currency]
    if not items:
        return (*made, Paragraph((str(words["nothing"]),)))
    for total in totals(items):
        of_currency = [item for item in items if item.currency == total.currency]
        made += _currency_blocks(of_currency, total, told.notes, language)
    return (*made, Paragraph((str(words["note"]),)))


def _currency_blocks(
    items: Sequence[ItemRow], total: Totals, notes: dict[int, str], language: str
) -> list[Block]:
    words = _WORDS[language]
    debits = [item for item in items if item.balance > 0]
    credits = [item for item in items if item.balance < 0]
    made: list[Block] = []
    if debits:
        made.append(_debit_table(debits, total, notes, language))
    if credits:
        header = _named(words["credits"], total.currency)
        rows = tuple((_credit_name(item, language), day_text(item.effective_date, language),
                      _money(-item.balance, total.currency, language)) for item in credits)  # fmt: skip
        last = (str(words["credit"]), "", _money(total.credits, total.currency, language))
        made.append(Table(header, rows, (last,), (False, False, True)))
    if debits:
        aging = tuple(_money(total.buckets[bucket], total.currency, language) for bucket in BUCKETS)
        made.append(Table(tuple(words["aging"]), (aging,), (), (True,) * len(BUCKETS)))
    summary = (
        (str(words["open"]), _money(total.open, total.currency, language)),
        (str(words["overdue"]), _money(total.overdue, total.currency, language)),
        (str(words["credit"]), _money(total.credits, total.currency, language)),
    )
    net = (str(words["net"]), _money(total.net, total.currency, language))
    return [*made, Table(_named(words["totals"], total.currency), summary, (net,), (False, True))]


def _debit_table(items: Sequence[ItemRow], total: Totals, notes: dict[int, str], language: str) -> Table:
    words = _WORDS[language]
    with_notes = any(item.id in notes for item in items)
    rows = []
    for item in items:
        cells = [
            _name(item, language), day_text(item.effective_date, language), day_text(item.due_date, language),
            number_text(item.late_days, language) if item.late_days > 0 else "",
            _money(item.amount, item.currency, language), _money(item.balance, item.currency, language),
        ]  # fmt: skip
        rows.append((*cells, notes.get(item.id, "")) if with_notes else tuple(cells))
    header = _named(words["header"], total.currency)
    last = [str(words["open"]), "", "", "", "", _money(total.open, total.currency, language), ""]
    width = 7 if with_notes else 6
    right = (False, False, False, True, True, True, False)
    return Table(header[:width], tuple(rows), (tuple(last[:width]),), right[:width])


def _named(header: object, currency: str) -> tuple[str, ...]:
    assert isinstance(header, tuple)
    return tuple(each.format(currency=currency) for each in header)


def _name(item: ItemRow, language: str) -> str:
    part = item.installment_no if item.kind == "installment" and item.installment_no > 1 else 0
    return line_name(Line(item.id, item.kind, item.number, None, None, 0, 0, part), language)


def _credit_name(item: ItemRow, language: str) -> str:
    words = _WORDS[language]
    kind = str(words.get(item.kind, words["other"]))
    number = clean(item.number)
    # The number of a payment from a bank line is Saldo's own, and tells a customer nothing.
    return kind if item.kind != "credit_note" or not number else f"{kind} {number}"


def _money(amount: Decimal, currency: str, language: str) -> str:
    return number_text(amount, language, CURRENCY_EXPONENTS.get(currency, 2))
