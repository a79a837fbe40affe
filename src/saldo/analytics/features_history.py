"""How an account has paid, as known on a day: from the items it had settled by then, and those due since."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from saldo.analytics.features_spells import Facts, Settlements, Spells
from saldo.analytics.features_sums import NEVER, Asked, Bools, Ints, Running, covering

Floats = npt.NDArray[np.float64]

LATEST = 50
# A little more is read than is used, so that settlements undone by a return leave room for earlier ones.
_READ = 64
HALF_LIFE_ITEMS = 5.0
RECENT_ITEMS = 5
RECENT_DUE_DAYS = 90
YEAR_DAYS = 365
_CHUNK = 50_000
# Weights of amounts in whole units, within twelve orders of magnitude, so that their sums stay in 64 bits.
_WEIGHT_LIMIT = 10**12
MILLS = 1000.0
# 1970-01-01 was a Thursday.
_THURSDAY = 3


@dataclass(frozen=True, slots=True)
class Past:
    """The facts with their spells and settlements, computed once for all groups of features."""

    facts: Facts
    spells: Spells
    settled: Settlements


@dataclass(frozen=True, slots=True)
class Self:
    """The asked item itself, one row per landmark: to be taken out of its account's sums.

    is_known: it had entered by then. balance: 0 or more. due: day number, NEVER where none is known.
    """

    day: Ints
    is_known: Bools
    amount: Ints
    balance: Ints
    due: Ints


def ratio(above: Ints | Floats, below: Ints | Floats) -> Floats:
    """above / below, not a number where below is 0."""
    result = np.full(len(above), np.nan)
    np.divide(above, below, out=result, where=np.asarray(below) != 0)
    return result


def days_since(day: Ints, since: Ints) -> Floats:
    """Days from ``since``; not a number where it is ±NEVER."""
    return np.where(np.abs(since) >= NEVER, np.nan, (day - since).astype(np.float64))


def _month_parts(day: Ints) -> tuple[Ints, Ints]:
    """Day of the month, and days left in it, of days since 1970."""
    dates = day.astype("datetime64[D]")
    month = dates.astype("datetime64[M]")
    first, following = month.astype("datetime64[D]"), (month + 1).astype("datetime64[D]")
    return (dates - first).astype(np.int64) + 1, (following - dates).astype(np.int64) - 1


def is_month_turn(day: Ints) -> Bools:
    """The last three days of a month or its first: there payment runs at month end fall, weekends or not."""
    of_month, left = _month_parts(day)
    result: Bools = (left <= 2) | (of_month == 1)
    return result


def settled_features(past: Past, questions: Asked) -> dict[str, Floats]:
    """Counts, means and shares over all items settled by each day, by account."""
    settled, group = past.settled, past.facts.group[past.settled.item]
    weekday = (settled.paid_day + _THURSDAY) % 7
    values = {
        "delay": settled.delay,
        "square": settled.delay**2,
        "late": (settled.delay > 0).astype(np.int64),
        "late_30": (settled.delay > 30).astype(np.int64),
        "parts": (settled.parts > 1).astype(np.int64),
        "month_turn": is_month_turn(settled.paid_day).astype(np.int64),
        **{f"weekday_{day}": (weekday == day).astype(np.int64) for day in range(7)},
    }
    sums = covering(group, settled.begin, settled.end, values, questions)
    n = sums["n"]
    mean = ratio(sums["delay"], n)
    variance = ratio(sums["square"], n) - mean**2
    weekdays = np.stack([sums[f"weekday_{day}"] for day in range(7)])
    return {
        "paid_count": n.astype(np.float64),
        "delay_mean": mean,
        "delay_sd": np.where(n >= 2, np.sqrt(np.maximum(variance, 0.0)), np.nan),
        "late_share": ratio(sums["late"], n),
        "late_30_share": ratio(sums["late_30"], n),
        "part_payment_share": ratio(sums["parts"], n),
        "month_turn_share": ratio(sums["month_turn"], n),
        "top_weekday": np.where(n > 0, weekdays.argmax(axis=0) + 1.0, np.nan),
        "top_weekday_share": ratio(weekdays.max(axis=0), n),
        "_delay_sum": sums["delay"].astype(np.float64),
    }


def settled_by_amount(past: Past, questions: Asked) -> dict[str, Floats]:
    """Mean delay weighted by amount: of items in the question's currency (``questions`` ask by purse)."""
    settled, purse = past.settled, past.facts.purse[past.settled.item]
    weight = np.clip(past.facts.amount[settled.item] // 1000, 1, _WEIGHT_LIMIT)
    values = {"weight": weight, "weighted": weight * settled.delay}
    sums = covering(purse, settled.begin, settled.end, values, questions)
    return {"delay_mean_by_amount": ratio(sums["weighted"], sums["weight"])}


def latest_features(past: Past, questions: Asked) -> dict[str, Floats]:
    """Of the last LATEST settlements, those returned since left out: median, recent means, the last one."""
    settled = past.settled
    running = Running(past.facts.group[settled.item], settled.begin)
    first, after = running.span(questions.group, questions.day)
    delay, end = settled.delay[running.order], settled.end[running.order]
    names = ("delay_median", "delay_last_5", "delay_recent", "delay_last", "late_recent_share")
    result = {name: np.full(len(questions), np.nan) for name in names}
    some = np.flatnonzero(after > first)
    for begin in range(0, len(some), _CHUNK):
        chosen = some[begin : begin + _CHUNK]
        position = after[chosen, None] - 1 - np.arange(_READ)[None, :]
        inside = position >= first[chosen, None]
        position = np.maximum(position, 0)
        inside &= end[position] > questions.day[chosen, None]
        rank = np.cumsum(inside, axis=1)
        inside &= rank <= LATEST
        values = _latest(delay[position].astype(np.float64), inside, rank - 1)
        for name, value in zip(names, values, strict=True):
            result[name][chosen] = value
    return result


def _latest(delay: Floats, inside: Bools, rank: Ints) -> tuple[Floats, ...]:
    """Median, mean of the last RECENT_ITEMS, exponential mean, last, and exponential share of late ones.

    One row per question, latest settlement first; ``rank``: 0 for the latest one inside.
    """
    count = inside.sum(axis=1)
    ordered = np.sort(np.where(inside, delay, np.inf), axis=1)
    rows = np.arange(len(delay))
    some = np.maximum(count, 1)
    middle = (ordered[rows, (some - 1) // 2] + ordered[rows, some // 2]) / 2.0
    recent = inside & (rank < RECENT_ITEMS)
    weight = np.where(inside, 0.5 ** (rank / HALF_LIFE_ITEMS), 0.0)
    total = weight.sum(axis=1)
    last = np.where(inside & (rank == 0), delay, 0.0).sum(axis=1)
    return (
        np.where(count > 0, middle, np.nan),
        ratio(np.where(recent, delay, 0.0).sum(axis=1), recent.sum(axis=1)),
        ratio((weight * delay).sum(axis=1), total),
        np.where(count > 0, last, np.nan),
        ratio((weight * (delay > 0)).sum(axis=1), total),
    )


def payment_features(past: Past, questions: Asked) -> dict[str, Floats]:
    """Days since the last payment and the first document, returned payments."""
    facts = past.facts
    group = facts.group[facts.end_item]
    payment = facts.end_paid & (facts.end_amount > 0)
    returned = facts.end_returned & (facts.end_amount < 0)
    returns = Running(group[returned], facts.end_entry[returned])
    lately = returns.between(questions.group, questions.day - YEAR_DAYS, questions.day)["n"]
    last_payment = latest_value(group[payment], facts.end_entry[payment], facts.end_day[payment], questions)
    last_return = latest_value(group[returned], facts.end_entry[returned], facts.end_day[returned], questions)
    has_document = facts.document > -NEVER
    first_document = -latest_value(
        facts.group[has_document], facts.entry[has_document], -facts.document[has_document], questions
    )
    return {
        "days_since_payment": days_since(questions.day, last_payment),
        "relation_days": days_since(questions.day, first_document),
        "returned_count": lately.astype(np.float64),
        "days_since_return": days_since(questions.day, last_return),
    }


def latest_value(group: Ints, day: Ints, value: Ints, questions: Asked) -> Ints:
    """Greatest ``value`` among the group's events by each day; -NEVER where it has none."""
    running = Running(group, day)
    ordered = running.order
    greatest = np.maximum.accumulate(
        np.concatenate([np.zeros(1, dtype=np.int64), (group[ordered] << 22) + value[ordered] + NEVER])
    )
    first, after = running.span(questions.group, questions.day)
    found = greatest[after] - (questions.group << 22) - NEVER
    return np.where(after > first, found, -NEVER)


def due_features(past: Past, questions: Asked, own: Self) -> dict[str, Floats]:
    """Share of what else fell due in the last RECENT_DUE_DAYS that is still open, by number and by amount.

    One row per landmark; ``questions`` ask by purse; the asked item itself is taken out.
    """
    spells, facts = past.spells, past.facts
    begin = np.maximum(spells.begin, spells.due + 1)
    end = np.minimum(spells.end, spells.due + 1 + RECENT_DUE_DAYS)
    is_open = (spells.balance > 0).astype(np.int64)
    values = {"amount": facts.amount[spells.item], "balance": spells.balance, "open": is_open}
    sums = covering(facts.purse[spells.item], begin, end, values, questions)
    mine = own.is_known & (own.due < own.day) & (own.due >= own.day - RECENT_DUE_DAYS)
    own_open = mine & (own.balance > 0)
    others = {name: values[questions.row] for name, values in sums.items()}
    amount = others["amount"] - np.where(mine, own.amount, 0)
    balance = others["balance"] - np.where(own_open, own.balance, 0)
    return {
        "recent_due_open_share": ratio(balance / MILLS, amount / MILLS),
        "recent_due_open_count_share": ratio(others["open"] - own_open, others["n"] - mine),
    }


def censored_mean(delay_sum: Floats, paid: Floats, overdue_age: Floats, overdue: Floats) -> Floats:
    """Mean delay with open overdue items counted at the age they have reached so far.

    A mean over paid items alone leaves out those that take longest; this one still counts them short, but
    rises while they stay open.
    """
    return ratio(delay_sum + overdue_age, paid + overdue)
