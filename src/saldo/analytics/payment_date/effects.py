"""What an account's history says of this very item: a mixed model of the delay.

delay = level + effects of the item's own columns + effect of the account + rest. The effects of the columns
(amount, terms, calendar, method, and whatever further columns the book has) are learnt within accounts, so
that they are not taken for differences between customers; the account's effect is the mean of what its paid
items leave over, shrunk by the two variances (best linear unbiased prediction, Henderson 1975). A customer
who now gets its invoices by another channel is so judged by its own delays and by what the channel changes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from saldo.analytics.book import PAID, Book
from saldo.analytics.payment_date.censored import Scaler
from saldo.analytics.payment_date.columns import Columns, common_texts
from saldo.analytics.payment_date.pieces import IS_PAID, sane_due_date

Floats = npt.NDArray[np.float64]

NAMES = ("item_expected_delay", "account_effect", "account_certainty", "account_spread")
_OWN = ("own_log_amount", "own_terms_days", "own_month_sin", "own_month_cos", "own_weekday", "own_due_day")
_TEXTS = ("currency", "method")
PENALTY = 20.0
# An item paid so many days before the question counts half as much.
HALF_LIFE_DAYS = 365.0
_LIMIT_DAYS = 365.0
# The spread of all accounts counts as so many items in that of one.
SPREAD_ITEMS = 5.0
_REFERENCE_DAY = 14_610


def _described(items: pl.DataFrame, extra: Sequence[str]) -> pl.DataFrame:
    """The item's own columns: item_id, account_id, numbers of _OWN, texts and further columns as they are."""
    year = 2.0 * np.pi * pl.col("document_date").dt.ordinal_day() / 365.25
    units = pl.col("amount_mills").cast(pl.Float64).clip(lower_bound=0) / 1000.0
    return items.select(
        "item_id", "account_id", "amount_mills", "document_date", sane_due_date(),
        (units + 1.0).log10().alias("own_log_amount"),
        (sane_due_date() - pl.col("document_date")).dt.total_days().alias("own_terms_days"),
        year.sin().alias("own_month_sin"), year.cos().alias("own_month_cos"),
        pl.col("document_date").dt.weekday().alias("own_weekday"),
        pl.col("due_date").dt.day().alias("own_due_day"),
        *_TEXTS, *(name for name in extra if name not in _TEXTS),
    )  # fmt: skip


def _own_columns(described: pl.DataFrame, extra: Sequence[str]) -> Columns:
    numbers = [name for name in _OWN if described[name].n_unique() > 1]
    texts: list[tuple[str, str]] = []
    for name in (*_TEXTS, *extra):
        column = described[name]
        if column.n_unique() < 2:
            continue
        if column.dtype == pl.String:
            texts += [(name, value) for value in common_texts(column)]
        elif column.dtype.is_numeric() or column.dtype == pl.Boolean:
            numbers.append(name)
    return Columns(tuple(numbers), tuple(texts))


