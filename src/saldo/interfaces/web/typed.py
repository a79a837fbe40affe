"""Days and amounts as people type them into forms."""

from __future__ import annotations

from datetime import date

from django.utils.dateparse import parse_date

from saldo.core.errors import SaldoError
from saldo.core.money import to_mills
from saldo.interfaces.web.cash_forms import typed_amount


def day_or_none(text: str) -> date | None:
    """A day as the browser's field writes it; None for nothing and for what is no day."""
    try:
        return parse_date(text.strip())
    except ValueError:
        return None


def mills_or_none(text: str, currency: str) -> int | None:
    """An amount; None where nothing was typed. Raises SaldoError("amount_not_understood")."""
    if not text.strip():
        return None
    amount = typed_amount(text, currency)
    if amount is None or amount <= 0:
        raise SaldoError("amount_not_understood", amount=text.strip()[:40])
    return to_mills(amount)
