"""What people read of forecasts, scores and warnings: one account at a time, and the list of warnings.

Pages ask for an account's whole outlook at once. The caller has checked that the account is in the actor's
scope; the lists, which cross accounts, join the scope.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django.db import connection

from saldo.core.context import Context
from saldo.identity.models import DayRun
from saldo.ledger.portfolio import open_of_accounts
from saldo.parties.queries import visible_accounts_sql

_FORECASTS = """
SELECT item_id, p7, p30, p60, p90, p_over_90, expected_date, low_date, high_date, rung, reasons
  FROM risk_paymentforecast f WHERE f.day_run_id = run.id AND f.account_id = %(account)s
"""
_SCORE = """
SELECT s.score, s.pd, s.risk_class, s.parts, s.reasons, s.missing, s.valid_until, m.version, m.rung,
       m.trained_as_of
  FROM risk_riskscore s LEFT JOIN identity_modelversion m ON m.id = s.model_version_id
 WHERE s.day_run_id = run.id AND s.account_id = %(account)s
"""
_WARNINGS = """
SELECT w.code, w.since_date, w.size, w.reasons
  FROM risk_earlywarning w WHERE w.day_run_id = run.id AND w.account_id = %(account)s
 ORDER BY w.size DESC, w.code
"""
_OUTLOOK = f"""
SELECT run.id, run.as_of,
       (SELECT json_agg(f)::text FROM ({_FORECASTS}) f) AS forecasts,
       (SELECT row_to_json(s)::text FROM ({_SCORE}) s) AS score,
       (SELECT json_agg(w)::text FROM ({_WARNINGS}) w) AS warnings
  FROM identity_dayrun run
 WHERE run.company_id = %(company)s AND run.as_of = %(as_of)s
   AND (%(known_at)s::timestamptz IS NULL OR run.recorded_at <= %(known_at)s)
 ORDER BY run.version DESC LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Expected:
    """When an item is expected to be paid, as kept by a run of the day. p..: share paid within so many days;
    low_date and high_date hold 80% of the chance (None: beyond a year)."""

    item_id: int
    p7: float
    p30: float
    p60: float
    p90: float
    p_over_90: float | None
    expected_date: date | None
    low_date: date | None
    high_date: date | None
    rung: str
    reasons: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class ScoreCard:
    """How likely the customer is to default within a year. score: 0 (worst) to 100; pd: 0–1."""

    score: int
    pd: float
    risk_class: str
    parts: Mapping[str, Any]
    reasons: Sequence[Mapping[str, Any]]
    missing: Sequence[str]
    valid_until: date
    version: str | None
    rung: str | None
    trained_as_of: date | None

    @property
    def is_known(self) -> bool:
        """Whether anything is known of this customer beyond what is true of any."""
        return any(name != "base" for name in self.parts)


@dataclass(frozen=True, slots=True)
class Warned:
    """A change too large to be chance. size: how far its statistic is over the threshold."""

    code: str
    since_date: date
    size: float
    reasons: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a run of the day expects of one account. forecasts: by item id."""

    as_of: date
    forecasts: dict[int, Expected] = field(default_factory=dict)
    score: ScoreCard | None = None
    warnings: list[Warned] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class WarnedAccount:
    """An account with its warnings, strongest first, and what it owes in the company's currency."""

    account_id: int
    code: str
    name: str
    open_mills: int
    overdue_mills: int
    score: int | None
    risk_class: str
    warnings: list[Warned]

    @property
    def weight(self) -> float:
        """What is at stake times how strong the strongest warning is: the order of the list."""
        return self.open_mills * self.warnings[0].size


def outlook(ctx: Context, account_id: int) -> Outlook | None:
    """What the newest run of ``ctx.as_of`` (known at ``ctx.known_at``) expects of the account; None where
    the day was not run."""
    wanted = {
        "company": ctx.company_id, "as_of": ctx.as_of, "known_at": ctx.known_at, "account": account_id
    }  # fmt: skip
    rows = _rows(_OUTLOOK, wanted)
    if not rows:
        return None
    row = rows[0]
    score = json.loads(row["score"]) if row["score"] else None
    expected = [_expected(each) for each in json.loads(row["forecasts"] or "[]")]
    return Outlook(
        as_of=row["as_of"],
        forecasts={each.item_id: each for each in expected},
        score=ScoreCard(**_with_dates(score, "valid_until", "trained_as_of")) if score else None,
        warnings=[_warned(each) for each in json.loads(row["warnings"] or "[]")],
    )


