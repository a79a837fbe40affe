"""One message out of a mailbox of ours: what it is, and what its headers say for or against its sender.

Like ``correspondence``, this module stands on top of the readers of mail, which do not know each other.
Nothing here is believed yet: who reads the result compares it with what was really sent.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from saldo.formats import pec
from saldo.formats._mail import (
    MAX_HEADER_CHARACTERS,
    MAX_HEADERS,
    Mail,
    addresses,
    children,
    content_of,
    content_type,
    file_name,
    flat,
    header,
    leaves,
    message_ids,
    parse_mail,
)
from saldo.formats.delivery_reports import DeliveryReport, read_report
from saldo.formats.messages import MessageRecord, read_message
from saldo.formats.pec import PecReceipt
from saldo.formats.records import Refusal

# Where servers write to which address a message really came.
_ADDRESSED = ("to", "cc", "delivered-to", "x-original-to", "envelope-to", "x-envelope-to", "x-forwarded-to")
_RESULT = re.compile(r"\b(dmarc|spf|dkim)\s*=\s*([a-z]+)", re.I)
_COMMENT = re.compile(r"\([^()]*\)")
MISSING, BROKEN, DIFFERS, NOT_CERTIFIED = (
    "pec_data_missing", "pec_data_broken", "pec_data_differs", "pec_sender_differs",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class IncomingMail:
    """message: the words, those inside a PEC envelope where it is one. receipt, report: what it is instead of
    somebody's words. doubts: what in it contradicts itself (codes). sent_to: every address it came to.
    own_marks: values of the header that our own messages bear. failed_checks: what our server could not
    confirm of the sender ("dmarc", "spf"). is_list: it came through a mailing list or to many at once."""

    message: MessageRecord
    receipt: PecReceipt | None = None
    report: DeliveryReport | None = None
    doubts: tuple[str, ...] = ()
    sent_to: tuple[str, ...] = ()
    own_marks: tuple[str, ...] = ()
    failed_checks: tuple[str, ...] = ()
    is_list: bool = False


def read_incoming(data: bytes, own_header: str, authserv_id: str = "") -> IncomingMail:
    """What ``data`` is. Raises Refusal("mail_broken") where its parts cannot be told apart."""
    outer = parse_mail(data)
    sent_to = tuple(
        dict.fromkeys(where for name in _ADDRESSED for _, where in addresses(outer, name) if where)
    )
    common = IncomingMail(
        message=read_message(outer),
        sent_to=sent_to,
        own_marks=tuple(value for value in [header(outer, own_header)] if value),
        failed_checks=failed_checks(outer, authserv_id),
        is_list=bool(header(outer, "list-id"))
        or header(outer, "precedence").lower() in ("list", "bulk", "junk"),
    )
    if pec.is_receipt(outer):
        return replace(common, receipt=pec.read_receipt(outer), doubts=receipt_doubts(outer))
    if pec.is_transport(outer):
        return _certified(outer, common)
    return replace(common, report=read_report(outer))


def files_in(data: bytes) -> list[tuple[str, str, bytes]]:
    """(name, content type, bytes) of the files that a message carries; those of a PEC in the message inside
    its envelope. A message inside a message is one file. Never raises."""
    try:
        mail = parse_mail(data)
    except Refusal:
        return []
    mail = (pec.transported(mail) or mail) if pec.is_transport(mail) else mail
    found = []
    waiting = list(children(mail))
    while waiting:
        part = waiting.pop(0)
        inside = children(part)
        name = file_name(part)
        if inside and content_type(part) != "message/rfc822":
            waiting = inside + waiting
        elif inside:
            title = name or f"{header(inside[0], 'subject') or 'message'}.eml"
            found.append((title[:200], content_type(part), flat(inside[0])))
        elif name or content_type(part).partition("/")[0] not in ("text", "multipart"):
            found.append(((name or "file")[:200], content_type(part), content_of(part)))
    return found


def _certified(outer: Mail, common: IncomingMail) -> IncomingMail:
    """The message in a PEC envelope. Its provider answers for the sender, so checks of the line do not count;
    an "anomaly" envelope around ordinary mail certifies nobody."""
    inner = pec.transported(outer)
    envelope = pec.read_receipt(outer)
    message = read_message(inner if inner is not None else outer)
    is_certified = header(outer, "x-trasporto").lower() == pec.TRANSPORTED
    doubts = []
    sender = message.sender[1] if message.sender else ""
    if is_certified and (not envelope.sender or envelope.sender != sender):
        doubts.append(NOT_CERTIFIED)
    inner_to = tuple(where for name in _ADDRESSED for _, where in addresses(inner, name)) if inner else ()
    return replace(
        common,
        message=replace(
            message,
            message_id=message.message_id or envelope.reference_message_id,
            is_certified=is_certified,
            certified_sender=envelope.sender if is_certified else None,
            certified_at=envelope.date if is_certified else None,
            certified_id=envelope.identifier,
        ),
        report=read_report(inner) if inner is not None else None,
        doubts=tuple(doubts),
        sent_to=tuple(dict.fromkeys((*common.sent_to, *inner_to))),
        failed_checks=() if is_certified else common.failed_checks,
    )


def receipt_doubts(outer: Mail) -> tuple[str, ...]:
    """Why a receipt cannot be believed: its daticert.xml is missing, broken, or says something else than its
    headers. Only the two together are a receipt; the headers alone anybody can write."""
    certified = next(
        (part for part in leaves(outer) if (file_name(part) or "").lower() == "daticert.xml"), None
    )
    if certified is None:
        return (MISSING,)
    read = pec.read_pec_data(content_of(certified))
    if read.rejections or not read.records:
        return (BROKEN,)
    data = read.records[0]
    stated = message_ids(outer, "x-riferimento-message-id")
    told = header(outer, "x-ricevuta").lower()
    same_id = bool(stated) and data.reference_message_id == stated[0]
    same_outcome = pec.OUTCOMES.get(told, told) == pec.OUTCOMES.get(data.type, data.type)
    has_error = (data.error or "nessuno") != "nessuno"
    contradicts = has_error and data.outcome in ("accepted", "delivered")
    return () if same_id and same_outcome and not contradicts else (DIFFERS,)


def failed_checks(outer: Mail, authserv_id: str = "") -> tuple[str, ...]:
    """What our own receiving server found against the sender (RFC 8601): "dmarc", or "spf" where neither a
    signature nor DMARC speaks for it.

    Only our server's header counts: the one with ``authserv_id``, else the first, which the last server on
    the way put on top. Others may have been written by the sender.
    """
    found = [
        _COMMENT.sub(" ", " ".join(str(value).split()))[:MAX_HEADER_CHARACTERS]
        for name, value in list(outer.raw_items())[:MAX_HEADERS]
        if name.lower() == "authentication-results"
    ]
    if authserv_id:
        found = [one for one in found if _server(one) == authserv_id.lower()]
    else:
        found = [one for one in found if _server(one) == _server(found[0])]
    results: dict[str, set[str]] = {}
    for one in found:
        for method, result in _RESULT.findall(one):
            results.setdefault(method.lower(), set()).add(result.lower())
    failed = []
    if "fail" in results.get("dmarc", ()):
        failed.append("dmarc")
    passes = "pass" in results.get("dkim", ()) or "pass" in results.get("dmarc", ())
    if results.get("spf", set()) & {"fail", "hardfail", "softfail"} and not passes:
        failed.append("spf")
    return tuple(failed)


def _server(result: str) -> str:
    return result.partition(";")[0].split(" ")[0].strip().lower() if result.strip() else ""
