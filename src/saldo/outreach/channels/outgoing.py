"""What every channel is given and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from saldo.core.sending import FAILED, POSTPONED, SENT, UNKNOWN


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message as it leaves.

    text: plain text; html: the same for e-mail ("": none). rfc_id: Message-ID with its brackets. reply_to:
    the message's signed address ("": the account's). in_reply_to: Message-ID of what it answers. headers:
    further ones. attachments: (name, content type, bytes). token: names it wherever a name is needed.
    """

    token: str
    to_name: str
    to_address: str
    subject: str
    text: str
    html: str = ""
    rfc_id: str = ""
    reply_to: str = ""
    in_reply_to: str = ""
    is_automatic: bool = True
    headers: Mapping[str, str] = field(default_factory=dict)
    attachments: tuple[tuple[str, str, bytes], ...] = ()
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of it. state: sent, printed or published; failed (it did not leave and trying again does
    not help); postponed (it did not leave, and may be tried again); unknown (it may have left).

    code: which refusal. detail: the server's words, clipped. provider_id: the other side's name for it.
    is_bad_address: the address itself was refused for good.
    """

    state: str
    code: str = ""
    detail: str = ""
    provider_id: str = ""
    is_bad_address: bool = False


def sent(detail: str = "", provider_id: str = "", code: str = "") -> Answer:
    return Answer(SENT, code, clip(detail), provider_id[:200])


def failed(code: str, detail: str = "", is_bad_address: bool = False) -> Answer:
    return Answer(FAILED, code, clip(detail), is_bad_address=is_bad_address)


def try_again(code: str, detail: str = "") -> Answer:
    return Answer(POSTPONED, code, clip(detail))


def unknown(code: str, detail: str = "") -> Answer:
    return Answer(UNKNOWN, code, clip(detail))


def clip(text: str, length: int = 500) -> str:
    """One line, short, and without what a terminal or a database would not take."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:length]
