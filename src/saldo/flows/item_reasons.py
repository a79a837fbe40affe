"""Why items are expected when they are: kept with the day for its worklist, else computed on opening."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import polars as pl

from saldo.analytics.book import LANDMARKS, Book
from saldo.analytics.payment_date.reasons import reasons
from saldo.flows.score_portfolio import REASONED_ITEMS, Scored, fitted_model
from saldo.identity.model_versions import ModelRow


def with_reasons(scored: Scored, book: Book, worklist: pl.DataFrame) -> pl.DataFrame:
    """``scored.forecasts`` with reasons (JSON text, null where nobody asked yet).

    They are kept for the items of the worklist's accounts, its first ones first, up to REASONED_ITEMS; and,
    up to as many, for all others where the model keeps no file to compute them with later.
    """
    ranks = worklist.group_by("account_id").agg(pl.col("rank").min())
    items = scored.forecasts.select("item_id", "account_id").join(
        ranks, on="account_id", how="left", maintain_order="left"
    )
    if scored.version_id is not None:
        items = items.filter(pl.col("rank").is_not_null())
    wanted = items.sort("rank", "item_id", nulls_last=True).head(REASONED_ITEMS).select("item_id")
    asked = scored.landmarks.join(wanted, on="item_id", how="semi", maintain_order="left")
    own = book.of_accounts(items["account_id"].unique().sort().to_list())
    features = scored.features.join(wanted, on="item_id", how="semi", maintain_order="left")
    found = reasons(scored.fitted, own, asked, features=features)
    told = [json.dumps(each, ensure_ascii=False) for each in found]
    texts = asked.select("item_id", pl.Series("reasons", told, dtype=pl.String))
    return scored.forecasts.join(texts, on="item_id", how="left", maintain_order="left")


def reasons_of_item(model: ModelRow | None, book: Book, item_id: int, as_of: date) -> list[dict[str, Any]]:
    """The reasons of an item of ``book``, of a model that is kept; none where it keeps no file."""
    if model is None or not model.content_hash:
        return []
    asked = pl.DataFrame({"item_id": [item_id], "as_of": [as_of]}, schema=LANDMARKS)
    (found,) = reasons(fitted_model(model.id), book, asked)
    return found
