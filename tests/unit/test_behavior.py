"""The behavior score: its features by hand, its points, its default, and what it learns."""

from __future__ import annotations

import json
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from saldo.analytics.behavior import (
    SCORES,
    BehaviorModel,
    behavior_questions,
    behavior_scores,
    stated_model,
    train_behavior,
)
from saldo.analytics.behavior_features import behavior_features, defaulted_on, parse_rules, rules
from saldo.analytics.book import WRITTEN_OFF
from saldo.analytics.default_risk.classes import score_of
from saldo.analytics.default_risk.measures import auc, logit
from saldo.core.reasons import render
from tests.paying_book import FIRST, TERMS_DAYS, Writer

AS_OF = FIRST + timedelta(days=400)


def _due_ago(writer: Writer, account: int, days: int, mills: int = 1_000_000) -> int:
    """An item that fell due ``days`` before AS_OF."""
    return writer.item(account, AS_OF - timedelta(days=days + TERMS_DAYS), mills)


def test_features_by_hand() -> None:
    made = Writer()
    for ago in (200, 180, 160):
        made.pays(_due_ago(made, 1, ago), 3)
    made.pays(_due_ago(made, 1, 100), 23)
    old = _due_ago(made, 1, 70, 3_000_000)
    made.end(old, AS_OF - timedelta(days=40), 1_000_000)
    _due_ago(made, 1, -10, 2_000_000)
    made.promises.append((1, None, AS_OF - timedelta(days=20), 1_000_000, AS_OF - timedelta(days=30)))
    made.promises.append((1, None, AS_OF - timedelta(days=2), 1_000_000, AS_OF - timedelta(days=12)))
    row = behavior_features(made.book(), AS_OF).to_dicts()[0]
    # Known a day after each payment: delays 4, 4, 4, 24, and 70 for what is open.
    assert row["n_history"] == 4 and row["in_default"] is False
    assert row["late_share"] == pytest.approx(2 / 5)
    assert row["mean_delay"] == pytest.approx((4 + 4 + 4 + 24 + 70) / 5)
    assert row["delay_rise"] == pytest.approx((24 + 70) / 2 - 4)
    assert row["over_60_share"] == pytest.approx(1 / 5)
    assert row["parted_share"] == pytest.approx(1 / 5)
    assert row["returned_share"] == 0.0
    # The first promise was judged broken; the second can still be kept.
    assert row["broken_promises"] == 1.0
    assert row["overdue_share"] == pytest.approx(2 / 4)
    assert row["oldest_days"] == 70
    assert row["relationship_days"] == 230


def test_a_promise_that_was_paid_is_kept() -> None:
    made = Writer()
    item = _due_ago(made, 1, 60)
    made.promises.append((1, item, AS_OF - timedelta(days=20), 1_000_000, AS_OF - timedelta(days=30)))
    made.end(item, AS_OF - timedelta(days=18))
    assert behavior_features(made.book(), AS_OF)["broken_promises"].to_list() == [0.0]


@pytest.mark.parametrize(
    ("days", "mills", "other", "expected"),
    [
        (91, 500_000, 0, True),
        (90, 500_000, 0, False),
        (91, 499_990, 0, False),
        (91, 600_000, 60_000_000, False),
    ],
)
def test_default_needs_days_an_amount_and_a_share(days: int, mills: int, other: int, expected: bool) -> None:
    made = Writer()
    _due_ago(made, 1, days, mills)
    if other:
        _due_ago(made, 1, -5, other)
    assert (not defaulted_on(made.book(), AS_OF).is_empty()) is expected
    scores = behavior_scores(made.book(), AS_OF)
    codes = [one["code"] for one in json.loads(scores["reasons"][0])]
    assert ("behavior_in_default" in codes) is expected


def test_a_material_write_off_is_a_default() -> None:
    made = Writer()
    item = _due_ago(made, 1, 30)
    made.end(item, AS_OF - timedelta(days=3), cause=WRITTEN_OFF)
    tolerance = _due_ago(made, 2, 30)
    made.end(tolerance, AS_OF - timedelta(days=3), 996_000)
    made.end(tolerance, AS_OF - timedelta(days=3), 4_000, WRITTEN_OFF)
    assert defaulted_on(made.book(), AS_OF)["account_id"].to_list() == [1]


def _portfolio(accounts: int = 280, seed: int = 3) -> Writer:
    """Half the accounts pay later and later for a while, and half of those then stop paying for good."""
    rng = np.random.default_rng(seed)
    made = Writer()
    for account in range(accounts):
        stops = FIRST + timedelta(days=int(rng.integers(450, 900))) if account % 4 == 0 else None
        day = FIRST + timedelta(days=int(rng.integers(0, 25)))
        while day < FIRST + timedelta(days=950):
            item = made.item(account, day)
            late = 25 if account % 2 == 0 else 0
            paid = made.due(item) + timedelta(days=late + int(rng.integers(0, 8)))
            if (stops is None or paid < stops) and paid < FIRST + timedelta(days=1000):
                made.end(item, paid)
            day += timedelta(days=32)
    return made


