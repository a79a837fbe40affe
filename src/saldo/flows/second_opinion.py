"""A second opinion on a reply that the classifier is not sure of, where an endpoint for it is configured.

It is asked after the reply was taken in, by a job, and outside of any transaction. It is given the message
that the reply answers and the reply, nothing else. What it says is proposed and never filled in as sure, and
puts on no brake.
"""

from __future__ import annotations

from zoneinfo import ZoneInfo

from saldo.core.context import Context
from saldo.flows.understand_reply import HIGH, MIDDLE
from saldo.outreach import drafting, replies, reply_changes
from saldo.outreach.drafting import CUSTOMER, US, Turn
from saldo.outreach.models import Message
from saldo.outreach.replies import ReplyRow

LEGAL_ZONE = ZoneInfo("Europe/Rome")
# Between what is a guess and what the classifier itself would propose.
CONFIDENCE = 0.5


def is_wanted(row: ReplyRow) -> bool:
    """Whether it would help: a reply of a person that waits, with words that were not surely understood."""
    return (
        row.is_waiting and not row.is_automatic and bool(row.text.strip()) and row.facts.get("zone") != HIGH
    )


def ask(ctx: Context, reply_id: int) -> bool:
    """Keep what the endpoint reads as another reading; False where none was wanted or none came."""
    row = replies.row_of(ctx, reply_id)
    if not drafting.is_on() or not is_wanted(row):
        return False
    opinion = drafting.second_opinion(_thread(row))
    if opinion is None:
        return False
    facts = {key: value for key, value in row.facts.items() if key not in ("sure", "promised_date")}
    facts |= {"zone": MIDDLE, "sure": []}
    if opinion.promised_date is not None:
        facts["promised_date"] = opinion.promised_date.isoformat()
    if opinion.amount_mills is not None:
        facts["amount_mills"] = opinion.amount_mills
    told = {"code": "reply_second_opinion", "params": {"label": opinion.label}}
    reply_changes.add_reading(ctx, reply_id, opinion.label, CONFIDENCE, facts, [told], "endpoint")
    return True


def _thread(row: ReplyRow) -> list[Turn]:
    turns = []
    sent = Message.objects.filter(id=row.message_id).first() if row.message_id else None
    if sent is not None:
        turns.append(Turn(US, sent.as_of, sent.subject, sent.body))
    return [*turns, Turn(CUSTOMER, row.received_at.astimezone(LEGAL_ZONE).date(), row.subject, row.text)]
