"""Receipts and reports of mail servers: what became of a message of ours, believed only where it is certain
which one it was.

A receipt of PEC counts in a mailbox of PEC, with a daticert.xml that says the same as its headers, about a
message that was sent, to its recipient. A report of a mail server counts where it returns the Message-ID that
only the way of the message knows, or came to the message's signed address. Everything else is kept as mail,
with the reason; nobody can stop a customer's address by writing us a letter.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.core.playbook import PEC
from saldo.core.sending import ACCEPTED, BOUNCED, COMPLAINT, DELIVERED, FAILED, LEFT, SENT
from saldo.formats.delivery_reports import BOUNCE, DELAY, DELIVERY, READ, DeliveryReport
from saldo.formats.delivery_reports import COMPLAINT as COMPLAINED
from saldo.formats.incoming import IncomingMail
from saldo.formats.pec import PecReceipt
from saldo.ledger.owed import deciding
from saldo.outreach import deliveries
from saldo.outreach.models import Delivery, Message
from saldo.parties.stops import stop_address

# Refusals that may pass (a full mailbox) stop an address when so many messages met them within so many days.
SOFT_BOUNCES, SOFT_DAYS = 3, 60
SOFT, HARD, ELSEWHERE = "soft_bounce", "hard_bounce", "bounced_elsewhere"
# Codes of daticert.xml for an address, or a domain, that is not there.
_NO_ADDRESS = frozenset({"no-dest", "no-dominio"})

Note = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reported:
    """kind: receipt, bounce, complaint or duplicate; message_id: ours that it is about. Or, with notes and no
    message: why it is not believed, or that nothing follows from it."""

    kind: str = ""
    message: Message | None = None
    notes: tuple[Note, ...] = ()
    is_idle: bool = False


def note(code: str, **params: Any) -> Note:
    return {"code": code, "params": params}


# -- PEC ---------------------------------------------------------------------------------------------------


def take_receipt(ctx: Context, mail: IncomingMail, channel: str, document_id: int) -> Reported:
    """Record what a receipt of PEC says."""
    receipt = mail.receipt
    assert receipt is not None, "called for a receipt"
    if channel != PEC:
        return Reported(notes=(note("pec_receipt_elsewhere"),))
    if mail.doubts:
        return Reported(notes=tuple(note(code) for code in mail.doubts))
    message = Message.objects.filter(rfc_id=receipt.reference_message_id, channel=PEC).first()
    if message is None:
        return Reported(notes=(note("pec_receipt_not_ours"),), is_idle=True)
    about = receipt.delivered_to
    if about and about != message.to_address.lower():
        return Reported(notes=(note("pec_receipt_other_recipient", address=about),))
    state, code = _state_of_receipt(receipt)
    if state is None:
        return Reported(message=message, notes=(), is_idle=True)
    # What answers to a PEC will name is its provider's identifier, so it is kept.
    detail = receipt.identifier or "" if state in (ACCEPTED, DELIVERED) else receipt.error_text or ""
    done = _recorded(ctx, message, state, code, detail, document_id, receipt.date)
    if done.kind == "receipt" and state == BOUNCED and receipt.error in _NO_ADDRESS:
        _stop(ctx, message, "bounced", document_id, receipt.error_text or receipt.error or "")
    return done


def _state_of_receipt(receipt: PecReceipt) -> tuple[str | None, str]:
    if receipt.outcome == "accepted":
        return ACCEPTED, ""
    if receipt.outcome == "delivered":
        return DELIVERED, ""
    if receipt.outcome == "refused":
        return FAILED, "pec_refused"
    if receipt.outcome == "failed":
        return BOUNCED, f"pec_{receipt.error or 'failed'}"
    if receipt.outcome == "delayed":
        return SENT, "delayed"
    return None, ""


# -- e-mail ------------------------------------------------------------------------------------------------


def take_report(ctx: Context, report: DeliveryReport, token: str | None, document_id: int) -> Reported:
    """Record what a mail server (or the recipient's provider, of a complaint) says."""
    message = _message_of(report, token)
    if report.kind == READ:
        return Reported(message=message, notes=(note("mail_read_receipt"),), is_idle=True)
    if message is None:
        return Reported(notes=(note("mail_report_not_ours"),), is_idle=report.kind != COMPLAINED)
    if report.kind == COMPLAINED:
        done = _recorded(ctx, message, COMPLAINT, "", "", document_id, None)
        if done.kind == "receipt":
            _stop(ctx, message, "complaint", document_id, "")
            return Reported("complaint", message)
        return done
    own = [one for one in report.recipients if one.address == message.to_address.lower()]
    told = (own or list(report.recipients) or [None])[0]
    detail = f"{told.status} {told.detail}".strip() if told else ""
    if report.kind in (DELAY, DELIVERY):
        state, code = (SENT, "delayed") if report.kind == DELAY else (DELIVERED, "")
        return _recorded(ctx, message, state, code, detail, document_id, None)
    assert report.kind == BOUNCE
    # A report about another address than ours says that somebody's forwarding is broken.
    is_ours = bool(own) or not report.recipients
    code = HARD if told and told.is_permanent and is_ours else SOFT if is_ours else ELSEWHERE
    done = _recorded(ctx, message, BOUNCED, code, detail, document_id, None)
    if done.kind != "receipt":
        return done
    if code == HARD or (code == SOFT and _soft_bounces(ctx, message) >= SOFT_BOUNCES):
        _stop(ctx, message, "bounced", document_id, detail)
    return Reported("bounce", message)


def _message_of(report: DeliveryReport, token: str | None) -> Message | None:
    wanted = list(report.original_ids)[:20]
    found = Message.objects.filter(rfc_id__in=wanted).first() if wanted else None
    if found is None and token:
        found = Message.objects.filter(token=token).first()
    return found


def _soft_bounces(ctx: Context, message: Message) -> int:
    """How many messages to the address met a passing refusal lately."""
    since = ctx.clock() - timedelta(days=SOFT_DAYS)
    found = Delivery.objects.filter(
        state=BOUNCED, code=SOFT, message__to_address__iexact=message.to_address, recorded_at__gte=since
    )
    return found.values("message_id").distinct().count()


# -- both --------------------------------------------------------------------------------------------------


def _recorded(
    ctx: Context,
    message: Message,
    state: str,
    code: str,
    detail: str,
    document_id: int,
    occurred_at: datetime | None,
) -> Reported:
    """One delivery under the account's lock; what was told before in the same words adds nothing."""
    with deciding(ctx, message.account_id) as inner:
        told = Delivery.objects.filter(message=message, state=state, code=code, document__isnull=False)
        if state != SENT and told.exists():
            return Reported("duplicate", message)
        try:
            deliveries.add(
                inner, message.id, state, code=code, detail=detail, document_id=document_id,
                occurred_at=_not_later(occurred_at, ctx.clock()),
            )  # fmt: skip
        except SaldoError as error:
            if error.code != "delivery_not_possible":
                raise
            # It never left, so this is about something else.
            is_pec = message.channel == PEC
            return Reported(notes=(note("pec_receipt_not_ours" if is_pec else "mail_report_not_ours"),))
    return Reported("receipt", message)


def _not_later(instant: datetime | None, now: datetime) -> datetime | None:
    return None if instant is None else min(instant, now)


def _stop(ctx: Context, message: Message, reason: str, document_id: int, text: str) -> None:
    stop_address(
        ctx, message.channel, message.to_address, reason, company_id=message.company_id,
        document_id=document_id, note=text[:300],
    )  # fmt: skip


def has_left(message_id: int) -> bool:
    return deliveries.state_of(message_id) in LEFT
