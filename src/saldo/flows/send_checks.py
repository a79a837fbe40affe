"""What could forbid a message, asked again just before it is sent. docs/rules/sending.md lists it.

Everything here runs in the transaction that will write "sending", with the account's row locked: what is
recorded about the account waits, so that what was found still holds when the message is let go.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, time, timedelta

import polars as pl
from django.db import connection
from django.db.models import Q

from saldo.core.addresses import fold_address, is_usable
from saldo.core.calendar import add_banking_days
from saldo.core.context import Context
from saldo.core.money import to_mills
from saldo.core.playbook import EMAIL, LETTER, OVERDUE, PEC, PURPOSES, SMS, SURVEY, THANKS
from saldo.core.preferences import REFUSED_CHANNELS
from saldo.core.sending import (
    ADDRESS_STOPPED,
    AMOUNT_CHANGED,
    BEYOND_STATEMENT,
    CANCELLED,
    CASH_FIRST,
    CONTACT_CAP,
    DAILY_CAP,
    DISPUTED,
    EXPIRED,
    HELD,
    IN_FLIGHT,
    NO_ADDRESS,
    NO_CONSENT,
    NOT_LIVE,
    PAID,
    PLANNED,
    POSTPONED,
    PROMISED,
    REPLY_WAITING,
    STOPPED,
    SUPERSEDED,
    TERM_RUNNING,
    SendingRules,
)
from saldo.core.sending_hours import next_moment, next_opening, zone_of
from saldo.flows.plan_outreach import askable_now, known_until
from saldo.identity.models import Company
from saldo.outreach.models import Message, MessageItem
from saldo.outreach.pauses import pauses
from saldo.outreach.settings import is_stopped
from saldo.parties.models import AddressStop, Consent
from saldo.parties.preferences import preferences_in_force
from saldo.storage.locks import hold_counting_lock

# A message that has waited longer than this says what was true too long ago.
MAX_AGE_DAYS = 7
# While sending is stopped, a message looks again so often whether it may go.
STOPPED_MINUTES = 30
WEEK_DAYS, MONTH_DAYS = 7, 30
# Channels that reach a person at once, and so keep to the hours.
_AT_ONCE = frozenset({EMAIL, PEC, SMS})
_ADDRESSED = frozenset({EMAIL, PEC, SMS, LETTER})
# Of several reasons the first of these is the message's code.
_ORDER = (PAID, PROMISED, DISPUTED, PLANNED, HELD, IN_FLIGHT, CASH_FIRST, AMOUNT_CHANGED)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why a message does not leave now. state: cancelled, or postponed to not_before."""

    state: str
    code: str
    detail: str = ""
    not_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """A message that is about to leave, and the rules and the instant that it is judged by."""

    ctx: Context
    message: Message
    company: Company
    rules: SendingRules
    now: datetime

    @property
    def is_personal(self) -> bool:
        """Written by a person to this customer: the machine's caps, hours and amounts are not for it."""
        return self.message.action_id is None and self.message.purpose not in (*PURPOSES, SURVEY)

    @property
    def local(self) -> datetime:
        return self.now.astimezone(zone_of(self.company.country))

    @property
    def midnight(self) -> datetime:
        """When the company's day began."""
        return datetime.combine(self.local.date(), time(0), self.local.tzinfo)


def verdict(case: Case) -> Verdict | None:
    """Why the message may not leave now; None where nothing speaks against it.

    A stop is asked first, since it may last for days and everything is asked again after it. Then what ends
    the message before what puts it off, and the counting last: it takes the company's lock, which is held
    until "sending" is written, so that two workers cannot both take the last place of the day.
    """
    for check in (_stopped, _ended, _address, _amounts, _paused, _statement, _hours, _caps):
        if (found := check(case)) is not None:
            return found
    return None


def _cancelled(code: str, detail: str = "") -> Verdict:
    return Verdict(CANCELLED, code, detail)


def _ended(case: Case) -> Verdict | None:
    day, message = case.ctx.as_of, case.message
    if case.rules.cutover_date is None or day < case.rules.cutover_date:
        return _cancelled(NOT_LIVE)
    if day > message.as_of + timedelta(days=MAX_AGE_DAYS):
        return _cancelled(EXPIRED, message.as_of.isoformat())
    if message.track and _is_superseded(message):
        return _cancelled(SUPERSEDED)
    return None


