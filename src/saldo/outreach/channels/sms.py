"""SMS by a gateway that apprise knows.

apprise only says whether it worked. What it tells its log while it tries says more: which HTTP answer came,
or that not even a connection was made. Where that is not clear the outcome is unknown.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil
from urllib.parse import quote

from saldo.core.addresses import is_phone, phone_number
from saldo.outreach.channels.config import Sms
from saldo.outreach.channels.outgoing import Answer, Outgoing, failed, sent, try_again, unknown

# GSM 03.38: letters of one septet, and those of two.
_GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_TWO = frozenset("^{}\\[~]|€")
_NOT_CONNECTED = ("NewConnectionError", "ConnectTimeoutError", "NameResolutionError", "SSLError")
_ANSWERED = re.compile(r"error=(\d{3})")


def parts(text: str) -> int:
    """How many messages the gateway will charge for this text."""
    if all(c in _GSM or c in _GSM_TWO for c in text):
        length, one, many = sum(2 if c in _GSM_TWO else 1 for c in text), 160, 153
    else:
        length, one, many = len(text.encode("utf-16-be")) // 2, 70, 67
    return 1 if length <= one else ceil(length / many)


def send(config: Sms, out: Outgoing) -> Answer:
    """Hand the text to the gateway."""
    number = phone_number(out.to_address, out.details.get("country", "IT"))
    if not is_phone(number):
        return failed("address_invalid", is_bad_address=True)
    if (count := parts(out.text)) > config.max_parts:
        return failed("too_long", f"{count} > {config.max_parts}")
    import apprise

    url = config.urls[0].replace("{to}", quote(number, safe=""))
    gateway = apprise.Apprise.instantiate(url, suppress_exceptions=True)
    if gateway is None:
        return try_again("gateway_not_set_up")
    with _told_by_apprise() as told:
        done = gateway.notify(body=out.text, body_format="text")
    return sent() if done else _reason(told)


def _reason(told: list[str]) -> Answer:
    text = "\n".join(told)
    if any(word in text for word in _NOT_CONNECTED):
        return try_again("gateway_not_reached")
    answer = _ANSWERED.search(text)
    code = int(answer[1]) if answer else 0
    if code in (401, 403, 429, 503):
        return try_again("gateway_not_now", str(code))
    if code // 100 == 4:
        return failed("gateway_refused", str(code))
    return unknown("gateway_no_answer", str(code) if code else "")


class _OfThisThread(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.thread, self.told = threading.get_ident(), list[str]()

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self.thread:
            self.told.append(record.getMessage())


@contextmanager
def _told_by_apprise() -> Iterator[list[str]]:
    """What apprise logs meanwhile in this thread. It goes nowhere else: it may hold a gateway's key."""
    logger, handler = logging.getLogger("apprise"), _OfThisThread()
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    logger.addHandler(handler)
    try:
        yield handler.told
    finally:
        logger.removeHandler(handler)
