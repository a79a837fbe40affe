"""A playbook tried on today's portfolio before it counts: who would get what, and what would be different.

Nothing is written. Sending is taken as live, so that a company that has not begun yet sees what it would
begin with.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl

from saldo.analytics.plan_changes import ADDED, CHANGED, DROPPED, moves, plan_changes, summary
from saldo.analytics.playbook_segments import assign
from saldo.collection.playbook_changes import Saved, save
from saldo.collection.playbooks import PlaybookRow, in_force, playbooks
from saldo.core.context import Context
from saldo.core.money import decimal_text
from saldo.core.playbook import WRITTEN, Playbook
from saldo.core.playbook_checks import among, check
from saldo.core.playbook_problems import Problem, mistakes, refusal
from saldo.core.playbook_text import parse, read
from saldo.core.reasons import render
from saldo.flows.facts import gather
from saldo.flows.plan_outreach import accounts_of, plan_outreach
from saldo.identity.queries import CompanyRow
from saldo.outreach.templates import known
from saldo.parties.frames import account_names

# The playbook that is tried stands in plans under this number: it is no version yet.
TRIED = 0


@dataclass(frozen=True, slots=True)
class Trial:
    """What a playbook would do on a day.

    active_version: of the playbook in force that it would replace, None where it would be a new one. rows:
    PLAN with code and name of what it would do itself; steps: SUMMARY of them. changes: CHANGES of all
    playbooks together, with code and name; moves: accounts that change their playbook. before, after: SUMMARY
    of all playbooks as they are, and with this one.
    """

    company: str
    as_of: date
    playbook: Playbook
    active_version: int | None
    warnings: tuple[Problem, ...]
    accounts: int
    rows: pl.DataFrame
    steps: pl.DataFrame
    changes: pl.DataFrame
    moves: pl.DataFrame
    before: pl.DataFrame
    after: pl.DataFrame


def check_playbook(text: str | bytes, company_id: int | None = None) -> tuple[Playbook | None, list[Problem]]:
    """The playbook of a text and all that is wrong with it; with a company, its templates are known."""
    playbook, problems = read(text)
    if playbook is None:
        return None, problems
    return playbook, check(playbook, None if company_id is None else known(company_id))


def save_playbook(
    ctx: Context, company_id: int, text: str | bytes, note: str = "", based_on: int | None = None
) -> Saved:
    """Keep a text as the next version of its playbook; its templates must be there. Raises like
    ``collection.playbook_changes.save``."""
    return save(ctx, company_id, text, note, known(company_id), based_on)


def try_playbook(ctx: Context, company: CompanyRow, text: str | bytes) -> Trial:
    """Raises SaldoError("playbook_invalid") for a text that could not be saved."""
    playbook = parse(text)
    problems = check(playbook, known(company.id))
    if mistakes(problems):
        raise refusal(problems)
    ctx = ctx.within(company.id)
    before = in_force(company.id, ctx.known_at)
    after = [pair for pair in before if pair[1].code != playbook.code] + [(TRIED, playbook)]
    facts = gather(ctx)
    accounts = accounts_of(ctx, company, facts)
    planned = plan_outreach(ctx, company, facts, before, is_live=True)
    would_be = plan_outreach(ctx, company, facts, after, is_live=True)
    taken = assign(after, accounts)
    own = would_be.filter(pl.col("playbook_id") == TRIED)
    active = _active(company.id, playbook.code)
    return Trial(
        company=company.code,
        as_of=ctx.as_of,
        playbook=playbook,
        active_version=active.active.version if active and active.active else None,
        warnings=(*problems, *among([each for _, each in after])),
        accounts=taken.filter(pl.col("playbook_id") == TRIED)["account_id"].n_unique(),
        rows=_named(own),
        steps=summary(own),
        changes=_named(plan_changes(planned, would_be)),
        moves=_named(moves(assign(before, accounts), taken)),
        before=summary(planned),
        after=summary(would_be),
    )


def _active(company_id: int, code: str) -> PlaybookRow | None:
    return next((row for row in playbooks(company_id) if row.code == code), None)


def _named(frame: pl.DataFrame) -> pl.DataFrame:
    names = account_names().select("account_id", "code", "name")
    joined = frame.join(names, on="account_id", how="left", maintain_order="left")
    return joined.sort("name", maintain_order=True, nulls_last=True)


def told(trial: Trial, language: str = "en") -> dict[str, Any]:
    """The trial in the stable JSON of the command line; amounts are decimal texts."""
    kinds = trial.changes["kind"].value_counts()
    counts = dict(zip(kinds["kind"].to_list(), kinds["count"].to_list(), strict=True))
    own = trial.playbook.code
    return {
        "company": trial.company,
        "as_of": trial.as_of.isoformat(),
        "playbook": own,
        "title": dict(trial.playbook.title),
        "order": trial.playbook.order,
        "active_version": trial.active_version,
        "warnings": [problem.as_json(language) for problem in trial.warnings],
        "accounts": trial.accounts,
        "steps": [_summary_told(row) for row in trial.steps.iter_rows(named=True)],
        "rows": [_row_told(row, language) for row in trial.rows.iter_rows(named=True)],
        "changes": {
            "accounts_in": trial.moves.filter(pl.col("playbook") == own).height,
            "accounts_out": trial.moves.filter(pl.col("playbook_before") == own).height,
            **{kind: counts.get(kind, 0) for kind in (ADDED, DROPPED, CHANGED)},
            "moved": [_move_told(row) for row in trial.moves.iter_rows(named=True)],
            "messages": [_change_told(row) for row in trial.changes.iter_rows(named=True)],
        },
        "before": totals(trial.before),
        "after": totals(trial.after),
    }


def totals(sums: pl.DataFrame) -> list[dict[str, Any]]:
    """By currency: messages that would leave, what a person would be asked to do, what is held back."""
    rows = []
    for (currency,), part in sums.group_by("currency", maintain_order=True):
        free, is_written = part["blocked"] == "", part["channel"].is_in(list(WRITTEN))
        going = part.filter(free & is_written)
        rows.append(
            {
                "currency": currency,
                "messages": int(going["messages"].sum()),
                "asked": decimal_text(int(going["asked_mills"].sum()), str(currency)),
                "suggested": int(part.filter(free & ~is_written)["messages"].sum()),
                "blocked": int(part.filter(~free)["messages"].sum()),
            }
        )
    return sorted(rows, key=lambda row: str(row["currency"]))


def _summary_told(row: dict[str, Any]) -> dict[str, Any]:
    kept = {name: row[name] for name in ("track", "level", "step", "channel", "blocked", "currency")}
    counts = {"messages": row["messages"], "items": row["items"]}
    return kept | counts | {"asked": decimal_text(row["asked_mills"], row["currency"])}


def _row_told(row: dict[str, Any], language: str) -> dict[str, Any]:
    names = ("track", "step", "level", "channel", "template", "tone", "mode", "owner", "purpose", "blocked")
    return {
        "account": row["code"],
        "name": row["name"],
        "currency": row["currency"],
        **{name: row[name] for name in names},
        "asked": decimal_text(row["asked_mills"], row["currency"]),
        "items": len(row["items"]),
        "reasons": reasons_told(row["reasons"], language),
    }


def reasons_told(reasons: list[dict[str, Any]], language: str) -> list[str]:
    """The reasons of a PLAN's row in words."""
    return [render(each["code"], each["params"], language) for each in reasons]


def _move_told(row: dict[str, Any]) -> dict[str, Any]:
    names = ("currency", "playbook_before", "playbook")
    return {"account": row["code"], "name": row["name"], **{name: row[name] for name in names}}


def _change_told(row: dict[str, Any]) -> dict[str, Any]:
    told = {"account": row["code"], "name": row["name"]}
    told |= {name: row[name] for name in ("currency", "track", "kind", "fields")}
    for suffix in ("_before", ""):
        names = ("playbook", "step", "level", "channel", "blocked")
        told |= {f"{name}{suffix}": row[f"{name}{suffix}"] for name in names}
        mills = row[f"asked_mills{suffix}"]
        told[f"asked{suffix}"] = None if mills is None else decimal_text(mills, row["currency"])
    told["fields"] = [name.removesuffix("_mills").replace("asked_mills", "asked") for name in row["fields"]]
    return told
