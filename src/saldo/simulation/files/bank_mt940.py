"""MT940 statements with the structured :86: of the German banks, which many others have taken over.

:86: is a transaction code of three digits and sub-fields: ?00 what it is, ?20 to ?29 and ?60 to ?63 texts of
27 characters with the keywords of SEPA (EREF+, MREF+, SVWZ+), ?30 BIC, ?31 IBAN, ?32 and ?33 name, ?34 key
of a return. Source: Deutsche Kreditwirtschaft, annex 3 of the DFÜ agreement; character set x of SWIFT.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from saldo.simulation.files.bank_lines import Line, Receipts, Statement, statements
from saldo.simulation.files.bank_text import arrival, comma, swift, year_first
from saldo.simulation.files.world_file import WorldFile
from saldo.simulation.world.tables import Tables

FORMAT = "mt940"
_WIDTH = 65
_SUBFIELD = 27
_MOST_LINES = 6
# SWIFT type of :61:, German transaction code, text of ?00.
_CODES = {
    "transfer": ("NTRF", "166", "SEPA CREDIT TRANSFER"),
    "riba": ("NCOL", "057", "COLLECTION RIBA"),
    "sdd": ("NDDT", "192", "SEPA DIRECT DEBIT"),
    "riba_return": ("NRTI", "060", "RETURNED RIBA"),
    "sdd_return": ("NRTI", "109", "RETURNED DIRECT DEBIT"),
    "fee": ("NCHG", "808", "CHARGES"),
    "refund": ("NTRF", "116", "SEPA CREDIT TRANSFER"),
}
_TEXT_FIELDS = (*range(20, 30), *range(60, 64))


def bank_mt940(t: Tables, first: date, last: date) -> Iterator[WorldFile]:
    """Statements of the days from ``first`` to ``last``, one file per account and day with lines."""
    for statement in statements(t, FORMAT, first, last):
        path = statement.file_name("mt940", ".sta")
        yield WorldFile(path, _statement(statement).encode("ascii"), arrival(statement.day))


def _statement(statement: Statement) -> str:
    bank, day = statement.bank, statement.day
    found = [
        f":20:{day:%y%m%d}{bank.account[-6:]}",
        f":25:{bank.iban}",
        f":28C:{statement.number:05d}/001",
        f":60F:{_balance(statement.opening_cents, day)}",
    ]
    for line in statement.lines:
        found += _line(line, statement.receipts)
    found += [
        f":62F:{_balance(statement.closing_cents, day)}",
        f":64:{_balance(statement.closing_cents, day)}",
        "-",
        "",
    ]
    return "\r\n".join(found)


def _balance(cents: int, day: date) -> str:
    return f"{'D' if cents < 0 else 'C'}{day:%y%m%d}EUR{comma(cents)}"


def _line(line: Line, receipts: Receipts) -> list[str]:
    kind, code, title = _CODES[line.kind]
    side = "C" if line.amount_cents >= 0 else "D"
    # A reference that is too long for the line stands in :86: alone.
    short = swift(line.end_to_end)
    reference = short if 0 < len(short) <= 16 and "//" not in short else "NONREF"
    found = [
        f":61:{year_first(line.value_date)}{year_first(line.booking_date)[2:]}{side}"
        f"{comma(line.amount_cents)}{kind}{reference}//{line.bank_reference}"
    ]
    if line.charges_cents:
        instructed = line.amount_cents + line.charges_cents
        found.append(f"/OCMT/EUR{comma(instructed)}//CHGS/EUR{comma(line.charges_cents)}/"[:34])
    parts = [f"{code}?00{title}", *_texts(line, receipts), *_parties(line, receipts)]
    return found + _packed(":86:", parts)


def _texts(line: Line, receipts: Receipts) -> list[str]:
    """The sub-fields of texts, each keyword at the beginning of its own."""
    receipt = receipts.returned(line)
    end_to_end = line.end_to_end or (receipt.end_to_end if receipt and receipt.kind == "sdd" else "")
    pieces = _pieces(f"EREF+{swift(end_to_end)}") if end_to_end else []
    if receipt is not None and receipt.mandate_id:
        pieces += _pieces(f"MREF+{swift(receipt.mandate_id)}")
    if line.remittance:
        pieces += _pieces(f"SVWZ+{swift(line.remittance)}")
    return [f"?{key}{piece}" for key, piece in zip(_TEXT_FIELDS, pieces, strict=False)]


def _parties(line: Line, receipts: Receipts) -> list[str]:
    receipt = receipts.returned(line)
    name, iban, bic = line.name, line.iban, line.bic
    if receipt is not None:
        name, iban, bic = name or receipt.name, iban or receipt.iban, bic or receipt.bic
    found = [f"?30{bic}"] if bic else []
    found += [f"?31{iban}"] if iban else []
    found += [f"?{key}{piece}" for key, piece in zip((32, 33), _pieces(swift(name)), strict=False)]
    return found + ([f"?34{line.return_reason}"] if line.return_reason else [])


def _pieces(text: str) -> list[str]:
    """``text`` cut into sub-fields: one that is full goes on in the next, none ends with a blank."""
    found = []
    text = text.strip()
    while text:
        piece = text[:_SUBFIELD]
        found.append(piece.rstrip())
        text = text[_SUBFIELD:]
        if piece.endswith(" "):
            text = text.lstrip()
    return found


def _packed(tag: str, parts: list[str]) -> list[str]:
    """The parts in lines of 65 characters, none cut in two; what six lines do not hold is left out."""
    lines = [tag]
    room = _WIDTH
    for part in parts:
        if len(part) > room:
            if len(lines) == _MOST_LINES:
                break
            lines.append("")
            room = _WIDTH
        lines[-1] += part
        room -= len(part)
    return lines
