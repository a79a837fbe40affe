"""What people do with the links in our messages: look, click, opt out.

Opens and clicks are counted only where the company's rules say so, once for each message (and target), and
not for the machines that look at mail before people do. An opt-out always counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction

from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.core.sending import CLICKED, LEFT, OPENED
from saldo.identity.operations import record_event
from saldo.ledger.owed import deciding
from saldo.outreach import deliveries
from saldo.outreach.links import OPEN, OPT_OUT, click_target, token_of_link
from saldo.outreach.models import Delivery, Message
from saldo.outreach.settings import rules_of
from saldo.parties.stops import stop_address

# Scanners follow every link within seconds of a delivery; people do not.
MIN_SECONDS = 15
# Links with other targets in one message; more of them are somebody playing.
MAX_CLICKS = 10


@dataclass(frozen=True, slots=True)
class OptOut:
    """What the page says: in which language, in whose name, and whether it is done."""

    language: str
    company: str
    is_done: bool = False


def clicked(ctx: Context, signed: str, is_person: bool) -> str:
    """Where a tracked link leads; the click is counted if a person made it.

    Raises SaldoError("link_unknown"): one character of it was changed.
    """
    token, url = click_target(signed)
    if is_person:
        _count(ctx, token, CLICKED, url[:1000])
    return url


def opened(ctx: Context, signed: str, is_person: bool) -> None:
    """Raises SaldoError("link_unknown")."""
    token = token_of_link(OPEN, signed)
    if is_person:
        _count(ctx, token, OPENED, "")


def opt_out_page(ctx: Context, signed: str) -> OptOut:
    """Looking changes nothing: mail scanners look at every link. Raises SaldoError("link_unknown")."""
    message = _message(signed)
    return OptOut(message.language, message.company.name)


def opt_out(ctx: Context, signed: str) -> OptOut:
    """Stop the address that the message went to, at once. Raises SaldoError("link_unknown")."""
    message = _message(signed)
    with deciding(ctx, message.account_id) as inner:
        stop_id = stop_address(
            inner, message.channel, message.to_address, "opt_out", company_id=message.company_id
        )
        data = {"message": message.id, "stop": stop_id}
        record_event(inner, "message.opted_out", "account", message.account_id, data)
    return OptOut(message.language, message.company.name, is_done=True)


def _message(signed: str) -> Message:
    found = Message.objects.filter(token=token_of_link(OPT_OUT, signed)).select_related("company").first()
    if found is None or not found.to_address:
        raise SaldoError("link_unknown")
    return found


def _count(ctx: Context, token: str, state: str, detail: str) -> None:
    message = Message.objects.filter(token=token).first()
    if message is None or not rules_of(message.company_id).tracking:
        return
    with transaction.atomic(), deciding(ctx, message.account_id) as inner:
        told = Delivery.objects.filter(message=message)
        counted = told.filter(state=state)
        if counted.filter(detail=detail).exists() or counted.count() >= MAX_CLICKS:
            return
        left = told.filter(state__in=LEFT).order_by("id").first()
        too_soon = left is None or ctx.clock() < left.occurred_at + timedelta(seconds=MIN_SECONDS)
        if not too_soon:
            deliveries.add(inner, message.id, state, detail=detail)
