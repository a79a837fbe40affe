"""Promises judged by cash: what was promised, what came of it by the bank's booking date, and what became of
each. The rule is ``core.promises.judge``; here its facts are read, for a portfolio at once.

What the bank statements and the cash desk know is not this stage's: ``flows.judged_promises`` brings it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from itertools import groupby
from operator import itemgetter
from typing import Any

import polars as pl

from saldo.core.context import Context
from saldo.core.promises import Cash, Judged, Said, judge, remaining_mills, waited_until
from saldo.core.sending import SendingRules
from saldo.ledger.owed import balances
from saldo.ledger.queries import open_balances
from saldo.storage.frames import copy_out

# Where the caller does not know the company's own setting.
TOLERANCE_DAYS = SendingRules().promise_tolerance_days
JUDGEMENTS = {
    "promise_id": pl.Int64,
    "account_id": pl.Int64,
    "currency": pl.String,
    "promised_mills": pl.Int64,
    "paid_mills": pl.Int64,
    "left_mills": pl.Int64,
    "state": pl.String,
    "promised_date": pl.Date,
    "judged_date": pl.Date,
    "level": pl.Int64,
    "ended": pl.String,
}
# Money at the cash desk that may be an account's. entered: microseconds since 1970, when it became known.
WAITING = {
    "account_id": pl.Int64,
    "currency": pl.String,
    "mills": pl.Int64,
    "booked_date": pl.Date,
    "entered": pl.Int64,
}
# Kinds of credits that are money; an amount that the ERP's list tells as settled or reduced is as good.
CASH_KINDS = ("payment", "provisional_payment")
# Reasons of write-offs that the cash desk makes with a payment: the customer paid, and the bank kept a bit.
WAIVED = ("bank charges", "rounding")

KNOWN = "{0}.effective_date <= %(as_of)s AND {0}.recorded_at <= %(known_at)s"
OF_ACCOUNTS = """
   AND (%(company_id)s::int IS NULL OR p.company_id = %(company_id)s)
   AND (%(accounts)s::bigint[] IS NULL OR p.account_id = ANY(%(accounts)s::bigint[]))
"""
# A mistake was never a promise.
NO_MISTAKE = f"""
   AND NOT EXISTS (SELECT 1 FROM promises_promiseend m
                    WHERE m.promise_id = {{0}}.id AND m.outcome = 'mistake' AND {KNOWN.format("m")})
"""
_MICROSECONDS = "(extract(epoch FROM {0}.recorded_at) * 1000000)::bigint"
_GIVEN_SCHEMA = {
    "promise_id": pl.Int64, "account_id": pl.Int64, "currency": pl.String, "item_id": pl.Int64,
    "mills": pl.Int64, "before_mills": pl.Int64, "promised_date": pl.Date, "level": pl.Int64,
    "given_date": pl.Date, "entered": pl.Int64, "ended_date": pl.Date,
}  # fmt: skip
_GIVEN = f"""
SELECT p.id, p.account_id, p.currency, i.item_id, (i.amount * 1000)::bigint,
       (i.balance_before * 1000)::bigint, p.promised_date, p.level, p.effective_date,
       {_MICROSECONDS.format("p")}, e.effective_date
  FROM promises_promise p JOIN promises_promiseitem i ON i.promise_id = p.id
  LEFT JOIN promises_promiseend e
         ON e.promise_id = p.id AND e.outcome = 'withdrawn' AND {KNOWN.format("e")}
 WHERE {KNOWN.format("p")} {OF_ACCOUNTS} {NO_MISTAKE.format("p")}
 ORDER BY p.account_id, p.currency, p.id, i.item_id
"""
# What is in a plan is expected by the plan.
_PLANNED = f"""
SELECT i.item_id FROM promises_planitem i JOIN promises_paymentplan p ON p.id = i.plan_id
 WHERE {KNOWN.format("p")} {OF_ACCOUNTS}
   AND NOT EXISTS (SELECT 1 FROM promises_planend e WHERE e.plan_id = p.id AND {KNOWN.format("e")})
