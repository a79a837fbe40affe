"""What the demo's credit office sends: playbooks in force, rules of sending, and messages that leave nothing.

E-mails and PEC go into a folder. Where channels.toml names real servers, the demo sends nothing at all.
Import this only after Django is set up.
"""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import polars as pl

from saldo.collection.models import PlaybookAction
from saldo.collection.playbook_actions import TO_APPROVE, planned
from saldo.collection.playbook_changes import activate, install_shipped
from saldo.core.context import Context
from saldo.core.playbook import OVERDUE
from saldo.core.sending import SENDING, UNKNOWN
from saldo.flows.cut_over import Starting, go_live, import_reminders
from saldo.flows.queue_messages import approve
from saldo.flows.send_messages import send, send_waiting
from saldo.identity.queries import latest_day_run
from saldo.outreach import deliveries
from saldo.outreach.channels.config import Folder, channels, file_path
from saldo.outreach.models import Delivery, Message
from saldo.outreach.settings import change_rules, rules_of
from saldo.parties.frames import account_names
from saldo.simulation.world.tables import Tables

PERSON = "responsabile"
# Of each company's plan so many messages were approved on the first evening, and on each later one.
APPROVED_FIRST, APPROVED_LATER = 10, 3
DAILY_CAP = 120
# What the office of the past wrote this long before the cut-over counts as a reminder of its tone.
REMINDER_DAYS = 200
LEVELS = {"courtesy": 0, "soft": 1, "firm": 2, "formal": 3}
# Items that nobody was reminded of, as far as is known, start where their age would have brought them.
STARTING = Starting(bands={30: 1, 60: 2})
SIGNATURE = {
    "it": "Ufficio crediti\n{company}\n{email}",
    "en": "Credit office\n{company}\n{email}",
}
CHANNELS = "# Made by saldo demo: messages are put into a folder and nothing leaves this machine.\n"


def ensure_channels(t: Tables, outbox: Path) -> None:
    """The file of the channels, for its owner only, unless there is one: that is left as it is."""
    path = file_path()
    if path.exists():
        return
    text = CHANNELS
    for row in t.companies.iter_rows(named=True):
        text += f"\n[{row['code']}.folder]\npath = {_quoted(str(outbox / row['code']))}\n"
        text += f"from = {_quoted(_mailbox(row['name'], row['email']))}\n"
        text += f"pec_from = {_quoted(_mailbox(row['name'], row['pec']))}\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)


def _mailbox(name: str, address: str) -> str:
    return f'"{name}" <{address}>'


