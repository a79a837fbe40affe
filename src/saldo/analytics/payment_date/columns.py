"""Features as a matrix of numbers: which columns, which texts, and what stands for what is not known.

What is chosen here is learnt once, at training, and kept with the model: so the same landmark gives the same
row whatever other landmarks are asked about.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from saldo.analytics.features import category_names, feature_names

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]

# Texts that stand for at least so many rows become a column of their own, at most so many of each feature.
TEXT_MINIMUM = 20
TEXT_COLUMNS = 12


@dataclass(frozen=True, slots=True)
class Columns:
    """numbers: features that are numbers. texts: (feature, value) pairs, each a yes-or-no column."""

    numbers: tuple[str, ...]
    texts: tuple[tuple[str, str], ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The feature that each column comes from."""
        return self.numbers + tuple(feature for feature, _ in self.texts)

    def __len__(self) -> int:
        return len(self.numbers) + len(self.texts)

    def matrix(self, features: pl.DataFrame) -> Singles:
        """One row per landmark, one column per name; NaN where a number or the column is not known."""
        result = np.full((len(features), len(self)), np.nan, dtype=np.float32)
        for place, name in enumerate(self.numbers):
            if name in features.columns:
                values = features[name].cast(pl.Float32, strict=False).fill_null(np.nan)
                result[:, place] = values.to_numpy()
        for place, (name, value) in enumerate(self.texts, start=len(self.numbers)):
            if name in features.columns:
                is_it = (features[name].cast(pl.String) == value).fill_null(False)
                result[:, place] = is_it.to_numpy()
        # What is beyond a single's range (an amount over twelve orders of magnitude is not) is not known.
        return np.where(np.isfinite(result), result, np.float32(np.nan))

    def as_record(self) -> dict[str, Any]:
        return {"numbers": list(self.numbers), "texts": [list(pair) for pair in self.texts]}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Columns:
        texts = tuple((str(name), str(value)) for name, value in record["texts"])
        return cls(tuple(map(str, record["numbers"])), texts)


def common_texts(values: pl.Series) -> list[str]:
    """The most frequent texts of a column, most frequent first, ties by name."""
    counted = (
        values.cast(pl.String)
        .drop_nulls()
        .to_frame("value")
        .group_by("value")
        .len()
        .filter(pl.col("len") >= TEXT_MINIMUM)
        .sort(["len", "value"], descending=[True, False])
    )
    return counted["value"].head(TEXT_COLUMNS).to_list()


def chosen_columns(features: pl.DataFrame, extra: Sequence[str] = ()) -> Columns:
    """The columns of ``features_at`` that differ between rows; ``extra``: the book's own further ones."""
    numbers: list[str] = []
    texts: list[tuple[str, str]] = []
    categories = set(category_names())
    for name in feature_names(tuple(extra)):
        if name not in features.columns:
            continue
        column = features[name]
        if name in categories or column.dtype == pl.String or column.dtype == pl.Categorical:
            common = common_texts(column)
            if column.n_unique() > 1:
                texts += [(name, value) for value in common]
        elif (column.dtype.is_numeric() or column.dtype == pl.Boolean) and column.n_unique() > 1:
            numbers.append(name)
    return Columns(tuple(numbers), tuple(texts))
