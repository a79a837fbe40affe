"""Keeping what came back: replies, what was understood of them, what was done about them. Rows are only
added."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.identity.operations import record_event, stamped
from saldo.outreach.models import Delivery, Reply, ReplyHandling, ReplyReading
from saldo.outreach.replies import account_of


@dataclass(frozen=True, slots=True)
class NewReply:
    """A message from outside as it is kept; the fields are those of the table."""

    document_id: int
    channel: str
    received_at: datetime
    company_id: int | None = None
    account_id: int | None = None
    message_id: int | None = None
    rfc_id: str = ""
    from_address: str = ""
    from_name: str = ""
    subject: str = ""
    text: str = ""
    is_automatic: bool = False
    threaded_by: str = ""
    is_trusted: bool = False
    notes: list[dict[str, Any]] = field(default_factory=list)


def recorded(ctx: Context, company_id: int | None) -> Context:
    """The context stamped for a company, or, for what is nobody's yet, only dated."""
    if company_id is not None:
        return stamped(ctx, company_id)
    return replace(ctx, recorded_at=ctx.recorded_at or ctx.clock(), company_id=None)


def keep_reply(ctx: Context, new: NewReply) -> int:
    """Keep it and tell its account's history. ``ctx`` is stamped; returns the reply's id."""
    made = Reply.objects.create(
        document_id=new.document_id, channel=new.channel, received_at=new.received_at,
        company_id=new.company_id, account_id=new.account_id, message_id=new.message_id,
        rfc_id=_clean(new.rfc_id, 300), from_address=_clean(new.from_address, 300),
        from_name=_clean(new.from_name, 200), subject=_clean(new.subject, 300),
        text=new.text.replace("\x00", ""), is_automatic=new.is_automatic, threaded_by=new.threaded_by,
        is_trusted=new.is_trusted, notes=new.notes, recorded_at=ctx.recorded_at,
    )  # fmt: skip
    if new.account_id is not None:
        data = {"reply": made.id, "subject": made.subject, "from": made.from_address}
        record_event(ctx, "reply.received", "account", new.account_id, data)
    return int(made.id)


def add_reading(
    ctx: Context,
    reply_id: int,
    label: str,
    confidence: float,
    facts: dict[str, Any],
    reasons: list[dict[str, Any]],
    model: str,
) -> int:
    """What a model understood; the last reading counts."""
    made = ReplyReading.objects.create(
        reply_id=reply_id, label=label, confidence=confidence, facts=facts, reasons=reasons, model=model[:60],
        recorded_at=ctx.recorded_at or ctx.clock(),
    )  # fmt: skip
    return int(made.id)


def add_handling(
    ctx: Context, reply_id: int, act: str, data: dict[str, Any] | None = None, note: str = ""
) -> int:
    """What was done about a reply; the last one counts. Raises SaldoError("reply_unknown")."""
    with transaction.atomic():
        found = Reply.objects.filter(id=reply_id).first()
        if found is None:
            raise SaldoError("reply_unknown", reply=reply_id)
        account_id = account_of(reply_id) or (data or {}).get("account_id")
        inner = recorded(ctx, found.company_id)
        made = ReplyHandling.objects.create(
            reply_id=reply_id, act=act, data=data or {}, note=note, actor=ctx.actor,
            recorded_at=inner.recorded_at,
        )  # fmt: skip
        if account_id is not None and inner.company_id is not None:
            told = {"reply": reply_id, "act": act, **(data or {}), "note": note}
            record_event(inner, "reply.handled", "account", account_id, told)
    return int(made.id)


def last_data(reply_id: int) -> dict[str, Any]:
    """The ids of what the last handling recorded."""
    found = ReplyHandling.objects.filter(reply_id=reply_id).order_by("-id").first()
    return dict(found.data) if found else {}


# -- what came already -------------------------------------------------------------------------------------


def taken_as(document_id: int) -> tuple[str, int | None] | None:
    """("reply", its id) or ("delivery", the message's id) of a document that was taken in already."""
    reply = Reply.objects.filter(document_id=document_id).values_list("id", flat=True).first()
    if reply is not None:
        return "reply", reply
    message = Delivery.objects.filter(document_id=document_id).values_list("message_id", flat=True).first()
    return ("delivery", message) if message is not None else None


def same_message(rfc_id: str, from_address: str, text: str) -> int | None:
    """A reply with the same Message-ID, sender and words: the same message by another way. Another text under
    the same identifier is another message."""
    if not rfc_id:
        return None
    found = Reply.objects.filter(rfc_id=rfc_id[:300], from_address=from_address[:300])
    return next((one.id for one in found if one.text == text.replace("\x00", "")), None)


def count_from(from_address: str, now: datetime, automatic_only: bool) -> int:
    """How many messages came from an address within the last hour."""
    found = Reply.objects.filter(
        from_address=from_address, recorded_at__gt=now - timedelta(hours=1), recorded_at__lte=now
    )
    return (found.filter(is_automatic=True) if automatic_only else found).count()


def _clean(text: str, length: int) -> str:
    return "".join(c if c.isprintable() else " " for c in text)[:length]
