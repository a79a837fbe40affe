"""Words and figures of the cash desk."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from django import template
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from saldo.cash.desk import LineRow
from saldo.cash.desk_line import Line, PostingRow, Proposal
from saldo.core.matching.records import ADVANCE, DUPLICATE, ON_ACCOUNT, UNKNOWN
from saldo.core.money import CURRENCY_EXPONENTS
from saldo.core.normalize import search_text
from saldo.interfaces.web.cash_forms import done_word as word_of_done
from saldo.interfaces.web.labels import label
from saldo.interfaces.web.templatetags.saldo import day, money, whole, with_currency

register = template.Library()

SHOWN_NUMBERS = 3
TEXT_CHARACTERS = 110
SYSTEM = "system:"


def _listed(numbers: Sequence[str]) -> str:
    """The first numbers, and how many more."""
    shown = ", ".join(numbers[:SHOWN_NUMBERS])
    more = len(numbers) - SHOWN_NUMBERS
    if more <= 0:
        return shown
    return ngettext("%(shown)s and %(more)d more", "%(shown)s and %(more)d more", more) % {
        "shown": shown, "more": more,
    }  # fmt: skip


@register.filter
def line_summary(row: LineRow) -> str:
    """What the line pays, or seems to pay; where nobody knows, what the bank says."""
    if row.group in ("out", "other"):
        told = (row.note or label("posting", row.posted)) if row.posted else ""
        return " · ".join(part for part in (told, row.text[:TEXT_CHARACTERS]) if part)
    if row.group in ("open", "returned", "held"):
        return row.text[:TEXT_CHARACTERS]
    if row.numbers:
        paid = _listed(row.numbers)
    elif row.proposal == DUPLICATE and not row.posted:
        paid = _("paid twice?")
    elif row.proposal == ADVANCE and not row.posted:
        paid = _("advance")
    else:
        paid = " · ".join(part for part in (_("on account"), row.text[:TEXT_CHARACTERS]) if part)
    is_other = search_text(row.account_name) != search_text(row.payer)
    return f"{paid} · {row.account_name}" if is_other and row.account_name and row.payer else paid


@register.filter
def proposal_title(proposal: Proposal) -> str:
    """What the proposal says in a few words, as the head of the pane."""
    name = {"name": proposal.account_name}
    if proposal.kind == UNKNOWN or not proposal.account_name:
        return _("Payer not recognized")
    if proposal.kind == DUPLICATE:
        return _("%(name)s paid this already") % name
    if proposal.kind == ADVANCE:
        return _("Advance of %(name)s") % name
    if proposal.kind == ON_ACCOUNT or not proposal.parts:
        return _("On account of %(name)s") % name
    return proposal.account_name


@register.filter
def proposal_summary(proposal: Proposal) -> str:
    """The documents, what is left, and the first reason's weight, in one line."""
    numbers = list(dict.fromkeys(part.item.number for part in proposal.parts if part.item.number))
    parts = [_listed(numbers)] if numbers else []
    for part in proposal.parts:
        parts += [
            f"{label('difference', kind)} {money(amount, part.item.currency)}"
            for kind, amount in part.differences
        ]
    if proposal.unapplied > 0 and proposal.parts:
        parts.append(_("%(amount)s on account") % {"amount": money(proposal.unapplied)})
    return " · ".join(parts)


@register.filter
def posting_title(posting: PostingRow) -> str:
    """What the line was posted as."""
    name = {"name": posting.account_name}
    if posting.kind == "match":
        return (_("Matched: %(name)s") if posting.parts else _("On account of %(name)s")) % name
    word = label("posting", posting.kind)
    return f"{word}: {posting.account_name}" if posting.account_name else word


@register.filter
def line_facts(line: Line) -> list[tuple[str, str]]:
    """All that the bank says of the line, labelled; what it does not say is left out."""
    facts = line.facts
    told = [
        (_("Ultimate payer"), facts["ultimate_name"] if facts["ultimate_name"] != line.payer else ""),
        (_("VAT number or tax code"), facts["payer_tax_code"]),
        (_("Structured reference"), facts["creditor_reference"]),
        (_("End-to-end id"), facts["end_to_end_id"]),
        (_("Mandate"), facts["mandate_id"]),
        (_("Bank’s reference"), facts["bank_reference"]),
        (_("Our reference"), facts["customer_reference"]),
        (_("Code"), facts["code"]),
        (_("Return reason"), facts["return_reason"]),
        (_("Charges"), with_currency(facts["charges"], line.currency) if facts["charges"] else ""),
        (_("Documents named"), ", ".join(str(each) for each in facts["document_refs"][:12])),
        (_("Value date"), day(facts["value_date"]) if facts["value_date"] else ""),
        (_("Our account"), grouped_iban(facts["bank_iban"] or facts["bank_number"])),
    ]
    if facts["original_amount"]:
        original = with_currency(facts["original_amount"], facts["original_currency"])
        told.insert(0, (_("Original amount"), original))
    return [(name, str(value)) for name, value in told if value]


@register.filter
def grouped_iban(iban: str) -> str:
    """An IBAN in groups of four, as people read it."""
    return " ".join(iban[i : i + 4] for i in range(0, len(iban), 4)) if iban[:2].isalpha() else iban


@register.filter
def other_reasons(line: Line) -> list[str]:
    """What a line that no customer paid usually is, the likeliest first."""
    if line.came_in:
        return [_("Transfer between our accounts"), _("Interest or bank refund"), _("Supplier’s refund"),
                _("Tax or public body"), _("Other income")]  # fmt: skip
    return [_("Bank charges"), _("Transfer between our accounts"), _("Payment to a supplier"),
            _("Wages and taxes"), _("Other payment")]  # fmt: skip


@register.filter
def person(actor: str) -> str:
    return _("Saldo") if actor.startswith(SYSTEM) else actor


@register.filter
def unlocal(amount: Decimal) -> str:
    """A plain number for the page's script."""
    return f"{amount:f}"


@register.filter
def places(currency: str) -> int:
    return CURRENCY_EXPONENTS.get(currency, 2)


@register.filter
def done_word(done: str) -> str:
    return word_of_done(done)


@register.filter
def head_sums(head: Mapping[str, Any]) -> str:
    """The sums of a folded group, by currency."""
    return " · ".join(with_currency(part.amount, currency) for currency, part in head["sums"])


@register.filter
def heads_json(heads: Sequence[Mapping[str, Any]]) -> str:
    """The folded groups' figures for the page's script, which puts them into the heads that are there."""
    told = [
        {
            "group": head["group"],
            "count": head["count"],
            "shown": whole(head["count"]),
            "sums": head_sums(head),
        }
        for head in heads
    ]
    return json.dumps(told)


@register.filter
def last_group(rows: Sequence[LineRow]) -> str:
    return rows[-1].group if rows else ""


@register.filter
def field_labels(text: str) -> list[tuple[str, str]]:
    """Pairs written "name:word name:word", with the words in the reader's language."""
    words = {"number": _("Account number"), "creditor": _("Creditor identifier (SDD)")}
    pairs = [pair.partition(":") for pair in text.split()]
    return [(name, words.get(word, word)) for name, _colon, word in pairs]


@register.filter
def ends_in(number: str, sequence: str) -> bool:
    """Whether a statement's number says its sequence already."""
    return number.endswith(sequence)