@dataclass(frozen=True)
class Effects:
    """columns, scaler, slopes: effects of the item's own columns. level: mean delay.

    ratio: number of paid items that the level counts for in an account's effect; noise: variance within
    accounts. extra: the book's own columns.
    """

    columns: Columns
    scaler: Scaler
    slopes: Floats
    level: float
    ratio: float
    noise: float
    extra: tuple[str, ...]

    def _of_items(self, described: pl.DataFrame) -> Floats:
        result: Floats = self.level + self.scaler.scaled(self.columns.matrix(described)) @ self.slopes
        return result

    def added(self, book: Book, features: pl.DataFrame) -> pl.DataFrame:
        """``features`` (features_at of book) with the columns NAMES: one value per landmark."""
        accounts = features.select("account_id").unique()
        items = book.items.join(accounts, on="account_id", how="semi")
        described = _described(items, self.extra)
        history = self._history(book, described)
        asked = features.select("item_id", "account_id", "as_of").with_row_index("row")
        sums = asked.sort("as_of", maintain_order=True).join_asof(
            history, left_on="as_of", right_on="known_date", by="account_id", strategy="backward",
            check_sortedness=False,
        )  # fmt: skip
        sums = sums.sort("row")
        day = sums["as_of"].to_physical().to_numpy().astype(np.float64)
        fading = 0.5 ** ((day - _REFERENCE_DAY) / HALF_LIFE_DAYS)
        mass, left, square = (
            sums[name].fill_null(0.0).to_numpy() * fading for name in ("mass", "left", "square")
        )
        effect = left / (mass + self.ratio)
        # Squares about the account's own mean, and the noise of all as so many items more.
        around = np.maximum(square - left**2 / np.maximum(mass, 1e-9), 0.0)
        spread = np.sqrt((around + SPREAD_ITEMS * self.noise) / (np.maximum(mass - 1.0, 0.0) + SPREAD_ITEMS))
        own = described.select("item_id").with_columns(pl.Series("own", self._of_items(described)))
        expected = asked.join(own, on="item_id", how="left", maintain_order="left")["own"].fill_null(
            self.level
        )
        return features.with_columns(
            pl.Series(NAMES[0], (expected.to_numpy() + effect).astype(np.float32)),
            pl.Series(NAMES[1], effect.astype(np.float32)),
            pl.Series(NAMES[2], (mass / (mass + self.ratio)).astype(np.float32)),
            pl.Series(NAMES[3], np.log(spread).astype(np.float32)),
        )

    def _history(self, book: Book, described: pl.DataFrame) -> pl.DataFrame:
        """Running sums of what paid items left over, by account and the day on which they were known."""
        own = described.with_columns(pl.Series("own", self._of_items(described)))
        delay = (pl.col("end_date") - pl.col("due_date")).dt.total_days().clip(-_LIMIT_DAYS, _LIMIT_DAYS)
        growing = 0.5 ** ((_REFERENCE_DAY - pl.col("end_date").to_physical()) / HALF_LIFE_DAYS)
        share = (pl.col("paid_mills") / pl.col("amount_mills")).clip(0.0, 1.0)
        payments = book.ends.filter((pl.col("cause") == PAID) & (pl.col("amount_mills") > 0)).select(
            "item_id", "end_date", pl.max_horizontal("known_date", "end_date"), paid_mills="amount_mills"
        )
        return (
            own.select("item_id", "account_id", "due_date", "amount_mills", "own")
            .filter(pl.col("amount_mills") > 0)
            .join(payments, on="item_id")
            .with_columns((share * growing).alias("mass"))
            .with_columns(
                ((delay - pl.col("own")) * pl.col("mass")).alias("left"),
                ((delay - pl.col("own")) ** 2 * pl.col("mass")).alias("square"),
            )
            .group_by("account_id", "known_date", maintain_order=True)
            .agg(pl.col("mass", "left", "square").sum())
            .sort("known_date", "account_id")
            .with_columns(pl.col("mass", "left", "square").cum_sum().over("account_id"))
        )

    def as_record(self) -> dict[str, Any]:
        return {
            "columns": self.columns.as_record(), "scaler": self.scaler.as_record(),
            "slopes": self.slopes.tolist(),
            "level": self.level, "ratio": self.ratio, "noise": self.noise, "extra": list(self.extra),
        }  # fmt: skip

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Effects:
        columns = Columns.from_record(record["columns"])
        slopes = np.array(record["slopes"], dtype=np.float64)
        if len(columns) != len(slopes):
            raise ValueError(f"{len(columns)} columns, but {len(slopes)} slopes")
        extra = tuple(map(str, record["extra"]))
        scaler = Scaler.from_record(record["scaler"])
        return cls(
            columns,
            scaler,
            slopes,
            float(record["level"]),
            float(record["ratio"]),
            float(record["noise"]),
            extra,
        )


def fit_effects(book: Book, paid: pl.DataFrame) -> Effects:
    """From the paid pieces (``pieces``) that are known."""
    ends = paid.filter(pl.col("outcome") == IS_PAID).group_by("item_id").agg(pl.col("exit_date").max())
    described = _described(book.items, book.extra).join(
        ends, on="item_id", how="inner", maintain_order="left"
    )
    columns = _own_columns(described, book.extra)
    matrix = columns.matrix(described)
    scaler = Scaler.of(matrix)
    z = scaler.scaled(matrix)
    delay = described.select((pl.col("exit_date") - pl.col("due_date")).dt.total_days()).to_series()
    y = delay.to_numpy().astype(np.float64)
    low, high = np.percentile(y, [1.0, 99.0])
    y = np.clip(y, low, high)
    level = float(y.mean())
    _, group = np.unique(described["account_id"].to_numpy(), return_inverse=True)
    size = np.bincount(group).astype(np.float64)

    def within(values: Floats) -> Floats:
        result: Floats = values - (np.bincount(group, values) / size)[group]
        return result

    inside = np.stack([within(z[:, place]) for place in range(z.shape[1])], axis=1) if z.shape[1] else z
    slopes = np.linalg.solve(inside.T @ inside + PENALTY * np.eye(z.shape[1]), inside.T @ within(y))
    rest = y - level - z @ slopes
    means = np.bincount(group, rest) / size
    degrees = max(len(y) - len(size), 1)
    noise = max(float(((rest - means[group]) ** 2).sum()) / degrees, 1e-6)
    between = float(np.average((means - rest.mean()) ** 2, weights=size)) - noise * len(size) / len(y)
    ratio = float(np.clip(noise / max(between, 1e-6), 0.05, 50.0))
    return Effects(columns, scaler, np.asarray(slopes, dtype=np.float64), level, ratio, noise, book.extra)
