"""Filters of the pages of care and visits."""

from __future__ import annotations

from django import template
from django.utils.translation import get_language

from saldo.core.preferences import hours_words

register = template.Library()


@register.filter
def hours(text: str) -> str:
    """Hours for calls with the days of the reader's language."""
    return hours_words(text, (get_language() or "it")[:2])


@register.filter
def wished(row: object) -> str:
    """The value of a preference, as it is read."""
    value = str(getattr(row, "value", ""))
    return hours(value) if getattr(row, "kind", "") == "call_hours" else value
