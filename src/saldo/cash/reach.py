"""Which accounts a batch of lines can reach at all: those that may have paid, and those whose documents a
text may name. A day's few hundred lines need not see a company's million items.

The test on numbers lets more through than the engine will find, never less: it compares the digits of the
keys that the lines name with those of the documents, for a whole frame at once.
"""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from saldo.core.matching.payers import Payers
from saldo.core.matching.records import Line

# More lines than this reach most accounts anyway.
MOST_LINES = 20_000
# The tail by which references finds the end of a long number.
TAIL_DIGITS = 6


def reachable(items: pl.DataFrame, lines: list[Line], payers: Payers, keys: Iterable[str]) -> pl.DataFrame:
    """The rows of ``items`` (frames.ITEMS_SCHEMA) whose accounts the lines can reach.

    keys: ``book.wanted_keys(lines)``.
    """
    if len(lines) > MOST_LINES:
        return items
    paying = {payer.account_id for line in lines for payer in payers.identify(line)}
    paying |= {other for account_id in list(paying) for other in payers.pays_for(account_id)}
    named = may_be_named(items, keys)["account_id"]
    accounts = pl.concat([pl.Series("account_id", list(paying), dtype=pl.Int64), named]).unique()
    return items.filter(pl.col("account_id").is_in(accounts.implode()))


def named_ids(items: pl.DataFrame, keys: Iterable[str]) -> set[int]:
    """Ids of the items whose document may have one of the keys."""
    return set(may_be_named(items, keys)["item_id"].to_list())


def may_be_named(items: pl.DataFrame, keys: Iterable[str]) -> pl.DataFrame:
    """The rows whose document may have one of the keys."""
    return items.filter(_may_be_named(pl.Series("key", list(keys), dtype=pl.String)))


def _tail(digits: pl.Expr) -> pl.Expr:
    """The last digits without leading zeros: equal for two spellings of one number."""
    return digits.str.slice(-TAIL_DIGITS).str.strip_chars_start("0")


def _digits(text: pl.Expr) -> pl.Expr:
    return text.str.replace_all(r"[^0-9]", "").str.strip_chars_start("0")


def _without_zeros(text: pl.Expr) -> pl.Expr:
    """The zeros before each number taken off, as the keys of whole numbers have it."""
    return text.str.replace_all(r"(^|[^0-9])0+([0-9])", "${1}${2}")


def _last_of_body(groups: pl.Expr, near: pl.Expr) -> pl.Expr:
    """The last number of a document's body: of its groups of digits less the year, which is the last one if
    it can be one, else the first, and never the only one (normalize.number_parts). near: its date's year."""
    several, last, before = groups.list.len() > 1, groups.list.last(), groups.list.get(-2, null_on_oob=True)
    return pl.when(several & _is_year(last, near)).then(before).otherwise(last)


def _is_year(group: pl.Expr, near: pl.Expr) -> pl.Expr:
    value, size = group.cast(pl.Int64, strict=False), group.str.len_chars()
    year = pl.when(size <= 2).then(value + near // 100 * 100).otherwise(value)
    return (size <= 4) & ((year - near).abs() <= 1)


def _may_be_named(keys: pl.Series) -> pl.Expr:
    """Whether a document's number, or its order's, may have one of the keys (references.DocumentKey)."""
    frame = keys.to_frame()
    kind, rest = pl.col("key").str.slice(0, 1), pl.col("key").str.slice(1)
    body = rest.str.split("|").list.first().str.extract(r"([0-9]+)[^0-9]*$", 1)
    bodies = frame.filter(kind.is_in(["b", "y", "t"])).select(_tail(body)).to_series().drop_nulls().unique()
    wholes = frame.filter(kind.is_in(["=", "r", "o"])).select(_digits(rest)).to_series().unique()
    number, order = pl.col("number"), pl.col("order_ref")
    plain = _without_zeros(number)
    groups = plain.str.extract_all(r"[0-9]+")
    last = _tail(_last_of_body(groups, pl.col("document_date").dt.year()))
    unusual = number.str.contains(r"[^\x00-\x7f]") | ((number != "") & ~number.str.contains(r"[0-9]"))
    return (
        unusual
        | (order != "") & _digits(_without_zeros(order)).is_in(wholes.implode())
        | (order != "") & _digits(order).is_in(wholes.implode())
        | _digits(plain).is_in(wholes.implode())
        | _digits(number).is_in(wholes.implode())
        | last.is_in(bodies.implode())
    )
