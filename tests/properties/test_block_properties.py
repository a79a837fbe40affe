"""Whatever is promised, disputed, planned, held or claimed: no reason takes more of an item than is open."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from saldo.cash.claims import record_claim
from saldo.collection.holds import hold
from saldo.core.errors import SaldoError
from saldo.core.promises import is_waited_for, remaining_mills
from saldo.core.sending import SendingRules
from saldo.disputes.operations import open_deduction, open_dispute
from saldo.flows import blocks as flow
from saldo.identity.operations import stamped
from saldo.ledger import entries
from saldo.ledger.owed import balances
from saldo.ledger.queries import open_items
from saldo.promises.operations import record_plan, record_promise
from saldo.promises.queries import promises_of
from tests.integration.test_blocks import DAY, Case

RULES = SendingRules()
item = st.integers(0, 2)
cents = st.integers(1, 120_000).map(lambda number: number * 10)
step = st.one_of(
    st.tuples(st.just("pay"), item, cents),
    st.tuples(st.just("back"), item, cents),
    st.tuples(st.just("promise"), item, st.none() | cents),
    st.tuples(st.just("dispute"), item, st.none() | cents),
    st.tuples(st.just("deduction"), item, cents),
    st.tuples(st.just("plan"), item, cents),
    st.tuples(st.just("claim"), item, st.none() | cents),
    st.tuples(st.just("hold"), item, st.none()),
)


def act(case: Case, what: str, number: int, mills: int | None) -> None:
    target = (case.first, case.second, case.third)[number]
    ctx, amount = case.ctx(), Decimal(mills or 0) / 1000
    deeds: dict[str, Any] = {
        "pay": lambda: case.pay(target, f"{amount:.2f}", DAY),
        "back": lambda: entries.reverse_allocation(ctx, target, amount, "insoluto"),
        "promise": lambda: record_promise(ctx, case.account, "EUR", DAY, mills, [target]),
        "dispute": lambda: open_dispute(ctx, case.account, [(target, mills)], "price"),
        "deduction": lambda: open_deduction(stamped(ctx, case.world.company.id), target, mills),
        "plan": lambda: record_plan(ctx, case.account, "EUR", [(DAY, mills)], [target]),
        "claim": lambda: record_claim(ctx, case.account, "EUR", [target], mills),
        "hold": lambda: hold(ctx, case.account, DAY, "other", target),
    }
    # What is refused records nothing.
    with suppress(SaldoError):
        deeds[what]()


@pytest.mark.django_db(transaction=False)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(step, min_size=1, max_size=10), later=st.integers(0, 10))
def test_no_reason_takes_more_of_an_item_than_is_open(db: None, steps: list[Any], later: int) -> None:
    from django.db import transaction

    with transaction.atomic():
        case = Case()
        for each in steps:
            act(case, *each)
        ctx = case.ctx(DAY + timedelta(days=later))
        open_now = balances(ctx, [case.first, case.second, case.third]).select("item_id", "balance_mills")
        found = flow.blocks(ctx, RULES, [case.account]).join(open_now, on="item_id")
        assert (found["balance_mills"] > 0).all()
        amounts = found.filter(pl.col("mills").is_not_null())
        sums = (
            amounts.filter(pl.col("code") != "cash_first")
            .group_by("item_id", "code")
            .agg(pl.col("mills").sum(), pl.col("mills").min().alias("least"), pl.col("balance_mills").first())
        )
        assert (sums["mills"] <= sums["balance_mills"]).all(), found
        assert (sums["least"] > 0).all()
        claims = amounts.filter(pl.col("code") == "cash_first")
        assert (claims["mills"] <= claims["balance_mills"]).all()
        given_items = flow.blocks(ctx, RULES, items=open_items(ctx))
        assert given_items.sort("item_id", "code", "ref").equals(
            flow.blocks(ctx, RULES).sort("item_id", "code", "ref")
        )
        # The whole company, or one account of it: the same.
        assert (
            flow.blocks(ctx, RULES)
            .sort("item_id", "code", "ref")
            .equals(flow.blocks(ctx, RULES, [case.account]).sort("item_id", "code", "ref"))
        )
        # Frames and single records agree on what is left of promises.
        waited = sum(
            remaining_mills(*(int(each * 1000) for each in (part.amount, before, now)))
            for row in promises_of(ctx, case.account)
            if row.state == "open" and is_waited_for(row.promised_date, 3, ctx.as_of)
            for part in row.items
            for before, now in [(_before(row.id, part.item_id), _now(open_now, part.item_id))]
            if part.remaining
        )
        assert found.filter(pl.col("code") == "promised")["mills"].sum() == waited
        transaction.set_rollback(True)


def _before(promise_id: int, item_id: int) -> Decimal:
    from saldo.promises.models import PromiseItem

    return PromiseItem.objects.get(promise_id=promise_id, item_id=item_id).balance_before


def _now(open_now: pl.DataFrame, item_id: int) -> Decimal:
    return Decimal(dict(open_now.iter_rows())[item_id]) / 1000
