"""By which way a message goes, and what keeps it back today: addresses and caps.

docs/rules/playbooks.md, "Channel" and "Caps".
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import polars as pl

from saldo.analytics.playbook_messages import KEY
from saldo.analytics.playbook_segments import Numbered, in_order
from saldo.core.playbook import OVERDUE, SMS, WRITTEN
from saldo.core.sending import CONTACT_CAP, DAILY_CAP, NO_ADDRESS, SendingRules

WEEK_DAYS, MONTH_DAYS = 7, 30
# The way chosen for a message. wanted: the step's own channel; missed: why that one could not be taken
# ("no_address", "address_stopped", "no_consent"), null where it was.
CHOSEN = {
    "account_id": pl.Int64,
    "currency": pl.String,
    "track": pl.String,
    "channel": pl.String,
    "contact_id": pl.Int64,
    "contact": pl.String,
    "address": pl.String,
    "wanted": pl.String,
    "missed": pl.String,
}


def channel_options(playbooks: Numbered) -> pl.DataFrame:
    """step_no, nth, channel: the channels of each step in the order in which they are tried."""
    steps = [step for _, playbook in in_order(playbooks) for step in playbook.steps]
    rows = [
        (number, nth, channel)
        for number, step in enumerate(steps)
        for nth, channel in enumerate(dict.fromkeys((step.channel, *step.fallback)))
    ]
    schema = {"step_no": pl.Int64, "nth": pl.Int64, "channel": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row")


def choose_ways(
    messages: pl.DataFrame, options: pl.DataFrame, ways: pl.DataFrame, rules: SendingRules
) -> pl.DataFrame:
    """CHOSEN: for each message (KEY, step_no) its first channel with a usable address of the account.

    A call or a task needs none. Without any usable one the wanted channel stands, contact null, and missed
    says why.
    """
    best = _best_ways(ways, rules)
    tried = (
        messages.select(*KEY, "step_no")
        .join(options, on="step_no", how="inner")
        .join(best, on=["account_id", "channel"], how="left")
        .with_columns(
            pl.when(pl.col("channel").is_in(list(WRITTEN))).then(pl.col("fault").fill_null(NO_ADDRESS)).otherwise(
                pl.lit("")
            ).alias("fault")
        )
        .sort(*KEY, "nth")
    )  # fmt: skip
    wanted = tried.filter(pl.col("nth") == 0).select(
        *KEY, pl.col("channel").alias("wanted"), pl.col("fault").replace("", None).alias("missed")
    )
    taken = tried.filter(pl.col("fault") == "").unique(KEY, keep="first", maintain_order=True)
    chosen = wanted.join(
        taken.select(*KEY, "channel", "contact_id", "contact", "address"), on=KEY, how="left"
    )
    return chosen.with_columns(pl.coalesce("channel", "wanted").alias("channel")).select(*CHOSEN)


def _best_ways(ways: pl.DataFrame, rules: SendingRules) -> pl.DataFrame:
    """Per account and channel the best contact, a usable one before others; fault: "" or why it is not."""
    needs_consent = (pl.col("channel") == SMS) & pl.lit(rules.sms_needs_consent)
    fault = (
        pl.when(pl.col("address").fill_null("") == "").then(pl.lit(NO_ADDRESS))
        .when(pl.col("stop").fill_null("") != "").then(pl.lit("address_stopped"))
        .when(needs_consent & ~pl.col("has_consent").fill_null(False)).then(pl.lit("no_consent"))
        .otherwise(pl.lit(""))
    )  # fmt: skip
    return (
        ways.with_columns(fault.alias("fault"))
        .sort("account_id", "channel", pl.col("fault") != "", "place", "contact_id", nulls_last=True)
        .unique(["account_id", "channel"], keep="first", maintain_order=True)
        .select("account_id", "channel", "contact_id", pl.col("name").alias("contact"), "address", "fault")
    )


def capped(rows: pl.DataFrame, sent: pl.DataFrame, as_of: date, rules: SendingRules) -> pl.DataFrame:
    """KEY, cap: what keeps a written message back today; messages that nothing keeps back are not in it.

    rows: KEY, contact_id, address, asked_mills of the messages that could go. sent: SENT. The caps are asked
    one after the other, so that what one keeps back takes no place of another; the highest amount goes
    first, a reminder before what falls due soon.
    """
    left = [sent.filter(pl.col("channel").is_in(list(WRITTEN))), rows]
    past, going = (frame.with_columns(_contact().alias("contact")) for frame in left)
    going = going.sort(
        pl.col("track") != OVERDUE, "asked_mills", "account_id", "currency",
        descending=[False, True, False, False],
    )  # fmt: skip
    held = []
    rested = _since(past.filter(pl.col("track") == OVERDUE), as_of, rules.rest_days)
    resting = going.filter(pl.col("track") == OVERDUE).join(rested, on="account_id", how="semi")
    held.append(resting)
    going = going.join(resting, on=KEY, how="anti", maintain_order="left")
    for by, days, cap in (
        (["contact", "track"], 1, 1),
        (["contact"], 1, rules.contact_day_cap),
        (["contact"], WEEK_DAYS, rules.contact_week_cap),
        (["account_id"], MONTH_DAYS, rules.account_month_cap),
    ):
        over = _beyond(going, _since(past, as_of, days), by, cap)
        held.append(over)
        going = going.join(over, on=KEY, how="anti", maintain_order="left")
    gone_today = _since(past, as_of, 1).height
    late = going.sort(
        "asked_mills", "account_id", "currency", "track", descending=[True, False, False, False]
    )
    beyond = late.slice(max(rules.daily_cap - gone_today, 0))
    told = [frame.select(*KEY, pl.lit(CONTACT_CAP).alias("cap")) for frame in held]
    return pl.concat([*told, beyond.select(*KEY, pl.lit(DAILY_CAP).alias("cap"))])


def _contact() -> pl.Expr:
    """Who reads it: the address, else the contact, else the account."""
    return pl.coalesce(
        pl.col("address").replace("", None).str.to_lowercase(),
        "contact " + pl.col("contact_id").cast(pl.String),
        "account " + pl.col("account_id").cast(pl.String),
    )


def _since(past: pl.DataFrame, as_of: date, days: int) -> pl.DataFrame:
    """What was sent in the last ``days`` days, ``as_of`` included."""
    return past.filter((pl.col("date") > as_of - timedelta(days=days)) & (pl.col("date") <= as_of))


def _beyond(going: pl.DataFrame, past: pl.DataFrame, by: Sequence[str], cap: int) -> pl.DataFrame:
    """The messages after the first (cap - those of the past), of each contact or account."""
    had = past.group_by(by).agg(pl.len().cast(pl.Int64).alias("had"))
    return going.join(had, on=list(by), how="left", maintain_order="left").filter(
        pl.int_range(1, pl.len() + 1, dtype=pl.Int64).over(by) + pl.col("had").fill_null(0) > cap
    )
