"""E-mail (RFC 5322) to facts: who wrote what to whom, which words are new, what is attached.

Nothing is judged here: whether a message promises, disputes or was written by a machine on holiday is for who
reads the record; ``is_automatic`` only repeats what its headers state.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from saldo.core.errors import Rejection
from saldo.formats._html_text import html_text
from saldo.formats._mail import (
    Mail,
    addresses,
    children,
    content_of,
    content_type,
    file_name,
    flat,
    has_header,
    header,
    is_attachment,
    message_ids,
    sent_at,
    text_of_part,
)
from saldo.formats.records import Notice

KIND = "message"
# About 80 pages: what is longer was not written by a person to be read.
MAX_TEXT_CHARACTERS = 200_000
MAX_ADDRESSES = 200

_ATTRIBUTION = re.compile(
    r"^(?:il |in data |on |am |le |op )(?=.{0,300}\d).{4,300}?"
    r"(?:ha scritto|hanno scritto|scrive|wrote|schrieb.{0,80}|a écrit|a ecrit|schreef.{0,80})\s*:\s*$",
    re.I,
)
_ORIGINAL = re.compile(
    r"^[\s>*]*(?:-{2,}\s*(?:messaggio original|messaggio inoltrat|original message|forwarded message|"
    r"inoltrato da|ursprüngliche nachricht|weitergeleitete nachricht|message d.origine|message transféré).*|"
    r"(?:inizio messaggio inoltrato|begin forwarded message)\s*:?\s*)$",
    re.I,
)
_HEAD_FROM = re.compile(r"^[\s*]*(?:da|from|von|de)\s*:\**\s*\S", re.I)
_HEAD_SENT = re.compile(r"^[\s*]*(?:inviato|inviata|data|sent|date|gesendet|datum|envoyé)\s*:", re.I)
_HEAD_TO = re.compile(r"^[\s*]*(?:a|to|an|à|oggetto|subject|betreff|objet)\s*:", re.I)
_RULE = re.compile(r"^[\s_\-=]{8,}$")
_REPLY_MARKS = ("X-Autoreply", "X-Autorespond", "X-Autoresponder")
_PRECEDENCE = frozenset({"bulk", "junk", "list", "auto_reply", "auto-reply"})


@dataclass(frozen=True, slots=True)
class Attachment:
    """A part that is no body. size: bytes after decoding."""

    name: str | None
    content_type: str
    size: int

    def as_json(self) -> dict[str, Any]:
        return {"name": self.name, "content_type": self.content_type, "size": self.size}


@dataclass(frozen=True, slots=True)
class MessageRecord:
    """One e-mail. Identifiers keep their angle brackets; addresses are (name, address).

    text: the new words only; quoted: the words of earlier messages that it repeats. automatic_marks: the
    headers that say a program sent it. is_certified: it came inside a PEC envelope, whose provider vouches
    for certified_sender and certified_at; certified_id is the envelope's identifier.
    """

    message_id: str | None
    in_reply_to: tuple[str, ...]
    references: tuple[str, ...]
    date: datetime | None
    sender: tuple[str, str] | None
    to: tuple[tuple[str, str], ...]
    cc: tuple[tuple[str, str], ...]
    subject: str
    text: str
    quoted: str
    automatic_marks: tuple[str, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    is_certified: bool = False
    certified_sender: str | None = None
    certified_at: datetime | None = None
    certified_id: str | None = None
    kind: str = KIND
    source: str | None = None
    notices: tuple[Notice, ...] = ()

    @property
    def is_automatic(self) -> bool:
        return bool(self.automatic_marks)

    def as_json(self, language: str = "en") -> dict[str, Any]:
        return {
            "kind": self.kind,
            "message_id": self.message_id,
            "in_reply_to": list(self.in_reply_to),
            "references": list(self.references),
            "date": _instant(self.date),
            "from": _person(self.sender) if self.sender else None,
            "to": [_person(one) for one in self.to],
            "cc": [_person(one) for one in self.cc],
            "subject": self.subject,
            "text": self.text,
            "quoted": self.quoted,
            "is_automatic": self.is_automatic,
            "automatic_marks": list(self.automatic_marks),
            "attachments": [one.as_json() for one in self.attachments],
            "is_certified": self.is_certified,
            "certified_sender": self.certified_sender,
            "certified_at": _instant(self.certified_at),
            "certified_id": self.certified_id,
            "source": self.source,
            "notices": [notice.as_json(language) for notice in self.notices],
        }


def read_message(message: Mail) -> MessageRecord:
    """The facts of a parsed message. Never raises."""
    body, attachments = _body_and_attachments(message)
    notices: list[Notice] = []
    if len(body) > MAX_TEXT_CHARACTERS:
        notices.append(Rejection("message_clipped", "", body, {"limit": MAX_TEXT_CHARACTERS}))
        body = body[:MAX_TEXT_CHARACTERS]
    text, quoted = split_quoted(body)
    senders = addresses(message, "from") or addresses(message, "sender")
    if not senders:
        notices.append(Rejection("message_without_sender", "From", header(message, "from")))
    date = sent_at(message)
    if date is None:
        notices.append(Rejection("message_without_date", "Date", header(message, "date")))
    own_ids = message_ids(message, "message-id")
    return MessageRecord(
        message_id=own_ids[0] if own_ids else None,
        in_reply_to=message_ids(message, "in-reply-to"),
        references=message_ids(message, "references"),
        date=date,
        sender=senders[0] if senders else None,
        to=addresses(message, "to")[:MAX_ADDRESSES],
        cc=addresses(message, "cc")[:MAX_ADDRESSES],
        subject=header(message, "subject"),
        text=text,
        quoted=quoted,
        automatic_marks=_automatic_marks(message),
        attachments=tuple(attachments),
        notices=tuple(notices),
    )


def _automatic_marks(message: Mail) -> tuple[str, ...]:
    """The headers by which a program says that it, and no person, sent this (RFC 3834 and custom)."""
    marks = []
    if header(message, "auto-submitted").partition(";")[0].strip().lower() not in ("", "no"):
        marks.append("Auto-Submitted")
    marks += [name for name in _REPLY_MARKS if header(message, name).lower() not in ("", "no", "false")]
    if header(message, "precedence").lower() in _PRECEDENCE:
        marks.append("Precedence")
    if has_header(message, "return-path") and header(message, "return-path").replace(" ", "") == "<>":
        marks.append("Return-Path")
    if content_type(message) == "multipart/report":
        marks.append("Content-Type")
    return tuple(marks)


# -- body ------------------------------------------------------------------------------------------------


def _body_and_attachments(message: Mail) -> tuple[str, list[Attachment]]:
    attachments: list[Attachment] = []
    body = _body(message, attachments)
    return body.replace("\x00", "").replace("\u00a0", " ").strip("\n\r"), attachments


def _body(part: Mail, attachments: list[Attachment]) -> str:
    """The text of ``part``; what is no text is added to ``attachments``."""
    type_ = content_type(part)
    inside = children(part)
    if type_ == "message/rfc822" and inside:
        title = file_name(part) or f"{header(inside[0], 'subject') or 'message'}.eml"
        attachments.append(Attachment(title, type_, len(flat(inside[0]))))
        return ""
    if type_ == "multipart/alternative":
        return _best(inside, attachments)
    if inside:
        return "\n".join(text for inner in inside if (text := _body(inner, attachments)))
    name = file_name(part)
    if type_ not in ("text/plain", "text/html") or is_attachment(part) or name:
        if content := content_of(part):
            attachments.append(Attachment(name, type_, len(content)))
        return ""
    text = text_of_part(part)
    return html_text(text) if type_ == "text/html" else text


def _best(inside: Sequence[Mail], attachments: list[Attachment]) -> str:
    """Of several versions of the same text, the plain one; the last one where it is blank."""
    texts = []
    for inner in inside:
        is_plain = content_type(inner) == "text/plain"
        texts.append((is_plain, _body(inner, attachments)))
    plain = [text for is_plain, text in texts if is_plain and text.strip()]
    return plain[0] if plain else next((text for _, text in reversed(texts) if text.strip()), "")


# -- new and old words -----------------------------------------------------------------------------------


def split_quoted(body: str) -> tuple[str, str]:
    """(new words, repeated words) of a body.

    After "Il giorno … ha scritto:" the lines marked ">" are repeated ones, and others are answers written
    below or between them; where no line is marked, all that follows is repeated. After a head like
    "-----Messaggio originale-----" or "Da: … Inviato: …" all that follows is repeated.
    """
    lines = body.split("\n")
    new: list[str] = []
    old: list[str] = []
    position = 0
    while position < len(lines):
        line = lines[position]
        if line.lstrip().startswith(">"):
            old.append(line)
            position += 1
            continue
        if _starts_original(lines, position):
            old += lines[position:]
            break
        height = _attribution_height(lines, position)
        if height:
            old += lines[position : position + height]
            position += height
            following = next((one for one in lines[position:] if one.strip()), "")
            if not following.lstrip().startswith(">"):
                old += lines[position:]
                break
            continue
        new.append(line)
        position += 1
    return _tidy(new), _tidy(old)


def _attribution_height(lines: Sequence[str], position: int) -> int:
    """How many lines (mail programs break long ones) make up "On … wrote:" here; 0 for none."""
    if not lines[position].strip() or lines[position][0].isspace():
        return 0
    joined = ""
    for height in range(1, 4):
        if position + height > len(lines):
            break
        piece = lines[position + height - 1].strip()
        if not piece or len(joined) > 400:
            break
        joined = f"{joined} {piece}".strip()
        if _ATTRIBUTION.match(joined[:500]):
            return height
    return 0


def _starts_original(lines: Sequence[str], position: int) -> bool:
    line = lines[position][:300]
    if _ORIGINAL.match(line):
        return True
    start = position
    if _RULE.match(line):
        start = next(
            (i for i in range(position + 1, min(position + 3, len(lines))) if lines[i].strip()), position
        )
        if start == position:
            return False
    if not _HEAD_FROM.match(lines[start][:300]):
        return False
    following = [one[:300] for one in lines[start + 1 : start + 6]]
    return any(map(_HEAD_SENT.match, following)) and any(map(_HEAD_TO.match, following))


def _tidy(lines: Sequence[str]) -> str:
    text = "\n".join(line.rstrip() for line in lines)
    return re.sub(r"\n{3,}", "\n\n", text).strip("\n")


def _person(person: tuple[str, str]) -> dict[str, str]:
    return {"name": person[0], "address": person[1]}


def _instant(instant: datetime | None) -> str | None:
    return instant.astimezone(UTC).isoformat() if instant else None
