"""A mapping profile proposed from the headers and values of a file, with what it is unsure about.

A shipped profile that names the file's columns and reads its first rows is proposed as it is. Else each
canonical column takes the header that fits best in words, provided that the values agree; the formats
come from the values. Every guess that the values cannot prove is said in a note.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

import polars as pl
from rapidfuzz import fuzz

from saldo.core.errors import SaldoError
from saldo.core.money import CURRENCY_EXPONENTS
from saldo.formats.tabular.columns import resolved
from saldo.formats.tabular.contacts import to_customers
from saldo.formats.tabular.convert import convert
from saldo.formats.tabular.evidence import Evidence, evidence, marks_of, separator_of
from saldo.formats.tabular.headers import normalized
from saldo.formats.tabular.mapping import (
    Amount,
    Company,
    Export,
    Format,
    Mapping,
    importable_profile_names,
    load_profile,
    missing_columns,
)
from saldo.formats.tabular.names import CUSTOMERS_COLUMNS
from saldo.formats.tabular.read import RawTable
from saldo.formats.tabular.recognize import recognized
from saldo.formats.tabular.vocabulary import KIND_OF, SIDES, headers_of

DATES = ("document_date", "due_date", "settled_date", "source_at")
MONEY = ("amount", "open", "paid", "debit", "credit", "split_vat", "withholding")
WORDS_ENOUGH = 0.74
SAMPLE = 2_000
COMPANIES_AT_MOST = 50


@dataclass(frozen=True, slots=True)
class Suggestion:
    """confidence: canonical column -> 0-1. notes_*: what a person should check, in both languages."""

    mapping: Mapping
    confidence: dict[str, float]
    notes_it: list[str]
    notes_en: list[str]


@dataclass(slots=True)
class _Draft:
    chosen: dict[str, str] = field(default_factory=dict)
    confidence: dict[str, float] = field(default_factory=dict)
    notes_it: list[str] = field(default_factory=list)
    notes_en: list[str] = field(default_factory=list)

    def note(self, italian: str, english: str) -> None:
        self.notes_it.append(italian)
        self.notes_en.append(english)

    def choose(self, canonical: str, column: str, confidence: float) -> None:
        self.chosen[canonical] = column
        self.confidence[canonical] = round(confidence, 2)


def suggest(raw: RawTable, shipped: bool = True) -> Suggestion:
    """The best profile for ``raw``; ``shipped=False`` leaves the shipped profiles out of it."""
    if shipped and (known := _shipped(raw)) is not None:
        return known
    if (other := recognized(raw)) is not None:
        return Suggestion(other.mapping, other.confidence, other.notes_it, other.notes_en)
    facts = evidence(raw)
    draft = _Draft()
    _by_words(draft, facts)
    _by_values(draft, facts)
    if _is_customer_list(raw, draft):
        return _customers(raw)
    form = _format(draft, facts, raw)
    mapping = Mapping(
        name=re.sub(r"\W+", "-", raw.name.rsplit(".", 1)[0].lower()).strip("-") or "profile",
        source=re.sub(r"\W+", "-", raw.name.rsplit(".", 1)[0].lower()).strip("-") or "profile",
        format=form,
        columns={key: (column,) for key, column in draft.chosen.items() if key != "company_code"},
        amount=_amount(draft, facts, form),
        kinds=_kinds(draft, facts),
        values=_constants(draft, facts),
        company=_company(draft),
        export=Export(complete=False),
    )
    mapping = _with_kind_rules(mapping, draft, facts)
    _missing(mapping, draft)
    draft.note(
        "Se il file elenca tutte le partite aperte, mettere complete = true in [export].",
        "If the file lists every open item, set complete = true in [export].",
    )
    return Suggestion(mapping, draft.confidence, draft.notes_it, draft.notes_en)


def _shipped(raw: RawTable) -> Suggestion | None:
    """The shipped profile that finds most columns and refuses at most a tenth of the first rows."""
    best: tuple[int, Mapping, dict[str, str]] | None = None
    for name in importable_profile_names():
        mapping = load_profile(name)
        try:
            found = resolved(raw, mapping)
        except SaldoError:
            continue
        if mapping.kind == "customers" and (len(found) < 3 or _looks_like_receivables(raw)):
            continue
        if (best is None or len(found) > best[0]) and _reads(raw, mapping):
            best = (len(found), mapping, found)
    if best is None:
        return None
    _, mapping, found = best
    return Suggestion(
        mapping,
        dict.fromkeys(found, 1.0),
        [f"Le colonne sono quelle del profilo «{mapping.name}»."],
        [f'The columns are those of the profile "{mapping.name}".'],
    )


def _looks_like_receivables(raw: RawTable) -> bool:
    words = headers_of()["document_date"] | headers_of()["due_date"]
    return any(normalized(column) in words for column in raw.columns)


def _reads(raw: RawTable, mapping: Mapping) -> bool:
    typed = raw.typed.head(SAMPLE) if raw.typed is not None else None
    sample = replace(raw, frame=raw.frame.head(SAMPLE), typed=typed, rejections=[])
    if mapping.kind == "customers":
        refused = len(to_customers(sample, mapping)[1])
    else:
        refused = len(convert(sample, mapping).rejections)
    return refused * 10 <= len(sample.frame)


def _by_words(draft: _Draft, facts: dict[str, Evidence]) -> None:
    """The best pairs of canonical column and header first; each is used once."""
    pairs = []
    for canonical, words in headers_of().items():
        for order, (column, fact) in enumerate(facts.items()):
            score = _word_score(normalized(column), words)
            if score >= WORDS_ENOUGH and _values_agree(canonical, fact):
                pairs.append((-score, -fact.filled, order, canonical, column))
    for negative, _, _, canonical, column in sorted(pairs):
        if canonical not in draft.chosen and column not in draft.chosen.values():
            draft.choose(canonical, column, -negative)


def _word_score(header: str, words: frozenset[str]) -> float:
    if not header:
        return 0.0
    if header in words:
        return 1.0
    best = max(fuzz.ratio(header, word) / 100 for word in words)
    within = any(len(word) >= 6 and word in header for word in words)
    return max(0.9 * best, 0.75 if within else 0.0)


def _values_agree(canonical: str, fact: Evidence) -> bool:
    if canonical in DATES:
        return fact.is_date or (not fact.values and canonical == "settled_date")
    if canonical in MONEY:
        return fact.numbers >= 0.95 and not fact.is_date and bool(fact.values)
    if canonical == "currency":
        return fact.currencies >= 0.9
    if canonical == "customer_vat":
        return fact.vats >= 0.5
    if canonical == "customer_country":
        return bool(fact.values) and all(not value.isdigit() for value in fact.values)
    if canonical == "kind":
        return 0 < fact.distinct <= 30 and not fact.is_date and fact.numbers < 0.5
    if canonical == "sign":
        return 0 < fact.distinct <= 4 and fact.numbers < 0.5
    if canonical == "company_code":
        return 0 < fact.distinct <= COMPANIES_AT_MOST and not fact.is_date
    if canonical == "customer_name":
        return bool(fact.values) and fact.numbers < 0.5 and not fact.is_date
    if canonical == "installment_no":
        return fact.numbers > 0.9 and fact.distinct <= 120
    return bool(fact.values) and not fact.is_date


def _by_values(draft: _Draft, facts: dict[str, Evidence]) -> None:
    """What no header named: the currency, the sign, the only amount, dates in their order."""
    free = [fact for column, fact in facts.items() if column not in draft.chosen.values()]
    for canonical, share in (("currency", "currencies"), ("customer_vat", "vats")):
        match = [fact for fact in free if getattr(fact, share) >= 0.95 and fact.filled > 0.5]
        if canonical not in draft.chosen and len(match) == 1:
            draft.choose(canonical, match[0].column, 0.6)
    if "sign" not in draft.chosen:
        for fact in free:
            if fact.distinct == 2 and _sides(fact):
                draft.choose("sign", fact.column, 0.6)
    if not draft.chosen.keys() & {"amount", "open", "debit"}:
        _only_amount(draft, [fact for fact in free if fact.numbers >= 0.95 and not fact.is_date])
    dates = [fact for fact in free if fact.is_date and fact.column not in draft.chosen.values()]
    for canonical, at in (("document_date", 0), ("due_date", -1)):
        if canonical not in draft.chosen and dates:
            fact = dates.pop(at)
            draft.choose(canonical, fact.column, 0.4)
            draft.note(
                f"«{fact.column}» è stata presa come {canonical} solo perché contiene date.",
                f'"{fact.column}" was taken as {canonical} only because it holds dates.',
            )


def _only_amount(draft: _Draft, numeric: list[Evidence]) -> None:
    fractional = [fact for fact in numeric if fact.has_fractions]
    if fractional:
        fact = max(fractional, key=lambda candidate: candidate.distinct)
        draft.choose("amount", fact.column, 0.6 if len(fractional) == 1 else 0.3)
        draft.note(
            f"«{fact.column}» è stata presa come importo per i suoi valori: controllare.",
            f'"{fact.column}" was taken as the amount because of its values: please check.',
        )


def _format(draft: _Draft, facts: dict[str, Evidence], raw: RawTable) -> Format:
    amounts = [facts[draft.chosen[key]] for key in MONEY if key in draft.chosen]
    texts = [value for fact in amounts if not fact.typed for value in fact.values]
    decimal, thousands, sure = marks_of(texts)
    if not sure:
        draft.note(
            f"Il separatore decimale non è certo (proposto «{decimal}»): controllare gli importi.",
            f'The decimal mark is not certain (proposed "{decimal}"): check the amounts.',
        )
    repeated = "number" in draft.chosen and _numbers_repeat(raw, draft)
    rows = "installment" if repeated or "installment_no" in draft.chosen else "invoice"
    if repeated and "installment_no" not in draft.chosen:
        draft.note(
            "Alcuni numeri si ripetono: le righe sono lette come rate, numerate per scadenza.",
            "Some numbers repeat: rows are read as installments, numbered by due date.",
        )
    return Format(
        encoding="",
        delimiter=raw.delimiter,
        decimal=decimal,
        thousands=thousands,
        dates=_dates(draft, facts),
        sheet=raw.sheet,
        rows=rows,
        leading_zeros=_leading_zeros(draft, facts),
    )


def _dates(draft: _Draft, facts: dict[str, Evidence]) -> tuple[str, ...]:
    used = [
        facts[draft.chosen[key]] for key in DATES if key in draft.chosen and facts[draft.chosen[key]].is_date
    ]
    patterns: dict[str, None] = {}
    for shape in (1, 2):  # first the columns that leave no choice, then those that do
        for fact in used:
            if (len(fact.dates) == 1) == (shape == 1):
                pattern = next((p for p in fact.dates if _styled(p, fact) in patterns), fact.dates[0])
                patterns.setdefault(_styled(pattern, fact))
    if used and all(len(fact.dates) > 1 for fact in used):
        draft.note(
            "Giorno e mese potrebbero essere scambiati: nessuna data ha un giorno oltre il 12.",
            "Day and month could be swapped: no date has a day beyond 12.",
        )
    orders = {re.sub(r"[^DMY]", "", pattern)[0] for pattern in patterns}
    if {"D", "M"} <= orders:
        draft.note(
            "Alcune colonne sembrano scrivere prima il giorno, altre prima il mese: controllare.",
            "Some columns seem to write the day first, others the month: please check.",
        )
    return tuple(patterns) or ("DD/MM/YYYY",)


def _styled(pattern: str, fact: Evidence) -> str:
    return pattern.replace("/", separator_of(fact.values))


def _leading_zeros(draft: _Draft, facts: dict[str, Evidence]) -> str:
    if "customer_code" not in draft.chosen:
        return "keep"
    values = set(facts[draft.chosen["customer_code"]].values)
    if any(value.startswith("0") and value.lstrip("0") in values for value in values):
        draft.note(
            "Lo stesso codice cliente compare con e senza zeri iniziali: letti come un solo cliente.",
            "The same customer code occurs with and without leading zeros: read as one customer.",
        )
        return "strip"
    return "keep"


def _numbers_repeat(raw: RawTable, draft: _Draft) -> bool:
    keys = [
        draft.chosen[key]
        for key in ("company_code", "customer_code", "number", "kind")
        if key in draft.chosen
    ]
    head = raw.frame.head(20_000).filter(pl.col(draft.chosen["number"]).fill_null("") != "")
    return bool(head.select(keys).is_duplicated().any())


def _amount(draft: _Draft, facts: dict[str, Evidence], form: Format) -> Amount:
    style = "signed"
    debit_values: tuple[str, ...] = ()
    credit_values: tuple[str, ...] = ()
    if {"debit", "credit"} <= draft.chosen.keys():
        style = "debit_credit_columns"
        for key in ("amount", "open", "paid"):
            draft.chosen.pop(key, None)
            draft.confidence.pop(key, None)
    else:
        for key in ("debit", "credit"):
            draft.chosen.pop(key, None)
            draft.confidence.pop(key, None)
    sides = _sides(facts[draft.chosen["sign"]]) if "sign" in draft.chosen else None
    if style == "signed" and sides:
        style, debit_values, credit_values = "sign_column", (sides[0],), (sides[1],)
    if style != "sign_column":
        draft.chosen.pop("sign", None)
        draft.confidence.pop("sign", None)
    return Amount(
        style=style,
        debit_values=debit_values,
        credit_values=credit_values,
        extra_decimals=_extra_decimals(draft, facts, form),
        closed_when=_closed_when(draft, facts),
    )


def _sides(fact: Evidence) -> tuple[str, str] | None:
    """(debit, credit) as written, when the column's values are such a pair (or one half of it)."""
    words = {normalized(value): value for value in fact.values}
    for debit, credit in SIDES:
        if words and words.keys() <= {debit, credit}:
            return words.get(debit, debit.upper()), words.get(credit, credit.upper())
    return None


