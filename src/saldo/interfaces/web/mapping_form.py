"""A mapping profile as a form: the choices a person makes, put into the profile and taken out of it."""

from __future__ import annotations

from collections.abc import Mapping as Dict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from saldo.core.errors import SaldoError
from saldo.formats.tabular.dump import dump_toml
from saldo.formats.tabular.mapping import (
    Mapping,
    parse_profile,
)
from saldo.formats.tabular.names import CUSTOMERS_COLUMNS, RECEIVABLES_COLUMNS

# What a reader looks for first; the rest follows in the profile's own order.
LEADING = (
    "customer_code", "customer_name", "number", "document_date", "due_date", "open", "amount", "kind",
    "currency", "settled_date",
)  # fmt: skip
DATE_PATTERNS = (
    "DD/MM/YYYY",
    "YYYY-MM-DD",
    "MM/DD/YYYY",
    "DD.MM.YYYY",
    "YYYYMMDD",
    "DD/MM/YY",
    "M/D/YYYY",
    "excel",
)


@dataclass(frozen=True, slots=True)
class ColumnChoice:
    """One field of ours and the file's column it comes from ("" = none)."""

    field: str
    header: str
    headers: tuple[str, ...]

    @property
    def is_main(self) -> bool:
        """Filled, or one of those that every file should fill."""
        return bool(self.header) or self.field in LEADING


def column_choices(profile: Mapping, headers: Sequence[str]) -> list[ColumnChoice]:
    """Every field the profile may fill, those it fills or that matter most first.

    None for other kinds than receivables and customers: those are changed in the profile's text.
    """
    if profile.kind not in ("receivables", "customers"):
        return []
    every = RECEIVABLES_COLUMNS if profile.kind == "receivables" else CUSTOMERS_COLUMNS
    wanted = profile.wanted()
    present = set(headers)

    def header(name: str) -> str:
        accepted = wanted.get(name, ())
        return next((h for h in accepted if h in present), accepted[0] if accepted else "")

    def rank(name: str) -> tuple[bool, int]:
        leading = LEADING.index(name) if name in LEADING else len(LEADING) + every.index(name)
        return (not wanted.get(name) and name not in LEADING, leading)

    return [
        ColumnChoice(
            name, header(name), tuple(dict.fromkeys([*headers, *([header(name)] if header(name) else [])]))
        )
        for name in sorted(every, key=rank)
    ]


def date_patterns(profile: Mapping) -> list[str]:
    return list(dict.fromkeys([*profile.format.dates, *DATE_PATTERNS]))


def changed(toml: str, name: str, form: Dict[str, Any]) -> str:
    """The profile's text with the form's choices in it. Raises SaldoError mapping_* as ``parse_profile``."""
    profile = parse_profile(toml, name)
    columns = dict(profile.columns)
    company_column = profile.company.column
    for key in [*RECEIVABLES_COLUMNS, *CUSTOMERS_COLUMNS]:
        chosen = form.get(f"column-{key}")
        if chosen is None:
            continue
        if key == "company_code" and company_column:
            company_column = (chosen,) if chosen else ()
        elif not chosen:
            columns.pop(key, None)
        elif chosen not in columns.get(key, ()):
            columns[key] = (chosen,)
    profile = replace(
        profile,
        columns=columns,
        optional=tuple(key for key in profile.optional if key in columns),
        company=replace(profile.company, column=company_column),
        format=_format(profile, form),
        amount=replace(profile.amount, sign=form.get("sign", profile.amount.sign)),
        export=replace(profile.export, complete=form["complete"] == "yes")
        if "complete" in form
        else profile.export,
    )
    text = dump_toml(profile)
    parse_profile(text, name)
    return text


def _format(profile: Mapping, form: Dict[str, Any]) -> Any:
    decimal = form.get("decimal", profile.format.decimal)
    thousands = profile.format.thousands
    if thousands == decimal:
        thousands = ""
    dates = profile.format.dates
    if (first := form.get("dates")) and first != dates[0]:
        dates = (first,)
    return replace(
        profile.format,
        decimal=decimal,
        thousands=thousands,
        dates=dates,
        rows=form.get("rows", profile.format.rows),
    )


def readable(toml: str | None, name: str) -> Mapping | None:
    """The profile of a text, or None where it is not (yet) one."""
    if not toml:
        return None
    try:
        return parse_profile(toml, name)
    except SaldoError:
        return None
