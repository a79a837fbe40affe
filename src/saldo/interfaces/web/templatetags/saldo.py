"""Figures and words as a page shows them, in the reader's language."""

from __future__ import annotations

from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from typing import Any
from urllib.parse import urlencode

from django import template
from django.templatetags.static import static
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import get_language, gettext

from saldo.core.money import CURRENCY_EXPONENTS, from_mills
from saldo.interfaces.web import labels

register = template.Library()

SYMBOLS = {"EUR": "€", "USD": "$", "GBP": "£"}
NONE = "–"
SHARES = frozenset({"overdue_share", "cei"})
_FORMATS = {
    "it": {"day": "d/m/Y", "short": "d/m", "long": "l j F", "full": "j F Y", "week": "D d/m/Y"},
    "en": {"day": "j M Y", "short": "j M", "long": "l j F", "full": "j F Y", "week": "D j M Y"},
}


def language() -> str:
    """The reader's language: it or en."""
    return "en" if (get_language() or "it").startswith("en") else "it"


def grouped(number: Decimal, places: int) -> str:
    """``number`` with ``places`` decimals, thousands grouped, a true minus sign."""
    text = f"{abs(number).quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP):,.{places}f}"
    if language() == "it":
        text = text.translate(str.maketrans(",.", ".,"))
    is_zero = not any(c in "123456789" for c in text)
    return f"−{text}" if number < 0 and not is_zero else text


@register.filter
def money(value: Any, currency: str = "EUR") -> str:
    """An amount with its currency's decimals: 1.234,56."""
    if value is None or value == "":
        return NONE
    return grouped(Decimal(str(value)), CURRENCY_EXPONENTS.get(currency, 2))


@register.filter
def mills(value: int | None, currency: str = "EUR") -> str:
    """An amount in thousandths of the unit, as ``money``."""
    return NONE if value is None else money(from_mills(value), currency)


@register.filter
def whole(value: Any) -> str:
    """A number without decimals: 1.234."""
    return NONE if value is None or value == "" else grouped(Decimal(str(value)), 0)


@register.filter
def decimals(value: Any, places: int = 1) -> str:
    return NONE if value is None or value == "" else grouped(Decimal(str(value)), places)


@register.filter
def symbol(currency: str) -> str:
    """€ for EUR; the code itself where a symbol could mean several currencies."""
    return SYMBOLS.get(currency, currency)


@register.filter
def with_currency(value: Any, currency: str = "EUR") -> str:
    return f"{money(value, currency)}\N{NO-BREAK SPACE}{symbol(currency)}"


@register.filter
def compact(value: Any) -> str:
    """An amount for the label of a chart: 950, 12k, 3,4M."""
    number = Decimal(str(value))
    for size_, letter in ((Decimal(1_000_000), "M"), (Decimal(1000), "k")):
        if abs(number) >= size_ * Decimal("9.5") or (abs(number) >= size_ and letter == "M"):
            scaled = number / size_
            return f"{grouped(scaled, 1 if abs(scaled) < 10 else 0)}{letter}"
    return grouped(number, 0)


@register.filter
def percent(share: float | None) -> str:
    """A share of 0–1 as a whole percentage; almost certain is never shown as certain."""
    if share is None:
        return NONE
    value = round(share * 100)
    if value >= 100 and share < 1:
        return ">99%"
    return "<1%" if value <= 0 < share else f"{value}%"


def _date(value: Any, kind: str) -> str:
    if not value:
        return NONE
    if isinstance(value, datetime):
        value = timezone.localtime(value)
    return date_format(value, _FORMATS[language()][kind])


@register.filter
def day(value: date | None) -> str:
    """23/11/2026 · 23 Nov 2026."""
    return _date(value, "day")


@register.filter
def day_short(value: date | None) -> str:
    return _date(value, "short")


@register.filter
def day_long(value: date | None) -> str:
    text = _date(value, "long")
    if language() == "it":
        text = text.lower()
    return text[:1].upper() + text[1:]


@register.filter
def day_week(value: date | None) -> str:
    return _date(value, "week").lower() if language() == "it" else _date(value, "week")


@register.filter
def instant(value: datetime | None) -> str:
    """A moment in local time: 23/11/2026 14:05."""
    return f"{_date(value, 'day')} {timezone.localtime(value):%H:%M}" if value else NONE


@register.filter
def duration(minutes: float) -> str:
    """Minutes as people say them: 45 min, 3 h 40."""
    total = round(minutes)
    if total < 60:
        return f"{total}\N{NO-BREAK SPACE}min"
    hours, rest = divmod(total, 60)
    space = "\N{NO-BREAK SPACE}"
    return f"{hours}{space}h{space}{rest:02d}" if hours < 100 else f"{whole(hours)}{space}h"


@register.filter
def size(value: int) -> str:
    """Bytes as KB or MB."""
    if value < 1024 * 1024:
        return f"{whole(max(1, round(value / 1024)))} KB"
    megabytes = value / 1024 / 1024
    return f"{whole(megabytes) if megabytes >= 10 else decimals(megabytes)} MB"


@register.filter
def word(code: Any, table: str) -> str:
    """The label of a stored code: {{ item.kind|word:"item" }}."""
    return labels.label(table, code)


@register.filter
def reason(value: Any) -> str:
    return labels.reason_text(value, language())


@register.filter
def reason_beside(value: Any) -> str:
    """A reason without the chance of payment, where that stands in a column of its own."""
    text = reason(value)
    is_situation = isinstance(value, dict) and value.get("code") == "situation"
    return text.rsplit("; ", 1)[0] if is_situation and text.count("; ") > 1 else text


