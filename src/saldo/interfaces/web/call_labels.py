"""The words of calls and visits: what came of them, why an action is passed over, why a customer is late."""

from __future__ import annotations

from django.utils.translation import gettext_lazy, pgettext_lazy

RESULTS = {
    "reached": gettext_lazy("Spoken to"),
    "promise": gettext_lazy("Promise"),
    "dispute": pgettext_lazy("call", "Dispute"),
    "call_back": gettext_lazy("Call back"),
    "wrong_number": gettext_lazy("Wrong number"),
    "no_answer": gettext_lazy("No answer"),
    "already_paid": gettext_lazy("Says it is already paid"),
    "refuses": gettext_lazy("Will not pay"),
    "not_found": gettext_lazy("Nobody there"),
}
OUTCOME_CHANNELS = {
    "phone": pgettext_lazy("call", "by telephone"),
    "visit": pgettext_lazy("call", "on a visit"),
    "other": pgettext_lazy("call", "in another way"),
}
SKIP_REASONS = {
    "spoke_lately": gettext_lazy("Spoken to lately"),
    "will_pay": gettext_lazy("Will pay by itself"),
    "wrong_moment": gettext_lazy("Not the moment"),
    "sales_asks": gettext_lazy("Sales asks to wait"),
    "no_contact": gettext_lazy("No contact to call"),
    "not_worth_it": gettext_lazy("Not worth it"),
    "wrong_action": gettext_lazy("Another action is better"),
    "other": pgettext_lazy("reason", "Other"),
}
DELAY_REASONS = {
    "cash": gettext_lazy("Short of cash"),
    "dispute": pgettext_lazy("delay", "Dispute"),
    "missing_document": gettext_lazy("Missing document"),
    "approval": gettext_lazy("Waits for approval"),
    "forgotten": gettext_lazy("Forgotten"),
    "absence": gettext_lazy("Somebody is away"),
    "process": gettext_lazy("Internal process"),
    "bank": gettext_lazy("Bank problem"),
    "other": pgettext_lazy("reason", "Other"),
}
LISTS = {
    "mine": gettext_lazy("My list"),
    "all": gettext_lazy("Everybody’s lists"),
    "nobody": gettext_lazy("Nobody’s"),
}
TABLES = {
    "list": LISTS,
    "result": RESULTS,
    "outcome_channel": OUTCOME_CHANNELS,
    "skip_reason": SKIP_REASONS,
    "delay_reason": DELAY_REASONS,
}
