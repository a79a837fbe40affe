"""The hand-written replies, and the simulated world's phrasings written out as replies.

Splits are by whole families of replies (an author's style) and by whole phrasings, never by single replies:
what is measured on held-out ones has not been seen in other words of the same hand.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache
from importlib.resources import files
from typing import Any

from saldo.simulation.draws import Draws
from saldo.simulation.files.replies import Said, reply_text

_DAY = date(2026, 3, 11)
# Every so many-th phrasing of a kind and language is held out.
_HELD_OUT_EVERY = 4
_SEED = 20260311
LETTERS = (
    "hand_written.txt", "hand_written_more.txt", "hand_written_italian.txt", "hand_written_english.txt",
)  # fmt: skip
_TIMES = 4  # a phrasing is written out so often, with other days, names and surroundings
LABEL_OF_KIND = {
    "promise": "promise", "plan_accepted": "promise", "already_paid": "paid", "dispute": "dispute",
    "question": "question", "out_of_office": "out_of_office", "wrong_person": "wrong_contact",
    "angry": "angry",
}  # fmt: skip
# What the reasons of the world's disputes are called in disputes.models.Dispute.Reason.
REASONS_OF_WORLD = {
    "missing_pod": ("delivery", "missing_document", "quantity"), "price": ("price",),
    "quality": ("quality", "return"),
    "discount_taken": ("price",),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Example:
    """A reply and what it means. facts: promised (day), amount (mills), back, paid (days), reasons; None: not
    told."""

    text: str
    label: str
    language: str
    day: date
    family: str
    facts: dict[str, Any] | None = field(default_factory=dict)


def hand_written() -> list[Example]:
    """What is learnt from: letters, by several writers, and lines of one sentence."""
    letters = [example for name in LETTERS for example in _read(name)]
    return letters + _lines("one_liners.txt")


def held_out() -> list[Example]:
    """Families of replies that nothing was learnt from; the cues were written after them."""
    return _read("held_out.txt")


def held_out_later() -> list[Example]:
    """Held-out replies that were written last, after the cues, the lessons and the model."""
    return _read("held_out_later.txt")


def _read(name: str) -> list[Example]:
    text = files("saldo.simulation.replies").joinpath(name).read_text(encoding="utf-8")
    found: list[Example] = []
    family, language, family_day = "", "it", _DAY
    for block in re.split(r"^(?=[@=])", text, flags=re.M):
        head, _, body = block.partition("\n")
        words = head.split()
        options = dict(word.split("=", 1) for word in words[1:] if "=" in word and word[0] != "=")
        day = date.fromisoformat(options["day"]) if "day" in options else _DAY
        if head.startswith("== "):
            family, language, family_day = words[1], words[2], day
        elif head.startswith("@"):
            said = day if "day" in options else family_day
            found.append(
                Example(
                    body.strip(), head[1:].split()[0], language, said, f"{family}-{language}", _facts(options)
                )
            )
    return found


def _lines(name: str) -> list[Example]:
    text = files("saldo.simulation.replies").joinpath(name).read_text(encoding="utf-8")
    found: list[Example] = []
    family, language, label = "", "it", ""
    for line in text.splitlines():
        if line.startswith("== "):
            _, family, language = line.split()
        elif line.startswith("@@"):
            label = line[2:].strip()
        elif line and label:
            # No family of its own: every so many-th line is in the same fold.
            found.append(Example(line, label, language, _DAY, f"{family}-{len(found) % 5}", None))
    return found


def _facts(options: dict[str, str]) -> dict[str, Any]:
    names = {"d": "promised", "back": "back", "paid": "paid"}
    facts: dict[str, Any] = {
        name: date.fromisoformat(options[key]) for key, name in names.items() if key in options
    }
    if "a" in options:
        facts["amount"] = round(float(options["a"]) * 1000)
    if "r" in options:
        facts["reasons"] = (options["r"],)
    return facts


def held_out_blind() -> list[Example]:
    """Held-out replies by a writer who had seen neither the lessons nor the other sets nor the model."""
    return _read("held_out_blind.txt")


# -- the world's -----------------------------------------------------------------------------------------


@cache
def _world_words() -> dict[str, Any]:
    text = files("saldo.simulation.files").joinpath("replies.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def world(is_held_out: bool, times: int = _TIMES) -> list[Example]:
    """The world's phrasings, each written out ``times`` times: those to learn from, or those held out."""
    draws = Draws(_SEED)
    found: list[Example] = []
    identity = 0
    for language in ("it", "en"):
        words = _world_words()[language]
        kinds = [(kind, None, phrasings) for kind, phrasings in words["kinds"].items()]
        kinds += [("dispute", reason, phrasings) for reason, phrasings in words["disputes"].items()]
        for kind, reason, phrasings in kinds:
            for place, phrasing in enumerate(phrasings):
                for _ in range(times):
                    identity += 1
                    if (place % _HELD_OUT_EVERY == 1) == is_held_out:
                        found.append(_written_out(draws, identity, language, kind, reason, phrasing))
    return found


def _written_out(
    draws: Draws, identity: int, language: str, kind: str, reason: str | None, phrasing: str
) -> Example:
    whole = lambda purpose, low, high: int(draws.whole(f"corpus/{purpose}", low, high, identity).item())  # noqa: E731
    today = date(2025, 1, 7) + timedelta(days=whole("day", 0, 700))
    ahead = today + timedelta(days=whole("ahead", 0, 45))
    count = 1 if "{invoice}" in phrasing else whole("count", 1, 3)
    documents = tuple(f"{whole(f'number{at}', 3, 4000)}/{today.year}" for at in range(count))
    owed = 100 * whole("owed", 80, 30_000)
    names_amount = "{amount}" in phrasing
    promised = kind in ("promise", "plan_accepted") and "{when}" in phrasing
    cents = 0
    if names_amount:
        cents = owed if whole("all", 0, 2) == 0 else 100 * whole("part", 40, max(40, owed // 100))
    said = Said(
        identity, kind, language, today, ahead if promised else None, cents or None, owed, reason,
        ahead if kind == "out_of_office" else None, documents, "Anna Valli", "Valli Srl", "valli.example",
        "Aurelia Forniture Srl", "Marta Riva" if kind == "wrong_person" else "",
    )  # fmt: skip
    facts: dict[str, Any] = {}
    if promised:
        facts["promised"] = ahead
    if names_amount:
        facts["amount"] = cents * 10
    if kind == "out_of_office":
        facts["back"] = ahead
    if reason:
        facts["reasons"] = REASONS_OF_WORLD[reason]
    text = reply_text(draws, said, [phrasing])
    return Example(text, LABEL_OF_KIND[kind], language, today, f"world-{phrasing}", facts)
