"""Formal notices ("messa in mora") that demonstrably reached their reader: what restarts prescription."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from saldo.core.context import Context
from saldo.core.playbook import FORMAL_NOTICE, LETTER, PEC
from saldo.core.sending import DELIVERED
from saldo.outreach.models import Message
from saldo.storage.frames import copy_out

NOTICES = {
    "item_id": pl.Int64, "day": pl.Date, "proof": pl.String, "ref": pl.Int64, "document_id": pl.Int64,
}  # fmt: skip
PROOF_OF = {PEC: "pec_receipt", LETTER: "letter_receipt"}
# The day is the legal one: a receipt of 23:30 UTC is of the next day in Rome.
_NOTICES = """
SELECT i.item_id, min((d.occurred_at AT TIME ZONE 'Europe/Rome')::date), min(m.channel), m.id,
       min(d.document_id)
  FROM outreach_message m
  JOIN outreach_messageitem i ON i.message_id = m.id
  JOIN outreach_delivery d ON d.message_id = m.id AND d.state = %(delivered)s
   AND d.recorded_at <= %(known_at)s AND (d.occurred_at AT TIME ZONE 'Europe/Rome')::date <= %(as_of)s
 WHERE m.purpose = %(purpose)s AND m.channel = ANY(%(channels)s)
   AND (%(company_id)s::int IS NULL OR m.company_id = %(company_id)s)
   AND (%(accounts)s::bigint[] IS NULL OR m.account_id = ANY(%(accounts)s::bigint[]))
 GROUP BY i.item_id, m.id ORDER BY i.item_id, m.id
"""


@dataclass(frozen=True, slots=True)
class NoticeRow:
    """A message as a return receipt is recorded for it."""

    id: int
    company_id: int
    account_id: int
    channel: str
    as_of: date


def delivered_notices(ctx: Context, account_ids: Sequence[int] | None = None) -> pl.DataFrame:
    """NOTICES: items of formal notices with a receipt, and the day on which the notice arrived. ref: the
    message; document_id: the receipt."""
    params = {
        "as_of": ctx.as_of, "known_at": ctx.known_at or "infinity", "company_id": ctx.company_id,
        "accounts": None if account_ids is None else list(account_ids), "delivered": DELIVERED,
        "purpose": FORMAL_NOTICE, "channels": list(PROOF_OF),
    }  # fmt: skip
    found = copy_out(_NOTICES, params, NOTICES)
    return found.with_columns(pl.col("proof").replace_strict(PROOF_OF, return_dtype=pl.String))


def notice(message_id: int) -> NoticeRow | None:
    found = Message.objects.filter(id=message_id).first()
    if found is None:
        return None
    return NoticeRow(found.id, found.company_id, found.account_id, found.channel, found.as_of)
