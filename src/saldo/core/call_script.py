"""The script of a call, from the facts of an account: what was said last time, what to ask, what to propose.

``build`` decides, as docs/rules/calls.md says; the words are in core.call_words. Nothing is asked that is
promised, disputed, held or perhaps paid, and nothing the customer has asked not to be asked again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from saldo.core.calendar import next_business_day

# A day is proposed when the customer names none, this many days ahead and never a holiday.
PROPOSED_DAYS = 7
# So many invoices are named; more nobody follows by telephone.
NAMED_ITEMS = 3
# From this level of promise on, another one is worth nothing without a plan.
PLAN_LEVEL = 2
# A habit of answering is told from so many tries in a part of the day, and this much better than the rest.
TRIES = 3
BETTER = 1.5
OPEN_STATES = frozenset({"open"})
BROKEN_STATES = frozenset({"broken", "partially_kept"})


@dataclass(frozen=True, slots=True)
class Line:
    """One sentence of the script, as code and facts (core.call_words has the words)."""

    code: str
    params: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OpenItem:
    """An overdue or open invoice. asked_mills: what of it may be asked today."""

    number: str
    due_date: date
    days: int
    balance_mills: int
    asked_mills: int


@dataclass(frozen=True, slots=True)
class Promised:
    """A promise as it is judged: left_mills is what is still owed of it."""

    day: date
    mills: int
    left_mills: int
    state: str
    level: int


@dataclass(frozen=True, slots=True)
class Said:
    """What a person recorded last: result "" where only a note was kept."""

    on: date
    actor: str
    result: str
    note: str


@dataclass(frozen=True, slots=True)
class CallFacts:
    """What is known of one account in one currency on the day of the call.

    left_out: {codes: mills} of what is due and must not be asked, by all that keeps it back (promised,
    disputed, planned, held, in_flight, cash_first). plan: (day, mills) of installments that its cash would
    bear. answered: {part of the day: (answered, tried)}. wishes: what the customer asked not to be asked, in
    its words. call_code, call_hours: a preference that speaks against calling now.
    """

    as_of: date
    currency: str
    items: Sequence[OpenItem] = ()
    left_out: Mapping[tuple[str, ...], int] = field(default_factory=dict)
    promises: Sequence[Promised] = ()
    said: Said | None = None
    delay_reason: str = ""
    has_claim: bool = False
    credits_mills: int = 0
    plan: Sequence[tuple[date, int]] = ()
    answered: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    wishes: Sequence[str] = ()
    call_code: str = ""
    call_hours: str = ""
    may_record: bool = False


@dataclass(frozen=True, slots=True)
class Script:
    """Sentences by their place in the call. mind: what to know before dialing."""

    mind: tuple[Line, ...]
    last: tuple[Line, ...]
    ask: tuple[Line, ...]
    propose: tuple[Line, ...]


def build(facts: CallFacts) -> Script:
    return Script(tuple(_mind(facts)), tuple(_last(facts)), tuple(_ask(facts)), tuple(_propose(facts)))


def asked_mills(facts: CallFacts) -> int:
    """What is overdue and may be asked for."""
    return sum(item.asked_mills for item in facts.items if item.days > 0)


def _mind(facts: CallFacts) -> list[Line]:
    lines = []
    if facts.call_code:
        lines.append(Line(f"call_mind_{facts.call_code}", {"hours": facts.call_hours}))
    lines += [Line("call_mind_wish", {"text": text}) for text in facts.wishes]
    if part := _best_part(facts.answered):
        answered, tried = facts.answered[part]
        lines.append(Line("call_mind_answers", {"part": part, "answered": answered, "tried": tried}))
    lines.append(Line("call_mind_record" if facts.may_record else "call_mind_no_record"))
    return lines


def _best_part(answered: Mapping[str, tuple[int, int]]) -> str:
    """The part of the day in which the customer clearly answers more often, if there is one."""
    rates = {part: done / tried for part, (done, tried) in answered.items() if tried >= TRIES}
    if len(rates) < 2:
        return ""
    best = max(rates, key=lambda part: (rates[part], part))
    others = max(rate for part, rate in rates.items() if part != best)
    return best if rates[best] > 0 and rates[best] >= others * BETTER else ""


def _last(facts: CallFacts) -> list[Line]:
    lines = []
    if facts.said is not None:
        said = facts.said
        told = {"on": said.on.isoformat(), "actor": said.actor, "result": said.result, "note": said.note}
        lines.append(Line("call_last_said", told))
    newest = next((one for one in facts.promises if one.state in OPEN_STATES | BROKEN_STATES), None)
    if newest is not None:
        lines.append(Line(f"call_last_promise_{newest.state}", _promise(newest, facts.currency)))
    if facts.delay_reason:
        lines.append(Line("call_last_reason", {"reason": facts.delay_reason}))
    return lines


def _promise(one: Promised, currency: str) -> dict[str, Any]:
    return {
        "day": one.day.isoformat(), "mills": one.mills, "left_mills": one.left_mills, "level": one.level,
        "currency": currency,
    }  # fmt: skip


def _ask(facts: CallFacts) -> list[Line]:
    late = [item for item in facts.items if item.days > 0]
    asked = [item for item in late if item.asked_mills > 0]
    lines = []
    total = asked_mills(facts)
    if total:
        oldest = max(item.days for item in asked)
        told = {"mills": total, "currency": facts.currency, "count": len(asked), "days": oldest}
        lines.append(Line("call_ask_overdue", told))
        if len(asked) > 1:
            named = sorted(asked, key=lambda item: (-item.asked_mills, item.due_date, item.number))
            lines.append(Line("call_ask_items", {
                "items": [_named(item) for item in named[:NAMED_ITEMS]], "currency": facts.currency,
                "more": max(0, len(named) - NAMED_ITEMS),
            }))  # fmt: skip
    elif late:
        lines.append(Line("call_ask_nothing"))
    elif facts.items:
        first = min(facts.items, key=lambda item: (item.due_date, -item.balance_mills))
        told = {"mills": sum(item.asked_mills for item in facts.items), "currency": facts.currency,
                "due_date": first.due_date.isoformat()}  # fmt: skip
        lines.append(Line("call_ask_courtesy", told))
    else:
        lines.append(Line("call_ask_settled"))
    for codes, mills in sorted(facts.left_out.items()):
        if mills:
            told = {"why": list(codes), "mills": mills, "currency": facts.currency}
            lines.append(Line("call_ask_not", told))
    return lines


def _named(item: OpenItem) -> dict[str, Any]:
    return {"number": item.number, "mills": item.asked_mills, "days": item.days}


def may_need_plan(delay_reason: str, promises: Sequence[Promised]) -> bool:
    """Short of cash, or promising in vain for the second time: another day is worth nothing."""
    return delay_reason == "cash" or _broken_level(promises) >= PLAN_LEVEL


def _broken_level(promises: Sequence[Promised]) -> int:
    return max((one.level for one in promises if one.state in BROKEN_STATES), default=0)


def _propose(facts: CallFacts) -> list[Line]:
    total = asked_mills(facts)
    lines = []
    if facts.has_claim or any("cash_first" in codes for codes in facts.left_out):
        lines.append(Line("call_propose_proof"))
    if facts.credits_mills:
        lines.append(Line("call_propose_credits", {"mills": facts.credits_mills, "currency": facts.currency}))
    if not total:
        return lines
    broken = _broken_level(facts.promises)
    day = next_business_day(facts.as_of + timedelta(days=PROPOSED_DAYS))
    by = {"day": day.isoformat(), "mills": total, "currency": facts.currency}
    if may_need_plan(facts.delay_reason, facts.promises):
        lines.append(_plan(facts, total))
    elif broken:
        lines.append(Line("call_propose_today", by))
    elif facts.delay_reason in _OF_REASON:
        lines.append(Line(_OF_REASON[facts.delay_reason], by))
    lines.append(Line("call_propose_day", by))
    return lines


_OF_REASON: Mapping[str, str] = {
    "missing_document": "call_propose_copies", "approval": "call_propose_approver",
    "process": "call_propose_approver", "absence": "call_propose_substitute",
    "forgotten": "call_propose_today", "dispute": "call_propose_rest", "bank": "call_propose_details",
}  # fmt: skip


def _plan(facts: CallFacts, total: int) -> Line:
    told: dict[str, Any] = {"mills": total, "currency": facts.currency}
    if len(facts.plan) < 2:
        return Line("call_propose_plan_open", told)
    first_day, first_mills = facts.plan[0]
    told |= {"months": len(facts.plan), "each_mills": first_mills, "day": first_day.isoformat()}
    return Line("call_propose_plan", told)
