"""What the ranking knows of the people who work the list: what they did, learnt and have time for."""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from saldo.analytics.book import Book
from saldo.analytics.ranking import Desk
from saldo.analytics.ranking_effects import CONTACTED, REACHABLE, SIGNS, DeskFacts
from saldo.cash.collections import returned_receipts
from saldo.collection.assignments import capacities
from saldo.collection.causes import delay_reasons
from saldo.collection.desk_facts import makes_visits, plans_spoken_of, skips, timed_contacts, tries
from saldo.core.context import Context
from saldo.core.desk_prior import DeskPrior, default_desk_prior
from saldo.core.playbook import CALL, EMAIL, PEC
from saldo.core.preferences import NO_VISIT
from saldo.core.promises import BROKEN, PARTIALLY_KEPT
from saldo.flows.facts import Facts
from saldo.flows.judged_promises import judgements
from saldo.parties.preferences import preferences_in_force
from saldo.parties.ways import ways
from saldo.promises.offered import plans_offered

# A part payment leaves more than this share of an item open, and less than the other.
PART_LEAST, PART_MOST = 0.1, 0.9
RETURNED_DAYS = 180


def desk_of_day(ctx: Context, facts: Facts, book: Book, forecasts: pl.DataFrame) -> Desk:
    """The desk of ``ctx.company_id`` at both clocks of the context."""
    prior = default_desk_prior()
    unwilling = preferences_in_force(ctx).filter(pl.col("kind") == NO_VISIT)
    minutes = capacities(ctx)["minutes"]
    return Desk(
        facts=DeskFacts(
            contacts=book.contacts.select(list(CONTACTED)),
            answered=_answered(book),
            tries=tries(ctx),
            delays=delay_reasons(ctx).select("account_id", "reason", "day"),
            skips=skips(ctx),
            reachable=_reachable(ctx),
            timed=timed_contacts(ctx),
            makes_visits=makes_visits(ctx),
            unvisited=tuple(unwilling["account_id"].unique().sort().to_list()),
            broken=_broken(ctx),
            offers=pl.concat([plans_offered(ctx), plans_spoken_of(ctx)]).unique(maintain_order=True),
            short_of_cash=_short_of_cash(ctx, facts, forecasts, prior),
        ),
        last_contacts=facts.contacts,
        minutes=float(minutes.sum()) if minutes.len() else None,
    )


def _answered(book: Book) -> pl.DataFrame:
    """account_id, day: on which the customer was heard: spoken with, or it promised or objected."""
    spoken = book.contacts.filter(pl.col("channel") == "contact")
    owners = book.items.select("item_id", "account_id")
    objected = book.disputes.join(owners, on="item_id", how="inner")
    return pl.concat(
        each.select("account_id", pl.col("known_date").alias("day"))
        for each in (spoken, book.promises, objected)
    )


def _reachable(ctx: Context) -> pl.DataFrame:
    known = ways(ctx).filter(
        pl.col("channel").is_in([EMAIL, PEC, CALL]) & (pl.col("contact_id").is_not_null())
    )
    return known.select(
        "account_id", "channel", ((pl.col("stop") == "") & (pl.col("address") != "")).alias("is_usable")
    ).cast(REACHABLE)  # type: ignore[arg-type]


def _broken(ctx: Context) -> pl.DataFrame:
    judged = judgements(ctx).filter(pl.col("state").is_in([BROKEN, PARTIALLY_KEPT]))
    return judged.select("account_id", pl.col("judged_date").alias("day")).drop_nulls()


def _short_of_cash(ctx: Context, facts: Facts, forecasts: pl.DataFrame, prior: DeskPrior) -> pl.DataFrame:
    """SIGNS: receipts that came back, items paid in part, and who pays very late as a habit."""
    since = ctx.as_of - timedelta(days=RETURNED_DAYS)
    returned = returned_receipts(ctx).filter(pl.col("date") >= since)
    share = pl.col("balance_mills") / pl.col("amount_mills")
    owed = facts.open_items.filter((pl.col("balance_mills") > 0) & (pl.col("due_date") < ctx.as_of))
    parts = owed.filter(share.is_between(PART_LEAST, PART_MOST))
    habit = pl.col("mean_delay_days") >= prior.plan_late_days
    late = forecasts.filter((pl.col("rung") == "account") & habit)
    named = (("returned", returned), ("part_payment", parts), ("late", late))
    told = [frame.select("account_id", pl.lit(code).alias("code")) for code, frame in named]
    return pl.concat(told).unique(maintain_order=True).cast(SIGNS)  # type: ignore[arg-type]
