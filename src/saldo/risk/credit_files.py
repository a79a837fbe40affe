"""Keeping what others say of customers: yearly figures and external ratings. What is there stays as it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from saldo.core.context import Context
from saldo.risk.models import FinancialStatement, Rating


@dataclass(frozen=True, slots=True)
class StatementTold:
    """A year of a customer. figures: amounts as text by name, in ``currency``."""

    customer_id: int
    year_end_date: date
    currency: str
    figures: dict[str, str]


@dataclass(frozen=True, slots=True)
class RatingTold:
    """An agency's word on a customer. pd: probability of default within a year."""

    customer_id: int
    agency: str
    value: str
    pd: float | None
    rating_date: date
    valid_until: date | None


def keep_statements(ctx: Context, told: Sequence[StatementTold], document_id: int) -> int:
    """Add the statements that are not known word for word; other figures of a year known stand beside it.

    The caller wraps it in a transaction, under a stamped context. Returns how many were new.
    """
    assert ctx.recorded_at is not None, "statements are recorded under a stamped context"
    customers = {each.customer_id for each in told}
    known = {
        (row.customer_id, row.year_end_date, row.currency, _words(row.figures))
        for row in FinancialStatement.objects.filter(customer_id__in=customers)
    }
    new = {(each.customer_id, each.year_end_date, each.currency, _words(each.figures)): each for each in told}
    rows = [
        FinancialStatement(
            customer_id=each.customer_id, year_end_date=each.year_end_date, currency=each.currency,
            figures=each.figures, document_id=document_id, recorded_at=ctx.recorded_at,
        )
        for key, each in new.items()
        if key not in known
    ]  # fmt: skip
    return len(FinancialStatement.objects.bulk_create(rows))


def _words(figures: dict[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(figures.items()))


def keep_ratings(ctx: Context, told: Sequence[RatingTold], document_id: int) -> int:
    """Add the ratings that are not known yet, in the caller's transaction, under a stamped context.

    Returns how many were new.
    """
    assert ctx.recorded_at is not None, "ratings are recorded under a stamped context"
    customers = {each.customer_id for each in told}
    known = {
        RatingTold(row.customer_id, row.agency, row.value, row.pd, row.rating_date, row.valid_until)
        for row in Rating.objects.filter(customer_id__in=customers)
    }
    rows = [
        Rating(
            customer_id=each.customer_id, agency=each.agency, value=each.value, pd=each.pd,
            rating_date=each.rating_date, valid_until=each.valid_until, document_id=document_id,
            recorded_at=ctx.recorded_at,
        )
        for each in dict.fromkeys(told)
        if each not in known
    ]  # fmt: skip
    return len(Rating.objects.bulk_create(rows))
