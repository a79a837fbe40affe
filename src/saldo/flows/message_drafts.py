"""From what was decided to the words: actions of a playbook with the facts of the moment become drafts.

Nothing is written here. What is asked is asked anew: an item of which less may be asked now than when the day
was planned is asked for less, one of which nothing may be asked is left out, and where what the step was for
is gone the action is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import lru_cache
from typing import Any

import polars as pl

from saldo.analytics.askable import ITEMS, left_out
from saldo.collection.levels import CHOSEN, known_items
from saldo.collection.models import PlaybookAction
from saldo.collection.playbooks import playbook_of
from saldo.core.addresses import is_usable
from saldo.core.context import Context
from saldo.core.message_facts import CREDIT_NOTE, SOON_DAYS, LeftOut, Line, MessageFacts, Receiver, Sender
from saldo.core.message_left_out import Cover, Why, explained, shared
from saldo.core.playbook import (
    ATTACHMENTS,
    EMAIL,
    FORMAL_NOTICE,
    OVERDUE,
    PEC,
    PORTAL,
    REMINDER,
    WRITTEN,
    Arm,
    Step,
)
from saldo.core.preferences import ATTACHED
from saldo.core.sending import ADDRESS_STOPPED, CASH_FIRST, NO_ADDRESS
from saldo.core.wording import Template, check
from saldo.flows import blocks as blocking
from saldo.flows.plan_outreach import askable_now
from saldo.identity.models import Company
from saldo.ledger.queries import open_items
from saldo.outreach.facts import (
    ItemTold,
    Way,
    by_account,
    credits_of,
    items_told,
    language_of,
    receivers,
    way_of,
)
from saldo.outreach.links import opt_out_url, own_address, portal_url
from saldo.outreach.messages import Draft, DraftItem, key_of_plan, token_of
from saldo.outreach.settings import rules_of
from saldo.outreach.templates import Rendered, StoredTemplate, filled, in_use, sender_of
from saldo.parties.models import CustomerAccount
from saldo.parties.preferences import preferences_in_force
from saldo.parties.ways import ways

NO_WORDS, OVERTAKEN, NOT_WRITTEN = "action_no_words", "action_overtaken", "action_not_written"


@dataclass(frozen=True, slots=True)
class Ask:
    """What a playbook decided for an account on a day. items: as PlaybookAction keeps them. arm: what an
    experiment's arm does otherwise in the words."""

    action_id: int | None
    account_id: int
    currency: str
    track: str
    step: str
    level: int
    channel: str
    template: str
    tone: str
    purpose: str
    attach: tuple[str, ...]
    contact_id: int | None
    day: date
    items: tuple[Mapping[str, Any], ...]
    arm: Arm | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """Why no message was made of an action: a code of core.errors or core.sending."""

    action_id: int | None
    account_id: int
    code: str
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Queued:
    """done: ids of the messages made now. refused: what none was made of, and why."""

    done: tuple[int, ...] = ()
    refused: tuple[Refused, ...] = ()


@dataclass(frozen=True, slots=True)
class Prepared:
    """left_out: (document, mills, code) of what is due and not asked; of reasons that overlap the first has
    the amount."""

    draft: Draft
    left_out: tuple[tuple[str, int, str], ...]


@dataclass(frozen=True, slots=True)
class Moment:
    """The facts of the moment for many accounts. chosen: {item: day on which a person chose its level}. whys:
    {item: why not all of it is asked}. told: also of the credit notes named there. enclosed: {account: what
    it asked to get with every message}."""

    sender: Sender
    templates: Mapping[tuple[str, str, str], StoredTemplate]
    receivers: Mapping[int, Receiver]
    ways: dict[int, list[dict[str, Any]]]
    credits: Mapping[tuple[int, str], int]
    owed: Mapping[tuple[int, str], list[dict[str, Any]]]
    told: Mapping[int, ItemTold]
    chosen: Mapping[int, date]
    whys: Mapping[int, Sequence[Why]] = field(default_factory=dict)
    enclosed: Mapping[int, tuple[str, ...]] = field(default_factory=dict)


def asks_of(actions: Sequence[PlaybookAction]) -> list[Ask]:
    """Actions (with their day run) as what is to be asked."""
    playbooks = {each: playbook_of(each) for each in {action.playbook_id for action in actions}}
    return [_ask(action, playbooks[action.playbook_id].step(action.step)) for action in actions]


