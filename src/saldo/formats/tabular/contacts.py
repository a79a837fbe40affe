"""Customers and contacts from a raw table: one row per customer, or per contact of a customer."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import polars as pl

from saldo.core.errors import Rejection
from saldo.formats.tabular.columns import Chunk, distinct, mapped, resolved
from saldo.formats.tabular.headers import normalized
from saldo.formats.tabular.mapping import Mapping
from saldo.formats.tabular.names import CUSTOMERS_COLUMNS
from saldo.formats.tabular.parties import countries, vat_numbers, without_leading_zeros
from saldo.formats.tabular.read import RawTable

CUSTOMERS_SCHEMA: dict[str, Any] = {
    "row": pl.UInt32,
    **dict.fromkeys(CUSTOMERS_COLUMNS, pl.Utf8),
    "excerpt": pl.Utf8,
}
IDENTITY = ("customer_code", "vat", "tax_code", "customer_name")
_ADDRESS = re.compile(r"[^\s@<>,;:\"()\[\]]+@[^\s@<>,;:\"()\[\]]+\.[^\s@<>,;:\"()\[\].]{2,}")
_LANGUAGES = {
    "it": "it ita italiano italian italienisch",
    "en": "en eng inglese english englisch gb uk us",
    "de": "de deu ger tedesco german deutsch",
    "fr": "fr fra fre francese french francais franzosisch",
    "es": "es spa esp spagnolo spanish espanol",
}
LANGUAGE_OF = {word: code for code, words in _LANGUAGES.items() for word in words.split()}


def to_customers(raw: RawTable, mapping: Mapping) -> tuple[pl.DataFrame, list[Rejection]]:
    """The frame of CUSTOMERS_SCHEMA and the refused rows, in addition to ``raw.rejections``.

    Several addresses in a cell come out joined by ";". Codes, VAT numbers and countries are written as
    in the receivables frame, so that the two meet.
    """
    chunk = Chunk(raw.frame, raw.typed, resolved(raw, mapping), mapping)
    out = {name: chunk.texts(name) for name in CUSTOMERS_COLUMNS}
    out["country"] = countries(out["country"])
    out["vat"] = vat_numbers(out["vat"], out["country"])
    out["tax_code"] = out["tax_code"].str.to_uppercase()
    out["zip"] = _zips(chunk, out["country"])
    out["language"] = _languages(out["language"])
    if mapping.format.leading_zeros == "strip":
        out["customer_code"] = without_leading_zeros(out["customer_code"])
    checks = [(mask, "formula_error", canonical) for canonical, mask in chunk.formula_errors()]
    nobody = pl.select(pl.all_horizontal(pl.lit(out[name].is_null()) for name in IDENTITY)).to_series()
    checks.append((nobody, "missing_customer", next(name for name in IDENTITY if name in mapping.columns)))
    for canonical in ("email", "pec"):
        out[canonical], bad = _addresses(out[canonical])
        checks.append((bad, "email_unreadable", canonical))
    frame = pl.DataFrame({"row": chunk.frame["row"], **out, "excerpt": chunk.excerpts(raw.delimiter)})
    return _accepted(frame.select(list(CUSTOMERS_SCHEMA)), chunk, checks)


def _accepted(
    frame: pl.DataFrame, chunk: Chunk, checks: list[tuple[pl.Series, str, str]]
) -> tuple[pl.DataFrame, list[Rejection]]:
    reason = np.full(len(frame), -1)
    for index in range(len(checks) - 1, -1, -1):
        reason[checks[index][0].fill_null(False).to_numpy()] = index
    rejections: list[Rejection] = []
    for at in np.flatnonzero(reason >= 0).tolist():
        _, code, canonical = checks[reason[at]]
        column = chunk.columns.get(canonical, canonical)
        value = (chunk.frame[column][at] or "") if canonical in chunk.columns else ""
        params = {"column": column, "value": value.strip()[:80]}
        row = int(frame["row"][at])
        rejections.append(Rejection(code, f"row {row}", frame["excerpt"][at] or "", params, row))
    frame = frame.filter(pl.Series(reason < 0))
    seen: dict[int, int] = {}
    copies = []
    for row, digest in zip(frame["row"], frame.drop("row", "excerpt").hash_rows(), strict=True):
        if seen.setdefault(digest, row) != row:
            copies.append((row, seen[digest]))
    for row, first in copies:
        mine = frame.row(by_predicate=pl.col("row") == row, named=True)
        number = mine["customer_code"] or mine["customer_name"] or ""
        params = {"number": number, "first": first}
        rejections.append(Rejection("duplicate_row", f"row {row}", mine["excerpt"] or "", params, row))
    rejections.sort(key=lambda rejection: rejection.row)
    return frame.filter(~pl.col("row").is_in([row for row, _ in copies])), rejections


def _zips(chunk: Chunk, lands: pl.Series) -> pl.Series:
    """Postal codes; spreadsheets drop the leading zeros of Italian ones."""
    zips, typed = chunk.texts("zip"), chunk.marks("zip")
    if typed is None:
        return zips
    frame = pl.DataFrame({"zip": zips, "typed": typed, "land": lands})
    italian = pl.col("typed") & (pl.col("land").fill_null("IT") == "IT")
    return frame.select(pl.when(italian).then(pl.col("zip").str.zfill(5)).otherwise("zip")).to_series()


def _languages(texts: pl.Series) -> pl.Series:
    return mapped(texts, {text: LANGUAGE_OF.get(normalized(text.split("_")[0])) for text in distinct(texts)})


def _addresses(texts: pl.Series) -> tuple[pl.Series, pl.Series]:
    """E-mail addresses joined by ";", and the mask of cells that hold something else."""
    found = {text: email_addresses(text) for text in distinct(texts)}
    addresses = mapped(texts, found)
    return addresses, texts.is_not_null() & addresses.is_null()


def email_addresses(text: str) -> str | None:
    """The addresses in ``text``, lower case, joined by ";"; None when a piece of it is no address."""
    pieces = [re.sub(r"^.*<(.*)>$", r"\1", piece.strip()) for piece in re.split(r"[;,\n]+", text)]
    pieces = [piece for piece in pieces if piece]
    if not pieces or not all(_ADDRESS.fullmatch(piece) for piece in pieces):
        return None
    return ";".join(dict.fromkeys(piece.lower() for piece in pieces))
