"""What an account owed on a day: open, overdue, due soon, in the currency of the item asked about."""

from __future__ import annotations

import numpy as np

from saldo.analytics.features_history import MILLS, Floats, Past, Self, days_since, ratio
from saldo.analytics.features_spells import DELAY_LIMIT_DAYS
from saldo.analytics.features_sums import NEVER, Asked, Ints, Running, covering, least_covering

SOON_DAYS, MONTH_DAYS, QUARTER_DAYS = 7, 30, 90


def _sums(past: Past, questions: Asked) -> dict[str, Ints]:
    """Sums per question, the asked item included."""
    spells, facts = past.spells, past.facts
    is_open = spells.balance > 0
    purse = facts.purse[spells.item][is_open]
    begin, end = spells.begin[is_open], spells.end[is_open]
    balance, due = spells.balance[is_open], spells.due[is_open]
    result: dict[str, Ints] = {}

    def add(name: str, first: Ints, last: Ints, **values: Ints) -> None:
        sums = covering(purse, np.maximum(begin, first), np.minimum(end, last), values, questions)
        result.update({f"{name}_{key}": value for key, value in sums.items()})

    never = np.full_like(begin, NEVER)
    add("open", -never, never, balance=balance)
    add("overdue", due + 1, never, balance=balance)
    # Ages grow by a day each day until the limit, and stand there: n * day - sum of dues, then n * limit.
    add("aging", due + 1, due + DELAY_LIMIT_DAYS, due=due)
    add("soon", due - SOON_DAYS, due + 1, balance=balance)
    add("month", due - MONTH_DAYS, due + 1, balance=balance)
    result["oldest"] = least_covering(purse, begin, end, due, questions)
    return result


def _own(own: Self) -> dict[str, Ints]:
    """What the asked item itself adds to those sums."""
    is_open = own.is_known & (own.balance > 0)
    overdue = is_open & (own.due < own.day)
    left = own.due - own.day
    return {
        "open_n": is_open.astype(np.int64),
        "open_balance": np.where(is_open, own.balance, 0),
        "overdue_n": overdue.astype(np.int64),
        "overdue_balance": np.where(overdue, own.balance, 0),
        "overdue_age": np.where(overdue, np.minimum(-left, DELAY_LIMIT_DAYS), 0),
        "soon_balance": np.where(is_open & (left >= 0) & (left <= SOON_DAYS), own.balance, 0),
        "month_balance": np.where(is_open & (left >= 0) & (left <= MONTH_DAYS), own.balance, 0),
    }


def open_features(past: Past, questions: Asked, own: Self) -> dict[str, Floats]:
    """One row per landmark (``questions.row``): the account's open book without the item itself.

    oldest_overdue_days includes it: excluding it would ask for the second oldest.
    """
    sums = _sums(past, questions)
    sums["overdue_age"] = (
        sums["aging_n"] * questions.day
        - sums["aging_due"]
        + (sums["overdue_n"] - sums["aging_n"]) * DELAY_LIMIT_DAYS
    )
    others = {name: sums[name][questions.row] - mine for name, mine in _own(own).items()}
    oldest = days_since(own.day, sums["oldest"][questions.row])
    balance = others["open_balance"] / MILLS
    overdue = others["overdue_balance"] / MILLS
    return {
        "other_open_count": others["open_n"].astype(np.float64),
        "other_open_amount": balance,
        "other_overdue_count": others["overdue_n"].astype(np.float64),
        "other_overdue_amount": overdue,
        "other_overdue_share": ratio(overdue, balance),
        "other_overdue_mean_days": ratio(others["overdue_age"], others["overdue_n"]),
        "oldest_overdue_days": np.where(oldest > 0, oldest, np.where(np.isnan(oldest), np.nan, 0.0)),
        "other_due_7_amount": others["soon_balance"] / MILLS,
        "other_due_30_amount": others["month_balance"] / MILLS,
        "share_of_open": ratio(own.balance / MILLS, own.balance / MILLS + np.maximum(balance, 0.0)),
        "_overdue_age": others["overdue_age"].astype(np.float64),
    }


def size_features(past: Past, questions: Asked, own: Self) -> dict[str, Floats]:
    """The item's amount against the account's others, and how many of them came lately."""
    facts = past.facts
    invoiced = Running(facts.purse, facts.entry, {"amount": facts.amount})
    ever = invoiced.until(questions.group, questions.day)
    lately = invoiced.between(questions.group, questions.day - QUARTER_DAYS, questions.day)["n"]
    mine = own.is_known.astype(np.int64)
    count = ever["n"][questions.row] - mine
    total = ever["amount"][questions.row] - np.where(own.is_known, own.amount, 0)
    mean = ratio(total / MILLS, count)
    return {
        "invoice_count": count.astype(np.float64),
        "invoices_90_count": lately[questions.row].astype(np.float64),
        "amount_to_mean": ratio(own.amount / MILLS, np.where(np.isnan(mean), 0.0, mean)),
    }
