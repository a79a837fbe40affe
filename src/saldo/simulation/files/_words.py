"""What the writers of documents share: their words (document_words.toml), amounts, the months of a table."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any

import polars as pl


@cache
def words(section: str) -> dict[str, Any]:
    """One table of document_words.toml."""
    text = files("saldo.simulation.files").joinpath("document_words.toml").read_text(encoding="utf-8")
    table: dict[str, Any] = tomllib.loads(text)[section]
    return table


def italian_amount(cents: int) -> str:
    """-123456 -> "-1.234,56"."""
    whole, rest = divmod(abs(cents), 100)
    return f"{'-' if cents < 0 else ''}{whole:,}".replace(",", ".") + f",{rest:02d}"


def plain_amount(cents: str, mark: str) -> pl.Expr:
    """The column of cents as text, without groups of thousands: -123456 -> "-1234,56"."""
    size = pl.col(cents).abs()
    sign = pl.when(pl.col(cents) < 0).then(pl.lit("-")).otherwise(pl.lit(""))
    rest = (size % 100).cast(pl.String).str.zfill(2)
    return pl.concat_str(sign, (size // 100).cast(pl.String), pl.lit(mark), rest)


def months(rows: pl.DataFrame, day: str) -> Iterator[tuple[date, pl.DataFrame]]:
    """The rows by month of their ``day``, each with the last day that occurs in it."""
    keyed = rows.with_columns(month=pl.col(day).dt.truncate("1mo"))
    for part in keyed.partition_by("month", maintain_order=True, include_key=False):
        last = part[day].max()
        assert isinstance(last, date)
        yield last, part
