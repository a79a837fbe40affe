"""What each account makes of the stated effect of each action, and what rules an action out there.

Frames in, frame out; the factors are those of ``core/priority.py`` (a test holds the two together).
docs/rules/priority.md says where each comes from.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta

import polars as pl

from saldo.core.desk_prior import DeskPrior, SkipRule, default_desk_prior
from saldo.core.playbook import CALL, EMAIL, PEC
from saldo.core.priors import FIND_CONTACT, PriorityPrior, default_priors

VISIT, PLAN = "visit", "plan"
NO_WAY = {EMAIL: "no_email", CALL: "no_phone", PEC: "no_pec"}
NOT_OFFERED, OFFERED = "not_offered", "offered"
# No factor is more than this, whatever comes together.
MOST = 2.0

TRIES = {"account_id": pl.Int64, "tries": pl.Int64, "spoken": pl.Int64}
DELAYS = {"account_id": pl.Int64, "reason": pl.String, "day": pl.Date}
# kind, currency, overdue_mills: of the action that was passed over. is_changed: a contact of the account was
# added or corrected since. until: the day on which its collector wants it back, null where the rule says.
SKIPS = {
    "account_id": pl.Int64,
    "day": pl.Date,
    "reason": pl.String,
    "kind": pl.String,
    "currency": pl.String,
    "overdue_mills": pl.Int64,
    "is_changed": pl.Boolean,
    "until": pl.Date,
}
# code: part_payment, returned, late: what says that an account is short of cash (see also DELAYS).
SIGNS = {"account_id": pl.Int64, "code": pl.String}
ANSWERED = {"account_id": pl.Int64, "day": pl.Date}
CONTACTED = {"account_id": pl.Int64, "channel": pl.String, "known_date": pl.Date}
REACHABLE = {"account_id": pl.Int64, "channel": pl.String, "is_usable": pl.Boolean}


@dataclass(frozen=True, slots=True)
class DeskFacts:
    """What people did and learnt about accounts, at both clocks.

    contacts: CONTACTED, all of them. answered: ANSWERED, the last day on which the customer was heard.
    tries: TRIES, calls with what came of them. delays: DELAYS, the newest reason of each account. skips:
    SKIPS, those that nothing came after. reachable: REACHABLE, a row for each known address. timed: action,
    contacts that were timed, their minutes in all. makes_visits: the company visits customers. unvisited:
    accounts that want no visit. broken: account_id, day of promises that were not kept. offers: account_id,
    day of plans that were offered. short_of_cash: SIGNS.
    """

    contacts: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=CONTACTED))
    answered: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=ANSWERED))
    tries: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=TRIES))
    delays: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=DELAYS))
    skips: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=SKIPS))
    reachable: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=REACHABLE))
    timed: dict[str, tuple[int, float]] = field(default_factory=dict)
    makes_visits: bool = False
    unvisited: tuple[int, ...] = ()
    broken: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=ANSWERED))
    offers: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=ANSWERED))
    short_of_cash: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=SIGNS))


def effects(
    accounts: pl.DataFrame,
    facts: DeskFacts,
    as_of: date,
    prior: PriorityPrior | None = None,
    desk: DeskPrior | None = None,
) -> pl.DataFrame:
    """One row per account, with a factor and a code (null: it may be done) for each action.

    accounts: account_id, oldest_due. Also: contacts (of the window), since_due (contacts since the oldest
    item fell due), unanswered, tries, spoken, delay_reason, delay_day, plan_sign, and of the skip that holds
    longest skip_reason, skip_until (the day on which it is back), skip_growth, skip_currency and
    skip_overdue_mills.
    """
    prior, desk = prior or default_priors().priority, desk or default_desk_prior()
    told = (
        accounts.join(_contacted(accounts, facts, as_of, desk), on="account_id", how="left")
        .join(facts.tries, on="account_id", how="left")
        .join(_delays(facts, as_of, desk), on="account_id", how="left")
        .join(_skipped(facts.skips, as_of, desk), on="account_id", how="left")
        .join(_ruled_out(facts, as_of, desk), on="account_id", how="left")
        .join(_reach(facts.reachable), on="account_id", how="left")
        .join(_offers(accounts, facts, as_of), on="account_id", how="left")
        .join(_plan_signs(facts, as_of, desk), on="account_id", how="left")
        .with_columns(pl.col("contacts", "since_due", "unanswered", "tries", "spoken", "offers").fill_null(0))
        .with_columns(pl.coalesce("plan_sign", _asked_twice(as_of, desk)).alias("plan_sign"))
    )
    codes = _codes(facts, as_of, desk)
    known = [a.action for a in prior.contacts if a.action in codes]
    return told.select(
        "account_id", "contacts", "since_due", "unanswered", "tries", "spoken", "delay_reason", "delay_day",
        "plan_sign", "skip_reason", "skip_until", "skip_growth", "skip_currency", "skip_overdue_mills",
        *(_factor(name, desk).alias(f"factor_{name}") for name in known),
        *(codes[name].alias(f"code_{name}") for name in known),
    )  # fmt: skip


def _contacted(accounts: pl.DataFrame, facts: DeskFacts, as_of: date, desk: DeskPrior) -> pl.DataFrame:
    """account_id, contacts, since_due, unanswered."""
    since = as_of - timedelta(days=desk.window_days)
    day = pl.col("known_date")
    heard = facts.answered.group_by("account_id").agg(pl.col("day").max().alias("heard"))
    recent = day >= since
    unheard = pl.col("heard").is_null() | (day > pl.col("heard"))
    return (
        facts.contacts.filter(day <= as_of)
        .join(accounts, on="account_id", how="inner")
        .join(heard, on="account_id", how="left")
        .group_by("account_id")
        .agg(
            recent.sum().cast(pl.Int64).alias("contacts"),
            (day > pl.col("oldest_due")).sum().cast(pl.Int64).alias("since_due"),
            (recent & unheard & (pl.col("channel") != "contact")).sum().cast(pl.Int64).alias("unanswered"),
            day.filter(day > pl.col("oldest_due")).min().alias("first_asked"),
        )
    )


def _offers(accounts: pl.DataFrame, facts: DeskFacts, as_of: date) -> pl.DataFrame:
    """account_id, offers (of a plan, since the oldest item fell due), last_offer."""
    return (
        facts.offers.filter(pl.col("day") <= as_of)
        .join(accounts, on="account_id", how="inner")
        .group_by("account_id")
        .agg(
            (pl.col("day") > pl.col("oldest_due")).sum().cast(pl.Int64).alias("offers"),
            pl.col("day").max().alias("last_offer"),
        )
    )


def _plan_signs(facts: DeskFacts, as_of: date, desk: DeskPrior) -> pl.DataFrame:
    """account_id, plan_sign: the strongest thing that says that the account is short of cash."""
    since = as_of - timedelta(days=desk.reason_days)
    said = facts.delays.filter((pl.col("reason") == "cash") & (pl.col("day") >= since))
    broken = facts.broken.filter(pl.col("day") >= since)
    signs = pl.concat(
        [
            said.select("account_id", pl.lit("said").alias("plan_sign")),
            broken.select("account_id", pl.lit("broken").alias("plan_sign")),
            facts.short_of_cash.select("account_id", pl.col("code").alias("plan_sign")),
        ]
    )
    return signs.unique("account_id", keep="first", maintain_order=True)


def _delays(facts: DeskFacts, as_of: date, desk: DeskPrior) -> pl.DataFrame:
    """account_id, delay_reason, delay_day of the reasons that are still valid."""
    return facts.delays.filter(pl.col("day") >= as_of - timedelta(days=desk.reason_days)).select(
        "account_id", pl.col("reason").alias("delay_reason"), pl.col("day").alias("delay_day")
    )


def _asked_twice(as_of: date, desk: DeskPrior) -> pl.Expr:
    """Two contacts since it fell due, the first of them long enough ago, brought nothing."""
    long_ago = pl.col("first_asked") <= as_of - timedelta(days=2 * desk.plan_after_days)
    return pl.when((pl.col("since_due") > 1) & long_ago).then(pl.lit("asked_twice"))


def _rule(desk: DeskPrior, name: str, kind: type[pl.DataType]) -> pl.Expr:
    """A field of the rule of each skip's reason; what is not known is treated as "other"."""
    values = {code: getattr(rule, name) for code, rule in desk.skips.items()}
    other = getattr(desk.skips.get("other", SkipRule()), name)
    return pl.col("reason").replace_strict(values, default=other, return_dtype=kind)


