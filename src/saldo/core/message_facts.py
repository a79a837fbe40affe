"""What a message is about, and the text of every variable that a template may use (``core.wording``)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from saldo.core.money import CURRENCY_EXPONENTS, from_mills
from saldo.core.playbook import EMAIL, FORMAL_NOTICE, LETTER, PEC, REMINDER, SMS, THANKS
from saldo.core.text_tables import aligned
from saldo.core.words import MONTHS_EN, money_text, number_text

# Days of the term that a message gives: D.Lgs. 231/2002 gives none; fifteen are what courts call fair for a
# notice (art. 1454 of the civil code has the same).
FORMAL_DAYS, REMINDER_DAYS = 15, 7
SOON_DAYS = 15
# D.Lgs. 231/2002 art. 6: 40 EUR for each invoice paid late.
FIXED_COST_MILLS = 40_000
# A mail lists so many items; the others are one line, and stand in the statement of account.
MAIL_ROWS = 60
# So many amounts that are not asked are told one by one in a mail.
_LEFT_OUT_ROWS = 20
# Nobody types a longer address from paper.
_PAPER_LINK = 60
# The reason of an amount that an open credit note covers.
CREDIT_NOTE = "credit_note"
_SHORT_NUMBERS = 3
_OFFICE = re.compile(
    r"\b(uff\w*|ammin\w*|contab\w*|office|account\w*|dept|dep|department|reparto|segreteria|spett\w*|team|ap)\b",
    re.I,
)
_KINDS = {
    "it": {"interest": "Interessi", "fee": "Spese", "adjustment": "Rettifica", "reopening": "Riapertura"},
    "en": {"interest": "Interest", "fee": "Charges", "adjustment": "Adjustment", "reopening": "Reopened"},
}
_REASONS = {
    "it": {
        "promised": "promessi", "disputed": "in contestazione", "held": "sospesi",
        "planned": "in un piano di rientro", "in_flight": "in corso di incasso",
        "cash_first": "con un pagamento in corso di verifica", CREDIT_NOTE: "coperti da una nota di credito",
        "": "non richiesti con questo messaggio",
    },
    "en": {
        "promised": "promised", "disputed": "disputed", "held": "suspended", "planned": "in a payment plan",
        "in_flight": "being collected", "cash_first": "with a payment that we are checking",
        CREDIT_NOTE: "covered by a credit note", "": "not asked for in this message",
    },
}  # fmt: skip
_ANSWERS = {
    "it": {
        EMAIL: "potete rispondere a questo messaggio",
        PEC: "potete rispondere a questo messaggio PEC",
        SMS: "per chiarimenti trovate i nostri recapiti in fattura",
    },
    "en": {
        EMAIL: "please answer this message",
        PEC: "please answer this certified message",
        SMS: "for questions see our contacts on the invoice",
    },
}
# A way to answer in a signature: a mail address, or a telephone number.
_CONTACT = re.compile(r"\S@\S|\d(?:[ ./-]?\d){5,}")
_HEADERS = {
    "it": ("Documento", "Data", "Scadenza", "Giorni", "Saldo", "Importo", "Richiesto"),
    "en": ("Document", "Date", "Due date", "Days", "Balance", "Amount", "Asked"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One item in a message. asked_mills: what is asked of balance_mills (thanks: what was paid)."""

    item_id: int
    kind: str
    number: str
    document_date: date | None
    due_date: date | None
    balance_mills: int
    asked_mills: int
    installment: int = 0
    level: int = 0
    level_before: int = 0


@dataclass(frozen=True, slots=True)
class Sender:
    """Our company as it signs. signature: by language; "" where nobody has written one. email: where answers
    on paper may be sent to, "" where no mailbox is known."""

    name: str
    vat_number: str
    iban: str
    bic: str
    sender_name: str
    signature: Mapping[str, str]
    email: str = ""


