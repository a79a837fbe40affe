"""The world itself: one seed is one world, money is conserved, and only contacts change anything."""

from __future__ import annotations

from datetime import date, timedelta
from functools import cache

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from saldo.core.calendar import add_months
from saldo.simulation.world import tables
from saldo.simulation.world.parameters import load
from saldo.simulation.world.world import World

LAST = date(2026, 6, 30)
MEANT_ONLY = ["charges", "rounding", "discount"]


def silent_world(seed: int = 3, horizon_days: int = 60) -> World:
    """A small world in which nobody asks anybody."""
    p = load()
    first = add_months(LAST, -p.size("small").months) + timedelta(days=1)
    return World(p, p.size("small"), seed, first, LAST + timedelta(days=horizon_days))


@cache
def made(seed: int) -> World:
    return World.make("small", seed, LAST)


def message(account: int, day: date, lines: list[int], **told: str) -> pl.DataFrame:
    row = {
        "message_id": None, "account_id": account, "sent_date": day, "channel": "call", "tone": "firm",
        "purpose": "reminder", "installments": lines,
    } | told  # fmt: skip
    return pl.DataFrame([row], schema=tables.MESSAGES)


def test_the_same_seed_gives_the_same_world_and_another_one_another() -> None:
    again = World.make("small", 1, LAST).tables()
    for name, frame in made(1).tables().named().items():
        assert_frame_equal(frame, again.named()[name])
    assert not made(2).tables().payments.equals(again.payments)


def test_every_table_has_its_schema() -> None:
    for name, frame in made(1).tables().named().items():
        assert dict(frame.schema) == dict(pl.DataFrame(schema=getattr(tables, name.upper())).schema), name


def test_a_world_advanced_day_by_day_equals_one_advanced_at_once() -> None:
    slow, fast = silent_world(), silent_world()
    day = slow.first_day
    while day <= LAST:
        slow.advance(day)
        slow.tables()
        day += timedelta(days=1)
    fast.advance(LAST)
    for name, frame in slow.tables().named().items():
        assert_frame_equal(frame, fast.tables().named()[name])


def test_nothing_is_true_before_its_day() -> None:
    t = made(1).tables()
    days = {
        "invoices": "date", "orders": "date", "payments": "booking_date", "postings": "posted_date",
        "receipts": "presented_date", "remittances": "sent_date", "messages": "sent_date",
        "replies": "reply_date", "ratings": "rated_date", "balance_sheets": "filed_date",
    }  # fmt: skip
    for name, column in days.items():
        latest = t.named()[name][column].max()
        assert latest is None or latest <= LAST, name
    assert (t.receipts["returned_date"].drop_nulls() <= LAST).all()


@pytest.mark.parametrize("seed", [1, 2, 5])
def test_money_is_conserved(seed: int) -> None:
    t = made(seed).tables()
    posted = t.postings.group_by("installment_id").agg(pl.col("amount_cents").sum().alias("posted"))
    lines = t.installments.join(posted, on="installment_id", how="left").with_columns(
        (pl.col("cash_cents") - pl.col("posted").fill_null(0)).alias("open")
    )
    # No line is settled beyond its amount, on either side.
    assert lines.filter(pl.col("open") * pl.col("cash_cents").sign() < 0).is_empty()
    assert lines.filter(pl.col("open").abs() > pl.col("cash_cents").abs()).is_empty()
    # What the bank books is what it is for, line by line.
    purpose = (
        t.payment_lines.filter(~pl.col("kind").is_in(MEANT_ONLY))
        .group_by("payment_id")
        .agg(pl.col("amount_cents").sum().alias("meant"))
    )
    booked = t.payments.filter(pl.col("kind") != "fee").join(purpose, on="payment_id", how="left")
    assert booked.filter(pl.col("meant") != pl.col("amount_cents")).is_empty()
    # The installments of an invoice are the invoice.
    parts = t.installments.group_by("invoice_id").agg(pl.col("amount_cents").sum().abs().alias("parts"))
    assert t.invoices.join(parts, on="invoice_id").filter(pl.col("parts") != pl.col("total_cents")).is_empty()


def test_slips_are_the_sum_of_their_receipts() -> None:
    t = made(1).tables()
    sums = t.receipts.group_by("batch_id").agg(pl.col("amount_cents").sum().alias("receipts"))
    slips = t.payments.filter(pl.col("kind").is_in(["riba", "sdd"])).join(sums, on="batch_id")
    assert slips.height > 5
    assert (slips["amount_cents"] == slips["receipts"]).all()


