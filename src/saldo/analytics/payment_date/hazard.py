"""The learnt rung: the hazard of payment in each cell of time, by LightGBM on person-periods.

The straight line of ``ridge`` says where an item's payment is centered; the trees learn the hazard around
that center, around the due date and over the calendar, and what else moves it. What is credited or written
off instead is a competing end, with a hazard of its own by days past due. Formulas:
docs/rules/payment-forecast.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import polars as pl

from saldo.analytics.book import Book
from saldo.analytics.boosters import library
from saldo.analytics.curves import Curves
from saldo.analytics.features import features_at
from saldo.analytics.payment_date.calibration import (
    Calibration,
    Seen,
    best_share,
    blended,
    fit_calibration,
    no_calibration,
    of_what_stays,
)
from saldo.analytics.payment_date.censored import Line
from saldo.analytics.payment_date.columns import Columns
from saldo.analytics.payment_date.effects import Effects
from saldo.analytics.payment_date.hazard_cells import (
    CELL_NAMES,
    DAYS,
    WEEKS,
    Cells,
    all_periods,
    cell_columns,
    periods_of,
)
from saldo.analytics.payment_date.hazard_gone import GoneTable, fit_gone
from saldo.analytics.payment_date.landmarks import day_number, day_numbers, questions_of
from saldo.analytics.payment_date.pieces import pieces
from saldo.analytics.payment_date.refine import refined
from saldo.analytics.payment_date.ridge import line_curves
from saldo.analytics.payment_date.simple import PooledKmRung
from saldo.analytics.payment_date.training import TrainingSet, due_in, line_of, training_set

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

HAZARD = "hazard"
# Rows of landmarks that are expanded at a time when curves are asked for.
CHUNK_ROWS = 10_000


def threads_for(cells: int) -> int:
    """Two threads wait for each other longer than one works, where there is little to do."""
    return 2 if cells > 100_000_000 else 1


@dataclass(frozen=True, slots=True)
class Settings:
    """What a size of book calls for. Chosen on data of 2012 and on simulated worlds, never on a test window.

    step_days: between two landmarks of an item while it is open.
    """

    cells: Cells
    step_days: int
    most_questions: int
    most_periods: int
    trees: int
    leaves: int
    rate: float
    least_in_leaf: int
    feature_share: float
    bags: int


# Cells are days while the landmarks of a book have so many days to follow, and weeks beyond.
DAILY_PERIODS = 400_000
FOLLOWED_DAYS = 180
SMALL = Settings(DAYS, 15, 30_000, 1_500_000, 120, 7, 0.06, 300, 0.3, 3)
LARGE = Settings(WEEKS, 21, 60_000, 700_000, 60, 24, 0.15, 300, 0.5, 1)
PENALTY = 10.0
# Columns that the trees see: at least so many, and one more for so many paid items.
LEAST_COLUMNS = 4
ITEMS_A_COLUMN = 200
# Of many columns the trees see those that a few trees on a sample of the rows gain most from.
MOST_COLUMNS, PILOT_TREES, PILOT_PERIODS = 28, 12, 150_000
SEASON_DAYS = 730
# What becomes of an item after its document: on the eve, where the line is learnt, it says nothing yet.
ALWAYS_SEEN = (
    "delay_sd", "paid_share", "extension_days", "promise_days", "promise_share", "disputed_share",
    "contacts_since_due", "days_since_contact", "days_since_return",
)  # fmt: skip
# Weight of the line's own curve where nothing says otherwise; documents that calibration is learnt after.
LINE_SHARE = 0.5
EARLIER_SHARE = 0.75


def settings_for(book: Book, as_of: date) -> Settings:
    """By the person-days that there are to learn from, as known on the evening of ``as_of``."""
    rows = pieces(book, as_of)
    # Too many items to count the days of: each has some.
    if len(rows) > DAILY_PERIODS // 10:
        return LARGE
    asked = questions_of(rows, SMALL.step_days, book.known_from)
    until = day_numbers(rows["exit_date"])[asked.row] - asked.day
    return SMALL if int(np.minimum(until, FOLLOWED_DAYS).sum()) <= DAILY_PERIODS else LARGE


@dataclass(frozen=True, slots=True)
class Expanded:
    """Periods as a matrix, with what was seen in them."""

    matrix: Singles
    is_paid: npt.NDArray[np.bool_]
    weight: Floats
    offset: Floats


def _expand(known: TrainingSet, cells: Cells, line: Line, seen: Ints, most: int) -> Expanded:
    center = known.due_in + line.predicted(known.matrix)
    sight = known.seen_until - known.questions.day
    periods = periods_of(cells, known.until, known.is_paid, sight)
    weight = known.weight[periods.row]
    if len(periods) > most:
        # Payments are the rare news: they stay, and of the rest a share does, weighted up for the others.
        share = most / len(periods)
        random = np.random.default_rng(len(periods))
        keep = periods.is_paid | (random.random(len(periods)) < share)
        weight = np.where(periods.is_paid, weight, weight / share)[keep]
        periods = replace(
            periods, row=periods.row[keep], cell=periods.cell[keep], is_paid=periods.is_paid[keep]
        )
    spread = line.spread(known.matrix)
    day = known.questions.day
    own = cell_columns(cells, periods, day, known.due_in, center, spread, is_seasonal(known))
    matrix = np.concatenate([known.matrix[:, seen][periods.row], own], axis=1)
    return Expanded(matrix, periods.is_paid, weight, _offset(cells)[periods.cell])


def seen_columns(known: TrainingSet, line: Line, settings: Settings) -> Ints:
    """The columns that count most in the line, and those of ALWAYS_SEEN: more, the more is known.

    With few items the trees would otherwise learn the customers by heart.
    """
    most = max(LEAST_COLUMNS, int(known.is_paid[known.questions.is_issue].sum()) // ITEMS_A_COLUMN)
    everything = np.arange(len(known.columns), dtype=np.int64)
    if most >= len(everything):
        return _gained(known, line, settings, everything)
    ranked = np.argsort(-np.abs(line.slopes), kind="stable")
    wanted = [place for place, name in enumerate(known.columns.names) if name in ALWAYS_SEEN]
    return np.unique(np.concatenate([ranked[:most], np.array(wanted, dtype=np.int64)])).astype(np.int64)


def is_seasonal(known: TrainingSet) -> bool:
    """Whether two years were seen: the months of one cannot be told from its other turns."""
    days = known.questions.day
    return bool(known.seen_until - int(days.min()) >= SEASON_DAYS)


def _gained(known: TrainingSet, line: Line, settings: Settings, columns: Ints) -> Ints:
    """The MOST_COLUMNS that a few trees gain most from."""
    if len(columns) <= MOST_COLUMNS:
        return columns
    rows = _expand(known, settings.cells, line, columns, PILOT_PERIODS)
    pilot, _ = _trees(rows, replace(settings, trees=PILOT_TREES), seed=99)
    gain = pilot.feature_importance(importance_type="gain")[: len(columns)]
    return np.sort(np.argsort(-gain, kind="stable")[:MOST_COLUMNS]).astype(np.int64)


def _offset(cells: Cells) -> Floats:
    """log of each cell's width over the first one's: in twice the time about twice as much is paid."""
    return np.asarray(np.log(cells.widths / cells.widths[0]), dtype=np.float64)


def _trees(rows: Expanded, settings: Settings, seed: int) -> Any:
    lightgbm = library()
    threads = threads_for(rows.matrix.size)
    paid = float((rows.is_paid * rows.weight).sum())
    rate = min(max(paid / float(rows.weight.sum()), 1e-6), 1.0 - 1e-6)
    data = lightgbm.Dataset(
        rows.matrix,
        label=rows.is_paid.astype(np.float32),
        weight=rows.weight,
        init_score=rows.offset + np.log(rate / (1.0 - rate)),
        params={"max_bin": 127, "verbosity": -1, "num_threads": threads, "min_data_in_bin": 5},
    )
    parameters = {
        "objective": "binary", "boost_from_average": False, "learning_rate": settings.rate,
        "num_leaves": settings.leaves, "min_data_in_leaf": settings.least_in_leaf,
        "feature_fraction": settings.feature_share, "lambda_l2": PENALTY, "bagging_fraction": 0.7,
        "bagging_freq": 1, "num_threads": threads, "deterministic": True, "force_row_wise": True,
        "seed": seed, "verbosity": -1, "max_bin": 127,
    }  # fmt: skip
    return lightgbm.train(parameters, data, settings.trees), float(np.log(rate / (1.0 - rate)))


@dataclass(frozen=True)
class Hazard:
    """boosters: LightGBM models, whose raw scores are averaged; base: log-odds that they start from.

    seen: numbers of the columns that the trees see, of those that the line sees; line_share: weight of the
    line's own curve beside that of the trees; shape: the portfolio's log P(open) at delays.EDGES, by which
    the days of a week take their shares.
    """

    as_of: date
    columns: Columns
    effects: Effects
    line: Line
    cells: Cells
    seen: Ints
    is_seasonal: bool
    boosters: tuple[Any, ...]
    base: float
    gone: GoneTable | None
    line_share: float
    calibration: Calibration
    shape: Floats
    name: str = HAZARD

    def curves(self, book: Book, landmarks: pl.DataFrame) -> Curves:
        return self.curves_of(book, features_at(book, landmarks))

    def curves_of(self, book: Book, features: pl.DataFrame) -> Curves:
        """The curves of landmarks whose features are known already."""
        calibrated = self.calibration.of(self.raw_curves(self.effects.added(book, features)))
        if self.cells.is_daily:
            return calibrated
        return refined(calibrated, due_in(features), self.shape)

    def center(self, matrix: Singles, days_to_due: Ints) -> Floats:
        """Days from the landmark to the day on which the line has the item paid."""
        return days_to_due + self.line.predicted(matrix)

    def raw_curves(self, features: pl.DataFrame) -> Curves:
        """Before calibration, of features that have those of ``effects`` too."""
        trees = self.tree_curves(features)
        if not self.line_share:
            return trees
        line = line_curves(self.line, self.columns.matrix(features), due_in(features), self.cells.ends)
        return blended(of_what_stays(line, trees), trees, self.line_share)

    def tree_curves(self, features: pl.DataFrame) -> Curves:
        """What the trees alone say."""
        count = len(self.cells.ends)
        paid = np.empty((len(features), count), dtype=np.float32)
        gone = None if self.gone is None else np.empty_like(paid)
        for start in range(0, len(features), CHUNK_ROWS):
            part = features.slice(start, CHUNK_ROWS)
            rows = slice(start, start + len(part))
            days_to_due = due_in(part)
            hazard = self._hazards(part, days_to_due)
            lost = np.zeros_like(hazard)
            if self.gone is not None:
                lost = self.gone.hazards(self.cells, days_to_due)
            stays = np.cumprod(np.clip(1.0 - hazard - lost, 0.0, 1.0), axis=1)
            before = np.concatenate([np.ones((len(part), 1)), stays[:, :-1]], axis=1)
            paid[rows] = np.minimum(np.cumsum(before * hazard, axis=1), 1.0)
            if gone is not None:
                gone[rows] = np.minimum(np.cumsum(before * lost, axis=1), 1.0 - paid[rows])
        return Curves(self.cells.ends, paid, gone)

    def expanded(self, features: pl.DataFrame, days_to_due: Ints) -> Singles:
        """The rows that the trees see: each landmark through every cell, landmark by landmark."""
        matrix = self.columns.matrix(features)
        periods = all_periods(self.cells, len(features))
        day = day_numbers(features["as_of"])
        own = cell_columns(
            self.cells,
            periods,
            day,
            days_to_due,
            self.center(matrix, days_to_due),
            self.line.spread(matrix),
            self.is_seasonal,
        )
        rows = np.empty((len(periods), len(self.seen) + len(CELL_NAMES)), dtype=np.float32)
        rows[:, : len(self.seen)] = np.repeat(matrix[:, self.seen], len(self.cells.ends), axis=0)
        rows[:, len(self.seen) :] = own
        return rows

    def _hazards(self, features: pl.DataFrame, days_to_due: Ints) -> Floats:
        rows = self.expanded(features, days_to_due)
        raw = np.zeros(len(rows))
        for booster in self.boosters:
            raw += booster.predict(rows, raw_score=True, num_threads=threads_for(rows.size * 5))
        score = (raw / len(self.boosters)).reshape(len(features), -1) + self.base + _offset(self.cells)
        result: Floats = 1.0 / (1.0 + np.exp(-np.clip(score, -30.0, 30.0)))
        return result

    def as_record(self) -> dict[str, Any]:
        return {
            "rung": self.name, "as_of": self.as_of.isoformat(), "columns": self.columns.as_record(),
            "effects": self.effects.as_record(), "line": self.line.as_record(),
            "cells": "days" if self.cells.is_daily else "weeks", "seen": self.seen.tolist(),
            "is_seasonal": self.is_seasonal,
            "boosters": [booster.model_to_string() for booster in self.boosters], "base": self.base,
            "gone": None if self.gone is None else self.gone.as_record(), "line_share": self.line_share,
            "calibration": self.calibration.as_record(),
            "shape": self.shape.tolist(),
        }  # fmt: skip


def _fitted(known: TrainingSet, as_of: date, settings: Settings, bags: int, shape: Floats) -> Hazard:
    """Without calibration."""
    line = line_of(known)
    seen = seen_columns(known, line, settings)
    rows = _expand(known, settings.cells, line, seen, settings.most_periods)
    trained = [_trees(rows, settings, seed=101 + bag) for bag in range(bags)]
    return Hazard(
        as_of, known.columns, known.effects, line, settings.cells, seen, is_seasonal(known),
        tuple(booster for booster, _ in trained), trained[0][1],
        fit_gone(known), LINE_SHARE, no_calibration(), shape,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class HazardRung:
    name: ClassVar[str] = HAZARD
    settings: Settings | None = None
    is_calibrated: bool = True

    def fit(self, book: Book, as_of: date) -> Hazard:
        """Raises ValueError("too_few_paid") with too few paid items, SaldoError without LightGBM."""
        settings = self.settings or settings_for(book, as_of)
        known = training_set(book, as_of, settings.step_days, settings.most_questions)
        shape = PooledKmRung().fit(book, as_of).log_open
        fitted = _fitted(known, as_of, settings, settings.bags, shape)
        if not self.is_calibrated:
            return fitted
        return self._calibrated(fitted, book, known, settings)

    def _calibrated(self, fitted: Hazard, book: Book, known: TrainingSet, settings: Settings) -> Hazard:
        """By time split: what a model of three quarters of the documents says of the days after them."""
        issued = known.pieces["document_date"].sort()
        cut = issued[int(EARLIER_SHARE * (len(issued) - 1))]
        if not isinstance(cut, date) or cut >= fitted.as_of:
            return fitted
        try:
            earlier = training_set(book, cut, settings.step_days, settings.most_questions)
        except ValueError:
            return fitted
        first = _fitted(earlier, cut, settings, 1, fitted.shape)
        later = known.questions.day >= day_number(cut)
        features = first.effects.added(book, known.features.filter(pl.Series(later)))
        seen = Seen(
            known.until[later], known.is_paid[later], (known.seen_until - known.questions.day)[later],
            known.pieces["item_id"].to_numpy()[known.questions.row[later]],
        )  # fmt: skip
        trees = first.tree_curves(features)
        alone = line_curves(first.line, first.columns.matrix(features), due_in(features), first.cells.ends)
        line = of_what_stays(alone, trees)
        share = best_share(line, trees, seen, LINE_SHARE)
        calibration = fit_calibration(blended(line, trees, share), seen)
        return replace(fitted, line_share=share, calibration=calibration)

    def from_record(self, record: Mapping[str, Any]) -> Hazard:
        """Raises ValueError where the parts do not fit each other."""
        lightgbm = library()
        columns, line = Columns.from_record(record["columns"]), Line.from_record(record["line"])
        boosters = tuple(lightgbm.Booster(model_str=text) for text in record["boosters"])
        wanted = len(record["seen"]) + len(CELL_NAMES)
        if not boosters or any(booster.num_feature() != wanted for booster in boosters):
            raise ValueError(f"the trees do not take {wanted} columns")
        if len(columns) != len(line.slopes):
            raise ValueError(f"{len(columns)} columns, but {len(line.slopes)} slopes")
        return Hazard(
            date.fromisoformat(record["as_of"]), columns, Effects.from_record(record["effects"]), line,
            DAYS if record["cells"] == "days" else WEEKS, np.array(record["seen"], dtype=np.int64),
            bool(record["is_seasonal"]),
            boosters, float(record["base"]),
            None if record["gone"] is None else GoneTable.from_record(record["gone"]),
            float(record["line_share"]), Calibration.from_record(record["calibration"]),
            np.array(record["shape"], dtype=np.float64),
        )  # fmt: skip
