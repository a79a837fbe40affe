"""What makes a learnt forecast differ from that of a typical item: effects of topics, in days, that add up.

The model is asked about each item again with some topics as they are and the others as in a typical item:
first with none, then with one more at a time, once in the topics' order and once against it. A topic's
effect is the mean of what its two steps move the expected day by. Effects add up to the whole difference
whatever the model is; where no more than two topics work on each other they are its Shapley values (Shapley
1953; pairs of opposite orders: Covert and Lee 2021). Line, trees, blend and calibration all take part.

How long the item has been open comes last of all: who pays late is seen late, and not the other way around
(asymmetric Shapley values, Frye, Rowat and Feige 2020).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl

from saldo.analytics.book import Book
from saldo.analytics.curves import Curves, days_until
from saldo.analytics.payment_date.calibration import blended
from saldo.analytics.payment_date.effects import NAMES as EFFECTS
from saldo.analytics.payment_date.effects import _described
from saldo.analytics.payment_date.hazard import Hazard, _offset, threads_for
from saldo.analytics.payment_date.hazard_cells import CELL_NAMES, Cells, Periods, cell_columns
from saldo.analytics.payment_date.landmarks import day_numbers
from saldo.analytics.payment_date.reasons_topics import AGE, DELAYS, HABIT, TERMS, told_as, topic_of
from saldo.analytics.payment_date.ridge import RidgeKm, line_curves
from saldo.analytics.payment_date.training import due_in

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

Learnt = Hazard | RidgeKm
# Cells that the trees are asked about, by the day they end on; between them the log-odds are interpolated.
# Three days apart every weekday is met.
ASKED_DAYS = (
    *range(1, 46, 3), *range(50, 91, 5), *range(98, 121, 11), 127, 154, 182, 240, 300, 365,
)  # fmt: skip
ASKED_WEEKS = (7, 14, 21, 28, 35, 49, 63, 84, 112, 154, 240, 365)
# Numbers that are held in memory at a time, in what the trees are asked about.
CHUNK_NUMBERS = 30_000_000


@dataclass(frozen=True)
class TopicEffects:
    """Of items, one row each: days that each of ``topics`` moves the expected day by, against a typical item.

    typical: days past due on which the typical item, due the same day, is expected; expected: those of the
    item itself. days.sum(axis=1) = expected - typical. told: features that a topic can be told by, with
    their part of what the straight line says of each item, in days; lateness: of DELAYS, how far each item's
    is from the mean, in standard deviations.
    """

    features: pl.DataFrame
    topics: tuple[str, ...]
    days: Floats
    typical: Floats
    expected: Floats
    told: dict[str, Floats]
    lateness: dict[str, Floats]


@dataclass(frozen=True)
class _Asked:
    """The items' columns, and those of a typical item, with the topic of each column."""

    fitted: Learnt
    features: pl.DataFrame
    own: Floats

    @cached_property
    def matrix(self) -> Singles:
        return self.fitted.columns.matrix(self.features)

    @cached_property
    def topics(self) -> tuple[str, ...]:
        names = [topic_of(name) for name in (*self.fitted.columns.names, *self.own_names)]
        return (*dict.fromkeys(name for name in (HABIT, TERMS, *names) if name != AGE), AGE)

    @property
    def own_names(self) -> tuple[str, ...]:
        return self.fitted.effects.columns.names

    @cached_property
    def own_by_topic(self) -> Floats:
        """What the item's own columns add to item_expected_delay: one column per topic."""
        result = np.zeros((len(self.own), len(self.topics)))
        for place, name in enumerate(self.own_names):
            result[:, self.topics.index(topic_of(name))] += self.own[:, place]
        return result

    @cached_property
    def typical(self) -> Singles:
        """A typical item's columns: the mean of what the line was learnt from."""
        return self.fitted.line.scaler.mean.astype(np.float32)

    @cached_property
    def due_in(self) -> Ints:
        return due_in(self.features)

    @cached_property
    def terms(self) -> Ints:
        days = (self.features["due_date"] - self.features["document_date"]).dt.total_days()
        return days.clip(-730, 730).to_numpy().astype(np.int64)

    @cached_property
    def day(self) -> Ints:
        return day_numbers(self.features["as_of"])

    @cached_property
    def step_of(self) -> Ints:
        """The step in which each topic comes on; the last one's is the last.

        The trees know topics of which they see no column by the line alone: those come on together.
        """
        fitted = self.fitted
        if isinstance(fitted, RidgeKm):
            return np.arange(len(self.topics))
        names = fitted.columns.names
        alone = {HABIT, TERMS, AGE} | {topic_of(names[place]) for place in fitted.seen.tolist()}
        own = {topic: place for place, topic in enumerate(each for each in self.topics if each in alone)}
        if len(own) == len(self.topics):
            return np.arange(len(self.topics))
        last = own.pop(AGE)
        places = [last + 1 if each == AGE else own.get(each, last) for each in self.topics]
        return np.array(places, dtype=np.int64)

    def line_days(self) -> Floats:
        """Days that the line puts down to each topic; what it says of accounts and age to those two."""
        line = self.fitted.line
        parts = line.scaler.scaled(self.matrix) * line.slopes
        result = np.zeros((len(self.matrix), len(self.topics)))
        for place, name in enumerate(self.fitted.columns.names):
            if name == EFFECTS[0]:
                result += self.own_by_topic * (line.slopes[place] / line.scaler.deviation[place])
            else:
                result[:, self.topics.index(topic_of(name))] += parts[:, place]
        return result

    def with_topics(self, rows: slice, on: Bools) -> tuple[Singles, Ints, Ints]:
        """(columns, days to the due date, day) with these topics as they are: ``on`` has one per topic.

        Without its age the item is one on the eve of its document, due on the same day as it is.
        """
        names = self.fitted.columns.names
        own = self.matrix[rows]
        result = np.empty_like(own)
        for place, name in enumerate(names):
            if name == EFFECTS[0]:
                result[:, place] = self._expected(rows, place, on)
            elif name == "days_past_due":
                issue = (-self.terms[rows] - 1).astype(np.float32)
                start = issue if on[self.topics.index(TERMS)] else self.typical[place]
                result[:, place] = start + (own[:, place] - issue if on[self.topics.index(AGE)] else 0.0)
            else:
                is_own = on[self.topics.index(topic_of(name))]
                result[:, place] = own[:, place] if is_own else self.typical[place]
        if on[self.topics.index(AGE)]:
            return result, self.due_in[rows], self.day[rows]
        eve = self.terms[rows] + 1
        return result, eve, self.day[rows] + self.due_in[rows] - eve

    def _expected(self, rows: slice, place: int, on: Bools) -> Floats:
        """item_expected_delay: what each topic adds to it; the rest is the account's."""
        parts = self.own_by_topic[rows]
        base = float(self.typical[place])
        rest = self.matrix[rows, place] - base - parts.sum(axis=1)
        result: Floats = base + parts @ on + (rest if on[self.topics.index(HABIT)] else 0.0)
        return result

    def lateness(self) -> dict[str, Floats]:
        """How many standard deviations later than typical each item's account is, by each of DELAYS."""
        scaled = self.fitted.line.scaler.scaled(self.matrix)
        names = self.fitted.columns.names
        return {name: scaled[:, place] for place, name in enumerate(names) if name in DELAYS}

    def told(self) -> dict[str, Floats]:
        """Days that the line puts down to each feature, effects of the item's own columns taken apart."""
        line = self.fitted.line
        parts = line.scaler.scaled(self.matrix) * line.slopes
        result: dict[str, Floats] = {}
        for place, name in enumerate(self.fitted.columns.names):
            if name not in EFFECTS:
                result[told_as(name)] = result.get(told_as(name), 0.0) + parts[:, place]
            elif name == EFFECTS[0]:
                slope = line.slopes[place] / line.scaler.deviation[place]
                for number, each in enumerate(self.own_names):
                    result[told_as(each)] = result.get(told_as(each), 0.0) + slope * self.own[:, number]
        return result


