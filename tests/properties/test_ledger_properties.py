"""Whatever is recorded, in whatever order, with whatever dates: the money adds up on every day, as known at
every instant, and what is told of the past does not change.

The answers of the queries are compared with sums made here in Python over the bare rows."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from django.db import transaction
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from saldo.analytics.book import SCHEMAS, balances, open_on
from saldo.core.aging import BUCKETS, bucket_of
from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.core.money import Money
from saldo.identity.models import Company
from saldo.ledger import entries
from saldo.ledger.book import book_of
from saldo.ledger.entries import Share
from saldo.ledger.models import Allocation, Item, ItemOpenProjection, ItemTerms
from saldo.ledger.operations import rebuild_projection
from saldo.ledger.queries import BUCKET_COLUMNS, open_items, projection_differences, totals
from saldo.parties.models import Customer, CustomerAccount

pytestmark = pytest.mark.django_db
DAY = date(2026, 1, 1)
START = datetime(2026, 1, 1, 8, tzinfo=UTC)
DAYS = 60
# What may be refused: the sequences are random, the rules are not.
REFUSALS = {"allocation_exceeds", "allocation_exceeds_on_a_day", "reversal_exceeds", "terms_not_for_item"}

days = st.integers(0, DAYS)
cents = st.integers(1, 3000)
picks = st.integers(0, 7)
step = st.one_of(
    st.tuples(st.just("invoice"), picks, cents, days, st.lists(days, min_size=1, max_size=3)),
    st.tuples(st.just("payment"), picks, cents, days, st.lists(st.tuples(picks, cents), max_size=2)),
    st.tuples(st.just("credit_note"), picks, cents, days, st.lists(st.tuples(picks, cents), max_size=1)),
    st.tuples(st.just("allocate"), picks, st.one_of(cents, st.none()), days, picks),
    st.tuples(st.just("reverse"), picks, st.one_of(cents, st.none()), days, st.booleans()),
    st.tuples(st.just("write_off"), picks, st.one_of(cents, st.none()), days, st.none()),
    st.tuples(st.just("amend"), picks, st.none(), days, days),
)


class RollBack(Exception):
    """Ends an example; nothing of it stays."""


@dataclass
class World:
    """Two accounts, a clock that goes on by a day a step, and the net that the steps should have made."""

    accounts: list[int] = field(default_factory=list)
    debits: list[int] = field(default_factory=list)
    credits: list[int] = field(default_factory=list)
    net: Decimal = Decimal(0)
    now: datetime = START

    def context(self, day: int = 0) -> Context:
        return Context("test", DAY + timedelta(day), lambda: self.now)


def world() -> World:
    company = Company.objects.create(code="PROPERTY", name="Property")
    made = World()
    for code in ("A", "B"):
        customer = Customer.objects.create(name=code, search_text=code, sort_name=code)
        account = CustomerAccount.objects.create(
            company=company, customer=customer, code=code, recorded_at=START
        )
        made.accounts.append(account.id)
    return made


def of(ids: list[int], pick: int) -> int | None:
    return ids[pick % len(ids)] if ids else None


def shares(w: World, told: list[tuple[int, int]]) -> list[Share]:
    return [Share(w.debits[pick % len(w.debits)], Decimal(n) / 100) for pick, n in told if w.debits]


def balance(item_id: int) -> Decimal:
    used = ItemOpenProjection.objects.get(item_id=item_id)
    return used.cap - used.used


def play(w: World, number: int, move: tuple[Any, ...]) -> None:
    """One step. A refusal must be one of the rules', and leaves everything as it was."""
    kind, pick, size, day, more = move
    w.now += timedelta(days=1)
    ctx, amount = w.context(day), None if size is None else Decimal(size) / 100
    before = Item.objects.count(), Allocation.objects.count(), ItemTerms.objects.count()
    try:
        w.net += moved(w, ctx, number, kind, pick, amount, more)
    except SaldoError as error:
        assert error.code in REFUSALS, error
        event(f"{kind} refused: {error.code}")
        assert (Item.objects.count(), Allocation.objects.count(), ItemTerms.objects.count()) == before


