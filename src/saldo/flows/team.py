"""The manager's view of a day: who does what, and what is slipping."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from saldo.collection.callbacks import CallBack, call_backs
from saldo.collection.team import Member, Slip, members, slips
from saldo.core.context import Context
from saldo.core.promises import OPEN
from saldo.flows.judged_promises import judgements
from saldo.outreach.replies import count_waiting


@dataclass(frozen=True, slots=True)
class Team:
    """members: the last one is nobody. slips: the oldest first. late_calls: agreed hours that have passed.
    promises: promises whose day has come and that no statement has judged yet. replies: those that wait."""

    members: list[Member]
    slips: list[Slip]
    late_calls: list[CallBack]
    promises: int
    replies: int


def team_of_day(ctx: Context, run: Any) -> Team:
    """The company's team on the day of ``run``."""
    judged = judgements(ctx)
    due = judged.filter((pl.col("state") == OPEN) & (pl.col("promised_date") <= ctx.as_of))
    return Team(
        members=members(ctx, run),
        slips=slips(ctx, run),
        late_calls=[one for one in call_backs(ctx) if one.is_due],
        promises=due.height,
        replies=count_waiting(ctx),
    )
