"""Yearly balance sheets as XBRL instances (Italian deposits, taxonomy itcc-ci, or others by their table).

A fact counts for the day its context ends on: an instant, or the end of a period. Facts of dimensional
contexts (a breakdown by segment) are no totals and go to ``facts``. Figures of the year before, which every
deposit repeats, make a record of their own. Which elements make which line is data
(``financial_statements.toml``); every other numeric fact is kept as written.

A fact stated twice with two values in one context is not chosen between: it is left out of the lines, with
a notice.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cache
from importlib.resources import files

from lxml import etree
from stdnum.it import iva

from saldo.core.errors import Rejection
from saldo.core.money import CURRENCY_EXPONENTS, InexactAmount, to_mills
from saldo.formats._xml import XmlDocument, local_name, parse_xml, text_of
from saldo.formats.credit_records import BalanceSheet, balance_notices
from saldo.formats.records import Notice, ReadResult, Refusal, refused

FORMAT = "xbrl"

_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,30}(?:\.[0-9]{0,30})?|\.[0-9]{1,30})")
_TERM = re.compile(r"\s*([+-])?\s*(\()?([A-Za-z_][\w.-]*)(\))?")
_NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
_STRUCTURAL = frozenset(
    {"context", "unit", "schemaRef", "linkbaseRef", "roleRef", "arcroleRef", "footnoteLink"}
)
_YEAR_DAYS = range(300, 551)
_MAX_DECIMALS = 12
# Each of the figures compared is rounded by itself.
_ROUNDED_FIGURES = 3


@dataclass(frozen=True, slots=True)
class Term:
    """One element of a way to make a line. sign: 1 or -1."""

    element: str
    sign: int
    is_optional: bool


@dataclass(frozen=True, slots=True)
class Table:
    """lines: name -> the ways to make it. company: "name", "tax_code", "vat" -> elements."""

    lines: Mapping[str, tuple[tuple[Term, ...], ...]]
    company: Mapping[str, tuple[str, ...]]


@cache
def italian_table() -> Table:
    """The table of the Italian taxonomy."""
    text = files("saldo.formats").joinpath("financial_statements.toml").read_text(encoding="utf-8")
    return parse_table(text)


def parse_table(text: str) -> Table:
    """A table from its TOML text; raises ValueError where a way cannot be read."""
    tree = tomllib.loads(text)
    return Table(
        {name: tuple(_way(way) for way in ways) for name, ways in tree["lines"].items()},
        {name: tuple(elements) for name, elements in tree["company"].items()},
    )


def _way(text: str) -> tuple[Term, ...]:
    terms: list[Term] = []
    at = 0
    while at < len(text.rstrip()):
        match = _TERM.match(text, at)
        if match is None or (terms and not match[1]) or bool(match[2]) != bool(match[4]):
            raise ValueError(f"no sum of elements: {text!r}")
        terms.append(Term(match[3], -1 if match[1] == "-" else 1, bool(match[2])))
        at = match.end()
    return tuple(terms)


def read_financial_statements(data: bytes, table: Table | None = None) -> ReadResult:
    """The balance sheets in an XBRL instance, the latest first. Never raises for bad content."""
    try:
        document = parse_xml(data)
        return _Instance(document, table or italian_table()).result()
    except Refusal as refusal:
        return refused(FORMAT, refusal.rejection)


@dataclass(frozen=True, slots=True)
class _Context:
    """Whose and of when a fact is. start: None for an instant."""

    id: str
    entity: str
    start: date | None
    end: date
    is_dimensional: bool

    @property
    def days(self) -> int:
        return (self.end - self.start).days + 1 if self.start else 0


@dataclass(frozen=True, slots=True)
class _Fact:
    name: str
    context: _Context
    unit: str
    text: str
    value: Decimal
    decimals: int | None
    line: int


@dataclass(slots=True)
class _Year:
    """The facts of one company that end on one day."""

    entity: str
    end: date
    plain: dict[str, list[_Fact]] = field(default_factory=dict)
    others: dict[str, str] = field(default_factory=dict)
    # How often a name was taken among ``others``.
    copies: dict[str, int] = field(default_factory=dict)


class _Instance:
    """One instance on its way to records."""

    def __init__(self, document: XmlDocument, table: Table) -> None:
        self.root, self.table, self.repairs = document.root, table, document.repairs
        if local_name(self.root) != "xbrl":
            raise Refusal(Rejection("xbrl_no_facts", local_name(self.root), ""))
        self.rejections: list[Rejection] = []
        # Elements of which a value could not be read: nothing is computed from what is left of them.
        self.unread: set[str] = set()
        self.contexts = {one.id: one for one in self._contexts()}
        self.units = {unit.get("id", ""): _unit(unit) for unit in self.root.iterfind("unit")}
        self.facts = list(self._facts())

    def result(self) -> ReadResult:
        records = [self._record(year, position) for position, year in enumerate(self._years(), start=1)]
        if not records and not self.rejections:
            self.rejections.append(Rejection("xbrl_no_facts", "xbrl", ""))
        notices = (
            [Notice("xml_repaired", "", "", {"repairs": ", ".join(self.repairs)})] if self.repairs else []
        )
        return ReadResult(
            FORMAT, records=tuple(records), rejections=tuple(self.rejections), notices=tuple(notices)
        )

    def _contexts(self) -> Iterator[_Context]:
        for element in self.root.iterfind("context"):
            end = _day(text_of(element, "period/instant") or text_of(element, "period/endDate"))
            start_text = text_of(element, "period/startDate")
            start = _day(start_text)
            if end is None or (start_text and (start is None or start > end)):
                self._reject("xbrl_bad_context", element, context=element.get("id", "-"))
                continue
            yield _Context(
                element.get("id", ""),
                text_of(element, "entity/identifier") or "",
                start,
                end,
                any(local_name(one) in ("explicitMember", "typedMember") for one in _elements(element)),
            )

    def _facts(self) -> Iterator[_Fact]:
        """The numeric facts; one that cannot be read, or has no context, is refused."""
        known_bad = {element.get("id") for element in self.root.iterfind("context")} - self.contexts.keys()
        for element in _elements(self.root):
            reference, unit = element.get("contextRef"), element.get("unitRef")
            if unit is None or reference is None or element.get(_NIL) in ("true", "1"):
                continue
            context = self.contexts.get(reference)
            text = (element.text or "").strip()
            if context is None:
                if reference not in known_bad:
                    self._reject("xbrl_bad_context", element, context=reference)
            elif not _NUMBER.fullmatch(text):
                self._unread("xbrl_bad_number", element, value=text or "-")
            elif unit not in self.units:
                self._unread("xbrl_bad_unit", element, unit=unit)
            else:
                yield _Fact(
                    local_name(element), context, self.units[unit], text, Decimal(text), _decimals(element),
                    _line_of(element),
                )  # fmt: skip

    def _unread(self, code: str, fact: etree._Element, **params: object) -> None:
        name = local_name(fact)
        self.unread.add(name)
        self._reject(code, fact, **{"element": name, **params})

    def _reject(self, code: str, found: etree._Element, /, **params: object) -> None:
        line = _line_of(found)
        excerpt = f"<{local_name(found)}> {(found.text or '').strip()}"
        self.rejections.append(Rejection(code, f"line {line}", excerpt, params, line))

    def _years(self) -> list[_Year]:
        """The facts by company and closing day, the latest day first; days without a line of money are
        no balance sheets (the day before the first year, where changes in equity start)."""
        years: dict[tuple[str, date], _Year] = {}
        for fact in self.facts:
            key = (fact.context.entity, fact.context.end)
            year = years.setdefault(key, _Year(*key))
            if fact.context.is_dimensional or fact.unit not in CURRENCY_EXPONENTS:
                year.others[_free_key(year.others, fact, year.copies)] = fact.text
            else:
                year.plain.setdefault(fact.name, []).append(fact)
        wanted = {term.element for ways in self.table.lines.values() for way in ways for term in way}
        kept = [year for year in years.values() if year.plain.keys() & wanted]
        return sorted(kept, key=lambda year: (year.end, year.entity), reverse=True)

    def _record(self, year: _Year, position: int) -> BalanceSheet:
        where = f"xbrl {year.end.isoformat()}"
        notices: list[Notice] = []
        values, currency = self._values(year, where, notices)
        doubtful = self.unread | (year.plain.keys() - values.keys())
        lines: dict[str, int] = {}
        used: set[str] = set()
        for name, ways in self.table.lines.items():
            way = next((way for way in ways if _is_given(way, values, doubtful)), None)
            if way is None:
                continue
            total = sum((term.sign * values[term.element].value for term in way if term.element in values),
                        Decimal(0))  # fmt: skip
            try:
                lines[name] = to_mills(total)
            except InexactAmount:
                notices.append(Notice("xbrl_not_exact", where, "", {"line": name, "value": f"{total:f}"}))
                continue
            used |= {term.element for term in way}
        rounding = max((_rounding(values[name]) for name in used if name in values), default=0)
        notices += balance_notices(lines, currency, _ROUNDED_FIGURES * rounding, where)
        others = dict(year.others)
        for name, facts in year.plain.items():
            if name not in used or name not in values:
                for fact in facts:
                    others[_free_key(others, fact, year.copies)] = fact.text
        return BalanceSheet(
            period_end=year.end,
            currency=currency,
            lines=lines,
            tax_code=self._said("tax_code") or year.entity or None,
            vat=_vat(self._said("vat")),
            name=self._said("name"),
            facts=others,
            position=position,
            notices=tuple(notices),
        )

    def _values(self, year: _Year, where: str, notices: list[Notice]) -> tuple[dict[str, _Fact], str]:
        """One fact per element, all in one currency, and that currency."""
        counts: dict[str, int] = {}
        for facts in year.plain.values():
            for fact in facts:
                counts[fact.unit] = counts.get(fact.unit, 0) + 1
        currency = max(sorted(counts), key=lambda unit: counts[unit])
        if len(counts) > 1:
            params = {"kept": currency, "left_out": ", ".join(sorted(counts.keys() - {currency}))}
            notices.append(Notice("xbrl_currencies", where, "", params))
        values: dict[str, _Fact] = {}
        for name, facts in year.plain.items():
            candidates = _of_the_year([fact for fact in facts if fact.unit == currency])
            found = {fact.value for fact in candidates}
            if len(found) == 1:
                values[name] = candidates[0]
            elif found:
                told = ", ".join(dict.fromkeys(fact.text for fact in candidates))
                params = {"element": name, "values": told}
                notices.append(Notice("xbrl_contradiction", where, "", params, candidates[0].line))
        return values, currency

    def _said(self, what: str) -> str | None:
        """What the document says of the company in an element of its own, whatever the context."""
        for name in self.table.company.get(what, ()):
            for element in self.root.iterfind(name):
                if text := (element.text or "").strip():
                    return " ".join(text.split())
        return None


def _is_given(way: tuple[Term, ...], values: Mapping[str, _Fact], doubtful: set[str]) -> bool:
    """Whether every element is there, and none is of doubtful value: that would be no zero either."""
    return all(term.element not in doubtful and (term.is_optional or term.element in values) for term in way)


def _of_the_year(facts: list[_Fact]) -> list[_Fact]:
    """Of facts that end on one day, those of the whole year: a quarter ends on that day too."""
    longest = max((fact.context.days for fact in facts if fact.context.days in _YEAR_DAYS), default=None)
    if longest is None:
        longest = max((fact.context.days for fact in facts), default=0)
    return [fact for fact in facts if fact.context.days == longest]


def _rounding(fact: _Fact) -> int:
    """The unit the figure is rounded to, in mills."""
    if fact.decimals is None:
        return 0
    return int(Decimal(1000).scaleb(-max(-_MAX_DECIMALS, min(fact.decimals, _MAX_DECIMALS))))


def _free_key(taken: Mapping[str, str], fact: _Fact, copies: dict[str, int]) -> str:
    """The element's name; with its context where that name is taken or means a part only."""
    if not fact.context.is_dimensional and fact.name not in taken:
        return fact.name
    plain = key = f"{fact.name}@{fact.context.id}"
    while key in taken:
        copies[plain] = copies.get(plain, 1) + 1
        key = f"{plain}#{copies[plain]}"
    return key


def _elements(parent: etree._Element) -> Iterator[etree._Element]:
    """The elements below ``parent``, without contexts and units among those of the root."""
    for element in parent.iter():
        if element is not parent and isinstance(element.tag, str) and local_name(element) not in _STRUCTURAL:
            yield element


def _unit(unit: etree._Element) -> str:
    """The currency of a unit, or the measure as written (shares, pure numbers, ratios)."""
    if unit.find("divide") is not None:
        return "divide"
    return (text_of(unit, "measure") or "").rpartition(":")[2]


def _line_of(element: etree._Element) -> int:
    line: object = element.sourceline
    return line if isinstance(line, int) else 0


def _decimals(element: etree._Element) -> int | None:
    text = element.get("decimals", "").strip()
    return int(text) if re.fullmatch(r"-?[0-9]{1,3}", text) else None


def _day(text: str | None) -> date | None:
    """An XML date; the time that a dateTime adds is dropped."""
    try:
        return date.fromisoformat((text or "")[:10])
    except ValueError:
        return None


def _vat(text: str | None) -> str | None:
    compact = "".join(c for c in (text or "").upper() if c.isalnum())
    return f"IT{compact}" if iva.is_valid(compact) and compact.isdigit() else compact or None
