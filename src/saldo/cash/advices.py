"""Which advice belongs to which bank line: one to one, by end-to-end id, else by payer, amount and day.

Lines that were posted already keep the advice that was theirs: they take part, so that a later line of the
same amount does not get it.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import polars as pl
from rapidfuzz import fuzz

from saldo.cash.frames import LINES_SCHEMA, line_records
from saldo.core.context import Context
from saldo.core.matching.payers import Payers, spelling
from saldo.core.matching.records import Advice, AdviceLine, Line
from saldo.storage.frames import copy_out

# A bank books what an advice announces within so many days; advices also come late.
DAYS_BEFORE, DAYS_AFTER = 7, 21
# Names this alike (0-100), without legal forms, are one payer's.
SAME_NAME = 88
_NOT_AN_ID = frozenset({"", "NOTPROVIDED", "NOT PROVIDED", "NONREF"})

_ADVICES_SCHEMA = {
    "remittance_id": pl.Int64, "payer_name": pl.String, "payer_vat": pl.String, "payer_tax_code": pl.String,
    "payer_iban": pl.String, "day": pl.Date, "total_mills": pl.Int64, "currency": pl.String,
    "end_to_end_id": pl.String, "adds_up": pl.Boolean, "lines": pl.String, "document_refs": pl.String,
}  # fmt: skip
_ADVICES = """
SELECT r.id, r.payer_name, r.payer_vat, r.payer_tax_code, r.payer_iban,
       coalesce(r.payment_date, r.received_date), (r.total * 1000)::bigint, r.currency, r.end_to_end_id,
       r.adds_up, r.lines::text, r.document_refs::text
  FROM cash_remittance r
 WHERE r.company_id = %(company)s AND r.recorded_at <= %(known_at)s
   AND coalesce(r.payment_date, r.received_date) BETWEEN %(first)s AND %(last)s
 ORDER BY coalesce(r.payment_date, r.received_date), r.id
"""
# Lines that are done, as far as they may have had one of these advices.
_DONE = """
SELECT t.id, t.bank_account_id, t.booking_date, t.ordinal, (t.amount * 1000)::bigint, t.currency, '',
       t.payer_name, t.payer_iban, t.payer_tax_code, t.ultimate_name, '', t.end_to_end_id, '[]',
       0::bigint, NULL::bigint, ''
  FROM cash_banktransaction t
 WHERE t.company_id = %(company)s AND t.kind = 'booked' AND t.amount > 0 AND t.recorded_at <= %(known_at)s
   AND t.booking_date BETWEEN %(first)s AND %(last)s
   AND (t.end_to_end_id = ANY(%(ids)s) OR (t.amount * 1000)::bigint = ANY(%(totals)s))
   AND EXISTS (SELECT 1 FROM cash_posting p WHERE p.transaction_id = t.id)
