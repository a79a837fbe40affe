"""Arms of a step: read with every mistake named at its place, and done as the step with its differences."""

from __future__ import annotations

from dataclasses import replace

from saldo.core.playbook import Arm, Playbook
from saldo.core.playbook_arms import MOST_ARMS
from saldo.core.playbook_checks import check
from saldo.core.playbook_diff import changes
from saldo.core.playbook_text import parse, read, render
from saldo.core.playbook_words import arm_words

HEAD = """code = "prova"
order = 10
title = { it = "Prova", en = "Trial" }
[segment]
code = "prova"
title = { it = "Prova", en = "Trial" }
"""
STEP = """
[[step]]
code = "sollecito-1"
track = "overdue"
level = 1
day = 5
channel = "email"
fallback = ["pec"]
template = "reminder_1"
tone = "soft"
"""
ARMS = """
[[step.arm]]
code = "prima"
shift_days = -2
payment_link = false
[step.arm.subject]
it = "Fatture scadute di {company}"
en = "Overdue invoices of {company}"
[[step.arm]]
code = "pec"
channel = "pec"
tone = "firm"
template = "reminder_2"
"""


def found(text: str) -> list[tuple[int, str]]:
    _, problems = read(text)
    return [(problem.line, problem.code) for problem in problems]


def one(text: str = HEAD + STEP + ARMS) -> Playbook:
    return parse(text)


def test_arms_are_read_and_written_again() -> None:
    step = one().steps[0]
    subject = {"it": "Fatture scadute di {company}", "en": "Overdue invoices of {company}"}
    assert step.arms == (
        Arm("prima", subject=subject, shift_days=-2, payment_link=False),
        Arm("pec", template="reminder_2", channel="pec", tone="firm"),
    )
    assert parse(render(one())) == one()


def test_the_form_keeps_arms() -> None:
    from saldo.interfaces.web.playbook_form import form_of, text_of

    assert parse(text_of(form_of(one(), "it"))) == one()


def test_an_arm_does_the_step_with_its_differences() -> None:
    step = one().steps[0]
    early, by_pec = (step.done_as(arm) for arm in step.arms)
    assert (early.day, early.channel, early.template) == (3, "email", "reminder_1")
    assert replace(step, until_day=30).done_as(step.arms[0]).until_day == 28
    assert (by_pec.day, by_pec.channel, by_pec.fallback, by_pec.template) == (
        5, "pec", ("email",), "reminder_2",
    )  # fmt: skip
    assert early.code == by_pec.code == "sollecito-1"


def test_mistakes_name_the_line_of_their_arm() -> None:
    lines = (HEAD + STEP + ARMS).splitlines()
    second = lines.index('code = "pec"') + 1
    assert found(HEAD + STEP + ARMS.replace('"pec"\nchannel', '"control"\nchannel')) == [
        (second, "playbook_arm_reserved")
    ]
    assert found(HEAD + STEP + ARMS.replace('"pec"\nchannel', '"prima"\nchannel')) == [
        (second, "playbook_arm_twice")
    ]
    assert found(HEAD + STEP + ARMS.replace('tone = "firm"', 'tone = "hard"')) == [
        (second + 2, "playbook_value_unknown")
    ]
    # Arms do not shift the place of the steps that follow.
    told = found(HEAD + STEP + ARMS + '[[step]]\ncode = "x"\nfoo = 1\n')
    assert (len(lines) + 3, "playbook_key_unknown") in told


def test_what_is_no_arm_is_refused() -> None:
    bare = '[[step.arm]]\ncode = "uguale"\ntone = "soft"\n'
    assert [code for _, code in found(HEAD + STEP + bare)] == ["playbook_arm_same"]
    early = '[[step.arm]]\ncode = "prima"\nshift_days = -5\n'
    assert [code for _, code in found(HEAD + STEP + early)] == ["playbook_arm_day"]
    truth = '[[step.arm]]\ncode = "a"\npayment_link = "no"\n'
    assert [code for _, code in found(HEAD + STEP + truth)] == ["playbook_not_a_truth"]
    many = "".join(f'[[step.arm]]\ncode = "a{n}"\nshift_days = {n + 1}\n' for n in range(MOST_ARMS + 1))
    assert [code for _, code in found(HEAD + STEP + many)] == ["playbook_too_many_arms"]
    assert [code for _, code in found(HEAD + STEP + "arm = 3\n")] == ["playbook_not_a_table"]


def test_nothing_is_tried_out_in_a_formal_notice_or_a_call() -> None:
    arm = '[[step.arm]]\ncode = "dopo"\nshift_days = 2\n'
    formal = STEP.replace('channel = "email"', 'channel = "pec"\npurpose = "formal_notice"').replace(
        'fallback = ["pec"]\n', ""
    )
    call = STEP.replace('channel = "email"\nfallback = ["pec"]\ntemplate = "reminder_1"', 'channel = "call"')
    for step in (formal, call):
        assert [code for _, code in found(HEAD + step + arm)] == ["playbook_arm_step"]


def test_the_subject_and_the_template_of_an_arm_are_checked() -> None:
    templates = {
        ("reminder_1", "email"),
        ("reminder_1", "pec"),
        ("reminder_2", "email"),
        ("reminder_2", "pec"),
    }
    assert check(one(), templates) == []
    unknown = one((HEAD + STEP + ARMS).replace('template = "reminder_2"', 'template = "nothing"'))
    assert {problem.code for problem in check(unknown, templates)} == {
        "playbook_template_unknown", "playbook_template_fallback",
    }  # fmt: skip
    private = one((HEAD + STEP + ARMS).replace("scadute di {company}", "per {total}"))
    (problem,) = check(private, templates)
    assert problem.code == "playbook_arm_subject" and "total" in problem.text("en")


def test_differences_between_versions_name_the_arm() -> None:
    after = one((HEAD + STEP + ARMS).replace("shift_days = -2", "shift_days = -1"))
    (change,) = changes(one(), after)
    assert [each.name for each in change.fields] == ["arm.prima"]
    assert "shift_days -2" in change.fields[0].before and "shift_days -1" in change.fields[0].after


def test_an_arm_in_words() -> None:
    early, by_pec = one().steps[0].arms
    assert arm_words(early, "it") == [
        "2 giorni prima",
        "oggetto «Fatture scadute di {company}»",
        "senza link",
    ]
    assert arm_words(by_pec, "en") == ["by PEC", "tone firm", "text reminder_2"]
