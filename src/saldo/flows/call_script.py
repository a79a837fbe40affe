"""The script of a call: the facts of one account put together, for core.call_script to decide."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime

from saldo.cash.claims import claims_of
from saldo.collection.queries import NOTE, OutcomeRow, outcomes_of
from saldo.core.call_script import (
    CallFacts,
    OpenItem,
    Promised,
    Said,
    Script,
    build,
    may_need_plan,
)
from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.core.money import to_mills
from saldo.core.outcomes import NO_ANSWER, PHONE, SPOKEN
from saldo.core.preferences import DO_NOT_ASK, call_advice
from saldo.flows.judged_promises import promises_of
from saldo.flows.plan_outreach import askable_now
from saldo.ledger.statement import UNAPPLIED_KIND, ItemRow, open_items
from saldo.parties.preferences import PreferenceRow, preferences_of
from saldo.parties.queries import LEGAL_ZONE, account_header
from saldo.parties.stops import RECORDING, consenting
from saldo.promises.plans import propose

NOON = 13
OPEN = "open"


def script(ctx: Context, account_id: int, currency: str = "", contact_id: int | None = None) -> Script:
    """What to say to the account today, about its items in a currency (default: that of the company).

    contact_id: whom the call is to, for consents. Raises SaldoError("account_unknown").
    """
    header = account_header(ctx, account_id)
    if header is None:
        raise SaldoError("account_unknown", account=account_id)
    return build(
        call_facts(ctx.within(header.company_id), account_id, currency or header.currency, contact_id)
    )


def call_facts(ctx: Context, account_id: int, currency: str, contact_id: int | None = None) -> CallFacts:
    """The facts of an account that the actor sees; ``ctx`` is limited to its company."""
    items = [item for item in open_items(ctx, account_id) if item.currency == currency]
    debits = [item for item in items if item.balance > 0]
    askable = askable_now(ctx, [account_id])
    asked = dict(askable.select("item_id", "asked_mills").iter_rows())
    codes = dict(askable.select("item_id", "codes").iter_rows())
    outcomes = standing(outcomes_of(account_id))
    wishes = preferences_of(ctx, account_id)
    pairs = [(wish.kind, wish.value) for wish in wishes if wish.contact_id in (None, contact_id)]
    advice = call_advice(pairs, ctx.clock().astimezone(LEGAL_ZONE))
    promises = [
        Promised(one.promised_date, to_mills(one.amount), to_mills(one.remaining), one.state, one.level)
        for one in promises_of(ctx, account_id)
        if one.currency == currency and not one.ended
    ]
    reason = next((one.delay_reason for one in outcomes if one.delay_reason), "")
    return CallFacts(
        as_of=ctx.as_of,
        currency=currency,
        items=[_item(item, asked.get(item.id, 0)) for item in debits],
        left_out=_left_out(debits, asked, codes),
        promises=promises,
        said=_said(outcomes),
        delay_reason=reason,
        has_claim=any(one.state == OPEN and one.currency == currency for one in claims_of(ctx, account_id)),
        credits_mills=sum(
            to_mills(-item.balance) for item in items if item.balance < 0 and item.kind == UNAPPLIED_KIND
        ),
        plan=_plan(ctx, account_id, currency, reason, promises),
        answered=_answered(outcomes),
        wishes=tuple(_wish(wish) for wish in wishes if wish.kind == DO_NOT_ASK),
        call_code="" if advice.may_call else advice.code,
        call_hours=advice.hours,
        may_record=contact_id is not None and contact_id in consenting(account_id, RECORDING),
    )


def standing(outcomes: Sequence[OutcomeRow]) -> list[OutcomeRow]:
    """Outcomes that were not taken back, newest first."""
    undone = {one.data["undoes"] for one in outcomes if "undoes" in one.data}
    return [one for one in outcomes if one.id not in undone and "undoes" not in one.data]


def _item(item: ItemRow, asked_mills: int) -> OpenItem:
    due = item.due_date or item.effective_date
    return OpenItem(item.number, due, item.late_days, to_mills(item.balance), asked_mills)


def _left_out(
    debits: Sequence[ItemRow], asked: dict[int, int], codes: dict[int, list[str]]
) -> dict[tuple[str, ...], int]:
    """What is due and may not be asked, by its reasons."""
    found: Counter[tuple[str, ...]] = Counter()
    for item in debits:
        kept_back = to_mills(item.balance) - asked.get(item.id, 0)
        if item.late_days > 0 and kept_back > 0 and codes.get(item.id):
            found[tuple(sorted(codes[item.id]))] += kept_back
    return dict(found)


def _said(outcomes: Sequence[OutcomeRow]) -> Said | None:
    """The last time that somebody was spoken with, else the last note."""
    spoken = next((one for one in outcomes if one.result in SPOKEN), None)
    told = spoken or next((one for one in outcomes if one.note), None)
    if told is None:
        return None
    return Said(told.as_of, told.actor, told.result if spoken or told.state != NOTE else "", told.note)


def _answered(outcomes: Sequence[OutcomeRow]) -> dict[str, tuple[int, int]]:
    """{part of the day: (answered, tried)} of the calls whose result was recorded."""
    tried: Counter[str] = Counter()
    answered: Counter[str] = Counter()
    for one in outcomes:
        if one.channel == PHONE and (one.result in SPOKEN or one.result == NO_ANSWER):
            part = _part(one.recorded_at)
            tried[part] += 1
            answered[part] += one.result in SPOKEN
    return {part: (answered[part], count) for part, count in tried.items()}


def _part(instant: datetime) -> str:
    return "morning" if instant.astimezone(LEGAL_ZONE).hour < NOON else "afternoon"


def _wish(wish: PreferenceRow) -> str:
    return wish.value or wish.note


def _plan(
    ctx: Context, account_id: int, currency: str, reason: str, promises: Sequence[Promised]
) -> tuple[tuple[date, int], ...]:
    """The installments that the account's cash would bear, where the script may propose a plan."""
    if not may_need_plan(reason, promises):
        return ()
    try:
        return tuple(propose(ctx, account_id, currency).found.installments)
    except SaldoError:
        return ()
