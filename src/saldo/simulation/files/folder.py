"""A world as a folder: every file that its ERPs, banks, SdI and customers send, and apart the truth.

DIR/files holds what product code may read, DIR/truth the tables of the world and a manifest that says when
each file arrives, how it is read and what in it must be refused. The same world gives the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from saldo.core.errors import SaldoError
from saldo.simulation.draws import Draws
from saldo.simulation.files.balance_sheet_files import write_balance_sheets
from saldo.simulation.files.bank_faults import (
    truncated,
    with_delivery_faults,
    with_dot_decimals,
    wrong_closing,
)
from saldo.simulation.files.bank_files import bank_files
from saldo.simulation.files.customers_file import write_customers
from saldo.simulation.files.einvoices import write_einvoices
from saldo.simulation.files.erp_book import ErpBook
from saldo.simulation.files.erp_exports import daily, history, mapping_texts
from saldo.simulation.files.orders_file import write_orders
from saldo.simulation.files.pec_receipts import write_pec_receipts
from saldo.simulation.files.rating_files import write_ratings
from saldo.simulation.files.remittance_files import remittances
from saldo.simulation.files.replies import replies
from saldo.simulation.files.sdi_messages import write_sdi_messages
from saldo.simulation.files.world_file import WorldFile
from saldo.simulation.world.parameters import Size, load
from saldo.simulation.world.tables import Tables

MANIFEST = "manifest.json"
# Ratings and balance sheets are few, and what was filed before the world began is known too.
CREDIT_YEARS = 4
Step = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Written:
    """files, bytes: what was written under DIR/files. refusals: pieces that a reader must refuse."""

    files: int
    bytes: int
    refusals: int
    tables: dict[str, int]


def write_folder(t: Tables, size: Size, seed: int, last_day: date, to: Path, step: Step) -> Written:
    """Write the world ``t``, true up to ``last_day``, into the folder ``to``.

    Raises SaldoError("folder_not_empty") where there is something that is not an older world.
    """
    _make_room(to)
    entries: list[dict[str, Any]] = []
    count = total = 0
    for file in world_files(t, size, seed, last_day, step):
        path = to / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.data)
        entries.append(_entry(file))
        count, total = count + 1, total + len(file.data)
    step("The truth")
    truth = to / "truth"
    truth.mkdir(exist_ok=True)
    for name, frame in t.named().items():
        frame.write_parquet(truth / f"{name}.parquet")
    entries.sort(key=lambda entry: (entry["day"], entry["path"]))
    head = {"seed": seed, "last_day": last_day.isoformat(), "files": entries}
    (truth / MANIFEST).write_text(json.dumps(head, indent=1) + "\n", encoding="utf-8")
    refusals = sum(sum(entry["refusals"].values()) for entry in entries)
    return Written(count, total, refusals, {name: frame.height for name, frame in t.named().items()})


def _make_room(to: Path) -> None:
    if to.exists() and any(to.iterdir()):
        if not (to / "truth" / MANIFEST).exists():
            raise SaldoError("folder_not_empty", path=str(to))
        for path in sorted((to / "files").rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
    to.mkdir(parents=True, exist_ok=True)


def _entry(file: WorldFile) -> dict[str, Any]:
    return {
        "path": file.path,
        "day": file.day.isoformat(),
        "mapping": file.mapping,
        "refusals": dict(file.refusals),
        "sha256": hashlib.sha256(file.data).hexdigest(),
    }


def world_files(t: Tables, size: Size, seed: int, last_day: date, step: Step) -> Iterator[WorldFile]:
    """Every file of the world, by kind."""
    draws = Draws(seed)
    live = last_day - timedelta(days=size.live_days - 1)
    documents = last_day - timedelta(days=size.document_days - 1)
    for name, text in mapping_texts():
        yield WorldFile(f"files/mappings/{name}", text.encode(), live)
    step("Customers")
    yield from write_customers(t, draws, live - timedelta(days=1), last_day)
    yield from erp_files(t, draws, live, last_day, step)
    step("Bank statements")
    yield from sent_bank_files(t, draws, last_day - timedelta(days=size.bank_days - 1), last_day)
    for title, writer in (
        ("E-invoices", write_einvoices),
        ("Answers of SdI", write_sdi_messages),
        ("PEC receipts", write_pec_receipts),
        ("Advices of payment", remittances),
        ("Replies of customers", replies),
        ("Orders", write_orders),
    ):
        step(title)
        yield from writer(t, draws, documents, last_day, size.document_share)
    step("Balance sheets and ratings")
    since = last_day - timedelta(days=365 * CREDIT_YEARS)
    yield from write_balance_sheets(t, draws, since, last_day, size.document_share)
    yield from write_ratings(t, draws, since, last_day)


def erp_files(t: Tables, draws: Draws, live: date, last_day: date, step: Step) -> Iterator[WorldFile]:
    """Of each company the history before ``live``, then what its ERP sends every working day."""
    for company in t.companies.iter_rows(named=True):
        step(f"Exports of the ERP of {company['code']}")
        book = ErpBook(t, company["company_id"])
        yield history(book, company["company_id"], live)
        span = (live + timedelta(days=n) for n in range((last_day - live).days + 1))
        exports = (export for day in span if (export := daily(book, company["company_id"], day)) is not None)
        # What an ERP changes is in one file only: a delta that came before its elder would be lost by it.
        yield from with_delivery_faults(
            exports, draws, _in_order() if company["erp"] == "delta" else load().files
        )


def _in_order() -> Any:
    return replace(load().files, out_of_order=0.0, late=0.0)


def sent_bank_files(t: Tables, draws: Draws, first: date, last: date) -> Iterator[WorldFile]:
    """The banks' files with what happens on their way; one of each kind comes damaged first, then whole."""
    damages: dict[str, Callable[[WorldFile], WorldFile]] = {
        "camt053_": truncated, "mt940_": with_dot_decimals, "rh_": wrong_closing,
    }  # fmt: skip
    for file in with_delivery_faults(bank_files(t, first, last), draws, load().files):
        name = file.path.rpartition("/")[2]
        prefix = next((each for each in damages if name.startswith(each)), None)
        if prefix and (damaged := _tried(damages[prefix], file)) is not None:
            del damages[prefix]
            stem, dot, suffix = file.path.rpartition(".")
            yield replace(damaged, path=f"{stem}_damaged{dot}{suffix}")
        yield file


def _tried(damage: Callable[[WorldFile], WorldFile], file: WorldFile) -> WorldFile | None:
    """The damaged file, None where it has nothing that could be damaged in that way."""
    try:
        return damage(file)
    except ValueError:
        return None


def arrivals(files: Iterable[WorldFile]) -> list[WorldFile]:
    """Files in the order in which an office receives them."""
    return sorted(files, key=lambda file: (file.day, file.path))
