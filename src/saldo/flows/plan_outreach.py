"""What playbooks do today: the facts of a company gathered, and the plan made of them.

outreach_of         the plan of a day and what may be asked of each item, for the day's run
plan_outreach       the plan alone (playbooks given: what they would do)
askable_now         what may be asked of some accounts at this moment, for the sender
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

import polars as pl

from saldo.analytics.askable import (
    ACCOUNTS,
    ITEMS,
    LEFT_OUT,
    PLAN,
    SENT,
    left_out,
    with_asked,
)
from saldo.analytics.playbook_arms import ENTRANTS
from saldo.analytics.playbook_plan import newcomers, plan
from saldo.analytics.playbook_ways import MONTH_DAYS
from saldo.collection.causes import delay_reasons
from saldo.collection.experiments import trials
from saldo.collection.holds import holds_in_force
from saldo.collection.planning import last_contacts
from saldo.collection.playbooks import in_force
from saldo.collection.segments import segments
from saldo.core.context import Context
from saldo.core.playbook import CALL, WRITTEN, Playbook
from saldo.core.sending import CASH_FIRST, SendingRules
from saldo.flows import blocks as blocking
from saldo.flows.facts import Facts, gather
from saldo.identity.queries import CompanyRow
from saldo.intake.queries import last_export_day
from saldo.ledger.queries import open_items
from saldo.outreach.history import item_history, sent_messages
from saldo.outreach.pauses import pauses
from saldo.outreach.settings import rules_of
from saldo.parties.ways import ways
from saldo.risk.queries import stored_classes

# The usual delay of an account is told by payments of this time, at least so many of them.
HABIT_DAYS, HABIT_ITEMS = 730, 3
# Where only open items were imported, an account is known at least so long once they are so old.
KNOWN_DAYS = 365
INSOLVENCY = "insolvency"


@dataclass(frozen=True, slots=True)
class Outreach:
    """plan: PLAN. items: ASKABLE, every open debit. left_out: LEFT_OUT, what of it is not asked and why.
    written: account_id, track, channel, step of the messages that go today or went today ("" for step).
    entrants: ENTRANTS, customers who come into experiments today."""

    plan: pl.DataFrame
    items: pl.DataFrame
    left_out: pl.DataFrame
    written: pl.DataFrame
    entrants: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=ENTRANTS))


def plan_outreach(
    ctx: Context,
    company: CompanyRow,
    facts: Facts | None = None,
    playbooks: Sequence[tuple[int, Playbook]] | None = None,
    scores: pl.DataFrame | None = None,
    is_live: bool | None = None,
) -> pl.DataFrame:
    """PLAN of the company's day. Nothing is kept.

    playbooks: instead of those in force, as a dry run asks. scores: account_id, risk_class of the day; else
    the last ones kept. is_live: whether the company sends; None: as its settings say.
    """
    ctx = ctx.within(company.id)
    chosen = in_force(company.id, ctx.known_at) if playbooks is None else playbooks
    if not chosen:
        return pl.DataFrame(schema=PLAN)
    return outreach_of(ctx, company, facts or gather(ctx), chosen, scores, is_live).plan


def outreach_of(
    ctx: Context,
    company: CompanyRow,
    facts: Facts,
    playbooks: Sequence[tuple[int, Playbook]] | None = None,
    scores: pl.DataFrame | None = None,
    is_live: bool | None = None,
) -> Outreach:
    """The plan with what it stands on; see ``plan_outreach``."""
    rules = rules_of(company.id, ctx.known_at)
    chosen = in_force(company.id, ctx.known_at) if playbooks is None else playbooks
    items = _items(ctx, facts.open_items, with_history=bool(chosen))
    out = left_out(
        items,
        blocking.blocks(ctx, rules, items=facts.open_items),
        blocking.covers(ctx, items=facts.open_items),
        rules,
    )
    askable = with_asked(items, out)
    sent = _sent(ctx, rules)
    if not chosen:
        empty = pl.DataFrame(schema=PLAN)
        return Outreach(empty, askable, out, _written(empty, sent, ctx.as_of))
    live = rules.cutover_date is not None and ctx.as_of >= rules.cutover_date
    accounts, until = accounts_of(ctx, company, facts, scores), known_until(ctx, company.id)
    waits, tried = pauses(ctx, rules), trials(ctx)
    planned = plan(
        chosen,
        accounts,
        askable,
        sent,
        ways(ctx),
        ctx.as_of,
        until,
        rules,
        live if is_live is None else is_live,
        out,
        waits,
        tried,
    )
    written = _written(planned, sent, ctx.as_of)
    if not live or playbooks is not None or not tried.running:
        return Outreach(planned, askable, out, written)
    come = newcomers(chosen, accounts, askable, sent, ctx.as_of, until, rules, waits, tried)
    return Outreach(planned, askable, out, written, come)


def _written(planned: pl.DataFrame, sent: pl.DataFrame, as_of: date) -> pl.DataFrame:
    columns = ("account_id", "track", "channel", "step")
    going = planned.filter(pl.col("blocked") == "").select(columns)
    gone = sent.filter(pl.col("date") == as_of).with_columns(pl.lit("").alias("step")).select(columns)
    return (
        pl.concat([going, gone])
        .filter(pl.col("channel").is_in(list(WRITTEN)))
        .unique(["account_id", "track"], keep="first", maintain_order=True)
    )


def askable_now(ctx: Context, account_ids: Sequence[int]) -> pl.DataFrame:
    """ASKABLE: every open debit of the accounts (of one company), at both clocks of the context."""
    assert ctx.company_id is not None, "accounts of one company"
    rules = rules_of(ctx.company_id, ctx.known_at)
    owed = open_items(ctx, account_ids=account_ids)
    items = _items(ctx, owed, with_history=True, account_ids=account_ids)
    out = left_out(
        items,
        blocking.blocks(ctx, rules, account_ids, owed),
        blocking.covers(ctx, account_ids, owed),
        rules,
    )
    return with_asked(items, out)


def known_until(ctx: Context, company_id: int) -> date | None:
    """The day up to which payments are known: by the bank's statements, else by the ERP's newest list; None
    where neither was ever read."""
    booked = blocking.booked_until(ctx)
    return last_export_day(company_id, ctx.as_of, ctx.known_at) if booked is None else booked


def _items(
    ctx: Context, owed: pl.DataFrame, with_history: bool, account_ids: Sequence[int] | None = None
) -> pl.DataFrame:
    """ITEMS: the debits of open items, with what was written about them."""
    debits = owed.filter(pl.col("balance_mills") > 0).select(
        "item_id", "account_id", "currency", "kind", "balance_mills", "due_date"
    )
    history = item_history(ctx, account_ids) if with_history else None
    if history is None or history.is_empty():
        none = [pl.lit(None, dtype=kind).alias(name) for name, kind in ITEMS.items() if name not in debits]
        joined = debits.with_columns(none)
    else:
        joined = debits.join(history, on="item_id", how="left", maintain_order="left")
    return joined.with_columns(
        pl.col("level").fill_null(0), pl.col("last_step").fill_null(""),
        pl.col("soon_steps").fill_null(pl.lit([], dtype=pl.List(pl.String))),
    ).select(*ITEMS)  # fmt: skip


def _sent(ctx: Context, rules: SendingRules) -> pl.DataFrame:
    """SENT: messages of the last days that caps look at, and the last contact that a person made."""
    days = max(MONTH_DAYS, rules.rest_days)
    people = last_contacts(ctx).select(
        "account_id", pl.lit(None, dtype=pl.Int64).alias("contact_id"), pl.lit("").alias("address"),
        pl.lit(CALL).alias("channel"), pl.lit("").alias("track"), pl.lit("").alias("purpose"),
        pl.col("last_contact").alias("date"),
    )  # fmt: skip
    return pl.concat([sent_messages(ctx, ctx.as_of - timedelta(days=days)), people.select(*SENT)])


def accounts_of(
    ctx: Context, company: CompanyRow, facts: Facts | None = None, scores: pl.DataFrame | None = None
) -> pl.DataFrame:
    """ACCOUNTS: one row per account and currency of what is owed, with what segments ask about."""
    ctx = ctx.within(company.id)
    facts, rules = facts or gather(ctx), rules_of(company.id, ctx.known_at)
    items = facts.open_items.filter(pl.col("balance_mills") > 0)
    classes = stored_classes(ctx) if scores is None else scores.select("account_id", "risk_class")
    insolvent = holds_in_force(ctx).filter(pl.col("reason") == INSOLVENCY)
    each = items.group_by("account_id", "currency").agg(pl.col("balance_mills").sum().alias("open_mills"))
    joined = each.sort("account_id", "currency")
    for frame in (
        segments(ctx),
        classes.rename({"risk_class": "class"}),
        _known_days(facts),
        _late_days(facts),
        blocking.account_states(ctx, rules),
        delay_reasons(ctx).select("account_id", pl.col("reason").alias("delay_reason")),
        insolvent.select("account_id", pl.lit(True).alias("is_insolvent")).unique(),
    ):
        joined = joined.join(frame, on="account_id", how="left", maintain_order="left")
    return joined.with_columns(
        pl.col("segment", "country", "class", "promise", "delay_reason").fill_null(""),
        pl.col("has_dispute", "has_plan", "is_insolvent").fill_null(False),
    ).select(*ACCOUNTS)


def _known_days(facts: Facts) -> pl.DataFrame:
    """account_id, known_days: since the first document; null where only open items tell, and not enough."""
    dates = pl.concat(
        [
            facts.history.select("account_id", "document_date"),
            facts.open_items.select("account_id", "document_date"),
        ]
    )
    days = (pl.lit(facts.as_of) - pl.col("document_date").min()).dt.total_days()
    known = dates.group_by("account_id").agg(days.alias("known_days"))
    if facts.known_from is None:
        return known
    return known.filter(pl.col("known_days") >= KNOWN_DAYS)


def _late_days(facts: Facts) -> pl.DataFrame:
    """account_id, late_days: the median delay of what was paid in HABIT_DAYS, of HABIT_ITEMS at least."""
    paid = facts.history.filter(
        pl.col("paid_date").is_not_null()
        & ~pl.col("closed_unknown")
        & (pl.col("paid_date") > facts.as_of - timedelta(days=HABIT_DAYS))
    )
    late = (pl.col("paid_date") - pl.col("due_date")).dt.total_days()
    return (
        paid.group_by("account_id")
        .agg(late.median().alias("late_days"), pl.len().alias("paid"))
        .filter(pl.col("paid") >= HABIT_ITEMS)
        .select("account_id", "late_days")
    )


def nothing_to_ask(out: pl.DataFrame, items: pl.DataFrame) -> pl.DataFrame:
    """item_id of what is promised, disputed, planned or held to the last cent: nobody is asked for it.

    What unapplied cash might cover is still the ledger's debt, and stays in the worklist.
    """
    assert set(LEFT_OUT) <= set(out.columns)
    # A claim ("già pagato") has a reference; covers have none.
    taken = out.filter((pl.col("code") != CASH_FIRST) | pl.col("ref").is_not_null())
    sums = taken.group_by("item_id").agg(pl.col("mills").sum())
    return (
        sums.join(items.select("item_id", "balance_mills"), on="item_id")
        .filter(pl.col("mills") >= pl.col("balance_mills"))
        .select("item_id")
    )
