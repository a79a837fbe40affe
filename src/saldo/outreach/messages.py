"""Making messages: what was decided and worded becomes a row, its items, and its first delivery (queued).

A message exists once for its key, whoever asks and however often. Its token, which stands in the address to
answer to and in links, follows from the key and the installation's secret, so it is the same when a message
is made again after a crash, and nobody can guess it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl
from django.conf import settings
from django.db import transaction

from saldo.core.context import Context
from saldo.core.playbook import EMAIL, PEC
from saldo.core.sending import QUEUED
from saldo.identity.models import Company
from saldo.identity.operations import stamped
from saldo.outreach.links import mail_domain
from saldo.outreach.models import Message
from saldo.storage.frames import copy_in, reserve_ids

TOKEN_CHARACTERS = 24
# Where no mailbox is set: a name that no mail server can have (RFC 6761).
_NO_DOMAIN = "saldo.invalid"


@dataclass(frozen=True, slots=True)
class DraftItem:
    """An item that a message asks for, and the level that it reaches once the message is sent."""

    item_id: int
    asked_mills: int
    level: int = 0
    level_before: int = 0


@dataclass(frozen=True, slots=True)
class Draft:
    """A message before it is made. key: what makes it this message and no other."""

    company_id: int
    account_id: int
    key: str
    channel: str
    purpose: str
    currency: str
    language: str
    subject: str
    body: str
    as_of: date
    to_name: str = ""
    to_address: str = ""
    contact_id: int | None = None
    asked_mills: int = 0
    items: tuple[DraftItem, ...] = ()
    action_id: int | None = None
    reply_id: int | None = None
    track: str = ""
    step: str = ""
    level: int = 0
    tone: str = ""
    template: str = ""
    template_version: int = 0
    attach: tuple[str, ...] = ()


def token_of(key: str) -> str:
    """24 characters of [a-z2-7] (120 bits): mail servers fold the case of addresses."""
    secret = hashlib.sha256(f"saldo.message.{settings.SECRET_KEY}".encode()).digest()
    digest = hmac.new(secret, key.encode(), hashlib.sha256).digest()
    return base64.b32encode(digest)[:TOKEN_CHARACTERS].decode().lower()


def key_of_plan(account_id: int, currency: str, track: str, day: date) -> str:
    """One message an account, currency and track on a day, however often the day is run."""
    return f"{account_id}:{currency}:{track}:{day.isoformat()}"


def existing(keys: Sequence[str]) -> dict[str, int]:
    """Key -> id of the messages that exist."""
    return dict(Message.objects.filter(key__in=list(keys)).values_list("key", "id"))


def make(ctx: Context, draft: Draft) -> int:
    """The message's id; the one that is there already, if its key is."""
    return make_many(ctx, [draft])[0].id


@dataclass(frozen=True, slots=True)
class Made:
    """is_new: false where a message of the same key was there."""

    id: int
    is_new: bool


@transaction.atomic
def make_many(ctx: Context, drafts: Sequence[Draft]) -> list[Made]:
    """The messages, in order. All are of one company. Those that exist are left as they are.

    The caller holds the accounts' locks, so that two who approve the same thing come one after the other.
    """
    if not drafts:
        return []
    found = existing([draft.key for draft in drafts])
    new = {draft.key: draft for draft in drafts if draft.key not in found}
    ids = dict(zip(new, reserve_ids("outreach_message", len(new)).to_list(), strict=True))
    if new:
        (company_id,) = {draft.company_id for draft in new.values()}
        code = Company.objects.get(id=company_id).code
        _keep(stamped(ctx, company_id), list(new.values()), list(ids.values()), code)
    known = found | ids
    return [Made(known[draft.key], draft.key in ids) for draft in drafts]


def _keep(ctx: Context, drafts: Sequence[Draft], ids: Sequence[int], company_code: str) -> None:
    assert ctx.recorded_at is not None
    at, domain = ctx.recorded_at.isoformat(), mail_domain(company_code) or _NO_DOMAIN
    stamp = {"actor": ctx.actor, "recorded_at": at}
    made = list(zip(drafts, ids, strict=True))
    rows = [_row(draft, each, domain) | stamp for draft, each in made]
    frame = pl.DataFrame(rows, schema_overrides=_NULLABLE, infer_schema_length=None)
    copy_in("outreach_message", frame)
    items = [
        (each, one.item_id, one.asked_mills, one.level, one.level_before)
        for draft, each in made
        for one in draft.items
    ]
    columns = ["message_id", "item_id", "asked_mills", "level", "level_before"]
    copy_in("outreach_messageitem", pl.DataFrame(items, schema=columns, orient="row"))
    first = {"state": QUEUED, "attempt": 0, "code": "", "detail": "", "occurred_at": at, **stamp}
    copy_in("outreach_delivery", pl.DataFrame([{"message_id": each, **first} for each in ids]))
    copy_in("identity_event", pl.DataFrame([_event(ctx, draft, each) | stamp for draft, each in made]))


_NULLABLE = {
    "contact_id": pl.Int64, "action_id": pl.Int64, "in_reply_to_id": pl.Int64, "rfc_id": pl.String,
}  # fmt: skip


def _row(draft: Draft, message_id: int, domain: str) -> dict[str, object]:
    token = token_of(draft.key)
    return {
        "id": message_id,
        "company_id": draft.company_id,
        "account_id": draft.account_id,
        "action_id": draft.action_id,
        "in_reply_to_id": draft.reply_id,
        "key": draft.key,
        "channel": draft.channel,
        "purpose": draft.purpose,
        "track": draft.track,
        "step": draft.step,
        "level": draft.level,
        "tone": draft.tone,
        "currency": draft.currency,
        "asked_mills": draft.asked_mills,
        "contact_id": draft.contact_id,
        "to_name": draft.to_name[:200],
        "to_address": draft.to_address[:300],
        "language": draft.language,
        "template": draft.template,
        "template_version": draft.template_version,
        "subject": draft.subject[:300],
        "body": draft.body,
        "attach": json.dumps(list(draft.attach)),
        "rfc_id": f"<{token}@{domain}>" if draft.channel in (EMAIL, PEC) else None,
        "token": token,
        "as_of": draft.as_of,
    }


def _event(ctx: Context, draft: Draft, message_id: int) -> dict[str, object]:
    data = {"message": message_id, "channel": draft.channel, "step": draft.step, "template": draft.template}
    return {
        "company_id": draft.company_id,
        "kind": "message.queued",
        "subject_kind": "account",
        "subject_id": draft.account_id,
        "effective_date": ctx.as_of,
        "data": json.dumps(data),
    }
