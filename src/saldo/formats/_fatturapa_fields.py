"""Single values of a FatturaPA: amounts, dates, VAT numbers. What is not plainly one is refused."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from functools import lru_cache

from lxml import etree
from stdnum.eu import vat as eu_vat
from stdnum.it import iva

from saldo.core.errors import Rejection
from saldo.core.money import InexactAmount, to_mills
from saldo.formats._xml import text_of
from saldo.formats.records import Notice, Refusal

AMOUNT = re.compile(r"[-+]?\d{1,18}(?:\.\d{1,8})?")
_DECIMAL_COMMA = re.compile(r"[-+]?\d{1,18},\d{1,2}")
_DATE = re.compile(r"(\d{4}-\d{2}-\d{2})(?:T[\d:.]+)?(?:Z|[+-]\d{2}:?\d{2})?")
# Software that has no date writes its zero date, or the end of time.
_FIRST_YEAR, _LAST_YEAR = 1970, 2200


def required(parent: etree._Element, path: str, place: str) -> str:
    text = text_of(parent, path)
    if text is None:
        raise missing(place, path)
    return text


def missing(place: str, element: str, excerpt: str = "") -> Refusal:
    return Refusal(Rejection("fatturapa_missing_element", place, excerpt, {"element": element}))


def amount_at(parent: etree._Element, path: str, place: str) -> int | None:
    """Mills of the amount at ``path``, None when absent. Refuses what is not one plain decimal number."""
    text = text_of(parent, path)
    if text is None:
        return None
    if _DECIMAL_COMMA.fullmatch(text):
        # One comma and at most two decimals cannot be a thousands separator.
        text = text.replace(",", ".")
    element = path.rpartition("/")[2]
    try:
        if not AMOUNT.fullmatch(text):
            raise InexactAmount(text)
        return to_mills(Decimal(text))
    except InexactAmount as error:
        rejection = Rejection("fatturapa_bad_amount", f"{place}/{path}", text, {"element": element})
        raise Refusal(rejection) from error


def document_date_of(general: etree._Element, place: str) -> date:
    ignored: list[Notice] = []
    day = date_at(general, "Data", place, ignored)
    if day is None:
        raise missing(place, "Data", text_of(general, "Numero") or "")
    return day


def date_at(parent: etree._Element, path: str, place: str, notices: list[Notice]) -> date | None:
    """The date at ``path`` (a time zone is dropped: the legal day is as written). Refuses a false date."""
    text = text_of(parent, path)
    if text is None:
        return None
    match = _DATE.fullmatch(text)
    try:
        day = date.fromisoformat(match.group(1)) if match else None
    except ValueError:
        day = None
    if day is None:
        raise Refusal(Rejection("fatturapa_bad_date", f"{place}/{path}", text, {"element": path}))
    if not _FIRST_YEAR <= day.year <= _LAST_YEAR:
        notices.append(Notice("placeholder_date", f"{place}/{path}", text, {"element": path}))
        return None
    return day


@lru_cache(maxsize=4096)
def vat_number(country: str | None, code: str | None) -> tuple[str | None, bool]:
    """(country prefix + code without separators, whether its check digit holds where it can be checked).

    A number that fails is kept as written: it is what the document says, and what the customer is known by.
    """
    if not code:
        return None, True
    prefix = (country or "").strip().upper()
    compact = re.sub(r"[\s.\-/]", "", code).upper()
    if not prefix and re.fullmatch(r"\d{11}", compact):
        prefix = "IT"
    # The prefix written twice. French and Italian codes have eleven characters and may begin like a prefix.
    if prefix and compact.startswith(prefix) and len(compact) >= (13 if prefix in ("IT", "FR") else 10):
        compact = compact.removeprefix(prefix)
    number = prefix + compact
    if prefix == "IT":
        # A person without a VAT number is identified here by the 16 characters of the tax code.
        return number, len(compact) == 16 or bool(iva.is_valid(compact))
    if prefix.lower() in eu_vat.MEMBER_STATES:
        return number, bool(eu_vat.is_valid(number))
    return number, True


def upper(text: str | None) -> str | None:
    return text.upper() if text else None
