"""Sales orders that are not closed, as the ERPs of a world export them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import polars as pl

from saldo.simulation.draws import Draws
from saldo.simulation.files._words import plain_amount
from saldo.simulation.files.world_file import WorldFile
from saldo.simulation.world.tables import Tables


@dataclass(frozen=True, slots=True)
class _Layout:
    """headers: company, order number, customer, order date, delivery date, amount, state, delivered and not
    invoiced. states: open, delivered, invoiced. mapping: of a company with that code in lower case."""

    headers: tuple[str, ...]
    states: tuple[str, str, str]
    days: str
    delimiter: str
    name: str
    mapping: str
    code_length: int = 0


# Read with the shipped profile.
_ITALIAN = _Layout(
    ("Società", "Numero ordine", "Codice cliente", "Data ordine", "Data consegna", "Importo IVA inclusa",
     "Stato", "Consegnato non fatturato"),
    ("Confermato", "Evaso", "Fatturato"),
    "%d/%m/%Y",
    ";",
    "ordini",
    "orders",
)  # fmt: skip
_SAP = _Layout(
    ("Company Code", "Customer Reference", "Sold-to Party", "Document Date", "Delivery Date", "Gross Value",
     "Overall Status", "Delivered not Billed"),
    ("Open", "Delivered", "Billed"),
    "%d.%m.%Y",
    "\t",
    "VA05",
    "files/mappings/{code}-orders.toml",
    code_length=10,
)  # fmt: skip


def write_orders(t: Tables, draws: Draws, first: date, last: date, share: float = 1.0) -> Iterator[WorldFile]:
    """One list per company, as of the end of ``last``: the orders taken by then, without those that were
    invoiced before ``first``. Amounts with VAT."""
    invoiced = t.invoices.select("invoice_id", invoiced_date="date")
    orders = (
        t.orders.filter(pl.col("date") <= last)
        .join(invoiced, on="invoice_id", how="left")
        .filter(pl.col("invoiced_date").is_null() | (pl.col("invoiced_date") >= first))
        .join(t.accounts.select("account_id", "company_id", "code"), on="account_id")
        .sort("order_id")
    )
    for company in t.companies.sort("company_id").iter_rows(named=True):
        layout = _ITALIAN if company["erp"] == "full" else _SAP
        rows = orders.filter(pl.col("company_id") == company["company_id"])
        rows = rows.with_columns(company=pl.lit(company["code"]))
        data = _table(rows, layout, last).write_csv(separator=layout.delimiter).encode()
        path = f"files/{company['code']}/orders/{layout.name}-{last:%Y%m%d}.csv"
        yield WorldFile(path, data, last, mapping=layout.mapping.format(code=company["code"].lower()))


def _table(orders: pl.DataFrame, layout: _Layout, day: date) -> pl.DataFrame:
    is_invoiced = (pl.col("invoiced_date") <= day).fill_null(False)
    is_delivered = (pl.col("delivery_date") <= day).fill_null(False)
    open_, delivered, invoiced = (pl.lit(state) for state in layout.states)
    waiting = pl.when(is_delivered & ~is_invoiced).then("total_cents").otherwise(0)
    texts = (
        pl.col("company"),
        pl.col("number"),
        pl.col("code").str.zfill(layout.code_length),
        pl.col("date").dt.strftime(layout.days),
        pl.col("delivery_date").dt.strftime(layout.days),
        plain_amount("total_cents", ","),
        pl.when(is_invoiced).then(invoiced).when(is_delivered).then(delivered).otherwise(open_),
        plain_amount("waiting_cents", ","),
    )
    named = zip(texts, layout.headers, strict=True)
    return orders.with_columns(waiting_cents=waiting).select(text.alias(header) for text, header in named)
