"""Money that may be on its way, or here already, before it is set against items.

reached_until       the day to which the bank statements reach
announced           payments that customers announced and that no bank line has brought
waiting_lines       bank lines at the cash desk that seem to be an account's
waiting_parts       the items that such lines seem to pay
waiting_amounts     lines that name no item: one of exactly their amount may be what they pay
waiting_money       such lines with their days
reached_on          the day on which the statements came to reach a day
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import Any

import polars as pl
from django.db import connection

from saldo.cash.advices import DAYS_AFTER, DAYS_BEFORE
from saldo.cash.waiting import waiting
from saldo.core.context import Context
from saldo.core.normalize import normalized_number, search_text, vat_number
from saldo.storage.frames import copy_out

# Accounts without a customer's payment for so long do not hold the others back.
IN_USE_DAYS = 90
# From this probability on, a proposal that waits for a person says which items its line pays.
SURE = 0.9
PARTS = {"item_id": pl.Int64, "account_id": pl.Int64, "mills": pl.Int64, "ref": pl.Int64}
EXPECTED = {"account_id": pl.Int64, "currency": pl.String, "mills": pl.Int64, "ref": pl.Int64}

# Statements that wait for a person have not told their lines yet.
_REACHED = """
SELECT max(reached), min(reached) FILTER (WHERE is_in_use) FROM (
    SELECT b.id, max(coalesce(s.to_date, s.closing_date)) AS reached,
           EXISTS (SELECT 1 FROM cash_banktransaction t
                    WHERE t.bank_account_id = b.id AND t.company_id = b.company_id
                      AND t.kind = 'booked' AND t.amount > 0
                      AND t.recorded_at <= %(known_at)s
                      AND t.booking_date BETWEEN %(as_of)s::date - %(days)s AND %(as_of)s
                      AND coalesce((SELECT p.kind FROM cash_posting p
                                     WHERE p.transaction_id = t.id AND p.recorded_at <= %(known_at)s
                                     ORDER BY p.sequence DESC LIMIT 1), '') <> 'not_customer') AS is_in_use
      FROM cash_bankaccount b
      JOIN cash_statement s ON s.bank_account_id = b.id
     WHERE s.kind = 'booked' AND s.recorded_at <= %(known_at)s
       AND (%(company_id)s::int IS NULL OR b.company_id = %(company_id)s)
       AND (NOT s.is_quarantined OR EXISTS (SELECT 1 FROM cash_statementrelease r
                                             WHERE r.statement_id = s.id AND r.recorded_at <= %(known_at)s))
     GROUP BY b.id) each
"""
# Each statement of the accounts that decide, with the day on which it was read.
_REACHES = """
SELECT b.id, coalesce(s.to_date, s.closing_date),
       ((coalesce((SELECT min(r.recorded_at) FROM cash_statementrelease r WHERE r.statement_id = s.id),
                  s.recorded_at)) AT TIME ZONE 'Europe/Rome')::date
  FROM cash_bankaccount b JOIN cash_statement s ON s.bank_account_id = b.id
 WHERE s.kind = 'booked' AND s.recorded_at <= %(known_at)s
   AND coalesce(s.to_date, s.closing_date) >= %(first)s
   AND (%(company_id)s::int IS NULL OR b.company_id = %(company_id)s)
   AND (NOT s.is_quarantined OR EXISTS (SELECT 1 FROM cash_statementrelease r
                                         WHERE r.statement_id = s.id AND r.recorded_at <= %(known_at)s))
 ORDER BY 1, 3, 2
"""
MONEY = {
    "account_id": pl.Int64, "currency": pl.String, "mills": pl.Int64, "booked_date": pl.Date,
    "entered": pl.Int64,
}  # fmt: skip
_LINE_DAYS = """
SELECT t.id, t.currency, t.booking_date, (extract(epoch FROM t.recorded_at) * 1000000)::bigint
  FROM cash_banktransaction t WHERE t.id = ANY(%(lines)s::bigint[])
