"""The rules of docs/rules/playbooks.md again, one account and one item at a time: slow, and plain to read.

``analytics.askable`` and ``analytics.playbook_plan`` must say the same of every portfolio.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from saldo.core.calendar import add_banking_days
from saldo.core.playbook import (
    ANY,
    BROKEN,
    FORMAL_NOTICE,
    NONE,
    OVERDUE,
    SMS,
    SOON,
    WRITTEN,
    Playbook,
    Step,
    When,
)
from saldo.core.sending import SendingRules

Row = Mapping[str, Any]
Key = tuple[int, str, str]


def asked_of(
    items: Sequence[Row], blocks: Sequence[Row], covers: Sequence[Row], rules: SendingRules
) -> dict[int, int]:
    """What may be asked of each item."""
    left = {item["item_id"]: item["balance_mills"] for item in items}
    balance = dict(left)
    for block in blocks:
        item = block["item_id"]
        whole = block["mills"] is None or block["code"] in rules.blocks_whole_item
        if item in left:
            left[item] = max(left[item] - (balance[item] if whole else max(block["mills"], 0)), 0)
    for account, currency in sorted({(item["account_id"], item["currency"]) for item in items}):
        own = [i for i in items if (i["account_id"], i["currency"]) == (account, currency)]
        money = [
            10**15 if cover["mills"] is None else cover["mills"]
            for cover in covers
            if cover["account_id"] == account and cover["currency"] in (None, "", currency)
        ]
        _cover(sorted(own, key=lambda i: (i["due_date"], i["item_id"])), [m for m in money if m > 0], left)
    return left


def _cover(oldest_first: Sequence[Row], money: list[int], left: dict[int, int]) -> None:
    paid: set[int] = set()
    for amount_of in (lambda i: i["balance_mills"], lambda i: left[i["item_id"]]):
        for item in oldest_first:
            if left[item["item_id"]] > 0 and item["item_id"] not in paid and amount_of(item) in money:
                money.remove(amount_of(item))
                paid.add(item["item_id"])
        for number in paid:
            left[number] = 0
    rest = sum(money)
    for item in oldest_first:
        taken = min(rest, left[item["item_id"]])
        left[item["item_id"]] -= taken
        rest -= taken


def condition_holds(when: When, account: Row) -> bool:
    for value, wanted in (
        (account["class"], when.classes), (account["country"], when.countries),
        (account["segment"], when.segments), (account["delay_reason"], when.delay_reasons),
    ):  # fmt: skip
        if wanted and value not in wanted:
            return False
    for value, least, most in (
        (account["open_mills"], when.min_open_mills, when.max_open_mills),
        (account["known_days"], when.min_known_days, when.max_known_days),
        (account["late_days"], when.min_late_days, when.max_late_days),
    ):
        if least is not None and (value is None or value < least):
            return False
        if most is not None and (value is None or value > most):
            return False
    states = {ANY: {"open", BROKEN}, NONE: {"", "none"}, BROKEN: {BROKEN}}
    if when.promise and account["promise"] not in states[when.promise]:
        return False
    for has, wanted in ((account["has_dispute"], when.dispute), (account["has_plan"], when.plan)):
        if wanted and has != (wanted == ANY):
            return False
    return True


def playbook_of(playbooks: Sequence[Playbook], account: Row) -> Playbook | None:
    ordered = sorted(playbooks, key=lambda book: book.order)
    chosen = [book for book in ordered if book.segment.code == account["segment"]]
    by_rule = [book for book in ordered if condition_holds(book.segment.when, account)]
    return next(iter(chosen + by_rule), None)


@dataclass(frozen=True)
class Today:
    """What a single account is judged by."""

    as_of: date
    known: date
    rules: SendingRules
    last_call: date | None
    last_soon: date | None


def was_before(step: Step, item: Row, book: Playbook) -> bool:
    if not step.after or item["last_step"] == step.after or step.after in item["soon_steps"]:
        return True
    before = book.step(step.after)
    is_ours = item["last_step"] in {each.code for each in book.steps}
    return not is_ours and before is not None and before.track == OVERDUE and item["level"] == before.level


def in_days(step: Step, days: int) -> bool:
    return step.day <= days and (step.until_day is None or days <= step.until_day)


def written_step(item: Row, account: Row, book: Playbook, today: Today) -> Step | None:
    """The reminder that is due for an overdue item."""
    days = (today.known - item["due_date"]).days
    rests = None if item["last_date"] is None else (today.as_of - item["last_date"]).days
    steps = [s for s in book.ladder(OVERDUE) if s.channel in WRITTEN and condition_holds(s.when, account)]
    above = [step.level for step in steps if step.level > item["level"]]
    for step in steps:
        if above and step.level == min(above) and was_before(step, item, book):
            if in_days(step, days) and (rests is None or rests >= step.wait_days):
                return step
            break
    for step in steps:
        rested = rests is None or rests >= max(step.wait_days, step.repeat_days)
        if step.level == item["level"] and step.repeat_days and in_days(step, days) and rested:
            return step
    return None


def person_step(item: Row, account: Row, book: Playbook, today: Today, track: str) -> Step | None:
    """The call or task that is due for an item."""
    until = today.known if track == OVERDUE else today.as_of
    days = (until - item["due_date"]).days
    last = item["last_date"] if track == OVERDUE else today.last_soon
    steps = [s for s in book.ladder(track) if s.channel not in WRITTEN and condition_holds(s.when, account)]
    for step in (
        sorted(steps, key=lambda s: -s.level) if track == OVERDUE else sorted(steps, key=lambda s: -s.day)
    ):
        if item["level"] not in (step.level - 1, step.level) or not in_days(step, days):
            continue
        if last is not None and (today.as_of - last).days < step.wait_days:
            continue
        since = item["due_date"] + timedelta(days=step.day)
        if item["last_date"] is not None:
            since = max(since, item["last_date"] + timedelta(days=step.wait_days))
        made = today.last_call is not None and today.last_call >= since
        if made and step.repeat_days:
            made = (today.as_of - today.last_call).days < step.repeat_days
        if not made and was_before(step, item, book):
            return step
    return None


def soon_step(item: Row, account: Row, book: Playbook, today: Today) -> Step | None:
    days = (today.as_of - item["due_date"]).days
    steps = [s for s in book.steps if s.track == SOON and s.channel in WRITTEN]
    sent = [s.day for s in steps if s.code in item["soon_steps"]]
    for step in sorted(steps, key=lambda s: -s.day):
        rested = today.last_soon is None or (today.as_of - today.last_soon).days >= step.wait_days
        if (
            condition_holds(step.when, account) and in_days(step, days) and rested
            and not any(day >= step.day for day in sent)
            and (not step.after or step.after in item["soon_steps"])
        ):  # fmt: skip
            return step
    return None


def message_of(
    items: Sequence[tuple[Row, Step | None, Step | None]], open_mills: int, track: str, floors: dict[int, int]
) -> tuple[Step, bool, dict[int, tuple[int, int, int]]] | None:
    """The step of one message, whether it is below its minimum, and per item (asked, level, level before)."""

    def is_in(item: Row, step: Step) -> bool:
        return step.channel not in WRITTEN or floors.get(item["item_id"], 0) <= step.level

    def asked(step: Step) -> int:
        return sum(item["asked_mills"] for item, _, _ in items if is_in(item, step))

    found: list[tuple[bool, bool, int, int, date, int, Step]] = []
    for item, written, call in items:
        for step in (written, call):
            if step is not None:
                lead = (item["due_date"], item["item_id"])
                found.append((False, step.channel in WRITTEN, step.level, step.day, *lead, step))
    # Of each level (written apart from called) its leading item's step; then the best that is large enough.
    leading: dict[tuple[bool, int], Step] = {}
    for _, is_written, level, _day, _due, _number, step in sorted(
        found, key=lambda each: (-each[3], each[4], each[5])
    ):
        leading.setdefault((is_written, level), step)
    if not leading:
        return None
    enough = {
        key: step
        for key, step in leading.items()
        if asked(step) >= step.min_amount_mills and asked(step) >= step.min_share * open_mills
    }
    key = max(enough or leading)
    step = (enough or leading)[key]
    levels = {}
    for item, written, _ in items:
        if not is_in(item, step):
            continue
        level = before = item["level"]
        if key[0] and track == OVERDUE and written is not None:
            level = max(before, min(written.level, step.level))
        levels[item["item_id"]] = (item["asked_mills"], level, before)
    return step, not enough, levels


def way_of(
    step: Step, account_id: int, ways: Sequence[Row], rules: SendingRules
) -> tuple[str, Row | None, bool]:
    """The channel, the way, and whether it can go."""
    for channel in (step.channel, *step.fallback):
        if channel not in WRITTEN:
            return channel, None, True
        own = sorted(
            (w for w in ways if w["account_id"] == account_id and w["channel"] == channel),
            key=lambda w: (w["place"], w["contact_id"]),
        )
        for way in own:
            needs_consent = channel == SMS and rules.sms_needs_consent
            if way["address"] and not way["stop"] and (way["has_consent"] or not needs_consent):
                return channel, way, True
    return step.channel, None, False


def reference_plan(
    playbooks: Sequence[Playbook], accounts: Sequence[Row], items: Sequence[Row], sent: Sequence[Row],
    ways: Sequence[Row], as_of: date, booked_until: date | None, rules: SendingRules, is_live: bool,
    replies: Iterable[int] = (), terms: Mapping[tuple[int, str], int] | None = None,
    noticed: Iterable[int] = (),
) -> dict[Key, dict[str, Any]]:  # fmt: skip
    """The plan by (account, currency, track): step, level, channel, contact_id, asked, items, blocked.

    replies: accounts that wait for an answer; terms: levels of notices whose term runs; noticed: items."""
    known = as_of if booked_until is None else min(as_of, booked_until)
    is_beyond = booked_until is not None and as_of > add_banking_days(booked_until, rules.statement_lag_days)
    rows: dict[Key, dict[str, Any]] = {}
    for account in accounts:
        book = None if account["is_insolvent"] else playbook_of(playbooks, account)
        if book is None:
            continue
        number, currency = account["account_id"], account["currency"]
        own_sent = [s for s in sent if s["account_id"] == number]
        soon_sent = [s["date"] for s in own_sent if s["channel"] in WRITTEN and s["track"] == SOON]
        today = Today(
            as_of, known, rules,
            max((s["date"] for s in own_sent if s["channel"] not in WRITTEN), default=None),
            max(soon_sent, default=None),
        )  # fmt: skip
        own = [
            i for i in items
            if (i["account_id"], i["currency"]) == (number, currency) and i["asked_mills"] > 0
        ]  # fmt: skip
        late = [i for i in own if (known - i["due_date"]).days > rules.grace_days]
        soon = [i for i in own if i["due_date"] >= as_of]
        of_track = {
            OVERDUE: [
                (i, written_step(i, account, book, today), person_step(i, account, book, today, OVERDUE))
                for i in late
            ],
            SOON: [
                (i, soon_step(i, account, book, today), person_step(i, account, book, today, SOON))
                for i in soon
            ],
        }
        of_track[SOON] = [each for each in of_track[SOON] if each[1] or each[2]]
        ladder = [s for s in book.ladder(OVERDUE) if s.channel in WRITTEN]
        formal = [s.level for s in ladder if s.purpose == FORMAL_NOTICE]
        floors = {
            i["item_id"]: i["level"]
            for i in late
            if i["item_id"] in noticed or (formal and i["level"] >= min(formal))
        }
        for track, judged in of_track.items():
            found = message_of(judged, account["open_mills"], track, floors if track == OVERDUE else {})
            if found is None:
                continue
            step, is_small, levels = found
            channel, way, can_go = way_of(step, number, ways, rules)
            is_written = channel in WRITTEN
            blocked = ""
            if is_written and not is_live:
                blocked = "not_live"
            elif track == OVERDUE and is_beyond:
                blocked = "beyond_statement"
            elif track == OVERDUE and is_written and number in replies:
                blocked = "reply_waiting"
            elif track == OVERDUE and is_written and step.level < (terms or {}).get((number, currency), 0):
                blocked = "term_running"
            elif is_small:
                blocked = "below_minimum"
            elif is_written and not can_go:
                blocked = "no_address"
            rows[number, currency, track] = {
                "playbook": book.code, "step": step.code, "level": step.level, "channel": channel,
                "contact_id": way and way["contact_id"], "address": way and way["address"],
                "asked_mills": sum(asked for asked, _, _ in levels.values()), "items": levels,
                "blocked": blocked, "is_written": is_written,
            }  # fmt: skip
    _cap(rows, sent, as_of, rules)
    return rows


def _reader(row: Row, account: int) -> str:
    if row["address"]:
        return str(row["address"]).lower()
    return f"contact {row['contact_id']}" if row["contact_id"] is not None else f"account {account}"


def _cap(rows: dict[Key, dict[str, Any]], sent: Sequence[Row], as_of: date, rules: SendingRules) -> None:
    def since(days: int) -> Iterable[Row]:
        first = as_of - timedelta(days=days)
        return [s for s in sent if s["channel"] in WRITTEN and first < s["date"] <= as_of]

    free = [key for key, row in rows.items() if row["is_written"] and not row["blocked"]]
    free.sort(key=lambda key: (key[2] != OVERDUE, -rows[key]["asked_mills"], key[0], key[1]))
    resting = {s["account_id"] for s in since(rules.rest_days) if s["track"] == OVERDUE}
    for key in free:
        if key[2] == OVERDUE and key[0] in resting:
            rows[key]["blocked"] = "contact_cap"
    for by, days, cap in (
        ("reader and track", 1, 1),
        ("reader", 1, rules.contact_day_cap),
        ("reader", 7, rules.contact_week_cap),
        ("account", 30, rules.account_month_cap),
    ):
        counted: dict[object, int] = defaultdict(int)

        def name(row: Row, account: int, track: str, by: str = by) -> object:
            if by == "account":
                return account
            return (_reader(row, account), track) if by == "reader and track" else _reader(row, account)

        for each in since(days):
            counted[name(each, each["account_id"], each["track"])] += 1
        for key in free:
            if rows[key]["blocked"]:
                continue
            # Counted whether it may go or not: the places of a cap are those of the first ones.
            counted[name(rows[key], key[0], key[2])] += 1
            if counted[name(rows[key], key[0], key[2])] > cap:
                rows[key]["blocked"] = "contact_cap"
    room = rules.daily_cap - len(list(since(1)))
    left = sorted(
        (key for key in free if not rows[key]["blocked"]), key=lambda key: (-rows[key]["asked_mills"], key)
    )
    for key in left[max(room, 0) :]:
        rows[key]["blocked"] = "daily_cap"