def _ask(action: PlaybookAction, step: Step | None) -> Ask:
    return Ask(
        action_id=action.id,
        account_id=action.account_id,
        currency=action.currency,
        track=action.track,
        step=action.step,
        level=action.level,
        channel=action.channel,
        template=action.template,
        tone=action.tone,
        purpose=step.purpose if step else REMINDER,
        attach=step.attach if step else (),
        contact_id=action.contact_id,
        day=action.day_run.as_of,
        items=tuple(action.items),
        arm=step.arm(action.arm) if step else None,
    )


def lock_accounts(account_ids: Iterable[int]) -> None:
    """In the order of their ids, until the transaction ends: of two who decide the second sees the first."""
    ids = sorted(set(account_ids))
    locked = CustomerAccount.objects.select_for_update(no_key=True).filter(id__in=ids).order_by("id")
    list(locked.values_list("id"))


def moment(ctx: Context, account_ids: Sequence[int]) -> Moment:
    """``ctx`` is limited to the company of the accounts."""
    assert ctx.company_id is not None
    company = Company.objects.get(id=ctx.company_id)
    ids = list(dict.fromkeys(account_ids))
    owed: dict[tuple[int, str], list[dict[str, Any]]] = {}
    askable = askable_now(ctx, ids)
    rows = askable.rows(named=True)
    whys = _whys(ctx, askable)
    named = [why.cover.ref for each in whys.values() for why in each if why.cover and why.is_credit]
    levels = known_items(ctx, ids).filter(origin=CHOSEN).select("item_id", "reached_date")
    for row in rows:
        owed.setdefault((row["account_id"], row["currency"]), []).append(row)
    return Moment(
        sender=replace(sender_of(ctx.company_id), email=own_address(company.code)),
        templates=in_use(ctx.company_id),
        receivers=receivers(ids),
        ways=by_account(ways(ctx, ids)),
        credits=credits_of(ctx, ids),
        owed=owed,
        told=items_told([*(row["item_id"] for row in rows), *(ref for ref in named if ref is not None)]),
        chosen=dict(levels.iter_rows()),
        whys=whys,
        enclosed=_enclosed(ctx, ids),
    )


def _enclosed(ctx: Context, ids: Sequence[int]) -> dict[int, tuple[str, ...]]:
    """{account: the attachments that it asked for once, to get them always}."""
    told: dict[int, tuple[str, ...]] = {}
    for account_id, kind in preferences_in_force(ctx, ids).select("account_id", "kind").iter_rows():
        if kind in ATTACHED:
            told[account_id] = (*told.get(account_id, ()), ATTACHED[kind])
    return told


def attached(attach: tuple[str, ...], channel: str, wanted: tuple[str, ...]) -> tuple[str, ...]:
    """What goes along with a message: the step's own, and in a mail what the customer wants always."""
    more = wanted if channel in (EMAIL, PEC) else ()
    return tuple(each for each in ATTACHMENTS if each in (*attach, *more))


def _whys(ctx: Context, askable: pl.DataFrame) -> dict[int, list[Why]]:
    """Why not all is asked of items, of the accounts of which something is not. askable: ASKABLE."""
    assert ctx.company_id is not None
    ids = askable.filter(pl.col("codes").list.len() > 0)["account_id"].unique().to_list()
    if not ids:
        return {}
    rules = rules_of(ctx.company_id, ctx.known_at)
    owed = open_items(ctx, account_ids=ids)
    money = blocking.covers(ctx, ids, owed)
    items = askable.filter(pl.col("account_id").is_in(ids)).select(*ITEMS)
    out = left_out(items, blocking.blocks(ctx, rules, ids, owed), money, rules)
    found: dict[int, list[Why]] = {}
    parts: dict[tuple[int, str], list[tuple[int, int]]] = {}
    rows = out.join(items.select("item_id", "account_id", "currency", "due_date"), on="item_id")
    for row in rows.sort("due_date", "item_id", maintain_order=True).rows(named=True):
        # Only what covers come to has no source of its own.
        if row["code"] == CASH_FIRST and row["ref"] is None:
            key = (row["account_id"], row["currency"])
            parts.setdefault(key, []).append((row["item_id"], row["mills"]))
        else:
            found.setdefault(row["item_id"], []).append(Why(row["code"], row["mills"]))
    pools: dict[int, list[dict[str, Any]]] = {}
    for row in money.rows(named=True):
        pools.setdefault(row["account_id"], []).append(row)
    for (account_id, currency), kept in parts.items():
        whole = sum(mills for _, mills in kept)
        pool = [
            Cover(row["code"], whole if row["mills"] is None else row["mills"], row["ref"])
            for row in pools.get(account_id, ())
            if row["currency"] in (currency, None, "")
        ]
        for item_id, each in shared(kept, pool, CASH_FIRST).items():
            found.setdefault(item_id, []).extend(each)
    return found


