"""Templates of messages: plain text with ``{variable}`` in it. Nothing is computed in a template.

A variable stands in braces, ``{{`` and ``}}`` are braces themselves. A paragraph (text between empty lines)
that has variables all of which are empty is left out. docs/how-to/templates.md lists the variables.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

from saldo.core.errors import Rejection
from saldo.core.playbook import (
    DOCUMENTS,
    EMAIL,
    FORMAL_NOTICE,
    LETTER,
    PEC,
    PORTAL,
    REMINDER,
    SMS,
    SURVEY,
    THANKS,
)

SUBJECT, BODY = "subject", "body"
MAX_SUBJECT = 200
MAX_BODY = 20_000
# Three parts of a long SMS; a text in other letters than GSM's takes more of them, and costs more.
MAX_SMS = 459
LANGUAGES = ("it", "en")
CHANNELS = (EMAIL, PEC, LETTER, SMS, PORTAL)
CODE = re.compile(r"[a-z][a-z0-9_]{0,39}")
_PLACES = {"it": {SUBJECT: "oggetto", BODY: "testo"}, "en": {SUBJECT: "subject", BODY: "text"}}
_TOKEN = re.compile(r"\{\{|\}\}|\{[^{}\n]*\}|[{}]")
# What is written where anyone may look: an inbox's list, a telephone's lock screen.
_PRIVATE = frozenset({
    "items", "items_soon", "total", "credits", "left_out", "payment_details", "portal_link", "opt_out_link",
    "survey_link", "documents", "fixed_costs",
})  # fmt: skip
_ANSWER = frozenset({"how_to_answer", "portal_link"})
# How the code of a template begins that is for something else than a reminder.
_PURPOSES = {"formal": FORMAL_NOTICE, "thanks": THANKS, "documents": DOCUMENTS, "survey": SURVEY}
# The words without which a demand is no demand.
_DEMAND = {"it": re.compile(r"\bin\s+mora\b", re.I), "en": re.compile(r"\bin\s+default\b", re.I)}


@dataclass(frozen=True, slots=True)
class Variable:
    """What a variable stands for, in Italian and English."""

    it: str
    en: str


VARIABLES: Mapping[str, Variable] = {
    "greeting": Variable("saluto iniziale, con la virgola", "the salutation, with its comma"),
    "company": Variable("la nostra società", "our company"),
    "company_vat": Variable("la nostra partita IVA", "our VAT number"),
    "customer": Variable("ragione sociale del cliente", "the customer's name"),
    "customer_code": Variable("codice del cliente", "the customer's number"),
    "contact": Variable("nome del referente", "the contact's name"),
    "today": Variable("data del messaggio", "the message's date"),
    "items": Variable("tabella delle partite di cui si parla, con il totale",
                      "table of the items that the message is about, with their total"),
    "items_soon": Variable("tabella delle altre partite in scadenza nei prossimi 15 giorni",
                           "table of the other items that fall due in the next 15 days"),
    "documents": Variable("i numeri dei documenti, in breve", "the numbers of the documents, in short"),
    "count": Variable("quanti documenti («3 documenti»)", "how many documents (“3 documents”)"),
    "total": Variable("totale richiesto (nei ringraziamenti: pagato), con la valuta",
                      "what is asked in all (in thanks: what was paid), with its currency"),
    "oldest_days": Variable("giorni di ritardo della partita più vecchia («45 giorni»)",
                            "days past due of the oldest item (“45 days”)"),
    "due_date": Variable("la prima scadenza fra le partite", "the earliest due date among the items"),
    "credits": Variable("accrediti del cliente non ancora abbinati",
                        "credits of the customer not yet applied"),
    "left_out": Variable("frase su quanto è rimasto fuori: promesso, contestato, in un piano, in incasso",
                         "sentence on what was left out: promised, disputed, in a plan, being collected"),
    "previous_date": Variable("data dell'ultimo messaggio sulle stesse partite",
                              "date of the last message about the same items"),
    "deadline": Variable("termine di pagamento: data", "the term for paying: a date"),
    "deadline_days": Variable("termine di pagamento: giorni («15 giorni»)", "the term for paying: days"),
    "fixed_cost": Variable("importo forfettario per ogni fattura (art. 6 D.Lgs. 231/2002)",
                           "fixed sum for each invoice (art. 6, Directive 2011/7/EU)"),
    "fixed_costs": Variable("gli importi forfettari di tutte le fatture scadute", "the fixed sums in all"),
    "payment_details": Variable("beneficiario, IBAN, BIC, causale", "payee, IBAN, BIC, remittance text"),
    "how_to_answer": Variable("come rispondere, secondo il canale («potete rispondere a questo messaggio»)",
                              "how to answer, by channel (“you can answer this message”)"),
    "portal_link": Variable("indirizzo del portale, se attivo", "address of the portal, where there is one"),
    "survey_link": Variable("indirizzo delle due domande, nel questionario dopo una pratica chiusa",
                            "address of the two questions, in the survey after something was closed"),
    "opt_out_link": Variable("indirizzo per dire che il recapito è sbagliato o non più desiderato",
                             "address to tell that this is the wrong one, or not wanted any more"),
    "signature": Variable("la firma della società", "the company's signature"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Template:
    """The words of one message, by channel and language."""

    code: str
    channel: str
    language: str
    subject: str
    body: str


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a template is refused, and where: its part, line and column from 1 (0: the whole part)."""

    code: str
    part: str = BODY
    line: int = 0
    column: int = 0
    params: Mapping[str, Any] = field(default_factory=dict)

    def place(self, language: str) -> str:
        name = _PLACES[language][self.part]
        if not self.line:
            return name
        row, column = ("riga", "colonna") if language == "it" else ("line", "column")
        return f"{name}, {row} {self.line}, {column} {self.column}"

    def text(self, language: str) -> str:
        said = Rejection(self.code, "", "", self.params)
        return f"{self.place(language)}: {said.why(language)} {said.remedy(language)}".strip()