"""
_ADVICES_SCHEMA = {
    "id": pl.Int64, "company_id": pl.Int64, "currency": pl.String, "day": pl.Date, "mills": pl.Int64,
    "end_to_end_id": pl.String, "vat": pl.String, "tax_code": pl.String, "iban": pl.String,
    "name": pl.String, "numbers": pl.String,
}  # fmt: skip
_ADVICES = """
SELECT r.id, r.company_id, coalesce(nullif(r.currency, ''), o.currency),
       coalesce(r.payment_date, r.received_date),
       coalesce((r.total * 1000)::bigint,
                (SELECT sum((l->>'paid_mills')::bigint)::bigint FROM jsonb_array_elements(r.lines) l)),
       r.end_to_end_id, r.payer_vat, r.payer_tax_code, r.payer_iban, r.payer_name,
       (SELECT jsonb_agg(DISTINCT told.number)::text
          FROM (SELECT l->>'number' AS number FROM jsonb_array_elements(r.lines) l
                UNION ALL SELECT jsonb_array_elements_text(r.document_refs)) told)
  FROM cash_remittance r JOIN identity_company o ON o.id = r.company_id
 WHERE (%(company_id)s::int IS NULL OR r.company_id = %(company_id)s)
   AND r.recorded_at <= %(known_at)s AND r.received_date <= %(as_of)s
   AND coalesce(r.payment_date, r.received_date) >= %(as_of)s::date - %(after)s
 ORDER BY r.id
"""
# Lines that may have brought the money of one of the advices.
_LINES = """
SELECT t.company_id, t.booking_date, (t.amount * 1000)::bigint, t.currency, t.end_to_end_id
  FROM cash_banktransaction t
 WHERE (%(company_id)s::int IS NULL OR t.company_id = %(company_id)s)
   AND t.kind = 'booked' AND t.amount > 0 AND t.recorded_at <= %(known_at)s
   AND t.booking_date BETWEEN %(first)s AND %(last)s
   AND (t.end_to_end_id = ANY(%(ids)s) OR (t.amount * 1000)::bigint = ANY(%(totals)s))
"""
_BY_IBAN = """
SELECT l.company_id, l.value, l.account_id FROM cash_alias l
 WHERE l.kind = 'iban' AND l.value = ANY(%(ibans)s) AND l.recorded_at <= %(known_at)s
   AND NOT EXISTS (SELECT 1 FROM cash_aliaswithdrawal w
                    WHERE w.alias_id = l.id AND w.recorded_at <= %(known_at)s)
"""
_BY_CUSTOMER = """
SELECT p.company_id, p.id, c.vat_number, c.tax_code, c.search_text
  FROM parties_customeraccount p JOIN parties_customer c ON c.id = p.customer_id
 WHERE c.vat_number = ANY(%(vats)s) AND c.vat_number <> '' OR c.tax_code = ANY(%(taxes)s) AND c.tax_code <> ''
    OR c.search_text = ANY(%(names)s)
"""
_BY_NUMBER = """
SELECT DISTINCT v.company_id, v.number_norm, v.account_id FROM ledger_invoice v
 WHERE v.number_norm = ANY(%(numbers)s) AND v.recorded_at <= %(known_at)s
"""
# Shorter numbers are other people's too.
MIN_NUMBER = 3
# The best proposal of the newest run, of lines that nobody has posted.
_WAITING = """
SELECT coalesce(s.account_id, m.account_id), t.currency,
       CASE WHEN s.account_id IS NULL THEN (t.amount * 1000)::bigint ELSE s.mills END, t.id
  FROM cash_banktransaction t
  JOIN LATERAL (SELECT * FROM cash_matchproposal m
                 WHERE m.transaction_id = t.id AND m.recorded_at <= %(known_at)s
                 ORDER BY m.run DESC, m.rank LIMIT 1) m ON true
  LEFT JOIN LATERAL (
       SELECT i.account_id, sum((share->>'mills')::bigint)::bigint AS mills
         FROM jsonb_array_elements(m.shares) share
         JOIN ledger_item_open_projection i ON i.item_id = (share->>'item')::bigint
        GROUP BY i.account_id) s ON true
 WHERE {open_lines}
   AND (s.account_id IS NULL OR m.probability < %(sure)s)
   AND t.kind = 'booked' AND t.amount > 0 AND t.recorded_at <= %(known_at)s AND t.booking_date <= %(as_of)s
   AND (%(company_id)s::int IS NULL OR t.company_id = %(company_id)s)
   AND coalesce(s.account_id, m.account_id) IS NOT NULL
   AND (%(accounts)s::bigint[] IS NULL
        OR coalesce(s.account_id, m.account_id) = ANY(%(accounts)s::bigint[]))
 ORDER BY 1, 4
