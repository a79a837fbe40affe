"""What playbooks planned on a day: kept, read, approved or refused.

keep_plan               the plan of a day run, by COPY
planned, action_row     reading it, in the actor's scope
counts                  how many in each state
decide                  a person approves or refuses one that waits for approval
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import polars as pl
from django.db import IntegrityError, connection, transaction

from saldo.collection.models import PlaybookDecision
from saldo.collection.queries import MAY_COLLECT
from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.core.playbook import APPROVE, WRITTEN
from saldo.identity.models import User
from saldo.identity.operations import record_event, stamped
from saldo.identity.queries import roles
from saldo.parties.models import CustomerAccount
from saldo.parties.queries import visible_accounts_sql
from saldo.storage.frames import copy_in

TO_APPROVE, AUTOMATIC, APPROVED, REFUSED, BLOCKED, SUGGESTED = (
    "to_approve", "automatic", "approved", "refused", "blocked", "suggested",
)  # fmt: skip
STATES = (TO_APPROVE, AUTOMATIC, APPROVED, REFUSED, BLOCKED, SUGGESTED)
MAY_DECIDE = MAY_COLLECT
NOTE_CHARACTERS = 4000
KEPT = (
    "account_id", "currency", "track", "playbook_id", "step", "level", "channel", "template", "tone", "mode",
    "owner", "contact_id", "asked_mills", "items", "blocked", "reasons", "experiment_id", "arm",
)  # fmt: skip

_STATE = f"""
CASE WHEN p.blocked <> '' THEN '{BLOCKED}'
     WHEN p.channel <> ALL(ARRAY[{", ".join(f"'{channel}'" for channel in WRITTEN)}]) THEN '{SUGGESTED}'
     WHEN d.is_approved THEN '{APPROVED}'
     WHEN NOT d.is_approved THEN '{REFUSED}'
     WHEN p.mode = '{APPROVE}' THEN '{TO_APPROVE}'
     ELSE '{AUTOMATIC}' END
"""
_FROM = """
  FROM collection_playbookaction p
  LEFT JOIN collection_playbookdecision d ON d.action_id = p.id
"""
_ROWS = f"""
SELECT p.id, p.account_id, a.code, c.name, p.currency, p.track, v.code AS playbook,
       v.version AS playbook_version, p.step, p.level, p.channel, p.template, p.tone, p.mode, p.owner,
       p.contact_id, p.asked, p.items::text AS items, p.blocked, p.reasons::text AS reasons,
       {_STATE} AS state, coalesce(d.actor, '') AS decided_by
{_FROM}
  JOIN collection_playbookversion v ON v.id = p.playbook_id
  JOIN parties_customeraccount a ON a.id = p.account_id
  JOIN parties_customer c ON c.id = a.customer_id