@dataclass(frozen=True, slots=True)
class Receiver:
    """The customer. contact: a person or an office. street, place, country: for a letter."""

    account_id: int
    name: str
    code: str
    contact: str = ""
    street: str = ""
    place: str = ""
    country: str = ""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """An amount of an item that is not asked, and why. line: of an item of the message or of another one.
    credit_number, credit_date: of the credit note that covers it (code CREDIT_NOTE)."""

    line: Line
    code: str
    mills: int
    credit_number: str = ""
    credit_date: date | None = None


@dataclass(frozen=True, slots=True)
class MessageFacts:
    """Everything that a message tells, as of a day, in one currency.

    soon: other items that fall due within SOON_DAYS. left_out: what is due but not asked. credits_mills: the
    customer's credits, without those that left_out tells.
    """

    sender: Sender
    receiver: Receiver
    as_of: date
    currency: str
    lines: tuple[Line, ...]
    purpose: str = REMINDER
    soon: tuple[Line, ...] = ()
    credits_mills: int = 0
    left_out: tuple[LeftOut, ...] = ()
    previous_date: date | None = None
    portal_link: str = ""
    opt_out_link: str = ""
    survey_link: str = ""

    @property
    def total_mills(self) -> int:
        return sum(line.asked_mills for line in self.lines)


def day_text(day: date | None, language: str) -> str:
    """A day: 09/03/2026 in Italian, 9 Mar 2026 in English, which nobody reads the other way round."""
    if day is None:
        return ""
    return f"{day:%d/%m/%Y}" if language == "it" else f"{day.day} {MONTHS_EN[day.month - 1][:3]} {day.year}"


def line_name(line: Line, language: str) -> str:
    """How an item is called: its document's number, with the installment where there are several."""
    name = clean(line.number) or _KINDS[language].get(line.kind, "—")
    if line.installment:
        name += f" ({'rata' if language == 'it' else 'part'} {line.installment})"
    return name


def clean(text: str) -> str:
    """One line of printable text: names come from files, and an end of line could forge a header."""
    if not text.isprintable():
        text = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(text.split())


def values(facts: MessageFacts, language: str, channel: str) -> dict[str, str]:
    """The text of every variable of ``core.wording.VARIABLES``; empty where there is nothing to say."""
    deadline_days = FORMAL_DAYS if facts.purpose == FORMAL_NOTICE else REMINDER_DAYS
    on_paper = channel == LETTER
    most = len(facts.lines) if on_paper else MAIL_ROWS
    late = [(facts.as_of - line.due_date).days for line in facts.lines if line.due_date]
    oldest = max(late, default=0)
    dues = [line.due_date for line in facts.lines if line.due_date]
    total = facts.total_mills
    numbers = document_numbers(facts.lines, language)
    invoices = len({line.number for line in facts.lines if line.number and line.kind == "installment"})
    # The law gives a fixed sum in euro.
    fixed = FIXED_COST_MILLS if facts.currency == "EUR" else 0
    sender, receiver = facts.sender, facts.receiver
    return {
        "greeting": greeting(receiver, language),
        "company": clean(sender.name),
        "company_vat": sender.vat_number,
        "customer": clean(receiver.name),
        "customer_code": clean(receiver.code),
        "contact": clean(receiver.contact),
        "today": day_text(facts.as_of, language),
        "items": items_text(facts, facts.lines, language, most) if facts.lines else "",
        "items_soon": items_text(facts, facts.soon, language, most) if facts.soon else "",
        "documents": numbers,
        "count": _count(len(facts.lines), language),
        "total": money_text(total, facts.currency, language) if facts.lines else "",
        "oldest_days": _days(oldest, language) if oldest > 0 and facts.purpose != THANKS else "",
        "due_date": day_text(min(dues, default=None), language),
        "credits": money_text(facts.credits_mills, facts.currency, language) if facts.credits_mills else "",
        "left_out": left_out_text(facts, language, None if on_paper else _LEFT_OUT_ROWS),
        "previous_date": day_text(facts.previous_date, language),
        "deadline": day_text(facts.as_of + timedelta(days=deadline_days), language),
        "deadline_days": _days(deadline_days, language),
        "fixed_cost": money_text(FIXED_COST_MILLS, "EUR", language),
        "fixed_costs": money_text(fixed * invoices, "EUR", language) if fixed and invoices else "",
        "payment_details": payment_details(facts, language),
        "how_to_answer": how_to_answer(sender, language, channel),
        "portal_link": facts.portal_link if not on_paper or len(facts.portal_link) <= _PAPER_LINK else "",
        # Long signed addresses are for a click.
        "survey_link": "" if on_paper else facts.survey_link,
        "opt_out_link": "" if on_paper else facts.opt_out_link,
        "signature": signature(sender, language),
    }


