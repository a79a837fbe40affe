"""When a message may leave: a company's settings of sending, and the reasons that hold a message back.

Pure rules on one message and the facts of the moment; the sender asks them again just before it sends. The
page of the rules: docs/rules/sending.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import date, time
from typing import Any

# What holds a message back. The first group ends it (cancelled), the second puts it off (postponed).
NOT_LIVE, STOPPED, PAID, PROMISED, DISPUTED, HELD, PLANNED, IN_FLIGHT, CASH_FIRST, BEYOND_STATEMENT = (
    "not_live", "stopped", "paid", "promised", "disputed", "held", "planned", "in_flight", "cash_first",
    "beyond_statement",
)  # fmt: skip
AMOUNT_CHANGED, BELOW_MINIMUM, NO_ADDRESS, ADDRESS_STOPPED, NO_CONSENT, SUPERSEDED, EXPIRED = (
    "amount_changed", "below_minimum", "no_address", "address_stopped", "no_consent", "superseded", "expired",
)  # fmt: skip
# A person owes an answer; the term of a formal notice runs.
REPLY_WAITING, TERM_RUNNING = "reply_waiting", "term_running"
DAILY_CAP, CONTACT_CAP, QUIET_HOURS, HOLIDAY = "daily_cap", "contact_cap", "quiet_hours", "holiday"
POSTPONING = frozenset({DAILY_CAP, QUIET_HOURS, HOLIDAY, STOPPED})

# States of a delivery (outreach.models.Delivery).
QUEUED, SENDING, SENT, FAILED, UNKNOWN, CANCELLED, POSTPONED = (
    "queued", "sending", "sent", "failed", "unknown", "cancelled", "postponed",
)  # fmt: skip
ACCEPTED, DELIVERED, BOUNCED, COMPLAINT, OPENED, CLICKED, PUBLISHED, PRINTED = (
    "accepted", "delivered", "bounced", "complaint", "opened", "clicked", "published", "printed",
)  # fmt: skip
# Once one of these is told the message has left; it counts as a contact and lifts its items' levels.
LEFT = frozenset({SENT, ACCEPTED, DELIVERED, BOUNCED, COMPLAINT, OPENED, CLICKED, PUBLISHED, PRINTED})
# A person (or a retry) still has to do something.
WAITING = frozenset({QUEUED, POSTPONED})


@dataclass(frozen=True, slots=True)
class SendingRules:
    """A company's settings of sending.

    cutover_date: nothing is sent before it, None: sending is off. daily_cap: messages of the company a day.
    contact_week_cap: messages to one contact in seven days, across channels; contact_day_cap: in one day (one
    for what falls due soon, one for what is overdue). account_month_cap: written contacts in 30 days.
    quiet_from, quiet_to: hours of the company's time zone in which nothing leaves. on_saturday. grace_days:
    calendar days after the due date before anything counts as overdue for a reminder. statement_lag_days:
    banking days that the last bank statement may be old before reminders stop. promise_tolerance_days.
    rest_days: between two written reminders to an account. reply_wait_days: calendar days for which a reply
    that waits for a person holds reminders, 0: it never does. tracking: own signed links that tell of opens
    and clicks. blocks_whole_item: of PROMISED, DISPUTED, HELD, PLANNED those that keep the whole item out of
    dunning, not only their amount. thanks: a note after what was asked for has been paid. survey: two
    questions after a dispute or a plan was closed, to a customer not again within survey_rest_days.
    letter_folder:
    where letters are put for printing ("": in Saldo only). iban, bic: for the letter's QR code. sender_name,
    signature (by language): what stands in messages. prescription_years: terms other than the law's usual
    ones, by kind of item (core.prescription.YEARS); prescription_alert_days: how long before its end an item
    is pointed out.
    """

    cutover_date: date | None = None
    daily_cap: int = 200
    contact_day_cap: int = 2
    contact_week_cap: int = 3
    account_month_cap: int = 6
    quiet_from: time = time(18, 30)
    quiet_to: time = time(8, 30)
    on_saturday: bool = False
    grace_days: int = 0
    statement_lag_days: int = 3
    promise_tolerance_days: int = 3
    rest_days: int = 5
    reply_wait_days: int = 10
    blocks_whole_item: tuple[str, ...] = ()
    sms_needs_consent: bool = True
    tracking: bool = False
    thanks: bool = False
    survey: bool = False
    survey_rest_days: int = 180
    letter_folder: str = ""
    iban: str = ""
    bic: str = ""
    sender_name: str = ""
    signature: Mapping[str, str] = field(default_factory=dict)
    prescription_years: Mapping[str, int] = field(default_factory=dict)
    prescription_alert_days: int = 180

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> SendingRules:
        """From stored data; what it does not say keeps its default. Dates and times are ISO texts there."""
        known = {each.name for each in fields(cls)}
        told = {name: value for name, value in data.items() if name in known}
        if told.get("cutover_date"):
            told["cutover_date"] = date.fromisoformat(told["cutover_date"])
        for name in ("quiet_from", "quiet_to"):
            if name in told:
                told[name] = time.fromisoformat(told[name])
        if "blocks_whole_item" in told:
            told["blocks_whole_item"] = tuple(told["blocks_whole_item"])
        return cls(**told)

    def data(self) -> dict[str, Any]:
        """As it is stored: ``of(data())`` is the same rules."""
        told: dict[str, Any] = {}
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, date | time):
                value = value.isoformat()
            elif isinstance(value, tuple):
                value = list(value)
            elif isinstance(value, Mapping):
                value = dict(value)
            told[each.name] = value
        return told
