"""Customers and contacts as the ERPs of a world list them: a workbook from one, a text file from the other.

One row per contact, one for a customer without any. What a contact's row does not say is whether the contact
still works there: that is for who writes to it to find out.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import polars as pl

from saldo.simulation.draws import Draws
from saldo.simulation.files._workbook import workbook
from saldo.simulation.files.world_file import WorldFile
from saldo.simulation.world.tables import Tables

# Header -> column, in the manner of the two programs. The first are read with the shipped profile.
_ITALIAN = {
    "Società": "company", "Codice cliente": "code", "Ragione sociale": "name", "Partita IVA": "home_vat",
    "Codice fiscale": "tax_code", "Nazione": "country", "Indirizzo": "address", "CAP": "zip", "Città": "city",
    "Provincia": "province", "Contatto": "contact_name", "Ruolo": "contact_role", "E-mail": "email",
    "PEC": "pec", "Telefono": "phone", "Lingua": "language",
}  # fmt: skip
_SAP = {
    "Company Code": "company", "Customer": "padded_code", "Name 1": "name", "VAT Registration No.": "vat",
    "Tax Number 1": "tax_code", "Country Key": "country", "Street": "address", "Postal Code": "zip",
    "City": "city", "Region": "province", "Contact Person": "contact_name", "Function": "contact_role",
    "E-Mail Address": "email", "Certified E-Mail": "pec", "Telephone": "phone", "Language Key": "language",
}  # fmt: skip
_MAPPING = "files/mappings/{code}-customers.toml"


def write_customers(
    t: Tables, draws: Draws, first: date, last: date, share: float = 1.0
) -> Iterator[WorldFile]:
    """One list per company, as it is on ``first``, of all customers."""
    for company in t.companies.sort("company_id").iter_rows(named=True):
        rows = _rows(t, company["company_id"])
        folder, code = f"files/{company['code']}/erp", company["code"].lower()
        if company["erp"] == "full":
            data = workbook("Clienti", _texts(rows, _ITALIAN))
            yield WorldFile(f"{folder}/anagrafica-{first:%Y%m%d}.xlsx", data, first, mapping="customers")
        else:
            data = _texts(rows, _SAP).write_csv().encode()
            path = f"{folder}/customers-{first:%Y%m%d}.csv"
            yield WorldFile(path, data, first, mapping=_MAPPING.format(code=code))


def _texts(rows: pl.DataFrame, columns: dict[str, str]) -> pl.DataFrame:
    return rows.select(pl.col(column).fill_null("").alias(header) for header, column in columns.items())


def _rows(t: Tables, company_id: int) -> pl.DataFrame:
    contacts = t.contacts.with_row_index("order").select(
        "customer_id", "order", "email", "phone", contact_name="name", contact_role="role"
    )
    accounts = t.accounts.filter(pl.col("company_id") == company_id).select("customer_id", "code")
    return (
        accounts.join(t.customers, on="customer_id")
        .join(contacts, on="customer_id", how="left")
        .sort("code", "order")
        .with_columns(
            company=pl.lit(
                t.companies.row(by_predicate=pl.col("company_id") == company_id, named=True)["code"]
            ),
            # An Italian program leaves out the prefix of Italian numbers.
            home_vat=pl.col("vat").str.strip_prefix("IT"),
            padded_code=pl.col("code").str.zfill(10),
        )
    )
