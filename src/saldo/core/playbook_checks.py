"""What is wrong with a playbook as a whole: steps that wait for each other, that never come, that jar.

``check`` looks at one playbook, ``among`` at all that would be in force together. Errors refuse the save;
warnings are shown. How steps are chosen: docs/rules/playbooks.md.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from saldo.core.money import decimal_text
from saldo.core.playbook import (
    APPROVE,
    FORMAL_NOTICE,
    LETTER,
    OVERDUE,
    PEC,
    SOFT,
    SOON,
    TONES,
    WRITTEN,
    Playbook,
    Step,
    When,
)
from saldo.core.playbook_problems import Problem
from saldo.core.playbook_reader import nearest
from saldo.core.playbook_when import conflict, implies
from saldo.core.wording import subject_problems

# Channels whose receipt proves that a demand arrived.
PROVING = (PEC, LETTER)

Templates = Collection[tuple[str, str]]


def check(playbook: Playbook, templates: Templates | None = None) -> list[Problem]:
    """Errors first, then warnings. templates: (code, channel) of those there are; None: not checked."""
    problems = [
        *_cycles(playbook),
        *_wrong_after(playbook),
        *_never(playbook),
        *_unknown_templates(playbook, templates),
        *_subjects(playbook),
        *_tones(playbook),
        *_days(playbook),
        *_notices(playbook),
    ]
    return sorted(problems, key=lambda problem: problem.is_warning)


# -- after --


def _cycles(playbook: Playbook) -> Iterator[Problem]:
    """Each circle once, told from the first of its steps in the file."""
    seen: set[str] = set()
    for step in playbook.steps:
        path: list[str] = []
        current: Step | None = step
        while current is not None and current.code not in path and current.code not in seen:
            path.append(current.code)
            current = playbook.step(current.after) if current.after else None
        if current is not None and current.code in path:
            circle = [*path[path.index(current.code) :], current.code]
            yield Problem("playbook_after_cycle", current.code, {"path": " → ".join(circle)})
        seen.update(path)


def _wrong_after(playbook: Playbook) -> Iterator[Problem]:
    for step in playbook.steps:
        if not step.after or step.after == step.code:
            continue
        before = playbook.step(step.after)
        if before is None:
            could = [s.code for s in playbook.steps if s.track == step.track and s.code != step.code]
            told = {"after": step.after, "known": ", ".join(could) or "–"}
            yield Problem("playbook_after_unknown", step.code, told)
        elif before.track != step.track:
            yield Problem("playbook_after_track", step.code, {"after": before.code, "track": before.track})
        elif before.channel not in WRITTEN:
            told = {"after": before.code, "channel": before.channel}
            yield Problem("playbook_after_not_written", step.code, told)
        elif step.track == OVERDUE:
            yield from _wrong_level(playbook, step, before)


def _wrong_level(playbook: Playbook, step: Step, before: Step) -> Iterator[Problem]:
    """An item's last message must be able to be ``before`` when ``step`` is next."""
    if before.level >= step.level:
        yield Problem("playbook_after_level", step.code, {"after": before.code, "level": before.level})
        return
    between = [
        s
        for s in _written(playbook)
        if before.level < s.level < step.level and s.when.is_empty and not s.after
    ]
    if between:
        told = {"after": before.code, "between": between[0].code}
        yield Problem("playbook_after_passed", step.code, told)


def _written(playbook: Playbook) -> tuple[Step, ...]:
    """The messages of the reminders' ladder, lowest level first."""
    return tuple(step for step in playbook.ladder(OVERDUE) if step.channel in WRITTEN)


# -- steps that never come --


def _never(playbook: Playbook) -> Iterator[Problem]:
    unreachable: dict[str, Problem] = {}
    for step in playbook.steps:
        problem = _contradiction(playbook, step) or _shadow(playbook, step)
        if problem:
            unreachable[step.code] = problem
    earliest: dict[str, int] = {}
    # A step's place in time follows from those before it: as many rounds as the longest chain has links.
    for _ in playbook.steps:
        for step in playbook.steps:
            if step.code not in unreachable and step.code not in earliest:
                _settle(playbook, step, earliest, unreachable)
    yield from unreachable.values()
    if not earliest:
        yield Problem("playbook_nothing_reachable")


