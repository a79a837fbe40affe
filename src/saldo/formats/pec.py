"""PEC, the Italian certified mail: receipts of what we sent, and envelopes of what was sent to us.

The headers say what a receipt is; ``daticert.xml`` says more, and may be missing. The signature is not
verified here: anonymized or re-saved messages would fail it and still be readable.
Source: DPR 68/2005 and the technical rules of DM 2 November 2005 (headers, daticert.xml).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from lxml import etree

from saldo.core.errors import Rejection
from saldo.formats._mail import (
    Mail,
    addresses,
    children,
    content_of,
    content_type,
    file_name,
    header,
    leaves,
    message_ids,
    parse_mail,
    sent_at,
)
from saldo.formats._xml import local_name, parse_xml, text_of, texts_of
from saldo.formats.records import Notice, ReadResult, Refusal, refused

KIND = "pec_receipt"
DATA_KIND = "pec-data"
TRANSPORTED = "posta-certificata"
# What the message reached, in one word that does not depend on how a provider spells the type.
OUTCOMES = {
    "accettazione": "accepted",
    "non-accettazione": "refused",
    "presa-in-carico": "taken_in_charge",
    "avvenuta-consegna": "delivered",
    "mancata-consegna": "failed",
    "errore-consegna": "failed",
    "preavviso-errore-consegna": "delayed",
    "preavviso-mancata-consegna": "delayed",
    "rilevazione-virus": "failed",
}


@dataclass(frozen=True, slots=True)
class PecReceipt:
    """One receipt about one message of ours (and, for deliveries, one recipient of it).

    type: as the provider writes it ("accettazione", "avvenuta-consegna", …); outcome: accepted, refused,
    taken_in_charge, delivered, delayed, failed or unknown. error: "nessuno" where all is well. recipients:
    (address, "certificato" or "esterno" or ""). delivered_to: the one this receipt is about.
    reference_message_id: the Message-ID of what we sent, with its angle brackets. receipt_type: completa,
    breve or sintetica. identifier: the provider's own.
    """

    type: str
    outcome: str
    error: str | None
    sender: str | None
    recipients: tuple[tuple[str, str], ...]
    delivered_to: str | None
    subject: str
    provider: str | None
    date: datetime | None
    identifier: str | None
    reference_message_id: str | None
    receipt_type: str | None
    error_text: str | None = None
    message_id: str | None = None
    kind: str = KIND
    source: str | None = None
    notices: tuple[Notice, ...] = ()

    def as_json(self, language: str = "en") -> dict[str, Any]:
        return {
            "kind": self.kind,
            "type": self.type,
            "outcome": self.outcome,
            "error": self.error,
            "error_text": self.error_text,
            "sender": self.sender,
            "recipients": [{"address": where, "type": type_} for where, type_ in self.recipients],
            "delivered_to": self.delivered_to,
            "subject": self.subject,
            "provider": self.provider,
            "date": self.date.astimezone(UTC).isoformat() if self.date else None,
            "identifier": self.identifier,
            "reference_message_id": self.reference_message_id,
            "receipt_type": self.receipt_type,
            "message_id": self.message_id,
            "source": self.source,
            "notices": [notice.as_json(language) for notice in self.notices],
        }


def is_receipt(message: Mail) -> bool:
    return bool(header(message, "x-ricevuta"))


def is_transport(message: Mail) -> bool:
    """Whether the message is an envelope around one that somebody wrote to us."""
    return header(message, "x-trasporto").lower() in (TRANSPORTED, "errore")


def transported(message: Mail) -> Mail | None:
    """The message inside an envelope (postacert.eml), None where it is missing or unreadable."""
    waiting = list(children(message))
    while waiting:
        part = waiting.pop(0)
        inside = children(part)
        if content_type(part) == "message/rfc822" and inside:
            return inside[0]
        if (file_name(part) or "").lower() == "postacert.eml" and (content := content_of(part)):
            try:
                return parse_mail(content)
            except Refusal:
                return None
        waiting += inside
    return None


def read_receipt(message: Mail) -> PecReceipt:
    """The facts of a receipt (or of an envelope) from its headers and its daticert.xml. Never raises."""
    notices: list[Notice] = []
    data = _certification(message, notices)
    recipients = _recipients(data) or tuple((where, "") for _, where in addresses(message, "to") if where)
    of_us = data is not None and bool(texts_of(data, "intestazione/destinatari"))
    stated = (header(message, "x-ricevuta") or header(message, "x-trasporto")).lower()
    type_ = stated or (data.get("tipo") if data is not None else "") or "unknown"
    references = message_ids(message, "x-riferimento-message-id")
    own_ids = message_ids(message, "message-id")
    return PecReceipt(
        type=type_,
        outcome=OUTCOMES.get(type_, "unknown"),
        error=data.get("errore") if data is not None else None,
        sender=_lower(text_of(data, "intestazione/mittente"))
        or (None if of_us else _envelope_sender(message)),
        recipients=recipients,
        delivered_to=_lower(text_of(data, "dati/consegna")),
        subject=text_of(data, "intestazione/oggetto") or header(message, "subject"),
        provider=text_of(data, "dati/gestore-emittente") or _provider_of(message),
        date=_certified_at(data) or sent_at(message),
        identifier=text_of(data, "dati/identificativo"),
        reference_message_id=references[0] if references else _bracketed(text_of(data, "dati/msgid")),
        receipt_type=_receipt_type(message, data),
        error_text=text_of(data, "dati/errore-esteso"),
        message_id=own_ids[0] if own_ids else None,
        notices=tuple(notices),
    )


def read_pec_data(data: bytes) -> ReadResult:
    """A daticert.xml that was saved without its message."""
    try:
        root = parse_xml(data).root
    except Refusal as refusal:
        return refused(DATA_KIND, refusal.rejection)
    type_ = root.get("tipo") or "unknown"
    record = PecReceipt(
        type=type_,
        outcome=OUTCOMES.get(type_, "unknown"),
        error=root.get("errore"),
        sender=_lower(text_of(root, "intestazione/mittente")),
        recipients=_recipients(root),
        delivered_to=_lower(text_of(root, "dati/consegna")),
        subject=text_of(root, "intestazione/oggetto") or "",
        provider=text_of(root, "dati/gestore-emittente"),
        date=_certified_at(root),
        identifier=text_of(root, "dati/identificativo"),
        reference_message_id=_bracketed(text_of(root, "dati/msgid")),
        receipt_type=_receipt_type(None, root),
        error_text=text_of(root, "dati/errore-esteso"),
    )
    return ReadResult(DATA_KIND, records=(record,))


def _certification(message: Mail, notices: list[Notice]) -> etree._Element | None:
    """The root of daticert.xml; a notice where it is missing or broken."""
    for part in leaves(message):
        name = (file_name(part) or "").lower()
        if name != "daticert.xml" and not (name == "" and content_type(part) == "application/xml"):
            continue
        try:
            root = parse_xml(content_of(part)).root
        except Refusal as refusal:
            notices.append(Rejection("pec_data_broken", "daticert.xml", refusal.rejection.excerpt))
            return None
        if local_name(root) == "postacert":
            return root
    notices.append(Rejection("pec_data_missing", "daticert.xml", header(message, "subject")))
    return None


def _recipients(data: etree._Element | None) -> tuple[tuple[str, str], ...]:
    if data is None:
        return ()
    found = data.iterfind("intestazione/destinatari")
    return tuple(
        (one.text.strip().lower(), one.get("tipo") or "") for one in found if one.text and one.text.strip()
    )


def _receipt_type(message: Mail | None, data: etree._Element | None) -> str | None:
    stated = header(message, "x-tiporicevuta").lower() if message is not None else ""
    if stated:
        return stated
    element = data.find("dati/ricevuta") if data is not None else None
    return (element.get("tipo") if element is not None else None) or None


def _certified_at(data: etree._Element | None) -> datetime | None:
    """<data zona="+0200"><giorno>05/03/2026</giorno><ora>10:11:12</ora></data>"""
    element = data.find("dati/data") if data is not None else None
    if element is None:
        return None
    day, time = text_of(element, "giorno"), text_of(element, "ora")
    zone = re.fullmatch(r"([+-])(\d\d):?(\d\d)", (element.get("zona") or "").strip())
    try:
        local = datetime.strptime(f"{day} {time}", "%d/%m/%Y %H:%M:%S")
        if zone is None:
            return None
        offset = timedelta(hours=int(zone.group(2)), minutes=int(zone.group(3)))
        instant = local.replace(tzinfo=timezone(offset if zone.group(1) == "+" else -offset))
        instant.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return instant


def _envelope_sender(message: Mail) -> str | None:
    """Of a receipt without certification data: it is addressed to who sent the message."""
    people = addresses(message, "to" if is_receipt(message) else "reply-to")
    return people[0][1] if people else None


def _provider_of(message: Mail) -> str | None:
    people = addresses(message, "from")
    return people[0][1].rpartition("@")[2] or None if people else None


def _bracketed(identifier: str | None) -> str | None:
    if not identifier:
        return None
    return identifier if identifier.startswith("<") else f"<{identifier}>"


def _lower(text: str | None) -> str | None:
    return text.lower() if text else None
