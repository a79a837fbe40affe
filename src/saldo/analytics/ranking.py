"""The worklist's order: ``saldo.core.priority`` on the whole portfolio.

Frame in, frame out; the formulas are those of ``core/priority.py`` (a test holds the two together).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import polars as pl

from saldo.core.priority import action_cost_mills
from saldo.core.priors import NO_ACTION, PriorityPrior, default_priors

INSUFFICIENT = "insufficient"
# The blocks, in their order (which is the alphabetical one).
DATED, VALUE, WAIT = "dated", "value", "wait"
REASONS = pl.List(pl.Struct({"code": pl.Utf8(), "params": pl.Utf8()}))

RANKING_SCHEMA: dict[str, pl.DataType] = {
    "rank": pl.Int64(),
    "currency": pl.Utf8(),
    "block": pl.Utf8(),
    "action": pl.Utf8(),
    "minutes": pl.Float64(),
    "cumulative_minutes": pl.Float64(),
    "value_mills": pl.Int64(),
    "value_per_minute_mills": pl.Int64(),
    "p30": pl.Float64(),
    "overdue_mills": pl.Int64(),
    "oldest_days": pl.Int64(),
    "rung": pl.Utf8(),
    "reasons": REASONS,
}


def _converted(items: pl.DataFrame, reporting: str, rates: Mapping[str, float]) -> pl.DataFrame:
    """Items with balances in the currency they are ranked in: the reporting one where a rate is given."""
    known = {**rates, reporting: 1.0}
    rate = pl.col("currency").replace_strict(known, default=None, return_dtype=pl.Float64)
    in_reporting = (pl.col("balance_mills") * rate).round().cast(pl.Int64)
    exact = pl.when(pl.col("currency") == reporting).then("balance_mills").otherwise(in_reporting)
    return items.with_columns(
        pl.coalesce(exact, "balance_mills").alias("balance_mills"),
        pl.when(rate.is_not_null()).then(pl.lit(reporting)).otherwise("currency").alias("currency"),
    )


def _gain(action_log_odds: float, prior: PriorityPrior) -> pl.Expr:
    """``gross_gain_mills`` of each item."""
    p = pl.col("p30").clip(1e-9, 1 - 1e-9)
    after = 1.0 / (1.0 + (-(p / (1.0 - p)).log() - action_log_odds).exp())
    urgency = prior.capital_cost_rate * prior.days_saved / 365 + prior.loss_over_90_rate * pl.col("p_over_90")
    return pl.col("balance_mills") * (after - p) * urgency


def _accounts(items: pl.DataFrame, as_of: date, prior: PriorityPrior) -> pl.DataFrame:
    """One row per account and ranking currency: what its overdue items amount to, and each action's value."""
    items = items.filter(pl.col("balance_mills") > 0).with_columns(
        (pl.lit(as_of) - pl.col("due_date")).dt.total_days().alias("days")
    )
    overdue = pl.col("days") > 0
    soon = (pl.col("days") <= 0) & (pl.col("days") >= -prior.courtesy_days)
    balance = pl.col("balance_mills")
    has_overdue = overdue.any().over("account_id", "currency")
    # What is due soon counts only where nothing is overdue: a courtesy check, not a reminder.
    counted = items.filter(overdue | (soon & ~has_overdue))
    weighted = (pl.col("p30") * balance).sum() / balance.sum()
    return counted.group_by("account_id", "currency", maintain_order=True).agg(
        balance.filter(overdue).sum().alias("overdue_mills"),
        balance.filter(~overdue).sum().alias("soon_mills"),
        pl.col("days").max().alias("oldest_days"),
        (overdue).sum().cast(pl.Int64).alias("overdue_items"),
        (pl.col("days") > 30).sum().cast(pl.Int64).alias("over_30_items"),
        weighted.alias("p30"),
        (pl.col("p_over_90") * balance).sum().alias("roll_mills"),
        (balance * pl.col("days").clip(lower_bound=0)).sum().alias("amount_days"),
        pl.col("rung").first(),
        pl.col("mean_delay_days").first(),
        pl.col("n_history").first(),
        *(
            (_gain(a.log_odds_uplift, prior).sum() - action_cost_mills(a, prior)).alias(f"value_{a.action}")
            for a in prior.contacts
        ),
    )


