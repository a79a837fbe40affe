"""Playbooks as TOML: text -> Playbook with every mistake named, and back.

Keys are the words of ``core.playbook``; amounts are decimals in the account's currency ("250.00"), counted
in mills inside. ``parse(render(playbook)) == playbook``.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any

from saldo.core.errors import LANGUAGES
from saldo.core.money import decimal_text
from saldo.core.outcomes import DELAY_REASONS
from saldo.core.playbook import (
    ANY,
    APPROVE,
    ATTACHMENTS,
    BROKEN,
    CALL,
    CHANNELS,
    MODES,
    NONE,
    OVERDUE,
    OWNERS,
    PURPOSES,
    REMINDER,
    SOON,
    TASK,
    THANKS,
    TONES,
    TRACKS,
    WRITTEN,
    Playbook,
    Segment,
    Step,
    When,
)
from saldo.core.playbook_arms import arm_tables, check_arms, read_arms
from saldo.core.playbook_problems import Problem, refusal
from saldo.core.playbook_reader import Section, Sheet, lines_of

LARGEST_BYTES = 200_000
MOST_STEPS = 200
MOST_LEVELS = 20
MOST_DAYS = 3650
TITLE_CHARACTERS = 120
NOTE_CHARACTERS = 2000
CLASSES = ("A", "B", "C", "D", "E")
STATES = (ANY, NONE)
PROMISE_STATES = (ANY, NONE, BROKEN)

_TOP = ("code", "order", "title", "note", "segment", "step")
_SEGMENT = ("code", "title", "when")
_WHEN = (
    "classes", "countries", "segments", "min_open", "max_open", "min_known_days", "max_known_days",
    "min_late_days", "max_late_days", "promise", "dispute", "plan", "delay_reasons",
)  # fmt: skip
_STEP = (
    "code", "track", "level", "day", "until_day", "wait_days", "after", "channel", "fallback", "template",
    "tone", "purpose", "mode", "owner", "min_amount", "min_share", "repeat_days", "attach", "when",
    "arm",
)  # fmt: skip
_COUNTRY = re.compile(r"[A-Z]{2}")


def parse(text: str | bytes) -> Playbook:
    """The playbook of a text. Raises SaldoError("playbook_invalid") whose ``params["problems"]`` are all of
    the mistakes, each naming its step."""
    playbook, problems = read(text)
    if playbook is None:
        raise refusal(problems)
    return playbook


def read(text: str | bytes) -> tuple[Playbook | None, list[Problem]]:
    """The playbook, or None and what is wrong. Never raises for what the text holds."""
    content, problems = _decoded(text)
    if content is None:
        return None, problems
    data, problems = _tables(content)
    if data is None:
        return None, problems
    sheet = Sheet(lines_of(content))
    playbook = _playbook(Section(data, sheet))
    if sheet.problems:
        return None, sorted(sheet.problems, key=lambda problem: problem.line)
    return playbook, []


def _decoded(text: str | bytes) -> tuple[str | None, list[Problem]]:
    # A form's text may hold half a surrogate pair, which no file could.
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    if len(raw) > LARGEST_BYTES:
        sizes = {"size": f"{len(raw):,}", "limit": f"{LARGEST_BYTES:,}"}
        return None, [Problem("playbook_too_large", params=sizes)]
    try:
        return raw.decode("utf-8-sig"), []
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        return None, [Problem("playbook_encoding", params={"position": error.start + 1}, line=line)]


def _tables(content: str) -> tuple[dict[str, Any] | None, list[Problem]]:
    try:
        return tomllib.loads(content, parse_float=_exact), []
    except RecursionError:
        return None, [Problem("playbook_syntax", params={"reason": "nested too deeply"})]
    except ValueError as error:
        reason = str(error)
        found = re.search(r"\(at line (\d+), column (\d+)\)", reason)
        if found:
            line = int(found[1])
        else:
            line = content.count("\n") + 1 if "end of document" in reason else 0
        said = (
            re.sub(r" \(at [^)]*\)$", "", reason) if found or "at end" in reason else "a number is too long"
        )
        return None, [Problem("playbook_syntax", params={"reason": said}, line=line)]


def _exact(text: str) -> Decimal:
    """A number with a point, exactly as written; what no amount can be is no number."""
    try:
        return Decimal(text)
    except ArithmeticError:
        return Decimal("NaN")


def _playbook(top: Section) -> Playbook:
    top.check_keys(_TOP)
    segment = top.table("segment", is_needed=True)
    segment.check_keys(_SEGMENT)
    steps = _steps(top)
    return Playbook(
        code=top.code("code"),
        order=top.whole("order", 0, 100_000) or 0,
        title=_texts(top, "title", TITLE_CHARACTERS, is_needed=True),
        segment=Segment(
            code=segment.code("code"),
            title=_texts(segment, "title", TITLE_CHARACTERS, is_needed=True),
            when=_when(segment),
        ),
        steps=steps,
        note=_texts(top, "note", NOTE_CHARACTERS, is_needed=False),
    )


def _texts(section: Section, key: str, limit: int, is_needed: bool) -> dict[str, str]:
    """A text in each language; both are needed where one is given."""
    table = section.table(key, is_needed=is_needed)
    if not table.is_there:
        return {}
    table.check_keys(LANGUAGES)
    texts = {language: table.text(language, limit) for language in LANGUAGES}
    for language, text in texts.items():
        if not text.strip() and not table.is_wrong(language):
            table.wrong("playbook_language_missing", language, of=table.name, language=language)
    return texts


def _when(section: Section) -> When:
    table = section.table("when")
    table.check_keys(_WHEN)
    when = When(
        classes=table.choices("classes", CLASSES),
        countries=table.words("countries", _COUNTRY, "playbook_country_form"),
        segments=table.codes("segments"),
        min_open_mills=table.amount("min_open"),
        max_open_mills=table.amount("max_open"),
        min_known_days=table.whole("min_known_days", 0, 100_000, is_needed=False),
        max_known_days=table.whole("max_known_days", 0, 100_000, is_needed=False),
        min_late_days=table.whole("min_late_days", -MOST_DAYS, MOST_DAYS, is_needed=False),
        max_late_days=table.whole("max_late_days", -MOST_DAYS, MOST_DAYS, is_needed=False),
        promise=table.choice("promise", PROMISE_STATES, ""),
        dispute=table.choice("dispute", STATES, ""),
        plan=table.choice("plan", STATES, ""),
        delay_reasons=table.choices("delay_reasons", DELAY_REASONS),
    )
    for name, low, high in (
        ("open", when.min_open_mills, when.max_open_mills),
        ("known_days", when.min_known_days, when.max_known_days),
        ("late_days", when.min_late_days, when.max_late_days),
    ):
        if low is not None and high is not None and low > high:
            table.wrong("playbook_min_over_max", f"min_{name}", minimum=f"min_{name}", maximum=f"max_{name}")
    return when


def _steps(top: Section) -> tuple[Step, ...]:
    tables = top.tables("step")
    if not tables and not top.is_wrong("step"):
        top.wrong("playbook_no_step", "step")
    if len(tables) > MOST_STEPS:
        top.wrong("playbook_too_many_steps", "step", count=len(tables), limit=MOST_STEPS)
        return ()
    read_steps = [(table, _step(table)) for table in tables]
    _check_codes(read_steps)
    _check_ladder(top, read_steps)
    return tuple(step for _, step in read_steps)


def _step(table: Section) -> Step:
    table.check_keys(_STEP)
    channel = table.choice("channel", CHANNELS)
    track = table.choice("track", TRACKS)
    step = Step(
        code=table.code("code"),
        track=track,
        level=_level(table, track),
        day=table.whole("day", -365, MOST_DAYS) or 0,
        channel=channel,
        template=table.code("template", is_needed=channel in WRITTEN),
        tone=table.choice("tone", TONES),
        until_day=table.whole("until_day", -365, MOST_DAYS, is_needed=False),
        wait_days=_wait(table),
        after=table.code("after", is_needed=False),
        fallback=table.choices("fallback", CHANNELS),
        purpose=table.choice("purpose", PURPOSES, REMINDER),
        mode=table.choice("mode", MODES, APPROVE),
        owner=table.choice("owner", OWNERS, "collector"),
        min_amount_mills=table.amount("min_amount") or 0,
        min_share=table.share("min_share"),
        repeat_days=table.whole("repeat_days", 0, MOST_DAYS, is_needed=False) or 0,
        attach=table.choices("attach", ATTACHMENTS),
        when=_when(table),
        arms=read_arms(table),
    )
    _check_days(table, step)
    _check_channels(table, step)
    _check_purpose(table, step)
    check_arms(table, step)
    return step


def _level(table: Section, track: str) -> int:
    level = table.whole("level", 0, MOST_LEVELS)
    if level is None:
        return 0
    if (track in (SOON, THANKS) and level != 0) or (track == OVERDUE and level == 0):
        allowed = f"1–{MOST_LEVELS}" if track == OVERDUE else "0"
        table.wrong("playbook_level_track", "level", level=level, track=track, allowed=allowed)
    return level


def _wait(table: Section) -> int:
    value = table.data.get("wait_days")
    if isinstance(value, int) and not isinstance(value, bool) and value < 0:
        table.wrong("playbook_wait_negative", "wait_days", value=value)
        return 0
    return table.whole("wait_days", 0, MOST_DAYS, is_needed=False) or 0


def _check_days(table: Section, step: Step) -> None:
    if table.is_wrong("day"):
        return
    if step.until_day is not None and step.until_day < step.day:
        table.wrong("playbook_until_before_day", "until_day", day=step.day, until_day=step.until_day)
    if step.track == SOON and step.day > 0:
        table.wrong("playbook_day_soon", "day", day=step.day)
    if step.track in (OVERDUE, THANKS) and step.day < (1 if step.track == OVERDUE else 0):
        table.wrong("playbook_day_overdue", "day", day=step.day, track=step.track)


def _check_channels(table: Section, step: Step) -> None:
    """Another written channel may stand in for a written one; a call has neither stand-in nor attachment."""
    if step.channel in (CALL, TASK):
        for key in ("fallback", "attach", "repeat_days"):
            if getattr(step, key):
                table.wrong("playbook_not_for_people", key, channel=step.channel)
        return
    for channel in step.fallback:
        if channel in (CALL, TASK):
            table.wrong("playbook_fallback_not_written", "fallback", channel=channel)
        if channel == step.channel:
            table.wrong("playbook_value_twice", "fallback", key="channel, fallback", value=channel)


def _check_purpose(table: Section, step: Step) -> None:
    if table.is_wrong("purpose") or table.is_wrong("track"):
        return
    fits = {
        SOON: (REMINDER, "documents"),
        OVERDUE: (REMINDER, "documents", "formal_notice"),
        THANKS: (THANKS,),
    }.get(step.track, PURPOSES)
    # "purpose" may be left out: thanks are thanks.
    if step.track == THANKS and "purpose" not in table.data:
        table.wrong("playbook_key_missing", "purpose")
    elif step.purpose not in fits:
        known = ", ".join(fits)
        table.wrong("playbook_purpose_track", "purpose", purpose=step.purpose, track=step.track, known=known)


def _check_codes(read_steps: Sequence[tuple[Section, Step]]) -> None:
    seen: dict[str, int] = {}
    for place, (table, step) in enumerate(read_steps, start=1):
        if not step.code:
            continue
        if step.code in seen:
            table.wrong("playbook_step_twice", "code", code=step.code, first=seen[step.code], second=place)
        seen.setdefault(step.code, place)


def _check_ladder(top: Section, read_steps: Sequence[tuple[Section, Step]]) -> None:
    """Levels are climbed one at a time, so none may be left out."""
    if any(table.is_wrong("level") or table.is_wrong("track") for table, _ in read_steps):
        return
    levels = {step.level for _, step in read_steps if step.track == OVERDUE}
    highest = max(levels, default=0)
    missing = [level for level in range(1, highest) if level not in levels]
    if missing:
        top.wrong("playbook_level_missing", "step", levels=", ".join(map(str, missing)), highest=highest)


@cache
def shipped() -> Mapping[str, str]:
    """The playbooks that come with Saldo: code -> TOML, in their order."""
    folder = files("saldo.core").joinpath("playbooks")
    texts = [each.read_text(encoding="utf-8") for each in folder.iterdir() if each.name.endswith(".toml")]
    found = [(parse(text), text) for text in texts]
    return {p.code: text for p, text in sorted(found, key=lambda pair: (pair[0].order, pair[0].code))}


# -- rendering --


def render(playbook: Playbook) -> str:
    """The playbook as TOML, keys in the order of the documentation, what is left at its default left out."""
    parts = [
        _pairs({"code": playbook.code, "order": playbook.order}),
        _table("title", dict(playbook.title)),
        _table("note", dict(playbook.note)) if playbook.note else "",
        _table("segment", {"code": playbook.segment.code}),
        _table("segment.title", dict(playbook.segment.title)),
        _table("segment.when", _told_when(playbook.segment.when))
        if not playbook.segment.when.is_empty
        else "",
        *(step_text(step) for step in playbook.steps),
    ]
    return "\n".join(part for part in parts if part)


def step_text(step: Step) -> str:
    """One step as TOML, with its arms."""
    told: dict[str, Any] = {
        "code": step.code,
        "track": step.track,
        "level": step.level,
        "day": step.day,
        "until_day": step.until_day,
        "wait_days": step.wait_days or None,
        "after": step.after or None,
        "channel": step.channel,
        "fallback": step.fallback or None,
        "template": step.template or None,
        "tone": step.tone,
        "purpose": step.purpose,
        "mode": step.mode,
        "owner": step.owner,
        "min_amount": _amount(step.min_amount_mills or None),
        "min_share": Decimal(repr(step.min_share)) if step.min_share else None,
        "repeat_days": step.repeat_days or None,
        "attach": step.attach or None,
    }
    tables = [f"[[step]]\n{_pairs(told)}"]
    if not step.when.is_empty:
        tables.append(_table("step.when", _told_when(step.when)))
    tables += [_table(name, values) for arm in step.arms for name, values in arm_tables(arm)]
    return "\n".join(tables)


def step_of(text: str) -> Step:
    """The step of a text that ``step_text`` made."""
    data = tomllib.loads(text, parse_float=_exact)
    return _step(Section(data["step"][0], Sheet(lines_of(text)), "step", "", 1))


def _told_when(when: When) -> dict[str, Any]:
    return {
        "classes": when.classes or None,
        "countries": when.countries or None,
        "segments": when.segments or None,
        "min_open": _amount(when.min_open_mills),
        "max_open": _amount(when.max_open_mills),
        "min_known_days": when.min_known_days,
        "max_known_days": when.max_known_days,
        "min_late_days": when.min_late_days,
        "max_late_days": when.max_late_days,
        "promise": when.promise or None,
        "dispute": when.dispute or None,
        "plan": when.plan or None,
        "delay_reasons": when.delay_reasons or None,
    }


def _amount(mills: int | None) -> str | None:
    return None if mills is None else decimal_text(mills, "EUR")


def _table(name: str, values: Mapping[str, Any]) -> str:
    return f"[{name}]\n{_pairs(values)}"


def _pairs(values: Mapping[str, Any]) -> str:
    return "".join(f"{key} = {_value(value)}\n" for key, value in values.items() if value is not None)


def _value(value: Any) -> str:
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, Decimal):
        text = f"{value:f}"
        return text if "." in text else f"{text}.0"
    return str(value)


def _quoted(text: str) -> str:
    escapes = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}
    return '"' + "".join(escapes.get(c) or (c if c.isprintable() else f"\\U{ord(c):08x}") for c in text) + '"'
