"""Decided actions become messages, each with the job that sends it, in one transaction.

queue_automatic   what the playbooks of a day may send by themselves
approve, refuse   what waits for a person
preview           a planned action as it would go out now
write, draft_for  a person's own words (flows.write_messages)
queue_thanks      thanks after payment (flows.thank)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from functools import partial

from django.db import transaction

from saldo.collection.models import PlaybookAction
from saldo.collection.playbook_actions import decide
from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.core.playbook import AUTOMATIC, FORMAL_NOTICE, SMS, WRITTEN
from saldo.core.wording import MAX_BODY, MAX_SMS, MAX_SUBJECT
from saldo.flows.jobs import defer_sends
from saldo.flows.message_drafts import Ask, Prepared, Queued, Refused, asks_of, lock_accounts, prepare
from saldo.flows.thank import queue_thanks
from saldo.flows.write_messages import Previewed, draft_for, previewed, write
from saldo.identity.models import DayRun, Grant, User
from saldo.identity.queries import latest_day_run, roles
from saldo.outreach.messages import existing, key_of_plan, make_many
from saldo.outreach.templates import Rendered
from saldo.parties.queries import visible_accounts
from saldo.storage.locks import retried

__all__ = [
    "MAY_APPROVE", "MAY_APPROVE_FORMAL", "Previewed", "Queued", "Refused", "approve", "draft_for", "preview",
    "queue_automatic", "queue_thanks", "refuse", "write",
]  # fmt: skip

MAY_APPROVE = frozenset({Grant.Role.ADMINISTRATOR, Grant.Role.CREDIT_MANAGER, Grant.Role.COLLECTOR})
# A formal notice has effects in law: it takes who answers for the credit office.
MAY_APPROVE_FORMAL = frozenset({Grant.Role.ADMINISTRATOR, Grant.Role.CREDIT_MANAGER})
# A plan that is older says what was true too long ago (a weekend is not).
PLAN_DAYS = 3
CHUNK_ACCOUNTS = 1_000
# What a person approves at once is locked together: few enough that nobody waits for long.
CHUNK_APPROVED = 50


def queue_automatic(ctx: Context, company_id: int, day_run_id: int) -> Queued:
    """Messages of every action of a day run that needs no person. Run again it makes no second one."""
    actions = PlaybookAction.objects.filter(
        day_run_id=day_run_id, day_run__company_id=company_id, mode=AUTOMATIC, blocked="", channel__in=WRITTEN
    )
    ctx = ctx.within(company_id)
    found = list(actions.select_related("day_run").order_by("account_id", "id"))
    done: list[int] = []
    refused: list[Refused] = []
    for chunk in _chunks(_not_yet(found)):
        some = retried(partial(_queued, ctx, asks_of(chunk)))
        done += some.done
        refused += some.refused
    return Queued(tuple(done), tuple(refused))


def _not_yet(actions: Sequence[PlaybookAction]) -> list[PlaybookAction]:
    keys = {action.id: _key(action) for action in actions}
    made = existing(list(keys.values()))
    return [action for action in actions if keys[action.id] not in made]


def _key(action: PlaybookAction) -> str:
    return key_of_plan(action.account_id, action.currency, action.track, action.day_run.as_of)


def _chunks(actions: Sequence[PlaybookAction], most: int = CHUNK_ACCOUNTS) -> Iterable[list[PlaybookAction]]:
    """By whole accounts, in the order of their ids, in which they are locked."""
    chunk: list[PlaybookAction] = []
    accounts: set[int] = set()
    for action in actions:
        if len(accounts) == most and action.account_id not in accounts:
            yield chunk
            chunk, accounts = [], set()
        chunk.append(action)
        accounts.add(action.account_id)
    if chunk:
        yield chunk


@transaction.atomic
def _queued(
    ctx: Context,
    asks: Sequence[Ask],
    words: Rendered | None = None,
    decided: Callable[[Sequence[Prepared]], list[Refused]] | None = None,
) -> Queued:
    """The messages of actions and their jobs, under their accounts' locks. decided: records what a person
    said about the actions that can be sent; what it refuses is not made."""
    lock_accounts([ask.account_id for ask in asks])
    prepared, refused = prepare(ctx, asks, words)
    if decided is not None and prepared:
        undecided = {each.action_id: each for each in decided(prepared)}
        refused += undecided.values()
        prepared = [each for each in prepared if each.draft.action_id not in undecided]
    made = make_many(ctx, [each.draft for each in prepared])
    new = [each.id for each in made if each.is_new]
    defer_sends(new)
    return Queued(tuple(new), tuple(refused))


def approve(
    ctx: Context,
    action_ids: Sequence[int],
    note: str = "",
    subject: str | None = None,
    body: str | None = None,
) -> Queued:
    """A person approves actions: each is decided, worded anew and queued in one transaction (those of many
    accounts by chunks, each in one).

    Only actions of the company's newest day run that is not older than PLAN_DAYS. Amounts are those of now.
    subject, body: the person's own words, for one action. An action that cannot be approved is refused with
    its reason and the others go on.
    """
    words = _own_words(action_ids, subject, body)
    done: list[int] = []
    refused: list[Refused] = []
    by_company: dict[int, list[PlaybookAction]] = {}
    for action in _visible_actions(ctx, action_ids, refused):
        by_company.setdefault(action.day_run.company_id, []).append(action)
    for company_id, actions in by_company.items():
        within = ctx.within(company_id)
        newest = latest_day_run(company_id)
        for chunk in _chunks(actions, CHUNK_APPROVED):
            asks, some = _approvable(within, newest, chunk, words)
            refused += some
            one = retried(partial(_queued, within, asks, words, partial(_decided, within, note)))
            done += one.done
            refused += one.refused
    return Queued(tuple(done), tuple(refused))


def _own_words(action_ids: Sequence[int], subject: str | None, body: str | None) -> Rendered | None:
    if subject is None and body is None:
        return None
    if len(action_ids) != 1:
        raise SaldoError("words_for_one")
    if not (body or "").strip():
        raise SaldoError("message_empty")
    clean = (body or "").replace("\r\n", "\n").replace("\r", "\n").strip()
    if len(clean) > MAX_BODY:
        raise SaldoError("message_too_long", length=len(clean), most=MAX_BODY)
    return Rendered(" ".join((subject or "").split())[:MAX_SUBJECT], clean)


def _approvable(
    ctx: Context, newest: DayRun | None, actions: Sequence[PlaybookAction], words: Rendered | None
) -> tuple[list[Ask], list[Refused]]:
    """What of the actions the actor may approve today, and why not the others."""
    asks: list[Ask] = []
    refused: list[Refused] = []
    for action, ask in zip(actions, asks_of(actions), strict=True):
        try:
            _check_day(ctx, newest, action)
            _check_role(ctx, ask.purpose)
            if words is not None and ask.channel == SMS and len(words.body) > MAX_SMS:
                raise SaldoError("message_too_long", length=len(words.body), most=MAX_SMS)
        except SaldoError as error:
            refused.append(Refused(action.id, action.account_id, error.code, error.params))
            continue
        asks.append(ask)
    return asks, refused


def _decided(ctx: Context, note: str, prepared: Sequence[Prepared]) -> list[Refused]:
    """Record the decisions; those that cannot be made, with their reasons."""
    refused: list[Refused] = []
    for each in prepared:
        assert each.draft.action_id is not None
        try:
            decide(ctx, each.draft.action_id, True, note)
        except SaldoError as error:
            refused.append(Refused(each.draft.action_id, each.draft.account_id, error.code, error.params))
    return refused


def _check_day(ctx: Context, newest: DayRun | None, action: PlaybookAction) -> None:
    """A plan that a newer one has taken the place of, or that is too old, is not sent any more."""
    run = action.day_run
    is_newest = newest is not None and newest.id == run.id
    if not is_newest or not run.as_of <= ctx.as_of <= run.as_of + timedelta(days=PLAN_DAYS):
        raise SaldoError("action_outdated", day=run.as_of.isoformat(), days=PLAN_DAYS)


def _check_role(ctx: Context, purpose: str) -> None:
    allowed = MAY_APPROVE_FORMAL if purpose == FORMAL_NOTICE else MAY_APPROVE
    user = User.objects.filter(username=ctx.actor, is_active=True).first()
    if user is None or not roles(user, ctx.company_id) & allowed:
        raise SaldoError("approval_not_allowed", roles=", ".join(sorted(allowed)))


def _visible_actions(ctx: Context, action_ids: Sequence[int], refused: list[Refused]) -> list[PlaybookAction]:
    rows = PlaybookAction.objects.filter(id__in=list(action_ids), account__in=visible_accounts(ctx))
    found = {row.id: row for row in rows.select_related("day_run")}
    refused += [
        Refused(each, 0, "action_unknown", {"action": each}) for each in action_ids if each not in found
    ]
    return sorted(found.values(), key=lambda row: (row.account_id, row.id))


def refuse(ctx: Context, action_ids: Sequence[int], note: str = "") -> int:
    """A person says no to actions; returns how many. Those decided already are left as they are."""
    count = 0
    for action in _visible_actions(ctx, action_ids, []):
        within = ctx.within(action.day_run.company_id)
        try:
            retried(partial(decide, within, action.id, False, note))
        except SaldoError as error:
            if error.code != "action_decided":
                raise
            continue
        count += 1
    return count


def preview(ctx: Context, action_id: int) -> Previewed:
    """The message of a planned action as it would go out now. Raises SaldoError("action_unknown")."""
    refused: list[Refused] = []
    actions = _visible_actions(ctx, [action_id], refused)
    if not actions:
        raise SaldoError("action_unknown", action=action_id)
    (action,) = actions
    asks = asks_of([action])
    made, refused = prepare(ctx.within(action.day_run.company_id), asks)
    return previewed(made[0]) if made else Previewed.of_refused(asks[0], refused[0])
