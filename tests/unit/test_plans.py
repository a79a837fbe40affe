"""What an account can pay, what becomes of a plan, and what a discount costs."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saldo.core.calendar import is_business_day
from saldo.core.offer_words import OfferFacts, offer_text
from saldo.core.plans import (
    COMING,
    CREDITED,
    DUE,
    MISSED,
    PAID,
    PAID_LATE,
    PlanRule,
    PlanRules,
    discount_of,
    discount_terms,
    judged,
    monthly_cash,
    sustainable,
    usual_day_of,
)

TODAY = date(2026, 2, 10)
RULES = PlanRules()
SCHEDULE = [(date(2026, 3, 2), 300_000), (date(2026, 4, 1), 300_000), (date(2026, 5, 4), 300_000)]


def test_an_installment_takes_no_more_than_its_share_of_the_median_month() -> None:
    found = sustainable(5_000_000, "EUR", [1_000_000, 9_000_000, 2_000_000], TODAY, RULES)
    assert (found.typical_mills, found.capacity_mills, found.fits) == (2_000_000, 600_000, True)
    # 5,000 / 600 = 8.33: nine installments, of whole tens and the rest.
    assert [mills for _, mills in found.installments] == [560_000] * 8 + [520_000]


def test_a_plan_that_cannot_be_kept_up_says_so() -> None:
    found = sustainable(50_000_000, "EUR", [1_000_000] * 12, TODAY, RULES)
    assert len(found.installments) == RULES.max_months and not found.fits
    assert "plan_beyond_capacity" in [reason["code"] for reason in found.reasons]


@pytest.mark.parametrize("monthly", [[], [5_000_000, 5_000_000], [0, 0, 0, 0]])
def test_without_history_nothing_is_concluded_from_it(monthly: list[int]) -> None:
    found = sustainable(600_000, "EUR", monthly, TODAY, RULES)
    assert found.capacity_mills is None and len(found.installments) == RULES.default_months
    assert found.reasons[0]["code"] == "plan_no_history"


@given(
    st.integers(1, 10**9), st.lists(st.integers(0, 10**8), max_size=12),
    st.one_of(st.none(), st.integers(1, 31)), st.one_of(st.none(), st.integers(1, 120)),
    st.integers(0, 10**9), st.integers(0, 800),
)  # fmt: skip
def test_every_proposal_adds_up_to_the_debt_on_days_in_order(
    cents: int, monthly: list[int], day: int | None, months: int | None, down_cents: int, later: int
) -> None:
    today = TODAY + timedelta(days=later)
    found = sustainable(cents * 10, "EUR", monthly, today, RULES, day, months, None, down_cents * 10)
    days = [due for due, _ in found.installments]
    assert sum(mills for _, mills in found.installments) == cents * 10
    assert all(mills > 0 and mills % 10 == 0 for _, mills in found.installments)
    assert days == sorted(set(days)) and days[0] >= today
    assert all(is_business_day(due) for due in days)


def test_the_usual_day_is_the_median_by_amount_and_months_without_cash_count() -> None:
    cash = [(date(2025, 9, 5), 100), (date(2025, 11, 20), 900), (date(2026, 2, 3), 5_000)]
    assert usual_day_of(cash[:2]) == 20 and usual_day_of([(date(2026, 1, 30), 1)]) == 31
    assert usual_day_of([]) is None
    # The month that runs is not a whole one.
    assert monthly_cash(cash, TODAY) == [100, 0, 900, 0, 0]


def states(cash: list[tuple[date, int]], as_of: date, until: date | None = None, **more: int) -> list[str]:
    left = 900_000 - sum(mills for _, mills in cash)
    found = judged(SCHEDULE, PlanRule(**more), cash, 0, left, as_of, until)
    return [each.state for each in found.installments]


def test_an_installment_is_missed_only_after_its_tolerance_and_within_the_statements() -> None:
    assert states([], date(2026, 3, 7)) == [DUE, COMING, COMING]
    assert states([], date(2026, 3, 8)) == [MISSED, COMING, COMING]
    assert states([], date(2026, 6, 1), until=date(2026, 3, 6)) == [DUE, DUE, DUE]


def test_cash_pays_the_installments_in_their_order_and_what_came_back_is_owed_again() -> None:
    paid = [(date(2026, 3, 2), 300_000), (date(2026, 4, 10), 300_000)]
    assert states(paid, date(2026, 4, 20)) == [PAID, PAID_LATE, COMING]
    back = [*paid, (date(2026, 4, 12), -400_000)]
    assert states(back, date(2026, 4, 20)) == [MISSED, MISSED, COMING]
    again = [*back, (date(2026, 4, 15), 100_000)]
    assert states(again, date(2026, 4, 20)) == [PAID_LATE, MISSED, COMING]


@pytest.mark.parametrize(
    "rule, falls", [(PlanRule(5, 2, 0), False), (PlanRule(5, 1, 0), True), (PlanRule(5, 0, 33), True),
                    (PlanRule(5, 0, 34), False)],
)  # fmt: skip
def test_a_plan_falls_by_its_own_rule_alone(rule: PlanRule, falls: bool) -> None:
    found = judged(SCHEDULE, rule, [], 0, 900_000, date(2026, 3, 10))
    assert (found.missed, found.falls) == (1, falls)


def test_a_milestone_that_is_not_met_counts_as_missed() -> None:
    rule = PlanRule(5, 2, 0)
    found = judged(SCHEDULE, rule, [], 0, 900_000, date(2026, 3, 10), None, [date(2026, 3, 4)])
    assert found.missed == 2 and found.falls
    assert not judged(SCHEDULE, rule, [], 0, 900_000, date(2026, 3, 9), None, [date(2026, 3, 4)]).falls


def test_what_is_credited_shortens_the_plan_from_its_end_and_nothing_left_never_falls() -> None:
    found = judged(SCHEDULE, PlanRule(5, 1, 0), [], 400_000, 500_000, TODAY)
    assert [each.mills for each in found.installments] == [300_000, 200_000, 0]
    assert found.installments[-1].state == CREDITED
    gone = judged(SCHEDULE, PlanRule(5, 1, 0), [], 900_000, 0, date(2026, 6, 1))
    assert gone.is_completed and not gone.falls and gone.late_mills == 0


def test_two_percent_for_twenty_days_costs_thirty_seven_a_year() -> None:
    # The textbook's "2/10, net 30": 2/98 × 365/20 = 37.24%.
    found = discount_terms([1_000_000], "EUR", 200, date(2026, 3, 11), date(2026, 3, 31), 800)
    assert (found.discount_mills, found.to_pay_mills, found.days) == (20_000, 980_000, 20)
    assert found.annual_bp == 3724 and not found.is_worth
    # At the break-even rate the discount costs as much as the money: 8% a year for 20 days is 0.44%.
    assert found.break_even_bp == 44
    even = discount_terms([1_000_000], "EUR", 44, date(2026, 3, 11), date(2026, 3, 31), 810)
    assert even.is_worth


def test_a_discount_has_the_decimals_of_its_currency() -> None:
    assert discount_of(999_990, 250, "EUR") == 25_000
    assert discount_of(1_001_000, 150, "JPY") == 15_000
    assert discount_of(10_005, 1_000, "KWD") == 1_001


@pytest.mark.parametrize(
    "language, said", [("it", "Il piano decade per intero con 2 rate"), ("en", "falls as a")]
)
def test_the_text_of_an_offer_says_all_of_it(language: str, said: str) -> None:
    facts = OfferFacts(
        "Aurora S.p.A.", "Bianchi S.r.l.", "EUR", [("F-1", 900_000, 0)], SCHEDULE,
        [(date(2026, 3, 1), "fideiussione")], PlanRule(),
    )  # fmt: skip
    text = offer_text(facts, language)
    assert said in text and "F-1" in text and "fideiussione" in text
    assert text.count("300") == 3
