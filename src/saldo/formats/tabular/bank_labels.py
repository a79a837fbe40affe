"""Rows of a bank's list that are no movements: its account, and its balances before and after them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import polars as pl
from stdnum import iban

from saldo.core.errors import Rejection
from saldo.formats.tabular.amounts import read_amounts, typed_mills
from saldo.formats.tabular.columns import resolved
from saldo.formats.tabular.csv_text import cells_of
from saldo.formats.tabular.dates import read_date
from saldo.formats.tabular.headers import normalized
from saldo.formats.tabular.mapping import Mapping
from saldo.formats.tabular.read import LooseRow, RawTable

MAX_LABEL_ROWS = 200
# What may follow a label in its cell without making it a sentence of somebody's payment.
_FILLERS = re.compile(r"(?i)\b(?:a|al|alla|data|del|di|il|in|eur|euro|at|as|of|on|the|zum|am|per|vom)\b|€")
_DAY = re.compile(r"\b\d{1,4}[/.-]\d{1,2}[/.-]\d{1,4}\b")
_TRAILING_AMOUNT = re.compile(
    r"[-+(]?\s?\d[\d.,' \u00a0]*\)?[-+]?\s*(?:[A-Z]{3}|€)?\s*(?:[DSAHC]|CR|DR)?\s*$"
)
_SIDE = re.compile(r"[0-9)]\s*(?:[A-Z]{3}|€)?\s*(?:CR|DR|[HSDA])\.?\s*(?:[A-Z]{3}|€)?$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Labelled:
    """What such rows say. unclear: rows with a label whose amount cannot be told."""

    account: str | None
    opening_mills: tuple[int, ...]
    closing_mills: tuple[int, ...]
    unclear: tuple[LooseRow, ...]


def labelled(
    rows: Sequence[LooseRow], mapping: Mapping, marks: tuple[str, str], out_at: int, balance_at: int
) -> Labelled:
    """The account and the balances that ``rows`` state, by the words of ``mapping.bank``.

    marks: decimal and thousands mark. out_at, balance_at: position of the column of money that left, and of
    the balance; -1 without.
    """
    found: dict[str, list[int]] = {"opening": [], "closing": []}
    unclear = []
    for row in rows:
        for name, labels in (("opening", mapping.bank.opening), ("closing", mapping.bank.closing)):
            at, rest = _label_at(row.cells, labels)
            if at < 0:
                continue
            mills = _amount_of(row, at, rest, mapping, marks, out_at, balance_at)
            if mills is None:
                unclear.append(row)
            else:
                found[name].append(mills)
            break
    return Labelled(
        _account_of(rows, mapping.bank.account),
        tuple(found["opening"]),
        tuple(found["closing"]),
        tuple(unclear),
    )


def split(raw: RawTable, mapping: Mapping) -> tuple[RawTable, list[LooseRow]]:
    """(the table without its rows of balances, those rows and the ones above the table).

    A row with a label, a booking date and an amount of its own may be a movement whose text is that label:
    it stays in the table, marked by ``is_both``, and is refused there.
    """
    loose = list(raw.preamble)
    labels = (*mapping.bank.opening, *mapping.bank.closing)
    if not labels:
        return raw, loose
    kept_rejections = []
    for rejection in raw.rejections:
        cells = tuple(cells_of(rejection.excerpt, raw.delimiter)) if raw.delimiter else (rejection.excerpt,)
        if rejection.code == "row_too_few_cells" and _label_at(cells, labels)[0] >= 0:
            loose.append(LooseRow(rejection.row, cells))
        else:
            kept_rejections.append(rejection)
    mask = label_mask(raw, mapping).to_numpy().copy()
    for at in mask.nonzero()[0].tolist():
        line, *found = raw.frame.row(at)
        cells = tuple(cell or "" for cell in found)
        if is_both(raw, mapping, cells):
            mask[at] = False
            continue
        marks = raw.typed.row(at) if raw.typed is not None else ()
        loose.append(LooseRow(line, cells, frozenset(at for at, mark in enumerate(marks) if mark)))
    keep = pl.Series(~mask, dtype=pl.Boolean)
    table = replace(
        raw,
        frame=raw.frame.filter(keep),
        typed=raw.typed.filter(keep) if raw.typed is not None else None,
        rejections=kept_rejections,
    )
    return table, loose[:MAX_LABEL_ROWS]


def is_both(raw: RawTable, mapping: Mapping, cells: Sequence[str]) -> bool:
    """Whether a row with a label also has a booking date and an amount of a movement."""
    columns = resolved(raw, mapping)

    def cell(name: str) -> str:
        return cells[raw.columns.index(columns[name])].strip() if name in columns else ""

    day = read_date(cell("booking_date"), mapping.format.dates, typed=raw.typed is not None)
    has_day = day is not None and not isinstance(day, str)
    return has_day and any(re.search(r"[1-9]", cell(name)) for name in ("amount", "in", "out"))


def label_mask(raw: RawTable, mapping: Mapping) -> pl.Series:
    """Which rows of the table hold one of the labels of balances."""
    labels = (*mapping.bank.opening, *mapping.bank.closing)
    # Few rows have the first word of a label near the start of a cell; only those are looked at in full.
    words = sorted({label.split()[0].lower() for label in labels if label.split()})
    if not words or not len(raw.frame):
        return pl.repeat(False, len(raw.frame), dtype=pl.Boolean, eager=True)
    heads = [pl.col(column).fill_null("").str.slice(0, 60).str.to_lowercase() for column in raw.columns]
    near = raw.frame.select(
        pl.any_horizontal(head.str.contains(word, literal=True) for head in heads for word in words)
    ).to_series()
    mask = near.to_list()
    for at in near.arg_true().to_list():
        mask[at] = _label_at([cell or "" for cell in raw.frame.row(at)[1:]], labels)[0] >= 0
    return pl.Series(mask, dtype=pl.Boolean)


def _label_at(cells: Sequence[str], labels: Sequence[str]) -> tuple[int, str]:
    """(position of the cell that is one of ``labels``, what follows the label in it); -1 without.

    Only dates, amounts and little words may follow: "Saldo finale ordine 5" is what a customer writes.
    """
    for at, cell in enumerate(cells):
        for label in labels:
            rest = _after(cell, label)
            if rest is not None and not re.search(r"[^\W\d_]{2,}", _FILLERS.sub("", rest)):
                return at, rest
    return -1, ""


def _after(cell: str, label: str) -> str | None:
    """What follows ``label`` at the start of ``cell``, compared without case, accents and punctuation."""
    wanted = normalized(label)
    head = normalized(cell[:200])
    if not wanted or not head.startswith(wanted):
        return None
    taken = 0
    for at, character in enumerate(cell):
        if taken >= len(wanted):
            # "IBANK" is no "IBAN".
            return None if character.isalpha() else cell[at:]
        taken += len(normalized(character))
    return ""


def _amount_of(
    row: LooseRow,
    label_at: int,
    rest: str,
    mapping: Mapping,
    marks: tuple[str, str],
    out_at: int,
    balance_at: int,
) -> int | None:
    """The one amount of a row; that in the column of balances goes before others."""
    found: dict[int, int] = {}
    for at, cell in enumerate(row.cells):
        text = _DAY.sub(" ", rest) if at == label_at else cell
        text = text.rpartition(":")[2].strip() if at == label_at else text.strip()
        if at == label_at:
            match = _TRAILING_AMOUNT.search(text[-60:])
            text = match.group() if match else ""
        mills = mills_of(text, at in row.typed, marks)
        if mills is not None:
            found[at] = -abs(mills) if at == out_at else mills
    if balance_at in found:
        found = {balance_at: found[balance_at]}
    is_debit = bool(
        {normalized(cell) for cell in row.cells} & {normalized(v) for v in mapping.amount.debit_values}
    )
    amounts = {-abs(mills) if is_debit else mills for mills in found.values()}
    return amounts.pop() if len(amounts) == 1 else None


def mills_of(text: str, is_typed: bool, marks: tuple[str, str]) -> int | None:
    """One cell's amount in the sense of the account holder; None where it is none."""
    if not text or not any(character.isdigit() for character in text):
        return None
    if is_typed:
        return typed_mills(text)[0]
    read = read_amounts(pl.Series([text], dtype=pl.String), None, *marks)
    mills = read.mills[0]
    if mills is None or read.bad[0]:
        return None
    return -int(mills) if has_side(text) else int(mills)


