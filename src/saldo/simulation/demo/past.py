"""The last weeks of a world, lived through in Saldo: files as they came, contacts and answers as they were.

Facts are recorded at a simulated time, in the order of the days, so that figures "as known at" a past day are
those of that day. Import this only after Django is set up.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from hashlib import sha256
from pathlib import PurePosixPath
from typing import Any

import polars as pl
from django.db.models import Max

from saldo.collection.models import Outcome
from saldo.collection.operations import record_outcome
from saldo.collection.queries import DONE, NOTE
from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.flows.day import run_day
from saldo.flows.import_documents import import_file
from saldo.identity.queries import companies, last_recorded_at
from saldo.intake.models import Batch
from saldo.parties.frames import account_names
from saldo.simulation.demo.answers import Answers, last_recorded
from saldo.simulation.demo.cash import apply_and_confirm, ensure_bank_accounts, is_cash
from saldo.simulation.demo.office import PERSON, Office
from saldo.simulation.demo.post import Post
from saldo.simulation.demo.setup import Advance, Imported
from saldo.simulation.draws import Draws
from saldo.simulation.files.erp_exports import mapping_texts
from saldo.simulation.files.world_file import WorldFile
from saldo.simulation.world.tables import Tables

# Older contacts than these are not put down.
CONTACT_DAYS = 45
# In the evening the post still leaves, in summer too.
MORNING, EVENING = time(7), time(15, 30)
CHANNELS = {
    "email": "E-mail inviata",
    "call": "Telefonata",
    "pec": "PEC inviata",
    "letter": "Lettera spedita",
}
TONES = {"courtesy": "di cortesia", "soft": "tono cortese", "firm": "tono deciso", "formal": "tono formale"}
DISPUTES = {
    "missing_pod": "manca la bolla firmata", "price": "prezzo diverso dall'ordine",
    "quality": "merce non conforme", "discount_taken": "sconto non riconosciuto",
}  # fmt: skip
ANSWERS = {
    "already_paid": "Dice di aver già pagato: verificare con la tesoreria",
    "wrong_person": "Il referente non lavora più lì: cercare il nuovo contatto",
    "angry": "Si è lamentato del sollecito: aspettare prima di riscrivere",
    "question": "Chiede chiarimenti sulla fattura",
}


class Past:
    """``day`` is where the demo has come to; contacts of the days before are put down with them.

    From ``mail_from`` on Saldo writes to customers, and reads what they answer by mail.
    """

    def __init__(self, ctx: Context, t: Tables, first: date, last: date, seed: int, mail_from: date) -> None:
        self._actor, self._language = ctx.actor, ctx.language
        self._companies = {row.code: row.id for row in companies(ctx)}
        # After an interruption it goes on later than what was recorded. Nothing is told or read twice, least
        # of all a history, which would take back what newer files said.
        recorded = [at for company in self._companies.values() if (at := last_recorded_at(company))]
        self._now = max([datetime.combine(first, MORNING, UTC), *recorded])
        read = Batch.objects.filter(status=Batch.Status.DONE).values_list("document__sha256", "company_id")
        self._read = set(read)
        told = Outcome.objects.filter(actor=PERSON).aggregate(last=Max("as_of"))["last"]
        told = max(filter(None, (told, last_recorded(PERSON))), default=None)
        self._mappings = dict(mapping_texts())
        self._t = t
        ensure_bank_accounts(ctx, t, self._companies)
        self._accounts: dict[int, int] = {}
        self._answers = Answers(t, last)
        self._office = Office(t, self._companies)
        self._post = Post(t, Draws(seed), self._office, mail_from, last)
        self._mail_from, self._last = (mail_from, last) if self._office.companies else (date.max, last)
        self._told_until = told or first - timedelta(days=CONTACT_DAYS)
        self.day = first

    def _clock(self) -> datetime:
        self._now += timedelta(milliseconds=1)
        return self._now

    def _context(self, day: date, company_id: int | None = None) -> Context:
        return Context(self._actor, day, self._clock, company_id=company_id, language=self._language)

    def go_on_to(self, day: date) -> None:
        """The evening of ``day``, before which what was said and answered until then is put down."""
        if self._accounts or day > self.day:
            self._tell(day)
        self.day = day
        self._now = max(self._now, datetime.combine(day, EVENING, UTC))

    def take_in(self, file: WorldFile, advance: Advance) -> Imported | None:
        """What became of the file; None where it was read before an interruption."""
        path = PurePosixPath(file.path)
        code = path.parts[1]
        if (sha256(file.data).hexdigest(), self._companies[code]) in self._read:
            return None
        if is_cash(file):
            return self._take_cash(file, code)
        kind = "invoices" if "sdi" in path.parts else "receivables"
        mapping = file.mapping and self._mappings.get(PurePosixPath(file.mapping).name, file.mapping)
        if path.name.startswith(("anagrafica", "customers")):
            kind = "customers"
        result = import_file(
            self._context(self.day, self._companies[code]),
            path.name,
            file.data,
            kind,
            mapping,
            company_code=code,
            as_at=self.day if kind == "customers" else file.day,
            accept_closures=True,
            progress=advance,
        )
        return Imported(path.name, result.done, result.unchanged, result.closed, len(result.rejections))

    def _take_cash(self, file: WorldFile, code: str) -> Imported:
        """A bank's file or an advice; one that cannot be read is refused whole."""
        name = PurePosixPath(file.path).name
        try:
            ctx = self._context(self.day, self._companies[code])
            result = import_file(ctx, name, file.data, company_code=code, as_at=file.day)
        except SaldoError:
            return Imported(name, 0, 0, 0, 1)
        return Imported(name, result.done, result.unchanged, result.closed, len(result.rejections))

    def apply_cash(self) -> None:
        """What the day's files brought is applied in the evening."""
        for company_id in self._companies.values():
            apply_and_confirm(self._context(self.day, company_id), company_id)

    def run(self) -> None:
        if self.day >= self._mail_from:
            self._office.set_up(self._context(self.day), self.day)
        for company_id in self._companies.values():
            run_day(self._context(self.day, company_id), company_id)

    def write(self) -> None:
        """The evening's post: some of the plan leaves, and what came is taken in."""
        if self.day < self._mail_from:
            return
        soon = self._t.replies.filter(
            (pl.col("channel") == "email") & pl.col("reply_date").is_between(self.day, self._last)
        )
        first = {self._accounts[ix] for ix in soon["account_id"].unique() if ix in self._accounts}
        self._office.write(self._context(self.day), first, self.day >= self._last)
        self._post.arrive(self._context(self.day), self._accounts)

    # -- what was said ---------------------------------------------------------------------------------

    def _tell(self, until: date) -> None:
        """Messages and answers after the last day told, up to ``until``, in the order of their days."""
        self._learn_accounts()
        for day, account, state, note, come_back, reply in sorted(self._said(until), key=lambda row: row[0]):
            if account in self._accounts:
                later = come_back if come_back and come_back > day else None
                own = self._accounts[account]
                ctx = replace(self._context(day), actor=PERSON)
                if reply is None or not self._answers.record(ctx, own, reply):
                    record_outcome(ctx, own, state, note, later)
        self._told_until = max(self._told_until, until)

    def _said(self, until: date) -> Iterator[tuple[Any, ...]]:
        fresh = pl.col("day").is_between(self._told_until, until, closed="right")
        # What Saldo sends and takes in itself is no contact to be told.
        by_hand = (pl.col("channel") == "call") | (pl.col("day") < self._mail_from)
        messages = self._t.messages.with_columns(pl.col("sent_date").alias("day")).filter(fresh & by_hand)
        for row in messages.iter_rows(named=True):
            words = f"{CHANNELS[row['channel']]}, {TONES[row['tone']]}"
            if row["purpose"] == "plan":
                words += ": proposto un piano di rientro"
            yield row["day"], row["account_id"], DONE, words, None, None
        by_hand = (pl.col("channel") != "email") | (pl.col("day") < self._mail_from)
        replies = self._t.replies.with_columns(pl.col("reply_date").alias("day")).filter(fresh & by_hand)
        for row in replies.iter_rows(named=True):
            yield (row["day"], row["account_id"], *_answer(row), row)
        for day, account in self._kept(until):
            yield day, account, DONE, "Promessa mantenuta: pagato", None, None

    def _kept(self, until: date) -> Iterator[tuple[date, int]]:
        """Promises of which the ERP has booked all the lines: the day of that, and the account."""
        promises = (
            self._t.replies.filter((pl.col("kind") == "promise") & (pl.col("reply_date") <= until))
            .select("reply_id", "account_id", "reply_date", pl.col("installments").alias("installment_id"))
            .explode("installment_id")
        )
        booked = self._t.postings.group_by("installment_id").agg(
            pl.col("amount_cents").sum().alias("booked"), pl.col("posted_date").max()
        )
        lines = promises.join(booked, on="installment_id", how="left").join(
            self._t.installments.select("installment_id", "cash_cents"), on="installment_id"
        )
        whole = (pl.col("booked").fill_null(0) == pl.col("cash_cents")).all()
        kept = (
            lines.group_by("reply_id", "account_id", "reply_date", maintain_order=True)
            .agg(whole.alias("is_kept"), pl.col("posted_date").max().alias("day"))
            .filter(pl.col("is_kept") & (pl.col("day") > pl.col("reply_date")))
            .filter(pl.col("day").is_between(self._told_until, until, closed="right"))
            # A promise that was made again is kept by the same money: one line.
            .unique(["day", "account_id"], maintain_order=True)
        )
        yield from kept.select("day", "account_id").iter_rows()

    def _learn_accounts(self) -> None:
        """The world's account -> Saldo's, by company and the customer's number without leading zeros."""
        ours = {
            (company, code.lstrip("0")): account
            for company, code, account in account_names().select("company", "code", "account_id").iter_rows()
        }
        codes = dict(self._t.companies.select("company_id", "code").iter_rows())
        rows = self._t.accounts.select("account_id", "company_id", "code").iter_rows()
        for account, company, code in rows:
            found = ours.get((codes[company], code.lstrip("0")))
            if found is not None:
                self._accounts[account] = found


def _answer(row: dict[str, Any]) -> tuple[str, str, date | None]:
    """(state, note, day to come back) of an answer. A promise brings the account back the day after it."""
    kind = row["kind"]
    if kind in ("promise", "plan_accepted"):
        day = row["promise_date"]
        if kind == "plan_accepted":
            return (
                DONE,
                f"Piano di rientro accettato, prima rata entro il {day:%d/%m/%Y}",
                day + timedelta(days=1),
            )
        amount = f"{row['promise_cents'] / 100:,.2f}".replace(",", " ").replace(".", ",").replace(" ", ".")
        return DONE, f"Promesso il pagamento di {amount} € entro il {day:%d/%m/%Y}", day + timedelta(days=1)
    if kind == "dispute":
        return NOTE, f"Contestazione: {DISPUTES[row['reason']]}", None
    if kind == "out_of_office":
        return NOTE, f"Risposta automatica: assente fino al {row['return_date']:%d/%m/%Y}", None
    return NOTE, ANSWERS[kind], None
