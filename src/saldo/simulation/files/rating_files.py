"""Ratings of customers as their providers send them: the first one tables, the others JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

import polars as pl

from saldo.simulation.draws import Draws
from saldo.simulation.files._words import months, plain_amount
from saldo.simulation.files.world_file import WorldFile
from saldo.simulation.world import parameters
from saldo.simulation.world.tables import Tables

_FOLDER = "files/credit/ratings"
# The shipped profile that the tables are read with; JSON says itself what it is.
_MAPPING = "ratings"
# Header -> column of the table.
_TABLE = {
    "Provider": "provider", "Codice fiscale": "tax_code", "Partita IVA": "vat", "Denominazione": "name",
    "Classe": "rating", "Punteggio": "score", "PD": "pd_text", "Fido consigliato": "limit",
    "Data rating": "rated_date", "Eventi negativi": "events",
}  # fmt: skip


def write_ratings(
    t: Tables, draws: Draws, first: date, last: date, share: float = 1.0
) -> Iterator[WorldFile]:
    """The ratings given from ``first`` to ``last``: a file per provider and month, when the last is given."""
    rated = (
        t.ratings.filter(pl.col("rated_date").is_between(first, last))
        .join(t.customers.select("customer_id", "name", "vat", "tax_code"), on="customer_id")
        .sort("rated_date", "customer_id")
        .with_columns(
            limit=plain_amount("limit_cents", "."),
            pd_text=pl.col("pd").map_elements(lambda share: f"{share:.6f}", return_dtype=pl.String),
        )
    )
    with_tables = parameters.load().ratings.providers[0]
    for of_provider in rated.partition_by("provider", maintain_order=True):
        provider = of_provider["provider"][0]
        form, mapping = ("csv", _MAPPING) if provider == with_tables else ("json", None)
        for day, month in months(of_provider, "rated_date"):
            path = f"{_FOLDER}/{provider.lower().replace(' ', '-')}-{day:%Y%m%d}.{form}"
            data = _table(month) if form == "csv" else _json(month)
            yield WorldFile(path, data, day, mapping=mapping)


def _table(rows: pl.DataFrame) -> bytes:
    table = rows.select(pl.col(column).alias(header) for header, column in _TABLE.items())
    return table.write_csv(separator=";", date_format="%d/%m/%Y").encode()


def _json(rows: pl.DataFrame) -> bytes:
    ratings = [_rating(row) for row in rows.iter_rows(named=True)]
    told = {"provider": rows["provider"][0], "currency": "EUR", "ratings": ratings}
    return (json.dumps(told, ensure_ascii=False, indent=1) + "\n").encode()


def _rating(row: Mapping[str, Any]) -> dict[str, Any]:
    """A rating. Amounts and probabilities are texts: their digits must not change."""
    return {
        "company_name": row["name"],
        "vat_number": row["vat"] or None,
        "tax_code": row["tax_code"] or None,
        "rating_date": row["rated_date"].isoformat(),
        "risk_class": row["rating"],
        "score": row["score"],
        "pd": row["pd_text"],
        "recommended_limit": row["limit"],
        "negative_events": [event.strip() for event in row["events"].split(";") if event.strip()],
    }