def test_points_add_up_and_reasons_are_said() -> None:
    model = stated_model()
    scores = behavior_scores(_portfolio(40).book(), FIRST + timedelta(days=800))
    assert scores.schema == SCORES and scores["account_id"].is_sorted()
    base = float(score_of(model.card.intercept))
    for row in scores.filter(pl.col("points").is_between(1, 99)).iter_rows(named=True):
        reasons = json.loads(row["reasons"])
        points = [one["points"] for one in reasons]
        assert base + sum(points) == pytest.approx(row["points"], abs=0.6)
        assert [abs(each) for each in points] == sorted((abs(each) for each in points), reverse=True)
        assert row["points"] == pytest.approx(float(score_of(logit(row["pd"]))))
        for one in reasons:
            texts = {render(one["code"], one["params"], language) for language in ("it", "en")}
            assert len(texts) == 2


def test_the_worked_example_of_the_docs() -> None:
    card = stated_model().card
    values = {
        "mean_delay": 30.0, "late_share": 0.5, "over_60_share": 0.1, "returned_share": 0.0,
        "parted_share": 0.0, "broken_promises": 0.0, "delay_rise": 0.0, "overdue_share": 0.1,
        "oldest_days": 20.0, "relationship_days": 3 * 365.0,
    }  # fmt: skip
    row = np.array([[values[name] for name in card.columns.names]])
    assert card.contributions(row).sum() == pytest.approx(0.03)
    assert card.log_odds(row)[0] == pytest.approx(-3.63, abs=0.01)


def test_what_is_learnt_ranks_better_than_chance_and_survives_its_record() -> None:
    book = _portfolio().book()
    trained_on, judged_on = FIRST + timedelta(days=900), FIRST + timedelta(days=620)
    model = train_behavior(book, trained_on)
    assert model is not None and model.is_learnt and model.metrics["defaults"] >= 20
    assert model.metrics["last"] <= str(trained_on - timedelta(days=365))
    scores = behavior_scores(book, judged_on, model)
    after = [defaulted_on(book, judged_on + timedelta(days=days)) for days in range(30, 361, 30)]
    bad = set(pl.concat(after)["account_id"].to_list())
    asked = behavior_features(book, judged_on).filter(~pl.col("in_default"))["account_id"]
    judged = scores.filter(pl.col("account_id").is_in(asked.implode()))
    outcomes = judged["account_id"].is_in(list(bad)).cast(pl.Int64).to_numpy()
    assert auc(outcomes, judged["pd"].to_numpy()) > 0.65
    again = BehaviorModel.from_record(json.loads(json.dumps(model.as_record())))
    assert behavior_scores(book, judged_on, again).equals(scores)


def test_questions_look_only_back_and_answers_only_ahead() -> None:
    book = _portfolio(24).book()
    asked = behavior_questions(book, FIRST + timedelta(days=900))
    assert asked is not None
    for day in asked["as_of"].unique():
        of_day = asked.filter(pl.col("as_of") == day)
        assert day <= FIRST + timedelta(days=900 - 365)
        alone = behavior_features(book.known_by(day), day)
        kept = alone.filter(pl.col("account_id").is_in(of_day["account_id"].implode()))
        assert of_day.select(kept.columns).equals(kept)
        assert not of_day["in_default"].any()


def test_small_or_odd_books() -> None:
    assert behavior_scores(Writer().book(), AS_OF).is_empty()
    assert train_behavior(Writer().book(), AS_OF) is None
    five = Writer()
    for number in range(5):
        five.pays(five.item(1, FIRST + timedelta(days=30 * number), 10 ** (3 * number)), 0)
    five.items.append(
        (99, 1, 1, "trade", "EUR", date(2206, 1, 1), date(2206, 2, 1), 10**15, "transfer", FIRST)
    )
    scores = behavior_scores(five.book(), AS_OF)
    assert 0 < scores["pd"][0] < 0.05 and scores["n_history"][0] == 5
    assert train_behavior(five.book(), AS_OF) is None
    fresh = Writer()
    fresh.item(7, AS_OF - timedelta(days=3))
    assert json.loads(behavior_scores(fresh.book(), AS_OF)["missing"][0]) == ["payment_history"]


def test_rules_out_of_order_are_refused() -> None:
    text = """
        [default]
        days_past_due = 90
        [learning]
        least_defaults = 1
        [now]
        in_default = 1.0
        [[features]]
        name = "mean_delay"
        unit = "days"
        up_to = [5.0, 3.0]
        weights = [0.0, 0.1, 0.2]
        missing = 0.0
    """
    with pytest.raises(ValueError, match="mean_delay"):
        parse_rules(text)
    assert len(rules().names) == len(set(rules().names)) >= 8
