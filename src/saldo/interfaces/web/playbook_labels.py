"""The words of playbooks that no other page needs."""

from __future__ import annotations

from django.utils.translation import gettext_lazy, pgettext_lazy

OWNERS = {
    "collector": gettext_lazy("Collector"),
    "credit_manager": gettext_lazy("Credit manager"),
    "sales": pgettext_lazy("playbook", "Sales"),
    "customer_care": gettext_lazy("Customer care"),
}
MODES = {
    "approve": gettext_lazy("to approve"),
    "automatic": gettext_lazy("by itself"),
}
# Whether an account has a promise, a dispute, a plan.
HAS = {
    "any": pgettext_lazy("condition", "has one"),
    "none": pgettext_lazy("condition", "has none"),
    "broken": pgettext_lazy("condition", "broken"),
}
# The keys of the text, as the form calls them.
FIELDS = {
    "code": gettext_lazy("Code"),
    "order": gettext_lazy("Order"),
    "title": gettext_lazy("Title"),
    "note": gettext_lazy("Note"),
    "segment": gettext_lazy("Segment"),
    "segment.title": gettext_lazy("Segment"),
    "steps": gettext_lazy("Order of the steps"),
    "track": gettext_lazy("Track"),
    "level": gettext_lazy("Level"),
    "day": gettext_lazy("Day"),
    "until_day": gettext_lazy("Until day"),
    "wait_days": gettext_lazy("Days of wait"),
    "after": gettext_lazy("Only after the step"),
    "channel": gettext_lazy("Channel"),
    "fallback": gettext_lazy("Without an address, by"),
    "template": gettext_lazy("Text"),
    "tone": gettext_lazy("Tone"),
    "purpose": gettext_lazy("Purpose"),
    "mode": gettext_lazy("Leaves"),
    "owner": gettext_lazy("Whose task"),
    "min_amount": gettext_lazy("Least amount"),
    "min_share": gettext_lazy("Least share of what is open"),
    "repeat_days": gettext_lazy("Again every days"),
    "attach": gettext_lazy("Attached"),
    "classes": gettext_lazy("Score classes"),
    "countries": gettext_lazy("Countries"),
    "segments": gettext_lazy("Segments chosen by hand"),
    "min_open": gettext_lazy("Open, at least"),
    "max_open": gettext_lazy("Open, at most"),
    "min_known_days": gettext_lazy("Known for days, at least"),
    "max_known_days": gettext_lazy("Known for days, at most"),
    "min_late_days": gettext_lazy("Usual delay in days, at least"),
    "max_late_days": gettext_lazy("Usual delay in days, at most"),
    "promise": gettext_lazy("Promise"),
    "dispute": gettext_lazy("Dispute"),
    "plan": gettext_lazy("Payment plan"),
    "delay_reasons": gettext_lazy("Late because, as it said last"),
}
# Where the values of a key have words of their own.
VALUES = {
    "track": "track", "channel": "channel", "fallback": "channel", "template": "template", "tone": "tone",
    "purpose": "purpose", "mode": "step_mode", "owner": "step_owner", "attach": "attachment",
    "promise": "has_state", "dispute": "has_state", "plan": "has_state", "delay_reasons": "delay_reason",
}  # fmt: skip

TABLES = {"step_owner": OWNERS, "step_mode": MODES, "has_state": HAS}
