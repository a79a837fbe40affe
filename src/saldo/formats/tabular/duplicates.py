"""Documents that occur more than once in a file, and the numbering of installments.

Equal keys are found by hash; the few rows whose hashes meet are then compared exactly.
"""

from __future__ import annotations

import polars as pl

from saldo.core.errors import Rejection
from saldo.formats.tabular.mapping import Mapping

_KEY = ["company_code", "customer", "kind", "number", "year"]
_NOT_CONTENT = ("row", "excerpt", "customer", "year", "installment_no")


def numbered(frame: pl.DataFrame, mapping: Mapping) -> tuple[pl.DataFrame, list[Rejection]]:
    """``frame`` without repeated documents, installments numbered by due date where no column does it.

    Repeated: same company, customer, kind, number, year of issue (and installment where a column gives
    it). The first one stays; a later one is refused as a duplicate (equal) or a conflict (not equal).
    """
    has_column = "installment_no" in mapping.columns
    numbers_them = mapping.format.rows == "installment" and not has_column
    key = [*_KEY, "installment_no"] if has_column else _KEY
    keys = frame.select(
        "company_code",
        pl.coalesce("customer_code", "customer_vat", "customer_tax_code", "customer_name").alias("customer"),
        "kind",
        "number",
        pl.col("document_date").dt.year().alias("year"),
        "installment_no",
    )
    repeated = keys.select(key).hash_rows().is_duplicated()
    if not repeated.any():
        return frame, []
    some = frame.filter(repeated).with_columns(keys.filter(repeated).select("customer", "year"))
    content = [column for column in some.columns if column not in _NOT_CONTENT]
    some = some.with_columns(content=some.select(content).hash_rows())
    group = [*key, "content"] if numbers_them else key
    equal = pl.col("content") == pl.col("content").first().over(group)
    some = some.with_columns(
        at=pl.int_range(pl.len()).over(group),
        first=pl.col("row").first().over(group),
        code=pl.when(equal).then(pl.lit("duplicate_row")).otherwise(pl.lit("duplicate_number")),
    )
    refused = some.filter(pl.col("at") > 0)
    kept = frame.filter(~frame["row"].is_in(refused["row"].implode()))
    if numbers_them:
        kept = _by_due_date(kept, some, key)
    columns = refused.select("code", "row", "excerpt", "number", "first").iter_rows()
    return kept, [
        Rejection(code, f"row {row}", excerpt or "", {"number": number, "first": first}, row)
        for code, row, excerpt, number, first in columns
    ]


def _by_due_date(kept: pl.DataFrame, some: pl.DataFrame, key: list[str]) -> pl.DataFrame:
    left = some.filter(some["row"].is_in(kept["row"].implode())).sort(
        "due_date", "row", nulls_last=True, maintain_order=True
    )
    ranks = left.select("row", installment_no=(pl.int_range(pl.len()).over(key) + 1).cast(pl.UInt16))
    joined = kept.join(ranks, on="row", how="left", suffix="_by_date", maintain_order="left")
    number = pl.coalesce("installment_no_by_date", "installment_no")
    return joined.with_columns(installment_no=number).drop("installment_no_by_date")
