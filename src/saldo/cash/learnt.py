"""What is believed about payers, as people read it: whose, since when, and the line that taught it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from saldo.cash.desk import rows_of
from saldo.core.context import Context
from saldo.core.normalize import search_text

_LEARNT = """
SELECT a.id, a.kind, a.value, a.account_id, c.name AS account_name, a.actor, a.recorded_at,
       t.id AS line_id, t.booking_date, t.amount, t.currency, t.payer_name,
       other.name AS pays_for, p.mode
  FROM cash_alias a
  JOIN parties_customeraccount acc ON acc.id = a.account_id
  JOIN parties_customer c ON c.id = acc.customer_id
  LEFT JOIN cash_aliaswithdrawal w ON w.alias_id = a.id
  LEFT JOIN cash_posting p ON p.id = a.posting_id
  LEFT JOIN cash_banktransaction t ON t.id = p.transaction_id
  LEFT JOIN parties_customeraccount paid ON a.kind = 'pays_for' AND paid.id::text = a.value
  LEFT JOIN parties_customer other ON other.id = paid.customer_id
 WHERE a.company_id = %(company)s AND w.id IS NULL
   AND (%(alias)s::bigint IS NULL OR a.id = %(alias)s)
   AND (%(like)s = '' OR c.search_text LIKE %(like)s OR a.value ILIKE %(compact)s)
 ORDER BY a.recorded_at DESC, a.id DESC LIMIT %(limit)s OFFSET %(offset)s
"""


@dataclass(frozen=True, slots=True)
class LearntRow:
    """One thing believed. mode: of the posting that taught it, empty where a person said it."""

    id: int
    kind: str
    value: str
    account_id: int
    account_name: str
    actor: str
    recorded_at: datetime
    line_id: int | None
    booking_date: date | None
    amount: Decimal | None
    currency: str
    payer_name: str
    mode: str


def learnt(
    ctx: Context, text: str, limit: int, offset: int = 0, alias_id: int | None = None
) -> list[LearntRow]:
    """What is believed now in the context's company, the newest first. text: a customer, an IBAN, a name."""
    wanted = search_text(text)
    params = {
        "company": ctx.company_id, "alias": alias_id, "limit": limit, "offset": offset,
        "like": f"%{wanted}%" if wanted else "", "compact": f"%{text.replace(' ', '')}%",
    }  # fmt: skip
    return [_row(row) for row in rows_of(_LEARNT, params)]


def _row(row: Mapping[str, Any]) -> LearntRow:
    kept = {name: row[name] for name in LearntRow.__slots__ if name in row}
    kept |= {name: row[name] or "" for name in ("currency", "payer_name", "mode")}
    kept["value"] = row["pays_for"] or row["value"]
    return LearntRow(**kept)