def _with_action(accounts: pl.DataFrame, prior: PriorityPrior) -> pl.DataFrame:
    """Adds the best contact, worthwhile or not: action, minutes, cost and value."""
    best = pl.max_horizontal(*(f"value_{a.action}" for a in prior.contacts))
    first, *others = prior.contacts
    action: pl.Expr = pl.lit(first.action)
    for other in others:
        is_best = (pl.col(f"value_{other.action}") == best) & (best > pl.col(f"value_{first.action}"))
        action = pl.when(is_best).then(pl.lit(other.action)).otherwise(action)
    minutes = {a.action: a.minutes for a in prior.contacts}
    costs = {a.action: action_cost_mills(a, prior) for a in prior.contacts}
    return (
        accounts.with_columns(best.alias("value"), action.alias("action"))
        .with_columns(
            pl.col("action").replace_strict(minutes, return_dtype=pl.Float64).alias("minutes"),
            pl.col("action").replace_strict(costs, return_dtype=pl.Float64).alias("cost"),
        )
        .with_columns((pl.col("value") / pl.col("minutes")).alias("per_minute"))
    )


def _entering(accounts: pl.DataFrame, dated: pl.DataFrame, prior: PriorityPrior) -> pl.DataFrame:
    """Accounts that enter the list, with their dated reason if they have one.

    By value: more overdue than the minimum and a contact that pays for itself (where history is
    insufficient, the amount alone decides), or a large amount due soon and nothing overdue. Accounts over
    the minimum whose contact would cost more than it brings wait, and are seen to wait.
    """
    earliest = (
        dated.sort("date", "code").group_by("account_id", maintain_order=True).first()
        .select("account_id", pl.col("code").alias("dated_code"), pl.col("date").alias("dated_since"))
    )  # fmt: skip
    worthwhile = (pl.col("value") > 0) | (pl.col("rung") == INSUFFICIENT)
    reminder = (pl.col("overdue_mills") >= prior.minimum_overdue_mills) & (pl.col("overdue_mills") > 0)
    courtesy = (pl.col("overdue_mills") == 0) & (pl.col("soon_mills") >= prior.courtesy_minimum_mills)
    joined = accounts.join(earliest, on="account_id", how="left", maintain_order="left")
    is_dated = pl.col("dated_code").is_not_null()
    is_value = courtesy | (reminder & worthwhile)
    undated = pl.when(is_value).then(pl.lit(VALUE)).otherwise(pl.lit(WAIT))
    block = pl.when(is_dated).then(pl.lit(DATED)).otherwise(undated)
    return joined.filter(is_dated | reminder | courtesy).with_columns(
        block.alias("block"), courtesy.alias("courtesy")
    )


def _ordered(entries: pl.DataFrame) -> pl.DataFrame:
    """Entries by currency in their final order, with ``rank`` from 1.

    Dated first, the oldest date first; then by value per minute; what waits last. Accounts with insufficient
    history keep among themselves the places that the stated prior gives them, but fill them by amount x age.
    """
    by_value = entries.sort(
        ["currency", "block", "dated_since", "per_minute", "overdue_mills", "account_id"],
        descending=[False, False, False, True, True, False],
    ).with_row_index("place")
    guessed = (pl.col("block") == VALUE) & (pl.col("rung") == INSUFFICIENT)
    known = by_value.filter(~guessed)
    unknown = by_value.filter(guessed)
    refilled = unknown.sort(
        ["currency", "amount_days", "overdue_mills", "account_id"], descending=[False, True, True, False]
    ).with_columns(unknown["place"])
    return (
        pl.concat([known, refilled]).sort("place").drop("place")
        .with_columns(pl.int_range(1, pl.len() + 1).over("currency").alias("rank"))
    )  # fmt: skip


def _reason(code: str | pl.Expr, **params: pl.Expr) -> pl.Expr:
    code_expression = pl.lit(code) if isinstance(code, str) else code
    encoded = pl.struct([value.alias(name) for name, value in params.items()]).struct.json_encode()
    return pl.struct(code_expression.alias("code"), encoded.alias("params"))


def _payment_that_lowers(target: pl.Expr) -> pl.Expr:
    """``payment_that_lowers_mills`` of each entry."""
    gross = pl.col("value") + pl.col("cost")
    share = ((pl.col("value") - target) / gross).clip(0.0, 1.0)
    lowers = (gross > 0) & (pl.col("value") > target)
    return pl.when(lowers).then((pl.col("overdue_mills") * share).ceil()).otherwise(0.0).cast(pl.Int64)


