"""Plans that were offered or agreed, as a frame: who has just been offered one is not offered it again."""

from __future__ import annotations

import polars as pl

from saldo.core.context import Context
from saldo.storage.frames import copy_out

OFFERED = {"account_id": pl.Int64, "day": pl.Date}


def plans_offered(ctx: Context) -> pl.DataFrame:
    """OFFERED: a row for each offer of a plan, and for each plan agreed without one, at both clocks."""
    sql = """
    SELECT account_id, effective_date FROM (
        SELECT account_id, effective_date, company_id, recorded_at FROM promises_offer WHERE kind = 'plan'
        UNION ALL
        SELECT account_id, effective_date, company_id, recorded_at FROM promises_paymentplan
         WHERE offer_id IS NULL) told
     WHERE (%(company_id)s::int IS NULL OR company_id = %(company_id)s)
       AND recorded_at <= %(known_at)s AND effective_date <= %(as_of)s
     ORDER BY account_id, effective_date
    """
    params = {"company_id": ctx.company_id, "known_at": ctx.known_at or "infinity", "as_of": ctx.as_of}
    return copy_out(sql, params, OFFERED)
