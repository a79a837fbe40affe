"""The sheet of a round, to take along: the way at a glance, then each customer with what to know and room to
write down what was said. PDF/A, as letters are; its words are in visit_sheet.toml."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

from saldo.core.context import Context
from saldo.core.message_facts import clean, day_text
from saldo.core.preferences import CALL_HOURS, hours_words
from saldo.core.text_tables import Paragraph, Table
from saldo.core.words import date_text, money_text
from saldo.flows.visits import VisitDay, VisitStop
from saldo.outreach.letters.typeset import Block, Heading, Letterhead, Sheet, pdf
from saldo.outreach.templates import sender_of
from saldo.parties.queries import ContactRow

MOST_ITEMS, MOST_CONTACTS = 25, 4
_NAME, _ADDRESS, _NUMBER = 44, 60, 30


@cache
def _all_words() -> dict[str, Any]:
    return tomllib.loads(files("saldo.flows").joinpath("visit_sheet.toml").read_text(encoding="utf-8"))


def sheet_pdf(ctx: Context, visit_day: VisitDay, language: str) -> bytes:
    """The round as PDF/A-2b, in the language of whoever goes there."""
    lang = language if language in _all_words() else "it"
    words = _all_words()[lang]
    title = words["title"].format(day=date_text(visit_day.row.day.isoformat(), lang))
    blocks: list[Block] = [Heading(title), *_overview(visit_day, words, lang)]
    for place, stop in enumerate(visit_day.stops, start=1):
        blocks += _stop(place, stop, visit_day.currency, words, lang)
    head = Letterhead(sender_of(visit_day.row.company_id).name, (), words["foot"])
    return pdf([Sheet(head, tuple(blocks))], lang, title, visit_day.row.recorded_at)


def _overview(visit_day: VisitDay, words: dict[str, Any], lang: str) -> list[Block]:
    currency, row = visit_day.currency, visit_day.row
    hours, minutes = divmod(row.minutes, 60)
    told = words["sum"].format(
        count=len(visit_day.stops), hours=words["hours"].format(h=hours, m=minutes),
        total=money_text(sum(stop.asked_mills for stop in visit_day.stops), currency, lang),
    )  # fmt: skip
    lines = [words["who"].format(who=row.collector), told, *([clean(row.note)] if row.note else [])]
    rows = []
    for place, stop in enumerate(visit_day.stops, start=1):
        name = f"{place}. {clean(stop.account.name)}"[:_NAME]
        minutes_text = str(stop.planned.way_minutes + stop.planned.minutes)
        asked = money_text(stop.asked_mills, currency, lang)
        rows.append((name, clean(stop.planned.address)[:_ADDRESS], minutes_text, asked))
    header = (words["stop"], words["address"], words["minutes"], words["asked"])
    return [Paragraph(tuple(lines)), Table(header, tuple(rows), (), (False, False, True, True))]


def _stop(place: int, stop: VisitStop, currency: str, words: dict[str, Any], lang: str) -> list[Block]:
    account = stop.account
    people = [_person(each) for each in stop.contacts[:MOST_CONTACTS] if each.name or each.phone]
    lines = [
        clean(stop.planned.address or account.address),
        words["contact"].format(told="; ".join(people) or words["none"]),
    ]
    if wishes := [_wish(words, row.kind, row.value, row.contact, lang) for row in stop.preferences]:
        lines.append(words["wishes"].format(told="; ".join(wishes)))
    owed = _items(stop, currency, words, lang) if stop.items else Paragraph((words["nothing"],))
    return [
        Heading(f"{place}. {clean(account.name)} ({account.code})"),
        Paragraph(tuple(lines)),
        owed,
        Paragraph((words["outcome"], words["promise"])),
        Paragraph((words["reason"], words["note"])),
    ]


def _person(contact: ContactRow) -> str:
    role = f"({clean(contact.role)})" if contact.role else ""
    return " ".join(part for part in (clean(contact.name), role, contact.phone) if part)


def _wish(words: dict[str, Any], kind: str, value: str, who: str, lang: str) -> str:
    told = hours_words(value, lang) if kind == CALL_HOURS else value
    return clean(words["wish"].get(kind, "{value}").format(value=told, who=who or "–"))


def _items(stop: VisitStop, currency: str, words: dict[str, Any], lang: str) -> Table:
    def money(mills: int) -> str:
        return money_text(mills, currency, lang)

    rows = [
        (
            clean(item.number)[:_NUMBER], day_text(item.due_date, lang),
            words["days"].format(n=item.late_days) if item.late_days else "", money(item.balance_mills),
            money(item.asked_mills),
        )
        for item in stop.items[:MOST_ITEMS]
    ]  # fmt: skip
    if rest := stop.items[MOST_ITEMS:]:
        sums = money(sum(item.balance_mills for item in rest)), money(sum(item.asked_mills for item in rest))
        rows.append((words["more"].format(n=len(rest)), "", "", *sums))
    whole = (
        money(sum(item.balance_mills for item in stop.items)),
        money(sum(item.asked_mills for item in stop.items)),
    )
    header = (words["number"], words["due"], words["late"], words["balance"], words["asked"])
    return Table(header, tuple(rows), ((words["total"], "", "", *whole),), (False, True, True, True, True))
