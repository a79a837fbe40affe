"""Writes SEPA direct debits for the bank: pain.008, in version 02 (the one Italian banks take) or 08.

Core and business-to-business debits, sequence types and collection days are payment information groups of
their own. Amounts are integers of cents. Texts are put into the SEPA character set; identifiers (mandate,
end-to-end) are refused rather than changed, since the bank gives them back.

Everything is checked before the file exists: the library that writes the XML takes any IBAN. The file is then
read back, and its totals, counts and validity by the schema are checked against what was asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from typing import Any

from lxml import etree
from sepaxml import SepaDD
from sepaxml.validation import ValidationError, try_valid_xml
from stdnum import bic, iban
from stdnum.eu import at_02

from saldo.core.calendar import add_banking_days, is_banking_day
from saldo.core.errors import Rejection
from saldo.formats._plain import is_sepa_text, sepa_text
from saldo.formats._xml import parse_xml

VERSIONS = ("02", "08")
SCHEMES = ("CORE", "B2B")
SEQUENCES = ("FRST", "RCUR", "FNAL", "OOFF")
MAX_CENTS = 99_999_999_999
_BIC = re.compile(r"[A-Z]{6}[A-Z0-9]{2}(?:[A-Z0-9]{3})?")


@dataclass(frozen=True, slots=True)
class DebitHead:
    """Who collects, into which account of ours. message_id: unique, up to 35 characters.

    lead_days: banking days that our bank wants between the file and the collection.
    """

    message_id: str
    created_at: datetime
    name: str
    iban: str
    bic: str
    creditor_id: str
    lead_days: int = 1


@dataclass(frozen=True, slots=True)
class Debit:
    """One direct debit. end_to_end_id: given back by the bank with its outcome."""

    end_to_end_id: str
    amount_cents: int
    collection_date: date
    scheme: str
    sequence: str
    mandate_id: str
    mandate_date: date
    name: str
    iban: str
    text: str
    bic: str = ""


@dataclass(frozen=True, slots=True)
class WrittenDebits:
    """data: the file, None where something was refused."""

    data: bytes | None
    debits: int
    total_cents: int
    rejections: tuple[Rejection, ...] = ()


def write_sepa_debits(head: DebitHead, debits: Sequence[Debit], version: str = "02") -> WrittenDebits:
    """The debits as the bank's file, or everything that is wrong with them. ValueError: no such version."""
    if version not in VERSIONS:
        raise ValueError(f"pain.008 is written in versions {', '.join(VERSIONS)}, not {version}")
    faults = [*_head_faults(head), *_file_faults(debits)]
    for debit in debits:
        faults += _debit_faults(debit, head)
    total = sum(debit.amount_cents for debit in debits)
    if faults:
        return WrittenDebits(None, len(debits), total, tuple(faults))
    schema = f"pain.008.001.{version}"
    data = _document(head, debits, schema)
    faults = list(_differences(data, schema, debits))
    return WrittenDebits(None if faults else data, len(debits), total, tuple(faults))


# --- checks -----------------------------------------------------------------------------------------


def _head_faults(head: DebitHead) -> Iterator[Rejection]:
    for what, value, is_good in (
        ("MsgId", head.message_id, is_sepa_text(head.message_id) and len(head.message_id) <= 35),
        ("nome/name", head.name, bool(sepa_text(head.name))),
        ("IBAN", head.iban, is_iban(head.iban)),
        ("BIC", head.bic, is_bic(head.bic)),
        ("creditor id", head.creditor_id, is_creditor_id(head.creditor_id)),
    ):
        if not is_good:
            params = {"what": what, "value": value or "-"}
            yield Rejection("collection_creditor_invalid", "GrpHdr", value, params)


def _file_faults(debits: Sequence[Debit]) -> Iterator[Rejection]:
    if not debits:
        yield Rejection("collection_empty", "", "")
    seen: set[str] = set()
    for debit in debits:
        if not is_sepa_text(debit.end_to_end_id) or len(debit.end_to_end_id) > 35:
            yield _fault("collection_reference_invalid", debit, debit.end_to_end_id)
        elif debit.end_to_end_id in seen:
            yield _fault("collection_receipt_twice", debit, debit.end_to_end_id)
        seen.add(debit.end_to_end_id)


def _debit_faults(debit: Debit, head: DebitHead) -> Iterator[Rejection]:
    if type(debit.amount_cents) is not int or not 1 <= debit.amount_cents <= MAX_CENTS:
        yield _fault("collection_amount_invalid", debit, str(debit.amount_cents))
    earliest = add_banking_days(head.created_at.date(), head.lead_days)
    if debit.collection_date < earliest or not is_banking_day(debit.collection_date):
        day = debit.collection_date.isoformat()
        yield _fault("collection_day_invalid", debit, day, earliest=earliest.isoformat())
    if debit.scheme not in SCHEMES:
        yield _fault("collection_scheme_invalid", debit, debit.scheme)
    if debit.sequence not in SEQUENCES:
        yield _fault("collection_sequence_invalid", debit, debit.sequence)
    if not is_mandate_id(debit.mandate_id):
        yield _fault("collection_mandate_invalid", debit, debit.mandate_id)
    if debit.mandate_date > head.created_at.date():
        yield _fault("collection_mandate_future", debit, debit.mandate_date.isoformat())
    if not sepa_text(debit.name):
        yield _fault("collection_name_missing", debit, debit.name)
    if not is_iban(debit.iban):
        yield _fault("collection_iban_invalid", debit, debit.iban)
    if debit.bic and not is_bic(debit.bic):
        yield _fault("collection_bic_invalid", debit, debit.bic)
    if len(sepa_text(debit.text)) > 140:
        yield _fault("collection_text_too_long", debit, debit.text, limit=140)
    if not sepa_text(debit.text):
        yield _fault("collection_reference_missing", debit, debit.text)