def greeting(receiver: Receiver, language: str) -> str:
    """To the person where one is known; to the company otherwise."""
    name, contact = clean(receiver.name), clean(receiver.contact)
    is_person = bool(contact) and contact.casefold() != name.casefold() and not _OFFICE.search(contact)
    if language == "it":
        return f"Gentile {contact}," if is_person else f"Spettabile {name},"
    return f"Dear {contact}," if is_person else f"Dear {name} team,"


def signature(sender: Sender, language: str) -> str:
    told = sender.signature.get(language, "").strip()
    if told:
        return told
    office = clean(sender.sender_name) or ("Ufficio crediti" if language == "it" else "Credit office")
    return f"{office}\n{clean(sender.name)}"


def how_to_answer(sender: Sender, language: str, channel: str) -> str:
    """Where nobody can press "answer" only the ways that exist are named: our mailbox, those in our
    signature; else those that every invoice has."""
    if told := _ANSWERS[language].get(channel):
        return told
    is_signed = bool(_CONTACT.search(signature(sender, language)))
    if language == "it":
        below = "ai recapiti indicati sotto la firma"
        if sender.email:
            return f"potete scriverci a {sender.email}" + (f" o contattarci {below}" if is_signed else "")
        return f"potete contattarci {below if is_signed else 'ai recapiti riportati sulle nostre fatture'}"
    if sender.email:
        below = " or use the contacts under our signature" if is_signed else ""
        return f"please write to {sender.email}{below}"
    return f"please use the contacts {'under our signature' if is_signed else 'on our invoices'}"


def remittance_text(facts: MessageFacts, language: str, most: int = 140) -> str:
    """What a payer should write, so that the payment is known: document numbers and the customer's number."""
    code = clean(facts.receiver.code)
    end = f" cod. {code}" if language == "it" else f" ref. {code}"
    numbers: list[str] = []
    for number in dict.fromkeys(clean(line.number) for line in facts.lines if line.number):
        if len("Fatt. " + ", ".join([*numbers, number]) + end) > most:
            break
        numbers.append(number)
    head = "Fatt. " if language == "it" else "Inv. "
    return (head + ", ".join(numbers) + end if numbers else end.strip())[:most]


def payment_details(facts: MessageFacts, language: str) -> str:
    """Payee, IBAN, BIC and remittance text; empty where no IBAN is set."""
    sender = facts.sender
    if not sender.iban:
        return ""
    names = ("Beneficiario", "Causale") if language == "it" else ("Payee", "Remittance text")
    lines = [f"{names[0]}: {clean(sender.name)}", f"IBAN: {spaced_iban(sender.iban)}"]
    if sender.bic:
        lines.append(f"BIC: {sender.bic}")
    return "\n".join([*lines, f"{names[1]}: {remittance_text(facts, language, 100)}"])


def spaced_iban(iban: str) -> str:
    plain = iban.replace(" ", "")
    return " ".join(plain[n : n + 4] for n in range(0, len(plain), 4))


def document_numbers(lines: Sequence[Line], language: str) -> str:
    """The numbers in short: "2026/1, 2026/2 e altri 3"."""
    numbers = list(dict.fromkeys(line_name(line, language) for line in lines))
    shown, more = numbers[:_SHORT_NUMBERS], len(numbers) - _SHORT_NUMBERS
    if more <= 0:
        return ", ".join(shown)
    return ", ".join(shown) + (f" e altri {more}" if language == "it" else f" and {more} more")


