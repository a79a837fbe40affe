"""CSV and Excel exports of any ERP, read through mapping profiles.

``open_table`` reads a file into texts, ``to_receivables`` and ``to_customers`` make frames of them as a
``Mapping`` says, ``suggest`` proposes one. ``to_records`` makes records
of orders, ratings and balance sheets.
"""

from saldo.formats.tabular.contacts import CUSTOMERS_SCHEMA, to_customers
from saldo.formats.tabular.convert import Converted, convert, to_receivables
from saldo.formats.tabular.mapping import (
    RECORD_KINDS,
    Mapping,
    dump_toml,
    importable_profile_names,
    load_profile,
    parse_profile,
    profile_names,
)
from saldo.formats.tabular.read import RawTable, open_table
from saldo.formats.tabular.records import open_records, read_ratings_json, to_records
from saldo.formats.tabular.suggest import Suggestion, suggest

__all__ = [
    "CUSTOMERS_SCHEMA",
    "RECORD_KINDS",
    "Converted",
    "Mapping",
    "RawTable",
    "Suggestion",
    "convert",
    "dump_toml",
    "importable_profile_names",
    "load_profile",
    "open_records",
    "open_table",
    "parse_profile",
    "profile_names",
    "read_ratings_json",
    "suggest",
    "to_customers",
    "to_receivables",
    "to_records",
]