"""
# What the best proposal of such a line says of items that are still open.
_PARTS = """
SELECT i.item_id, i.account_id, (share->>'mills')::bigint, t.id
  FROM cash_banktransaction t
  JOIN LATERAL (SELECT * FROM cash_matchproposal m
                 WHERE m.transaction_id = t.id AND m.recorded_at <= %(known_at)s
                 ORDER BY m.run DESC, m.rank LIMIT 1) m ON true
  CROSS JOIN LATERAL jsonb_array_elements(m.shares) share
  JOIN ledger_item_open_projection i ON i.item_id = (share->>'item')::bigint
 WHERE {open_lines}
   AND t.kind = 'booked' AND t.amount > 0 AND t.recorded_at <= %(known_at)s AND t.booking_date <= %(as_of)s
   AND (%(company_id)s::int IS NULL OR t.company_id = %(company_id)s)
   AND (share->>'mills')::bigint > 0
   AND (%(accounts)s::bigint[] IS NULL OR i.account_id = ANY(%(accounts)s::bigint[]))
 ORDER BY 1, 4
"""
# Lines of which nothing says what they pay. A round amount says nothing: many items have it by chance.
_AMOUNTS = """
SELECT (t.amount * 1000)::bigint, t.currency, m.account_id, t.id
  FROM cash_banktransaction t
  LEFT JOIN LATERAL (SELECT * FROM cash_matchproposal m
                      WHERE m.transaction_id = t.id AND m.recorded_at <= %(known_at)s
                      ORDER BY m.run DESC, m.rank LIMIT 1) m ON true
 WHERE {open_lines}
   AND (m.shares IS NULL OR m.shares = '[]'::jsonb)
   AND t.kind = 'booked' AND t.amount > 0 AND t.amount %% 10 <> 0
   AND t.recorded_at <= %(known_at)s
   AND t.booking_date BETWEEN %(as_of)s::date - %(days)s AND %(as_of)s
   AND (%(company_id)s::int IS NULL OR t.company_id = %(company_id)s)
 ORDER BY t.id
