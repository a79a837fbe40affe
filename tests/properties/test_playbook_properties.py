"""Playbooks: text and data are the same thing, and no text makes the reader fall over."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from saldo.core.playbook import (
    ATTACHMENTS,
    CHANNELS,
    MODES,
    OVERDUE,
    OWNERS,
    SOON,
    TONES,
    WRITTEN,
    Playbook,
    Segment,
    Step,
    When,
)
from saldo.core.playbook_checks import among, check
from saldo.core.playbook_text import CLASSES, parse, read, render, shipped
from saldo.core.playbook_when import conflict, implies

TEXTS = st.text(
    st.characters(exclude_categories=("Cc", "Cf", "Cs", "Zl", "Zp", "Cn", "Co")), min_size=1, max_size=60
)
TITLES = st.fixed_dictionaries({"it": TEXTS, "en": TEXTS}).filter(
    lambda d: all(v.strip() for v in d.values())
)
CODES = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,20}", fullmatch=True)
AMOUNTS = st.none() | st.integers(0, 10**9)
STATES = st.sampled_from(("", "any", "none"))


def some_of(values: tuple[str, ...]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(values), unique=True, max_size=3).map(tuple)


@st.composite
def ranges(draw: st.DrawFn, low: int, high: int) -> tuple[int | None, int | None]:
    one, other = draw(st.integers(low, high)), draw(st.integers(low, high))
    least, most = min(one, other), max(one, other)
    return draw(st.sampled_from([(None, None), (least, None), (None, most), (least, most)]))


@st.composite
def conditions(draw: st.DrawFn) -> When:
    opened, known, late = draw(ranges(0, 10**9)), draw(ranges(0, 5000)), draw(ranges(-50, 90))
    return When(
        draw(some_of(CLASSES)), draw(some_of(("IT", "DE", "FR"))), draw(some_of(("vip", "estero"))),
        *opened, *known, *late,
        draw(st.sampled_from(("", "any", "none", "broken"))), draw(STATES), draw(STATES),
        draw(some_of(("cash", "forgotten", "bank"))),
    )  # fmt: skip


@st.composite
def steps(draw: st.DrawFn, code: str, track: str, level: int) -> Step:
    channel = draw(st.sampled_from(CHANNELS))
    is_written = channel in WRITTEN
    day = draw(st.integers(-60, 0) if track == SOON else st.integers(1, 200))
    others = tuple(c for c in WRITTEN if c != channel)
    return Step(
        code=code,
        track=track,
        level=level,
        day=day,
        channel=channel,
        template=draw(CODES) if is_written else "",
        tone=draw(st.sampled_from(TONES)),
        until_day=draw(st.none() | st.integers(day, day + 60)),
        wait_days=draw(st.integers(0, 60)),
        after=draw(st.just("") | CODES),
        fallback=draw(some_of(others)) if is_written else (),
        purpose=draw(st.sampled_from(("reminder", "documents"))),
        mode=draw(st.sampled_from(MODES)),
        owner=draw(st.sampled_from(OWNERS)),
        min_amount_mills=draw(st.integers(0, 10**12)),
        min_share=draw(st.floats(0, 1, allow_subnormal=False)),
        repeat_days=draw(st.integers(0, 90)) if is_written else 0,
        attach=draw(some_of(ATTACHMENTS)) if is_written else (),
        when=draw(conditions()),
    )


@st.composite
def playbooks(draw: st.DrawFn) -> Playbook:
    codes = draw(st.lists(CODES, unique=True, min_size=1, max_size=6))
    soon = draw(st.integers(0, len(codes)))
    made = [
        draw(steps(code, SOON if n < soon else OVERDUE, 0 if n < soon else n - soon + 1))
        for n, code in enumerate(codes)
    ]
    segment = Segment(draw(CODES), draw(TITLES), draw(conditions()))
    note = draw(st.just({}) | TITLES)
    return Playbook(draw(CODES), draw(st.integers(0, 1000)), draw(TITLES), segment, tuple(made), note)


@given(playbooks())
def test_what_is_rendered_reads_back_the_same(playbook: Playbook) -> None:
    assert parse(render(playbook)) == playbook


@given(playbooks())
def test_checks_never_fall_over_and_say_it_in_words(playbook: Playbook) -> None:
    for problem in [*check(playbook, {("courtesy", "email")}), *among([playbook, playbook])]:
        assert problem.text("it") and problem.text("en")
        assert problem.remedy("it") and problem.remedy("en")


@given(st.binary(max_size=300) | st.text(max_size=300))
def test_no_text_makes_the_reader_fall_over(text: str | bytes) -> None:
    playbook, problems = read(text)
    assert (playbook is None) == bool(problems)


@given(st.data())
def test_a_shipped_playbook_that_is_spoilt_anywhere_is_refused_in_words_or_read(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(list(shipped().values())))
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start, min(start + 40, len(text))))
    spoilt = (
        text[:start] + data.draw(st.sampled_from(["", "-", '"', "0", "x", "[", "\n", "1e9"])) + text[end:]
    )
    playbook, problems = read(spoilt)
    if playbook is None:
        assert all(problem.text(language) for problem in problems for language in ("it", "en"))
    else:
        check(playbook)


@given(conditions(), conditions())
def test_conditions_that_imply_each_other_or_conflict(one: When, other: When) -> None:
    assert implies(one, When()) and implies(one, one)
    assert conflict(one, other) == conflict(other, one)
    assert conflict(one, one) == ""
    if implies(one, other):
        assert conflict(one, other) == ""