def _is_superseded(message: Message) -> bool:
    """Whether the account has a newer message of the same track and currency that was not given up."""
    newer = Message.objects.filter(
        account_id=message.account_id, currency=message.currency, track=message.track, id__gt=message.id
    )
    for each in newer:
        newest = each.deliveries.order_by("-id").values_list("state", flat=True).first()
        if newest != CANCELLED:
            return True
    return False


def _address(case: Case) -> Verdict | None:
    message = case.message
    if message.channel not in _ADDRESSED:
        return None
    if not is_usable(message.channel, message.to_address):
        return _cancelled(NO_ADDRESS, message.to_address)
    # A company stops an address for itself; a bounce or a complaint stops it for all of them.
    stop = AddressStop.objects.filter(
        Q(company=None) | Q(company_id=message.company_id), release__isnull=True, channel=message.channel,
        address=fold_address(message.channel, message.to_address)[:200],
    )  # fmt: skip
    if (reason := stop.values_list("reason", flat=True).first()) is not None:
        return _cancelled(ADDRESS_STOPPED, reason)
    if message.channel == SMS and case.rules.sms_needs_consent and not _has_consent(message):
        return _cancelled(NO_CONSENT)
    if _is_refused(case):
        return _cancelled(ADDRESS_STOPPED, "preference")
    return None


def _is_refused(case: Case) -> bool:
    """Whether the customer asked, meanwhile too, not to be written to by this channel."""
    told = preferences_in_force(case.ctx, [case.message.account_id])
    return any(
        REFUSED_CHANNELS.get(kind) == case.message.channel and contact in (None, case.message.contact_id)
        for kind, contact in told.select("kind", "contact_id").iter_rows()
    )


def _has_consent(message: Message) -> bool:
    given = Consent.objects.filter(contact_id=message.contact_id, channel=message.channel).order_by("-id")
    return message.contact_id is not None and bool(given.values_list("is_given", flat=True).first())


def _amounts(case: Case) -> Verdict | None:
    """Every item is asked for what the message says, or less was left to ask: then it is not sent at all,
    since its words would not be true any more. The next day plans anew."""
    if case.is_personal or case.message.purpose == THANKS:
        return None
    asked = {
        item.item_id: to_mills(item.asked)
        for item in MessageItem.objects.filter(message=case.message)
        if item.asked > 0
    }
    if not asked:
        return None
    found = _askable(case)
    codes: dict[str, int] = {}
    for item_id, mills in asked.items():
        left, why = found.get(item_id, (0, ()))
        if mills > left:
            for code in why or (PAID if left == 0 else AMOUNT_CHANGED,):
                codes[code] = codes.get(code, 0) + 1
    if not codes:
        return None
    first = next((code for code in _ORDER if code in codes), next(iter(codes)))
    return _cancelled(first, ", ".join(f"{code}: {count}" for code, count in sorted(codes.items())))


def _askable(case: Case) -> dict[int, tuple[int, tuple[str, ...]]]:
    """What may be asked now of each open item of the account, and why less than its balance."""
    frame = askable_now(case.ctx, [case.message.account_id])
    rows = frame.select("item_id", pl.col("asked_mills"), "codes").iter_rows()
    return {item_id: (mills, tuple(codes or ())) for item_id, mills, codes in rows}


def _paused(case: Case) -> Verdict | None:
    """No reminder to who wrote and has no answer yet, nor a lower one while a formal notice's term runs."""
    message = case.message
    if case.is_personal or message.track != OVERDUE:
        return None
    found = pauses(case.ctx, case.rules, [message.account_id])
    if found.replies.height:
        return _cancelled(REPLY_WAITING, found.replies["reply_date"][0].isoformat())
    terms = found.terms.filter(
        (pl.col("currency") == message.currency) & (pl.col("term_level") > message.level)
    )
    return _cancelled(TERM_RUNNING, terms["term_date"][0].isoformat()) if terms.height else None


def _statement(case: Case) -> Verdict | None:
    """No reminder goes out on statements (or ERP lists) that are too old to know who has paid."""
    if case.is_personal or case.message.track != OVERDUE:
        return None
    known = known_until(case.ctx, case.message.company_id)
    if known is None:
        return None
    last_day = add_banking_days(known, case.rules.statement_lag_days)
    return _cancelled(BEYOND_STATEMENT, known.isoformat()) if case.ctx.as_of > last_day else None


