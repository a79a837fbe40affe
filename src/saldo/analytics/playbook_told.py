"""Why a message is planned, what it leaves out and what keeps it back: reasons as codes and facts.

``core.playbook_reasons`` says them in words.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from saldo.analytics.askable import LEFT_OUT
from saldo.analytics.playbook_messages import KEY
from saldo.analytics.playbook_segments import Numbered, in_order
from saldo.core.playbook import OVERDUE, SOON
from saldo.core.sending import CASH_FIRST, DISPUTED, HELD, IN_FLIGHT, PLANNED, PROMISED

OUT_CODES = (PROMISED, DISPUTED, PLANNED, HELD, IN_FLIGHT, CASH_FIRST)


def playbook_titles(playbooks: Numbered) -> pl.DataFrame:
    """place, title_it, title_en: what a playbook is called; its code where it has no title."""
    rows = [
        (place, book.title.get("it") or book.code, book.title.get("en") or book.code)
        for place, (_, book) in enumerate(in_order(playbooks))
    ]
    return pl.DataFrame(
        rows, schema={"place": pl.Int64, "title_it": pl.String, "title_en": pl.String}, orient="row"
    )


Reason = tuple[pl.Expr, pl.Expr]


def _reason(code: str | pl.Expr, **params: pl.Expr | str) -> Reason:
    """A code and its facts as JSON text."""
    named = code if isinstance(code, pl.Expr) else pl.lit(code)
    facts = [
        (pl.col(value) if isinstance(value, str) else value).alias(name) for name, value in params.items()
    ]
    return named.alias("code"), pl.struct(facts).struct.json_encode().alias("params")


def with_reasons(rows: pl.DataFrame, out: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Adds ``reasons``. rows: one per message with all that is known of it; out: of ``left_out_sums``."""
    rows = rows.with_row_index("row")
    told = [_said(rows, _playbook()), _said(rows, _step())]
    told.append(_said(rows.filter(pl.col("experiment_id").is_not_null()), _experiment()))
    for code, sums in out.items():
        told.append(_said(rows.join(sums, on=list(KEY), how="inner"), _left_out(code)))
    told.append(_said(rows.filter(pl.col("noticed_items") > 0), _noticed()))
    has_way = pl.col("is_written") & pl.col("contact_found")
    told.append(_said(rows.filter(has_way), _channel()))
    told.append(_said(rows.filter(pl.col("blocked") != ""), _blocked()))
    # Lists of structs are grouped, not put together column by column: that takes ten times as long.
    lists = (
        pl.concat([each.with_columns(pl.lit(place).alias("place")) for place, each in enumerate(told)])
        .sort("row", "place")
        .group_by("row", maintain_order=True)
        .agg(pl.struct("code", "params").alias("reasons"))
    )
    return rows.join(lists, on="row", how="left", maintain_order="left").drop("row")


def _said(rows: pl.DataFrame, reason: Reason) -> pl.DataFrame:
    return rows.select("row", *reason)


def _left_out(code: str) -> Reason:
    return _reason(
        f"left_out_{code}", mills=f"out_{code}", currency="currency", items=f"items_{code}",
        until=pl.col(f"until_{code}").dt.to_string("%Y-%m-%d"),
    )  # fmt: skip


def _noticed() -> Reason:
    return _reason(
        "left_out_formal_notice", mills="noticed_mills", currency="currency", items="noticed_items"
    )


def _playbook() -> Reason:
    code = pl.when("is_chosen").then(pl.lit("playbook_chosen")).otherwise(pl.lit("playbook_by_rule"))
    return _reason(
        code, playbook="playbook", segment="segment", it="title_it", en="title_en",
        **{"class": pl.col("class")}, open_mills="open_mills", currency="currency", known_days="known_days",
        late_days=pl.col("late_days").round(0).cast(pl.Int64),
    )  # fmt: skip


def _step() -> Reason:
    first = pl.col("level") > pl.col("lead_level")
    code = (
        pl.when(pl.col("track") == SOON).then(pl.lit("step_soon"))
        .when(~pl.col("is_written")).then(pl.lit("step_person"))
        .when(first & pl.col("since_date").is_null()).then(pl.lit("step_first"))
        .when(first).then(pl.lit("step_next"))
        .otherwise(pl.lit("step_again"))
    )  # fmt: skip
    return _reason(
        code, step="step", level="level", day="day", days="lead_days", channel="channel",
        since=pl.col("since_date").dt.to_string("%Y-%m-%d"), count="count", rising="rising",
        asked_mills="asked_mills", currency="currency",
    )  # fmt: skip


def _experiment() -> Reason:
    return _reason("step_in_experiment", experiment="experiment_id", arm="arm")


def _channel() -> Reason:
    fell_back = pl.col("channel") != pl.col("wanted")
    code = pl.when(fell_back).then(pl.lit("channel_fallback")).otherwise(pl.lit("channel_used"))
    return _reason(code, channel="channel", contact="contact", wanted="wanted", missed="missed")


def _blocked() -> Reason:
    code = pl.concat_str(pl.lit("blocked_"), "blocked")
    return _reason(
        code, wanted="wanted", missed="missed", min_amount_mills="min_amount_mills", min_share="min_share",
        asked_mills="asked_mills", currency="currency",
        booked_until=pl.col("booked_until").dt.to_string("%Y-%m-%d"),
        since_reply=pl.col("since_reply").dt.to_string("%Y-%m-%d"),
        until_term=pl.col("until_term").dt.to_string("%Y-%m-%d"),
    )  # fmt: skip


def left_out_sums(
    out: pl.DataFrame, items: pl.DataFrame, is_late: pl.Expr, is_soon: pl.Expr
) -> dict[str, pl.DataFrame]:
    """Per code: KEY, out_<code> (mills), items_<code>, until_<code>: what of overdue and soon items is left
    out. out: LEFT_OUT; items: ITEMS; is_late, is_soon: over their due_date."""
    assert set(LEFT_OUT) <= set(out.columns)
    track = pl.when(is_late).then(pl.lit(OVERDUE)).when(is_soon).then(pl.lit(SOON))
    told = (
        out.join(items.select("item_id", "account_id", "currency", "due_date"), on="item_id", how="inner")
        .with_columns(track.alias("track"))
        .filter(pl.col("track").is_not_null())
    )
    found = {}
    for code in OUT_CODES:
        own = told.filter(pl.col("code") == code)
        if own.height:
            found[code] = own.group_by(KEY).agg(
                pl.col("mills").sum().alias(f"out_{code}"),
                pl.col("item_id").n_unique().cast(pl.Int64).alias(f"items_{code}"),
                pl.col("until_date").max().alias(f"until_{code}"),
            )
    return found