def _skipped(skips: pl.DataFrame, as_of: date, desk: DeskPrior) -> pl.DataFrame:
    """One row per account that a skip still keeps away: the one that holds longest."""
    days = _rule(desk, "days", pl.Int64)
    return (
        skips.with_columns(
            pl.coalesce("until", pl.col("day") + pl.duration(days=days)).cast(pl.Date).alias("skip_until"),
            _rule(desk, "growth", pl.Float64).alias("skip_growth"),
        )
        .filter(pl.col("skip_until") > as_of)
        .sort("skip_until", "day", descending=True, maintain_order=True)
        .unique("account_id", keep="first", maintain_order=True)
        .select(
            "account_id",
            pl.col("reason").alias("skip_reason"),
            "skip_until",
            "skip_growth",
            pl.col("currency").alias("skip_currency"),
            pl.col("overdue_mills").alias("skip_overdue_mills"),
        )
    )


def _ruled_out(facts: DeskFacts, as_of: date, desk: DeskPrior) -> pl.DataFrame:
    """account_id, wrong (kinds that were the wrong thing to do), lost (a collector found no contact)."""
    until = pl.col("day") + pl.duration(days=_rule(desk, "action_days", pl.Int64))
    wrong = (pl.col("reason") == "wrong_action") & (until > as_of)
    lost = (pl.col("reason") == "no_contact") & ~pl.col("is_changed")
    return (
        facts.skips.with_columns(wrong.alias("is_wrong"), lost.alias("is_lost"))
        .filter(pl.col("is_wrong") | pl.col("is_lost"))
        .group_by("account_id")
        .agg(
            pl.col("kind").filter(pl.col("is_wrong")).unique().alias("wrong"),
            pl.col("is_lost").any().alias("lost"),
        )
    )