"""
AMOUNTS = {"mills": pl.Int64, "currency": pl.String, "account_id": pl.Int64, "ref": pl.Int64}
# A line was posted where the number of its postings is odd (cash.waiting). What waits now is kept in memory;
# what waited at an instant takes a look at all postings.
_OPEN_THEN = """t.id NOT IN (SELECT p.transaction_id FROM cash_posting p WHERE p.recorded_at <= %(known_at)s
                              GROUP BY p.transaction_id HAVING count(*) %% 2 = 1)"""
_OPEN_NOW = "t.id = ANY(%(open)s::bigint[])"


def _params(ctx: Context, account_ids: Sequence[int] | None) -> dict[str, Any]:
    return {
        "as_of": ctx.as_of,
        "known_at": ctx.known_at or "infinity",
        "company_id": ctx.company_id,
        "accounts": None if account_ids is None else list(account_ids),
        "before": DAYS_BEFORE,
        "after": DAYS_AFTER,
        "days": IN_USE_DAYS,
        "sure": SURE,
    }


def reached_until(ctx: Context) -> date | None:
    """The day to which the booked statements reach, None if there is none.

    Of several accounts, the one that reaches least far among those with customers' payments in the last
    IN_USE_DAYS: what was paid into it since is not known. Where none has any, the furthest.
    """
    with connection.cursor() as cursor:
        cursor.execute(_REACHED, _params(ctx, None))
        ((furthest, least),) = cursor.fetchall()
    return least or furthest


def reached_on(ctx: Context, days: Sequence[date]) -> dict[date, date]:
    """For each of the days that the statements reach: the day on which the last of the accounts that get so
    far was read so far."""
    if not days:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_REACHES, {**_params(ctx, None), "first": min(days)})
        rows = cursor.fetchall()
    found = {}
    for day in set(days):
        firsts: dict[int, date] = {}
        for account, reach, read in rows:
            if reach >= day:
                firsts.setdefault(account, read)
        if firsts:
            found[day] = max(firsts.values())
    return found


def waiting_money(ctx: Context, account_ids: Sequence[int] | None = None) -> pl.DataFrame:
    """MONEY: bank lines at the cash desk that seem to be an account's, or to pay its items. entered: when the
    line was read, in microseconds since 1970."""
    own = waiting_lines(ctx, account_ids).select("account_id", "mills", "ref")
    of_items = waiting_parts(ctx, account_ids).group_by("account_id", "ref").agg(pl.col("mills").sum())
    lines = pl.concat([own, of_items.select(own.columns)]).group_by("account_id", "ref").agg(
        pl.col("mills").max()
    )  # fmt: skip
    if lines.is_empty():
        return pl.DataFrame(schema=MONEY)
    schema = {"ref": pl.Int64, "currency": pl.String, "booked_date": pl.Date, "entered": pl.Int64}
    days = copy_out(_LINE_DAYS, {"lines": lines["ref"].unique().to_list()}, schema)
    return lines.join(days, on="ref").select(*MONEY).sort("account_id", "booked_date")


def announced(ctx: Context, account_ids: Sequence[int] | None = None) -> pl.DataFrame:
    """EXPECTED: payments announced (``ref``: the remittance) whose bank line has not come yet.

    An announcement counts until DAYS_AFTER days after the day it names. It is the account's that its VAT
    number or tax code names; else its learnt IBAN, its exact name, or the documents it lists. One that may be
    several accounts' is each one's: to ask who has paid is worse than to wait. mills null: it tells no total.
    """
    missing = _not_come(ctx, copy_out(_ADVICES, _params(ctx, None), _ADVICES_SCHEMA))
    if missing.is_empty():
        return pl.DataFrame(schema=EXPECTED)
    finders = _finders(ctx, missing)
    rows = []
    for row in missing.iter_rows(named=True):
        accounts = next((found for find in finders if (found := find(row))), set())
        rows += [(account, row["currency"], row["mills"], row["id"]) for account in sorted(accounts)]
    found = pl.DataFrame(rows, schema=EXPECTED, orient="row")
    return found if account_ids is None else found.filter(pl.col("account_id").is_in(list(account_ids)))


def _not_come(ctx: Context, advices: pl.DataFrame) -> pl.DataFrame:
    """The advices without a line of their end-to-end id, or of their amount, around their day."""
    if advices.is_empty():
        return advices
    before, after = timedelta(days=DAYS_BEFORE), timedelta(days=DAYS_AFTER)
    params = {
        **_params(ctx, None),
        "first": min(advices["day"]) - before,
        "last": max(advices["day"]) + after,
        "ids": [each for each in advices["end_to_end_id"].unique() if each],
        "totals": advices["mills"].drop_nulls().unique().to_list(),
    }
    days: dict[tuple[Any, ...], list[date]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(_LINES, params)
        for company, day, mills, currency, end_to_end_id in cursor.fetchall():
            days[company, mills, currency].append(day)
            if end_to_end_id:
                days[company, end_to_end_id].append(day)

    def has_come(row: dict[str, Any]) -> bool:
        keys = [(row["company_id"], row["mills"], row["currency"])]
        keys += [(row["company_id"], row["end_to_end_id"])] if row["end_to_end_id"] else []
        return any(
            row["day"] - before <= day <= row["day"] + after for key in keys for day in days.get(key, ())
        )

    return advices.filter(
        pl.Series([not has_come(row) for row in advices.iter_rows(named=True)], dtype=pl.Boolean)
    )


def _finders(ctx: Context, missing: pl.DataFrame) -> list[Callable[[dict[str, Any]], set[int]]]:
    """How an advice's accounts are found, the surest way first; everything is looked up at once."""
    numbers = {row["id"]: _numbers(row["numbers"]) for row in missing.iter_rows(named=True)}
    vats = {row["id"]: vat_number(row["vat"]) if row["vat"] else "" for row in missing.iter_rows(named=True)}
    params = {
        "known_at": ctx.known_at or "infinity",
        "ibans": [iban for iban in missing["iban"].unique() if iban],
        "vats": [vat for vat in set(vats.values()) if vat],
        "taxes": [text.upper() for text in missing["tax_code"].unique() if text],
        "names": [search_text(name) for name in missing["name"].unique() if name],
        "numbers": sorted(set().union(*numbers.values())),
    }
    by: dict[tuple[str, int, str], set[int]] = defaultdict(set)
    with connection.cursor() as cursor:
        cursor.execute(_BY_CUSTOMER, params)
        for company, account, vat, tax, name in cursor.fetchall():
            for kind, value in (("vat", vat), ("tax", tax), ("name", name)):
                by[kind, company, value].add(account)
        for kind, sql in (("iban", _BY_IBAN), ("number", _BY_NUMBER)):
            cursor.execute(sql, params)
            for company, value, account in cursor.fetchall():
                by[kind, company, value].add(account)

    def found(kind: str, row: dict[str, Any], value: str) -> set[int]:
        return by.get((kind, row["company_id"], value), set()) if value else set()

    return [
        lambda row: found("vat", row, vats[row["id"]]),
        lambda row: found("tax", row, row["tax_code"].upper()),
        lambda row: found("iban", row, row["iban"]),
        lambda row: found("name", row, search_text(row["name"])),
        lambda row: set().union(*(found("number", row, number) for number in numbers[row["id"]])),
    ]


