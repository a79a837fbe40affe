"""The backtest of default risk on any table of companies with an outcome: every rung judged on unseen rows.

Ten folds, stratified and shuffled (or whole groups, or forward in time where the table says when). Exact
duplicates are dropped first: a row that is in training and test is no test. Where many rows have an equal,
the columns are coarse and equal rows are different companies: then all stay. Columns that tell the outcome
(leaks) are named and left out unless asked for. All that is learnt is learnt on training rows; what must be
learnt on unseen rows (how many rounds, the calibration) is learnt on inner folds of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import polars as pl

from saldo.analytics.default_risk import additive, altman, challenger, simple, woe
from saldo.analytics.default_risk.columns import LEAK, Columns, learn_columns, read_outcomes
from saldo.analytics.default_risk.measures import (
    ECE_BINS,
    MEASURES,
    Floats,
    Ints,
    chance,
    measured,
    standard_errors,
)
from saldo.analytics.default_risk.splits import Split, day_numbers, group_codes, inner_folds, splits
from saldo.analytics.leaks import suspicious_features
from saldo.core.errors import SaldoError

FOLDS = 10
# Of more rows fewer folds are as sure, and learn from as many.
MANY_ROWS, FOLDS_OF_MANY = 30_000, 5
WORKERS = 2
EXPLAINED, CHALLENGER = additive.NAME, challenger.NAME
# Beyond this share of equal rows they are no copies.
MOST_DUPLICATES = 0.2
RANDOM, GROUPED, FORWARD = "random", "group", "time"
# What the probabilities are about, as the calibration is labeled.
HORIZON_DAYS = "365"
_DIGITS = 6


class Model(Protocol):
    """A fitted model of any rung."""

    @property
    def name(self) -> str: ...

    def log_odds(self, values: Floats) -> Floats: ...

    def as_record(self) -> dict[str, Any]: ...


Fit = Callable[[Floats, Ints, Columns, Ints], Model]
RUNGS: Mapping[str, Fit] = {
    simple.BASE_RATE: simple.fit_base_rate,
    simple.LOGISTIC: simple.fit_logistic,
    woe.NAME: woe.fit,
    additive.NAME: additive.fit,
    challenger.NAME: challenger.fit,
}


@dataclass(frozen=True, slots=True)
class RungScore:
    """What one rung reached. measures: auc, ks, brier, ece; errors: the standard error of each."""

    name: str
    measures: Mapping[str, float]
    errors: Mapping[str, float]
    calibration: Sequence[Mapping[str, float]]

    def as_json(self) -> dict[str, Any]:
        found: dict[str, Any] = {"name": self.name}
        for name in MEASURES:
            found[name] = _rounded(self.measures[name])
            found[f"{name}_se"] = _rounded(self.errors[name])
        return found


@dataclass(frozen=True, slots=True)
class DefaultRiskReport:
    """rows: judged or learnt from, after ``duplicates`` and rows ``without_outcome`` were dropped. left_out:
    columns not used and why; leaks: AUC that the column reaches alone. split: random, group or time."""

    target: str
    event: str
    rows: int
    judged: int
    defaults: int
    duplicates: int
    without_outcome: int
    folds: int
    split: str
    columns: tuple[str, ...]
    left_out: Mapping[str, str]
    leaks: Mapping[str, float]
    rungs: tuple[RungScore, ...]
    seed: int = 0

    def rung(self, name: str) -> RungScore:
        return next(one for one in self.rungs if one.name == name)

    @property
    def explained(self) -> RungScore:
        return self.rung(EXPLAINED)

    @property
    def challenger(self) -> RungScore:
        return self.rung(CHALLENGER)

    def as_json(self) -> dict[str, Any]:
        """JSON values; what cannot be computed is null."""
        return {
            "target": self.target,
            "event": self.event,
            "rows": self.rows,
            "judged": self.judged,
            "accounts": self.rows,
            "defaults": self.defaults,
            "duplicates_dropped": self.duplicates,
            "without_outcome": self.without_outcome,
            "folds": self.folds,
            "split": self.split,
            "seed": self.seed,
            "columns": len(self.columns),
            "left_out": dict(self.left_out),
            "leaks": [{"feature": name, "auc": _rounded(size), "excluded": name in self.left_out}
                      for name, size in self.leaks.items()],
            "explained": self.explained.as_json(),
            "challenger": self.challenger.as_json(),
            "rungs": [one.as_json() for one in self.rungs],
            "calibration": {HORIZON_DAYS: list(self.explained.calibration)},
            "calibration_challenger": {HORIZON_DAYS: list(self.challenger.calibration)},
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Prepared:
    """A table ready to learn from: numbers, outcomes, and what was found out on the way."""

    columns: Columns
    values: Floats
    outcomes: Ints
    event: str
    duplicates: int
    without_outcome: int
    left_out: Mapping[str, str]
    leaks: Mapping[str, float]
    groups: Ints | None = None
    days: Ints | None = None
    altman_at: tuple[int, int, int, int] | None = None


def backtest_default_risk(
    frame: pl.DataFrame,
    target: str,
    folds: int | None = None,
    seed: int = 0,
    *,
    event: str | None = None,
    group: str | None = None,
    time: str | None = None,
    keep_leaks: bool = False,
    altman_ratios: Mapping[str, str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> DefaultRiskReport:
    """Every rung on every fold.

    folds: by default FOLDS, or fewer where rows are many. event: the value of ``target`` that is the default
    (guessed from its words otherwise). group: a column whose rows are never parted between training and test
    (the company). time: a column of dates or years, by which to learn only from the past. altman_ratios:
    columns of X1 to X4 by "x1" to "x4"; without it columns of those names. progress: told (folds done,
    folds). Raises SaldoError where the table cannot be judged.
    """
    if folds is not None and folds < 2:
        raise SaldoError("default_risk_folds", folds=folds)
    ready = prepared(frame, target, event, group, time, keep_leaks, altman_ratios)
    count = folds or (FOLDS if len(ready.outcomes) <= MANY_ROWS else FOLDS_OF_MANY)
    rounds = splits(ready.outcomes, count, seed, ready.groups, ready.days)
    rungs = dict(RUNGS)
    if ready.altman_at is not None:
        at = ready.altman_at
        rungs[altman.NAME] = lambda values, outcomes, columns, inner: altman.fit(values, outcomes, at)
    scores = {name: np.full(len(ready.outcomes), np.nan) for name in rungs}
    fold = np.full(len(ready.outcomes), -1, dtype=np.int64)
    with ThreadPoolExecutor(WORKERS) as pool:
        told = pool.map(lambda one: _judged(ready, one, rungs, seed), rounds)
        for number, (split, found) in enumerate(zip(rounds, told, strict=True)):
            fold[split.test] = number
            for name, log_odds in found.items():
                scores[name][split.test] = log_odds
            if progress is not None:
                progress(number + 1, len(rounds))
    judged = fold >= 0
    outcomes, fold = ready.outcomes[judged], fold[judged]
    return DefaultRiskReport(
        target=target,
        event=ready.event,
        rows=len(ready.outcomes),
        judged=int(judged.sum()),
        defaults=int(ready.outcomes.sum()),
        duplicates=ready.duplicates,
        without_outcome=ready.without_outcome,
        folds=len(rounds),
        split=FORWARD if time else GROUPED if group else RANDOM,
        columns=ready.columns.names,
        left_out=ready.left_out,
        leaks=ready.leaks,
        rungs=tuple(rung_score(name, outcomes, chance(scores[name][judged]), fold) for name in rungs),
        seed=seed,
    )


def prepared(
    frame: pl.DataFrame,
    target: str,
    event: str | None = None,
    group: str | None = None,
    time: str | None = None,
    keep_leaks: bool = False,
    altman_ratios: Mapping[str, str] | None = None,
) -> Prepared:
    """The table as models see it."""
    found = read_outcomes(frame, target, event)
    known = frame[found.rows]
    first = _first_of_equals(known)
    known, outcomes = known[first], found.values[first]
    apart = [name for name in (target, group, time) if name is not None]
    groups = None if group is None else group_codes(known, group)
    days = None if time is None else day_numbers(known, time)
    columns, left_out = learn_columns(known, apart)
    if not len(columns):
        raise SaldoError("default_risk_no_columns", target=target)
    values = columns.matrix(known)
    leaks = {one.column: one.value for one in suspicious_features(_as_frame(values, columns), outcomes)}
    if leaks and not keep_leaks:
        left_out |= dict.fromkeys(leaks, LEAK)
        kept = [at for at, name in enumerate(columns.names) if name not in leaks]
        columns, values = Columns(tuple(columns.columns[at] for at in kept)), values[:, kept]
        if not kept:
            raise SaldoError("default_risk_only_leaks", columns=", ".join(leaks))
    return Prepared(
        columns=columns,
        values=values,
        outcomes=outcomes,
        event=found.event,
        duplicates=len(found.rows) - len(first),
        without_outcome=frame.height - len(found.rows),
        left_out=left_out,
        leaks=leaks,
        groups=groups,
        days=days,
        altman_at=_altman_positions(columns, altman_ratios),
    )


def _first_of_equals(frame: pl.DataFrame) -> Ints:
    """Positions of the rows that no earlier one equals in every column; all, where many have an equal."""
    plain = frame.select(
        pl.col(name) if not kind.is_nested() and kind != pl.Object else pl.lit(None).alias(name)
        for name, kind in frame.schema.items()
    )
    numbered = plain.with_row_index("\x00row")
    kept = numbered.unique(subset=plain.columns, keep="first", maintain_order=True)
    if kept.height < (1.0 - MOST_DUPLICATES) * frame.height:
        kept = numbered
    return kept["\x00row"].to_numpy().astype(np.int64)


def _as_frame(values: Floats, columns: Columns) -> pl.DataFrame:
    """The numbers as a table: categories as words, null where missing."""
    made = []
    for at, column in enumerate(columns.columns):
        series = pl.Series(column.name, values[:, at]).fill_nan(None)
        made.append(series.cast(pl.Int64).cast(pl.String) if column.categories else series)
    return pl.DataFrame(made)


def _altman_positions(columns: Columns, ratios: Mapping[str, str] | None) -> tuple[int, int, int, int] | None:
    """Where X1 to X4 are; None where one is not there."""
    by_name = {name.lower(): at for at, name in enumerate(columns.names)}
    named = {key.lower(): name.lower() for key, name in (ratios or {}).items()}
    found = [by_name.get(named.get(key, key)) for key in altman.WEIGHTS]
    if any(at is None or columns.categorical[at] for at in found):
        return None
    first, second, third, fourth = (at for at in found if at is not None)
    return first, second, third, fourth


def _judged(ready: Prepared, split: Split, rungs: Mapping[str, Fit], seed: int) -> dict[str, Floats]:
    """Log-odds of the test rows by every rung, learnt on the training rows."""
    outcomes = ready.outcomes[split.train]
    groups = None if ready.groups is None else ready.groups[split.train]
    inner = inner_folds(outcomes, seed, groups)
    train, test = ready.values[split.train], ready.values[split.test]
    return {name: fit(train, outcomes, ready.columns, inner).log_odds(test) for name, fit in rungs.items()}


def rung_score(name: str, outcomes: Ints, chances: Floats, fold: Ints) -> RungScore:
    """The measures of a rung's predictions for rows that it had not seen."""
    order = np.argsort(chances, kind="stable")
    bins = [
        {
            "forecast": _rounded(float(chances[one].mean())) or 0.0,
            "observed": _rounded(float(outcomes[one].mean())) or 0.0,
            "items": float(len(one)),
        }
        for one in np.array_split(order, min(ECE_BINS, len(order)))
    ]
    return RungScore(name, measured(outcomes, chances), standard_errors(outcomes, chances, fold), bins)


def _rounded(value: float) -> float | None:
    return None if np.isnan(value) else round(value, _DIGITS)
