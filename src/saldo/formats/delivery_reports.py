"""What mail servers say about a message of ours: not delivered, delayed, delivered, or called spam.

RFC 3464 (delivery status), RFC 5965 (complaints), RFC 8098 (read receipts), and the plain texts of servers
that write none of these. Whether a report is about a message that we really sent is for its reader to check:
anybody can write one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from email.parser import Parser

from saldo.formats._mail import (
    Mail,
    addresses,
    children,
    content_type,
    header,
    leaves,
    message_ids,
    text_of_part,
)

BOUNCE, DELAY, DELIVERY, COMPLAINT, READ = "bounce", "delay", "delivery", "complaint", "read"
# What of a text is searched: a report says what it has to say at its beginning.
MAX_CHARACTERS = 40_000
MAX_RECIPIENTS = 50

_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9.-]{3,200}\.[A-Za-z]{2,24}")
_STATUS = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.])")
_CODE = re.compile(r"(?<!\d)([45]\d\d)(?=[ \-])")
_MACHINES = re.compile(
    r"^(?:mailer-daemon|mail-daemon|postmaster|mailerdaemon|bounces?|noreply-dmarc)(?:\+.*)?$"
)
_SUBJECTS = re.compile(
    r"undeliver|delivery (?:status notification|has failed|failure)|mail delivery|returned mail|"
    r"delivery incomplete|failure notice|non recapitabil|mancat[oa] (?:recapito|consegna)|"
    r"recapito non riuscito|impossibile (?:recapitare|consegnare)|messaggio non (?:recapitato|consegnato)|"
    r"notifica (?:sullo stato|di mancat)|unzustellbar|non remis",
    re.I,
)
_LATE = re.compile(
    r"delivery (?:delayed|temporarily)|warning: message|could not be delivered yet|will (?:be )?retr|"
    r"still being retried|ritardo nel recapito|recapito ritardato|verranno effettuati altri tentativi|"
    r"non è ancora stato (?:recapitato|consegnato)|in ritardo",
    re.I,
)
# Nobody has this address, now or later. Anything else may pass.
_GONE = re.compile(
    r"user unknown|unknown user|no such (?:user|recipient|mailbox|account)|does(?: not|n.t) exist|"
    r"invalid (?:recipient|mailbox|address)|address rejected|recipient (?:rejected|not found|unknown)|"
    r"mailbox (?:not found|unavailable|does not)|account (?:disabled|closed|has been)|address not found|"
    r"not a known user|unrouteable address|host or domain name not found|domain not found|"
    r"wasn.t found at|couldn.t be found|is not a valid|user not found|unknown (?:recipient|address)|"
    r"utente (?:sconosciuto|inesistente|non trovato)|"
    r"(?:casella|mailbox|indirizzo|destinatario|dominio|account) (?:di posta )?"
    r"(?:inesistente|sconosciut[oa]|non (?:esiste|trovat[oa]|valid[oa]|attiv[oa])|disabilitat[oa])|"
    r"non è stato possibile trovare",
    re.I,
)
_PASSING = re.compile(
    r"(?:mailbox|inbox|casella|quota).{0,40}(?:full|piena|esaurit|exceeded|superat|over)|over quota|"
    r"out of storage|spam|blocked|blacklist|block list|blocklist|greylist|rate limit|too (?:large|many)|"
    r"message size|policy|dmarc|reputation|timed? ?out|try again|temporar|spazio (?:insufficiente|esaurito)",
    re.I,
)
_ORIGINAL_ID = re.compile(r"^\s*>?\s*Message-ID:\s*(<[^<>\s]{1,300}>)", re.I | re.M)
_QUOTED_HEAD = re.compile(
    r"^[\s>*-]*(?:original message (?:headers?|follows)|this is a copy of the message|"
    r"below this line is a copy|return-path:|intestazioni originali|messaggio originale)",
    re.I | re.M,
)


@dataclass(frozen=True, slots=True)
class Failed:
    """One recipient that a report is about. status: enhanced (RFC 3463) or SMTP code, as far as told."""

    address: str
    status: str
    detail: str
    is_permanent: bool


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """kind: bounce, delay, delivery, complaint or read. original_ids: Message-IDs found in what came back of
    our message. recipients: those it is about; empty where it names none."""

    kind: str
    original_ids: tuple[str, ...]
    recipients: tuple[Failed, ...]

    @property
    def is_permanent(self) -> bool:
        return self.kind == BOUNCE and any(one.is_permanent for one in self.recipients)


def read_report(message: Mail) -> DeliveryReport | None:
    """The report in a message; None where it is no report. Never raises."""
    if content_type(message) == "multipart/report":
        kind = str(message.get_param("report-type", "") or "").lower()
        if kind == "feedback-report" or _part(message, "message/feedback-report") is not None:
            return DeliveryReport(COMPLAINT, _original_ids(message), _complained(message))
        if (
            kind == "disposition-notification"
            or _part(message, "message/disposition-notification") is not None
        ):
            return DeliveryReport(READ, _original_ids(message), ())
        status = _part(message, "message/delivery-status")
        if status is not None:
            return _by_status(message, status)
    return _by_text(message) if _is_of_machine(message) else None


def _part(message: Mail, type_: str) -> Mail | None:
    waiting = list(children(message))
    while waiting:
        part = waiting.pop(0)
        if content_type(part) == type_:
            return part
        waiting += children(part)
    return None


# -- RFC 3464 ----------------------------------------------------------------------------------------------


def _by_status(message: Mail, status: Mail) -> DeliveryReport:
    """Of several recipients the worst that happened to one of them is the report's kind."""
    failed: list[Failed] = []
    actions: set[str] = set()
    for fields in _groups(status):
        # As we wrote it; the final one may be what somebody's forwarding made of it.
        recipient = fields.get("original-recipient") or fields.get("final-recipient")
        if not recipient:
            continue
        action = fields.get("action", "failed").partition(" ")[0].lower()
        actions.add(action)
        code, detail = fields.get("status", ""), fields.get("diagnostic-code", "")
        is_permanent = action == "failed" and is_gone(code, detail)
        address = recipient.rpartition(";")[2].strip().strip("<>").lower()
        failed.append(Failed(address, code.split(" ")[0], detail[:300], is_permanent))
    if not failed:
        return _by_text(message)
    kind = BOUNCE if "failed" in actions else DELAY if "delayed" in actions else DELIVERY
    return DeliveryReport(kind, _original_ids(message), tuple(failed[:MAX_RECIPIENTS]))


