"""Thanks: a note after all that a reminder asked for has been paid.

Only where the company wants it (its settings), the playbook of that reminder has a thanks step, nothing else
of the account is past due, and the money came: a credit note or a write-off is nothing to be thanked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from django.db import connection, transaction

from saldo.collection.holds import holds_in_force
from saldo.collection.playbooks import playbook_of
from saldo.core.context import Context
from saldo.core.message_facts import Line, MessageFacts
from saldo.core.money import to_mills
from saldo.core.playbook import OVERDUE, THANKS, Step
from saldo.core.sending import LEFT
from saldo.flows.jobs import defer_sends
from saldo.flows.message_drafts import Moment, Queued, Refused, address_problem, lock_accounts, moment
from saldo.ledger.queries import clocks
from saldo.outreach.facts import ItemTold, items_told, language_of, way_of
from saldo.outreach.messages import Draft, make_many
from saldo.outreach.settings import rules_of
from saldo.outreach.templates import filled
from saldo.storage.locks import retried

# How long after a reminder, and after the money, thanks still make sense.
ASKED_DAYS, PAID_DAYS = 60, 7
NO_WORDS = "action_no_words"

# The newest reminder of each account and currency that left, all of whose items were paid with money since:
# one row per message. "Newest" first, so that an older one that was overtaken is never thanked for.
_PAID = """
WITH newest AS (
    SELECT DISTINCT ON (m.account_id, m.currency) m.id, m.account_id, m.currency, m.contact_id, m.as_of,
           a.playbook_id
      FROM outreach_message m JOIN collection_playbookaction a ON a.id = m.action_id
     WHERE m.company_id = %(company_id)s AND m.track = %(overdue)s
       AND m.as_of BETWEEN %(since)s AND %(as_of)s AND m.recorded_at <= %(known_at)s
       AND EXISTS (SELECT 1 FROM outreach_delivery d WHERE d.message_id = m.id AND d.state = ANY(%(left)s))
     ORDER BY m.account_id, m.currency, m.id DESC
)
SELECT n.id, n.account_id, n.currency, n.contact_id, n.playbook_id, settled.day
  FROM newest n
  CROSS JOIN LATERAL (
      SELECT max(paid.day) AS day, bool_and(paid.amount >= p.cap AND paid.by_money) AS is_paid
        FROM outreach_messageitem mi
        JOIN ledger_item_open_projection p ON p.item_id = mi.item_id
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(al.amount), 0) AS amount, max(al.effective_date) AS day,
                   coalesce(bool_and(c.kind = 'payment') FILTER (WHERE al.effective_date >= n.as_of), false)
                     AS by_money
              FROM ledger_allocation al JOIN ledger_item c ON c.id = al.credit_item_id
             WHERE al.debit_item_id = mi.item_id AND al.effective_date <= %(as_of)s
               AND al.recorded_at <= %(known_at)s) paid
       WHERE mi.message_id = n.id) settled
 WHERE settled.is_paid AND settled.day >= %(paid_since)s
   AND NOT EXISTS (SELECT 1 FROM outreach_message t WHERE t.account_id = n.account_id
                      AND t.track = %(thanks)s AND t.as_of >= settled.day)
 ORDER BY n.account_id, n.currency
"""
_ITEMS = """
SELECT mi.message_id, mi.item_id, p.due_date, mi.asked
  FROM outreach_messageitem mi JOIN ledger_item_open_projection p ON p.item_id = mi.item_id
 WHERE mi.message_id = ANY(%s) ORDER BY mi.message_id, p.due_date, mi.item_id
