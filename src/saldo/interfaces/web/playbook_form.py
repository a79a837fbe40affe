"""A playbook as a form: fields as people type them, from a playbook or from what was posted, and to TOML.

The text is the playbook; the form writes it. What is typed wrongly goes into the text as it was typed, so
that the text's reader finds it and says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from decimal import Decimal, InvalidOperation
from typing import Any

from saldo.core.money import decimal_text, from_mills, to_mills
from saldo.core.playbook import Arm, Playbook, Step, When
from saldo.core.playbook_arms import MOST_ARMS
from saldo.interfaces.web.cash_forms import typed_amount

LANGUAGES = ("it", "en")
MOST_STEPS = 200
NO, PAYMENT_LINK = "no", "payment_link"
AMOUNTS = ("min_amount", "min_open", "max_open")
WHOLE = (
    "order", "level", "day", "until_day", "wait_days", "repeat_days", "min_known_days", "max_known_days",
    "min_late_days", "max_late_days", "shift_days",
)  # fmt: skip
LISTS = ("fallback", "attach", "classes", "delay_reasons")
TYPED_LISTS = ("countries", "segments")
WHEN_KEYS = tuple(each.name.removesuffix("_mills") for each in fields(When))
_TABLES = ("when", "arms")
STEP_KEYS = tuple(each.name.removesuffix("_mills") for each in fields(Step) if each.name not in _TABLES)
ARM_KEYS = (
    "code", "template", "channel", "tone", "shift_days", "payment_link", "subject_it", "subject_en",
)  # fmt: skip
NEW_STEP = {
    "track": "overdue", "level": "1", "day": "5", "channel": "email", "tone": "soft",
    "purpose": "reminder", "mode": "approve", "owner": "collector",
}  # fmt: skip
_WHOLE = re.compile(r"[+-]?[0-9]{1,9}", re.ASCII)

Posted = Mapping[str, Any]


@dataclass(slots=True)
class FormStep:
    """values: what stands in the fields, by key of the TOML; lists as their values joined by a blank. arms:
    those of each arm, and of one more to fill in while there may be another."""

    values: dict[str, str]
    when: dict[str, str] = field(default_factory=dict)
    arms: list[dict[str, str]] = field(default_factory=list)
    problems: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        given = [arm for arm in self.arms if any(arm.values())]
        self.arms = given if len(given) >= MOST_ARMS else [*given, dict.fromkeys(ARM_KEYS, "")]

    @property
    def has_arms(self) -> bool:
        return any(self.arms[0].values())

    @property
    def has_more(self) -> bool:
        """Something is set beyond what the first row of fields shows."""
        return bool(self.problems)


@dataclass(slots=True)
class Form:
    """head: code, order, title_it …, segment_code, segment_title_it …"""

    head: dict[str, str]
    when: dict[str, str]
    steps: list[FormStep]


def form_of(playbook: Playbook, language: str) -> Form:
    head = {"code": playbook.code, "order": str(playbook.order), "segment_code": playbook.segment.code}
    for of, texts in (
        ("title", playbook.title), ("note", playbook.note), ("segment_title", playbook.segment.title),
    ):  # fmt: skip
        head |= {f"{of}_{each}": texts.get(each, "") for each in LANGUAGES}
    steps = [
        FormStep(
            _shown(step, STEP_KEYS, language),
            _shown(step.when, WHEN_KEYS, language),
            [_shown_arm(arm) for arm in step.arms],
        )
        for step in playbook.steps
    ]
    return Form(head, _shown(playbook.segment.when, WHEN_KEYS, language), steps)


def _shown(row: Step | When, keys: Sequence[str], language: str) -> dict[str, str]:
    told = {}
    for key in keys:
        value = getattr(row, f"{key}_mills" if key in AMOUNTS else key)
        told[key] = _field(key, value, language)
    return told


def _shown_arm(arm: Arm) -> dict[str, str]:
    told = {key: str(getattr(arm, key)) for key in ("code", "template", "channel", "tone")}
    told |= {"shift_days": str(arm.shift_days or ""), "payment_link": "" if arm.payment_link else NO}
    return told | {f"subject_{each}": arm.subject.get(each, "") for each in LANGUAGES}


def _field(key: str, value: Any, language: str) -> str:
    if (
        value is None
        or value == ()
        or (value == 0 and key in ("wait_days", "repeat_days", "min_amount", "min_share"))
    ):
        return ""
    if key in AMOUNTS:
        return _local(f"{from_mills(value):f}" if value % 10 else decimal_text(value, "EUR"), language)
    if key == "min_share":
        return _local(f"{(Decimal(repr(value)) * 100).normalize():f}", language)
    if isinstance(value, tuple):
        return (", " if key in TYPED_LISTS else " ").join(value)
    return str(value)


def _local(text: str, language: str) -> str:
    text = text.removesuffix(".00")
    return text.replace(".", ",") if language == "it" else text


def form_posted(posted: Any) -> Form:
    """What was posted, with a step moved, added or taken out where a button asked for it."""
    head_keys = ["code", "order", "segment_code"]
    head_keys += [f"{of}_{each}" for of in ("title", "note", "segment_title") for each in LANGUAGES]
    head = {key: posted.get(key, "").strip() for key in head_keys}
    count = posted.get("steps", "0")
    places = range(min(int(count), MOST_STEPS + 1) if _WHOLE.fullmatch(count) else 0)
    steps = [
        FormStep(
            _posted(posted, f"s{n}-", STEP_KEYS),
            _posted(posted, f"s{n}-when-", WHEN_KEYS),
            [_posted(posted, f"s{n}-arm{arm}-", ARM_KEYS) for arm in range(MOST_ARMS)],
        )
        for n in places
    ]
    return Form(head, _posted(posted, "when-", WHEN_KEYS), steps)


def _posted(posted: Any, prefix: str, keys: Sequence[str]) -> dict[str, str]:
    return {
        key: " ".join(posted.getlist(prefix + key)) if key in LISTS else posted.get(prefix + key, "").strip()
        for key in keys
    }


def changed(form: Form, wish: str) -> int | None:
    """Do what a button of a step asks ("up-2", "down-0", "drop-1", "copy-1", "add").

    Returns the step to look at then; None where the button asks for something else.
    """
    if wish == "add":
        blank = dict.fromkeys(STEP_KEYS, "")
        form.steps.append(FormStep(blank | NEW_STEP, dict.fromkeys(WHEN_KEYS, "")))
        return len(form.steps) - 1
    verb, _, number = wish.partition("-")
    if verb not in ("up", "down", "drop", "copy") or not _WHOLE.fullmatch(number):
        return None
    place = int(number)
    if not 0 <= place < len(form.steps):
        return None
    if verb == "drop":
        del form.steps[place]
        return max(0, min(place, len(form.steps) - 1))
    if verb == "copy":
        twin = form.steps[place]
        form.steps.insert(place + 1, FormStep({**twin.values, "code": ""}, dict(twin.when), twin.arms))
        return place + 1
    other = place + (-1 if verb == "up" else 1)
    if 0 <= other < len(form.steps):
        form.steps[place], form.steps[other] = form.steps[other], form.steps[place]
        return other
    return place


# -- to TOML --


def text_of(form: Form) -> str:
    """The playbook's text. It may be wrong where what was typed is; it is TOML in any case."""
    head = form.head
    lines = [*_pairs({"code": head["code"], "order": head["order"]}), ""]
    for table, of in (("title", "title"), ("note", "note")):
        texts = {each: head[f"{of}_{each}"] for each in LANGUAGES}
        if table == "title" or any(texts.values()):
            lines += [f"[{table}]", *_pairs(texts), ""]
    lines += ["[segment]", *_pairs({"code": head["segment_code"]}), ""]
    lines += ["[segment.title]", *_pairs({each: head[f"segment_title_{each}"] for each in LANGUAGES}), ""]
    lines += _when("segment.when", form.when)
    for step in form.steps:
        lines += ["[[step]]", *_pairs(step.values), ""]
        lines += _when("step.when", step.when)
        for arm in step.arms:
            lines += _arm(arm)
    return "\n".join(lines)