def _quoted(text: str) -> str:
    """As a TOML string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def leaves_nothing(code: str) -> bool:
    """Whether everything that the company would send goes into a folder."""
    own = channels().of(code)
    ways = (own.smtp, own.pec_smtp)
    return all(isinstance(way, Folder) for way in ways) and own.anymail is None and own.sms is None


class Office:
    """companies: code -> id. What it does on a day twice, it does once."""

    def __init__(self, t: Tables, companies: dict[str, int]) -> None:
        self._t = t
        self.companies = {code: own for code, own in companies.items() if leaves_nothing(code)}
        self._rows = {row["code"]: row for row in t.companies.iter_rows(named=True)}

    def set_up(self, ctx: Context, cutover: date) -> None:
        """Playbooks, rules, past reminders and starting levels; the first time only."""
        for code, company_id in self.companies.items():
            if rules_of(company_id).cutover_date is not None:
                continue
            own = replace(ctx.within(company_id), actor=PERSON)
            install_shipped(own, company_id)
            self._activate(own, company_id)
            change_rules(own, company_id, "Prima di cominciare", **self._rules(code))
            import_reminders(own, company_id, "solleciti-passati.csv", self._reminders(own, code, cutover))
            go_live(own, company_id, cutover, STARTING, accept_missing=True, note="Si comincia")

    def _activate(self, ctx: Context, company_id: int) -> None:
        from saldo.collection.playbooks import versions

        for version in versions(company_id):
            activate(ctx, company_id, version.id)

    def _rules(self, code: str) -> dict[str, object]:
        row = self._rows[code]
        bank = self._t.banks.filter(pl.col("company_id") == row["company_id"]).row(0, named=True)
        told = {"company": row["name"], "email": row["email"]}
        return {
            "daily_cap": DAILY_CAP, "thanks": True, "sender_name": f"{row['name']} – Ufficio crediti",
            "iban": bank["iban"], "bic": bank["bic"],
            "signature": {language: text.format(**told) for language, text in SIGNATURE.items()},
        }  # fmt: skip

    def _reminders(self, ctx: Context, code: str, cutover: date) -> bytes:
        """What was written before the cut-over about lines that are still open, as a list of reminders."""
        t, company_id = self._t, self._rows[code]["company_id"]
        booked = t.postings.filter(pl.col("posted_date") < cutover).group_by("installment_id")
        paid = booked.agg(pl.col("amount_cents").sum().alias("paid"))
        lines = (
            t.installments.join(paid, on="installment_id", how="left")
            .filter(pl.col("cash_cents") > pl.col("paid").fill_null(0))
            .join(t.invoices.select("invoice_id", "number"), on="invoice_id")
            .select("installment_id", "number", "no")
        )
        accounts = t.accounts.filter(pl.col("company_id") == company_id)
        since = pl.col("sent_date").is_between(
            cutover - timedelta(days=REMINDER_DAYS), cutover - timedelta(days=1)
        )
        sent = (
            t.messages.filter(since & (pl.col("channel") != "call"))
            .join(accounts.select("account_id", "code"), on="account_id")
            .select("code", "tone", "sent_date", "channel", pl.col("installments").alias("installment_id"))
            .explode("installment_id")
            .join(lines, on="installment_id")
            .sort("code", "number", "no", "sent_date")
        )
        ours = {name.lstrip("0"): name for name in account_names().filter(code_is(code))["code"]}
        rows = ["customer;document;installment;level;date;channel"]
        for row in sent.iter_rows(named=True):
            customer = ours.get(row["code"].lstrip("0"), row["code"])
            level = LEVELS.get(row["tone"], 1)
            rows.append(f"{customer};{row['number']};{row['no']};{level};{row['sent_date']};{row['channel']}")
        return "\n".join([*rows, ""]).encode()

    # -- an evening ------------------------------------------------------------------------------------

    def write(self, ctx: Context, first: set[int], is_last: bool) -> int:
        """Some of the plan is approved and sent, those of the accounts ``first`` before others; on the last
        evening one is cut off in the midst of it. Returns how many were approved."""
        count = 0
        for place, company_id in enumerate(self.companies.values()):
            own = ctx.within(company_id)
            made = self._approve(own, company_id, first)
            if is_last and place == 0 and made:
                self._cut_off(own, company_id, made[-1])
            send_waiting(own)
            count += len(made)
        return count

    def _approve(self, ctx: Context, company_id: int, first: set[int]) -> tuple[int, ...]:
        run = latest_day_run(company_id)
        if run is None or run.as_of != ctx.as_of or self._was_here(run.id):
            return ()
        person = replace(ctx, actor=PERSON)
        waiting = planned(person, run.id, state=TO_APPROVE)
        waiting.sort(key=lambda row: (row.account_id not in first, row.track != OVERDUE, row.id))
        is_first = not Message.objects.filter(company_id=company_id).exists()
        chosen = waiting[: APPROVED_FIRST if is_first else APPROVED_LATER]
        return approve(person, [row.id for row in chosen]).done

    def _was_here(self, day_run_id: int) -> bool:
        return PlaybookAction.objects.filter(day_run_id=day_run_id, decision__isnull=False).exists()

    def _cut_off(self, ctx: Context, company_id: int, message_id: int) -> None:
        """The machine stopped while this one was leaving: nobody knows whether it did."""
        if Delivery.objects.filter(message__company_id=company_id, state=UNKNOWN).exists():
            return
        deliveries.add(ctx, message_id, SENDING, attempt=1)
        send(ctx, message_id)

    def last_messages(self, company_id: int) -> dict[int, Message]:
        """account -> what was written to it last, as far as it was asked for money by mail."""
        found = Message.objects.filter(
            company_id=company_id, action__isnull=False, channel__in=("email", "pec"),
            deliveries__state="sent",
        )  # fmt: skip
        return {message.account_id: message for message in found.order_by("id")}


def code_is(company: str) -> pl.Expr:
    return pl.col("company") == company
