"""Playbooks as a whole: circles, steps that never come, warnings."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from saldo.core.playbook import Playbook, Segment, Step, When
from saldo.core.playbook_checks import among, check
from saldo.core.playbook_text import parse, shipped

TITLE = {"it": "Prova", "en": "Trial"}


def step(code: str, level: int, day: int, **more: Any) -> Step:
    told: dict[str, Any] = {"track": "overdue", "channel": "email", "template": "reminder_1", "tone": "soft"}
    return Step(code=code, level=level, day=day, **told | more)


def soon(code: str, day: int, **more: Any) -> Step:
    return step(code, 0, day, track="soon", tone="courtesy", **more)


def playbook(*steps: Step, when: When = When(), code: str = "prova", order: int = 10) -> Playbook:
    return Playbook(code, order, TITLE, Segment(code, TITLE, when), steps)


def found(book: Playbook, **more: Any) -> list[tuple[str, str]]:
    return [(problem.step, problem.code) for problem in check(book, **more)]


A, B, C = step("a", 1, 5), step("b", 2, 15), step("c", 3, 30)


def test_a_sound_ladder_has_nothing_wrong() -> None:
    assert found(playbook(A, B, C)) == []
    assert found(playbook(A, replace(B, after="a"), replace(C, after="b", wait_days=10))) == []


def test_the_shipped_playbooks_have_nothing_wrong_and_leave_nobody_out() -> None:
    playbooks = [parse(text) for text in shipped().values()]
    assert [check(each) for each in playbooks] == [[], [], [], []]
    assert among(playbooks) == []


def test_a_circle_is_named_as_a_path() -> None:
    first, second = soon("a", -7, after="b"), soon("b", -3, after="a")
    problems = check(playbook(first, second, A))
    assert [(p.step, p.params["path"]) for p in problems if p.code == "playbook_after_cycle"] == [
        ("a", "a → b → a")
    ]
    alone = check(playbook(soon("s", -3, after="s")))
    assert [p.text("it") for p in alone if p.code == "playbook_after_cycle"] == [
        "fase «s»: Le fasi si aspettano a vicenda: s → s."
    ]
    assert ("", "playbook_nothing_reachable") in [(p.step, p.code) for p in alone]


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ((A, replace(B, after="z")), ("b", "playbook_after_unknown")),
        ((soon("s", -3), replace(A, after="s")), ("a", "playbook_after_track")),
        ((A, replace(B, after="b2"), step("b2", 2, 20)), ("b", "playbook_after_level")),
        ((A, B, replace(C, after="a")), ("c", "playbook_after_passed")),
        ((A, step("t", 1, 9, channel="call"), replace(B, after="t")), ("b", "playbook_after_not_written")),
        ((A, replace(B, until_day=18, wait_days=20)), ("b", "playbook_never_in_time")),
        ((A, step("a2", 1, 9)), ("a2", "playbook_shadowed")),
        ((A, step("a2", 1, 9, when=When(classes=("A",)))), ("a2", "playbook_shadowed")),
    ],
)
def test_what_refuses_the_save(steps: tuple[Step, ...], expected: tuple[str, str]) -> None:
    assert expected in [(p.step, p.code) for p in check(playbook(*steps)) if not p.is_warning]


def test_what_comes_after_a_step_that_never_comes_never_comes() -> None:
    late = replace(B, day=15, until_day=16, wait_days=20)
    assert found(playbook(A, late, C))[:2] == [
        ("b", "playbook_never_in_time"),
        ("c", "playbook_never_after"),
    ]


def test_alternatives_of_one_level_are_not_shadowed() -> None:
    for one, other in (
        (When(classes=("A",)), When()),
        (When(max_open_mills=100), When(min_open_mills=101)),
        (When(promise="broken"), When(promise="any")),
    ):
        assert found(playbook(replace(A, when=one), step("a2", 1, 5, when=other))) == []
    # The first asks for more: a smaller amount falls to the second.
    assert found(playbook(replace(A, min_amount_mills=500_000), step("a2", 1, 5))) == []
    assert found(playbook(replace(A, day=10), step("a2", 1, 5))) == []


def test_an_earlier_step_shadows_within_what_the_segment_lets_through() -> None:
    large = When(min_open_mills=1_000)
    first = replace(A, when=When(min_open_mills=500))
    assert ("a2", "playbook_shadowed") in found(playbook(first, step("a2", 1, 5), when=large))
    assert found(playbook(first, step("a2", 1, 5))) == []


@pytest.mark.parametrize(
    ("segment", "own", "key"),
    [
        (When(classes=("A", "B")), When(classes=("D",)), "classes"),
        (When(countries=("IT",)), When(countries=("DE",)), "countries"),
        (When(min_open_mills=10_000), When(max_open_mills=9_999), "open"),
        (When(max_known_days=180), When(min_known_days=181), "known_days"),
        (When(max_late_days=5), When(min_late_days=6), "late_days"),
        (When(promise="none"), When(promise="any"), "promise"),
        (When(dispute="any"), When(dispute="none"), "dispute"),
    ],
)
def test_a_step_that_its_segment_rules_out(segment: When, own: When, key: str) -> None:
    problems = check(playbook(A, replace(B, when=own), when=segment))
    assert [(p.step, p.code, p.params["key"]) for p in problems] == [
        ("b", "playbook_contradicts_segment", key)
    ]
    assert found(playbook(A, replace(B, when=own))) == []


def test_a_level_for_some_accounts_is_passed_by_the_others() -> None:
    # Day 31 is the earliest after b, but those without a dispute come from a.
    some = replace(B, day=30, when=When(dispute="none"))
    last = replace(C, day=16, until_day=20, wait_days=10)
    assert found(playbook(A, some, last)) == [("c", "playbook_until_strands"), ("c", "playbook_day_order")]


def test_warnings() -> None:
    notice = {"purpose": "formal_notice", "tone": "formal", "owner": "credit_manager"}
    by_pec = replace(B, channel="pec", **notice)
    cases = [
        ((replace(A, tone="firm"), B), [("a", "playbook_hard_first"), ("b", "playbook_tone_down")]),
        ((A, replace(B, tone="courtesy")), [("b", "playbook_tone_down")]),
        ((A, replace(B, day=3)), [("b", "playbook_day_order")]),
        ((replace(soon("s", -3), tone="firm"),), [("s", "playbook_tone_soon")]),
        ((A, replace(B, **notice)), [("b", "playbook_notice_channel")]),
        ((A, replace(by_pec, fallback=("email",))), [("b", "playbook_notice_fallback")]),
        ((A, replace(by_pec, mode="automatic")), [("b", "playbook_notice_automatic")]),
        ((A, replace(by_pec, fallback=("letter",))), []),
    ]
    for steps, expected in cases:
        assert found(playbook(*steps)) == expected
        assert all(problem.is_warning for problem in check(playbook(*steps)))


def test_templates_must_be_there_for_the_step_and_had_better_be_for_its_fallbacks() -> None:
    templates = {("reminder_1", "email"), ("reminder_2", "email")}
    book = playbook(replace(A, fallback=("pec",)), replace(B, template="remindr_2"), replace(C, template="x"))
    problems = check(book, templates)
    assert [(p.step, p.code, p.is_warning) for p in problems] == [
        ("b", "playbook_template_misspelt", False),
        ("c", "playbook_template_unknown", False),
        ("a", "playbook_template_fallback", True),
    ]
    assert problems[0].params["near"] == "reminder_2"


def test_playbooks_that_get_in_each_others_way() -> None:
    everyone = playbook(A, code="tutti", order=5)
    risky = playbook(A, code="rischio", order=10, when=When(classes=("D", "E")))
    worst = playbook(A, code="pessimi", order=10, when=When(classes=("E",)))
    assert [p.code for p in among([risky, everyone])] == ["playbook_never_chosen"]
    assert [p.code for p in among([worst, risky])] == ["playbook_order_twice", "playbook_nobody_catches"]
    twice = replace(worst, order=20, segment=replace(worst.segment, code="rischio"))
    assert [p.code for p in among([risky, twice])] == [
        "playbook_segment_twice",
        "playbook_never_chosen",
        "playbook_nobody_catches",
    ]
