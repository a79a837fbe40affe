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
    """headers: order number, customer, order date, delivery date, amount, state, delivered and not invoiced.
    states: open, delivered, invoiced."""

    headers: tuple[str, ...]
    states: tuple[str, str, str]
    days: str
    delimiter: str
    name: str
    code_length: int = 0


_ITALIAN = _Layout(
    (
        "Num. ordine",
        "Cod. cliente",
        "Data ordine",
        "Data consegna",
        "Importo",
        "Stato",
        "Consegnato da fatturare",
    ),
    ("Confermato", "Evaso", "Fatturato"),
    "%d/%m/%Y",
    ";",
    "ordini",
)
_SAP = _Layout(
    ("Customer Reference", "Sold-to Party", "Document Date", "Delivery Date", "Gross Value", "Overall Status",
     "Delivered not Billed"),
    ("Open", "Delivered", "Billed"),
    "%d.%m.%Y",
    "\t",
    "VA05",
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
        data = _table(rows, layout, last).write_csv(separator=layout.delimiter).encode()
        path = f"files/{company['code']}/orders/{layout.name}-{last:%Y%m%d}.csv"
        yield WorldFile(path, data, last, mapping=f"files/mappings/{company['code'].lower()}-orders.toml")


def _table(orders: pl.DataFrame, layout: _Layout, day: date) -> pl.DataFrame:
    is_invoiced = (pl.col("invoiced_date") <= day).fill_null(False)
    is_delivered = (pl.col("delivery_date") <= day).fill_null(False)
    open_, delivered, invoiced = (pl.lit(state) for state in layout.states)
    waiting = pl.when(is_delivered & ~is_invoiced).then("total_cents").otherwise(0)
    texts = (
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