"""


@dataclass(frozen=True, slots=True)
class PlannedRow:
    """One planned message (or call, task) as people see it. state: one of STATES."""

    id: int
    account_id: int
    code: str
    name: str
    currency: str
    track: str
    playbook: str
    playbook_version: int
    step: str
    level: int
    channel: str
    template: str
    tone: str
    mode: str
    owner: str
    contact_id: int | None
    asked: Decimal
    items: list[dict[str, Any]]
    blocked: str
    reasons: list[dict[str, Any]]
    state: str
    decided_by: str


def plan_json(plan: pl.DataFrame) -> pl.DataFrame:
    """PLAN with items and reasons as the JSON text in which they are kept."""
    # One pass over all reasons at once: a row at a time takes longer than planning.
    rows = plan.select("items", "reasons").with_row_index("row")
    items = rows.select("row", "items").explode("items").drop_nulls("items").select(
        "row", pl.col("items").struct.json_encode().alias("items")
    )  # fmt: skip
    reasons = rows.select("row", "reasons").explode("reasons").drop_nulls("reasons").unnest("reasons")
    told = reasons.select(
        "row",
        pl.concat_str(pl.lit('{"code":"'), "code", pl.lit('","params":'), "params", pl.lit("}")).alias(
            "reasons"
        ),
    )
    joined = rows.select("row")
    for name, frame in (("items", items), ("reasons", told)):
        lists = frame.group_by("row", maintain_order=True).agg(pl.col(name).str.join(","))
        joined = joined.join(lists, on="row", how="left", maintain_order="left").with_columns(
            pl.concat_str(pl.lit("["), pl.col(name).fill_null(""), pl.lit("]")).alias(name)
        )
    return plan.with_columns(joined["items"], joined["reasons"])


def keep_plan(day_run_id: int, plan: pl.DataFrame) -> int:
    """Store PLAN as the plan of a day run; returns the number of rows."""
    kept = plan_json(plan).select(*KEPT, pl.lit(day_run_id).alias("day_run_id"))
    return copy_in("collection_playbookaction", kept)


def planned(
    ctx: Context,
    day_run_id: int,
    state: str = "",
    track: str = "",
    account_id: int | None = None,
    limit: int | None = None,
    offset: int = 0,
) -> list[PlannedRow]:
    """The plan of a day run as far as the actor may see it: the highest amount first."""
    scope, scope_params = visible_accounts_sql(ctx)
    sql = f"{_ROWS} WHERE p.day_run_id = %s AND p.account_id IN ({scope})"
    params: list[Any] = [day_run_id, *scope_params]
    for condition, value in (
        (f"{_STATE} = %s", state), ("p.track = %s", track), ("p.account_id = %s", account_id),
    ):  # fmt: skip
        if value:
            sql += f" AND {condition}"
            params.append(value)
    sql += " ORDER BY p.asked DESC, p.id LIMIT %s OFFSET %s"
    return _fetch(sql, [*params, limit, offset])


def action_row(ctx: Context, action_id: int) -> PlannedRow | None:
    """One planned action, None where there is none or the actor may not see its account."""
    scope, scope_params = visible_accounts_sql(ctx)
    found = _fetch(f"{_ROWS} WHERE p.id = %s AND p.account_id IN ({scope})", [action_id, *scope_params])
    return found[0] if found else None


def _fetch(sql: str, params: Sequence[Any]) -> list[PlannedRow]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        names = [column.name for column in cursor.description]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return [
        PlannedRow(**{**row, "items": json.loads(row["items"]), "reasons": json.loads(row["reasons"])})
        for row in rows
    ]


def counts(day_run_id: int) -> dict[str, int]:
    """How many actions of a day run are in each of STATES."""
    with connection.cursor() as cursor:
        sql = f"SELECT {_STATE} AS state, count(*) {_FROM} WHERE p.day_run_id = %s GROUP BY 1"
        cursor.execute(sql, [day_run_id])
        found = dict(cursor.fetchall())
    return {state: found.get(state, 0) for state in STATES}


def may_decide(ctx: Context, company_id: int) -> bool:
    """Whether the actor may approve or refuse in that company; scheduled work may not: it is for people."""
    user = User.objects.filter(username=ctx.actor).first()
    return user is not None and bool(roles(user, company_id) & MAY_DECIDE)


@transaction.atomic
def decide(ctx: Context, action_id: int, approve: bool, note: str = "") -> int:
    """Approve or refuse an action that waits for approval; returns the decision's id.

    Raises SaldoError: action_unknown (or not visible), approval_not_allowed, action_blocked,
    action_not_written (a call, a task), action_automatic, action_decided (somebody was first).
    """
    row = action_row(ctx, action_id)
    if row is None:
        raise SaldoError("action_unknown", action=action_id)
    account = CustomerAccount.objects.select_for_update(of=("self",)).get(id=row.account_id)
    if not may_decide(ctx, account.company_id):
        raise SaldoError("approval_not_allowed", roles=", ".join(sorted(MAY_DECIDE)))
    if row.blocked:
        raise SaldoError("action_blocked", action=action_id, reason=row.blocked)
    if row.channel not in WRITTEN:
        raise SaldoError("action_not_written")
    if row.mode != APPROVE:
        raise SaldoError("action_automatic")
    ctx = stamped(ctx, account.company_id)
    try:
        with transaction.atomic():
            decision = PlaybookDecision.objects.create(
                action_id=action_id, is_approved=approve, note=note.strip()[:NOTE_CHARACTERS],
                actor=ctx.actor, recorded_at=ctx.recorded_at,
            )  # fmt: skip
    except IntegrityError as error:
        raise SaldoError("action_decided", action=action_id) from error
    verb = "playbook.approved" if approve else "playbook.refused"
    record_event(ctx, verb, "account", account.id, {"action": action_id, "step": row.step})
    return decision.id