@dataclass(frozen=True, slots=True)
class _Piece:
    """A stretch of a template: its text, or the name of a variable."""

    text: str
    is_variable: bool
    start: int


class BrokenTemplate(ValueError):
    """A template that was never checked: a brace or a variable that does not exist."""


def purpose_of(code: str) -> str:
    """What a template is for, by its code; whoever has a step knows better."""
    for prefix, purpose in _PURPOSES.items():
        if code.startswith(prefix):
            return purpose
    return REMINDER


def check(template: Template, purpose: str = "") -> list[Problem]:
    """Everything that is wrong with a template; nothing: it may be saved and used."""
    purpose = purpose or purpose_of(template.code)
    problems = [*_head_problems(template), *_braces(template.subject, SUBJECT), *_braces(template.body, BODY)]
    used = {piece.text for piece in _pieces(template.body) if piece.is_variable}
    problems += [Problem("template_needs", params={"needed": _named(needed)})
                 for needed in _needed(template.channel, purpose) if not used & needed]  # fmt: skip
    if purpose == FORMAL_NOTICE and not _DEMAND[template.language].search(template.body):
        problems.append(Problem("template_no_demand"))
    return problems


def subject_problems(subject: str) -> list[Problem]:
    """What is wrong with a subject that stands in place of a template's own."""
    problems = list(_braces(subject, SUBJECT))
    if "\n" in subject.strip():
        problems.append(Problem("template_subject_lines", SUBJECT))
    return problems


def fill(text: str, values: Mapping[str, str]) -> str:
    """The text with its variables filled; paragraphs all of whose variables are empty are left out.

    Raises BrokenTemplate for a text that ``check`` would have refused.
    """
    kept = []
    for pieces in _parsed(text):
        names = [piece.text for piece in pieces if piece.is_variable]
        if unknown := [name for name in names if name not in values]:
            raise BrokenTemplate(", ".join(unknown))
        if names and not any(values[name] for name in names):
            continue
        kept.append("".join(values[p.text] if p.is_variable else p.text for p in pieces).strip("\n"))
    return "\n\n".join(kept)


