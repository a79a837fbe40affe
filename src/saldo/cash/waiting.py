"""Which booked lines of a company wait for a person, kept in memory and brought up to date by what was added.

The tables of lines and postings only grow, so what is new since is a matter of a few index entries. A
transaction may commit after another one that has later ids: the newest rows are looked at again each time,
and everything once a minute. Who lists the lines tells their state from the postings anyway.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db import connection

from saldo.core.context import Context

LOOKED_AT_AGAIN = 1_000
WHOLE_AFTER = timedelta(minutes=1)

# A line was posted where the number of its postings is odd: 1 posts, 2 undoes it, 3 posts again.
_ALL = """
SELECT t.id FROM cash_banktransaction t
 WHERE t.company_id = %(company)s AND t.kind = 'booked'
   AND (t.amount > 0 OR t.is_reversal OR t.return_reason <> '')
   AND t.id NOT IN (SELECT transaction_id FROM cash_posting GROUP BY transaction_id HAVING count(*) %% 2 = 1)
"""
_NEW = """
SELECT t.id, (SELECT count(*) FROM cash_posting p WHERE p.transaction_id = t.id) %% 2 = 0
  FROM (SELECT id FROM cash_banktransaction WHERE id > %(line)s
        UNION SELECT transaction_id FROM cash_posting WHERE id > %(posting)s) x
  JOIN cash_banktransaction t ON t.id = x.id
 WHERE t.company_id = %(company)s AND t.kind = 'booked'
   AND (t.amount > 0 OR t.is_reversal OR t.return_reason <> '')
"""
_VERSION = """
SELECT coalesce((SELECT max(id) FROM cash_banktransaction), 0),
       coalesce((SELECT max(id) FROM cash_posting), 0),
       (SELECT max(coalesce(s.to_date, s.closing_date)) FROM cash_statement s
          JOIN cash_bankaccount b ON b.id = s.bank_account_id
         WHERE b.company_id = %(company)s AND s.kind = 'booked'),
       (SELECT x.as_at_date FROM intake_batch x
         WHERE x.status = 'done' AND (x.company_id IS NULL OR x.company_id = %(company)s)
         ORDER BY x.id DESC LIMIT 1)
"""


@dataclass(frozen=True, slots=True)
class Waiting:
    """ids: lines that wait. booked_until: the day to which the statements reach; what was paid later is not
    known yet, and None says that there is no statement. imported_until: the day of the newest import."""

    ids: frozenset[int]
    booked_until: date | None
    imported_until: date | None
    lines: int
    postings: int
    counted_at: datetime

    @property
    def count(self) -> int:
        return len(self.ids)


_kept: dict[int, Waiting] = {}
_lock = threading.Lock()


def waiting(ctx: Context) -> Waiting:
    """What waits in the context's company, now."""
    assert ctx.company_id is not None, "a cash desk is of one company"
    company, now = ctx.company_id, ctx.clock()
    ((lines, postings, until, imported),) = _rows(_VERSION, {"company": company})
    with _lock:
        known = _kept.get(company)
    if known is None or abs(now - known.counted_at) > WHOLE_AFTER or lines < known.lines:
        ids = frozenset(row[0] for row in _rows(_ALL, {"company": company}))
        counted_at = now
    elif (lines, postings) == (known.lines, known.postings):
        ids, counted_at = known.ids, known.counted_at
    else:
        ids, counted_at = _brought_up(known, company), known.counted_at
    found = Waiting(ids, until, imported, lines, postings, counted_at)
    with _lock:
        _kept[company] = found
    return found


def _brought_up(known: Waiting, company: int) -> frozenset[int]:
    since = {
        "company": company,
        "line": known.lines - LOOKED_AT_AGAIN,
        "posting": known.postings - LOOKED_AT_AGAIN,
    }
    told = dict(_rows(_NEW, since))
    opened = {line for line, is_open in told.items() if is_open}
    return frozenset((known.ids - told.keys()) | opened)


def _rows(sql: str, params: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return list(cursor.fetchall())
