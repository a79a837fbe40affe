"""Accounts as a frame, for the engines that look at the whole portfolio."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from saldo.core.context import Context
from saldo.storage.frames import copy_out

ACCOUNT_FRAME_SCHEMA = {"account_id": pl.Int64, "customer_id": pl.Int64, "segment": pl.String}


def account_frame(ctx: Context, account_ids: Sequence[int] | None = None) -> pl.DataFrame:
    """ACCOUNT_FRAME_SCHEMA: the accounts of the context's company (or some of them) known at known_at.

    The segment is the one the account was given, else the customer's country; null where neither is known.
    """
    sql = """
    SELECT a.id, a.customer_id, coalesce(nullif(a.segment, ''), nullif(c.country, ''))
      FROM parties_customeraccount a JOIN parties_customer c ON c.id = a.customer_id
     WHERE a.company_id = %(company_id)s AND a.recorded_at <= %(known_at)s
       AND (%(accounts)s::bigint[] IS NULL OR a.id = ANY(%(accounts)s::bigint[]))
     ORDER BY a.id
    """
    params = {
        "company_id": ctx.company_id,
        "known_at": ctx.known_at or "infinity",
        "accounts": None if account_ids is None else list(account_ids),
    }
    return copy_out(sql, params, ACCOUNT_FRAME_SCHEMA)


NAMES_SCHEMA = {"account_id": pl.Int64, "code": pl.String, "name": pl.String, "company": pl.String}


def account_names() -> pl.DataFrame:
    """NAMES_SCHEMA of every account."""
    sql = """
    SELECT a.id, a.code, c.name, o.code FROM parties_customeraccount a
      JOIN parties_customer c ON c.id = a.customer_id JOIN identity_company o ON o.id = a.company_id
    """
    return copy_out(sql, {}, NAMES_SCHEMA)
