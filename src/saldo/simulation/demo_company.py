"""A demo company as real files: what its ERP and its e-invoicing would hand over, with invented people in it.

The figures that shape it are in ``demo.toml``; the words of its names in ``demo_words.toml``. The same seed
and day give the same bytes. This is only what a company exports; nobody here answers or pays later on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from importlib.resources import files
from pathlib import Path

from saldo.core.calendar import previous_business_day
from saldo.simulation.demo_customers import make_customers, table
from saldo.simulation.demo_einvoices import company_vat, einvoice_xml, file_name, in_p7m, make_einvoices
from saldo.simulation.demo_files import customers_xlsx, history_rows, items_csv, open_rows, spoil
from saldo.simulation.demo_sales import make_documents

SIZES = ("standard", "small")
# Of the e-invoices, this one (counted from 0) is in a .p7m envelope.
IN_ENVELOPE = 4


@dataclass(frozen=True, slots=True)
class DemoFiles:
    """What was written, and what is in it.

    as_at: the day whose evening the ERP's files show. planted: {row of the history file: error code that
    the row must be refused with}. history_count: closed installments, the spoilt ones included.
    open_cents: sum of the residues of the open list, credits negative; einvoice_cents: expected cash of the
    e-invoices, which the list does not hold, likewise.
    """

    folder: Path
    customers: Path
    history: Path
    history_mapping: Path
    open_items: Path
    open_items_mapping: Path
    invoices: tuple[Path, ...]
    as_at: date
    customer_count: int
    history_count: int
    open_count: int
    open_cents: int
    einvoice_cents: int
    planted: Mapping[int, str]


def company() -> tuple[str, str, str]:
    """(code, name, VAT number with prefix) of the demo company."""
    options = table("demo")["company"]
    return options["code"], options["name"], "IT" + company_vat()


def write_demo(folder: Path, seed: int, today: date, size: str = "standard") -> DemoFiles:
    """Write the demo's files into ``folder`` (made if need be), as seen on the morning of ``today``.

    size: "standard" or "small" (see demo.toml).
    """
    options = table("demo")["sizes"][size]
    as_at = previous_business_day(today - timedelta(days=1))
    customers = make_customers(seed, options["customers"])
    documents = make_documents(seed, customers, options["yearly_sales"], as_at)
    history, planted = spoil(seed, history_rows(documents, as_at))
    still_open = open_rows(documents, as_at)
    einvoices = make_einvoices(seed, customers, documents, as_at)

    (folder / "fatture").mkdir(parents=True, exist_ok=True)
    invoices = []
    for ordinal, document in enumerate(einvoices):
        data = einvoice_xml(document, ordinal + 1)
        name = file_name(ordinal + 1)
        if ordinal == IN_ENVELOPE:
            data, name = in_p7m(data), name + ".p7m"
        invoices.append(_written(folder / "fatture" / name, data))
    return DemoFiles(
        folder=folder,
        customers=_written(folder / "clienti.xlsx", customers_xlsx(customers, as_at)),
        history=_written(folder / "storico_24_mesi.csv", items_csv(history)),
        history_mapping=_written(folder / "storico_24_mesi.toml", mapping_text(complete=False).encode()),
        open_items=_written(folder / "partite_aperte.csv", items_csv(still_open)),
        open_items_mapping=_written(folder / "partite_aperte.toml", mapping_text(complete=True).encode()),
        invoices=tuple(invoices),
        as_at=as_at,
        customer_count=len(customers),
        history_count=len(history),
        open_count=len(still_open),
        open_cents=sum(part.open_cents(as_at) for each in documents for part in each.installments),
        einvoice_cents=sum(part.amount_cents for each in einvoices for part in each.installments),
        planted=planted,
    )


def mapping_text(*, complete: bool) -> str:
    """The mapping profile of the ERP's files; ``complete`` for the list of all open items."""
    text = files("saldo.simulation").joinpath("demo_mapping.toml").read_text(encoding="utf-8")
    return text.replace("complete = false", f"complete = {str(complete).lower()}")


def _written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path
