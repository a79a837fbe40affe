"""What differs between two versions of a playbook, step by step."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from typing import Any

from saldo.core.money import decimal_text
from saldo.core.playbook import Playbook, Step, When
from saldo.core.playbook_arms import arm_line

ADDED, REMOVED, CHANGED = "added", "removed", "changed"


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field as it is written in the file, before and after; "" where it has no value."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class StepChange:
    """kind: ADDED, REMOVED or CHANGED. step: "" for the head of the playbook (title, segment, order)."""

    step: str
    kind: str
    fields: tuple[FieldChange, ...] = ()

    def as_json(self) -> dict[str, Any]:
        told = [{"name": f.name, "before": f.before, "after": f.after} for f in self.fields]
        return {"step": self.step, "kind": self.kind, "fields": told}


def changes(before: Playbook, after: Playbook) -> list[StepChange]:
    """The head first, then the steps in the order of ``after``, then those that are gone."""
    found = []
    both = {step.code for step in before.steps} & {step.code for step in after.steps}
    if head := _fields(_head(before, both), _head(after, both)):
        found.append(StepChange("", CHANGED, head))
    for step in after.steps:
        old = before.step(step.code)
        if old is None:
            found.append(StepChange(step.code, ADDED, _fields({}, _told(step))))
        elif differing := _fields(_told(old), _told(step)):
            found.append(StepChange(step.code, CHANGED, differing))
    gone = [step for step in before.steps if after.step(step.code) is None]
    return found + [StepChange(step.code, REMOVED, _fields(_told(step), {})) for step in gone]


def _fields(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[FieldChange, ...]:
    names = [*after, *(name for name in before if name not in after)]
    pairs = [(name, before.get(name, ""), after.get(name, "")) for name in names]
    return tuple(FieldChange(name, old, new) for name, old, new in pairs if old != new)


def _head(playbook: Playbook, kept: Collection[str]) -> dict[str, str]:
    """What stands above the steps, and the order of those that both have: of a level the first counts."""
    told = {"code": playbook.code, "order": str(playbook.order)}
    texts = {"title": playbook.title, "note": playbook.note, "segment.title": playbook.segment.title}
    told |= {f"{name}.{language}": text for name, each in texts.items() for language, text in each.items()}
    told["segment.code"] = playbook.segment.code
    told |= {f"segment.when.{name}": text for name, text in told_when(playbook.segment.when).items()}
    return told | {"steps": ", ".join(step.code for step in playbook.steps if step.code in kept)}


def _told(step: Step) -> dict[str, str]:
    told: dict[str, str] = {}
    for each in fields(Step):
        value = getattr(step, each.name)
        if isinstance(value, When):
            told |= {f"when.{name}": text for name, text in told_when(value).items()}
        elif each.name == "arms":
            told |= {f"arm.{arm.code}": arm_line(arm) for arm in step.arms}
        else:
            told[each.name.removesuffix("_mills")] = said(each.name, value)
    return {name: text for name, text in told.items() if text}


def told_when(when: When) -> dict[str, str]:
    """The conditions that are given, as they are written in the file."""
    told = {each.name: said(each.name, getattr(when, each.name)) for each in fields(When)}
    return {name.removesuffix("_mills"): text for name, text in told.items() if text}


def said(name: str, value: Any) -> str:
    """A value of the file in short; "" for none."""
    if value is None or value == () or value == "":
        return ""
    if name.endswith("_mills"):
        return decimal_text(value, "EUR")
    return ", ".join(value) if isinstance(value, tuple) else str(value)
