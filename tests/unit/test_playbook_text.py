"""Playbooks as TOML: what is read, and that every mistake is named with its step."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from saldo.core.errors import SaldoError
from saldo.core.playbook import When
from saldo.core.playbook_text import LARGEST_BYTES, parse, read, render, shipped

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "playbooks"

HEAD = """
code = "prova"
order = 10
[title]
it = "Prova"
en = "Trial"
[segment]
code = "prova"
[segment.title]
it = "Prova"
en = "Trial"
"""
STEP = """
[[step]]
code = "sollecito-1"
track = "overdue"
level = 1
day = 5
channel = "email"
template = "reminder_1"
tone = "soft"
"""


def codes(text: str | bytes) -> list[tuple[str, str]]:
    playbook, problems = read(text)
    assert (playbook is None) == bool(problems)
    return [(problem.step, problem.code) for problem in problems]


def changed(old: str, new: str) -> str:
    assert old in STEP
    return HEAD + STEP.replace(old, new)


def test_what_is_left_out_has_its_default() -> None:
    (step,) = parse(HEAD + STEP).steps
    assert (step.mode, step.owner, step.purpose) == ("approve", "collector", "reminder")
    assert (step.until_day, step.wait_days, step.fallback, step.min_amount_mills) == (None, 0, (), 0)


def test_amounts_are_exact_however_they_are_written() -> None:
    for written, mills in (('"250.00"', 250_000), ("250", 250_000), ("0.1", 100), ('"0.125"', 125)):
        (step,) = parse(HEAD + STEP + f"min_amount = {written}\n").steps
        assert step.min_amount_mills == mills


def test_conditions_of_a_segment_and_of_a_step() -> None:
    when = '[segment.when]\nclasses = ["A", "B"]\nmin_open = "1000"\nmax_late_days = -2\npromise = "none"\n'
    playbook = parse(HEAD + when + STEP + '[step.when]\ncountries = ["IT"]\n')
    expected = When(classes=("A", "B"), min_open_mills=1_000_000, max_late_days=-2, promise="none")
    assert playbook.segment.when == expected
    assert playbook.steps[0].when == When(countries=("IT",))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (changed("day = 5", "day = 5.5"), ("sollecito-1", "playbook_not_whole")),
        (changed("day = 5", 'day = "5"'), ("sollecito-1", "playbook_not_whole")),
        (changed("day = 5", "day = true"), ("sollecito-1", "playbook_not_whole")),
        (changed("day = 5", "day = 0"), ("sollecito-1", "playbook_day_overdue")),
        (changed("day = 5", "day = 5\nuntil_day = 4"), ("sollecito-1", "playbook_until_before_day")),
        (changed("day = 5", "day = 99999"), ("sollecito-1", "playbook_number_range")),
        (changed("level = 1", "level = 0"), ("sollecito-1", "playbook_level_track")),
        (changed('"overdue"', '"soon"').replace("= 5", "= -5"), ("sollecito-1", "playbook_level_track")),
        (changed('"email"', '"emial"'), ("sollecito-1", "playbook_value_misspelt")),
        (changed('"email"', '"fax"'), ("sollecito-1", "playbook_value_unknown")),
        (changed('"soft"', '"rude"'), ("sollecito-1", "playbook_value_unknown")),
        (changed('"sollecito-1"', '"Sollecito 1"'), ("Sollecito 1", "playbook_code_form")),
        (changed('code = "sollecito-1"\n', ""), ("n. 1", "playbook_key_missing")),
        (changed('template = "reminder_1"\n', ""), ("sollecito-1", "playbook_key_missing")),
        (changed("track =", "trak ="), ("sollecito-1", "playbook_key_misspelt")),
        (HEAD + STEP + "note = 3\n", ("sollecito-1", "playbook_key_unknown")),
        (HEAD + STEP + "wait_days = -1\n", ("sollecito-1", "playbook_wait_negative")),
        (HEAD + STEP + "min_share = 1.01\n", ("sollecito-1", "playbook_share_range")),
        (HEAD + STEP + "min_amount = -1\n", ("sollecito-1", "playbook_amount_negative")),
        (HEAD + STEP + "min_amount = 1e999999\n", ("sollecito-1", "playbook_not_an_amount")),
        (HEAD + STEP + 'min_amount = "1.000,00"\n', ("sollecito-1", "playbook_not_an_amount")),
        (HEAD + STEP + 'owner = "boss"\n', ("sollecito-1", "playbook_value_unknown")),
        (HEAD + STEP + 'mode = "auto"\n', ("sollecito-1", "playbook_value_unknown")),
        (HEAD + STEP + 'purpose = "thanks"\n', ("sollecito-1", "playbook_purpose_track")),
        (HEAD + STEP + 'attach = ["invoice"]\n', ("sollecito-1", "playbook_value_misspelt")),
        (HEAD + STEP + 'fallback = ["call"]\n', ("sollecito-1", "playbook_fallback_not_written")),
        (HEAD + STEP + 'fallback = ["email"]\n', ("sollecito-1", "playbook_value_twice")),
        (HEAD + STEP + "when = { min_open = 2, max_open = 1 }\n", ("sollecito-1", "playbook_min_over_max")),
        (HEAD + STEP + STEP, ("sollecito-1", "playbook_step_twice")),
        (HEAD + STEP + STEP.replace("sollecito-1", "b").replace("level = 1", "level = 3"),
         ("", "playbook_level_missing")),
        (HEAD, ("", "playbook_no_step")),
        (HEAD.replace('en = "Trial"\n[segment]', "[segment]") + STEP, ("", "playbook_language_missing")),
        (HEAD.replace("order = 10", "") + STEP, ("", "playbook_key_missing")),
        (HEAD + STEP + 'day = "', ("", "playbook_syntax")),
        (b"code = \"\xe0\"", ("", "playbook_encoding")),
        ("a = 1 #" + "x" * LARGEST_BYTES, ("", "playbook_too_large")),
        ("a = " + "[" * 100_000, ("", "playbook_syntax")),
    ],
)  # fmt: skip
def test_one_mistake_is_one_problem_that_names_its_step(text: str | bytes, expected: tuple[str, str]) -> None:
    assert codes(text) == [expected]


def test_every_mistake_is_told_at_once_with_its_line() -> None:
    text = dedent(
        """\
        code = "prova"
        ordre = 10
        [title]
        it = "Prova"
        [segment]
        code = "prova"
        when = { classes = ["A", "F"], promise = "kept" }
        [segment.title]
        it = "Prova"
        en = "Trial"
        [[step]]
        code = "cortesia"
        track = "soon"
        level = 0
        day = 3
        channel = "pigeon"
        template = "courtesy"
        tone = "courtesy"
        [[step]]
        code = "chiamata"
        track = "overdue"
        level = 1
        day = 7
        channel = "call"
        tone = "softly"
        attach = ["statement"]
        wait_days = -3
        [[step]]
        track = "overdue"
        level = 2
        day = 7
        until_day = 5
        channel = "letter"
        min_share = 5
        """
    )
    with pytest.raises(SaldoError) as refused:
        parse(text)
    problems = refused.value.params["problems"]
    for language in ("it", "en"):
        told = [
            f"{problem.line}: {problem.text(language)} {problem.remedy(language)}\n" for problem in problems
        ]
        assert "".join(told) == (GOLDEN / f"mistakes_{language}.txt").read_text(encoding="utf-8")
        assert all(
            problem.text(language).removesuffix(".") in refused.value.text(language) for problem in problems
        )


def test_the_line_of_a_syntax_error_is_told() -> None:
    (problem,) = read('code = "a"\norder = \n')[1]
    assert (problem.line, problem.text("it")) == (2, "riga 2: Non è TOML valido: Invalid value.")


def test_the_shipped_playbooks_are_in_order_and_come_back_from_rendering() -> None:
    playbooks = [parse(text) for text in shipped().values()]
    assert [p.code for p in playbooks] == ["high-value-high-risk", "new-customer", "loyal", "standard"]
    assert [parse(render(p)) for p in playbooks] == playbooks
    for playbook in playbooks:
        assert {step.mode for step in playbook.steps} == {"approve"}
        (notice,) = [step for step in playbook.steps if step.purpose == "formal_notice"]
        assert (notice.channel, notice.fallback, notice.owner) == ("pec", ("letter",), "credit_manager")
