"""What people's work makes of the ranking: factors as in the plain formulas, actions ruled out, skips."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saldo.analytics.ranking import Desk, rank
from saldo.analytics.ranking_effects import (
    ANSWERED,
    CONTACTED,
    DELAYS,
    REACHABLE,
    SIGNS,
    SKIPS,
    TRIES,
    DeskFacts,
    effects,
)
from saldo.core.desk_prior import default_desk_prior, parse_desk_prior
from saldo.core.priority import learned_minutes, reach_factor, repeat_factor
from saldo.core.reasons import render

AS_OF = date(2026, 3, 31)
DESK = default_desk_prior()


def ago(days: int) -> date:
    return AS_OF - timedelta(days=days)


def frame(schema: dict[str, Any], *rows: tuple[Any, ...]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=schema, orient="row")


def contacts(*days: int, channel: str = "email") -> pl.DataFrame:
    return frame(CONTACTED, *((1, channel, ago(day)) for day in days))


def told(facts: DeskFacts, oldest: int = 60) -> dict[str, Any]:
    accounts = pl.DataFrame({"account_id": [1], "oldest_due": [ago(oldest)]})
    return effects(accounts, facts, AS_OF).to_dicts()[0]


def ranked(facts: DeskFacts, minutes: float | None = None) -> dict[str, Any]:
    items = pl.DataFrame(
        [{"account_id": 1, "due_date": ago(60), "balance_mills": 9_000_000, "currency": "EUR", "p30": 0.4,
          "p_over_90": 0.5, "rung": "account", "mean_delay_days": 22.0, "n_history": 12}]
    )  # fmt: skip
    return rank(items, AS_OF, desk=Desk(facts, None, minutes)).to_dicts()[0]


def why_not(row: dict[str, Any]) -> dict[str, str]:
    return {one["action"]: one["code"] for one in row["alternatives"]}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 60), max_size=6), st.integers(0, 12), st.integers(0, 12))
def test_factors_are_those_of_the_plain_formulas(days: list[int], tries: int, spoken: int) -> None:
    spoken = min(tries, spoken)
    facts = DeskFacts(contacts=contacts(*days), tries=frame(TRIES, (1, tries, spoken)))
    recent = sum(day <= DESK.window_days for day in days)
    found = told(facts)
    assert found["factor_email"] == pytest.approx(repeat_factor(recent, DESK, recent))
    expected = repeat_factor(recent, DESK) * reach_factor(tries, spoken, DESK)
    assert found["factor_call"] == pytest.approx(min(expected, 2.0))


def test_an_answer_ends_the_silence() -> None:
    facts = DeskFacts(contacts=contacts(20, 10), answered=frame(ANSWERED, (1, ago(15))))
    assert (told(facts)["contacts"], told(facts)["unanswered"]) == (2, 1)


def test_who_forgot_needs_a_message_and_who_objects_hardly_any() -> None:
    forgot = told(DeskFacts(delays=frame(DELAYS, (1, "forgotten", ago(5)))))
    objects = told(DeskFacts(delays=frame(DELAYS, (1, "dispute", ago(5)))))
    long_ago = told(DeskFacts(delays=frame(DELAYS, (1, "dispute", ago(DESK.reason_days + 1)))))
    assert forgot["factor_email"] > 1 > objects["factor_email"]
    assert long_ago["factor_email"] == 1


def test_silence_to_messages_wears_messages_out_more_than_calls() -> None:
    silent = told(DeskFacts(contacts=contacts(13, 8)))
    assert silent["factor_email"] < 0.5 * silent["factor_call"] < 0.5
    heard = told(DeskFacts(contacts=contacts(13, 8), answered=frame(ANSWERED, (1, ago(7)))))
    assert heard["factor_email"] == heard["factor_call"]


def test_no_channel_is_suggested_that_has_no_address() -> None:
    only_mail = frame(REACHABLE, (1, "email", True), (1, "call", False))
    row = ranked(DeskFacts(reachable=only_mail))
    assert row["action"] == "email" and why_not(row)["call"] == "no_phone"
    nothing = frame(REACHABLE, (1, "email", False))
    assert ranked(DeskFacts(reachable=nothing))["action"] == "find_contact"
    # Of whom no address is known at all, a collector may know one.
    assert ranked(DeskFacts())["action"] in ("email", "call")


def test_a_plan_is_offered_where_cash_is_short_and_not_again_at_once() -> None:
    short = {"short_of_cash": frame(SIGNS, (1, "returned"))}
    assert "plan" not in why_not(ranked(DeskFacts(**short)))
    asked = contacts(8)
    row = ranked(DeskFacts(contacts=asked, **short))
    assert row["action"] == "plan"
    assert "insoluto" in " ".join(render(r["code"], r["params"]) for r in row["reasons"])
    again = ranked(DeskFacts(contacts=asked, offers=frame(ANSWERED, (1, ago(10))), **short))
    assert again["action"] != "plan" and why_not(again)["plan"] == "offered"


def test_when_minutes_are_short_a_message_takes_the_place_of_a_call() -> None:
    assert ranked(DeskFacts())["action"] == "call"
    row = ranked(DeskFacts(), minutes=2.0)
    assert row["action"] == "email" and why_not(row)["call"] == "minutes_elsewhere"


def test_a_skip_waits_unless_more_is_overdue_by_then() -> None:
    def skip(overdue: int, until: date | None = None) -> DeskFacts:
        return DeskFacts(
            skips=frame(SKIPS, (1, ago(3), "will_pay", "call", "EUR", overdue * 1000, False, until))
        )

    assert ranked(skip(9_000))["block"] == "wait"
    assert ranked(skip(7_000))["block"] == "value"
    assert ranked(skip(9_000, AS_OF))["block"] == "value"
    assert ranked(skip(9_000, AS_OF + timedelta(days=40)))["block"] == "wait"


def test_timed_contacts_draw_the_minutes() -> None:
    assert learned_minutes(8.0, 0, 0.0, 20.0) == 8.0
    assert learned_minutes(8.0, 20, 80.0, 20.0) == 6.0
    assert ranked(DeskFacts(timed={"call": (20, 80.0)}))["minutes"] == 6.0


@pytest.mark.parametrize(
    ("old", "new"),
    [("[skips.other]", "[skips.others]"), ("kept_share = 0.8", "kept_share = 1.8"), ("cash = {", "rain = {")],
)
def test_wrong_desk_priors_are_refused(old: str, new: str) -> None:
    from importlib.resources import files

    text = files("saldo.core").joinpath("priors_desk.toml").read_text(encoding="utf-8")
    assert parse_desk_prior(text) == DESK
    with pytest.raises(ValueError, match="desk priors:"):
        parse_desk_prior(text.replace(old, new, 1))
