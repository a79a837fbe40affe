"""Mapping profiles: how one export of one source becomes receivables, customers or records of another kind.

A profile is a TOML file. Every key is checked when it is loaded: a misspelled one is an error that
names the nearest right one, because a key that is silently ignored is money read in a wrong way.
``docs/how-to/mapping-profiles.md`` explains every key.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping as Dict
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from rapidfuzz import process

from saldo.core.errors import SaldoError
from saldo.core.money import CURRENCY_EXPONENTS
from saldo.formats.credit_records import STATUSES
from saldo.formats.tabular.dates import is_pattern
from saldo.formats.tabular.headers import normalized
from saldo.formats.tabular.names import BANK, COLUMNS_OF, RECORD_KINDS

ITEM_KINDS = ("invoice", "credit_note", "debit_note", "payment")
KIND_CHOICES = (*ITEM_KINDS, "ignore")
CONSTANTS = (
    "company_code", "currency", "customer_country", "country", "language", "payment_method", "terms_text",
    "provider", "account",
)  # fmt: skip

MAX_PROFILE_CHARS = 1 << 20

_CHOICES: dict[str, tuple[str, ...]] = {
    "kind": tuple(COLUMNS_OF),
    "format.decimal": (".", ",", "auto"),
    "format.thousands": ("", ".", ",", " ", "'"),
    "format.delimiter": ("", ";", ",", "\t", "|"),
    "format.rows": ("invoice", "installment"),
    "format.leading_zeros": ("keep", "strip"),
    "amount.style": ("signed", "debit_credit_columns", "sign_column"),
    "amount.sign": ("positive_means_owed", "negative_means_owed"),
    "amount.credit_notes": ("negative", "positive"),
    "amount.extra_decimals": ("refuse", "keep"),
    "amount.closed_when": ("never", "settled_date", "open_zero"),
    "company.unknown": ("create", "refuse"),
    "export.posts_cash": ("erp", "saldo"),
    "kinds.default": (*KIND_CHOICES, "refuse"),
}
_ENCODINGS = (
    "",
    "utf-8",
    "utf-16",
    "utf-16-le",
    "utf-16-be",
    "windows-1252",
    "iso-8859-1",
    "iso-8859-15",
    "cp850",
)


@dataclass(frozen=True, slots=True)
class Format:
    """How the file is written. Empty texts mean: detect it in the file."""

    encoding: str = ""
    delimiter: str = ""
    decimal: str = ","
    thousands: str = ""
    dates: tuple[str, ...] = ("DD/MM/YYYY",)
    skip_rows: int | None = None
    sheet: str = ""
    rows: str = "invoice"
    leading_zeros: str = "keep"


@dataclass(frozen=True, slots=True)
class Amount:
    """How amounts and signs are written (see the how-to page for each value)."""

    style: str = "signed"
    sign: str = "positive_means_owed"
    credit_notes: str = "negative"
    debit_values: tuple[str, ...] = ()
    credit_values: tuple[str, ...] = ()
    extra_decimals: str = "refuse"
    closed_when: str = "never"


@dataclass(frozen=True, slots=True)
class Company:
    column: tuple[str, ...] = ()
    unknown: str = "refuse"


@dataclass(frozen=True, slots=True)
class Export:
    """What the file declares of itself: every open document (complete) or only the changed ones."""

    complete: bool = False
    scope: tuple[str, ...] = ()
    posts_cash: str = "erp"


@dataclass(frozen=True, slots=True)
class Bank:
    """Words that mark, above or below the movements, the account, and its balances before and after them."""

    account: tuple[str, ...] = ()
    opening: tuple[str, ...] = ()
    closing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Extra:
    """Headers of further columns, known when the document is issued, that forecasts may learn from.

    columns: words (a code is a word too); numbers: numbers; segment: what customers are grouped by."""

    columns: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    segment: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Mapping:
    """A validated profile. ``columns``: canonical name -> accepted headers, the preferred one first.
    ``optional``: canonical names that a file may lack. ``kinds``: document type as written -> kind.
    ``statuses``: state of an order as written -> one of STATUSES."""

    name: str
    source: str = ""
    kind: str = "receivables"
    description_it: str = ""
    description_en: str = ""
    format: Format = field(default_factory=Format)
    columns: Dict[str, tuple[str, ...]] = field(default_factory=dict)
    optional: tuple[str, ...] = ()
    amount: Amount = field(default_factory=Amount)
    kinds: Dict[str, str] = field(default_factory=dict)
    default_kind: str = "invoice"
    statuses: Dict[str, str] = field(default_factory=dict)
    values: Dict[str, str] = field(default_factory=dict)
    company: Company = field(default_factory=Company)
    export: Export = field(default_factory=Export)
    bank: Bank = field(default_factory=Bank)
    extra: Extra = field(default_factory=Extra)

    def headers(self) -> list[str]:
        """Every header that the profile knows."""
        named = [header for names in self.wanted().values() for header in names]
        return [*named, *self.extra.columns, *self.extra.numbers, *self.extra.segment]

    def wanted(self) -> dict[str, tuple[str, ...]]:
        """Canonical name -> headers, with the company column among them."""
        company = {"company_code": self.company.column} if self.company.column else {}
        return {**self.columns, **company}


def load_profile(name_or_path: str | Path) -> Mapping:
    """The shipped profile of that name, or the profile in that file."""
    path = Path(name_or_path)
    if str(name_or_path) in profile_names():
        text = files("saldo.formats.profiles").joinpath(f"{name_or_path}.toml").read_text(encoding="utf-8")
        return parse_profile(text, str(name_or_path))
    try:
        if not path.is_file():
            raise SaldoError(
                "mapping_unknown_profile", profile=str(name_or_path), known=", ".join(profile_names())
            )
        if path.stat().st_size > 4 * MAX_PROFILE_CHARS:
            raise SaldoError("mapping_too_large", profile=str(path), limit=f"{MAX_PROFILE_CHARS >> 20} MB")
        return parse_profile(path.read_text(encoding="utf-8-sig"), path.stem)
    except (OSError, ValueError) as error:  # ValueError: no UTF-8, or a NUL in the path
        raise SaldoError("mapping_not_toml", profile=str(path), problem=str(error)) from error


@cache
def profile_names() -> tuple[str, ...]:
    """Names of the shipped profiles."""
    entries = files("saldo.formats.profiles").iterdir()
    return tuple(sorted(entry.name[:-5] for entry in entries if entry.name.endswith(".toml")))


@cache
def importable_profile_names() -> tuple[str, ...]:
    """Names of the shipped profiles whose tables the ledger takes: receivables and customers."""
    return tuple(name for name in profile_names() if load_profile(name).kind not in RECORD_KINDS)


def parse_profile(text: str, name: str) -> Mapping:
    """A profile from its TOML text; SaldoError mapping_* says which key is wrong and what it may be."""
    if len(text) > MAX_PROFILE_CHARS:
        raise SaldoError("mapping_too_large", profile=name, limit=f"{MAX_PROFILE_CHARS >> 20} MB")
    try:
        tree = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # endless digits and nesting raise none of the parser's own
        raise SaldoError("mapping_not_toml", profile=name, problem=str(error)) from error
    return _Checked(tree, name).mapping()


class _Checked:
    """One profile's tree while it is being checked; every lookup names the key it is about."""

    def __init__(self, tree: dict[str, Any], name: str) -> None:
        self.tree, self.name = tree, name

    def mapping(self) -> Mapping:
        top = self.tree
        self.known("", top, TOP_KEYS)
        kind = self.choice("kind", top.get("kind", "receivables"))
        export = self.table("export", Export)
        company = self.table("company", Company)
        mapping = Mapping(
            name=self.text("name", top.get("name", self.name)),
            source=self.text("source", top.get("source", "")),
            kind=kind,
            description_it=self.text("description_it", top.get("description_it", "")),
            description_en=self.text("description_en", top.get("description_en", "")),
            format=Format(**self.table("format", Format)),
            columns=self.columns(kind),
            optional=self.optional(kind),
            amount=Amount(**self.table("amount", Amount)),
            kinds=self.kinds(),
            default_kind=self.choice("kinds.default", self.sub("kinds").get("default", "invoice")),
            statuses=self.statuses(),
            values=self.values(),
            company=Company(**company),
            export=Export(**export),
            bank=Bank(**self.table("bank", Bank)),
            extra=Extra(**self.table("extra", Extra)),
        )
        self.consistent(mapping)
        return mapping

    def sub(self, key: str) -> dict[str, Any]:
        value = self.tree.get(key, {})
        if not isinstance(value, dict):
            raise self.bad(key, value, f"[{key}]")
        return value

    def known(self, prefix: str, table: dict[str, Any], allowed: tuple[str, ...]) -> None:
        for key in table:
            if key not in allowed:
                near = process.extractOne(key, allowed)
                raise SaldoError(
                    "mapping_unknown_key",
                    profile=self.name,
                    key=f"{prefix}{key}",
                    nearest=near[0] if near else "",
                )

    def bad(self, key: str, value: object, allowed: str) -> SaldoError:
        return SaldoError(
            "mapping_bad_value", profile=self.name, key=key, value=str(value)[:80], allowed=allowed
        )

    def text(self, key: str, value: object) -> str:
        if not isinstance(value, str) or "\x00" in value:  # the database keeps no NUL
            raise self.bad(key, value, '"…"')
        return value

    def texts(self, key: str, value: object) -> tuple[str, ...]:
        items = [value] if isinstance(value, str) else value
        if not isinstance(items, list) or not all(
            isinstance(item, str) and item and "\x00" not in item for item in items
        ):
            raise self.bad(key, value, '["…", "…"]')
        return tuple(items)

    def choice(self, key: str, value: object) -> str:
        if not isinstance(value, str) or value not in _CHOICES[key]:
            raise self.bad(key, value, ", ".join(f'"{choice}"' for choice in _CHOICES[key]))
        return value

    def table(self, section: str, shape: type) -> dict[str, Any]:
        table = self.sub(section)
        fields = shape.__dataclass_fields__  # type: ignore[attr-defined]
        self.known(f"{section}.", table, tuple(fields))
        return {
            key: self.typed(f"{section}.{key}", value, str(fields[key].type)) for key, value in table.items()
        }

    def typed(self, key: str, value: object, wanted: str) -> object:
        if key in _CHOICES:
            return self.choice(key, value)
        if wanted == "bool":
            if not isinstance(value, bool):
                raise self.bad(key, value, "true, false")
            return value
        if wanted.startswith("int"):
            if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 10_000:
                raise self.bad(key, value, "0…10000")
            return value
        if wanted.startswith("tuple"):
            return self.texts(key, value)
        text = self.text(key, value)
        if key == "format.encoding" and text not in _ENCODINGS:
            raise self.bad(key, text, ", ".join(f'"{encoding}"' for encoding in _ENCODINGS if encoding))
        return text

    def columns(self, kind: str) -> dict[str, tuple[str, ...]]:
        allowed = COLUMNS_OF[kind]
        table = self.sub("columns")
        self.known("columns.", table, (*allowed, "optional"))
        named = {key: value for key, value in table.items() if key != "optional"}
        return {key: self.texts(f"columns.{key}", value) for key, value in named.items()}

    def optional(self, kind: str) -> tuple[str, ...]:
        table = self.sub("columns")
        names = self.texts("columns.optional", table["optional"]) if "optional" in table else ()
        allowed = COLUMNS_OF[kind]
        for name in names:
            if name not in allowed:
                raise self.bad("columns.optional", name, ", ".join(allowed))
        return names

    def kinds(self) -> dict[str, str]:
        table = {key: value for key, value in self.sub("kinds").items() if key != "default"}
        for key, value in table.items():
            if value not in KIND_CHOICES:
                raise self.bad(f"kinds.{key}", value, ", ".join(f'"{choice}"' for choice in KIND_CHOICES))
        return {normalized(key): value for key, value in table.items()}

    def statuses(self) -> dict[str, str]:
        table = self.sub("statuses")
        for key, value in table.items():
            if value not in STATUSES:
                raise self.bad(f"statuses.{key}", value, ", ".join(f'"{choice}"' for choice in STATUSES))
        return {normalized(key): value for key, value in table.items()}

    def values(self) -> dict[str, str]:
        table = self.sub("values")
        self.known("values.", table, CONSTANTS)
        values = {key: self.text(f"values.{key}", value) for key, value in table.items()}
        if (currency := values.get("currency")) is not None and currency not in CURRENCY_EXPONENTS:
            raise SaldoError("unknown_currency", currency=currency)
        return values

    def consistent(self, mapping: Mapping) -> None:
        if mapping.format.decimal == mapping.format.thousands:
            raise self.bad("format.thousands", mapping.format.thousands, f"≠ {mapping.format.decimal}")
        if mapping.format.decimal == "auto" and mapping.kind not in RECORD_KINDS:
            raise self.bad("format.decimal", "auto", '".", ","')
        for pattern in mapping.format.dates:
            if not is_pattern(pattern):
                raise self.bad("format.dates", pattern, "DD/MM/YYYY, M/D/YYYY, YYYYMMDD, DD-MMM-YY, excel …")
        for kind in mapping.export.scope:
            if kind not in ITEM_KINDS:
                raise self.bad("export.scope", kind, ", ".join(ITEM_KINDS))
        for key in missing_columns(mapping):
            raise SaldoError("mapping_missing_key", profile=self.name, key=f"columns.{key}")