def _groups(status: Mail) -> list[dict[str, str]]:
    """The groups of fields of a message/delivery-status: the parser gives each as a message of its own."""
    groups = []
    for block in children(status):
        groups.append({name.lower(): " ".join(str(value).split()) for name, value in block.items()})
    if not groups:
        text = text_of_part(status)[:MAX_CHARACTERS]
        for piece in re.split(r"\n\s*\n", text):
            fields = Parser().parsestr(piece.strip() + "\n\n", headersonly=True)
            groups.append({name.lower(): " ".join(str(value).split()) for name, value in fields.items()})
    return groups


def is_gone(status: str, detail: str) -> bool:
    """Whether a refusal says that the address itself is no good, for ever: RFC 3463 classes 5.1.x (address)
    and 5.2.1 (disabled). A full mailbox or the refusal of a spam filter says nothing of the address."""
    text = f"{status} {detail}"
    found = _STATUS.search(status) or _STATUS.search(detail)
    if found is not None:
        kind, subject, number = found.groups()
        if kind != "5":
            return False
        if subject == "1":
            # 5.1.7 and 5.1.8 are about the sender's address.
            return number not in ("7", "8")
        if (subject, number) == ("2", "1"):
            return True
        if subject in ("2", "3", "7"):
            return bool(_GONE.search(detail)) and not _PASSING.search(detail)
        return bool(_GONE.search(detail))
    code = _CODE.search(text)
    if code is not None and code.group(1).startswith("4"):
        return False
    return bool(_GONE.search(detail)) and not _PASSING.search(detail)


# -- plain texts -------------------------------------------------------------------------------------------


def _is_of_machine(message: Mail) -> bool:
    """Whether a mail server wrote it, by what only servers say of themselves."""
    if header(message, "x-failed-recipients"):
        return True
    senders = addresses(message, "from")
    local = senders[0][1].partition("@")[0] if senders else ""
    has_no_return = header(message, "return-path").replace(" ", "") == "<>"
    is_machine = bool(_MACHINES.match(local))
    return (is_machine or has_no_return) and bool(_SUBJECTS.search(header(message, "subject")))


def _by_text(message: Mail) -> DeliveryReport:
    text = _told(message)
    own = _QUOTED_HEAD.split(text, maxsplit=1)[0]
    named = [where for _, where in addresses(message, "x-failed-recipients")]
    # Its own addresses are no recipients; nor is whoever it is sent to.
    ours = {where for name in ("to", "from", "reply-to") for _, where in addresses(message, name)}
    found = named or [one.lower() for one in _ADDRESS.findall(own) if one.lower() not in ours]
    kind = DELAY if _LATE.search(header(message, "subject")) or _LATE.search(own[:2_000]) else BOUNCE
    status = _STATUS.search(own) or _CODE.search(own)
    code = status.group(0) if status else ""
    is_permanent = kind == BOUNCE and is_gone(code, own)
    detail = " ".join(own.split())[:300]
    recipients = tuple(Failed(one, code, detail, is_permanent) for one in dict.fromkeys(found))
    return DeliveryReport(kind, _original_ids(message), recipients[:MAX_RECIPIENTS])


def _told(message: Mail) -> str:
    for part in leaves(message):
        if content_type(part) == "text/plain":
            return text_of_part(part)[:MAX_CHARACTERS]
    return ""


# -- which message of ours ---------------------------------------------------------------------------------


def _original_ids(message: Mail) -> tuple[str, ...]:
    """Message-IDs in what the report gives back of our message, or repeats in its text."""
    found: list[str] = []
    waiting = list(children(message))
    while waiting:
        part = waiting.pop(0)
        inside = children(part)
        if content_type(part) == "message/rfc822" and inside:
            found += message_ids(inside[0], "message-id")
            continue
        if content_type(part) in ("text/rfc822-headers", "message/rfc822", "message/rfc822-headers"):
            found += _ORIGINAL_ID.findall(text_of_part(part)[:MAX_CHARACTERS])
        waiting += inside
    found += _ORIGINAL_ID.findall(_told(message))
    found += [*message_ids(message, "in-reply-to"), *message_ids(message, "references")]
    return tuple(dict.fromkeys(found))


def _complained(message: Mail) -> tuple[Failed, ...]:
    part = _part(message, "message/feedback-report")
    fields: Iterable[dict[str, str]] = _groups(part) if part is not None else ()
    found = []
    for group in fields:
        told = group.get("original-rcpt-to") or group.get("removal-recipient") or ""
        if address := told.strip("<> ").lower():
            found.append(Failed(address, "", group.get("feedback-type", ""), True))
    return tuple(found[:MAX_RECIPIENTS])
