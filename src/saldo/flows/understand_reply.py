"""What a reply says, put beside what its account owes: the reading that is kept, and what follows from it.

read        the classifier's reading of a reply, kept with its model
propose     the act that answers it, its fields filled in as far as they are sure
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from saldo.analytics import replies as analysis
from saldo.core.context import Context
from saldo.core.money import to_mills
from saldo.ledger.statement import ItemRow, open_items
from saldo.outreach import reply_changes
from saldo.outreach.models import Message, MessageItem
from saldo.outreach.replies import ReplyRow

PROMISE, DISPUTE, PAID_CLAIM, HOLD, QUESTION, WRONG_CONTACT, OPT_OUT, COMPLAINT, ANSWERED, NOTHING = (
    "promise", "dispute", "paid_claim", "hold", "question", "wrong_contact", "opt_out", "complaint",
    "answered", "nothing",
)  # fmt: skip
ACTS = (
    PROMISE, DISPUTE, PAID_CLAIM, HOLD, QUESTION, WRONG_CONTACT, OPT_OUT, COMPLAINT, ANSWERED, NOTHING,
)  # fmt: skip
_ACT_OF = {
    "promise": PROMISE, "dispute": DISPUTE, "paid": PAID_CLAIM, "question": QUESTION, "out_of_office": HOLD,
    "wrong_contact": WRONG_CONTACT, "opt_out": OPT_OUT, "angry": COMPLAINT,
}  # fmt: skip
HIGH, MIDDLE, LOW = "high", "middle", "low"
# A pause after angry words, and for an absence that names no day of return.
PAUSE_DAYS = 7
# Nobody is away for longer without a colleague: the account is not left alone until then.
MAX_ABSENCE_DAYS = 21
# More items than this are not searched for in a reply.
MAX_ITEMS = 400
LEGAL_ZONE = ZoneInfo("Europe/Rome")
_DATES = ("promised_date", "return_date", "paid_date")
_PLAIN = ("amount_mills", "disputed_mills", "paid_mills", "payment_ref", "contact")
_FLAGS = ("is_all", "is_part", "is_conditional", "is_plan", "wants_no_more", "is_legal", "is_insolvent")


@dataclass(frozen=True, slots=True)
class Proposal:
    """What would answer a reply. act: "" where nothing is proposed. fields: as ``confirm`` takes them.

    zone: high (filled in), middle (proposed, not chosen) or low (the inbox alone). one_key: it may be
    confirmed as it stands. why: [{code, params}]: the reading's reasons, then what holds it back.
    """

    reply_id: int
    act: str
    fields: dict[str, Any]
    label: str
    confidence: float
    zone: str
    one_key: bool
    is_filled: bool
    why: tuple[dict[str, Any], ...] = ()

    def as_json(self) -> dict[str, Any]:
        told = {
            name: value.isoformat() if isinstance(value, date) else value
            for name, value in self.fields.items()
        }
        return {
            "reply": self.reply_id, "act": self.act, "fields": told, "label": self.label,
            "confidence": round(self.confidence, 4), "zone": self.zone, "one_key": self.one_key,
            "is_filled": self.is_filled, "why": list(self.why),
        }  # fmt: skip


@dataclass(slots=True)
class _Filled:
    """Fields as far as they are known, and what is missing or speaks against one key."""

    fields: dict[str, Any] = field(default_factory=dict)
    obstacles: list[dict[str, Any]] = field(default_factory=list)
    is_complete: bool = True

    def lacks(self, code: str, **params: Any) -> None:
        self.obstacles.append({"code": code, "params": params})
        self.is_complete = False


# -- reading -----------------------------------------------------------------------------------------------


def read(ctx: Context, row: ReplyRow) -> dict[str, Any]:
    """Ask the classifier and keep its reading; returns the facts as kept, with label and confidence."""
    items = _owed(ctx, row)
    day = row.received_at.astimezone(LEGAL_ZONE).date()
    owed = [
        analysis.Owed(
            item.number, to_mills(item.balance), item.due_date or item.effective_date, item.currency
        )
        for item in items
    ]
    understood = analysis.classify(row.text, row.subject, _language(row), day, owed)
    facts = _facts(understood, items)
    reasons = [dict(reason) for reason in understood.reasons]
    reply_changes.add_reading(
        ctx, row.id, understood.label, understood.confidence, facts, reasons, understood.model
    )
    return facts | {"label": understood.label, "confidence": understood.confidence}


def _owed(ctx: Context, row: ReplyRow) -> list[ItemRow]:
    """What the account owes: first what our message asked for, then the rest by due date."""
    if row.account_id is None:
        return []
    owed = [item for item in open_items(ctx, row.account_id) if item.balance > 0]
    asked = _asked(row)
    owed.sort(key=lambda item: (item.id not in asked, item.due_date or item.effective_date, item.id))
    return owed[:MAX_ITEMS]


def _asked(row: ReplyRow) -> set[int]:
    if row.message_id is None:
        return set()
    return set(MessageItem.objects.filter(message_id=row.message_id).values_list("item_id", flat=True))


def _language(row: ReplyRow) -> str:
    if row.message_id is None:
        return ""
    return Message.objects.values_list("language", flat=True).get(id=row.message_id)


def _facts(understood: Any, items: Sequence[ItemRow]) -> dict[str, Any]:
    """The facts as they are kept: dates ISO, amounts in mills, items by their ids."""
    found = understood.facts
    told: dict[str, Any] = {"zone": understood.zone, "language": understood.language}
    sure = []
    for name in (*_DATES, *_PLAIN, "dispute_reason", "items"):
        fact = getattr(found, name)
        if fact is None:
            continue
        key = "reason" if name == "dispute_reason" else name
        value = fact.value
        if name == "items":
            value = [items[place].id for place in value if place < len(items)]
        told[key] = value.isoformat() if isinstance(value, date) else value
        if fact.confidence >= analysis.SURE:
            sure.append(key)
    told |= {name: True for name in _FLAGS if getattr(found, name)}
    if found.currency:
        told["currency"] = found.currency
    if found.parts:
        told["parts"] = [[day.isoformat() if day else None, mills] for day, mills in found.parts]
    return told | {"sure": sure}


# -- proposing ---------------------------------------------------------------------------------------------


def proposal_of(ctx: Context, row: ReplyRow, reasons: Sequence[dict[str, Any]]) -> Proposal:
    """From the reading as it was kept; ``ctx`` tells the day on which it would be confirmed."""
    zone = str(row.facts.get("zone") or LOW)
    act = _ACT_OF.get(row.label, "") if zone != LOW else ""
    made = Proposal(
        row.id, act, {}, row.label, row.confidence or 0.0, zone, one_key=False, is_filled=False,
        why=tuple(reasons),
    )  # fmt: skip
    flags = [_told(f"reply_{name.removeprefix('is_')}") for name in _WARNED if row.facts.get(name)]
    why = [*reasons, *flags]
    if row.account_id is None:
        return replace(made, act="", zone=LOW, why=(*why, *row.notes))
    if not row.is_trusted:
        return replace(made, zone=LOW, why=(*why, _told("reply_not_trusted"), *row.notes))
    if not act:
        return replace(made, why=tuple(why))
    filled = _FILL[act](ctx, row)
    one_key = zone == HIGH and filled.is_complete and act != QUESTION
    return replace(
        made, fields=filled.fields, one_key=one_key, is_filled=filled.is_complete and act != QUESTION,
        why=(*why, *filled.obstacles),
    )  # fmt: skip


_WARNED = ("is_legal", "is_insolvent", "wants_no_more")


def _told(code: str, **params: Any) -> dict[str, Any]:
    return {"code": code, "params": params}


def _day(row: ReplyRow, name: str) -> date | None:
    told = row.facts.get(name)
    return date.fromisoformat(told) if told else None


def _is_sure(row: ReplyRow, *names: str) -> bool:
    sure = row.facts.get("sure") or ()
    return all(name in sure for name in names if row.facts.get(name) is not None)


def _named(row: ReplyRow, owed: Sequence[ItemRow]) -> list[int]:
    """Items that the reply names and that are still open."""
    there = {item.id for item in owed}
    return [item_id for item_id in row.facts.get("items") or () if item_id in there]


def _meant(row: ReplyRow, owed: Sequence[ItemRow]) -> list[int]:
    """Items that the reply names, else those that our message asked for."""
    asked = _asked(row)
    return _named(row, owed) or [item.id for item in owed if item.id in asked]


def _sums_up(owed: Sequence[ItemRow], item_ids: Sequence[int], mills: int | None) -> bool:
    """Whether the amount is just what the items come to: then each speaks for the other."""
    return mills is not None and mills == sum(
        to_mills(one.balance) for one in owed if one.id in set(item_ids)
    )


def _mills(row: ReplyRow, owed: Sequence[ItemRow], name: str, filled: _Filled) -> int | None:
    """An amount that the reply states; none where it is in a currency that the account does not owe."""
    mills = row.facts.get(name)
    currency = row.facts.get("currency")
    if mills is not None and currency and currency not in {item.currency for item in owed}:
        filled.lacks("reply_other_currency", currency=currency)
        return None
    return mills


def _promise(ctx: Context, row: ReplyRow) -> _Filled:
    filled, owed = _Filled(), _owed(ctx, row)
    day = _day(row, "promised_date")
    amount = None if row.facts.get("is_all") else _mills(row, owed, "amount_mills", filled)
    filled.fields = {"promised_date": day, "amount_mills": amount, "item_ids": _named(row, owed)}
    if not owed:
        filled.lacks("reply_nothing_owed")
    sums_up = _sums_up(owed, filled.fields["item_ids"], amount)
    if day is None or not _is_sure(row, "promised_date", "items", *(() if sums_up else ("amount_mills",))):
        filled.lacks("reply_no_facts")
    elif day < ctx.as_of:
        filled.lacks("reply_date_passed", date=day.isoformat())
        filled.fields["promised_date"] = None
    if row.facts.get("is_conditional"):
        filled.lacks("reply_conditional")
    if row.facts.get("is_plan") or len(row.facts.get("parts") or ()) > 1:
        filled.lacks("reply_plan")
    return filled


def _dispute(ctx: Context, row: ReplyRow) -> _Filled:
    filled, owed = _Filled(), _owed(ctx, row)
    items = _meant(row, owed)
    reason = row.facts.get("reason") or "other"
    amount = _mills(row, owed, "disputed_mills", filled)
    filled.fields = {"item_ids": items, "reason": reason, "amount_mills": amount}
    if not items or not _is_sure(row, "items", "reason", "disputed_mills"):
        filled.lacks("reply_no_facts" if owed else "reply_nothing_owed")
    return filled


def _paid(ctx: Context, row: ReplyRow) -> _Filled:
    filled, owed = _Filled(), _owed(ctx, row)
    day = _day(row, "paid_date")
    filled.fields = {
        "item_ids": _meant(row, owed),
        "amount_mills": _mills(row, owed, "paid_mills", filled),
        "paid_date": day if day is None or day <= ctx.as_of else None,
    }
    sums_up = _sums_up(owed, filled.fields["item_ids"], filled.fields["amount_mills"])
    if not owed:
        filled.lacks("reply_nothing_owed")
    elif not _is_sure(row, "items", "paid_date", *(() if sums_up else ("paid_mills",))):
        filled.lacks("reply_no_facts")
    return filled


def _absent(ctx: Context, row: ReplyRow) -> _Filled:
    return _Filled({"until_date": absence_end(ctx, row), "reason": "out_of_office"})


def absence_end(ctx: Context, row: ReplyRow) -> date:
    """The day before the return, within bounds; some days from now where none is told."""
    back = _day(row, "return_date")
    if back is None or back <= ctx.as_of:
        return ctx.as_of + timedelta(days=PAUSE_DAYS)
    return min(back - timedelta(days=1), ctx.as_of + timedelta(days=MAX_ABSENCE_DAYS))


def _address(ctx: Context, row: ReplyRow) -> _Filled:
    """The address that our message went to, else the one that answered; whom to write to instead, if told."""
    told = row.facts.get("contact") if row.label == "wrong_contact" else None
    return _Filled({"address": address_of(row)} | ({"new_address": told} if told else {}))


def address_of(row: ReplyRow) -> str:
    if row.message_id is not None:
        written = Message.objects.values_list("to_address", flat=True).get(id=row.message_id)
        if written:
            return written.lower()
    return row.from_address


def _angry(ctx: Context, row: ReplyRow) -> _Filled:
    return _Filled({"until_date": ctx.as_of + timedelta(days=PAUSE_DAYS)})


_FILL = {
    PROMISE: _promise, DISPUTE: _dispute, PAID_CLAIM: _paid, HOLD: _absent, WRONG_CONTACT: _address,
    OPT_OUT: _address, COMPLAINT: _angry, QUESTION: lambda ctx, row: _Filled(),
}  # fmt: skip
