"""Notifications of SdI, the Italian exchange of e-invoices, in its two dialects.

The public one (invoices to administrations) and the private one share most fields and differ in namespaces
and in a few root elements; what a notification is follows from the root's local name, and from the code in
the file's name where the root is unknown. MC is no refusal: the invoice counts as issued and waits in the
customer's reserved area, so the customer may truly not know of it.
Source: specifiche tecniche SdI 1.8 (private) and 1.5 (public).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from lxml import etree

from saldo.core.errors import Rejection
from saldo.formats._xml import local_name, parse_xml, text_of
from saldo.formats.records import Notice, ReadResult, Refusal, refused

KIND = "sdi_notification"
FORMAT = "sdi-message"

TYPE_BY_ROOT = {
    "RicevutaConsegna": "RC",
    "NotificaScarto": "NS",
    "RicevutaScarto": "NS",
    "NotificaMancataConsegna": "MC",
    "RicevutaImpossibilitaRecapito": "MC",
    "NotificaEsito": "NE",
    "NotificaDecorrenzaTermini": "DT",
    "AttestazioneTrasmissioneFattura": "AT",
    "MetadatiInvioFile": "MT",
    "FileMetadati": "MT",
    "NotificaEsitoCommittente": "EC",
    "ScartoEsitoCommittente": "SE",
}
MEANINGS = {
    "RC": "delivered",
    "NS": "rejected",
    "MC": "made_available",
    "NE": "customer_outcome",
    "DT": "terms_elapsed",
    "AT": "transmission_attested",
    "MT": "metadata",
    "EC": "customer_outcome_sent",
    "SE": "customer_outcome_rejected",
}
# Only administrations accept or refuse invoices through SdI, or let the term for it elapse.
_PUBLIC_ONLY = frozenset({"NE", "DT", "AT", "EC", "SE"})
_PUBLIC_NAMESPACE = "fatturapa.gov.it/sdi/messaggi"
_PRIVATE_NAMESPACE = "fattura/messaggi"
_FILE_CODE = re.compile(r"_(RC|NS|MC|NE|DT|AT|MT|EC|SE)_[A-Za-z0-9]{1,5}\.xml(?:\.p7m)?$", re.I)
_ROME = ZoneInfo("Europe/Rome")


@dataclass(frozen=True, slots=True)
class SdiError:
    """One entry of the list of errors of a rejection."""

    code: str
    description: str
    suggestion: str | None = None

    def as_json(self) -> dict[str, Any]:
        return {"code": self.code, "description": self.description, "suggestion": self.suggestion}


@dataclass(frozen=True, slots=True)
class SdiNotification:
    """What SdI says of one invoice file.

    type: RC, NS, MC, NE, DT, AT, MT, EC, SE, or "unknown". file_name: of the invoice file it is about.
    made_available_at: when the invoice was put in the customer's reserved area (MC). outcome: EC01
    accepted, EC02 refused (NE, EC). is_public_body: whether the customer is an administration; None
    where nothing tells. invoice_number, invoice_year: where the notification names one invoice.
    """

    type: str
    sdi_id: str | None
    file_name: str | None
    received_at: datetime | None = None
    delivered_at: datetime | None = None
    made_available_at: datetime | None = None
    errors: tuple[SdiError, ...] = ()
    outcome: str | None = None
    hash: str | None = None
    message_id: str | None = None
    pec_message_id: str | None = None
    recipient_code: str | None = None
    recipient_name: str | None = None
    invoice_number: str | None = None
    invoice_year: int | None = None
    description: str | None = None
    is_public_body: bool | None = None
    kind: str = KIND
    source: str | None = None
    notices: tuple[Notice, ...] = ()

    @property
    def meaning(self) -> str:
        return MEANINGS.get(self.type, "unknown")

    @property
    def is_rejection(self) -> bool:
        """Whether the invoice counts as never issued. A refusal by the administration (EC02) is not that."""
        return self.type == "NS"

    def as_json(self, language: str = "en") -> dict[str, Any]:
        return {
            "kind": self.kind,
            "type": self.type,
            "meaning": self.meaning,
            "is_rejection": self.is_rejection,
            "sdi_id": self.sdi_id,
            "file_name": self.file_name,
            "received_at": _iso(self.received_at),
            "delivered_at": _iso(self.delivered_at),
            "made_available_at": _iso(self.made_available_at),
            "errors": [one.as_json() for one in self.errors],
            "outcome": self.outcome,
            "hash": self.hash,
            "message_id": self.message_id,
            "pec_message_id": self.pec_message_id,
            "recipient_code": self.recipient_code,
            "recipient_name": self.recipient_name,
            "invoice_number": self.invoice_number,
            "invoice_year": self.invoice_year,
            "description": self.description,
            "is_public_body": self.is_public_body,
            "source": self.source,
            "notices": [notice.as_json(language) for notice in self.notices],
        }


def read_sdi(data: bytes, name: str = "") -> ReadResult:
    """One notification. ``name`` of its file decides only where the root element is unknown."""
    try:
        root = parse_xml(data, local_name).root
    except Refusal as refusal:
        return refused(FORMAT, refusal.rejection)
    notices: list[Notice] = []
    type_ = _type_of(root, name, notices)
    sdi_id = text_of(root, "IdentificativoSdI")
    if sdi_id is None:
        notices.append(Rejection("sdi_identifier_missing", "IdentificativoSdI", name))
    year = text_of(root, ".//RiferimentoFattura/AnnoFattura")
    record = SdiNotification(
        type=type_,
        sdi_id=sdi_id,
        file_name=text_of(root, "NomeFile"),
        received_at=_instant(root, "DataOraRicezione", notices),
        delivered_at=_instant(root, "DataOraConsegna", notices),
        made_available_at=_instant(root, "DataMessaADisposizione", notices),
        errors=_errors(root),
        outcome=text_of(root, ".//Esito") or text_of(root, ".//Scarto"),
        hash=text_of(root, "Hash") or text_of(root, "HashFileOriginale"),
        message_id=text_of(root, "MessageId"),
        pec_message_id=text_of(root, "PecMessageId"),
        recipient_code=text_of(root, "Destinatario/Codice") or text_of(root, "CodiceDestinatario"),
        recipient_name=text_of(root, "Destinatario/Descrizione"),
        invoice_number=text_of(root, ".//RiferimentoFattura/NumeroFattura"),
        invoice_year=int(year) if year and re.fullmatch(r"[0-9]{4}", year) else None,
        description=text_of(root, "Descrizione") or text_of(root, ".//EsitoCommittente/Descrizione"),
        is_public_body=_is_public(root, type_),
        notices=tuple(notices),
    )
    return ReadResult(FORMAT, records=(record,))


def _type_of(root: etree._Element, name: str, notices: list[Notice]) -> str:
    stated = TYPE_BY_ROOT.get(local_name(root))
    coded = _FILE_CODE.search(name)
    code = coded.group(1).upper() if coded else None
    if stated and code and stated != code:
        notices.append(Rejection("sdi_type_conflict", local_name(root), name, {"type": stated, "code": code}))
    return stated or code or "unknown"


def _is_public(root: etree._Element, type_: str) -> bool | None:
    namespaces = [str(uri) for uri in root.nsmap.values()]
    if type_ in _PUBLIC_ONLY or any(_PUBLIC_NAMESPACE in uri for uri in namespaces):
        return True
    return False if any(_PRIVATE_NAMESPACE in uri for uri in namespaces) else None


def _errors(root: etree._Element) -> tuple[SdiError, ...]:
    return tuple(
        SdiError(
            text_of(one, "Codice") or "", text_of(one, "Descrizione") or "", text_of(one, "Suggerimento")
        )
        for one in root.iterfind(".//ListaErrori/Errore")
    )


def _instant(root: etree._Element, tag: str, notices: list[Notice]) -> datetime | None:
    """The instant in ``tag``; one without a zone is Italian time."""
    text = text_of(root, tag)
    if text is None:
        return None
    try:
        # SdI writes up to nine decimals of a second.
        instant = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text))
        aware = instant if instant.tzinfo else instant.replace(tzinfo=_ROME)
        aware.astimezone(UTC)
    except (ValueError, OverflowError):
        notices.append(Rejection("instant_unreadable", tag, text))
        return None
    return aware


def _iso(instant: datetime | None) -> str | None:
    return instant.astimezone(UTC).isoformat() if instant else None