def missing_columns(mapping: Mapping) -> list[str]:
    """Canonical columns that the profile must name and does not ("a | b" where one of them is enough)."""
    columns = set(mapping.columns)
    if mapping.kind == BANK:
        return _missing_of_bank(mapping, columns)
    identity = {"customer_code", "customer_name", "customer_vat", "customer_tax_code", "vat", "tax_code"}
    missing = [] if columns & identity else ["customer_code"]
    if mapping.kind != "receivables":
        return missing + _missing_of_records(mapping, columns)
    missing += [key for key in ("number", "document_date") if key not in columns]
    if mapping.amount.style == "debit_credit_columns":
        missing += [key for key in ("debit", "credit") if key not in columns]
    elif not columns & {"amount", "open"}:
        missing.append("amount")
    if mapping.amount.style == "sign_column":
        missing += [key for key in ("sign",) if key not in columns]
        missing += [] if mapping.amount.credit_values else ["amount.credit_values"]
    if mapping.amount.closed_when == "settled_date" and "settled_date" not in columns:
        missing.append("settled_date")
    return missing


def _missing_of_bank(mapping: Mapping, columns: set[str]) -> list[str]:
    missing = [] if "booking_date" in columns else ["booking_date"]
    if "amount" not in columns:
        missing += [key for key in ("in", "out") if key not in columns]
    if "sign" in columns and not (mapping.amount.credit_values and mapping.amount.debit_values):
        missing.append("amount.debit_values | amount.credit_values")
    # No bank is taken to be one of the euro because its list does not say which currency it is in.
    if "currency" not in columns and "currency" not in mapping.values:
        missing.append("currency | values.currency")
    return missing


def _missing_of_records(mapping: Mapping, columns: set[str]) -> list[str]:
    wanted: tuple[str, ...] = ()
    if mapping.kind == "orders":
        wanted = ("number", "amount")
    elif mapping.kind == "ratings" and "provider" not in mapping.values:
        wanted = ("provider",)
    elif mapping.kind == "balance_sheets" and not columns & {"year", "period_end"}:
        return ["year | period_end"]
    return [key for key in wanted if key not in columns]


TOP_KEYS = (
    "name", "source", "kind", "description_it", "description_en", "format", "columns", "amount", "kinds",
    "statuses", "values", "company", "export", "bank", "extra",
)  # fmt: skip
