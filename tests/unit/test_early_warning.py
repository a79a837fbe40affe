"""Who pays later and later is warned of, in plain facts; who pays as always is not."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from saldo.analytics.changes import evidence
from saldo.analytics.delay_types import LATEST, Observed, learn_types, observe
from saldo.analytics.early_warning import (
    DELAY,
    ORDERS,
    PARTS,
    RETURNED,
    SILENCE,
    WARNINGS,
    Learnt,
    WarningPolicy,
    learn,
    warnings,
)
from saldo.analytics.outside import OUTSIDE, leanings, outside_view, usual_pd
from saldo.analytics.warning_threshold import LEAST
from saldo.core.reasons import render
from tests.paying_book import FIRST, Writer, habit, steady

LAST = date(2025, 12, 15)
STEADY = list(range(1, 81))
PARTLY, BOUNCING, DRIFTING, ORDERING = 201, 202, 203, 204


@pytest.fixture(scope="module")
def writer() -> Writer:
    made = Writer()
    steady(made, STEADY, LAST, habit)

    def drifts(rng: np.random.Generator, account: int, due: date) -> int:
        grown = max(0, (due - date(2025, 8, 15)).days)
        return int(rng.normal(2, 2)) + grown * 2 // 3

    steady(made, [DRIFTING], LAST, drifts, seed=2)
    day = FIRST
    while day <= LAST:
        late = day > date(2025, 8, 20)
        if late:
            item = made.item(PARTLY, day)
            made.end(item, made.due(item) + timedelta(days=12), 400_000)
            if made.due(item) + timedelta(days=35) <= LAST:
                made.end(item, made.due(item) + timedelta(days=35), 600_000)
            made.bounces(made.item(BOUNCING, day, method="riba"))
        else:
            made.pays(made.item(PARTLY, day), 14)
            made.pays(made.item(BOUNCING, day, method="riba"), 0)
        made.pays(made.item(ORDERING, day), 1, LAST)
        made.orders.append((ORDERING, 1_000_000 + 10_000 * (day.day % 5), day))
        day += timedelta(days=20)
    for back in range(12):
        made.orders.append((ORDERING, 1_000_000, LAST - timedelta(days=2 * back)))
    # One RiBa of another customer that came back once: returns are nothing new to the book.
    made.bounces(made.item(300, FIRST, method="riba"))
    return made


@pytest.fixture(scope="module")
def learnt(writer: Writer) -> Learnt:
    return learn(writer.book(), LAST)


@pytest.fixture(scope="module")
def found(writer: Writer, learnt: Learnt) -> pl.DataFrame:
    return warnings(writer.book(), LAST, learnt=learnt)


def _one(found: pl.DataFrame, account: int) -> dict[str, object]:
    rows = found.filter(pl.col("account_id") == account).to_dicts()
    assert len(rows) == 1, rows
    return rows[0]


def test_each_change_has_its_name_its_day_and_its_facts(found: pl.DataFrame) -> None:
    assert found.schema == WARNINGS
    drift = _one(found, DRIFTING)
    assert drift["code"] == DELAY
    assert date(2025, 4, 1) <= drift["since_date"] <= date(2025, 11, 1)  # type: ignore[operator]
    first = json.loads(str(drift["reasons"]))[0]
    assert first["code"] == "warning_delay_drift"
    assert first["params"]["recent_days"] > first["params"]["usual_days"] + 7
    assert _one(found, PARTLY)["code"] == PARTS
    returned = _one(found, BOUNCING)
    assert returned["code"] == RETURNED
    facts = json.loads(str(returned["reasons"]))[0]["params"]
    assert facts["receipts"] >= facts["returned"] >= 4 and facts["returned_before"] == 0
    orders = _one(found, ORDERING)
    assert orders["code"] == ORDERS
    assert json.loads(str(orders["reasons"]))[0]["params"]["orders"] >= 12
    assert (found["size"] >= 1).all()


def test_who_pays_as_always_is_left_alone(found: pl.DataFrame) -> None:
    alarmed = found.filter(pl.col("account_id").is_in(STEADY))
    # 5% may be warned of in a quarter; of 80 accounts more than 11 on one evening is beyond any chance.
    assert alarmed.height <= 11


def test_reasons_are_said_in_both_languages(found: pl.DataFrame) -> None:
    for reasons in found["reasons"]:
        for reason in json.loads(reasons):
            italian, english = (render(reason["code"], reason["params"], each) for each in ("it", "en"))
            assert italian and english and italian != english


def test_silence_is_measured_by_the_customers_own_silences() -> None:
    """Pays a day or two after something is due, every time; then nothing for two months."""
    made = Writer()
    for number in range(20):
        item = made.item(1, FIRST + timedelta(days=10 * number))
        if number < 16:
            made.pays(item, 1 + number % 3)
    as_of = made.due(16) + timedelta(days=60)
    found = warnings(made.book(), as_of, learnt=learn(made.book(), as_of))
    silence = _one(found.filter(pl.col("code") == SILENCE), 1)
    assert silence["since_date"] == made.due(16)
    facts = json.loads(str(silence["reasons"]))[0]["params"]
    assert (facts["days"], facts["past"]) == (60, 15) and facts["usual_days"] <= 3
    early = made.due(16) + timedelta(days=3)
    assert warnings(made.book(), early).is_empty()


def test_a_bayes_factor_seldom_favors_a_change_that_is_not_there() -> None:
    """Histories drawn from the types themselves: 20 to 1 for a change in no more than one case of twenty."""
    base = Writer()
    steady(base, STEADY, LAST, habit)
    seen = observe(base.book(), LAST)
    types = learn_types(seen)
    rng = np.random.default_rng(5)
    accounts, items, today = 1500, 24, 10_000
    share = np.exp(types.log_share)
    kind = np.repeat(rng.choice(len(types), size=accounts, p=share / share.sum()), items)
    cumulated = np.cumsum(np.exp(types.log_density), axis=1)
    delay = (rng.random((accounts * items, 1)) * cumulated[kind, -1:] > cumulated[kind]).sum(axis=1) - 30
    due = np.tile(np.linspace(today - 700, today - 5, items).astype(np.int64), accounts)
    paid = delay <= today - due
    never = np.full(accounts * items, 10**6, dtype=np.int64)
    history = Observed(
        accounts=np.arange(accounts), account=np.repeat(np.arange(accounts), items), due=due,
        delay=np.minimum(delay, today - due), paid=paid, parted_at=never, returned_at=never,
        is_receipt=np.zeros(accounts * items, dtype=np.bool_),
    )  # fmt: skip
    factors = evidence(history, today, types).delay
    mean = np.exp(factors).mean(axis=0)
    # The mean of a Bayes factor is 1 where nothing changes (its own tail makes the estimate rough).
    assert 0.3 < mean.mean() < 2.0
    assert (np.log(mean) > np.log(20)).mean() <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / accounts)


def test_the_older_an_open_item_the_stronger_the_evidence(learnt: Learnt) -> None:
    def total(age: int) -> float:
        history = np.array([700, 600, 500, 400, 300, 200, age])
        count = len(history)
        never = np.full(count, 10**6, dtype=np.int64)
        seen = Observed(
            accounts=np.array([1]), account=np.zeros(count, dtype=np.int64), due=20_000 - history,
            delay=np.array([2, 1, 3, 2, 0, 2, age]), paid=np.array([True] * 6 + [False]), parted_at=never,
            returned_at=never, is_receipt=np.zeros(count, dtype=np.bool_),
        )  # fmt: skip
        return float(evidence(seen, 20_000, learnt.types).total[0])

    values = [total(age) for age in (1, 8, 15, 40)]
    assert values == sorted(values) and values[0] < 0.2 < 3 < values[-1]


def test_a_dispute_is_a_reason_to_wait(writer: Writer, learnt: Learnt) -> None:
    """The same open items, objected to soon after they fell due, are no sign of a drift."""
    book = writer.book()
    late = book.items.filter((pl.col("account_id") == DRIFTING) & (pl.col("due_date") > date(2025, 8, 1)))
    objected = late.select(
        "item_id", "amount_mills", pl.lit(None, pl.Date).alias("closed_date"),
        known_date=pl.col("due_date") + timedelta(days=2),
    )  # fmt: skip
    calm = warnings(replace(book, disputes=objected), LAST, learnt=learnt)
    assert calm.filter((pl.col("account_id") == DRIFTING) & (pl.col("code") == DELAY)).is_empty()


def test_a_weak_rating_takes_the_place_of_evidence_but_never_of_all(writer: Writer, learnt: Learnt) -> None:
    accounts = [*STEADY, DRIFTING]
    frame = pl.DataFrame({"account_id": accounts, "customer_id": accounts})
    weak = [DRIFTING, *STEADY[:3]]
    ratings = pl.DataFrame(
        {
            "customer_id": accounts,
            "agency": ["Agency"] * len(accounts),
            "value": ["x"] * len(accounts),
            "pd": [0.20 if each in weak else 0.02 for each in accounts],
            "rating_date": [date(2025, 11, 1)] * len(accounts),
        }
    )
    view = outside_view(frame, ratings)
    assert view.schema == OUTSIDE and view.height == len(accounts)
    assert usual_pd(view) == pytest.approx((4 * 0.20 + 77 * 0.02) / 81)
    lean = leanings(view, np.array([DRIFTING, 999]))
    odds = [share / (1 - share) for share in (0.20, (4 * 0.20 + 77 * 0.02) / 81)]
    assert lean[0] == pytest.approx(np.log(odds[0] / odds[1])) and lean[1] == 0.0
    with_view = warnings(writer.book(), LAST, learnt=learnt, outside=view)
    without = warnings(writer.book(), LAST, learnt=learnt)
    assert _one(with_view, DRIFTING)["size"] > _one(without, DRIFTING)["size"]  # type: ignore[operator]
    codes = [one["code"] for one in json.loads(str(_one(with_view, DRIFTING)["reasons"]))]
    assert codes[-1] == "warning_outside"
    seen = observe(writer.book(), LAST)
    total = evidence(seen, (LAST - date(1970, 1, 1)).days, learnt.types).total
    against = set(seen.accounts[total <= -0.5].tolist()) & set(weak)
    assert against and not against & set(with_view["account_id"].to_list())


def test_a_policy_without_sense_is_refused() -> None:
    for wrong in ({"false_alarms": 0.0}, {"false_alarms": 1.0}, {"shares": (0.9, 0.2, 0.1)}):
        with pytest.raises(ValueError, match="false alarms"):
            WarningPolicy(**wrong)  # type: ignore[arg-type]


def test_books_that_say_nothing_raise_no_alarm() -> None:
    empty = Writer()
    assert warnings(empty.book(), LAST).is_empty()
    five = Writer()
    for number in range(5):
        five.pays(five.item(1, FIRST + timedelta(days=30 * number)), 0)
    assert warnings(five.book(), FIRST + timedelta(days=200)).is_empty()
    on_time = Writer()
    for account in range(30):
        for number in range(24):
            day = FIRST + timedelta(days=20 * number + account % 7)
            on_time.pays(on_time.item(account, day, mills=10 ** (account % 13)), 0, LAST)
    assert warnings(on_time.book(), LAST).is_empty()
    assert learn(on_time.book(), LAST).threshold >= LEAST


def test_dates_of_the_year_2206_do_no_harm(writer: Writer, learnt: Learnt) -> None:
    book = writer.book()
    far = book.items.head(1).with_columns(
        item_id=pl.lit(10**6, pl.Int64), document_date=pl.lit(date(2206, 3, 1)),
        due_date=pl.lit(date(2206, 3, 31)), known_date=pl.lit(date(2025, 6, 1)),
    )  # fmt: skip
    paid = book.ends.head(1).with_columns(
        item_id=pl.lit(10**6, pl.Int64),
        end_date=pl.lit(date(2025, 6, 5)),
        known_date=pl.lit(date(2025, 6, 6)),
    )
    odd = replace(book, items=pl.concat([book.items, far]), ends=pl.concat([book.ends, paid]))
    seen = observe(odd, LAST)
    assert seen.delay.min() >= -30 and seen.delay.max() <= LATEST
    assert np.isfinite(learn_types(seen).log_density).all()
    assert DRIFTING in warnings(odd, LAST, learnt=learnt)["account_id"].to_list()