"""


@dataclass(frozen=True, slots=True)
class _Paid:
    message_id: int
    account_id: int
    currency: str
    contact_id: int | None
    step: Step
    lines: tuple[Line, ...]


def queue_thanks(ctx: Context, company_id: int) -> Queued:
    """Thanks for what was paid in the last days, once for a reminder and once for a payment."""
    if not rules_of(company_id, ctx.known_at).thanks:
        return Queued()
    within = ctx.within(company_id)
    paid = _paid(within)
    return retried(lambda: _queued(within, paid)) if paid else Queued()


@transaction.atomic
def _queued(ctx: Context, paid: Sequence[_Paid]) -> Queued:
    ids = sorted({each.account_id for each in paid})
    lock_accounts(ids)
    now = moment(ctx, ids)
    held = set(holds_in_force(ctx, ids)["account_id"].to_list())
    drafts: list[Draft] = []
    refused: list[Refused] = []
    for each in paid:
        if each.account_id in held or _owes(now, each.account_id, ctx.as_of):
            continue
        draft = _draft(ctx, each, now)
        if isinstance(draft, Draft):
            drafts.append(draft)
        else:
            refused.append(draft)
    new = [made.id for made in make_many(ctx, drafts) if made.is_new]
    defer_sends(new)
    return Queued(tuple(new), tuple(refused))


def _owes(now: Moment, account_id: int, as_of: date) -> bool:
    """Whether anything of the account is past due, in any currency, asked for or not."""
    return any(
        row["due_date"] < as_of
        for (owner, _), rows in now.owed.items()
        if owner == account_id
        for row in rows
    )


def _draft(ctx: Context, paid: _Paid, now: Moment) -> Draft | Refused:
    assert ctx.company_id is not None
    step = paid.step
    way = way_of(now.ways, paid.account_id, step.channel, paid.contact_id)
    if (problem := address_problem(step.channel, way)) or way is None:
        return Refused(None, paid.account_id, problem)
    receiver = replace(now.receivers[paid.account_id], contact=way.name)
    language = language_of(way.language, receiver.country)
    template = now.templates.get((step.template, step.channel, language))
    if template is None:
        params = {"template": step.template, "channel": step.channel}
        return Refused(None, paid.account_id, NO_WORDS, params)
    facts = MessageFacts(now.sender, receiver, ctx.as_of, paid.currency, paid.lines, THANKS)
    said = filled(template.template, facts, step.channel, language)
    return Draft(
        company_id=ctx.company_id,
        account_id=paid.account_id,
        key=f"thanks:{paid.message_id}",
        channel=step.channel,
        purpose=THANKS,
        currency=paid.currency,
        language=language,
        subject=said.subject,
        body=said.body,
        as_of=ctx.as_of,
        to_name=way.name,
        to_address=way.address,
        contact_id=way.contact_id,
        track=THANKS,
        step=step.code,
        tone=step.tone,
        template=step.template,
        template_version=template.version,
    )


def _paid(ctx: Context) -> list[_Paid]:
    params = {
        **clocks(ctx),
        "company_id": ctx.company_id,
        "overdue": OVERDUE,
        "thanks": THANKS,
        "left": list(LEFT),
        "since": ctx.as_of - timedelta(days=ASKED_DAYS),
        "paid_since": ctx.as_of - timedelta(days=PAID_DAYS),
    }
    found = []
    for message_id, account_id, currency, contact_id, playbook_id, _ in _rows(_PAID, params):
        ladder = playbook_of(playbook_id).ladder(THANKS)
        if ladder:
            found.append((message_id, account_id, currency, contact_id, ladder[0]))
    items = _rows(_ITEMS, [[row[0] for row in found]])
    told = items_told([row[1] for row in items])
    lines: dict[int, list[Line]] = {}
    for message_id, item_id, due_date, asked in items:
        lines.setdefault(message_id, []).append(_line(item_id, told[item_id], due_date, to_mills(asked)))
    return [_Paid(*row, tuple(lines[row[0]])) for row in found if row[0] in lines]


def _line(item_id: int, item: ItemTold, due_date: date, mills: int) -> Line:
    return Line(
        item_id, item.kind, item.number, item.document_date, due_date, mills, mills, item.installment
    )  # fmt: skip


def _rows(sql: str, params: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall()
