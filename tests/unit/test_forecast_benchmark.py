"""The judge of forecasts in a simulated world is right itself: outcomes by hand, a seer and a blind man."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from benchmarks.forecasts import HORIZONS, Asked, ask, measured, outcomes
from saldo.analytics.book import ENDS, ITEMS, PAID, RETURNED, WRITTEN_OFF, Book, balances
from saldo.analytics.curves import DAILY, Curves

START = date(2026, 1, 1)
LAST = START + timedelta(days=400)


def _day(days: int) -> date:
    return START + timedelta(days=days)


def _book(ends: list[tuple[int, int, int, str, int]], items: int, due: int = 10) -> Book:
    """Items of 100.000 mills, each of its own customer; ends: item, day, mills, cause, known on."""
    rows = [
        (one, one, one, "s", "EUR", _day(-20), _day(due), 100_000, None, _day(-20)) for one in range(items)
    ]
    told = [(item, _day(day), mills, cause, _day(known)) for item, day, mills, cause, known in ends]
    return Book(pl.DataFrame(rows, schema=ITEMS, orient="row"), pl.DataFrame(told, schema=ENDS, orient="row"))


def test_outcomes_by_hand() -> None:
    book = _book(
        [
            (0, 5, 100_000, PAID, 6),
            (1, 5, 30_000, PAID, 5),
            (1, 40, 70_000, PAID, 41),
            (2, 5, 100_000, PAID, 5),
            (2, 9, -100_000, RETURNED, 9),
            (3, 8, 100_000, WRITTEN_OFF, 8),
            (4, -1, 100_000, PAID, 2),  # paid before the question, booked after it
            (5, -3, 60_000, PAID, -2),  # known: only the rest is asked about
            (5, 20, 20_000, PAID, 20),
        ],
        items=6,
    )
    facts = balances(book, pl.DataFrame({"item_id": range(6)}).with_columns(as_of=pl.lit(START)))
    for days, cash, ended in (
        (7, [1, 0.3, 1, 0, 1, 0], [1, 0.3, 1, 0, 1, 0]),
        (30, [1, 0.3, 0, 0, 1, 0.5], [1, 0.3, 0, 1, 1, 0.5]),
        (60, [1, 1.0, 0, 0, 1, 0.5], [1, 1.0, 0, 1, 1, 0.5]),
    ):
        found = outcomes(book, facts, np.full(6, days))
        assert [shares.tolist() for shares in found] == [pytest.approx(cash), pytest.approx(ended)]


@dataclass(frozen=True)
class _Says:
    """A model that says of each item the day that it was given."""

    days: dict[int, int]
    name: str = "says"
    as_of: date = START

    def curves(self, book: Book, landmarks: pl.DataFrame) -> Curves:
        asked = zip(landmarks["item_id"].to_list(), landmarks["as_of"].to_list(), strict=True)
        left = np.array([self.days[item] - (day - START).days for item, day in asked])
        return Curves(DAILY, (DAILY[None, :] >= left[:, None]).astype(np.float32))

    def as_record(self) -> dict[str, object]:
        return {}


def _asked(days: dict[int, int]) -> Asked:
    paid = {item: 12 + 9 * item for item in range(12)}
    book = _book([(item, day, 100_000, PAID, day) for item, day in paid.items()], items=12)
    return ask(book, _Says(days or paid), [_day(2), _day(9)], LAST)


def test_who_sees_the_future_is_right_and_who_does_not_is_not() -> None:
    seer = _asked({})
    assert seer.forecast.shape == (24, len(HORIZONS))
    # Due on day 10: open on day 101 are those paid later than that.
    assert seer.rolled.tolist() == [1.0 if 12 + 9 * item > 101 else 0.0 for item in range(12)] * 2
    good = measured(seer, rounds=5)
    assert all(good[f"ece_{days}"]["value"] == 0.0 for days in HORIZONS)
    assert good["roll_auc"]["value"] == good["c_index"]["value"] == good["coverage_80"]["value"] == 1.0
    # A curve grows through the day, so that its median lies before the evening.
    assert 0.0 <= (good["mae_days"]["value"] or 0.0) <= 0.5
    blind = measured(_asked({item: 111 - 9 * item for item in range(12)}), rounds=5)
    # Of ten items that did not roll it says so of eight, like of the two that did; of the others the reverse.
    assert blind["roll_auc"]["value"] == pytest.approx(0.4) and (blind["c_index"]["value"] or 0.0) < 0.1
    assert (blind["ece_30"]["value"] or 0.0) > 0.1 and (blind["mae_days"]["value"] or 0.0) > 20