def moved(
    w: World, ctx: Context, number: int, kind: str, pick: int, amount: Decimal | None, more: Any
) -> Decimal:
    """Do the step; returns by how much it should change the net of the two accounts."""
    account = of(w.accounts, pick) or 0
    if kind == "invoice":
        parts = [(DAY + timedelta(due), amount) for due in more]
        whole = Money(amount * len(parts), "EUR")
        w.debits += entries.record_invoice(ctx, account, f"F{number}", whole, parts).item_ids
        return whole.amount
    if kind == "payment":
        made = entries.record_payment(ctx, account, Money(amount, "EUR"), shares(w, more))
        w.credits += made.item_ids
        return -amount
    if kind == "credit_note":
        made = entries.record_credit_note(ctx, account, f"N{number}", Money(amount, "EUR"), shares(w, more))
        w.credits += made.item_ids
        return -amount
    if kind == "allocate" and w.debits and w.credits:
        debit, credit = w.debits[more % len(w.debits)], w.credits[pick % len(w.credits)]
        # Without an amount: all that fits, which is where the borders are.
        amount = amount or min(balance(debit), balance(credit))
        if amount:
            entries.allocate(ctx, credit, [Share(debit, amount)])
        return Decimal(0)
    debit = of(w.debits, pick)
    if debit is None:
        return Decimal(0)
    if kind == "reverse":
        allocated = ItemOpenProjection.objects.get(item_id=debit).used
        if amount := amount or allocated:
            entries.reverse_allocation(ctx, debit, amount, "test", correction=more)
            return Decimal(0) if more else amount
    if kind == "write_off" and (amount := amount or balance(debit)):
        entries.write_off(ctx, debit, amount, "test")
        return -amount
    if kind == "amend":
        entries.amend_due_date(ctx, debit, DAY + timedelta(more), "test")
    return Decimal(0)


# --- the same answers, from the bare rows -------------------------------------------------------------


@dataclass
class Rows:
    items: list[dict[str, Any]]
    allocations: list[dict[str, Any]]
    terms: list[dict[str, Any]]


def rows() -> Rows:
    return Rows(
        list(Item.objects.order_by("id").values()),
        list(Allocation.objects.order_by("id").values()),
        list(ItemTerms.objects.order_by("id").values()),
    )


def in_force(found: list[dict[str, Any]], as_of: date, known_at: datetime) -> Iterator[dict[str, Any]]:
    return (row for row in found if row["effective_date"] <= as_of and row["recorded_at"] <= known_at)


def expected(all_rows: Rows, as_of: date, known_at: datetime) -> dict[str, Decimal]:
    """Open, credits, net, overdue, unapplied and the buckets at (as_of, known_at)."""
    used: Counter[int] = Counter()
    for row in in_force(all_rows.allocations, as_of, known_at):
        used[row["debit_item_id"]] += row["amount"]
        used[row["credit_item_id"]] += row["amount"]
    due: dict[int, tuple[Any, ...]] = {}
    for row in in_force(all_rows.terms, as_of, known_at):
        since = (row["effective_date"], row["recorded_at"], row["id"])
        due[row["item_id"]] = max(due.get(row["item_id"], (since, row["due_date"])), (since, row["due_date"]))
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for item in in_force(all_rows.items, as_of, known_at):
        left = abs(item["amount"]) - used[item["id"]]
        sums["net"] += item["amount"]
        if item["amount"] < 0:
            sums["credits"] += left
            sums["unapplied"] += left if item["kind"] == "payment" else 0
            continue
        day = due[item["id"]][1] if item["id"] in due else item["due_date"]
        sums["open"] += left
        sums["overdue"] += left if day < as_of else 0
        sums[bucket_of(day, as_of)] += left
    return sums


def told(as_of: date, known_at: datetime | None, company_id: int) -> dict[str, Decimal]:
    ctx = Context("test", as_of, lambda: START, known_at=known_at, company_id=company_id)
    frame = totals(ctx, by_account=False)
    if frame.is_empty():
        return dict.fromkeys(["open", "credits", "unapplied", "overdue", *BUCKETS], Decimal(0))
    (row,) = frame.iter_rows(named=True)
    names = {"open": "open", "credits": "credits", "unapplied": "unapplied", "overdue": "overdue"}
    names |= dict(zip(BUCKETS, BUCKET_COLUMNS, strict=True))
    return {name: Decimal(row[f"{column}_mills"]) / 1000 for name, column in names.items()}


