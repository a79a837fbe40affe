"""Remittance advices in rows and columns: a workbook, a CSV, or the grid of a PDF.

Columns are found by their headers in Italian, English, German and French. What stands above and below the
table (payment date, references, the payer) is read like free text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from saldo.core.errors import Rejection
from saldo.core.money import CURRENCY_EXPONENTS, decimal_text
from saldo.formats._remittance import (
    CREDIT_WORDS,
    Remittance,
    RemittanceLine,
    amount_of,
    balanced,
    day_of,
    folded,
    month_first,
    plain_amount,
)
from saldo.formats._remittance_facts import with_facts
from saldo.formats.records import ReadResult

MAX_HEADER_ROW = 60
MAX_ROWS = 200_000


@dataclass(frozen=True, slots=True)
class Row:
    """One non-blank row: its line in the file, its cells, and which of them are numbers or dates."""

    line: int
    cells: tuple[str, ...]
    typed: frozenset[int] = frozenset()


_HEADERS = {
    "number": """
        numero fattura|n fattura|nr fattura|num fattura|fattura|documento|numero documento|n
        documento| nr documento|num documento|nr doc|n doc|vs fattura|vostra fattura|rif
        fattura|invoice|invoice no| invoice number|invoice nr|invoice id|document|document
        no|document number|doc no|your invoice| your
        reference|bill|rechnung|rechnungsnummer|rechnungsnr|rechnung nr|belegnummer|beleg
        nr|beleg|facture| numero de facture|n de facture|no facture|n
        facture|numero|number|nummer""",
    "day": """
        data fattura|data documento|data doc|data|del|invoice date|document date|doc date|date|
        rechnungsdatum|belegdatum|datum|date de facture|date facture""",
    "paid": """
        importo pagato|pagato|importo bonificato|importo saldato|saldato|netto pagato|netto
        pagamento| importo pagamento|importo netto|netto|netto a pagare|amount paid|paid
        amount|paid|payment amount| amount remitted|remitted|net amount|net|net paid|net
        payment|zahlbetrag|gezahlt|bezahlt|nettobetrag| gezahlter betrag|montant paye|montant
        regle|paye|net paye|montant net""",
    "amount": """
        importo|amount|betrag|montant|importo eur|valore|totale|total|payment|pagamento|zahlung""",
    "gross": """
        importo fattura|importo lordo|lordo|totale fattura|importo documento|totale documento|
        importo originale|gross|gross amount|invoice amount|invoice total|original
        amount|bruttobetrag|brutto| rechnungsbetrag|montant brut|montant facture""",
    "discount": """
        sconto|sconti|abbuono|trattenuta|trattenute|deduzione|deduzioni|ritenuta|detrazione|disc
        ount| discounts|discount taken|deduction|deductions|cash
        discount|skonto|abzug|abzuge|escompte|remise|retenue""",
    "reason": """
        causale|note|nota|motivo|motivazione|descrizione|reason|notes|remarks|description|text|c
        omment| comments|bemerkung|grund|verwendungszweck|motif|commentaire|libelle""",
    "type": """
        tipo|tipo documento|tipo doc|type|doc type|document type|belegart|art|type de document""",
    "currency": "divisa|valuta|currency|ccy|curr|wahrung|devise|monnaie",
}
ROLES = {
    re.sub(r"[^a-z0-9]", "", folded(word)): role
    for role, words in _HEADERS.items()
    for word in words.split("|")
}
# Columns of a list of open items: a table with one of them is not an advice unless it says so in words.
_OPEN_ITEM_WORDS = re.compile(
    r"scaden|scadut|residuo|aperto|cliente|due ?date|\bdue\b|outstanding|customer|open|fallig|offen|kunde|"
    r"echeance"
)
_TITLE = re.compile(
    r"avviso di (?:pagamento|bonifico)|distinta (?:di |dei )?pagament|"
    r"dettaglio (?:del )?(?:bonifico|pagamento)|"
    r"remittance|payment advice|advice of payment|zahlungsavis|avis de (?:paiement|virement)|"
    r"bonific|comunicazione di pagamento"
)
_TOTAL_CELL = re.compile(
    r"^\W*(?:gran |grand |gesamt)?(?:total[ei]?|totals|summe|gesamt\w*|netto a pagare)\b"
)


def header_of(rows: Sequence[Row]) -> tuple[int, dict[str, int]] | None:
    """(index of the header row, column of each role); None where no row names a number and an amount."""
    best: tuple[int, dict[str, int]] | None = None
    for index, row in enumerate(rows[:MAX_HEADER_ROW]):
        roles = _roles(row.cells)
        if "number" in roles and "paid" in roles and (best is None or len(roles) > len(best[1])):
            best = (index, roles)
    return best


def _roles(cells: Sequence[str]) -> dict[str, int]:
    roles: dict[str, int] = {}
    for column, cell in enumerate(cells):
        words = re.sub(r"(?i)\b(?:eur|usd|gbp|chf|in)\b|[€$£()\[\]]", " ", folded(cell))
        role = ROLES.get(re.sub(r"[^a-z0-9]", "", words))
        if role:
            roles.setdefault(role, column)
    if "amount" in roles:
        # "Importo" beside "Pagato" is what the document said; alone it is what was paid.
        column = roles.pop("amount")
        roles.setdefault("gross" if "paid" in roles else "paid", column)
    return roles


def looks_like_advice(rows: Sequence[Row]) -> bool:
    """Whether a table can only be an advice: its words say so above the header, or it names what was paid
    and has no column of a list of open items."""
    header = header_of(rows)
    if header is None:
        return False
    index, roles = header
    cells = [folded(cell) for cell in rows[index].cells]
    if any(_OPEN_ITEM_WORDS.search(cell) for cell in cells):
        return False
    if any(_TITLE.search(folded(cell)) for row in rows[:index] for cell in row.cells):
        return True
    named = re.sub(r"[^a-z0-9]", "", cells[roles["paid"]])
    return ROLES.get(named) == "paid" and "net" not in named


def remittance_of_rows(rows: Sequence[Row], medium: str) -> tuple[Remittance | None, list[Rejection]]:
    """The advice in a table, and the rows that cannot be read; None where the columns are not found."""
    header = header_of(rows)
    if header is None or len(rows) > MAX_ROWS:
        return None, []
    index, roles = header
    body = rows[index + 1 :]
    amounts = _Amounts([_cell(row, roles["paid"]) for row in body])
    is_month_first = month_first("\n".join(_cell(row, roles.get("day", -1)) for row in body))
    lines: list[RemittanceLine] = []
    rejections: list[Rejection] = []
    totals: list[int | None] = []
    around = list(rows[:index])
    currencies: set[str] = set()
    for row in body:
        number = " ".join(_cell(row, roles["number"]).split())
        first = next((cell for cell in row.cells if cell.strip()), "")
        paid = amounts.of(row, roles["paid"])
        if _TOTAL_CELL.match(folded(first)):
            totals.append(paid if paid is not None else _last_amount(row, amounts))
        elif not _cell(row, roles["paid"]) and (not number or len(_filled(row)) <= 2):
            around.append(row)
        elif not number or paid is None:
            code = "remittance_number_missing" if not number else "remittance_amount_unreadable"
            rejections.append(Rejection(code, f"row {row.line}", "; ".join(row.cells), row=row.line))
        else:
            day = day_of(_cell(row, roles.get("day", -1))[:20].removesuffix(" 00:00:00"), is_month_first)
            lines.append(_line(row, roles, number, paid, amounts, day))
            currencies |= {_cell(row, roles.get("currency", -1)).upper()} & CURRENCY_EXPONENTS.keys()
    total, problem = _stated(totals, around, amounts)
    if len(currencies) > 1:
        names = ", ".join(sorted(currencies))
        return None, [Rejection("remittance_currencies", "", names, {"currencies": names})]
    # The header's own words may name the currency: "Importo (EUR)".
    named = _named_currency([*rows[:index], rows[index], *around])
    base = Remittance(
        medium,
        total,
        next(iter(currencies), named),
        tuple(lines),
        notices=() if problem is None else (problem,),
    )
    told = with_facts(base, [_as_text(row) for row in around])
    advice = balanced(told, keeps_lines=False)
    return advice, rejections


def read_rows(rows: Sequence[Row], medium: str) -> ReadResult:
    """A table that somebody says is an advice. Refused where its columns are not found."""
    advice, rejections = remittance_of_rows(rows, medium)
    if advice is None:
        excerpt = "; ".join(rows[0].cells) if rows else ""
        rejections = rejections or [Rejection("remittance_columns_missing", "", excerpt)]
    elif not advice.lines and not advice.document_refs and not rejections:
        rejections = [Rejection("remittance_empty", "", "")]
    return ReadResult(medium, records=(advice,) if advice else (), rejections=tuple(rejections))


class _Amounts:
    """Reads the cells of a table's amounts; a text like "1.220" only where the others show the marks."""

    def __init__(self, cells: Sequence[str]) -> None:
        commas = sum(1 for cell in cells if re.search(r",\d{1,2}\D*$", cell))
        points = sum(1 for cell in cells if re.search(r"\.\d{1,2}\D*$", cell))
        self.decimal = "," if commas and not points else "." if points and not commas else ""

    def of(self, row: Row, column: int) -> int | None:
        text = re.sub(r"(?i)€|\$|£|\b(?:eur|euro|usd|gbp|chf)\b", "", _cell(row, column)).strip()
        if column in row.typed:
            return plain_amount(text)
        exact = amount_of(text)
        if exact is not None:
            return exact
        if re.fullmatch(r"[-+]?[0-9]{1,12}", text):
            return plain_amount(text)
        group = "." if self.decimal == "," else ","
        if self.decimal and re.fullmatch(r"-?[0-9.,']+-?", text) and text.count(self.decimal) <= 1:
            whole, _, cents = text.strip("-").partition(self.decimal)
            if (
                re.fullmatch(rf"[0-9]{{1,3}}(?:[{re.escape(group)}'][0-9]{{3}})*|[0-9]+", whole)
                and len(cents) <= 2
            ):
                plain = re.sub(r"\D", "", whole) + "." + (cents or "0")
                return plain_amount(("-" if "-" in text else "") + plain)
        return None


