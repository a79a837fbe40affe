"""A person's own message to a customer, or the answer to a reply: their words, Saldo's address and thread."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from django.db import transaction

from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.core.message_facts import MessageFacts
from saldo.core.playbook import ATTACHMENTS, SMS, WRITTEN
from saldo.core.wording import MAX_BODY, MAX_SMS, MAX_SUBJECT
from saldo.flows.jobs import defer_send
from saldo.flows.message_drafts import (
    Ask,
    Prepared,
    Refused,
    address_problem,
    credits_besides,
    left_out_lines,
    line_of,
    lock_accounts,
    moment,
)
from saldo.identity.models import Company
from saldo.outreach.facts import Way, by_account, language_of, way_of
from saldo.outreach.messages import Draft, make_many
from saldo.outreach.models import Message, Reply
from saldo.outreach.reply_changes import add_handling
from saldo.outreach.templates import filled
from saldo.parties.models import CustomerAccount
from saldo.parties.queries import visible_accounts
from saldo.parties.ways import ways
from saldo.storage.locks import retried

PERSON, ANSWER = "person", "answer"


@dataclass(frozen=True, slots=True)
class Previewed:
    """A message that nobody has made yet. left_out: (document, mills, code) of what is due and not asked.
    refused: the code of why it cannot go out now, "" where it can."""

    subject: str
    body: str
    to_name: str
    to_address: str
    language: str
    channel: str
    attach: tuple[str, ...]
    asked_mills: int
    currency: str
    left_out: tuple[tuple[str, int, str], ...]
    refused: str

    @classmethod
    def of_refused(cls, ask: Ask, refused: Refused) -> Previewed:
        return cls("", "", "", "", "", ask.channel, ask.attach, 0, ask.currency, (), refused.code)


def previewed(prepared: Prepared) -> Previewed:
    draft = prepared.draft
    return Previewed(
        draft.subject, draft.body, draft.to_name, draft.to_address, draft.language, draft.channel,
        draft.attach, draft.asked_mills, draft.currency, prepared.left_out, "",
    )  # fmt: skip


def write(
    ctx: Context,
    account_id: int,
    channel: str,
    subject: str,
    body: str,
    contact_id: int | None = None,
    to_address: str = "",
    reply_id: int | None = None,
    attach: tuple[str, ...] = (),
    language: str = "",
    currency: str = "",
    not_before: datetime | None = None,
) -> int:
    """Queue a person's own words; returns the message's id. Text is text: braces in it mean nothing.

    to_address: one of the account's own, or, in an answer, the one that the reply came from. ctx.key makes it
    the same message however often the request comes. Raises SaldoError: account_unknown, message_channel_bad,
    message_empty, message_too_long, message_no_address, reply_unknown.
    """
    subject, body = _words(channel, subject, body)
    account = visible_accounts(ctx).filter(id=account_id).select_related("company", "customer").first()
    if account is None:
        raise SaldoError("account_unknown", account=account_id)
    within = ctx.within(account.company_id)
    reply = _reply(account_id, reply_id)
    way = _way(within, account, channel, contact_id, to_address, reply)
    draft = Draft(
        company_id=account.company_id,
        account_id=account_id,
        key=_key(ctx, account_id, reply_id),
        channel=channel,
        purpose=ANSWER if reply else PERSON,
        currency=currency or account.company.currency,
        language=language_of(language or way.language, account.customer.country),
        subject=subject,
        body=body,
        as_of=ctx.as_of,
        to_name=way.name,
        to_address=way.address,
        contact_id=way.contact_id,
        reply_id=reply_id,
        attach=tuple(each for each in attach if each in ATTACHMENTS),
    )
    return retried(lambda: _written(within, draft, not_before))


@transaction.atomic
def _written(ctx: Context, draft: Draft, not_before: datetime | None) -> int:
    lock_accounts([draft.account_id])
    (made,) = make_many(ctx, [draft])
    if made.is_new:
        if draft.reply_id is not None:
            add_handling(ctx, draft.reply_id, "answered", {"message_id": made.id})
        defer_send(made.id, not_before)
    return made.id


def _words(channel: str, subject: str, body: str) -> tuple[str, str]:
    if channel not in WRITTEN:
        raise SaldoError("message_channel_bad", channel=channel)
    subject = " ".join(subject.split())
    body = body.replace("\r\n", "\n").replace("\r", "\n").strip()
    if not body or (not subject and channel != SMS):
        raise SaldoError("message_empty")
    most = MAX_SMS if channel == SMS else MAX_BODY
    if len(body) > most or len(subject) > MAX_SUBJECT:
        raise SaldoError("message_too_long", length=max(len(body), len(subject)), most=most)
    return subject, body


def _key(ctx: Context, account_id: int, reply_id: int | None) -> str:
    """Of the request where it has a key; else one more message of this account."""
    if ctx.key:
        return f"{account_id}:{PERSON}:{ctx.key}"[:120]
    kind = f"reply:{reply_id}" if reply_id is not None else PERSON
    number = Message.objects.filter(account_id=account_id, purpose__in=(PERSON, ANSWER)).count()
    return f"{account_id}:{kind}:{ctx.clock().isoformat()}:{number}"


def _reply(account_id: int, reply_id: int | None) -> Reply | None:
    if reply_id is None:
        return None
    reply = Reply.objects.filter(id=reply_id, account_id=account_id).first()
    if reply is None:
        raise SaldoError("reply_unknown", reply=reply_id)
    return reply


def _way(
    ctx: Context,
    account: CustomerAccount,
    channel: str,
    contact_id: int | None,
    address: str,
    reply: Reply | None,
) -> Way:
    """The contact's way. An answer goes to who wrote, even if it is nobody's address that we know."""
    known = by_account(ways(ctx, [account.id]))
    wanted = address or (reply.from_address if reply and reply.channel == channel else "")
    way = way_of(known, account.id, channel, contact_id, wanted)
    if way is None and reply is not None and wanted and wanted.casefold() == reply.from_address.casefold():
        way = Way(None, reply.from_name, reply.from_address, "", "", False)
    if (problem := address_problem(channel, way)) or way is None:
        raise SaldoError(
            "message_no_address", account=account.customer.name, channel=channel, problem=problem
        )
    return way


def draft_for(
    ctx: Context, account_id: int, template_code: str, channel: str, contact_id: int | None = None,
    currency: str = "",
) -> Previewed:  # fmt: skip
    """A template filled for an account as it stands now, for a person to change and send with ``write``.

    It lists what is due; before anything is, what falls due. Raises SaldoError: account_unknown,
    template_unknown.
    """
    account = visible_accounts(ctx).filter(id=account_id).select_related("company").first()
    if account is None:
        raise SaldoError("account_unknown", account=account_id)
    within = ctx.within(account.company_id)
    now = moment(within, [account_id])
    way = way_of(now.ways, account_id, channel, contact_id)
    receiver = now.receivers[account_id]
    language = language_of(way.language if way else "", receiver.country)
    template = now.templates.get((template_code, channel, language))
    if template is None:
        raise SaldoError("template_unknown", name=f"{template_code} ({channel}, {language})")
    currency = currency or _main_currency(now.owed, account_id, account.company)
    rows = [row for row in now.owed.get((account_id, currency), ()) if row["asked_mills"] > 0]
    due = [row for row in rows if row["due_date"] < ctx.as_of] or rows
    oldest_first = sorted(due, key=lambda row: (row["due_date"], row["item_id"]))
    lines = tuple(line_of(row, now.told, row["asked_mills"]) for row in oldest_first)
    left = left_out_lines(now, (account_id, currency), lines, ctx.as_of)
    facts = MessageFacts(
        sender=now.sender,
        receiver=replace(receiver, contact=way.name if way else ""),
        as_of=ctx.as_of,
        currency=currency,
        lines=lines,
        credits_mills=credits_besides(now, (account_id, currency), left),
        left_out=tuple(each for each, _ in left),
    )
    said = filled(template.template, facts, channel, language)
    name, address = (way.name, way.address) if way else ("", "")
    problem = address_problem(channel, way)
    told = tuple((each.line.number, each.mills, why.code) for each, why in left)
    return Previewed(
        said.subject, said.body, name, address, language, channel, (), facts.total_mills, currency, told,
        problem,
    )  # fmt: skip


def _main_currency(owed: Iterable[tuple[int, str]], account_id: int, company: Company) -> str:
    """The company's own where something is owed in it, else the first in which something is."""
    found = sorted(currency for account, currency in owed if account == account_id)
    return company.currency if company.currency in found or not found else found[0]
