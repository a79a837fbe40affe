"""One account's history in one list: money, dates, messages and replies, agreements, what people did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from saldo.collection.queries import OutcomeRow
from saldo.core.context import Context
from saldo.identity.queries import events_of
from saldo.interfaces.web.event_words import event_words
from saldo.ledger.statement import history
from saldo.outreach.desk import (
    OUTGOING_STATES,
    SENT_DAYS,
    MessageRow,
    ReplyLine,
    messages,
    replies_of_account,
)

# Of a day, what people did comes above what came of it.
_ORDER = {"ledger": 0, "event": 1, "message": 2, "reply": 3, "person": 4}


@dataclass(frozen=True, slots=True)
class Moment:
    """One line. source: "ledger" (kind and params make its text), "event" (its text is ready), "message",
    "reply" or "person" (an outcome)."""

    on: date
    source: str
    kind: str
    params: dict[str, Any] = field(default_factory=dict)
    outcome: OutcomeRow | None = None
    message: MessageRow | None = None
    reply: ReplyLine | None = None
    text: str = ""
    actor: str = ""


def timeline(ctx: Context, account_id: int, outcomes: Sequence[OutcomeRow], limit: int) -> list[Moment]:
    """The newest ``limit`` lines, as of the context's day and as known then."""
    moments = [
        Moment(row.effective_date, "ledger", row.kind, row.params) for row in history(ctx, account_id, limit)
    ]
    moments += [
        Moment(row.as_of, "person", row.state, outcome=row)
        for row in outcomes
        if row.as_of <= ctx.as_of and (ctx.known_at is None or row.recorded_at <= ctx.known_at)
    ]
    moments += _written(ctx, account_id, limit) + _told(ctx, account_id, limit)
    moments.sort(key=lambda moment: (moment.on, _ORDER[moment.source]), reverse=True)
    return moments[:limit]


def _written(ctx: Context, account_id: int, limit: int) -> list[Moment]:
    """Messages that were sent or failed, and what came back."""
    since = ctx.as_of - timedelta(days=SENT_DAYS)
    sent = messages(ctx, since, without=OUTGOING_STATES, limit=limit, account_id=account_id)
    came = replies_of_account(account_id, limit)
    found = [Moment(row.as_of, "message", row.state, message=row) for row in sent]
    found += [Moment(row.received_at.date(), "reply", row.label or "", reply=row) for row in came]
    at = ctx.known_at
    return [
        one for one in found if one.on <= ctx.as_of and (at is None or _known(one.message, one.reply) <= at)
    ]


def _known(message: MessageRow | None, reply: ReplyLine | None) -> Any:
    return message.recorded_at if message is not None else reply.received_at if reply is not None else None


def _told(ctx: Context, account_id: int, limit: int) -> list[Moment]:
    """Agreements, objections and addresses, from the events."""
    found = []
    for row in events_of("account", account_id, limit * 3):
        if row["effective_date"] > ctx.as_of or (ctx.known_at and row["recorded_at"] > ctx.known_at):
            continue
        if text := event_words(row["kind"], row["data"]):
            found.append(Moment(row["effective_date"], "event", row["kind"], text=text, actor=row["actor"]))
    return found