def is_mandate_id(text: str) -> bool:
    return is_sepa_text(text) and len(text) <= 35


def is_iban(text: str) -> bool:
    """An IBAN in capitals and without blanks, with right check digits and the shape of its country."""
    return bool(text) and text.isascii() and text.isalnum() and text == text.upper() and iban.is_valid(text)


def is_bic(text: str) -> bool:
    return bool(_BIC.fullmatch(text)) and bic.is_valid(text)


def is_creditor_id(text: str) -> bool:
    return bool(text) and text.isascii() and text.isalnum() and len(text) <= 35 and at_02.is_valid(text)


def _fault(code: str, debit: Debit, value: str, **params: object) -> Rejection:
    told = {"receipt": debit.end_to_end_id or "-", "debtor": debit.name or "-", "value": value or "-"}
    return Rejection(code, f"EndToEndId {debit.end_to_end_id or '-'}", value, told | params)


# --- the document -----------------------------------------------------------------------------------


def _document(head: DebitHead, debits: Sequence[Debit], schema: str) -> bytes:
    """One document of all groups: the library writes a scheme at a time."""
    ordered = sorted(debits, key=lambda debit: SCHEMES.index(debit.scheme))
    written = [
        _of_scheme(head, scheme, list(found), schema)
        for scheme, found in groupby(ordered, key=lambda debit: debit.scheme)
    ]
    root = written[0]
    namespace = f"{{urn:iso:std:iso:20022:tech:xsd:{schema}}}"
    message = root[0]
    for other in written[1:]:
        message.extend(other.iter(f"{namespace}PmtInf"))
    for ordinal, group in enumerate(message.iter(f"{namespace}PmtInfId"), start=1):
        group.text = f"{head.message_id[:31]}-{ordinal:03d}"
    values = {
        "MsgId": head.message_id,
        "CreDtTm": head.created_at.strftime("%Y-%m-%dT%H:%M:%S"),
        "NbOfTxs": str(len(debits)),
        "CtrlSum": _units(sum(debit.amount_cents for debit in debits)),
    }
    header = message.find(f"{namespace}GrpHdr")
    assert header is not None
    for tag, value in values.items():
        element = header.find(namespace + tag)
        assert element is not None
        element.text = value
    etree.indent(root, " ")
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8") + b"\n"


def _of_scheme(head: DebitHead, scheme: str, debits: Sequence[Debit], schema: str) -> etree._Element:
    config = {
        "name": sepa_text(head.name)[:70], "IBAN": head.iban, "BIC": head.bic, "batch": True,
        "creditor_id": head.creditor_id, "currency": "EUR", "instrument": scheme,
    }  # fmt: skip
    writer = SepaDD(config, schema=schema, clean=False)
    for debit in debits:
        payment: dict[str, Any] = {
            "name": sepa_text(debit.name)[:70], "IBAN": debit.iban, "amount": debit.amount_cents,
            "type": debit.sequence, "collection_date": debit.collection_date,
            "mandate_id": debit.mandate_id, "mandate_date": debit.mandate_date,
            "description": sepa_text(debit.text), "endtoend_id": debit.end_to_end_id,
        }  # fmt: skip
        writer.add_payment(payment | ({"BIC": debit.bic} if debit.bic else {}))
    return etree.fromstring(writer.export(validate=False))


def _units(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


def _differences(data: bytes, schema: str, debits: Sequence[Debit]) -> Iterator[Rejection]:
    """What the file says otherwise than was asked; nothing for a file that is right."""
    try:
        try_valid_xml(data, schema)
    except ValidationError as error:
        yield Rejection("collection_file_differs", schema, str(error.__cause__), {"what": schema})
    root = parse_xml(data).root
    told = {
        one.findtext("PmtId/EndToEndId") or "": (one.findtext("InstdAmt") or "").replace(".", "")
        for one in root.iter("DrctDbtTxInf")
    }
    for debit in debits:
        if int(told.get(debit.end_to_end_id) or -1) != debit.amount_cents:
            yield _fault("collection_file_differs", debit, debit.end_to_end_id, what=debit.end_to_end_id)
    total = _units(sum(debit.amount_cents for debit in debits))
    if root.findtext(".//GrpHdr/CtrlSum") != total or root.findtext(".//GrpHdr/NbOfTxs") != str(len(debits)):
        yield Rejection("collection_file_differs", "GrpHdr", total, {"what": f"GrpHdr {total}"})
    for group in root.iter("PmtInf"):
        found = [int((one.text or "").replace(".", "")) for one in group.iter("InstdAmt")]
        if (group.findtext("CtrlSum"), group.findtext("NbOfTxs")) != (_units(sum(found)), str(len(found))):
            name = group.findtext("PmtInfId") or "-"
            yield Rejection("collection_file_differs", name, "", {"what": name})
