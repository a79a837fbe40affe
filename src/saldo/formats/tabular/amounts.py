"""Amounts as exports write them, read exactly into mills (thousandths), or refused: never guessed.

The profile declares the decimal mark; the other mark can only group thousands. What contradicts it
("1.234,56" under a decimal point), or can be read in two ways ("1.234" under a decimal comma when the
profile declares no thousands mark), is refused with the reason.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from functools import cache

import polars as pl

from saldo.core.money import CURRENCY_EXPONENTS, MAX_MILLS

MAX_INTEGER_DIGITS = 15
MAX_CELL_CHARS = 60
# A binary float in a workbook is off by far less than this; a real fourth decimal by far more.
FLOAT_NOISE = Decimal("0.000001")
SYMBOLS = {
    "€": "EUR",
    "£": "GBP",
    "¥": "JPY",
    "zł": "PLN",
    "Kč": "CZK",
    "Fr.": "CHF",
    "EURO": "EUR",
    "Euro": "EUR",
}
DOLLARS = frozenset({"USD", "CAD", "AUD", "NZD", "SGD", "HKD", "MXN", "TWD", "BRL", "ARS", "CLP", "COP"})
_SYMBOL = r"[A-Z]{3}|US\$|[$€£¥]|zł|Kč|Fr\.|EURO|Euro"
_SPACES = r"[\u00a0\u2000-\u200a\u202f\u205f\u2007\t ]"
_MINUS = r"[\u2212\u2013\u2010\u2011]"
_QUOTES = r"[\u2019\u00b4`\u02bc]"
CREDIT_SUFFIX = ("CR", "H", "A")


@dataclass(frozen=True, slots=True)
class Amounts:
    """mills: Int64, null where blank or refused. decimals: UInt8, decimals that are not zero. symbol:
    Utf8, currency mark in the cell. bad: Boolean, a cell that is not blank and has no reading."""

    mills: pl.Series
    decimals: pl.Series
    symbol: pl.Series
    bad: pl.Series


@cache
def _general(decimal: str, thousands: str) -> str:
    """The regular expression of every accepted amount; named groups become columns."""
    other = "." if decimal == "," else ","
    marks = dict.fromkeys([thousands or other, " ", "'"])
    groups = "|".join(rf"[0-9]{{1,3}}(?:{re.escape(mark)}[0-9]{{3}})+" for mark in marks)
    return (
        rf"^(?P<open>\()? ?(?P<mark_a>{_SYMBOL})? ?(?P<sign_a>[-+])? ?(?P<mark_b>{_SYMBOL})? ?"
        rf"(?P<whole>{groups}|[0-9]+)?(?:{re.escape(decimal)}(?P<fraction>[0-9]*))?"
        rf" ?(?P<mark_c>{_SYMBOL})? ?(?P<sign_b>[-+])?"
        rf" ?(?P<suffix>(?:CR|DR|Cr|Dr|cr|dr|[HSDA])\.?)? ?(?P<close>\))?"
        rf" ?(?P<mark_d>{_SYMBOL})?$"
    )


def _simple(decimal: str, thousands: str) -> str:
    """The usual amounts, which need no second look: digits, declared groups, a leading minus."""
    groups = rf"|[0-9]{{1,3}}(?:{re.escape(thousands)}[0-9]{{3}}){{1,4}}" if thousands else ""
    whole = rf"(?P<minus>-?)(?P<whole>[0-9]{{1,15}}{groups})"
    return rf"^{whole}(?:{re.escape(decimal)}(?P<fraction>[0-9]{{1,3}}))?$"


def read_amounts(texts: pl.Series, typed: pl.Series | None, decimal: str, thousands: str) -> Amounts:
    """Reads a Utf8 column. ``typed``: cells that were numbers in a workbook (point, float noise)."""
    text, whole = pl.col("text").str.strip_chars().fill_null(""), pl.col("whole")
    frame = pl.DataFrame({"text": texts}).select(
        text, text.str.extract_groups(_simple(decimal, thousands)).alias("groups")
    )
    digits = whole.str.replace_all(thousands, "", literal=True) if thousands else whole
    read = frame.unnest("groups").select(
        *_scaled(digits, pl.col("minus") == "-"),
        symbol=pl.lit(None, dtype=pl.String),
        bad=pl.lit(False),
        hard=whole.is_null() & (pl.col("text") != ""),
    )
    mills, decimals, symbol, bad, hard = read.get_columns()
    if typed is not None:
        hard = hard & ~typed.fill_null(False)
    if hard.any():
        at = hard.arg_true()
        general = _read_general(frame["text"].gather(at), decimal, thousands)
        # scatter writes in place, so the series must be ours alone
        mills = mills.scatter(at, general.mills)
        decimals = decimals.scatter(at, general.decimals)
        symbol = symbol.scatter(at, general.symbol)
        bad = bad.scatter(at, general.bad)
    if typed is not None and typed.any():
        at = (typed.fill_null(False) & (frame["text"] != "")).arg_true()
        cells = [typed_mills(text) for text in frame["text"].gather(at).to_list()]
        mills = mills.scatter(at, pl.Series([cell[0] for cell in cells], dtype=pl.Int64))
        decimals = decimals.scatter(at, pl.Series([cell[1] for cell in cells], dtype=pl.UInt8))
        bad = bad.scatter(at, pl.Series([cell[0] is None for cell in cells], dtype=pl.Boolean))
    return Amounts(mills, decimals, symbol, bad)


def _scaled(whole: pl.Expr, negative: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """mills and (used) decimals from digits, and the column fraction."""
    fraction = pl.col("fraction").fill_null("")
    padded = (fraction + "000").str.slice(0, 3)
    value = whole.cast(pl.Int64, strict=False) * 1000 + padded.cast(pl.Int64, strict=False)
    decimals = fraction.str.strip_chars_end("0").str.len_bytes().clip(0, 255).cast(pl.UInt8)
    return pl.when(negative).then(-value).otherwise(value).alias("mills"), decimals.alias("decimals")


def _plain(texts: pl.Expr) -> pl.Expr:
    return (
        texts.str.replace_all(_SPACES, " ")
        .str.replace_all(_MINUS, "-")
        .str.replace_all(_QUOTES, "'")
        .str.strip_chars()
    )


def _read_general(texts: pl.Series, decimal: str, thousands: str) -> Amounts:
    short = pl.when(pl.col("text").str.len_bytes() <= 4 * MAX_CELL_CHARS).then(_plain(pl.col("text")))
    frame = pl.DataFrame({"text": texts}).with_columns(short)
    frame = frame.select(pl.col("text").str.extract_groups(_general(decimal, thousands))).unnest("text")
    mark = pl.coalesce("mark_a", "mark_b", "mark_c", "mark_d")
    marks = pl.sum_horizontal(pl.col(name).is_not_null() for name in ("mark_a", "mark_b", "mark_c", "mark_d"))
    minus = pl.sum_horizontal(
        (pl.col("sign_a") == "-").fill_null(False),
        (pl.col("sign_b") == "-").fill_null(False),
        pl.col("open").is_not_null(),
        pl.col("suffix").str.to_uppercase().str.strip_chars(".").is_in(CREDIT_SUFFIX).fill_null(False),
    )
    signs = pl.sum_horizontal(pl.col(name).is_not_null() for name in ("sign_a", "sign_b", "open", "suffix"))
    digits = pl.col("whole").str.replace_all(r"[^0-9]", "").str.strip_chars_start("0")
    one_group = pl.col("whole").str.count_matches(r"[.,]") == 1
    ambiguous = pl.lit(not thousands) & one_group & pl.col("fraction").is_null()
    used = pl.col("fraction").fill_null("").str.strip_chars_end("0")
    frame = frame.with_columns(
        symbol=mark,
        negative=minus > 0,
        ok=(pl.col("whole").is_not_null() | (pl.col("fraction") != ""))
        & (marks <= 1)
        & (signs <= 1)
        & (pl.col("open").is_null() == pl.col("close").is_null())
        & (digits.fill_null("").str.len_bytes() <= MAX_INTEGER_DIGITS)
        & ~ambiguous.fill_null(False)
        & (used.str.len_bytes() <= 3),
        whole=pl.when(digits.fill_null("") == "").then(pl.lit("0")).otherwise(digits),
    ).with_columns(pl.col("ok").fill_null(False))
    mills, decimals = frame.select(_scaled(pl.col("whole"), pl.col("negative"))).get_columns()
    good = frame["ok"]
    nothing = pl.Series([None], dtype=pl.Int64)
    return Amounts(mills.zip_with(good, nothing), decimals, frame["symbol"], ~good)


def typed_mills(text: str) -> tuple[int | None, int]:
    """Mills and used decimals of a workbook's number; float noise below a millionth is dropped."""
    try:
        value = Decimal(text)
    except ArithmeticError:
        return None, 0
    if not value.is_finite() or (value and value.adjusted() > MAX_INTEGER_DIGITS):
        return None, 0
    whole = int((value * 1000).to_integral_value())
    nearest = Decimal(whole).scaleb(-3)
    if abs(value - nearest) > FLOAT_NOISE or abs(whole) > MAX_MILLS:
        return None, 0
    used = f"{abs(whole) % 1000:03d}".rstrip("0")
    return whole, len(used)


