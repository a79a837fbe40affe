"""The words of a remittance advice, cut into tokens: days, amounts, numbers, and what words mean among them.

Italian and English, with the German and French words of the same things. Everything is compared folded
(lower case, no accents).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from saldo.formats._remittance import MONTHS, amount_of, day_of, folded, month_first

DAY, AMOUNT, UNCLEAR, NUMBER, WORD = "day", "amount", "unclear", "number", "word"

_MONTH = "|".join(sorted(MONTHS, key=len, reverse=True))
_DAY = (
    r"(?<![\w/.\-])(?:\d{4}-\d{2}-\d{2}|\d{1,2}[/.\-]\d{1,2}[/.\-](?:\d{4}|\d{2})"
    rf"|\d{{1,2}}(?:°|º|\.|st|nd|rd|th)?\s+(?:of\s+)?(?:{_MONTH})\.?,?\s+\d{{4}}"
    rf"|(?:{_MONTH})\.?\s+\d{{1,2}}(?:st|nd|rd|th)?,?\s+\d{{4}})(?![\w/\-])"
)
_SIGN = r"(?:[-−–]\s?)?"
_GROUPED = r"(?:\d{1,3}(?:[.'’\u00a0\u202f]\d{3})+|\d+),\d{2}|(?:\d{1,3}(?:[,'’]\d{3})+|\d+)\.\d{2}"
_AMOUNT = rf"(?<![\w/.,])(?:\((?:{_GROUPED})\)|{_SIGN}(?:{_GROUPED})-?)(?![\w/]|[.,]\d)"
_UNIT = r"(?:€|\$|£|\b(?:eur|euro|usd|gbp|chf)\b)"
# A whole number, or one with groups only, beside a currency: money, but perhaps not what it seems.
_BESIDE = rf"{_UNIT}\s*{_SIGN}\d[\d.,'’]*(?![\w/])|(?<![\w/.,])\d[\d.,']*\s*{_UNIT}(?!\s*-?\d)"
_TOKEN = re.compile(
    rf"(?P<day>{_DAY})|(?P<amount>{_AMOUNT})|(?P<unclear>{_BESIDE})|(?P<word>{_UNIT}|[^\s,;|()€]+)", re.I
)
_WHOLE = re.compile(r"\d{1,9}")
_IBAN_LIKE = re.compile(r"[a-z]{2}\d{2}[a-z0-9]{11,30}")
_NUMBER = re.compile(r"[a-z0-9][a-z0-9/_.\-\\]{0,29}")
_GLUED = re.compile(r"^(?:(?:n|nr|no|num|ft|fatt|fattura|inv|doc)[.°º:#]+|[n#]°)(?=[a-z0-9]*\d)", re.I)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


DOCUMENT_WORDS = _words(
    """
    fattura fatture fatt fatt. ft ft. fat. fat fattt invoice invoices inv inv. inv.no document
    documents documento documenti doc doc. nota note nc nc. n.c. n.c credit memo bill bills rechnung
    rechnungen rechnungsnr rg re facture factures fact. parcella parcelle
    """
)
JOINING_WORDS = _words(
    """
    e ed and und et & + n n. n° nr nr. no no. num num. numero numeri number numbers # - – — : del
    dell' dell di da dd dd. of dated date data vom du the da su per pari a importo euro eur € usd
    gbp chf amount amounting to for il la le ns ns. vs vs. vostra vostre nostra vostro your our der
    ihre credito accredito note emessa emesse rispettivamente nonche
    """
)
_OTHER_NUMBERS = _words(
    """
    iban bic swift cro trn tel tel. telefono fax cell cell. p.iva p.i. piva iva c.f. cf vat ordine
    ordini order orders po ddt pag pag. page pagina cap conto c/c account abi cab cig cup ustid
    protocollo prot prot. rea bolla customer cliente fornitore supplier vendor codice code id
    kundennummer bestellung commande
    """
)
_STRONG = re.compile(
    r"\b(?:bonific\w*|versament\w*|accredit(?:o|ati|ato|iamo)|transfer\w*|remitt\w*|remit|"
    r"(?:pagamento|payment) (?:di|of|per|totale|amount|over|for|total)|"
    r"(?:importo|amount) (?:totale |total )?(?:pagato|pagamento|paid|disposto|bonificato|remitted|"
    r"transferred)|"
    r"(?:totale|total|netto|net) (?:a |da |amount )?(?:pagamento|payment|paid|pagato|pagare)|"
    r"(?:pagato|paid) (?:totale|total)|"
    r"u(?:e)?berweis\w*|zahlbetrag|zahlung\w*|virement\w*|paiement\w*)\b"
)
_GENERIC = re.compile(r"\b(?:total[ei]?|totals|complessiv\w*|summe|gesamt\w*|somma|montant total)\b")
_NO_TOTAL = re.compile(
    r"\b(?:sub-?total[ei]?|riport\w*|carried|imponibile|iva|vat|lordo|gross|scont[oi]|discounts?|trattenut[ae]|"
    r"commission\w*|spese|charges|netto fattura)\b"
)


@dataclass(frozen=True, slots=True)
class Token:
    """kind: DAY, AMOUNT, UNCLEAR (money that can be read in two ways), NUMBER (may name a document) or WORD.

    line: from 0. plain: folded text without the marks around it.
    """

    kind: str
    text: str
    plain: str
    line: int
    day: date | None = None
    mills: int = 0


def tokens_of(lines: Sequence[str]) -> list[Token]:
    """The tokens of a text. A day broken across two lines is two tokens, and no day."""
    is_month_first = month_first("\n".join(lines))
    found: list[Token] = []
    for number, line in enumerate(lines):
        for match in _TOKEN.finditer(line[:2_000]):
            found.append(_token(match, number, is_month_first))
    return found


def _token(match: re.Match[str], line: int, is_month_first: bool) -> Token:
    text = match.group()
    plain = folded(text).strip(".,:;!?\"'«»“”[]*").strip()
    if match.lastgroup == DAY:
        if day := day_of(text.replace("\n", " "), is_month_first):
            return Token(DAY, text, plain, line, day)
    elif match.lastgroup == AMOUNT:
        mills = amount_of(text)
        if mills is not None:
            return Token(AMOUNT, text, plain, line, mills=mills)
    elif match.lastgroup == UNCLEAR:
        return _beside_currency(text, plain, line)
    return _word(text, plain, line)


def _beside_currency(text: str, plain: str, line: int) -> Token:
    digits = re.sub(rf"(?i){_UNIT}|\s", "", text).rstrip(".,'")
    exact = amount_of(digits)
    if exact is not None:
        return Token(AMOUNT, text, plain, line, mills=exact)
    if _WHOLE.fullmatch(digits) and digits.isascii():
        return Token(AMOUNT, text, plain, line, mills=int(digits) * 1000)
    return Token(UNCLEAR, text, plain, line)


def _word(text: str, plain: str, line: int) -> Token:
    clean = _GLUED.sub("", text.strip(".,:;!?\"'«»“”[]*")).rstrip("/\\-_.")
    low = clean.lower()
    is_number = (
        any(c.isdigit() for c in low)
        and low.isascii()
        and _NUMBER.fullmatch(low) is not None
        and not _IBAN_LIKE.fullmatch(low)
        and not re.fullmatch(r"\d+(?:gg|st|nd|rd|th|h|k)", low)
    )
    return Token(NUMBER, clean, low, line) if is_number else Token(WORD, text, plain, line)


def is_document_word(token: Token) -> bool:
    return token.kind == WORD and (token.plain in DOCUMENT_WORDS or folded(token.text) in DOCUMENT_WORDS)


def names_other_number(tokens: Sequence[Token], position: int) -> bool:
    """Whether the words just before say that this number is an order, an account, a telephone …"""
    for back in range(position - 1, max(-1, position - 4), -1):
        token = tokens[back]
        if token.kind != WORD or token.line != tokens[position].line or is_document_word(token):
            return False
        if token.plain in _OTHER_NUMBERS or folded(token.text) in _OTHER_NUMBERS:
            return True
        if token.plain not in JOINING_WORDS:
            return False
    return False


def total_rank(tokens: Sequence[Token], position: int) -> int:
    """What the words before an amount make of it: 2 the payment's total, 1 some total, -1 a sum that is
    neither a total nor a document's amount, 0 nothing."""
    words: list[str] = []
    skipped = False
    for back in range(position - 1, -1, -1):
        token = tokens[back]
        other_line = token.line != tokens[position].line
        if other_line and (skipped or tokens[position].line - token.line > 1):
            break
        if token.kind in (AMOUNT, UNCLEAR) or is_document_word(token) or len(words) >= 9:
            break
        if token.kind in (DAY, NUMBER):
            if other_line:
                break
            skipped = True
            continue
        words.insert(0, folded(token.text).strip(".,:;"))
    context = " ".join(words)
    if _STRONG.search(context):
        return 2
    if _NO_TOTAL.search(context):
        return -1
    return 1 if _GENERIC.search(context) else 0