"""
_MOVES_SCHEMA = {
    "item_id": pl.Int64, "root": pl.Int64, "kind": pl.String, "reason": pl.String, "booked_date": pl.Date,
    "mills": pl.Int64, "effective_date": pl.Date, "is_back": pl.Boolean, "root_date": pl.Date,
    "entered": pl.Int64,
}  # fmt: skip
# All that came off the promised items. What takes an allocation back counts with the one that it takes back;
# as money that came back where it is of a later day, as a mistake put right where it is of the same.
_MOVES = f"""
SELECT a.debit_item_id, coalesce(o.id, a.id), c.kind, coalesce(c.details->>'reason', ''), c.effective_date,
       (a.amount * 1000)::bigint, a.effective_date, a.effective_date > coalesce(o.effective_date, 'infinity'),
       coalesce(o.effective_date, a.effective_date),
       CASE WHEN o.id IS NULL THEN {_MICROSECONDS.format("a")} ELSE {_MICROSECONDS.format("o")} END
  FROM ledger_allocation a
  JOIN ledger_item c ON c.id = a.credit_item_id
  LEFT JOIN ledger_allocation o ON o.id = a.reverses_id
 WHERE a.debit_item_id IN (SELECT i.item_id FROM promises_promise p
                             JOIN promises_promiseitem i ON i.promise_id = p.id WHERE true {OF_ACCOUNTS})
   AND {KNOWN.format("a")}
 ORDER BY a.debit_item_id, c.effective_date, a.id
"""
_LOOSE_SCHEMA = {
    "account_id": pl.Int64, "currency": pl.String, "mills": pl.Int64, "booked_date": pl.Date,
    "entered": pl.Int64,
}  # fmt: skip
_LOOSE = """
SELECT b.account_id, b.currency, (-b.balance * 1000)::bigint, b.effective_date, {entered}
  FROM ({balances} OFFSET 0) b JOIN ledger_item i ON i.id = b.id
 WHERE b.kind = 'payment' AND b.balance < 0
   AND b.account_id IN (SELECT p.account_id FROM promises_promise p)
 ORDER BY b.account_id, b.effective_date, b.id