def _settle(
    playbook: Playbook, step: Step, earliest: dict[str, int], unreachable: dict[str, Problem]
) -> None:
    """Find the first day on which the step can go, or why it never can, once its predecessors are settled."""
    before = _predecessors(playbook, step)
    possible = [s for s in before if s.code in earliest]
    if not before:
        earliest[step.code] = step.day
        return
    if not possible:
        if all(s.code in unreachable for s in before):
            unreachable[step.code] = Problem("playbook_never_after", step.code, {"before": _names(before)})
        return
    if any(s.code not in earliest and s.code not in unreachable for s in before):
        return
    first = min(possible, key=lambda s: earliest[s.code])
    # Two messages to one customer never go on the same day.
    day = max(step.day, earliest[first.code] + max(step.wait_days, 1))
    if step.until_day is not None and day > step.until_day:
        told: dict[str, object] = {"until_day": step.until_day, "before": first.code, "earliest": day}
        unreachable[step.code] = Problem("playbook_never_in_time", step.code, told)
    else:
        earliest[step.code] = day


def _predecessors(playbook: Playbook, step: Step) -> list[Step]:
    """What must have been sent about an item before: the step named, or any message of the level below."""
    if step.after:
        named = playbook.step(step.after)
        return [named] if named is not None else []
    if step.track != OVERDUE or step.channel not in WRITTEN:
        return []
    below = [s for s in _written(playbook) if s.level < step.level]
    # A level whose messages are for some accounts only is passed by the others.
    start = max((s.level for s in below if s.when.is_empty), default=0)
    return [s for s in below if s.level >= start] if start else []


def _names(steps: Sequence[Step]) -> str:
    return ", ".join(step.code for step in steps)


def _contradiction(playbook: Playbook, step: Step) -> Problem | None:
    key = conflict(step.when, playbook.segment.when)
    if not key:
        return None
    told = {"key": key, "own": _said(step.when, key), "segment": _said(playbook.segment.when, key)}
    return Problem("playbook_contradicts_segment", step.code, told)


def _said(when: When, key: str) -> str:
    """One condition as it stands in the file."""
    if hasattr(when, key):
        value = getattr(when, key)
        return ", ".join(value) if isinstance(value, tuple) else str(value)
    suffix = "_mills" if key == "open" else ""
    least, most = getattr(when, f"min_{key}{suffix}"), getattr(when, f"max_{key}{suffix}")
    said = [
        f"{side}_{key} = {decimal_text(value, 'EUR') if suffix else value}"
        for side, value in (("min", least), ("max", most))
        if value is not None
    ]
    return ", ".join(said)


def _shadow(playbook: Playbook, step: Step) -> Problem | None:
    """A message of the same level that stands before it in the file and is due whenever it is."""
    if step.channel not in WRITTEN or step.track != OVERDUE:
        return None
    for other in playbook.steps:
        if other is step:
            return None
        is_rival = other.track == step.track and other.level == step.level and other.channel in WRITTEN
        if is_rival and _is_due_whenever(other, step, playbook.segment.when):
            return Problem("playbook_shadowed", step.code, {"before": other.code})
    return None


def _is_due_whenever(wide: Step, narrow: Step, segment: When) -> bool:
    is_long_enough = wide.until_day is None or (
        narrow.until_day is not None and wide.until_day >= narrow.until_day
    )
    return (
        wide.day <= narrow.day
        and is_long_enough
        and wide.wait_days <= narrow.wait_days
        and wide.after in ("", narrow.after)
        and wide.min_amount_mills <= narrow.min_amount_mills
        and wide.min_share <= narrow.min_share
        and implies(narrow.when, wide.when, within=segment)
    )


# -- words --