def _stopped(case: Case) -> Verdict | None:
    if not is_stopped(case.message.company_id):
        return None
    return Verdict(POSTPONED, STOPPED, "", case.now + timedelta(minutes=STOPPED_MINUTES))


def _hours(case: Case) -> Verdict | None:
    if case.is_personal or case.message.channel not in _AT_ONCE:
        return None
    later = next_moment(case.local, case.rules, case.company.country)
    return Verdict(POSTPONED, later[1], "", later[0]) if later else None


def _caps(case: Case) -> Verdict | None:
    if case.is_personal:
        return None
    hold_counting_lock(case.message.company_id)
    rules, message = case.rules, case.message
    # The company's own cap last: a message that a contact's cap ends must not wait for tomorrow.
    caps: tuple[tuple[int, Callable[[], int], str], ...] = (
        (1, lambda: _to_contact(case, case.midnight, message.track), "track"),
        (rules.contact_day_cap, lambda: _to_contact(case, case.midnight), "day"),
        (rules.contact_week_cap, lambda: _to_contact(case, _days_ago(case, WEEK_DAYS)), "week"),
        (rules.account_month_cap, lambda: _to_account(case, _days_ago(case, MONTH_DAYS)), "month"),
    )
    for most, count, name in caps:
        if (done := count()) >= most:
            return _cancelled(CONTACT_CAP, f"{name}: {done}")
    if (done := _of_company(case)) >= rules.daily_cap:
        opening = next_opening(case.local.date(), rules, case.company.country, case.local.tzinfo)
        return Verdict(POSTPONED, DAILY_CAP, str(done), opening)
    return None


def _days_ago(case: Case, days: int) -> datetime:
    """The midnight from which the last ``days`` days, today included, count."""
    return case.midnight - timedelta(days=days - 1)


# Messages of which an attempt began since then and that may have left: what certainly did not (refused, put
# off, cancelled) is not counted.
_COUNT = """
SELECT count(*) FROM outreach_message m
 WHERE m.id <> %(id)s AND {which}
   AND EXISTS (SELECT 1 FROM outreach_delivery d WHERE d.message_id = m.id AND d.state = 'sending'
                  AND d.occurred_at >= %(since)s)
   AND (SELECT d.state FROM outreach_delivery d WHERE d.message_id = m.id ORDER BY d.id DESC LIMIT 1)
       NOT IN ('queued', 'postponed', 'cancelled', 'failed')
"""
_COMPANY_COUNT = """
SELECT count(DISTINCT d.message_id) FROM outreach_delivery d JOIN outreach_message m ON m.id = d.message_id
 WHERE d.state = 'sending' AND d.occurred_at >= %(since)s AND m.company_id = %(company)s
   AND m.id <> %(id)s
   AND (SELECT l.state FROM outreach_delivery l WHERE l.message_id = m.id ORDER BY l.id DESC LIMIT 1)
       NOT IN ('queued', 'postponed', 'cancelled', 'failed')
"""


def _counted(sql: str, case: Case, since: datetime, **params: object) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql, {"id": case.message.id, "since": since, **params})
        return int(cursor.fetchone()[0])


def _to_contact(case: Case, since: datetime, track: str | None = None) -> int:
    """Messages of the company to this contact, or to this address whoever's it is."""
    message = case.message
    if track is not None and not track:
        return 0
    told = "m.company_id = %(company)s AND (m.contact_id = %(contact)s"
    told += " OR m.to_address = %(address)s)" if message.to_address else ")"
    if message.contact_id is None and not message.to_address:
        return 0
    params = {"company": message.company_id, "contact": message.contact_id, "address": message.to_address}
    if track:
        told, params = f"{told} AND m.track = %(track)s", {**params, "track": track}
    return _counted(_COUNT.format(which=told), case, since, **params)


def _to_account(case: Case, since: datetime) -> int:
    return _counted(
        _COUNT.format(which="m.account_id = %(account)s"), case, since, account=case.message.account_id
    )


def _of_company(case: Case) -> int:
    return _counted(_COMPANY_COUNT, case, case.midnight, company=case.message.company_id)
