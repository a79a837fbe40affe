"""CSV and Excel exports of any ERP, read through mapping profiles.

``open_table`` reads a file into texts, ``to_receivables`` and ``to_customers`` make frames of them as a
``Mapping`` says, ``suggest`` proposes one. ``read_records`` makes
records of orders, ratings and balance sheets, and statements of the movement lists of banks.
"""

from saldo.formats.tabular.contacts import CUSTOMERS_SCHEMA, to_customers
from saldo.formats.tabular.convert import Converted, convert, to_receivables
from saldo.formats.tabular.dump import dump_toml
from saldo.formats.tabular.mapping import (
    Mapping,
    importable_profile_names,
    load_profile,
    parse_profile,
    profile_names,
)
from saldo.formats.tabular.names import BANK, RECORD_KINDS
from saldo.formats.tabular.read import RawTable, open_table
from saldo.formats.tabular.records import open_records, read_ratings_json, read_records, to_records
from saldo.formats.tabular.suggest import Suggestion, suggest

__all__ = [
    "BANK",
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
    "read_records",
    "suggest",
    "to_customers",
    "to_receivables",
    "to_records",
]