def _asked(fitted: Learnt, book: Book, features: pl.DataFrame) -> _Asked:
    effects = fitted.effects
    items = features.select("item_id").join(
        _described(book.items.join(features, on="item_id", how="semi"), effects.extra),
        on="item_id", how="left", maintain_order="left",
    )  # fmt: skip
    own = effects.scaler.scaled(effects.columns.matrix(items)) * effects.slopes
    return _Asked(fitted, effects.added(book, features), own)


def _orders(count: int) -> Bools:
    """Topics that are on, step by step: none, then one more at a time; then the same against the order.

    The last topic comes on in the last step only, after all others.
    """
    forth = np.tril(np.ones((count - 1, count - 1), dtype=np.bool_))
    steps = np.concatenate([np.zeros((1, count - 1), dtype=np.bool_), forth, forth[:-1, ::-1]])
    before = np.concatenate([steps, np.zeros((len(steps), 1), dtype=np.bool_)], axis=1)
    return np.concatenate([before, np.ones((1, count), dtype=np.bool_)])


def _between(ends: Ints, places: Ints) -> Floats:
    """Weights that make values at all ``ends`` of those at ``places`` of them, linear in between."""
    return np.stack([np.interp(ends, ends[places], each) for each in np.eye(len(places))])


def _places(cells: Cells) -> Ints:
    wanted = np.isin(cells.ends, ASKED_DAYS if cells.is_daily else ASKED_WEEKS)
    return np.flatnonzero(wanted).astype(np.int64)


