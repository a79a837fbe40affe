"""The mail of the demo's last days: what customers answer, taken in as it would come from a mailbox.

Answers come to what Saldo wrote where it has written, else to what the office wrote before. Those of the
days before the last are confirmed where Saldo proposes an act and is sure, older ones also by somebody who
reads them; the others wait. So that each kind can be tried, the last evening brings one of each that is
missing. Import this only after Django is set up.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from itertools import count
from typing import Any

import polars as pl

from saldo.core.calendar import next_business_day
from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.core.money import to_mills
from saldo.flows.handle_reply import confirm, propose
from saldo.flows.read_mail import REPLY, take
from saldo.ledger.models import Item
from saldo.outreach.links import reply_address
from saldo.outreach.models import Message, MessageItem, Reply
from saldo.simulation.demo.office import PERSON, Office
from saldo.simulation.draws import Draws
from saldo.simulation.files._mail_parts import mail_date, text_mail
from saldo.simulation.files.mail_text import ROME, office_time
from saldo.simulation.files.pec_receipts import receipts_of
from saldo.simulation.files.replies import Letter, Said, bounces, letters, reply_file
from saldo.simulation.world.tables import Tables

# Of each of these one waits for whoever looks at the demo.
KINDS = ("promise", "dispute", "already_paid", "question", "angry", "out_of_office")
# What came longer ago than this has been read.
READ_DAYS = 2
CERTIFIED = 3  # PEC of each company whose receipts come
PAUSE_DAYS = 7
MADE_FROM = 9_000_000  # ids of answers that the world does not have
OPT_OUT = {
    "it": "Buongiorno,\n\nvi chiediamo di non scrivere più a questo indirizzo e-mail.\n\nGrazie\n{name}\n",
    "en": "Hello,\n\nplease do not send any more e-mails to this address.\n\nThank you\n{name}\n",
}


class Post:
    """cutover: from this day on answers by mail come here, and are no longer told as contacts."""

    def __init__(self, t: Tables, draws: Draws, office: Office, cutover: date, last: date) -> None:
        self._t, self._draws, self._office = t, draws, office
        self._cutover, self._last = cutover, last
        self._taken: set[int] = set()
        self._waiting: set[str] = set()
        self._companies = {row["code"]: row for row in t.companies.iter_rows(named=True)}

    def arrive(self, ctx: Context, accounts: dict[int, int]) -> None:
        """What has come by the evening of the context's day. accounts: the world's account -> Saldo's."""
        day = ctx.as_of
        ours = {code: self._office.last_messages(own) for code, own in self._office.companies.items()}
        known = {one.strip("<>") for one in Reply.objects.values_list("rfc_id", flat=True)}
        owners = dict(
            self._t.messages.filter(pl.col("sent_date") >= self._cutover - timedelta(days=60))
            .select("message_id", "account_id")
            .iter_rows()
        )
        for letter in letters(self._t, self._draws, self._cutover, day):
            code = letter.company["code"]
            account = accounts.get(owners.get(letter.message_no, -1))
            if code not in ours or account is None or letter.said.reply_id in self._taken:
                continue
            message = ours[code].get(account)
            if message is not None and message.recorded_at.date() == day and day < self._last:
                continue  # written this evening: its answer comes tomorrow
            self._taken.add(letter.said.reply_id)
            told = letter if message is None else self._answering(letter, message, day)
            if _rfc_id(told) not in known:
                self._take(ctx, code, reply_file(self._draws, told).data, told.said.kind, told)
        if day >= self._last:
            self._make_up(ctx, ours)

    def _answering(self, letter: Letter, message: Message, day: date) -> Letter:
        """The same answer to our message: not before it, and at the signed address that stood in it."""
        said = letter.said
        sent = message.recorded_at.date()
        if said.reply_date <= sent < day and (said.promise_date is None or said.promise_date > day):
            said = replace(said, reply_date=day)
        return _to_ours(replace(letter, said=said), message)

    def _take(
        self,
        ctx: Context,
        code: str,
        raw: bytes,
        kind: str,
        letter: Letter | None = None,
        mailbox: str = "email",
    ) -> None:
        company_id = self._office.companies[code]
        own = ctx.within(company_id)
        taken = take(own, raw, f"{code}:{mailbox}", company_id)
        if taken.kind != REPLY or taken.reply_id is None:
            return
        if ctx.as_of >= self._last or not self._confirm(replace(own, actor=PERSON), taken.reply_id, letter):
            self._waiting.add(kind)

    def _confirm(self, ctx: Context, reply_id: int, letter: Letter | None) -> bool:
        """By one key, where Saldo is sure and has filled it in; else as it was meant, if it is old."""
        proposal = propose(ctx, reply_id)
        if proposal.one_key and proposal.is_filled:
            act, fields = proposal.act, proposal.fields
        elif letter is not None and ctx.as_of < self._last - timedelta(days=READ_DAYS):
            act, fields = _meant(letter, ctx.as_of)
        else:
            return False
        if not act:
            return False
        try:
            confirm(ctx, reply_id, act, **fields)
        except SaldoError:
            return False
        return True

    # -- what the world does not have today ------------------------------------------------------------

    def _make_up(self, ctx: Context, ours: dict[str, dict[int, Message]]) -> None:
        """One of each kind that does not wait yet, an address that wants no more, one that does not exist,
        and the two receipts of a PEC."""
        ids = count(MADE_FROM)
        free = self._unanswered(ours)
        for kind in (kind for kind in KINDS if kind not in self._waiting):
            if (found := next(free, None)) is None:
                return
            self._take(ctx, found[0], self._answer(found, kind, next(ids), ctx.as_of), kind)
        if (found := next(free, None)) is not None:
            self._take(ctx, found[0], self._opt_out(found, next(ids), ctx.as_of), "opt_out")
        if (found := next(free, None)) is not None:
            ix = next(ix for ix in ids if bounces(self._draws, ix))
            self._take(ctx, found[0], self._answer(found, "wrong_person", ix, ctx.as_of), "bounce")
        self._certify(ctx, ours)

    def _unanswered(self, ours: dict[str, dict[int, Message]]) -> Iterator[tuple[str, Message]]:
        """E-mails of ours that nobody answered, of the days before the last one first."""
        answered = set(Reply.objects.filter(message__isnull=False).values_list("message_id", flat=True))
        every = [
            (message.recorded_at.date() == self._last, message.id, code, message)
            for code, of_company in ours.items()
            for message in of_company.values()
            if message.channel == "email" and message.id not in answered
        ]
        return ((code, message) for _, _, code, message in sorted(every, key=lambda row: row[:2]))

    def _answer(self, found: tuple[str, Message], kind: str, ix: int, day: date) -> bytes:
        code, message = found
        rows = list(MessageItem.objects.filter(message=message).order_by("item_id"))
        items = Item.objects.filter(id__in=[row.item_id for row in rows]).order_by("id")
        numbers = tuple(number for number in items.values_list("invoice__number", flat=True) if number)
        cents = sum(to_mills(row.asked) for row in rows) // 10
        promised = next_business_day(day + timedelta(days=6))
        said = Said(
            ix, kind, message.language, day, promised if kind == "promise" else None,
            cents if kind == "promise" else None, cents, "quality" if kind == "dispute" else None,
            day + timedelta(days=5) if kind == "out_of_office" else None, numbers[:1],
            message.to_name, message.account.customer.name, message.to_address.rpartition("@")[2],
            self._companies[code]["name"],
        )  # fmt: skip
        letter = Letter(said, self._companies[code], message.to_address, 0, "", "soft", "reminder",
                        message.recorded_at.date())  # fmt: skip
        return reply_file(self._draws, _to_ours(letter, message)).data

    def _opt_out(self, found: tuple[str, Message], ix: int, day: date) -> bytes:
        code, message = found
        at = office_time(self._draws, "reply/time", day, ix)
        headers = [
            ("From", message.to_address), ("To", reply_address(message.token, code)),
            ("Subject", f"R: {message.subject}"), ("Date", mail_date(at)),
            ("Message-ID", f"<reply-{ix}@{message.to_address.rpartition('@')[2]}>"),
            ("In-Reply-To", message.rfc_id or ""),
        ]  # fmt: skip
        return text_mail(headers, OPT_OUT.get(message.language, OPT_OUT["en"]).format(name=message.to_name))

    def _certify(self, ctx: Context, ours: dict[str, dict[int, Message]]) -> None:
        """The receipts of the PEC messages of ours, as their provider sends them."""
        for code, of_company in ours.items():
            sent = [message for message in of_company.values() if message.channel == "pec"]
            for message in sent[:CERTIFIED]:
                at = message.recorded_at
                row: dict[str, Any] = {
                    "message_id": message.id, "company": code, "company_name": self._companies[code]["name"],
                    "sender": self._companies[code]["pec"], "recipient": message.to_address,
                    "customer": message.to_name, "code": message.account.code, "rfc_id": message.rfc_id,
                    "subject": message.subject,
                }  # fmt: skip
                for raw in receipts_of(row, at.astimezone(ROME)):
                    self._take(ctx, code, raw, "receipt", mailbox="pec")


def _meant(letter: Letter, day: date) -> tuple[str, dict[str, Any]]:
    """What somebody who understands it records; ("", {}) of what is left to be answered."""
    said = letter.said
    if said.kind in ("promise", "plan_accepted") and said.promise_date is not None:
        cents = said.promise_cents if said.kind == "promise" else None
        fields = {"promised_date": said.promise_date, "amount_mills": cents * 10 if cents else None}
        return "promise", fields
    if said.kind == "angry":
        return "complaint", {"until_date": day + timedelta(days=PAUSE_DAYS)}
    if said.kind == "wrong_person":
        return "wrong_contact", {"address": letter.address}
    return ("paid_claim", {}) if said.kind == "already_paid" else ("", {})


def _to_ours(letter: Letter, message: Message) -> Letter:
    code = letter.company["code"]
    to = reply_address(message.token, code) or letter.company["email"]
    address = message.to_address if message.channel == "email" else letter.address
    return replace(
        letter, message_id=message.rfc_id or "", address=address, company={**letter.company, "email": to}
    )


def _rfc_id(letter: Letter) -> str:
    return f"reply-{letter.said.reply_id}@{letter.address.partition('@')[2]}"
