"""External ratings from a table or from JSON: one row, or one object, per company and provider."""

from __future__ import annotations

import re
from decimal import Decimal

import polars as pl

from saldo.core.errors import Rejection
from saldo.formats.credit_records import ExternalRating
from saldo.formats.records import Notice
from saldo.formats.tabular.mapping import Mapping
from saldo.formats.tabular.read import RawTable
from saldo.formats.tabular.rows import Sheet, number_of

_BETWEEN_EVENTS = re.compile(r"[;|\n]+")
_SAYS = ("rating", "score", "pd", "limit", "events")


def to_ratings(raw: RawTable, mapping: Mapping) -> tuple[list[ExternalRating], list[Rejection]]:
    """The ratings and the refused rows, in addition to ``raw.rejections``.

    A probability of default is a share from 0 to 1, unless the cell or the header has a "%". Events are
    separated by ";", "|" or line breaks.
    """
    sheet = Sheet(raw, mapping, ("limit",))
    party = sheet.identity()
    sheet.check(sheet.chunk.texts("provider").is_null(), "missing_provider", "provider")
    limits, score, pds = sheet.mills("limit").to_list(), sheet.numbers("score"), _probabilities(sheet)
    currencies = sheet.currencies()
    from_, to = sheet.days("valid_from"), sheet.days("valid_to")
    sheet.check(to < from_, "rating_dates_swapped", "valid_to")
    silent = pl.select(
        pl.all_horizontal(pl.lit(sheet.chunk.cells(name).is_null()) for name in _SAYS)
    ).to_series()
    sheet.check(silent, "rating_empty", "rating")
    texts = {name: sheet.texts(name) for name in ("provider", "rating", "events")}
    starts, ends = from_.to_list(), to.to_list()
    records = [
        ExternalRating(
            provider=texts["provider"][at] or "",
            vat=party["vat"][at],
            tax_code=party["tax_code"][at],
            customer_code=party["customer_code"][at],
            name=party["customer_name"][at],
            rating=texts["rating"][at],
            score=score[at],
            pd=pds[at],
            limit_mills=limits[at],
            currency=currencies[at],
            valid_from=starts[at],
            valid_to=ends[at],
            events=_events(texts["events"][at]),
            row=sheet.rows[at],
            notices=_notices(sheet, at, starts[at] is None),
        )
        for at in sheet.kept()
    ]
    return records, sheet.rejections()


def _notices(sheet: Sheet, at: int, is_undated: bool) -> tuple[Notice, ...]:
    if not is_undated:
        return ()
    row = sheet.rows[at]
    return (Notice("rating_undated", f"row {row}", sheet.excerpts[at], {}, row),)


def _probabilities(sheet: Sheet) -> list[Decimal | None]:
    """Shares from 0 to 1; what is no number, or not between them, is refused."""
    header_says = "%" in sheet.chunk.columns.get("pd", "")
    found: list[Decimal | None] = []
    unreadable, outside = [], []
    for text in sheet.texts("pd"):
        number = number_of(text.rstrip("% ")) if text else None
        if number is not None and text and (header_says or text.endswith("%")):
            number = (number / 100).normalize()
        unreadable.append(text is not None and number is None)
        outside.append(number is not None and not 0 <= number <= 1)
        found.append(number)
    sheet.check(pl.Series(unreadable, dtype=pl.Boolean), "number_unreadable", "pd")
    sheet.check(pl.Series(outside, dtype=pl.Boolean), "rating_pd_outside", "pd")
    return found


def _events(text: str | None) -> tuple[str, ...]:
    return tuple(piece.strip() for piece in _BETWEEN_EVENTS.split(text or "") if piece.strip())
