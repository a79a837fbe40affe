"""Tables that are no receivables, told by their headers: movement lists of banks, sales orders.

A list of movements has money and dates like a list of invoices. What tells them apart are words that only
one of the two has, and values that agree with them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from saldo.core.errors import SaldoError
from saldo.core.money import CURRENCY_EXPONENTS
from saldo.formats.tabular.bank_labels import ibans_in, label_mask
from saldo.formats.tabular.bank_words import BANK_WORDS, bank_words
from saldo.formats.tabular.columns import resolved
from saldo.formats.tabular.evidence import Evidence, evidence, marks_of, separator_of
from saldo.formats.tabular.headers import normalized
from saldo.formats.tabular.mapping import Amount, Bank, Format, Mapping, load_profile
from saldo.formats.tabular.names import BANK
from saldo.formats.tabular.read import RawTable
from saldo.formats.tabular.vocabulary import SIDES


def _set(words: str) -> frozenset[str]:
    return frozenset(normalized(word) for word in words.split("|"))


# Only a list of documents has these.
_DOCUMENT_WORDS = _set(
    "scadenza|data scadenza|data scad|due date|net due date|fälligkeit|codice cliente|cod cliente|cliente|"
    "ragione sociale|customer|customer code|customer name|customer id|customer number|numero fattura|"
    "n fattura|invoice number|invoice no|invoice|residuo|importo residuo|amount due|numero documento|"
    "document number|rata|partita iva|numero ordine|order number|kundennummer|debitor"
)
_ORDER_WORDS = _set(
    "numero ordine|n ordine|nr ordine|num ordine|ordine|order number|order no|sales order|order|"
    "auftragsnummer"
)
_INVOICE_WORDS = _set(
    "scadenza|data scadenza|due date|net due date|numero fattura|n fattura|nr fattura|fattura|data fattura|"
    "invoice|invoice number|invoice no|invoice date|residuo|importo residuo|amount due"
)
_LABELS = {
    "opening": ("saldo iniziale", "saldo contabile iniziale", "opening balance", "anfangssaldo"),
    "closing": ("saldo finale", "saldo contabile finale", "closing balance", "endsaldo"),
}
_LEFT_OVER_ROWS = 60


@dataclass(frozen=True, slots=True)
class Recognized:
    """A profile for a table that is no list of receivables. notes_*: what a person should check."""

    mapping: Mapping
    confidence: dict[str, float]
    notes_it: list[str]
    notes_en: list[str]


def recognized(raw: RawTable) -> Recognized | None:
    """A bank's movements or an order list; None for everything else."""
    headers = {normalized(column) for column in raw.columns}
    if headers & _ORDER_WORDS and not headers & _INVOICE_WORDS:
        return _orders(raw)
    words = bank_words()
    has_text = headers & (words["text"] | words["code"])
    if headers & _DOCUMENT_WORDS or not (headers & words["booking_date"] and has_text):
        return None
    return _bank(raw)


def _orders(raw: RawTable) -> Recognized | None:
    """The shipped profile of orders with the columns that the file has, if these make orders."""
    profile = load_profile("orders")
    try:
        found = resolved(raw, profile)
    except SaldoError:
        return None
    if not found.keys() & {"order_date", "delivery_date", "status", "delivered_not_invoiced"}:
        return None
    mapping = replace(profile, columns={name: (column,) for name, column in found.items()}, optional=())
    return Recognized(
        mapping,
        dict.fromkeys(found, 0.9),
        ["Il file è un elenco di ordini di vendita: si legge, non si importa fra le partite."],
        ["The file is a list of sales orders: it is read, not imported among the receivables."],
    )


def _bank(raw: RawTable) -> Recognized | None:
    # Rows of balances hold words where the others hold days.
    mask = ~label_mask(raw, Mapping(name="", bank=Bank(**_LABELS)))
    typed = raw.typed.filter(mask) if raw.typed is not None else None
    facts = evidence(replace(raw, frame=raw.frame.filter(mask), typed=typed))
    chosen = _columns(facts)
    has_money = "amount" in chosen or {"in", "out"} <= chosen.keys()
    hints = chosen.keys() & {"value_date", "balance", "counterparty_iban", "code", "in"}
    has_label = any(ibans_in(raw.preamble))
    if not (has_money and "booking_date" in chosen and "text" in chosen and (hints or has_label)):
        return None
    it = ["Il file è una lista di movimenti bancari: si importa come estratto conto, non fra le partite."]
    en = ["The file is a bank's list of movements: it is imported as a statement, not among the receivables."]
    if {"in", "out"} <= chosen.keys():
        chosen.pop("amount", None)
        chosen.pop("sign", None)
    else:
        chosen.pop("in", None)
        chosen.pop("out", None)
    amount = Amount()
    if "sign" in chosen and (sides := _sides(facts[chosen["sign"][0]])) is not None:
        amount = Amount(style="sign_column", debit_values=(sides[0],), credit_values=(sides[1],))
    else:
        chosen.pop("sign", None)
    money = [facts[chosen[name][0]] for name in ("amount", "in", "out", "balance") if name in chosen]
    values = {} if "currency" in chosen else {"currency": _currency(chosen, it, en)}
    decimal, thousands, is_sure = marks_of(value for fact in money if not fact.typed for value in fact.values)
    if not is_sure:
        it.append(f"Il separatore decimale non è certo (proposto «{decimal}»): controllare gli importi.")
        en.append(f'The decimal mark is not certain (proposed "{decimal}"): check the amounts.')
    bank = _labels(raw, chosen, it, en)
    name = re.sub(r"\W+", "-", raw.name.rsplit(".", 1)[0].lower()).strip("-") or "bank"
    mapping = Mapping(
        name=name,
        source=name,
        kind=BANK,
        format=Format(
            delimiter=raw.delimiter,
            decimal=decimal,
            thousands=thousands,
            dates=_dates(facts, chosen, it, en),
            sheet=raw.sheet,
        ),
        columns=chosen,
        amount=amount,
        values=values,
        bank=bank,
    )
    if "balance" not in chosen and not (bank.opening and bank.closing):
        it.append("Nessun saldo prova che la lista sia completa: chiedere alla banca un file con il saldo.")
        en.append("No balance proves that the list is complete: ask the bank for a file with the balance.")
    return Recognized(mapping, dict.fromkeys(chosen, 0.9), it, en)


