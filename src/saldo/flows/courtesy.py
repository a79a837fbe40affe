"""Courtesy calls: customers with a large amount about to fall due, while there is time to help them pay.

Large: the amounts that make up half of all that falls due in the days ahead, the largest first, or all from a
minimum on. Of each only what may be asked counts: nothing that is promised, disputed, held, in a plan, or
being collected by the bank. docs/rules/care.md
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import polars as pl
from django.db import connection

from saldo.collection.planning import contacts_made
from saldo.core.context import Context
from saldo.core.preferences import CallAdvice, call_advice
from saldo.flows.plan_outreach import askable_now
from saldo.identity.queries import companies, current_day_run
from saldo.ledger.queries import clocks
from saldo.outreach.facts import items_told
from saldo.parties.preferences import preferences_in_force
from saldo.parties.queries import LEGAL_ZONE, contacts_of, visible_accounts_sql

DAYS = 10
# Of all that falls due in the days ahead; so few customers usually make it up that each can be called.
LARGE_SHARE = 0.5
MOST_CALLS = 30
# Accounts that are looked at item by item, the largest first.
LOOKED_AT = 300
# Whoever was spoken with so lately knows.
SPOKEN_DAYS = 7
_FALLING_DUE = """
SELECT p.account_id, sum(p.cap - p.used)
  FROM ledger_item_open_projection p
 WHERE p.company_id = %(company_id)s AND p.sign > 0 AND NOT p.used_up AND p.currency = %(currency)s
   AND p.effective_date <= %(as_of)s AND p.recorded_at <= %(known_at)s
   AND p.due_date BETWEEN %(since)s AND %(until)s
 GROUP BY p.account_id ORDER BY 2 DESC, 1 LIMIT %(most)s
"""
_CALLS = "SELECT account_id FROM collection_action WHERE day_run_id = %s AND kind = 'call'"
_CHANCES = """
SELECT item_id, p30, expected_date FROM risk_paymentforecast
 WHERE day_run_id = %s AND item_id = ANY(%s::bigint[])
"""


@dataclass(frozen=True, slots=True)
class CourtesyRow:
    """A customer to call before its due date. asked_mills: what falls due in the days ahead and may be asked.
    p_late: chance that an average euro of it is not paid within 30 days, None where no forecast is known."""

    account_id: int
    code: str
    name: str
    currency: str
    asked_mills: int
    documents: tuple[str, ...]
    first_due_date: date
    expected_date: date | None
    p_late: float | None
    contact: str
    phone: str
    advice: CallAdvice

    @property
    def at_risk_mills(self) -> float:
        """What of it may come late; without a forecast half of it, so that nobody unknown is put last."""
        return self.asked_mills * (0.5 if self.p_late is None else self.p_late)


def courtesy_calls(
    ctx: Context, company_id: int, days: int = DAYS, minimum_mills: int | None = None
) -> list[CourtesyRow]:
    """Whom to call before ``days`` days are over, those with most at risk first, at most MOST_CALLS.

    Not whom the day's list has called anyway, who was spoken with in the last SPOKEN_DAYS days, or who asked
    not to be called. Accounts that the actor sees, in the company's currency.
    """
    within = ctx.within(company_id)
    (company,) = companies(within)
    large = _large(within, company.currency, days, minimum_mills)
    ids = list(dict(large.select("account_id", "sum").iter_rows()))
    preferences = _preferences(within, ids)
    left_out = _called(within, company_id) | _spoken_with(within, ids)
    left_out |= {each for each, told in preferences.items() if any(kind == "no_call" for kind, _ in told)}
    wanted = [each for each in ids if each not in left_out]
    rows = _rows(within, large.filter(pl.col("account_id").is_in(wanted)), preferences, company_id)
    return sorted(rows, key=lambda row: (-row.at_risk_mills, row.account_id))[:MOST_CALLS]


def _large(ctx: Context, currency: str, days: int, minimum_mills: int | None) -> pl.DataFrame:
    """Items falling due of the accounts with the large sums: ASKABLE and sum."""
    since, until = ctx.as_of, ctx.as_of + timedelta(days=days)
    params = {
        **clocks(ctx), "company_id": ctx.company_id, "currency": currency, "since": since, "until": until,
        "most": LOOKED_AT,
    }  # fmt: skip
    near = _seen(ctx, [row[0] for row in _fetch(_FALLING_DUE, params)])
    found = askable_now(ctx, near or [0]).filter(
        pl.col("due_date").is_between(since, until)
        & (pl.col("asked_mills") > 0)
        & (pl.col("currency") == currency)
    )
    sums = found.group_by("account_id").agg(pl.col("asked_mills").sum().alias("sum"))
    sums = sums.sort("sum", "account_id", descending=[True, False])
    if minimum_mills is not None:
        kept = sums.filter(pl.col("sum") >= minimum_mills)
    else:
        # Those before whom half was not reached yet.
        before = pl.col("sum").cum_sum() - pl.col("sum")
        kept = sums.filter(before < LARGE_SHARE * pl.col("sum").sum())
    return found.join(kept, on="account_id")


def _seen(ctx: Context, ids: Sequence[int]) -> list[int]:
    scope, params = visible_accounts_sql(ctx)
    sql = f"SELECT id FROM parties_customeraccount WHERE id = ANY(%s::bigint[]) AND id IN ({scope})"
    seen = {row[0] for row in _fetch(sql, [list(ids), *params])}
    return [each for each in ids if each in seen]


def _called(ctx: Context, company_id: int) -> set[int]:
    """Accounts that the day's list has called."""
    run = current_day_run(company_id, ctx.as_of)
    return {row[0] for row in _fetch(_CALLS, [run.id])} if run else set()


