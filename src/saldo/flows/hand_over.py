"""A message becomes bytes and is handed to its channel. No transaction is open meanwhile."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape, unescape

from django.db import InterfaceError, OperationalError

from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.core.playbook import EMAIL, FORMAL_NOTICE, LETTER, PEC, PORTAL, PURPOSES, SMS
from saldo.core.sending import SENDING, SendingRules
from saldo.core.text_tables import html_of
from saldo.intake.operations import keep_document
from saldo.outreach.channels import email, letter_folder, pec, portal, sms
from saldo.outreach.channels.config import CompanyChannels, channels
from saldo.outreach.channels.mime import BadAddress
from saldo.outreach.channels.outgoing import Answer, Outgoing, failed, try_again, unknown
from saldo.outreach.deliveries import last
from saldo.outreach.links import (
    OWN_HEADER,
    open_pixel,
    public_url,
    reply_address,
    tracked,
    unsubscribe_headers,
)
from saldo.outreach.models import Message
from saldo.outreach.rendering import attachments_of, letter_pdf
from saldo.parties.models import Consent
from saldo.parties.stops import TRACKING

logger = logging.getLogger(__name__)
_HREF = re.compile(r'href="([^"]+)"')


@dataclass(frozen=True, slots=True)
class Handed:
    """What the channel answered, and the document with the bytes that it was given (None: there are none)."""

    answer: Answer
    document_id: int | None = None


@dataclass(frozen=True, slots=True)
class _Job:
    ctx: Context
    message: Message
    rules: SendingRules
    channels: CompanyChannels


# Makes the bytes, and gives the deed that hands them over. Until that deed is done nothing can have left.
_Ready = tuple[bytes | None, str, Callable[[], Answer]]


class NotSetUp(Exception):
    """The company has no account for this channel."""


def hand_over(ctx: Context, message: Message, rules: SendingRules, attempt: int) -> Handed:
    """Make the message's bytes, keep them, hand them over. Never raises: what goes wrong is the answer.

    Just before it lets go it looks whether the attempt is still its own: where the session was lost, somebody
    may have called the outcome unknown meanwhile and decided about it.
    """
    code = message.company.code
    document_id = None
    try:
        ready = _PREPARE[message.channel](_Job(ctx, message, rules, channels().of(code)))
        raw, suffix, deed = ready
        if raw is not None:
            document_id = keep_document(ctx, f"message-{message.id}-{attempt}.{suffix}", raw)
        newest = last(message.id)
        if newest is None or (newest.state, newest.attempt) != (SENDING, attempt):
            return Handed(failed("overtaken"), document_id)
    except BadAddress:
        return Handed(failed("address_invalid", message.to_address, is_bad_address=True))
    except NotSetUp:
        return Handed(try_again("channel_not_set_up", message.channel))
    except SaldoError as error:
        # The file of the channels, or an attachment that cannot be made: somebody has to see to it.
        logger.warning("message %s was not made: %s", message.id, error.code)
        return Handed(try_again(error.code))
    except (OperationalError, InterfaceError) as error:
        return Handed(try_again("not_made", type(error).__name__))
    except Exception as error:
        logger.exception("message %s was not made", message.id)
        return Handed(failed("not_made", type(error).__name__))
    try:
        return Handed(deed(), document_id)
    except Exception as error:
        # Nobody knows how far it came.
        logger.exception("message %s: its channel failed", message.id)
        return Handed(unknown("channel_failed", type(error).__name__), document_id)


def _outgoing(job: _Job, **more: object) -> Outgoing:
    message = job.message
    answered = message.in_reply_to
    given: dict[str, object] = {
        "token": message.token,
        "to_name": message.to_name,
        "to_address": message.to_address,
        "subject": message.subject,
        "text": message.body,
        "rfc_id": message.rfc_id or "",
        "in_reply_to": f"<{answered.rfc_id.strip('<>')}>" if answered and answered.rfc_id else "",
        "is_automatic": message.action_id is not None or message.purpose in PURPOSES,
        **more,
    }
    return Outgoing(**given)  # type: ignore[arg-type]


def _email(job: _Job) -> _Ready:
    config = job.channels.smtp or job.channels.anymail
    if config is None:
        raise NotSetUp
    message = job.message
    headers: dict[str, str] = {OWN_HEADER: message.token}
    if message.purpose in PURPOSES and message.purpose != FORMAL_NOTICE:
        headers |= unsubscribe_headers(message.token, message.company.code)
    out = _outgoing(
        job,
        html=_html(job),
        reply_to=reply_address(message.token, message.company.code),
        headers=headers,
        attachments=tuple(attachments_of(job.ctx, message.id)),
    )
    raw = email.build(config, out, job.ctx.clock())
    return raw, "eml", lambda: email.send(config, out, raw)


def _html(job: _Job) -> str:
    """The text as HTML. Its links and a pixel tell of being looked at only where the company wants that and
    the contact has agreed; the way out and other pages of ours are left as they are."""
    message, base = job.message, public_url()
    html = html_of(message.body, message.subject)
    if not (job.rules.tracking and base and _has_agreed(message.contact_id)):
        return html

    def told(found: re.Match[str]) -> str:
        url = unescape(found[1])
        return f'href="{escape(url if url.startswith(base) else tracked(url, message.token, job.rules))}"'

    pixel = f'<img src="{open_pixel(message.token, job.rules)}" width="1" height="1" alt="">'
    return _HREF.sub(told, html).replace("</body>", f"{pixel}</body>")


def _has_agreed(contact_id: int | None) -> bool:
    given = Consent.objects.filter(contact_id=contact_id, channel=TRACKING).order_by("-id")
    return contact_id is not None and bool(given.values_list("is_given", flat=True).first())


def _pec(job: _Job) -> _Ready:
    config = job.channels.pec_smtp
    if config is None:
        raise NotSetUp
    headers = {OWN_HEADER: job.message.token}
    out = _outgoing(job, headers=headers, attachments=tuple(attachments_of(job.ctx, job.message.id)))
    raw = pec.build(config, out, job.ctx.clock())
    return raw, "eml", lambda: pec.send(config, out, raw)


def _letter(job: _Job) -> _Ready:
    pdf = letter_pdf(job.ctx, job.message.id)
    is_registered = "yes" if job.message.purpose == FORMAL_NOTICE else "no"
    details = {
        "company": job.message.company.code, "language": job.message.language, "registered": is_registered,
    }  # fmt: skip
    out = _outgoing(job, details=details)
    return pdf, "pdf", lambda: letter_folder.send(job.rules.letter_folder, out, pdf)


def _sms(job: _Job) -> _Ready:
    config = job.channels.sms
    if config is None:
        raise NotSetUp
    country = job.message.account.customer.country or job.message.company.country
    out = _outgoing(job, details={"country": country})
    return None, "", lambda: sms.send(config, out)


def _portal(job: _Job) -> _Ready:
    return None, "", lambda: portal.send(_outgoing(job))


_PREPARE: Mapping[str, Callable[[_Job], _Ready]] = {
    EMAIL: _email, PEC: _pec, LETTER: _letter, SMS: _sms, PORTAL: _portal,
}  # fmt: skip