def test_a_quarter_of_the_transfers_carry_no_usable_reference() -> None:
    shares = []
    for seed in (1, 2, 5):
        transfers = made(seed).tables().payments.filter(pl.col("kind") == "transfer")
        bare = transfers["faults"].list.eval(pl.element().is_in(["words", "own_code", "none"])).list.any()
        shares.append(bare.sum() / transfers.height)
    assert sum(shares) / len(shares) >= 0.25


def test_who_is_not_asked_does_not_change() -> None:
    asked, silent = silent_world(), silent_world()
    asked.advance(LAST)
    silent.advance(LAST)
    t = asked.tables()
    overdue = overdue_lines(t, LAST)
    account = overdue["account_id"][0]
    own = overdue.filter(pl.col("account_id") == account)["installment_id"].to_list()
    asked.respond(message(account, LAST, own), LAST)
    until = LAST + timedelta(days=50)
    asked.advance(until)
    silent.advance(until)
    customer = t.accounts.filter(pl.col("account_id") == account)["customer_id"][0]
    other = pl.col("payer_id") != customer
    columns = ["company_id", "payer_id", "booking_date", "amount_cents", "text"]
    with_ask, without = (
        world.tables().payments.filter(other & (pl.col("kind") == "transfer")).select(columns)
        for world in (asked, silent)
    )
    # Parents pay for others: their transfers may differ by what was asked of a subsidiary.
    parents = t.customers["paid_by"].drop_nulls().to_list()
    keep = ~pl.col("payer_id").is_in(parents)
    assert_frame_equal(with_ask.filter(keep), without.filter(keep))


def overdue_lines(t: tables.Tables, day: date) -> pl.DataFrame:
    posted = t.postings.group_by("installment_id").agg(pl.col("amount_cents").sum().alias("posted"))
    return (
        t.installments.join(posted, on="installment_id", how="left")
        .filter(pl.col("cash_cents") - pl.col("posted").fill_null(0) > 0)
        .filter(pl.col("due_date") < day)
        .sort("account_id", "installment_id")
    )


def forgetful_world() -> tuple[World, World, pl.DataFrame]:
    """Two equal worlds and what their forgetful customers owe too late."""
    asked, silent = silent_world(), silent_world()
    asked.advance(LAST)
    silent.advance(LAST)
    t = asked.tables()
    kinds = t.accounts.join(t.customers, on="customer_id").filter(
        (pl.col("paying_type") == "forgetful") & pl.col("insolvency_date").is_null()
    )
    return asked, silent, overdue_lines(t, LAST).join(kinds.select("account_id"), on="account_id", how="semi")


def test_a_reminder_moves_the_forgetful() -> None:
    asked, silent, owed = forgetful_world()
    for account, own in owed.group_by("account_id", maintain_order=True):
        asked.respond(message(account[0], LAST, own["installment_id"].to_list()), LAST)
    until = LAST + timedelta(days=20)
    paid = []
    for world in (asked, silent):
        world.advance(until)
        lines = world.tables().payment_lines.join(owed.select("installment_id"), on="installment_id")
        booked = lines.join(world.tables().payments, on="payment_id").filter(pl.col("booking_date") > LAST)
        paid.append(booked["amount_cents"].sum())
    assert owed["account_id"].n_unique() >= 3
    assert paid[0] > paid[1]


def test_replies_are_told_once_and_not_before_their_day() -> None:
    asked, _, owed = forgetful_world()
    told = []
    for account, own in owed.group_by("account_id", maintain_order=True):
        told.append(
            asked.respond(message(account[0], LAST, own["installment_id"].to_list(), channel="email"), LAST)
        )
    for offset in range(1, 6):
        day = LAST + timedelta(days=offset)
        asked.advance(day)
        told.append(asked.respond(pl.DataFrame(schema=tables.MESSAGES), day))
        assert (told[-1]["reply_date"] <= day).all()
    everything = pl.concat(told)
    assert everything["reply_id"].n_unique() == everything.height == asked.tables().replies.height > 0


def test_the_office_of_the_past_leaves_promises_and_disputes() -> None:
    kinds = set(pl.concat([made(seed).tables().replies for seed in (1, 2, 5)])["kind"])
    assert {"promise", "dispute", "already_paid", "wrong_person"} <= kinds
