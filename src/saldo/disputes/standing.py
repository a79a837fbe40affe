"""What is left of every dispute and deduction at (as_of, known_at), by core.disputes.

standing      one row for each objection to an item, those that ended too
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import connection

from saldo.core.context import Context
from saldo.core.disputes import Change, Left, Objection, Settlement, left_of_item

DISPUTE, DEDUCTION = "dispute", "deduction"

_OF = """
   AND (%(company_id)s::int IS NULL OR d.company_id = %(company_id)s)
   AND d.effective_date <= %(as_of)s AND d.recorded_at <= %(known_at)s
   AND (%(accounts)s::bigint[] IS NULL OR d.account_id = ANY(%(accounts)s::bigint[]))
   AND (%(disputes)s::bigint[] IS NULL OR {items} = ANY(ARRAY(
        SELECT o.item_id FROM disputes_disputeitem o WHERE o.dispute_id = ANY(%(disputes)s::bigint[]))))
"""
_THEN = "AND e.effective_date <= %(as_of)s AND e.recorded_at <= %(known_at)s"
_OBJECTIONS = f"""
SELECT 'dispute', d.id, d.account_id, i.item_id, d.effective_date, d.recorded_at, (i.amount * 1000)::bigint
  FROM disputes_dispute d JOIN disputes_disputeitem i ON i.dispute_id = d.id
 WHERE true {_OF.format(items="i.item_id")}
UNION ALL
SELECT 'deduction', d.id, d.account_id, d.item_id, d.effective_date, d.recorded_at, (d.amount * 1000)::bigint
  FROM disputes_deduction d WHERE true {_OF.format(items="d.item_id")}
 ORDER BY 6, 1 DESC, 2, 4
"""
_CHANGES = f"""
SELECT 'dispute', e.dispute_id, s.item_id, e.id, e.effective_date, e.recorded_at, (s.amount * 1000)::bigint,
       e.outcome
  FROM disputes_disputeentry e JOIN disputes_disputesettlement s ON s.entry_id = e.id
  JOIN disputes_dispute d ON d.id = e.dispute_id
 WHERE true {_THEN} {_OF.format(items="s.item_id")}
UNION ALL
SELECT 'deduction', d.id, d.item_id, e.id, e.effective_date, e.recorded_at, (d.amount * 1000)::bigint,
       e.outcome
  FROM disputes_deductionend e JOIN disputes_deduction d ON d.id = e.deduction_id
 WHERE true {_THEN} {_OF.format(items="d.item_id")}
 ORDER BY 4
"""
_SETTLEMENTS = """
SELECT a.debit_item_id, a.effective_date, a.recorded_at, (a.amount * 1000)::bigint, c.kind, c.id
  FROM ledger_allocation a JOIN ledger_item c ON c.id = a.credit_item_id
 WHERE a.debit_item_id = ANY(%(items)s::bigint[])
   AND a.effective_date <= %(as_of)s AND a.recorded_at <= %(known_at)s
 ORDER BY a.recorded_at, a.id
"""
_AMOUNTS = "SELECT id, (amount * 1000)::bigint FROM ledger_item WHERE id = ANY(%(items)s::bigint[])"


@dataclass(frozen=True, slots=True)
class Standing:
    """One objection to an item. kind: DISPUTE or DEDUCTION; ref: its id; mills: as it was made."""

    kind: str
    ref: int
    account_id: int
    item_id: int
    day: date
    recorded_at: datetime
    mills: int
    left: Left


def _params(
    ctx: Context, account_ids: Sequence[int] | None, dispute_ids: Sequence[int] | None
) -> dict[str, Any]:
    return {
        "company_id": ctx.company_id,
        "as_of": ctx.as_of,
        "known_at": ctx.known_at or "infinity",
        "accounts": None if account_ids is None else list(account_ids),
        "disputes": None if dispute_ids is None else list(dispute_ids),
    }


def _rows(sql: str, params: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall()


def standing(
    ctx: Context, account_ids: Sequence[int] | None = None, dispute_ids: Sequence[int] | None = None
) -> list[Standing]:
    """Every objection known on the day to items of these accounts, in the order in which they were made.

    dispute_ids: every objection to the items of these disputes, since what arrives on an item goes to the
    oldest of them.
    """
    params = _params(ctx, account_ids, dispute_ids)
    said = _rows(_OBJECTIONS, params)
    if not said:
        return []
    changes: dict[tuple[str, int, int], list[Change]] = {}
    for kind, ref, item_id, _entry, day, recorded_at, mills, outcome in _rows(_CHANGES, params):
        changes.setdefault((kind, ref, item_id), []).append(Change(day, recorded_at, mills, outcome))
    of_item: dict[int, list[Objection]] = {}
    for kind, ref, _account, item_id, day, recorded_at, mills in said:
        told = tuple(changes.get((kind, ref, item_id), ()))
        of_item.setdefault(item_id, []).append(Objection((kind, ref), day, recorded_at, mills, told))
    left = _left(of_item, {**params, "items": list(of_item)})
    return [
        Standing(kind, ref, account_id, item_id, day, recorded_at, mills, left[item_id][(kind, ref)])
        for kind, ref, account_id, item_id, day, recorded_at, mills in said
    ]


def _left(
    of_item: Mapping[int, list[Objection]], params: Mapping[str, Any]
) -> dict[int, dict[tuple[str, int], Left]]:
    settlements: dict[int, list[Settlement]] = {}
    for item_id, day, recorded_at, mills, kind, credit in _rows(_SETTLEMENTS, params):
        settlements.setdefault(item_id, []).append(Settlement(day, recorded_at, mills, kind, credit))
    amounts = dict(_rows(_AMOUNTS, params))
    return {
        item_id: left_of_item(amounts.get(item_id, 0), said, settlements.get(item_id, ()))
        for item_id, said in of_item.items()
    }
