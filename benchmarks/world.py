"""A large open-item list, made by numpy from a seed: only sizes and shapes matter here."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

AS_AT = date(2026, 6, 30)
MAPPING = """
source = "bench"
kind = "receivables"

[format]
encoding = "utf-8"
delimiter = ";"
decimal = ","
thousands = "."
dates = ["DD/MM/YYYY"]
rows = "installment"

[columns]
customer_code = ["customer"]
customer_name = ["name"]
number = ["number"]
document_date = ["date"]
due_date = ["due"]
installment_no = ["installment"]
amount = ["amount"]
open = ["open"]
settled_date = ["settled"]
optional = ["settled_date", "open"]

[amount]
closed_when = "settled_date"

[values]
currency = "EUR"

[export]
complete = false
"""


def write_installments(path: Path, rows: int, accounts: int, open_share: float = 1.0, seed: int = 1) -> int:
    """A CSV of ``rows`` installments, two a document on average; returns its size in bytes."""
    rng = np.random.default_rng(seed)
    parts = rng.choice([1, 2, 3], size=rows, p=[0.4, 0.3, 0.3])
    document = np.repeat(np.arange(rows), parts)[:rows]
    number_of = np.concatenate([np.arange(1, part + 1) for part in parts])[:rows]
    customer = rng.integers(1, accounts + 1, size=rows)[document]
    age = rng.integers(1, 720, size=rows)[document]
    as_at = np.datetime64(AS_AT)
    issued = as_at - age.astype("timedelta64[D]")
    due = issued + (30 * number_of).astype("timedelta64[D]")
    cents = np.exp(rng.normal(11, 1.2, size=rows)).astype(np.int64) + 100
    is_open = rng.random(rows) < open_share
    delay = rng.gamma(2.0, 12.0, size=rows).astype(int) - 10
    settled = due + delay.astype("timedelta64[D]")
    settled[is_open | (settled > as_at)] = np.datetime64("NaT")
    frame = pl.DataFrame(
        {
            "customer": np.char.add("C", np.char.zfill(customer.astype(str), 6)),
            "name": np.char.add(np.char.add("Cliente ", customer.astype(str)), " S.r.l."),
            "number": np.char.add("FT/", document.astype(str)),
            "date": issued,
            "due": due,
            "installment": number_of,
            "cents": cents,
            "settled": settled,
        }
    )
    amount = (
        (pl.col("cents") // 100).cast(pl.String) + "," + (pl.col("cents") % 100).cast(pl.String).str.zfill(2)
    )
    day = {name: pl.col(name).dt.strftime("%d/%m/%Y") for name in ("date", "due", "settled")}
    frame.with_columns(
        amount.alias("amount"),
        pl.when(pl.col("settled").is_null()).then(amount).otherwise(pl.lit("0,00")).alias("open"),
        *(expression.alias(name) for name, expression in day.items()),
    ).drop("cents").write_csv(path, separator=";")
    return path.stat().st_size
