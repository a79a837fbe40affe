"""The features once more, slowly and in plain Python: what the fast ones must agree with."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from saldo.analytics.book import Book

Row = dict[str, Any]
LIMIT = 730


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None


@dataclass
class Settled:
    begin: date
    paid: date
    delay: int
    parts: int
    amount: int
    currency: str | None


class Known:
    """One account as known on the evening of ``day``, told from ``book`` row by row."""

    def __init__(self, book: Book, account_id: int, day: date) -> None:
        self.day = day
        self.items = {row["item_id"]: row for row in book.items.to_dicts() if row["account_id"] == account_id}
        rows = {name: getattr(book, name).to_dicts() for name in ("ends", "terms", "disputes")}
        self.ends = [row for row in rows["ends"] if row["item_id"] in self.items]
        self.terms = [row for row in rows["terms"] if row["item_id"] in self.items]
        self.disputes = [row for row in rows["disputes"] if row["item_id"] in self.items]
        self.contacts, self.orders, self.promises = (
            [row for row in frame.to_dicts() if row["account_id"] == account_id and row["known_date"] <= day]
            for frame in (book.contacts, book.orders, book.promises)
        )
        self.entered = {i: row for i, row in self.items.items() if self.entry(i) <= day}

    def entry(self, item: int) -> date:
        row = self.items[item]
        return max(row["known_date"], row["document_date"])

    def ends_of(self, item: int, day: date) -> list[tuple[date, Row]]:
        """Day each end of the item entered, and the end, of those entered by ``day``."""
        entries = [
            (max(row["known_date"], row["end_date"], self.entry(item)), row)
            for row in self.ends if row["item_id"] == item
        ]  # fmt: skip
        return [(entered, row) for entered, row in entries if entered <= day]

    def due(self, item: int, day: date) -> date:
        agreed = [t for t in self.terms if t["item_id"] == item and t["known_date"] <= day]
        if self.entry(item) > day:
            agreed = [t for t in agreed if t["known_date"] <= day]
        last = max((t["known_date"] for t in agreed), default=None)
        return [t["due_date"] for t in agreed if t["known_date"] == last][-1] if agreed else (
            self.items[item]["due_date"]
        )  # fmt: skip

    def balance(self, item: int, day: date) -> int:
        return int(
            self.items[item]["amount_mills"] - sum(row["amount_mills"] for _, row in self.ends_of(item, day))
        )

    def is_settled(self, item: int, day: date) -> bool:
        if self.entry(item) > day:
            return False
        cash = [r["amount_mills"] for _, r in self.ends_of(item, day) if r["cause"] in ("paid", "returned")]
        return self.balance(item, day) <= 0 and sum(cash) * 2 >= self.items[item]["amount_mills"]

    def settled(self) -> list[Settled]:
        """Items settled now, in the order of their settlement."""
        found = []
        for item in self.entered:
            if not self.is_settled(item, self.day):
                continue
            changes = {self.entry(item), *(entered for entered, _ in self.ends_of(item, self.day))}
            begin = self.day
            for change in sorted(changes, reverse=True):
                if not self.is_settled(item, change):
                    break
                begin = change
            payments = [
                row for _, row in self.ends_of(item, begin)
                if row["cause"] == "paid" and row["amount_mills"] > 0
            ]  # fmt: skip
            paid = max(row["end_date"] for row in payments)
            delay = max(-LIMIT, min(LIMIT, (paid - self.due(item, begin)).days))
            found.append(
                Settled(
                    begin,
                    paid,
                    delay,
                    len(payments),
                    self.items[item]["amount_mills"],
                    self.items[item]["currency"],
                )
            )
        return sorted(found, key=lambda s: (s.begin, s.paid, s.delay))


def _history(known: Known) -> dict[str, float | None]:
    settled, day = known.settled(), known.day
    delays = [s.delay for s in settled]
    latest = delays[-50:][::-1]
    weights = [0.5 ** (k / 5) for k in range(len(latest))]
    mean = _mean(delays)
    middle = sorted(latest)
    weekdays = Counter(s.paid.isoweekday() for s in settled)
    top = max(weekdays.values(), default=0)
    recent = _share(sum(w * d for w, d in zip(weights, latest, strict=True)), sum(weights))
    turn = [s.paid.day == 1 or (s.paid + timedelta(days=3)).month != s.paid.month for s in settled]
    paid = [e for i in known.entered for e in known.ends_of(i, day) if e[1]["cause"] == "paid"]
    back = [e for i in known.entered for e in known.ends_of(i, day) if e[1]["cause"] == "returned"]
    last_paid = max((row["end_date"] for _, row in paid if row["amount_mills"] > 0), default=None)
    last_back = max((row["end_date"] for _, row in back if row["amount_mills"] < 0), default=None)
    first = min((row["document_date"] for row in known.entered.values()), default=None)
    return {
        "paid_count": len(settled),
        "delay_mean": mean,
        "delay_sd": math.sqrt(_mean([(d - mean) ** 2 for d in delays]) or 0.0)
        if mean is not None and len(delays) > 1
        else None,
        "delay_median": (middle[(len(middle) - 1) // 2] + middle[len(middle) // 2]) / 2 if middle else None,
        "delay_last_5": _mean([float(d) for d in latest[:5]]),
        "delay_recent": recent,
        "delay_last": latest[0] if latest else None,
        "delay_trend": None if mean is None or recent is None else recent - mean,
        "late_share": _mean([float(d > 0) for d in delays]),
        "late_30_share": _mean([float(d > 30) for d in delays]),
        "late_recent_share": _share(
            sum(w for w, d in zip(weights, latest, strict=True) if d > 0), sum(weights)
        ),
        "part_payment_share": _mean([float(s.parts > 1) for s in settled]),
        "month_turn_share": _mean([float(t) for t in turn]),
        "top_weekday": min((w for w, n in weekdays.items() if n == top), default=None),
        "top_weekday_share": _share(top, len(settled)),
        "days_since_payment": None if last_paid is None else (day - last_paid).days,
        "relation_days": None if first is None else (day - first).days,
        "returned_count": sum(
            1 for entered, row in back if row["amount_mills"] < 0 and entered > day - timedelta(days=365)
        ),
        "days_since_return": None if last_back is None else (day - last_back).days,
        "_sum": sum(delays),
    }


def _by_amount(known: Known, currency: str | None) -> float | None:
    same = [s for s in known.settled() if s.currency == currency]
    units = [max(s.amount // 1000, 1) for s in same]
    return _share(sum(u * s.delay for u, s in zip(units, same, strict=True)), sum(units))


def _open_book(known: Known, item: int) -> dict[str, float | None]:
    day, currency = known.day, known.items[item]["currency"]
    same = [i for i, row in known.entered.items() if row["currency"] == currency]
    others = [i for i in same if i != item]
    balance = {i: known.balance(i, day) for i in [*same, item]}
    late = {i: (day - known.due(i, day)).days for i in [*same, item]}
    is_open = [i for i in others if balance[i] > 0]
    overdue = [i for i in is_open if late[i] > 0]
    recent = [i for i in others if 1 <= late[i] <= 90]
    total = sum(balance[i] for i in is_open)
    ages = [min(late[i], LIMIT) for i in overdue]
    oldest = max((late[i] for i in same if balance[i] > 0), default=None)
    mine = max(balance[item], 0)
    amounts = [known.items[i]["amount_mills"] for i in others]

    def due_within(days: int) -> float:
        return sum(balance[i] for i in is_open if -days <= late[i] <= 0) / 1000

    lately = [i for i in same if known.entry(i) > day - timedelta(days=90)]
    return {
        "other_open_count": len(is_open),
        "other_open_amount": total / 1000,
        "other_overdue_count": len(overdue),
        "other_overdue_amount": sum(balance[i] for i in overdue) / 1000,
        "other_overdue_share": _share(sum(balance[i] for i in overdue), total),
        "other_overdue_mean_days": _mean([float(a) for a in ages]),
        "oldest_overdue_days": None if oldest is None else max(oldest, 0),
        "other_due_7_amount": due_within(7),
        "other_due_30_amount": due_within(30),
        "share_of_open": _share(mine, mine + total),
        "recent_due_open_share": _share(
            sum(max(balance[i], 0) for i in recent), sum(known.items[i]["amount_mills"] for i in recent)
        ),
        "recent_due_open_count_share": _share(sum(balance[i] > 0 for i in recent), len(recent)),
        "invoice_count": len(others),
        "invoices_90_count": len(lately),
        "amount_to_mean": _share(known.items[item]["amount_mills"] * len(others), sum(amounts)),
        "_ages": sum(ages),
        "_total": total + mine,
    }


def _disputes(known: Known, item: int, total: float) -> dict[str, float | None]:
    currency = known.items[item]["currency"]
    ever = [
        row for row in known.disputes
        if row["known_date"] <= known.day and row["item_id"] in known.entered
        and known.items[row["item_id"]]["currency"] == currency
    ]  # fmt: skip
    now = [row for row in ever if row["closed_date"] is None or row["closed_date"] > known.day]
    mine = sum(row["amount_mills"] for row in now if row["item_id"] == item)
    share = _share(mine, max(known.balance(item, known.day), 0))
    of_all = _share(sum(row["amount_mills"] for row in now), total)
    return {
        "disputed_share": None if share is None else min(share, 1.0),
        "account_disputed_share": None if of_all is None else min(of_all, 1.0),
        "disputes_count": len(ever),
    }


def _talk(known: Known, item: int) -> dict[str, float | None]:
    day, due = known.day, known.due(item, known.day)
    days = [row["known_date"] for row in known.contacts]
    ordered = {
        n: sum(
            row["amount_mills"] for row in known.orders
            if day - timedelta(days=first) < row["known_date"] <= day - timedelta(days=last)
        )
        for n, (first, last) in {"month": (30, 0), "before": (210, 30)}.items()
    }  # fmt: skip
    return {
        "contacts_30": sum(1 for d in days if d > day - timedelta(days=30)),
        "contacts_since_due": sum(1 for d in days if d >= due),
        "days_since_contact": (day - max(days)).days if days else None,
        "orders_30_amount": ordered["month"] / 1000,
        "orders_to_usual": _share(ordered["month"] * 6, ordered["before"]),
    }


def _is_broken(known: Known, promise: Row, judged: date) -> bool:
    item, before = promise["item_id"], promise["known_date"] - timedelta(days=1)
    items = [item] if item is not None else list(known.entered)
    paid = sum(
        row["amount_mills"] for i in items for entered, row in known.ends_of(i, judged)
        if entered > before and row["cause"] in ("paid", "returned")
    )  # fmt: skip
    amount = promise["amount_mills"]
    if item is not None:
        cash = sum(
            row["amount_mills"] for _, row in known.ends_of(item, before)
            if row["cause"] in ("paid", "returned")
        )  # fmt: skip
        amount = min(amount, max(known.items[item]["amount_mills"] - cash, 0))
    return bool(paid < amount - amount // 20)


def _promises(known: Known, item: int) -> dict[str, float | None]:
    day, grace = known.day, timedelta(days=5)
    promises = [
        p if p["item_id"] is None else p | {"known_date": max(p["known_date"], known.entry(p["item_id"]))}
        for p in known.promises if p["item_id"] is None or p["item_id"] in known.entered
    ]  # fmt: skip
    broken = kept = 0
    for promise in promises:
        judged = max(promise["promised_date"] + grace, promise["known_date"])
        if judged <= day:
            is_broken = _is_broken(known, promise, judged)
            broken, kept = broken + is_broken, kept + (not is_broken)
    chosen = None
    for owner in (item, None):
        of_owner = [p for p in promises if p["item_id"] == owner]
        last = max(
            of_owner, key=lambda p: (p["known_date"], p["promised_date"], p["amount_mills"]), default=None
        )
        if chosen is None and last is not None and last["promised_date"] + grace > day:
            chosen = last
    balance = max(known.balance(item, day), 0)
    share = None if chosen is None else _share(chosen["amount_mills"], balance)
    return {
        "promise_days": None if chosen is None else (chosen["promised_date"] - day).days,
        "promise_share": None if share is None else min(share, 1.0),
        "promises_broken": broken,
        "promises_kept": kept,
    }


def slow_features(book: Book, item_id: int, day: date) -> dict[str, float | None]:
    """The features of one landmark, except those of the item by itself."""
    account = next(r["account_id"] for r in book.items.to_dicts() if r["item_id"] == item_id)
    known = Known(book, account, day)
    result = _history(known) | _open_book(known, item_id) | _talk(known, item_id)
    result["delay_mean_by_amount"] = _by_amount(known, known.items[item_id]["currency"])
    due, top = known.due(item_id, day).isoweekday(), result["top_weekday"]
    result["due_to_top_weekday_days"] = None if top is None else (top - due) % 7
    total = result.pop("_total") or 0
    result |= _disputes(known, item_id, total) | _promises(known, item_id)
    overdue = result["other_overdue_count"] or 0
    result["delay_mean_with_open"] = _share(
        (result.pop("_sum") or 0) + (result.pop("_ages") or 0), (result["paid_count"] or 0) + overdue
    )
    return result