def _numbers(told: str | None) -> set[str]:
    numbers = {normalized_number(number or "") for number in json.loads(told or "[]")}
    return {number for number in numbers if len(number) >= MIN_NUMBER}


def waiting_lines(ctx: Context, account_ids: Sequence[int] | None = None) -> pl.DataFrame:
    """EXPECTED: lines (``ref``) that nobody has posted and whose best proposal is for the account, where it
    does not surely say which items they pay (``waiting_parts`` tells of those)."""
    return _waiting(ctx, _WAITING, EXPECTED, account_ids).filter(pl.col("mills") > 0)


def waiting_parts(ctx: Context, account_ids: Sequence[int] | None = None) -> pl.DataFrame:
    """PARTS: what lines (``ref``) that nobody has posted seem to pay of single items."""
    return _waiting(ctx, _PARTS, PARTS, account_ids)


def waiting_amounts(ctx: Context) -> pl.DataFrame:
    """AMOUNTS of lines (``ref``) that nobody has posted and whose best proposal, if there is one, names no
    item. account_id: whose the line seems to be, null where nobody knows.

    A parent pays for its subsidiary, a factor for its client: until a person says whose such a line is, an
    item of exactly its amount may be paid. Round amounts (whole tens) and lines of more than IN_USE_DAYS ago
    are left out: there the same amount means little.
    """
    return _waiting(ctx, _AMOUNTS, AMOUNTS, None)


def _waiting(
    ctx: Context, sql: str, schema: dict[str, Any], account_ids: Sequence[int] | None
) -> pl.DataFrame:
    params = _params(ctx, account_ids)
    if ctx.known_at is None and ctx.company_id is not None:
        params["open"] = list(waiting(ctx).ids)
        return copy_out(sql.format(open_lines=_OPEN_NOW), params, schema)
    return copy_out(sql.format(open_lines=_OPEN_THEN), params, schema)
