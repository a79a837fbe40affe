"""E-mail: by a mail server, by a provider's HTTP interface (django-anymail), or into a folder."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from saldo.outreach.channels import mail_folder, mime
from saldo.outreach.channels.config import Anymail, Folder, Smtp
from saldo.outreach.channels.outgoing import Answer, Outgoing, failed, sent, try_again, unknown
from saldo.outreach.channels.smtp import send_bytes

_BACKEND = re.compile(r"[a-z][a-z0-9_]{1,40}")
# Answers of a provider that say "not now"; other 5xx do not say whether the message was taken.
_NOT_NOW = frozenset({408, 425, 429, 503})


def build(config: Smtp | Anymail | Folder, out: Outgoing, now: datetime) -> bytes:
    """The message's bytes. Raises mime.BadAddress."""
    return mime.as_bytes(mime.build(out, config.from_name, config.from_address, config.reply_to, now))


def send(config: Smtp | Anymail | Folder, out: Outgoing, raw: bytes) -> Answer:
    """Hand the message over."""
    if isinstance(config, Folder):
        return mail_folder.put(config.path, out.token, raw)
    if isinstance(config, Smtp):
        envelope = out.reply_to if config.envelope == "reply" and out.reply_to else config.from_address
        return send_bytes(config, mime.address(envelope), mime.address(out.to_address), raw)
    return _by_provider(config, out, raw)


def _by_provider(config: Anymail, out: Outgoing, raw: bytes) -> Answer:
    from anymail.exceptions import AnymailAPIError, AnymailError, AnymailRecipientsRefused

    if len(raw) > config.max_bytes:
        return failed("too_large", f"{len(raw)} > {config.max_bytes}")
    try:
        backend = backend_of(config)
        message = _message(config, out, backend)
    except mime.BadAddress:
        raise
    except Exception as error:
        # Each provider's library says in its own way what it lacks. Nothing has left, and it is not the
        # message's fault: it may be tried again once the configuration is right.
        return try_again("provider_not_set_up", type(error).__name__)
    try:
        backend.send_messages([message])
    except AnymailRecipientsRefused:
        return failed("recipient_refused", "", is_bad_address=True)
    except AnymailAPIError as error:
        return _refused(config, error)
    except AnymailError as error:
        return failed("provider_refused", type(error).__name__)
    status = message.anymail_status
    told = ", ".join(sorted(str(each) for each in status.status or ()))
    if told in ("rejected", "invalid"):
        return failed("recipient_refused", told, is_bad_address=True)
    return sent(told, str(status.message_id or ""))


def backend_of(config: Anymail) -> Any:
    """The provider's backend, made ready. Raises what its library raises where something is missing."""
    from django.core.mail import get_connection

    if not _BACKEND.fullmatch(config.backend):
        raise ValueError("backend")
    path = f"anymail.backends.{config.backend}.EmailBackend"
    return get_connection(path, fail_silently=False, timeout=config.timeout_seconds, **config.settings)


def _message(config: Anymail, out: Outgoing, backend: Any) -> Any:
    from django.core.mail import EmailMultiAlternatives
    from django.core.mail.message import sanitize_address

    headers: dict[str, str] = {name: mime.one_line(value) for name, value in out.headers.items()}
    if out.rfc_id:
        headers["Message-ID"] = out.rfc_id
    if out.in_reply_to:
        headers |= {"In-Reply-To": out.in_reply_to, "References": out.in_reply_to}
    if out.is_automatic:
        headers["Auto-Submitted"] = "auto-generated"
    answers = out.reply_to or config.reply_to
    made = EmailMultiAlternatives(
        mime.one_line(out.subject),
        out.text,
        sanitize_address((config.from_name, config.from_address), "utf-8"),
        [sanitize_address((mime.one_line(out.to_name), mime.address(out.to_address)), "utf-8")],
        connection=backend,
        headers=headers,
        reply_to=[answers] if answers else None,
    )
    if out.html:
        made.attach_alternative(out.html, "text/html")
    for name, content_type, data in out.attachments:
        made.attach(mime.one_line(name), data, content_type)
    return made


def _refused(config: Anymail, error: Any) -> Answer:
    """What a failed request says about whether the provider took the message."""
    if error.response is None:
        return _not_answered(error)
    code = error.status_code
    detail = f"{code} {_without_secrets(error.response.text, config.settings)}"
    if code in _NOT_NOW:
        return try_again("provider_not_now", detail)
    if code in (401, 403):
        return try_again("provider_login", detail)
    if code // 100 == 4:
        return failed("provider_refused", detail)
    # A success that cannot be read, or a server's error: it may have been taken.
    return unknown("provider_odd_answer", detail)


def _not_answered(error: Any) -> Answer:
    """Nothing came back: it has not left only where not even a connection was made."""
    import requests
    from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NewConnectionError

    cause = error.__cause__
    reason = cause.args[0] if cause is not None and cause.args else None
    reason = reason.reason if isinstance(reason, MaxRetryError) else reason
    told = type(cause or error).__name__
    if isinstance(cause, requests.exceptions.SSLError | requests.exceptions.ConnectTimeout):
        return try_again("provider_not_reached", told)
    if isinstance(reason, NewConnectionError | ConnectTimeoutError):
        return try_again("provider_not_reached", type(reason).__name__)
    return unknown("provider_no_answer", told)


def _without_secrets(text: str, settings: Mapping[str, Any]) -> str:
    for value in settings.values():
        if isinstance(value, str) and len(value) > 5:
            text = text.replace(value, "***")
    return text
