"""Signed things in messages: the address to answer to, links that tell of a click, the way to opt out.

    reply_address, token_in      crediti+<token>.<mac>@example.com, and back
    tracked, open_pixel          links of our own, only where the company's rules allow it
    opt_out_url                  always, as long as Saldo has a public address

Everything is signed with the installation's key. A link's target stands in the link itself under the same
signature, so that nobody can make Saldo lead elsewhere; a token alone tells nothing about anyone.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings
from django.core import signing
from django.utils.crypto import constant_time_compare, salted_hmac

from saldo.core.errors import SaldoError
from saldo.core.sending import SendingRules
from saldo.outreach.channels.config import channels

# The header of every message that Saldo sends: one that comes back to its own mailbox is known by it.
OWN_HEADER = "X-Saldo-Message"
# The subject of the message that a mail program's "unsubscribe" button sends.
OPT_OUT_SUBJECT = "STOP"
CLICK, OPEN, OPT_OUT, SURVEY, OFFER = "c", "o", "x", "s", "p"

# Characters of base32 (5 bits each): short in an address, where guessing needs a mail each; longer in links.
_ADDRESS_MAC, _LINK_MAC = 8, 16
_TOKEN = r"[a-z0-9_-]{8,24}"
_SIGNED_TOKEN = re.compile(rf"({_TOKEN})\.([a-z2-7]{{{_LINK_MAC}}})")
_SIGNED_PART = re.compile(rf"({_TOKEN})\.([a-z2-7]{{{_ADDRESS_MAC}}})")
MAX_TARGET_CHARACTERS = 1_500


@dataclass(frozen=True, slots=True)
class TokenFound:
    """token: of a message of ours, by an address with a good signature. is_tampered: an address looked like
    ours and its signature is wrong."""

    token: str | None
    is_tampered: bool = False


def _mac(purpose: str, text: str, length: int, secret: str | None = None) -> str:
    digest = salted_hmac(f"saldo.links.{purpose}", text, secret=secret, algorithm="sha256").digest()
    return base64.b32encode(digest)[:length].lower().decode()


def _is_signed(purpose: str, text: str, mac: str) -> bool:
    secrets = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    return any(constant_time_compare(_mac(purpose, text, len(mac), secret), mac) for secret in secrets)


# -- the address to answer to ------------------------------------------------------------------------------


def own_address(company_code: str) -> str:
    """The mailbox that answers to the company's messages come to; empty where none is configured."""
    own = channels().of(company_code)
    if own.imap is not None and own.imap.address:
        return own.imap.address.lower()
    sender = own.smtp or own.anymail
    return sender.from_address.lower() if sender is not None else ""


def mail_domain(company_code: str) -> str:
    """The domain of the company's own Message-IDs; empty where no mailbox is configured."""
    return own_address(company_code).rpartition("@")[2]


def reply_address(token: str, company_code: str) -> str:
    """The company's mailbox with the message's token and its signature in it; empty without a mailbox."""
    local, _, domain = own_address(company_code).rpartition("@")
    if not local:
        return ""
    return f"{local}+{token.lower()}.{_mac('reply', token.lower(), _ADDRESS_MAC)}@{domain}"


def token_in(addresses: Iterable[str]) -> TokenFound:
    """The token in the first of our signed addresses among those that a message was sent to."""
    is_tampered = False
    for address in addresses:
        signed = address.lower().rpartition("@")[0].rpartition("+")[2]
        found = _SIGNED_PART.fullmatch(signed)
        if found is None:
            continue
        if _is_signed("reply", found.group(1), found.group(2)):
            return TokenFound(found.group(1))
        is_tampered = True
    return TokenFound(None, is_tampered)


# -- links -------------------------------------------------------------------------------------------------


def public_url() -> str:
    """Where customers reach this installation, without a slash at the end; empty: they do not."""
    return channels().public_url.rstrip("/")


def tracked(url: str, token: str, rules: SendingRules) -> str:
    """A link of ours that leads to ``url`` and tells of the click; ``url`` itself where that is not allowed,
    or it is no address of the web."""
    base = public_url()
    if not (rules.tracking and base) or urlsplit(url).scheme not in ("http", "https"):
        return url
    if len(url) > MAX_TARGET_CHARACTERS:
        return url
    return f"{base}/l/{CLICK}/{_signer().sign_object([token, url])}"


def open_pixel(token: str, rules: SendingRules) -> str:
    """The address of an image that tells that the message was looked at; empty where that is not allowed."""
    base = public_url()
    return f"{base}/l/{OPEN}/{_signed(OPEN, token)}.gif" if rules.tracking and base else ""


def opt_out_url(token: str) -> str:
    """The page on which whoever got the message says that nothing more shall come; empty without a public
    address."""
    base = public_url()
    return f"{base}/l/{OPT_OUT}/{_signed(OPT_OUT, token)}" if base else ""


def survey_url(token: str) -> str:
    """The page with the two questions of a survey; empty without a public address."""
    base = public_url()
    return f"{base}/l/{SURVEY}/{_signed(SURVEY, token)}" if base else ""


def offer_url(token: str) -> str:
    """The page on which a customer reads an offer and accepts it; without a public address only its path."""
    return f"{public_url()}/l/{OFFER}/{_signed(OFFER, token)}"


def portal_url(token: str) -> str:
    """The customer's own page; empty, since there is none yet."""
    return ""


def unsubscribe_headers(token: str, company_code: str) -> dict[str, str]:
    """List-Unsubscribe (RFC 2369) by mail and, with a public address, by one click (RFC 8058)."""
    ways = []
    headers: dict[str, str] = {}
    if url := opt_out_url(token):
        ways.append(f"<{url}>")
        headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    if address := reply_address(token, company_code):
        ways.append(f"<mailto:{address}?subject={OPT_OUT_SUBJECT}>")
    return {"List-Unsubscribe": ", ".join(ways)} | headers if ways else {}


def click_target(signed: str) -> tuple[str, str]:
    """(token, url) of a tracked link. Raises SaldoError("link_unknown") where one character was changed."""
    try:
        token, url = _signer().unsign_object(signed)
    except (signing.BadSignature, ValueError, TypeError) as error:
        raise SaldoError("link_unknown") from error
    return str(token), str(url)


def token_of_link(purpose: str, signed: str) -> str:
    """The token of a link to open or to opt out. Raises SaldoError("link_unknown")."""
    found = _SIGNED_TOKEN.fullmatch(signed)
    if found is None or not _is_signed(purpose, found.group(1), found.group(2)):
        raise SaldoError("link_unknown")
    return found.group(1)


def _signed(purpose: str, token: str) -> str:
    return f"{token}.{_mac(purpose, token, _LINK_MAC)}"


def _signer() -> signing.Signer:
    return signing.Signer(salt="saldo.links.click", sep=".")
