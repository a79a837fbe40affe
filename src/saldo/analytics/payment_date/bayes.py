"""The empirical-Bayes rung: delay distributions of account -> segment -> portfolio -> stated prior.

The levels above the account are learnt at training (``delays``); an account's own curve is made from what is
known of it on the day of the question, so that it learns every day and needs no other account.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import polars as pl

from saldo.analytics.book import Book, balances
from saldo.analytics.curves import Curves
from saldo.analytics.payment_date import delays
from saldo.analytics.payment_date.pieces import IS_PAID, ages, entry_lag_days, pieces_at
from saldo.analytics.payment_date.simple import curves_by_age, delay_counts, from_known, known_pieces
from saldo.core.priors import default_priors

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

EMPIRICAL_BAYES = "empirical_bayes"
# Accounts on a day that are worked out at a time.
PAIRS = 20_000
_EPOCH = date(1970, 1, 1).toordinal()


def _codes(values: pl.Series, known: tuple[str, ...]) -> Ints:
    """Position of each value in ``known``; their number for any other."""
    table = pl.DataFrame(
        {"value": known, "code": range(len(known))}, schema={"value": pl.String, "code": pl.Int64}
    )
    joined = (
        values.cast(pl.String).to_frame("value").join(table, on="value", how="left", maintain_order="left")
    )
    return joined["code"].fill_null(len(known)).to_numpy().astype(np.int64)


@dataclass(frozen=True, slots=True)
class EmpiricalBayes:
    """segments: names of the rows of ``segment_shares`` but its last, the portfolio's.

    profiles: hazards of each profile, empty where too little was known: then every curve is the stated prior,
    ``portfolio`` (log P(open) at delays.EDGES).
    """

    as_of: date
    segments: tuple[str, ...]
    profiles: Floats
    segment_shares: Floats
    shape_strength: float
    portfolio: Floats
    half_life_days: float
    lag_days: int
    name: str = EMPIRICAL_BAYES

    def curves(self, book: Book, landmarks: pl.DataFrame) -> Curves:
        facts = balances(book, landmarks)
        age = ages(facts)
        if not len(self.profiles):
            return curves_by_age(self.portfolio[None, :], np.zeros(len(age), dtype=np.int64), age)
        log_open, row = self.by_account(book, facts)
        return curves_by_age(log_open, row, age)

    def by_account(self, book: Book, facts: pl.DataFrame) -> tuple[Floats, Ints]:
        """log P(open) at delays.EDGES of each account as known on each day, and the row of each landmark.

        facts: account_id, segment, as_of. Only for a model that was not left with the stated prior.
        """
        segment = pl.col("segment").first().alias("segment")
        pairs = facts.group_by("account_id", "as_of", maintain_order=True).agg(segment)
        pairs = pairs.with_row_index("pair").cast({"pair": pl.Int64})
        log_open = np.zeros((len(pairs), len(delays.EDGES)))
        for start in range(0, len(pairs), PAIRS):
            log_open[start : start + PAIRS] = self._accounts(book, pairs.slice(start, PAIRS))
        placed = facts.select("account_id", "as_of").join(
            pairs, on=["account_id", "as_of"], how="left", maintain_order="left"
        )
        return log_open, placed["pair"].to_numpy()

    def _accounts(self, book: Book, pairs: pl.DataFrame) -> Floats:
        """log P(open) at delays.EDGES of each pair: an account as known on a day."""
        first = int(pairs["pair"][0])
        rows = from_known(pieces_at(book, pairs.drop("segment"), self.lag_days), book.known_from)
        place = rows["pair"].to_numpy() - first
        today = pairs["as_of"].to_physical().to_numpy().astype(np.int64)[place]
        counts = delay_counts(rows, today, place, len(pairs), self.half_life_days)
        hazards = delays.account_hazards(
            counts, _codes(pairs["segment"], self.segments), self.profiles, self.segment_shares,
            self.shape_strength,
        )  # fmt: skip
        return delays.log_open_at_edges(hazards)

    def as_record(self) -> dict[str, Any]:
        return {
            "rung": self.name, "as_of": self.as_of.isoformat(), "segments": list(self.segments),
            "profiles": self.profiles.tolist(), "segment_shares": self.segment_shares.tolist(),
            "shape_strength": self.shape_strength, "portfolio": self.portfolio.tolist(),
            "half_life_days": self.half_life_days,
            "lag_days": self.lag_days,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class EmpiricalBayesRung:
    name: ClassVar[str] = EMPIRICAL_BAYES

    def fit(self, book: Book, as_of: date) -> EmpiricalBayes:
        """With fewer paid items than the stated minimum, every curve is the stated prior."""
        prior = default_priors().delay
        rows = known_pieces(book, as_of)
        accounts = rows.group_by("account_id").agg(pl.col("segment").drop_nulls().max()).sort("account_id")
        segments = tuple(accounts["segment"].drop_nulls().unique().sort().to_list())
        numbered = accounts.select("account_id").with_row_index("place").cast({"place": pl.Int64})
        group = rows.join(numbered, on="account_id", how="left", maintain_order="left")["place"].to_numpy()
        today = np.full(len(rows), as_of.toordinal() - _EPOCH, dtype=np.int64)
        counts = delay_counts(rows, today, group, len(accounts), prior.half_life_days)
        paid_items = rows.filter(pl.col("outcome") == IS_PAID)["item_id"].n_unique()
        if paid_items < prior.portfolio_minimum:
            levels = delays.prior_only(0, 0, prior)
        else:
            # Accounts without a segment are a segment of their own; new ones have the portfolio's mix.
            levels = delays.estimate(counts, _codes(accounts["segment"], segments), len(segments) + 1, prior)
        shares = levels.segment_shares
        if len(shares):
            shares = np.vstack([shares[: len(segments)], shares[-1:]])
        portfolio = delays.log_open_at_edges(levels.portfolio)[0]
        lag = entry_lag_days(book)
        return EmpiricalBayes(
            as_of,
            segments,
            levels.profiles,
            shares,
            levels.shape_strength,
            portfolio,
            prior.half_life_days,
            lag,
        )

    def from_record(self, record: Mapping[str, Any]) -> EmpiricalBayes:
        profiles = np.array(record["profiles"], dtype=np.float64).reshape(-1, delays.CELLS)
        shares = np.array(record["segment_shares"], dtype=np.float64).reshape(-1, len(profiles) or 1)
        segments = tuple(map(str, record["segments"]))
        if len(profiles) and len(shares) != len(segments) + 1:
            raise ValueError(f"{len(shares)} rows of shares for {len(segments)} segments")
        return EmpiricalBayes(
            date.fromisoformat(record["as_of"]), segments, profiles, shares, float(record["shape_strength"]),
            np.array(record["portfolio"], dtype=np.float64), float(record["half_life_days"]),
            int(record["lag_days"]),
        )  # fmt: skip