def items_text(facts: MessageFacts, lines: Sequence[Line], language: str, most: int) -> str:
    """The items as an aligned table, leading ones first as given, with their total in the last row.

    Where something is left out of an item, its whole balance stands beside what is asked. Beyond ``most``
    rows the others are one line, so that what is listed always adds up.
    """
    names = _HEADERS[language]
    partial = any(line.asked_mills != line.balance_mills for line in lines) and facts.purpose != THANKS
    shown = lines if len(lines) <= most else lines[: most - 1]
    places = CURRENCY_EXPONENTS.get(facts.currency, 2)

    def money(mills: int) -> str:
        return number_text(from_mills(mills), language, _places(mills, places))

    def row(line: Line) -> list[str]:
        late = (facts.as_of - line.due_date).days if line.due_date else 0
        cells = [line_name(line, language)[:30], day_text(line.document_date, language)]
        cells += [day_text(line.due_date, language), number_text(late, language) if late > 0 else ""]
        return [*cells, *([money(line.balance_mills)] if partial else []), money(line.asked_mills)]

    def total(name: str, some: Sequence[Line]) -> list[str]:
        balance = [money(sum(line.balance_mills for line in some))] if partial else []
        return [name, "", "", "", *balance, money(sum(line.asked_mills for line in some))]

    header = [*names[:4], *([names[4]] if partial else []), f"{names[6 if partial else 5]} {facts.currency}"]
    rows = [row(line) for line in shown]
    footer = [total("Totale" if language == "it" else "Total", lines)]
    if rest := lines[len(shown) :]:
        more = f"Altre {len(rest)} partite" if language == "it" else f"{len(rest)} more items"
        footer.insert(0, total(more, rest))
    if not any(cells[3] for cells in rows):
        for cells in (header, *rows, *footer):
            del cells[3]
    return aligned(header, rows, range(3, len(header)), footer)


def _places(mills: int, places: int) -> int:
    """More decimals than the currency has, where an amount has them: nothing is rounded away."""
    while places < 3 and mills % 10 ** (3 - places):
        places += 1
    return places


def _count(count: int, language: str) -> str:
    if language == "it":
        return "un documento" if count == 1 else f"{number_text(count, 'it')} documenti"
    return "one document" if count == 1 else f"{number_text(count, 'en')} documents"


def _days(days: int, language: str) -> str:
    if language == "it":
        return "un giorno" if days == 1 else f"{number_text(days, 'it')} giorni"
    return "one day" if days == 1 else f"{number_text(days, 'en')} days"


def left_out_text(facts: MessageFacts, language: str, most: int | None = None) -> str:
    """What is due and not asked, a line for each item and reason, so that whoever reads can add it up.

    An item that is not in the message's table is marked. Beyond ``most`` lines the others are one sum.
    """
    told = [each for each in facts.left_out if each.mills]
    if not told:
        return ""
    listed = {line.item_id for line in facts.lines}
    shown = told if most is None or len(told) <= most else told[: most - 1]
    italian = language == "it"
    lines = ["Non sono compresi nella somma richiesta:" if italian else "Not included in the sum asked:"]
    for each in shown:
        mark = "" if each.line.item_id in listed else " (non in elenco)" if italian else " (not listed)"
        amount = money_text(each.mills, facts.currency, language)
        lines.append(f"{line_name(each.line, language)}{mark}: {amount} {_reason(each, language)}")
    if rest := told[len(shown) :]:
        amount = money_text(sum(each.mills for each in rest), facts.currency, language)
        lines.append(f"altri {len(rest)} importi: {amount}" if italian else f"{len(rest)} more: {amount}")
    # One alone stands in its sentence: a formal notice has no line to spare on its page.
    return (" " if len(lines) == 2 else "\n").join(lines)


def _reason(left: LeftOut, language: str) -> str:
    names = _REASONS[language]
    number = clean(left.credit_number)
    if left.code != CREDIT_NOTE or not number:
        return names.get(left.code, names[""])
    day = day_text(left.credit_date, language)
    if language == "it":
        return f"coperti dalla nota di credito n. {number}" + (f" del {day}" if day else "")
    return f"covered by credit note no. {number}" + (f" of {day}" if day else "")
