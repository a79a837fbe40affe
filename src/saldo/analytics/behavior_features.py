"""What a customer's payments say of it on one evening, and whether it is in default then.

One row an account, from that account's own facts known by the evening. Names, units and bins are those of
``behavior.toml``.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from importlib.resources import files
from typing import Any

import polars as pl

from saldo.analytics.book import PAID, WRITTEN_OFF, Book
from saldo.analytics.delay_types import observe

_LATE_DAYS = 5
_LONG_DAYS = 60
_YEAR, _RECENT = 365, 120
_MOST_DELAY = 120
# A promise is kept by so much of it within so many days after its day.
_KEPT_SHARE, _GRACE_DAYS = 0.95, 5
_MILLS = 1000
_FEWEST_RECENT = 2


@dataclass(frozen=True, slots=True)
class Feature:
    """One line of the stated card: bins of its values with their weights in log odds."""

    name: str
    unit: str
    up_to: tuple[float, ...]
    weights: tuple[float, ...]
    missing: float


@dataclass(frozen=True, slots=True)
class Rules:
    """``behavior.toml``. default: days_past_due, least_amount, least_share, horizon_days."""

    default: Mapping[str, float]
    learning: Mapping[str, int]
    in_default: float
    features: tuple[Feature, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(one.name for one in self.features)


@cache
def rules() -> Rules:
    """The rules as packaged. Raises ValueError for bins out of order or without their weights."""
    return parse_rules(files("saldo.analytics").joinpath("behavior.toml").read_text(encoding="utf-8"))


def parse_rules(text: str) -> Rules:
    tree: dict[str, Any] = tomllib.loads(text)
    features = []
    for one in tree["features"]:
        bounds, weights = [float(each) for each in one["up_to"]], [float(each) for each in one["weights"]]
        if bounds != sorted(set(bounds)) or len(weights) != len(bounds) + 1:
            raise ValueError(f"{one['name']}: its bins must rise and have one weight more than bounds")
        features.append(
            Feature(one["name"], one["unit"], tuple(bounds), tuple(weights), float(one["missing"]))
        )
    return Rules(tree["default"], tree["learning"], float(tree["now"]["in_default"]), tuple(features))


def behavior_features(book: Book, as_of: date) -> pl.DataFrame:
    """account_id, n_history (paid items), in_default, and the features of ``behavior.toml`` (Float64, null
    where they cannot be computed), of every account with an item known by the evening; sorted by account."""
    known = book.known_by(as_of)
    accounts = known.items.group_by("account_id").agg(
        relationship_days=(pl.lit(as_of) - pl.col("document_date").min()).dt.total_days().cast(pl.Float64)
    )
    parts = (_paying(known, as_of), _promises(known, as_of), _exposure(known, as_of))
    for part in parts:
        accounts = accounts.join(part, on="account_id", how="left")
    return (
        accounts.with_columns(
            pl.col("n_history").fill_null(0),
            pl.col("in_default").fill_null(False),
            # Nothing open is nothing overdue.
            pl.col("broken_promises", "overdue_share", "oldest_days").fill_null(0.0),
        )
        .select(
            "account_id",
            "n_history",
            "in_default",
            *(pl.col(name).cast(pl.Float64) for name in rules().names),
        )
        .sort("account_id")
    )


def _paying(known: Book, as_of: date) -> pl.DataFrame:
    """Delays of what fell due; an open item counts at its age, one in dispute up to the objection."""
    seen = observe(known, as_of)
    frame = pl.DataFrame(
        {
            "account_id": seen.accounts[seen.account],
            "ago": (as_of - date(1970, 1, 1)).days - seen.due,
            "delay": seen.delay.clip(0, _MOST_DELAY),
            "paid": seen.paid,
            "parted": seen.parted_at,
            "returned": seen.returned_at,
        }
    )
    ago, delay = pl.col("ago"), pl.col("delay")
    in_year, recent = ago < _YEAR, ago < _RECENT
    earlier = ago.is_between(_RECENT, _RECENT + _YEAR)
    # Young items could not be late yet by so much.
    old_enough = in_year & ((ago >= _LONG_DAYS) | pl.col("paid"))
    rise = delay.filter(recent).mean() - delay.filter(earlier).mean()
    enough = (recent.sum() >= _FEWEST_RECENT) & (earlier.sum() >= _FEWEST_RECENT)
    return frame.group_by("account_id").agg(
        n_history=pl.col("paid").sum(),
        late_share=(delay.filter(in_year) > _LATE_DAYS).mean(),
        mean_delay=delay.filter(in_year).mean(),
        delay_rise=pl.when(enough).then(rise),
        over_60_share=(delay.filter(old_enough) >= _LONG_DAYS).mean(),
        parted_share=(pl.col("parted") <= ago).filter(in_year).mean(),
        returned_share=(pl.col("returned") <= ago).filter(in_year).mean(),
    )


def _promises(known: Book, as_of: date) -> pl.DataFrame:
    """Promises of the last year of which, some days after, less than promised had come."""
    judged = known.promises.with_columns(until=pl.col("promised_date") + timedelta(days=_GRACE_DAYS)).filter(
        (pl.col("until") <= as_of) & (pl.col("until") > as_of - timedelta(days=_YEAR))
    )
    paid = known.ends.filter(pl.col("cause") == PAID).join(
        known.items.select("item_id", "account_id"), on="item_id"
    )
    one = judged.with_row_index("promise")
    came = (
        one.join(
            paid.select("account_id", "end_date", paid_item="item_id", paid_mills="amount_mills"),
            on="account_id",
        )
        .filter(
            pl.col("end_date").is_between("known_date", "until")
            & (pl.col("item_id").is_null() | (pl.col("item_id") == pl.col("paid_item")))
        )
        .group_by("promise")
        .agg(pl.col("paid_mills").sum())
    )
    kept = pl.col("paid_mills").fill_null(0) >= pl.col("amount_mills") * _KEPT_SHARE
    return (
        one.join(came, on="promise", how="left")
        .group_by("account_id")
        .agg(broken_promises=(~kept).sum().cast(pl.Float64))
    )


def _exposure(known: Book, as_of: date) -> pl.DataFrame:
    """What is open and past due; amounts are compared within one currency, the worst counts."""
    open_items = _open(known, as_of)
    past, balance = pl.col("age") > 0, pl.col("balance_mills")
    return (
        open_items.group_by("account_id", "currency")
        .agg(
            overdue_share=balance.filter(past).sum() / balance.sum(),
            oldest_days=pl.col("age").max().clip(0).cast(pl.Float64),
            in_default=_is_default(),
        )
        .group_by("account_id")
        .agg(pl.col("overdue_share", "oldest_days", "in_default").max())
    )


def _open(known: Book, as_of: date) -> pl.DataFrame:
    used = known.ends.group_by("item_id").agg(used=pl.col("amount_mills").sum())
    agreed = (
        known.terms.sort("known_date", maintain_order=True)
        .group_by("item_id", maintain_order=True)
        .agg(agreed=pl.col("due_date").last())
    )
    return (
        known.items.select("item_id", "account_id", "currency", "due_date", "amount_mills")
        .join(used, on="item_id", how="left")
        .join(agreed, on="item_id", how="left")
        .with_columns(
            balance_mills=pl.col("amount_mills") - pl.col("used").fill_null(0),
            age=(pl.lit(as_of) - pl.coalesce("agreed", "due_date")).dt.total_days(),
        )
        .filter(pl.col("balance_mills") > 0)
    )


def _is_default() -> pl.Expr:
    rule = rules().default
    long_past = pl.col("balance_mills").filter(pl.col("age") > rule["days_past_due"]).sum()
    least = pl.max_horizontal(
        pl.lit(rule["least_amount"] * _MILLS), pl.col("balance_mills").sum() * rule["least_share"]
    )
    return long_past >= least


def defaulted_on(book: Book, day: date) -> pl.DataFrame:
    """account_id of those in default on the evening of ``day``, or with a material write-off in the month
    before it."""
    known = book.known_by(day)
    late = (
        _open(known, day)
        .group_by("account_id", "currency")
        .agg(in_default=_is_default())
        .filter("in_default")
        .select("account_id")
    )
    lost = (
        known.ends.filter(
            (pl.col("cause") == WRITTEN_OFF) & (pl.col("known_date") > day - timedelta(days=31))
        )
        .join(known.items.select("item_id", "account_id", "currency"), on="item_id")
        .group_by("account_id", "currency")
        .agg(pl.col("amount_mills").sum())
        .filter(pl.col("amount_mills") >= rules().default["least_amount"] * _MILLS)
        .select("account_id")
    )
    return pl.concat([late, lost]).unique().sort("account_id")
