"""The worklist's order: ``saldo.core.priority`` on the whole portfolio.

Frame in, frame out; the formulas are those of ``core/priority.py`` (a test holds the two together).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import polars as pl

from saldo.analytics.ranking_choice import (
    ALTERNATIVES,
    base_minutes,
    minutes_of,
    price_of_a_minute,
    with_action,
    with_alternatives,
)
from saldo.analytics.ranking_effects import NOT_OFFERED, DeskFacts, effects
from saldo.analytics.ranking_reasons import DATED, INSUFFICIENT, REASONS, VALUE, WAIT, with_reasons
from saldo.core.desk_prior import DeskPrior, default_desk_prior
from saldo.core.priors import NO_ACTION, ActionPrior, PriorityPrior, default_priors

__all__ = ["DATED", "INSUFFICIENT", "RANKING_SCHEMA", "REASONS", "VALUE", "WAIT", "Desk", "rank"]

ESCALATE, CLOSE = "escalate", "close"
REVIEW = "review_due"
# Minutes to decide what becomes of an account for which contacts do nothing any more.
DECISION_MINUTES = 5.0
# What was agreed with the customer comes on its day, whatever a collector passed over.
COMMITMENTS = ("callback", "reply_waiting")

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
    "to_collect_mills": pl.Int64(),
    "oldest_days": pl.Int64(),
    "rung": pl.Utf8(),
    "reasons": REASONS,
    "alternatives": ALTERNATIVES,
}


@dataclass(frozen=True, slots=True)
class Desk:
    """What the ranking knows of the people who work the list.

    facts: what they did and learnt. last_contacts: account_id, last_contact, of any kind. minutes: those of
    the day, of all of them together; None: any number.
    """

    facts: DeskFacts
    last_contacts: pl.DataFrame | None = None
    minutes: float | None = None


def _converted(items: pl.DataFrame, reporting: str, rates: Mapping[str, float]) -> pl.DataFrame:
    """Items with amounts in the currency they are ranked in: the reporting one where a rate is given."""
    known = {**rates, reporting: 1.0}
    rate = pl.col("currency").replace_strict(known, default=None, return_dtype=pl.Float64)

    def converted(name: str) -> pl.Expr:
        in_reporting = (pl.col(name) * rate).round().cast(pl.Int64)
        exact = pl.when(pl.col("currency") == reporting).then(name).otherwise(in_reporting)
        return pl.coalesce(exact, name).alias(name)

    return items.with_columns(
        converted("balance_mills"),
        converted("asked_mills"),
        pl.when(rate.is_not_null()).then(pl.lit(reporting)).otherwise("currency").alias("currency"),
    )


def _gain(action: ActionPrior, prior: PriorityPrior) -> pl.Expr:
    """``gross_gain_mills`` of each item."""
    p = pl.col("p30").clip(1e-9, 1 - 1e-9)
    effect = action.log_odds_uplift * pl.col(f"factor_{action.action}").fill_null(1.0)
    after = 1.0 / (1.0 + (-(p / (1.0 - p)).log() - effect).exp())
    urgency = prior.capital_cost_rate * prior.days_saved / 365 + prior.loss_over_90_rate * pl.col("p_over_90")
    return pl.col("asked_mills") * (after - p) * urgency


def _accounts(items: pl.DataFrame, told: pl.DataFrame, prior: PriorityPrior) -> pl.DataFrame:
    """One row per account and ranking currency: what its items amount to, and each action's gain.

    items: with ``days`` past due. told: EFFECTS of the accounts.
    """
    overdue = pl.col("days") > 0
    soon = (pl.col("days") <= 0) & (pl.col("days") >= -prior.courtesy_days)
    balance, asked = pl.col("balance_mills"), pl.col("asked_mills")
    has_overdue = overdue.any().over("account_id", "currency")
    # What is due soon counts only where nothing is overdue: a courtesy check, not a reminder.
    counted = items.filter(overdue | (soon & ~has_overdue))
    weighted = (pl.col("p30") * balance).sum() / balance.sum()
    factors = told.select("account_id", *(f"factor_{a.action}" for a in prior.contacts))
    joined = counted.join(factors, on="account_id", how="left", maintain_order="left")
    grouped = joined.group_by("account_id", "currency", maintain_order=True).agg(
        balance.filter(overdue).sum().alias("overdue_mills"),
        balance.filter(~overdue).sum().alias("soon_mills"),
        asked.filter(overdue).sum().alias("to_collect_mills"),
        pl.col("days").max().alias("oldest_days"),
        (overdue).sum().cast(pl.Int64).alias("overdue_items"),
        (pl.col("days") > 30).sum().cast(pl.Int64).alias("over_30_items"),
        (asked > 0).sum().cast(pl.Int64).alias("items"),
        weighted.alias("p30"),
        (balance * pl.col("days").clip(lower_bound=0)).sum().alias("amount_days"),
        pl.col("rung").first(),
        pl.col("mean_delay_days").first(),
        pl.col("n_history").first(),
        *(_gain(a, prior).sum().alias(f"gain_{a.action}") for a in prior.contacts),
    )
    return grouped.join(told, on="account_id", how="left", maintain_order="left")


def _valued(
    accounts: pl.DataFrame, prior: PriorityPrior, desk: DeskPrior, base: Mapping[str, float]
) -> pl.DataFrame:
    """With minutes_, cost_ and value_ of each action; the value of what is ruled out is null."""
    each = prior.contacts
    told = accounts.with_columns(minutes_of(a, base, desk).alias(f"minutes_{a.action}") for a in each)
    per_minute = prior.collector_cost_per_minute_mills
    told = told.with_columns(
        (pl.col(f"minutes_{a.action}") * per_minute + a.cost_mills + a.relationship_cost_mills).alias(
            f"cost_{a.action}"
        )
        for a in each
    )
    return told.with_columns(
        pl.when(pl.col(f"code_{a.action}").is_null())
        .then(pl.col(f"gain_{a.action}") - pl.col(f"cost_{a.action}"))
        .alias(f"value_{a.action}")
        for a in each
    )


def _entering(accounts: pl.DataFrame, dated: pl.DataFrame, as_of: date, prior: PriorityPrior) -> pl.DataFrame:
    """Accounts that enter the list, with their dated reason if they have one.

    By value: more to collect than the minimum and a contact that pays for itself (where history is
    insufficient, the amount alone decides), or a large amount due soon and nothing overdue. Accounts over
    the minimum whose contact would cost more than it brings wait, and are seen to wait; so do those that a
    collector passed over for a while, and those that somebody has just contacted.
    """
    joined = accounts.join(_earliest(dated, accounts), on="account_id", how="left", maintain_order="left")
    enough = pl.max_horizontal(prior.minimum_overdue_mills, 1)
    reminder = (pl.col("to_collect_mills") >= enough) & (pl.col("overdue_mills") > 0)
    courtesy = (pl.col("overdue_mills") == 0) & (pl.col("soon_mills") >= prior.courtesy_minimum_mills)
    worthwhile = (pl.col("value") > 0) | (pl.col("rung") == INSUFFICIENT)
    worthwhile = worthwhile.fill_null(False)
    is_dated = pl.col("dated_code").is_not_null()
    passed_over = pl.col("is_skipped") | pl.col("is_resting")
    is_value = (courtesy | (reminder & worthwhile)) & ~passed_over
    undated = pl.when(is_value).then(pl.lit(VALUE)).otherwise(pl.lit(WAIT))
    block = pl.when(is_dated).then(pl.lit(DATED)).otherwise(undated)
    return joined.filter(is_dated | reminder | courtesy).with_columns(
        block.alias("block"),
        courtesy.alias("courtesy"),
        # What comes first anyway neither rests nor was passed over.
        (pl.col("is_skipped") & ~is_dated).alias("is_skipped"),
        (pl.col("is_resting") & ~is_dated).alias("is_resting"),
    )


def _earliest(dated: pl.DataFrame, accounts: pl.DataFrame) -> pl.DataFrame:
    """account_id, dated_code, dated_since: the oldest entry of each account.

    While a skip holds, only what was agreed and what is newer than it counts; what playbooks leave to people
    every day anew is no news.
    """
    held = accounts.filter(pl.col("is_skipped")).select("account_id", "skip_day").unique("account_id")
    news = (pl.col("date") > pl.col("skip_day")) & ~pl.col("code").str.starts_with("playbook_")
    counts = pl.col("skip_day").is_null() | pl.col("code").is_in(list(COMMITMENTS)) | news
    return (
        dated.join(held, on="account_id", how="left", maintain_order="left")
        .filter(counts)
        .sort("date", "code")
        .group_by("account_id", maintain_order=True)
        .first()
        .select("account_id", pl.col("code").alias("dated_code"), pl.col("date").alias("dated_since"))
    )


def _paused(accounts: pl.DataFrame, last: pl.DataFrame, as_of: date, desk: DeskPrior) -> pl.DataFrame:
    """With is_skipped (a collector passed it over for a while) and is_resting (contacted some days ago)."""
    grown = pl.col("skip_currency") == pl.col("currency")
    grown = grown & (pl.col("overdue_mills") >= pl.col("skip_overdue_mills") * (1 + pl.col("skip_growth")))
    # What was done today hides the row, or says so itself.
    since = (pl.lit(as_of) - pl.col("last_contact")).dt.total_days()
    rests = (since > 0) & (since < desk.rest_days)
    return accounts.join(last, on="account_id", how="left", maintain_order="left").with_columns(
        (pl.col("skip_until").is_not_null() & ~grown.fill_null(False)).alias("is_skipped"),
        rests.fill_null(False).alias("is_resting"),
    )


def _decided(entries: pl.DataFrame, desk: DeskPrior) -> pl.DataFrame:
    """Where contacts do nothing any more, the review is a decision: escalate, or close what is too small.

    Its value is 0: what escalation brings is reckoned where a case is opened.
    """
    nothing_left = (pl.col("value") <= 0) | pl.col("value").is_null()
    tried = (pl.col("since_due") >= desk.escalation_contacts) | (pl.col("oldest_days") > desk.escalation_days)
    exhausted = nothing_left & tried & (pl.col("overdue_mills") > 0)
    decide = exhausted & (pl.col("block") == DATED) & (pl.col("dated_code") == REVIEW)
    large = pl.col("overdue_mills") >= desk.escalation_minimum_mills
    kind = pl.when(large).then(pl.lit(ESCALATE)).otherwise(pl.lit(CLOSE))
    zero = {"value": 0.0, "per_minute": 0.0, "minutes": DECISION_MINUTES}
    return entries.with_columns(
        exhausted.fill_null(False).alias("is_exhausted"),
        pl.when(decide).then(kind).otherwise("action").alias("action"),
        *(pl.when(decide).then(value).otherwise(name).alias(name) for name, value in zero.items()),
    )


def _ordered(entries: pl.DataFrame) -> pl.DataFrame:
    """Entries by currency in their final order, with ``rank`` from 1.

    Dated first, the oldest date first; then by value per minute; what waits last. Accounts with insufficient
    history keep among themselves the places that the stated prior gives them, but fill them by amount x age.
    """
    by_value = entries.sort(
        ["currency", "block", "dated_since", "per_minute", "overdue_mills", "account_id"],
        descending=[False, False, False, True, True, False],
        nulls_last=[False, False, False, True, False, False],
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


def _price(accounts: pl.DataFrame, dated: pl.DataFrame, prior: PriorityPrior, minutes: float | None) -> float:
    """The price of a minute of those that are left after what comes first whatever its value."""
    if minutes is None:
        return 0.0
    first = accounts.join(dated, on="account_id", how="semi")
    free = ~pl.col("is_skipped") & ~pl.col("is_resting")
    late = pl.col("to_collect_mills") >= prior.minimum_overdue_mills
    others = accounts.join(dated, on="account_id", how="anti").filter(free & late)
    taken = float(with_action(first, prior, 0.0).select(pl.col("minutes").sum()).item() or 0.0)
    return price_of_a_minute(others, prior, max(minutes - taken, 0.0))


def _told(
    items: pl.DataFrame, desk: Desk, as_of: date, prior: PriorityPrior, desks: DeskPrior
) -> pl.DataFrame:
    """EFFECTS of the accounts of ``items``, with the day of the skip that holds."""
    accounts = items.group_by("account_id", maintain_order=True).agg(
        pl.col("due_date").min().alias("oldest_due")
    )
    told = effects(accounts, desk.facts, as_of, prior, desks)
    days = desk.facts.skips.group_by("account_id").agg(pl.col("day").max().alias("skip_day"))
    missing = [a.action for a in prior.contacts if f"code_{a.action}" not in told.columns]
    own = {a.action: None if a.is_offered else NOT_OFFERED for a in prior.contacts}
    return told.join(days, on="account_id", how="left", maintain_order="left").with_columns(
        *(pl.lit(1.0).alias(f"factor_{name}") for name in missing),
        *(pl.lit(own[name], pl.Utf8).alias(f"code_{name}") for name in missing),
    )


def rank(
    items: pl.DataFrame,
    as_of: date,
    prior: PriorityPrior | None = None,
    dated: pl.DataFrame | None = None,
    reporting_currency: str = "EUR",
    rates: Mapping[str, float] | None = None,
    desk: Desk | None = None,
    desk_prior: DeskPrior | None = None,
) -> pl.DataFrame:
    """The ranked worklist: account_id and the columns of RANKING_SCHEMA.

    items: account_id, due_date, balance_mills, currency and, from ``payment_date.forecast``, p30, p_over_90,
    rung, mean_delay_days, n_history; only positive balances count. asked_mills, where it is given, is what
    may be asked of the balance: the value counts that alone. dated: account_id, code, date, the entries that
    come first whatever their value (an account appears once, with its oldest one); they need an overdue item,
    or one due within the courtesy days. rates: units of the reporting currency for one unit of another.
    Currencies without a rate are ranked apart, each from 1, and the thresholds and costs of ``prior`` apply
    to them at face value: sums of different currencies are never made. desk: what people did, learnt and have
    time for; without it nothing was, and there is time for all.
    """
    prior, desks = prior or default_priors().priority, desk_prior or default_desk_prior()
    desk = desk or Desk(DeskFacts())
    key = items.schema["account_id"]
    if dated is None:
        dated = pl.DataFrame(schema={"account_id": key, "code": pl.Utf8(), "date": pl.Date()})
    if "asked_mills" not in items.columns:
        items = items.with_columns(pl.col("balance_mills").alias("asked_mills"))
    last = desk.last_contacts
    if last is None:
        last = pl.DataFrame(schema={"account_id": key, "last_contact": pl.Date()})
    owed = items.filter(pl.col("balance_mills") > 0).with_columns(
        (pl.lit(as_of) - pl.col("due_date")).dt.total_days().alias("days")
    )
    told = _told(owed, desk, as_of, prior, desks)
    base = base_minutes(prior, desks, desk.facts.timed)
    accounts = _accounts(_converted(owed, reporting_currency, rates or {}), told, prior)
    accounts = _paused(_valued(accounts, prior, desks, base), last, as_of, desks)
    price = _price(accounts, dated, prior, desk.minutes)
    entries = _entering(with_action(accounts, prior, price), dated, as_of, prior)
    ranked = with_reasons(_ordered(_decided(entries, desks)))
    waits = pl.col("block") == WAIT
    shown = pl.when(waits).then(pl.lit(NO_ACTION)).otherwise("action")
    ranked = with_alternatives(ranked, prior, shown, pl.col("is_skipped") | pl.col("is_resting"))
    ranked = ranked.with_columns(
        shown.alias("action"),
        *(
            pl.when(waits).then(0.0).otherwise(pl.col(name).fill_null(0.0)).alias(name)
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
