"""Playbooks: who gets which treatment, step by step. The words of the rules; docs/rules/playbooks.md.

A playbook is data (TOML, ``core.playbook_text``): the segment it is for and an ordered list of steps. This
module only says what its parts are; ``core.playbook_checks`` finds what is wrong with one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

SOON, OVERDUE, THANKS = "soon", "overdue", "thanks"
TRACKS = (SOON, OVERDUE, THANKS)
EMAIL, PEC, LETTER, SMS, PORTAL, CALL, TASK = "email", "pec", "letter", "sms", "portal", "call", "task"
# Written by the machine; a call and a task are for people.
WRITTEN = (EMAIL, PEC, LETTER, SMS, PORTAL)
CHANNELS = (*WRITTEN, CALL, TASK)
COURTESY, SOFT, FIRM, FORMAL = "courtesy", "soft", "firm", "formal"
TONES = (COURTESY, SOFT, FIRM, FORMAL)
AUTOMATIC, APPROVE = "automatic", "approve"
MODES = (AUTOMATIC, APPROVE)
REMINDER, DOCUMENTS, FORMAL_NOTICE = "reminder", "documents", "formal_notice"
PURPOSES = (REMINDER, DOCUMENTS, FORMAL_NOTICE, THANKS)
# Two questions after something was closed: by the same sender, but no step of a playbook.
SURVEY = "survey"
OWNERS = ("collector", "credit_manager", "sales", "customer_care")
STATEMENT, INVOICES = "statement", "invoices"
ATTACHMENTS = (STATEMENT, INVOICES)
# States of promises, disputes and plans that a step may ask for.
ANY, NONE, BROKEN = "any", "none", "broken"
# The arm of an experiment that does the step as it is written.
CONTROL = "control"


@dataclass(frozen=True, slots=True)
class When:
    """Conditions on an account; all that are given must hold. Amounts in mills of the account's currency.

    classes: score classes A to E. countries: ISO codes. min_open, max_open: what is open (debits).
    min_known_days, max_known_days: days since the first document of the account. min_late_days,
    max_late_days: its usual delay. segments: what a person chose. promise, dispute, plan: ANY, NONE or (a
    promise) BROKEN. delay_reasons: why it is late, as it said last (core.outcomes.DELAY_REASONS).
    """

    classes: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()
    min_open_mills: int | None = None
    max_open_mills: int | None = None
    min_known_days: int | None = None
    max_known_days: int | None = None
    min_late_days: int | None = None
    max_late_days: int | None = None
    promise: str = ""
    dispute: str = ""
    plan: str = ""
    delay_reasons: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        return self == When()


@dataclass(frozen=True, slots=True)
class Segment:
    """Who gets the playbook. The first playbook in order whose conditions hold wins."""

    code: str
    title: Mapping[str, str]
    when: When = field(default_factory=When)


@dataclass(frozen=True, slots=True)
class Arm:
    """Another way to do a step, tried beside the step as it is written (the arm CONTROL). Only what is given
    differs. docs/rules/experiments.md.

    subject: by language, in place of the template's. shift_days: so many days later (negative: earlier).
    payment_link: false leaves the link to the portal out of the words.
    """

    code: str
    template: str = ""
    subject: Mapping[str, str] = field(default_factory=dict)
    channel: str = ""
    tone: str = ""
    shift_days: int = 0
    payment_link: bool = True


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a track.

    level: 0 before and at the due date, 1, 2 … after it; an item goes up one level at a time. day: the first
    day, counted from the due date (negative before it), on which the step is due; until_day: the last one,
    None for ever. wait_days: days at least since the item's previous message of the same track. after: the
    code of the step that must have been sent about the item before; "" for the level below.
    min_amount_mills, min_share: what must be asked at least, in all and as a share of what is open; below
    it the step of one level less is tried. repeat_days: sent again every so many days while nothing higher
    is due; 0: once. arms: other ways to do it, which count only while an experiment runs.
    """

    code: str
    track: str
    level: int
    day: int
    channel: str
    template: str
    tone: str
    until_day: int | None = None
    wait_days: int = 0
    after: str = ""
    fallback: tuple[str, ...] = ()
    purpose: str = REMINDER
    mode: str = APPROVE
    owner: str = "collector"
    min_amount_mills: int = 0
    min_share: float = 0.0
    repeat_days: int = 0
    attach: tuple[str, ...] = ()
    when: When = field(default_factory=When)
    arms: tuple[Arm, ...] = ()

    def arm(self, code: str) -> Arm | None:
        """An arm by its code; None for CONTROL and what is no arm of the step."""
        return next((arm for arm in self.arms if arm.code == code), None)

    def done_as(self, arm: Arm) -> Step:
        """The step as an arm does it. Its channel goes before those of the step, which stand in for it."""
        channels = tuple(c for c in (self.channel, *self.fallback) if c != arm.channel)
        return replace(
            self,
            day=self.day + arm.shift_days,
            until_day=None if self.until_day is None else self.until_day + arm.shift_days,
            channel=arm.channel or self.channel,
            fallback=channels if arm.channel else self.fallback,
            template=arm.template or self.template,
            tone=arm.tone or self.tone,
            arms=(),
        )


@dataclass(frozen=True, slots=True)
class Playbook:
    """order: playbooks are tried from the lowest up; the first whose segment's conditions hold wins."""

    code: str
    order: int
    title: Mapping[str, str]
    segment: Segment
    steps: tuple[Step, ...]
    note: Mapping[str, str] = field(default_factory=dict)

    def step(self, code: str) -> Step | None:
        return next((step for step in self.steps if step.code == code), None)

    def ladder(self, track: str) -> tuple[Step, ...]:
        """The steps of a track, the lowest level first, in their order."""
        return tuple(sorted((s for s in self.steps if s.track == track), key=lambda step: step.level))
