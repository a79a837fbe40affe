"""What the pages of the post say about a message or a reply."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from saldo.collection.playbooks import playbook_of
from saldo.core.errors import SaldoError
from saldo.core.money import from_mills
from saldo.core.text_tables import Paragraph, Table, blocks
from saldo.interfaces.web import labels, outreach_labels
from saldo.interfaces.web.templatetags.saldo import day, language, reason, whole, with_currency

register = template.Library()
# From here on the pages say that a reply was understood for sure, or that they guess.
SURE, LIKELY = 0.9, 0.6


@register.filter
def days_since(due: date | None, as_of: date) -> int:
    """Days from a due date to the day shown; negative before it."""
    return (as_of - due).days if due else 0


@register.filter
def step_words(code: str) -> str:
    """The name of a playbook's step or of a playbook, as people read it: "sollecito-2" is "Sollecito 2"."""
    text = code.replace("-", " ").replace("_", " ").strip()
    return text[:1].upper() + text[1:]


@register.filter
def state_tone(state: str) -> str:
    return outreach_labels.STATE_TONES.get(state, "")


@register.filter
def has_word(code: str, table: str) -> bool:
    return code in labels.TABLES[table]


@register.filter
def sums_text(sums: Mapping[str, Decimal]) -> str:
    """Amounts of several currencies, never added up: 1.234,00 € + 50,00 $."""
    return " + ".join(with_currency(amount, currency) for currency, amount in sorted(sums.items()))


@register.filter
def block_words(group: Any) -> str:
    """What a step of a playbook comes to in a list: 11 · 1.234,00 €."""
    return f"{whole(group.count)} · {sums_text(group.sums)}"


@register.filter
def surety(confidence: float | None) -> str:
    """How sure the reading of a reply is, in a word."""
    if confidence is None:
        return _("not read yet")
    if confidence >= SURE:
        return _("sure")
    return _("likely") if confidence >= LIKELY else _("unsure")


@register.filter
def surety_tone(confidence: float | None) -> str:
    if confidence is None or confidence < LIKELY:
        return "q"
    return "k" if confidence >= SURE else "p"


@register.filter
def understood(row: Any) -> str:
    """A reply in one line: what it seems to say, with its amount and day where they were found."""
    if not row.label:
        return ""
    facts, parts = row.facts or {}, [labels.label("reply", row.label)]
    if amount := facts.get("amount_mills"):
        parts.append(with_currency(from_mills(int(amount)), facts.get("currency") or "EUR"))
    for name, word in (("promised_date", _("by")), ("paid_date", _("on")), ("return_date", _("back on"))):
        if value := facts.get(name):
            parts.append(f"{word} {day(date.fromisoformat(str(value)[:10]))}")
    return " · ".join(parts)


@register.filter
def first_line(text: str, characters: int = 140) -> str:
    line = " ".join(text.split())
    return line if len(line) <= characters else f"{line[:characters].rstrip()}…"


@register.filter
def mills_amount(value: int | None) -> Decimal | None:
    return None if value is None else from_mills(int(value))


@register.filter
def joined(words: Iterable[Any], table: str) -> str:
    return ", ".join(labels.label(table, each) for each in words)


@register.filter
def is_in(value: Any, values: Iterable[Any]) -> bool:
    return value in values


@register.filter
def person_name(actor: str) -> str:
    """Who did it; the machine's own work has no name."""
    return _("Saldo by itself") if actor.startswith("system:") else actor


@register.filter
def written_ways(contact: Any) -> list[tuple[str, str]]:
    """The addresses of a contact to which one can write: (channel, address as stops know it)."""
    return [
        (channel, address) for channel, address in (("email", contact.email), ("pec", contact.pec)) if address
    ]


@register.filter
def as_sent(text: str) -> SafeString:
    """A message's plain text as a page shows it: its aligned tables as tables, all else as it stands."""
    return format_html_join("", "{}", ((_block(block),) for block in blocks(text)))


def _block(block: Paragraph | Table) -> SafeString:
    if isinstance(block, Paragraph):
        return format_html("<p>{}</p>", "\n".join(block.lines))
    parts = format_html("<thead>{}</thead>", _cells(block, [block.header], "th"))
    parts += format_html("<tbody>{}</tbody>", _cells(block, block.rows, "td"))
    if block.footer:
        parts += format_html("<tfoot>{}</tfoot>", _cells(block, block.footer, "td"))
    return format_html("<table>{}</table>", parts)


def _cells(table: Table, rows: Iterable[Iterable[str]], tag: str) -> SafeString:
    def row(cells: Iterable[str]) -> SafeString:
        pairs = zip(cells, table.right, strict=True)
        made = ((mark_safe(tag), "num" if right else "", cell, mark_safe(tag)) for cell, right in pairs)
        return format_html("<tr>{}</tr>", format_html_join("", '<{} class="{}">{}</{}>', made))

    return format_html_join("", "{}", ((row(cells),) for cells in rows))


@register.filter
def playbook_name(version_id: int | None) -> str:
    """The title of a playbook in the reader's language."""
    if version_id is None:
        return ""
    title = _titles(version_id)
    return title.get(language()) or title.get("it") or next(iter(title.values()), "")


@lru_cache(maxsize=256)
def _titles(version_id: int) -> Mapping[str, str]:
    """A version never changes."""
    return playbook_of(version_id).title


@register.filter
def why_now(told: Any) -> str:
    """A step's reason without the step and the amount, which stand beside it in the list."""
    text = reason(told)
    after = text.split(": ", 1)[-1]
    return after[:1].upper() + after[1:]


def refusal_words(code: str, params: Mapping[str, Any]) -> str:
    """Why a message cannot go out: the words of what holds it back, or of the error."""
    if code in outreach_labels.HELD_BACK:
        return labels.label("held_back", code)
    try:
        return SaldoError(code, **params).why(language())
    except KeyError:
        return code.replace("_", " ")


@register.filter
def refusal(code: str) -> str:
    return refusal_words(code, {})