def _extra_decimals(draft: _Draft, facts: dict[str, Evidence], form: Format) -> str:
    columns = [facts[draft.chosen[key]] for key in MONEY if key in draft.chosen]
    third = re.compile(rf"{re.escape(form.decimal)}\d\d[1-9]\D*$")
    if any(third.search(value) for fact in columns for value in fact.values):
        draft.note(
            'Alcuni importi hanno tre decimali: sono tenuti (extra_decimals = "keep").',
            'Some amounts have three decimals: they are kept (extra_decimals = "keep").',
        )
        return "keep"
    return "refuse"


def _closed_when(draft: _Draft, facts: dict[str, Evidence]) -> str:
    if "settled_date" not in draft.chosen or "open" in draft.chosen:
        return "never"
    if facts[draft.chosen["settled_date"]].values:
        return "settled_date"
    draft.confidence["settled_date"] = 0.5
    return "settled_date"


def _kinds(draft: _Draft, facts: dict[str, Evidence]) -> dict[str, str]:
    if "kind" not in draft.chosen:
        return {}
    values = facts[draft.chosen["kind"]].values
    return {normalized(v): KIND_OF[normalized(v)] for v in values if normalized(v) in KIND_OF}


def _constants(draft: _Draft, facts: dict[str, Evidence]) -> dict[str, str]:
    """The currency that the amount's header names, where no column has it."""
    if "currency" in draft.chosen:
        return {}
    headers = [draft.chosen[key] for key in MONEY if key in draft.chosen]
    for word in re.findall(r"[A-Za-z]+", " ".join(headers).replace("_", " ")):
        if word.upper() in CURRENCY_EXPONENTS and len(word) == 3:
            return {"currency": word.upper()}
    draft.note(
        "Nessuna colonna dice la divisa: vale quella della società.",
        "No column states the currency: the company's is used.",
    )
    return {}


