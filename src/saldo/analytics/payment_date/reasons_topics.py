"""Features that say the same thing, as one topic: so that three reasons are three different things.

Ten features tell how late a customer usually pays. What they do to a forecast together is one reason; it is
told by the one of them that says it most plainly.
"""

from __future__ import annotations

from collections.abc import Mapping

from saldo.analytics.payment_date.effects import NAMES as EFFECTS

# The account's habit comes first: what no other topic explains of an account is put down to it.
HABIT, TERMS, AGE, AMOUNT, CALENDAR = "habit", "terms", "age", "amount", "calendar"
_TOPICS: Mapping[str, tuple[str, ...]] = {
    HABIT: (
        *EFFECTS, "paid_count", "delay_mean", "delay_mean_by_amount", "delay_median", "delay_sd",
        "delay_last_5", "delay_recent", "delay_last", "delay_trend", "delay_mean_with_open", "late_share",
        "late_30_share", "late_recent_share",
    ),
    TERMS: ("terms_days", "extension_days", "own_terms_days"),
    AGE: ("days_past_due", "days_since_document"),
    AMOUNT: ("amount", "log_amount", "amount_to_mean", "own_log_amount"),
    CALENDAR: (
        "due_weekday", "due_day", "due_month", "due_is_month_end", "document_day", "own_due_day",
        "own_month_sin", "own_month_cos", "own_weekday", "document_month", "document_weekday",
    ),
    "pay_days": ("month_turn_share", "top_weekday", "top_weekday_share", "due_to_top_weekday_days"),
    "parts": ("paid_share", "part_payment_share"),
    "returns": ("returned_count", "days_since_return"),
    "relation": ("relation_days", "invoice_count", "invoices_90_count", "days_since_payment"),
    "overdue": (
        "other_overdue_count", "other_overdue_amount", "other_overdue_share", "other_overdue_mean_days",
        "oldest_overdue_days", "recent_due_open_share", "recent_due_open_count_share",
    ),
    "exposure": (
        "other_open_count", "other_open_amount", "other_due_7_amount", "other_due_30_amount", "share_of_open",
    ),
    "promises": ("promise_days", "promise_share", "promises_broken", "promises_kept"),
    "disputes": ("disputed_share", "account_disputed_share", "disputes_count"),
    "contacts": ("contacts_30", "contacts_since_due", "days_since_contact"),
    "orders": ("orders_30_amount", "orders_to_usual"),
}  # fmt: skip
_TOPIC_OF = {name: topic for topic, names in _TOPICS.items() for name in names}
# Columns that a reason does not tell by their own name, and the one that it tells instead.
_TOLD_AS = {
    "own_log_amount": "amount",
    "log_amount": "amount",
    "own_terms_days": "terms_days",
    "own_due_day": "due_day",
    "own_month_sin": "document_month",
    "own_month_cos": "document_month",
    "own_weekday": "document_weekday",
}
# Features of the habit that are larger the later the customer pays.
DELAYS = (
    "delay_median", "delay_mean", "delay_mean_by_amount", "delay_last_5", "delay_recent", "delay_last",
    "delay_mean_with_open", "late_share", "late_30_share", "late_recent_share",
)  # fmt: skip


def topic_of(name: str) -> str:
    """The topic of a column; one that belongs to none (method, segment, a book's own) is one by itself."""
    return _TOPIC_OF.get(name, name)


def told_as(name: str) -> str:
    """The feature, or code, that a column is told by."""
    return _TOLD_AS.get(name, name)