def run_of(ctx: Context) -> DayRun | None:
    """The newest run of ``ctx.as_of``, as known at ``ctx.known_at``: the one that ``outlook`` tells of."""
    runs = DayRun.objects.filter(company_id=ctx.company_id, as_of=ctx.as_of)
    if ctx.known_at is not None:
        runs = runs.filter(recorded_at__lte=ctx.known_at)
    return runs.order_by("-version").first()


def warned_accounts(run_id: int, account_ids: Iterable[int]) -> dict[int, list[Warned]]:
    """The warnings of these accounts in a run of the day, by account id, strongest first."""
    sql = """
SELECT account_id, code, since_date, size, reasons::text AS reasons FROM risk_earlywarning
 WHERE day_run_id = %(run)s AND account_id = ANY(%(accounts)s) ORDER BY size DESC, code"""
    found: dict[int, list[Warned]] = {}
    for row in _rows(sql, {"run": run_id, "accounts": list(account_ids)}):
        found.setdefault(row.pop("account_id"), []).append(_told(row))
    return found


def warning_list(ctx: Context, run_id: int, currency: str) -> list[WarnedAccount]:
    """Every account in the actor's scope with a warning in the run, what weighs most first.

    ``currency``: the company's; the open amounts are of that currency alone.
    """
    scope, params = visible_accounts_sql(ctx)
    sql = f"""
SELECT w.account_id, acc.code AS account_code, c.name, w.code, w.since_date, w.size,
       w.reasons::text AS reasons, s.score, s.risk_class
  FROM risk_earlywarning w
  JOIN parties_customeraccount acc ON acc.id = w.account_id
  JOIN parties_customer c ON c.id = acc.customer_id
  LEFT JOIN risk_riskscore s ON s.day_run_id = w.day_run_id AND s.account_id = w.account_id
 WHERE w.day_run_id = %s AND w.account_id IN ({scope})
 ORDER BY w.size DESC, w.code"""
    rows = _rows(sql, [run_id, *params])
    owed = open_of_accounts(ctx, {row["account_id"] for row in rows}, currency)
    accounts: dict[int, WarnedAccount] = {}
    for row in rows:
        account = row["account_id"]
        if account not in accounts:
            open_mills, overdue_mills = owed.get(account, (0, 0))
            accounts[account] = WarnedAccount(
                account, row["account_code"], row["name"], open_mills, overdue_mills, row["score"],
                row["risk_class"] or "", [],
            )  # fmt: skip
        told = {name: row[name] for name in ("code", "since_date", "size", "reasons")}
        accounts[account].warnings.append(_told(told))
    return sorted(accounts.values(), key=lambda account: (-account.weight, account.name))


@dataclass(frozen=True, slots=True)
class Material:
    """What there is to learn from: invoices paid in full, and the first day that has one."""

    paid_invoices: int
    open_invoices: int
    first_date: date | None


def training_material(company_id: int) -> Material:
    """How many installments of the company are paid and open by now."""
    sql = """
SELECT count(*) FILTER (WHERE p.used >= p.cap) AS paid_invoices,
       count(*) FILTER (WHERE p.used < p.cap) AS open_invoices,
       min(i.effective_date) FILTER (WHERE p.used >= p.cap) AS first_date
  FROM ledger_item i
  JOIN ledger_item_open_projection p ON p.item_id = i.id
  JOIN parties_customeraccount acc ON acc.id = i.account_id
 WHERE acc.company_id = %(company)s AND i.kind = 'installment' AND i.amount > 0"""
    return Material(**_rows(sql, {"company": company_id})[0])


def _expected(row: dict[str, Any]) -> Expected:
    dated = _with_dates(row, "expected_date", "low_date", "high_date")
    return Expected(**{**dated, "reasons": row["reasons"] or []})


def _warned(row: dict[str, Any]) -> Warned:
    return Warned(**_with_dates(row, "since_date"))


def _told(row: dict[str, Any]) -> Warned:
    return Warned(**{**row, "reasons": json.loads(row["reasons"])})


def _with_dates(row: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """``row`` of JSON with these columns as days."""
    return {**row, **{name: date.fromisoformat(row[name]) if row[name] else None for name in names}}


def _rows(sql: str, params: Any) -> list[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