def currency_of(symbol: str) -> str:
    """ISO code that a mark in an amount cell stands for, or "" ("$" stands for several)."""
    return SYMBOLS.get(symbol) or (
        "USD" if symbol == "US$" else symbol if symbol in CURRENCY_EXPONENTS else ""
    )


def mark_contradicts(symbol: str, currency: str) -> bool:
    """Whether the mark in the cell says another currency than the row does."""
    if symbol == "$":
        return currency not in DOLLARS
    return currency_of(symbol) != currency


def why_refused(text: str, typed: bool, decimal: str, thousands: str) -> str:
    """The error code for an amount text that ``read_amounts`` found bad."""
    plain = text.strip()
    digits = re.sub(r"\D", "", plain)
    if typed:
        return (
            "amount_too_large"
            if len(plain.split(".")[0].lstrip("-")) > MAX_INTEGER_DIGITS
            else "amount_decimals"
        )
    if plain.startswith("#"):
        return "formula_error"
    whole = re.sub(r"\D", "", plain.split(decimal)[0]).lstrip("0")
    other = "." if decimal == "," else ","
    if len(whole) > MAX_INTEGER_DIGITS and re.fullmatch(r"[\d\s.,'()+\-€$£A-Za-z]*", plain[:10_000]):
        return "amount_too_large"
    body = re.sub(r"[^\d.,]", "", plain)
    if not digits or not body or re.search(r"\d[^\d.,\s'’]+\d", plain):
        return "amount_unreadable"
    if not thousands and re.fullmatch(rf"\d{{1,3}}{re.escape(other)}\d{{3}}", body):
        return "amount_ambiguous"
    if re.fullmatch(rf"[\d{re.escape(other)}]*{re.escape(decimal)}\d{{4,}}", body) and other not in body:
        return "amount_decimals"
    return "amount_separator" if other in body or body.count(decimal) > 1 else "amount_unreadable"