@register.filter
def happened(row: Any) -> str:
    """The text of a timeline row."""
    return labels.timeline_text(row.kind, row.params, with_currency, day)


@register.filter
def lookup(mapping: Any, key: Any) -> Any:
    return mapping.get(key) if mapping else None


@register.filter
def place(where: str) -> str:
    return labels.place_text(where)


@register.filter
def why(error: Any) -> str:
    return error.why(language())


@register.filter
def remedy(error: Any) -> str:
    return error.remedy(language())


@register.filter
def times(share: float, width: int) -> str:
    """``share`` (0–1) of a width, as an SVG attribute: the policy of the pages allows no inline style."""
    return f"{max(0.0, min(1.0, float(share or 0))) * width:.2f}"


@register.simple_tag
def bar(share: float, width: int = 44, kind: str = "") -> SafeString:
    """A small horizontal bar. It repeats a number that stands beside it, so it is hidden from readers."""
    return format_html(
        '<svg class="bar {}" viewBox="0 0 {} 6" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="bar-fill" width="{}" height="6"></rect></svg>',
        kind, width, times(share, width),
    )  # fmt: skip


@register.simple_tag
def icon(name: str) -> SafeString:
    """One symbol of the sprite, decorative."""
    return format_html(
        '<svg class="icon" aria-hidden="true" focusable="false"><use href="{}#{}"></use></svg>',
        static("saldo/icons.svg"), name,
    )  # fmt: skip


@register.simple_tag(takes_context=True)
def query(context: dict[str, Any], **changes: Any) -> str:
    """The page's query string with some parameters changed; an empty value takes one out."""
    values = context["request"].GET.dict() | {name: value for name, value in changes.items()}
    kept = {name: value for name, value in values.items() if value not in ("", None)}
    return "?" + urlencode(kept)


@register.filter
def split_words(text: str) -> list[str]:
    return text.split()


@register.filter
def last_block(rows: list[Any]) -> str:
    """The block in which a window of rows ends, so that the next window does not repeat its heading."""
    return rows[-1].block if rows else ""


@register.filter
def dialable(phone: str) -> str:
    """A telephone number as a tel: address takes it."""
    return "".join(c for c in phone if c.isdigit() or c == "+")


_BUCKET_CLASSES = {"current": "b0", "1-30": "b1", "31-60": "b2", "61-90": "b3", ">90": "b4"}
_DELAY_CLASSES = {"<=0": "b0", "1-15": "b1", "16-30": "b1", "31-60": "b2", "61-90": "b3", ">90": "b4"}
_STATE_CLASSES = {"done": "k", "failed": "l", "asks": "w"}


@register.filter
def bucket_class(name: str) -> str:
    return _BUCKET_CLASSES.get(name, "b0")


@register.filter
def delay_class(name: str) -> str:
    return _DELAY_CLASSES.get(name, "b0")


@register.filter
def state_class(status: str) -> str:
    return _STATE_CLASSES.get(status, "p")


@register.filter
def in_names(name: str | None, names: Any) -> str:
    """``name`` if it is one of the shipped profiles, else the empty choice."""
    return name if name in names else ""


@register.filter
def is_amount(column: str) -> bool:
    return column.endswith("_mills") or column == "installment_no"


@register.filter
def cell(value: Any, column: str) -> str:
    """A value of the canonical frame as the preview shows it."""
    if value is None or value == "":
        return ""
    if column.endswith("_mills"):
        return mills(int(value)) if isinstance(value, int) else money(value)
    if isinstance(value, str) and column.endswith("_date"):
        try:
            return day(date.fromisoformat(value))
        except ValueError:
            return value
    if isinstance(value, date):
        return day(value)
    return labels.label("item", value) if column == "kind" else str(value)


@register.filter
def measured(value: Any, name: str) -> str:
    """A measure in its unit: shares as percentages, the rest in days."""
    if name in SHARES:
        return f"{decimals(Decimal(str(value)) * 100)}%"
    days = gettext("days")
    return f"{decimals(value)}\N{NO-BREAK SPACE}{days}"


@register.simple_tag
def aging_bar(buckets: tuple[int, ...]) -> SafeString:
    """The buckets side by side in one bar; the amounts stand in the account's page."""
    total, start = sum(buckets) or 1, 0.0
    parts = []
    for number, amount in enumerate(buckets):
        width = 100 * amount / total
        parts.append((f"b{number}", f"{start:.2f}", f"{width:.2f}"))
        start += width
    return format_html(
        '<svg class="stack-bar" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">{}</svg>',
        format_html_join("", '<rect class="{}" x="{}" width="{}" height="6"></rect>', parts),
    )


@cache
def _address_of_zero(name: str) -> str:
    return reverse(name, args=[0])


@register.filter
def address(identity: int, name: str) -> str:
    """The address of a page about one thing; quicker than ``{% url %}``, for the rows of a list."""
    return _address_of_zero(name).replace("/0/", f"/{identity}/", 1)


@register.filter
def abs_amount(value: Decimal) -> Decimal:
    """A credit without its sign, where the words around it say which side it is on."""
    return abs(value)


@register.filter
def is_cash(route: str | None) -> bool:
    """Whether a page is one of the cash desk's."""
    return (route or "").startswith("cash/")


@register.filter
def is_mail(route: str | None) -> bool:
    """Whether a page is of the post: messages, replies, the settings of sending."""
    return (route or "").startswith(("mail/", "sending/"))


@register.filter
def is_dispute(route: str | None) -> bool:
    return (route or "").startswith("disputes/")


@register.filter
def is_playbook(route: str | None) -> bool:
    return (route or "").startswith("playbooks/")
