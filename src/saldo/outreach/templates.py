"""The words in use: a company's own templates, and those shipped with Saldo.

The newest version of a company's template is in use; where it has none, the shipped one is (version 0).
Channels without words of their own use the e-mail's: a PEC, a letter or a portal notice says the same.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from importlib.resources import files

from django.db import IntegrityError, transaction

from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.core.message_facts import LeftOut, Line, MessageFacts, Receiver, Sender, values
from saldo.core.playbook import EMAIL, LETTER, PEC, PORTAL, SMS, SURVEY, THANKS
from saldo.core.wording import CHANNELS, LANGUAGES, MAX_SMS, Problem, Template, check, fill, purpose_of
from saldo.identity.models import Company, Grant
from saldo.identity.operations import record_event, stamped
from saldo.outreach.models import TemplateVersion
from saldo.outreach.settings import rules_of

MAY_EDIT_TEMPLATES = frozenset({Grant.Role.ADMINISTRATOR, Grant.Role.CREDIT_MANAGER})
SHIPPED_VERSION = 0
# Where a channel has no words of its own. An SMS is no short letter: it has its own or none.
WORDS_OF = {EMAIL: (EMAIL,), PEC: (PEC, EMAIL), LETTER: (LETTER, EMAIL), PORTAL: (PORTAL, EMAIL), SMS: (SMS,)}


@dataclass(frozen=True, slots=True)
class StoredTemplate:
    """One version of a template; version 0 is the shipped one."""

    code: str
    channel: str
    language: str
    version: int
    subject: str
    body: str
    note: str = ""
    actor: str = "system:saldo"
    recorded_at: datetime | None = None

    @property
    def template(self) -> Template:
        return Template(self.code, self.channel, self.language, self.subject, self.body)

    @property
    def is_shipped(self) -> bool:
        return self.version == SHIPPED_VERSION


@dataclass(frozen=True, slots=True)
class Rendered:
    subject: str
    body: str


@cache
def shipped() -> Mapping[tuple[str, str, str], StoredTemplate]:
    """(code, channel, language) -> the words shipped."""
    found = {}
    for language in LANGUAGES:
        text = files("saldo.outreach").joinpath(f"shipped/{language}.toml").read_text(encoding="utf-8")
        for code, channels in tomllib.loads(text).items():
            for channel, told in channels.items():
                found[code, channel, language] = StoredTemplate(
                    code,
                    channel,
                    language,
                    SHIPPED_VERSION,
                    told.get("subject", ""),
                    told["body"].strip("\n"),
                )
    return found


def newest(company_id: int, code: str, channel: str, language: str) -> StoredTemplate | None:
    """The words in use: the company's newest, else the shipped, of the channel, else of the e-mail; those of
    the other language where there are none in this one."""
    return in_use(company_id).get((code, channel, language))


def in_use(company_id: int) -> dict[tuple[str, str, str], StoredTemplate]:
    """Every template that can be sent, by (code, channel, language), borrowed words included."""
    own = {**shipped(), **{_key(each): each for each in _newest_rows(company_id)}}
    found = dict(own)
    for code in {code for code, _, _ in own}:
        for channel in CHANNELS:
            for language in LANGUAGES:
                others = [language, *(other for other in LANGUAGES if other != language)]
                wanted = ((code, words, each) for each in others for words in WORDS_OF[channel])
                if words := next((own[key] for key in wanted if key in own), None):
                    found[code, channel, language] = words
    return found


def known(company_id: int) -> frozenset[tuple[str, str]]:
    """(code, channel) of every template that a playbook's step may name."""
    return frozenset((code, channel) for code, channel, _ in in_use(company_id))


def listing(company_id: int) -> list[StoredTemplate]:
    """The words in use, without borrowed ones: one row per code, channel and language."""
    own = {**shipped(), **{_key(each): each for each in _newest_rows(company_id)}}
    return [own[key] for key in sorted(own)]


def history(company_id: int, code: str, channel: str, language: str) -> list[StoredTemplate]:
    """All versions, the newest first, the shipped one last."""
    rows = TemplateVersion.objects.filter(
        company_id=company_id, code=code, channel=channel, language=language
    ).order_by("-version")
    first = shipped().get((code, channel, language))
    return [*map(_stored, rows), *([first] if first else [])]


def problems(template: Template, purpose: str = "") -> list[Problem]:
    """What is wrong with the words, on their own and tried with an example; empty: they may be saved."""
    found = check(template, purpose)
    if not found and template.channel == SMS:
        length = max(len(filled(template, example(template, name)).body) for name in ("", "x" * 40))
        if length > MAX_SMS:
            found = [Problem("template_too_long", params={"length": length, "most": MAX_SMS})]
    return found