"""


@dataclass(frozen=True, slots=True)
class Announced:
    """An advice with what finds its line."""

    advice: Advice
    payer: Line
    day: date
    total_mills: int | None
    currency: str


def with_advices(ctx: Context, company_id: int, lines: Sequence[Line], payers: Payers) -> list[Line]:
    """The lines, each with the advice that is its own, if there is one."""
    if not lines:
        return []
    first = min(line.booking_date for line in lines) - timedelta(days=DAYS_AFTER + DAYS_BEFORE)
    last = max(line.booking_date for line in lines) + timedelta(days=DAYS_BEFORE)
    announced = _announced(ctx, company_id, first, last)
    if not announced:
        return list(lines)
    open_ids = {line.line_id for line in lines}
    others = [line for line in _done(ctx, company_id, announced, first, last) if line.line_id not in open_ids]
    found = assign(
        sorted([*lines, *others], key=lambda line: (line.booking_date, line.line_id)), announced, payers
    )
    return [replace(line, advice=found[line.line_id]) if line.line_id in found else line for line in lines]


def assign(lines: Iterable[Line], announced: Sequence[Announced], payers: Payers) -> dict[int, Advice]:
    """{line id: advice}, each advice once; ``lines`` in booking order. An end-to-end id decides alone."""
    by_id: dict[str, list[Announced]] = defaultdict(list)
    by_amount: dict[int, list[Announced]] = defaultdict(list)
    for one in announced:
        if one.payer.end_to_end_id not in _NOT_AN_ID:
            by_id[one.payer.end_to_end_id].append(one)
        if one.total_mills is not None:
            by_amount[one.total_mills].append(one)
    found: dict[int, Advice] = {}
    used: set[int] = set()
    rest = []
    for line in lines:
        candidates = by_id.get(line.end_to_end_id, ()) if line.end_to_end_id not in _NOT_AN_ID else ()
        if not _give(line, [one for one in candidates if _fits_amount(one, line)], found, used):
            rest.append(line)
    for line in rest:
        candidates = [one for one in by_amount.get(line.amount_mills, ()) if _may_be_of(one, line)]
        _give(line, [one for one in candidates if _same_payer(one, line, payers)], found, used)
    return found


def _give(line: Line, candidates: Sequence[Announced], found: dict[int, Advice], used: set[int]) -> bool:
    """The nearest advice that is still free."""
    free = [one for one in candidates if one.advice.remittance_id not in used]
    if not free:
        return False
    nearest = min(free, key=lambda one: (abs((line.booking_date - one.day).days), one.advice.remittance_id))
    used.add(nearest.advice.remittance_id)
    found[line.line_id] = nearest.advice
    return True


def _fits_amount(one: Announced, line: Line) -> bool:
    """An id that was used again for another amount is no evidence; charges on the way may lower it."""
    return one.total_mills is None or 0 <= one.total_mills - line.amount_mills <= max(
        50_000, one.total_mills // 50
    )


def _may_be_of(one: Announced, line: Line) -> bool:
    late = (line.booking_date - one.day).days
    return one.currency in ("", line.currency) and -DAYS_BEFORE <= late <= DAYS_AFTER


def _same_payer(one: Announced, line: Line, payers: Payers) -> bool:
    said = one.payer
    if said.payer_iban and said.payer_iban == line.payer_iban:
        return True
    if said.payer_name and line.payer_name:
        names = (" ".join(spelling(name).core) for name in (said.payer_name, line.payer_name))
        if fuzz.token_sort_ratio(*names) >= SAME_NAME:
            return True
    paying = {payer.account_id for payer in payers.identify(line)[:3]}
    return bool(paying & {payer.account_id for payer in payers.identify(said)[:3]})


def _announced(ctx: Context, company_id: int, first: date, last: date) -> list[Announced]:
    params = {"company": company_id, "first": first, "last": last, "known_at": ctx.known_at or "infinity"}
    return [_of_row(row) for row in copy_out(_ADVICES, params, _ADVICES_SCHEMA).iter_rows(named=True)]


def _of_row(row: dict[str, object]) -> Announced:
    text = {name: str(value or "") for name, value in row.items()}
    lines = tuple(
        AdviceLine(
            one["number"], one.get("paid_mills"),
            date.fromisoformat(one["date"]) if one.get("date") else None, bool(one.get("is_credit")),
        )
        for one in json.loads(text["lines"])
    )  # fmt: skip
    refs = tuple(str(ref) for ref in json.loads(text["document_refs"]))
    total = row["total_mills"]
    paid = [line.paid_mills for line in lines]
    if total is None and paid and None not in paid:
        total = sum(mills for mills in paid if mills is not None)
    day, adds_up = row["day"], row["adds_up"]
    assert isinstance(day, date) and (total is None or isinstance(total, int))
    assert adds_up is None or isinstance(adds_up, bool)
    payer = Line(
        0, day, 0, text["currency"], payer_name=text["payer_name"], payer_iban=text["payer_iban"],
        payer_tax_code=text["payer_vat"] or text["payer_tax_code"], end_to_end_id=text["end_to_end_id"],
    )  # fmt: skip
    advice = Advice(int(text["remittance_id"]), lines, refs, total, adds_up)
    return Announced(advice, payer, day, total, text["currency"])


def _done(
    ctx: Context, company_id: int, announced: Sequence[Announced], first: date, last: date
) -> list[Line]:
    params = {
        "company": company_id, "first": first, "last": last, "known_at": ctx.known_at or "infinity",
        "ids": [one.payer.end_to_end_id for one in announced if one.payer.end_to_end_id not in _NOT_AN_ID],
        "totals": [one.total_mills for one in announced if one.total_mills is not None],
    }  # fmt: skip
    return list(line_records(copy_out(_DONE, params, LINES_SCHEMA)))