def _company(draft: _Draft) -> Company:
    if "company_code" not in draft.chosen:
        return Company()
    column = draft.chosen["company_code"]
    draft.note(
        f"«{column}» distingue più società: quelle sconosciute verrebbero create.",
        f'"{column}" tells companies apart: unknown ones would be created.',
    )
    return Company(column=(column,), unknown="create")


def _with_kind_rules(mapping: Mapping, draft: _Draft, facts: dict[str, Evidence]) -> Mapping:
    if "kind" not in draft.chosen:
        return mapping
    fact = facts[draft.chosen["kind"]]
    unknown = [value for value in fact.values if normalized(value) not in mapping.kinds]
    if unknown:
        shown = ", ".join(unknown[:8])
        draft.note(
            f"Tipi di documento da assegnare in [kinds]: {shown}.",
            f"Document types to be assigned in [kinds]: {shown}.",
        )
        mapping = replace(mapping, default_kind="refuse")
    credits = {"credit_note", "payment"} & set(mapping.kinds.values())
    if mapping.amount.style != "signed" or not credits:
        return mapping
    money = next((facts[draft.chosen[key]] for key in ("amount", "open") if key in draft.chosen), None)
    negative = money is not None and any(re.search(r"^\s*[-(]|-\s*$", value) for value in money.values)
    if not negative:
        draft.note(
            "Nessun importo è negativo: le note di credito sono lette come scritte in positivo.",
            "No amount is negative: credit notes are read as written positive.",
        )
    return replace(
        mapping, amount=replace(mapping.amount, credit_notes="negative" if negative else "positive")
    )