def save(
    ctx: Context,
    company_id: int,
    code: str,
    channel: str,
    language: str,
    subject: str,
    body: str,
    note: str = "",
) -> int:
    """A new version of a company's template; the version in use where nothing differs.

    Raises SaldoError("template_invalid") with every problem and its place.
    """
    body = body.replace("\r\n", "\n").replace("\r", "\n").strip("\n")
    template = Template(code, channel, language, subject.strip(), body)
    if found := problems(template):
        told = " ".join(problem.text(ctx.language) for problem in found)
        raise SaldoError("template_invalid", name=f"{code} ({channel}, {language})", problems=told)
    try:
        with transaction.atomic():
            return _saved(ctx, company_id, template, note)
    except IntegrityError as error:
        raise SaldoError("template_changed", name=f"{code} ({channel}, {language})") from error


def _saved(ctx: Context, company_id: int, template: Template, note: str) -> int:
    ctx = stamped(ctx, company_id)
    key = {"code": template.code, "channel": template.channel, "language": template.language}
    rows = TemplateVersion.objects.filter(company_id=company_id, **key)
    last = rows.order_by("-version").first()
    if last is not None and (last.subject, last.body) == (template.subject, template.body):
        return last.version
    row = TemplateVersion.objects.create(
        company_id=company_id,
        **key,
        version=last.version + 1 if last else 1,
        subject=template.subject,
        body=template.body,
        note=note,
        actor=ctx.actor,
        recorded_at=ctx.recorded_at,
    )
    record_event(ctx, "template.saved", "template", row.id, {**key, "version": row.version})
    return row.version


def filled(template: Template, facts: MessageFacts, channel: str = "", language: str = "") -> Rendered:
    """The words with the facts in them. channel: where they go, if they are borrowed."""
    texts = values(facts, language or template.language, channel or template.channel)
    one_line = {name: " ".join(text.split()) for name, text in texts.items()}
    return Rendered(fill(template.subject, one_line)[:300], fill(template.body, texts))


def preview(ctx: Context, company_id: int, template: Template, channel: str = "") -> Rendered:
    """How the words look for an example account. Raises SaldoError("template_invalid")."""
    if found := check(template):
        told = " ".join(problem.text(ctx.language) for problem in found)
        raise SaldoError("template_invalid", name=template.code, problems=told)
    return filled(template, example(template, sender=sender_of(company_id), as_of=ctx.as_of), channel)


def example(
    template: Template, name: str = "", sender: Sender | None = None, as_of: date = date(2026, 3, 10)
) -> MessageFacts:
    """An invented account that has something for every variable."""
    made = sender or Sender(name or "Officine Esempio S.r.l.", "IT01234567897", "", "", "", {})
    purpose = purpose_of(template.code)
    is_soon = template.code in ("courtesy", "documents_check", "due_today")
    first = as_of + timedelta(days=0 if is_soon else -45)
    lines = tuple(
        Line(n, "installment", f"2026/{100 + n}", first - timedelta(days=60), first + timedelta(days=5 * n),
             1_250_000 * n, 1_250_000 * n - (50_000 if n == 2 and purpose != THANKS else 0))
        for n in (1, 2, 3)
    )  # fmt: skip
    soon = Line(4, "installment", "2026/104", as_of, as_of + timedelta(days=12), 800_000, 800_000)
    return MessageFacts(
        sender=made,
        receiver=Receiver(
            0, "Caffè Città S.r.l.", "C0042", "Maria Rossi", "Via Roma 1", "20100 Milano MI", "IT"
        ),
        as_of=as_of,
        currency="EUR",
        lines=lines,
        purpose=purpose,
        soon=() if is_soon else (soon,),
        credits_mills=120_000,
        left_out=() if purpose == THANKS else (LeftOut(lines[1], "disputed", 50_000),),
        previous_date=None if is_soon else as_of - timedelta(days=10),
        survey_link="https://saldo.example.com/l/s/…" if purpose == SURVEY else "",
    )


def sender_of(company_id: int) -> Sender:
    """Our company as it signs, by its settings of sending."""
    company, rules = Company.objects.get(id=company_id), rules_of(company_id)
    return Sender(
        company.name, company.vat_number, rules.iban, rules.bic, rules.sender_name, dict(rules.signature)
    )


def _newest_rows(company_id: int) -> list[StoredTemplate]:
    rows = TemplateVersion.objects.filter(company_id=company_id)
    rows = rows.order_by("code", "channel", "language", "-version").distinct("code", "channel", "language")
    return [_stored(row) for row in rows]


def _stored(row: TemplateVersion) -> StoredTemplate:
    return StoredTemplate(
        row.code, row.channel, row.language, row.version, row.subject, row.body, row.note, row.actor,
        row.recorded_at,
    )  # fmt: skip


def _key(row: StoredTemplate) -> tuple[str, str, str]:
    return row.code, row.channel, row.language
