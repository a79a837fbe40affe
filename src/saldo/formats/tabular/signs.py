"""Which way an amount points: from the ways exports write debits and credits to positive = they owe us.

A sign that contradicts the document type, or a paid part larger than the document, is a problem of the
row: the wrong choice would turn a credit into a debt.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from saldo.formats.tabular.columns import Chunk, distinct
from saldo.formats.tabular.headers import normalized

CREDIT_KINDS = ("credit_note", "payment")


@dataclass(frozen=True, slots=True)
class Signed:
    """kind: Utf8; amount, open: Int64 mills, positive = they owe us, open null = not stated.
    problems: (row mask, error code, canonical column or "" for the main amount)."""

    kind: pl.Series
    amount: pl.Series
    open: pl.Series
    problems: list[tuple[pl.Series, str, str]]


def signed(chunk: Chunk, mills: dict[str, pl.Series], kind: pl.Series) -> Signed:
    """Signs and completes amount and open from the columns that the file has (mills as written)."""
    rules = chunk.mapping.amount
    nothing = chunk.nothing(pl.Int64)
    frame = pl.DataFrame(
        {name: mills.get(name, nothing) for name in ("amount", "open", "paid", "debit", "credit")}
        | {"kind": kind, "side": _sides(chunk)}
    )
    problems: list[tuple[pl.Expr, str, str]] = []
    if rules.style == "debit_credit_columns":
        either = pl.col("debit").is_not_null() | pl.col("credit").is_not_null()
        net = pl.col("debit").fill_null(0) - pl.col("credit").fill_null(0)
        frame = frame.with_columns(amount=pl.when(either).then(net).otherwise("amount"))
    elif rules.style == "sign_column":
        money = ("amount", "open", "paid")
        opposed = pl.any_horizontal((pl.col(name) < 0).fill_null(False) for name in money)
        problems.append((pl.col("side").is_null(), "sign_unknown", "sign"))
        problems.append(((pl.col("side") > 0) & opposed, "sign_contradicts", ""))
        frame = frame.with_columns((pl.col(name).abs() * pl.col("side").fill_null(1)) for name in money)
    problems.append((pl.col("paid").sign() * pl.col("amount").sign() < 0, "paid_sign", "paid"))
    frame = frame.with_columns(
        amount=pl.coalesce("amount", pl.col("open") + pl.col("paid").fill_null(0)),
        open=pl.coalesce("open", pl.col("amount") - pl.col("paid")),
    )
    if rules.sign == "negative_means_owed":
        frame = frame.with_columns(-pl.col("amount", "open"))
    problems.append((pl.col("amount").is_null(), "missing_amount", ""))
    frame = _by_kind(frame, rules.style == "signed", rules.credit_notes == "positive", problems)
    beyond = (pl.col("open").abs() > pl.col("amount").abs()) | (
        pl.col("open").sign() * pl.col("amount").sign() < 0
    )
    problems.append((beyond, "open_exceeds_amount", "open" if "open" in chunk.columns else "paid"))
    masks = frame.select([mask.fill_null(False).alias(f"p{i}") for i, (mask, _, _) in enumerate(problems)])
    found = [
        (
            masks[f"p{i}"] | frame["wrong"] if code == "sign_contradicts_kind" else masks[f"p{i}"],
            code,
            canonical,
        )
        for i, (_, code, canonical) in enumerate(problems)
    ]
    return Signed(frame["kind"], frame["amount"], frame["open"], found)


def _sides(chunk: Chunk) -> pl.Series:
    """+1 where the sign column says debit, -1 where credit, null where it says neither."""
    rules = chunk.mapping.amount
    if rules.style != "sign_column":
        return chunk.nothing(pl.Int64)
    debit = {normalized(value) or value for value in rules.debit_values}
    credit = {normalized(value) or value for value in rules.credit_values}
    cells = chunk.cells("sign")
    sides: dict[str, int | None] = {}
    for text in distinct(cells):
        word = normalized(text) or text
        sides[text] = -1 if word in credit else 1 if word in debit or not debit else None
    if not sides:
        return chunk.nothing(pl.Int64)
    keys = pl.Series(list(sides), dtype=pl.String)
    return cells.replace_strict(keys, pl.Series(list(sides.values()), dtype=pl.Int64), default=None)


def _by_kind(
    frame: pl.DataFrame, sign_is_typed: bool, written_positive: bool, problems: list[tuple[pl.Expr, str, str]]
) -> pl.DataFrame:
    """Signs by document type where the file writes credit notes positive; kinds by sign elsewhere.

    ``sign_is_typed``: the sign is only what stands before the number, so a positive credit note may be
    a forgotten sign and is a problem. Where a column of its own says debit, a positive payment or credit
    note is one that was reversed: it is owed, a debit note.
    """
    credit = pl.col("kind").is_in(CREDIT_KINDS)
    money = pl.coalesce(pl.when(pl.col("amount") != 0).then("amount"), "open", "amount")
    wrong = pl.lit(False)
    if sign_is_typed:
        wrong = credit & (money < 0 if written_positive else money > 0)
        problems.append((pl.lit(False), "sign_contradicts_kind", ""))
    frame = frame.with_columns(wrong=wrong.fill_null(False))
    if sign_is_typed and written_positive:
        frame = frame.with_columns(
            pl.when(credit).then(-pl.col(name)).otherwise(name).alias(name) for name in ("amount", "open")
        )
    negative = pl.col("amount") < 0
    return frame.with_columns(
        kind=pl.when(~credit & negative)
        .then(pl.lit("credit_note"))
        .when(credit & (pl.col("amount") > 0))
        .then(pl.lit("debit_note"))
        .otherwise("kind")
    )