def _missing(mapping: Mapping, draft: _Draft) -> None:
    for key in missing_columns(mapping):
        draft.note(
            f"Non trovata: {key}. Va indicata in [columns].", f"Not found: {key}. Name it in [columns]."
        )
    for key, value in draft.confidence.items():
        if value < 0.85 and key in draft.chosen:
            draft.note(
                f"Da controllare: {key} = «{draft.chosen[key]}».",
                f'To be checked: {key} = "{draft.chosen[key]}".',
            )


def _is_customer_list(raw: RawTable, draft: _Draft) -> bool:
    has_money = bool(draft.chosen.keys() & {"amount", "open", "debit", "due_date", "document_date"})
    known = {normalized(h) for names in load_profile("customers").columns.values() for h in names}
    return not has_money and sum(1 for column in raw.columns if normalized(column) in known) >= 3


def _customers(raw: RawTable) -> Suggestion:
    profile = load_profile("customers")
    found = resolved(raw, profile)
    columns = {key: (found[key],) for key in CUSTOMERS_COLUMNS if key in found}
    mapping = replace(profile, columns=columns, optional=())
    it, en = ["Il file è un'anagrafica di clienti."], ["The file is a list of customers."]
    return Suggestion(mapping, dict.fromkeys(columns, 0.9), it, en)
