"""Tables of orders, ratings, balance sheets and bank movements, by the kind of their mapping."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from saldo.core.errors import Rejection, SaldoError
from saldo.formats.credit_records import BalanceSheet, ExternalRating, SalesOrder
from saldo.formats.records import ReadResult, refused
from saldo.formats.tabular.balance_sheets import to_balance_sheets
from saldo.formats.tabular.bank import to_statements
from saldo.formats.tabular.json_table import looks_like_json, open_json
from saldo.formats.tabular.mapping import Mapping, load_profile
from saldo.formats.tabular.names import BANK
from saldo.formats.tabular.orders import to_orders
from saldo.formats.tabular.ratings import to_ratings
from saldo.formats.tabular.read import RawTable, open_table

JSON_FORMAT = "ratings-json"
CreditRecord = BalanceSheet | ExternalRating | SalesOrder
_READERS: dict[str, Callable[[RawTable, Mapping], tuple[Sequence[CreditRecord], list[Rejection]]]] = {
    "orders": to_orders,
    "ratings": to_ratings,
    "balance_sheets": to_balance_sheets,
}


def to_records(raw: RawTable, mapping: Mapping) -> tuple[tuple[CreditRecord, ...], list[Rejection]]:
    """The records of ``raw`` and the refused rows, in addition to ``raw.rejections``.

    ``mapping.kind`` is one of RECORD_KINDS but BANK. Raises SaldoError mapping_column_missing and the like.
    """
    records, rejections = _READERS[mapping.kind](raw, mapping)
    return tuple(records), rejections


def open_records(data: bytes, name: str, mapping: Mapping) -> RawTable:
    """Reads CSV, XLSX or JSON. Raises SaldoError where there is no table to speak of."""
    return open_json(data, name) if looks_like_json(data) else open_table(data, name, mapping)


def read_records(data: bytes, name: str, mapping: Mapping, format_: str = "csv") -> ReadResult:
    """The statements or records of a table, by a mapping whose kind is one of RECORD_KINDS.

    Raises SaldoError where there is no table to speak of, or not the one that the mapping is for.
    """
    raw = open_records(data, name, mapping)
    if mapping.kind == BANK:
        statements, rejections = to_statements(raw, mapping)
        return ReadResult(format_, statements=tuple(statements), rejections=tuple(rejections))
    records, rejections = to_records(raw, mapping)
    return ReadResult(format_, records=records, rejections=(*raw.rejections, *rejections))


def read_ratings_json(data: bytes, name: str = "") -> ReadResult:
    """Ratings in JSON by the shipped profile. Never raises for bad content."""
    mapping = load_profile("ratings")
    try:
        raw = open_json(data, name)
        records, rejections = to_records(raw, mapping)
    except SaldoError as error:
        excerpt = data[:120].decode("utf-8", errors="replace")
        return refused(JSON_FORMAT, Rejection(error.code, "", excerpt, error.params))
    return ReadResult(JSON_FORMAT, records=records, rejections=(*raw.rejections, *rejections))
