"""The arms of a step in a playbook's text: ``[[step.arm]]`` read, checked and written.

Arms are other ways to do a step; they count while an experiment runs (docs/rules/experiments.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from saldo.core.errors import LANGUAGES
from saldo.core.playbook import CONTROL, FORMAL_NOTICE, OVERDUE, SOON, TONES, WRITTEN, Arm, Step
from saldo.core.playbook_reader import Section

MOST_ARMS = 4
MOST_SHIFT_DAYS = 30
SUBJECT_CHARACTERS = 200
KEYS = ("code", "template", "subject", "channel", "tone", "shift_days", "payment_link")


def read_arms(table: Section) -> tuple[Arm, ...]:
    """The arms of a step's table; what is wrong is reported there."""
    parts = table.parts("arm")
    if len(parts) > MOST_ARMS:
        table.wrong("playbook_too_many_arms", "arm", count=len(parts), limit=MOST_ARMS)
        return ()
    arms = tuple(_arm(part) for part in parts)
    for place, (part, arm) in enumerate(zip(parts, arms, strict=True)):
        if arm.code == CONTROL:
            part.wrong("playbook_arm_reserved", "code", code=arm.code)
        elif arm.code and arm.code in {other.code for other in arms[:place]}:
            part.wrong("playbook_arm_twice", "code", code=arm.code)
        elif not table.sheet.problems and any(_does(arm) == _does(other) for other in arms[:place]):
            part.wrong("playbook_arm_same", "code", code=arm.code)
    return arms


def _does(arm: Arm) -> tuple[Any, ...]:
    return arm.template, dict(arm.subject), arm.channel, arm.tone, arm.shift_days, arm.payment_link


def _arm(part: Section) -> Arm:
    part.check_keys(KEYS)
    subject = part.table("subject")
    if subject.is_there:
        subject.check_keys(LANGUAGES)
    texts = {each: subject.text(each, SUBJECT_CHARACTERS) for each in LANGUAGES if each in subject.data}
    return Arm(
        code=part.code("code"),
        template=part.code("template", is_needed=False),
        subject={language: text for language, text in texts.items() if text.strip()},
        channel=part.choice("channel", WRITTEN, ""),
        tone=part.choice("tone", TONES, ""),
        shift_days=part.whole("shift_days", -MOST_SHIFT_DAYS, MOST_SHIFT_DAYS, is_needed=False) or 0,
        payment_link=part.truth("payment_link", True),
    )


def check_arms(table: Section, step: Step) -> None:
    """Whether arms suit the step: a formal notice is no place to try things out, nor is a person's step."""
    if not step.arms:
        return
    if step.channel not in WRITTEN or step.track not in (SOON, OVERDUE) or step.purpose == FORMAL_NOTICE:
        table.wrong("playbook_arm_step", "arm", purpose=step.purpose, channel=step.channel, track=step.track)
        return
    for part, arm in zip(table.parts("arm"), step.arms, strict=True):
        is_bare = not arm.subject and arm.payment_link and step.done_as(arm) == step.done_as(Arm(""))
        # What is wrong was read as if it were not there.
        if is_bare and not table.sheet.problems:
            part.wrong("playbook_arm_same", "code", code=arm.code)
        day = step.day + arm.shift_days
        if (step.track == OVERDUE and day < 1) or (step.track == SOON and day > 0):
            part.wrong("playbook_arm_day", "shift_days", code=arm.code, day=day, track=step.track)


def arm_tables(arm: Arm) -> list[tuple[str, Mapping[str, Any]]]:
    """(name of the table, its values) as they are written, what is left at its default left out."""
    own = {
        "code": arm.code,
        "template": arm.template or None,
        "channel": arm.channel or None,
        "tone": arm.tone or None,
        "shift_days": arm.shift_days or None,
        "payment_link": None if arm.payment_link else False,
    }
    tables: list[tuple[str, Mapping[str, Any]]] = [("[step.arm]", own)]
    if arm.subject:
        tables.append(("step.arm.subject", dict(arm.subject)))
    return tables


def arm_line(arm: Arm) -> str:
    """An arm in one line, as it is written in the file; for differences between versions."""
    told = [
        f"{key} {value}"
        for _, values in arm_tables(arm)
        for key, value in values.items()
        if value is not None
    ]
    return "; ".join(told)
