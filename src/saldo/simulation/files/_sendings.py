"""When the files of e-invoices go to SdI: each invoice once, and again where SdI refuses the first file."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl

from saldo.simulation.draws import Draws
from saldo.simulation.world import parameters
from saldo.simulation.world.tables import Tables

# The container of a file: most are in the archive of the day.
CONTAINERS = ("zip", "xml", "p7m", "eml")
_CONTAINER_WEIGHTS = (0.94, 0.03, 0.02, 0.01)
# Days from a file to its refusal, and from there to the next file.
_REFUSED_AFTER = (0, 2)
_AGAIN_AFTER = (0, 3)
LONGEST_DETOUR = timedelta(days=_REFUSED_AFTER[1] + _AGAIN_AFTER[1])


def sendings(t: Tables, draws: Draws, first: date, last: date, share: float) -> pl.DataFrame:
    """Files handed to SdI from ``first`` to ``last``, in order of (day, invoice_id, attempt).

    Columns: invoice_id, account_id, attempt (0, or 1 for the file after a refusal), day, is_refused,
    refused_day, container. ``share`` of the invoices, the same ones whatever the span.
    """
    near = t.invoices.filter(
        pl.col("kind").is_in(("invoice", "credit_note")),
        pl.col("date").is_between(first - LONGEST_DETOUR, last),
    ).sort("invoice_id")
    ids = near["invoice_id"].to_numpy()
    near = near.filter(pl.Series(draws.happens("documents/share", share, ids), dtype=pl.Boolean))
    ids = near["invoice_id"].to_numpy()
    once = near.select(
        "invoice_id", "account_id", pl.lit(0, pl.Int8).alias("attempt"), day="date"
    ).with_columns(
        is_refused=pl.Series(draws.happens("sdi/refused", parameters.load().files.sdi_refused, ids)),
        refused_days=pl.Series(draws.whole("sdi/refused after", *_REFUSED_AFTER, ids)),
        again_days=pl.Series(draws.whole("sdi/again after", *_AGAIN_AFTER, ids)),
    )
    once = once.with_columns(refused_day=pl.col("day") + pl.duration(days="refused_days"))
    again = once.filter("is_refused").with_columns(
        attempt=pl.lit(1, pl.Int8),
        day=pl.col("refused_day") + pl.duration(days="again_days"),
        is_refused=pl.lit(False),
    )
    both = pl.concat([once, again]).drop("refused_days", "again_days")
    both = both.filter(pl.col("day").is_between(first, last)).sort("day", "invoice_id", "attempt")
    drawn = draws.choice(
        "sdi/container", _CONTAINER_WEIGHTS, both["invoice_id"].to_numpy(), both["attempt"].to_numpy()
    )
    return both.with_columns(container=pl.Series([CONTAINERS[index] for index in drawn], dtype=pl.String))