def _tree_curves(fitted: Hazard, matrix: Singles, days_to_due: Ints, day: Ints) -> Curves:
    cells, places = fitted.cells, _places(fitted.cells)
    count = len(matrix)
    row = np.repeat(np.arange(count), len(places))
    periods = Periods(row, np.tile(places, count), np.zeros(len(row), dtype=np.bool_))
    rows = np.empty((len(row), len(fitted.seen) + len(CELL_NAMES)), dtype=np.float32)
    rows[:, : len(fitted.seen)] = matrix[:, fitted.seen][row]
    center, spread = fitted.center(matrix, days_to_due), fitted.line.spread(matrix)
    rows[:, len(fitted.seen) :] = cell_columns(
        cells, periods, day, days_to_due, center, spread, fitted.is_seasonal
    )
    raw = np.zeros(len(rows))
    for booster in fitted.boosters:
        raw += booster.predict(rows, raw_score=True, num_threads=threads_for(rows.size * 5))
    known = (raw / len(fitted.boosters)).reshape(count, -1)
    score = known @ _between(cells.ends, places) + fitted.base + _offset(cells)
    hazard = 1.0 / (1.0 + np.exp(-np.clip(score, -30.0, 30.0)))
    lost = np.zeros_like(hazard) if fitted.gone is None else fitted.gone.hazards(cells, days_to_due)
    stays = np.cumprod(np.clip(1.0 - hazard - lost, 0.0, 1.0), axis=1)
    before = np.concatenate([np.ones((count, 1)), stays[:, :-1]], axis=1)
    paid = np.minimum(np.cumsum(before * hazard, axis=1), 1.0).astype(np.float32)
    return Curves(cells.ends, paid)


def _expected_delay(fitted: Learnt, matrix: Singles, days_to_due: Ints, day: Ints) -> Floats:
    """Days past due on which half is expected to be paid; beyond the curve's end, its end."""
    if isinstance(fitted, RidgeKm):
        curves = line_curves(fitted.line, matrix, days_to_due)
    else:
        curves = _tree_curves(fitted, matrix, days_to_due, day)
        if fitted.line_share:
            line = line_curves(fitted.line, matrix, days_to_due, fitted.cells.ends)
            curves = blended(line, curves, fitted.line_share)
        curves = fitted.calibration.of(curves)
    result: Floats = np.minimum(days_until(curves, 0.5), float(curves.days[-1])) - days_to_due
    return result


def _chunks(asked: _Asked, steps: int) -> Iterator[slice]:
    cells = len(_places(asked.fitted.cells)) if isinstance(asked.fitted, Hazard) else 1
    each = steps * (cells * (len(asked.topics) + 2 * len(CELL_NAMES)) + len(asked.fitted.columns) + 150)
    size = max(1, CHUNK_NUMBERS // each)
    for start in range(0, len(asked.features), size):
        yield slice(start, min(start + size, len(asked.features)))


def topic_effects(fitted: Learnt, book: Book, features: pl.DataFrame) -> TopicEffects:
    """The effects of each topic on the expected day; features: ``features_at`` of the landmarks."""
    asked = _asked(fitted, book, features)
    steps = int(asked.step_of[-1]) + 1
    on = _orders(steps)[:, asked.step_of]
    delays = np.empty((len(features), len(on)))
    for rows in _chunks(asked, len(on)):
        parts = [asked.with_topics(rows, each) for each in on]
        matrix, days_to_due, day = (np.concatenate(each) for each in zip(*parts, strict=True))
        told = _expected_delay(fitted, matrix, days_to_due, day)
        delays[rows] = told.reshape(len(on), -1).T
    days = _shared_out(_steps(delays, steps), asked)
    return TopicEffects(
        asked.features, asked.topics, days, delays[:, 0], delays[:, -1], asked.told(), asked.lateness()
    )


def _shared_out(days: Floats, asked: _Asked) -> Floats:
    """The effect of each topic from those of the steps: topics of one step share it as the line has them."""
    result = days[:, asked.step_of]
    for step in np.flatnonzero(np.bincount(asked.step_of) > 1):
        topics = np.flatnonzero(asked.step_of == step)
        parts = asked.line_days()[:, topics]
        weight = np.abs(parts) + 1e-9
        rest = days[:, step] - parts.sum(axis=1)
        result[:, topics] = parts + rest[:, None] * weight / weight.sum(axis=1, keepdims=True)
    return result


def _steps(delays: Floats, count: int) -> Floats:
    """The mean of what a topic's two steps move the day by. delays: one column per row of ``_orders``."""
    first, all_but_last, end = delays[:, :1], delays[:, count - 1 : count], delays[:, -1:]
    forth = np.diff(delays[:, :count], axis=1)
    back = np.diff(np.concatenate([first, delays[:, count:-1], all_but_last], axis=1), axis=1)
    result: Floats = np.concatenate([(forth + back[:, ::-1]) / 2.0, end - all_but_last], axis=1)
    return result