def prepare(
    ctx: Context, asks: Sequence[Ask], words: Rendered | None = None
) -> tuple[list[Prepared], list[Refused]]:
    """The drafts of actions of one company (that of ``ctx``), and why others have none.

    words: a person's own, in place of the template's (for one action).
    """
    now = moment(ctx, [ask.account_id for ask in asks])
    made: list[Prepared] = []
    refused: list[Refused] = []
    for ask in asks:
        one = _prepared(ctx, ask, now, words)
        if isinstance(one, Prepared):
            made.append(one)
        else:
            refused.append(one)
    return made, refused


def _prepared(ctx: Context, ask: Ask, now: Moment, words: Rendered | None) -> Prepared | Refused:
    assert ctx.company_id is not None
    if ask.channel not in WRITTEN:
        return Refused(ask.action_id, ask.account_id, NOT_WRITTEN)
    lines = _lines(ask, now)
    if not lines or (ask.track == OVERDUE and all(line.level < ask.level for line in lines)):
        return Refused(ask.action_id, ask.account_id, OVERTAKEN)
    way = way_of(now.ways, ask.account_id, ask.channel, ask.contact_id)
    if (problem := address_problem(ask.channel, way)) or way is None:
        return Refused(ask.action_id, ask.account_id, problem)
    facts = _facts(ctx, ask, now, way, lines)
    language = language_of(way.language, facts.receiver.country)
    template = now.templates.get((ask.template, ask.channel, language))
    if template is None or (words is None and not _is_good(template.template, ask.purpose)):
        params = {"template": ask.template, "channel": ask.channel}
        return Refused(ask.action_id, ask.account_id, NO_WORDS, params)
    own = _with_subject(template.template, ask.arm, language)
    said = words or filled(own, facts, ask.channel, language)
    draft = Draft(
        company_id=ctx.company_id,
        account_id=ask.account_id,
        key=key_of_plan(ask.account_id, ask.currency, ask.track, ask.day),
        channel=ask.channel,
        purpose=ask.purpose,
        currency=ask.currency,
        language=language,
        subject=said.subject,
        body=said.body,
        as_of=ctx.as_of,
        to_name=way.name,
        to_address=way.address,
        contact_id=way.contact_id,
        asked_mills=facts.total_mills,
        items=tuple(DraftItem(one.item_id, one.asked_mills, one.level, one.level_before) for one in lines),
        action_id=ask.action_id,
        track=ask.track,
        step=ask.step,
        level=ask.level,
        tone=ask.tone,
        template=ask.template,
        template_version=template.version,
        attach=attached(ask.attach, ask.channel, now.enclosed.get(ask.account_id, ())),
    )
    left = tuple((each.line.number, each.mills, why.code) for each, why in _left_out_of(ask, now, lines))
    return Prepared(draft, left)


def _with_subject(template: Template, arm: Arm | None, language: str) -> Template:
    subject = arm.subject.get(language, "") if arm else ""
    return replace(template, subject=subject) if subject else template


@lru_cache(maxsize=256)
def _is_good(template: Template, purpose: str) -> bool:
    """Asked again for the step's own purpose: a template of any name may be named in a formal step."""
    return not check(template, purpose)


def address_problem(channel: str, way: Way | None) -> str:
    """Why a message cannot go this way; "" where it can. The sender asks the rest (caps, consent) itself."""
    if channel == PORTAL:
        return "" if way is not None else NO_ADDRESS
    if way is None or not is_usable(channel, way.address):
        return NO_ADDRESS
    return ADDRESS_STOPPED if way.stop else ""


