"""The exports of the two ERPs: one list of open items in the Italian manner, one of what changed in SAP's.

``history`` is the archive that a company exports once, when it begins with Saldo; ``daily`` what its
ERP sends on the evening of each business day. Both are pure functions of the tables.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from importlib.resources import files

import polars as pl

from saldo.core.calendar import is_business_day, previous_business_day
from saldo.simulation.files.erp_book import ErpBook
from saldo.simulation.files.world_file import WorldFile
from saldo.simulation.world import parameters
from saldo.simulation.world.tables import Tables

# Rows turned into bytes at a time, which bounds the memory of a large file.
BLOCK_ROWS = 100_000
MAPPING_FOLDER = "files/mappings"


@dataclass(frozen=True, slots=True)
class Layout:
    """How an ERP writes its lines. columns: header -> text of a line joined with its account."""

    delimiter: str
    encoding: str
    columns: dict[str, pl.Expr]
    # Header of a tax -> its cents.
    taxes: dict[str, str]
    # Headers, for the spoilers of [files].bad_rows.
    party: tuple[str, ...]
    name: str
    kind: str
    document_date: str
    amount: str
    settled_date: str
    impossible_day: str


def _day(column: str, pattern: str) -> pl.Expr:
    return pl.col(column).dt.strftime(pattern).fill_null("")


def _digits(cents: str) -> pl.Expr:
    """123456 -> "1.234,56", without the sign."""
    text = pl.col(cents).abs().cast(pl.String).str.zfill(3).str.replace(r"(\d\d)$", ",${1}")
    return text.str.replace(r"(\d)(\d{3}),", "${1}.${2},").str.replace(r"(\d)(\d{3})\.", "${1}.${2}.")


def _minus(cents: str) -> pl.Expr:
    return pl.when(pl.col(cents) < 0).then(pl.lit("-")).otherwise(pl.lit(""))


def _leading(cents: str) -> pl.Expr:
    return pl.concat_str(_minus(cents), _digits(cents))


def _trailing(cents: str) -> pl.Expr:
    """SAP writes the minus behind: 1.234,56-."""
    return pl.concat_str(_digits(cents), _minus(cents))


def _coded(column: str, codes: dict[str, str]) -> pl.Expr:
    return pl.col(column).replace_strict(codes, default="", return_dtype=pl.String)


_IS_INVOICE = pl.col("kind") == "invoice"


def _of_invoice(text: pl.Expr) -> pl.Expr:
    return pl.when(_IS_INVOICE).then(text).otherwise(pl.lit(""))


ITALIAN = Layout(
    delimiter=";",
    encoding="windows-1252",
    columns={
        "Cod. cliente": pl.col("code"),
        "Ragione sociale": pl.col("name").str.replace_all(";", ",", literal=True),
        # An Italian ERP leaves out the prefix of Italian numbers.
        "Partita IVA": pl.col("vat").str.strip_prefix("IT"),
        "Codice fiscale": pl.col("tax_code"),
        "Nazione": pl.col("country"),
        "Causale": _coded("kind", {"invoice": "FT", "credit_note": "NC", "on_account": "AC"}),
        "Num. documento": pl.col("number"),
        "Data documento": _day("document_date", "%d/%m/%Y"),
        "Data scadenza": _day("due_date", "%d/%m/%Y"),
        "Rata": pl.col("no").cast(pl.String),
        "Condizioni di pagamento": _of_invoice(pl.col("terms_text")),
        "Modalità": _of_invoice(_coded("method", {"transfer": "BB", "riba": "RB", "sdd": "RID"})),
        "Rif. ordine": pl.col("order_number"),
        "Importo": _leading("gross_cents"),
        "di cui IVA split": _leading("split_cents"),
        "di cui ritenuta": _leading("withheld_cents"),
        "Residuo": _leading("open_cents"),
        "Data saldo": _day("settled_date", "%d/%m/%Y"),
    },
    taxes={"di cui IVA split": "split_cents", "di cui ritenuta": "withheld_cents"},
    party=("Cod. cliente", "Ragione sociale", "Partita IVA", "Codice fiscale"),
    name="Ragione sociale",
    kind="Causale",
    document_date="Data documento",
    amount="Importo",
    settled_date="Data saldo",
    impossible_day="31/02/",
)
SAP = Layout(
    delimiter="\t",
    encoding="utf-8",
    columns={
        "Company Code": pl.col("company"),
        "Customer": pl.col("code").str.zfill(10),
        "Name 1": pl.col("name"),
        "VAT Registration No.": pl.col("vat"),
        "Tax Number 1": pl.col("tax_code"),
        "Country Key": pl.col("country"),
        "Document Type": _coded("kind", {"invoice": "RV", "credit_note": "DG", "on_account": "DZ"}),
        "Document Number": pl.concat_str(
            pl.when(_IS_INVOICE).then(pl.lit("18")).otherwise(pl.lit("14")),
            pl.col("line_id").abs().cast(pl.String).str.zfill(8),
        ),
        "Reference": pl.col("number"),
        "Item": pl.col("no").cast(pl.String).str.zfill(3),
        "Document Date": _day("document_date", "%d.%m.%Y"),
        "Net Due Date": _day("due_date", "%d.%m.%Y"),
        "Terms of Payment": _of_invoice(pl.col("terms_text")),
        "Payment Method": _of_invoice(_coded("method", {"transfer": "T", "riba": "R", "sdd": "D"})),
        "Purchasing Document": pl.col("order_number"),
        "Document Currency": pl.lit("EUR"),
        "Amount in Doc. Curr.": _trailing("gross_cents"),
        "Split VAT": _trailing("split_cents"),
        "Withhold. Tax Amnt": _trailing("withheld_cents"),
        "Open Amount": _trailing("open_cents"),
        "Clearing Date": _day("settled_date", "%d.%m.%Y"),
    },
    taxes={"Split VAT": "split_cents", "Withhold. Tax Amnt": "withheld_cents"},
    party=("Customer", "Name 1", "VAT Registration No.", "Tax Number 1"),
    name="Name 1",
    kind="Document Type",
    document_date="Document Date",
    amount="Amount in Doc. Curr.",
    settled_date="Clearing Date",
    impossible_day="31.02.",
)


# -- files -----------------------------------------------------------------------------------------------


def history(t: Tables | ErpBook, company_id: int, before: date) -> WorldFile:
    """Everything that was in the books at the end of the day before ``before``, settled or open.

    It closes nothing by silence. Some of its settled lines are spoilt, as [files].bad_rows says; each must be
    refused with the code in ``refusals``.
    """
    book = t if isinstance(t, ErpBook) else ErpBook(t, company_id)
    day = before - timedelta(days=1)
    layout, code = _layout(book), book.company["code"]
    rows, refusals = _spoilt(_rows(book, book.at(day), layout), layout)
    suffix = "csv" if layout is ITALIAN else "txt"
    return WorldFile(
        path=f"files/{code}/erp/{'storico' if layout is ITALIAN else 'FBL5N_history'}-{day:%Y%m%d}.{suffix}",
        data=_encoded(rows, layout),
        day=day,
        mapping=f"{MAPPING_FOLDER}/{code.lower()}-history.toml",
        refusals=refusals,
    )


def daily(t: Tables | ErpBook, company_id: int, day: date) -> WorldFile | None:
    """What the company's ERP sends on the evening of ``day``; None on a day without work.

    "full": the complete list of what is open. "delta": the lines that are new, or open to another amount,
    since the evening of the business day before; a file without lines says that nothing happened.
    Who asks for many days of the same tables gives the ``ErpBook`` instead of them.
    """
    if not is_business_day(day):
        return None
    book = t if isinstance(t, ErpBook) else ErpBook(t, company_id)
    layout, code = _layout(book), book.company["code"]
    if layout is ITALIAN:
        lines, name, mapping = book.open_at(day), f"scadenzario-{day:%Y%m%d}.csv", f"{code.lower()}-open"
    else:
        last = previous_business_day(day - timedelta(days=1))
        lines, name, mapping = book.changed(last, day), f"FBL5N-{day:%Y%m%d}.txt", code.lower()
    return WorldFile(
        path=f"files/{code}/erp/{name}",
        data=_encoded(_rows(book, lines, layout), layout),
        day=day,
        mapping=f"{MAPPING_FOLDER}/{mapping}.toml",
    )


def listed(book: ErpBook, lines: pl.DataFrame, day: date) -> WorldFile:
    """Some lines (columns as ``ErpBook.at`` gives them) as the company's ERP writes them on ``day``.

    To be read with the profile of its history: what is not in them is not closed.
    """
    layout, code = _layout(book), book.company["code"]
    suffix = "csv" if layout is ITALIAN else "txt"
    return WorldFile(
        path=f"files/{code}/erp/documents-{day:%Y%m%d}.{suffix}",
        data=_encoded(_rows(book, lines, layout), layout),
        day=day,
        mapping=f"{MAPPING_FOLDER}/{code.lower()}-history.toml",
    )


def mapping_texts() -> Iterator[tuple[str, str]]:
    """(file name, TOML text) of the profiles that the exports are read with, to be written beside them."""
    folder = files("saldo.simulation.files").joinpath("mappings")
    for entry in sorted(folder.iterdir(), key=lambda each: each.name):
        if entry.name.endswith(".toml"):
            yield entry.name, entry.read_text(encoding="utf-8")


def _layout(book: ErpBook) -> Layout:
    return ITALIAN if book.company["erp"] == "full" else SAP


def _rows(book: ErpBook, lines: pl.DataFrame, layout: Layout) -> pl.DataFrame:
    """The lines as texts, by customer code and then as they came into the books."""
    accounts = book.accounts.with_columns(company=pl.lit(book.company["code"]))
    joined = lines.join(accounts, on="account_id").sort("rank", "line_id")
    # Taxes that nobody keeps in these lines need not be put into words one by one.
    absent = {header for header, cents in layout.taxes.items() if not (joined[cents] != 0).any()}
    texts = {header: pl.lit("0,00") if header in absent else text for header, text in layout.columns.items()}
    return joined.select(text.alias(header) for header, text in texts.items())


def _encoded(rows: pl.DataFrame, layout: Layout) -> bytes:
    """Lines joined as such programs do it: no quotes, whatever is in a cell."""
    blocks = [
        _block(rows.slice(start, BLOCK_ROWS), layout, start == 0)
        for start in range(0, max(1, rows.height), BLOCK_ROWS)
    ]
    return b"".join(blocks)


def _block(rows: pl.DataFrame, layout: Layout, with_header: bool) -> bytes:
    buffer = io.BytesIO()
    rows.write_csv(
        buffer,
        include_header=with_header,
        separator=layout.delimiter,
        line_terminator="\r\n",
        quote_style="never",
    )
    if layout.encoding == "utf-8":
        return buffer.getvalue()
    return buffer.getvalue().decode("utf-8").encode(layout.encoding, errors="replace")


# -- spoilt rows -----------------------------------------------------------------------------------------

Change = Callable[[Layout], list[pl.Expr]]


def _impossible_date(layout: Layout) -> list[pl.Expr]:
    year = pl.col(layout.document_date).str.tail(4)
    return [pl.concat_str(pl.lit(layout.impossible_day), year).alias(layout.document_date)]


def _no_customer(layout: Layout) -> list[pl.Expr]:
    return [pl.lit("").alias(header) for header in layout.party]


def _other_decimal_mark(layout: Layout) -> list[pl.Expr]:
    amount = pl.col(layout.amount)
    for mark, other in ((".", "\0"), (",", "."), ("\0", ",")):
        amount = amount.str.replace_all(mark, other, literal=True)
    return [amount.alias(layout.amount)]


def _delimiter_in_name(layout: Layout) -> list[pl.Expr]:
    return [pl.concat_str(pl.col(layout.name), pl.lit(f"{layout.delimiter} filiale di Genova"))]


# What is done to a row, and the code it must be refused with.
SPOILERS: dict[str, tuple[Change, str]] = {
    "impossible_date": (_impossible_date, "date_impossible"),
    "no_customer": (_no_customer, "missing_customer"),
    "other_decimal_mark": (_other_decimal_mark, "amount_separator"),
    "delimiter_in_name": (_delimiter_in_name, "row_too_many_cells"),
}


def _spoilt(rows: pl.DataFrame, layout: Layout) -> tuple[pl.DataFrame, dict[str, int]]:
    """``rows`` with those of [files].bad_rows spoilt, spread evenly over the settled invoices, and the codes.

    Settled ones only: what is refused of the past must not be missing from what is open. Of a thousand euro
    or more: that a decimal mark is the wrong one is seen only beside the other.
    """
    kinds: Sequence[str] = parameters.load().files.bad_rows
    fits = (
        rows[layout.kind].is_in(["FT", "RV"])
        & (rows[layout.settled_date] != "")
        & rows[layout.amount].str.contains(".", literal=True)
    )
    candidates = fits.arg_true()
    planted = kinds[: len(candidates)]
    refusals: dict[str, int] = {}
    for nth, kind in enumerate(planted):
        change, code = SPOILERS[kind]
        at = int(candidates[len(candidates) * (2 * nth + 1) // (2 * len(planted))])
        spoilt = rows.slice(at, 1).with_columns(change(layout))
        rows = pl.concat([rows.slice(0, at), spoilt, rows.slice(at + 1)])
        refusals[code] = refusals.get(code, 0) + 1
    return rows, refusals
