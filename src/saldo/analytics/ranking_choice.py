"""Which action for each account: of highest value, or, where minutes are short, of highest value less what
its minutes would bring elsewhere. The others are kept, each with why it is not the one.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from saldo.core.desk_prior import DeskPrior
from saldo.core.priority import learned_minutes
from saldo.core.priors import NO_ACTION, ActionPrior, PriorityPrior

ALTERNATIVE = pl.Struct(
    {
        "action": pl.Utf8(),
        "minutes": pl.Float64(),
        "value_mills": pl.Int64(),
        "gain_mills": pl.Int64(),
        "code": pl.Utf8(),
    }
)
ALTERNATIVES = pl.List(ALTERNATIVE)
# Halvings of the price of a minute: its last step is far below a thousandth.
_HALVINGS = 50
# Codes of why an action is not the one; those of what rules it out are in ranking_effects.
COSTS_MORE, BRINGS_LESS, MINUTES_ELSEWHERE, RESTS = "costs_more", "brings_less", "minutes_elsewhere", "rests"


def base_minutes(
    prior: PriorityPrior, desk: DeskPrior, timed: Mapping[str, tuple[int, float]]
) -> dict[str, float]:
    """Minutes of each action with one item: as stated, drawn to what timed contacts took."""
    return {
        a.action: learned_minutes(a.minutes, *timed.get(a.action, (0, 0.0)), desk.effort_weight)
        for a in prior.contacts
    }


def minutes_of(action: ActionPrior, base: Mapping[str, float], desk: DeskPrior) -> pl.Expr:
    """``core.priority.action_minutes`` of a dossier with ``items`` items."""
    further = pl.col("items").clip(1, desk.items_at_most) - 1
    return base[action.action] + action.minutes_per_item * further


def price_of_a_minute(accounts: pl.DataFrame, prior: PriorityPrior, budget: float | None) -> float:
    """What the last of the day's minutes brings, in mills; 0 where they reach all that is worth it.

    accounts: value_<action> (null: ruled out) and minutes_<action>. budget: the minutes of the day, None: any
    number. At this price the chosen actions fill the budget (the Lagrange multiplier of the knapsack).
    """
    if budget is None or accounts.is_empty():
        return 0.0
    names = [a.action for a in prior.contacts]
    values = accounts.select(pl.col(f"value_{name}").fill_null(-np.inf) for name in names).to_numpy()
    minutes = accounts.select(f"minutes_{name}" for name in names).to_numpy()

    def spent(price: float) -> float:
        net = values - price * minutes
        best = net.argmax(axis=1)
        rows = np.arange(len(best))
        return float(minutes[rows, best][net[rows, best] > 0].sum())

    if spent(0.0) <= budget:
        return 0.0
    low, high = 0.0, float(np.max(values / minutes, initial=0.0, where=np.isfinite(values)))
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if spent(middle) > budget else (low, middle)
    return high


def with_action(accounts: pl.DataFrame, prior: PriorityPrior, price: float) -> pl.DataFrame:
    """Adds the chosen contact, worthwhile or not: action, minutes, cost, value, per_minute.

    Where every contact is ruled out the value is null and the action is none.
    """
    net = {
        a.action: pl.col(f"value_{a.action}") - price * pl.col(f"minutes_{a.action}") for a in prior.contacts
    }
    best = pl.max_horizontal(*net.values())
    chosen: pl.Expr = pl.lit(NO_ACTION)
    columns: dict[str, pl.Expr] = {name: pl.lit(None, pl.Float64) for name in ("minutes", "cost", "value")}
    # The first listed wins a tie: it is looked at last.
    for action in reversed(prior.contacts):
        is_best = (net[action.action] == best).fill_null(False)
        chosen = pl.when(is_best).then(pl.lit(action.action)).otherwise(chosen)
        for name, other in columns.items():
            columns[name] = pl.when(is_best).then(pl.col(f"{name}_{action.action}")).otherwise(other)
    told = accounts.with_columns(
        chosen.alias("action"), *(column.alias(name) for name, column in columns.items())
    )
    return told.with_columns((pl.col("value") / pl.col("minutes")).alias("per_minute"))


def with_alternatives(
    entries: pl.DataFrame, prior: PriorityPrior, shown: pl.Expr, rests: pl.Expr
) -> pl.DataFrame:
    """Adds ``alternatives``: the actions that are not the one shown, the best first, each with its code.

    shown: the action that the row suggests. rests: whether the account is left alone whatever is worth it.
    """
    options = []
    for action in prior.contacts:
        name = action.action
        value, ruled_out = pl.col(f"value_{name}"), pl.col(f"code_{name}")
        code = (
            pl.when(ruled_out.is_not_null()).then(ruled_out)
            .when(value <= 0).then(pl.lit(COSTS_MORE))
            .when(rests).then(pl.lit(RESTS))
            .when(value > pl.col("value")).then(pl.lit(MINUTES_ELSEWHERE))
            .otherwise(pl.lit(BRINGS_LESS))
        )  # fmt: skip
        kept = (shown != name) & (ruled_out.is_null() | (ruled_out != "not_offered"))
        told = pl.struct(
            pl.lit(name).alias("action"),
            pl.col(f"minutes_{name}").alias("minutes"),
            value.round().cast(pl.Int64).alias("value_mills"),
            (value + pl.col(f"cost_{name}")).round().cast(pl.Int64).alias("gain_mills"),
            code.alias("code"),
        )
        options.append(pl.when(kept).then(told))
    nothing = pl.struct(
        pl.lit(NO_ACTION).alias("action"),
        pl.lit(0.0).alias("minutes"),
        pl.lit(0, pl.Int64).alias("value_mills"),
        pl.lit(0, pl.Int64).alias("gain_mills"),
        pl.lit(BRINGS_LESS).alias("code"),
    )
    options.append(pl.when(shown != NO_ACTION).then(nothing))
    places = [f"_option{place}" for place in range(len(options))]
    ready = entries.with_columns(**dict(zip(places, options, strict=True)))
    return ready.with_columns(_best_first(ready, places)).drop(places)


def _best_first(entries: pl.DataFrame, places: list[str]) -> pl.Series:
    """The options of each row in order of value, what is ruled out last."""
    options = pl.concat_list(*places).list.drop_nulls().cast(ALTERNATIVES)
    listed = entries.select(options.alias("alternatives")).with_row_index("_row")
    exploded = listed.explode("alternatives", empty_as_null=True, keep_nulls=True)
    value = pl.col("alternatives").struct.field("value_mills")
    ordered = exploded.sort(
        pl.col("_row"), value, descending=[False, True], nulls_last=True, maintain_order=True
    )
    grouped = ordered.group_by("_row", maintain_order=True).agg(pl.col("alternatives").drop_nulls())
    return grouped["alternatives"]
