"""Filters of calls: the script in words, hours."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django import template
from django.utils import timezone

from saldo.core.addresses import phone_number
from saldo.interfaces.web import labels
from saldo.interfaces.web.templatetags.saldo import language

register = template.Library()


@register.filter
def script_line(line: Any) -> str:
    """A line of a call script in the reader's language."""
    return labels.reason_text({"code": line.code, "params": line.params}, language())


@register.filter
def hour(value: datetime) -> str:
    """15:30, in local time."""
    return f"{timezone.localtime(value):%H:%M}"


@register.filter
def lower_first(text: str) -> str:
    """As it stands after a colon; what is written in capitals stays so."""
    return text if text[1:2].isupper() else text[:1].lower() + text[1:]


@register.filter
def block_of(row: Any, agreed: Mapping[int, Any]) -> str:
    """The heading under which a row stands: "due" where its call-back's hour has come, else its block."""
    one = agreed.get(row.account_id)
    return "due" if one is not None and one.is_due else str(row.block)


@register.filter
def folded_phone(phone: str, country: str) -> str:
    """A telephone number as stops keep it."""
    return phone_number(phone, country or "IT") or phone


@register.filter
def why_not(other: Mapping[str, Any]) -> str:
    """Why another action is not the one that is suggested."""
    return labels.reason_text({"code": other["code"], "params": {}}, language())
