"""Why a row of the worklist is where it is: why it is there, what was learnt of it, why before the next one,
and what would change it. Codes and facts; ``core/reasons.py`` puts them into words.
"""

from __future__ import annotations

import polars as pl

INSUFFICIENT = "insufficient"
# The blocks, in their order (which is the alphabetical one).
DATED, VALUE, WAIT = "dated", "value", "wait"
REASONS = pl.List(pl.Struct({"code": pl.Utf8(), "params": pl.Utf8()}))
# Reasons of a row, at most.
MOST_REASONS = 4
# Below this an effect is said to be weak.
_WEAK = 0.75


def reason(code: str | pl.Expr, **params: pl.Expr) -> pl.Expr:
    """A reason as it is kept: its code, its facts as JSON."""
    code_expression = pl.lit(code) if isinstance(code, str) else code
    encoded = pl.struct([value.alias(name) for name, value in params.items()]).struct.json_encode()
    return pl.struct(code_expression.alias("code"), encoded.alias("params"))


def _day(name: str) -> pl.Expr:
    return pl.col(name).dt.to_string("%Y-%m-%d")


def with_reasons(entries: pl.DataFrame) -> pl.DataFrame:
    """Adds ``reasons``. entries: in their final order, with what ``ranking.rank`` knows of each."""
    following = {
        name: pl.col(name).shift(-1).over("currency")
        for name in ("per_minute", "block", "rung", "amount_days", "account_id")
    }
    entries = entries.with_columns(
        following["per_minute"].alias("next_per_minute"),
        (following["block"] == pl.col("block")).fill_null(False).alias("same_block"),
        (following["rung"] == INSUFFICIENT).fill_null(False).alias("next_insufficient"),
        following["amount_days"].alias("next_amount_days"),
        following["account_id"].cast(pl.Utf8).alias("next_account"),
    )
    dated = pl.when(pl.col("block") == DATED).then(reason(pl.col("dated_code"), since=_day("dated_since")))
    candidates = {
        "r0": dated, "r1": _situation(), "r2": _learnt(), "r3": _beats(), "r4": _change(),
    }  # fmt: skip
    entries = entries.with_columns(**candidates)
    return entries.with_columns(
        pl.concat_list(*candidates).list.drop_nulls().list.head(MOST_REASONS).alias("reasons")
    )


def _by_value() -> pl.Expr:
    insufficient = pl.col("rung") == INSUFFICIENT
    in_value = pl.col("block") == VALUE
    return in_value & pl.col("same_block") & ~insufficient & ~pl.col("next_insufficient")


def _situation() -> pl.Expr:
    return reason(
        pl.when(pl.col("courtesy")).then(pl.lit("courtesy_check"))
        .when(pl.col("rung") == INSUFFICIENT).then(pl.lit("insufficient_history"))
        .otherwise(pl.lit("situation")),
        mean_delay_days=pl.col("mean_delay_days").cast(pl.Float64).round(0), n_history=pl.col("n_history"),
        rung=pl.col("rung"), overdue_items=pl.col("overdue_items"), over_30_items=pl.col("over_30_items"),
        oldest_days=pl.col("oldest_days"), p30=pl.col("p30").round(4),
        amount_mills=pl.max_horizontal("overdue_mills", "soon_mills"), currency=pl.col("currency"),
    )  # fmt: skip


