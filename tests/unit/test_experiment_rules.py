"""The arithmetic of experiments: the lot, how many customers it takes, what may be said on any day."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta

import polars as pl
import pytest

from benchmarks.experiments import found_share, stopped_share
from saldo.analytics.experiments import HARM, LEAST_SEEN, OUTCOMES, Reading, habit, reading
from saldo.core.errors import SaldoError
from saldo.core.experiments import (
    BETTER,
    LEAST_FINISHED,
    NO_DIFFERENCE,
    OPEN,
    TOO_EARLY,
    WORSE,
    Design,
    Sums,
    arm_of,
    difference,
    effect_found,
    harm_evidence,
    harm_limit,
    mixture_variance,
    needed_per_arm,
)
from saldo.core.playbook import CONTROL

DAY = date(2026, 3, 10)
ARMS = (CONTROL, "b")
DESIGN = Design(effect=0.2)


def test_the_lot_is_even_and_always_the_same() -> None:
    arms = ("control", "b", "c")
    drawn = [arm_of("salt", customer, arms) for customer in range(30_000)]
    assert drawn == [arm_of("salt", customer, arms) for customer in range(30_000)]
    for count in Counter(drawn).values():
        # Five standard deviations of a fair lot of three.
        assert abs(count - 10_000) < 5 * (30_000 * 2 / 9) ** 0.5
    other = [arm_of("other", customer, arms) for customer in range(30_000)]
    together = Counter(zip(drawn, other, strict=True))
    assert all(abs(count - 30_000 / 9) < 300 for count in together.values())


def test_how_many_customers_it_takes() -> None:
    assert needed_per_arm(Design(), 1, 0.16) == 481
    assert needed_per_arm(Design(), 1, 0.25) == 752
    assert needed_per_arm(Design(), 2, 0.25) == 850, "two arms share the error"
    assert needed_per_arm(Design(effect=0.5), 1, 0.02) == LEAST_FINISHED
    # The number needed shows the difference that it is computed for, and one fewer does not.
    per_arm = needed_per_arm(Design(), 1, 0.2)
    assert effect_found(Design(), 1, 0.2, per_arm) <= 0.1 < effect_found(Design(), 1, 0.2, per_arm - 1)
    assert effect_found(Design(), 1, 0.16, 150) == pytest.approx(0.179, abs=0.001)


def test_numbers_that_make_no_sense_are_refused() -> None:
    wrong = [
        Design(effect=0.0), Design(effect=float("nan")), Design(alpha=0.5), Design(power=1.0),
        Design(horizon_days=0), Design(enroll_days=1000), Design(horizon_days=-3),
    ]  # fmt: skip
    for design in wrong:
        with pytest.raises(SaldoError) as refused:
            design.checked()
        assert refused.value.code == "experiment_numbers"
    assert Design().checked() == Design()


def test_the_interval_holds_however_often_one_looks() -> None:
    # 5% is allowed; read once a day with the usual interval about 30% would find what is not there.
    assert found_share((0.5, 0.5), 1000, experiments=150, every=20) <= 0.06
    assert found_share((0.05, 0.05), 1000, experiments=150, every=20) <= 0.06
    planned = needed_per_arm(Design(), 1, 0.25)
    assert found_share((0.45, 0.55), planned, experiments=150, every=20) >= 0.75


def test_the_interval_by_hand() -> None:
    mixture = mixture_variance(DESIGN, 1)
    arm, control = Sums(200, 140, 140), Sums(200, 100, 100)
    gap = difference(arm, control, mixture, 0.05)
    assert gap is not None and gap.effect == pytest.approx(0.2)
    assert gap.low == pytest.approx(0.2 - (gap.high - 0.2)) and 0 < gap.low < 0.1
    assert (gap.p <= 0.05) == (gap.low > 0)
    # An arm like another says nothing, and neither does one that nobody is through with.
    same = difference(control, control, mixture, 0.05)
    assert same is not None and same.p == 1.0 and same.low < 0 < same.high
    assert difference(Sums(49, 49, 49), control, mixture, 0.05) is None
    alike = difference(Sums(50, 0, 0), Sums(50, 0, 0), mixture, 0.05)
    assert alike is not None and alike.high > 0.05, "fifty alike are not certain"


def test_harm_is_counted_exactly() -> None:
    assert harm_evidence(0, 0) == 1.0
    # Two customers, both in the arm: the integral of 2p² over (1/2, 1), against 1/4.
    assert harm_evidence(2, 0) == pytest.approx(2 * (1 - 1 / 8) / 3 / 0.25)
    assert harm_evidence(1, 0) == pytest.approx(2 * (1 - 1 / 4) / 2 / 0.5)
    assert harm_evidence(0, 20) < 1 and harm_evidence(500, 500) < harm_limit(1)
    assert harm_evidence(6, 0) < harm_limit(1) <= harm_evidence(7, 0)
    assert harm_evidence(13, 3) < harm_limit(1) <= harm_evidence(16, 3)
    # Averaged over what comes next if the arm does no harm, evidence stays as it is: that is the guarantee.
    for x, y in ((0, 0), (3, 1), (10, 12)):
        assert (harm_evidence(x + 1, y) + harm_evidence(x, y + 1)) / 2 == pytest.approx(harm_evidence(x, y))
    assert stopped_share(60, 500) <= 0.10 / 3 + 0.02


def outcomes(rows: list[tuple[str, date, bool, float | None]]) -> pl.DataFrame:
    told = [
        {
            "customer_id": n, "account_id": n, "arm": arm, "entered_date": day,
            "end_date": day + timedelta(days=14), "is_finished": is_finished, "share": share,
            "asked_mills": 100_000, "paid_mills": round(100_000 * (share or 0)), "has_unknown": False,
        }
        for n, (arm, day, is_finished, share) in enumerate(rows)
    ]  # fmt: skip
    return pl.DataFrame(told, schema=OUTCOMES)


def spread(arm: str, count: int, paid: int, days: int = 10) -> list[tuple[str, date, bool, float | None]]:
    """So many customers over some days; every so often one has paid."""
    return [
        (
            arm,
            DAY + timedelta(days=n % days),
            True,
            1.0 if n * paid // count != (n + 1) * paid // count else 0.0,
        )
        for n in range(count)
    ]


def read(rows: list[tuple[str, date, bool, float | None]], is_over: bool = False, **harms: object) -> Reading:
    hurt = pl.DataFrame(harms.get("hurt", []), schema=HARM, orient="row")
    return reading(ARMS, DESIGN, outcomes(rows), hurt, is_over)


def test_a_reading_says_what_it_can_say() -> None:
    early = read(spread(CONTROL, 40, 10) + spread("b", 300, 200))
    assert early.arms[1].verdict == TOO_EARLY and early.looks == ()
    good = read(spread(CONTROL, 300, 90) + spread("b", 300, 180))
    assert good.arms[1].verdict == BETTER and good.arms[1].mean == pytest.approx(0.6)
    assert read(spread(CONTROL, 300, 180) + spread("b", 300, 90)).arms[1].verdict == WORSE
    same = spread(CONTROL, 300, 150) + spread("b", 300, 155)
    assert read(same).arms[1].verdict == OPEN and read(same, is_over=True).arms[1].verdict == NO_DIFFERENCE
    assert good.arms[0].verdict == "" and good.arms[0].difference is None


def test_looks_are_those_of_each_day_and_only_of_who_is_through() -> None:
    rows = spread(CONTROL, 300, 90) + spread("b", 300, 180)
    waiting = [("b", DAY + timedelta(days=30), False, 0.5)] * 200
    gone = [(CONTROL, DAY, True, None)] * 7
    told = read(rows + waiting + gone)
    assert [look.finished for look in told.looks] == [30 * n for n in range(2, 11)]
    assert told.looks[-1].day == DAY + timedelta(days=23)
    assert (told.arms[1].entered, told.arms[1].finished, told.dropped) == (500, 300, 7)
    assert told.arms[1].p == min(look.difference.p for look in told.looks)


def test_what_goes_wrong_counts_within_a_customers_days_and_once() -> None:
    rows = spread(CONTROL, 60, 10, 1) + spread("b", 60, 10, 1)
    hurt = [(60 + n, "dispute", DAY + timedelta(days=3)) for n in range(7)]
    late = [(67, "dispute", DAY + timedelta(days=15)), (68, "dispute", DAY - timedelta(days=1))]
    again = [(60, "dispute", DAY + timedelta(days=5)), (0, "complaint", DAY + timedelta(days=1))]
    told = read(rows, hurt=hurt + late + again)
    assert told.arms[1].harms == {"dispute": 7, "complaint": 0, "opt_out": 0}
    assert told.arms[0].harms["complaint"] == 1
    assert told.harmful == {"b": ["dispute"]}
    assert read(rows, hurt=hurt[:6]).harmful == {}
    # As many in the other arm, later, take nothing back: what was sure on a day is sure.
    both = hurt + [(n, "dispute", DAY + timedelta(days=9)) for n in range(7)]
    assert read(rows, hurt=both).harmful == {"b": ["dispute"]}


def test_the_past_tells_how_many_come_and_what_they_pay() -> None:
    rows = []
    for customer in range(40):
        due = DAY - timedelta(days=60)
        # All are late; a quarter pays within two weeks of the step's day (5), the rest much later.
        paid = due + timedelta(days=10 if customer % 4 == 0 else 40)
        rows.append((customer, due - timedelta(days=30), due, 100_000, paid))
        rows.append((customer, due - timedelta(days=30), DAY - timedelta(days=8), 100_000, None))
    # Who paid before the step's day was never asked.
    rows += [(900, DAY - timedelta(days=90), DAY - timedelta(days=60), 1, DAY - timedelta(days=58))]
    names = ["customer_id", "document_date", "due_date", "amount_mills", "paid_date"]
    history = pl.DataFrame(rows, schema=names, orient="row")
    told = habit(history, 5, Design(enroll_days=30), DAY, DAY)
    assert (told.customers, told.seen) == (40, 40)
    assert told.mean == pytest.approx(0.25) and told.variance == pytest.approx(0.25 * 0.75 * 40 / 39)
    few = habit(history.filter(pl.col("customer_id") < LEAST_SEEN - 1), 5, Design(), DAY, DAY)
    assert few.mean is None and few.variance is None
    # Payments are known only up to some days ago: who was asked since is not through yet.
    assert habit(history, 5, Design(), DAY, DAY - timedelta(days=50)).seen == 0
