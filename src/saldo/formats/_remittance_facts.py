"""Who paid, when, and under which references, where the words of a remittance advice say so without doubt."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from stdnum import iban as iban_check

from saldo.core.normalize import is_valid_vat, vat_number
from saldo.formats._remittance import Remittance, day_of, folded, month_first

_DAY_TEXT = (
    r"(\d{4}-\d{2}-\d{2}|\d{1,2}[/.\-]\d{1,2}[/.\-]\d{2,4}|\d{1,2}\.?\s+[a-z]{3,10}\.?\s+\d{4}"
    r"|[a-z]{3,10}\s+\d{1,2},?\s+\d{4})"
)
_PAYMENT_DAY = (
    re.compile(
        r"(?:data (?:di |del |dell.)?(?:pagamento|bonifico|esecuzione|ordine)|payment date|date of payment|"
        r"bonifico (?:in data|del|eseguito il|disposto il)|pagamento (?:in data|del)|paid on|zahlungsdatum|"
        r"date (?:de |du )?(?:paiement|virement))[\s:.]{1,4}(?:il |the )?" + _DAY_TEXT
    ),
    re.compile(r"(?:valuta|value date|data valuta|valutadatum)[\s:.]{1,4}(?:del |il )?" + _DAY_TEXT),
    re.compile(
        r"(?:dispost|effettuat|eseguit|bonific|pagament|transferred|paid|sent|made|remitted|uberwiesen).{0,60}?"
        r"\b(?:in data|on|am|il giorno) (?:the )?" + _DAY_TEXT
    ),
)
_END_TO_END = re.compile(
    r"\b(?:cro|trn|end[ \-]?to[ \-]?end(?: id)?|e2e(?: id)?)\b"
    r"[\s.:n°]{1,4}([a-z0-9][a-z0-9/.\-]{5,34})"
)
_REFERENCE = re.compile(
    r"\b(?:rif(?:erimento|\.)? ?(?:pagamento|bonifico)|"
    r"(?:payment|remittance|our|advice) ?(?:ref(?:erence|\.)?|no\.?|"
    r"number)|avviso (?:di (?:pagamento|bonifico) )?n[.°]?|distinta n[.°]?|"
    r"zahlungsreferenz)[\s.:#]{1,4}([a-z0-9][a-z0-9/.\-]{2,34})"
)
_PAYER = re.compile(
    r"^\s*(?:ordinante|debitore|pagatore|mittente|payer|paid by|debtor|ordering customer|remitter|"
    r"auftraggeber|donneur d.ordre)\s*[:\-](.*)",
    re.I,
)
# What follows a name on its line; as words of their own, since names hold "vat" too.
_AFTER_NAME = re.compile(r"\b(?:p\.? ?iva|partita iva|vat|iban)\b", re.I)
_COMPANY = re.compile(
    r"\b(?:s\.?r\.?l\.?s?|s\.?p\.?a\.?|s\.?n\.?c\.?|s\.?a\.?s\.?|gmbh|ltd|limited|llc|inc|s\.?a\.?r\.?l|ag|bv)"
    r"(?:\W|$)",
    re.I,
)
_PAYEE = re.compile(
    r"spett|egregi|beneficiario|fornitore|supplier|payee|creditor|^to\b|\bto:|empfanger|vendor"
)
_VAT = re.compile(
    r"(?:p\.? ?iva|partita iva|vat(?: (?:no|number|id|reg))?|ust-?id(?:-?nr)?)[\s.:]{0,4}"
    r"((?:[a-z]{2} ?)?[a-z]?[0-9]{2,3}[ 0-9a-z]{4,12})(?![0-9a-z])",
    re.I,
)
_IBAN = re.compile(r"\b([A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{1,4}){3,8})\b")
_PAYER_IBAN = re.compile(
    r"iban (?:ordinante|addebito|debitore|payer|debtor)|"
    r"(?:debit|payer|debtor)\w* (?:account|iban)"
)


def with_facts(advice: Remittance, lines: Sequence[str]) -> Remittance:
    """``advice`` with the payment's day, references and payer, where the text says them without doubt."""
    text = "\n".join(lines)
    flat = " ".join(folded(text).split())
    references = [match.group(1) for match in _REFERENCE.finditer(flat) if re.search(r"\d", match.group(1))]
    transfers = [match.group(1) for match in _END_TO_END.finditer(flat) if re.search(r"\d", match.group(1))]
    return replace(
        advice,
        payment_date=advice.payment_date or _payment_date(flat, month_first(text)),
        reference=advice.reference or _only([one.rstrip(".-/").upper() for one in references]),
        end_to_end_id=advice.end_to_end_id or _only([one.rstrip(".-/").upper() for one in transfers]),
        payer_name=advice.payer_name or _payer_name(lines),
        payer_vat=advice.payer_vat or _payer_vat(lines),
        payer_iban=advice.payer_iban or _payer_iban(lines),
    )


def _payment_date(flat: str, is_month_first: bool) -> date | None:
    for pattern in _PAYMENT_DAY:
        days = {day for match in pattern.finditer(flat) if (day := day_of(match.group(1), is_month_first))}
        if days:
            return days.pop() if len(days) == 1 else None
    return None


def _payer_name(lines: Sequence[str]) -> str | None:
    """The name after "Ordinante:" and the like; else the one company named that is not the addressee."""
    found = (match.group(1) for line in lines if (match := _PAYER.match(line)))
    names = (_AFTER_NAME.split(text, maxsplit=1)[0].strip(" \t-–,;") for text in found)
    labelled = [name for name in names if 2 <= len(name) <= 80]
    if labelled:
        return _only(labelled)
    named = [
        " ".join(line.split())
        for place, line in enumerate(lines[:200])
        if len(line) <= 80
        and _COMPANY.search(line)
        and not re.search(r"\d|:", line)
        and not _PAYEE.search(folded(" ".join(lines[max(0, place - 1) : place + 1])))
    ]
    return _only(named)


def _payer_vat(lines: Sequence[str]) -> str | None:
    found = []
    for place, line in enumerate(lines):
        near = folded(" ".join(lines[max(0, place - 3) : place + 1]))
        for match in _VAT.finditer(line):
            words = match.group(1).split()
            # Words may follow the number, and some countries write theirs in groups.
            tries = (vat_number("".join(words[:count])) for count in range(len(words), 0, -1))
            number = next((one for one in tries if is_valid_vat(one)), None)
            if number and not _PAYEE.search(near):
                found.append(number)
    return _only(found)


def _payer_iban(lines: Sequence[str]) -> str | None:
    found = []
    for line in lines:
        if _PAYER_IBAN.search(folded(line)):
            texts = (match.group(1).replace(" ", "") for match in _IBAN.finditer(line))
            found += [text for text in texts if iban_check.is_valid(text)]
    return _only(found)


def currency_named(text: str) -> str | None:
    """The one currency that the text names."""
    plain = text.upper()
    marks = {"EUR": ("€", "EUR"), "USD": ("$", "USD"), "GBP": ("£", "GBP"), "CHF": ("CHF",)}
    named = [
        code for code, words in marks.items()
        if any((word in plain) if len(word) == 1 else re.search(rf"\b{word}", plain) for word in words)
    ]  # fmt: skip
    return named[0] if len(named) == 1 else None


def _only(values: Sequence[str]) -> str | None:
    distinct = list(dict.fromkeys(values))
    return distinct[0] if len(distinct) == 1 else None