def has_side(text: str) -> bool:
    """Whether a letter behind the amount gives its side (D, A, S, H, CR, DR).

    ``read_amounts`` takes a credit for less, as in the account of a customer; in that of a bank it is more.
    """
    return bool(_SIDE.search(text.strip()))


def _account_of(rows: Sequence[LooseRow], labels: Sequence[str]) -> str | None:
    for row in rows:
        for at, cell in enumerate(row.cells):
            for label in labels:
                rest = _after(cell, label)
                if rest is None:
                    continue
                others = (text for text in row.cells[at + 1 :] if text.strip())
                said = rest.strip(" :.-\t") or next(others, "").strip()
                if said:
                    return account_text(said)
    return None


def account_text(text: str) -> str:
    """An account without blanks where that makes an IBAN, else as written."""
    plain = re.sub(r"[\s.-]", "", text).upper()
    return plain if iban.is_valid(plain) else " ".join(text.split())[:200]


def ibans_in(rows: Sequence[LooseRow]) -> Iterator[tuple[str, str]]:
    """(label before it, IBAN) of every IBAN in ``rows``: in a cell after its label, or at the end of it."""
    for row in rows:
        before = ""
        for cell in row.cells:
            head, mark, tail = cell.partition(":")
            for label, text in ((head, tail), (before, cell)):
                plain = re.sub(r"\s", "", text).upper()
                if (mark or text is cell) and iban.is_valid(plain) and label.strip():
                    yield " ".join(label.split()).rstrip(":"), plain
                    break
            before = cell if cell.strip() else before


def rejection_of(row: LooseRow, delimiter: str) -> Rejection:
    excerpt = (delimiter or ";").join(row.cells)
    return Rejection("bank_balance_line_unclear", f"row {row.line}", excerpt, {}, row.line)