def _arm(values: Mapping[str, str]) -> list[str]:
    if not any(values.values()):
        return []
    subjects = {each: values[f"subject_{each}"] for each in LANGUAGES}
    own = {
        key: text for key, text in values.items() if not key.startswith("subject_") and key != PAYMENT_LINK
    }
    lines = [
        "[[step.arm]]",
        *_pairs(own),
        *(["payment_link = false"] if values[PAYMENT_LINK] == NO else []),
        "",
    ]
    return lines + _when("step.arm.subject", subjects)


def _when(table: str, values: Mapping[str, str]) -> list[str]:
    pairs = list(_pairs(values))
    return [f"[{table}]", *pairs, ""] if pairs else []


def _pairs(values: Mapping[str, str]) -> Iterator[str]:
    for key, text in values.items():
        if text:
            yield f"{key} = {_literal(key, text)}"


def _literal(key: str, text: str) -> str:
    if key in WHOLE and _WHOLE.fullmatch(text):
        return str(int(text))
    if key in AMOUNTS:
        amount = typed_amount(text, "EUR")
        return quoted(text if amount is None else decimal_text(to_mills(amount), "EUR"))
    if key == "min_share":
        return _share(text)
    if key in LISTS or key in TYPED_LISTS:
        words = [word for word in re.split(r"[\s,;]+", text) if word]
        return f"[{', '.join(quoted(word.upper() if key == 'countries' else word) for word in words)}]"
    return quoted(text)


def _share(text: str) -> str:
    """A percentage as it is typed ("5", "2,5 %") as a share."""
    try:
        share = Decimal(text.replace("%", "").replace(",", ".").strip()) / 100
    except InvalidOperation:
        return quoted(text)
    return (
        quoted(f"{share.normalize():f}") if share.is_finite() and abs(share.adjusted()) < 9 else quoted(text)
    )


def quoted(text: str) -> str:
    """A TOML string. What a TOML text cannot hold goes in as its number."""
    escapes = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": ""}
    clean = text.encode("utf-8", "replace").decode("utf-8")
    return '"' + "".join(escapes.get(c, c if c.isprintable() else f"\\U{ord(c):08x}") for c in clean) + '"'


def place_problems(form: Form, problems: Sequence[Any]) -> None:
    """Put each problem to the step it names."""
    for place, step in enumerate(form.steps, start=1):
        names = {step.values.get("code") or f"n. {place}"}
        step.problems = [problem for problem in problems if problem.step in names]
