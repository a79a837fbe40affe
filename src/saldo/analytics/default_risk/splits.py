"""Which rows are judged by a model that has not seen them: at random, by group, or by time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from saldo.analytics.default_risk.measures import Ints
from saldo.core.errors import SaldoError

INNER = 5
MANY_ROWS, INNER_OF_MANY = 20_000, 3
# Less of either outcome cannot teach a model and judge it too.
LEAST_OUTCOMES = 10
_OUTER, _INNER = 1, 2

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Split:
    """One round: positions of the rows learnt from and of the rows judged."""

    train: Ints
    test: Ints


def stratified(outcomes: Ints, folds: int, seed: tuple[int, ...], groups: Ints | None = None) -> Ints:
    """A fold for each row, shuffled, with about the same share of defaults in each.

    groups: rows of one group share a fold; groups with most defaults are dealt first, each to the fold that
    has the fewest defaults, then the fewest rows.
    """
    draws = np.random.default_rng(seed)
    fold = np.zeros(len(outcomes), dtype=np.int64)
    if groups is None:
        start = 0
        for outcome in (1, 0):
            rows = np.flatnonzero(outcomes == outcome)
            # The second class goes on where the first one stopped, so that the folds are of one size.
            fold[draws.permutation(rows)] = (start + np.arange(len(rows))) % folds
            start += len(rows)
        return fold
    bad = np.bincount(groups, weights=outcomes)
    count = np.bincount(groups)
    shuffled = draws.permutation(len(count))
    order = shuffled[np.lexsort((-count[shuffled], -bad[shuffled]))]
    dealt = np.zeros((folds, 2))
    of_group = np.zeros(len(count), dtype=np.int64)
    for group in order:
        keys = (dealt[:, 1], dealt[:, 0]) if bad[group] else (dealt[:, 1],)
        chosen = int(np.lexsort(keys)[0])
        of_group[group] = chosen
        dealt[chosen] += (bad[group], count[group])
    return np.asarray(of_group[groups])


def inner_folds(outcomes: Ints, seed: int, groups: Ints | None = None) -> Ints:
    """The folds inside a training set, for what must be learnt on rows that a model has not seen."""
    rarer = int(min(outcomes.sum(), len(outcomes) - outcomes.sum()))
    if groups is not None:
        groups = np.unique(groups, return_inverse=True)[1].astype(np.int64)
        rarer = min(rarer, int(groups.max()) + 1)
    most = INNER if len(outcomes) <= MANY_ROWS else min(INNER, INNER_OF_MANY)
    return stratified(outcomes, max(2, min(most, rarer)), (seed, _INNER), groups)


def splits(
    outcomes: Ints, folds: int, seed: int, groups: Ints | None = None, days: Ints | None = None
) -> list[Split]:
    """The rounds of a backtest. days: when each row was known; then each block of days is judged by what is
    learnt before it, without the groups that are in it. Raises SaldoError where the outcomes are too few."""
    rarer = int(min(outcomes.sum(), len(outcomes) - outcomes.sum()))
    if rarer < LEAST_OUTCOMES:
        raise SaldoError(
            "default_risk_too_few", rows=len(outcomes), defaults=int(outcomes.sum()), least=LEAST_OUTCOMES
        )
    if days is None:
        if groups is not None and int(groups.max()) + 1 < 2 * folds:
            folds = max(2, (int(groups.max()) + 1) // 2)
        folds = max(2, min(folds, rarer))
        fold = stratified(outcomes, folds, (seed, _OUTER), groups)
        made = [Split(np.flatnonzero(fold != one), np.flatnonzero(fold == one)) for one in range(folds)]
    else:
        made = _by_time(outcomes, folds, groups, days)
    kept = [one for one in made if len(one.test) and _can_learn(outcomes[one.train])]
    judged = np.concatenate([outcomes[one.test] for one in kept]) if kept else outcomes[:0]
    if len(set(judged.tolist())) < 2:
        raise SaldoError("default_risk_no_split", rows=len(outcomes), least=LEAST_OUTCOMES // 2)
    return kept


def _by_time(outcomes: Ints, folds: int, groups: Ints | None, days: Ints) -> list[Split]:
    """Blocks of about equal count that part no day; the first is only learnt from."""
    edges = np.unique(np.quantile(days, np.arange(1, folds + 1) / (folds + 1), method="inverted_cdf"))
    block = np.searchsorted(edges, days, side="left")
    made = []
    for one in np.unique(block)[1:]:
        test, train = block == one, block < one
        if groups is not None:
            train &= ~np.isin(groups, groups[test])
        made.append(Split(np.flatnonzero(train), np.flatnonzero(test)))
    return made


def _can_learn(outcomes: Ints) -> bool:
    rarer = int(min(outcomes.sum(), len(outcomes) - outcomes.sum()))
    return rarer >= LEAST_OUTCOMES // 2


def group_codes(frame: pl.DataFrame, name: str) -> Ints:
    """The rows' groups as 0 ...; a row without one is a group of its own."""
    texts = _named(frame, name).cast(pl.String, strict=False).str.strip_chars()
    alone = pl.Series([f"\x00{at}" for at in range(frame.height)], dtype=pl.String)
    texts = texts.fill_null(alone) if texts.null_count() else texts
    return np.unique(texts.to_numpy().astype(str), return_inverse=True)[1].astype(np.int64)


def day_numbers(frame: pl.DataFrame, name: str) -> Ints:
    """The rows' dates (or years, or any increasing number) as whole numbers. Raises SaldoError where a row
    has none: it can stand neither before nor after the others."""
    series = _named(frame, name)
    if series.dtype == pl.String:
        days = series.str.strip_chars().str.to_date("%Y-%m-%d", strict=False)
        series = days if days.null_count() < len(days) else series.cast(pl.Float64, strict=False)
    if series.dtype.is_temporal():
        series = series.cast(pl.Datetime("us")).dt.epoch("s")
    numbers = series.cast(pl.Float64, strict=False).fill_null(float("nan")).to_numpy()
    if np.isnan(numbers).any() or not np.isfinite(numbers).all():
        raise SaldoError("default_risk_no_dates", column=name, rows=int((~np.isfinite(numbers)).sum()))
    return np.unique(numbers, return_inverse=True)[1].astype(np.int64)


def _named(frame: pl.DataFrame, name: str) -> pl.Series:
    if name not in frame.columns:
        raise SaldoError("default_risk_no_target", target=name, columns=", ".join(frame.columns[:20]))
    return frame[name]