def _spoken_with(ctx: Context, ids: Sequence[int]) -> set[int]:
    made = contacts_made(ctx, list(ids))
    return set(
        made.filter(pl.col("known_date") > ctx.as_of - timedelta(days=SPOKEN_DAYS))["account_id"].to_list()
    )


def _preferences(ctx: Context, ids: Sequence[int]) -> dict[int, list[tuple[str, str]]]:
    found: dict[int, list[tuple[str, str]]] = {}
    for account_id, kind, value in (
        preferences_in_force(ctx, ids).select("account_id", "kind", "value").iter_rows()
    ):
        found.setdefault(account_id, []).append((kind, value))
    return found


def _rows(
    ctx: Context, items: pl.DataFrame, preferences: dict[int, list[tuple[str, str]]], company_id: int
) -> list[CourtesyRow]:
    if items.is_empty():
        return []
    item_ids = items["item_id"].to_list()
    run = current_day_run(company_id, ctx.as_of)
    chances = {row[0]: row[1:] for row in _fetch(_CHANCES, [run.id, item_ids])} if run else {}
    told, names = items_told(item_ids), _names(items["account_id"].unique().to_list())
    local = ctx.clock().astimezone(LEGAL_ZONE)
    rows = []
    for (account_id,), own in items.sort("due_date", "item_id").group_by("account_id", maintain_order=True):
        assert isinstance(account_id, int)
        known = [(row, chances[row["item_id"]]) for row in own.rows(named=True) if row["item_id"] in chances]
        weight = sum(row["asked_mills"] for row, _ in known)
        late = sum(row["asked_mills"] * (1 - p30) for row, (p30, _) in known)
        contact = next((each for each in contacts_of(account_id) if each.phone), None)
        rows.append(
            CourtesyRow(
                account_id, *names[account_id], own["currency"][0], int(own["asked_mills"].sum()),
                tuple(dict.fromkeys(told[each].number for each in own["item_id"].to_list())),
                own["due_date"].min(),  # type: ignore[arg-type]
                max((day for _, (_, day) in known if day), default=None), late / weight if weight else None,
                contact.name if contact else "", contact.phone if contact else "",
                call_advice(preferences.get(account_id, ()), local),
            )
        )  # fmt: skip
    return rows


def _names(ids: Sequence[int]) -> dict[int, tuple[str, str]]:
    sql = """SELECT a.id, a.code, c.name FROM parties_customeraccount a
               JOIN parties_customer c ON c.id = a.customer_id WHERE a.id = ANY(%s::bigint[])"""
    return {row[0]: (row[1], row[2]) for row in _fetch(sql, [list(ids)])}


def _fetch(sql: str, params: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall()
