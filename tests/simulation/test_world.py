"""The world itself: one seed is one world, money is conserved, and only contacts change anything."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from functools import cache

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from saldo.core.calendar import add_months, is_business_day
from saldo.simulation.world import tables
from saldo.simulation.world.parameters import load
from saldo.simulation.world.respond import TONES
from saldo.simulation.world.world import World

LAST = date(2026, 6, 30)
MEANT_ONLY = ["charges", "rounding", "discount"]
CHANNELS = ("email", "call", "pec", "letter", "sms")


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


def chased(seed: int, reverse: bool = False, days: int = 75) -> World:
    """A world in which everybody is asked, or offered a plan, every other week by every channel and tone."""
    world = World.make("small", seed, LAST, horizon_days=days)
    for offset in range(1, days + 1):
        day = LAST + timedelta(days=offset)
        world.advance(day)
        rows = []
        owed = overdue_lines(world.tables(), day + timedelta(days=8))
        for at, (account, own) in enumerate(owed.group_by("account_id", maintain_order=True)):
            if (account[0] + offset) % 14 == 0:
                told = {"channel": CHANNELS[at % 5], "tone": TONES[at % 4]}
                told["purpose"] = "plan" if at % 2 else "reminder"
                rows.append(message(account[0], day, own["installment_id"].to_list(), **told))
        if rows:
            world.respond(pl.concat(rows[::-1] if reverse else rows), day)
    return world


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


def test_the_order_in_which_messages_are_handed_over_means_nothing() -> None:
    one, other = chased(4, days=40).tables(), chased(4, reverse=True, days=40).tables()
    assert one.messages.height > 50
    for name, frame in one.named().items():
        assert_frame_equal(frame, other.named()[name])


@pytest.mark.parametrize("make", [made, chased])
@pytest.mark.parametrize("seed", [1, 2, 5])
def test_money_is_conserved(make: Callable[[int], World], seed: int) -> None:
    t = make(seed).tables()
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


def test_nobody_pays_after_it_failed_whatever_was_agreed() -> None:
    late, plans = [], 0
    for seed in range(4):
        world = silent_world(seed, horizon_days=120)
        world.advance(LAST - timedelta(days=60))
        t = world.tables()
        failing = t.accounts.join(t.customers, on="customer_id").filter(
            pl.col("insolvency_date") > world.today
        )
        owed = overdue_lines(t, world.today).join(failing, on="account_id", how="semi")
        for account, own in owed.group_by("account_id", maintain_order=True):
            lines = own["installment_id"].to_list()
            for channel in CHANNELS:
                told = {"channel": channel, "tone": "formal", "purpose": "plan"}
                world.respond(message(account[0], world.today, lines, **told), world.today)
        world.advance(LAST + timedelta(days=120))
        t = world.tables()
        plans += t.replies.filter(pl.col("kind").is_in(["plan_accepted", "promise"])).height
        ends = t.customers.select(pl.col("customer_id").alias("payer_id"), "insolvency_date")
        paid = t.payments.filter(pl.col("kind") == "transfer").join(ends, on="payer_id")
        late.append(paid.filter(pl.col("booking_date") >= pl.col("insolvency_date")))
        assert t.customers["insolvency_date"].is_between(LAST, world.today).any()
    assert plans > 0
    assert pl.concat(late).is_empty()


def test_nobody_buys_after_it_failed_or_was_taken_over() -> None:
    for seed in range(1, 9):
        t = made(seed).tables()
        ends = t.accounts.join(t.customers, on="customer_id").select(
            "account_id", pl.min_horizontal("insolvency_date", "merged_date").alias("end")
        )
        for frame in (t.orders, t.invoices.filter(pl.col("kind") == "invoice")):
            assert frame.join(ends, on="account_id").filter(pl.col("date") >= pl.col("end")).is_empty()


def test_banks_and_the_office_work_on_business_days() -> None:
    for seed in range(1, 9):
        t = made(seed).tables()
        for days in (t.payments["booking_date"], t.postings["posted_date"]):
            assert all(is_business_day(day) for day in days.unique())


def test_the_office_of_the_past_writes_to_addresses_that_are_there() -> None:
    letters = 0
    for seed in range(1, 9):
        t = made(seed).tables()
        sent = t.messages.join(t.accounts, on="account_id")
        no_pec = t.customers.filter(pl.col("pec") == "")
        with_mail = t.contacts.filter(pl.col("email") != "")
        assert sent.filter(pl.col("channel") == "pec").join(no_pec, on="customer_id", how="semi").is_empty()
        assert (
            sent.filter(pl.col("channel") == "email").join(with_mail, on="customer_id", how="anti").is_empty()
        )
        letters += sent.filter(pl.col("channel") == "letter").height
    assert letters > 0


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


def test_what_is_due_today_is_still_paid_after_a_courtesy() -> None:
    """Today's transfers are made when the message comes: they are not missed for it."""
    moved = 0
    for seed in range(1, 7):
        world = silent_world(seed)
        world.advance(LAST - timedelta(days=30))
        t = world.tables()
        kinds = t.accounts.join(t.customers, on="customer_id").filter(
            pl.col("insolvency_date").is_null(),
            pl.col("merged_date").is_null(),
            pl.col("method") == "transfer",
        )
        due_today = (
            overdue_lines(t, world.today + timedelta(days=1))
            .filter(pl.col("due_date") == world.today)
            .join(kinds, on="account_id")
        )
        for account, own in due_today.group_by("account_id", maintain_order=True):
            lines = own["installment_id"].to_list()
            told = {"channel": "pec", "tone": "courtesy"}
            plan = world._state.lines.plan
            before = plan[lines].copy()
            world.respond(message(account[0], world.today, lines, **told), world.today)
            changed = plan[lines] != before
            moved += int(changed.sum())
            assert (plan[lines][changed] > world._state.today).all()
            assert not changed.any() or own["paying_type"][0] == "forgetful"
    assert moved > 0


def test_who_objects_and_is_not_heard_does_not_pay_for_it() -> None:
    silent = heard = 0
    for seed in range(1, 7):
        world = silent_world(seed)
        world.advance(LAST)
        state, t = world._state, world.tables()
        owed = overdue_lines(t, LAST)
        objects = state.lines.is_disputed[owed["installment_id"].to_numpy()]
        for account, own in owed.filter(pl.Series(objects)).group_by("account_id", maintain_order=True):
            lines = own["installment_id"].to_list()
            before = state.lines.plan[lines].copy()
            told = {"channel": "pec", "tone": "formal"}
            replies = world.respond(message(account[0], LAST, lines, **told), LAST + timedelta(days=9))
            if "dispute" in replies["kind"].to_list():
                heard += 1
            else:
                silent += 1
                assert (state.lines.plan[lines] == before).all()
    assert silent > 3
    assert heard > 3


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
