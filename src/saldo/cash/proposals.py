"""Keeping what the engine proposed: every line's ranked proposals, once for each time they changed."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import polars as pl
from django.db import connection, transaction

from saldo.core.context import Context
from saldo.core.matching.records import Proposal
from saldo.identity.operations import stamped
from saldo.storage.frames import copy_in, copy_out, reserve_ids
from saldo.storage.locks import retried

_SCHEMA = {
    "id": pl.Int64, "transaction_id": pl.Int64, "rank": pl.Int16, "kind": pl.String, "zone": pl.String,
    "account_id": pl.Int64, "shares": pl.String, "differences": pl.String, "unapplied_mills": pl.Int64,
    "probability": pl.Float64, "pattern": pl.String, "reasons": pl.String,
}  # fmt: skip
_NEWEST_SCHEMA = {
    "id": pl.Int64, "transaction_id": pl.Int64, "kind": pl.String, "zone": pl.String,
    "account_id": pl.Int64, "shares": pl.String, "differences": pl.String, "unapplied_mills": pl.Int64,
    "pattern": pl.String,
}  # fmt: skip
# What is not written again when it is the same: the newest proposals of each line, best first.
_NEWEST = """
SELECT m.id, m.transaction_id, m.kind, m.zone, m.account_id, m.shares::text, m.differences::text,
       (m.unapplied * 1000)::bigint, m.pattern
  FROM (SELECT transaction_id, max(run) AS run FROM cash_matchproposal
         WHERE transaction_id = ANY(%(lines)s) GROUP BY 1) newest
  JOIN cash_matchproposal m ON m.transaction_id = newest.transaction_id AND m.run = newest.run
 ORDER BY m.transaction_id, m.rank
"""
Decided = tuple[int, Sequence[Proposal]]


def next_run() -> int:
    """The number of a run that begins now; runs of one company exclude each other."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(max(run), 0) + 1 FROM cash_matchproposal")
        (run,) = cursor.fetchone()
    return int(run)


def keep_proposals(
    ctx: Context, company_id: int, run: int, decided: Sequence[Decided], model_version_id: int
) -> dict[int, int]:
    """Keep the proposals of lines, best first; returns {line: id of its first one}.

    A line whose newest proposals say the same (but for the probability, which moves with every confirmed
    match) keeps those.
    """

    def whole() -> dict[int, int]:
        with transaction.atomic():
            known = _newest([line_id for line_id, _ in decided])
            now = stamped(ctx, company_id)
            firsts: dict[int, int] = {}
            changed: list[tuple[int, list[tuple[Any, ...]], Sequence[Proposal]]] = []
            for line_id, proposals in decided:
                told = [_told(proposal) for proposal in proposals]
                before = known.get(line_id)
                if before is not None and before[1] == told:
                    firsts[line_id] = before[0]
                else:
                    changed.append((line_id, told, proposals))
            firsts |= _write(now, run, changed, model_version_id)
            return firsts

    return retried(whole)


def _newest(line_ids: list[int]) -> dict[int, tuple[int, list[tuple[Any, ...]]]]:
    found: dict[int, tuple[int, list[tuple[Any, ...]]]] = {}
    grouped: dict[int, list[tuple[Any, ...]]] = defaultdict(list)
    for id_, line_id, *rest in copy_out(_NEWEST, {"lines": line_ids}, _NEWEST_SCHEMA).iter_rows():
        shares, differences = (json.dumps(json.loads(rest[place])) for place in (3, 4))
        grouped[line_id].append((*rest[:3], shares, differences, *rest[5:]))
        found.setdefault(line_id, (id_, grouped[line_id]))
    return found


def _told(proposal: Proposal) -> tuple[Any, ...]:
    """What makes a proposal the same, as it is kept."""
    # The order of keys is that of jsonb: by length, then by letter.
    shares = [{"item": share.item_id, "mills": share.mills} for share in proposal.shares]
    differences = [{"item": d.item_id, "kind": d.kind, "mills": d.mills} for d in proposal.differences]
    return (
        proposal.kind, proposal.zone, proposal.account_id, json.dumps(shares), json.dumps(differences),
        proposal.unapplied_mills, proposal.pattern,
    )  # fmt: skip


def _write(
    ctx: Context,
    run: int,
    changed: Sequence[tuple[int, list[tuple[Any, ...]], Sequence[Proposal]]],
    model_version_id: int,
) -> dict[int, int]:
    ids = iter(reserve_ids("cash_matchproposal", sum(len(told) for _, told, _ in changed)).to_list())
    rows, firsts = [], {}
    for line_id, told, proposals in changed:
        for rank, (one, proposal) in enumerate(zip(told, proposals, strict=True), start=1):
            id_ = next(ids)
            firsts.setdefault(line_id, id_)
            kind, zone, account, shares, differences, unapplied, pattern = one
            reasons = [{"code": reason.code, "params": reason.params} for reason in proposal.reasons]
            rows.append(
                (id_, line_id, rank, kind, zone, account, shares, differences, unapplied,
                 proposal.probability, pattern[:120], json.dumps(reasons))
            )  # fmt: skip
    frame = pl.DataFrame(rows, schema=_SCHEMA, orient="row").with_columns(
        pl.lit(run).alias("run"),
        pl.lit(model_version_id).alias("model_version_id"),
        pl.lit(str(ctx.recorded_at)).alias("recorded_at"),
    )
    copy_in("cash_matchproposal", frame)
    return firsts