def _reach(reachable: pl.DataFrame) -> pl.DataFrame:
    """account_id, usable: the channels by which it can be reached, of accounts with a known address."""
    return reachable.group_by("account_id").agg(
        pl.col("channel").filter(pl.col("is_usable")).unique().alias("usable")
    )


def _codes(facts: DeskFacts, as_of: date, desk: DeskPrior) -> dict[str, pl.Expr]:
    """Why an action may not be suggested, null where it may.

    An account of which no address is known is not held against any channel: a collector may know one.
    """

    def said(name: str) -> pl.Expr:
        wrong = pl.col("wrong").list.contains(name).fill_null(False)
        return pl.when(wrong).then(pl.lit("wrong_action"))

    def way(name: str) -> pl.Expr:
        usable = pl.col("usable").list.contains(name)
        lost = pl.col("lost").fill_null(False)
        return (
            pl.when(pl.col("usable").is_not_null() & ~usable).then(pl.lit(NO_WAY[name]))
            .when(lost).then(pl.lit("no_contact"))
            .otherwise(said(name))
        )  # fmt: skip

    written_before = pl.col("since_due") > 0
    has_pec = pl.col("usable").list.contains(PEC).fill_null(False)
    visited = pl.lit(facts.makes_visits) & (pl.col("since_due") > 1)
    visited = visited & ~pl.col("account_id").is_in(list(facts.unvisited))
    asked = pl.col("first_asked") <= as_of - timedelta(days=desk.plan_after_days)
    had_chance = (asked | pl.col("plan_sign").is_in(["broken", "said"])).fill_null(False)
    lately = pl.col("last_offer") > as_of - timedelta(days=desk.plan_again_days)
    may_plan = pl.col("plan_sign").is_not_null() & had_chance
    reached = way(EMAIL).is_null() | way(CALL).is_null() | (has_pec & written_before & way(PEC).is_null())
    return {
        EMAIL: way(EMAIL),
        CALL: way(CALL),
        PEC: pl.when(has_pec & written_before).then(way(PEC)).otherwise(pl.lit(NOT_OFFERED)),
        PLAN: (
            pl.when(~may_plan)
            .then(pl.lit(NOT_OFFERED))
            .when(lately)
            .then(pl.lit(OFFERED))
            .otherwise(said(PLAN))
        ),
        VISIT: pl.when(visited).then(said(VISIT)).otherwise(pl.lit(NOT_OFFERED)),
        FIND_CONTACT: pl.when(reached).then(pl.lit(NOT_OFFERED)).otherwise(said(FIND_CONTACT)),
    }


def _factor(name: str, desk: DeskPrior) -> pl.Expr:
    """``repeat_factor`` x ``reach_factor`` x the factor of the reason of delay."""
    if name == FIND_CONTACT:
        return pl.lit(1.0)
    left = pl.lit(desk.kept_share).pow(pl.col("contacts"))
    # An offer is news: it does not wear out with reminders, but with offers.
    if name == PLAN:
        left = pl.lit(desk.plan_kept_share).pow(pl.col("offers"))
    if name in (EMAIL, PEC):
        left = left * pl.lit(desk.unanswered_share).pow(pl.col("unanswered"))
    factor = left.clip(lower_bound=desk.least_share)
    if name == CALL:
        share = (desk.reach_share * desk.reach_weight + pl.col("spoken")) / (
            desk.reach_weight + pl.col("tries")
        )
        factor = factor * share / desk.reach_share
    said = {reason: table.get(name, 1.0) for reason, table in desk.reasons.items()}
    reason = pl.col("delay_reason").replace_strict(said, default=1.0, return_dtype=pl.Float64)
    return (factor * reason.fill_null(1.0)).clip(upper_bound=MOST)