def _lines(ask: Ask, now: Moment) -> tuple[Line, ...]:
    """The items as they stand now: those that lead the message first, then the oldest."""
    owed = {row["item_id"]: row for row in now.owed.get((ask.account_id, ask.currency), ())}
    lines = []
    for item in ask.items:
        row = owed.get(item["item_id"])
        asked = min(item["asked_mills"], row["asked_mills"]) if row else 0
        if row and asked > 0:
            lines.append(line_of(row, now.told, asked, item["level"], item["level_before"]))
    return tuple(sorted(lines, key=lambda line: (-line.level, line.due_date, line.number, line.item_id)))


def line_of(
    row: Mapping[str, Any], told: Mapping[int, ItemTold], asked: int, level: int = 0, level_before: int = 0
) -> Line:
    item = told[row["item_id"]]
    return Line(
        row["item_id"], item.kind, item.number, item.document_date, row["due_date"], row["balance_mills"],
        asked, item.installment, level, level_before,
    )  # fmt: skip


def _facts(ctx: Context, ask: Ask, now: Moment, way: Way, lines: tuple[Line, ...]) -> MessageFacts:
    key = (ask.account_id, ask.currency)
    asked = {line.item_id for line in lines}
    others = [row for row in now.owed.get(key, ()) if row["item_id"] not in asked]
    soon = tuple(
        line_of(row, now.told, row["asked_mills"])
        for row in sorted(others, key=lambda row: (row["due_date"], row["item_id"]))
        if row["asked_mills"] > 0 and ctx.as_of <= row["due_date"] <= ctx.as_of + timedelta(days=SOON_DAYS)
    )
    # A level that a person chose at the go-live tells of no reminder: nobody may be told that one was sent.
    written = [
        row["last_date"]
        for row in now.owed.get(key, ())
        if row["item_id"] in asked and row["last_date"] and now.chosen.get(row["item_id"]) != row["last_date"]
    ]
    left = _left_out_of(ask, now, lines)
    token = token_of(key_of_plan(ask.account_id, ask.currency, ask.track, ask.day))
    return MessageFacts(
        sender=now.sender,
        receiver=replace(now.receivers[ask.account_id], contact=way.name),
        as_of=ctx.as_of,
        currency=ask.currency,
        lines=lines,
        purpose=ask.purpose,
        soon=soon if ask.track == OVERDUE else (),
        credits_mills=credits_besides(now, key, left),
        left_out=tuple(each for each, _ in left),
        previous_date=max(written, default=None),
        portal_link=portal_url(token) if ask.arm is None or ask.arm.payment_link else "",
        # Who may not be written to any more is no question of a formal demand.
        opt_out_link="" if ask.purpose == FORMAL_NOTICE else opt_out_url(token),
    )


def credits_besides(now: Moment, key: tuple[int, str], left: Sequence[tuple[LeftOut, Why]]) -> int:
    """Mills of the account's credits that stand against no item: those that do are told there."""
    return max(now.credits.get(key, 0) - sum(why.mills for _, why in left if why.is_credit), 0)


def _left_out_of(ask: Ask, now: Moment, lines: Sequence[Line]) -> list[tuple[LeftOut, Why]]:
    due_before = ask.day if ask.track == OVERDUE else None
    return left_out_lines(now, (ask.account_id, ask.currency), lines, due_before)


def left_out_lines(
    now: Moment, key: tuple[int, str], lines: Sequence[Line], due_before: date | None
) -> list[tuple[LeftOut, Why]]:
    """What is not asked of the message's items, and items due before the day of which nothing is, with the
    reasons. key: (account, currency)."""
    asked = {line.item_id: line for line in lines}
    found: list[tuple[LeftOut, Why]] = []
    for row in now.owed.get(key, ()):
        line = asked.get(row["item_id"])
        is_due = due_before is not None and row["due_date"] < due_before
        if line is None and is_due and not row["asked_mills"]:
            line = line_of(row, now.told, 0)
        if line is not None:
            found += [_named(left, why, now) for left, why in explained(line, now.whys.get(line.item_id, ()))]
    return found


def _named(left: LeftOut, why: Why, now: Moment) -> tuple[LeftOut, Why]:
    if why.cover is None or why.cover.code != CREDIT_NOTE:
        return left, why
    note = now.told.get(why.cover.ref or 0)
    number, day = (note.number, note.document_date) if note else ("", None)
    return replace(left, code=CREDIT_NOTE, credit_number=number, credit_date=day), why
