"""What a call's script asks, proposes and warns of."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from saldo.core import call_words
from saldo.core.call_script import CallFacts, Line, OpenItem, Promised, Said, Script, build
from saldo.core.outcomes import DELAY_REASONS, RESULTS
from saldo.core.reasons import render

TODAY = date(2026, 11, 25)


def item(number: str, mills: int, days: int, asked: int | None = None) -> OpenItem:
    return OpenItem(
        number, TODAY - timedelta(days=days), max(0, days), mills, mills if asked is None else asked
    )


FACTS = CallFacts(TODAY, "EUR", items=[item("F-1", 1_000_000, 40), item("F-2", 3_000_000, 10)])


def codes(lines: tuple[Line, ...]) -> list[str]:
    return [line.code for line in lines]


def every(script: Script) -> list[Line]:
    return [*script.mind, *script.last, *script.ask, *script.propose]


def test_it_asks_for_what_is_overdue_and_proposes_a_working_day() -> None:
    script = build(FACTS)
    assert codes(script.ask) == ["call_ask_overdue", "call_ask_items"]
    assert script.ask[0].params == {"mills": 4_000_000, "currency": "EUR", "count": 2, "days": 40}
    assert [one["number"] for one in script.ask[1].params["items"]] == ["F-2", "F-1"]
    # Seven days on is a Wednesday; the one before Christmas would be a holiday.
    assert script.propose[-1].params["day"] == "2026-12-02"
    christmas = build(replace(FACTS, as_of=date(2026, 12, 18)))
    assert christmas.propose[-1].params["day"] == "2026-12-28"


def test_what_is_kept_back_is_told_and_not_asked() -> None:
    facts = replace(
        FACTS, items=[item("F-1", 1_000_000, 40, asked=0), item("F-2", 3_000_000, 10, asked=2_500_000)],
        left_out={("promised",): 1_000_000, ("disputed",): 500_000},
    )  # fmt: skip
    script = build(facts)
    assert script.ask[0].params["mills"] == 2_500_000
    assert [line.params["why"] for line in script.ask if line.code == "call_ask_not"] == [
        ["disputed"],
        ["promised"],
    ]
    nothing = replace(facts, items=[item("F-1", 1_000_000, 40, asked=0)], left_out={("held",): 1_000_000})
    assert codes(build(nothing).ask) == ["call_ask_nothing", "call_ask_not"]
    assert build(nothing).propose == ()


def test_nothing_overdue_is_a_courtesy_and_nothing_open_is_nothing() -> None:
    soon = replace(FACTS, items=[item("F-3", 900_000, -5)])
    assert codes(build(soon).ask) == ["call_ask_courtesy"] and build(soon).propose == ()
    assert codes(build(replace(FACTS, items=[])).ask) == ["call_ask_settled"]


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("missing_document", "call_propose_copies"), ("approval", "call_propose_approver"),
        ("forgotten", "call_propose_today"), ("bank", "call_propose_details"),
        ("cash", "call_propose_plan_open"),
        ("other", "call_propose_day"), ("", "call_propose_day"),
    ],
)  # fmt: skip
def test_the_reason_of_the_delay_says_what_to_propose(reason: str, code: str) -> None:
    assert codes(build(replace(FACTS, delay_reason=reason)).propose)[0] == code


def test_after_broken_promises_a_day_is_not_enough() -> None:
    broken = Promised(TODAY - timedelta(days=9), 1_000_000, 600_000, "broken", 1)
    assert codes(build(replace(FACTS, promises=[broken])).propose)[0] == "call_propose_today"
    again = replace(broken, level=2, state="partially_kept")
    plan = [(TODAY + timedelta(days=30 * month), 2_000_000) for month in (1, 2)]
    script = build(replace(FACTS, promises=[again], plan=plan))
    assert script.propose[0].code == "call_propose_plan" and script.propose[0].params["months"] == 2
    assert "call_last_promise_partially_kept" in codes(script.last)


def test_the_hour_is_told_from_enough_tries_only() -> None:
    few = replace(FACTS, answered={"morning": (2, 2), "afternoon": (0, 5)})
    assert "call_mind_answers" not in codes(build(few).mind)
    clear = replace(FACTS, answered={"morning": (4, 5), "afternoon": (1, 5)})
    told = next(line for line in build(clear).mind if line.code == "call_mind_answers")
    assert told.params == {"part": "morning", "answered": 4, "tried": 5}
    alike = replace(FACTS, answered={"morning": (3, 5), "afternoon": (3, 6)})
    assert "call_mind_answers" not in codes(build(alike).mind)


def test_every_line_has_its_words_in_both_languages() -> None:
    facts = replace(
        FACTS, left_out={("cash_first", "promised"): 1000}, has_claim=True, credits_mills=5000,
        promises=[Promised(TODAY, 1000, 1000, "open", 1)], said=Said(TODAY, "luca", "promise", "ok"),
        delay_reason="cash", wishes=["statement"], call_code="call_hours", call_hours="09:00-12:00",
    )  # fmt: skip
    for line in every(build(facts)):
        for language in ("it", "en"):
            assert len(render(line.code, line.params, language)) > 5, line
    assert call_words.IT.keys() == call_words.EN.keys()
    for language in ("it", "en"):
        assert set(RESULTS) == set(call_words.RESULTS[language])
        assert set(DELAY_REASONS) == set(call_words.DELAY_REASONS[language])