def _line(
    row: Row, roles: dict[str, int], number: str, paid: int, amounts: _Amounts, day: date | None
) -> RemittanceLine:
    gross = amounts.of(row, roles["gross"]) if "gross" in roles else None
    kept = amounts.of(row, roles["discount"]) if "discount" in roles else None
    words = folded(f"{_cell(row, roles.get('type', -1))} {number} {_cell(row, roles.get('reason', -1))}")
    return RemittanceLine(
        number=number.removesuffix(".0") if roles["number"] in row.typed else number,
        document_date=day,
        paid_mills=paid,
        gross_mills=gross,
        discount_mills=abs(kept or 0),
        reason=_cell(row, roles.get("reason", -1)) or None,
        is_credit=bool(CREDIT_WORDS.search(words)),
    )


def _stated(
    totals: Sequence[int | None], around: Sequence[Row], amounts: _Amounts
) -> tuple[int | None, Rejection | None]:
    """The total below the table, else the one that a row above or below it labels."""
    values = {total for total in totals if total is not None}
    if not totals:
        for row in around:
            label = folded(" ".join(cell for i, cell in enumerate(row.cells) if i not in row.typed))
            if re.search(r"total|importo (?:del )?(?:bonific|pagament|pagato)|amount (?:paid|remitted)|"
                         r"payment amount|zahlbetrag|montant (?:total|du virement)", label):  # fmt: skip
                found = _last_amount(row, amounts)
                values |= {found} if found is not None else set()
    if len(values) > 1:
        return None, Rejection(
            "remittance_totals_differ", "", "; ".join(decimal_text(v, "EUR") for v in sorted(values))
        )
    return (values.pop() if values else None), None


def _last_amount(row: Row, amounts: _Amounts) -> int | None:
    found = [amounts.of(row, column) for column in range(len(row.cells)) if row.cells[column].strip()]
    return next((mills for mills in reversed(found) if mills is not None), None)


def _named_currency(rows: Sequence[Row]) -> str | None:
    text = " ".join(cell for row in rows for cell in row.cells).upper()
    marks = {"EUR": r"€|\bEUR", "USD": r"\$|\bUSD", "GBP": r"£|\bGBP", "CHF": r"\bCHF"}
    named = [code for code, mark in marks.items() if re.search(mark, text)]
    return named[0] if len(named) == 1 else None


def _as_text(row: Row) -> str:
    """A row of labels and values as a line of text: "Data pagamento: 05/03/2026"."""
    cells = [cell.strip().rstrip(":") for cell in row.cells if cell.strip()]
    return ": ".join(cells) if len(cells) == 2 else " ".join(cells)


def _filled(row: Row) -> list[str]:
    return [cell for cell in row.cells if cell.strip()]


def _cell(row: Row, column: int) -> str:
    return row.cells[column].strip() if 0 <= column < len(row.cells) else ""
