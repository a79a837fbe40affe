"""What the bank and the ledger say of the lines and items that are to be posted, read under the locks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.db import connection

from saldo.cash.plans import Facts, ItemFacts, LineFacts, Planned, Standing
from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.ledger.provisional import LEAD_DAYS, explainable

# The last posting of a line tells its state.
LAST_POSTING = """
LEFT JOIN LATERAL (SELECT p.id, p.sequence, p.kind FROM cash_posting p WHERE p.transaction_id = t.id
                    ORDER BY p.sequence DESC LIMIT 1) last ON true
"""
_LINES = f"""
SELECT t.id, t.company_id, t.kind, t.status, t.booking_date, t.value_date, (t.amount * 1000)::bigint,
       t.currency, t.payer_name, t.payer_iban, t.text, (t.original_amount * 1000)::bigint,
       t.original_currency, t.ordinal, s.document_id, s.is_quarantined AND r.id IS NULL,
       coalesce(last.sequence, 0), coalesce(last.kind, '')
  FROM cash_banktransaction t
  JOIN cash_statement s ON s.id = t.statement_id
  LEFT JOIN cash_statementrelease r ON r.statement_id = s.id
  {LAST_POSTING}
 WHERE t.id = ANY(%s)
"""
_ITEMS = """
SELECT i.id, i.company_id, i.account_id, i.kind, i.currency, p.sign, i.effective_date, i.invoice_id,
       i.installment_no, ((p.cap - p.used) * 1000)::bigint, coalesce(v.number, m.number, ''),
       greatest(i.effective_date, CASE WHEN p.has_reversal THEN (
           SELECT max(back.effective_date) FROM (
               SELECT a.effective_date FROM ledger_allocation a
                WHERE a.debit_item_id = i.id OR a.credit_item_id = i.id
                GROUP BY a.debit_item_id, a.credit_item_id, a.effective_date HAVING sum(a.amount) < 0
           ) back) END)
  FROM ledger_item i
  JOIN ledger_item_open_projection p ON p.item_id = i.id
  LEFT JOIN ledger_invoice v ON v.id = i.invoice_id
  LEFT JOIN ledger_payment m ON m.id = i.payment_id
 WHERE i.id = ANY(%s)
"""


def _rows(sql: str, ids: Iterable[int]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, [list(ids)])
        return list(cursor.fetchall())


def line_facts(transaction_ids: Iterable[int]) -> dict[int, LineFacts]:
    return {row[0]: LineFacts(*row) for row in _rows(_LINES, transaction_ids)}


def item_facts(item_ids: Iterable[int]) -> dict[int, ItemFacts]:
    return {row[0]: ItemFacts(*row) for row in _rows(_ITEMS, item_ids)}


def accounts_of_items(item_ids: Iterable[int]) -> set[int]:
    """An item stays with its account for ever: this may be read before the accounts are locked."""
    return {row[0] for row in _rows("SELECT account_id FROM ledger_item WHERE id = ANY(%s)", item_ids)}


def account_of_code(transaction_id: int, code: str) -> int:
    """The account with this code in the line's company. Raises SaldoError: account_code_unknown."""
    sql = (
        "SELECT a.id FROM cash_banktransaction t"
        " JOIN parties_customeraccount a ON a.company_id = t.company_id AND a.code = %s WHERE t.id = %s"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, [code, transaction_id])
        found = cursor.fetchone()
    if found is None:
        raise SaldoError("account_code_unknown", code=code)
    return int(found[0])


def items_named(plans: Sequence[Planned]) -> set[int]:
    return {
        item_id
        for plan in plans
        for item_id in (
            *(share.item_id for share in plan.shares),
            *(difference.item_id for difference in plan.differences),
            *(objection.item_id for objection in plan.deductions),
        )
    }


def facts_of(ctx: Context, plans: Sequence[Planned], accounts: Mapping[int, int]) -> Facts:
    """``ctx`` is stamped and of the company; ``accounts``: those locked, with their companies."""
    lines = line_facts(plan.transaction_id for plan in plans)
    item_ids = items_named(plans)
    items = item_facts(item_ids) if item_ids else {}
    standing: dict[int, list[Standing]] = defaultdict(list)
    debits = [item.id for item in items.values() if item.sign > 0]
    if debits and lines:
        since = min(line.booking_date for line in lines.values()) - timedelta(days=LEAD_DAYS)
        told = explainable(ctx, since, item_ids=debits)
        for row in told.iter_rows(named=True):
            standing[row["item_id"]].append(
                Standing(row["effective_date"], row["amount_mills"], row["is_settlement"])
            )
    return Facts(accounts, lines, items, dict(standing))
