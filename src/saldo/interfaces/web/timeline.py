"""One account's history in one list: money, changed dates, what people did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from saldo.collection.queries import OutcomeRow
from saldo.core.context import Context
from saldo.ledger.statement import history


@dataclass(frozen=True, slots=True)
class Moment:
    """One line. source: "ledger" (kind and params make its text) or "person" (an outcome)."""

    on: date
    source: str
    kind: str
    params: dict[str, Any]
    outcome: OutcomeRow | None = None


def timeline(ctx: Context, account_id: int, outcomes: Sequence[OutcomeRow], limit: int) -> list[Moment]:
    """The newest ``limit`` lines, as of the context's day and as known then."""
    moments = [
        Moment(row.effective_date, "ledger", row.kind, row.params) for row in history(ctx, account_id, limit)
    ]
    moments += [
        Moment(row.as_of, "person", row.state, {}, row)
        for row in outcomes
        if row.as_of <= ctx.as_of and (ctx.known_at is None or row.recorded_at <= ctx.known_at)
    ]
    moments.sort(key=lambda moment: (moment.on, moment.source == "person"), reverse=True)
    return moments[:limit]
