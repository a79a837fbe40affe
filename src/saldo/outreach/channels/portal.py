"""The customer portal: a message becomes a notice that the customer finds there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from saldo.core.sending import PUBLISHED
from saldo.outreach.channels.outgoing import Answer, Outgoing
from saldo.outreach.models import Delivery


@dataclass(frozen=True, slots=True)
class Notice:
    message_id: int
    subject: str
    text: str
    published_at: datetime


def send(out: Outgoing) -> Answer:
    """Publishing is the record itself, so it cannot fail."""
    return Answer(PUBLISHED)


def portal_notices(account_id: int, limit: int = 50) -> list[Notice]:
    """What has been published for an account, the newest first."""
    found = Delivery.objects.filter(
        message__account_id=account_id, message__channel="portal", state=PUBLISHED
    ).select_related("message")
    return [
        Notice(row.message_id, row.message.subject, row.message.body, row.occurred_at)
        for row in found.order_by("-occurred_at", "-id")[:limit]
    ]
