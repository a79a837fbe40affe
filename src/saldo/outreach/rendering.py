"""Messages on paper and as attachments: letters, statements of account, copies of invoices.

All is made when it is asked for, as of the message's own day and with what was known when it was made, so a
letter printed twice says the same twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.core.message_facts import Line, MessageFacts, Receiver, Sender, clean
from saldo.core.money import to_mills
from saldo.core.playbook import FORMAL_NOTICE, INVOICES, LETTER, PEC, STATEMENT, THANKS
from saldo.core.words import date_text
from saldo.ledger.models import Item
from saldo.outreach.facts import ItemTold, items_told, receivers
from saldo.outreach.invoice_copies import copies_of
from saldo.outreach.letters.codes import transfer_of
from saldo.outreach.letters.typeset import Block, Letter, Letterhead, Sheet, blocks_of, pdf
from saldo.outreach.models import Message
from saldo.outreach.statements import notes_of, statement, statement_blocks
from saldo.outreach.templates import sender_of
from saldo.parties.queries import account_header, visible_accounts

# What a mailbox takes in all; base64 makes a third more of it, and many servers refuse beyond 20 to 25 MB.
ATTACHMENTS_MAX_BYTES = 10_000_000
COPIES_MAX = 20
TOO_LARGE, TOO_MANY, NO_ORIGINAL = "too_large", "too_many", "no_original"
_PDF = "application/pdf"
_REGISTERED = {"it": "Raccomandata A/R", "en": "Registered letter, return receipt"}
_VAT = {"it": "P. IVA {vat}", "en": "VAT no. {vat}"}
_NAMES = {
    "it": {"statement": "estratto-conto-{day}.pdf", "formal": "costituzione-in-mora-{day}.pdf",
           "title": "Lettera"},
    "en": {"statement": "statement-{day}.pdf", "formal": "formal-notice-{day}.pdf", "title": "Letter"},
}  # fmt: skip
_STATEMENT_TITLE = {"it": "Estratto conto", "en": "Statement of account"}
# As the post reads them abroad.
_COUNTRIES = {
    "AT": "AUSTRIA", "BE": "BELGIUM", "BG": "BULGARIA", "CH": "SWITZERLAND", "CY": "CYPRUS",
    "CZ": "CZECH REPUBLIC", "DE": "GERMANY", "DK": "DENMARK", "EE": "ESTONIA", "ES": "SPAIN", "FI": "FINLAND",
    "FR": "FRANCE", "GB": "UNITED KINGDOM", "GR": "GREECE", "HR": "CROATIA", "HU": "HUNGARY", "IE": "IRELAND",
    "LT": "LITHUANIA", "LU": "LUXEMBOURG", "LV": "LATVIA", "MC": "MONACO", "MT": "MALTA",
    "NL": "NETHERLANDS", "NO": "NORWAY", "PL": "POLAND", "PT": "PORTUGAL", "RO": "ROMANIA", "RS": "SERBIA",
    "SE": "SWEDEN", "SI": "SLOVENIA", "SK": "SLOVAKIA", "SM": "SAN MARINO", "US": "UNITED STATES",
}  # fmt: skip
# Typst works without Python's lock: two letters are set at once.
_THREADS = 2


@dataclass(frozen=True, slots=True)
class LeftOut:
    """An attachment that was not made or is too large. why: too_large, too_many or no_original."""

    name: str
    size_bytes: int
    why: str


@dataclass(frozen=True, slots=True)
class Attachments:
    kept: tuple[tuple[str, str, bytes], ...]
    left_out: tuple[LeftOut, ...]


def statement_pdf(ctx: Context, account_id: int, currency: str, language: str) -> bytes:
    """The statement of account as of ``ctx.as_of``. currency: that one alone; "" all, one after the other.

    Raises SaldoError("account_unknown") where the actor may not see the account.
    """
    header = account_header(ctx, account_id)
    if header is None:
        raise SaldoError("account_unknown", account=account_id)
    told = statement(ctx, account_id, language)
    blocks = statement_blocks(ctx, told, header.name, header.code, language, currency)
    head = _letterhead(sender_of(header.company_id), language)
    at = ctx.known_at or ctx.clock()
    return pdf([Sheet(head, blocks)], language, _STATEMENT_TITLE[language], at)


def letter_pdf(ctx: Context, message_id: int) -> bytes:
    """A message as a letter, PDF/A-2b: the letter itself, and on page 2 the statement of account.

    Raises SaldoError("message_unknown") where there is none or the actor may not see it.
    """
    (message,) = _messages(ctx, [message_id])
    (letter,) = _letters(ctx, [message])
    return pdf([letter], message.language, _title(message), message.recorded_at)


def letters_pdf(ctx: Context, message_ids: Sequence[int]) -> bytes:
    """Many letters in one file to print on both sides: each begins on a new sheet. Raises as letter_pdf."""
    messages = _messages(ctx, message_ids)
    if not messages:
        raise SaldoError("letters_none")
    first, at = messages[0], max(message.recorded_at for message in messages)
    return pdf(_letters(ctx, messages), first.language, _title(first), at, duplex=True)


def letter_pdfs(ctx: Context, message_ids: Sequence[int]) -> list[tuple[int, bytes]]:
    """(message, PDF) of each letter in a file of its own, two at a time."""
    messages = _messages(ctx, message_ids)
    letters = _letters(ctx, messages)
    with ThreadPoolExecutor(_THREADS) as threads:
        made = threads.map(
            lambda pair: pdf([pair[1]], pair[0].language, _title(pair[0]), pair[0].recorded_at),
            zip(messages, letters, strict=True),
        )
        return [(message.id, data) for message, data in zip(messages, made, strict=True)]


def attachments_of(ctx: Context, message_id: int) -> list[tuple[str, str, bytes]]:
    """(name, content type, bytes) of what goes out with a message, within ATTACHMENTS_MAX_BYTES in all."""
    return list(attachments(ctx, message_id).kept)


def attachments(ctx: Context, message_id: int) -> Attachments:
    """What goes out with a message, and what does not.

    The statement first, then copies of the items' invoices in the order of the message, as far as size and
    number allow. A formal notice by PEC carries the letter.
    """
    (message,) = _messages(ctx, [message_id])
    at = message.recorded_at
    day = message.as_of.isoformat()
    names = {key: name.format(day=day) for key, name in _NAMES[message.language].items()}
    files: list[tuple[str, bytes]] = []
    left: list[LeftOut] = []
    if message.purpose == FORMAL_NOTICE and message.channel == PEC:
        files.append((names["formal"], letter_pdf(ctx, message_id)))
    if STATEMENT in message.attach:
        then = _then(ctx, message)
        files.append((names["statement"], statement_pdf(then, message.account_id, "", message.language)))
    if INVOICES in message.attach:
        invoices = _invoices_of(message)
        made, missing = copies_of(invoices[:COPIES_MAX], message.language, at)
        files += [(copy.name, copy.data) for copy in made]
        left += [LeftOut(number, 0, NO_ORIGINAL) for number in missing]
        left += [LeftOut(str(each), 0, TOO_MANY) for each in invoices[COPIES_MAX:]]
    kept, used = [], 0
    for name, data in files:
        if used + len(data) > ATTACHMENTS_MAX_BYTES:
            left.append(LeftOut(name, len(data), TOO_LARGE))
            continue
        used += len(data)
        kept.append((name, _PDF, data))
    return Attachments(tuple(kept), tuple(left))


def _messages(ctx: Context, message_ids: Sequence[int]) -> list[Message]:
    rows = Message.objects.filter(id__in=list(message_ids), account__in=visible_accounts(ctx))
    found = {row.id: row for row in rows.prefetch_related("items")}
    for message_id in message_ids:
        if message_id not in found:
            raise SaldoError("message_unknown", message_id=message_id)
    return [found[message_id] for message_id in message_ids]


def _then(ctx: Context, message: Message) -> Context:
    """The day and the instant of the message, so that its papers stay the same."""
    return replace(ctx, as_of=message.as_of, known_at=message.recorded_at, company_id=message.company_id)


def _invoices_of(message: Message) -> list[int]:
    ids = [item.item_id for item in message.items.order_by("id")]
    found = dict(Item.objects.filter(id__in=ids).exclude(invoice=None).values_list("id", "invoice_id"))
    return list(dict.fromkeys(found[each] for each in ids if each in found))


def _letters(ctx: Context, messages: Sequence[Message]) -> list[Letter]:
    """The letters of messages, what they need read for all of them at once."""
    people = receivers([message.account_id for message in messages])
    told = items_told([item.item_id for message in messages for item in message.items.all()])
    senders = {each: sender_of(each) for each in {message.company_id for message in messages}}
    notes: dict[tuple[object, ...], dict[int, str]] = {}
    made = []
    for message in messages:
        receiver = replace(people[message.account_id], contact=message.to_name)
        # The notes of many letters of one day are read at once.
        key = (message.company_id, message.as_of, message.language)
        then = _then(ctx, message)
        if key not in notes:
            ids = [one.account_id for one in messages if (one.company_id, one.as_of, one.language) == key]
            notes[key] = notes_of(then, ids, message.language)
        sheet: tuple[Block, ...] = ()
        if message.purpose != THANKS:
            of_account = statement(then, message.account_id, message.language, notes[key])
            sheet = statement_blocks(then, of_account, receiver.name, receiver.code, message.language)
        made.append(_letter(message, senders[message.company_id], receiver, told, sheet))
    return made


def _letter(
    message: Message,
    sender: Sender,
    receiver: Receiver,
    told: Mapping[int, ItemTold],
    sheet: tuple[Block, ...],
) -> Letter:
    facts = MessageFacts(sender, receiver, message.as_of, message.currency, _lines(message, told))
    is_formal = message.purpose == FORMAL_NOTICE
    transfer = transfer_of(facts, message.language) if facts.lines and message.purpose != THANKS else None
    return Letter(
        head=_letterhead(sender, message.language),
        address=address_lines(receiver),
        date=date_text(message.as_of.isoformat(), message.language),
        subject=message.subject,
        blocks=blocks_of(message.body),
        # By PEC the receipt stands for the card that the post brings back.
        service=_REGISTERED[message.language] if is_formal and message.channel == LETTER else "",
        is_signed=is_formal,
        transfer=transfer,
        sheet=sheet,
    )


def _lines(message: Message, told: Mapping[int, ItemTold]) -> tuple[Line, ...]:
    return tuple(
        Line(item.item_id, told[item.item_id].kind, told[item.item_id].number, None, None,
             to_mills(item.asked), to_mills(item.asked))
        for item in sorted(message.items.all(), key=lambda item: item.id) if item.item_id in told
    )  # fmt: skip


def address_lines(receiver: Receiver) -> tuple[str, ...]:
    """The lines in the envelope's window: nothing on them tells what is inside."""
    contact = clean(receiver.contact)
    if contact.casefold() == clean(receiver.name).casefold():
        contact = ""
    country = receiver.country.upper()
    abroad = "" if country in ("", "IT") else _COUNTRIES.get(country, country)
    lines = (clean(receiver.name), contact, clean(receiver.street), clean(receiver.place), abroad)
    return tuple(line for line in lines if line)


def _letterhead(sender: Sender, language: str) -> Letterhead:
    name = clean(sender.name)
    vat = _VAT[language].format(vat=sender.vat_number) if sender.vat_number else ""
    return Letterhead(name, (vat,) if vat else (), " · ".join(filter(None, (name, vat))))


def _title(message: Message) -> str:
    return f"{_NAMES[message.language]['title']} {message.id}"