def _learnt() -> pl.Expr:
    """The one thing that people's work taught about the account and that changes most what is suggested."""
    weak_reach = (pl.col("tries") >= 2) & (pl.col("spoken") * 4 < pl.col("tries"))
    excluded = pl.col("action") == "find_contact"
    repeated = pl.col("factor_email").fill_null(1.0) < _WEAK
    return (
        pl.when(pl.col("is_skipped")).then(reason(
            "skipped", reason=pl.col("skip_reason"), until=_day("skip_until"),
        ))
        .when(pl.col("is_resting")).then(reason("contacted_lately", since=_day("last_contact")))
        .when(pl.col("is_exhausted") & (pl.col("block") != WAIT)).then(reason(
            pl.when(pl.col("action") == "close").then(pl.lit("propose_close"))
            .otherwise(pl.lit("propose_escalation")),
            contacts=pl.col("since_due"), oldest_days=pl.col("oldest_days"),
        ))
        .when(excluded).then(reason("nobody_reached", tries=pl.col("tries")))
        .when(pl.col("action") == "plan").then(reason("plan_offer", sign=pl.col("plan_sign")))
        .when(pl.col("delay_reason").is_not_null()).then(reason(
            "delay_said", reason=pl.col("delay_reason"), since=_day("delay_day"),
        ))
        .when(weak_reach).then(reason("seldom_answers", tries=pl.col("tries"), spoken=pl.col("spoken")))
        .when(repeated & (pl.col("contacts") > 0)).then(reason(
            "asked_often", contacts=pl.col("contacts"), unanswered=pl.col("unanswered"),
        ))
    )  # fmt: skip


def _beats() -> pl.Expr:
    """Why it comes before the next one; of what waits, why it waits."""
    gross = pl.col("value") + pl.col("cost")
    insufficient = pl.col("rung") == INSUFFICIENT
    waits_for_value = (pl.col("block") == WAIT) & ~pl.col("is_skipped") & ~pl.col("is_resting")
    return (
        pl.when(_by_value()).then(reason(
            "more_value_per_minute", value_mills=pl.col("per_minute").round().cast(pl.Int64),
            next_mills=pl.col("next_per_minute").round().cast(pl.Int64),
            currency=pl.col("currency"), next_account=pl.col("next_account"),
        ))
        .when(pl.col("same_block") & insufficient & pl.col("next_insufficient") & (pl.col("block") != WAIT))
        .then(reason(
            "more_amount_times_age", amount_days=pl.col("amount_days") // 1000,
            next_amount_days=pl.col("next_amount_days") // 1000, currency=pl.col("currency"),
            next_account=pl.col("next_account"),
        ))
        .when(waits_for_value & gross.is_not_null()).then(reason(
            "contact_not_worth", gain_mills=gross.round().cast(pl.Int64),
            cost_mills=pl.col("cost").round().cast(pl.Int64), currency=pl.col("currency"),
        ))
    )  # fmt: skip


def _change() -> pl.Expr:
    """What would move it."""
    by_value, in_value = _by_value(), pl.col("block") == VALUE
    gross = pl.col("value") + pl.col("cost")
    next_value = pl.max_horizontal("next_per_minute", 0.0) * pl.col("minutes")
    payment = _payment_that_lowers(pl.when(by_value).then(next_value).otherwise(0.0))
    waits_for_value = (pl.col("block") == WAIT) & ~pl.col("is_skipped") & ~pl.col("is_resting")
    return (
        pl.when((pl.col("rung") == INSUFFICIENT) & in_value).then(reason(
            "history_would_change", n_history=pl.col("n_history")
        ))
        .when(in_value & (payment > 0)).then(reason(
            pl.when(by_value).then(pl.lit("payment_would_lower")).otherwise(pl.lit("payment_would_remove")),
            amount_mills=payment, currency=pl.col("currency"),
        ))
        .when(pl.col("block") == DATED).then(reason("contact_would_remove", action=pl.col("action")))
        .when(waits_for_value & (gross > 0)).then(reason(
            "amount_would_raise", currency=pl.col("currency"),
            amount_mills=(pl.col("to_collect_mills") * pl.col("cost") / gross).ceil().cast(pl.Int64),
        ))
    )  # fmt: skip


def _payment_that_lowers(target: pl.Expr) -> pl.Expr:
    """``payment_that_lowers_mills`` of each entry."""
    gross = pl.col("value") + pl.col("cost")
    share = ((pl.col("value") - target) / gross).clip(0.0, 1.0)
    lowers = (gross > 0) & (pl.col("value") > target)
    return pl.when(lowers).then((pl.col("to_collect_mills") * share).ceil()).otherwise(0.0).cast(pl.Int64)