def check_at(all_rows: Rows, as_of: date, known_at: datetime, company_id: int) -> dict[str, Decimal]:
    """The queries' answers at (as_of, known_at), after they were found right."""
    answer, right = told(as_of, known_at, company_id), expected(all_rows, as_of, known_at)
    assert answer == {name: right[name] for name in answer}
    assert sum(answer[bucket] for bucket in BUCKETS) == answer["open"]
    assert answer["open"] - answer[BUCKETS[0]] == answer["overdue"]
    # The control account: whatever was allocated, moved or reversed, it is the sum of the items.
    assert answer["open"] - answer["credits"] == right["net"]
    ctx = Context("test", as_of, lambda: START, known_at=known_at, company_id=company_id)
    frame = open_items(ctx)
    assert Decimal(int(frame["balance_mills"].sum())) / 1000 == right["net"]
    check_book(ctx, frame)
    return answer


def check_book(ctx: Context, ours: pl.DataFrame) -> None:
    """What models are told of is what the ledger says, item by item: balances, due dates, whole accounts."""
    book = book_of(ctx)
    asked = balances(book, open_on(book, ctx.as_of)).select("item_id", "due_date", "balance_mills")
    owed = ours.filter(pl.col("balance_mills") > 0).select("item_id", "due_date", "balance_mills")
    assert asked.sort("item_id").equals(owed.sort("item_id"))
    assert (book.items["known_date"] <= ctx.as_of).all() and (book.ends["known_date"] <= ctx.as_of).all()
    for account in book.items["account_id"].unique().to_list():
        alone, among = book_of(ctx, [account]), book.of_accounts([account])
        for name in SCHEMAS:
            assert getattr(alone, name).equals(getattr(among, name)), name


def check_never_beyond(all_rows: Rows) -> None:
    """On no day, as known at no instant, is an item used beyond its amount or below nothing."""
    cap = {item["id"]: abs(item["amount"]) for item in all_rows.items}
    by_item: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in all_rows.allocations:
        by_item[row["debit_item_id"]].append(row)
        by_item[row["credit_item_id"]].append(row)
    for item_id, found in by_item.items():
        for known_at in {row["recorded_at"] for row in found}:
            for day in {row["effective_date"] for row in found}:
                used = sum(row["amount"] for row in in_force(found, day, known_at))
                assert 0 <= used <= cap[item_id]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    moves=st.lists(step, min_size=8, max_size=24),
    looks=st.lists(st.tuples(days, st.integers(0, 15)), min_size=1, max_size=3),
)
def test_the_money_adds_up_on_every_day_as_known_at_every_instant(
    db: None, moves: list[Any], looks: list[tuple[int, int]]
) -> None:
    with pytest.raises(RollBack), transaction.atomic():
        w = world()
        company_id = Company.objects.get(code="PROPERTY").id
        # Every step, each look is noted: nothing recorded later may change what was told.
        noted: dict[tuple[date, datetime], dict[str, Decimal]] = {}
        for number, move in enumerate(moves):
            play(w, number, move)
            for day, _ in looks:
                as_of = DAY + timedelta(day)
                noted[as_of, w.now] = told(as_of, None, company_id)
        all_rows = rows()
        for (as_of, known_at), answer in noted.items():
            assert told(as_of, known_at, company_id) == answer
        for day, after in looks:
            check_at(all_rows, DAY + timedelta(day), START + timedelta(days=after), company_id)
        last = check_at(all_rows, DAY + timedelta(days=2 * DAYS), w.now, company_id)
        assert last["open"] - last["credits"] == w.net
        check_never_beyond(all_rows)
        assert projection_differences() == []
        stored = list(ItemOpenProjection.objects.order_by("item_id").values_list())
        rebuild_projection()
        assert list(ItemOpenProjection.objects.order_by("item_id").values_list()) == stored
        raise RollBack