def _with_reasons(entries: pl.DataFrame) -> pl.DataFrame:
    """At most three reasons each: why it is here, why before the next one, what would change it."""
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
    insufficient = pl.col("rung") == INSUFFICIENT
    in_value, is_dated = pl.col("block") == VALUE, pl.col("block") == DATED
    waits = pl.col("block") == WAIT
    by_value = in_value & pl.col("same_block") & ~insufficient & ~pl.col("next_insufficient")
    next_value = pl.max_horizontal("next_per_minute", 0.0) * pl.col("minutes")
    gross = pl.col("value") + pl.col("cost")
    payment = _payment_that_lowers(pl.when(by_value).then(next_value).otherwise(0.0))
    situation = _reason(
        pl.when(pl.col("courtesy")).then(pl.lit("courtesy_check"))
        .when(insufficient).then(pl.lit("insufficient_history")).otherwise(pl.lit("situation")),
        mean_delay_days=pl.col("mean_delay_days").cast(pl.Float64).round(0), n_history=pl.col("n_history"),
        rung=pl.col("rung"), overdue_items=pl.col("overdue_items"), over_30_items=pl.col("over_30_items"),
        oldest_days=pl.col("oldest_days"), p30=pl.col("p30").round(4),
        amount_mills=pl.max_horizontal("overdue_mills", "soon_mills"), currency=pl.col("currency"),
    )  # fmt: skip
    dated = _reason(pl.col("dated_code"), since=pl.col("dated_since").dt.to_string("%Y-%m-%d"))
    beats = (
        pl.when(by_value).then(_reason(
            "more_value_per_minute", value_mills=pl.col("per_minute").round().cast(pl.Int64),
            next_mills=pl.col("next_per_minute").round().cast(pl.Int64),
            currency=pl.col("currency"), next_account=pl.col("next_account"),
        ))
        .when(pl.col("same_block") & insufficient & pl.col("next_insufficient")).then(_reason(
            "more_amount_times_age", amount_days=pl.col("amount_days") // 1000,
            next_amount_days=pl.col("next_amount_days") // 1000, currency=pl.col("currency"),
            next_account=pl.col("next_account"),
        ))
        .when(waits).then(_reason(
            "contact_not_worth", gain_mills=gross.round().cast(pl.Int64),
            cost_mills=pl.col("cost").round().cast(pl.Int64), currency=pl.col("currency"),
        ))
    )  # fmt: skip
    change = (
        pl.when(insufficient & in_value).then(_reason(
            "history_would_change", n_history=pl.col("n_history")
        ))
        .when(in_value & (payment > 0)).then(_reason(
            pl.when(by_value).then(pl.lit("payment_would_lower")).otherwise(pl.lit("payment_would_remove")),
            amount_mills=payment, currency=pl.col("currency"),
        ))
        .when(is_dated).then(_reason("contact_would_remove", action=pl.col("action")))
        .when(waits & (gross > 0)).then(_reason(
            "amount_would_raise", currency=pl.col("currency"),
            amount_mills=(pl.col("overdue_mills") * pl.col("cost") / gross).ceil().cast(pl.Int64),
        ))
    )  # fmt: skip
    first = pl.when(is_dated).then(dated)
    candidates = {"r0": first, "r1": situation, "r2": beats, "r3": change}
    entries = entries.with_columns(**candidates)
    return entries.with_columns(pl.concat_list(*candidates).list.drop_nulls().list.head(3).alias("reasons"))


def rank(
    items: pl.DataFrame,
    as_of: date,
    prior: PriorityPrior | None = None,
    dated: pl.DataFrame | None = None,
    reporting_currency: str = "EUR",
    rates: Mapping[str, float] | None = None,
) -> pl.DataFrame:
    """The ranked worklist: account_id and the columns of RANKING_SCHEMA.

    items: account_id, due_date, balance_mills, currency and, from ``payment_date.forecast``, p30, p_over_90,
    rung, mean_delay_days, n_history; only positive balances count. dated: account_id, code, date, the
    entries that come first whatever their value (an account appears once, with its oldest one); they need
    an overdue item, or one due within the courtesy days. rates: units of the reporting currency for one
    unit of another. Currencies without a rate are ranked apart, each from 1, and the thresholds and costs
    of ``prior`` apply to them at face value: sums of different currencies are never made.
    """
    prior = prior or default_priors().priority
    if dated is None:
        key = items.schema["account_id"]
        dated = pl.DataFrame(schema={"account_id": key, "code": pl.Utf8(), "date": pl.Date()})
    accounts = _accounts(_converted(items, reporting_currency, rates or {}), as_of, prior)
    entries = _entering(_with_action(accounts, prior), dated, prior)
    ranked = _with_reasons(_ordered(entries)).with_columns(
        pl.when(pl.col("block") == WAIT).then(pl.lit(NO_ACTION)).otherwise("action").alias("action"),
        *(
            pl.when(pl.col("block") == WAIT).then(0.0).otherwise(name).alias(name)
            for name in ("minutes", "value", "per_minute")
        ),
    )
    return ranked.with_columns(
        pl.col("minutes").cum_sum().over("currency").alias("cumulative_minutes"),
        pl.col("value").round().cast(pl.Int64).alias("value_mills"),
        pl.col("per_minute").round().cast(pl.Int64).alias("value_per_minute_mills"),
        pl.col("reasons").cast(REASONS),
        pl.col("rank").cast(pl.Int64),
    ).select("account_id", *RANKING_SCHEMA)
