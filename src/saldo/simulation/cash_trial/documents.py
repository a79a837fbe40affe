"""What the ERPs of a world tell a Saldo that posts the cash itself: documents, never what was paid."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl

from saldo.simulation.cash_trial.books import Books
from saldo.simulation.files.erp_book import ErpBook
from saldo.simulation.files.erp_exports import listed, mapping_texts
from saldo.simulation.files.world_file import WorldFile
from saldo.simulation.world.tables import Tables

# What was settled before the beginning is told as far back as duplicates are looked for.
SETTLED_DAYS = 150


class Documents:
    """The lists of one company. ours: lines of money on account that Saldo itself makes of the bank's."""

    def __init__(self, t: Tables, company_id: int, ours: set[int]) -> None:
        self._ours = list(ours)
        self._book = ErpBook(t, company_id)
        code = self._book.company["code"].lower()
        text = dict(mapping_texts())[f"{code}-history.toml"]
        self.mapping = text.replace('posts_cash = "erp"', 'posts_cash = "saldo"')

    def before(self, books: Books, first: date) -> WorldFile:
        """What is open on the morning of ``first``, and what was settled lately."""
        since = first - timedelta(days=SETTLED_DAYS)
        company = self._book.company["company_id"]
        known = [*books.open(company), *books.closed_since(since, company)]
        schema = {"line_id": pl.Int32, "open_cents": pl.Int64, "settled_date": pl.Date}
        rows = [(line.installment_id, line.balance, line.closed) for line in known if line.issued < first]
        state = pl.DataFrame(rows, schema=schema, orient="row")
        lines = self._book.lines.join(state, on="line_id").with_columns(
            # An advance is paid before its invoice is written.
            settled_date=pl.max_horizontal("settled_date", "document_date")
        )
        lines = lines.with_columns(
            pl.when(pl.col("open_cents") == 0).then("settled_date").alias("settled_date")
        )
        return listed(self._book, lines, first - timedelta(days=1))

    def issued(self, after: date, until: date) -> WorldFile | None:
        """What is dated after ``after``, up to ``until``, all open; None without any."""
        lines = self._book.lines.filter(
            (pl.col("document_date") > after)
            & (pl.col("document_date") <= until)
            & ~pl.col("line_id").is_in(self._ours)
        )
        if lines.is_empty():
            return None
        whole = lines.with_columns(open_cents="cash_cents", settled_date=pl.lit(None, pl.Date))
        return listed(self._book, whole, until)
