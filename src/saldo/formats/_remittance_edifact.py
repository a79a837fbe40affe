"""REMADV of EDIFACT (D.96A and later directories that keep its segments) to remittance advices.

A message whose count of segments is wrong was cut or edited on the way: it is refused whole.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date

from saldo.core.errors import Rejection
from saldo.formats._edifact import EdifactMessage, Segment, messages_of
from saldo.formats._remittance import Remittance, RemittanceLine, balanced, day_of, plain_amount
from saldo.formats.records import ReadResult, Refusal

FORMAT = "edifact"
_PAYER = frozenset({"PR", "BY", "IV", "MR"})
_PAYMENT_DAYS = ("138", "203", "209", "140")
_CREDIT_DOCUMENTS = frozenset({"381", "83", "308", "420"})
_REMITTED = "12"
_DUE = ("9", "77", "39")
_DISCOUNTS = frozenset({"52", "204", "53", "165"})
_TOTALS = ("12", "9", "128", "86")


@dataclass
class _Line:
    number: str
    is_credit: bool
    amounts: dict[str, int] = field(default_factory=dict)
    discounts: int = 0
    document_date: date | None = None
    reasons: list[str] = field(default_factory=list)

    def record(self) -> RemittanceLine:
        due = next((self.amounts[code] for code in _DUE if code in self.amounts), None)
        return RemittanceLine(
            number=self.number,
            document_date=self.document_date,
            paid_mills=self.amounts.get(_REMITTED, due if not self.discounts else None),
            gross_mills=due,
            discount_mills=self.discounts,
            reason="; ".join(dict.fromkeys(self.reasons)) or None,
            is_credit=self.is_credit,
        )


@dataclass
class _Head:
    reference: str | None = None
    payer_name: str | None = None
    payer_vat: str | None = None
    payer_iban: str | None = None
    end_to_end_id: str | None = None
    party: str = ""
    days: dict[str, date] = field(default_factory=dict)
    totals: dict[str, int] = field(default_factory=dict)
    currencies: set[str] = field(default_factory=set)


def read_remadv(data: bytes) -> ReadResult:
    """Every REMADV of an interchange; other messages and damaged ones are refused one by one."""
    records: list[Remittance] = []
    rejections: list[Rejection] = []
    try:
        messages, is_whole = messages_of(data)
    except Refusal as refusal:
        return ReadResult(FORMAT, rejections=(refusal.rejection,))
    for position, message in enumerate(messages, start=1):
        try:
            records.append(_advice(message, position))
        except Refusal as refusal:
            rejections.append(refusal.rejection)
    if messages and not is_whole:
        rejections.append(Rejection("edifact_interchange_cut", "UNZ", "", {"found": len(messages)}))
    if not messages:
        rejections.append(Rejection("remittance_empty", "UNH", data[:120].decode("latin-1")))
    return ReadResult(FORMAT, records=tuple(records), rejections=tuple(rejections))


def _advice(message: EdifactMessage, position: int) -> Remittance:
    where = f"UNH {message.reference}"
    if not message.type.startswith("REMADV"):
        raise Refusal(Rejection("edifact_not_read", where, message.type, {"type": message.type or "-"}))
    if not message.is_whole:
        stated = "-" if message.stated_count is None else str(message.stated_count)
        params = {"stated": stated, "found": len(message.segments)}
        raise Refusal(Rejection("edifact_count_differs", where, message.segments[-1].text, params))
    head, lines = _Head(), _lines_of(message, where)
    for segment in _outside_documents(message):
        _read_head(segment, head, where)
    currencies = head.currencies | {c for s in message.segments if (c := _currency(s))}
    if len(currencies) > 1:
        names = ", ".join(sorted(currencies))
        raise Refusal(Rejection("remittance_currencies", where, names, {"currencies": names}))
    advice = Remittance(
        medium="edifact",
        total_mills=next((head.totals[code] for code in _TOTALS if code in head.totals), None),
        currency=next(iter(currencies), None),
        lines=tuple(line.record() for line in lines),
        payer_name=head.payer_name,
        payer_vat=head.payer_vat,
        payer_iban=head.payer_iban,
        payment_date=next((head.days[code] for code in _PAYMENT_DAYS if code in head.days), None),
        reference=head.reference,
        end_to_end_id=head.end_to_end_id,
        position=position,
    )
    return balanced(advice, keeps_lines=True)


def _outside_documents(message: EdifactMessage) -> list[Segment]:
    """The segments before the first document and in the summary."""
    found: list[Segment] = []
    inside = False
    for segment in message.segments:
        if segment.tag == "DOC":
            inside = True
        elif segment.tag == "UNS":
            inside = False
        if not inside:
            found.append(segment)
    return found


def _read_head(segment: Segment, head: _Head, where: str) -> None:
    tag, code = segment.tag, segment.get(0)
    if tag == "BGM":
        head.reference = segment.get(1) or None
    elif tag == "DTM":
        if day := _day(segment):
            head.days.setdefault(code, day)
    elif tag == "CUX":
        head.currencies |= {segment.get(0, 1)} - {""}
    elif tag == "MOA":
        head.totals.setdefault(code, _mills(segment, where))
    elif tag == "NAD":
        head.party = code
        if code in _PAYER:
            head.payer_name = head.payer_name or _name(segment)
    elif tag == "RFF":
        if code == "VA" and head.party in _PAYER:
            head.payer_vat = segment.get(0, 1) or None
        elif code in ("PQ", "AEK", "TRN", "CR") and head.end_to_end_id is None:
            head.end_to_end_id = segment.get(0, 1) or None
    elif tag == "FII" and code in ("OR", "PB"):
        head.payer_iban = segment.get(1) or None


def _lines_of(message: EdifactMessage, where: str) -> list[_Line]:
    lines: list[_Line] = []
    current: _Line | None = None
    for segment in message.segments:
        if segment.tag == "DOC":
            number = segment.get(1)
            if not number:
                raise Refusal(Rejection("remittance_number_missing", where, segment.text))
            current = _Line(number, segment.get(0) in _CREDIT_DOCUMENTS)
            lines.append(current)
        elif segment.tag in ("UNS", "UNT"):
            current = None
        elif current is not None:
            _read_line(segment, current, where)
    return lines


def _read_line(segment: Segment, line: _Line, where: str) -> None:
    code = segment.get(0)
    if segment.tag == "MOA":
        mills = _mills(segment, where)
        if code in _DISCOUNTS:
            line.discounts += mills
        elif line.amounts.setdefault(code, mills) != mills:  # which of the two was paid cannot be told
            raise Refusal(Rejection("remittance_amount_unreadable", where, segment.text))
    elif segment.tag == "DTM" and code in ("137", "171", "3", "454"):
        line.document_date = line.document_date or _day(segment)
    elif segment.tag == "AJT":
        line.reasons.append(code)
    elif segment.tag == "FTX":
        text = " ".join(part for part in (segment.elements[3] if len(segment.elements) > 3 else ()) if part)
        line.reasons += [text] if text else []


def _name(segment: Segment) -> str | None:
    """The party's name: its own element, else the first line of the free address."""
    for element in (3, 2):
        parts = segment.elements[element] if element < len(segment.elements) else ()
        if name := " ".join(part for part in parts if part):
            return name
    return None


def _currency(segment: Segment) -> str:
    return segment.get(0, 2) if segment.tag == "MOA" else ""


def _day(segment: Segment) -> date | None:
    text, form = segment.get(0, 1), segment.get(0, 2)
    if form in ("102", "203", "204", "") and re.match(r"[0-9]{8}", text):
        return day_of(f"{text[:4]}-{text[4:6]}-{text[6:8]}")
    if form == "101" and re.fullmatch(r"[0-9]{6}", text):
        return day_of(f"20{text[:2]}-{text[2:4]}-{text[4:6]}")
    return None


def _mills(segment: Segment, where: str) -> int:
    """The amount of a MOA. Both decimal marks occur, whatever UNA declares; groups do not exist."""
    text = segment.get(0, 1)
    marks = text.count(",") + text.count(".")
    mills = plain_amount(text.replace(",", ".")) if marks <= 1 else None
    if mills is None:
        raise Refusal(Rejection("remittance_amount_unreadable", where, segment.text))
    return mills
