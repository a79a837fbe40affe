"""Which playbook an account is treated by. The page of the rules: docs/rules/playbooks.md."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from saldo.core.playbook import ANY, BROKEN, NONE, Playbook, When

Numbered = Sequence[tuple[int, Playbook]]
ASSIGNED = {
    "account_id": pl.Int64,
    "currency": pl.String,
    "place": pl.Int64,
    "playbook_id": pl.Int64,
    "playbook": pl.String,
    "segment": pl.String,
    "is_chosen": pl.Boolean,
}


def in_order(playbooks: Numbered) -> list[tuple[int, Playbook]]:
    """Playbooks in the order in which they are tried."""
    return sorted(playbooks, key=lambda each: each[1].order)


def holds(when: When) -> pl.Expr:
    """Whether the conditions hold for a row of ACCOUNTS. What is not known of an account does not hold."""
    conditions: list[pl.Expr] = []
    for column, values in (
        ("class", when.classes),
        ("country", when.countries),
        ("segment", when.segments),
        ("delay_reason", when.delay_reasons),
    ):
        if values:
            conditions.append(pl.col(column).is_in(list(values)))
    for column, least, most in (
        ("open_mills", when.min_open_mills, when.max_open_mills),
        ("known_days", when.min_known_days, when.max_known_days),
        ("late_days", when.min_late_days, when.max_late_days),
    ):
        if least is not None:
            conditions.append(pl.col(column) >= least)
        if most is not None:
            conditions.append(pl.col(column) <= most)
    conditions += _states(when)
    return pl.all_horizontal(conditions).fill_null(False) if conditions else pl.lit(True)


def _states(when: When) -> list[pl.Expr]:
    promise = pl.col("promise").fill_null("")
    given = {ANY: ("open", BROKEN), NONE: ("", NONE), BROKEN: (BROKEN,)}
    conditions = [promise.is_in(given[when.promise])] if when.promise else []
    for column, wanted in (("has_dispute", when.dispute), ("has_plan", when.plan)):
        if wanted:
            has = pl.col(column).fill_null(False)
            conditions.append(has if wanted == ANY else ~has)
    return conditions


def assign(playbooks: Numbered, accounts: pl.DataFrame) -> pl.DataFrame:
    """ASSIGNED: one row per account and currency of ``accounts`` (ACCOUNTS) that some playbook is for.

    The segment that a person chose goes first: where it is a playbook's own, that playbook it is. Else the
    first playbook, in order, whose segment's conditions hold. place: its index in that order.
    """
    ordered = in_order(playbooks)
    if not ordered:
        return pl.DataFrame(schema=ASSIGNED)
    chosen = pl.coalesce(
        pl.when(pl.col("segment") == playbook.segment.code).then(pl.lit(place, dtype=pl.Int64))
        for place, (_, playbook) in enumerate(ordered)
    )
    by_rule = pl.coalesce(
        pl.when(holds(playbook.segment.when)).then(pl.lit(place, dtype=pl.Int64))
        for place, (_, playbook) in enumerate(ordered)
    )
    table = pl.DataFrame(
        {
            "place": range(len(ordered)),
            "playbook_id": [version for version, _ in ordered],
            "playbook": [playbook.code for _, playbook in ordered],
            "segment": [playbook.segment.code for _, playbook in ordered],
        },
        schema={name: kind for name, kind in ASSIGNED.items() if name in _OF_PLAYBOOK},
    )
    return (
        accounts.select(
            "account_id",
            "currency",
            pl.coalesce(chosen, by_rule).alias("place"),
            chosen.is_not_null().alias("is_chosen"),
        )
        .join(table, on="place", how="inner", maintain_order="left")
        .select(*ASSIGNED)
    )


_OF_PLAYBOOK = ("place", "playbook_id", "playbook", "segment")
