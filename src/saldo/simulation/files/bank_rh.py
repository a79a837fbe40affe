"""CBI statements (RH): records of 120 characters, 61 opening, 62 line, 63 its texts, 64 closing balance.

Positions after the layout of CBI-RND-001. A transfer states who paid in KKK, YYY, YY2 and its references in
ID1 and RI1; everything else says it in free text. Amounts carry their decimal comma.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from saldo.simulation.files.bank_lines import (
    CAUSES,
    NO_END_TO_END,
    REMARKS,
    TRANSFERS,
    Line,
    Receipt,
    Receipts,
    Statement,
    statements,
)
from saldo.simulation.files.bank_text import arrival, comma, day_first, field, plain
from saldo.simulation.files.world_file import WorldFile
from saldo.simulation.world.tables import Tables

FORMAT = "rh"
_WIDTH = 120
_DESCRIPTION = 34
_FREE_TEXT = 107
_REMITTANCE = 104
_INTERNAL = {
    "transfer": "02", "riba": "21", "sdd": "22", "riba_return": "31", "sdd_return": "32", "fee": "90",
    "refund": "03",
}  # fmt: skip


def bank_rh(t: Tables, first: date, last: date) -> Iterator[WorldFile]:
    """Statements of the days from ``first`` to ``last``, one flow of one statement per account and day."""
    for statement in statements(t, FORMAT, first, last):
        path = statement.file_name("rh", ".txt")
        yield WorldFile(path, _flow(statement).encode("ascii"), arrival(statement.day))


def _flow(statement: Statement) -> str:
    bank, day = statement.bank, statement.day
    head = f"{bank.abi}{bank.sia}{day_first(arrival(day))}{field(f'RH{day:%y%m%d}{bank.account[-6:]}', 20)}"
    number = "0000001"
    records = [
        f" RH{head}",
        f" 61{number}{'':13}{bank.abi}93001{'':16}CC{bank.cin}{bank.abi}{bank.cab}{bank.account}EUR"
        f"{day_first(day)}{_balance(statement.opening_cents)}{bank.iban[:4]}",
    ]
    for at, line in enumerate(statement.lines):
        records += _line(line, number, at % 999 + 1, statement.receipts)
    closing = _balance(statement.closing_cents)
    records += [
        f" 64{number}EUR{day_first(day)}{closing}{closing}",
        f" 65{number}{day_first(arrival(day))}{closing}",
    ]
    records.append(f" EF{head}{'':6}{1:07d}{'':30}{len(records) + 1:07d}")
    return "".join(f"{record:{_WIDTH}}\r\n" for record in records)


def _balance(cents: int) -> str:
    """Side and 15 characters of amount."""
    return f"{'D' if cents < 0 else 'C'}{comma(cents, 12)}"


def _line(line: Line, number: str, movement: int, receipts: Receipts) -> list[str]:
    text = plain(REMARKS[line.kind] if line.kind in TRANSFERS else line.text or REMARKS[line.kind])
    head = (
        f" 62{number}{movement:03d}{day_first(line.value_date)}{day_first(line.booking_date)}"
        f"{_balance(line.amount_cents)}{CAUSES[line.kind]}{_INTERNAL[line.kind]}{'':16}{line.bank_reference}"
        f"{'':9}{text[:_DESCRIPTION]}"
    )
    start = f" 63{number}{movement:03d}"
    if line.kind in TRANSFERS:
        return [head, *(start + rest for rest in _transfer(line))]
    rest = text[_DESCRIPTION:]
    texts = [rest[at : at + _FREE_TEXT] for at in range(0, len(rest), _FREE_TEXT)]
    receipt = receipts.returned(line)
    if receipt is not None:
        texts += _return(line, receipt)
    return [head, *(start + each for each in texts)]


def _return(line: Line, receipt: Receipt) -> Iterator[str]:
    """Why it came back and from whom; a debit has a reference of its own, a RiBa only its number."""
    yield f"CAUSALE {line.return_reason}"
    yield f"YYY{receipt.due_date:%d%m%Y}{'':16}{field(line.name or receipt.name, 40)}"
    if receipt.kind == "sdd":
        yield f"ID1{'':35}{field(line.end_to_end or receipt.end_to_end, 35)}"


def _transfer(line: Line) -> Iterator[str]:
    yield f"KKK{line.bank_reference}"
    yield f"YYY{line.booking_date:%d%m%Y}{'':16}{field(line.name, 40)}"
    yield f"YY2{'':50}{field(line.iban, 34)}"
    yield f"ID1{field(line.bank_reference, 35)}{field(line.end_to_end or NO_END_TO_END, 35)}"
    text = plain(line.remittance)
    for at in range(0, len(text), _REMITTANCE):
        yield f"RI1{text[at : at + _REMITTANCE]}"
    if line.charges_cents:
        instructed = comma(line.amount_cents + line.charges_cents)
        yield f"IMPORTO DISPOSTO EUR {instructed} SPESE EUR {comma(line.charges_cents)}"
