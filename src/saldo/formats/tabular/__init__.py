"""CSV and Excel exports of any ERP, read through mapping profiles.

``open_table`` reads a file into texts, ``to_receivables`` and ``to_customers`` make frames of them as a
``Mapping`` says, ``suggest`` proposes one.
"""

from saldo.formats.tabular.contacts import CUSTOMERS_SCHEMA, to_customers
from saldo.formats.tabular.convert import Converted, convert, to_receivables
from saldo.formats.tabular.mapping import Mapping, dump_toml, load_profile, parse_profile, profile_names
from saldo.formats.tabular.read import RawTable, open_table
from saldo.formats.tabular.suggest import Suggestion, suggest

__all__ = [
    "CUSTOMERS_SCHEMA",
    "Converted",
    "Mapping",
    "RawTable",
    "Suggestion",
    "convert",
    "dump_toml",
    "load_profile",
    "open_table",
    "parse_profile",
    "profile_names",
    "suggest",
    "to_customers",
    "to_receivables",
]
