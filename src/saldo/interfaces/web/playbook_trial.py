"""A dry run made ready for the page: sums, changes by kind, and the rows that are shown of many."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from saldo.analytics.plan_changes import ADDED, CHANGED, DROPPED
from saldo.flows.try_playbook import Trial, reasons_told, totals
from saldo.interfaces.web.templatetags.saldo import language

# So many rows of a kind the page shows; all of them are in the command's JSON.
SHOWN = 50


def shown_trial(trial: Trial, asked: Mapping[str, Any]) -> dict[str, Any]:
    """What the templates of a trial read. ``asked``: rows=all shows more of them."""
    limit = 1000 if asked.get("rows") == "all" else SHOWN
    own = trial.playbook.code
    rows = trial.rows.sort("blocked", "asked_mills", descending=[False, True], maintain_order=True)
    return {
        "trial": trial,
        "steps": trial.steps.to_dicts(),
        "rows": [
            row | {"why": reasons_told(row["reasons"], language())} for row in rows.head(limit).to_dicts()
        ],
        "row_count": rows.height,
        "kinds": [_kind(trial.changes, kind, limit) for kind in (ADDED, DROPPED, CHANGED)],
        "moved_in": _moves(trial.moves.filter(pl.col("playbook") == own), limit),
        "moved_out": _moves(trial.moves.filter(pl.col("playbook_before") == own), limit),
        "sums": _sums(trial),
        "limit": limit,
        "is_same": trial.changes.is_empty() and trial.moves.is_empty(),
    }


def _kind(changes: pl.DataFrame, kind: str, limit: int) -> dict[str, Any]:
    found = changes.filter(pl.col("kind") == kind)
    size = pl.coalesce("asked_mills", "asked_mills_before").abs()
    ordered = found.sort(size, descending=True, maintain_order=True)
    return {"kind": kind, "count": found.height, "rows": ordered.head(limit).to_dicts()}


def _moves(moves: pl.DataFrame, limit: int) -> dict[str, Any]:
    return {"count": moves["account_id"].n_unique(), "rows": moves.head(limit).to_dicts()}


def _sums(trial: Trial) -> list[dict[str, Any]]:
    """By currency: messages, amount, calls and what is held back, as it is and as it would be."""
    nothing = {"messages": 0, "asked": "0", "suggested": 0, "blocked": 0}
    before = {row["currency"]: row for row in totals(trial.before)}
    after = {row["currency"]: row for row in totals(trial.after)}
    return [
        {"currency": each, "before": before.get(each, nothing), "after": after.get(each, nothing)}
        for each in sorted(before | after)
    ]