def _unknown_templates(playbook: Playbook, templates: Templates | None) -> Iterator[Problem]:
    if templates is None:
        return
    done = [each for step in playbook.steps for each in (step, *map(step.done_as, step.arms))]
    for step in done:
        if not step.template or step.channel not in WRITTEN:
            continue
        if (step.template, step.channel) not in templates:
            known = sorted(code for code, channel in templates if channel == step.channel)
            told = {"template": step.template, "channel": step.channel, "known": ", ".join(known) or "–"}
            near = nearest(step.template, known)
            code = "playbook_template_misspelt" if near else "playbook_template_unknown"
            yield Problem(code, step.code, told | {"near": near})
        for channel in step.fallback:
            if (step.template, channel) not in templates:
                told = {"template": step.template, "channel": channel, "first": step.channel}
                yield Problem("playbook_template_fallback", step.code, told, is_warning=True)


def _subjects(playbook: Playbook) -> Iterator[Problem]:
    """Subjects of arms: they stand where anyone may look, as those of templates do."""
    for step in playbook.steps:
        for arm in step.arms:
            for language, text in arm.subject.items():
                for wrong in subject_problems(text):
                    told = {"code": arm.code, "wrong": wrong.text(language)}
                    yield Problem("playbook_arm_subject", step.code, told)


def _tones(playbook: Playbook) -> Iterator[Problem]:
    for step in playbook.ladder(SOON):
        if TONES.index(step.tone) > TONES.index(SOFT):
            yield Problem("playbook_tone_soon", step.code, {"tone": step.tone}, is_warning=True)
    hardest: Step | None = None
    for step in _written(playbook):
        if hardest is None:
            if TONES.index(step.tone) > TONES.index(SOFT):
                yield Problem("playbook_hard_first", step.code, {"tone": step.tone}, is_warning=True)
        elif step.level > hardest.level and TONES.index(step.tone) < TONES.index(hardest.tone):
            told = {"tone": step.tone, "before": hardest.code, "tone_before": hardest.tone}
            yield Problem("playbook_tone_down", step.code, told, is_warning=True)
        if hardest is None or TONES.index(step.tone) >= TONES.index(hardest.tone):
            hardest = step


def _days(playbook: Playbook) -> Iterator[Problem]:
    below: Step | None = None
    for step in _written(playbook):
        if step.until_day is not None:
            told: dict[str, object] = {"until_day": step.until_day}
            yield Problem("playbook_until_strands", step.code, told, is_warning=True)
        if below is not None and step.level > below.level and step.day < below.day:
            told = {"day": step.day, "before": below.code, "day_before": below.day}
            yield Problem("playbook_day_order", step.code, told, is_warning=True)
        below = step


def _notices(playbook: Playbook) -> Iterator[Problem]:
    """A formal notice restarts prescription only where its arrival is proved (art. 2943 and 1219 c.c.)."""
    for step in playbook.steps:
        if step.purpose != FORMAL_NOTICE or step.channel not in WRITTEN:
            continue
        channels = (step.channel, *step.fallback)
        idle = ", ".join(channel for channel in channels if channel not in PROVING)
        if idle == ", ".join(channels):
            yield Problem("playbook_notice_channel", step.code, {"channels": idle}, is_warning=True)
        elif idle:
            yield Problem("playbook_notice_fallback", step.code, {"channels": idle}, is_warning=True)
        if step.mode != APPROVE:
            yield Problem("playbook_notice_automatic", step.code, is_warning=True)


# -- all of them --


def among(playbooks: Sequence[Playbook]) -> list[Problem]:
    """Warnings about playbooks that would be in force together, whatever their order in the sequence."""
    problems: list[Problem] = []
    ordered = sorted(playbooks, key=lambda p: (p.order, p.code))
    for place, playbook in enumerate(ordered):
        for before in ordered[:place]:
            told = {"code": playbook.code, "before": before.code}
            if before.order == playbook.order:
                told |= {"order": str(before.order)}
                problems.append(Problem("playbook_order_twice", params=told, is_warning=True))
            if before.segment.code == playbook.segment.code:
                told |= {"segment": before.segment.code}
                problems.append(Problem("playbook_segment_twice", params=told, is_warning=True))
            if implies(playbook.segment.when, before.segment.when):
                problems.append(Problem("playbook_never_chosen", params=told, is_warning=True))
                break
    if ordered and not any(p.segment.when.is_empty for p in ordered):
        problems.append(Problem("playbook_nobody_catches", is_warning=True))
    return problems
