"""Rungs of the payment date: pieces, the line, the hazard, calibration, and what none of them may see."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from saldo.analytics.book import CREDITED, RETURNED, UNKNOWN, Book, open_on
from saldo.analytics.curves import DAILY, WEEKLY, Curves, days_until, paid_within
from saldo.analytics.features import features_at
from saldo.analytics.payment_date import delays
from saldo.analytics.payment_date.calibration import KNOTS, Calibration, Seen, fit_calibration, log_odds
from saldo.analytics.payment_date.censored import fit_line, kaplan_meier
from saldo.analytics.payment_date.effects import fit_effects
from saldo.analytics.payment_date.hazard import HazardRung
from saldo.analytics.payment_date.hazard_cells import DAYS, WEEKS, periods_of
from saldo.analytics.payment_date.ladder import NAMES, fitted_from, rung
from saldo.analytics.payment_date.pieces import IS_GONE, IS_PAID, OPEN, pieces
from saldo.analytics.payment_date.refine import refined
from tests.payment_books import START, book_of_rows, end, habits, item

CUT = START + timedelta(days=420)


@pytest.fixture(scope="module")
def book() -> Book:
    return habits(900)


@pytest.fixture(scope="module")
def fitted(book: Book) -> dict[str, Any]:
    known = book.known_by(CUT)
    return {name: rung(name).fit(known, CUT) for name in NAMES}


def _asked(book: Book, days: int = 40) -> pl.DataFrame:
    """Items on the eve of their document in the days after CUT."""
    later = book.items.filter(
        (pl.col("document_date") > CUT) & (pl.col("document_date") <= CUT + timedelta(days=days))
    )
    return later.select("item_id", (pl.col("document_date") - timedelta(days=1)).alias("as_of"))


def _pieces(ends: list[dict[str, object]], as_of: date) -> list[tuple[date, int, float]]:
    book = book_of_rows([item(1, 1, START)], ends)
    frame = pieces(book, as_of)
    return [
        (row["exit_date"], row["outcome"], round(row["weight"], 6)) for row in frame.iter_rows(named=True)
    ]


def test_part_payments_are_pieces_by_amount() -> None:
    paid, credited = START + timedelta(days=10), START + timedelta(days=20)
    as_of = START + timedelta(days=60)
    ends = [end(1, paid, 30_000), end(1, credited, 20_000, CREDITED)]
    assert _pieces(ends, as_of) == [(paid, IS_PAID, 0.3), (credited, IS_GONE, 0.2), (as_of, OPEN, 0.5)]
    # Before the credit note was known, what it took off was open.
    before = START + timedelta(days=15)
    assert _pieces(ends, before) == [(paid, IS_PAID, 0.3), (before, OPEN, 0.7)]


def test_a_returned_payment_was_none() -> None:
    first, back, again = (START + timedelta(days=n) for n in (30, 35, 50))
    ends = [end(1, first), end(1, back, -100_000, RETURNED), end(1, again)]
    assert _pieces(ends, START + timedelta(days=60)) == [(again, IS_PAID, 1.0)]
    assert _pieces(ends[:2], back) == [(back, OPEN, 1.0)]


def test_a_closure_of_unknown_cause_is_censored_on_its_day() -> None:
    day = START + timedelta(days=40)
    assert _pieces([end(1, day, cause=UNKNOWN)], START + timedelta(days=99)) == [(day, OPEN, 1.0)]


def test_kaplan_meier_by_hand() -> None:
    values, ended = kaplan_meier(
        np.array([3.0, 1.0, 2.0, 2.0]), np.array([True, True, True, False]), np.ones(4)
    )
    assert values.tolist() == [1.0, 2.0, 2.0, 3.0]
    # 1/4 ends on 1, then 1/3 of the rest on 2 (the censored one is still at risk), then all.
    assert ended == pytest.approx([0.25, 0.5, 0.5, 1.0])


def test_open_items_are_censored_not_dropped() -> None:
    """Half of the long durations are seen only in part: dropping them would halve the slope."""
    random = np.random.default_rng(2)
    x = random.normal(size=4_000).astype(np.float32)
    true = 20.0 + 5.0 * x + 5.0 * random.normal(size=4_000)
    sight = random.uniform(5.0, 35.0, size=4_000)
    ended = true <= sight
    group = np.arange(4_000, dtype=np.int64)
    line = fit_line(x[:, None], np.minimum(true, sight), ended, np.ones(4_000), group)
    truth = np.array([[-1.0], [1.0]], dtype=np.float32)
    assert line.predicted(truth) == pytest.approx([15.0, 25.0], abs=1.0)
    dropped = fit_line(
        x[ended][:, None], true[ended], ended[ended], np.ones(ended.sum()), group[: ended.sum()]
    )
    assert dropped.predicted(truth)[1] < 23.5


def test_an_account_is_judged_by_its_own_delays_and_by_what_its_columns_change() -> None:
    """Paper is paid 8 days later. An account that has just left paper keeps its habit, less those days."""
    rows, ends = [], []
    for number in range(600):
        account = number % 30
        on_paper = account % 2 == 0 or number < 300
        issued = START + timedelta(days=number // 2)
        rows.append(item(number, account, issued) | {"sent": "paper" if on_paper else "mail"})
        ends.append(end(number, issued + timedelta(days=30 + account // 3 + 8 * on_paper)))
    rows.append(item(600, 29, START + timedelta(days=400)) | {"sent": "mail"})
    book = book_of_rows(rows, ends, extra=("sent",))
    as_of = START + timedelta(days=399)
    effects = fit_effects(book.known_by(as_of), pieces(book, as_of))
    asked = pl.DataFrame({"item_id": [600], "as_of": [as_of]}, schema_overrides={"as_of": pl.Date})
    found = effects.added(book, features_at(book, asked))
    assert found["item_expected_delay"].item() == pytest.approx(29 // 3, abs=0.8)


def test_a_period_not_over_yet_is_left_out_whole() -> None:
    until, sight = np.array([5, 30, 30]), np.array([40, 40, 20])
    periods = periods_of(WEEKS, until, np.array([True, False, False]), sight)
    by_row = {row: WEEKS.ends[periods.cell[periods.row == row]].tolist() for row in range(3)}
    assert by_row == {0: [7], 1: [7, 14, 21, 28, 30], 2: [7, 14]}
    assert periods.is_paid.tolist() == [True] + [False] * 7
    daily = periods_of(DAYS, np.array([3]), np.array([True]), np.array([50]))
    assert daily.is_paid.tolist() == [False, False, True]


def test_curves_of_all_rungs_are_distributions(book: Book, fitted: dict[str, Any]) -> None:
    landmarks = pl.concat([_asked(book), open_on(book.known_by(CUT), CUT)])
    for name in NAMES:
        curves = fitted[name].curves(book, landmarks)
        assert len(curves) == len(landmarks), name
        assert curves.paid.min() >= 0.0 and curves.paid.max() <= 1.0, name
        assert (np.diff(curves.paid, axis=1) >= 0.0).all(), name
        if curves.gone is not None:
            assert (curves.paid + curves.gone).max() <= 1.0 + 1e-6


def test_learnt_rungs_find_the_habits(book: Book, fitted: dict[str, Any]) -> None:
    """Accounts pay from 10 days early to 20 late: who knows the account is near, who does not is far."""
    landmarks = _asked(book)
    own = landmarks.join(book.items, on="item_id", maintain_order="left")
    paid = own.join(book.ends.select("item_id", "end_date"), on="item_id", maintain_order="left")
    actual = (paid["end_date"] - paid["as_of"]).dt.total_days().to_numpy()
    miss = {
        name: float(np.abs(np.ceil(days_until(fitted[name].curves(book, landmarks), 0.5)) - actual).mean())
        for name in NAMES
    }
    for name in ("customer_median", "empirical_bayes", "ridge_km", "hazard"):
        assert miss[name] < 0.6 * miss["pooled_km"], miss
    assert miss["hazard"] < 4.5 and miss["ridge_km"] < 4.5, miss


def test_records_make_the_same_model(book: Book, fitted: dict[str, Any]) -> None:
    landmarks = _asked(book, days=5)
    for name in NAMES:
        again = fitted_from(json.loads(json.dumps(fitted[name].as_record())))
        first, second = fitted[name].curves(book, landmarks), again.curves(book, landmarks)
        assert np.array_equal(first.paid, second.paid), name
        assert again.name == name and again.as_of == CUT


def test_a_record_that_does_not_fit_is_refused(fitted: dict[str, Any]) -> None:
    record = fitted["hazard"].as_record()
    for wrong in (
        {**record, "rung": "oracle"},
        {**record, "seen": record["seen"][:-1]},
        {**record, "line": {**record["line"], "slopes": record["line"]["slopes"][:-1]}},
        {name: value for name, value in record.items() if name != "effects"},
    ):
        with pytest.raises(ValueError):
            fitted_from(wrong)


def test_the_future_changes_no_forecast(book: Book, fitted: dict[str, Any]) -> None:
    """What is known later is shuffled: forecasts of the days before are the same to the last bit."""
    day = CUT + timedelta(days=20)
    landmarks = open_on(book.known_by(day), day)
    later = pl.col("known_date") > day
    random = np.random.default_rng(9)
    moved = book.ends.filter(later)
    shuffled = moved.with_columns(
        pl.Series("item_id", random.permutation(moved["item_id"].to_numpy())),
        pl.col("end_date") + pl.duration(days=pl.Series(random.integers(1, 200, len(moved)))),
    )
    other = Book(book.items, pl.concat([book.ends.filter(~later), shuffled]))
    for name in NAMES:
        before, after = fitted[name].curves(book, landmarks), fitted[name].curves(other, landmarks)
        assert np.array_equal(before.paid, after.paid), name


def test_an_account_alone_gives_the_same_curves(book: Book, fitted: dict[str, Any]) -> None:
    landmarks = open_on(book.known_by(CUT), CUT)
    account = book.items.filter(pl.col("account_id") == 7)
    own = landmarks.join(account, on="item_id", how="semi")
    place = np.flatnonzero(landmarks["item_id"].is_in(own["item_id"].to_list()).to_numpy())
    for name in NAMES:
        whole = fitted[name].curves(book, landmarks).paid[place]
        alone = fitted[name].curves(book.of_accounts([7]), own).paid
        assert np.allclose(whole, alone, atol=1e-6), name


def test_weeks_agree_with_days(book: Book) -> None:
    """The coarse grid of large books says nearly what the daily one says."""
    from dataclasses import replace

    from saldo.analytics.payment_date.hazard import SMALL

    known, landmarks = book.known_by(CUT), _asked(book)
    daily = HazardRung(replace(SMALL, bags=1), is_calibrated=False).fit(known, CUT)
    weekly = HazardRung(replace(SMALL, bags=1, cells=WEEKS, least_in_leaf=60), is_calibrated=False).fit(
        known, CUT
    )
    first, second = daily.curves(book, landmarks), weekly.curves(book, landmarks)
    gap = np.abs(paid_within(first, [30, 60]) - paid_within(second, [30, 60]))
    assert gap.mean() < 0.08


def test_the_days_of_a_week_follow_the_due_date() -> None:
    """Half of what a week holds is paid on the due date, if that is how the portfolio pays; its end stays."""
    open_share = np.where(delays.EDGES < 0, 1.0, 0.1)
    weekly = np.tile(np.linspace(0.0, 0.9, len(WEEKLY)), (2, 1)).astype(np.float32)
    daily = refined(Curves(WEEKLY, weekly), np.array([10, 500]), np.log(open_share))
    assert daily.days.tolist() == DAILY.tolist()
    near = WEEKLY <= 120
    assert paid_within(daily, WEEKLY[near]) == pytest.approx(weekly[:, near], abs=1e-6)
    second_week = paid_within(daily, [7, 9, 10, 14])
    assert second_week[0] == pytest.approx(weekly[0, [0, 0, 1, 1]], abs=1e-6)
    # Far from its due date nothing is known of the shape: evenly.
    assert second_week[1, 1] == pytest.approx(weekly[1, 0] + 2 / 7 * (weekly[1, 1] - weekly[1, 0]), abs=1e-6)


def test_credit_notes_are_a_competing_end() -> None:
    base = habits(500, days=400)
    random = np.random.default_rng(4)
    credited = random.random(len(base.ends)) < 0.2
    causes = np.where(credited, CREDITED, "paid")
    book = Book(base.items, base.ends.with_columns(pl.Series("cause", causes)))
    as_of = START + timedelta(days=330)
    model = rung("hazard").fit(book.known_by(as_of), as_of)
    curves = model.curves(book, open_on(book.known_by(as_of), as_of))
    assert curves.gone is not None
    assert 0.10 < float(curves.gone[:, -1].mean()) < 0.35


def test_too_few_payments_teach_no_learnt_rung() -> None:
    book = habits(40)
    for name in ("ridge_km", "hazard"):
        with pytest.raises(ValueError, match="too_few_paid"):
            rung(name).fit(book, START + timedelta(days=650))
    for name in ("due_date", "customer_median", "pooled_km", "empirical_bayes"):
        assert rung(name).fit(book.known_by(START), START).name == name


def test_calibration_pulls_the_shares_to_what_was_seen() -> None:
    random = np.random.default_rng(8)
    said = random.uniform(0.05, 0.95, 6_000)
    true = 1.0 / (1.0 + np.exp(-(log_odds(said) - 0.8)))
    days = np.array([7, 14, 30, 60, 90], dtype=np.int64)
    curves = Curves(days, np.repeat(said[:, None], 5, axis=1).astype(np.float32))
    until = np.where(random.random(6_000) < true, 5, 200)
    seen = Seen(until.astype(np.int64), until == 5, np.full(6_000, 100), np.arange(6_000))
    isotonic = fit_calibration(curves, seen)
    assert np.abs(isotonic.applied(days, curves.paid)[:, 2] - true).mean() < 0.03
    few = Seen(seen.until[:300], seen.is_paid[:300], seen.sight[:300], seen.item_ids[:300])
    held = fit_calibration(Curves(days, curves.paid[:300]), few)
    moved = held.shifts[0, len(KNOTS) // 2]
    assert -0.8 < moved < -0.05


def test_calibrated_curves_never_fall() -> None:
    wild = Calibration(
        np.array([7, 30], dtype=np.int64), np.stack([np.full(len(KNOTS), 3.0), -2.0 * np.ones(len(KNOTS))])
    )
    days = np.array([5, 10, 20, 40], dtype=np.int64)
    paid = np.array([[0.1, 0.2, 0.3, 0.4], [0.0, 0.0, 0.5, 1.0]], dtype=np.float32)
    after = wild.applied(days, paid)
    assert (np.diff(after, axis=1) >= 0).all()
    assert after[1, 0] == 0.0 and after[1, 3] == 1.0
