"""Reading disputes as of a day, as known at an instant."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from saldo.analytics.book import DISPUTES
from saldo.core.context import Context
from saldo.storage.frames import copy_out


def objections(ctx: Context, account_ids: Sequence[int] | None = None) -> pl.DataFrame:
    """DISPUTES: the amounts of items that customers of ``ctx.company_id`` did not accept, ended ones too."""
    sql = """
    SELECT d.item_id, (d.amount * 1000)::bigint, e.effective_date, d.effective_date
      FROM disputes_deduction d
      LEFT JOIN disputes_deductionend e ON e.deduction_id = d.id
       AND e.effective_date <= %(as_of)s AND e.recorded_at <= %(known_at)s
     WHERE d.company_id = %(company_id)s AND d.effective_date <= %(as_of)s AND d.recorded_at <= %(known_at)s
       AND (%(accounts)s::bigint[] IS NULL OR d.account_id = ANY(%(accounts)s::bigint[]))
     ORDER BY d.id
    """
    params = {
        "company_id": ctx.company_id,
        "as_of": ctx.as_of,
        "known_at": ctx.known_at or "infinity",
        "accounts": None if account_ids is None else list(account_ids),
    }
    return copy_out(sql, params, DISPUTES)