"""


def judgements(
    ctx: Context,
    account_ids: Sequence[int] | None = None,
    rules: SendingRules | None = None,
    booked_until: date | None = None,
    waiting: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """JUDGEMENTS of all promises but mistakes, as of the context's day. booked_until: the day to which the
    bank statements reach. waiting: WAITING.

    left_mills: what is still owed of its items within what was promised, but for what was promised anew or
    is in a payment plan.
    """
    rules = rules or SendingRules()
    given = copy_out(_GIVEN, _params(ctx, account_ids), _GIVEN_SCHEMA)
    if given.is_empty():
        return pl.DataFrame(schema=JUDGEMENTS)
    moves = _by(copy_out(_MOVES, _params(ctx, account_ids), _MOVES_SCHEMA), "item_id")
    loose = _by(_loose(ctx, account_ids), "account_id", "currency")
    lines = _by(waiting, "account_id", "currency") if waiting is not None else {}
    now = _owed(ctx, given, account_ids)
    rows: list[dict[str, Any]] = []
    for key, group in groupby(given.iter_rows(named=True), key=itemgetter("account_id", "currency")):
        told = _Account(list(group), moves, rules.promise_tolerance_days)
        found = judge(
            told.said, told.cash(loose.get(key, ())), rules.promise_tolerance_days, ctx.as_of, booked_until,
            told.new(lines.get(key, ())),
        )  # fmt: skip
        rows += [told.row(each, now) for each in found]
    return pl.DataFrame(rows, schema=JUDGEMENTS, orient="row").sort("promise_id")


def _params(ctx: Context, account_ids: Sequence[int] | None) -> dict[str, Any]:
    return {
        "as_of": ctx.as_of,
        "known_at": ctx.known_at or "infinity",
        "company_id": ctx.company_id,
        "companies": None if ctx.company_id is None else [ctx.company_id],
        "accounts": None if account_ids is None else list(account_ids),
    }


def _loose(ctx: Context, account_ids: Sequence[int] | None) -> pl.DataFrame:
    """Payments with a balance, of accounts that ever promised."""
    sql = _LOOSE.format(balances=open_balances(account_ids), entered=_MICROSECONDS.format("i"))
    return copy_out(sql, _params(ctx, account_ids), _LOOSE_SCHEMA)


def _owed(ctx: Context, given: pl.DataFrame, account_ids: Sequence[int] | None) -> dict[int, int]:
    """What is open of the promised items and in no plan."""
    planned = copy_out(_PLANNED, _params(ctx, account_ids), {"item_id": pl.Int64})
    found = balances(ctx, given["item_id"].unique().to_list()).join(planned, on="item_id", how="anti")
    return dict(found.select("item_id", "balance_mills").iter_rows())


def _by(frame: pl.DataFrame, *keys: str) -> Mapping[Any, list[dict[str, Any]]]:
    found: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    key_of = itemgetter(*keys)
    for row in frame.iter_rows(named=True):
        found[key_of(row)].append(row)
    return found


class _Account:
    """The promises of one account and currency with the moves on their items."""

    def __init__(
        self, parts: list[dict[str, Any]], moves: Mapping[int, list[dict[str, Any]]], tolerance: int
    ):
        self._parts: dict[int, list[dict[str, Any]]] = defaultdict(list)
        self._of_item: dict[int, list[dict[str, Any]]] = defaultdict(list)
        for part in parts:
            self._parts[part["promise_id"]].append(part)
            self._of_item[part["item_id"]].append(part)
        self._moves = {item: moves.get(item, []) for item in self._of_item}
        self._tolerance = tolerance
        self.said = [self._said(promise) for promise in self._parts.values()]

    def _said(self, parts: list[dict[str, Any]]) -> Said:
        first = parts[0]
        last = waited_until(first["promised_date"], self._tolerance)
        replaced = {
            part["item_id"]: (later["given_date"], later["promise_id"])
            for part in parts
            for later in self._of_item[part["item_id"]]
            if later["promise_id"] == self._next(part)
        }
        return Said(
            first["promise_id"], first["given_date"], first["promised_date"],
            {part["item_id"]: part["mills"] for part in parts}, replaced,
            {part["item_id"]: self._open_at(part, last) for part in parts}, first["ended_date"],
        )  # fmt: skip

    def _next(self, part: Mapping[str, Any]) -> int:
        """The promise that names the item next; 0: none does."""
        ids = [other["promise_id"] for other in self._of_item[part["item_id"]]]
        return min((each for each in ids if each > part["promise_id"]), default=0)

    def _open_at(self, part: Mapping[str, Any], last: date) -> int:
        off = [
            move["mills"]
            for move in self._moves[part["item_id"]]
            if _is_new(move["root_date"], move, part)
            # What came back later had not settled it.
            and (move["effective_date"] <= last or (move["is_back"] and move["root_date"] <= last))
        ]
        return int(part["before_mills"]) - sum(off)

    def cash(self, loose: Iterable[Mapping[str, Any]]) -> list[Cash]:
        """Money on the promised items, one piece for each allocation, and money on none."""
        pieces = []
        for item_id, moves in self._moves.items():
            of_root: dict[int, list[dict[str, Any]]] = defaultdict(list)
            for move in moves:
                is_waived = move["kind"] == "write_off" and move["reason"] in WAIVED
                if move["kind"] in CASH_KINDS or is_waived:
                    of_root[move["root"]].append(move | {"is_waived": is_waived})
            pieces += [self._piece(item_id, rows) for rows in of_root.values()]
        return pieces + self.new(loose)

    def _piece(self, item_id: int, rows: Sequence[Mapping[str, Any]]) -> Cash:
        first = rows[0]
        since = {
            part["promise_id"] for part in self._of_item[item_id] if _is_new(first["root_date"], first, part)
        }
        back = max((row["effective_date"] for row in rows if row["is_back"]), default=None)
        mills = sum(row["mills"] for row in rows)
        return Cash(mills, first["booked_date"], frozenset(since), item_id, back, first["is_waived"])

    def new(self, rows: Iterable[Mapping[str, Any]]) -> list[Cash]:
        """Money on no item, with the promises since which it is new."""
        firsts = [parts[0] for parts in self._parts.values()]
        return [
            Cash(
                row["mills"],
                row["booked_date"],
                frozenset(f["promise_id"] for f in firsts if _is_new(row["booked_date"], row, f)),
            )
            for row in rows
        ]

    def row(self, judged: Judged, now: Mapping[int, int]) -> dict[str, Any]:
        parts = self._parts[judged.id]
        left = sum(
            remaining_mills(part["mills"], part["before_mills"], now.get(part["item_id"], 0))
            for part in parts
            if not self._next(part)
        )
        first = parts[0]
        return {
            "promise_id": judged.id, "account_id": first["account_id"], "currency": first["currency"],
            "promised_mills": judged.promised_mills, "paid_mills": judged.paid_mills,
            "left_mills": max(0, min(left, judged.promised_mills - judged.paid_mills)),
            "state": judged.state, "promised_date": first["promised_date"],
            "judged_date": judged.judged_date, "level": first["level"], "ended": judged.ended,
        }  # fmt: skip


def _is_new(day: date, told: Mapping[str, Any], promise: Mapping[str, Any]) -> bool:
    """Whether what counts from ``day`` was not in the balance when the promise was given."""
    return bool(day > promise["given_date"] or told["entered"] > promise["entered"])