@lru_cache(maxsize=512)
def _parsed(text: str) -> tuple[tuple[_Piece, ...], ...]:
    """A template is filled for thousands, and read once."""
    return tuple(tuple(_pieces(paragraph)) for paragraph in _paragraphs(text))


def _paragraphs(text: str) -> list[str]:
    clean = text.replace("\r\n", "\n").replace("\r", "\n").strip("\n")
    return [part for part in re.split(r"\n(?:[ \t]*\n)+", clean) if part.strip()]


def variables_of(text: str) -> set[str]:
    return {piece.text for piece in _pieces(text) if piece.is_variable}


def _pieces(text: str) -> Iterator[_Piece]:
    """A lone brace counts as text here; ``check`` tells it."""
    done = 0
    for match in _TOKEN.finditer(text):
        if match.start() > done:
            yield _Piece(text[done : match.start()], False, done)
        token, done = match.group(), match.end()
        if len(token) > 1 and token not in ("{{", "}}"):
            yield _Piece(token[1:-1].strip(), True, match.start())
        else:
            yield _Piece(token[0], False, match.start())
    if done < len(text):
        yield _Piece(text[done:], False, done)


def _head_problems(template: Template) -> Iterator[Problem]:
    if not CODE.fullmatch(template.code):
        yield Problem("template_code_bad", params={"code": template.code[:60]})
    if template.channel not in CHANNELS or template.language not in LANGUAGES:
        yield Problem(
            "template_kind_bad", params={"channel": template.channel, "language": template.language}
        )
    if not template.body.strip():
        yield Problem("template_empty")
    for part, text, most in ((SUBJECT, template.subject, MAX_SUBJECT), (BODY, template.body, MAX_BODY)):
        if len(text) > most:
            yield Problem("template_too_long", part, params={"length": len(text), "most": most})
    if "\n" in template.subject.strip():
        yield Problem("template_subject_lines", SUBJECT)
    if template.channel != SMS and not template.subject.strip():
        yield Problem("template_no_subject", SUBJECT)


def _braces(text: str, part: str) -> Iterator[Problem]:
    for match in _TOKEN.finditer(text):
        token = match.group()
        line = text.count("\n", 0, match.start()) + 1
        column = match.start() - (text.rfind("\n", 0, match.start()) + 1) + 1
        if token in ("{", "}"):
            yield Problem("template_brace", part, line, column, {"brace": token})
        elif token not in ("{{", "}}"):
            name = token[1:-1].strip()
            if name not in VARIABLES:
                near = get_close_matches(name, VARIABLES, n=3, cutoff=0.5)
                known = ", ".join(f"{{{each}}}" for each in (near or VARIABLES))
                params = {"name": name[:60], "known": known}
                yield Problem("template_unknown_variable", part, line, column, params)
            elif part == SUBJECT and name in _PRIVATE:
                yield Problem("template_private", part, line, column, {"name": name})


def _needed(channel: str, purpose: str) -> tuple[frozenset[str], ...]:
    """Sets of variables of each of which a text must have one."""
    who = frozenset({"company", "signature"})
    if channel == SMS:
        return (frozenset({"company"}),) if purpose == THANKS else (frozenset({"company"}), _ANSWER)
    if purpose == THANKS:
        return (who,)
    if purpose == SURVEY:
        return (who, frozenset({"survey_link"}))
    if purpose == FORMAL_NOTICE:
        each = (frozenset({name}) for name in ("items", "total", "company", "signature"))
        return (*each, frozenset({"deadline", "deadline_days"}), _ANSWER)
    return (frozenset({"items"}), _ANSWER, who)


def _named(names: frozenset[str]) -> str:
    return " / ".join(f"{{{name}}}" for name in sorted(names))