def _columns(facts: dict[str, Evidence]) -> dict[str, tuple[str, ...]]:
    """Canonical name -> headers: the best word first; of texts, all."""
    chosen: dict[str, tuple[str, ...]] = {}
    taken: set[str] = set()
    for name, words in bank_words().items():
        order = [normalized(word) for word in BANK_WORDS[name].split("|")]
        fitting = sorted(
            (
                (order.index(normalized(column)), column)
                for column, fact in facts.items()
                if normalized(column) in words and column not in taken and _agrees(name, fact)
            ),
        )
        columns = tuple(column for _, column in (fitting if name == "text" else fitting[:1]))
        if columns:
            chosen[name] = columns
            taken |= set(columns)
    if "text" not in chosen and "code" in chosen and not _is_code(facts[chosen["code"][0]]):
        chosen["text"] = chosen.pop("code")
    return chosen


def _agrees(name: str, fact: Evidence) -> bool:
    if name in ("booking_date", "value_date"):
        return fact.is_date
    if name in ("amount", "in", "out", "balance"):
        return not fact.is_date and (fact.numbers >= 0.95 or (name in ("in", "out") and not fact.values))
    if name == "currency":
        return fact.currencies >= 0.9
    if name == "sign":
        return 0 < fact.distinct <= 4 and fact.numbers < 0.5
    if name == "account":
        return bool(fact.values) and fact.distinct <= 50 and not fact.is_date
    return not fact.is_date


def _is_code(fact: Evidence) -> bool:
    return all(len(value) <= 8 for value in fact.values)


def _sides(fact: Evidence) -> tuple[str, str] | None:
    """(debit, credit) as written: a letter or word each, or the signs themselves."""
    words = {normalized(value) or value.strip(): value for value in fact.values}
    for debit, credit in (*SIDES, ("-", "+"), ("addebito", "accredito"), ("uscita", "entrata")):
        if words and words.keys() <= {debit, credit}:
            return words.get(debit, debit.upper()), words.get(credit, credit.upper())
    return None


def _currency(chosen: dict[str, tuple[str, ...]], it: list[str], en: list[str]) -> str:
    """The currency in a header of money; else the euro, to be checked."""
    headers = " ".join(
        column for name in ("amount", "in", "out", "balance") for column in chosen.get(name, ())
    )
    for word in re.findall(r"[A-Za-z]{3}", headers):
        if word.isupper() and word in CURRENCY_EXPONENTS:
            return str(word)
    it.append("Nessuna colonna dice la divisa: proposta EUR in [values], da controllare.")
    en.append("No column states the currency: EUR is proposed in [values], please check.")
    return "EUR"


def _dates(
    facts: dict[str, Evidence], chosen: dict[str, tuple[str, ...]], it: list[str], en: list[str]
) -> tuple[str, ...]:
    columns = [facts[chosen[name][0]] for name in ("booking_date", "value_date") if name in chosen]
    shared = set.intersection(*(set(fact.dates) for fact in columns)) if columns else set()
    patterns: dict[str, None] = {}
    for fact in columns:
        pattern = next((one for one in fact.dates if one in shared), fact.dates[0])
        patterns.setdefault(pattern.replace("/", separator_of(fact.values)))
    if all(len(fact.dates) > 1 for fact in columns):
        it.append("Giorno e mese potrebbero essere scambiati: nessuna data ha un giorno oltre il 12.")
        en.append("Day and month could be swapped: no date has a day beyond 12.")
    return tuple(patterns)


def _labels(raw: RawTable, chosen: dict[str, tuple[str, ...]], it: list[str], en: list[str]) -> Bank:
    """The words in front of the account and of the balances that stand above or below the table."""
    account = tuple(dict.fromkeys(label for label, _ in ibans_in(raw.preamble)))[:1]
    if "account" not in chosen and not account:
        it.append('Il conto non è nel file: indicarlo con account = "IBAN" in [values].')
        en.append('The account is not in the file: give it as account = "IBAN" in [values].')
    texts = [cell for row in raw.preamble for cell in row.cells]
    texts += [rejection.excerpt for rejection in raw.rejections[-_LEFT_OVER_ROWS:]]
    for frame in (raw.frame.head(_LEFT_OVER_ROWS), raw.frame.tail(_LEFT_OVER_ROWS)):
        texts += [cell for row in frame.drop("row").iter_rows() for cell in row if cell]
    heads = {normalized(text[:60]) for text in texts}
    found = {
        name: tuple(
            label.capitalize()
            for label in labels
            if any(head.startswith(normalized(label)) for head in heads)
        )
        for name, labels in _LABELS.items()
    }
    return Bank(() if "account" in chosen else account, found["opening"], found["closing"])
