"""Reading one message for its page: its words, what became of it, what it asks for and why it was written."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import connection

from saldo.core.context import Context
from saldo.parties.queries import visible_accounts_sql

_MESSAGE = """
SELECT m.id, m.company_id, m.account_id, acc.code, c.name, m.action_id, m.in_reply_to_id AS reply_id,
       m.channel, m.purpose, m.track, m.step, m.level, m.tone, m.currency, m.asked, m.contact_id, m.to_name,
       m.to_address, m.language, m.template, m.template_version, m.subject, m.body, m.attach::text AS attach,
       m.rfc_id,
       m.as_of, m.actor, m.recorded_at, a.reasons::text AS reasons, pv.code AS playbook, pv.id AS playbook_id,
       pv.version AS playbook_version, p.note AS approval_note, p.actor AS approved_by,
       p.recorded_at AS approved_at
  FROM outreach_message m
  JOIN parties_customeraccount acc ON acc.id = m.account_id
  JOIN parties_customer c ON c.id = acc.customer_id
  LEFT JOIN collection_playbookaction a ON a.id = m.action_id
  LEFT JOIN collection_playbookversion pv ON pv.id = a.playbook_id
  LEFT JOIN collection_playbookdecision p ON p.action_id = a.id
"""
_DELIVERIES = """
SELECT d.id, d.state, d.attempt, d.code, d.detail, d.not_before, d.occurred_at, d.actor, d.document_id,
       x.name AS document_name, x.size_bytes AS document_size
  FROM outreach_delivery d LEFT JOIN intake_document x ON x.id = d.document_id
 WHERE d.message_id = %s ORDER BY d.id
"""
_ITEMS = """
SELECT mi.item_id, mi.asked, mi.level, mi.level_before, coalesce(inv.number, pay.number, '') AS number,
       i.installment_no, coalesce(terms.due_date, i.due_date) AS due_date, i.effective_date, i.amount
  FROM outreach_messageitem mi
  JOIN ledger_item i ON i.id = mi.item_id
  LEFT JOIN ledger_invoice inv ON inv.id = i.invoice_id
  LEFT JOIN ledger_payment pay ON pay.id = i.payment_id
  LEFT JOIN LATERAL (SELECT t.due_date FROM ledger_itemterms t
                      WHERE t.item_id = i.id AND t.effective_date <= %s
                      ORDER BY t.effective_date DESC, t.recorded_at DESC, t.id DESC LIMIT 1) terms ON true
 WHERE mi.message_id = %s ORDER BY due_date, number, installment_no
"""


@dataclass(frozen=True, slots=True)
class DeliveryLine:
    """One thing that became of a message; document_id: the bytes sent or received."""

    id: int
    state: str
    attempt: int
    code: str
    detail: str
    not_before: datetime | None
    occurred_at: datetime
    actor: str
    document_id: int | None
    document_name: str | None
    document_size: int | None


@dataclass(frozen=True, slots=True)
class AskedItem:
    """An item as the message asks for it."""

    item_id: int
    asked: Decimal
    level: int
    level_before: int
    number: str
    installment_no: int
    due_date: date | None
    effective_date: date
    amount: Decimal


@dataclass(frozen=True, slots=True)
class MessageView:
    """A message with all that its page shows."""

    facts: dict[str, Any]
    deliveries: tuple[DeliveryLine, ...]
    items: tuple[AskedItem, ...]
    state: str

    @property
    def id(self) -> int:
        return int(self.facts["id"])

    @property
    def account_id(self) -> int:
        return int(self.facts["account_id"])


def _fetch(sql: str, params: list[Any]) -> list[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


_STRENGTH = (
    "sent", "published", "printed", "accepted", "delivered", "opened", "clicked", "bounced", "complaint",
)  # fmt: skip


def state_among(states: list[str]) -> str:
    """The state that a sequence of deliveries leaves: the strongest that tells it left, else the last."""
    left = [state for state in states if state in _STRENGTH]
    return max(left, key=_STRENGTH.index) if left else (states[-1] if states else "")


def message(ctx: Context, message_id: int) -> MessageView | None:
    """A message of an account that the actor may see."""
    scope, params = visible_accounts_sql(ctx)
    rows = _fetch(f"{_MESSAGE} WHERE m.id = %s AND m.account_id IN ({scope})", [message_id, *params])
    if not rows:
        return None
    facts = rows[0]
    facts["attach"] = json.loads(facts["attach"] or "[]")
    facts["reasons"] = json.loads(facts["reasons"] or "[]")
    deliveries = tuple(DeliveryLine(**row) for row in _fetch(_DELIVERIES, [message_id]))
    items = tuple(AskedItem(**row) for row in _fetch(_ITEMS, [facts["as_of"], message_id]))
    return MessageView(facts, deliveries, items, state_among([each.state for each in deliveries]))


def letters_to_print(ctx: Context) -> list[int]:
    """Letters of the context's company that are kept in Saldo and were not printed yet, the oldest first."""
    scope, params = visible_accounts_sql(ctx)
    rows = _fetch(
        f"""SELECT m.id FROM outreach_message m
             WHERE m.company_id = %s AND m.channel = 'letter' AND m.account_id IN ({scope})
               AND EXISTS (SELECT 1 FROM outreach_delivery d WHERE d.message_id = m.id
                            AND d.state = 'sent' AND d.code = 'to_print')
               AND NOT EXISTS (SELECT 1 FROM outreach_delivery d WHERE d.message_id = m.id
                                AND d.state IN ('printed', 'delivered'))
             ORDER BY m.id LIMIT 2000""",
        [ctx.company_id, *params],
    )
    return [row["id"] for row in rows]


def decision_of(action_id: int) -> dict[str, Any] | None:
    """Who approved or refused the action, and the message made of it."""
    rows = _fetch(
        """SELECT d.is_approved, d.note, d.actor, d.recorded_at, m.id AS message_id
             FROM collection_playbookaction a
             LEFT JOIN collection_playbookdecision d ON d.action_id = a.id
             LEFT JOIN outreach_message m ON m.action_id = a.id
            WHERE a.id = %s AND (d.id IS NOT NULL OR m.id IS NOT NULL) LIMIT 1""",
        [action_id],
    )
    return rows[0] if rows else None
